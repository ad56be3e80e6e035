"""The backend that runs the model in this process: builds it, and remembers what it prepared.

Owns the memory of the last windows. Knows nothing of pipes or programs.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import replace
from fractions import Fraction
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor

from ..core import Frame, InputError, Interpolator
from ..edit.duplicates import duplicates
from ..edit.shots import Found, shots
from ..model import load
from ..model.devices import device_of
from ..model.drawing import DRAWINGS, Drawing
from ..model.load import HUGE, Choice
from ..model.wrappers import TTA_PASSES
from ..parse import exact, quoted
from ..render.run import between
from .maker import THUMBNAIL, Asked, Mark, Missing, Picture, Plane

WINDOWS = 4
"""Windows of which the prepared parts are kept."""


class Engine:
    """A `maker.Backend` in this process. Raises `InputError` for options that name no model or device."""

    def __init__(self, asked: Asked) -> None:
        if asked.tta not in TTA_PASSES:
            raise InputError(f"{quoted(asked.tta)} is not a test-time augmentation: give one of {', '.join(TTA_PASSES)}")
        if asked.drawing not in DRAWINGS:
            raise InputError(f"{quoted(asked.drawing)} was given for drawings: give one of {', '.join(DRAWINGS)}")
        self._choice = Choice((asked.model,), asked.quality, asked.tta, drawing=cast(Drawing, asked.drawing))
        self._device = device_of(asked.device)
        self.window = load.spec_of(self._choice).window
        self._models: dict[bool, Interpolator] = {}
        self._frames: dict[str, Frame] = {}
        self._seen: dict[Frame, Any] = {}
        self._windows: OrderedDict[tuple[str, ...], Callable[[Sequence[Fraction]], list[Frame]]] = OrderedDict()

    @property
    def alive(self) -> bool:
        return True

    def make(self, window: Sequence[str], given: dict[str, Picture], steps: Sequence[Fraction]) -> list[Picture] | Missing:
        names = tuple(window)
        if len(names) != self.window:
            raise InputError(f"a window of {len(names)} frames was given: the model takes {self.window}")
        if not steps or not all(0 < step < 1 for step in steps):
            raise InputError(f"steps {', '.join(map(str, steps))} were given: at least one is needed, each between 0 and 1")
        if names not in self._windows:
            missing = [name for name in dict.fromkeys(names) if name not in self._frames and name not in given]
            if missing:
                return Missing(tuple(missing))
            self._prepare(names, given)
        self._windows.move_to_end(names)
        return [_picture(frame) for frame in self._windows[names](steps)]

    def marks(self, thumbnails: Plane, known: Sequence[bool | None], spread: bool, threshold: float) -> list[Mark]:
        if thumbnails.ndim != 4 or thumbnails.shape[1:] != (3, *THUMBNAIL) or len(known) != len(thumbnails):
            raise InputError(
                f"{len(known)} marks of thumbnails {list(thumbnails.shape)} were asked for: as many are needed as there are "
                f"pictures of 3 x {THUMBNAIL[0]} x {THUMBNAIL[1]}"
            )
        pictures = enumerate(_tensor(thumbnails).float())
        frames = [Frame(picture, exact(number), Fraction(1)) for number, picture in pictures]
        found: list[Found] = []
        if None in known:
            list(shots(frames, None, found))
        cuts = {one.frame for one in found if one.kind == "cut" and one.score >= threshold}
        marked: list[Frame] = []
        for number, (frame, sure) in enumerate(zip(frames, known, strict=True)):
            cut = number in cuts if sure is None else sure
            marked.append(replace(frame, cut="hold") if cut else frame)
        if spread:
            marked = list(duplicates(marked))
        return [Mark(frame.cut is not None, frame.repeat and frame.cut is None) for frame in marked]

    def _prepare(self, names: tuple[str, ...], given: dict[str, Picture]) -> None:
        """Prepare a window, and forget the frames of all but the last windows."""
        new = {name: _frame(given[name]) for name in names if name not in self._frames}
        frames = [self._frames.get(name) or new[name] for name in names]
        kinds = {(tuple(frame.rgb.shape), frame.rgb.dtype) for frame in frames}
        if len(kinds) > 1:
            raise InputError("the frames of a window differ in size or type: they must be alike")
        model = self._model(*frames[0].rgb.shape[1:])
        self._windows[names] = between(model, frames, self._seen)
        self._frames |= new
        while len(self._windows) > WINDOWS:
            self._windows.popitem(last=False)
        kept = {name for window in self._windows for name in window}
        self._frames = {name: frame for name, frame in self._frames.items() if name in kept}
        alive = set(self._frames.values())
        for frame in [one for one in self._seen if one not in alive]:
            del self._seen[frame]

    def _model(self, height: int, width: int) -> Interpolator:
        """The model for frames of this size."""
        huge = height * width >= HUGE
        if huge not in self._models:
            self._models = {huge: load.build(self._choice, self._device, (height, width))}
        return self._models[huge]


def _tensor(plane: Plane) -> Tensor:
    return torch.from_numpy(plane if plane.flags.writeable and plane.flags.c_contiguous else plane.copy())


def _frame(picture: Picture) -> Frame:
    """A frame of a picture. Raises `InputError` unless its planes have the right shapes and types."""
    rgb, alpha = picture.rgb, picture.alpha
    if rgb.ndim != 3 or rgb.shape[0] != 3 or rgb.dtype not in (np.uint8, np.float32):
        raise InputError(f"a picture {list(rgb.shape)} of {rgb.dtype} was given: [3,H,W] of uint8 or float32 is needed")
    if alpha is not None and (alpha.shape != (1, *rgb.shape[1:]) or alpha.dtype != rgb.dtype):
        raise InputError(f"an alpha {list(alpha.shape)} of {alpha.dtype} was given: its picture's size and type are needed")
    return Frame(_tensor(rgb), Fraction(0), alpha=None if alpha is None else _tensor(alpha))


def _picture(frame: Frame) -> Picture:
    return Picture(frame.rgb.numpy(), None if frame.alpha is None else frame.alpha.numpy())
