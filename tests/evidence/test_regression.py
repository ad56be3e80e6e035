"""The regression on its own: normal equations add up, and a prior pulls."""

from __future__ import annotations

import numpy as np
import pytest

from vfi.evidence.regression import LEAST, Basis, Equations, columns, in_codes, in_logarithms

DICE = np.random.default_rng(3)


def drawn(count: int, bend: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """Samples [count,3], and logarithms that depend on the first two, the second above its middle only if it has a ``bend``."""
    samples = DICE.normal(size=(count, 3))
    return samples, 1 + 2 * samples[:, 0] + bend * np.maximum(samples[:, 1], 0)


def test_a_relation_with_a_bend_is_found():
    samples, logs = drawn(4000, bend=3.0)
    basis = Basis.of(samples)
    weights = Equations.of(basis(samples), logs).solved()
    fresh, true = drawn(500, bend=3.0)
    assert np.abs(basis(fresh) @ weights - true).mean() < 0.1


def test_equations_of_parts_add_up_and_can_be_taken_away():
    samples, logs = drawn(300)
    basis = Basis.of(samples)
    one, other = (Equations.of(basis(samples[part]), logs[part]) for part in (slice(0, 100), slice(100, 300)))
    both = one + other
    assert both.weight == 2
    assert np.allclose((both - one).solved(), other.solved())
    assert np.allclose(both.times(5).solved(), both.solved())


def test_a_heavy_prior_pulls_and_a_light_one_yields():
    samples, logs = drawn(400)
    basis = Basis.of(samples)
    own, prior = Equations.of(basis(samples), logs), Equations.of(basis(samples), logs + 4)
    for weight, low, high in ((0.01, 0, 0.2), (100, 3.8, 4.0)):
        off = float((basis(samples) @ (own + prior.times(weight)).solved() - logs).mean())
        assert low <= off <= high


def test_slopes_are_those_of_each_column_alone():
    samples, logs = drawn(5000)
    slopes = Equations.of(Basis.of(samples)(samples), logs).slopes()
    assert slopes == pytest.approx([2, 0, 0], abs=0.1)


def test_columns_hold_each_cell_and_the_cells_around_it():
    cells = np.zeros((1, 7, 7), np.float32)
    cells[0, 3, 3] = 25.0
    own, around = columns(cells, ("ghost",)).reshape(7, 7, 2).transpose(2, 0, 1)
    assert (own > own.min()).sum() == 1
    assert (around > around.min() + 1e-3).sum() == 25
    assert np.exp(around[3, 3]) - np.exp(around[0, 0]) == pytest.approx(1.0, rel=1e-4)


def test_errors_become_logarithms_and_come_back():
    errors = np.array([0.0, 1.0, 400.0])
    assert in_codes(in_logarithms(errors)) == pytest.approx(errors)
    assert in_codes(np.array([-3.0])) == 0
    assert in_logarithms(np.array(0.0)) == np.log(LEAST)
