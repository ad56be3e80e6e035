"""Timelines that are written afresh, read back by our own readers."""

from __future__ import annotations

import json
from fractions import Fraction as F
from pathlib import Path
from xml.dom import minidom

import pytest

from vfi.core import InputError
from vfi.timeline.clip import Left, NewMedia, TimelineClip
from vfi.timeline.compose import Composition, Placed, written_as
from vfi.timeline.edl import read_edl
from vfi.timeline.maps import Cubics, Polyline, Speed, TimeMap
from vfi.timeline.otio import read_otio

NTSC = F(30000, 1001)


def clip(time_map: TimeMap, media: str = "/m/a b.mov", rate: F = F(24), **fields: object) -> TimelineClip:
    given = {"name": "a <b> & --c", "media": media, "rate": rate, "frames": 10, "map": time_map, "media_rate": rate}
    return TimelineClip(**{**given, **fields})  # type: ignore[arg-type]


def composed(*clips: TimelineClip | Left, rate: F = F(24), start: int = 86400, drop: bool = False, gap: int = 5) -> Composition:
    placed = [
        Placed(one, 0, gap + index * (10 + gap), 10, None if isinstance(one, Left) else index, 500)
        for index, one in enumerate(clips)
    ]
    return Composition("t & <u>", rate, start, drop, placed)


MAPS: list[TimeMap] = [
    Speed(F(1), F(2)), Speed(F(1, 3), F(2)), Speed(F(0), F(2)), Speed(F(-2), F(3)), Speed(F(57, 40), F(2)),
    Polyline(((F(0), F(2)), (F(4, 24), F(2) + F(2, 24)), (F(1), F(4)))),
    Cubics((F(0), F(1)), ((F(2), F(1), F(1, 3), F(-1, 3)),), F(3)),
]  # fmt: skip


@pytest.mark.parametrize("time_map", MAPS)
@pytest.mark.parametrize("origin", [F(0), F(1)])
def test_otio_keeps_every_map(time_map: TimeMap, origin: F):
    one = clip(time_map, origin=origin)
    found = read_otio(written_as(composed(one), {}, ".otio", "x.aaf"), "o").clips[0]
    assert (found.media, found.frames, found.rate) == (one.media, 10, 24)
    for k in range(10):
        assert abs(found.place(k) - one.place(k)) < F(1, 10**6)
        assert isinstance(time_map, Cubics) or found.place(k) == one.place(k)


@pytest.mark.parametrize("time_map", MAPS[:5])
def test_an_edl_keeps_speeds_that_an_m2_line_can_say(time_map: Speed):
    found = read_edl(written_as(composed(clip(time_map)), {}, ".edl", "x.aaf"), "e", F(24)).clips[0]
    assert (found.media, found.frames) == ("a b.mov", 10)
    assert [found.place(k) for k in range(10)] == [time_map.at(F(k, 24)) for k in range(10)]


def test_an_edl_says_what_it_cannot_keep():
    text = written_as(composed(clip(MAPS[5]), clip(Speed(F(1, 2), F(1, 50)))), {}, ".edl", "x.aaf").decode()
    assert "* COMMENT: an EDL holds no ramp: it plays at 100 %" in text
    assert "* COMMENT: it begins within a frame of its media: its source in is rounded down" in text


def test_an_edl_of_drop_frame():
    composition = composed(clip(Speed(F(1), F(1800 * 1001, 30000)), rate=NTSC), rate=NTSC, start=1800, drop=True, gap=0)
    text = written_as(composition, {}, ".edl", "x.aaf").decode()
    assert text.splitlines()[1] == "FCM: DROP FRAME"
    assert text.splitlines()[3] == "001  AB       V     C        00:01:00;02 00:01:00;12 00:01:00;02 00:01:00;12"
    assert read_edl(text.encode(), "e", NTSC).clips[0].place(0) == F(1800 * 1001, 30000)


def test_new_media_on_two_tracks_and_clips_that_are_left():
    left = Left("gone -- away", "its media is missing")
    placed = [Placed(clip(Speed(F(1, 2))), 0, 0, 10, 0), Placed(left, 0, 10, 10), Placed(clip(Speed(F(2))), 1, 5, 10, 1)]
    composition = Composition("t", F(24), 0, False, placed)
    new = {index: NewMedia(Path(f"/new/n{index} é.mov"), 34, 12, 320, 180) for index in (0, 1)}
    edl = written_as(composition, new, ".EDL", "x.aaf").decode()
    assert edl.splitlines()[3:] == [
        "001  AX       V     C        00:00:00:12 00:00:00:22 00:00:00:00 00:00:00:10",
        "* FROM CLIP NAME: n0 é.mov",
        "002  AX       V2    C        00:00:00:12 00:00:00:22 00:00:00:05 00:00:00:15",
        "* FROM CLIP NAME: n1 é.mov",
        "003  BL       V     C        00:00:00:00 00:00:00:10 00:00:00:10 00:00:00:20",
        "* FROM CLIP NAME: gone -- away",
        "* COMMENT: its media is missing",
    ]
    otio = read_otio(written_as(composition, new, ".otio", "x.aaf"), "o")
    assert [(one.media, one.frames, one.place(0) * 24) for one in otio.clips] == [(f"/new/n{k} é.mov", 10, 12) for k in (0, 1)]
    assert [one.name for one in otio.left] == ["gone -- away"]
    whole = json.loads(written_as(composition, new, ".otio", "x.aaf"))
    second = whole["tracks"]["children"][1]["children"]
    assert [(item["OTIO_SCHEMA"], item["source_range"]["duration"]["value"]) for item in second] == [
        ("Gap.1", 5.0),
        ("Clip.2", 10.0),
    ]
    assert whole["tracks"]["children"][0]["children"][1]["metadata"] == {"inbetween": {"left": "its media is missing"}}
    xml = minidom.parseString(written_as(composition, new, ".xml", "x.aaf"))
    items = xml.getElementsByTagName("clipitem")
    assert [item.getElementsByTagName("start")[0].firstChild.data for item in items] == ["0", "5"]  # type: ignore[union-attr]
    comments = [node.data for node in xml.getElementsByTagName("track")[0].childNodes if node.nodeType == node.COMMENT_NODE]
    assert comments == [" gone ‐‐ away: its media is missing "]


def graph(text: bytes) -> list[tuple[F, F]]:
    keys = minidom.parseString(text).getElementsByTagName("keyframe")
    told = [[F(key.getElementsByTagName(tag)[0].firstChild.data) for tag in ("when", "value")] for key in keys]  # type: ignore[union-attr]
    return [(when, value) for when, value in told]


@pytest.mark.parametrize("time_map", MAPS[1:])
def test_fcp_7_xml_keeps_every_map_in_its_graph(time_map: TimeMap):
    one = clip(time_map, origin=F(1))
    line = Polyline(tuple(graph(written_as(composed(one), {}, ".xml", "x.aaf"))))
    for k in range(10):
        assert abs(line.at(F(k)) - one.place(k) * 24) < F(1, 10**9)


def test_fcp_7_xml_names_files_once_and_escapes():
    text = written_as(composed(clip(Speed(F(1), F(2))), clip(Speed(F(1), F(3)))), {}, ".xml", "x.aaf")
    read = minidom.parseString(text)
    assert text.count(b"<pathurl>file:///m/a%20b.mov</pathurl>") == 1
    assert [item.getElementsByTagName("in")[0].firstChild.data for item in read.getElementsByTagName("clipitem")] == [
        "48",
        "72",
    ]  # type: ignore[union-attr]
    assert read.getElementsByTagName("name")[1].firstChild.data == "a <b> & --c"  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("path", "url"),
    [("//VSD/T/a b.mxf", "file://VSD/T/a%20b.mxf"), ("C:/v/ä.mov", "file:///C:/v/%C3%A4.mov"), ("reel 1", "reel 1")],
)
def test_paths_of_old_media_become_urls_again(path: str, url: str):
    data = written_as(composed(clip(Speed(F(1)), media=path)), {}, ".otio", "x.aaf")
    reference = json.loads(data)["tracks"]["children"][0]["children"][1]["media_references"]["DEFAULT_MEDIA"]
    assert reference["target_url"] == url
    assert read_otio(data, "o").clips[0].media == path


@pytest.mark.parametrize("ending", [".aaf", ".fcpxml", ""])
def test_other_endings_are_refused(ending: str):
    with pytest.raises(InputError, match=r"^x\.aaf can be written as \.otio, \.edl, \.xml, not as "):
        written_as(composed(), {}, ending, "x.aaf")


@pytest.mark.parametrize("ending", [".otio", ".edl", ".xml"])
def test_an_empty_timeline_is_written(ending: str):
    assert written_as(composed(), {}, ending, "x.aaf")
