"""Correlation: similarity of the features of two frames, near each pixel or anywhere.

Owns local cost volumes and RAFT's all-pairs correlation. Sums are float32 or better.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import product

import torch
import torch.nn.functional as F
from torch import Tensor

from .warp import Outside

VOLUME_BYTES = 512 * 2**20
"""Maximum size of stored all-pairs correlation; the rest is computed at each look-up."""

CACHE_BYTES, CHUNK_BYTES = 4 * 2**20, 256 * 2**20
"""Bytes gathered at a time when pairs are computed at the look-up: on the CPU, sized for its cache, and elsewhere."""


def correlation(a: Tensor, b: Tensor, radius: int = 4) -> Tensor:
    """Mean product of features for every shift of up to ``radius`` pixels (PWC-Net: Sun et al., CVPR 2018, equation 1).

    ``a`` and ``b`` are [B,C,H,W]. Channel ``(dy + radius) * (2 * radius + 1) + dx + radius`` of the result compares
    ``a`` at (x, y) with ``b``, zero-padded, at (x + dx, y + dy). Returns [B,(2*radius+1)**2,H,W] in ``a``'s type.
    """
    return _cost_volume(a, b, radius, torch.mul)


def absolute_difference(a: Tensor, b: Tensor, radius: int = 4) -> Tensor:
    """Mean absolute difference of features for every shift; otherwise as `correlation`."""
    return _cost_volume(a, b, radius, lambda here, there: (here - there).abs())


def _cost_volume(a: Tensor, b: Tensor, radius: int, cost: Callable[[Tensor, Tensor], Tensor]) -> Tensor:
    dtype, (height, width) = a.dtype, a.shape[-2:]
    exact = torch.promote_types(dtype, torch.float32)
    a, b = a.to(exact), F.pad(b.to(exact), (radius,) * 4)
    side = range(2 * radius + 1)
    costs = [cost(a, b[:, :, dy : dy + height, dx : dx + width]).mean(dim=1) for dy, dx in product(side, side)]
    return torch.stack(costs, dim=1).to(dtype)


class AllPairs:
    """Correlation of every pixel of ``a`` with every pixel of ``b``, at several sizes of ``b`` (RAFT: Teed and Deng,
    ECCV 2020, section 3.2).

    ``a`` and ``b`` are [B,C,H,W]. Features are multiplied, summed and divided by the square root of C; each of the ``levels``
    halves ``b`` once more by averaging. ``b`` may also be the levels themselves, fine to coarse. Pairs are stored, coarse
    levels first, in at most ``limit`` bytes. The remaining levels are computed at each look-up, which is slower. All pairs of
    two 1080p frames take 5.6 GB at 1/8.
    """

    def __init__(
        self,
        a: Tensor,
        b: Tensor | Sequence[Tensor],
        *,
        levels: int = 4,
        radius: int = 4,
        limit: int = VOLUME_BYTES,
        outside: Outside = "zeros",
    ) -> None:
        self.radius, self.outside = radius, outside
        self.dtype = a.dtype
        exact = torch.promote_types(a.dtype, torch.float32)
        self.sources = a.to(exact).flatten(2).mT / a.shape[1] ** 0.5
        pyramid = [level.to(exact) for level in ([b] if isinstance(b, Tensor) else b)]
        while isinstance(b, Tensor) and len(pyramid) < levels:
            pyramid.append(F.avg_pool2d(pyramid[-1], 2))
        self.sizes = [(level.shape[-2], level.shape[-1]) for level in pyramid]
        self.targets = [level.flatten(2).mT.contiguous() for level in pyramid]
        """Features of ``b`` at each level, fine to coarse, [B,pixels of b,C]."""
        self.volumes: list[Tensor | None] = []
        """Stored pairs per level, [B,pixels of a,pixels of b]; None if computed at the look-up."""
        for target in reversed(self.targets):
            limit -= self.sources[..., 0].numel() * target.shape[1] * target.element_size()
            self.volumes.insert(0, self.sources @ target.mT if limit >= 0 else None)

    def __call__(self, at: Tensor) -> Tensor:
        """Pairs around ``at``, bilinear; zero outside the frame, or if ``outside`` is "border", those of its edge.

        ``at`` is [B,2,H,W]: for each pixel of ``a``, x and y in pixels of full-size ``b``. Each level has
        (2 * radius + 1)**2 channels, numbered ``(dx + radius) * (2 * radius + 1) + dy + radius``: column-major, as
        trained networks expect. Returns [B, levels * (2 * radius + 1)**2, H, W] in ``a``'s type. Features of batch 1
        broadcast to the batch of ``at``.
        """
        size = at.shape[-2:]
        places = at.to(self.sources.dtype).flatten(2).mT
        found = [
            torch.cat([self._look(level, index, place / 2**level) for level in range(len(self.sizes))], dim=1)
            for index, place in enumerate(places)
        ]
        return torch.stack(found).mT.unflatten(2, size).to(self.dtype)

    def _look(self, level: int, index: int, places: Tensor) -> Tensor:
        """One level of one batch item: the square around each of ``places`` [N,2], as [N,(2*radius+1)**2]."""
        height, width = self.sizes[level]
        index = min(index, self.sources.shape[0] - 1)
        corner = places.floor()
        right, down = (places - corner)[:, :, None, None].unbind(1)
        reach = torch.arange(-self.radius, self.radius + 2, device=places.device)
        # Beyond the radius outside the frame all is zero, or the edge; clamp so that integers do not overflow.
        far = self.radius + 2
        column = corner[:, 0, None].clamp(-far, width + far).long() + reach
        row = corner[:, 1, None].clamp(-far, height + far).long() + reach
        inside = ((row >= 0) & (row < height))[:, :, None] & ((column >= 0) & (column < width))[:, None]
        pixel = row.clamp(0, height - 1)[:, :, None] * width + column.clamp(0, width - 1)[:, None]
        pairs = self._pairs(level, index, pixel.flatten(1)).view(pixel.shape)
        pairs = pairs if self.outside == "border" else torch.where(inside, pairs, 0)
        pairs = pairs[:, :-1] * (1 - down) + pairs[:, 1:] * down
        pairs = pairs[:, :, :-1] * (1 - right) + pairs[:, :, 1:] * right
        return pairs.mT.flatten(1)

    def _pairs(self, level: int, index: int, pixel: Tensor) -> Tensor:
        """Correlation of the Nth pixel of ``a`` with the pixels of ``b`` listed in row N of ``pixel`` [N,K]."""
        volume = self.volumes[level]
        if volume is not None:
            return volume[index].gather(1, pixel)
        source, target = self.sources[index], self.targets[level][index]
        chunk = CACHE_BYTES if target.device.type == "cpu" else CHUNK_BYTES
        rows = max(1, chunk // (pixel.shape[1] * target.shape[1] * target.element_size()))
        chunks = zip(source.split(rows), pixel.split(rows), strict=True)
        return torch.cat([(here[:, None] @ F.embedding(chosen, target).mT)[:, 0] for here, chosen in chunks])
