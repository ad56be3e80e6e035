"""Convert Model, and what errors tell a person in ComfyUI to do."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch
from parity import load_set


@pytest.fixture
def pickled(server) -> Path:
    file = server.folder / "IFRNet_L.pth"
    torch.save(load_set("ifrnet/ifrnet_l").state(), file)
    return file


def test_a_pickle_is_listed_converted_and_loaded(run, part, pickled):
    load = part("nodes.load")
    waiting = "IFRNet_L.pth (needs conversion)"
    assert waiting in load.choices()
    with pytest.raises(ValueError, match=r"^IFRNet_L\.pth can hold code and needs conversion: run the node Convert Model once"):
        run("InbetweenLoadModel", model=waiting)
    (report,) = run("InbetweenConvertModel", file=pickled.name)
    assert "ifrnet-l. Licence of the weights: not stated by the authors." in report
    assert waiting not in load.choices()
    assert "IFRNet_L.safetensors" in load.choices()
    assert run("InbetweenLoadModel", model="IFRNet_L.safetensors")[0].network.spec.name == "ifrnet-l"
    assert pickled.exists()


def test_a_licence_that_forbids_commercial_use_is_said(run, server):
    torch.save({"state_dict": load_set("amt/amt_g").state()}, server.folder / "amt-s.pth")
    (report,) = run("InbetweenConvertModel", file="amt-s.pth", name="mine")
    assert "CC-BY-NC-SA-4.0, which forbids commercial use" in report
    assert (server.folder / "mine.safetensors").is_file()


def test_nothing_is_overwritten_and_nothing_run(run, server, pickled):
    class Bomb:
        def __reduce__(self):
            return (Path.touch, (server.folder / "boom",))

    torch.save({"a": Bomb()}, server.folder / "bomb.pth")
    torch.save({"a": torch.zeros(2)}, server.folder / "other.pth")
    (server.folder / "there.safetensors").write_bytes(b"mine")
    for given, says in (
        ({"file": "bomb.pth"}, "bomb.pth holds more than tensors"),
        ({"file": "other.pth"}, "^other: not a known frame-interpolation network"),
        ({"file": pickled.name, "name": "there"}, "there.safetensors already exists: give another name"),
        ({"file": pickled.name, "name": "../up"}, "a file name without folders is needed"),
        ({"file": pickled.name, "part_2": pickled.name}, "was chosen twice"),
        ({"file": "none"}, "no file was chosen"),
    ):
        with pytest.raises(ValueError, match=says):
            run("InbetweenConvertModel", **given)
    assert {path.name for path in server.folder.iterdir()} == {"bomb.pth", "other.pth", "there.safetensors", pickled.name}
    assert (server.folder / "there.safetensors").read_bytes() == b"mine"


def test_errors_name_what_a_person_in_comfyui_can_do(run, part, server, pickled, monkeypatch):
    here = f'"{sys.executable}" -m vfi models'
    with pytest.raises(ValueError, match="convert it with the node Convert Model, or with ") as told:
        run("InbetweenLoadModel", model="flavr-2x")
    assert f"`{here} convert FILE " in str(told.value)
    assert str(told.value).endswith(
        "; source: FLAVR_2x.pth, from the Google Drive folder that the authors' README leads to, converted"
    )
    assert str(part("nodes.advice").PACK) in str(told.value)
    with pytest.raises(ValueError, match="switch it on, or run ") as told:
        run("InbetweenLoadModel", model="rife-4.25")
    assert f"`{here} fetch rife-4.25` in the folder" in str(told.value)
    monkeypatch.setenv("INBETWEEN_HIDE_PATHS", "1")
    with pytest.raises(ValueError, match="Convert Model") as told:
        run("InbetweenLoadModel", model="flavr-2x")
    assert str(part("nodes.advice").PACK) not in str(told.value)


def test_no_message_of_a_node_names_a_command_that_comfyui_has_not(part):
    advised = part("nodes.advice").advised
    assert "allow download on" in advised("x is missing: get it with `vfi models fetch x`")
    assert "allow download" not in advised("fetch it from the package index with `vfi models fetch x --from index`")
    assert advised("did you mean y?") == "did you mean y?"
    for text in (
        "`vfi models` lists all models",
        "get it with `vfi models fetch x`",
        "run `vfi plan a`",
        "`vfi models convert a b`",
    ):
        assert "`vfi" not in advised(text)
    root = Path(__file__).parents[2]
    for page in (root / "js" / "docs").glob("*.md"):
        assert "`vfi " not in page.read_text(encoding="utf-8"), page
