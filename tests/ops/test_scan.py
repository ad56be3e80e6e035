"""The selective scan is its recurrence, however long the sequence and however fast its states decay."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from vfi.ops.scan import selective_scan


def drawn(length: int, fastest: float = 1.0) -> tuple[Tensor, ...]:
    stream = torch.Generator().manual_seed(length)

    def noise(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=stream)

    pace = fastest * torch.rand(2, 4, 3, length, generator=stream)
    decay = -noise(4, 3, 5).exp()
    return noise(2, 4, 3, length), pace, decay, noise(2, 4, 5, length), noise(2, 4, 5, length)


def stepwise(x: Tensor, pace: Tensor, decay: Tensor, enter: Tensor, leave: Tensor) -> Tensor:
    """The recurrence as it is written, in float64."""
    x, pace, decay, enter, leave = (value.double() for value in (x, pace, decay, enter, leave))
    state, made = torch.zeros(*x.shape[:3], decay.shape[-1], dtype=torch.float64), []
    for t in range(x.shape[-1]):
        state = torch.exp(pace[..., t, None] * decay) * state + (pace * x)[..., t, None] * enter[..., None, :, t]
        made.append((state * leave[..., None, :, t]).sum(-1))
    return torch.stack(made, dim=-1)


@pytest.mark.parametrize("length", [1, 2, 3, 16, 97, 1000])
@pytest.mark.parametrize("fastest", [1e-3, 1.0, 300.0])
def test_it_is_the_recurrence(length: int, fastest: float):
    given = drawn(length, fastest)
    expected = stepwise(*given)
    torch.testing.assert_close(selective_scan(*given).double(), expected, rtol=1e-5, atol=1e-5 * float(expected.abs().max()))


def test_states_that_never_decay_keep_all_they_were_given():
    x, pace, _, enter, _ = drawn(50)
    ones = torch.ones_like(enter)
    made = selective_scan(x, pace, torch.zeros(4, 3, 5), ones, ones)
    torch.testing.assert_close(made, 5 * (pace * x).cumsum(-1), rtol=1e-4, atol=1e-4)


def test_gradients_are_those_of_the_recurrence():
    given = [value.requires_grad_() for value in drawn(20)]
    ours = torch.autograd.grad(selective_scan(*given).square().sum(), given)
    theirs = torch.autograd.grad(stepwise(*given).square().sum(), given)
    for one, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-3)
