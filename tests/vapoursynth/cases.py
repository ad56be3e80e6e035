"""What the filter does, each case a function; run by a Python with VapourSynth and without torch, see `conftest`.

The clips move a rough texture, so that every frame differs and motion is found.
"""

from __future__ import annotations

import gc
import json
import os
import random
import signal
import sys
import traceback
import types
from fractions import Fraction as F
from pathlib import Path

import numpy as np
import vapoursynth as vs

from vfi.serve.maker import Mark, Missing, Picture
from vfi.serve.worker import Worker
from vfi.vapoursynth import interpolate, makers, retime
from vfi.vapoursynth.colours import full
from vfi.vapoursynth.graph import Graph

core = vs.core
FOLDER = Path(sys.argv[1]) if len(sys.argv) > 1 else Path()
QUICK = {"quality": "draft"}
ENDLESS = 2**31 // 16


def texture(seed=0, height=48, width=400):
    random = np.random.default_rng(seed)
    return random.integers(0, 256, (height // 4, width // 4, 3), np.uint8).repeat(4, 0).repeat(4, 1)


def moving(count=12, *, fps=(24, 1), size=(64, 36), step=2, form=vs.RGB24, cut=None, asked=None, hold=1, **conversion):
    """A texture moving by ``step`` pixels per frame, another from frame ``cut`` on; ``asked`` gathers the frames asked for."""
    textures = [texture(seed, max(size[1] + 3, 48), 2 * (size[0] + step * 64)) for seed in (0, 1)]
    blank = core.std.BlankClip(
        width=size[0], height=size[1], format=vs.RGB24, length=count, fpsnum=fps[0], fpsden=fps[1], keep=True
    )

    def paint(n, f):
        if asked is not None:
            asked.append(n)
        out = f.copy()
        left = n // hold * step % 128
        for plane in range(3):
            np.asarray(out[plane])[...] = textures[cut is not None and n >= cut][: size[1], left : left + size[0], plane]
        return out

    clip = blank.std.ModifyFrame(blank, paint)
    return clip if form == vs.RGB24 else clip.resize.Bicubic(format=form, **conversion)


def with_props(clip, **props):
    """The clip with properties that functions of the frame's number give; None leaves one out."""

    def put(n, f):
        out = f.copy()
        for name, value in props.items():
            if (given := value(n)) is not None:
                out.props[name] = given
            elif name in out.props:
                del out.props[name]
        return out

    return clip.std.ModifyFrame(clip, put)


def uneven(clip, durations):
    """The clip at a variable rate."""
    timed = with_props(
        clip,
        _DurationNum=lambda n: None if durations[n] is None else F(durations[n]).numerator,
        _DurationDen=lambda n: None if durations[n] is None else F(durations[n]).denominator,
    )
    return core.std.BlankClip(clip, fpsnum=0, fpsden=1).std.FrameEval(lambda n: timed)


def planes(frame):
    return (
        np.stack([np.asarray(frame[plane]) for plane in range(frame.format.num_planes)])
        if not (frame.format.subsampling_w or frame.format.subsampling_h)
        else [np.asarray(frame[plane]).copy() for plane in range(3)]
    )


def same(one, two):
    return all(np.array_equal(a, b) for a, b in zip(planes(one), planes(two), strict=True))


def lasts(frame):
    return F(frame.props["_DurationNum"], frame.props["_DurationDen"])


def error(call, *arguments, **options):
    try:
        call(*arguments, **options)
    except vs.Error as caught:
        return str(caught)
    raise AssertionError(f"no vs.Error was raised for {options}")


def case_twice_as_many_frames_at_twice_the_rate():
    clip = moving()
    made = interpolate(clip, **QUICK)
    assert (made.num_frames, made.fps, made.format.id) == (24, 48, vs.RGB24)
    for n in range(12):
        assert same(made.get_frame(2 * n), clip.get_frame(n))
    for n in range(11):
        between = made.get_frame(2 * n + 1)
        assert not same(between, clip.get_frame(n))
        assert not same(between, clip.get_frame(n + 1))
    assert same(made.get_frame(23), clip.get_frame(11))


def case_every_constant_format_comes_out_as_it_went_in():
    for form in (
        vs.RGB24, vs.RGB30, vs.RGB48, vs.RGBH, vs.RGBS, vs.GRAY8, vs.GRAY16, vs.GRAYS, vs.YUV420P8, vs.YUV422P10, vs.YUV444P16,
        vs.YUV444PS, vs.YUV410P8,
    ):  # fmt: skip
        family = core.get_video_format(form).color_family
        clip = moving(3, form=form, **({} if family == vs.RGB else {"matrix": 1}))
        made = interpolate(clip, sc=False, **QUICK)
        assert made.format.id == form, made.format
        assert same(made.get_frame(2), clip.get_frame(1)), clip.format
        exact = interpolate(moving(3), sc=False, **QUICK)
        exact = exact if form == vs.RGB24 else exact.resize.Bicubic(format=form, **({} if family == vs.RGB else {"matrix": 1}))
        top = 1 if made.format.sample_type == vs.FLOAT else 2**made.format.bits_per_sample - 1
        for made_plane, plane in zip(planes(made.get_frame(3)), planes(exact.get_frame(3)), strict=True):
            off = np.abs(made_plane.astype(float) - plane).mean() / top
            assert off < 0.03, (made.format, off)


def case_any_rate_shows_exact_instants():
    clip = moving()
    made = interpolate(clip, fps_num=60, **QUICK)
    assert (made.num_frames, made.fps) == (30, 60)
    assert [n for n in range(30) if any(same(made.get_frame(n), clip.get_frame(k)) for k in (n * 2 // 5,))] == [
        0,
        5,
        10,
        15,
        20,
        25,
        28,
        29,
    ]
    ntsc = interpolate(moving(fps=(24000, 1001)), fps_num=60000, fps_den=1001, **QUICK)
    assert (ntsc.num_frames, ntsc.fps) == (30, F(60000, 1001))
    assert lasts(ntsc.get_frame(3)) == F(1001, 60000)
    odd = interpolate(clip, factor_num=7, factor_den=3, **QUICK)
    assert (odd.num_frames, odd.fps) == (28, 56)
    assert same(odd.get_frame(14), clip.get_frame(6))


def case_a_lower_rate_is_possible():
    clip = moving()
    made = interpolate(clip, fps_num=10, **QUICK)
    assert (made.num_frames, made.fps) == (5, 10)
    assert same(made.get_frame(0), clip.get_frame(0))
    assert not same(made.get_frame(1), clip.get_frame(2))
    assert same(interpolate(clip, factor_num=1, factor_den=2, **QUICK).get_frame(3), clip.get_frame(6))


def case_frames_for_the_library_to_judge():
    clip = moving(6)
    made = interpolate(clip, model="inbetween-s", factor_num=5, factor_den=2)
    floats = interpolate(moving(6, form=vs.RGBS), factor_num=3, **QUICK)
    alpha = clip.std.ClipToProp(core.resize.Point(moving(6, step=3), format=vs.GRAY8, matrix=6, range_s="full"))
    clear = interpolate(alpha, **QUICK)
    np.savez(
        FOLDER / "judged.npz",
        source=[planes(one) for one in clip.frames()],
        made=[planes(one) for one in made.frames()],
        floats=[planes(one) for one in floats.frames()],
        alpha=[planes(one.props["_Alpha"]) for one in alpha.frames()],
        clear=[planes(one) for one in clear.frames()],
        clear_alpha=[planes(one.props["_Alpha"]) for one in clear.frames()],
    )


def case_any_order_and_any_threads_give_the_same():
    for options in ({}, {"batch": 3}, {"duplicates": "spread"}):
        given = {"fps_num": 120, **QUICK, **options}
        count = interpolate(moving(cut=7), **given).num_frames
        one_clip = interpolate(moving(cut=7), **given)
        in_order = [planes(one_clip.get_frame(n)) for n in range(count)]
        shuffled = list(range(count))
        random.Random(1).shuffle(shuffled)
        other = interpolate(moving(cut=7), **given)
        assert all(np.array_equal(planes(other.get_frame(n)), in_order[n]) for n in shuffled)
        ahead = interpolate(moving(cut=7), **given).frames(prefetch=8)
        assert all(np.array_equal(planes(frame), picture) for frame, picture in zip(ahead, in_order, strict=True))


def case_a_batch_makes_the_same_frames():
    one, four = (interpolate(moving(5), factor_num=8, model="inbetween-s", batch=batch) for batch in (1, 4))
    for n in range(40):
        off = np.abs(planes(one.get_frame(n)).astype(int) - planes(four.get_frame(n)))
        assert off.max() <= 1, (n, off.max())


def case_durations_are_set_anew():
    stale = with_props(moving(), _DurationNum=lambda n: 1, _DurationDen=lambda n: 24)
    for made, rate in (
        (interpolate(stale, **QUICK), 48),
        (interpolate(stale, fps_num=60, **QUICK), 60),
        (interpolate(stale, slow=True, **QUICK), 24),
    ):
        assert made.fps == rate
        assert all(lasts(frame) == F(1, rate) for frame in made.frames())
    none = moving().std.RemoveFrameProps(["_DurationNum", "_DurationDen"])
    assert lasts(interpolate(none, **QUICK).get_frame(1)) == F(1, 48)


def case_slow_keeps_the_rate():
    made = interpolate(moving(), factor_num=4, slow=True, **QUICK)
    assert (made.num_frames, made.fps) == (48, 24)
    assert "fps_num" in error(interpolate, moving(), fps_num=60, slow=True)


def case_no_frame_is_made_across_a_stated_cut():
    clip = with_props(moving(cut=6), _SceneChangeNext=lambda n: int(n == 5), _SceneChangePrev=lambda n: int(n == 6))
    made = interpolate(clip, factor_num=3, **QUICK)
    for n in (15, 16, 17):
        assert same(made.get_frame(n), clip.get_frame(5))
    assert same(made.get_frame(18), clip.get_frame(6))
    assert not same(made.get_frame(13), clip.get_frame(4))
    assert [frame.props["_SceneChangeNext"] for frame in made.frames()] == [int(n == 17) for n in range(36)]
    assert [frame.props["_SceneChangePrev"] for frame in made.frames()] == [int(n == 18) for n in range(36)]


def case_one_of_both_marks_of_a_cut_suffices():
    for name, at in (("_SceneChangeNext", 3), ("_SceneChangePrev", 4)):
        clip = with_props(moving(), **{name: lambda n, at=at: int(n == at)})
        made = interpolate(clip, **QUICK)
        assert same(made.get_frame(7), clip.get_frame(3)), name
        assert not same(made.get_frame(9), clip.get_frame(4))


def case_stated_cuts_replace_those_that_would_be_found():
    clip = with_props(moving(cut=6), _SceneChangeNext=lambda n: 0)
    assert not same(interpolate(clip, **QUICK).get_frame(11), clip.get_frame(5))


def case_cuts_are_found_if_none_are_stated():
    clip = moving(cut=6)
    for options in ({}, {"sc_threshold": 0.2}, {"duplicates": "spread"}):
        made = interpolate(clip, **QUICK, **options)
        held = [n for n in range(11) if same(made.get_frame(2 * n + 1), clip.get_frame(n))]
        assert held == [5], (options, held)
    yuv = moving(cut=6, form=vs.YUV420P8, matrix=6)
    assert same(interpolate(yuv, **QUICK).get_frame(11), yuv.get_frame(5))


def case_cuts_are_not_heeded_without_sc():
    clip = with_props(moving(cut=6), _SceneChangeNext=lambda n: int(n == 5))
    assert not same(interpolate(clip, sc=False, **QUICK).get_frame(11), clip.get_frame(5))
    assert not same(interpolate(moving(cut=6), sc=False, **QUICK).get_frame(11), clip.get_frame(5))


def case_a_threshold_leaves_weaker_cuts():
    clip = moving(cut=6)
    assert not same(interpolate(clip, sc_threshold=1.0, **QUICK).get_frame(11), clip.get_frame(5))


def case_each_frames_own_duration_is_divided():
    durations = [F(42, 1000), F(41, 1000), F(42, 1000), F(42, 1000)]
    clip = uneven(moving(4), durations)
    made = interpolate(clip, factor_num=5, factor_den=2, **QUICK)
    assert (made.num_frames, made.fps) == (10, 0)
    shown = [lasts(frame) for frame in made.frames()]
    assert shown[:5] == [durations[0] * F(2, 5)] * 2 + [(durations[0] + durations[1]) / 5] + [durations[1] * F(2, 5)] * 2
    assert sum(shown) == sum(durations)
    half = interpolate(clip, factor_num=1, factor_den=3, **QUICK)
    assert [lasts(frame) for frame in half.frames()] == [sum(durations[:3]), durations[3]]
    slow = interpolate(clip, factor_num=3, slow=True, **QUICK)
    assert sum(lasts(frame) for frame in slow.frames()) == 3 * sum(durations)


def case_durations_of_large_numbers_are_rounded():
    durations = [F(40_000_000, 999_999_937), F(41_000_000, 999_999_929), F(42_000_000, 999_999_893)]
    (made,) = interpolate(uneven(moving(3), durations), factor_num=1, factor_den=3, **QUICK).frames()
    assert abs(lasts(made) - sum(durations)) < F(1, 10**9)
    assert "2**63" in error(interpolate, moving(2).std.AssumeFPS(fpsnum=2**61 + 1, fpsden=2**60), factor_num=1, factor_den=97)


def case_durations_that_are_unknown_stay_so():
    made = interpolate(uneven(moving(4), [None] * 4), **QUICK)
    assert "_DurationNum" not in made.get_frame(1).props


def case_a_variable_rate_becomes_constant():
    durations = [F(1, 24), F(1, 12), F(1, 24), F(1, 24)]
    clip = uneven(moving(4), durations)
    made = interpolate(clip, fps_num=48, **QUICK)
    assert (made.num_frames, made.fps) == (10, 48)
    assert [n for n in range(10) if any(same(made.get_frame(n), one) for one in clip.frames())] == [0, 2, 6, 8, 9]
    assert {lasts(frame) for frame in made.frames()} == {F(1, 48)}
    halfway = interpolate(core.std.AssumeFPS(moving(4), fpsnum=12), **QUICK)
    assert same(made.get_frame(4), halfway.get_frame(3))


def case_a_variable_rate_without_durations_names_what_helps():
    text = error(interpolate, uneven(moving(4), [F(1, 24), None, F(1, 24), F(1, 24)]), fps_num=60, **QUICK)
    assert "frame 1" in text, text
    assert "factor_num" in text, text
    assert "above 0" in error(interpolate, uneven(moving(2), [F(1, 24), F(0)]), fps_num=60, **QUICK)


def player(asked):
    """A clip as mpv gives it: no rate, no end, and a duration with each frame."""
    source = core.std.BlankClip(moving(60), length=ENDLESS, fpsnum=0, fpsden=1, keep=True)
    real = with_props(moving(60, asked=asked), _DurationNum=lambda n: 1, _DurationDen=lambda n: 25)
    return source.std.FrameEval(lambda n: real[n % 60])


def case_a_players_clip_is_never_read_ahead():
    asked = []
    clip = player(asked)
    made = interpolate(clip, factor_num=5, factor_den=2, **QUICK)
    assert asked == []
    assert made.num_frames == 2**27 * 5 // 2
    assert made.fps == 0
    for n in (0, 1, 2, 3, 4, 5, 26):
        asked.clear()
        frame = interpolate(player(asked), factor_num=5, factor_den=2, **QUICK).get_frame(n)
        place = F(n * 2, 5)
        assert max(asked) <= int(place) + 1, (n, asked)
        assert min(asked) >= int(place), (n, asked)
        assert lasts(frame) == F(1, 25) * F(2, 5)
    twice = interpolate(clip, factor_num=32, **QUICK)
    assert twice.num_frames == 2**31 - 1
    asked.clear()
    made.get_frame(10**6 + 1)
    assert len(set(asked)) == 2


def case_a_players_clip_needs_a_factor():
    asked = []
    text = error(interpolate, player(asked), fps_num=60)
    assert "factor_num" in text, text
    assert "end" in error(retime, player(asked), speed=0.5, fps_num=24)
    assert asked == []


def case_alpha_of_another_size_or_kind_is_an_error():
    clip = moving(3).std.ClipToProp(core.std.BlankClip(width=32, height=36, format=vs.GRAY8, length=3))
    assert "alpha" in error(interpolate(clip, sc=False, **QUICK).get_frame, 1)


def case_alpha_of_any_depth_moves():
    for form in (vs.GRAY8, vs.GRAY16, vs.GRAYS):
        mask = moving(3).resize.Point(format=form, matrix=6, range_s="full")
        for colour in (vs.RGB24, vs.YUV444P16):
            clip = moving(3) if colour == vs.RGB24 else moving(3, form=colour, matrix=1)
            made = interpolate(clip.std.ClipToProp(mask), sc=False, **QUICK)
            moved, before, after = (
                planes(one.props["_Alpha"])[0].astype(float) for one in (made.get_frame(1), *list(made.frames())[0:3:2])
            )
            top = 1 if form == vs.GRAYS else 2 ** core.get_video_format(form).bits_per_sample - 1
            assert made.get_frame(1).props["_Alpha"].format.id == form
            right = np.pad(before, ((0, 0), (0, 1)), "edge")[:, 1:]  # it moves two pixels to the left
            assert np.abs(moved - right)[8:-8, 8:-8].mean() < 0.05 * top, form
            assert np.abs(moved - before)[8:-8, 8:-8].mean() > 0.04 * top
            assert np.abs(after - before).max() > 0.1 * top


def case_interlaced_frames_are_refused():
    for name in ("_FieldBased", "_Combed"):
        made = interpolate(moving(3).std.SetFrameProps(**{name: 1}), **QUICK)
        for n in (0, 1):
            text = error(made.get_frame, n)
            assert "deinterlace" in text, text
    interpolate(moving(3).std.SetFrameProps(_FieldBased=0, _Combed=0), **QUICK).get_frame(1)


def case_a_variable_format_is_refused():
    for options in ({"varformat": 1}, {"varsize": 1}):
        assert "variable" in error(interpolate, core.std.BlankClip(moving(2), **options))


def case_arguments_of_other_filters_name_what_to_use():
    for name, value, word in (
        ("scale", 0.5, "quality"), ("ensemble", True, "tta"), ("trt", True, "device"), ("trt_static_shape", True, "device"),
        ("auto_download", True, "vfi models fetch"), ("multi", 2, "factor_num"),
    ):  # fmt: skip
        text = error(interpolate, moving(2), **{name: value})
        assert name in text, text
        assert word in text, text
    try:
        interpolate(moving(2), foo=1)
    except TypeError as caught:
        assert "foo" in str(caught)  # noqa: PT017
    else:
        raise AssertionError


def case_wrong_arguments_are_one_sentence():
    for options, word in (
        ({"factor_num": 0}, "factor_num"),
        ({"factor_num": 1.5}, "factor_num"),
        ({"factor_num": True}, "factor_num"),
        ({"factor_num": 2**31, "factor_den": 2**30}, "factor_num"),
        ({"factor_num": 10**6}, "factor"),
        ({"factor_num": 1, "factor_den": 1000}, "factor"),
        ({"fps_num": -1}, "fps_num"),
        ({"fps_den": 2}, "fps_num"),
        ({"sc_threshold": 2}, "sc_threshold"),
        ({"duplicates": "drop"}, "duplicates"),
        ({"batch": 0}, "batch"),
        ({"worker": "maybe"}, "worker"),
        ({"worker": "never"}, "torch"),
        ({"device_index": -1}, "device_index"),
        ({"model": 4.25}, "model"),
        ({"model": "4.25.lite"}, "rife-4.25-lite"),
        ({"tta": "most"}, "most"),
        ({"drawing": "inked"}, "inked"),
        ({"device": "tpu"}, "tpu"),
    ):
        text = error(interpolate, moving(2), **options)
        assert word in text, (options, text)
        assert "Traceback" not in text
    assert "clip" in error(interpolate, "clip.mkv")


def case_a_speed_is_exact():
    clip = moving()
    half = retime(clip, speed=F(1, 2), **QUICK)
    assert (half.num_frames, half.fps) == (24, 24)
    twice = interpolate(clip, slow=True, **QUICK)
    assert all(same(one, two) for one, two in zip(half.frames(), twice.frames(), strict=True))
    assert same(retime(clip, speed="0.5", **QUICK).get_frame(3), half.get_frame(3))
    assert same(retime(clip, speed=0.5, **QUICK).get_frame(3), half.get_frame(3))
    assert retime(clip, speed=0.5, fps_num=60, **QUICK).num_frames == 60


def case_a_clip_plays_backwards():
    clip = moving()
    back = retime(clip, speed=-1, **QUICK)
    assert back.num_frames == 12
    assert all(same(one, clip.get_frame(11 - n)) for n, one in enumerate(back.frames()))


def case_a_curve_of_fractions_is_exact():
    clip = moving()
    curve = {"position": [["0", "5/24"], ["1/24", "2/24"], ["2/24", "7/48"], ["3/24", "11/24"]]}
    made = retime(clip, curve=curve, duration=F(4, 24), **QUICK)
    assert made.num_frames == 4
    assert same(made.get_frame(0), clip.get_frame(5))
    assert same(made.get_frame(1), clip.get_frame(2))
    assert same(made.get_frame(2), interpolate(clip, **QUICK).get_frame(7))
    assert same(made.get_frame(3), clip.get_frame(11))
    path = FOLDER / "curve.json"
    path.write_text(json.dumps(curve))
    for given in (json.dumps(curve), path, str(path)):
        assert same(retime(clip, curve=given, duration="1/6", **QUICK).get_frame(2), made.get_frame(2))
    assert [lasts(one) for one in made.frames()] == [F(1, 24)] * 4


def case_retime_says_what_it_needs():
    clip = moving()
    for options, word in (
        ({}, "speed"),
        ({"speed": 1, "curve": "{}"}, "speed"),
        ({"speed": "fast"}, "speed"),
        ({"speed": float("nan")}, "speed"),
        ({"curve": "/nowhere.json"}, "nowhere"),
        ({"curve": "{"}, "JSON"),
        ({"curve": 3}, "curve"),
    ):
        text = error(retime, clip, **options)
        assert word in text, (options, text)
    assert "fps_num" in error(retime, uneven(moving(3), [F(1, 24)] * 3), speed=1)


def case_a_variable_rate_can_be_retimed():
    clip = uneven(moving(3), [F(1, 24), F(1, 12), F(1, 24)])
    made = retime(clip, speed=F(1, 2), fps_num=24, **QUICK)
    assert made.num_frames == 8
    assert [n for n in range(8) if any(same(made.get_frame(n), one) for one in clip.frames())] == [0, 2, 6, 7]


def case_absolute_times_are_interpolated():
    clip = with_props(moving(4), _AbsoluteTime=lambda n: 100 + n / 24)
    made = interpolate(clip, factor_num=4, **QUICK)
    for n, frame in enumerate(made.frames()):
        assert abs(frame.props["_AbsoluteTime"] - (100 + n / 96)) < 1e-9
    slow = interpolate(clip, slow=True, **QUICK)
    assert abs(slow.get_frame(3).props["_AbsoluteTime"] - 3 / 24) < 1e-9
    assert "_AbsoluteTime" not in interpolate(moving(3), **QUICK).get_frame(1).props


def case_props_are_those_of_the_frame_before():
    clip = with_props(moving(3, form=vs.YUV420P8, matrix=1), _Range=lambda n: 1, _ChromaLocation=lambda n: 2, Mine=lambda n: n)
    made = interpolate(clip, sc=False, **QUICK).get_frame(3)
    before = clip.get_frame(1)
    for name, value in before.props.items():
        if not name.startswith("_Duration"):
            assert made.props[name] == value, name
    assert set(made.props) == set(before.props)
    bare = moving(3, form=vs.YUV420P8, matrix=1).std.RemoveFrameProps()
    made = interpolate(bare, sc=False, **QUICK).get_frame(3)
    assert set(made.props) == {"_DurationNum", "_DurationDen"}


def flat(values, form=vs.YUV420P8, size=(64, 36), **props):
    """Flat frames of these numbers in all planes."""
    clips = [
        core.std.BlankClip(width=size[0], height=size[1], format=form, length=1, color=list(one), fpsnum=24) for one in values
    ]
    return core.std.Splice(clips).std.SetFrameProps(**props)


def case_colours_keep_their_matrix_and_range():
    for props in (
        {"_Matrix": 1, "_Range": 0},
        {"_Matrix": 1, "_Range": 1},
        {"_Matrix": 6, "_Range": 1},
        {"_Matrix": 9, "_Range": 0},
        {},
    ):
        clip = flat([(60, 120, 130), (100, 110, 140)], **props)
        made = interpolate(clip, sc=False, **QUICK).get_frame(1)
        for plane, value in enumerate((80, 115, 135)):
            off = np.abs(np.asarray(made[plane]).astype(int) - value).max()
            assert off <= 1, (props, plane, off)
    deep = interpolate(flat([(3, 512, 512), (1019, 512, 512)], vs.YUV420P10, _Matrix=1, _Range=1), sc=False, **QUICK).get_frame(
        1
    )
    assert np.abs(np.asarray(deep[0]).astype(int) - 511).max() <= 1
    head = interpolate(flat([(5, 128, 128), (9, 128, 128)], _Matrix=1, _Range=0), sc=False, **QUICK).get_frame(1)
    assert np.abs(np.asarray(head[0]).astype(int) - 7).max() <= 1  # below black


def case_both_names_of_the_range_are_known():
    for props, right in (
        ({"_Range": 1}, True),
        ({"_Range": 0}, False),
        ({"_ColorRange": 1}, False),
        ({"_ColorRange": 0}, True),
    ):
        assert [full(props, otherwise) for otherwise in (False, True)] == [right] * 2
    assert [full({}, otherwise) for otherwise in (False, True)] == [False, True]


def case_a_yuv_without_a_matrix_works():
    for size in ((64, 36), (1280, 720)):
        clip = flat([(60, 120, 130), (100, 110, 140)], size=size)
        made = interpolate(clip.std.RemoveFrameProps(), sc=False, quality="linear").get_frame(1)
        assert np.abs(np.asarray(made[2]).astype(int) - 135).max() <= 1


def case_grey_stays_grey():
    for form, low, high in ((vs.GRAY8, 40, 80), (vs.GRAY16, 10000, 20000), (vs.GRAYS, 0.2, 0.6)):
        clip = core.std.Splice(
            [core.std.BlankClip(width=64, height=36, format=form, length=1, color=one) for one in (low, high)]
        )
        made = np.asarray(interpolate(clip, sc=False, **QUICK).get_frame(1)[0]).astype(float)
        assert np.abs(made - (low + high) / 2).max() <= (1e-3 if form == vs.GRAYS else 1), form


def case_motion_is_spread_over_repeats():
    held = moving(12, hold=2, step=4)
    made = interpolate(held, factor_num=1, duplicates="spread", **QUICK)
    plain = interpolate(moving(6, step=4), **QUICK)
    assert [n for n in range(12) if not same(made.get_frame(n), plain.get_frame(n))] == []
    kept = interpolate(held, factor_num=1, **QUICK)
    assert all(same(kept.get_frame(n), held.get_frame(n)) for n in range(12))


def case_a_repeated_frame_costs_no_model():
    clip = moving(1) * 3
    made = interpolate(clip, **QUICK)
    assert all(same(frame, clip.get_frame(0)) for frame in made.frames())


def case_a_single_frame_is_held():
    clip = moving(1)
    for options in ({}, {"fps_num": 60}, {"duplicates": "spread"}):
        assert all(same(frame, clip.get_frame(0)) for frame in interpolate(clip, **options, **QUICK).frames())


def case_a_model_of_four_frames_sees_its_neighbours():
    four = {"model": str(FOLDER / "four.safetensors")}
    clip = moving(6)
    made = interpolate(clip, sc=False, **four)
    for n in range(6):
        assert same(made.get_frame(2 * n), clip.get_frame(n))
    alone = interpolate(clip[2:4], sc=False, **four).get_frame(1)
    assert not same(made.get_frame(5), alone)
    within = interpolate(clip[1:5], sc=False, **four).get_frame(3)
    assert same(made.get_frame(5), within)
    cut = interpolate(with_props(clip, _SceneChangeNext=lambda n: int(n in (1, 3))), **four)
    assert same(cut.get_frame(5), alone)
    assert "2" in error(interpolate, clip, duplicates="spread", **four)


def case_a_worker_that_dies_is_an_error_and_the_next_script_gets_another():
    makers._kept.clear()
    made = interpolate(moving(), tta="flip", model="dis")
    made.get_frame(1)
    process = next(iter(makers._kept.values()))._backend.process
    os.kill(process.pid, signal.SIGKILL)
    for _ in range(2):
        text = error(made.get_frame, 3)
        assert "worker" in text, text
        assert "signal 9" in text, text
    same_again = interpolate(moving(), tta="flip", model="dis")
    assert not same(same_again.get_frame(3), moving().get_frame(1))


def case_without_a_command_the_error_names_what_helps():
    before = dict(os.environ)
    os.environ.pop("INBETWEEN_VFI")
    os.environ["PATH"] = "/nowhere"
    try:
        text = error(interpolate, moving(2), quality="linear", device="cpu")
        assert "INBETWEEN_VFI" in text, text
        assert "torch" in text, text
    finally:
        os.environ.update(before)


def case_scripts_share_a_worker_and_few_are_kept():
    makers._kept.clear()
    makers.KEPT = 2
    first, second = (interpolate(moving(2), **QUICK) for _ in range(2))
    assert len(makers._kept) == 1
    interpolate(moving(2), quality="linear")
    interpolate(moving(2), model="dis")
    assert len(makers._kept) == 2
    makers.KEPT = 8
    assert not same(first.get_frame(1), second.get_frame(0))  # both still have their worker


def case_one_thread_suffices():
    before, core.num_threads = core.num_threads, 1
    try:
        made = interpolate(moving(4, cut=2, form=vs.YUV420P8, matrix=6), fps_num=60, **QUICK)
        assert len(list(made.frames(prefetch=8))) == 10
    finally:
        core.num_threads = before


def case_a_clip_that_nobody_holds_is_freed():
    made = interpolate(moving(4, form=vs.YUV420P8, matrix=6), **QUICK)
    assert len(list(made.frames())) == 8
    assert sum(isinstance(one, Graph) for one in gc.get_objects()) > 0
    made = None
    gc.collect()
    assert sum(isinstance(one, Graph) for one in gc.get_objects()) == 0


def case_small_frames_are_made():
    for size, form in (((1, 1), vs.RGB24), ((2, 2), vs.YUV420P8), ((16, 2), vs.YUV422P10), ((3, 500), vs.GRAY8)):
        rgb = moving(3, size=(size[0], 48), step=1).resize.Point(*size)
        clip = rgb if form == vs.RGB24 else rgb.resize.Bicubic(format=form, matrix=1)
        made = interpolate(clip, **QUICK)
        assert len(list(made.frames())) == 6
        assert same(made.get_frame(2), clip.get_frame(1))


class Blend:
    """A backend of this process, which blends."""

    window, alive = 2, True

    def __init__(self, asked):
        assert asked.quality == "linear"

    def make(self, window, given, steps):
        missing = [name for name in window if name not in given]
        if missing:
            return Missing(tuple(missing))
        before, after = (given[name].rgb.astype(np.float32) for name in window)
        return [Picture((before + (after - before) * float(step)).round().astype(np.uint8)) for step in steps]

    def marks(self, thumbnails, known, spread, threshold):
        return [Mark()] * len(known)


def case_the_model_runs_in_this_process_if_it_can():
    engine = types.ModuleType("vfi.serve.engine")
    engine.Engine = Blend
    sys.modules["vfi.serve.engine"] = engine
    try:
        for worker in ("auto", "never"):
            made = interpolate(moving(), factor_num=4, quality="linear", worker=worker)
            assert isinstance(list(makers._kept.values())[-1]._backend, Blend)
            before, after = (planes(moving().get_frame(n)).astype(float) for n in (3, 4))
            assert np.abs(planes(made.get_frame(13)) - (before * 0.75 + after * 0.25)).max() <= 0.5
    finally:
        del sys.modules["vfi.serve.engine"]
        makers._kept.clear()
    away = interpolate(moving(), factor_num=4, quality="linear", worker="always")
    assert isinstance(list(makers._kept.values())[-1]._backend, Worker)
    assert np.abs(planes(away.get_frame(13)) - (before * 0.75 + after * 0.25)).max() <= 0.5


def case_a_made_clip_can_be_made_smoother_again():
    clip = moving(4)
    twice = interpolate(interpolate(clip, **QUICK), **QUICK)
    assert (twice.num_frames, twice.fps) == (16, 96)
    assert [n for n, frame in enumerate(twice.frames(prefetch=8)) if any(same(frame, one) for one in clip.frames())] == [
        0, 4, 8, 12, 13, 14, 15
    ]  # fmt: skip


def case_the_example_plays_what_a_player_gives():
    import runpy

    example = Path(__file__).parent.parent.parent / "examples" / "inbetween.vpy"
    runpy.run_path(str(example), {"video_in": player([]).resize.Bicubic(format=vs.YUV420P8, matrix=6)})
    made = vs.get_output(0).clip
    assert lasts(made.get_frame(1)) == F(1, 50)
    vs.clear_outputs()


def case_torch_is_not_imported():
    assert "torch" not in sys.modules
    import vsinbetween

    assert vsinbetween.interpolate is interpolate
    assert vsinbetween.retime is retime


def main():
    report = {}
    makers.KEPT = 8  # all that the cases use
    chosen = sys.argv[2:]
    for name, case in list(globals().items()):
        if name.startswith("case_") and (not chosen or name in chosen):
            try:
                case()
                report[name] = None
            except Exception:  # noqa: BLE001
                report[name] = traceback.format_exc()
    (FOLDER / "report.json").write_text(json.dumps(report))


if __name__ == "__main__":
    main()
