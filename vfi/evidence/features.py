"""What speaks for or against a made frame, seen from outside: numbers per cell, from it, its neighbours and other opinions.

Owns the cells and what is measured in them. Knows nothing of how the frame was made, or of how large its error is. Motion is
OpenCV's DIS flow, whatever made the frame.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ..archs.dis import Dis, Prepared, find_flow
from ..ops.warp import warp_corners
from ..pixels.uint8 import LUMA

Cells: TypeAlias = "np.ndarray[Any, Any]"
"""Numbers per cell of a frame, [rows,columns], or several of each, [features,rows,columns]."""

CELL = 8
"""Side of a cell, in pixels."""

FEATURES: dict[str, str] = {
    "turned": "codes: difference from the same model's frame, made turned round and backwards in time",
    "other": "codes: difference from another model's frame",
    "sides": "codes: difference of the two neighbours, each moved to the frame's time",
    "ghost": "codes: difference from the mean of the two neighbours as they are",
    "change": "codes: difference of the two neighbours as they are",
    "double": "codes: how much nearer to that mean than moving parts can be",
    "near": "codes: difference from the neighbour that fits better, moved onto the frame",
    "far": "codes: difference from the neighbour that fits worse, moved onto the frame",
    "astray": "pixels: distance from the straight path between the neighbours",
    "loop": "pixels: what is left of the motion to the other neighbour and back",
    "hidden": "share: visible in neither neighbour",
    "spread": "pixels per pixel: divergence of motion",
    "length": "pixels: motion to the nearer neighbour, doubled",
    "contrast": "codes: spread of brightness within the cell",
    "soft": "codes: detail that the neighbours have and the frame lacks",
    "sharp": "codes: detail that the frame has and the neighbours lack",
}
"""What is measured in each cell, with its unit: codes are steps of 255."""

MOVES = 2.0
"""Motion, in pixels, from which a frame that is the mean of its neighbours is a double exposure."""


@dataclass(frozen=True)
class Pair:
    """Two neighbours, [1,3,H,W] float32 0..1, with the motion between them; computed once for all frames between them."""

    before: Tensor
    after: Tensor
    motion: Prepared

    @classmethod
    def of(cls, before: Tensor, after: Tensor) -> Pair:
        """The pair of two pictures [3,H,W], 0..1."""
        frames = before[None].float().clamp(0, 1).cpu(), after[None].float().clamp(0, 1).cpu()
        return cls(*frames, DIS.prepare([DIS.encode(rgb) for rgb in frames], frames))


DIS = Dis()


def features(pair: Pair, made: Tensor, t: float, opinions: tuple[Tensor, Tensor]) -> Cells:
    """All `FEATURES` of the frame ``made`` at ``t`` of the pair, [features,rows,columns] float32.

    ``opinions`` are the frames that the same model made turned round, and that another made. All are [3,H,W], 0..1.
    """
    frame = made[None].float().clamp(0, 1).cpu()
    turned, other = (one[None].float().clamp(0, 1).cpu() for one in opinions)
    motion = DIS.motion_at(pair.motion, torch.tensor([t]))
    assert motion.occlusion is not None
    size = frame.shape[-2:]
    seen = DIS.encode(frame)
    back, forth = (_grown(find_flow(seen, DIS.encode(one)), size) for one in (pair.before, pair.after))
    rest = [_codes(frame, warp_corners(one, flow)) for one, flow in ((pair.before, back), (pair.after, forth))]
    moved = warp_corners(pair.before, motion.flow0), warp_corners(pair.after, motion.flow1)
    grey = torch.einsum("bchw,c->bhw", frame, frame.new_tensor(LUMA))[:, None] * 255
    detail = _detail(frame) - torch.lerp(_detail(moved[0]), _detail(moved[1]), t)
    speed = motion.flow1 - motion.flow0
    planes = {
        "turned": _codes(frame, turned),
        "other": _codes(frame, other),
        "sides": _codes(*moved),
        "ghost": _codes(frame, torch.lerp(pair.before, pair.after, t)),
        "change": _codes(pair.before, pair.after),
        "near": torch.minimum(*rest),
        "far": torch.maximum(*rest),
        "astray": _length((1 - t) * back + t * forth),
        "loop": _grown(_missed(pair.motion, motion.flow0, motion.flow1), size),
        "hidden": motion.occlusion,
        "spread": _divergence(speed),
        "length": 2 * min(t, 1 - t) * _length(speed),
    }
    cells = {name: _mean(plane) for name, plane in planes.items()}
    cells["contrast"] = (_mean(grey.square()) - _mean(grey).square()).clamp(min=0).sqrt()
    cells["double"] = (cells["change"] / 2 - cells["ghost"]).clamp(min=0) * (cells["length"] / MOVES).clamp(max=1)
    cells["soft"], cells["sharp"] = (_mean(side * detail).clamp(min=0) for side in (-1, 1))
    return torch.cat([cells[name] for name in FEATURES], dim=1)[0].numpy()


def errors(made: Tensor, true: Tensor) -> Cells:
    """The mean squared error of a made picture in each cell, in codes squared; both are [3,H,W], 0..1, rounded to 8 bits."""
    one, other = ((rgb.float().clamp(0, 1).cpu() * 255).round() for rgb in (made, true))
    found: Cells = _mean((one - other).square().mean(dim=0)[None, None])[0, 0].numpy()
    return found


def areas(height: int, width: int) -> Cells:
    """Pixels in each cell of a picture, [rows,columns]: those at the right and lower edges may be cut."""
    rows, columns = (np.minimum(CELL, side - CELL * np.arange(-(-side // CELL))) for side in (height, width))
    found: Cells = (rows[:, None] * columns).astype(np.float32)
    return found


def _mean(plane: Tensor) -> Tensor:
    """The mean of each cell of [B,C,H,W]."""
    return F.avg_pool2d(plane, CELL, ceil_mode=True)


def _codes(one: Tensor, other: Tensor) -> Tensor:
    """Mean absolute difference of the colours, [B,1,H,W], in codes."""
    return (one - other).abs().mean(dim=1, keepdim=True) * 255


def _length(flow: Tensor) -> Tensor:
    return torch.linalg.vector_norm(flow, dim=1, keepdim=True)


def _detail(rgb: Tensor) -> Tensor:
    """How much neighbouring pixels differ, [B,1,H,W], in codes."""
    right, down = F.pad(rgb.diff(dim=3), (0, 1)), F.pad(rgb.diff(dim=2), (0, 0, 0, 1))
    return (right.abs() + down.abs()).mean(dim=1, keepdim=True) * 127.5


def _divergence(flow: Tensor) -> Tensor:
    """Absolute divergence of a flow [B,2,H,W] from pixel to pixel, [B,1,H,W]."""
    across, down = F.pad(flow[:, :1].diff(dim=3), (0, 1)), F.pad(flow[:, 1:].diff(dim=2), (0, 0, 0, 1))
    return (across + down).abs()


def _grown(flow: Tensor, size: torch.Size) -> Tensor:
    """A flow on its own grid, or lengths in its pixels, [B,C,h,w], at the size of the frame and in its pixels."""
    growth = [size[1] / flow.shape[-1], size[0] / flow.shape[-2]][: flow.shape[1]]
    grown = F.interpolate(flow, size=tuple(size), mode="bilinear")
    return grown * grown.new_tensor(growth).view(1, -1, 1, 1)


def _missed(pair: Prepared, flow0: Tensor, flow1: Tensor) -> Tensor:
    """What is left of the motion to the other neighbour and back, on the flow's grid, where the frame's pixels come from."""
    grid = pair.forward.shape[-2:]
    lost = [_length(there + warp_corners(back, there)) for there, back in (pair[1:3], pair[2:0:-1])]
    shrunk = [F.interpolate(flow, size=tuple(grid), mode="bilinear") * (grid[1] / flow.shape[-1]) for flow in (flow0, flow1)]
    return (warp_corners(lost[0], shrunk[0]) + warp_corners(lost[1], shrunk[1])) / 2
