"""Keys carried through clips whose motion and paint are known."""

from __future__ import annotations

import math
from dataclasses import replace
from fractions import Fraction as F
from itertools import pairwise

import pytest
import torch
from painting import HEIGHT, WIDTH, Pan, clip_of, key, marked, pictures, psnr, recoloured

from vfi.archs.dis import Dis
from vfi.core import InputError
from vfi.motion.flow import BothWays
from vfi.paint.through import Course, Painted, Through, stretches
from vfi.pixels.uint8 import codes, floats

MOVED = Through("painted")


def made(clip, keys, options: Through = MOVED, since: F | None = None, **how) -> list[torch.Tensor]:
    painted = Painted(clip, Course.of(clip), keys, Pan, options, **how)
    return [frame.rgb for frame in painted.costly(since)]


def test_frames_lie_in_stretches_between_the_keys_of_their_shot():
    course = Course(tuple(F(k) for k in range(12)), (4, 8))
    keys = [key(frame, torch.zeros(3, 2, 2)) for frame in (2, 4, 6)]
    found = [
        (one.first, one.end, one.before and one.before.frame, one.after and one.after.frame) for one in stretches(course, keys)
    ]
    assert found == [(0, 2, None, 2), (2, 4, 2, None), (4, 6, 4, 6), (6, 8, 6, None), (8, 12, None, None)]


def test_a_painting_is_carried_from_one_end_and_from_both():
    given = pictures(9)
    truth = [recoloured(one) for one in given]
    one = made(clip_of(given), [key(0, truth[0])])
    both = made(clip_of(given), [key(0, truth[0]), key(8, truth[8])])
    last = made(clip_of(given), [key(8, truth[8])])
    assert all(torch.equal(out[k], truth[k]) for out, k in ((one, 0), (both, 0), (both, 8), (last, 8)))
    inner = slice(20, WIDTH - 20)  # seen in both keys
    for k in range(1, 8):
        for which in (one, last, both):
            assert psnr(which[k][..., inner], truth[k][..., inner]) > 40
        assert psnr(both[k], truth[k]) > 28  # the new edges are filled
    assert psnr(one[7], truth[7]) > 22


def test_a_retouch_leaves_all_else_bit_identical():
    given = pictures(7)
    truth = [marked(one, k) for k, one in enumerate(given)]
    for keys in ([0], [6], [0, 6], [3]):
        out = made(clip_of(given), [key(k, truth[k]) for k in keys])
        for k in range(7):
            assert all(torch.equal(out[k][:, rows], given[k][:, rows]) for rows in (slice(14), slice(30, None)))
            assert psnr(out[k], truth[k]) > 40


@pytest.mark.parametrize("keys", [[0], [0, 8]])
def test_a_retouch_stays_in_a_fade_and_fades_with_it(keys: list[int]):
    gains = [1 - 0.09 * k for k in range(9)]
    given, truth = (
        [codes(floats(one) * gain) for one, gain in zip(clip, gains, strict=True)]
        for clip in (pictures(9), [marked(one, k) for k, one in enumerate(pictures(9))])
    )
    out = made(clip_of(given), [key(k, truth[k]) for k in keys])
    assert all(psnr(out[k], truth[k]) > 45 > 33 > psnr(given[k], truth[k]) for k in range(1, 8))


def test_a_retouch_comes_back_after_a_white_frame():
    (given,) = pictures(1)
    clip = clip_of([given, torch.full_like(given, 255), given, given])
    out = [frame.rgb for frame in Painted(clip, Course.of(clip), [key(0, marked(given, 0))], lambda: BothWays(Dis()), MOVED)]
    assert torch.equal(out[1], torch.full_like(given, 255))
    assert all(psnr(out[k], marked(given, 0)) > 45 for k in (2, 3))


@pytest.mark.parametrize("paint", [lambda one: marked(one, 0), recoloured])
def test_a_pixel_that_is_no_number_stays_the_only_one(paint):
    given = [floats(one) * 4 for one in pictures(5)]
    given[2][:, 20, 20] = math.nan
    out = made(clip_of(given), [key(0, floats(paint(pictures(5)[0])) * 4)])
    assert [int(one.isnan().sum()) for one in out] == [0, 0, 3, 0, 0]


def test_what_passes_in_front_of_a_retouch_hides_it():
    given = pictures(7)
    for k in range(2, 6):
        given[k] = given[k].clone()
        given[k][:, :, 10:60] = 255 - given[k][:, :, 10:60].flip(-1)
    out = made(clip_of(given), [key(0, marked(given[0], 0))])
    assert psnr(out[4], given[4]) > 30  # nothing of the red square
    red = (out[4][0] > 240) & (out[4][1] < 45) & (out[4][2] < 15)
    assert int(red.sum()) < 10


def test_a_transparent_key_is_painted_where_it_is_opaque():
    given = pictures(5)
    alpha = torch.zeros(1, HEIGHT, WIDTH)
    alpha[:, 16:28, 50:62] = 0.5
    paint = torch.zeros(3, HEIGHT, WIDTH)
    paint[1] = 1.0
    out = made(clip_of(given), [key(0, paint, alpha)])
    for k in range(5):
        left = 50 - 2 * k
        expected = (given[k].float() / 2 + torch.tensor([0, 127.5, 0]).view(3, 1, 1))[:, 18:26, left + 2 : left + 10]
        assert (out[k][:, 18:26, left + 2 : left + 10].float() - expected).abs().max() <= 2
        assert torch.equal(out[k][:, :14], given[k][:, :14])


def test_two_keys_of_other_brightness_are_joined_without_a_step_in_time_or_space():
    given = pictures(9)
    bright = [(one.float() * 0.8 + 40).round().clamp(0, 255).to(torch.uint8) for one in given]
    dark = [(one.float() * 0.8 + 10).round().clamp(0, 255).to(torch.uint8) for one in given]
    out = made(clip_of(given), [key(0, bright[0]), key(8, dark[8])])
    lift = [float((out[k].float() - dark[k].float()).mean()) for k in range(9)]
    assert all(early - late < 9 for early, late in pairwise(lift))
    assert lift == sorted(lift, reverse=True)


def test_nothing_crosses_a_cut_and_a_shot_without_a_key_stays():
    given = pictures(8)
    given[4:] = [255 - one for one in given[4:]]
    clip = clip_of(given, cuts=(4,))
    painted = Painted(clip, Course.of(clip), [key(1, marked(given[1], 1))], Pan, Through("painted"))
    out = [frame.rgb for frame in painted]
    assert all(torch.equal(a, b) for a, b in zip(out[4:], given[4:], strict=True))
    assert psnr(out[3], marked(given[3], 3)) > 40
    assert "a shot has no key: it stays as in the clip, from 0.167 s" in painted.notes


def test_resumed_frames_are_bit_identical_and_work_is_counted():
    given = pictures(10)
    keys = [key(k, recoloured(given[k])) for k in (2, 6)]
    steps = []
    whole = made(clip_of(given), keys, worked=lambda: steps.append(1))
    clip = clip_of(given)
    assert len(steps) == Painted(clip, Course.of(clip), keys, Pan).work == 10 + 2 + 3
    for since in (4, 5, 8):
        steps.clear()
        part = made(clip_of(given), keys, since=F(since, 24), worked=lambda: steps.append(1))
        assert all(torch.equal(a, b) for a, b in zip(part[since:], whole[since:], strict=True))
        assert len(steps) == 15
    assert torch.equal(part[4], given[4])  # not needed, not painted


def test_a_run_can_be_stopped_between_frames_also_while_it_carries_back():
    given = pictures(10)

    def stop() -> None:
        raise KeyboardInterrupt

    frames = Painted(clip_of(given), Course.of(clip_of(given)), [key(9, recoloured(given[9]))], Pan, worked=stop).costly(None)
    with pytest.raises(KeyboardInterrupt):
        next(frames)


def test_floats_stay_floats():
    given = [one.float() / 255 * 1.5 for one in pictures(3)]
    mark = given[0].clone()
    mark[:, 16:28, 50:62] = 1.4
    out = made(clip_of(given), [key(0, mark)])
    assert out[2].dtype == torch.float32
    assert torch.equal(out[2][:, :14], given[2][:, :14])
    assert float(out[2][:, 20:24, 48:54].min()) > 1.3


def test_what_cannot_be_gets_a_sentence():
    clip = clip_of(pictures(3))
    with pytest.raises(InputError, match=r"0\.png is 4x2: the clip is 80x48, and a key must have its size"):
        Painted(clip, Course.of(clip), [key(0, torch.zeros(3, 2, 4))], Pan)
    with pytest.raises(InputError, match="a search radius of 9 pixels was given: it must lie between 0 and 8"):
        Through(radius=9)
    with pytest.raises(InputError, match="choose one of auto, painted, flat"):
        Through("cel")
    shorter = replace(clip_of(pictures(2)), info=clip.info)
    with pytest.raises(InputError, match=r"the clip has changed: there was a frame at 0\.083 s"):
        list(Painted(shorter, Course.of(clip), [key(0, pictures(2)[0])], Pan))
