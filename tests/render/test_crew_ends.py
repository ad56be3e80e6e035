"""Frames made side by side by models with state of their own, and runs that end where nobody expects it."""

from __future__ import annotations

import gc
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from fractions import Fraction as F

import pytest
import torch
from networks import SMALL
from torch import Tensor

from vfi.core import Frame, Interpolator, Spec
from vfi.model.consensus import Consensus
from vfi.model.drawing import drawn
from vfi.model.pace import paced
from vfi.model.wrappers import Padded, Placed, Recursive, Wrapper
from vfi.ops import packed
from vfi.render.crew import NAME
from vfi.render.run import run
from vfi.timing.grids import Subdivide

HANDS = 3


@pytest.fixture(autouse=True)
def several_threads() -> Iterator[None]:
    """Torch has as many threads as are wanted, and the tests leave none of their own."""
    before = torch.get_num_threads()
    torch.set_num_threads(HANDS)
    yield
    assert torch.get_num_threads() == HANDS
    torch.set_num_threads(before)
    assert not making()


def making() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith(NAME)]


class Blended:
    """Blends the middle frames of its window, after ``work`` with the number of the call."""

    def __init__(self, work: Callable[[int], object] = bool, window: int = 2) -> None:
        self.spec = Spec("blended", window=window, any_t=window == 2)
        self.work, self.calls, self.lock = work, 0, threading.Lock()

    def __call__(self, window: Tensor, t: Tensor) -> Tensor:
        with self.lock:
            self.calls += 1
            call = self.calls
        self.work(call)
        middle = window.shape[1] // 2
        return torch.lerp(window[:, middle - 1], window[:, middle], t.view(-1, 1, 1, 1))


def clip(count: int = 8, *, alpha: bool = False) -> list[Frame]:
    dice = torch.Generator().manual_seed(1)
    wide = torch.nn.functional.avg_pool2d(torch.rand(1, 3, 60, 100, generator=dice), 5, 1, 2)[0]
    planes = [torch.full((1, 40, 48), 0.5 + k / 30) if alpha else None for k in range(count)]
    return [Frame(wide[:, k : k + 40, 2 * k : 2 * k + 48].clone(), F(k), F(1), planes[k]) for k in range(count)]


def made(model: Interpolator, threads: int, *, alpha: bool = False, count: int = 6) -> list[Frame]:
    torch.set_num_threads(threads)
    try:
        return list(run(clip(count, alpha=alpha), model, Subdivide(4)))
    finally:
        torch.set_num_threads(HANDS)


MODELS: dict[str, Callable[[], Interpolator]] = {
    "dis": lambda: Placed(Padded(SMALL["dis"]())),
    "bisected": lambda: Placed(Recursive(Padded(Blended(window=4)))),
    "drawn": lambda: Placed(drawn(Padded(SMALL["dis"]()), "on")),
    "paced": lambda: Placed(paced(Padded(SMALL["dis"]()), "holds")),
    "consensus": lambda: Placed(Consensus([Padded(SMALL["dis"]()), Padded(SMALL["linear"]()), Padded(SMALL["dis-fast"]())])),
}


@pytest.mark.parametrize("alpha", [False, True])
@pytest.mark.parametrize("name", MODELS)
def test_frames_are_the_same_however_many_threads_make_them(name: str, alpha: bool):
    alone = made(MODELS[name](), 1, alpha=alpha)
    for threads in (2, 4, 4):
        beside = made(MODELS[name](), threads, alpha=alpha)
        assert [one.time for one in beside] == [one.time for one in alone]
        for one, other in zip(beside, alone, strict=True):
            for plane in ("rgb", "alpha", "doubt"):
                this, that = getattr(one, plane), getattr(other, plane)
                assert (this is None) == (that is None)
                assert this is None or torch.equal(this, that)


def test_ctrl_c_ends_the_threads():
    def work(call: int) -> None:
        time.sleep(0.05)
        if call == 3:
            os.kill(os.getpid(), signal.SIGINT)

    model = Blended(work)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a background job of a shell ignores it
    try:
        with pytest.raises(KeyboardInterrupt):
            list(run(clip(), model, Subdivide(8)))
    finally:
        signal.signal(signal.SIGINT, before)
    assert model.calls < 40


def test_a_forgotten_run_that_is_collected_in_a_thread_of_its_own_ends_quietly(monkeypatch: pytest.MonkeyPatch):
    """Python collects cycles in whatever thread happens to be running."""
    wrong: list[object] = []
    monkeypatch.setattr("sys.unraisablehook", wrong.append)
    forgotten = threading.Event()

    def work(_: int) -> None:
        time.sleep(0.02)
        if forgotten.is_set():
            gc.collect()

    class Cycle:
        pass

    gc.disable()
    try:
        cycle = Cycle()
        cycle.me, cycle.frames = cycle, run(clip(), Blended(work), Subdivide(8))
        next(cycle.frames)
        next(cycle.frames)
        del cycle
        forgotten.set()
        end = time.monotonic() + 5
        while making() and time.monotonic() < end:
            time.sleep(0.02)
    finally:
        gc.enable()
    assert not wrong


@pytest.mark.parametrize("started", [0, 2])
def test_where_no_more_threads_can_be_started_frames_are_made_one_by_one(
    started: int, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    begin, begun = threading.Thread.start, []

    def start(thread: threading.Thread) -> None:
        if len(begun) == started:
            raise RuntimeError("can't start new thread")
        begun.append(thread)
        begin(thread)

    monkeypatch.setattr(threading.Thread, "start", start)
    frames = list(run(clip(4), Blended(), Subdivide(2)))
    assert len(frames) == 7
    assert not any(thread.is_alive() for thread in begun)
    assert "frames are made one by one: 3 threads for them cannot be started (can't start new thread)" in caplog.text


def test_a_consensus_is_made_by_several_threads_only_if_all_its_models_may_be():
    quiet = Wrapper(Blended(), Spec("one by one", threads=False))
    assert Consensus([Blended(), Blended()]).spec.threads
    assert not Consensus([Blended(), quiet]).spec.threads


def test_chance_stays_the_callers(monkeypatch: pytest.MonkeyPatch):
    def seeded(_: int) -> None:
        raise AssertionError("the chance of the process was seeded")

    monkeypatch.setattr(torch, "manual_seed", seeded)
    state = torch.get_rng_state()
    assert packed.available.__wrapped__() == packed.available()
    assert torch.equal(torch.get_rng_state(), state)
