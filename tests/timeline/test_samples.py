"""Timelines as editors write them: every frame of every clip shows the exact instant that was worked out for it."""

from __future__ import annotations

import json
from difflib import SequenceMatcher
from fractions import Fraction as F
from pathlib import Path

import pytest

from vfi.timeline.clip import NewMedia, Timeline, TimelineClip
from vfi.timeline.open import read_timeline

DATA = Path(__file__).parent.parent / "data" / "timelines"
RATES = {"n24.mp4": F(24), "n50.mp4": F(50)}
SAMPLES = ("ramp.fcpxml", "remap.xml", "shots.mlt")


def opened(name: str) -> Timeline:
    return read_timeline(DATA / name)[1]


def new_media(clip: TimelineClip, index: int) -> NewMedia:
    return NewMedia(Path(f"/new/clip {index} & co.mov"), clip.frames + 24, 12, 320, 180)


@pytest.mark.parametrize("name", SAMPLES)
def test_every_frame_shows_its_exact_instant(name: str):
    timeline, expected = opened(name), json.loads((DATA / f"{name}.expected.json").read_text())
    assert not timeline.left
    assert len(timeline.clips) == len(expected)
    for clip, wanted in zip(timeline.clips, expected, strict=True):
        media = Path(clip.media).name
        assert (media, str(clip.rate), clip.frames) == (wanted["media"], wanted["timeline_rate"], wanted["frames"])
        shown = [clip.place(k) * RATES[media] for k in range(clip.frames)]
        assert shown == [F(text) for text in wanted["source_frame_of_each"]], clip.name


@pytest.mark.parametrize("name", SAMPLES)
def test_new_media_is_shown_frame_after_frame_and_reading_it_again_changes_nothing(name: str, tmp_path: Path):
    timeline = opened(name)
    new = {index: new_media(clip, index) for index, clip in enumerate(timeline.clips)}
    written = tmp_path / name
    written.write_bytes(timeline.with_media(new))
    again = read_timeline(written)[1]
    assert not again.left
    for index, (clip, before) in enumerate(zip(again.clips, timeline.clips, strict=True)):
        assert clip.media == str(new[index].path)
        assert clip.frames == before.frames
        assert [clip.place(k) * clip.rate for k in range(-12, clip.frames + 12)] == list(range(clip.frames + 24))
    assert again.with_media({}) == written.read_bytes()


@pytest.mark.parametrize("name", SAMPLES)
def test_without_new_media_no_byte_changes(name: str):
    assert opened(name).with_media({}) == (DATA / name).read_bytes()


@pytest.mark.parametrize("name", SAMPLES)
def test_only_the_clip_with_new_media_changes(name: str):
    timeline = opened(name)
    before = (DATA / name).read_text().splitlines(keepends=True)
    after = timeline.with_media({0: new_media(timeline.clips[0], 0)}).decode().splitlines(keepends=True)
    changes = [one for one in SequenceMatcher(None, before, after, autojunk=False).get_opcodes() if one[0] != "equal"]
    gone = "".join("".join(before[change[1] : change[2]]) for change in changes)
    assert 0 < len(changes) <= 4
    assert all(clip.name not in gone for clip in timeline.clips[1:] if name != "shots.mlt")
