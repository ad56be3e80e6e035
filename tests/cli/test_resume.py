"""``--resume`` on real files: work that is killed goes on, and nothing shows that it ever stopped."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from argparse import ArgumentParser, Namespace
from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction as F
from functools import partial
from itertools import islice
from pathlib import Path

import pytest
import torch
from footage import film, moving, sounds

from vfi import __main__
from vfi.cli import interpolate
from vfi.cli import output as work
from vfi.clips.clip import Encoding, Info
from vfi.clips.open import create_clip
from vfi.clips.video import VideoReader
from vfi.core import Frame, InputError
from vfi.render.chunks import Chunks

ROOT = Path(__file__).parents[2]


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Two seconds of moving colours with sound."""
    sound = film(tmp_path / "sound.mp4", range(0, 49), F(1, 24), sound=F(2))
    path = tmp_path / "in.mp4"
    with create_clip(path, Info(64, 48, rate=F(24)), audio=sound) as writer:
        for frame in moving(48):
            writer.write(frame)
    sound.unlink()
    return path


@pytest.fixture(autouse=True)
def short_chunks(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(work, "Chunks", partial(Chunks, length=20))


def vfi(*arguments: object) -> int:
    return __main__.main([str(argument) for argument in arguments])


def stop_after(monkeypatch: pytest.MonkeyPatch, frames: int, error: BaseException) -> None:
    """The next run ends with an error after so many frames."""

    tracked = work.tracked

    def stopping(made: Iterable[Frame], *told: object) -> Iterator[Frame]:
        monkeypatch.setattr(work, "tracked", tracked)
        yield from islice(made, frames)
        raise error

    monkeypatch.setattr(work, "tracked", stopping)


@pytest.mark.parametrize(
    "options",
    [
        ["interpolate", "--times", "4"],
        ["interpolate", "--fps", "60", "--batch", "3"],
        ["interpolate", "--times", "4", "--shutter", "180", "--shutter-samples", "3"],
        ["interpolate", "--slow", "5/2"],
        ["retime", "--speed", "0:1, 1:0.25 ease, 3:-1, 4:1"],
        ["loop", "--times", "3"],
    ],
    ids=lambda options: " ".join(options[:2]),
)
def test_work_that_failed_goes_on_and_ends_the_same(
    source: Path, tmp_path: Path, options: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    command = [options[0], source, tmp_path / "out.mp4", *options[1:], "--model", "linear", "--resume"]
    assert vfi(*command) == 0
    whole = (tmp_path / "out.mp4").read_bytes()
    (tmp_path / "out.mp4").unlink()
    stop_after(monkeypatch, 50, InputError("the disk is full"))
    assert vfi(*command) == 2
    assert sorted(path.name for path in tmp_path.iterdir()) == [".out.mp4.work", "in.mp4"]
    assert vfi(*command) == 0
    assert "40 frames are done already" in capsys.readouterr().err
    assert (tmp_path / "out.mp4").read_bytes() == whole
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.mp4", "out.mp4"]


def test_frames_that_are_done_are_not_made_again(source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    from vfi.archs.blend import Linear

    made: list[int] = []
    blend = Linear.at

    def counted(model: Linear, prepared: Sequence[torch.Tensor], t: torch.Tensor) -> torch.Tensor:
        made.append(len(t))
        return blend(model, prepared, t)

    monkeypatch.setattr(Linear, "at", counted)
    stop_after(monkeypatch, 85, InputError("stop"))
    command = ["interpolate", source, tmp_path / "out.mp4", "--times", 2, "--model", "linear", "--resume"]
    assert vfi(*command) == 2
    made.clear()
    assert vfi(*command) == 0
    assert sum(made) == 8 - 1  # of the last 16 outputs half are new; the last one is held


def test_durations_and_sound_are_those_of_a_run_without_it(source: Path, tmp_path: Path):
    for name, extra in (("plain.mp4", []), ("chunks.mp4", ["--resume"])):
        assert vfi("interpolate", source, tmp_path / name, "--fps", "60000/1001", "--model", "linear", *extra) == 0
    plain, parts = (list(VideoReader(tmp_path / name)) for name in ("plain.mp4", "chunks.mp4"))
    assert [(frame.time, frame.duration) for frame in plain] == [(frame.time, frame.duration) for frame in parts]
    assert parts[-1].time + parts[-1].duration == 2
    assert sounds(tmp_path / "plain.mp4") == sounds(tmp_path / "chunks.mp4") == sounds(source)


def test_ctrl_c_says_how_to_go_on(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    stop_after(monkeypatch, 45, KeyboardInterrupt())
    command = ["interpolate", source, tmp_path / "out.mp4", "--model", "linear", "--resume"]
    assert vfi(*command) == 130
    assert "interrupted: 40 frames are done, and the same command goes on after them" in capsys.readouterr().err
    assert vfi(*command) == 0


def test_other_options_begin_afresh_and_say_so(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    stop_after(monkeypatch, 45, InputError("stop"))
    command = ["interpolate", source, tmp_path / "out.mp4", "--resume", "--model"]
    assert vfi(*command, "linear") == 2
    assert vfi(*command, "nearest") == 0
    assert "what was done before is of another model: it is begun afresh" in capsys.readouterr().err
    assert len(list(VideoReader(tmp_path / "out.mp4"))) == 96


def test_one_clip_goes_on_at_a_time(source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    extra = ["--consensus", "nearest", "--disagreement", tmp_path / "doubt.mp4", "--resume"]
    assert vfi("interpolate", source, tmp_path / "out.mp4", "--model", "linear", *extra) == 2
    assert "give one" in capsys.readouterr().err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.mp4"]


def parsed(*arguments: object) -> Namespace:
    parser = ArgumentParser()
    interpolate.add_parser(parser.add_subparsers())
    return parser.parse_args(["interpolate", *map(str, arguments)])


def test_every_option_is_part_of_the_recipe(tmp_path: Path):
    """Options that no one thought of are: all but those that cannot change a pixel are taken."""
    cpu = torch.device("cpu")
    clip, other, plan = tmp_path / "in.mp4", tmp_path / "other.mp4", tmp_path / "plan.json"
    clip.write_bytes(b"clip")
    other.write_bytes(b"another")
    plan.write_text("{}")
    known = work.recipe(parsed(clip, "out.mp4", "--model", "linear"), cpu, 1)
    shutil.copy(clip, tmp_path / "copy.mp4")
    same = work.recipe(parsed(tmp_path / "copy.mp4", tmp_path / "out.mp4", "--model", "linear", "--json"), cpu, 1)
    assert same == known
    options = {
        "times": 3, "fps": 60, "slow": 2, "in_fps": 12, "damaged_ok": None, "audio": "drop", "plan": plan, "tta": "flip",
        "consensus": "nearest", "ensemble": None, "scale": 0.5, "pad": "edge", "dtype": "bfloat16", "codec": "hevc", "crf": 20,
        "depth": 10, "shutter": 180, "shutter_samples": 4, "steps": 5, "eta": 0.5, "seed": 7,
        "quality": "fast",
    }  # fmt: skip
    for name, value in options.items():
        given = [f"--{name.replace('_', '-')}", *([] if value is None else [value])]
        changed = work.recipe(parsed(clip, "out.mp4", "--model", "linear", *given), cpu, 1)
        assert [key for key in known if known[key] != changed[key]] == [name]
    for arguments, key in (((other, "out.mp4"), "input"), ((clip, "out.mkv"), "output")):
        changed = work.recipe(parsed(*arguments, "--model", "linear"), cpu, 1)
        assert [key for key in known if known[key] != changed[key]] == [key]
    assert work.recipe(parsed(clip, "out.mp4", "--model", "nearest"), cpu, 1)["model"] != known["model"]
    assert work.recipe(parsed(clip, "out.mp4", "--model", "linear"), cpu, 2) != known


def test_models_are_known_by_what_their_file_holds(tmp_path: Path):
    clip, weights = tmp_path / "in.mp4", tmp_path / "model.safetensors"
    clip.write_bytes(b"clip")
    made_of = []
    for content in (b"one", b"two", b"one"):
        weights.write_bytes(content)
        made_of.append(work.recipe(parsed(clip, "out.mp4", "--model", weights), torch.device("cpu"), 1))
    assert made_of[0] == made_of[2] != made_of[1]


def test_folders_of_images_are_known_by_their_images(tmp_path: Path):
    folder = tmp_path / "images"
    with create_clip(folder, Info(64, 48), encoding=Encoding()) as writer:
        for frame in moving(3):
            writer.write(frame)
    known = work.identity(folder)
    (folder / "notes.txt").touch()
    assert work.identity(folder) == known == work.identity(folder / "%06d.png")
    (folder / "000001.png").unlink()
    assert work.identity(folder) != known


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="needs POSIX signals")
def test_killed_at_any_moment_it_goes_on_and_ends_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(work, "Chunks", Chunks)
    source = tmp_path / "in.mkv"
    with create_clip(source, Info(320, 192, rate=F(24)), encoding=Encoding("ffv1")) as writer:
        for frame in moving(40, width=320, height=192):
            writer.write(frame)

    def command(name: str) -> list[str]:
        return ["interpolate", str(source), str(tmp_path / name), "--times", "12", "--model", "linear", "--resume"]

    assert vfi(*command("whole.mp4")) == 0
    journal = tmp_path / ".killed.mp4.work" / "journal.json"
    for finished in (1, 2, 4):
        running = subprocess.Popen([sys.executable, "-m", "vfi", *command("killed.mp4")], cwd=ROOT, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 120
        while not journal.exists() or len(json.loads(journal.read_text())["chunks"]) < finished:
            assert running.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.01)
        running.kill()
        running.wait()
        assert not (tmp_path / "killed.mp4").exists()
    assert vfi(*command("killed.mp4")) == 0
    assert (tmp_path / "killed.mp4").read_bytes() == (tmp_path / "whole.mp4").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.mkv", "killed.mp4", "whole.mp4"]
