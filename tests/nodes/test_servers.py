from __future__ import annotations

from pathlib import Path

import pytest
import torch


@pytest.fixture
def told(part, monkeypatch):
    monkeypatch.setenv("INBETWEEN_HIDE_PATHS", "1")
    return part("nodes.servers").told


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("/srv/comfy/input/a.mp4 cannot be read", "a.mp4 cannot be read"),
        ("'/srv/comfy/a.mp4': it is damaged", "'a.mp4': it is damaged"),
        ("there is no file ~/secret/weights.safetensors", "there is no file weights.safetensors"),
        (r"C:\Users\me\ComfyUI\a.mp4 and D:/films/b.mkv", "a.mp4 and b.mkv"),
        (r"\\nas\share\films\b.mkv is a pipe", "b.mkv is a pipe"),
        ("is in none of /a/b/models, /home/x/.cache/inbetween-vfi; get", "is in none of models, inbetween-vfi; get"),
        ("put it into /tmp", "put it into tmp"),
        # what is no path
        ("23.976 is 24000/1001 frames per second", "23.976 is 24000/1001 frames per second"),
        ("see https://huggingface.co/someone/models", "see https://huggingface.co/someone/models"),
        ("models/frame_interpolation has no 'x'", "models/frame_interpolation has no 'x'"),
        ("N x times / 2, and/or T/2", "N x times / 2, and/or T/2"),
        ("frames [T,H,W]: 0..1", "frames [T,H,W]: 0..1"),
    ],
)
def test_paths_become_names(told, text: str, shown: str):
    assert told(text) == shown


def test_known_folders_may_hold_spaces(told, monkeypatch, tmp_path: Path):
    folder = tmp_path / "My Server" / "weights of mine"
    monkeypatch.setenv("INBETWEEN_MODELS", str(folder))
    assert told(f"put a.safetensors into {folder}, or not") == "put a.safetensors into weights of mine, or not"
    assert told(f"{folder}/sub/a.safetensors is damaged") == "a.safetensors is damaged"
    assert told(f"{folder} is full") == "weights of mine is full"


def test_without_the_switch_messages_are_whole(part, monkeypatch):
    monkeypatch.delenv("INBETWEEN_HIDE_PATHS", raising=False)
    assert part("nodes.servers").told("/srv/a.mp4 is damaged") == "/srv/a.mp4 is damaged"


@pytest.mark.parametrize("hidden", [False, True])
def test_errors_of_nodes_name_no_folder_if_they_must_not(run, part, server, monkeypatch, tmp_path, hidden: bool):
    monkeypatch.setenv("INBETWEEN_HIDE_PATHS", str(int(hidden)))
    (server.folder / "mine.safetensors").write_bytes(b"no weights")
    (server.input / "tracks.json").write_text("[[[1,")
    for name, given in (
        ("InbetweenLoadModel", {"model": "mine.safetensors"}),
        ("InbetweenLoadModel", {"model": "gone.safetensors"}),
        ("InbetweenLoadModel", {"model": "rife-4.25"}),
        ("InbetweenEditTracks", {"text": "", "file": "tracks.json"}),
    ):
        with pytest.raises(part("vfi.core").InputError) as error:
            run(name, **given)
        text = str(error.value)
        assert (str(tmp_path) in text) is (not hidden and "allow download is off" not in text), text
        if hidden:
            assert "/" not in text, text
            assert error.value.__cause__ is None


def test_other_errors_that_name_a_path_become_sentences(run, nodes, part, server, monkeypatch):
    """As of a file that vanishes: an unforeseen error shows its path too."""
    monkeypatch.setenv("INBETWEEN_HIDE_PATHS", "1")
    Draw = type("Draw", (part("nodes.node").Node,), {
        "define_schema": classmethod(lambda cls: nodes["InbetweenReverseFrames"].define_schema()),
        "execute": classmethod(lambda cls, images: Path("/srv/secret/gone.txt").read_text()),
    })  # fmt: skip
    with pytest.raises(part("vfi.core").InputError, match=r"No such file or directory: 'gone\.txt'$"):
        Draw.execute(images=torch.zeros(1, 2, 2, 3))
