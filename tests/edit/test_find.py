"""Finding a plan: in the pass that makes a clip or before it, corrected by hand, with repeats or without."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction as F
from pathlib import Path

import footage
import pytest
import torch
from models import Blend

from vfi.clips.open import open_clip
from vfi.core import Frame, InputError
from vfi.edit.find import Edit, Finder, find_plan, with_repeats
from vfi.edit.plan import Event, Output, Plan
from vfi.render.run import run
from vfi.timing.grids import Subdivide

CLIPS = Path(__file__).parents[1] / "data" / "clips"
CUT = Path(__file__).parents[2] / "examples" / "cut-25fps.mp4"
RATE = F(24)


def pictures(*lengths: int) -> list[Frame]:
    """A still of each length, one after the other."""
    noise = torch.rand((len(lengths), 3, 9, 16), generator=torch.Generator().manual_seed(3))
    shown = [picture for picture, length in zip(noise, lengths, strict=True) for _ in range(length)]
    coarse = torch.nn.functional.interpolate(torch.stack(shown), (54, 96), mode="nearest")
    return [Frame(rgb, k / RATE, 1 / RATE) for k, rgb in enumerate(coarse)]


def cuts(frames) -> list[int]:
    return [k for k, frame in enumerate(frames) if frame.cut]


CLIP = pictures(6, 5, 7)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("", [6, 11]),
        ("+3", [3, 6, 11]),
        ("-6", [11]),
        ("+3, -6\n+0.375s", [3, 9, 11]),
        ("3 9", [3, 9]),
        ("0, 0.125s; 0.3s", [3, 8]),
        ("+6", [6, 11]),
    ],
)
def test_cuts_are_corrected_by_frame_or_time(text: str, wanted: list[int]):
    finder = Finder(edit=Edit.parse(text))
    marked = list(finder.marks(CLIP))
    assert [k for k in cuts(marked) if k] == wanted
    plan = finder.plan(RATE)
    assert [shot.start for shot in plan.shots] == [F(k, 24) for k in [0, *wanted]]
    assert sum(shot.frames for shot in plan.shots) == 18
    assert all((shot.score is not None) == (shot.start * 24 in (6, 11)) for shot in plan.shots)


@pytest.mark.parametrize(
    ("text", "says"), [("+3, 4", "both lists"), ("x", "'x' is not a cut"), ("1.5", "is not a cut"), ("+-3", "not a cut")]
)
def test_what_is_no_edit_is_refused(text: str, says: str):
    with pytest.raises(InputError, match=says):
        Edit.parse(text)


@pytest.mark.parametrize(
    ("text", "says"),
    [("-7", "before frame 7 .* there is none"), ("+18", "frame 18 .* only 18 frames"), ("2s", "2 s was given")],
)
def test_an_edit_of_what_is_not_there_is_refused(text: str, says: str):
    with pytest.raises(InputError, match=says):
        find_plan(CLIP, RATE, Finder(edit=Edit.parse(text)))


@pytest.mark.parametrize("policy", ["hold", "blend", "interpolate"])
def test_the_plan_marks_as_its_finder_did(policy):
    reader = open_clip(CUT)
    finder = Finder(policy, "spread")
    marked = [(frame.time, frame.cut, frame.repeat) for frame in finder.marks(reader)]
    plan = finder.plan(reader.info.rate, Output(fps=F(60)))
    assert [(frame.time, frame.cut, frame.repeat) for frame in plan.marked(reader)] == marked
    assert [time for time, cut, _ in marked if cut] == ([] if policy == "interpolate" else [F(24, 25)])
    assert [time for time, _, repeat in marked if repeat] == [F(12, 25)]
    assert plan.source.duration == reader.info.duration
    assert plan.expected() == 116


def test_fades_are_told():
    plan = find_plan(open_clip(CLIPS / "fade_through_black.mp4"), F(25), Finder())
    assert plan.events == (Event("fade", F(19, 25), 4),)
    assert len(plan.shots) == 1


def test_repeats_are_found_when_they_are_wanted_and_may_be_added():
    reader = open_clip(CLIPS / "on_mixed_holds_24fps.mp4")
    assert find_plan(reader, RATE, Finder()).repeats == ()
    plan = find_plan(reader, RATE, Finder(thorough=True))
    assert (sum(run.frames for run in plan.repeats), plan.duplicates) == (14, "keep")
    added = with_repeats(find_plan(reader, RATE, Finder()), reader, "spread")
    assert (added.repeats, added.duplicates) == (plan.repeats, "spread")
    assert sum(frame.repeat for frame in added.marked(reader)) == 14


def test_nothing_has_no_plan():
    with pytest.raises(InputError, match="no frames"):
        find_plan([], RATE, Finder())


@pytest.mark.parametrize("light", [0.0, 1.0], ids=["dark", "bright"])
def test_flashes_are_remade_from_the_frames_around_them(light: float):
    """Three of twelve frames flash; the finder and the plan that it returns mark the same, and nothing else is touched."""
    clean = list(footage.moving(12, width=96, height=64))
    frames = [
        replace(one, rgb=torch.lerp(one.rgb, torch.full_like(one.rgb, light), 0.95)) if k in (3, 7, 8) else one
        for k, one in enumerate(clean)
    ]
    finder = Finder(flashes="remake")
    marked = list(finder.marks(frames))
    plan = finder.plan(RATE)
    assert [frame.repeat for frame in marked] == [k in (3, 7, 8) for k in range(12)]
    assert [frame.repeat for frame in Plan.from_json(plan.to_json()).marked(frames)] == [frame.repeat for frame in marked]
    assert [event.frames for event in plan.events] == [1, 2]
    assert plan.notes() == ["2 flashes, at 0.125, 0.292 s (remake)"]
    assert plan.event_notes() == []
    made = list(run(marked, Blend(), Subdivide(1), tail="hold"))
    for k, (new, old) in enumerate(zip(made, clean, strict=True)):
        assert torch.equal(new.rgb, old.rgb) == (k not in (3, 7, 8))
    assert max(float((new.rgb - old.rgb).abs().mean()) for new, old in zip(made, clean, strict=True)) < 0.1
    assert not any(frame.repeat for frame in Finder().marks(frames))
