"""The damage bench: each kind of damage states where it lies, and scores count what is right, wrong, found and missed."""

from __future__ import annotations

import importlib.util
import random
import sys
from pathlib import Path

import numpy as np
import pytest

PATH = Path(__file__).parents[2] / "benchmarks" / "damage.py"
SPEC = importlib.util.spec_from_file_location("damage", PATH)
assert SPEC is not None
assert SPEC.loader is not None
damage = importlib.util.module_from_spec(SPEC)
sys.modules["damage"] = damage
SPEC.loader.exec_module(damage)

CLIP = [np.full((40, 60, 3), 40 + 4 * k, np.uint8) for k in range(32)]


@pytest.mark.parametrize("name", damage.DAMAGE)
def test_what_is_not_damaged_is_the_clip(name: str):
    broken = damage.DAMAGE[name](CLIP, random.Random(1))
    assert broken.truth
    assert len(broken.frames) == len(broken.origin)
    spoilt = {k for one in broken.truth if one.action != "insert" for k in range(one.first, one.last + 1)}
    for k, (picture, origin) in enumerate(zip(broken.frames, broken.origin, strict=True)):
        if k not in spoilt:
            assert np.array_equal(picture, CLIP[origin])


def test_scores_count():
    truth = [damage.Finding("flash", 5, 6, 2, 1.0, "remake"), damage.Finding("missing", 20, 20, 1, 1.0, "insert")]
    found = [damage.Finding("flash", 6, 6, 1, 1.0, "remake"), damage.Finding("junk", 0, 1, 2, 1.0, "cut")]
    score = damage.Score()
    score.add(found, truth, [])
    assert (score.right, score.wrong, score.hit, score.missed) == (1, 1, 1, 1)
