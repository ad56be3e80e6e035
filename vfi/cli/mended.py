"""The making of a clip that is mended on the way, for all commands that follow a plan with findings, and the pass that finds
them."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Mapping

from ..clips.clip import Reader
from ..clips.open import ClipSource
from ..clips.video.sound import Audio
from ..core import InputError
from ..edit.find import Finder
from ..edit.heal.drifts import Anchor, anchored
from ..edit.heal.findings import of_kinds
from ..edit.heal.judge import findings
from ..edit.heal.measures import Measures
from ..edit.heal.mend import Mending
from ..edit.plan import Output, Plan
from ..render.splice import mended_sound
from ..timing.grids import Timing
from .output import Settings, make_clip
from .parallel import ALONE, Crew
from .progress import tracked
from .report import console_for_people

EVEN = "show unevenly placed frames at their true times, and make the frames of the even times"
"""What ``--even`` does."""

IS_EVEN = "no uneven motion was found: all frames stay at their times"
"""Said where ``--even`` changes nothing."""


def looked_through(
    reader: Reader, finder: Finder | None = None, only: Collection[str] | None = None, anchor: Anchor = "first"
) -> Plan:
    """The plan of a clip with its findings, or those of the kinds ``only``, from a pass of its own.

    ``finder`` says how cuts and repeats are handled; drift is measured from ``anchor``.
    """
    seen, finder = Measures(), finder or Finder(thorough=True)
    frames = tracked(reader, "looking at the clip", reader.info.frames, console_for_people())
    deque(seen.take(finder.marks(frames)), maxlen=0)
    return finder.plan(reader.info.rate, Output(times=1)).with_findings(
        anchored(of_kinds(findings(seen), only), anchor, seen.frames)
    )


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
) -> int:
    """Make the clip that is asked for from ``clip``, whose frames are ``mended`` already, and return the exit code.

    Sound follows frames that are left out and time that is put in, unless it is copied. Raises `InputError` for several
    processes where frames are left out, put in or moved: they read the clip in pieces.
    """
    timing = mended.timing(asked)
    if crew.several and (mended.changes_time or mended.moves_frames):
        raise InputError("the plan leaves frames out, puts them in or moves them: it cannot be combined with several processes")
    if not mended.changes_time:
        return make_clip(clip, timing, settings, decisions, source=source, audio=audio, crew=crew)
    if (extras := source.extras()) is not None and (note := extras.left_out()) is not None:
        clip.notes.append(note)
    heard = source.sound() if clip.info.audio and audio != "drop" else None
    if audio == "copy":
        return make_clip(clip, timing, settings, decisions, sound=heard, audio="copy")
    with mended_sound(heard, mended, settings.path.suffix) as sound:
        return make_clip(clip, timing, settings, decisions, sound=sound, audio=audio)
