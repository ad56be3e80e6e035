"""The streaming loop: frames in, frames out, in constant memory.

Asks `time` where each output lies, lets input frames through untouched and has a model make the others. Knows nothing
of files, networks or ComfyUI.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from fractions import Fraction
from itertools import groupby, islice
from typing import Any

import torch
from torch import Tensor

from . import color, wrap
from .core import Frame, InputError, Interpolator
from .time import At, Grid, Subdivide, Tail, Uniform, exact_rate, resample


def run(
    frames: Iterable[Frame],
    model: Interpolator,
    grid: Grid,
    *,
    tail: Tail = "stop",
    stretch: Fraction = Fraction(1),
    batch: int = 1,
) -> Iterator[Frame]:
    """Make the frames at the times of ``grid``, one by one.

    A time that falls on an input frame passes that very picture through. ``tail``, ``stretch``: see `time.resample`. Up
    to ``batch`` timesteps of one pair are made at once. Holds one window of frames and one batch. Frames with alpha
    are mixed premultiplied, and their alpha follows the same motion where the model estimates any.
    Raises `InputError` when a frame differs in size from those before it, or ``batch`` is below 1.
    """
    if batch < 1:
        raise InputError(f"a batch of {batch} frames cannot be made: it must be at least 1")
    instants = resample(_same_size(frames), grid, tail=tail, stretch=stretch, window=model.spec.window)
    features: dict[Frame, Any] = {}
    for (window, untouched), group in groupby(instants, key=lambda instant: (instant.window, instant.t == 0)):
        features = {frame: features[frame] for frame in window if frame in features}
        pictures = None if untouched else torch.stack([color.premultiplied(frame).float() for frame in window])[None]
        while some := list(islice(group, batch)):
            if pictures is None:
                made = [some[0].before] * len(some)
            else:
                made = _make(model, window, pictures, features, [place.t for place in some])
            for instant, frame in zip(some, made, strict=True):
                yield replace(frame, time=instant.time, duration=instant.duration)


def interpolate(
    frames: Tensor,
    model: Interpolator,
    times: int = 2,
    *,
    fps: tuple[float | str | Fraction, float | str | Fraction] | None = None,
    tail: Tail = "stop",
    batch: int = 1,
) -> Tensor:
    """More frames for a clip [T,C,H,W], 0..1, of 3 colours or 4 with alpha.

    Either ``times`` as many, (T-1) * times + 1 in all, or from one frame rate to another, ``fps=(source, target)``.
    ``tail="hold"`` also holds the last frame for as long as a frame lasts: T * times. Returns [T',C,H,W] on the device and in
    the dtype of ``frames``; input frames are in it bit by bit.
    """
    source, target = (Fraction(1), None) if fps is None else (exact_rate(fps[0]), exact_rate(fps[1]))
    grid: Grid = Subdivide(times) if target is None else Uniform(target)
    made = run(frames_of(frames, source), model, grid, tail=tail, batch=batch)
    span = Fraction(len(frames) if tail == "hold" else len(frames) - 1) / source
    return _collect(made, frames, grid.count(len(frames), span, tail))


def retime(frames: Tensor, model: Interpolator, at: Iterable[int | float | Fraction], *, batch: int = 1) -> Tensor:
    """The clip [T,C,H,W] at the instants ``at``: 0 is the first frame, 1.5 midway from the second to the third.

    The instants must not decrease and lie in 0..T-1. Returns one frame [C,H,W] for each, stacked.
    """
    grid = At(tuple(Fraction(instant) for instant in at))
    if grid.times and not 0 <= grid.times[0] <= grid.times[-1] <= len(frames) - 1:
        raise InputError(f"instants {float(grid.times[0])} to {float(grid.times[-1])} reach beyond 0 to {len(frames) - 1}")
    return _collect(run(frames_of(frames, Fraction(1)), model, grid, batch=batch), frames, len(grid.times))


def frames_of(pictures: Tensor, rate: Fraction) -> Iterator[Frame]:
    """The frames of a clip [T,C,H,W] with 3 or 4 channels, ``rate`` a second."""
    if pictures.ndim != 4 or pictures.shape[1] not in (3, 4):
        raise InputError(f"frames of shape {list(pictures.shape)} were given: [T,3,H,W] or, with alpha, [T,4,H,W] is needed")
    for index, picture in enumerate(pictures):
        alpha = picture[3:] if picture.shape[0] == 4 else None
        yield Frame(picture[:3], index / rate, 1 / rate, alpha)


def _collect(made: Iterator[Frame], like: Tensor, count: int) -> Tensor:
    out = like.new_empty((count, *like.shape[1:]))
    for picture, frame in zip(out, made, strict=True):
        picture[:3] = frame.rgb
        if frame.alpha is not None:
            picture[3:] = frame.alpha
    return out


def _same_size(frames: Iterable[Frame]) -> Iterator[Frame]:
    size: torch.Size | None = None
    for frame in frames:
        size = size or frame.rgb.shape
        if frame.rgb.shape != size:
            raise InputError(
                f"the frame at {float(frame.time):.3f} s is {frame.rgb.shape[2]}x{frame.rgb.shape[1]}, "
                f"those before it {size[2]}x{size[1]}: all frames of a clip must have one size"
            )
        yield frame


def _make(
    model: Interpolator, window: Sequence[Frame], pictures: Tensor, features: dict[Frame, Any], steps: Sequence[Fraction]
) -> list[Frame]:
    """The new frames at ``steps`` of one window, whose premultiplied ``pictures`` are [1,N,3,H,W].

    ``features`` gains what was computed of its frames.
    """
    for index, frame in enumerate(window):
        if frame not in features:
            features[frame] = wrap.encode(model, pictures[:, index])
    t = torch.tensor([float(step) for step in steps], device=pictures.device)
    rgb = wrap.between(model, [features[frame] for frame in window], pictures, t)
    if all(frame.alpha is None for frame in window):
        return [Frame(picture, Fraction(0)) for picture in rgb]
    alpha = _alpha(model, window, pictures, t)
    rgb = color.straight(rgb, alpha)
    return [Frame(picture, Fraction(0), alpha=plane) for picture, plane in zip(rgb, alpha, strict=True)]


def _alpha(model: Interpolator, window: Sequence[Frame], pictures: Tensor, t: Tensor) -> Tensor:
    """[B,1,H,W]: the alpha at ``t``, moved as the model says the picture moves, else blended."""
    middle = len(window) // 2
    before, after = (
        torch.ones_like(frame.rgb[:1])[None] if frame.alpha is None else frame.alpha.float()[None]
        for frame in window[middle - 1 : middle + 1]
    )
    if wrap.estimates_motion(model):
        return color.moved(before, after, model.motion(pictures, t)).clamp(0, 1)  # type: ignore[attr-defined]
    weight = t[:, None, None, None]
    return before * (1 - weight) + after * weight
