"""Exact motion is exact: the flow leads to what is seen, and what is hidden is said to be."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from vfi.ops.warp import warp_corners
from vfi.train.synthetic import Layer, Synthetic, bend, frame, grid, motion

SIZE = 96


def smooth(seed: int, side: int = 160) -> Tensor:
    """A picture without edges, so that sampling it twice changes little."""
    coarse = torch.rand(1, 3, 6, 6, generator=torch.Generator().manual_seed(seed))
    return torch.nn.functional.interpolate(coarse, (side, side), mode="bicubic", align_corners=True)[0].clamp(0, 1)


def layers(seed: int, count: int = 2) -> list[Layer]:
    chance = random.Random(seed)
    return [Layer.drawn(Synthetic(), smooth(seed + k), SIZE, k > 0, chance) for k in range(count)]


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("t", [0.5, 0.2])
def test_the_flow_leads_to_the_same_colours_where_it_says_so(seed: int, t: float):
    scene = layers(seed)
    flow, seen = motion(scene, SIZE, t)
    truth = frame(scene, SIZE, t)
    assert 0.3 < seen.float().mean() <= 1
    inner = seen & (edges(scene, t) == 0)
    for arm, time in enumerate((0.0, 1.0)):
        warped = warp_corners(frame(scene, SIZE, time)[None], flow[None, 2 * arm : 2 * arm + 2])[0]
        missed = (warped - truth).abs().amax(dim=0)[inner[0]]
        assert missed.quantile(0.99) < 0.02
        assert missed.mean() < 0.003


def edges(scene: list[Layer], t: float) -> Tensor:
    """Where a shape is half there at any of the times that are looked at, and a few pixels about it, [1,h,w]."""
    part = torch.zeros(1, SIZE, SIZE)
    for layer in scene[1:]:
        cover = layer.cover(layer.places(grid(SIZE), t))
        part = part + ((cover > 0) & (cover < 1)).float()
    return torch.nn.functional.max_pool2d(part[None], 9, 1, 4)[0]


def test_motion_that_is_known_is_told_exactly():
    """Half of a curve: at t the drift is t of it, and the bow is at its widest half-way."""
    still = Layer(smooth(1), (48.0, 48.0), (8.0, -4.0), (2.0, 6.0), 0.0, 0.0, None, None)
    flow, seen = motion([still], SIZE, 0.5)
    off = torch.tensor([4.0 + 0.5, -2.0 + 1.5])
    torch.testing.assert_close(flow[:2], -off.view(2, 1, 1).expand(2, SIZE, SIZE), atol=1e-4, rtol=0)
    onward = torch.tensor([8.0, -4.0]) - off
    torch.testing.assert_close(flow[2:], onward.view(2, 1, 1).expand(2, SIZE, SIZE), atol=1e-4, rtol=0)
    assert seen[0, 10:-10, 10:-10].all()
    assert not seen[0, :, 0].any()


def test_what_a_shape_hides_is_not_seen():
    shape = torch.zeros(1, 40, 40)
    shape[:, 4:36, 4:36] = 1
    behind = Layer(smooth(1), (48.0, 48.0), (0.0, 0.0), (0.0, 0.0), 0.0, 0.0, None, None)
    passing = Layer(smooth(2), (30.0, 48.0), (40.0, 0.0), (0.0, 0.0), 0.0, 0.0, None, shape)
    flow, seen = motion([behind, passing], SIZE, 0.5)
    assert flow[0, 48, 50] == -20
    assert flow[2, 48, 50] == 20
    assert seen[0, 48, 50]
    assert not seen[0, 48, 20]
    assert not seen[0, 48, 78]
    assert seen[0, 10, 20]
    assert flow[:, 10, 20].abs().max() == 0


def test_a_bend_is_undone():
    noise = torch.Generator().manual_seed(1)
    bent = Layer(smooth(3), (48.0, 48.0), (3.0, 5.0), (0.0, 0.0), 0.1, 0.05, bend(2.0, noise), None)
    p = torch.rand(2, 8, 8, generator=noise) * 60 - 30
    assert (bent.positions(p, 1.0) - replace(bent, bend=None).positions(p, 1.0)).abs().mean() > 0.5
    torch.testing.assert_close(bent.places(bent.positions(p, 1.0), 1.0), p, atol=0.01, rtol=0)


def test_the_same_chance_makes_the_same_example():
    one, other = (Synthetic().made([smooth(1), smooth(2)], 64, random.Random(5)) for _ in range(2))
    assert torch.equal(one.truth, other.truth)
    assert torch.equal(one.flow, other.flow)
    assert one.flow.shape == (4, 16, 16)
    for picture in (one.before, one.after, one.truth):
        assert picture.shape == (3, 64, 64)
        assert 0 <= picture.min() <= picture.max() <= 1
