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
from .heal.drifts import Anchor, anchored
from .heal.findings import COURSES, Finding, Light, of_kinds, retimed
from .heal.judge import findings
from .heal.measures import Measures
from .heal.mend import Duration
from .heal.pictures import thumbnail
from .plan import LISTED, Output, Plan

Repeated: TypeAlias = Literal["spread", "drop"]
"""What is done about repeated frames: motion goes on through them, or they are left out with their time."""

REPEATED: tuple[Repeated, ...] = get_args(Repeated)

IS_EVEN = "no uneven motion was found: all frames stay at their times"
"""Said where frames were to be retimed, and none is."""

AS_IT_IS = Output(times=1)
"""As many frames as the clip has."""


def find_faults(
    frames: Iterable[Frame],
    rate: Fraction | None,
    *,
    plan: Plan | None = None,
    finder: Finder | None = None,
    only: Collection[str] | None = None,
    anchor: Anchor = "first",
    seen: Measures | None = None,
) -> Plan:
    """The plan of a clip whose findings are its faults, or those of the kinds ``only``, found in one pass.

    ``finder`` says how cuts and repeats are handled; the output is `AS_IT_IS`. ``plan``: a plan of the clip instead, whose
    cuts, repeats, events and output are kept. Drift is measured from ``anchor``. ``seen`` gets the measures, if given. Raises
    `InputError` if the plan is of another clip.
    """
    seen = Measures() if seen is None else seen
    if plan is not None:
        cuts = replace(plan, duplicates="keep", flashes="keep", findings=())
        deque(seen.take(cuts.marked(frames)), maxlen=0)
    else:
        finder = finder or Finder(thorough=True)
        deque(seen.take(finder.marks(frames)), maxlen=0)
        plan = finder.plan(rate, AS_IT_IS)
    return plan.with_findings(anchored(of_kinds(findings(seen), only), anchor, seen.frames))


def mean_light(picture: Frame) -> Light:
    """The light of a picture, as an `Anchor`: its mean colour, each channel from 0 to 255."""
    red, green, blue = thumbnail(picture).mean(axis=(0, 1)).tolist()
    return red, green, blue


def treated(
    plan: Plan,
    *,
    only: Collection[str] | None = None,
    without: Collection[str] = (),
    duration: Duration | None = None,
    repeats: Repeated | None = None,
    even: bool = False,
) -> Plan:
    """The plan with the findings of the kinds ``only`` (None: all), ``without`` some; None leaves the rest as planned.

    Repeats whose action is keep are kept. ``even``: uneven motion is retimed. Raises `InputError` for a kind that there is not.
    """
    some = of_kinds(plan.findings, only, without)
    if repeats is not None:
        some = tuple(replace(one, action=repeats) if one.kind == "repeat" and one.action != "keep" else one for one in some)
    return replace(plan, findings=retimed(some) if even else some, duration=duration or plan.duration)


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


def notes_of(plan: Plan, given: Plan, even: bool = False) -> list[str]:
    """What is mended as `treated` leaves ``given``, which became ``plan``, and what is not; a sentence each. ``even``: whether
    uneven motion was to be retimed."""
    notes = plan.notes() if plan.mending.findings else ["nothing is to be mended: all frames are copied"]
    if even and not any(one.action == "retime" for one in plan.findings):
        notes.append(IS_EVEN)
    kept = {one.kind for one in plan.findings}
    if left := [one for one in given.findings if one.kind not in kept]:
        kinds = ", ".join(sorted({one.kind for one in left}))
        notes.append(f"{len(left)} of {len(given.findings)} findings are left as they are: {kinds} is switched off")
    return notes
