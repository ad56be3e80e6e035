"""The motion of a part as a whole: found to a fraction of a pixel, and led along its way."""

from __future__ import annotations

import cmath
import math

import pytest
import torch

from tests.drawn import HEIGHT, WIDTH, Drawn
from vfi.motion.figures import STILL, Course, Seen, Similar, centre, course, through, whole_motion

ALL = torch.ones(1, HEIGHT, WIDTH)


def found(scene: Drawn, part: int) -> tuple[Similar, complex]:
    before, *masks = scene.at(0, 0, 0)
    mask = masks[part][None]
    return whole_motion(Seen(before, mask), Seen(scene.at(1, 1, 1)[0], ALL)), centre(mask)


@pytest.mark.parametrize("plain", [False, True])
@pytest.mark.parametrize(
    ("end", "pan"), [(104 + 50j, 0), (60.3 + 57.7j, 0), pytest.param(170 + 40j, 12.5, marks=pytest.mark.exhaustive)]
)
def test_a_shift_is_found_however_far(end: complex, pan: float, plain: bool):
    motion, middle = found(Drawn((60 + 50j, end), pan=pan, plain=plain), 0)
    assert abs(motion.of(middle) - end) < (0.35 if plain else 0.1)


@pytest.mark.parametrize(
    "degrees", [8, pytest.param(-25, marks=pytest.mark.exhaustive), pytest.param(80, marks=pytest.mark.exhaustive)]
)
def test_a_turn_is_found(degrees: float):
    motion, middle = found(Drawn(turn=degrees), 1)
    assert abs(motion.of(middle) - (140 + 92j)) < 0.15
    assert math.degrees(cmath.phase(motion.turn)) == pytest.approx(degrees, abs=0.5)
    assert abs(motion.turn) == pytest.approx(1, abs=0.04)


def test_the_ground_pans_or_stands_still():
    for pan in (0.0, 18.5):
        scene = Drawn(pan=pan)
        before, after = scene.at(0, 0, 0), scene.at(1, 1, 1)
        seen = [Seen(picture, (1 - torch.maximum(one, other))[None]) for picture, one, other in (before, after)]
        motion = whole_motion(*seen)
        if pan:
            assert abs(motion.of(100 + 80j) - (100 - pan + 80j)) < 0.05
        else:
            assert motion == STILL


def test_what_is_nowhere_stands_still():
    picture = torch.rand(3, 40, 60)
    assert whole_motion(Seen(picture, torch.zeros(1, 40, 60)), Seen(picture.flip(-1), ALL[:, :40, :60])) == STILL


def test_a_joint_stays_where_it_is_and_a_wheel_rolls_straight():
    y, x = torch.meshgrid(torch.arange(80.0), torch.arange(120.0), indexing="ij")
    turn = cmath.exp(1j)
    arm = ((x - 40).abs() < 25) & ((y - 40).abs() < 5)
    about_shoulder = Similar(turn, (18 + 40j) * (1 - turn))
    way = course(about_shoulder, arm.float()[None], arm.float()[None])
    assert all(abs(way.at(place).of(18 + 40j) - (18 + 40j)) < 1e-6 for place in (0, 0.3, 1))
    wheel = ((x - 30).square() + (y - 40).square() < 15**2).float()[None]
    rolled = Similar(turn, 45 + 40j - turn * (30 + 40j))  # by the length of its rim
    way = course(rolled, wheel, wheel.roll(15, -1))
    assert way.at(0.5).of(30 + 40j) == pytest.approx(37.5 + 40j, abs=0.3)


def test_motions_are_joined_undone_scaled_and_fitted():
    one, other = Similar(0.8 + 0.3j, 4 - 2j), Similar(1.1j, -3 + 1j)
    point = 5 + 7j
    assert one.after(other).of(point) == pytest.approx(one.of(other.of(point)))
    assert one.inverse().of(one.of(point)) == pytest.approx(point)
    doubled = one.scaled(2)
    assert (doubled.of(2 * point + 0.5 + 0.5j) - 0.5 - 0.5j) / 2 == pytest.approx(one.of(point))
    starts = [0j, 10 + 2j, 3 + 9j]
    fitted = through(starts, [one.of(start) for start in starts])
    assert fitted.turn == pytest.approx(one.turn)
    assert through(starts[:1], [4 + 4j]) == Similar(1, 4 + 4j)
    assert Course(one, 2 + 2j).at(1).of(point) == pytest.approx(one.of(point))
    assert Course(one, 2 + 2j).at(0) == STILL
