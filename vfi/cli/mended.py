"""The making of a clip that is mended on the way, for all commands that follow a plan with findings, and the pass that finds
them."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

from ..clips.clip import Reader
from ..clips.open import ClipSource
from ..clips.video.sound import Audio
from ..core import Frame, InputError
from ..edit.faults import find_faults
from ..edit.find import Finder
from ..edit.heal.drifts import Anchor
from ..edit.heal.measures import Measures
from ..edit.heal.mend import Mending
from ..edit.heal.observed import Observed
from ..edit.plan import Plan
from ..render.pipeline import Watch
from ..render.splice import beside
from ..timing.grids import Timing
from .output import Settings, make_clip
from .parallel import ALONE, Crew
from .progress import tracked
from .report import console_for_people

EVEN = "show unevenly placed frames at their true times, and make the frames of the even times"
"""What ``--even`` does."""


def looking(reader: Reader) -> Iterator[Frame]:
    """The frames of a clip, with progress shown, in a pass that makes none."""
    return iter(tracked(reader, "looking at the clip", reader.info.frames, console_for_people()))


def looked_through(
    reader: Reader,
    finder: Finder | None = None,
    only: Collection[str] | None = None,
    anchor: Anchor = "first",
    observed: Observed | None = None,
) -> Plan:
    """`find_faults` in a clip, in a pass of its own. What a report needs of it is ``observed``."""
    seen = Measures()
    shown = looking(reader) if observed is None else observed.first(looking(reader))
    plan = find_faults(shown, reader.info.rate, finder=finder, only=only, anchor=anchor, seen=seen)
    if observed is not None:
        observed.measured(seen)
    return plan


def make_mended(
    clip: Reader,
    mended: Mending,
    asked: Timing,
    settings: Settings,
    decisions: Mapping[str, object],
    *,
    source: ClipSource,
    audio: Audio = "auto",
    crew: Crew = ALONE,
    watch: Watch = iter,
) -> int:
    """Make the clip that is asked for from ``clip``, whose frames are ``mended`` already, and return the exit code.

    Sound follows frames that are left out and time that is put in, unless it is copied. ``watch``: see `output.make_clip`.
    Raises `InputError` for several processes where frames are left out, put in, moved or regraded: they read the clip
    themselves, in pieces.
    """
    timing = mended.timing(asked)
    if crew.several and (mended.changes_time or mended.moves_frames or mended.regrades):
        raise InputError(
            "the plan leaves frames out, puts them in, moves or regrades them: it cannot be combined with several processes"
        )
    if not mended.changes_time:
        return make_clip(clip, timing, settings, decisions, source=source, audio=audio, crew=crew, watch=watch)
    heard = source.sound() if clip.info.audio and audio != "drop" else None
    with beside(mended, heard, source.extras(), settings.path.suffix, clip.notes, audio) as (sound, _):
        return make_clip(clip, timing, settings, decisions, source=source, sound=sound, audio=audio, extras=False, watch=watch)
