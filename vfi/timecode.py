"""Timecode of SMPTE 12M: frames as hours, minutes, seconds and frames, drop frame or not.

Owns counting. Knows nothing of clips, positions or timelines.
"""

from __future__ import annotations

import re
from fractions import Fraction
from math import ceil

from .core import InputError

_TIMECODE = re.compile(r"([0-9]{1,3}):([0-9]{2}):([0-9]{2})([:;.,])([0-9]{2,3})|([0-9]{2})([0-9]{2})([0-9]{2})([0-9]{2})")

DROPPED = {Fraction(30000, 1001): 2, Fraction(60000, 1001): 4, Fraction(120000, 1001): 8}
"""Rates that have drop frame, and the numbers that they drop each minute but the tenth."""


def is_timecode(text: str) -> bool:
    """Whether a text is a timecode such as 01:00:00:00, 01:00:00;00 or 01000000."""
    return _TIMECODE.fullmatch(text) is not None


def base(rate: Fraction) -> int:
    """How many frames the timecode of a rate counts in a second."""
    return ceil(rate)


def drops(text: str) -> bool:
    """Whether a timecode says by its last mark that it is drop frame."""
    return ";" in text or "," in text


def frames(text: str, rate: Fraction, drop: bool) -> int:
    """The frames since 0 of a timecode at ``rate`` frames per second. Raises `InputError`."""
    found = _TIMECODE.fullmatch(text)
    if found is None:
        raise InputError(f"{text[:40]!r} is no timecode, such as 01:00:00:00")
    hours, minutes, seconds, count = (int(part) for part in (found.group(1, 2, 3, 5) if found[1] else found.group(6, 7, 8, 9)))
    if minutes > 59 or seconds > 59:
        raise InputError(f"the timecode {text} has more than 59 minutes or seconds")
    return counted((hours * 60 + minutes) * 60 + seconds, count, rate, drop, text)


def counted(seconds: int, count: int, rate: Fraction, drop: bool, text: str) -> int:
    """The frames since 0 of a timecode of ``seconds`` and ``count`` frames, written as ``text``. Raises `InputError`."""
    if count >= base(rate):
        raise InputError(
            f"the timecode {text} counts frame {count}: at {shown_rate(rate)} frames per second, {base(rate) - 1} is the last"
        )
    whole = seconds * base(rate) + count
    if not drop:
        return whole
    skipped, minutes = dropped(rate), seconds // 60
    if count < skipped and seconds % 60 == 0 and minutes % 10:
        raise InputError(f"the timecode {text} does not exist: drop frame begins this minute at frame {skipped}")
    return whole - skipped * (minutes - minutes // 10)


def dropped(rate: Fraction) -> int:
    """How many numbers drop frame leaves out in a minute. Raises `InputError` for a rate without drop frame."""
    if rate not in DROPPED:
        raise InputError(f"drop frame needs 29.97 or 59.94 frames per second, not {shown_rate(rate)}")
    return DROPPED[rate]


def written(count: int, rate: Fraction, drop: bool, mark: str = ":") -> str:
    """The timecode of a frame; ``mark`` stands before its frames."""
    if drop:
        skipped, minute = dropped(rate), base(rate) * 60
        tens, rest = divmod(count, minute * 10 - skipped * 9)
        past = 0 if rest < minute else 1 + (rest - minute) // (minute - skipped)
        count += skipped * (tens * 9 + past)
    seconds, left = divmod(count, base(rate))
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02}:{minutes:02}:{seconds:02}{mark}{left:02}"


def shown_rate(rate: Fraction) -> str:
    """A rate for a sentence."""
    return f"{float(rate):.3f}".rstrip("0").rstrip(".")
