"""FCP 7 XML: rates, speeds, and definitions that other clips need."""

from __future__ import annotations

from fractions import Fraction as F
from pathlib import Path

import pytest

from vfi.core import InputError
from vfi.timeline.clip import NewMedia
from vfi.timeline.fcp7 import TICKS, Fcp7Timeline, read_fcp7

RATE = "<rate><timebase>24</timebase><ntsc>FALSE</ntsc></rate>"
NTSC = "<rate><timebase>24</timebase><ntsc>TRUE</ntsc></rate>"
FILE = f'<file id="f1"><name>a.mp4</name><pathurl>file://localhost/m/a%20b.mp4</pathurl>{RATE}<duration>200</duration></file>'


def read(items: str, rate: str = RATE, audio: str = "") -> Fcp7Timeline:
    video = f"<video><track>{items}</track></video>"
    media = f"<media>{video}<audio><track>{audio}</track></audio></media>"
    text = f'<xmeml version="5"><sequence id="s">{rate}{media}</sequence></xmeml>'
    return read_fcp7(text.encode(), "in.xml")


def item(inside: str, *, name: str = "c", file: str = FILE, times=(0, 24, 10, 34), rate: str = RATE) -> str:
    start, end, in_, out = times
    cut = f"<start>{start}</start><end>{end}</end><in>{in_}</in><out>{out}</out>"
    return f'<clipitem id="{name}"><name>{name}</name><duration>200</duration>{rate}{cut}{file}{inside}</clipitem>'


def remap(speed: str = "100", reverse: str = "FALSE", graph: tuple[tuple[int, int], ...] = (), more: str = "") -> str:
    keys = "".join(f"<keyframe><when>{when}</when><value>{value}</value></keyframe>" for when, value in graph)
    parts = {"speed": f"<value>{speed}</value>", "reverse": f"<value>{reverse}</value>", "graphdict": keys}
    inside = "".join(f"<parameter><parameterid>{name}</parameterid>{text}</parameter>" for name, text in parts.items() if text)
    return f"<filter>{more}<effect><effectid>timeremap</effectid>{inside}</effect></filter>"


def places(timeline: Fcp7Timeline, *frames: int) -> list[F]:
    return [timeline.clips[0].place(k) * 24 for k in frames]


def test_speeds_forwards_and_backwards():
    assert places(read(item(remap("50"))), 0, 1, 2) == [5, F(11, 2), 6]
    assert places(read(item(remap("200", "TRUE"))), 0, 1) == [179, 177]
    assert places(read(item(remap("-100"))), 0, 1) == [189, 188]
    assert places(read(item(remap("50", more="<enabled>FALSE</enabled>"))), 0, 1) == [10, 11]
    assert read(item("")).clips[0].media == "/m/a b.mp4"


def test_a_graph_counts_more_than_a_speed():
    timeline = read(item(remap("100", graph=((0, 0), (20, 40), (40, 50)))))
    assert places(timeline, 0, 10, 20, 40) == [20, 40, 45, 50]
    assert timeline.clips[0].notes == (
        "its ramp is read as straight lines between keyframes: for smooth ramps export FCPXML or OTIO instead",
    )


def test_ntsc_rates_are_exact_and_in_points_count_at_the_rate_of_the_sequence():
    timeline = read(item("", rate=NTSC), rate=NTSC)
    assert timeline.clips[0].rate == F(24000, 1001)
    assert timeline.clips[0].place(1) == F(11 * 1001, 24000)
    other = "<rate><timebase>50</timebase></rate>"
    clip = read(item("", rate=other)).clips[0]
    assert [clip.place(k) for k in (0, 1)] == [F(10, 24), F(11, 24)]


@pytest.mark.parametrize(
    ("items", "said", "missed"),
    [
        (item("", times=(-1, 24, 0, 24)), "stands beside a transition", True),
        (item("", times=(24, 24, 0, 24)), "the end must come after the start", True),
        (item("", times=("x", 24, 0, 24)), "its <start> is 'x': it must be a whole number of frames", True),
        (item("", file='<file id="f9"/>'), "its media has no path", True),
        (item("", file=""), "its media has no path", True),
        (item(remap() + remap()), "has several Time Remap filters", True),
        (item(remap("0")), "its speed is 0", True),
        (item(remap("fast")), "its <value> is 'fast': it must be a number", True),
        (item(remap(graph=((0, 0), (0, 10)))), "their times must increase", True),
        (item("<stillframe>TRUE</stillframe>"), "it is a still frame", False),
        (item("<sequence/>"), "it is a nested sequence", False),
        ('<generatoritem id="g"><name>g</name></generatoritem>', "it is a generator", False),
    ],
)
def test_what_is_not_conformed_is_named(items: str, said: str, missed: bool):
    timeline = read(items)
    assert not timeline.clips
    assert said in timeline.left[0].reason
    assert timeline.left[0].missed == missed


def test_a_sequence_without_a_rate_is_refused():
    with pytest.raises(InputError, match="line 1, has no frame rate"):
        read(item(""), rate="<rate><timebase>0</timebase></rate>")


def test_the_definition_of_a_file_moves_to_the_next_clip_that_needs_it():
    first = item(remap("50") + "<pproTicksIn>1</pproTicksIn><masterclipid>m1</masterclipid>", name="one")
    second = item(remap("50"), name="two", file='<file id="f1"/>')
    third = item("", name="three", file='<file id="f1"/>')
    timeline = read(first + second + third, audio=item("", name="sound", file='<file id="f1"/>'))
    new = {index: NewMedia(Path(f"/new/a & {index}.mov"), 48, 12, 64, 48) for index in (0, 1)}
    text = timeline.with_media(new).decode()
    starts = (text.index(f'<clipitem id="{name}"') for name in ("one", "two", "three"))
    one, two, three = (text[start:].partition("</clipitem>")[0] for start in starts)
    assert three.count(FILE) == text.count(FILE) == 1
    assert "timeremap" not in one + two
    assert "masterclipid" not in one
    assert f"<pproTicksIn>{TICKS // 2}</pproTicksIn>" in one
    assert "<in>12</in><out>36</out>" in one
    assert "<pathurl>file://localhost/new/a%20%26%201.mov</pathurl>" in two
    again = read_fcp7(text.encode(), "out")
    assert [clip.media for clip in again.clips] == ["/new/a & 0.mov", "/new/a & 1.mov", "/m/a b.mp4"]


def test_the_new_media_has_the_rate_of_the_sequence():
    timeline = read(item(remap("50"), rate="<rate><timebase>50</timebase></rate>"), rate=NTSC)
    text = timeline.with_media({0: NewMedia(Path("/new/a.mov"), 48, 12, 64, 48)}).decode()
    assert text.count(NTSC) == 3  # the sequence, the clip and its file
