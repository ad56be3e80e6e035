"""The bench of what is meant: its makers make whole clips, and the same ones each time."""

from __future__ import annotations

import random
import sys

import numpy as np
import pytest

from benchmarks import damage

sys.modules.setdefault("damage", damage)  # the scripts import one another as they do when they are run

from benchmarks import meant  # noqa: E402

SHAPE = (40, 60, 3)
RISING = np.broadcast_to(np.arange(60, dtype=np.uint8)[None, :, None], SHAPE)
ONE = [RISING + np.uint8(40 + 3 * k) for k in range(40)]
OTHER = [np.full(SHAPE, 220 - 3 * k, np.uint8) for k in range(40)]


@pytest.mark.parametrize("name", meant.MEANT)
def test_a_maker_makes_the_same_clip_each_time(name: str):
    kept = [one.copy() for one in ONE]
    made, again = (meant.MEANT[name](ONE, OTHER, random.Random(3)) for _ in range(2))
    assert len(made) >= 28
    assert all(one.shape == SHAPE and one.dtype == np.uint8 for one in made)
    assert all(map(np.array_equal, made, again))
    assert all(map(np.array_equal, ONE, kept))
    assert len(made) != len(ONE) or not all(map(np.array_equal, made, ONE))


def test_a_short_clip_runs_back_and_forth():
    fitted = meant.like(OTHER[:3], ONE)
    assert len(fitted) == len(ONE)
    assert [int(one[0, 0, 0]) for one in fitted[:6]] == [220, 217, 214, 217, 220, 217]
