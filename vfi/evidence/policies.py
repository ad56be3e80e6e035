"""What becomes of doubtful frames: held, blended from their neighbours where they are doubtful, or marked for looking.

Owns the pixels of such frames. Knows nothing of files, and nothing of how doubt is found. Frames that are not doubtful pass as
the same objects.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeAlias, get_args

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ..core import Frame, InputError
from ..pixels.alpha import straight
from ..pixels.uint8 import TOP, floats, like
from .features import CELL
from .judge import LIKELY, Judged, mask_of
from .regression import Array
from .sheet import TINT
from .summary import counted

Name: TypeAlias = Literal["hold", "blend", "mark"]

NAMES: tuple[Name, ...] = get_args(Name)

LIMIT = 0.1
"""Doubtful share of a frame, 0 to 1, above which it is held, unless another is asked for."""

TINTED = 0.5
"""Share of the tint in marked cells."""


@dataclass(frozen=True)
class Policy:
    """What is done with doubtful frames. Raises `InputError`.

    ``hold``: a frame is replaced by the real frame nearest in time, the earlier one half-way, if more than ``limit`` of it is
    doubtful, 0 to 1, or its expected PSNR is below ``below`` dB (None: whatever it is). ``blend``: doubtful cells are replaced
    by the linear blend of both real neighbours. ``mark``: doubtful cells are tinted red.
    """

    name: Name
    limit: float = LIMIT
    below: float | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.limit <= 1:
            raise InputError(f"a limit of {100 * self.limit:g} % was given: it must be between 0 and 100 %")

    def concerns(self, one: Judged) -> bool:
        """Whether a frame is changed."""
        if self.name != "hold":
            return one.verdict.doubtful > 0
        return one.verdict.doubtful > self.limit or (self.below is not None and one.verdict.psnr < self.below)

    def applied(self, frame: Frame, one: Judged) -> Frame:
        """The ``frame`` that ``one`` judges, with the same time: changed if the policy concerns it, else the same object."""
        if not self.concerns(one):
            return frame
        if self.name == "hold":
            return _replaced(frame, nearest(one), torch.tensor(1.0))
        if self.name == "blend":
            return _replaced(frame, blended(one), feathered(one.doubt, *frame.rgb.shape[-2:]))
        return marked(frame, one.doubt)


@dataclass
class Treated:
    """A clip on which ``policy`` is applied frame by frame: ``changed`` frames so far, of ``judged``.

    ``share`` is the sum of what was doubtful in the changed frames, 0 to 1 each.
    """

    policy: Policy
    judged: int = 0
    changed: int = 0
    share: float = 0.0

    def take(self, frames: Iterable[Frame], found: Iterable[Judged]) -> Iterator[Frame]:
        """The ``frames`` of a clip in order, with the policy applied to those that are ``found`` doubtful.

        ``found`` come in order of their numbers, which count ``frames``. Holds one frame and one verdict.
        """
        waiting, coming = None, iter(found)
        for number, frame in enumerate(frames):
            if waiting is None or waiting.verdict.number < number:
                waiting = next(coming, None)
            if waiting is None or waiting.verdict.number != number:
                yield frame
                continue
            shown = self.policy.applied(frame, waiting)
            self.judged += 1
            if shown is not frame:
                self.changed += 1
                self.share += waiting.verdict.doubtful
            yield shown

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {"name": self.policy.name, "changed": self.changed, "of": self.judged}

    @property
    def line(self) -> str:
        """What was done, in a sentence."""
        policy = self.policy
        if not self.changed:
            reason = "no made frame is doubtful"
            if policy.name == "hold":
                below = "" if policy.below is None else f", or is expected below {policy.below:g} dB"
                reason = f"no made frame is doubtful in more than {100 * policy.limit:g} % of the picture{below}"
            return f"{reason}: nothing was changed"
        many = f"{self.changed:,} of {counted(self.judged, 'made frame')}"
        if policy.name == "hold":
            return f"{many} held: the real frame nearest in time is shown instead"
        did = "blended from both real neighbours" if policy.name == "blend" else "tinted red"
        return f"doubtful cells of {many} {did}: {100 * self.share / self.changed:.1f} % of these pictures"


def nearest(one: Judged) -> Frame:
    """The real neighbour that is nearer in time; the one before if both are as near."""
    return one.around[0 if one.verdict.t <= 0.5 else 1]


def blended(one: Judged) -> Frame:
    """The linear blend of both real neighbours at the frame's time, as floats."""
    return _mixed(*one.around, torch.tensor(one.verdict.t))


def feathered(doubt: Array, height: int, width: int) -> Tensor:
    """Blend weight per pixel, [1,height,width] 0..1: 1 in doubtful cells, falling to 0 over the cell and a half around them."""
    grown = F.max_pool2d(_doubtful(doubt)[None, None], 3, 1, 1)
    return F.interpolate(grown, scale_factor=CELL, mode="bilinear", align_corners=False)[0, :, :height, :width]


def marked(frame: Frame, doubt: Array) -> Frame:
    """The frame with its doubtful cells tinted red; alpha stays."""
    rgb = floats(frame.rgb)
    wrong = mask_of(_doubtful(doubt).numpy(), *rgb.shape[-2:]).to(rgb)
    tint = (torch.tensor(TINT).to(rgb) / TOP).view(3, 1, 1)
    return replace(frame, rgb=like(frame.rgb, torch.lerp(rgb, tint, TINTED * wrong)))


def _doubtful(doubt: Array) -> Tensor:
    return torch.from_numpy((doubt >= LIKELY).astype(np.float32))


def _replaced(frame: Frame, other: Frame, weight: Tensor) -> Frame:
    """``frame`` with the pixels of ``other`` by ``weight``, in its own dtype and at its own time."""
    made = _mixed(frame, other, weight)
    alpha = None if frame.alpha is None or made.alpha is None else like(frame.alpha, made.alpha)
    return replace(frame, rgb=like(frame.rgb, made.rgb), alpha=alpha)


def _mixed(one: Frame, other: Frame, weight: Tensor) -> Frame:
    """``one`` and ``other`` as floats, mixed by the ``weight`` of the other, 0..1: one for all, or [1,H,W].

    Colours with alpha are mixed premultiplied. Pixels of weight 0 or 1 are exactly those of one frame. Without alpha in
    ``other``, that of ``one`` stays.
    """
    rgb, there = floats(one.rgb), floats(other.rgb).to(one.rgb.device)
    weight = weight.to(rgb)
    if one.alpha is None or other.alpha is None:
        return replace(one, rgb=_between(rgb, there, torch.lerp(rgb, there, weight), weight))
    own, its = floats(one.alpha).to(rgb), floats(other.alpha).to(rgb)
    alpha = torch.lerp(own, its, weight)
    reach = min(float(rgb.min()), float(there.min())), max(float(rgb.max()), float(there.max()))
    colour = straight(torch.lerp(rgb * own, there * its, weight), alpha, *reach)
    return replace(one, rgb=_between(rgb, there, colour, weight), alpha=_between(own, its, alpha, weight))


def _between(one: Tensor, other: Tensor, mixed: Tensor, weight: Tensor) -> Tensor:
    return torch.where(weight <= 0, one, torch.where(weight >= 1, other, mixed))
