"""Positions as people write them."""

from __future__ import annotations

import time
from fractions import Fraction as F

import pytest

from vfi.core import InputError
from vfi.timing.positions import Position

NTSC, DOUBLE = F(30000, 1001), F(60000, 1001)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0), ("1.5", F(3, 2)), (".7", F(7, 10)), ("1.5s", F(3, 2)), (" 90 ", 90), ("01:30", 90), ("0:01:30.25", F(361, 4)),
        ("1:02:03", 3723), ("0.041708375", F(41708375, 10**9)),
    ],
)  # fmt: skip
def test_seconds_are_exact(text: str, seconds: F):
    assert (Position.parse(text).unit, Position.parse(text).number) == ("seconds", seconds)


def test_frames_are_counted():
    assert (Position.parse("48f").unit, Position.parse("48f").number) == ("frames", 48)


@pytest.mark.parametrize(
    ("text", "rate", "frame"),
    [
        ("00:00:01:00", F(24), 24),
        ("01:00:00:12", F(25), 90012),
        ("00:01:00:00", F(24000, 1001), 1440),
        ("00:01:00:00", NTSC, 1800),
        ("00:00:59;29", NTSC, 1799),
        ("00:01:00;02", NTSC, 1800),
        ("00:10:00;00", NTSC, 17982),
        ("01:00:00;00", NTSC, 107892),
        ("00:01:00;04", DOUBLE, 3600),
        ("01:00:00;00", DOUBLE, 215784),
    ],
)
def test_timecodes_name_frames(text: str, rate: F, frame: int):
    assert Position.parse(text).timecode_frame(rate) == frame


@pytest.mark.parametrize(
    ("text", "rate", "says"),
    [
        ("00:00:01:24", F(24), "counts frame 24: at 24 frames per second, 23 is the last"),
        ("00:01:00;01", NTSC, "does not exist: drop frame begins this minute at frame 2"),
        ("00:01:00;00", F(25), "drop frame needs 29.97 or 59.94 frames per second, not 25"),
    ],
)
def test_timecodes_that_cannot_be_say_so(text: str, rate: F, says: str):
    with pytest.raises(InputError, match=says):
        Position.parse(text).timecode_frame(rate)


@pytest.mark.parametrize(
    "text",
    ["", "x", "-1", "1,5", "1:2:3:4:5", "1e9", "5F", "f", ":30", "1:", "nan", "١٢", "9" * 40, "1." + "0" * 40, "0:" * 9999],
)
def test_other_texts_get_a_sentence_at_once(text: str):
    started = time.process_time()
    with pytest.raises(InputError, match="is not a position: give seconds"):
        Position.parse(text)
    assert time.process_time() - started < 1
