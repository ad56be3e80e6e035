from __future__ import annotations

import math
from dataclasses import replace
from fractions import Fraction

import pytest
import torch

from vfi.clips.clip import Info
from vfi.core import Frame
from vfi.edit.compare import Report, differences, fitted, measured, size_of, slack_of, together


def clip(count: int, rate: int | Fraction, since: Fraction = Fraction(0), level: float = 0.5) -> list[Frame]:
    return [Frame(torch.full((3, 12, 16), level), since + k / Fraction(rate), 1 / Fraction(rate)) for k in range(count)]


def steps(*given, **options) -> list[tuple[Fraction, tuple[int, int]]]:
    return [(step.time, step.numbers) for step in together(*given, **options)]


def test_equal_rates_are_compared_frame_by_frame():
    found = list(together(clip(3, 24), clip(5, 24)))
    assert [(step.time, step.numbers) for step in found] == [(Fraction(k, 24), (k, k)) for k in range(3)]
    assert [step.duration for step in found] == [Fraction(1, 24)] * 3


def test_a_step_begins_whenever_either_shows_its_next_frame():
    assert steps(clip(2, 2), clip(3, 3)) == [
        (Fraction(0), (0, 0)),
        (Fraction(1, 3), (0, 1)),
        (Fraction(1, 2), (1, 1)),
        (Fraction(2, 3), (1, 2)),
    ]


def test_times_never_drift_apart():
    """24 and 24000/1001 fps meet again after a second of 1000 frames, and nowhere before."""
    found = steps(clip(1001, 24), clip(1000, Fraction(24000, 1001)))
    assert len(found) == 1001 + 1000 - 1
    assert found[-1] == (Fraction(999 * 1001, 24000), (999, 999)) or found[-1][1] == (1000, 999)


def test_first_frames_are_aligned():
    assert steps(clip(3, 25, since=Fraction(7, 2)), clip(3, 25)) == [(Fraction(k, 25), (k, k)) for k in range(3)]


def test_times_rounded_by_a_container_are_the_same_instant():
    exact = clip(48, 24)
    rounded = [replace(frame, time=Fraction(round(frame.time * 1000), 1000)) for frame in exact]
    infos = (
        Info(16, 12, rate=Fraction(24), time_base=Fraction(1, 24)),
        Info(16, 12, rate=Fraction(24), time_base=Fraction(1, 1000)),
    )
    assert [numbers for _, numbers in steps(exact, rounded, slack=slack_of(*infos))] == [(k, k) for k in range(48)]
    assert len(steps(exact, rounded)) > 48
    whole = replace(infos[1], rate=Fraction(25))
    assert slack_of(whole, whole) == 0


def test_a_still_is_compared_with_nothing_but_its_time():
    assert steps(clip(1, 24), clip(5, 24)) == [(Fraction(0), (0, 0))]
    assert steps([], clip(5, 24)) == []


def test_frames_are_read_as_they_are_needed():
    read = []

    def reading(frames: list[Frame]):
        for frame in frames:
            read.append(frame)
            yield frame

    found = together(reading(clip(100, 24)), reading(clip(100, 24)))
    next(found)
    assert len(read) == 4


def test_the_smaller_is_scaled_to_the_larger():
    infos = Info(16, 12), Info(32, 24)
    assert size_of(*infos) == size_of(*infos[::-1]) == (24, 32)
    ramp = torch.linspace(0, 1, 16).expand(3, 12, -1)
    assert fitted(ramp, (24, 32)).shape == (3, 24, 32)
    assert fitted(ramp, (12, 16)) is ramp
    assert fitted((ramp * 255).byte(), (12, 16)).dtype == torch.float32


def test_numbers_are_those_of_the_metrics():
    grey = torch.full((3, 12, 16), 100 / 255)
    found = measured(grey, grey + 10 / 255, similarity=True)
    assert found.psnr == pytest.approx(10 * math.log10(255**2 / 100))
    assert found.error == pytest.approx(10)
    assert found.ssim is not None
    assert found.ssim < 1
    assert measured(grey, grey.clone()).equal
    assert measured(grey[:, :5], grey[:, :5] + 0.1, similarity=True).ssim is None  # too small for SSIM


def test_a_report_counts_names_the_worst_and_finds_flicker():
    report = Report()
    source, brighter = clip(9, 24), clip(9, 24)
    for k in (1, 3, 5, 7):
        source[k], brighter[k] = (
            replace(one[k], rgb=one[k].rgb + shift) for one, shift in ((source, 0.0), (brighter, k / 100))
        )
    for step in together(source, brighter):
        report.add(step, step.a.rgb, step.b.rgb, measured(step.a.rgb, step.b.rgb))
    assert (report.steps, report.equal, report.end) == (9, 5, Fraction(9, 24))
    assert [index for index, *_ in report.worst] == [7, 5, 3, 1]
    text = "\n".join(report.lines())
    assert "9 steps, 5 of them equal" in text
    assert "differs most: step 7, 0.292 s (a 7, b 7): PSNR 23.5" in text
    assert "by a +0.00 % and b +8.00 %" in text


def test_what_differs_is_said():
    a, b = (Info(16, 12, rate=Fraction(rate), frames=rate, duration=Fraction(1)) for rate in (24, 60))
    assert differences(a, a, Fraction(1)) == []
    assert "24 fps and b has 60 fps: compared by time" in differences(a, b)[0]
    longer = replace(a, duration=Fraction(3, 2))
    (sentence,) = differences(longer, a, Fraction(1))
    assert sentence == "a goes on for 0.500 s after b ends at 1.000 s: that part is not compared."
    assert "b was scaled to 16x12" in differences(a, replace(a, width=8, height=6))[0]
    assert "a was stretched, since its shape differs, to 30x12" in differences(a, replace(a, width=30))[0]
    assert differences(a, replace(a, alpha=True)) == ["b has alpha: only colours are compared."]
