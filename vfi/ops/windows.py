"""Window attention: a plane is cut into rectangles, and cells attend only within their own.

Liu et al., "Swin Transformer: Hierarchical Vision Transformer using Shifted Windows", ICCV 2021. Knows shapes; knows
nothing of what attends to what.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


class Windows:
    """A plane of ``height`` x ``width`` cells, cut into windows of ``size`` = (rows, columns).

    The plane is first zero-padded, evenly on all sides, to whole windows. ``shifted`` windows are offset by half a window
    and wrap round the edges. ``apart`` [N,L,L] is true for cells of one window that are not neighbours in the plane: picture
    and padding, or opposite edges. It is None if no window has such cells. Everything follows from the plane's size, so
    nothing is kept between sizes.
    """

    def __init__(
        self, height: int, width: int, size: tuple[int, int], *, shifted: bool = False, device: torch.device | None = None
    ) -> None:
        self.height, self.width, self.size = height, width, size
        more_y, more_x = -height % size[0], -width % size[1]
        self.top, self.left = more_y // 2, more_x // 2
        self.pads = (0, 0, self.left, more_x - self.left, self.top, more_y - self.top)
        self.rows, self.columns = (height + more_y) // size[0], (width + more_x) // size[1]
        self.shift = (size[0] // 2, size[1] // 2) if shifted else (0, 0)
        self.apart: Tensor | None = None
        if shifted or more_y or more_x:
            rows = _zones(height + more_y, self.top, height, size[0], self.shift[0], device)
            columns = _zones(width + more_x, self.left, width, size[1], self.shift[1], device)
            zones = self._cut((9 * rows[:, None] + columns)[None, :, :, None])[0].squeeze(-1)
            self.apart = zones[:, :, None] != zones[:, None, :]

    def split(self, plane: Tensor) -> Tensor:
        """[B,H,W,C] -> [B,N,L,C]: N windows of L cells, row by row."""
        dy, dx = self.shift
        return self._cut(F.pad(plane, self.pads).roll((-dy, -dx), (1, 2)))

    def join(self, windows: Tensor) -> Tensor:
        """[B,N,L,C] -> [B,H,W,C], without the padding of `split`."""
        batch, channels, (height, width) = windows.shape[0], windows.shape[-1], self.size
        tiles = windows.reshape(batch, self.rows, self.columns, height, width, channels).transpose(2, 3)
        plane = tiles.reshape(batch, self.rows * height, self.columns * width, channels).roll(self.shift, (1, 2))
        return plane[:, self.top : self.top + self.height, self.left : self.left + self.width]

    def bias(self, dtype: torch.dtype) -> Tensor | None:
        """Bias for the attention scores [B,N,heads,L,L]: -100 for cells that are not neighbours."""
        return None if self.apart is None else -100 * self.apart[:, None].to(dtype)

    def _cut(self, plane: Tensor) -> Tensor:
        (height, width), channels = self.size, plane.shape[-1]
        tiles = plane.reshape(-1, self.rows, height, self.columns, width, channels).transpose(2, 3)
        return tiles.reshape(-1, self.rows * self.columns, height * width, channels)


def _zones(grown: int, before: int, size: int, window: int, shift: int, device: torch.device | None) -> Tensor:
    """Zone, of up to nine, of each row (or column) of the padded plane.

    Three for padding and picture, times three for a shifted plane: wrapped cells, the rest of their window, all others.
    As in the published networks, padding is identified by its position before the shift.
    """
    index = torch.arange(grown, device=device)
    zones = (index >= before).long() + (index >= before + size)
    if shift:
        zones = 3 * zones + (index >= grown - window) + (index >= grown - shift)
    return zones
