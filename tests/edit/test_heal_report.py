"""What the report of a clip says and shows."""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction as F

import numpy as np
import pytest
import torch
from footage import panned

from vfi.clips.clip import Edited, Info, Trimmed
from vfi.core import Frame
from vfi.edit.find import Finder
from vfi.edit.heal.findings import Finding
from vfi.edit.heal.measures import Measures
from vfi.edit.heal.mend import Mending
from vfi.edit.heal.observed import Observed
from vfi.edit.heal.sheet import LISTED, Names, page
from vfi.edit.heal.stills import PICTURED, Moves, inside, key_of, pictured
from vfi.edit.heal.traces import FILM, Film, Trace
from vfi.edit.plan import Output
from vfi.pages.markup import html
from vfi.pages.page import Figure, Notes, Page, Pairs, Section, Table
from vfi.pages.pictures import decoded
from vfi.pages.plain import text

CLEAN = panned(28)
WHITE = torch.ones_like(CLEAN[0])
LOOKED: dict[tuple, tuple] = {}
"""What was seen of clips: several tests look at the same."""


def frames_of(pictures, rate: int = 24) -> list[Frame]:
    return [Frame(one, F(k, rate), F(1, rate)) for k, one in enumerate(pictures)]


def finding(
    kind: str, first: int, last: int | None = None, action: str = "remake", count: int | None = None, **more
) -> Finding:
    last = first if last is None else last
    end = first if kind == "missing" else last + 1
    many = last - first + 1 if count is None else count
    return Finding(kind, first, last, many, 0.9, action, start=F(first, 24), end=F(end, 24), **more)


def observed(frames: list[Frame], *found: Finding, made: list[Frame] | None = None, duration="keep", info: Info | None = None):
    """What is seen of a clip with these findings, of which ``made`` becomes (None: its plan is only listed)."""
    seen = Observed(info or Info(64, 64, rate=F(24)))
    known = tuple((id(one.rgb), one.time) for one in frames)  # pictures of this module live on
    if known not in LOOKED:
        measures, finder = Measures(), Finder(thorough=True)
        deque(measures.take(finder.marks(seen.first(frames))), maxlen=0)
        seen.measured(measures)
        LOOKED[known] = finder.plan(F(24), Output(times=1)), seen.trace, seen.film.pictures, frames
    bare, seen.trace, seen.film.pictures, _ = LOOKED[known]
    plan = replace(bare.with_findings(found), duration=duration)
    seen.planned(plan, mends=made is not None)
    if made is None:
        seen.stills.look(Edited(seen.info, [], lambda: iter(frames)))
    else:
        deque(seen.before(frames), maxlen=0)
        deque(seen.after(made), maxlen=0)
    return plan, seen


def parts(one: Page | Section) -> Iterator[object]:
    for part in one.parts:
        yield part
        if isinstance(part, Section):
            yield from parts(part)


def only(one: Page | Section, kind: type) -> list:
    return [part for part in parts(one) if isinstance(part, kind)]


def shade(picture) -> float:
    return float(decoded(picture).mean())


def flashed() -> tuple[list[Frame], list[Frame]]:
    clean = frames_of(CLEAN)
    return [replace(one, rgb=WHITE) if k in (8, 9) else one for k, one in enumerate(clean)], clean


def test_a_mended_flash_is_shown_before_and_after():
    bad, clean = flashed()
    plan, seen = observed(bad, finding("flash", 8, 9), made=clean)
    made = page(Names("a.mp4", "b.mp4", "dis", "1"), plan, seen, ["a note"])
    assert made.lead == "1 finding in 28 frames: 1 flash. It is mended."
    (pairs,) = only(made, Pairs)
    assert [one.label for one in pairs.moments] == ["frame 7", "frame 8", "frame 9", "frame 10"]
    assert [one.inside for one in pairs.moments] == [False, True, True, False]
    assert shade(pairs.key.before) == 255
    assert abs(shade(pairs.key.after) - float(CLEAN[9].mean()) * 255) < 3
    assert abs(shade(pairs.moments[0].after) - float(CLEAN[7].mean()) * 255) < 3
    along = next(one for one in only(made, Figure) if one.wide)
    (lane,) = along.lanes
    assert (lane.name, lane.marks[0].begin, lane.marks[0].target) == ("flash", pytest.approx(8 / 24), "f1")
    before, after = along.charts[0].series
    assert before.values[8] == pytest.approx(255)
    assert after.values[8] == pytest.approx(before.values[7], abs=12)
    assert ("New frames by", "dis") in made.facts
    assert "A note." in only(made, Notes)[0].sentences


def test_a_list_shows_what_was_found_and_nothing_after():
    bad, _ = flashed()
    plan, seen = observed(bad, finding("flash", 8, 9))
    made = page(Names("a.mp4"), plan, seen)
    assert made.lead.endswith("Nothing was changed.")
    (pairs,) = only(made, Pairs)
    assert not pairs.both
    assert shade(pairs.key.before) == 255
    assert all(len(chart.series) == 1 for one in only(made, Figure) for chart in one.charts)
    assert "would be done" in only(made, Table)[0].heads[-1]
    assert "after" not in html(made).split("</style>")[1].replace("Before and after", "")


def test_frames_that_are_cut_off_or_put_in_have_a_place():
    frames = frames_of(CLEAN)
    grown = frames_of([*CLEAN[2:12], CLEAN[11], *CLEAN[12:]])
    plan, seen = observed(
        frames, finding("junk", 0, 1, "cut"), finding("missing", 12, action="insert"), made=grown, duration="grow"
    )
    made = page(Names("a", "b"), plan, seen)
    junk, missing = only(made, Pairs)
    assert {one.after for one in junk.moments[:2]} == {"cut off"}
    assert shade(junk.moments[2].after) == pytest.approx(shade(junk.moments[2].before), abs=0.5)
    assert [one.label for one in missing.moments] == ["frame 10", "frame 11", "new", "frame 12", "frame 13"]
    assert missing.moments[2].before == "no frame here"
    assert missing.key.label == "between frames 11 and 12"
    assert shade(missing.key.after) == pytest.approx(shade(missing.moments[1].before), abs=1)
    for one in missing.moments[3:]:
        assert np.array_equal(decoded(one.before), decoded(one.after))
    series = next(one for one in only(made, Figure) if one.wide).charts[0].series
    assert list(series[1].places) == sorted(series[1].places)
    assert [place * 24 for place in series[1].places[8:13]] == pytest.approx([10.5, 11.5, 12, 12.5, 13.5])
    assert series[1].places[0] == pytest.approx(2.5 / 24)


def test_moves_go_there_and_back():
    some = (
        finding("junk", 0, 1, "cut"),
        finding("missing", 12, action="insert", count=2),
        finding("repeat", 20, action="drop"),
    )
    moves = Moves(Mending(some, "grow", F(1, 24), F(0), F(28, 24)))
    kept = [k for k in range(2, 28) if k != 20]
    shown = [moves.shown(F(k, 24)) for k in kept]
    assert shown[0] == 0
    assert [k for k, (a, b) in enumerate(itertools.pairwise(shown)) if b - a != F(1, 24)] == [9]
    assert [moves.place(float(time) + 1e-9) * 24 for time in shown] == pytest.approx(kept, abs=1e-3)
    assert [moves.place((k + 0.001) / 24) * 24 for k in (10, 11)] == pytest.approx([11.333, 11.667], abs=2e-3)
    assert Moves(None).shown(F(3)) == Moves(None).place(3.0) == 3


def test_what_lasts_a_whole_shot_is_shown_by_moments_of_it():
    light = tuple((k / 100, k / 100, k / 100) for k in range(28))
    drift = finding("drift", 0, 27, "regrade", light=light)
    assert inside(drift) == [0, 7, 14, 20, 27]
    assert key_of(drift) == 27
    plan, seen = observed(frames_of(CLEAN), drift, finding("flash", 8), made=frames_of(CLEAN))
    made = page(Names("a", "b"), plan, seen)
    assert [len(one.moments) for one in only(made, Pairs)] == [5, 3]
    along, *beside = only(made, Figure)
    assert along.bands == ((pytest.approx(8 / 24), pytest.approx(9 / 24)),)
    assert next(chart.title for chart in beside[0].charts) == "Brightness"
    assert "light off by up to +31" in next(one.where for one in only(made, Section) if one.title == "Drift")


@pytest.mark.parametrize(
    ("kind", "action", "more", "told"),
    [
        ("border", "bridge", {"speed": 1.5}, "1.5 times as fast"),
        ("border", "bridge", {"light": ((0.1, 0.1, 0.1),)}, "light off by up to +10.5 %"),
        ("uneven", "retime", {"offsets": (0.0, -0.4, 0.0)}, "up to 0.4 frames"),
        ("pulse", "keep", {"light": ((0.0, 0.0, 0.0), (-0.05, 0.0, 0.0), (0.0, 0.0, 0.0))}, "light off by up to -4.9 %"),
    ],
)
def test_courses_say_how_much(kind: str, action: str, more: dict, told: str):
    last = 10 if kind != "border" else 8
    plan, seen = observed(frames_of(CLEAN), finding(kind, 8, last, action, **more), made=frames_of(CLEAN))
    made = page(Names("a", "b"), plan, seen)
    (card,) = [one for one in only(made, Section) if one.card]
    assert told in card.where
    assert card.lead.endswith(".")
    assert html(made)


def test_of_many_findings_some_of_each_kind_are_pictured_and_all_are_told():
    some = [finding("flash", k) for k in range(2, 1202, 2)] + [
        replace(finding("dark", 1301 + 2 * k), confidence=0.6) for k in range(3)
    ]
    shown = pictured(some)
    assert len(shown) == PICTURED
    assert [one.kind for one in shown].count("dark") == 3
    assert [one.first for one in shown] == sorted(one.first for one in shown)
    bad = [finding("flash", k % 28) for k in range(LISTED + 5)]
    plan, seen = observed(frames_of(CLEAN))
    made = page(Names("a"), replace(plan, findings=tuple(bad)), seen)
    table = only(made, Table)[0]
    assert len(table.rows) == LISTED
    assert "5 more are not listed" in table.caption


@pytest.mark.parametrize("count", [1, 2, 3])
def test_the_shortest_clips_have_a_page(count: int):
    plan, seen = observed(frames_of(CLEAN[:count]), made=frames_of(CLEAN[:count]))
    made = page(Names("a", "b"), plan, seen)
    assert made.lead == f"Nothing was found in {count} frame{'s' if count > 1 else ''}."
    assert len(only(made, Figure)[0].charts) == (3 if count == 1 else 4)
    assert html(made)
    assert text(made)


def test_motion_is_not_shown_across_a_cut():
    other = panned(40)[28:]
    frames = frames_of([*CLEAN[:14], *[1 - one for one in other[:10]]])
    plan, seen = observed(frames, made=frames)
    assert len(plan.shots) == 2
    made = page(Names("a", "b"), plan, seen)
    motion = only(made, Figure)[0].charts[3]
    for line in motion.series:
        assert [k for k, value in enumerate(line.values) if value != value] == [0, 14]


def test_variable_rates_have_clocks_instead_of_timecodes():
    bad, clean = flashed()
    late = [replace(one, time=one.time + (F(1, 20) if k > 5 else 0)) for k, one in enumerate(bad)]
    late_clean = [replace(one, time=other.time) for one, other in zip(clean, late, strict=True)]
    found = replace(finding("flash", 8, 9), start=late[8].time, end=late[10].time)
    for frames, made, one, stamp in (
        (bad, clean, finding("flash", 8, 9), "00:00:00:08"),
        (late, late_clean, found, "0:00:00.383 s"),
    ):
        plan, seen = observed(frames, one, made=made)
        assert only(page(Names("a", "b"), plan, seen), Table)[0].rows[0][3] == stamp


def test_an_earlier_run_is_told_and_nothing_wrong_is_shown():
    bad, clean = flashed()
    plan, seen = observed(bad, finding("flash", 8, 9), finding("dark", 20), made=clean[12:])
    made = page(Names("a", "b"), plan, seen)
    first, second = only(made, Pairs)
    assert {one.after for one in first.moments} == {"made by an earlier run"}
    assert not isinstance(second.key.after, str)
    assert "An earlier run made the first frames" in text(made)


def test_a_film_is_bounded_and_even():
    small = [Frame(torch.zeros(3, 8, 8, dtype=torch.uint8), F(k, 24), F(1, 24)) for k in range(1000)]
    film = Film()
    assert sum(1 for _ in film.take(small)) == 1000
    times = [time * 24 for time, _ in film.pictures]
    assert FILM / 2 <= len(times) <= FILM
    assert {b - a for a, b in itertools.pairwise(times)} == {times[1] - times[0]}


def test_a_trace_measures_as_the_doctor_does():
    trace, other, seen = Trace(), Trace(), Measures()
    assert sum(1 for _ in trace.take(frames_of(CLEAN[:8]))) == len(trace) == 8
    deque(seen.take(frames_of(CLEAN[:8])), maxlen=0)
    other.add(seen, 64)
    assert str(trace) == str(other)  # as texts, since motion begins with NaN
    assert trace.light[3] == pytest.approx(float(CLEAN[3].mean()) * 255, abs=12)
    assert trace.motion[5] > 0.5
    assert trace.end == pytest.approx(8 / 24)


class Sought(Trimmed):
    """A clip that can seek, and counts what is read."""

    def __init__(self, frames: list[Frame]) -> None:
        super().__init__(Edited(Info(8, 8, rate=F(24)), [], lambda: iter(frames)))
        self.frames, self.read = frames, 0

    def since(self, time: F, before: int = 0) -> Iterator[Frame]:
        for one in self.frames:
            if one.time + one.duration > time:
                self.read += 1
                yield one


def test_a_long_clip_is_read_again_only_where_something_was_found():
    frames = [Frame(torch.full((3, 8, 8), k % 200, dtype=torch.uint8), F(k, 24), F(1, 24)) for k in range(2400)]
    seen = Observed(Info(8, 8, rate=F(24)))
    seen.trace.times.extend(float(one.time) for one in frames)
    plan, _ = observed(frames_of(CLEAN))
    seen.planned(replace(plan, findings=(finding("flash", 30), finding("flash", 2350))), mends=False)
    clip = Sought(frames)
    seen.stills.look(clip)
    assert sorted(seen.stills.old) == [29, 30, 31, 2349, 2350, 2351]
    assert shade(seen.stills.old[2350].small) == pytest.approx(2350 % 200, abs=1)
    assert clip.read < 20


def test_hdr_and_alpha_are_shown_as_a_person_sees_them():
    bright = [Frame(torch.full((3, 40, 40), 0.58), F(k, 24), F(1, 24), torch.full((1, 40, 40), 1.0)) for k in range(12)]
    plan, seen = observed(bright, finding("flash", 5), made=bright, info=Info(40, 40, rate=F(24), curve="pq", alpha=True))
    (pairs,) = only(page(Names("a", "b"), plan, seen), Pairs)
    assert 225 < shade(pairs.key.after) < 250
