"""Shards: what training reads, cut from clips once and kept on disk.

A shard is one safetensors file: ``frames`` uint8 [T,3,H,W] that follow each other evenly in one shot, and ``windows`` int64
[N,3], the numbers of a frame before, of the true one and of the one after. Beside it may lie what teachers make of each
window: ``NAME.motion`` and ``NAME.picture``, see `teachers`. Cuts and frames that repeat the one before are found as
everywhere in the library, and no window holds any.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from ..clips.open import open_clip
from ..core import Frame, InputError
from ..edit.find import Finder
from ..model.weights.files import write
from ..pixels.uint8 import codes, floats

LONGEST = 64
"""Frames of a shard, at the most: what is held in memory while one is cut."""


def cut(clip: Path, folder: Path, spans: Sequence[int], side: int) -> list[Path]:
    """The shards of a clip or a folder of images, in ``folder``; those that are there from before are taken as they are.

    ``spans``: how many frames apart the ends of a window may be. Frames whose shorter side is above ``side`` are made smaller.
    """
    name = f"{clip.stem}-{hashlib.sha256(str(clip.resolve()).encode()).hexdigest()[:8]}"
    done = folder / f"{name}.done"
    if not done.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        for number, run in enumerate(runs(open_clip(clip), side)):
            found = windows(len(run), spans)
            if len(found):
                tensors = {"frames": torch.stack(run), "windows": found}
                write(folder / f"{name}-{number:04d}.safetensors", tensors, {"clip": clip.name})
        done.touch()
    return sorted(folder.glob(f"{name}-[0-9][0-9][0-9][0-9].safetensors"))


def runs(frames: Iterable[Frame], side: int) -> Iterator[list[Tensor]]:
    """Pictures of a clip that lie in one shot, repeat nothing and follow each other evenly, up to `LONGEST` at a time.

    Each is uint8 [3,H,W], its shorter side ``side`` at the most.
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
    """Windows [N,3] of a run of ``count`` frames: of each span as many as overlap by half, and of an odd one any time within.

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


def shrunk(rgb: Tensor, side: int) -> Tensor:
    """A picture [3,H,W] as uint8, its shorter side ``side`` at the most."""
    height, width = rgb.shape[-2:]
    if min(height, width) > side:
        factor = side / min(height, width)
        size = [round(height * factor), round(width * factor)]
        rgb = F.interpolate(floats(rgb)[None], size=size, mode="bilinear", antialias=True)[0]
    return rgb if rgb.dtype == torch.uint8 else codes(rgb)
