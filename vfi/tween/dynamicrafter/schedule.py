"""The noise schedule of DynamiCrafter and ToonCrafter, its sampler, and the same schedule in the terms of other samplers.

Song et al., "Denoising Diffusion Implicit Models", ICLR 2021 (DDIM). At the last time the latents are nothing but noise (Lin et
al., "Common Diffusion Noise Schedules and Sample Steps are Flawed", WACV 2024), and early times show the network the clean
latents darkened (Xing et al., "DynamiCrafter", ECCV 2024):

    noisy = sqrt(a) * s * clean + sqrt(1 - a) * noise        v = sqrt(a) * noise - sqrt(1 - a) * s * clean

with a[t] from `alphas` and s[t] from `shades`. Owns the schedule, DDIM and guidance; coefficients are float64, since float32
rounds some below zero, whose square root then is no number. Knows nothing of networks, keyframes or files.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache
from itertools import pairwise
from typing import NamedTuple, TypeAlias

import torch
from torch import Tensor

from ...core import InputError
from ..edm import Draw, Each, Known, Step

TIMES = 1000
"""Times of training: 0 is almost clean, 999 is pure noise."""

BETAS = 0.00085, 0.012
"""Share of noise that the first and the last time add, before the correction."""

SHADE, TURN = 0.7, 400
"""How much darker clean latents are from time `TURN` on; it falls linearly to there."""

STEPS = 1, TIMES
"""How many steps a run can have."""

FLOOR = 4.8973451890853435e-08
"""The a[999] of samplers that cannot divide by its zero: ComfyUI's number."""

Predict: TypeAlias = "Callable[[Tensor, int], Tensor]"
"""(latents [B,F,C,h,w], time) -> v, of the same shape."""


# --- schedule -----------------------------------------------------------------------------------------------------------------


@cache
def alphas() -> tuple[float, ...]:
    """a[t], the signal's share of the variance; a[999] is 0 (Lin et al., algorithm 1)."""
    low, high = (math.sqrt(beta) for beta in BETAS)
    betas = torch.linspace(low, high, TIMES, dtype=torch.float64).square()
    roots = (1 - betas).cumprod(0).sqrt()
    first, last = float(roots[0]), float(roots[-1])
    return tuple(((roots - last) * (first / (first - last))).square().tolist())


@cache
def shades() -> tuple[float, ...]:
    """s[t], the factor on clean latents: from 1 down to `SHADE` at `TURN`, the same from there on."""
    falling = torch.linspace(1, SHADE, TURN, dtype=torch.float64).tolist()
    return (*falling, *[SHADE] * (TIMES - TURN))


def times(steps: int, share: float = 1.0) -> list[int]:
    """The times of a run, from 999 down ("trailing": Lin et al., section 3.3). Raises `InputError`.

    A ``share`` below 1 takes the end of a longer run, like the denoise setting of ComfyUI's samplers.
    """
    if not 0 < share <= 1:
        raise InputError(f"a share of {share:g} of the schedule was asked for: it must be above 0 and at most 1")
    if share < 1:
        return times(min(int(steps / share), STEPS[1]))[-steps:]
    if not STEPS[0] <= steps <= STEPS[1]:
        raise InputError(f"{steps} steps were asked for: between {STEPS[0]} and {STEPS[1]} are possible")
    # As numpy.arange(1000, 0, -1000 / steps) counts. Its rounding decides ties, at 48 steps for example.
    stride = (TIMES - TIMES / steps) - TIMES
    return [round(TIMES + index * stride) - 1 for index in range(steps)]


# --- DDIM ---------------------------------------------------------------------------------------------------------------------


class Level(NamedTuple):
    """``alpha`` and ``shade`` of one time."""

    alpha: float
    shade: float

    @classmethod
    def at(cls, time: int) -> Level:
        return cls(alphas()[time], shades()[time])


CLEAN = Level(1.0, 1.0)


def split(latents: Tensor, v: Tensor, level: Level) -> tuple[Tensor, Tensor]:
    """The clean latents and the noise that v says are in ``latents``."""
    signal, noise = math.sqrt(level.alpha), math.sqrt(1 - level.alpha)
    return (signal * latents - noise * v) / level.shade, signal * v + noise * latents


def mixed(clean: Tensor, noise: Tensor, level: Level) -> Tensor:
    """The inverse of `split`: the noisy latents."""
    return math.sqrt(level.alpha) * level.shade * clean + math.sqrt(1 - level.alpha) * noise


def shares(here: Level, there: Level, eta: float) -> tuple[float, float]:
    """How much of the noise at ``there`` is what was found at ``here``, and how much is new: two standard deviations.

    In exact arithmetic, new noise never has more than the variance 1 - a' of all noise.
    """
    remaining = 1 - there.alpha
    fresh = eta**2 * remaining * (1 - here.alpha / there.alpha) / (1 - here.alpha)
    return math.sqrt(max(remaining - fresh, 0.0)), math.sqrt(fresh)


def ddim(
    predict: Predict,
    noise: Tensor,
    steps: int,
    *,
    eta: float = 1.0,
    draw: Draw | None = None,
    each: Each | None = None,
    known: Known | None = None,
    published: bool = False,
) -> Tensor:
    """Denoise normal ``noise`` [B,F,C,h,w] into latents, in ``steps`` steps of DDIM.

    ``eta``, 0 to 1: how much of the noise each step replaces by new noise of ``draw``, which only 0 does without. ``each`` is
    called after each step. ``known`` latents are fed to the network with the noise of each step, as in `edm.euler`. The network
    gets latents in the precision of ``noise``; between steps they are at least float32.

    The run ends with the clean latents. ``published``: it ends at time 0, and at the shade of the last step's time, as the
    published code does. Those latents keep 3% of noise and are darker: by 1.4% after 50 steps, 7% after 10. Raises
    `InputError`.
    """
    if not 0 <= eta <= 1:
        raise InputError(f"eta {eta:g} was given: it must be between 0 and 1")
    if eta > 0 and draw is None:
        raise InputError(f"eta {eta:g} was given without a source of noise: only eta 0 does without")
    way = times(steps, known.share if known else 1.0)
    end = Level(alphas()[0], shades()[way[-1]]) if published else CLEAN
    levels = [*map(Level.at, way), end]
    x = noise.to(torch.promote_types(noise.dtype, torch.float32))
    if known is not None:
        start = x
        x = mixed(known.latents.to(x), start, levels[0])
    for index, (here, there) in enumerate(pairwise(levels)):
        if known is not None:
            x = torch.lerp(mixed(known.latents.to(x), start, here), x, known.mask.to(x))
        v = predict(x.to(noise.dtype), way[index]).to(x)
        clean, left = split(x, v, here)
        if known is not None:
            clean = torch.lerp(known.latents.to(x), clean, known.mask.to(x))
        old, new = shares(here, there, eta)
        x = math.sqrt(there.alpha) * there.shade * clean + old * left
        if new > 0 and draw is not None:
            x = x + new * draw(x.shape).to(x)
        if each is not None:
            each(Step(index + 1, steps, x, clean))
    return x.to(noise.dtype)


def guided(rows: Tensor, scale: float, rescale: float = 0.0) -> Tensor:
    """Classifier-free guidance: extrapolate away from the prediction without text and picture (Ho and Salimans, 2021).

    ``rows`` [2*B,F,C,h,w]: v without, then with them. ``rescale``, 0 to 1: how much of the spread over a whole clip that
    guidance adds is taken back (Lin et al., section 3.4). Returns [B,F,C,h,w], at least float32.
    """
    without, with_them = rows.to(torch.promote_types(rows.dtype, torch.float32)).chunk(2)
    v = without + scale * (with_them - without)
    if rescale == 0:
        return v
    spread, wanted = (part.flatten(1).std(dim=1).reshape(-1, *[1] * (v.ndim - 1)) for part in (v, with_them))
    factor = torch.where(spread > 0, wanted / spread, 1.0)
    return v * (rescale * factor + (1 - rescale))


# --- the schedule for other samplers ------------------------------------------------------------------------------------------
# Samplers in the manner of k-diffusion, ComfyUI's for example, hold y = clean + sigma * noise. That is
# noisy / (s * sqrt(a)), with sigma = sqrt(1 - a) / (s * sqrt(a)), and DDIM without new noise is Euler's method on it.


def sigma_of(level: Level) -> float:
    """The standard deviation of the noise beside clean latents of full brightness."""
    return math.sqrt(1 - level.alpha) / (level.shade * math.sqrt(level.alpha))


@cache
def ladder(floor: float = FLOOR) -> tuple[float, ...]:
    """Sigma of each time, rising; a[999] is ``floor``."""
    return tuple(sigma_of(Level(max(alpha, floor), shade)) for alpha, shade in zip(alphas(), shades(), strict=True))


def sigmas(steps: int, share: float = 1.0, floor: float = FLOOR) -> list[float]:
    """The sigmas of a run of ``steps`` steps, ``steps`` + 1 of them, ending in 0: see `times`. Raises `InputError`."""
    return [*(ladder(floor)[time] for time in times(steps, share)), 0.0]


def level_of(sigma: float) -> Level:
    """The level at a sigma; the shade is that of the nearest time."""
    if sigma == 0:
        return CLEAN
    shade = float(shade_of(torch.tensor(sigma, dtype=torch.float64)))
    return Level(1 / (1 + (shade * sigma) ** 2), shade)


def renewed(sigma: float, following: float, eta: float) -> tuple[float, float]:
    """As `shares`, for y: the sigmas of the noise that was found and of the new noise, after a step to ``following``."""
    here, there = level_of(sigma), level_of(following)
    old, new = shares(here, there, eta)
    whole = there.shade * math.sqrt(there.alpha)
    return old / whole, new / whole


def time_of(sigma: Tensor) -> Tensor:
    """The nearest time, int64, to each sigma above 0: what the network is told."""
    logs = torch.tensor(ladder(), device=sigma.device).log()
    return (sigma.float().log()[..., None] - logs).abs().argmin(dim=-1)


def shade_of(sigma: Tensor) -> Tensor:
    """The shade of the nearest time, in the precision of ``sigma``."""
    return torch.tensor(shades(), device=sigma.device)[time_of(sigma)].to(sigma)


def input_scale(sigma: Tensor) -> Tensor:
    """The factor s * sqrt(a) that makes y the noisy latents that the network takes."""
    shade = shade_of(sigma)
    return shade / (1 + (shade * sigma).square()).sqrt()


def clean_of(y: Tensor, v: Tensor, sigma: Tensor) -> Tensor:
    """The clean latents that v says are in y; ``sigma`` broadcasts to both."""
    shade = shade_of(sigma)
    noise = shade * sigma
    return y / (1 + noise.square()) - v * (sigma / (1 + noise.square()).sqrt())


def v_of(y: Tensor, clean: Tensor, sigma: Tensor) -> Tensor:
    """The inverse of `clean_of`: the v that says that ``clean`` latents are in y."""
    noise = shade_of(sigma) * sigma
    return (y / (1 + noise.square()) - clean) * ((1 + noise.square()).sqrt() / sigma)
