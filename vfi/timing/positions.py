"""Positions in a clip as people write them: seconds, a timecode or the number of a frame.

Knows nothing of files; only a position given as a frame of a clip with uneven times needs that clip's times.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

from .. import timecode
from ..core import InputError
from ..parse import number, quoted

_SECONDS = re.compile(r"(\d{1,9}(?:\.\d{1,9})?|\.\d{1,9})s?", re.ASCII)
_CLOCK = re.compile(r"(?:(\d{1,4}):)?(\d{1,2}):(\d{1,2}(?:\.\d{1,9})?)", re.ASCII)
_TIMECODE = re.compile(r"(\d{1,4}):(\d{1,2}):(\d{1,2})([:;])(\d{1,3})", re.ASCII)
_FRAME = re.compile(r"(\d{1,9})f", re.ASCII)


@dataclass(frozen=True)
class Position:
    """``number`` seconds or frames from the start of the clip, or a timecode: ``number`` seconds and ``rest`` more frames.

    Frame numbers count the clip's own frames, however long each is shown. ``drop``: a drop-frame timecode.
    """

    number: Fraction
    unit: Literal["seconds", "frames", "timecode"]
    rest: int = 0
    drop: bool = False
    text: str = ""

    @classmethod
    def parse(cls, text: str) -> Position:
        """Seconds (``1.5``, ``1.5s``, ``1:02:03.5``), a timecode (``01:02:03:04``; ``;04``: drop frame) or a frame (``48f``).

        Raises `InputError`.
        """
        word = text.strip()
        if match := _SECONDS.fullmatch(word):
            return cls(number(match[1]), "seconds", text=word)
        if match := _FRAME.fullmatch(word):
            return cls(number(match[1]), "frames", text=word)
        if match := _CLOCK.fullmatch(word):
            return cls(_clock(match[1] or "0", match[2], match[3]), "seconds", text=word)
        if match := _TIMECODE.fullmatch(word):
            return cls(_clock(*match.group(1, 2, 3)), "timecode", int(match[5]), match[4] == ";", word)
        raise InputError(
            f"{quoted(text)} is not a position: give seconds (1.5), a time (0:01:30.5), a timecode (00:01:30:12) "
            "or a frame (48f)"
        )

    def timecode_frame(self, rate: Fraction) -> int:
        """The number of the frame that a timecode names at ``rate`` frames per second. Raises `InputError`."""
        return timecode.counted(int(self.number), self.rest, rate, self.drop, self.text)


def _clock(hours: str, minutes: str, seconds: str) -> Fraction:
    return int(hours) * 3600 + int(minutes) * 60 + number(seconds)
