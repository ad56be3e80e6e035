"""Curves through points: straight, smooth or monotone, each a chain of cubic Beziers.

Owns the shape of a curve and the position along it at each time. Knows nothing of easing or documents.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, TypeAlias

import torch
from torch import Tensor

Interp = Literal["catmull", "linear", "pchip"]
Offset: TypeAlias = "tuple[float, float]"


def chain(
    points: Tensor,
    times: Tensor,
    interp: Interp,
    handles: Sequence[tuple[Offset | None, Offset | None]] | None = None,
) -> Tensor:
    """The curve through ``points`` [K,2] as cubic Beziers [K-1,4,2]: a point, two handles, the next point.

    ``linear`` is straight. ``catmull`` is the centripetal Catmull-Rom curve, which has no cusps and no loops between two points
    (Yuksel, Schaefer and Keyser, "Parameterization and applications of Catmull-Rom curves", 2011). Its shape does not depend
    on ``times``; its first and last handles lie a third of the way to the neighbour. ``handles``, for each point the offsets
    towards the previous and the next one, replace its own. ``pchip`` is the cubic monotone in x and y between two points, a
    function of the increasing ``times`` [K] (Fritsch and Butland 1984; SciPy's ``PchipInterpolator``).
    """
    start, end = points[:-1], points[1:]
    if interp == "pchip":
        slopes, third = _slopes(points, times), (times[1:] - times[:-1])[:, None] / 3
        out, into = start + slopes[:-1] * third, end - slopes[1:] * third
    elif interp == "catmull":
        out, into = _smooth(points), _smooth(points.flip(0)).flip(0)
        for index, (before, after) in enumerate(handles or ()):
            if before is not None and index > 0:
                into[index - 1] = points[index] + points.new_tensor(before)
            if after is not None and index < len(out):
                out[index] = points[index] + points.new_tensor(after)
    else:
        out, into = torch.lerp(start, end, 1 / 3), torch.lerp(start, end, 2 / 3)
    return torch.stack((start, out, into, end), dim=1)


def along(beziers: Tensor, times: Tensor, at: Tensor) -> Tensor:
    """Positions [T,2] on a curve of `chain` at the times ``at`` [T], linear in each Bezier's parameter.

    ``times`` [K] are those of its points; before the first and after the last the position is constant.
    """
    at = at.clamp(times[0], times[-1])
    index = (torch.searchsorted(times, at, right=True) - 1).clamp(0, len(beziers) - 1)
    u = ((at - times[index]) / (times[index + 1] - times[index]))[:, None]
    v = 1 - u
    a, b, c, d = beziers[index].unbind(1)
    return v * v * v * a + 3 * v * v * u * b + 3 * v * u * u * c + u * u * u * d


def _smooth(points: Tensor) -> Tensor:
    """The handle [K-1,2] of each point towards the next one."""
    here, following = points[:-1], points[1:]
    handles = torch.lerp(here, following, 1 / 3)
    before, own, after = points[:-2], points[1:-1], points[2:]
    near = torch.linalg.vector_norm(own - before, dim=1, keepdim=True)
    far = torch.linalg.vector_norm(after - own, dim=1, keepdim=True)
    a, b = near.sqrt(), far.sqrt()
    smooth = (near * after - far * before + (2 * near + 3 * a * b + far) * own) / (3 * a * (a + b))
    handles[1:] = torch.where((near > 0) & (far > 0), smooth, handles[1:])
    return handles


def _slopes(points: Tensor, times: Tensor) -> Tensor:
    """The slope at each point, [K,2], in pixels per unit of time."""
    widths = (times[1:] - times[:-1])[:, None]
    steps = (points[1:] - points[:-1]) / widths
    if len(steps) == 1:
        return steps.expand(2, -1)
    before, after = steps[:-1], steps[1:]
    first, second = 2 * widths[1:] + widths[:-1], widths[1:] + 2 * widths[:-1]
    inner = torch.where(before * after > 0, (first + second) / (first / before + second / after), 0.0)
    begin = _end_slope(widths[0], widths[1], steps[0], steps[1])
    end = _end_slope(widths[-1], widths[-2], steps[-1], steps[-2])
    return torch.cat((begin[None], inner, end[None]))


def _end_slope(width: Tensor, other: Tensor, step: Tensor, beyond: Tensor) -> Tensor:
    slope = ((2 * width + other) * step - width * beyond) / (width + other)
    steep = (step * beyond < 0) & (slope.abs() > 3 * step.abs())
    return torch.where(slope * step <= 0, 0.0, torch.where(steep, 3 * step, slope))
