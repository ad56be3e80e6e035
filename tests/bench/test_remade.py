"""Frames of a clip that are dropped and remade: which they are, and who wins."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise

import pytest
import torch
from torch import Tensor

from vfi.bench import remade
from vfi.bench.remade import Runner, race, ranked, spread, triples
from vfi.core import Frame, InputError, Spec
from vfi.model.ladder import Member


def clip(count: int, *, cut: int | None = None, hold: int | None = None) -> list[Frame]:
    """Frames of a texture that moves by two pixels each; from ``cut`` on another one; frame ``hold`` repeats the one before."""
    frames = []
    for k in range(count):
        shot = int(cut is not None and k >= cut)
        texture = torch.rand(3, 6, 40, generator=torch.Generator().manual_seed(shot))
        wide = torch.nn.functional.interpolate(texture[None], (48, 320), mode="bicubic").clamp(0, 1)[0]
        at = k - 1 if k == hold else k
        rgb = (wide[:, :, 2 * at : 2 * at + 64] * 255).to(torch.uint8)
        frames.append(Frame(rgb, Fraction(k, 24), Fraction(1, 24)))
    return frames


def test_every_second_frame_is_dropped():
    found = triples(clip(9), 32)
    assert [one.number for one in found] == [1, 3, 5, 7]
    assert all(one.time == Fraction(one.number, 24) for one in found)


def test_no_triple_reaches_across_a_cut_or_holds_a_repeat():
    numbers = [one.number for one in triples(clip(24, cut=12), 32)]
    assert 11 not in numbers
    assert {1, 15} <= set(numbers)
    assert not {6, 7} & {one.number for one in triples(clip(24, hold=7), 32)}


def test_pictures_of_a_clip_on_twos_are_remade():
    twos = [replace(clip(12)[k // 2], time=Fraction(k, 24)) for k in range(24)]
    assert [one.number for one in triples(twos, 32)] == [2, 6, 10, 14, 18]


@pytest.mark.parametrize("most", [1, 3, 8])
def test_the_triples_of_a_long_clip_are_spread(most: int):
    numbers = [one.number for one in triples(clip(99), most)]
    assert most / 2 <= len(numbers) <= most
    steps = {after - before for before, after in pairwise(numbers)}
    assert len(steps) <= 1
    assert numbers[-1] + 2 * (steps.pop() if steps else 48) >= 97


def test_a_clip_that_does_not_move_has_nothing_to_remake():
    still = [Frame(torch.zeros(3, 48, 64, dtype=torch.uint8), Fraction(k, 24), Fraction(1, 24)) for k in range(9)]
    with pytest.raises(InputError, match="no three frames in a row that move"):
        triples(still, 8)


def test_spread_numbers_are_each_there_once_and_far_apart():
    for count in (1, 2, 7, 32):
        assert sorted(spread(count)) == list(range(count))
    assert spread(8)[:4] == [0, 4, 2, 6]


class Off:
    """Blends, and is ``off`` by so many codes; takes ``seconds`` on a clock of its own."""

    def __init__(self, clock: Clock, off: float, seconds: float) -> None:
        self.spec = Spec("off")
        self.clock, self.off, self.seconds, self.calls = clock, off, seconds, 0

    def __call__(self, window: Tensor, t: Tensor) -> Tensor:
        self.clock.now += self.seconds
        self.calls += 1
        return window.mean(dim=1) + self.off / 255


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def smooth() -> list[remade.Triple]:
    """Triples of plain greys, which a blend makes exactly."""
    plain = [torch.full((3, 16, 16), code, dtype=torch.uint8) for code in range(100, 140, 4)]
    return [remade.Triple(k, Fraction(k), plain[k], (plain[k] // 2 + plain[k + 2] // 2), plain[k + 2]) for k in range(8)]


def runners(clock: Clock, **offs: float) -> tuple[list[Runner], dict[Member, Off]]:
    models = {Member(name): Off(clock, off, 1.0) for name, off in offs.items()}
    return [Runner(name, (Member(name),)) for name in offs], models


def run(some: list[Runner], models: dict[Member, Off], found: list[remade.Triple], budget: float, clock: Clock) -> list[int]:
    done: Iterator[int] = race(some, models, found, budget, clock)
    return list(done)


def test_the_nearest_wins_and_the_worse_are_given_up(smooth: list[remade.Triple]):
    clock = Clock()
    some, models = runners(clock, far=9, near=3, nearest=1)
    assert run(some, models, smooth, 1000, clock) == list(range(1, 9))
    places = ranked(some)
    assert [one.runner.name for one in places] == ["nearest", "near", "far"]
    assert [one.frames for one in places] == [8, 4, 4]
    assert [one.runner.given_up for one in places] == [False, True, True]
    assert places[1].behind == pytest.approx(9.54, abs=0.01)
    assert places[0].runner.time == 1.0


def test_the_budget_bounds_the_time_but_the_first_frame_is_made_by_all(smooth: list[remade.Triple]):
    clock = Clock()
    some, models = runners(clock, one=3, other=4)
    assert run(some, models, smooth, 0.5, clock) == [1]
    assert [len(runner.scores) for runner in some] == [1, 1]
    clock = Clock()
    some, models = runners(clock, one=3, other=3.01)
    run(some, models, smooth, 8, clock)
    assert clock.now <= 9


def test_a_model_of_several_ways_makes_each_frame_once(smooth: list[remade.Triple]):
    clock = Clock()
    some, models = runners(clock, low=-2, middle=0.1, high=2)
    every = Runner("all", tuple(models))
    run([*some, every], models, smooth[:1], 1000, clock)
    assert {model.calls for model in models.values()} == {2}  # the first is not timed
    assert every.scores == some[1].scores
    assert every.seconds == [3.0]


def test_a_late_runner_takes_no_time_from_the_first_frames(smooth: list[remade.Triple]):
    clock = Clock()
    some, models = runners(clock, near=3, mixed=2)
    some[1].late = True
    run(some, models, smooth, 4.5, clock)
    assert [len(runner.scores) for runner in some] == [4, 0]
    assert [place.runner.name for place in ranked(some)] == ["near"]
    run(some, models, smooth, 1000, clock)
    places = ranked(some)
    assert [place.runner.name for place in places] == ["mixed", "near"]
    assert places[0].frames == 4
    assert places[0].behind == 0
    assert places[1].behind == pytest.approx(3.52, abs=0.01)
