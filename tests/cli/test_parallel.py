"""``--workers`` on real files: whoever makes a chunk, and in whatever order, the file is that of one process to the bit."""

from __future__ import annotations

import os
import shutil
import signal
import sys
import time
from collections.abc import Generator, Iterable
from fractions import Fraction as F
from functools import partial
from itertools import islice
from pathlib import Path

import fielded
import labour
import pytest
import torch
from footage import film, moving, sounds

from vfi import __main__
from vfi.cli import parallel
from vfi.clips.clip import Encoding, Frame, Info
from vfi.clips.open import create_clip, open_clip
from vfi.clips.video import VideoReader
from vfi.core import InputError
from vfi.render import convert, workers
from vfi.render.chunks import Chunks
from vfi.render.segments import Segment
from vfi.render.workers import Job, Made, Worker


class Here:
    """A pool that makes segments in this process, always the last of some, up to as many as ``most``."""

    most: int | None = None

    def __init__(self, count: int, threads: int, device: torch.device) -> None:
        self.count, self.threads, self.device = count, threads, device

    def made(self, job: Job, segments: Iterable[Segment]) -> Generator[Made, None, None]:
        worker = Worker(job, self.device, torch.get_num_threads())
        left = list(segments)
        for segment in islice(reversed(left), self.most):
            yield Made(segment.number, 1)
            done = worker.make_segment(segment)
            yield Made(segment.number, done.frames, done)
        if self.most is not None:
            raise KeyboardInterrupt


@pytest.fixture(autouse=True)
def short_chunks_made_here(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(convert, "Chunks", partial(Chunks, length=20))
    monkeypatch.setattr(workers, "Chunks", partial(Chunks, length=20))
    monkeypatch.setattr(parallel, "Processes", Here)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # as each of several has
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Two seconds of moving colours and a cut, with sound."""
    sound = film(tmp_path / "sound.mp4", range(0, 49), F(1, 24), sound=F(2))
    path = tmp_path / "in.mp4"
    with create_clip(path, Info(64, 48, rate=F(24)), audio=sound) as writer:
        for number, frame in enumerate(moving(48)):
            writer.write(frame if number < 30 else Frame(1 - frame.rgb, frame.time, frame.duration))
    sound.unlink()
    return path


def vfi(*arguments: object) -> int:
    return __main__.main([str(argument) for argument in arguments])


@pytest.mark.parametrize(
    "options",
    [
        ["interpolate", "--times", "4"],
        ["interpolate", "--times", "3", "--model", "dis"],
        ["interpolate", "--fps", "60", "--batch", "3"],
        ["interpolate", "--fps", "10", "--duplicates", "spread"],
        ["interpolate", "--times", "4", "--shutter", "180", "--shutter-samples", "3", "--cuts", "blend"],
        ["interpolate", "--slow", "5/2", "--cuts", "interpolate"],
        ["retime", "--speed", "0:1, 1:0.25 ease, 3:-1, 4:1"],
        ["retime", "--speed", "0.4", "--fps", "30"],
        ["retime", "--position", "0:2, 1:0, 2:1.5 ease", "--duplicates", "spread"],
    ],
    ids=" ".join,
)
def test_the_file_is_that_of_one_process(source: Path, tmp_path: Path, options: list[str]):
    command = [options[0], source, "OUT", "--model", "linear", *options[1:]]
    for name, how in (("one.mp4", ["--resume"]), ("two.mp4", ["--workers", "2"])):
        command[2] = tmp_path / name
        assert vfi(*command, *how) == 0
    assert (tmp_path / "one.mp4").read_bytes() == (tmp_path / "two.mp4").read_bytes()
    assert sounds(tmp_path / "two.mp4") != []
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.mp4", "one.mp4", "two.mp4"]


@pytest.mark.parametrize("name", ["out.mkv", "images", "images/%04d.tif"])
def test_without_loss_it_is_the_plain_command_s_to_the_bit(source: Path, tmp_path: Path, name: str):
    codec = ["--codec", "ffv1"] if name.endswith(".mkv") else []
    frames = []
    for folder, how in (("plain", []), ("workers", ["--workers", "3"])):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / name).parent.mkdir(exist_ok=True)
        assert vfi("interpolate", source, tmp_path / folder / name, "--fps", 50, "--model", "linear", *codec, *how) == 0
        frames.append(list(open_clip(tmp_path / folder / name)))
    assert len(frames[0]) == 100
    assert [(one.time, one.duration) for one in frames[0]] == [(one.time, one.duration) for one in frames[1]]
    assert all(torch.equal(one.rgb, other.rgb) for one, other in zip(*frames, strict=True))


@pytest.mark.parametrize("kind", ["interlaced", "telecined", "repeated"])
def test_fields_are_mended_alike_wherever_a_chunk_begins(tmp_path: Path, kind: str):
    path = tmp_path / "in.mp4"
    if kind == "repeated":
        fielded.repeated_by_flags(path, 50)
    else:
        lumas = fielded.interlaced(50) if kind == "interlaced" else fielded.telecine(12)
        fielded.coded(path, lumas, F(30000, 1001))
    frames = []
    for name, how in (("one.mkv", []), ("two.mkv", ["--workers", "2"])):
        command = ("interpolate", path, tmp_path / name, "--codec", "ffv1", "--model", "linear", "--cuts", "interpolate", *how)
        assert vfi(*command) == 0
        frames.append(list(open_clip(tmp_path / name)))
    assert len(frames[0]) in (96, 100)
    assert [(one.time, one.duration) for one in frames[0]] == [(one.time, one.duration) for one in frames[1]]
    assert all(torch.equal(one.rgb, other.rgb) for one, other in zip(*frames, strict=True))


def test_what_was_interrupted_goes_on_by_workers_and_by_one(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    def command(name: str, *how: object) -> list[object]:
        return ["interpolate", source, tmp_path / name, "--times", "3", "--model", "linear", *how]

    assert vfi(*command("whole.mp4", "--resume")) == 0
    for name, how in (("workers.mp4", ["--workers", 2]), ("one.mp4", ["--resume"])):
        monkeypatch.setattr(Here, "most", 3)
        assert vfi(*command(name, "--workers", 2)) == 130
        assert "interrupted: 44 frames are done: run the same command again to resume" in capsys.readouterr().err
        assert not (tmp_path / name).exists()
        monkeypatch.setattr(Here, "most", None)
        assert vfi(*command(name, *how)) == 0
        assert ("44 frames are done already" in capsys.readouterr().err) == (name == "workers.mp4")
        assert (tmp_path / name).read_bytes() == (tmp_path / "whole.mp4").read_bytes()


def test_nothing_is_left_where_nothing_was_finished(source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys):
    monkeypatch.setattr(Here, "most", 0)
    assert vfi("interpolate", source, tmp_path / "out.mp4", "--workers", 2, "--model", "linear") == 130
    assert "interrupted: nothing was written" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["in.mp4"]


def test_what_cannot_be_is_one_sentence(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    extra = ["--consensus", "nearest", "--disagreement", tmp_path / "doubt.mp4"]
    assert vfi("interpolate", source, tmp_path / "out.mp4", "--model", "linear", "--workers", 2, *extra) == 2
    assert "they make one output only" in capsys.readouterr().err
    assert vfi("interpolate", source, tmp_path / "out.mp4", "--model", "nothing", "--workers", 2) == 2
    assert "nothing" in capsys.readouterr().err
    monkeypatch.setitem(sys.modules, "ray", None)
    assert vfi("interpolate", source, tmp_path / "out.mp4", "--model", "linear", "--ray") == 2
    assert capsys.readouterr().err == "vfi: ray is not installed: pip install inbetween-vfi[ray]\n"
    with pytest.raises(SystemExit):
        vfi("interpolate", source, tmp_path / "out.mp4", "--workers", 0)
    assert [path.name for path in tmp_path.iterdir()] == ["in.mp4"]


@pytest.mark.parametrize(("cores", "options", "threads"), [(8, [3], 2), (2, [5], 1), (8, [8, "--threads", 4], 4)])
def test_the_cores_are_shared_out(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cores: int, options: list[object], threads: int
):
    given = []

    class Seen(Here):
        def __init__(self, *args) -> None:
            given.append(args)
            raise InputError("seen")

    monkeypatch.setattr(parallel, "Processes", Seen)
    monkeypatch.setattr(torch, "get_num_threads", lambda: cores)
    assert vfi("interpolate", source, tmp_path / "out.mp4", "--model", "linear", "--workers", *options) == 2
    assert given == [(options[0], threads, torch.device("cpu"))]


def test_damage_is_told_with_what_helps(source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    data = bytearray(source.read_bytes())
    data[len(data) // 2 : len(data) // 2 + 400] = bytes(400)
    damaged = tmp_path / "damaged.mp4"
    damaged.write_bytes(data)
    command = ["interpolate", damaged, tmp_path / "out.mp4", "--model", "linear"]
    assert vfi(*command, "--workers", 2) == 2
    assert "--damaged-ok uses the readable part" in capsys.readouterr().err
    assert vfi(*command, "--workers", 2, "--damaged-ok") == 0
    by_workers = (tmp_path / "out.mp4").read_bytes()
    assert vfi(*command, "--resume", "--damaged-ok", "--overwrite") == 0
    assert (tmp_path / "out.mp4").read_bytes() == by_workers


def ended(group: int) -> bool:
    """Whether all processes of a group come to an end."""
    deadline = time.monotonic() + 600
    while time.monotonic() < deadline:
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.05)
    return False


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="needs POSIX signals")
def test_ctrl_c_ends_all_processes_and_the_same_command_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys):
    monkeypatch.setattr(convert, "Chunks", Chunks)  # as the processes have them
    monkeypatch.setattr(workers, "Chunks", Chunks)
    source = tmp_path / "in.mkv"
    with create_clip(source, Info(64, 48, rate=F(24)), encoding=Encoding("ffv1")) as writer:
        for frame in moving(20):
            writer.write(frame)

    def command(name: str, *how: str) -> list[str]:
        return ["interpolate", str(source), str(tmp_path / name), "--times", "16", "--model", "linear", "--threads", "1", *how]

    holds = labour.hold(tmp_path / "holds", (1, 2))  # both processes are at work until they are interrupted
    running = labour.started(holds, command("out.mp4", "--workers", "2"))
    try:
        deadline = time.monotonic() + 600
        while labour.finished(tmp_path / "out.mp4") != [0] or not all(
            list(tmp_path.glob(f".out.mp4.work/.{number:06d}.partial-*")) for number in (1, 2)
        ):
            assert running.poll() is None, running.stderr.read()
            assert time.monotonic() < deadline
            time.sleep(0.01)
        os.killpg(running.pid, signal.SIGINT)
        told = running.communicate(timeout=600)[1]
    except BaseException:
        os.killpg(running.pid, signal.SIGKILL)
        raise
    assert running.returncode == 130, told
    assert "run the same command again to resume" in told
    assert "Traceback" not in told
    assert ended(running.pid)
    shutil.rmtree(holds)
    assert vfi(*command("out.mp4", "--workers", "2")) == 0
    assert "frames are done already: resuming" in capsys.readouterr().err
    assert vfi(*command("one.mp4", "--resume")) == 0
    assert (tmp_path / "out.mp4").read_bytes() == (tmp_path / "one.mp4").read_bytes()
    assert len(list(VideoReader(tmp_path / "out.mp4"))) == 320
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.mkv", "one.mp4", "out.mp4"]
