"""Grading: wrong light is taken out of frames, and nothing else is touched."""

from __future__ import annotations

from collections import deque
from dataclasses import replace
from fractions import Fraction as F

import numpy as np
import pytest
import torch

from vfi.core import Frame, InputError
from vfi.edit.heal.findings import Finding, Light
from vfi.edit.heal.grade import SIDE, relit
from vfi.edit.heal.mend import Mending, mending

DIM: Light = (0.1, 0.1, 0.1)


def clip(length: int, dtype: torch.dtype = torch.uint8, rate: int = 24) -> list[Frame]:
    rgb = torch.full((3, 4, 6), 0.5) if dtype.is_floating_point else torch.full((3, 4, 6), 128)
    return [Frame(rgb.to(dtype), F(k, rate), F(1, rate)) for k in range(length)]


def course(kind: str, first: int, light: list[Light], action: str = "regrade") -> Finding:
    last = first if kind == "border" else first + len(light) - 1
    return Finding(kind, first, last, last - first + 1, 0.9, action, light=tuple(light), start=F(first, 24))  # type: ignore[arg-type]


def mended(*some: Finding, length: int = 48, cuts: tuple[F, ...] = ()) -> Mending:
    return mending(some, "keep", frames=length, begin=F(0), lasts=F(length, 24), cuts=cuts)


def gains(frames: list[Frame]) -> np.ndarray:
    """What the frames were multiplied by, as logarithms, [n,3]."""
    return np.log([(one.rgb.double().mean(dim=(1, 2)) / 0.5).tolist() for one in frames])


def test_light_is_taken_out_and_other_frames_stay_the_same():
    frames = clip(48)
    light: list[Light] = [(0.0, 0.0, 0.0), (0.001, 0.0, 0.0), (0.1, 0.0, -0.1)]
    out = list(mended(course("pulse", 5, light)).frames(frames))
    assert all(one.rgb is old.rgb for k, (one, old) in enumerate(zip(out, frames, strict=True)) if k != 7)
    assert out[7].rgb[:, 0, 0].tolist() == [round(128 * np.exp(-0.1)), 128, round(128 * np.exp(0.1))]
    assert out[7].rgb.dtype == torch.uint8
    assert out[7].time == frames[7].time


def test_courses_add_up():
    drift = course("drift", 0, [(0.02, 0.0, 0.0)] * 48)
    pulse = course("pulse", 8, [(0.03, 0.01, 0.0)] * 8)
    found = gains(list(mended(drift, pulse).frames(clip(48, torch.float32))))
    np.testing.assert_allclose(found[7], (-0.02, 0, 0), atol=1e-6)
    np.testing.assert_allclose(found[8], (-0.05, -0.01, 0), atol=1e-6)


def test_floats_are_not_clipped_and_alpha_stays():
    alpha = torch.rand(1, 2, 2)
    one = Frame(torch.tensor([-0.1, 0.5, 4.0])[:, None, None].expand(3, 2, 2), F(0), alpha=alpha)
    out = relit(one, (0.2, 0.2, 0.2))
    torch.testing.assert_close(out.rgb, one.rgb * np.exp(0.2))
    assert out.alpha is alpha
    half = relit(replace(one, rgb=one.rgb.half()), DIM)
    assert half.rgb.dtype == torch.float16
    assert relit(one, (0.0019, 0.0, 0.0)) is one


def test_codes_are_clipped():
    one = Frame(torch.tensor([0, 250, 255], dtype=torch.uint8)[:, None, None].expand(3, 2, 2), F(0))
    assert relit(one, DIM).rgb[:, 0, 0].tolist() == [0, 255, 255]


def test_a_step_becomes_an_even_slope():
    step = 0.06
    out = gains(list(mended(course("border", 24, [(step, 0.0, -step)], "bridge")).frames(clip(48, torch.float32))))
    seen = out + np.outer(np.arange(48) >= 24, [step, 0, -step])
    changes = np.diff(seen, axis=0)
    assert np.abs(changes).max() < 1.6 * step / (2 * SIDE)  # the first frame is less than half a code off, and stays
    np.testing.assert_allclose(changes[25 - SIDE : 22 + SIDE, 0], step / (2 * SIDE), rtol=0.01)
    assert np.abs(out[: 23 - SIDE]).max() == 0
    assert np.abs(out[25 + SIDE :]).max() == 0


def test_a_step_is_not_spread_over_cuts_and_ends():
    border = course("border", 24, [(0.06, 0.06, 0.06)], "bridge")
    out = gains(list(mended(border, cuts=(F(20, 24), F(40, 24))).frames(clip(48, torch.float32))))
    assert np.abs(out[:20]).max() == 0
    assert np.abs(out[40:]).max() == 0
    changes = np.diff(out[20:40] + 0.06 * (np.arange(20, 40) >= 24)[:, None], axis=0)[:, 0]
    assert changes.min() > -1e-6
    assert changes.max() < 1.6 * 0.06 / (4 + SIDE)


def test_a_border_at_an_end_of_a_damaged_plan_does_no_harm():
    for first in (0, 47):
        border = course("border", first, [(0.06, 0.06, 0.06)], "bridge")
        out = gains(list(mended(border).frames(clip(48, torch.float32))))
        assert np.isfinite(out).all()
        assert np.abs(out).max() <= 0.06 + 1e-6


def test_variable_frame_times_are_followed():
    frames = clip(48, torch.float32)
    late = [replace(one, time=one.time * 2 if k < 24 else one.time + 1) for k, one in enumerate(frames)]
    border = replace(course("border", 24, [(0.06, 0.06, 0.06)], "bridge"), start=F(2))
    mends = mending([border], "keep", frames=48, begin=F(0), lasts=F(3))
    out = gains(list(mends.frames(late)))
    assert out[23, 0] > 0 > out[24, 0]
    np.testing.assert_allclose(out[23] - out[24], 0.06, atol=0.004)


def test_what_is_kept_is_not_graded_and_marks_stay():
    frames = clip(48)
    kept = course("drift", 0, [DIM] * 48, "keep")
    flash = Finding("flash", 9, 9, 1, 0.9, "remake")
    out = list(mended(kept, flash).frames(frames))
    assert all(one.rgb is old.rgb for one, old in zip(out, frames, strict=True))
    assert [k for k, one in enumerate(out) if one.repeat] == [9]
    assert not mended(kept, flash).regrades
    assert mended(course("border", 9, [DIM], "bridge")).regrades
    graded = list(mended(course("drift", 0, [DIM] * 48), flash).frames(frames))
    assert [k for k, one in enumerate(graded) if one.repeat] == [9]


def test_a_plan_of_another_clip_is_told():
    drift = course("drift", 0, [DIM] * 48)
    with pytest.raises(InputError, match="the clip has only 30 frames"):
        deque(mended(drift).frames(clip(30)), maxlen=0)
    with pytest.raises(InputError, match="belongs to another clip"):
        deque(mended(course("pulse", 4, [DIM] * 9)).frames(clip(48, rate=25)), maxlen=0)
