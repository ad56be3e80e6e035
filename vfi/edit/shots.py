"""Shot detection: cuts, told apart from motion, fades and flashes, in one pass over the frames.

PySceneDetect finds where the picture jumps. A jump is a cut unless optical flow and correlation show that the later picture
is the earlier one, moved or in another light. Holds `AHEAD` frames and thumbnails of as many before. Knows nothing of models
or files, or of what is done at a cut.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property
from itertools import count
from typing import Any, Literal, TypeAlias

import numpy as np
import torch

from ..core import Across, Frame
from ..pixels.area import area_mean
from ..pixels.uint8 import floats

Picture: TypeAlias = "np.ndarray[Any, Any]"

AHEAD = 4
"""Frames of lookahead before deciding whether a frame begins a shot; also the longest flash."""

SIZE = (72, 128)
"""Height and width of the thumbnails."""

JUMP = 15.0
"""Lowest score of PySceneDetect's ContentDetector at a cut: the default of its AdaptiveDetector."""

ALIKE = 0.8
"""Correlation from which one picture, moved along the flow, is the other. The lowest measured within a shot is 0.83, in a whip
pan; the highest of unrelated pictures 0.80 (1126 pairs), 0.78 where they share bars (62 pairs)."""

STANDS_OUT = 1.25
"""How much wider a doubtful cut is than the widest motion and light change around it; the last step to black is not."""

NOTHING = 5.0
"""Mean difference, of 255, below which two pictures are the same, and spread below which a picture shows nothing."""

LIT = 0.9
"""Share of a flash's pixels that are lighter, or darker, than both before and after it."""

STAYS = 2
"""Difference of a pixel, of 255, up to which it stays: the bars and captions that two shots share liken none to the other."""

PART = 0.3
"""Least share of the picture that does not stay, at a cut: where less changes, a title pops into a scene that stays."""

FAINT = 0.5
"""Correlation below which two pictures are unrelated: a cut whatever moves around it, and no flash."""


@dataclass(frozen=True)
class Found:
    """An event in a clip: a cut, a fade through black or white, or a flash.

    ``time`` and ``frame`` (from 0) are those of the first frame of the new shot, of the black or of the flash, which lasts
    ``frames``. ``score`` of a cut is the share of the picture that neither motion nor light explains, 0 to 1.
    """

    kind: Literal["cut", "fade", "flash"]
    time: Fraction
    frame: int
    frames: int = 0
    score: float = 0.0


def shots(
    frames: Iterable[Frame], across: Across | None = "hold", found: list[Found] | None = None, *, flashes: bool = False
) -> Iterator[Frame]:
    """Mark the frames that begin a shot with ``cut=across``; with None, only look for them.

    ``flashes``: mark the frames of flashes as repeats, so that they are made anew from the frames around them. Appends events
    to ``found``, fades once they are over. Existing marks stay. Holds up to `AHEAD` + 1 frames, and none unless the picture
    jumps: live input passes at once.
    """
    look = _Look([] if found is None else found)
    waiting: deque[Frame] = deque()
    for frame in frames:
        look.at(frame)
        waiting.append(frame)
        while waiting and (len(waiting) > AHEAD or look.sees_no_jump()):
            yield _marked(waiting.popleft(), look, across, flashes)
    while waiting:
        yield _marked(waiting.popleft(), look, across, flashes)
    look.close()


def _marked(frame: Frame, look: _Look, across: Across | None, flashes: bool) -> Frame:
    cut = look.settles()
    if flashes and look.in_flash:
        return replace(frame, repeat=True)
    return replace(frame, cut=across) if cut and across and frame.cut is None else frame


class _Seen:
    """The thumbnail of a frame, and how it differs from the one before."""

    def __init__(self, index: int, time: Fraction, bgr: Picture, before: _Seen | None, jumps: bool) -> None:
        self.index, self.time, self.jumps = index, time, jumps
        self.bgr, self.grey = bgr, bgr.mean(axis=2).round().astype(np.uint8)
        self._before = None if before is None else before.grey
        self.width = 0.0 if before is None else self.apart(before)

    def apart(self, other: _Seen) -> float:
        """Mean absolute difference, of 255."""
        return float(np.abs(self.bgr.astype(np.int16) - other.bgr).mean())

    @cached_property
    def flat(self) -> bool:
        """Whether the picture has one brightness all over."""
        return float(self.grey.std()) < NOTHING

    @property
    def blank(self) -> bool:
        """Whether the picture is black or white all over."""
        return self.flat and not 20 < float(self.grey.mean()) < 235

    @cached_property
    def likeness(self) -> float:
        """How well the frame before, moved or in another light, explains the picture."""
        return 1.0 if self._before is None or not self.jumps else _likeness(self._before, self.grey)


class _Look:
    """State of the detection, around the next frame to settle."""

    def __init__(self, found: list[Found]) -> None:
        from scenedetect import FrameTimecode
        from scenedetect.detectors import ContentDetector

        self.found = found
        self.detector = ContentDetector(threshold=JUMP, min_scene_len=0)
        self.numbers = (FrameTimecode(index, fps=24.0) for index in count())
        self.seen: deque[_Seen] = deque(maxlen=2 * AHEAD + 1)
        self.next = 0
        self.flash_ends = -1
        self.blank: _Seen | None = None
        self.gradual = True

    def at(self, frame: Frame) -> None:
        """Take the next frame."""
        small = area_mean(floats(frame.rgb), SIZE).clamp(0, 1)
        bgr = (small.flip(0).movedim(0, -1) * 255).round().to(torch.uint8).cpu().contiguous().numpy()
        number = next(self.numbers)
        jumps = bool(self.detector.process_frame(number, bgr))
        self.seen.append(_Seen(number.frame_num, frame.time, bgr, self.seen[-1] if self.seen else None, jumps))

    def sees_no_jump(self) -> bool:
        """Whether the oldest frame that is still open begins no shot, whatever follows."""
        one = self.seen[self.next - self.seen[0].index]
        return not one.jumps or one.width < NOTHING or one.index <= self.flash_ends

    def settles(self) -> bool:
        """Settle the oldest frame that is still open: whether it begins a shot."""
        place = self.next - self.seen[0].index
        one, before = self.seen[place], self.seen[max(place - 1, 0)]
        self.next += 1
        cut = self._is_cut(place)
        if cut:
            self.found.append(Found("cut", one.time, one.index, score=round(min(1 - one.likeness, 1.0), 3)))
        flash = one.index <= self.flash_ends
        if one.blank and self.blank is None:
            self.blank, self.gradual = one, not (cut or flash)
        elif before.blank and not one.blank:
            self._faded(one.index, back=not (cut or flash))
        return cut

    @property
    def in_flash(self) -> bool:
        """Whether the frame that was settled last belongs to a flash."""
        return self.next - 1 < self.flash_ends

    def close(self) -> None:
        """End the clip."""
        self._faded(self.next, back=True)

    def _is_cut(self, place: int) -> bool:
        one = self.seen[place]
        if not one.jumps or one.width < NOTHING or one.index <= self.flash_ends or self._is_flash(place):
            return False
        around = [other for other in self.seen if other is not one and other.index]
        steady = [other.width for other in around if other.likeness >= ALIKE]
        if one.likeness >= ALIKE or (len(around) >= AHEAD and not steady):
            return False
        doubtful = one.likeness >= FAINT or one.flat or self.seen[place - 1].flat
        return not doubtful or one.width > STANDS_OUT * max(steady, default=0)

    def _is_flash(self, place: int) -> bool:
        """Whether the light changes here for up to `AHEAD` frames before the same picture returns."""
        before, one = self.seen[place - 1], self.seen[place]
        if before.index > self.flash_ends and one.width < STANDS_OUT * before.width:
            return False
        for after in list(self.seen)[place + 1 :]:
            apart = before.apart(after)
            if apart < one.width / 2 and (apart < NOTHING or _likeness(before.grey, after.grey) >= ALIKE):
                lighter = np.mean(one.grey >= np.maximum(before.grey, after.grey))
                darker = np.mean(one.grey <= np.minimum(before.grey, after.grey))
                if max(lighter, darker) < LIT or not (one.blank or one.likeness >= FAINT):
                    return False
                self.flash_ends = after.index
                self.found.append(Found("flash", one.time, one.index, after.index - one.index))
                return True
        return False

    def _faded(self, end: int, back: bool) -> None:
        """End the blank frames before frame ``end``; they are a fade if they came and went gradually."""
        if self.blank is not None and self.gradual and back:
            self.found.append(Found("fade", self.blank.time, self.blank.index, end - self.blank.index))
        self.blank = None


def _likeness(one: Picture, other: Picture) -> float:
    """Correlation of two grey pictures along the optical flow, where they differ: how well motion and an even change of light
    explain one.

    The better of both directions in time, since a pan brings in what the earlier picture does not show.
    """
    import cv2

    flow = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    flow.setFinestScale(0)
    rows, columns = np.mgrid[: one.shape[0], : one.shape[1]].astype(np.float32)
    differ = np.abs(one.astype(np.int16) - other) > STAYS
    differ |= differ.mean() < PART
    best = 0.0
    for start, end in ((one, other), (other, one)):
        motion = flow.calc(start, end, None)  # type: ignore[call-overload]
        moved = cv2.remap(
            end, columns + motion[..., 0], rows + motion[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
        )
        here, there = start[differ], moved[differ]
        if min(here.std(), there.std()) >= NOTHING / 2:
            best = max(best, float(np.corrcoef(here, there)[0, 1]))
    return best
