"""The noise schedule of Stable Video Diffusion and its sampler, which denoises latents step by step.

Karras et al., "Elucidating the Design Space of Diffusion-Based Generative Models", NeurIPS 2022 (EDM). The network predicts v
(Salimans and Ho, "Progressive Distillation", ICLR 2022). Owns the schedule, Euler's method and guidance. Knows nothing of
networks, keyframes or tracks.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import Literal, NamedTuple, TypeAlias

import torch
import torch.nn.functional as F
from torch import Tensor

from ..core import InputError

SIGMA_MAX, SIGMA_MIN, RHO = 700.0, 0.002, 7

STRIDE = 0x9E3779B97F4A7C15
"""Offset between the streams of a seed, so large that streams of seeds in practical use never coincide."""

GuidanceCurve = Literal["linear", "triangle"]

Predict: TypeAlias = "Callable[[Tensor, float], Tensor]"
"""(latents, sigma) -> v; sigma is the standard deviation of the noise in the latents."""


class Step(NamedTuple):
    """A finished denoising step: ``number`` (from 1) of ``steps``, the ``latents`` with their remaining noise, and the current
    estimate of the ``clean`` ones."""

    number: int
    steps: int
    latents: Tensor
    clean: Tensor


Each: TypeAlias = "Callable[[Step], None]"
"""Called after each step; raising an exception aborts the run."""


class Known(NamedTuple):
    """Existing ``latents`` to keep where ``mask`` (a shape that broadcasts to theirs) is 0 and redraw where it is 1.

    ``share``, above 0 and at most 1: denoising strength. Only this last part of the noise schedule is run; the smaller, the
    closer the result stays to ``latents``.
    """

    latents: Tensor
    mask: Tensor
    share: float = 1.0


def sigmas(steps: int, share: float = 1.0) -> list[float]:
    """Noise levels (standard deviations), ``steps`` + 1 of them, ending in 0 (EDM, equation 5). Raises `InputError`.

    A ``share`` below 1 takes the end of a longer schedule, like the denoise setting of ComfyUI's samplers.
    """
    if steps < 1:
        raise InputError(f"{steps} steps were asked for: at least one is needed")
    if not 0 < share <= 1:
        raise InputError(f"a share of {share:g} of the schedule was asked for: it must be above 0 and at most 1")
    high, low, whole = SIGMA_MAX ** (1 / RHO), SIGMA_MIN ** (1 / RHO), int(steps / share)
    way = [(high + index / max(whole - 1, 1) * (low - high)) ** RHO for index in range(whole)]
    return [*way[-steps:], 0.0]


def level(sigma: float) -> float:
    """The noise level as the network takes it."""
    return 0.25 * math.log(sigma)


def scaled(latents: Tensor, sigma: float) -> Tensor:
    """Noisy latents scaled to unit variance, as the network takes them."""
    return latents / math.sqrt(sigma**2 + 1)


def clean(latents: Tensor, v: Tensor, sigma: float) -> Tensor:
    """The latents with the noise predicted by v removed."""
    return latents / (sigma**2 + 1) - v * (sigma / math.sqrt(sigma**2 + 1))


Draw: TypeAlias = "Callable[[Sequence[int]], Tensor]"
"""(shape) -> normal noise of that shape."""


def noise_of(seed: int, stream: int = 0) -> Draw:
    """A generator of normal noise, float32 on the CPU, so that a seed gives the same noise on every device.

    A seed has several independent streams. The first noise of ``stream`` 0 equals ComfyUI's noise for that seed.
    """
    generator = torch.Generator().manual_seed((seed + stream * STRIDE) % 2**64)
    return lambda shape: torch.randn(*shape, generator=generator)


def euler(
    predict: Predict,
    noise: Tensor,
    steps: int,
    each: Each | None = None,
    again: Callable[[int], Iterator[Tensor]] | None = None,
    known: Known | None = None,
) -> Tensor:
    """Denoise normal ``noise`` into latents, in ``steps`` steps of Euler's method (EDM, algorithm 1 without second order).

    ``again`` yields fresh noise for a step: each time, as much noise as the step removed is added back and the step is
    repeated. ``each`` is called once a step is final. ``known`` latents are fed to the network with the noise level of each
    step (Lugmayr et al., "RePaint", CVPR 2022).
    """
    ladder = sigmas(steps, known.share if known else 1.0)
    whole = math.isclose(ladder[0], SIGMA_MAX, rel_tol=1e-5)
    x = noise * math.sqrt(ladder[0] ** 2 + whole)
    if known is not None:
        x = x + known.latents

    def freed(x: Tensor, sigma: float) -> Tensor:
        if known is None:
            return clean(x, predict(x, sigma), sigma)
        x = torch.lerp(known.latents + noise * sigma, x, known.mask)
        return torch.lerp(known.latents, clean(x, predict(x, sigma), sigma), known.mask)

    for index, (sigma, following) in enumerate(pairwise(ladder)):
        without = freed(x, sigma)
        x = x + (x - without) * ((following - sigma) / sigma)
        for more in again(index) if again else ():
            x = x + more * math.sqrt(sigma**2 - following**2)
            without = freed(x, sigma)
            x = x + (x - without) * ((following - sigma) / sigma)
        if each is not None:
            each(Step(index + 1, steps, x, without))
    return x


def guidance(frames: int, between: tuple[float, float], curve: GuidanceCurve) -> Tensor:
    """The guidance scale of each frame, [F].

    ``linear`` rises from the first frame to the last; ``triangle`` rises to the middle and falls again.
    """
    ramp = torch.linspace(*between, frames)
    if curve == "linear":
        return ramp
    return F.interpolate(torch.cat((ramp, ramp.flip(0)))[None, None], size=frames, mode="linear")[0, 0]


def guided(rows: Tensor, strength: Tensor) -> Tensor:
    """Classifier-free guidance: extrapolate away from the prediction without keyframes (Ho and Salimans, 2021).

    ``rows`` [2*B,F,...]: predictions without keyframes, then with; ``strength`` [F]. Returns [B,F,...].
    """
    without, with_them = rows.chunk(2)
    return torch.lerp(without, with_them, strength.to(rows).reshape(1, -1, *[1] * (rows.ndim - 2)))
