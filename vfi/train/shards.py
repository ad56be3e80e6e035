"""Shards: training data cut from clips once and cached on disk.

A shard is one safetensors file: ``frames`` uint8 [T,3,H,W], evenly spaced in one shot; ``windows`` int64 [N,3], the numbers of
the frame before, the true frame and the frame after; and ``times`` float32 [N], where the true frame lies between them, 0..1.
Teachers' results for each window may lie beside it: ``NAME.motion`` and ``NAME.picture``, see `teachers`. No window spans a
cut or holds a duplicate frame; both are detected as everywhere in the library.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Literal, TypeAlias, get_args

import torch
import torch.nn.functional as F
from torch import Tensor

from ..clips.open import ClipSource
from ..core import Frame, InputError
from ..edit.find import Finder
from ..edit.timed import instants
from ..model.weights.files import write
from ..pixels.uint8 import codes, floats

Timing: TypeAlias = Literal["even", "measured"]
"""Where true frames lie: where their numbers say, or where their motion does; then windows of unclear time are left out."""

TIMINGS: tuple[Timing, ...] = get_args(Timing)

LONGEST = 64
"""Maximum frames per shard, all of which are held in memory while it is cut."""


def cut(clip: ClipSource, folder: Path, spans: Sequence[int], side: int, timing: Timing = "even") -> list[Path]:
    """Cut a clip (a video or a folder of images) into shards in ``folder``; existing ones are reused.

    ``spans``: allowed distances between the ends of a window, in frames. Frames with a shorter side above ``side`` are
    downscaled.
    """
    part = f"{clip.start} to {clip.end}" if clip.start or clip.end else ""
    how = f"{clip.path.resolve()}{part} {list(spans)} {side} {timing}"
    name = f"{clip.path.stem}-{hashlib.sha256(how.encode()).hexdigest()[:8]}"
    done = folder / f"{name}.done"
    if not done.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        for number, run in enumerate(runs(clip.open(), side)):
            found = windows(len(run), spans)
            times = instants(run, found) if timing == "measured" else places(found)
            clear = times.isfinite()
            if clear.any():
                tensors = {"frames": torch.stack(run), "windows": found[clear], "times": times[clear]}
                write(folder / f"{name}-{number:04d}.safetensors", tensors, {"clip": clip.path.name})
        done.touch()
    return sorted(folder.glob(f"{name}-[0-9][0-9][0-9][0-9].safetensors"))


def runs(frames: Iterable[Frame], side: int) -> Iterator[list[Tensor]]:
    """Runs of up to `LONGEST` evenly spaced pictures of one shot, without duplicates.

    Each picture is uint8 [3,H,W], with a shorter side of at most ``side``.
    """
    run: list[Tensor] = []
    last, gap = Fraction(0), None
    for frame in Finder(cuts="hold", duplicates="spread").marks(frames):
        if frame.repeat:
            continue
        step = frame.time - last
        if run and (frame.cut is not None or len(run) == LONGEST or gap not in (None, step)):
            yield run
            run, gap = [], None
        elif run:
            gap = step
        run.append(shrunk(frame.rgb, side))
        last = frame.time
    if run:
        yield run


def windows(count: int, spans: Sequence[int]) -> Tensor:
    """Windows [N,3] of a run of ``count`` frames: half overlapping; with odd spans, the true frame lies anywhere inside.

    Raises `InputError` for a span that holds no frame.
    """
    if min(spans, default=0) < 2:
        raise InputError(f"spans {list(spans)} were given: numbers of frames from 2 up are needed")
    found = [
        (start, start + 1 + (start * 7 + span) % (span - 1) if span % 2 else start + span // 2, start + span)
        for span in spans
        for start in range(0, count - span, max(span // 2, 1))
    ]
    return torch.tensor(found, dtype=torch.int64).reshape(-1, 3)


def places(windows: Tensor) -> Tensor:
    """The times [N] of the true frames of ``windows`` [N,3], by their numbers."""
    before, at, after = windows.unbind(1)
    return (at - before).float() / (after - before)


def shrunk(rgb: Tensor, side: int) -> Tensor:
    """A picture [3,H,W] as uint8, downscaled to a shorter side of at most ``side``."""
    height, width = rgb.shape[-2:]
    if min(height, width) > side:
        factor = side / min(height, width)
        size = [round(height * factor), round(width * factor)]
        rgb = F.interpolate(floats(rgb)[None], size=size, mode="bilinear", antialias=True)[0]
    return rgb if rgb.dtype == torch.uint8 else codes(rgb)
