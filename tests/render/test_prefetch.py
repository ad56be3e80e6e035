"""Reading ahead and writing behind: order, errors, bounds, and no thread left."""

from __future__ import annotations

import gc
import threading
import time
from collections.abc import Iterable, Iterator
from fractions import Fraction
from itertools import islice
from pathlib import Path

import pytest
import torch
from footage import fail, moving

from vfi.clips.clip import Encoding, Info, Writer
from vfi.clips.video import VideoReader, VideoWriter
from vfi.core import Frame, InputError
from vfi.render.prefetch import Behind, ahead

PATIENCE = 60
"""Seconds to wait for what happens at once unless something is broken."""


@pytest.fixture(autouse=True)
def no_thread_is_left():
    before = set(threading.enumerate())
    yield
    assert set(threading.enumerate()) <= before


def until(true) -> bool:
    """Whether something comes true before patience ends."""
    deadline = time.monotonic() + PATIENCE
    while not true() and time.monotonic() < deadline:
        time.sleep(0.001)
    return true()


class Source:
    """Counts up to ``total``, then raises ``error`` if there is one; knows which threads it ran in."""

    def __init__(self, total: int, error: BaseException | None = None) -> None:
        self.total, self.error = total, error
        self.read = 0
        self.threads: set[int] = set()
        self.closed = False

    def __iter__(self) -> Iterator[int]:
        try:
            for number in range(self.total):
                self.threads.add(threading.get_ident())
                self.read += 1
                yield number
            if self.error:
                raise self.error
        finally:
            self.threads.add(threading.get_ident())
            self.closed = True


@pytest.mark.parametrize("total", [0, 1, 2, 3, 20])
@pytest.mark.parametrize("count", [1, 2, 5])
def test_reading_ahead_changes_nothing(total: int, count: int):
    assert list(ahead(Source(total), count)) == list(range(total))
    assert list(ahead(range(total), count)) == list(range(total))


@pytest.mark.parametrize("count", [1, 2, 5])
def test_no_more_is_read_ahead_than_asked_for(count: int):
    source = Source(100)
    items = ahead(source, count)
    for taken in (1, 2, 3):
        next(items)
        assert until(lambda taken=taken: source.read == taken + count)
        time.sleep(0.02)
        assert source.read == taken + count
    items.close()


def test_an_item_is_made_use_of_while_the_next_is_read():
    used = threading.Event()

    def items() -> Iterator[int]:
        yield 0
        assert used.wait(PATIENCE)  # what is read in the same thread would wait in vain
        yield 1

    for item in ahead(items(), 1):
        assert item in (0, 1)
        used.set()


@pytest.mark.parametrize("error", [InputError("torn"), KeyError("gone"), KeyboardInterrupt()])
def test_an_error_comes_after_what_was_read_before_it(error: BaseException):
    items = ahead(Source(3, error), 2)
    assert list(islice(items, 3)) == [0, 1, 2]
    with pytest.raises(type(error)) as raised:
        next(items)
    assert raised.value is error


@pytest.mark.parametrize("taken", [1, 4])
def test_what_is_read_is_closed_at_once_in_the_thread_that_read_it(taken: int):
    source = Source(10**9)
    items = ahead(source, 2)
    assert list(islice(items, taken)) == list(range(taken))
    assert until(lambda: source.read == taken + 2)  # the thread has nothing more to do now
    items.close()
    assert source.read == taken + 2  # of 10**9: it reads none of them to the end
    assert source.closed
    assert len(source.threads) == 1
    assert threading.get_ident() not in source.threads


def test_a_generator_that_is_forgotten_ends_its_thread():
    source = Source(10**9)
    items = ahead(source, 2)
    assert next(items) == 0
    assert any(thread.name.startswith("vfi-reading") for thread in threading.enumerate())
    del items
    gc.collect()
    assert source.closed
    assert not any(thread.name.startswith("vfi-reading") for thread in threading.enumerate())


def test_a_generator_that_is_never_asked_starts_no_thread():
    before = set(threading.enumerate())
    items = ahead(Source(3))
    assert set(threading.enumerate()) <= before
    items.close()


def test_an_error_in_closing_is_not_lost():
    def items() -> Iterator[int]:
        try:
            yield from range(10)
        finally:
            raise InputError("cannot be closed")

    reading = ahead(items(), 1)
    next(reading)
    with pytest.raises(InputError, match="cannot be closed"):
        reading.close()


class Notebook(Writer):
    """Writes down what is asked of it and in which thread; ``gate`` holds each frame up, the one numbered ``bad`` fails."""

    def __init__(self, bad: int = -1, gate: threading.Event | None = None) -> None:
        self.notes = ["of the notebook"]
        self.bad, self.gate = bad, gate
        self.done: list[int | str] = []
        self.threads = {threading.get_ident()}

    def _did(self, what: int | str) -> None:
        self.threads.add(threading.get_ident())
        self.done.append(what)

    def write(self, frame: Frame) -> None:
        if self.gate is not None:
            assert self.gate.wait(PATIENCE)
        if frame.time == self.bad:
            raise InputError(f"frame {self.bad} is bad")
        self._did(int(frame.time))

    def commit(self) -> Path:
        self._did("commit")
        return Path("whole")

    def keep_partial(self) -> Path:
        self._did("keep")
        return Path("part")

    def discard(self) -> None:
        self._did("discard")


def numbered(total: int) -> Iterator[Frame]:
    return (Frame(torch.zeros(3, 1, 1), Fraction(number)) for number in range(total))


def write(writer: Writer, frames: Iterable[Frame]) -> None:
    with writer:
        for frame in frames:
            writer.write(frame)


@pytest.mark.parametrize("count", [1, 2, 7])
def test_all_is_written_in_order_in_one_other_thread(count: int):
    notebooks: list[Notebook] = []

    def opened() -> Notebook:
        notebooks.append(Notebook())
        return notebooks[0]

    with Behind(opened, count) as writer:
        for frame in numbered(9):
            writer.write(frame)
        assert writer.notes == ["of the notebook"]
    assert notebooks[0].done == [*range(9), "commit"]
    assert len(notebooks[0].threads) == 1
    assert threading.get_ident() not in notebooks[0].threads


def test_no_more_frames_wait_to_be_written_than_asked_for():
    gate = threading.Event()
    notebook = Notebook(gate=gate)
    handed: list[int] = []

    def hand_over(writer: Writer) -> None:
        for frame in numbered(6):
            writer.write(frame)
            handed.append(int(frame.time))

    with Behind(lambda: notebook, 2) as writer:
        handing = threading.Thread(target=hand_over, args=(writer,))
        handing.start()
        assert until(lambda: handed == [0, 1])
        time.sleep(0.02)
        assert handed == [0, 1]
        gate.set()
        handing.join()
    assert notebook.done == [0, 1, 2, 3, 4, 5, "commit"]


@pytest.mark.parametrize("bad", [0, 3, 4])
def test_the_first_error_is_shown_and_nothing_is_written_after_it(bad: int):
    notebook = Notebook(bad)
    with pytest.raises(InputError, match=f"frame {bad} is bad"):
        write(Behind(lambda: notebook, 2), numbered(5))
    assert notebook.done == [*range(bad), "discard"]


def test_an_error_of_the_caller_discards_what_waits():
    begun = threading.Event()

    class Gate(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            begun.set()
            return until(lambda: not writer._waiting)  # those that wait are discarded while the first is being written

    notebook = Notebook(gate=Gate())
    writer = Behind(lambda: notebook, 3)

    def frames() -> Iterator[Frame]:
        yield from numbered(3)
        assert begun.wait(PATIENCE)
        raise KeyError

    with pytest.raises(KeyError):
        write(writer, frames())
    assert notebook.done == [0, "discard"]


def test_an_error_in_opening_is_raised_at_once():
    def opened() -> Writer:
        raise InputError("no folder")

    with pytest.raises(InputError, match="no folder"):
        Behind(opened)


def test_a_failing_commit_is_shown(tmp_path: Path):
    with pytest.raises(InputError, match="no frames"), Behind(lambda: VideoWriter(tmp_path / "a.mp4", Info(64, 48))):
        pass
    assert list(tmp_path.iterdir()) == []


def test_a_video_comes_out_as_it_would_without_threads(tmp_path: Path):
    info, encoding = Info(64, 48, rate=Fraction(24)), Encoding("hevc")  # x264 does not repeat itself bit by bit
    with VideoWriter(tmp_path / "in turn.mp4", info, encoding=encoding) as plain:
        for frame in moving(30):
            plain.write(frame)
    with Behind(lambda: VideoWriter(tmp_path / "behind.mp4", info, encoding=encoding)) as behind:
        for frame in ahead(moving(30)):
            behind.write(frame)
    assert (tmp_path / "behind.mp4").read_bytes() == (tmp_path / "in turn.mp4").read_bytes()
    direct = list(VideoReader(tmp_path / "behind.mp4"))
    threaded = list(ahead(VideoReader(tmp_path / "behind.mp4")))
    assert [(frame.time, frame.duration) for frame in direct] == [(frame.time, frame.duration) for frame in threaded]
    assert all(torch.equal(one.rgb, other.rgb) for one, other in zip(direct, threaded, strict=True))


@pytest.mark.parametrize("count", [1, 5])
def test_ctrl_c_keeps_every_frame_that_was_handed_over(tmp_path: Path, count: int):
    writer = Behind(lambda: VideoWriter(tmp_path / "a.mp4", Info(64, 48, rate=Fraction(24))))
    with pytest.raises(KeyboardInterrupt):
        fail(writer, count, KeyboardInterrupt())
    assert writer.partial == tmp_path / "a.partial.mp4"
    assert len(list(VideoReader(writer.partial))) == count
    assert [path.name for path in tmp_path.iterdir()] == ["a.partial.mp4"]
