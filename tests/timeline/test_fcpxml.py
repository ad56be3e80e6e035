"""FCPXML: what the attributes and elements of clips mean, and what becomes of them."""

from __future__ import annotations

from fractions import Fraction as F
from pathlib import Path

import pytest

from vfi.core import InputError
from vfi.timeline.clip import NewMedia
from vfi.timeline.fcpxml import FcpxmlTimeline, frame_for_frame, read_fcpxml

HALF = '<timeMap><timept time="0s" value="0s" interp="linear"/><timept time="40s" value="20s" interp="linear"/></timeMap>'


def read(spine: str, *, asset: str = 'start="0s" duration="60s"', form: str = 'frameDuration="1/24s"', version="1.10"):
    return read_fcpxml(
        f"""<fcpxml version="{version}"><resources><format id="r1" {form} width="64" height="48"/>
<asset id="r2" name="n" {asset} hasVideo="1" format="r1" src="file:///m/a%20b.mov"/>
<asset id="r3" name="still" start="0s" duration="0s" hasVideo="1" format="r1" src="file:///m/a.png"/>
</resources><library><event><project><sequence format="r1"><spine>{spine}</spine></sequence></project></event></library>
</fcpxml>
""".encode(),
        "in.fcpxml",
    )


def rewritten(timeline: FcpxmlTimeline, **more: int) -> str:
    media = NewMedia(Path("/new/a.mov"), 72, 12, more.pop("width", 64), more.pop("height", 48), **more)
    return timeline.with_media({0: media}).decode()


def places(timeline: FcpxmlTimeline, count: int = 3) -> list[F]:
    (clip,) = timeline.clips
    return [clip.place(k) * 24 for k in range(count)]


def test_the_axis_of_a_clip_counts_from_the_timecode_of_its_asset():
    timeline = read('<asset-clip ref="r2" start="3602s" duration="1s"/>', asset='start="3600s" duration="60s"')
    assert places(timeline) == [48, 49, 50]
    assert timeline.clips[0].media == "/m/a b.mov"
    half = '<timeMap><timept time="7200s" value="3600s"/><timept time="7260s" value="3630s"/></timeMap>'
    late = f'<asset-clip ref="r2" start="7202s" duration="1s">{half}</asset-clip>'
    timeline = read(late, asset='start="3600s" duration="60s"')
    assert places(timeline) == [24, F(49, 2), 25]


def test_a_clip_around_one_video_is_conformed():
    for spine in (
        f'<clip name="c" start="2s" duration="1s"><video ref="r2" offset="0s" duration="60s"/>{HALF}</clip>',
        f'<clip name="c" start="2s" duration="1s"><video ref="r2" offset="0s" duration="60s">{HALF}</video></clip>',
        f'<clip name="c" start="12s" duration="1s"><video ref="r2" offset="10s" start="0s" duration="9s">{HALF}</video></clip>',
    ):
        timeline = read(spine)
        assert places(timeline) == [24, F(49, 2), 25]
        text = rewritten(timeline)
        assert "timeMap" not in text
        assert '<video ref="inbetween0" offset="0s"' in text
        assert text.count('duration="3s"') == 2
        assert '<clip name="c" start="1/2s" duration="1s">' in text
        again = read_fcpxml(text.encode(), "out")
        assert [again.clips[0].place(k) * 24 for k in range(3)] == [12, 13, 14]
    timeline = read(f'<clip name="c" start="2s" duration="1s"><video ref="r2"/><audio ref="r2" lane="-1"/>{HALF}</clip>')
    assert not timeline.clips
    assert "no sound of its own" in timeline.left[0].reason


def test_what_lies_inside_a_clip_moves_with_it():
    inside = (
        '<marker start="3s" duration="1/24s" value="m"/><adjust-transform><param name="p"><keyframeAnimation>'
        '<keyframe time="5/2s" value="1"/></keyframeAnimation></param></adjust-transform>'
        '<asset-clip ref="r2" lane="1" offset="5/2s" start="1s" duration="1s" name="over"><marker start="2s" value="stays"/>'
        '</asset-clip><audio-channel-source srcCh="1" start="2s" duration="1s"/>'
    )
    timeline = read(f'<asset-clip ref="r2" name="c" start="2s" duration="2s">{HALF}{inside}</asset-clip>')
    assert [clip.name for clip in timeline.clips] == ["c", "over"]
    text = rewritten(timeline)
    assert 'start="1/2s" duration="2s"' in text
    assert '<marker start="3/2s" duration="1/24s" value="m"/>' in text
    assert '<keyframe time="1s" value="1"/>' in text
    assert 'lane="1" offset="1s" start="1s" duration="1s" name="over"><marker start="2s" value="stays"/>' in text
    assert '<audio-channel-source srcCh="1" start="1/2s" duration="1s"/>' in text


def test_media_of_another_size_gets_a_format_of_its_own_and_sound_is_stated():
    timeline = read(f'<asset-clip ref="r2" start="2s" duration="2s" format="r1" tcFormat="NDF">{HALF}</asset-clip>')
    text = rewritten(timeline, width=128, height=96, channels=2, sample_rate=48000)
    assert '<format id="inbetween0" frameDuration="1/24s" width="128" height="96"/>' in text
    assert 'format="inbetween0" hasAudio="1" audioSources="1" audioChannels="2" audioRate="48000"' in text
    assert '<asset-clip ref="inbetween1" start="1/2s" duration="2s"></asset-clip>' in text


def test_old_versions_state_the_file_in_the_asset():
    text = rewritten(read(f'<asset-clip ref="r2" start="2s" duration="2s">{HALF}</asset-clip>', version="1.8"))
    assert 'format="r1" src="file:///new/a.mov"/>' in text
    assert "media-rep" not in text


@pytest.mark.parametrize(
    ("form", "rate"),
    [
        ('name="FFVideoFormat1080p2398"', F(24000, 1001)),
        ('name="FFVideoFormat720p5994"', F(60000, 1001)),
        ('name="FFVideoFormat1080p25"', F(25)),
        ('frameDuration="1001/30000s" name="FFVideoFormat1080p25"', F(30000, 1001)),
    ],
)
def test_formats_may_state_their_rate_by_name(form: str, rate: F):
    assert read('<asset-clip ref="r2" duration="1001s"/>', form=form).clips[0].rate == rate


def test_a_format_without_a_rate_is_refused():
    with pytest.raises(InputError, match="line 4, has no frame rate: its format needs a frameDuration"):
        read('<asset-clip ref="r2" duration="1s"/>', form='name="FFVideoFormatRateUndefined"')


@pytest.mark.parametrize(
    ("media", "timeline", "played"),
    [
        (F(24000, 1001), F(24), F(24)),
        (F(24), F(24000, 1001), F(24000, 1001)),
        (F(24), F(25), F(25)),
        (F(25), F(24), F(24)),
        (F(24), F(50), F(25)),
        (F(25), F(50), None),
        (F(30), F(30000, 1001), F(30000, 1001)),
        (F(60), F(30000, 1001), F(60000, 1001)),
        (F(60000, 1001), F(30), F(60)),
        (F(50), F(24), None),
        (F(30), F(24), None),
        (F(24), F(24), None),
        (None, F(24), None),
    ],
)
def test_final_cut_plays_some_rates_frame_for_frame(media: F | None, timeline: F, played: F | None):
    assert frame_for_frame(media, timeline) == played


def test_what_shows_no_media_is_no_clip():
    spine = (
        '<gap duration="1s"/><title ref="r9" duration="1s"/><video ref="r3" duration="1s"/><asset-clip ref="r2" duration="1s" '
        'enabled="0"/><asset-clip ref="r2" duration="1s" srcEnable="audio"/><ref-clip ref="r2" duration="1s"/>'
    )
    timeline = read(spine)
    assert not timeline.clips
    assert not timeline.left


def test_of_an_audition_the_pick_is_conformed():
    pick = '<asset-clip name="pick" ref="r2" duration="1s"/>'
    timeline = read(f"<audition>{pick}{pick.replace('pick', 'other')}</audition>")
    assert [clip.name for clip in timeline.clips] == ["pick"]


def test_compound_clips_are_named_once_and_their_parts_are_left():
    timeline = read(f'<sync-clip name="s" duration="1s"><asset-clip ref="r2" duration="1s">{HALF}</asset-clip></sync-clip>')
    assert not timeline.clips
    assert [(one.name, one.missed) for one in timeline.left] == [("s", True)]
