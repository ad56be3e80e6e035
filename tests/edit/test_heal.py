"""The clip doctor: what is found in clips that were broken on purpose, and that nothing is found in those that were not."""

from __future__ import annotations

import json
from collections import deque
from dataclasses import replace
from fractions import Fraction as F
from functools import cache
from itertools import pairwise

import numpy as np
import pytest
import torch

from vfi.core import Frame, InputError
from vfi.edit.find import Finder
from vfi.edit.heal.findings import KINDS, Finding, of_kinds
from vfi.edit.heal.judge import findings
from vfi.edit.heal.measures import WINDOW, Measures
from vfi.edit.heal.mend import Mending, Span, mending
from vfi.edit.heal.record import Measure
from vfi.edit.heal.repeats import repeats as repeats_of
from vfi.edit.plan import Output, Plan
from vfi.parse import Fields
from vfi.timing.eased import Ease

Clip = list[np.ndarray]


@cache
def texture(seed: int) -> np.ndarray:
    """A soft random picture, 64x192, 0..1."""
    dice = np.random.default_rng(seed)
    coarse = torch.from_numpy(dice.random((1, 3, 8, 24)))
    fine = torch.from_numpy(dice.random((1, 3, 32, 96)))
    big = [torch.nn.functional.interpolate(one, (64, 192), mode="bicubic") for one in (coarse, fine)]
    return (0.7 * big[0] + 0.3 * big[1])[0].movedim(0, -1).clamp(0, 1).numpy() * 0.7 + 0.15


def pan(places, seed: int = 0) -> Clip:
    """A window of 64x64 that moves over a texture, at ``places`` in pixels."""
    wide = texture(seed)

    def at(place: float) -> np.ndarray:
        left, part = divmod(float(place), 1.0)
        return wide[:, int(left) : int(left) + 64] * (1 - part) + wide[:, int(left) + 1 : int(left) + 65] * part

    return [at(place) for place in places]


CLEAN = pan(range(0, 56, 2))
"""28 frames, 2 pixels a frame."""


def frames_of(clip: Clip, rate: int = 24) -> list[Frame]:
    return [
        Frame((torch.from_numpy(one).movedim(-1, 0).clamp(0, 1) * 255).round().byte(), F(k, rate), F(1, rate))
        for k, one in enumerate(clip)
    ]


def found(clip: Clip) -> list[tuple[str, int, int, int]]:
    return [(one.kind, one.first, one.last, one.count) for one in planned(clip).findings]


def planned(clip: Clip) -> Plan:
    seen, finder = Measures(), Finder(thorough=True)
    deque(seen.take(finder.marks(frames_of(clip))), maxlen=0)
    return finder.plan(F(24), Output(times=1)).with_findings(findings(seen))


def relit(change, *numbers: int) -> Clip:
    return [change(one) if k in numbers else one for k, one in enumerate(CLEAN)]


def blocks(one: np.ndarray) -> np.ndarray:
    broken = one.copy()
    broken[8:40, 16:48] = [0.1, 0.9, 0.2]
    return broken


def half_black(one: np.ndarray) -> np.ndarray:
    return np.concatenate([one[:32], np.zeros_like(one[32:])])


def other_blocks(number: int) -> np.ndarray:
    """A frame that is broken in its own way."""
    broken = CLEAN[number].copy()
    for row, column in [(number % 3, 0), (number % 4, 1), (2 + number % 2, 3)]:
        broken[16 * row : 16 * row + 16, 16 * column : 16 * column + 16] = [0.1 * (number % 5), 0.9, 0.2]
    return broken


OTHER = pan(range(0, 32, 2), 5)
"""Another shot."""

SLOW = pan(np.arange(0, 14, 0.4), 3)
"""35 frames that hardly move: not half a pixel a frame."""

BROKEN = {
    "white": (relit(np.ones_like, 12), ("flash", 12, 12, 1)),
    "two white": (relit(np.ones_like, 12, 13), ("flash", 12, 13, 2)),
    "light": (relit(lambda one: 0.5 * one + 0.5, 12, 13, 14), ("flash", 12, 14, 3)),
    "black": (relit(np.zeros_like, 12), ("dark", 12, 12, 1)),
    "dim": (relit(lambda one: one * 0.4, 12, 13), ("dark", 12, 13, 2)),
    "grey": (relit(lambda one: np.full_like(one, 0.5), 12), ("corrupt", 12, 12, 1)),
    "blocks": (relit(blocks, 12), ("corrupt", 12, 12, 1)),
    "half": (relit(lambda one: np.concatenate([one[:32], np.full_like(one[32:], 0.5)]), 12), ("corrupt", 12, 12, 1)),
    "half black": (relit(half_black, 12), ("corrupt", 12, 12, 1)),
    "four, each in its own way": (
        [other_blocks(k) if 12 <= k < 16 else one for k, one in enumerate(CLEAN)],
        ("corrupt", 12, 15, 4),
    ),
    "one missing": (CLEAN[:12] + CLEAN[13:], ("missing", 12, 12, 1)),
    "two missing": (CLEAN[:12] + CLEAN[14:], ("missing", 12, 12, 2)),
    "three missing": (CLEAN[:12] + CLEAN[15:], ("missing", 12, 12, 3)),
    "repeat in place": ([*CLEAN[:12], CLEAN[11], *CLEAN[13:]], ("repeat", 12, 12, 1)),
    "one missing in slow motion": (SLOW[:16] + SLOW[17:], ("missing", 16, 16, 1)),
    "repeat at the start": ([CLEAN[0], *CLEAN], ("repeat", 1, 1, 1)),
    "dim, slow": ([0.7 * one if k == 12 else one for k, one in enumerate(SLOW)], ("dark", 12, 12, 1)),
    "repeat besides": ([*CLEAN[:12], CLEAN[11], *CLEAN[12:]], ("repeat", 12, 12, 1)),
    "frozen end": (CLEAN + [CLEAN[-1]] * 5, ("freeze", 28, 32, 5)),
    "frozen start": ([CLEAN[0]] * 5 + CLEAN, ("freeze", 0, 4, 5)),
    "junk end": (CLEAN + pan(range(3), 7), ("junk", 28, 30, 3)),
    "junk start": (pan(range(2), 7) + CLEAN, ("junk", 0, 1, 2)),
}


@pytest.mark.parametrize("name", BROKEN)
def test_what_is_broken_is_found_and_nothing_else(name: str):
    clip, wanted = BROKEN[name]
    assert found(clip) == [wanted]


NEAR_A_CUT = {
    "blocks": ([*CLEAN[:2], blocks(CLEAN[2]), *CLEAN[3:]], ("corrupt", 18)),
    "a flash": ([*CLEAN[:4], 0.5 * CLEAN[4] + 0.5, *CLEAN[5:]], ("flash", 20)),
    "a repeat": ([CLEAN[0], *CLEAN], ("repeat", 17)),
}
"""What begins with frame 16, after another shot whose light flickers at its end and whose last frame but one is shown twice."""


@pytest.mark.parametrize("name", NEAR_A_CUT)
def test_what_is_broken_near_a_cut_is_found(name: str):
    clip, wanted = NEAR_A_CUT[name]
    frames = frames_of([*OTHER[:12], 1.1 * OTHER[12], 1.1 * OTHER[13], 1.1 * OTHER[14], 1.1 * OTHER[14], *clip])
    frames[16] = replace(frames[16], cut="hold")
    seen = Measures()
    deque(seen.take(frames), maxlen=0)
    places = [(one.kind, one.first) for one in findings(seen) if one.kind != "pulse"]  # which the light of the first shot is
    assert places == [("repeat", 15), wanted]


def test_a_flash_near_a_cut_that_is_not_marked_is_a_fault():
    dim = [0.7 * one for one in pan(range(0, 16, 2), 5)]
    seen = Measures()
    frames = frames_of([*relit(np.ones_like, 12)[:20], *dim])
    deque(seen.take(frames), maxlen=0)  # without a look for cuts
    assert [(one.kind, one.first) for one in findings(seen) if one.kind == "flash"] == [("flash", 12)]


def test_a_flash_in_a_still_clip_is_no_end_of_a_freeze():
    still = [np.ones_like(CLEAN[0]) if k == 9 else CLEAN[0] for k in range(24)]
    assert found(still) == [("flash", 9, 9, 1)]


def test_what_is_lost_periodically_is_found_at_each_place():
    kept = [one for k, one in enumerate(CLEAN) if k not in (6, 13, 20)]
    assert found(kept) == [("missing", 6, 6, 1), ("missing", 12, 12, 1), ("missing", 18, 18, 1)]


def strobe() -> Clip:
    return relit(lambda one: 0.4 * one + 0.6, *range(4, 26, 4))


def lightning() -> Clip:
    light = {10: 0.6, 11: 0.35, 12: 0.2, 13: 0.1, 16: 0.5, 17: 0.2}
    return [one + light.get(k, 0) * (1 - one) for k, one in enumerate(CLEAN)]


def faded() -> Clip:
    return [one * min(1, abs(k - 14) / 8) for k, one in enumerate(CLEAN)]


def photographers() -> Clip:
    """Flashes that light a part of the scene."""
    parts = {6: np.s_[:40, :30], 13: np.s_[20:, 24:], 21: np.s_[:50, 16:]}
    clip = [one.copy() for one in CLEAN]
    for number, part in parts.items():
        clip[number][part] = 0.3 * clip[number][part] + 0.7
    return clip


SOUND = {
    "photographers": photographers(),
    "even motion": CLEAN,
    "a cut": CLEAN[:16] + pan(range(0, 32, 2), 5),
    "a short shot": CLEAN[:10] + pan(range(0, 20, 2), 5) + CLEAN[20:],
    "strobe": strobe(),
    "lightning": lightning(),
    "fade": faded(),
    "on twos": [CLEAN[k // 2] for k in range(30)],
    "on mixed holds": pan(np.repeat(range(0, 60, 5), [2, 1, 3, 2, 2, 1, 4, 2, 3, 1, 2, 2])),
    "a freeze": CLEAN[:14] + [CLEAN[13]] * 10 + CLEAN[14:],
    "coming to rest": pan([60 * (1 - 0.85**k) for k in range(40)]),
    "starting": pan([0.05 * k * k for k in range(40)]),
    "standing still": [CLEAN[0]] * 24,
    "all white": [np.ones_like(CLEAN[0])] * 12,
    "one frame": CLEAN[:1],
    "two frames": CLEAN[:2],
}


@pytest.mark.parametrize("name", SOUND)
def test_nothing_is_found_in_what_is_meant(name: str):
    assert found(SOUND[name]) == []


def test_noise_hides_nothing_and_adds_nothing():
    dice = np.random.default_rng(3)
    noisy = [(one + dice.normal(0, 0.02, one.shape)).clip(0, 1) for one in BROKEN["one missing"][0]]
    assert found(noisy) == [("missing", 12, 12, 1)]


def test_few_thumbnails_are_held():
    seen = Measures()
    assert sum(1 for _ in seen.take(frames_of(CLEAN))) == len(seen.frames) == len(CLEAN)
    assert WINDOW < 10


def finding(kind: str, first: int, last: int | None = None, action: str | None = None, count: int | None = None) -> Finding:
    last = first if last is None else last
    one = {"kind": kind, "first": first, "last": last, "action": action, "count": count}
    given = {key: value for key, value in one.items() if value is not None}
    made = Finding.of(Fields(given, "one"))
    return replace(made, start=F(first, 24), end=F(made.last + (kind != "missing"), 24))


def mended(*some: Finding, duration="keep") -> Mending:
    return mending(some, duration, frames=28, begin=F(0), lasts=F(28, 24))


def test_frames_are_marked_cut_off_and_put_in():
    clip = frames_of(CLEAN)
    out = list(mended(finding("junk", 0, 1), finding("flash", 5, 6), finding("freeze", 26, 27)).frames(clip))
    assert [one.time for one in out] == [F(k, 24) for k in range(24)]
    assert [k for k, one in enumerate(out) if one.repeat] == [3, 4]
    assert all(one.rgb is old.rgb for one, old in zip(out, clip[2:], strict=False))
    grown = list(mended(finding("missing", 10, count=2), duration="grow").frames(clip))
    assert [one.time for one in grown] == [F(k, 24) for k in range(30)]
    assert [k for k, one in enumerate(grown) if one.repeat] == [10, 11]


def test_sound_is_cut_and_stretched_with_the_picture():
    spans = mended(finding("junk", 0, 1), finding("missing", 12), finding("freeze", 26, 27), duration="grow").spans()
    assert all(isinstance(span, Span) for span in spans)
    heard = [span for span in spans if span.end != span.start]
    assert heard[0].start == F(2, 24)
    assert heard[-1].end == F(26, 24)
    assert sum(span.length or span.end - span.start for span in heard) == F(24 + 1, 24)


def test_a_jump_is_spread_evenly():
    ease = Ease(F(0), F(4), F(5), F(9), F(1))
    shown = [ease.shown(F(k)) for k in range(10)]
    assert shown[0] == 0
    assert shown[9] == 9
    assert all(ease.place(one) == k for k, one in enumerate(shown))
    steps = [late - early for early, late in pairwise(shown)]
    assert steps[4] == 2 * steps[3] == 2 * steps[5]


def test_a_plan_with_findings_comes_back():
    plan = planned(BROKEN["two white"][0])
    again = Plan.from_json(plan.to_json())
    assert again == plan
    assert [one["kind"] for one in json.loads(plan.to_json())["findings"]] == ["flash"]
    assert len(plan.shots) == 1
    assert not plan.events


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"kind": "hiccup"}, "findings[0].kind"),
        ({"last": 11}, "findings[0].last"),
        ({"action": "insert"}, "it must be remake or keep"),
        ({"confidence": 2}, "findings[0].confidence"),
        ({"colour": 1}, "unknown field"),
    ],
)
def test_a_wrong_finding_is_named(change: dict[str, object], told: str):
    data = json.loads(planned(BROKEN["white"][0]).to_json())
    data["findings"][0] |= change
    with pytest.raises(InputError) as error:
        Plan.from_json(json.dumps(data))
    assert told in str(error.value)


def test_findings_that_overlap_are_refused():
    with pytest.raises(InputError, match="overlap at frame 6"):
        mended(finding("flash", 5, 6), finding("dark", 6))


COURSES = (
    Finding("drift", 2, 4, 3, 0.9, "regrade", light=((0.0, 0.0, 0.0), (0.01, 0.0, -0.01), (0.02, 0.0, -0.02))),
    Finding("uneven", 2, 3, 2, 0.7, "retime", offsets=(0.0, -0.25)),
    Finding("flash", 3, 3, 1, 0.8, "remake"),
    Finding("border", 4, 4, 1, 0.6, "bridge", light=((0.1, 0.0, 0.0),), speed=1.5),
)
"""Three courses, and a fault within two of them."""


def test_a_course_goes_over_frames_with_other_faults():
    made = mending(COURSES, "keep", frames=9, begin=F(0), lasts=F(9, 24))
    assert set(made.findings) == {*COURSES}
    assert tuple(Finding.of(Fields(one.as_dict(), "findings[0]")) for one in COURSES) == COURSES
    with pytest.raises(InputError, match="overlap at frame 4, drift and drift"):
        mending([*COURSES, replace(COURSES[0], first=4, last=6)], "keep", frames=9, begin=F(0), lasts=F(9, 24))


def test_a_plan_of_another_clip_is_told():
    plan = planned(BROKEN["white"][0])
    with pytest.raises(InputError, match="belongs to another clip"):
        deque(plan.mending.frames(frames_of(CLEAN, 25)), maxlen=0)
    with pytest.raises(InputError, match="the clip has only 8 frames"):
        deque(plan.mending.frames(frames_of(CLEAN[:8])), maxlen=0)


def test_a_clip_of_which_nothing_is_left_is_refused():
    with pytest.raises(InputError, match="all 4 frames would be cut"):
        deque(
            mending([finding("junk", 0, 3)], "keep", frames=4, begin=F(0), lasts=F(4, 24)).frames(frames_of(CLEAN[:4])),
            maxlen=0,
        )


def test_kinds_are_chosen():
    some = [finding("flash", 3), finding("missing", 9)]
    assert [one.kind for one in of_kinds(some, ["flash"])] == ["flash"]
    assert [one.kind for one in of_kinds(some, without=["flash"])] == ["missing"]
    with pytest.raises(InputError, match=", ".join(KINDS)):
        of_kinds(some, ["flicker"])


def test_each_of_two_broken_frames_is_told_from_the_sound_one_before_both():
    """Blocks lie in other places in each: seen from the first, half of those of the second are as they should be."""
    clip = [one.copy() for one in CLEAN]
    places = [(0, 0), (0, 32), (24, 48), (48, 16)]
    for k, shift in ((12, 0), (13, 16)):
        for top, left in places:
            left = (left + shift) % 52
            clip[k][top : top + 12, left : left + 12] = (1.0, 0.0, 0.5)
    assert found(clip) == [("corrupt", 12, 13, 2)]


def test_a_fault_among_repeats_of_a_change_of_rate_does_not_hide_them():
    """The flash of frame 11 leaves two repeats side by side, and a beat out."""
    repeats = {1, 4, 7, 10, 13, 16, 19, 22}
    still, step = {"width": 0.02, "moved": 0.0}, {"width": 8.0, "moved": 4.0}
    light = (99.0, 100.0, 101.0), 40.0
    frames = [Measure(k, F(k, 24), False, *light, **(still if k in repeats else step)) for k in range(25)]
    found = repeats_of(frames, {11, 12})
    assert {k for one in found for k in range(one.first, one.last + 1)} == repeats
    assert {one.kind for one in found} == {"repeat"}
