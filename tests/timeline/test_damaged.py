"""Timelines with damage: they are read, or refused in a sentence, and what is written can be read again."""

from __future__ import annotations

import random
from fractions import Fraction as F
from pathlib import Path

import pytest

from vfi.core import InputError
from vfi.timeline.clip import NewMedia, Timeline
from vfi.timeline.compose import written_as
from vfi.timeline.edl import read_edl
from vfi.timeline.json_spans import Json, Value
from vfi.timeline.otio import read_otio

DATA = Path(__file__).parent.parent / "data" / "timelines"

JUNK = (
    *(
        "null",
        "true",
        '""',
        '"x"',
        "[]",
        "{}",
        "0",
        "-1",
        "1e308",
        "1e400",
        "NaN",
        "-Infinity",
        "[1,[2]]",
        '{"a":{"b":[]}}',
        "24",
    ),
    *(
        '"RationalTime.1"',
        "99999999999999999999",
        "0.1",
        '{"OTIO_SCHEMA":"Clip.2"}',
        '"TimeEffect.1"',
        '"ImageSequenceReference.1"',
    ),
    *('"Stack.1"', '"Transition.1"', '"\\ud800"', '"a\\u0000b"', "1e-9"),
)
LETTERS = ":;.0123456789CDWKVAB*- \n\t\r\x0b\x85é\u2028N"
PIECES = ("M2 ", "* FREEZE FRAME\n", "FCM: DROP FRAME\n", "001 ", "-", "\n", "00:00:00:00 ", "* FROM CLIP NAME: x", "9" * 30)


def all_values(value: Value) -> list[Value]:
    inside = [*value.members.values(), *value.items]
    return [value, *(one for other in inside for one in all_values(other))]


def remade(timeline: Timeline) -> bytes:
    for clip in timeline.clips:
        assert clip.place(0) is not None
        assert clip.defined is not None
    return timeline.with_media({k: NewMedia(Path("/x/a.mov"), c.frames + 24, 12, 1, 1) for k, c in enumerate(timeline.clips)})


def begins_anew(timeline: Timeline, again: Timeline) -> None:
    """Every clip that got new media shows it from its frame 12 on, as long as before."""
    wanted = [(clip.frames, 12, 13) for clip in timeline.clips]
    assert [(clip.frames, clip.place(0) * clip.rate, clip.place(1) * clip.rate) for clip in again.clips] == wanted


@pytest.mark.parametrize("name", ["speeds.otio", "resolve_ramp.otio"])
@pytest.mark.parametrize("seed", range(60))
def test_otio_with_odd_values(name: str, seed: int):
    dice, text = random.Random(seed), (DATA / name).read_text()
    edge = len(text)
    for value in sorted(
        dice.sample(all_values(Json(text.encode(), name).root), dice.randint(1, 3)), key=lambda value: -value.begin
    ):
        if value.end <= edge:
            text, edge = text[: value.begin] + dice.choice(JUNK) + text[value.end :], value.begin
    try:
        timeline = read_otio(text.encode(), name)
    except InputError:
        return
    assert timeline.with_media({}) == text.encode()
    begins_anew(timeline, read_otio(remade(timeline), name))
    try:
        composition = timeline.composition
    except InputError:
        return
    for ending in (".otio", ".edl", ".xml"):
        assert written_as(composition, {}, ending, name)


@pytest.mark.parametrize("name", ["speeds.edl", "speed_effects_small.edl"])
@pytest.mark.parametrize("seed", range(60))
def test_edls_with_odd_letters(name: str, seed: int):
    dice, text = random.Random(seed), (DATA / name).read_text()
    for _ in range(dice.choice([1, 2, 5, 20])):
        at = dice.randrange(len(text))
        new, cut = dice.choice([(dice.choice(LETTERS), 1), ("", 1), ("", 3), ("", 30), (dice.choice(PIECES), 0)])
        text = text[:at] + new + text[at + cut :]
    for rate in (F(24), F(30000, 1001)):
        try:
            timeline = read_edl(text.encode(), name, rate)
        except InputError:
            continue
        assert timeline.with_media({}) == text.encode()
        begins_anew(timeline, read_edl(remade(timeline), name, rate))
