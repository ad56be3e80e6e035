"""Easing: maps the elapsed share of a motion's time to its progress.

Owns the named easings and the cubic Bezier behind each. Knows nothing of tracks.
"""

from __future__ import annotations

from typing import TypeAlias

import torch
from torch import Tensor

from ..core import InputError

Bezier: TypeAlias = "tuple[float, float, float, float]"
Ease: TypeAlias = "str | Bezier"
"""A name of `EASES`, or the control points (x1, y1, x2, y2) of a cubic Bezier from (0, 0) to (1, 1)."""

EASES: dict[str, Bezier] = {
    "linear": (0.0, 0.0, 1.0, 1.0),
    "in": (0.42, 0.0, 1.0, 1.0),
    "out": (0.0, 0.0, 0.58, 1.0),
    "inout": (0.42, 0.0, 0.58, 1.0),
}
"""Named easings, those of CSS (W3C, "CSS Easing Functions Level 1"): linear, or slow at the start, the end, or both."""

_BACKWARDS = {"linear": "linear", "in": "out", "out": "in", "inout": "inout"}
_HALVINGS = 52


def checked(ease: object) -> Ease:
    """Validate ``ease`` and return it, a list of numbers as a tuple. Raises `InputError` if it is not an easing."""
    if isinstance(ease, str) and ease in EASES:
        return ease
    if isinstance(ease, list | tuple) and len(ease) == 4:
        numbers = all(isinstance(one, int | float) and not isinstance(one, bool) and abs(one) < 1e6 for one in ease)
        if numbers and 0 <= ease[0] <= 1 and 0 <= ease[2] <= 1:
            return (float(ease[0]), float(ease[1]), float(ease[2]), float(ease[3]))
    raise InputError(f"{ease!r} is not an easing: give {', '.join(EASES)} or [x1, y1, x2, y2] with x1 and x2 within 0 and 1")


def eased(ease: Ease, u: Tensor) -> Tensor:
    """Progress of a motion at ``u``, 0 to 1, of its time: from 0 to 1, but a Bezier may overshoot in between."""
    u = u.clamp(0, 1)
    if ease == "linear":
        return u
    x1, y1, x2, y2 = EASES[ease] if isinstance(ease, str) else ease
    low, high = torch.zeros_like(u), torch.ones_like(u)
    for _ in range(_HALVINGS):  # x never decreases with the parameter
        middle = (low + high) / 2
        before = _bezier(x1, x2, middle) < u
        low, high = torch.where(before, middle, low), torch.where(before, high, middle)
    come = _bezier(y1, y2, (low + high) / 2)
    return torch.where(u <= 0, 0.0, torch.where(u >= 1, 1.0, come))


def backwards(ease: Ease) -> Ease:
    """The easing of the same motion played backwards."""
    if isinstance(ease, str):
        return _BACKWARDS[ease]
    x1, y1, x2, y2 = ease
    return (1 - x2, 1 - y2, 1 - x1, 1 - y1)


def _bezier(first: float, second: float, u: Tensor) -> Tensor:
    v = 1 - u
    return 3 * v * v * u * first + 3 * v * u * u * second + u * u * u
