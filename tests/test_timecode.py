"""Timecode of SMPTE 12M."""

from __future__ import annotations

from fractions import Fraction as F

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vfi import timecode
from vfi.core import InputError

NTSC, DOUBLE = F(30000, 1001), F(60000, 1001)


@pytest.mark.parametrize(
    ("text", "rate", "drop", "frame"),
    [
        ("00:00:01:00", F(24), False, 24),
        ("00:01:00:00", F(24000, 1001), False, 1440),
        ("01:00:00:12", F(25), False, 90012),
        ("01000012", F(25), False, 90012),
        ("00:00:59;29", NTSC, True, 1799),
        ("00:01:00;02", NTSC, True, 1800),
        ("00:10:00;00", NTSC, True, 17982),
        ("01:00:00;00", NTSC, True, 107892),
        ("00:01:00:00", NTSC, False, 1800),
        ("00:01:00;04", DOUBLE, True, 3600),
        ("00:01:00.02", NTSC, True, 1800),
    ],
)
def test_frames_are_counted(text: str, rate: F, drop: bool, frame: int):
    assert timecode.is_timecode(text)
    assert timecode.frames(text, rate, drop) == frame


@given(st.integers(0, 24 * 3600 * 50), st.sampled_from([F(24), F(25), F(24000, 1001), NTSC, DOUBLE, F(50)]), st.booleans())
def test_what_is_written_is_read(frame: int, rate: F, drop: bool):
    drop = drop and rate in timecode.DROPPED
    assert timecode.frames(timecode.written(frame, rate, drop, ";" if drop else ":"), rate, drop) == frame


@pytest.mark.parametrize(
    ("text", "rate", "drop", "message"),
    [
        ("00:00:09:24", F(24), False, "counts frame 24: at 24 frames per second, 23 is the last"),
        ("00:60:00:00", F(24), False, "more than 59 minutes"),
        ("00:00:60:00", F(24), False, "more than 59 minutes or seconds"),
        ("00:01:00;00", NTSC, True, "does not exist: drop frame begins this minute at frame 2"),
        ("00:01:00;10", F(25), True, "drop frame needs 29.97 or 59.94 frames per second, not 25"),
        ("1:2:3:4", F(25), False, "is no timecode"),
        ("٠٠:٠٠:٠٠:٠٠", F(25), False, "is no timecode"),
    ],
)
def test_impossible_timecode_is_refused(text: str, rate: F, drop: bool, message: str):
    with pytest.raises(InputError, match=message):
        timecode.frames(text, rate, drop)
