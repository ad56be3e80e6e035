"""The noise of Stable Video Diffusion, and how latents are freed of it step by step.

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
"""How far apart the streams of a seed are: no seed that anyone gives has a stream of another's."""

GuidanceCurve = Literal["linear", "triangle"]

Predict: TypeAlias = "Callable[[Tensor, float], Tensor]"
"""(latents, sigma, the standard deviation of the noise in them) -> v"""


class Step(NamedTuple):
    """One step done: the ``number``th of ``steps``, from 1; ``latents`` with the noise that is left, and what they would be
    without, as far as is known."""

    number: int
    steps: int
    latents: Tensor
    clean: Tensor


Each: TypeAlias = "Callable[[Step], None]"
"""Called after each step; what it raises ends the work."""


class Known(NamedTuple):
    """What is there already: ``latents``, which stay where ``mask``, of a shape that goes with theirs, is 0.

    Where it is 1 they are drawn anew, in the last ``share``, above 0 to 1, of a longer way: the less, the nearer to those.
    """

    latents: Tensor
    mask: Tensor
    share: float = 1.0


def sigmas(steps: int, share: float = 1.0) -> list[float]:
    """Standard deviations of the noise, the last of them 0: ``steps`` + 1 (EDM, equation 5). Raises `InputError`.

    With less than 1 they are the last ``share`` of a longer list, as ComfyUI's samplers have it at a denoise of that.
    """
    if steps < 1:
        raise InputError(f"{steps} steps were asked for: at least one is needed")
    if not 0 < share <= 1:
        raise InputError(f"a share of {share:g} of the way was asked for: it lies above 0 and is at most 1")
    high, low, whole = SIGMA_MAX ** (1 / RHO), SIGMA_MIN ** (1 / RHO), int(steps / share)
    way = [(high + index / max(whole - 1, 1) * (low - high)) ** RHO for index in range(whole)]
    return [*way[-steps:], 0.0]


def level(sigma: float) -> float:
    """The noise level as the network counts it."""
    return 0.25 * math.log(sigma)


def scaled(latents: Tensor, sigma: float) -> Tensor:
    """Noisy latents as the network takes them, of unit variance."""
    return latents / math.sqrt(sigma**2 + 1)


def clean(latents: Tensor, v: Tensor, sigma: float) -> Tensor:
    """The latents without the noise that v says is in them."""
    return latents / (sigma**2 + 1) - v * (sigma / math.sqrt(sigma**2 + 1))


Draw: TypeAlias = "Callable[[Sequence[int]], Tensor]"
"""Normal noise of a shape."""


def noise_of(seed: int, stream: int = 0) -> Draw:
    """Draws normal noise of a shape, float32 on the CPU, so that a seed means the same on every device.

    A seed has several streams. The first of ``stream`` 0 is ComfyUI's noise of that seed.
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
    """Latents made of normal ``noise``, in ``steps`` steps of Euler's method (EDM, algorithm 1 without its second order).

    ``again`` gives, for a step, noise with which to go back: once more for each, as much is added as the step took away, and
    the step is repeated. ``each`` sees steps when they stand. Of what is ``known`` the network sees at each step what it would
    be with the noise of that step (Lugmayr et al., "RePaint", CVPR 2022).
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
    """How strongly each frame is guided, [F].

    ``linear`` grows from the first to the last frame; ``triangle`` grows towards the middle, and falls again.
    """
    ramp = torch.linspace(*between, frames)
    if curve == "linear":
        return ramp
    return F.interpolate(torch.cat((ramp, ramp.flip(0)))[None, None], size=frames, mode="linear")[0, 0]


def guided(rows: Tensor, strength: Tensor) -> Tensor:
    """What the network says, guided: away from what it says without the keyframes (Ho and Salimans, 2021).

    ``rows`` [2*B,F,...] are those without, then those with them; ``strength`` [F]. Gives [B,F,...].
    """
    without, with_them = rows.chunk(2)
    return torch.lerp(without, with_them, strength.to(rows).reshape(1, -1, *[1] * (rows.ndim - 2)))
