"""The damage bench: each kind of damage states where it lies, and scores count what is right, wrong, found and missed."""

from __future__ import annotations

import random

import numpy as np
import pytest

import vfi
from benchmarks import damage

CLIP = [np.full((40, 60, 3), 41 + 4 * k, np.uint8) for k in range(40)]
ALL = {**damage.DAMAGE, **damage.TWO}


@pytest.mark.parametrize("name", ALL)
def test_what_is_not_damaged_is_the_clip(name: str):
    broken = ALL[name](CLIP, random.Random(1))
    assert [one.kind for one in broken.truth if one.kind == name.split()[0]]
    assert len(broken.frames) == len(broken.origin)
    spoilt = {k for one in broken.truth if one.action != "insert" for k in range(one.first, one.last + 1)}
    for one in broken.truth:
        if one.kind == "border":
            spoilt |= set(range(one.first, len(CLIP)))
    for k, (picture, origin) in enumerate(zip(broken.frames, broken.origin, strict=True)):
        if k not in spoilt:
            assert np.array_equal(picture, CLIP[origin])


def test_scores_count():
    truth = [damage.Finding("flash", 5, 6, 2, 1.0, "remake"), damage.Finding("missing", 20, 20, 1, 1.0, "insert")]
    found = [damage.Finding("flash", 6, 6, 1, 1.0, "remake"), damage.Finding("junk", 0, 1, 2, 1.0, "cut")]
    score = damage.Score()
    score.add(found, truth, [])
    assert (score.right, score.wrong, score.hit, score.missed) == (1, 1, 1, 1)


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("name", damage.TWO)
def test_two_damages_lie_where_the_truth_says(name: str, seed: int):
    broken = damage.TWO[name](CLIP, random.Random(seed))
    one, other = broken.truth
    assert one.last < other.first
    for found in broken.truth:
        if found.kind in ("flash", "dark", "corrupt"):
            assert all(not np.array_equal(broken.frames[k], CLIP[broken.origin[k]]) for k in range(found.first, found.last + 1))
        elif found.kind == "missing":
            before, after = broken.origin[found.first - 1], broken.origin[found.first]
            assert after - before == found.count + 1
        elif found.kind == "repeat":
            assert np.array_equal(broken.frames[found.first], broken.frames[found.first - 1])
        else:
            assert found.last == len(broken.frames) - 1
    if " near " in name:
        between = other.first - one.last - 1 + (one.kind == "missing")
        assert between == (3 if "black" in name else 4)


MENDED = (
    "flash x1.3, 3 frames",
    "corrupt half",
    "missing 2",
    "repeat exact",
    "freeze start",
    "junk end",
    "flash 60 % near missing 1",
)


@pytest.mark.parametrize("name", MENDED)
def test_frames_without_a_finding_are_bit_identical_after_mending(name: str):
    broken = ALL[name](CLIP, random.Random(2))
    made = damage.mended(broken.frames, broken.truth, vfi.load("linear"))
    assert len(made) == len(CLIP)
    spoilt = {k for one in broken.truth if one.action != "insert" for k in range(one.first, one.last + 1)}
    sound = {origin for k, origin in enumerate(broken.origin) if k not in spoilt}
    assert len(sound) >= len(CLIP) - 4
    assert all(np.array_equal(made[k], CLIP[k]) for k in sound)
