"""EDLs (CMX 3600): read exactly, and edited line by line."""

from __future__ import annotations

import json
from fractions import Fraction as F
from math import floor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vfi.core import InputError
from vfi.timecode import base
from vfi.timeline.clip import NewMedia, TimelineClip
from vfi.timeline.edl import EdlTimeline, by_lengths, narrowed, read_edl, without_hints

DATA = Path(__file__).parent.parent / "data" / "timelines"
NTSC = F(30000, 1001)


def read(text: str, rate: F | int = 24) -> EdlTimeline:
    return read_edl(text.encode(), "t.edl", F(rate))


def event(source: str = "00:00:01:00 00:00:02:00", record: str = "01:00:00:00 01:00:01:00", *more: str, **how: str) -> str:
    line = f"{how.get('number', '001')}  {how.get('reel', 'N24'):<8} {how.get('channel', 'V'):<5} {how.get('cut', 'C'):<8}"
    return "\n".join([f"{line} {source} {record}", *more, ""])


def new_media(clip: TimelineClip, index: int = 0) -> NewMedia:
    return NewMedia(Path(f"/new/clip {index} & co.mov"), clip.frames + 24, 12, 320, 180)


def remade(timeline: EdlTimeline) -> str:
    return timeline.with_media({index: new_media(clip, index) for index, clip in enumerate(timeline.clips)}).decode()


def places(clip: TimelineClip) -> list[F]:
    return [clip.place(k) * clip.rate for k in range(clip.frames)]


def test_every_frame_of_the_sample_shows_its_exact_instant():
    timeline = read_edl((DATA / "speeds.edl").read_bytes(), "speeds.edl", F(24))
    expected = json.loads((DATA / "speeds.edl.expected.json").read_text())
    assert not timeline.left
    for clip, wanted in zip(timeline.clips, expected, strict=True):
        assert (clip.media, str(clip.rate), clip.frames) == (wanted["media"], wanted["timeline_rate"], wanted["frames"])
        assert places(clip) == [F(text) for text in wanted["source_frame_of_each"]]
        assert clip.by_timecode
        assert not clip.sound


def test_an_edl_of_avid():
    timeline = read_edl((DATA / "speed_effects_small.edl").read_bytes(), "small.edl", F(24))
    assert not timeline.left
    told = [(clip.media, clip.frames, places(clip)[-1] - places(clip)[0]) for clip in timeline.clips]
    assert told[:4] == [("Z677_4C", 126, 125), ("Z682_156", 17, 0), ("Z682_157", 1, 0), ("Z682_157", 18, 17)]
    ramp = timeline.clips[4]
    assert places(ramp)[1] - places(ramp)[0] == F(4756, 2400)  # 47.6 in the M2 line, 47.56 in the name
    assert floor(places(ramp)[-1] - places(ramp)[0]) + 1 == 70  # the frames of its source


def test_the_result():
    timeline = read_edl((DATA / "speeds.edl").read_bytes(), "speeds.edl", F(24))
    assert remade(timeline) == SPEEDS


SPEEDS = """TITLE: SPEEDS
FCM: NON-DROP FRAME

001  AX       V     C        00:00:00:12 00:00:01:12 01:00:00:00 01:00:01:00
* FROM CLIP NAME:  clip 0 & co.mov
002  AX       V     C        00:00:00:12 00:00:02:12 01:00:01:00 01:00:03:00
* FROM CLIP NAME:  clip 1 & co.mov
003  AX       V     C        00:00:00:12 00:00:01:12 01:00:03:00 01:00:04:00
* FROM CLIP NAME:  clip 2 & co.mov
004  AX       V     C        00:00:00:12 00:00:01:12 01:00:04:00 01:00:05:00
* FROM CLIP NAME:  clip 3 & co.mov
005  AX       V     C        00:00:00:12 00:00:01:12 01:00:05:00 01:00:06:00
* FROM CLIP NAME:  clip 4 & co.mov
006  AX       V     C        00:00:00:12 00:00:00:22 01:00:06:00 01:00:06:10
* FROM CLIP NAME:  clip 5 & co.mov
"""


@pytest.mark.parametrize("name", ["speeds.edl", "speed_effects_small.edl"])
def test_only_the_event_that_changes_differs_and_a_second_time_nothing_does(name: str):
    data = (DATA / name).read_bytes()
    timeline = read_edl(data, name, F(24))
    assert timeline.with_media({}) == data
    lines = data.splitlines(keepends=True)
    starts = [clip.line - 1 for clip in timeline.clips if clip.line] + [len(lines)]
    for index, clip in enumerate(timeline.clips):
        out = timeline.with_media({index: new_media(clip)}).splitlines(keepends=True)
        assert out[: starts[index]] == lines[: starts[index]]
        tail = len(lines) - starts[index + 1]
        assert not tail or out[-tail:] == lines[-tail:]
    out = remade(timeline)
    again = read(out)
    assert remade(again) == out
    assert [places(clip) for clip in again.clips] == [[F(12 + k) for k in range(clip.frames)] for clip in timeline.clips]


@pytest.mark.parametrize("name", ["speeds.edl", "speed_effects_small.edl"])
def test_the_adapter_of_otio_reads_the_result(name: str, tmp_path: Path):
    otio = pytest.importorskip("opentimelineio")
    pytest.importorskip("otio_cmx3600_adapter")
    timeline = read_edl((DATA / name).read_bytes(), name, F(24))
    (tmp_path / name).write_text(remade(timeline))
    clips = list(otio.adapters.read_from_file(str(tmp_path / name), rate=24).find_clips())
    assert len(clips) == len(timeline.clips)
    for index, (clip, wanted) in enumerate(zip(clips, timeline.clips, strict=True)):
        assert list(clip.effects) == []
        assert (clip.source_range.start_time.value, clip.source_range.duration.value) == (12, wanted.frames)
        assert clip.name == f"clip {index} & co.mov"


def test_the_rate_is_never_guessed():
    with pytest.raises(InputError, match=r"does not tell its frame rate: give it by --fps"):
        read_edl(event().encode(), "t.edl", None)


@pytest.mark.parametrize("text", ["FCM: DROP FRAME\n" + event(), event(record="01:00:00;00 01:00:01;00")])
def test_drop_frame_needs_a_rate_that_has_it(text: str):
    for rate in (F(24), F(30), F(24000, 1001)):
        with pytest.raises(InputError, match=r"line [12]: drop frame needs 29\.97 or 59\.94.*--fps gives"):
            read(text, rate)
    assert read(text, NTSC).clips[0].frames == 30


def test_drop_frame_counts():
    text = event("00:01:00;02 00:01:10;02", "01:00:00;00 01:00:10;00")
    timeline = read(text, NTSC)
    assert (places(timeline.clips[0])[0], timeline.clips[0].frames) == (1800, 300)
    assert timeline.clips[0].place(0) == F(1800 * 1001, 30000)
    assert "AX       V     C        00:00:00;12 00:00:10;12 01:00:00;00 01:00:10;00" in remade(timeline)


def test_a_source_without_drop_frame_on_a_record_with_it():
    timeline = read("FCM: DROP FRAME\n" + event("00:01:00:00 00:01:10:00", "01:00:00;00 01:00:10;00"), NTSC)
    assert (places(timeline.clips[0])[0], timeline.clips[0].frames, timeline.clips[0].notes) == (1800, 300, ())
    assert "AX       V     C        00:00:00:12 00:00:10:12 01:00:00;00 01:00:10;00" in remade(timeline)


def test_without_marks_fcm_tells_drop_frame():
    text = event("00:01:00:02 00:01:10:02", "01:00:00:00 01:00:10:00")
    assert places(read("FCM: DROP FRAME\n" + text, NTSC).clips[0])[0] == 1800
    assert places(read("FCM: NON-DROP FRAME\n" + text, NTSC).clips[0])[0] == 1802


def test_a_frame_beyond_the_rate_tells_that_the_rate_is_wrong():
    with pytest.raises(InputError, match=r"^t\.edl, line 1: the timecode 00:00:01:24 counts frame 24.*\(--fps gives 24\)$"):
        read(event("00:00:01:24 00:00:02:24"))


def test_an_m2_entry_beyond_the_rate_too():
    with pytest.raises(InputError, match=r"line 2: the timecode 00:00:01:24"):
        read(event(source="00:00:01:00 00:00:02:00", record="01:00:00:00 01:00:02:00") + "M2   N24   012.0   00:00:01:24\n")


def speed_of(clip: TimelineClip) -> F:
    return places(clip)[1] - places(clip)[0]


def test_the_m2_of_resolve_counts_though_its_source_is_as_long_as_its_record():  # OpenTimelineIO issue 948
    clip = read(
        event("00:00:00:00 00:00:04:19", "01:00:00:00 01:00:04:19", "M2   AX             048.0                00:00:00:00")
    ).clips[0]
    assert speed_of(clip) == 2
    assert "source lasts 115 frames" in clip.notes[0]


def test_a_speed_of_110_percent_survives():  # OpenTimelineIO issue 1458
    text = (
        "TITLE: TEST_EDL\nFCM: NON-DROP FRAME\n000001 B113RPTW V C 00:32:02:06 00:32:06:19 01:34:53:09 01:34:57:13\n"
        "M2 B113RPTW 026.4 00:32:02:06"
    )
    timeline = read(text)
    assert speed_of(timeline.clips[0]) == F(11, 10)
    out = timeline.with_media({0: new_media(timeline.clips[0])}).decode()
    assert out.splitlines()[2:] == [
        "000001 AX       V C 00:00:00:12 00:00:04:16 01:34:53:09 01:34:57:13",
        "* FROM CLIP NAME: clip 0 & co.mov",
    ]


def test_reverse_at_100_percent_is_not_forward():
    clip = read(event(record="01:00:00:00 01:00:01:00") + "M2   N24           -024.0                00:00:01:23\n").clips[0]
    assert places(clip) == list(range(47, 23, -1))


@pytest.mark.parametrize("entry", ["", "00:00:01:00"])
def test_reverse_without_an_entry_begins_with_the_last_frame_of_its_source(entry: str):
    clip = read(event() + f"M2   N24           -024.0                {entry}\n").clips[0]
    assert places(clip) == list(range(47, 23, -1))
    assert "the last of its source is taken" in clip.notes[0]


def test_avid_gives_a_reversed_clip_the_frame_that_it_begins_with_as_its_source():
    text = event("19:20:54:01 19:20:54:02", "01:13:47:09 01:13:52:03", "M2      N24       -024.0 19:20:54:01")
    clip = read(text).clips[0]
    first = (19 * 3600 + 20 * 60 + 54) * 24 + 1
    assert (places(clip)[0], places(clip)[-1], clip.notes) == (first, first - 113, ())


@pytest.mark.parametrize(
    ("frames", "used", "speed"),
    [
        (49, 97, F(2)),
        (13, 25, F(2)),
        (24, 48, F(2)),
        (48, 24, F(1, 2)),
        (24, 72, F(3)),
        (1, 5, F(5)),
        (100, 100, F(1)),
        (47, 70, F(3, 2)),
    ],
)
def test_lengths_tell_a_simple_speed_as_avid_counts(frames: int, used: int, speed: F):
    assert by_lengths(frames, used) == speed


@given(st.integers(1, 2000), st.integers(1, 5000))
def test_a_speed_by_lengths_uses_as_many_frames_in_one_of_two_ways(frames: int, used: int):
    speed = by_lengths(frames, used)
    assert speed * frames == used or floor((frames - 1) * speed) + 1 == used


def test_a_freeze_by_its_comment_alone_or_by_its_speed_alone():
    assert set(places(read(event() + "* FREEZE FRAME\n").clips[0])) == {24}
    assert set(places(read(event() + "M2   N24   000.0   00:00:01:05\n").clips[0])) == {29}


def test_without_m2_unequal_lengths_are_the_speed_and_it_is_told():
    clip = read(event("00:00:01:00 00:00:04:00")).clips[0]
    assert speed_of(clip) == 3
    assert "no M2 line: its speed, 300 %" in clip.notes[0]


def test_a_rounded_speed_is_narrowed_by_its_source_and_the_doubt_is_told():
    record = "01:00:00:00 01:01:40:00"  # 2400 frames
    clip = read(event("00:00:00:00 00:00:33:08", record, "M2   N24   008.0   00:00:00:00")).clips[0]
    assert (speed_of(clip), clip.notes) == (F(1, 3), ())
    clip = read(event("00:00:00:00 00:00:33:12", record, "M2   N24   008.0   00:00:00:00")).clips[0]
    assert F(803, 2399) <= speed_of(clip) < F(804, 2399)
    assert "its last frame may be 0.5 frames off" in clip.notes[0]
    clip = read(event("00:00:00:00 00:01:40:00", record, "M2   N24   008.0   00:00:00:00")).clips[0]
    assert speed_of(clip) == F(1, 3)
    assert "its last frame may be 5.0 frames off" in clip.notes[1]


@given(st.integers(2, 3000), st.fractions(F(1, 20), 20, max_denominator=2000), st.sampled_from([F(24), F(25), NTSC]))
def test_a_narrowed_speed_rounds_to_what_was_said_and_uses_as_many_frames(frames: int, speed: F, rate: F):
    said = F(round(speed * base(rate) * 10), 10 * base(rate))
    used = floor((frames - 1) * speed) + 1
    notes: list[str] = []
    found = narrowed(said, 1, frames, used, rate, notes)
    assert abs(found - said) <= F(1, 20 * base(rate))
    assert floor((frames - 1) * found) + 1 == used or found * frames == used
    assert abs(found - speed) * (frames - 1) <= 1 or any("off" in note for note in notes)


ODD = """\ufeffTITLE:\tA
fcm: non-drop frame

>>> SOURCE X 1
 0001   A B.C   aa/v   c   00:00:01:00  00:00:02:00\t01:00:00:00   01:00:02:00  '
* ASC_SOP (1 1 1)(0 0 0)(1 1 1)
M2   A B.C   012.0   00:00:01:00
*from clip name : Ä.mov
* MY COMMENT
SPLIT: AUDIO DELAY= 00:00:00:05
"""


def test_columns_line_ends_marks_comments_and_unknown_lines_stay():
    text = ODD.replace("'", "").replace("\n", "\r\n")
    timeline = read_edl(text.encode(), "t.edl", F(24))
    clip = timeline.clips[0]
    assert (clip.name, clip.media, clip.sound, speed_of(clip)) == ("Ä.mov", "Ä.mov", True, F(1, 2))
    wanted = text.replace("A B.C   aa", "AX      aa").replace("M2   A B.C   012.0   00:00:01:00\r\n", "")
    wanted = wanted.replace("00:00:01:00  00:00:02:00", "00:00:00:12  00:00:02:12").replace("Ä.mov", "clip 0 & co.mov")
    assert remade(timeline) == wanted


@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "latin-1", "utf-16"])
def test_any_encoding_and_line_end_stays(ending: str, encoding: str):
    text = ("TITLE: Ä\n" + event() + "M2   N24   048.0   00:00:01:00\n* FROM CLIP NAME: ä.mov\n").replace("\n", ending)
    timeline = read_edl(text.encode(encoding), "t.edl", F(24))
    assert timeline.clips[0].media == "ä.mov"
    assert timeline.with_media({}) == text.encode(encoding)
    out = timeline.with_media({0: NewMedia(Path("/n/ö.mov"), 48, 12, 1, 1)}).decode(encoding)
    assert out == ("TITLE: Ä\n" + event("00:00:00:12 00:00:01:12", reel="AX") + "* FROM CLIP NAME: ö.mov\n").replace(
        "\n", ending
    )


def test_a_name_that_latin_1_cannot_hold_is_refused():
    timeline = read_edl(("TITLE: Ä\n" + event()).encode("latin-1"), "t.edl", F(24))
    with pytest.raises(InputError, match="Latin-1"):
        timeline.with_media({0: NewMedia(Path("/n/日.mov"), 48, 12, 1, 1)})


def test_an_event_at_the_end_without_a_line_end_gets_its_name():
    out = remade(read(event().rstrip("\n")))
    assert out == event("00:00:00:12 00:00:01:12", reel="AX").rstrip("\n") + "\n* FROM CLIP NAME: clip 0 & co.mov"


@pytest.mark.parametrize(
    ("comments", "media"),
    [
        ("* FROM CLIP NAME: a.mov\n* SOURCE FILE: b.mxf\n", "b.mxf"),
        ("* FROM CLIP NAME: a.mov\n* SOURCE FILE: A001C002\n", "a.mov"),
        ("* FROM CLIP NAME: shot 1\n* SOURCE FILE: A001C002\n", "A001C002"),
        ("* FROM CLIP NAME: shot 1\n", "shot 1"),
        ("* FROM CLIP NAME: shot 1\n* FROM CLIP: S:\\v\\a.mov\n", "S:/v/a.mov"),
        ("* FROM FILE: /v/x.0001.exr\n", "/v/x.0001.exr"),
        ("* FROM CLIP NAME: a.mov FF\n", "a.mov"),
        ("", "N24"),
    ],
)
def test_media_is_the_first_name_of_a_file(comments: str, media: str):
    assert read(event() + comments).clips[0].media == media


def test_paths_in_comments_point_to_the_new_media():
    out = remade(read(event() + "M2 N24 012.0\n* FROM CLIP NAME: a.mov\n* FROM CLIP: S:\\v\\a.mov\n*SOURCE FILE: A001\n"))
    assert out.splitlines()[1:] == [
        "* FROM CLIP NAME: clip 0 & co.mov",
        "* FROM CLIP: /new/clip 0 & co.mov",
        "*SOURCE FILE: clip 0 & co.mov",
    ]


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("Z677_4C (ANIM10)", "Z677_4C"), ("Z682_156 (LAY3) FF ", "Z682_156"), ("Z686_5A (LAY2) (47.56 FPS)", "Z686_5A"),
        ("shot (1).mov", "shot (1).mov"), ("a (copy 2)", "a (copy 2)"), ("FF", "FF"), ("(LAY2)", "(LAY2)"), ("a  b FF", "a  b"),
        ("", ""),
        ("x " * 10_000 + "FF", ("x " * 10_000).strip()),
    ],
)  # fmt: skip
def test_hints_of_avid_are_no_part_of_a_name(name: str, wanted: str):
    assert without_hints(name) == wanted


def test_timecode_of_fast_rates_has_three_digits_of_frames():
    out = remade(read(event("00:00:01:000 00:00:02:000", "01:00:00:000 01:00:02:000"), 120))
    assert out.startswith("001  AX       V     C        00:00:00:012 00:00:02:012 01:00:00:000 01:00:02:000\n")


def test_a_compact_timecode_stays_compact():
    timeline = read(event("00000100 00000200", "01000000 01000100"))
    assert (places(timeline.clips[0])[0], timeline.clips[0].frames) == (24, 24)
    assert remade(timeline).startswith("001  AX       V     C        00000012 00000112 01000000 01000100\n")


def test_frame_numbers_instead_of_timecode():  # OpenTimelineIO pull request 210
    text = "1 CLPA V C     113 170 0  57\n2 CLPA V C     170 170 57 57\n"
    text += "2 CLPB V D 027 162 189 57 84\n3 CLPB V C     189 381 84 276\n"
    timeline = read(text)
    assert [(clip.name, places(clip)[0]) for clip in timeline.clips] == [("CLPB", 189)]
    assert [(left.name, left.reason) for left in timeline.left] == [
        ("CLPA", "it stands before a transition"),
        ("CLPB", "it is a dissolve"),
    ]
    assert "3 AX   V C     12 204 84 276\n* FROM CLIP NAME" in remade(timeline)


DISSOLVE = """001  ABC0100 V     C        01:00:00:00 01:00:01:00 01:00:00:00 01:00:01:00
* FROM CLIP NAME: shot_001_v001
002  ABC0100 V     C        01:00:01:00 01:00:01:00 01:00:01:00 01:00:01:00
002  ABC0200 V     D    024 01:00:01:00 01:00:02:00 01:00:01:00 01:00:02:00
* FROM CLIP NAME: shot_001_v001
* TO CLIP NAME: shot_002_v001
003  ABC0300 V     C        00:00:05:00 00:00:15:00 01:00:02:00 01:00:12:00
* FROM CLIP NAME: shot_003_v001
"""


def test_a_dissolve_and_what_it_dissolves_from_are_left():  # OpenTimelineIO issues 895 and 1328
    timeline = read(DISSOLVE)
    assert [clip.name for clip in timeline.clips] == ["shot_003_v001"]
    assert [(left.line, left.reason) for left in timeline.left] == [
        (1, "it stands before a transition"),
        (4, "it is a dissolve"),
    ]


@pytest.mark.parametrize(
    ("cut", "kind"),
    [
        ("D    024", "a dissolve"),
        ("W001 024", "a wipe"),
        ("K B", "a key"),
        ("K B  010", "a key"),
        ("KB", "a key"),
        ("K", "a key"),
    ],
)
def test_kinds_of_transitions(cut: str, kind: str):
    timeline = read(event(cut=cut))
    assert not timeline.clips
    assert timeline.left[0].reason == f"it is {kind}"


@pytest.mark.parametrize(
    ("channel", "sound"),
    [("V", False), ("V2", False), ("V1", False), ("B", True), ("AA/V", True), ("A2/V", True), ("VA12", True), ("v", False)],
)
def test_channels_with_video(channel: str, sound: bool):
    assert [clip.sound for clip in read(event(channel=channel)).clips] == [sound]


@pytest.mark.parametrize("channel", ["A", "AA", "A2", "NONE", "A3A4"])
def test_channels_without_video_are_no_clips(channel: str):
    timeline = read("TITLE: x\n" + event(channel=channel))
    assert (timeline.clips, timeline.left) == ([], [])


def test_black_is_no_clip():
    assert read(event(reel="BL")).left == read(event(reel="BL")).clips == []


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (event(record="01:00:01:00 01:00:00:00"), "record out is before its record in"),
        (event("00:00:02:00 00:00:01:00"), "source out is before its source in"),
        (event("00:00:02:00 00:00:02:00"), "source lasts no frame"),
        (event() + "M2   N24   fast   00:00:01:00\n", "no speed in frames per second"),
        (event() + "M2   N24   nan   00:00:01:00\n", "no speed in frames per second"),
        (event() + "M2\tN24\n", "no speed in frames per second"),
        (event() + "M2 N24 012.0\nM2 N24 048.0\n", "several M2 lines"),
        (event() + "M2 N24 012.0\n* FREEZE FRAME\n", "a freeze frame and an M2 line"),
        ("TITLE: x\n001  N24  V  C  00:00:01:00 00:00:02:00 01:00:00:00\n", "not written as CMX 3600"),
        ("TITLE: x\n001  N24  V  Q  00:00:01:00 00:00:02:00 01:00:00:00 01:00:01:00\n", "not written as CMX 3600"),
        ("TITLE: x\n001  N24  V  C  00:00:01:00 00:00:02:00 1 24\n", "not written as CMX 3600"),
    ],
)
def test_events_that_cannot_be_read_are_named_and_left(text: str, reason: str):
    timeline = read(text)
    assert not timeline.clips
    assert reason in timeline.left[0].reason
    assert timeline.with_media({}) == text.encode()


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"hello\nworld", "no events of CMX 3600"),
        (b"\x00\x01TITLE", "is no text"),
        (b"\xef\xbb\xbf\xff", "not utf-8, as it says, at byte 0"),
    ],
)
def test_files_that_are_no_edl_are_refused(data: bytes, message: str):
    with pytest.raises(InputError, match=message):
        read_edl(data, "t.edl", F(24))


@pytest.mark.parametrize("data", [b"", b"TITLE: empty\r\n", b"\n\n"])
def test_an_empty_edl_has_nothing_to_do(data: bytes):
    timeline = read_edl(data, "t.edl", F(24))
    assert (timeline.clips, timeline.left, timeline.with_media({})) == ([], [], data)


def test_a_speed_of_ten_thousand_percent():
    clip = read(event("00:00:00:00 00:01:40:00") + "M2   N24  2400.0   00:00:00:00\n").clips[0]
    assert speed_of(clip) == 100


def test_sound_of_the_same_number_shares_comments_but_keeps_its_own():
    text = event(channel="V") + event(channel="A") + "M2   N24   012.0   00:00:01:00\n* FROM CLIP NAME: a.mov\n"
    timeline = read(text.replace("01:00:01:00", "01:00:02:00"))
    assert (timeline.clips[0].name, speed_of(timeline.clips[0])) == ("a.mov", F(1, 2))
    out = remade(timeline).splitlines()
    assert out[1] == "* FROM CLIP NAME: clip 0 & co.mov"
    assert out[2].startswith("001  N24      A")
    assert out[3:] == ["* FROM CLIP NAME: a.mov"]


def test_numbers_of_events_beyond_999():
    text = "".join(event(number=f"{n:06}") + "* FROM CLIP NAME: a.mov\n" for n in range(2_000))
    timeline = read(text)
    assert len(timeline.clips) == 2_000
    assert len(remade(timeline).splitlines()) == 4_000


def test_ntsc_material_without_drop_frame():
    clip = read(event("01:00:00:00 01:00:01:00"), F(24000, 1001)).clips[0]
    assert clip.place(0) == F(86400 * 1001, 24000)
