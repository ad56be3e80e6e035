"""Sound for clips that are joined or mended and for loops: cut where the picture is cut, in a file of its own for the writer.

Owns which part of whose sound is heard when, and the sentences about sound and extras that are missing or left out.
`clips.video.splice` writes it. Knows nothing of options or callers.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from tempfile import TemporaryDirectory

from ..clips.clip import Reader, Source
from ..clips.video.extras import Extras
from ..clips.video.sound import SHORT, Audio, codec_for, end_of_sound, start_of
from ..clips.video.splice import Part, samples_of, splice
from ..clips.video.tape import Samples
from ..edit.heal.mend import Mending
from ..edit.join import Seam
from ..edit.loop import Loop
from ..timing.grids import Timing


@contextmanager
def joined_sound(
    sounds: Sequence[Source | None], clips: Sequence[Reader], seams: Sequence[Seam], ending: str, notes: list[str]
) -> Iterator[Source | None]:
    """The sound of ``clips`` that are joined at ``seams``, in a temporary file; None if there is none.

    Each clip's sound plays while its picture is shown, the last clip's to its own end. Appends to ``notes`` where sound is
    missing, ends early or is left out. ``ending`` is that of the output's name. Raises `InputError`.
    """
    heard = [None if sound is None else end_of_sound(sound) for sound in sounds]
    if not any(heard):
        yield None
        return
    parts = []
    enters = [start_of(clips[0]), *(seam.enters for seam in seams)]
    leaves = [*(seam.leaves for seam in seams), max(heard[-1] or Fraction(0), enters[-1])]
    for number, (sound, end, start, stop) in enumerate(zip(sounds, heard, enters, leaves, strict=True), start=1):
        parts.append(Part(sound, start, stop))
        if not end:
            notes.append(f"clip {number} has no sound: it is silent there")
        elif number < len(sounds) and abs(end - stop) > SHORT:
            notes.append(
                f"the last {float(end - stop):.3f} s of the sound of clip {number} are left out: they come after its picture"
                if end > stop
                else f"the sound of clip {number} ends {float(stop - end):.3f} s before its picture: it is silent there"
            )
    with _written(parts, ending) as path:
        yield path


@contextmanager
def looped_sound(sound: Source | None, loop: Loop, asked: Timing, ending: str, notes: list[str]) -> Iterator[Source | None]:
    """The sound of one turn of ``loop``, its end crossfaded into its beginning, in a temporary file; None if there is none.

    Appends to ``notes`` if it ends before the turn does. ``ending`` is that of the output's name. Raises `InputError`.
    """
    end = None if sound is None else end_of_sound(sound)
    if not end:
        yield None
        return
    stop = loop.start + loop.period
    (_, begun), *_, (_, length) = asked.grid.knots(loop.period)
    if stop - end > SHORT:
        notes.append(f"the sound ends {float(stop - max(end, loop.start)):.3f} s before the loop does: it is silent there")
    turn = length - begun
    part = Part(sound, loop.start, stop, None if turn == loop.period else turn)
    with _written([part], ending, loops=True) as path:
        yield path


@contextmanager
def mended_sound(sound: Source | None, mended: Mending, ending: str) -> Iterator[Source | None]:
    """The sound of a clip that is mended, in a temporary file; None if there is none.

    It is cut where frames are left out, and stretched over time that is put in; what comes after the picture stays. ``ending``
    is that of the output's name. Raises `InputError`.
    """
    parts = [] if sound is None else _mended(sound, mended)
    if not parts:
        yield None
        return
    with _written(parts, ending) as path:
        yield path


def mended_samples(sound: Source, mended: Mending, rate: int, layout: str) -> Iterator[Samples]:
    """The first track of the sound of a clip that is mended as by `mended_sound`, without loss: ``rate`` samples a second, in
    FFmpeg's ``layout``."""
    return samples_of(_mended(sound, mended), rate, layout)


def _mended(sound: Source, mended: Mending) -> list[Part]:
    """The parts of a sound that are heard; none if it is empty."""
    end = end_of_sound(sound)
    parts = []
    for span in mended.spans() if end else ():
        last = max(end, mended.end, span.start) if span.end is None else span.end
        parts.append(Part(sound, span.start, last, span.length))
    return [part for part in parts if part.seconds]


@contextmanager
def beside(
    mended: Mending, sound: Source | None, extras: Extras | None, ending: str, notes: list[str], audio: Audio = "auto"
) -> Iterator[tuple[Source | None, Extras | None]]:
    """The ``sound`` and the ``extras`` that go with the frames of a clip that is mended.

    They stay as they are if no frame is left out and no time is put in. Else sound follows, as by `mended_sound`, unless it is
    to be copied, and extras are left out, which ``notes`` then say. ``ending`` is that of the output's name. Raises
    `InputError`.
    """
    if not mended.changes_time:
        yield sound, extras
        return
    if extras is not None and (note := extras.left_out()) is not None:
        notes.append(note)
    if audio == "copy":
        yield sound, None
        return
    with mended_sound(sound, mended, ending) as heard:
        yield heard, None


@contextmanager
def _written(parts: Sequence[Part], ending: str, loops: bool = False) -> Iterator[Path]:
    with TemporaryDirectory(prefix="vfi-") as folder:
        path = Path(folder) / "sound.mp4"
        splice(parts, path, codec_for(ending), loops=loops)
        yield path
