"""Conversion between IMAGE and the library's frames; progress and cancelling.

IMAGE is [T,H,W,C] float, 0..1 except in HDR, with 1 (grey), 3 (colour) or 4 channels (colour and straight alpha). Knows nothing
of models or of how frames are made.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from fractions import Fraction
from math import prod
from typing import TypeVar

import torch
from comfy.model_management import throw_exception_if_processing_interrupted
from comfy.utils import ProgressBar
from torch import Tensor

from ..vfi.clips.clip import Edited, Info, Reader
from ..vfi.core import Frame, InputError
from ..vfi.pixels.transfer import Transfer, named
from ..vfi.pixels.uint8 import floats
from ..vfi.render import memory
from ..vfi.render.run import frames_of_tensor as frames_of_clip
from .preview import Previews

T = TypeVar("T")

ROUNDING = 1 / 512
"""Half an 8-bit step."""

TRACKED = 500
"""Bytes of memory for a track's position in one frame: as numbers, as a list while it is written, and as text."""


def checked(images: Tensor) -> Tensor:
    """Return ``images``. Raises `InputError` if they have no frame or pixel, another channel count, or NaN or infinity."""
    if images.ndim != 4 or images.shape[-1] not in (1, 3, 4) or 0 in images.shape[:3]:
        raise InputError(
            f"images of shape {list(images.shape)} were given: at least one frame is needed, "
            "as [frames, height, width, channels] with 1, 3 or 4 channels"
        )
    for index, picture in enumerate(heard(images)):
        if not all(end.isfinite() for end in picture.aminmax()):  # takes a tenth of the time of checking every value
            raise InputError(f"frame {index} of the images holds NaN or infinity: only finite values can be used")
    return images


def unbound(*images: Tensor) -> Transfer | None:
    """The transfer function of IMAGEs with a colour outside 0..1, beyond rounding error; None if there is no such colour."""
    ends = (float(end) for batch in images for one in heard(batch) for end in one[..., :3].aminmax())
    return named("srgb") if any(end < -ROUNDING or end > 1 + ROUNDING for end in ends) else None


def frames_of_images(images: Tensor, rate: Fraction) -> Iterator[Frame]:
    """The frames of an IMAGE, ``rate`` per second, as views: nothing is copied."""
    coloured = images.expand(-1, -1, -1, 3) if images.shape[-1] == 1 else images
    return frames_of_clip(coloured.movedim(-1, 1), rate)


def clip_of(images: Tensor, rate: Fraction) -> Edited:
    """An IMAGE as a clip of ``rate`` frames per second, which can be read any number of times."""
    count, height, width, channels = checked(images).shape
    info = Info(width, height, None, rate, count, count / rate, alpha=channels == 4, time_base=Fraction(1, rate.numerator))
    return Edited(info, [], lambda: frames_of_images(images, rate))


def transparent(clip: Edited, masks: Tensor) -> Edited:
    """The same clip with the alpha of ``masks``, [T,H,W] or [T,H,W,1]. Raises `InputError` if their shape is another."""
    info = clip.info
    shape = (info.frames, info.height, info.width)
    if masks.shape not in (shape, (*shape, 1)):
        raise InputError(f"alpha of shape {list(masks.shape)} was given: one mask per frame, {list(shape)}, is needed")
    alphas = masks.reshape(-1, 1, info.height, info.width)
    return Edited(
        replace(info, alpha=True),
        clip.notes,
        lambda: (replace(frame, alpha=alpha) for frame, alpha in zip(clip, alphas, strict=True)),
    )


def room(count: int, shape: Sequence[int]) -> None:
    """Raises `InputError` if ``count`` pictures of ``shape``, in floats, need more memory than is free."""
    told = f"{count} frames of {shape[1]}x{shape[0]}"
    fits(count * prod(shape) * torch.float32.itemsize, told, "ask for fewer frames, or use the node for video")


def room_for_tracks(count: int, frames: int) -> None:
    """Raises `InputError` if ``count`` tracks of ``frames`` frames, and their text, need more memory than is free."""
    fits(count * frames * TRACKED, f"{count} tracks of {frames} frames", "ask for fewer tracks or frames")


def fits(needed: int, what: str, advice: str) -> None:
    """Raises `InputError` if ``what`` takes ``needed`` bytes and fewer are free."""
    free = memory.free()
    if free is not None and needed > free:
        raise InputError(f"{what} take {needed / 1e9:.1f} GB and {free / 1e9:.1f} GB of memory are free: {advice}")


def collected(frames: Iterable[Frame], like: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """``count`` frames as an IMAGE with the size and channels of ``like``, and a MASK that is white for source frames."""
    room(count, like.shape[1:])
    images = like.new_empty((count, *like.shape[1:]))
    originals = []
    for image, frame in zip(images, frames, strict=True):
        write(frame, image)
        originals.append(not frame.made)
    return images, per_frame(originals, like)


def write(frame: Frame, image: Tensor) -> None:
    """Copy a frame into ``image`` [H,W,C], one picture of an IMAGE."""
    picture = image.movedim(-1, 0)
    picture[:3] = floats(frame.rgb)[: min(len(picture), 3)]
    if len(picture) == 4:
        picture[3:] = 1 if frame.alpha is None else floats(frame.alpha)


def per_frame(flags: Iterable[bool], like: Tensor) -> Tensor:
    """A MASK [T,H,W] for the IMAGE ``like``, white where the flag is set; the pixels of a frame share one number in memory."""
    values = torch.tensor([float(flag) for flag in flags])
    return values[:, None, None].expand(-1, *like.shape[1:3])


def noting_doubt(frames: Iterable[Frame], masks: Tensor) -> Iterator[Frame]:
    """Pass ``frames`` on and copy the doubt of each into its mask in ``masks`` [T,H,W], unless it has none."""
    for mask, frame in zip(masks, frames, strict=True):
        if frame.doubt is not None:
            mask[:] = frame.doubt[0]
        yield frame


def heard(items: Iterable[T]) -> Iterator[T]:
    """Pass ``items`` on; a cancelled run stops here, before the next."""
    for item in items:
        throw_exception_if_processing_interrupted()
        yield item


def heard_clip(clip: Reader) -> Edited:
    """The same clip: a cancelled run stops before the next frame is read."""
    return Edited(clip.info, clip.notes, lambda: heard(clip))


def watched(frames: Iterable[T], total: int) -> Iterator[T]:
    """Pass ``frames`` on, counted by ComfyUI's progress bar for ``total`` or more, and show new ones (see `preview`).

    A cancelled run stops here, before the next frame is made.
    """
    show = progress(total)
    show(0)
    for done, frame in enumerate(frames, start=1):
        yield frame
        show(done, frame)


def progress(total: int) -> Callable[..., None]:
    """A function that shows the number of frames done, of ``total`` or more, with the last one, and ends a cancelled run."""
    bar, previews = ProgressBar(total), Previews()

    def show(done: int, last: object = None) -> None:
        if done:
            bar.update_absolute(done, max(total, done), previews.of(last) if isinstance(last, Frame) else None)
        throw_exception_if_processing_interrupted()  # the bar checks too, but not for every frame

    return show
