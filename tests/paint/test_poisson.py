"""The multigrid solver, against the linear system solved directly."""

from __future__ import annotations

import numpy as np
import pytest

from vfi.paint.fill import filled
from vfi.paint.poisson import HELD, blended, slopes


def solved(across: np.ndarray, down: np.ndarray, near: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """The same minimum by least squares, one channel."""
    height, width = weight.shape
    number = np.arange(height * width).reshape(height, width)
    rows, wanted = [], []

    def row(entries: list[tuple[int, float]], value: float) -> None:
        line = np.zeros(height * width)
        for place, share in entries:
            line[place] = share
        rows.append(line)
        wanted.append(value)

    for y in range(height):
        for x in range(width):
            root = float(np.sqrt(weight[y, x]))
            row([(number[y, x], root)], root * near[y, x])
            if x:
                row([(number[y, x], 1), (number[y, x - 1], -1)], across[y, x - 1])
            if y:
                row([(number[y, x], 1), (number[y - 1, x], -1)], down[y - 1, x])
    return np.linalg.lstsq(np.array(rows), np.array(wanted), rcond=None)[0].reshape(height, width)


@pytest.mark.parametrize("size", [(8, 8), (13, 21), (5, 30)])
@pytest.mark.parametrize("held", [False, True])
def test_the_minimum_is_that_of_the_linear_system(size: tuple[int, int], held: bool):
    dice = np.random.default_rng(1)
    one, other, near = dice.random((3, *size)).astype(np.float32)
    (across, _), (_, down) = slopes(one[..., None]), slopes(other[..., None])
    weight = np.full(size, 0.02, np.float32)
    if held:
        weight[:, : size[1] // 2] = HELD
    made = blended(across, down, near[..., None], weight, near[..., None], cycles=12)[..., 0]
    assert np.abs(made - solved(across[..., 0], down[..., 0], near, weight)).max() < 2e-3


def test_a_few_cycles_are_enough_for_a_seam():
    """Half of one picture beside half of a brighter one: the step is gone, and the texture stays."""
    texture = np.random.default_rng(2).random((96, 128, 1)).astype(np.float32)
    (across, down), chosen = slopes(texture), texture.copy()
    chosen[:, 64:] += 0.4
    near = texture + 0.2
    made = blended(across, down, near, np.full((96, 128), 1 / 576, np.float32), chosen)
    assert np.abs(made - near).max() < 0.02


def test_what_is_not_known_is_told_by_the_picture():
    picture = np.random.default_rng(3).random((60, 80, 3)).astype(np.float32)
    painted = 0.3 + 0.5 * picture
    known = np.ones((60, 80), np.float32)
    known[20:40, 30:60] = 0
    spoilt = np.where(known[..., None] > 0, painted, 0)
    assert np.abs(filled(spoilt, picture, known) - painted).max() < 0.02
    assert np.array_equal(filled(spoilt, picture, 0 * known), picture)
