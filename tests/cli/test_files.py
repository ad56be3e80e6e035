"""No command writes over what it reads, over another output, or over an existing file that nobody gave up."""

from __future__ import annotations

import os
import shutil
import sys
from io import StringIO
from pathlib import Path

import pytest
import torch
from footage import moving
from safetensors.torch import save_file

from vfi import __main__
from vfi.clips.clip import Info
from vfi.clips.images import read_image
from vfi.clips.open import create_clip, open_clip

NEAREST = ("--model", "nearest")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a clip, ``clip.mp4``, an image, ``a.png``, and a folder of images, ``images``."""
    monkeypatch.chdir(tmp_path)
    for name in ("clip.mp4", "images"):
        with create_clip(tmp_path / name, Info(64, 48, rate=None)) as writer:
            for frame in moving(4):
                writer.write(frame)
    shutil.copy("images/000000.png", "a.png")
    return tmp_path


def vfi(*arguments: object) -> int:
    return __main__.main([str(argument) for argument in arguments])


def test_no_input_is_written_over(folder: Path, capsys: pytest.CaptureFixture[str]):
    for name in ("b.mp4", "linked.mp4", "100%.mp4"):
        shutil.copy("clip.mp4", name)
    os.link("linked.mp4", "hard.mp4")
    Path("soft.mp4").symlink_to("linked.mp4")
    shutil.copy("a.png", "k.mp4")
    save_file({"weight": torch.zeros(1)}, "m.mp4")
    assert vfi("shots", "clip.mp4", "--plan", "plan.mp4") == 0
    Path("c.mp4").write_text('{"speed": [[0, 1]]}')
    Path("t.mp4").write_text("[]")
    disagreement = ("--consensus", "linear", "--disagreement")
    tween = ("tween", "a.png", "a.png")
    for victim, *words in (
        ("b.mp4", "interpolate", "b.mp4", "b.mp4"),
        ("b.mp4", "interpolate", "b.mp4", "o/../b.mp4"),
        ("100%.mp4", "interpolate", "100%.mp4", "100%.mp4"),
        ("linked.mp4", "interpolate", "hard.mp4", "linked.mp4"),
        ("linked.mp4", "interpolate", "linked.mp4", "soft.mp4"),
        ("b.mp4", "join", "clip.mp4", "b.mp4", "b.mp4"),
        ("b.mp4", "join", "clip.mp4", "b.mp4", "b.mp4", "--resume"),
        ("b.mp4", "join", "clip.mp4", "b.mp4", "o.mp4", *disagreement, "b.mp4"),
        ("b.mp4", "shots", "b.mp4", "--plan", "b.mp4"),
        ("images/000002.png", "shots", "images", "--plan", "images/000002.png"),
        ("images/000002.png", "shots", "images/%06d.png", "--plan", "images/000002.png"),
        ("k.mp4", "tween", "k.mp4", "a.png", "k.mp4", "--frames", 2),
        ("t.mp4", *tween, "t.mp4", "--frames", 2, "--tracks", "t.mp4"),
        ("t.mp4", *tween, "t.mp4", "--frames", 2, "--guide", "t.mp4"),
        ("k.mp4", *tween, "k.mp4", "--frames", 2, "--parts", "a.png", "k.mp4"),
        ("m.mp4", "interpolate", "clip.mp4", "m.mp4", "--model", "m.mp4"),
        ("m.mp4", "interpolate", "clip.mp4", "m.mp4", "--consensus", "m.mp4"),
        ("plan.mp4", "interpolate", "clip.mp4", "plan.mp4", "--plan", "plan.mp4"),
        ("c.mp4", "retime", "clip.mp4", "c.mp4", "--curve", "c.mp4"),
    ):
        before = Path(victim).read_bytes()
        Path("o").mkdir(exist_ok=True)
        model = () if "m.mp4" in words or words[0] == "shots" else NEAREST
        assert vfi(*words, "--overwrite", *model) == 2, words
        assert "is an input: give the output another name" in capsys.readouterr().err, words
        assert Path(victim).read_bytes() == before, words


def test_a_model_is_not_converted_onto_itself(folder: Path, capsys: pytest.CaptureFixture[str]):
    save_file({"weight": torch.zeros(1)}, "m.safetensors")
    before = Path("m.safetensors").read_bytes()
    assert vfi("models", "convert", "--force", "part=m.safetensors", "m.safetensors") == 2
    assert "is an input" in capsys.readouterr().err
    assert Path("m.safetensors").read_bytes() == before


def test_two_outputs_have_two_names(folder: Path, capsys: pytest.CaptureFixture[str]):
    Path("soft.mp4").symlink_to("o.mp4")
    for one, other in (
        ("o.mp4", "o.mp4"),
        ("o.mp4", f"{folder}/images/../o.mp4"),
        ("soft.mp4", "o.mp4"),
        ("new", "new/%d.png"),
    ):
        words = ("interpolate", "clip.mp4", one, *NEAREST, "--consensus", "linear", "--disagreement", other)
        assert vfi(*words, "--overwrite") == 2
        assert "are one output: give each a name of its own" in capsys.readouterr().err
    assert not Path("o.mp4").exists()


def test_join_needs_two_clips_and_an_output(folder: Path, capsys: pytest.CaptureFixture[str]):
    shutil.copy("clip.mp4", "b.mp4")
    before = Path("b.mp4").read_bytes()
    with pytest.raises(SystemExit, match="2"):
        vfi("join", "clip.mp4", "b.mp4", *NEAREST)
    assert "required: OUT" in capsys.readouterr().err
    assert Path("b.mp4").read_bytes() == before


@pytest.mark.parametrize(
    ("words", "output"),
    [
        (("interpolate", "clip.mp4", "o.mp4", *NEAREST), "o.mp4"),
        (("interpolate", "clip.mp4", "o.mp4", *NEAREST, "--resume"), "o.mp4"),
        (("tween", "a.png", "a.png", "o.mp4", "--frames", 2, *NEAREST), "o.mp4"),
        (("interpolate", "clip.mp4", "new.mp4", *NEAREST, "--consensus", "linear", "--disagreement", "o.mp4"), "o.mp4"),
        (("shots", "clip.mp4", "--plan", "o.json"), "o.json"),
    ],
    ids=lambda given: str(given[0]) if isinstance(given, tuple) else "",
)
def test_an_existing_output_is_replaced_only_if_asked_for(folder: Path, words, output: str, capsys: pytest.CaptureFixture[str]):
    Path(output).write_text("dear to me")
    assert vfi(*words) == 2
    assert f"{output} exists already: give another name, or --overwrite to replace it" in capsys.readouterr().err
    assert Path(output).read_text() == "dear to me"
    assert not Path("new.mp4").exists()
    assert vfi(*words, "--overwrite") == 0
    assert Path(output).read_bytes() != b"dear to me"


class Terminal(StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(("answer", "code"), [("y\n", 0), ("yes\n", 0), ("n\n", 2), ("\n", 2), ("", 2)])
def test_at_a_terminal_it_is_asked(folder: Path, answer: str, code: int, monkeypatch: pytest.MonkeyPatch):
    asked = Terminal()
    monkeypatch.setattr(sys, "stdin", Terminal(answer))
    monkeypatch.setattr(sys, "stderr", asked)
    Path("o.json").write_text("dear to me")
    assert vfi("shots", "clip.mp4", "--plan", "o.json") == code
    assert "o.json exists already: replace it? [y/N]" in asked.getvalue()
    assert (Path("o.json").read_text() == "dear to me") == (code == 2)


def test_an_empty_file_or_folder_is_written_to_without_a_word(folder: Path):
    Path("empty.json").touch()
    assert vfi("shots", "clip.mp4", "--plan", "empty.json") == 0
    assert Path("empty.json").stat().st_size
    Path("new").mkdir()
    assert vfi("interpolate", "images", "new", *NEAREST) == 0
    assert len(list(open_clip(Path("new")))) == 8
    assert read_image("new/000000.png").rgb.shape == (3, 48, 64)


def test_only_a_clip_goes_to_standard_output(folder: Path, capsys: pytest.CaptureFixture[str]):
    before = sorted(folder.iterdir())
    assert vfi("shots", "clip.mp4", "--plan", "-") == 2
    assert vfi("interpolate", "clip.mp4", "o.mp4", "--consensus", "linear", "--disagreement", "-", *NEAREST) == 2
    assert capsys.readouterr().err.count("- was given as an output: only the clip itself can go to standard output") == 2
    assert sorted(folder.iterdir()) == before
