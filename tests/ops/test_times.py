"""Timesteps as planes: one value for a frame, or one for every pixel."""

from __future__ import annotations

import pytest
import torch

from vfi.core import InputError, Spec
from vfi.ops.checks import check_times
from vfi.ops.times import is_map, time_at, time_plane


def test_one_value_stays_one_value():
    plane = time_plane(torch.tensor([0.25, 0.5]))
    assert plane.shape == (2, 1, 1, 1)
    assert time_at(plane, (8, 12)) is plane


@pytest.mark.parametrize("size", [(4, 6), (8, 12), (16, 24), (5, 7)])
def test_a_map_keeps_its_values_on_every_grid(size):
    columns = torch.linspace(0.2, 0.8, 12).expand(1, 1, 8, 12)
    assert is_map(columns)
    found = time_at(time_plane(columns), size)
    assert found.shape == (1, 1, *size)
    assert found.mean() == pytest.approx(0.5, abs=1e-3)
    assert (found.diff(dim=-1) > 0).all()


def test_only_networks_that_take_maps_get_them():
    times = torch.full((2, 1, 8, 12), 0.5)
    check_times(Spec("one", time_map=True), times, 1)
    with pytest.raises(InputError, match="t of shape"):
        check_times(Spec("other"), times, 1)
    with pytest.raises(InputError, match=r"a map of times of shape \[2, 1, 8, 12\]"):
        check_times(Spec("one", time_map=True), times, 3)
