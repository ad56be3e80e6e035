"""Decoded pictures to RGB and back: Y'CbCr matrices, range, chroma subsampling, bit depth.

The arithmetic is done here, in float and exactly as in ITU-T H.273: libswscale's differs between versions and is off by up to
four codes at 10 bit. libswscale only unpacks packed layouts, which moves samples and changes none. Knows nothing of files,
time or rotation.
"""

from __future__ import annotations

import re
from typing import Any

import av
import numpy as np
import torch
from torch import Tensor

from ..pixels.uint8 import floats
from .clip import Colour

# Kr and Kb by the matrix code of ITU-T H.273, table 4.
COEFFICIENTS = {
    1: (0.2126, 0.0722),  # BT.709
    4: (0.30, 0.11),  # FCC
    5: (0.299, 0.114),  # BT.601, 625 lines
    6: (0.299, 0.114),  # BT.601, 525 lines
    7: (0.212, 0.087),  # SMPTE 240M
    9: (0.2627, 0.0593),  # BT.2020, not constant luminance
}
SUBSAMPLING = {(1, 1): "444", (2, 1): "422", (2, 2): "420", (1, 2): "440", (4, 1): "411", (4, 4): "410"}


def depth_of(layout: av.VideoFormat) -> int:
    """Bits per sample of a pixel format, rounded up to 8, 10, 12, 16 or 32."""
    bits = max(component.bits for component in layout.components)
    return next((depth for depth in (8, 10, 12, 16) if bits <= depth), 32)


def is_float(layout: av.VideoFormat) -> bool:
    """Whether samples are floating-point numbers, which may lie outside 0..1."""
    return re.search(r"f(16|32)(le|be)", layout.name) is not None


def has_alpha(layout: av.VideoFormat) -> bool:
    """Whether a pixel format has transparency; palettes count, as they may hold it."""
    return layout.has_palette or len(layout.components) in (2, 4)


def is_rgb(layout: av.VideoFormat) -> bool:
    """Whether a pixel format has neither a matrix nor a range to undo."""
    return layout.is_rgb or layout.has_palette or layout.is_bit_stream or is_float(layout)


def chroma_of(layout: av.VideoFormat) -> str:
    """The chroma of a pixel format as `Info` names it."""
    if is_rgb(layout):
        return "rgb"
    if len(layout.components) < 3:
        return "grey"
    return {(2, 2): "420", (2, 1): "422"}.get(subsampling(layout), "444")


def subsampling(layout: av.VideoFormat) -> tuple[int, int]:
    """Width and height of the picture divided by those of its chroma planes."""
    return 64 // layout.chroma_width(64), 64 // layout.chroma_height(64)


def is_opaque(picture: av.VideoFrame) -> bool:
    """Whether no sample of a picture is transparent."""
    picture = unpacked(picture)
    return not has_alpha(picture.format) or bool((planes_of(picture)[-1] >= _top(picture.format)).all())


def decode(
    picture: av.VideoFrame,
    colour: Colour,
    *,
    centred: bool = False,
    level: bool = False,
    device: torch.device | str = "cpu",
) -> tuple[Tensor, Tensor | None]:
    """The colours [3,H,W] of a decoded picture and, if it has transparency, its alpha [1,H,W]: float32.

    As in players, an unspecified matrix means BT.601 below 720 lines and BT.709 from 720 on; an unspecified range means
    limited. Black is 0 and white is 1. Colours lie outside 0..1 where samples lie below black or above white, and in float
    formats: nothing is clipped. Chroma is interpolated linearly. Its samples lie on
    every second column and between the lines (MPEG-2 siting) or, if ``centred``, between the columns too (JPEG siting); if
    ``level``, they lie on every second line (top-left siting, as of PAL DV).
    """
    picture = unpacked(picture)
    layout = picture.format
    native = (plane.astype(plane.dtype.newbyteorder("="), copy=False) for plane in planes_of(picture))
    planes = [torch.from_numpy(plane).to(device).float() for plane in native]
    top = _top(layout)
    alpha = planes.pop()[None].div_(top) if has_alpha(layout) else None
    if is_rgb(layout):
        return torch.stack(planes).div_(top).expand(3, -1, -1).contiguous(), alpha
    codes, zero = _codes(_matrix(colour, picture.height), bool(colour.full), layout.components[0].bits)
    luma = (planes[0] - zero[0]).div_(codes[0].sum())
    if len(planes) == 1:
        return luma.expand(3, -1, -1).contiguous(), alpha
    blue, red = (plane.sub_(zero[1]) for plane in planes[1:])
    inverse = np.linalg.inv(codes)
    rgb = torch.stack([blue * inverse[channel, 1] + red * inverse[channel, 2] for channel in range(3)])
    while rgb.shape[-2] < picture.height:
        rgb = _double(rgb, -2, not level)
    while rgb.shape[-1] < picture.width:
        rgb = _double(rgb, -1, centred)
    return rgb[:, : picture.height, : picture.width].add_(luma).contiguous(), alpha


def encode(
    rgb: Tensor,
    alpha: Tensor | None,
    layout: av.VideoFormat,
    colour: Colour,
    *,
    centred: bool = False,
    level: bool = False,
) -> av.VideoFrame:
    """A picture in a pixel format from colours [3,H,W] and alpha [1,H,W] on any device, rounded to nearest; see `core.Frame`.

    The inverse of `decode` at the same ``centred`` and ``level``: 4:2:0 and 4:2:2 pictures return to exactly the same samples,
    below black and above white too. Grey formats take the luma alone. RGB formats clip to 0..1, float formats take values of
    any size. Missing alpha is opaque; alpha that the format cannot hold is dropped.
    """
    height, width = rgb.shape[-2:]
    planar = _planar(layout)
    bits, top = planar.components[0].bits, _top(planar)
    rgb = floats(rgb)
    if is_rgb(planar):
        planes = list(rgb * top)
    else:
        codes, zero = _codes(_matrix(colour, height), bool(colour.full), bits)
        kr, kg, kb = codes[0] / codes[0].sum()
        red, green, blue = rgb
        luma = (red * kr).add_(green, alpha=kg).add_(blue, alpha=kb)
        grey = len(planar.components) < 3
        chroma = luma.new_empty((2, 0, 0)) if grey else torch.stack((blue - luma, red - luma))
        across, down = (1, 1) if grey else subsampling(planar)
        chroma = _halve(chroma, -2, not level) if down == 2 else chroma
        chroma = _halve(chroma, -1, centred) if across == 2 else chroma
        chroma[0].mul_(codes[1, 2] / (1 - kb)).add_(zero[1])
        chroma[1].mul_(codes[2, 0] / (1 - kr)).add_(zero[2])
        planes = [luma.mul_(codes[0].sum()).add_(zero[0]), *(() if grey else chroma)]
    if has_alpha(planar):
        planes.append(torch.full_like(planes[0], top) if alpha is None else floats(alpha[0]) * top)
    picture = av.VideoFrame(width, height, planar.name)
    sample = torch.uint8 if bits == 8 else torch.uint16
    for into, plane in zip(planes_of(picture), planes, strict=True):
        whole = plane if is_float(planar) else plane.clamp(0, top).round_().to(sample)
        into[:] = whole.cpu().numpy()
    return picture if planar.name == layout.name else picture.reformat(format=layout.name)


def _top(layout: av.VideoFormat) -> float:
    """The sample value that stands for 1."""
    return 1.0 if is_float(layout) else float((1 << layout.components[0].bits) - 1)


def _matrix(colour: Colour, lines: int) -> int:
    return colour.matrix if colour.matrix in COEFFICIENTS else (5 if lines < 720 else 1)


def _codes(matrix: int, full: bool, bits: int) -> tuple[np.ndarray, np.ndarray]:
    """Code values [3,3] of Y', Cb, Cr per unit of R', G', B', and those of black [3]: H.273, equations 20 to 31."""
    kr, kb = COEFFICIENTS[matrix]
    luma = np.array([kr, 1 - kr - kb, kb])
    blue = (np.array([0, 0, 1]) - luma) / (2 * (1 - kb))
    red = (np.array([1, 0, 0]) - luma) / (2 * (1 - kr))
    step, middle, top = 1 << (bits - 8), 1 << (bits - 1), (1 << bits) - 1
    scale = np.array([top] * 3 if full else [219 * step, 224 * step, 224 * step])
    return np.stack((luma, blue, red)) * scale[:, None], np.array([0 if full else 16 * step, middle, middle])


def _planar(layout: av.VideoFormat) -> av.VideoFormat:
    """The format with the same samples that `planes_of` can split: one plane per component, or grey and alpha."""
    if is_float(layout):
        return layout
    bits = depth_of(layout)
    planes = {component.plane for component in layout.components}
    whole = all(8 <= component.bits <= 16 for component in layout.components)
    if whole and len(layout.components) in (2, len(planes)) and not layout.has_palette:
        return layout
    alpha = "a" if has_alpha(layout) else ""
    deep = "" if bits == 8 else f"{bits}le"
    if is_rgb(layout) or layout.name.startswith("xyz"):
        return av.VideoFormat(f"gbr{alpha}p{deep and '16le'}")
    return av.VideoFormat(f"yuv{alpha}{SUBSAMPLING[subsampling(layout)]}p{deep}")


def unpacked(picture: av.VideoFrame) -> av.VideoFrame:
    planar = _planar(picture.format)
    return picture if planar.name == picture.format.name else picture.reformat(format=planar.name)


def planes_of(picture: av.VideoFrame) -> list[np.ndarray]:
    """The components in order (R, G, B or Y, Cb, Cr, then alpha) as views [h,w] of the picture's memory."""
    layout = picture.format
    bits = layout.components[0].bits
    sample = np.dtype(f"{'f' if is_float(layout) else 'u'}{-(-bits // 8)}")
    sample = sample.newbyteorder(">" if layout.is_big_endian else "=")
    planes: list[np.ndarray] = []
    for component in layout.components:
        plane: Any = picture.planes[component.plane]
        lines: np.ndarray = np.frombuffer(plane, sample).reshape(plane.height, -1)
        step = len(layout.components) // len(picture.planes)  # above 1 if components share a plane
        planes.append(lines[:, len(planes) % step : step * plane.width : step])
    return planes


def _double(samples: Tensor, dim: int, centred: bool) -> Tensor:
    """Twice as many samples along ``dim``, linearly interpolated; old samples lie on the even new ones or, centred, between."""
    shape = list(samples.shape)
    shape[dim] *= 2
    doubled = samples.new_empty(shape)
    old, new = samples.movedim(dim, 0), doubled.movedim(dim, 0)
    even, odd = new[::2], new[1::2]
    if centred:
        even[:1] = old[:1]
        even[1:] = torch.lerp(old[1:], old[:-1], 0.25)
    else:
        even[:] = old
    odd[:-1] = torch.lerp(old[:-1], old[1:], 0.25 if centred else 0.5)
    odd[-1:] = old[-1:]
    return doubled


def _halve(samples: Tensor, dim: int, centred: bool) -> Tensor:
    """Undo `_double` exactly: the analysis filters that are biorthogonal to linear interpolation.

    On the even samples this is (-1 2 6 2 -1)/8, the low-pass of the LeGall 5/3 wavelet of JPEG 2000; centred it is
    (-1 3 3 -1)/4. The ends are repeated. An odd count is rounded up, by the sample that `_double` made and the picture lost.
    """
    old = samples.movedim(dim, 0)
    if len(old) % 2:
        lost = old[-1:] if not centred or len(old) == 1 else old[-1:] * 1.5 - old[-2:-1] * 0.5
        old = torch.cat((old, lost))
    even, odd = old[::2], old[1::2]
    near, far = (0.75, 0.25) if centred else (0.25, 0.125)
    half = (even * 0.75).add_(odd, alpha=near)
    if centred:
        half[1:].sub_(odd[:-1], alpha=far)
        half[:1].sub_(even[:1], alpha=far)
    else:
        half[1:].add_(odd[:-1], alpha=near).sub_(even[:-1], alpha=far)
        half[:1].add_(even[:1], alpha=near - far)
    half[:-1].sub_(even[1:], alpha=far)
    half[-1:].sub_(odd[-1:], alpha=far)
    return half.movedim(0, dim)
