"""Joins: what two clips share, how their colours meet, and which frames are re-interpolated."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction as F
from itertools import pairwise

import pytest
import torch
from models import Blend

from vfi.core import Frame, InputError
from vfi.edit.join import Colours, Seam, joined, seam
from vfi.render.run import frames_of_tensor, run
from vfi.timing.grids import Subdivide


def moving(first: int, last: int, colours: Colours = Colours()) -> list[Frame]:  # noqa: B008
    """Frames ``first`` up to ``last`` of a pattern that moves evenly, as a clip of its own."""
    place = torch.arange(first, last)[:, None] * 0.15 + torch.linspace(0, 9, 64)
    rgb = torch.stack([0.5 + 0.2 * (place + shift).sin() for shift in (0, 1, 2)], dim=1)[:, :, None].expand(-1, -1, 36, -1)
    return [Frame(colours.of(frame.rgb), frame.time, frame.duration) for frame in frames_of_tensor(rgb, F(24))]


@pytest.mark.parametrize("shared", [1, 2, 5, 24])
def test_shared_frames_are_found_and_left_out(shared):
    one, other = moving(0, 40), moving(40 - shared, 70)
    found = seam(one, other)
    assert found.overlap == shared
    assert found.bridge == 0
    assert found.width_after == pytest.approx(1, abs=0.1)
    clip = list(joined([one, other], [found]))
    assert [frame.time for frame in clip] == [F(k, 24) for k in range(70)]
    for frame, wanted in zip(clip, moving(0, 70), strict=True):
        torch.testing.assert_close(frame.rgb, wanted.rgb, atol=1e-4, rtol=0)
    assert not any(frame.repeat for frame in clip)


def test_a_frame_that_a_trim_cut_short_is_shown_as_long_as_the_others():
    one, other = moving(0, 20), moving(20, 40)
    one[-1] = replace(one[-1], duration=F(1, 1000))
    clip = list(joined([one, other], [Seam()]))
    assert [frame.time for frame in clip] == [F(k, 24) for k in range(40)]
    assert {frame.duration for frame in clip} == {F(1, 24)}


def test_clips_that_share_nothing_lose_nothing():
    found = seam(moving(0, 20), moving(20, 40))
    assert (found.overlap, found.bridge) == (0, 0)
    assert found.width_before == pytest.approx(1, abs=0.1)


@pytest.mark.parametrize("shared", [0, 3])
def test_colours_are_matched(shared):
    tint = Colours((1.1, 0.9, 1.0), (0.02, 0.03, -0.05))
    one, other = moving(0, 30), moving(30 - shared, 60, tint)
    found = seam(one, other)
    assert found.overlap == shared
    assert found.shift > 3
    clip = list(joined([one, other], [found]))
    tolerance = 1e-3 if shared else 0.02  # without shared frames, mean and spread of different frames are compared
    for frame, wanted in zip(clip, moving(0, 60), strict=True):
        torch.testing.assert_close(frame.rgb, wanted.rgb, atol=tolerance, rtol=0)
    assert seam(one, other, match=False).colours == Colours()


def test_colours_run_on_through_several_seams():
    tints = [Colours(), Colours((0.9,) * 3, (0.05,) * 3), Colours((1.1,) * 3, (-0.04,) * 3)]
    clips = [moving(start, start + 12, tint) for start, tint in zip((0, 10, 20), tints, strict=True)]
    seams = [seam(*pair) for pair in pairwise(clips)]
    for frame, wanted in zip(joined(clips, seams), moving(0, 32), strict=True):
        torch.testing.assert_close(frame.rgb, wanted.rgb, atol=2e-3, rtol=0)


@pytest.mark.parametrize(("missing", "bridge"), [(2, 1), (4, 2), (6, 3)])
def test_a_jump_is_spread_over_frames_that_are_made_anew(missing, bridge):
    one, other = moving(0, 20), moving(20 + missing, 40 + missing)
    found = seam(one, other, match=False)
    assert found.bridge == bridge
    assert found.width_before == pytest.approx(missing + 1, rel=0.15)
    assert found.width_after < 1.7
    made = list(run(joined([one, other], [found]), Blend(), Subdivide(1), tail="hold"))
    assert [index for index, frame in enumerate(made) if frame.made] == list(range(20 - bridge, 20 + bridge))
    assert [frame.time for frame in made] == [F(k, 24) for k in range(40)]


def test_what_is_asked_for_is_done():
    found = seam(moving(0, 20), moving(19, 40), overlap=0, bridge=2)
    assert (found.overlap, found.bridge) == (0, 2)
    with pytest.raises(InputError, match="these clips allow 0 to 4"):
        seam(moving(0, 20), moving(0, 5), overlap=5)
    with pytest.raises(InputError, match="these clips allow 0 to 2"):
        seam(moving(0, 20), moving(20, 23), bridge=3)


def test_still_clips_are_joined_without_a_bridge():
    still = moving(0, 1) * 3
    clips = [[Frame(frame.rgb, F(k, 24), F(1, 24)) for k, frame in enumerate(still)]] * 2
    assert seam(*clips).bridge == 0
    assert seam(*clips).width_after == 1


def test_clips_keep_their_own_rates_and_start_wherever_they_do():
    slow = [Frame(frame.rgb, F(7) + F(k, 10), F(1, 10)) for k, frame in enumerate(moving(0, 3))]
    clip = list(joined([moving(0, 2), slow], [Seam()]))
    assert [frame.time for frame in clip] == [0, F(1, 24), F(2, 24), F(2, 24) + F(1, 10), F(2, 24) + F(2, 10)]


def test_clips_must_have_frames_and_one_size():
    with pytest.raises(InputError, match="without frames"):
        seam([], moving(0, 2))
    with pytest.raises(InputError, match="clip 2 is 6x4, those before it 64x36"):
        list(joined([moving(0, 2), frames_of_tensor(torch.rand(1, 3, 4, 6), F(24))], [Seam()]))
