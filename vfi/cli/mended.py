"""The making of a clip that is mended on the way, for all commands that follow a plan with findings."""

from __future__ import annotations

from collections.abc import Mapping

from ..clips.clip import Reader
from ..clips.open import ClipSource
from ..clips.video.sound import Audio
from ..core import InputError
from ..edit.heal.mend import Mending
from ..render.pipeline import Watch
from ..render.splice import mended_sound
from ..timing.grids import Timing
from .output import Settings, make_clip
from .parallel import ALONE, Crew


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
    Raises `InputError` for several processes where frames are left out or put in: they read the clip in pieces.
    """
    timing = mended.timing(asked)
    if not mended.changes_time:
        return make_clip(clip, timing, settings, decisions, source=source, audio=audio, crew=crew, watch=watch)
    if crew.several:
        raise InputError("the plan leaves frames out or puts them in: it cannot be combined with several processes")
    if (extras := source.extras()) is not None and (note := extras.left_out()) is not None:
        clip.notes.append(note)
    heard = source.sound() if clip.info.audio and audio != "drop" else None
    if audio == "copy":
        return make_clip(clip, timing, settings, decisions, sound=heard, audio="copy", watch=watch)
    with mended_sound(heard, mended, settings.path.suffix) as sound:
        return make_clip(clip, timing, settings, decisions, sound=sound, audio=audio, watch=watch)
