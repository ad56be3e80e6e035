"""RIFE 4.7 and later, restructured: the same function of the same weights, in half the time.

Every block of RIFE works at 1/s of the frame size. As published, frames and features are warped at full size and then
downsampled, and each block's output is upsampled to full size and downsampled again for the next. But bilinear downsampling by
s reads only the four central pixels of each s x s cell, and upsampling by 2s followed by downsampling by s gives the same as
upsampling by 2. So here:

- frames are warped only at the pixels that the next block reads, with colours and features of both frames in one call;
- the output of a block is resampled to the next block's size in one step;
- a residual convolution is a single convolution: its per-channel weight and its skip are folded into the kernel, as are the
  factors s into the first and the last convolution of a block;
- unused outputs are not computed;
- the first convolution is split into several with so few channels that CPUs take planar input; all others run channels-last;
- sampling positions depend only on the size and are cached.

Flow, positions and sampling are float32; convolutions use the dtype of the weights. bfloat16, whose eight bits are too few for
coarse motion, is used only in the two finest blocks, which take most of the time. Knows nothing of padding, files or devices.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import product
from typing import Any, NamedTuple, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...archs.rife import Block, Residual, Rife
from ...core import Motion
from ...ops.checks import check_frames, check_size, check_times
from ...ops.constants import constant
from ...ops.packed import PackedConv
from ...ops.times import time_at, time_plane
from ...ops.warp import look_up

SLOPE = 0.2
"""Of the leaky ReLU, everywhere."""

NARROW = 16
"""Fewer input channels than this are convolved as planes: on a CPU, half the time of converting to channels-last first."""


def restructured(net: Rife) -> Rife | FastRife:
    """``net`` in its fast form.

    If there is none (before 4.7, in an ensemble, at a flow scale above 1), ``net`` itself with channels-last convolutions: that
    saves a sixth of the time of RIFE 4.0 with refinement at 960x540.
    """
    config, scales = net.flownet.config, net.flownet.scales
    if config.head is None or net.flownet.ensemble or min(scales) < 1:
        for weight in net.parameters():
            if weight.ndim == 4:
                weight.data = weight.data.contiguous(memory_format=torch.channels_last)
        return net
    return FastRife(net)


# --- tables that depend only on the size --------------------------------------------------------------------------------------


def looked_at(side: int, scale: int, device: torch.device) -> Tensor:
    """The pixels of a side of ``side`` that downsampling by ``scale`` reads, in order: the middle two of each cell."""
    if scale <= 2:
        return torch.arange(side, device=device)
    middle = torch.arange(scale // 2, side, scale, device=device)
    return torch.stack((middle - 1, middle), dim=1).flatten()


@lru_cache(maxsize=32)
def places(height: int, width: int, scale: int, device: torch.device) -> Tensor:
    """The positions at which a block of ``scale`` reads a frame, from -1 to 1: x and y, [2,h,w]."""
    sides = (torch.linspace(-1, 1, side, device=device)[looked_at(side, scale, device)] for side in (width, height))
    return torch.stack(torch.meshgrid(*sides, indexing="xy"))


@lru_cache(maxsize=64)
def spread(side: int, coarse: int, scale: int, device: torch.device) -> Tensor:
    """The matrix [side / coarse, h] that upsamples a side by ``coarse``, at the pixels that a block of ``scale`` reads."""
    points = torch.eye(side // coarse, device=device)[None]
    up = F.interpolate(points, scale_factor=coarse, mode="linear", align_corners=False)[0]
    return up[:, looked_at(side, scale, device)]


def resize(planes: Tensor, factor: float) -> Tensor:
    return planes if factor == 1 else F.interpolate(planes, scale_factor=factor, mode="bilinear", align_corners=False)


def unpacked(planes: Tensor) -> Tensor:
    """Pixel shuffle by 2, from channels-last [B,4C,h,w] to planar [B,C,2h,2w], in one pass."""
    cells = planes.movedim(1, -1).unflatten(-1, (-1, 2, 2))
    return cells.permute(0, 3, 1, 4, 2, 5).flatten(4, 5).flatten(2, 3)


# --- the layers ---------------------------------------------------------------------------------------------------------------


class Layers(nn.Module):
    """Convolutions that stay float32 if the network becomes bfloat16, unless they are ``fine``."""

    def __init__(self, *, fine: bool) -> None:
        super().__init__()
        self.fine = fine

    def _apply(self, change: Callable[[Tensor], Tensor], recurse: bool = True) -> Any:
        def exact(weight: Tensor) -> Tensor:
            changed = change(weight)
            return weight.to(changed.device) if changed.dtype == torch.bfloat16 else changed

        return super()._apply(change if self.fine else exact, recurse)


class FastBlock(Layers):
    """A block of RIFE with the operations around its convolutions folded into them."""

    def __init__(self, block: Block, frames: int, scale: int, kept: int, *, fine: bool) -> None:
        """``frames``: channels of both warped frames; ``scale``: that the block works at; ``kept``: outputs that are used."""
        super().__init__(fine=fine)
        first, second = (cast(nn.Conv2d, layer[0]) for layer in cast(Sequence[nn.Sequential], block.conv0))
        weight = first.weight.detach().clone()
        if weight.shape[1] > frames + 1:
            weight[:, -4:] /= scale  # the flow, in full-size pixels
        features = (frames - 6) // 2
        of_frames = [0, 1, 2, *range(6, 6 + features), 3, 4, 5, *range(6 + features, 6 + 2 * features)]
        handed = range(frames + 1, max(weight.shape[1] - 4, frames + 1))
        of_motion = [channel for channel in range(frames, weight.shape[1]) if channel not in handed]
        self.of_frames = convolution(weight[:, of_frames], first.bias, stride=2)
        self.of_rest = nn.ModuleList(convolution(weight[:, group], None, stride=2) for group in (of_motion, handed) if group)
        layers = [convolution(second.weight, second.bias, stride=2, slope=SLOPE)]
        layers += [folded(cast(Residual, layer)) for layer in cast(nn.Sequential, block.convblock)]
        self.layers = nn.ModuleList(layers)
        last = cast(nn.ConvTranspose2d, cast(nn.Sequential, block.lastconv)[0])
        factor = torch.ones(4 * kept)
        factor[:16] = scale
        self.last = nn.ConvTranspose2d(last.in_channels, 4 * kept, 4, 2, 1)
        kernel = last.weight.detach()[:, : 4 * kept] * factor[:, None, None]
        self.last.weight.data = kernel.contiguous(memory_format=torch.channels_last)
        self.last.bias = nn.Parameter(cast(Tensor, last.bias).detach()[: 4 * kept] * factor)

    def forward(self, seen: Iterator[Tensor]) -> Tensor:
        """The change to the flow, in pixels, the mask and the carried features: [B,K,h,w] float32, at the block's scale.

        ``seen`` yields the inputs [B,*,h,w] one at a time, so that no two are in memory: colours and features of the frame
        before, then after, warped to t; then t and the flow in pixels, if any; then mask and carried features of the previous
        block.
        """
        x = convolved(self.of_frames, next(seen))
        for layer in self.of_rest:
            x.add_(convolved(cast(nn.Conv2d, layer), next(seen)))
        x = F.leaky_relu_(x, SLOPE).contiguous(memory_format=torch.channels_last)
        for layer in self.layers:
            x = layer(x)
        return unpacked(self.last(x).float())


class FastHead(Layers):
    """The encoder of a frame, with its transposed convolution as one convolution of all four phases."""

    def __init__(self, head: nn.Sequential) -> None:
        super().__init__(fine=False)
        layers = [layer for layer in head if not isinstance(layer, nn.LeakyReLU)]
        first, *middle = cast(list[nn.Conv2d], layers[:-1])
        last = cast(nn.ConvTranspose2d, layers[-1])
        slope = SLOPE if middle else 1.0
        self.first = convolution(first.weight, first.bias, stride=2, slope=slope)
        self.layers = nn.ModuleList([convolution(layer.weight, layer.bias, slope=slope) for layer in middle] + [phases(last)])

    def forward(self, rgb: Tensor) -> Tensor:
        """[B,3,H,W] -> [B,C,H,W] float32."""
        x = self.first(rgb.to(self.first.weight.dtype)).contiguous(memory_format=torch.channels_last)
        for layer in self.layers:
            x = layer(x)
        return unpacked(x.float())


def phases(transposed: nn.ConvTranspose2d) -> PackedConv:
    """A transposed convolution of kernel 4 and stride 2 as a 3x3 one that gives the 2 x 2 cell of each output."""
    kernel = transposed.weight.detach()
    inputs, outputs = kernel.shape[:2]
    weight = kernel.new_zeros(outputs, 2, 2, inputs, 3, 3)
    taps = ((0, 3), (1, 1)), ((1, 2), (2, 0))  # for the rows 2i and 2i + 1: (input row, kernel row) of each tap
    for down, right in product(range(2), repeat=2):
        for (to_row, from_row), (to_column, from_column) in product(taps[down], taps[right]):
            weight[:, down, right, :, to_row, to_column] = kernel[:, :, from_row, from_column].T
    bias = None if transposed.bias is None else transposed.bias.detach().repeat_interleave(4)
    return convolution(weight.flatten(0, 2), bias)


def convolution(weight: Tensor, bias: Tensor | None, *, stride: int = 1, groups: int = 1, slope: float = 1.0) -> PackedConv:
    """A 3x3 convolution with these weights, in the memory format that suits it, and the activation of ``slope``."""
    outputs, inputs = weight.shape[0], weight.shape[1] * groups
    layer = PackedConv(inputs, outputs, stride=stride, groups=groups, bias=bias is not None, slope=slope)
    layer.weight.data = weight.detach().clone(memory_format=order(inputs))
    if bias is not None:
        layer.bias = nn.Parameter(bias.detach().clone())
    return layer


def order(channels: int) -> torch.memory_format:
    return torch.contiguous_format if channels < NARROW else torch.channels_last


def folded(residual: Residual) -> PackedConv:
    """``conv(x) * beta + x`` as one convolution."""
    conv, beta = residual.conv, residual.beta.detach().flatten()
    weight = conv.weight.detach() * beta[:, None, None, None]
    channels = torch.arange(len(beta))
    weight[channels, channels % weight.shape[1], 1, 1] += 1
    return convolution(weight, cast(Tensor, conv.bias).detach() * beta, groups=conv.groups, slope=SLOPE)


def convolved(layer: nn.Conv2d, planes: Tensor) -> Tensor:
    """Apply ``layer`` to float32 planes."""
    return layer(planes.to(layer.weight.dtype).contiguous(memory_format=order(layer.in_channels)))


# --- the network --------------------------------------------------------------------------------------------------------------


class Features(NamedTuple):
    """Colours and features of a frame, [B,3,H,W] and [B,C,H,W], and both at the first block's scale, ``coarse``; float32."""

    rgb: Tensor
    features: Tensor
    coarse: Tensor
    dtype: torch.dtype


@dataclass(frozen=True)
class Prepared:
    """Both frames of each window in turn, ``planes`` [2B,3+C,H,W], and at the first block's scale, [B,2(3+C),h,w]."""

    planes: Tensor
    coarse: Tensor
    dtype: torch.dtype


class FastRife(nn.Module):
    """RIFE 4.7 and later as an `Interpolator` that `Encodes` and `Moves`, like `archs.rife.Rife`."""

    def __init__(self, net: Rife) -> None:
        super().__init__()
        self.spec = net.spec
        published = net.flownet
        assert published.config.head is not None
        self.head = FastHead(published.encode)
        self.scales = [round(scale) for scale in published.scales]
        frames = 2 * (3 + published.config.head.channels)
        carried = [published.config.carried] * (len(self.scales) - 1) + [0]
        self.blocks = nn.ModuleList(
            FastBlock(block, frames, scale, 5 + more, fine=scale in self.scales[-2:])
            for block, scale, more in zip(published.blocks, self.scales, carried, strict=True)
        )
        self.eval().requires_grad_(False)

    def forward(self, window: Tensor, t: Tensor) -> Tensor:
        """The frames at ``t`` [B] between those of ``window`` [B or 1,2,3,H,W], 0..1: [B,3,H,W] of the window's type."""
        frames = window.unbind(1)
        return self.at(self.prepare([self.encode(rgb) for rgb in frames], frames), t)

    def encode(self, rgb: Tensor) -> Features:
        """The features of one frame [B,3,H,W]."""
        check_size(self.spec, rgb)
        planes = rgb.float(), self.head(rgb)
        return Features(*planes, torch.cat([resize(plane, 1 / self.scales[0]) for plane in planes], dim=1), rgb.dtype)

    def prepare(self, features: Sequence[Features], frames: Sequence[Tensor]) -> Prepared:
        """Everything independent of t, from the features of both frames."""
        check_frames(self.spec, frames)
        before, after = features
        planes = torch.cat((before.rgb, before.features, after.rgb, after.features), dim=1).unflatten(1, (2, -1))
        return Prepared(planes.flatten(0, 1), torch.cat((before.coarse, after.coarse), dim=1), before.dtype)

    def at(self, prepared: Prepared, t: Tensor) -> Tensor:
        """The frames at ``t`` [B], as `forward` gives them."""
        flow, mask = self.estimate(prepared, t)
        before, after = warped(prepared.planes[:, :3], flow, 1).chunk(2, dim=1)
        return torch.lerp(after, before, mask).clamp_(0, 1).to(prepared.dtype)

    def parts(self) -> tuple[nn.Module, nn.Module]:
        """See `backends.Exports`; the features of a frame are its `Features` without the last field."""
        return _Encoding(self).eval(), _Making(self).eval()

    def motion_at(self, prepared: Prepared, t: Tensor) -> Motion:
        """Flow, in pixels, and mask at ``t`` [B]."""
        flow, mask = self.estimate(prepared, t)
        return Motion(flow[:, :2], flow[:, 2:], mask)

    def estimate(self, prepared: Prepared, t: Tensor) -> tuple[Tensor, Tensor]:
        """Flow to the frames before and after, [B,4,H,W] in pixels, and the weight [B,1,H,W] of the frame before."""
        check_times(self.spec, t, len(prepared.coarse))
        t = time_plane(t)
        size = prepared.planes.shape[-2:]
        motions: list[tuple[int, Tensor]] = []
        last = t[:, :0, :1, :1]
        for block, scale in zip(self.blocks, self.scales, strict=True):
            seen = self._later(prepared, t, motions, last, scale) if motions else self._first(prepared, t)
            flow, last = block(seen).tensor_split([4], dim=1)
            motions.append((scale, flow))
        return flow_at(motions, size, 1), resize(last, self.scales[-1]).sigmoid()

    def _first(self, prepared: Prepared, t: Tensor) -> Iterator[Tensor]:
        """The inputs of the first block."""
        yield prepared.coarse.expand(len(t), -1, -1, -1)
        size = prepared.coarse.shape[-2:]
        yield time_at(t, size).expand(-1, -1, *size)

    def _later(
        self, prepared: Prepared, t: Tensor, motions: list[tuple[int, Tensor]], last: Tensor, scale: int
    ) -> Iterator[Tensor]:
        """The inputs of a block of ``scale`` after ``motions``, the last of which came with ``last``."""
        coarse = motions[-1][0]
        flow = flow_at(motions, prepared.planes.shape[-2:], scale)
        yield shrunk(warped(prepared.planes, flow, scale), scale)
        flow = shrunk(flow, scale)
        size = flow.shape[-2:]
        yield torch.cat((time_at(t, size).expand(-1, -1, *size), flow), dim=1)
        yield resize(last, coarse / scale)


class _Encoding(nn.Module):
    def __init__(self, net: FastRife) -> None:
        super().__init__()
        self.net = net

    def forward(self, rgb: Tensor) -> tuple[Tensor, ...]:
        return self.net.encode(rgb)[:3]


class _Making(nn.Module):
    def __init__(self, net: FastRife) -> None:
        super().__init__()
        self.net = net

    def forward(self, *tensors: Tensor) -> tuple[Tensor]:
        features = [Features._make((*tensors[first : first + 3], torch.float32)) for first in (0, 3)]
        return (self.net.at(self.net.prepare(features, [frame.rgb for frame in features]), tensors[6]),)


def flow_at(motions: list[tuple[int, Tensor]], size: torch.Size, scale: int) -> Tensor:
    """The sum of ``motions``, each with its scale, at the pixels that a block of ``scale`` reads of ``size``: [B,4,h,w].

    At scales 2 and 1 these are all pixels; the sum then replaces the contents of ``motions``.
    """
    height, width = size
    if scale > 2:
        total = None
        for coarse, motion in motions:
            rows, columns = (spread(side, coarse, scale, motion.device) for side in (height, width))
            part = rows.T @ (motion @ columns)
            total = part if total is None else total.add_(part)
        assert total is not None
        return total
    total = resize(motions[0][1], motions[0][0])
    for coarse, motion in motions[1:]:
        total.add_(resize(motion, coarse))
    motions[:] = [(1, total)]
    return total


def shrunk(planes: Tensor, scale: int) -> Tensor:
    """``planes``, given at the pixels that a block of ``scale`` reads, downsampled to the block's size."""
    return planes if scale == 1 else resize(planes, 0.5)


def warped(planes: Tensor, flow: Tensor, scale: int) -> Tensor:
    """Both frames ``planes`` [2B,C,H,W] warped to t, at the pixels that a block of ``scale`` reads: [T,2C,h,w].

    ``flow`` is [T,4,h,w]; T equals B, or B is 1.
    """
    windows, steps = len(planes) // 2, len(flow) // (len(planes) // 2)
    height, width = planes.shape[-2:]
    base = places(height, width, scale, flow.device)[:, None]
    to_grid = constant([2 / max(side - 1, 1) for side in (width, height)], flow.device)[:, None, None, None]
    # The steps of a window are stacked vertically: [windows, steps, frames, xy, h, w] -> [windows, frames, xy, steps, h, w].
    moved = flow.unflatten(1, (2, 2)).unflatten(0, (windows, steps)).permute(0, 2, 3, 1, 4, 5)
    grid = torch.addcmul(base, moved, to_grid).flatten(0, 1).flatten(2, 3).permute(0, 2, 3, 1)
    seen = look_up(planes, grid).unflatten(2, (steps, -1)).unflatten(0, (windows, 2))
    return seen.permute(0, 3, 1, 2, 4, 5).flatten(2, 3).flatten(0, 1)
