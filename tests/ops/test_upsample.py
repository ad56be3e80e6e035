"""Learned enlarging of flow: whole shares pick a neighbour, equal shares average."""

from __future__ import annotations

import torch

from vfi.ops.upsample import upsample_convex


def test_the_share_of_one_neighbour_is_its_flow_enlarged():
    flow = torch.randn(1, 2, 4, 5)
    weight = torch.zeros(1, 9, 2, 2, 4, 5)
    weight[:, 4] = 100
    weight[:, 4, 1, 0], weight[:, 5, 1, 0] = 0, 100
    made = upsample_convex(flow, weight.flatten(1, 3), 2)
    assert made.shape == (1, 2, 8, 10)
    torch.testing.assert_close(made[..., ::2, :], 2 * flow.repeat_interleave(2, dim=3))
    torch.testing.assert_close(made[..., 1::2, 1::2], 2 * flow)
    torch.testing.assert_close(made[..., 1::2, :-2:2], 2 * flow[..., 1:])


def test_equal_shares_are_the_mean_of_nine_with_zeros_outside():
    made = upsample_convex(torch.ones(1, 2, 3, 3), torch.zeros(1, 9 * 16, 3, 3), 4)
    torch.testing.assert_close(made[..., 4:8, 4:8], torch.full((1, 2, 4, 4), 4.0))
    torch.testing.assert_close(made[..., 0, 0], torch.full((1, 2), 16 / 9))


def test_weights_of_half_precision_leave_flow_exact():
    flow = torch.full((1, 2, 3, 3), 1000.123)
    made = upsample_convex(flow, torch.zeros(1, 9 * 4, 3, 3, dtype=torch.bfloat16), 2)
    assert made.dtype == torch.float32
    torch.testing.assert_close(made[..., 2:4, 2:4], torch.full((1, 2, 2, 2), 2000.246))
