"""The faults of a clip as a plan: runs `heal.measures` and `heal.judge` beside `find`, in one pass, and says what becomes of
each finding.

Knows nothing of files, models or callers.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterable
from dataclasses import replace
from fractions import Fraction
from typing import Literal, TypeAlias, get_args

from ..core import Frame, InputError
from .find import Finder
from .heal.findings import COURSES, Finding, of_kinds
from .heal.judge import findings
from .heal.measures import Measures
from .heal.mend import Duration
from .plan import LISTED, Output, Plan

Repeated: TypeAlias = Literal["spread", "drop"]
"""What is done about repeated frames: motion goes on through them, or they are left out with their time."""

REPEATED: tuple[Repeated, ...] = get_args(Repeated)

AS_IT_IS = Output(times=1)
"""As many frames as the clip has."""


def find_faults(frames: Iterable[Frame], rate: Fraction | None, plan: Plan | None = None) -> Plan:
    """The plan of a clip whose findings are its faults, found in one pass; its output is `AS_IT_IS`.

    ``plan``: a plan of the clip, whose cuts, repeats, events and output are kept. Raises `InputError` if it is of another clip.
    """
    seen = Measures()
    if plan is not None:
        cuts = replace(plan, duplicates="keep", flashes="keep", findings=())
        deque(seen.take(cuts.marked(frames)), maxlen=0)
    else:
        finder = Finder(thorough=True)
        deque(seen.take(finder.marks(frames)), maxlen=0)
        plan = finder.plan(rate, AS_IT_IS)
    return plan.with_findings(findings(seen))


def treated(
    plan: Plan,
    *,
    only: Collection[str] | None = None,
    without: Collection[str] = (),
    duration: Duration | None = None,
    repeats: Repeated | None = None,
) -> Plan:
    """The plan with the findings of the kinds ``only`` (None: all), ``without`` some; None leaves the rest as planned.

    Findings whose action is keep are kept. Raises `InputError` for a kind that there is not.
    """
    some = of_kinds(plan.findings, only, without)
    if repeats is not None:
        some = tuple(replace(one, action=repeats) if one.kind == "repeat" and one.action != "keep" else one for one in some)
    return replace(plan, findings=some, duration=duration or plan.duration)


def places(found: Iterable[Finding]) -> list[Finding]:
    """The findings that are about some frames, not about how the light or the motion of many goes on."""
    return [one for one in found if one.kind not in COURSES or one.first == one.last]


def left_alone(plan: Plan, frames: Collection[int]) -> Plan:
    """The plan in which the findings whose `places` are among ``frames`` are kept. Raises `InputError` if there are none."""
    there = places(plan.findings)
    touched = [one for one in there if any(one.first <= frame <= one.last for frame in frames)]
    if not touched:
        least, most = min(frames), max(frames)
        named = f"frame {least}" if least == most else f"frames {least} to {most}"
        listed = ", ".join(one.where for one in there[:LISTED]) + (" and later" if len(there) > LISTED else "")
        found = f"findings are at frames {listed}" if there else "nothing was found"
        raise InputError(f"{named} cannot be left alone: {found}")
    return replace(plan, findings=tuple(replace(one, action="keep") if one in touched else one for one in plan.findings))


def notes_of(plan: Plan, given: Plan) -> list[str]:
    """What is mended as `treated` leaves ``given``, which became ``plan``, and what is not; a sentence each."""
    notes = plan.notes() if plan.mending.findings else ["nothing is to be mended: all frames are copied"]
    kept = {one.kind for one in plan.findings}
    if left := [one for one in given.findings if one.kind not in kept]:
        kinds = ", ".join(sorted({one.kind for one in left}))
        notes.append(f"{len(left)} of {len(given.findings)} findings are left as they are: {kinds} is switched off")
    return notes
