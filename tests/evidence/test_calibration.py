"""Quantiles of what scores missed by: pooled, and read as bounds and as probabilities."""

from __future__ import annotations

import numpy as np
import pytest

from vfi.evidence.calibration import LEVELS, MASS, Misses, quantiles

DICE = np.random.default_rng(5)
SCORES = DICE.uniform(0, 6, 20_000)
NOISE = DICE.normal(size=20_000) * (0.2 + SCORES / 6)
"""It is the wider the higher the score is."""


def test_masses_are_shares_of_a_whole():
    assert MASS.sum() == pytest.approx(1)
    assert len(MASS) == len(LEVELS)


def test_a_weight_counts_as_often_as_it_says():
    values = np.array([1.0, 2.0, 3.0, 4.0])
    many, few = quantiles(np.repeat(values, [1, 1, 1, 97]), np.ones(100)), quantiles(values, np.array([1.0, 1, 1, 97]))
    assert many[3:] == pytest.approx(4)
    assert few[6:] == pytest.approx(4, abs=0.05)  # between the middles of two values they are linear
    assert quantiles(values, np.array([97.0, 1, 1, 1]))[6] == pytest.approx(1, abs=0.05)


@pytest.mark.parametrize("level", [0.05, 0.5, 0.9])
def test_as_many_stay_below_a_bound_as_its_level_says(level: float):
    misses = Misses.of(SCORES, NOISE, 12, 1.0)
    for low, high in ((0, 2), (2, 4), (4, 6)):
        some = (low <= SCORES) & (high > SCORES)
        below = (misses.at(SCORES, [level])[0] >= SCORES + NOISE)[some].mean()
        assert below == pytest.approx(level, abs=0.025)


@pytest.mark.parametrize("limit", [1.0, 3.0, 5.0])
def test_probabilities_are_frequencies(limit: float):
    said = Misses.of(SCORES, NOISE, 12, 1.0).above(SCORES, limit)
    assert said.min() >= 0
    assert said.max() <= 1
    for low in (0.0, 0.2, 0.4, 0.6, 0.8):
        some = (said >= low) & (said < low + 0.2)
        if some.sum() > 200:
            assert (limit < SCORES + NOISE)[some].mean() == pytest.approx(said[some].mean(), abs=0.05)


def test_probabilities_fall_with_the_limit_and_rise_with_the_score():
    misses = Misses.of(SCORES, NOISE, 12, 1.0)
    some = np.linspace(0, 6, 50)
    low, high = misses.above(some, 2.0), misses.above(some, 4.0)
    assert (low >= high).all()
    assert (np.diff(high) > -0.02).all()


def test_own_misses_outweigh_a_prior_by_their_number():
    prior = Misses.of(np.zeros(500), DICE.normal(size=500), 1, 6.0)
    for frames, near in ((2, 0), (60, 5)):
        pooled = prior.with_own(np.zeros(frames), np.full(frames, 5.0), frames)
        assert pooled.at(np.zeros(1), [0.5])[0, 0] == pytest.approx(near, abs=0.6)
        assert pooled.weight == 6 + frames


def test_bins_that_a_clip_does_not_reach_keep_the_prior():
    prior = Misses.of(SCORES, NOISE, 12, 8.0)
    pooled = prior.with_own(np.full(300, 0.1), np.full(300, 3.0), 10)
    assert np.allclose(pooled.quantiles[1:], prior.quantiles[1:], atol=0.15)
    assert pooled.quantiles[0].max() == pytest.approx(3)
