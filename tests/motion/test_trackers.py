"""Trackers are in the catalogue, apart from what makes frames."""

from __future__ import annotations

import re
from argparse import ArgumentParser
from collections.abc import Callable
from pathlib import Path

import parity
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

import vfi
from vfi.cli import models
from vfi.core import HubFile, InputError
from vfi.model import registry, weights
from vfi.model.terms import TERMS
from vfi.model.unfilled import unfilled
from vfi.motion import alltracker, trackers

Run = Callable[..., str]


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("INBETWEEN_MODELS", str(tmp_path))
    monkeypatch.delenv("COMFYUI_PATH", raising=False)
    monkeypatch.setenv("COLUMNS", "200")
    return tmp_path


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str]) -> Run:
    def run(*arguments: object, code: int = 0) -> str:
        parser = ArgumentParser()
        models.add_parser(parser.add_subparsers())
        args = parser.parse_args(["models", *map(str, arguments)])
        assert args.run(args) == code
        return capsys.readouterr().out

    return run


@pytest.fixture(scope="module")
def tiny() -> dict[str, Tensor]:
    """Weights of the published tiny size."""
    return dict(alltracker.AllTracker(alltracker.TINY).state_dict())


def test_rows_name_a_source_a_licence_and_no_more_than_is_known():
    rows = {row.name: row for row in registry.others().values() if row.kind == "tracker"}
    assert list(rows) == list(alltracker.PUBLISHED) == list(trackers.NAMES)
    for name, row in rows.items():
        (source,) = row.sources
        assert isinstance(source, HubFile)
        assert (source.repo, row.licence, row.size) == ("aharley/alltracker", "MIT", source.size)
        assert (source.sha256 is None) == (source.size is None) == (source.revision == "main")
        assert Path(source.path).stem == Path(row.files[0]).stem
        assert row.licence in TERMS
        assert row.commercial
        assert name not in vfi.models()
        assert name not in registry.checkpoints()
        with torch.device("meta"):
            shapes = alltracker.AllTracker(alltracker.PUBLISHED[name]).state_dict()
        assert [other.name for other in registry.marked(shapes)] == [name]


def test_the_list_shows_them_in_a_table_of_their_own(command: Run, cache: Path, tiny: dict[str, Tensor]):
    lines = [line.split() for line in command().splitlines()]
    title = lines.index(["for", "following", "points", "through", "a", "clip"])
    assert ["alltracker", "fetch", "it", "66.0", "MB", "MIT"] in lines[title:]
    assert ["alltracker-tiny", "fetch", "it", "?", "MIT"] in lines[title:]
    save_file(tiny, cache / "alltracker_tiny.safetensors")
    assert "alltracker-tiny: " in command()
    shown = command("show", "alltracker-tiny")
    assert "alltracker-tiny" in shown
    assert f"alltracker-tiny: {cache / 'alltracker_tiny.safetensors'}: usable" in command("doctor")


def test_the_doctor_tells_a_file_of_another_network(command: Run, cache: Path, tiny: dict[str, Tensor]):
    save_file(tiny, cache / "alltracker.safetensors")
    assert "it is no alltracker: it has no cnn.features.5.8.layer_scale" in command("doctor", code=1)


def test_a_pickle_is_converted_by_the_command_only(
    command: Run, cache: Path, tiny: dict[str, Tensor], caplog: pytest.LogCaptureFixture
):
    """As the published file is made: the weights beside other values of the training script."""
    published = cache / "alltracker_tiny.pth"
    torch.save({"model": tiny, "global_step": 3}, published)
    with pytest.raises(InputError, match="alltracker-tiny is not on disk"):
        trackers.tracker("alltracker-tiny")
    command("convert", published, cache / "alltracker_tiny.safetensors")
    assert not caplog.records
    assert load_file(cache / "alltracker_tiny.safetensors").keys() == tiny.keys()
    net = trackers.tracker("alltracker-tiny")
    assert net.config == alltracker.TINY
    assert not net.training


def test_a_file_is_recognised_whatever_it_is_called(command: Run, cache: Path, tiny: dict[str, Tensor], tmp_path: Path):
    torch.save({"model": tiny}, tmp_path / "something.pth")
    assert "alltracker_tiny.safetensors: alltracker-tiny, licence MIT" in command("import", tmp_path / "something.pth")
    assert weights.on_disk("alltracker-tiny") == cache / "alltracker_tiny.safetensors"


@pytest.mark.parametrize("name", ["alltracker", "alltracker-tiny"])
def test_missing_weights_are_told_with_the_command_that_gets_them(cache: Path, name: str):
    with pytest.raises(InputError, match=rf"{name} is not on disk: .*get it with `vfi models fetch {name}`"):
        trackers.file_of(name)
    with pytest.raises(InputError, match="no tracker is called 'sift': there are alltracker, alltracker-tiny"):
        trackers.tracker("sift")


def test_another_network_in_the_file_is_told(cache: Path, tiny: dict[str, Tensor]):
    save_file(tiny, cache / "alltracker.safetensors")
    with pytest.raises(InputError, match=re.escape("alltracker.safetensors holds no alltracker: it is alltracker-tiny")):
        trackers.tracker("alltracker")
    save_file({"weight": torch.zeros(3)}, cache / "alltracker.safetensors")
    with pytest.raises(InputError, match="its tensors have other names"):
        trackers.tracker("alltracker")


def test_it_makes_no_frames(cache: Path, tiny: dict[str, Tensor]):
    for model in ("alltracker-tiny", tiny):
        with pytest.raises(InputError, match=r"alltracker-tiny.* for following points through a clip"):
            vfi.load(model)


def test_shapes_that_lie_take_no_memory():
    stored = parity.load_set("alltracker/small").manifest["state_dict"]
    with unfilled():
        state = {key: torch.empty(shape) for key, (shape, _) in stored.items()}
        alltracker.check(state)
        for key, shape in (
            ("time_emb", (1, 2**20, 2**20)),
            ("update_block.final_conv.weight", (16, 2**20, 1, 1)),
            ("update_block.motion_encoder.convc1.weight", (96, 2**20, 1, 1)),
            ("cnn.features.1.0.layer_scale", (2**20, 1, 1)),
            ("dot_conv.weight", (0, 24, 1, 1)),
        ):
            with pytest.raises(InputError, match="the weights look like alltracker-custom"):
                alltracker.check(state | {key: torch.empty(shape)})
