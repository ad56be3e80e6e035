"""OpenTimelineIO: read exactly, and edited in place."""

from __future__ import annotations

import json
import re
from fractions import Fraction as F
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vfi.core import InputError
from vfi.timeline.clip import NewMedia, TimelineClip
from vfi.timeline.otio import OtioTimeline, normal_rate, read_otio

DATA = Path(__file__).parent.parent / "data" / "timelines"
RATES = {"n24.mp4": F(24), "n50.mp4": F(50)}
NTSC = F(24000, 1001)


def new_media(clip: TimelineClip, index: int) -> NewMedia:
    return NewMedia(Path(f"/new/clip {index} é.mov"), clip.frames + 24, 12, 320, 180)


def remade(timeline: OtioTimeline, only: set[int] | None = None) -> bytes:
    chosen = set(range(len(timeline.clips))) if only is None else only
    return timeline.with_media({index: new_media(timeline.clips[index], index) for index in chosen})


def time(value: float, rate: float = 24.0) -> dict[str, Any]:
    return {"OTIO_SCHEMA": "RationalTime.1", "rate": rate, "value": value}


def span(start: float, duration: float, rate: float = 24.0) -> dict[str, Any]:
    return {"OTIO_SCHEMA": "TimeRange.1", "duration": time(duration, rate), "start_time": time(start, rate)}


def external(url: str = "file:///m/a.mov", available: Any = ...) -> dict[str, Any]:
    available = span(0, 200) if available is ... else available
    return {"OTIO_SCHEMA": "ExternalReference.1", "metadata": {"a": 1}, "available_range": available, "target_url": url}


def clip(*effects: dict[str, Any], **fields: Any) -> dict[str, Any]:
    given = {"name": "shot", "source_range": span(20, 24), "effects": list(effects), "markers": [], "enabled": True}
    media = {"media_references": {"DEFAULT_MEDIA": external()}, "active_media_reference_key": "DEFAULT_MEDIA"}
    return {"OTIO_SCHEMA": "Clip.2", **given, **media, **fields}


def warp(scalar: Any, **fields: Any) -> dict[str, Any]:
    return {"OTIO_SCHEMA": "LinearTimeWarp.1", "effect_name": "LinearTimeWarp", "time_scalar": scalar, **fields}


def timeline(*children: dict[str, Any], start: Any = None, **track: Any) -> bytes:
    inside = {"OTIO_SCHEMA": "Track.1", "name": "V1", "kind": "Video", "children": list(children), **track}
    stack = {"OTIO_SCHEMA": "Stack.1", "name": "tracks", "children": [inside]}
    return json.dumps(
        {"OTIO_SCHEMA": "Timeline.1", "name": "t", "global_start_time": start, "tracks": stack}, indent=2
    ).encode()


def read(*children: dict[str, Any], **fields: Any) -> OtioTimeline:
    return read_otio(timeline(*children, **fields), "t.otio")


def places(one: TimelineClip) -> list[F]:
    return [one.place(k) * one.rate for k in range(one.frames)]


def why(*children: dict[str, Any], **fields: Any) -> str:
    found = read(*children, **fields)
    assert not found.clips
    return found.left[0].reason


def test_every_frame_of_the_sample_shows_its_exact_instant():
    found = read_otio((DATA / "speeds.otio").read_bytes(), "speeds.otio")
    expected = json.loads((DATA / "speeds.otio.expected.json").read_text())
    assert not found.left
    for one, wanted in zip(found.clips, expected, strict=True):
        media = Path(one.media).name
        assert (media, str(one.rate), one.frames) == (wanted["media"], wanted["timeline_rate"], wanted["frames"])
        assert [one.place(k) * RATES[media] for k in range(one.frames)] == [F(text) for text in wanted["source_frame_of_each"]]


def test_a_straight_ramp_of_resolve_is_read_with_its_handles():
    one = read_otio((DATA / "resolve_ramp.otio").read_bytes(), "r.otio").clips[0]
    assert places(one) == [F(20 + k, 2) if k <= 28 else 24 + (k - 28) * F(3, 2) for k in range(48)]
    assert one.defined == (-20, 124)
    assert "ramp of Resolve" in one.notes[0]


@pytest.mark.parametrize("name", ["speeds.otio", "resolve_ramp.otio"])
def test_only_the_clip_that_changes_differs_and_a_second_time_nothing_does(name: str):
    data = (DATA / name).read_bytes()
    found = read_otio(data, name)
    assert found.with_media({}) == data
    for index, spot in enumerate(found._spots):
        out = remade(found, {index})
        rest = len(data) - spot.clip.end
        assert out[: spot.clip.begin] == data[: spot.clip.begin]
        assert out[-rest:] == data[-rest:]
        clips = [inside(document)[spot_of(document, index)] for document in (data, out)]
        for one in clips:
            del one["source_range"], one["effects"]
            del (
                one["media_references"]["DEFAULT_MEDIA"]["available_range"],
                one["media_references"]["DEFAULT_MEDIA"]["target_url"],
            )
        assert clips[0] == clips[1]
    out = remade(found)
    again = read_otio(out, name)
    assert remade(again) == out
    assert [places(one) for one in again.clips] == [[F(12 + k) for k in range(one.frames)] for one in found.clips]


def inside(document: bytes) -> list[dict[str, Any]]:
    return json.loads(document)["tracks"]["children"][0]["children"]


def spot_of(document: bytes, index: int) -> int:
    return [place for place, one in enumerate(inside(document)) if one["OTIO_SCHEMA"] == "Clip.2"][index]


@pytest.mark.parametrize("name", ["speeds.otio", "resolve_ramp.otio"])
def test_the_library_of_otio_reads_the_result(name: str, tmp_path: Path):
    otio = pytest.importorskip("opentimelineio")
    found = read_otio((DATA / name).read_bytes(), name)
    (tmp_path / name).write_bytes(remade(found))
    made = otio.adapters.read_from_file(str(tmp_path / name))
    before = otio.adapters.read_from_file(str(DATA / name))
    clips = list(made.find_clips())
    assert len(clips) == len(found.clips)
    for index, (one, wanted) in enumerate(zip(clips, found.clips, strict=True)):
        assert list(one.effects) == []
        assert (one.source_range.start_time.value, one.source_range.duration.value) == (12, wanted.frames)
        assert one.available_range().duration.value == wanted.frames + 24
        assert one.media_reference.target_url == f"file:///new/clip%20{index}%20%C3%A9.mov"
    assert [one.range_in_parent() for one in clips] == [one.range_in_parent() for one in before.find_clips()]
    assert made.duration() == before.duration()


@pytest.mark.parametrize(
    ("said", "rate"),
    [
        (23.976, NTSC), (23.98, NTSC), (23.976023976023978, NTSC), (23.976023976, NTSC), (29.97, F(30000, 1001)), (24.0, F(24)),
        (59.94, F(60000, 1001)), (25.0, F(25)), (12.5, F(25, 2)), (119.88, F(120000, 1001)), (47.952, F(48000, 1001)),
    ],
)  # fmt: skip
def test_rates_are_what_floats_stand_for(said: float, rate: F):
    assert normal_rate(said) == rate


def test_several_warps_multiply_and_disabled_ones_do_not_count_and_stay():
    found = read(clip(warp(0.5), warp(3.0, enabled=False), warp(1 / 3)))
    assert places(found.clips[0])[:3] == [20, 20 + F(1, 6), 20 + F(1, 3)]
    effects = json.loads(remade(found))["tracks"]["children"][0]["children"][0]["effects"]
    assert [effect["time_scalar"] for effect in effects] == [3.0]


@pytest.mark.parametrize(
    ("scalar", "speed"),
    [
        (0.3333333333333333, F(1, 3)),
        (0.333333, F(1, 3)),
        (1.1, F(11, 10)),
        (0, F(0)),
        (2, F(2)),
        (1.0005, F(1.0005)),
        (100.0, F(100)),
    ],
)
def test_a_scalar_is_the_fraction_that_it_stands_for_but_never_another(scalar: float, speed: F):
    one = read(clip(warp(scalar))).clips[0]
    assert places(one)[1] - places(one)[0] == speed


def test_a_reversed_clip_begins_with_the_end_of_its_range():  # OpenTimelineIO issue 1890
    one = read(clip(warp(-1.0))).clips[0]
    assert places(one) == list(range(43, 19, -1))
    assert "backwards" in one.notes[0]


def test_a_trimmed_warped_clip_starts_at_its_start():  # OpenTimelineIO issue 1464
    one = read(clip(warp(2.0), source_range=span(86400 + 177, 10))).clips[0]
    assert places(one)[:2] == [86577, 86579]


def test_the_start_of_the_media_counts():
    media = {"DEFAULT_MEDIA": external(available=span(86400, 200))}
    one = read(clip(source_range=span(86420, 24), media_references=media)).clips[0]
    assert places(one)[0] == 20
    assert not one.by_timecode


def test_without_an_available_range_a_late_start_is_timecode_and_an_early_one_is_not():
    media = {"DEFAULT_MEDIA": external("/Users/me/a.mov", available=None)}
    early, late = read(clip(media_references=media), clip(source_range=span(86420, 24), media_references=media)).clips
    assert (early.by_timecode, late.by_timecode) == (False, True)
    assert early.media == "/Users/me/a.mov"
    assert "timecode" in late.notes[0]


def test_without_a_source_range_all_of_the_media_is_used():
    found = read(clip(warp(0.5), source_range=None))
    assert (found.clips[0].frames, places(found.clips[0])[1]) == (200, F(1, 2))
    assert json.loads(remade(found))["tracks"]["children"][0]["children"][0]["source_range"]["duration"]["value"] == 200.0


def test_the_timeline_has_the_rate_of_its_start_if_a_clip_has_it():
    fast = clip(source_range=span(50, 50, 50.0))
    assert read(fast, clip(), start=time(86400)).clips[0].frames == 24
    assert read(fast, fast, clip()).rate == 50
    assert read(clip(), start=time(0, 1.0)).rate == 24


def test_ranges_of_ntsc_rates_meet_whole_frames():  # OpenTimelineIO issue 468
    one = read(clip(source_range=span(0, 48, 23.976)), start=time(0, 29.97)).clips[0]
    assert one.rate == NTSC
    both = read(clip(source_range=span(0, 48, 23.976)), clip(source_range=span(0, 30, 29.97)), start=time(0, 29.97))
    assert [one.frames for one in both.clips] == [60, 30]


def test_a_clip_of_broken_frames_is_left():
    assert "60.06 frames" in why(clip(source_range=span(0, 60.06)))


def test_clips_of_the_first_schema_have_one_reference():
    old = clip(OTIO_SCHEMA="Clip.1", media_reference=external())
    del old["media_references"], old["active_media_reference_key"]
    found = read(old)
    assert found.clips[0].media == "/m/a.mov"
    new = json.loads(remade(found))["tracks"]["children"][0]["children"][0]["media_reference"]
    assert (new["target_url"], new["metadata"]) == ("file:///new/clip%200%20%C3%A9.mov", {"a": 1})


def test_the_active_reference_is_used_and_changed():
    media = {"proxy": external("file:///m/p.mov"), "DEFAULT_MEDIA": external()}
    found = read(clip(media_references=media, active_media_reference_key="proxy"))
    assert found.clips[0].media == "/m/p.mov"
    new = json.loads(remade(found))["tracks"]["children"][0]["children"][0]["media_references"]
    assert (new["DEFAULT_MEDIA"], new["proxy"]["target_url"]) == (external(), "file:///new/clip%200%20%C3%A9.mov")


def images(**fields: Any) -> dict[str, Any]:
    names = {"target_url_base": "file:///m/a%20b/", "name_prefix": "f.", "name_suffix": ".exr", "metadata": {"k": [1, 2]}}
    given = {"start_frame": 1001, "frame_step": 1, "rate": 24.0, "frame_zero_padding": 4, "available_range": span(0, 200)}
    return {"OTIO_SCHEMA": "ImageSequenceReference.1", **names, **given, **fields}


def test_images_become_a_file_and_keep_their_metadata():
    found = read(clip(warp(0.5), media_references={"DEFAULT_MEDIA": images()}))
    one = found.clips[0]
    assert (one.media, one.media_rate) == ("/m/a b/f.%04d.exr", 24)
    new = json.loads(remade(found))["tracks"]["children"][0]["children"][0]["media_references"]["DEFAULT_MEDIA"]
    assert (new["OTIO_SCHEMA"], new["metadata"], new["available_range"]["duration"]["value"]) == (
        "ExternalReference.1",
        {"k": [1, 2]},
        48.0,
    )
    assert "start_frame" not in new


@pytest.mark.parametrize(
    ("fields", "media", "rate"), [({"frame_zero_padding": 0}, "f.%d.exr", 24), ({"frame_step": 2}, "f.%04d.exr", 12)]
)
def test_images_have_a_step_and_a_padding(fields: dict[str, Any], media: str, rate: int):
    one = read(clip(media_references={"DEFAULT_MEDIA": images(**fields)})).clips[0]
    assert (Path(one.media).name, one.media_rate) == (media, rate)


def test_markers_stay_on_their_picture():
    marker = {"OTIO_SCHEMA": "Marker.2", "name": "m", "marked_range": span(25, 0)}
    new = json.loads(remade(read(clip(markers=[marker]))))["tracks"]["children"][0]["children"][0]
    assert new["markers"][0]["marked_range"]["start_time"]["value"] == 25 - 20 + 12


STAY = [
    (clip(enabled=False), "is disabled"),
    (clip(media_references={"DEFAULT_MEDIA": {"OTIO_SCHEMA": "MissingReference.1"}}), "media is missing"),
    (clip(media_references={}), "media is missing"),
    (clip(active_media_reference_key="gone"), "media is missing"),
    (clip(media_references={"DEFAULT_MEDIA": {"OTIO_SCHEMA": "GeneratorReference.1"}}), "GeneratorReference"),
    (clip(media_references={"DEFAULT_MEDIA": external("")}), "no path"),
    ({"OTIO_SCHEMA": "Stack.1", "name": "inner", "children": [clip()]}, "nested"),
    ({"OTIO_SCHEMA": "Track.1", "name": "inner", "children": [clip()]}, "nested"),
    ({"OTIO_SCHEMA": "Mystery.1"}, "Mystery"),
    (clip({"OTIO_SCHEMA": "TimeEffect.1"}), "cannot|not one that can be read"),
    (clip({"OTIO_SCHEMA": "Effect.1", "effect_name": "Time Remap"}), "not one that can be read"),  # OpenTimelineIO issue 876
    (clip({"OTIO_SCHEMA": "TimeEffect.1"}, warp(0.5)), "several time effects"),
    (clip(warp(None)), "time_scalar is null|time_scalar is missing|time_scalar"),
    (clip(warp("fast")), 'time_scalar is "fast"'),
    (clip(source_range=span(0, -24)), "lasts -24 frames"),
    (clip(source_range=span(0, 0)), "lasts 0 frames"),
    (clip(source_range=span(0, 24, 0.0)), "rate is 0"),
    (clip(source_range={"OTIO_SCHEMA": "TimeRange.1"}), "no start_time and duration"),
    (clip(source_range=None, media_references={"DEFAULT_MEDIA": external(available=None)}), "neither"),
]  # fmt: skip


@pytest.mark.parametrize(("child", "reason"), STAY)
def test_what_is_no_plain_clip_is_named_and_left(child: dict[str, Any], reason: str):
    found = read(child, start=time(0))
    assert not found.clips
    assert len(found.left) == 1
    assert re.search(reason, found.left[0].reason)
    assert found.left[0].line == 18
    assert found.with_media({}) == timeline(child, start=time(0))


@pytest.mark.parametrize("word", ["NaN", "Infinity", "-Infinity", "1e999", "1e13"])
def test_times_that_are_no_numbers_leave_their_clip(word: str):
    for data in (timeline(clip(warp(77.0)), clip()), timeline(clip(source_range=span(77, 24)), clip())):
        found = read_otio(
            data.replace(b"77.0", word.encode())
            .replace(b": 77,", f": {word},".encode())
            .replace(b": 77\n", f": {word}\n".encode()),
            "t.otio",
        )
        assert len(found.clips) == 1
        assert "must be a number" in found.left[0].reason


BLEND = {"OTIO_SCHEMA": "Transition.1", "in_offset": time(6), "out_offset": time(6.5)}


def test_clips_beside_a_transition_have_the_handles_that_it_shows():
    found = read(clip(name="a"), BLEND, clip(name="b"), clip(name="c"))
    assert [(one.name, one.handles) for one in found.clips] == [("a", (0, 7)), ("b", (6, 0)), ("c", (0, 0))]


def test_titles_and_the_like_lack_no_frames():
    title = {"DEFAULT_MEDIA": {"OTIO_SCHEMA": "GeneratorReference.1"}}
    found = read(clip(media_references=title), clip(enabled=False))
    assert [one.missed for one in found.left] == [False, True]


GAP = {"OTIO_SCHEMA": "Gap.1", "source_range": span(0, 10)}
NESTED = {"OTIO_SCHEMA": "Stack.1", "name": "inner", "children": [{"OTIO_SCHEMA": "Track.1", "children": [clip(), GAP]}, GAP]}


def test_places_for_other_formats():
    data = timeline(clip(name="a"), BLEND, GAP, NESTED, clip(warp(0.5), name="b"), start=time(86400))
    composition = read_otio(data, "t.otio").composition
    assert (composition.name, composition.rate, composition.start) == ("t", 24, 86400)
    told = [(one.clip.name, one.begin, one.frames, one.index, one.media_frames, one.lost) for one in composition.placed]
    lost = "a transition beside it is not written"
    assert told == [("a", 0, 24, 0, 200, lost), ("inner", 34, 34, None, None, ""), ("b", 68, 24, 1, 200, "")]


@pytest.mark.parametrize(
    ("fields", "child", "reason"),
    [
        ({"source_range": span(0, 5)}, clip(), "one of its tracks is trimmed"),
        ({}, clip(source_range=span(0, 24.5)), "shot stands at broken frames"),
        ({}, {"OTIO_SCHEMA": "Stack.1", "name": "in", "children": [{"OTIO_SCHEMA": "Clip.2"}]}, "Clip has no range"),
    ],
)
def test_timelines_whose_places_are_not_whole_frames_are_only_edited(
    fields: dict[str, Any], child: dict[str, Any], reason: str
):
    found = read(child, clip(), start=time(0), **fields)
    assert found.with_media({}) == timeline(child, clip(), start=time(0), **fields)
    with pytest.raises(InputError, match=f"can only be written as .otio: .*{reason}"):
        found.composition  # noqa: B018


def test_tracks_that_are_disabled_warped_or_sound():
    assert why(clip(), enabled=False) == "its track is disabled"
    assert why(clip(), effects=[warp(0.5)]) == "its track has a time effect"
    found = read(clip(), kind="Audio", start=time(0))
    assert not found.clips
    assert not found.left


KEYS = [[0.0, 0.0, False, 0.0, 0.0, 0.0, 0.0], [2.0, 1.0, False, 0.0, 0.0, 0.0, 0.0], [6.0, 7.0, False, 0.0, 0.0, 0.0, 0.0]]


def ramp(keys: Any) -> dict[str, Any]:
    return clip({"OTIO_SCHEMA": "TimeEffect.1", "metadata": {"Resolve_OTIO": {"Key Frames": keys, "Speed Ratio": 0.5}}})


@pytest.mark.parametrize(
    ("keys", "reason"),
    [
        ([KEYS[0], [2.0, 1.0, True, -0.5, 0.0, 0.5, 0.0], KEYS[2]], "curves"),
        ([KEYS[0], KEYS[1], [2.0, 7.0, False]], "must increase"),
        ([KEYS[0], [1.0]], "keyframe 2 of its ramp has no two times"),
        ([KEYS[0], [1.0, 1e20]], "keyframe 2 of its ramp is out of range"),
        ([KEYS[0], "x"], "keyframe 2"),
        ([], "export FCPXML"),
    ],
)
def test_ramps_that_are_not_straight_lines_are_left(keys: Any, reason: str):
    assert reason in why(ramp(keys))


def test_tangents_of_the_outer_keyframes_of_a_ramp_do_not_count():  # measured by others in Resolve 21
    one = read(ramp([[0.0, 0.0, True, -1.0, 0.0, 0.5, 0.0], KEYS[1], [6.0, 7.0, True, -1.0, 0.0, 0.5, 0.0]])).clips[0]
    assert places(one)[0] == 10


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"PK\x03\x04", "unpack it, and give the content.otio"),
        (b"{}", "no timeline of OpenTimelineIO"),
        (b"[1]", "no timeline"),
        (b'{"OTIO_SCHEMA": "SerializableCollection.1"}', "a SerializableCollection: it must hold a Timeline"),
        (b'{"OTIO_SCHEMA": "Timeline.1", "tracks": null}', "no frame rate"),
        (b'{"OTIO_SCHEMA": "Timeline.1",\n}', "line 2, column 1"),
    ],
)
def test_files_that_are_no_timeline_are_refused(data: bytes, message: str):
    with pytest.raises(InputError, match=message):
        read_otio(data, "t.otio")


def test_an_empty_timeline_has_nothing_to_do():
    found = read(start=time(0))
    assert (found.clips, found.left) == ([], [])


def test_strings_that_stand_where_values_should_do_not_break_the_reader():
    odd = {
        "OTIO_SCHEMA": "Timeline.1",
        "global_start_time": "x",
        "tracks": {"children": [{"OTIO_SCHEMA": "Track.1", "children": "abc"}, 3, None]},
    }
    with pytest.raises(InputError, match="no frame rate"):
        read_otio(json.dumps(odd).encode(), "t.otio")
    odd["global_start_time"] = time(0)
    assert not read_otio(json.dumps(odd).encode(), "t.otio").clips


@given(
    st.sampled_from([24000 / 1001, 24.0, 25.0, 30000 / 1001, 50.0, 60000 / 1001]),
    st.integers(1, 5000),
    st.integers(0, 100_000),
    st.fractions(-20, 20, max_denominator=100),
)
def test_places_are_exact_whatever_rate_and_speed(rate: float, frames: int, start: int, speed: F):
    media = {"DEFAULT_MEDIA": external(available=span(0, 10**6, rate))}
    found = read(clip(warp(float(speed)), source_range=span(start, frames, rate), media_references=media))
    one = found.clips[0]
    first = start if speed >= 0 else start - (frames - 1) * speed
    for k in {0, 1, frames - 1}:
        assert one.place(k) * one.rate == first + k * speed
    again = read_otio(remade(found), "t.otio").clips[0]
    assert (again.frames, again.rate, again.place(0) * again.rate) == (frames, one.rate, 12)
