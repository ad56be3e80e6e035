"""Assertions that every network must pass, on a network and a window chosen by its own tests."""

from __future__ import annotations

import copy

import halves
import parity
import torch
from torch import Tensor, nn

import vfi
from vfi.core import Interpolator, Motion
from vfi.model import wrappers


def window(height: int, width: int, count: int = 2) -> Tensor:
    """[1,N,3,H,W]: frames that move by a few pixels."""
    return torch.from_numpy(parity.synthetic_frames(height, width, count, 1.0))[None]


def motion(model: Interpolator, frames: Tensor, times: Tensor) -> Motion:
    return wrappers.Wrapper(model).motion(frames, times)


def preparing_once_serves_every_timestep(
    model: Interpolator, frames: Tensor, times: Tensor, *expensive: nn.Module, rtol: float = 1e-4, atol: float = 2e-5
) -> None:
    """The ``expensive`` parts must also run before the first timestep, and not again."""
    worked: list[nn.Module] = []
    hooks = [part.register_forward_hook(lambda part, *_: worked.append(part)) for part in expensive]
    prepared = wrappers.prepare(model, [wrappers.encode(model, rgb) for rgb in frames.unbind(1)], frames.unbind(1))
    assert all(part in worked for part in expensive)
    worked.clear()
    apart = torch.cat([wrappers.at(model, prepared, t[None]) for t in times])
    assert not worked
    for hook in hooks:
        hook.remove()
    torch.testing.assert_close(apart, model(frames, times), rtol=rtol, atol=atol)


def one_window_serves_many_timesteps(model: Interpolator, frames: Tensor, times: Tensor) -> None:
    apart = torch.cat([model(frames, t[None]) for t in times])
    torch.testing.assert_close(model(frames, times), apart, rtol=1e-4, atol=2e-5)


def each_window_of_a_batch_is_made_by_itself(model: Interpolator, frames: Tensor, times: Tensor) -> None:
    windows = torch.cat((frames, frames.flip(1) / 2))
    apart = torch.cat([model(one[None], t[None]) for one, t in zip(windows, times, strict=True)])
    torch.testing.assert_close(model(windows, times), apart, rtol=1e-4, atol=2e-5)


def half_precision_is_close(net: nn.Module, frames: Tensor, within: float = 0.02) -> None:
    """The output must also have the window's dtype, whatever that of the weights."""
    t = torch.tensor([0.5])
    half = copy.deepcopy(net).bfloat16()
    with halves.quick():
        made, same = half(frames, t), half(frames.bfloat16(), t)
    assert (made.dtype, same.dtype) == (torch.float32, torch.bfloat16)
    assert (made - net(frames, t)).abs().mean() < within


def gradients_reach_every_weight(net: nn.Module, frames: Tensor) -> None:
    net = copy.deepcopy(net).requires_grad_(True)
    net(frames, torch.tensor([0.5])).sum().backward()
    assert not [name for name, weight in net.named_parameters() if weight.grad is None]
    # A bias before a normalisation is used but has no effect.
    assert not [name for name, weight in net.named_parameters() if weight.ndim > 1 and not weight.grad.abs().sum()]


def interpolates_a_clip(model: Interpolator, times: int, height: int = 50, width: int = 67) -> None:
    """Three frames of an odd size; the given frames must stay unchanged."""
    clip = window(height, width, 3)[0]
    made = vfi.interpolate(clip, model, times)
    assert made.shape == (2 * times + 1, 3, height, width)
    assert made.isfinite().all()
    assert torch.equal(made[::times], clip)
    assert 0 <= made.min() <= made.max() <= 1
