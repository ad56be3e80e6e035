"""Disks that fill up, devices that fail and memory that runs out, at every step of the road from clip to clip.

Each step of a run (opening, writing, reading, renaming, encoding ...) is made to fail in turn. Whatever fails: one sentence, no
file under the output's name unless it is whole, nothing hidden beside it but chunks, and the same command then ends the same.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from fractions import Fraction as F
from functools import partial
from pathlib import Path

import pytest
from footage import film, moving
from steps import BROKEN, FULL, Steps, install

from vfi import __main__
from vfi.clips.clip import Encoding, Info
from vfi.clips.open import create_clip
from vfi.render import convert
from vfi.render.chunks import Chunks


@pytest.fixture
def steps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Steps:
    """Every step of a run below the test's folder is counted."""
    made = Steps(tmp_path)
    install(made, monkeypatch.setattr)
    return made


DISK = ("open", "write", "flush", "fsync", "replace", "touch", "mkdir", "unlink", "rmdir", "read", "digest")
MEMORY = ("open", "write", "read", "encode", "rest", "picture", "decode", "model", "mux", "packets", "digest", "open of FFmpeg")
ROADS = {
    "video": ["out.mkv", "--codec", "ffv1"],
    "chunks": ["out.mkv", "--codec", "ffv1", "--resume"],
    "images": ["out"],
    "chunks of images": ["out", "--resume"],
}


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Half a second of moving colours with sound."""
    sound = film(tmp_path / "sound.mp4", range(0, 13), F(1, 24), sound=F(1, 2))
    path = tmp_path / "in.mkv"
    with create_clip(path, Info(64, 48, rate=F(24)), encoding=Encoding("ffv1"), audio=sound) as writer:
        for frame in moving(12):
            writer.write(frame)
    sound.unlink()
    return path


@pytest.fixture(autouse=True)
def short_chunks(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(convert, "Chunks", partial(Chunks, length=8))


def vfi(source: Path, road: str) -> int:
    name, *options = ROADS[road]
    return __main__.main(["interpolate", str(source), str(source.parent / name), "--model", "linear", *options])


def content(folder: Path, name: str) -> dict[str, bytes]:
    """The files of an output by name."""
    path = folder / name
    files = path.iterdir() if path.is_dir() else [path] if path.exists() else []
    with quiet():
        return {file.name: file.read_bytes() for file in files}


@contextmanager
def quiet() -> Iterator[None]:
    """Without faults: the test itself reads."""
    now, io.open = io.open, PLAIN
    try:
        yield
    finally:
        io.open = now


PLAIN = io.open


def numbers(count: int, most: int) -> list[int]:
    """Up to ``most`` of the numbers from 1 to ``count``: the first, the last and some between, or one in the middle."""
    if count <= most:
        return list(range(1, count + 1))
    if most == 1:
        return [(count + 1) // 2]
    return sorted({1 + round(k * (count - 1) / (most - 1)) for k in range(most)})


def check(source: Path, road: str, steps: Steps, capsys: pytest.CaptureFixture[str], whole: dict[str, bytes]) -> bool:
    """Run with the fault, judge what is left, and run again without it; whether that resumed finished chunks."""
    folder, name = source.parent, ROADS[road][0]
    fault = f"{road}: {steps.kind} {steps.number}{' and later' if steps.stays else ''}, {steps.error()!r}"
    steps.counts.clear()
    steps.reached = False
    capsys.readouterr()
    code = vfi(source, road)
    told = capsys.readouterr().err
    steps.kind = ""
    assert steps.reached, fault
    assert "Traceback" not in told, f"{fault}: {told}"
    there = content(folder, name)
    if code == 0:
        assert there == whole, fault
    else:
        sentences = re.findall(r"^vfi: .*$", told, re.MULTILINE)
        assert code == 2, fault
        assert len(sentences) == 1, f"{fault}: {told}"
        assert told.endswith(f"{sentences[0]}\n"), f"{fault}: {told}"
        assert there in ({}, whole), fault
    left = {path.name for path in folder.iterdir()} - {"in.mkv", name}
    hidden = {one for one in left if re.fullmatch(rf"\.{name}\.work", one) and road.startswith("chunks")}
    if "unlink" not in fault and "rmdir" not in fault:
        assert left == hidden, fault
    if there:
        for file in [folder / name] if (folder / name).is_file() else [*(folder / name).iterdir(), folder / name]:
            file.rmdir() if file.is_dir() else file.unlink()
    assert vfi(source, road) == 0, f"again after {fault}: {capsys.readouterr().err}"
    assert content(folder, name) == whole, f"again after {fault}"
    assert {path.name for path in folder.iterdir()} == {"in.mkv", name}, f"again after {fault}"
    return "frames are done already" in capsys.readouterr().err


def sweep(
    source: Path,
    road: str,
    steps: Steps,
    capsys: pytest.CaptureFixture[str],
    faults: list[tuple[str, Callable[[], BaseException], bool]],
    most: int,
) -> None:
    name = ROADS[road][0]
    assert vfi(source, road) == 0
    counts, whole = dict(steps.counts), content(source.parent, name)
    assert whole
    resumed: list[bool] = []
    for kind, error, stays in faults:
        for number in numbers(counts.get(kind, 0), most):
            for file in [source.parent / name] if name.endswith("mkv") else [*(source.parent / name).iterdir()]:
                file.unlink()
            steps.kind, steps.number, steps.error, steps.stays = kind, number, error, stays
            resumed.append(check(source, road, steps, capsys, whole))
    assert len(resumed) > len(faults) / 2
    assert any(resumed) == road.startswith("chunks")


def faults_of(which: str) -> list[tuple[str, Callable[[], BaseException], bool]]:
    return {
        "full disk": [(kind, FULL, True) for kind in DISK if "read" not in kind and kind not in ("unlink", "rmdir", "digest")],
        "broken disk": [(kind, BROKEN, False) for kind in DISK],
        "short reads": [("short read", FULL, False)],
        "memory": [(kind, MemoryError, False) for kind in MEMORY],
    }[which]


@pytest.mark.parametrize("road", ["chunks", "images"])
@pytest.mark.parametrize("which", ["full disk", "broken disk", "memory"])
def test_whatever_fails_is_one_sentence_and_the_same_command_ends_the_same(
    source: Path, steps: Steps, capsys: pytest.CaptureFixture[str], road: str, which: str
):
    sweep(source, road, steps, capsys, faults_of(which), 1)


@pytest.mark.parametrize("road", ["chunks", "chunks of images"])
def test_what_is_read_short_is_noticed(source: Path, steps: Steps, capsys: pytest.CaptureFixture[str], road: str):
    sweep(source, road, steps, capsys, faults_of("short reads"), 6)


@pytest.mark.exhaustive
@pytest.mark.parametrize("road", ROADS)
@pytest.mark.parametrize("which", ["full disk", "broken disk", "memory"])
def test_whatever_fails_at_many_steps(source: Path, steps: Steps, capsys: pytest.CaptureFixture[str], road: str, which: str):
    sweep(source, road, steps, capsys, faults_of(which), 8)
