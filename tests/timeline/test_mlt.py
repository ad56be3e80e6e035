"""MLT: the frames that melt shows, and what becomes of filters, bins and tracks."""

from __future__ import annotations

from fractions import Fraction as F
from math import floor
from pathlib import Path

import pytest

from vfi.timeline.clip import NewMedia
from vfi.timeline.mlt import MltTimeline, read_mlt

PROFILE = '<profile frame_rate_num="24" frame_rate_den="1" width="64" height="48"/>'


def read(
    producer: str, entry: str = '<entry producer="c" in="10" out="59"/>', tracks: str = '<track producer="v1"/>', **root: str
):
    words = " ".join(f'{key}="{value}"' for key, value in root.items())
    text = f'<mlt {words}>{PROFILE}{producer}<playlist id="v1">{entry}</playlist><tractor id="t">{tracks}</tractor></mlt>'
    return read_mlt(text.encode(), "in.mlt")


def remapped(**properties: str) -> str:
    inside = "".join(f'<property name="{key}">{value}</property>' for key, value in properties.items())
    link = f'<link><property name="mlt_service">timeremap</property>{inside}</link>'
    file = '<property name="resource">a.mp4</property><property name="mlt_service">avformat</property>'
    return f'<chain id="c" out="99">{file}{link}</chain>'


def shown(timeline: MltTimeline, count: int = 50) -> list[int]:
    assert not timeline.left
    return [floor(timeline.clips[0].place(k) * 24) for k in range(count)]


@pytest.mark.parametrize(
    ("text", "frames"),  # as melt 7.12 renders a clip of numbered frames
    [
        ("0=0.0;48=1.0;96=4.0", {0: 5, 1: 5, 2: 6, 37: 23, 38: 24, 39: 25, 40: 27, 49: 40}),
        ("0|=0.5;24|=2.0;48=3.0;96=1.0", {0: 12, 13: 12, 14: 48, 37: 48, 38: 72, 39: 71, 49: 61}),
        ("00:00:00.000=0;00:00:02.000=1.5;00:00:04.000=2.0", {0: 7, 38: 36, 42: 37, 49: 38}),
        ("20=1.0;40=2.0", {0: 24, 10: 24, 11: 25, 30: 48, 49: 48}),
    ],
)
def test_a_time_remap_shows_what_melt_shows(text: str, frames: dict[int, int]):
    found = shown(read(remapped(map=text)))
    assert {k: found[k] for k in frames} == frames
    assert shown(read(remapped(time_map=text, map="0=0;9=9"))) == found


def test_smooth_keyframes_are_catmull_rom_splines_with_doubled_ends():
    rising = [24, 24, 25, 26, 26, 27, 27, 27, 28, 28, 28, 28, 29, 29, 30, 30, 30, 31, 32, 33, 34, 35, 36, 37, 39, 41, 43, 45]
    smooth, mixed = "0~=0.0;20~=1.0;48~=2.0;96~=7.0", "0=0.0;20~=1.0;48=2.0;96~=7.0;98=7.5"  # as melt 7.12 renders them
    assert shown(read(remapped(map=smooth))) == [
        *(10, 11, 13, 14, 16, 17, 18, 20, 21, 22, *rising, 48, 49, 51, 53, 55, 57, 59, 61, 63, 66, 68, 71)
    ]
    assert shown(read(remapped(map=mixed))) == [
        *(12, 13, 14, 15, 16, 18, 19, 20, 21, 22, *rising, 48, 50, 53, 55, 58, 60, 63, 65, 68, 70, 73, 75)
    ]


def test_a_speed_map_is_summed_frame_by_frame():
    timeline = read(remapped(speed_map="0|=2;20=0.5"))
    assert [timeline.clips[0].place(k) * 24 for k in (0, 10, 12)] == [20, 40, 41]


@pytest.mark.parametrize(
    ("producer", "said"),
    [
        (remapped(map="0=0;24a=1"), "its keyframe '24a=1' is not understood"),
        (remapped(map="0=0;-1=1"), "positions counted from the end are not understood"),
        (remapped(map="0=zero;9=1"), "'zero' is not a number"),
        (remapped(map="5=0;5=1"), "their times must increase"),
        (remapped(map=""), "has neither a time_map nor a speed_map"),
        (remapped(speed_map="0=1").replace('out="99"', 'out="99999999"'), "runs over 100000000 frames: at most 1000000"),
        ('<producer id="c"><property name="resource">a.mp4</property></producer>', "the clip's in point"),
    ],
)
def test_what_is_not_understood_is_named(producer: str, said: str):
    entry = '<entry producer="c" in="59" out="10"/>' if "in point" in said else '<entry producer="c" in="10" out="59"/>'
    timeline = read(producer, entry)
    assert not timeline.clips
    assert (said if "in point" not in said else "lies before its in point") in timeline.left[0].reason


def test_paths_count_from_the_root_and_commas_are_decimal_where_the_project_says_so():
    warped = (
        '<producer id="c" in="0" out="399"><property name="resource">0,5:a.mp4</property>'
        '<property name="mlt_service">timewarp</property></producer>'
    )
    timeline = read(warped, root="/media", LC_NUMERIC="de_DE.UTF-8")
    assert timeline.clips[0].media == "/media/a.mp4"
    assert timeline.clips[0].place(2) * 24 == 6
    assert (
        read(warped.replace("0,5:a.mp4", "0,5:/other/a.mp4"), root="/media", LC_NUMERIC="de_DE").clips[0].media
        == "/other/a.mp4"
    )


def test_hidden_tracks_bins_and_audio_are_not_conformed():
    plain = '<producer id="c"><property name="resource">a.mp4</property></producer>'
    assert not read(plain, tracks='<track hide="video" producer="v1"/>').clips
    assert not read(plain, tracks='<track hide="both" producer="v1"/>').clips
    assert [clip.sound for clip in read(plain, tracks='<track hide="audio" producer="v1"/>').clips] == [False]
    assert [clip.sound for clip in read(plain).clips] == [True]


def test_titles_and_transitions_are_named():
    title = '<producer id="c"><property name="mlt_service">kdenlivetitle</property></producer>'
    assert [(one.missed, "kdenlivetitle" in one.reason) for one in read(title).left] == [(False, True)]
    mix = remapped(map="0=0;9=9") + '<tractor id="m"><track producer="c" in="0" out="9"/><track producer="c"/></tractor>'
    assert [one.missed for one in read(mix, '<entry producer="m" in="0" out="9"/>').left] == [True]


def effect(attributes: str, rect: str) -> str:
    return (
        f'<filter {attributes}><property name="mlt_service">affine</property><property name="rect">{rect}</property></filter>'
    )


def test_filters_keep_their_place_on_the_clip():
    inside = effect('in="10" out="59"', "0=1;20=2") + effect("", "15=1;30|=2")
    producer = remapped(map="0=0;99=2").replace("</chain>", effect('in="10" out="99"', "0=5;9=6") + "</chain>")
    timeline = read(producer, f'<entry producer="c" in="10" out="59">{inside}</entry>')
    text = timeline.with_media({0: NewMedia(Path("/new/a.mov"), 74, 12, 64, 48)}).decode()
    assert '<entry producer="inbetween0" in="12" out="61">' in text
    assert effect('in="12" out="61"', "0=1;20=2") in text  # counted from the filter's own start
    assert effect("", "17=1;32|=2") in text  # counted from the clip's
    new = text[text.index('<producer id="inbetween0"') : text.index("</producer>")]
    assert effect('in="12" out="73"', "0=5;9=6") in new
    late = read(producer.replace("0=5;9=6", "0=5").replace('in="10"', 'in="5"'))
    assert "its filter 'affine' has keyframes before the clip's in point" in late.left[0].reason


def test_kdenlive_gets_new_clips_in_its_bin():
    bin_ = '<playlist id="main_bin"><property name="xml_retain">1</property><entry producer="c" in="0" out="99"/></playlist>'
    chain = remapped(map="0=0;99=2").replace(
        '<chain id="c" out="99">', '<chain id="c" out="99"><property name="kdenlive:id">7</property>'
    )
    entry = '<entry producer="c" in="00:00:00.417" out="00:00:02.458"><property name="kdenlive:id">7</property></entry>'
    timeline = read(chain + bin_, entry, '<track hide="audio" producer="v1"/>')
    assert timeline.clips[0].frames == 50
    text = timeline.with_media({0: NewMedia(Path("/new/a & b.mov"), 74, 12, 64, 48)}).decode()
    assert '<entry producer="c" in="0" out="99"/><entry producer="inbetween0" in="0" out="73"/></playlist>' in text
    assert '<entry producer="inbetween0" in="12" out="61"><property name="kdenlive:id">8</property></entry>' in text
    assert '<property name="resource">/new/a &amp; b.mov</property>' in text
    again = read_mlt(text.encode(), "out")
    assert [again.clips[0].place(k) * 24 for k in range(3)] == [F(12), F(13), F(14)]


def test_proxies_stand_for_their_originals():
    proxied = (
        '<producer id="bin"><property name="kdenlive:id">3</property><property name="kdenlive:proxy">/p/proxy.mkv</property>'
        '<property name="kdenlive:originalurl">/m/whole.mov</property></producer><producer id="c"><property name="resource">'
        '/p/proxy.mkv</property><property name="kdenlive:id">3</property></producer>'
    )
    assert read(proxied).clips[0].media == "/m/whole.mov"
    none = proxied.replace('proxy">/p/proxy.mkv', 'proxy">-')
    assert read(none).clips[0].media == "/p/proxy.mkv"
    shotcut = (
        '<producer id="c"><property name="resource">/p/proxy.mp4</property><property name="shotcut:proxy">1</property>'
        '<property name="shotcut:resource">/m/whole.mov</property></producer>'
    )
    assert read(shotcut).clips[0].media == "/m/whole.mov"


def test_the_speed_of_old_projects_is_named():
    old = '<producer id="c"><property name="mlt_service">framebuffer</property></producer>'
    assert [(one.missed, "framebuffer" in one.reason) for one in read(old).left] == [(True, True)]
