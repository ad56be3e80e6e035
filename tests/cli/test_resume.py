"""``--resume`` on real files: work that is killed goes on, and nothing shows that it ever stopped."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from argparse import ArgumentParser
from collections.abc import Iterator, Sequence
from fractions import Fraction as F
from functools import partial
from itertools import islice
from pathlib import Path

import labour
import pytest
import torch
from footage import film, moving, sounds

from vfi import __main__
from vfi.cli import interpolate
from vfi.clips.clip import Encoding, Info
from vfi.clips.open import create_clip
from vfi.clips.video import VideoReader
from vfi.core import Frame, InputError
from vfi.render import convert
from vfi.render.chunks import Chunks
from vfi.render.journal import identity

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
    monkeypatch.setattr(convert, "Chunks", partial(Chunks, length=20))


@pytest.fixture
def one_thread() -> Iterator[None]:
    """One thread on any machine, as in every process of parallel tests, and the usual number again afterwards."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def vfi(*arguments: object) -> int:
    return __main__.main([str(argument) for argument in arguments])


def stop_after(monkeypatch: pytest.MonkeyPatch, frames: int, error: BaseException) -> None:
    """The next run ends with an error after so many frames."""

    render_frames = convert.render_frames

    def stopping(*given: object, **how: object) -> Iterator[Frame]:
        monkeypatch.setattr(convert, "render_frames", render_frames)
        yield from islice(render_frames(*given, **how), frames)
        raise error

    monkeypatch.setattr(convert, "render_frames", stopping)


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
    assert "interrupted: 40 frames are done: run the same command again to resume" in capsys.readouterr().err
    assert vfi(*command) == 0


def test_other_options_begin_afresh_and_say_so(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    stop_after(monkeypatch, 45, InputError("stop"))
    command = ["interpolate", source, tmp_path / "out.mp4", "--resume", "--model"]
    assert vfi(*command, "linear") == 2
    assert vfi(*command, "nearest") == 0
    assert "chunks from an earlier run differ in model: starting over" in capsys.readouterr().err
    assert len(list(VideoReader(tmp_path / "out.mp4"))) == 96


def test_one_clip_goes_on_at_a_time(source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    extra = ["--consensus", "nearest", "--disagreement", tmp_path / "doubt.mp4", "--resume"]
    assert vfi("interpolate", source, tmp_path / "out.mp4", "--model", "linear", *extra) == 2
    assert "only one output can be resumed" in capsys.readouterr().err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.mp4"]


def recipes(monkeypatch: pytest.MonkeyPatch, command: str, *arguments: object) -> dict[str, str]:
    """The recipe by which a command would know its chunks again."""
    found: list[dict[str, str]] = []

    def chunks(path: Path, info: Info, recipe: dict[str, str], **how: object) -> None:
        found.append(recipe)
        raise InputError("seen")

    monkeypatch.setattr(convert, "Chunks", chunks)
    assert vfi(command, *arguments, "--resume") == 2
    return found[0]


PIXELS = {
    "--flashes": "remake", "--even": None, "--pace": "holds", "--drawing": "on",
    "--deinterlace": "off",
    "--times": 3, "--fps": 60, "--slow": 2, "--from": "1", "--to": "24f", "--damaged-ok": None, "--audio": "drop",
    "--cuts": "blend", "--duplicates": "spread", "--edit": "24", "--longest-hold": 5, "--model": "nearest", "--quality": "fast",
    "--consensus": "nearest", "--tta": "flip", "--ensemble": None, "--no-refine": None, "--scale": 0.5, "--steps": 5,
    "--eta": 0.5, "--heat": 0.5, "--seed": 7, "--pad": "edge", "--backend": "onnx", "--dtype": "bfloat16", "--batch": 3,
    "--shutter": 180, "--shutter-samples": 4, "--transfer": "pq", "--codec": "hevc", "--crf": 20, "--depth": 10, "--threads": 2,
}  # fmt: skip
"""Options that change what is made, each with a value that is not its default."""

ALONE = {"--model", "--quality", "--ensemble", "--backend", "--pace"}
"""Options that say which model it is, or that the one without a network refuses."""

KEEP = {"--help", "--json", "--memory-ok", "--overwrite", "--progress", "--resume", "--workers", "--ray"}
"""Options that change no frame: chunks are kept."""

SEVERAL = {"--out-dir", "--watch", "--settle", "--skip-existing"}
ELSEWHERE = {"--in-fps", "--gaps", "--plan", "--device", "--disagreement"} | SEVERAL
"""Options that act on other inputs, or exclude resuming: each has a test of its own, or there is one device."""


@pytest.mark.usefixtures("one_thread")
def test_each_option_that_changes_pixels_drops_the_chunks(source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    parser = ArgumentParser()
    interpolate.add_parser(parser.add_subparsers())
    options = {words[0] for words in (action.option_strings for action in sub_actions(parser)) if words}
    assert options - {"-h"} == (PIXELS.keys() | KEEP | ELSEWHERE) - {"--help"}
    for option, value in PIXELS.items():
        beside = [] if option in ALONE else ["--model", "linear"]
        beside += ["--shutter", 90] if option == "--shutter-samples" else []
        given = [option, *([] if value is None else [value])]
        known, changed = (
            recipes(monkeypatch, "interpolate", source, tmp_path / "out.mp4", *beside, *more) for more in ([], given)
        )
        assert known != changed, option


def sub_actions(parser: ArgumentParser):
    (commands,) = (action for action in parser._actions if isinstance(action.choices, dict))
    return commands.choices["interpolate"]._actions


def test_what_changes_no_pixel_keeps_the_chunks(source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    known = recipes(monkeypatch, "interpolate", source, tmp_path / "out.mp4", "--model", "linear")
    shutil.copy(source, tmp_path / "copy.mp4")
    other = tmp_path / "elsewhere"
    other.mkdir()
    assert known == recipes(monkeypatch, "interpolate", tmp_path / "copy.mp4", other / "out.mp4", "--model", "linear", "--json")


def test_inputs_plans_and_outputs_are_known_by_what_they_are(source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    known = recipes(monkeypatch, "interpolate", source, tmp_path / "out.mp4", "--model", "linear")
    other = film(tmp_path / "other.mp4", range(0, 24), F(1, 24))
    plan = tmp_path / "plan.json"
    assert vfi("shots", source, "--plan", plan) == 0
    for arguments, key in (
        ((other, tmp_path / "out.mp4"), "input path"),
        ((source, tmp_path / "out.mkv"), "output"),
        ((source, tmp_path / "out.mp4", "--plan", plan), "plan"),
    ):
        changed = recipes(monkeypatch, "interpolate", *arguments, "--model", "linear")
        assert [name for name in known if known[name] != changed[name]] == [key]
    folder = tmp_path / "images"
    with create_clip(folder, Info(64, 48)) as writer:
        for frame in moving(3):
            writer.write(frame)
    one, two = (
        recipes(monkeypatch, "interpolate", folder, tmp_path / "out.mp4", "--in-fps", rate, "--model", "linear")
        for rate in (12, 24)
    )
    assert one["input rate"] != two["input rate"]
    held = recipes(
        monkeypatch, "interpolate", folder, tmp_path / "out.mp4", "--in-fps", 24, "--gaps", "hold", "--model", "linear"
    )
    assert [name for name in two if two[name] != held[name]] == ["input gaps"]


def test_models_are_known_by_what_their_file_holds(source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    weights = tmp_path / "model.safetensors"
    made_of = []
    for content in (b"one", b"two", b"one"):
        weights.write_bytes(content)
        made_of.append(recipes(monkeypatch, "interpolate", source, tmp_path / "out.mp4", "--model", weights))
    assert made_of[0] == made_of[2] != made_of[1]


def test_folders_of_images_are_known_by_their_images(tmp_path: Path):
    folder = tmp_path / "images"
    with create_clip(folder, Info(64, 48), encoding=Encoding()) as writer:
        for frame in moving(3):
            writer.write(frame)
    known = identity(folder)
    (folder / "notes.txt").touch()
    assert identity(folder) == known == identity(folder / "%06d.png")
    (folder / "000001.png").unlink()
    assert identity(folder) != known


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="needs POSIX signals")
def test_killed_at_any_moment_it_goes_on_and_ends_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setattr(convert, "Chunks", Chunks)
    source = tmp_path / "in.mkv"
    with create_clip(source, Info(64, 48, rate=F(24)), encoding=Encoding("ffv1")) as writer:
        for frame in moving(40):
            writer.write(frame)

    def command(name: str) -> list[str]:
        return ["interpolate", str(source), str(tmp_path / name), "--times", "12", "--model", "linear", "--resume"]

    assert vfi(*command("whole.mp4")) == 0
    for finished in (1, 4):
        holds = labour.hold(tmp_path / "holds", [finished])  # it goes no further until it is killed
        running = labour.started(holds, command("killed.mp4"))
        deadline = time.monotonic() + 600
        while len(labour.finished(tmp_path / "killed.mp4")) < finished:
            if running.poll() is not None or time.monotonic() > deadline:
                running.kill()
                pytest.fail(running.communicate()[1])
            time.sleep(0.01)
        running.kill()
        running.communicate()
        assert not (tmp_path / "killed.mp4").exists()
        assert labour.finished(tmp_path / "killed.mp4") == list(range(finished))
        shutil.rmtree(holds)
    assert vfi(*command("killed.mp4")) == 0
    assert "384 frames are done already" in capsys.readouterr().err
    assert (tmp_path / "killed.mp4").read_bytes() == (tmp_path / "whole.mp4").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.mkv", "killed.mp4", "whole.mp4"]


@pytest.mark.exhaustive
@pytest.mark.skipif(os.name != "posix", reason="needs POSIX signals")
def test_killed_twenty_times_at_steps_drawn_from_seeds_all_chunks_are_whole(tmp_path: Path):
    line = [sys.executable, str(ROOT / "tests" / "killed.py"), str(tmp_path), "20"]
    environment = os.environ | {"PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'tests'}", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(line, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "of which left finished chunks" in done.stdout
