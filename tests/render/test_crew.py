"""Frames made side by side on a CPU: the same frames, in order, whatever becomes of the threads."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction as F
from itertools import islice

import models
import parity
import pytest
import torch
from torch import Tensor

from vfi.archs import rife
from vfi.core import Frame, InputError, Spec
from vfi.model import drawing, wrappers
from vfi.model.fast import fast
from vfi.model.pace import paced
from vfi.model.wrappers import Padded, Recursive, Tta
from vfi.render import crew
from vfi.render.crew import Crew, Once, hands_for, hired, pool
from vfi.render.pipeline import Task
from vfi.render.run import run
from vfi.timing.grids import At, Subdivide


@contextmanager
def threads(count: int) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def clip(frames: int = 7, *, alpha: bool = False, as_bytes: bool = False) -> list[Frame]:
    pictures = torch.from_numpy(parity.synthetic_frames(50, 60, frames, 1.0))
    pictures[3] = pictures[2]  # one pair is identical
    if as_bytes:
        pictures = (pictures * 255).to(torch.uint8)
    planes = [torch.full((1, 50, 60), 0.5 + k / 20) if alpha else None for k in range(frames)]
    return [Frame(one, F(k), F(1), plane) for k, (one, plane) in enumerate(zip(pictures, planes, strict=True))]


def rife_422() -> torch.nn.Module:
    return fast(rife.build(parity.load_set("rife/rife_v4.22.lite").state()))


class Blend:
    """Blends, and remembers which threads did so, with how many of torch, and in which mode."""

    def __init__(self, pause: float = 0.0, spec: Spec = Spec("blend")) -> None:  # noqa: B008
        self.spec, self.pause = spec, pause
        self.seen: list[tuple[str, int, bool]] = []
        self.at_once = self.most = 0
        self._lock = threading.Lock()

    def __call__(self, window: Tensor, t: Tensor) -> Tensor:
        with self._lock:
            self.at_once += 1
            self.most = max(self.most, self.at_once)
            self.seen.append((threading.current_thread().name, torch.get_num_threads(), torch.is_inference_mode_enabled()))
        time.sleep(self.pause)
        with self._lock:
            self.at_once -= 1
        return torch.lerp(window[:, 0], window[:, 1], t.view(-1, 1, 1, 1))


def frames_of(made: Iterator[Frame]) -> list[tuple[F, Tensor, Tensor | None, bool]]:
    return [(one.time, one.rgb, one.alpha, one.made) for one in made]


def same(one: list, other: list) -> bool:
    return len(one) == len(other) and all(
        a[0] == b[0]
        and torch.equal(a[1], b[1])
        and a[3] == b[3]
        and ((a[2] is None) == (b[2] is None))
        and (a[2] is None or torch.equal(a[2], b[2]))
        for a, b in zip(one, other, strict=True)
    )


MODELS = {
    "rife": lambda: Padded(rife_422()),
    "dis": lambda: wrappers.Padded(drawing.Dis()),
    "by halves": lambda: Recursive(models.Encoding(any_t=False)),
    "four frames by halves": lambda: Recursive(models.Blend(any_t=False, window=4)),
    "augmented": lambda: Tta(Padded(rife_422()), "duo"),
    "drawn": lambda: drawing.drawn(Padded(rife_422()), "on"),
    "paced": lambda: paced(Padded(rife_422()), "auto"),
}


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("times", [2, 4])
def test_the_frames_are_those_of_one_thread(name: str, times: int) -> None:
    model, frames = MODELS[name](), clip()
    with torch.inference_mode(), threads(1):
        alone = frames_of(run(frames, model, Subdivide(times)))
    with torch.inference_mode(), threads(3):
        assert same(frames_of(run(frames, model, Subdivide(times))), alone)


@pytest.mark.parametrize("as_bytes", [False, True])
def test_alpha_bytes_and_batches(as_bytes: bool) -> None:
    model, frames = Padded(rife_422()), clip(alpha=True, as_bytes=as_bytes)
    with torch.inference_mode(), threads(1):
        alone = frames_of(run(frames, model, Subdivide(5), batch=3, since=F(1, 2)))
    with torch.inference_mode(), threads(2):
        assert same(frames_of(run(frames, model, Subdivide(5), batch=3, since=F(1, 2))), alone)


def test_as_many_frames_are_made_at_once_as_there_are_threads() -> None:
    model = Blend(pause=0.02)
    with threads(3):
        list(run(clip(13), model, Subdivide(2)))
    assert model.most == 3
    assert {name.rsplit("_", 1)[0] for name, *_ in model.seen} == {"vfi-making"}
    assert {each for _, each, _ in model.seen} == {1}


def test_threads_are_shared_out() -> None:
    model = Blend(spec=Spec("blend", activations=300_000))
    assert hands_for(model.spec, 50, 60, 1, threads=5) == 1 == hands_for(Spec("x", threads=False), 50, 60, 1, threads=5)
    half = crew.ROOM // (2 * 50 * 60 * 4)
    model = Blend(pause=0.01, spec=Spec("blend", activations=half))
    with threads(5):
        list(run(clip(9), model, Subdivide(2)))
    assert model.most == 2
    assert {each for _, each, _ in model.seen} == {2}
    assert hands_for(Spec("x"), 50, 60, 1, threads=64) == crew.MOST
    assert hands_for(Spec("x", activations=half), 50, 60, 2, threads=5) == 1


def test_the_caller_keeps_its_threads_and_so_do_those_that_begin_later() -> None:
    counts = []
    with threads(3):
        for _ in run(clip(), Blend(), Subdivide(2)):
            other = threading.Thread(target=lambda: counts.append(torch.get_num_threads()))
            other.start()
            other.join()
            counts.append(torch.get_num_threads())
        with pool(1, "alone") as alone:
            assert alone.submit(torch.get_num_threads).result() == 1
        counts.append(torch.get_num_threads())
    assert set(counts) == {3}


@pytest.mark.parametrize("inference", [False, True])
def test_modes_of_torch_are_those_of_the_caller(inference: bool) -> None:
    model = Blend()
    with threads(2), torch.inference_mode(inference):
        list(run(clip(), model, Subdivide(2)))
    assert {mode for *_, mode in model.seen} == {inference}


class Failing(Blend):
    def __call__(self, window: Tensor, t: Tensor) -> Tensor:
        if len(self.seen) == 3:
            raise InputError("the third frame is one too many")
        return super().__call__(window, t)


def making() -> list[str]:
    return [one.name for one in threading.enumerate() if one.name.startswith("vfi-making")]


def test_an_error_arrives_after_the_frames_before_it_and_the_threads_end() -> None:
    arrived: list[F] = []

    def arrive() -> None:
        for frame in run(clip(9), Failing(pause=0.01), Subdivide(2)):
            arrived.append(frame.time)

    with threads(2), pytest.raises(InputError, match="one too many"):
        arrive()
    assert arrived == sorted(arrived)
    assert len(arrived) >= 4
    assert not making()


def test_a_run_that_is_stopped_ends_its_threads_and_makes_no_more() -> None:
    model = Blend(pause=0.01)
    with threads(2):
        made = run(clip(40), model, Subdivide(2))
        assert len(list(islice(made, 4))) == 4
        assert making()
        made.close()
    assert not making()
    assert len(model.seen) <= 8


def test_frames_ahead_are_few_even_if_all_pass_through() -> None:
    given = 0

    def counted() -> Iterator[Frame]:
        nonlocal given
        for frame in clip(60):
            given += 1
            yield frame

    instants = At(tuple(F(k) for k in (0, F(1, 2), *range(1, 60))))
    with threads(2):
        made = run(counted(), Blend(), instants)
        next(made)
        next(made)
        assert given < 12
        assert len(list(made)) == 59


def test_a_value_is_computed_once_and_an_error_is_not_kept() -> None:
    calls = []

    def make() -> int:
        calls.append(1)
        if len(calls) == 1:
            raise ValueError("not yet")
        time.sleep(0.02)
        return 7

    value = Once(make)
    with pytest.raises(ValueError, match="not yet"):
        value()
    with pool(4, "asking") as asking:
        assert [one.result() for one in [asking.submit(value) for _ in range(8)]] == [7] * 8
    assert len(calls) == 2


def test_things_are_made_in_the_order_asked() -> None:
    order: list[int] = []
    with hired(1) as none:
        assert none is None
    with threads(2), hired(2) as two:
        assert isinstance(two, Crew)
        asked = [two.ask(lambda k=k: [order.append(k) or k, -k], 2) for k in range(20)]  # type: ignore[misc]
        assert [(one(), other()) for one, other in asked] == [(k, -k) for k in range(20)]
    assert sorted(order) == list(range(20))
    assert all(abs(place - k) < 3 for place, k in enumerate(order))


def test_the_promise_of_memory_counts_every_thread() -> None:
    from vfi.clips.clip import Info
    from vfi.timing.grids import Timing

    info = Info(640, 360, None, F(24), 10, F(10, 24), time_base=F(1, 24))
    task = Task(info, Timing(Subdivide(2), F(48)))
    spec = Spec("x", activations=200)
    assert task.ceiling(spec, 2) - task.ceiling(spec) >= spec.memory(360, 640)
    assert task.ceiling(Spec("x", activations=10**6), 2) == task.ceiling(Spec("x", activations=10**6))
