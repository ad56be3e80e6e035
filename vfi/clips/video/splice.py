"""Sound spliced from parts of clips, as the picture of joined clips or of a loop needs it, crossfaded over each seam.

Owns the order of the parts and the tracks of the result; `tape` reads samples. Knows nothing of pictures.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import accumulate, pairwise
from pathlib import Path

from av import AudioLayout

from ...core import InputError
from ..clip import Source, name_of
from .reader import opened, sounds_of
from .tape import Samples, Tape, crossfaded, encoded, exactly, fade_at, made_for, played, tape_file


@dataclass(frozen=True)
class Part:
    """The sound of ``source`` from ``start`` to ``end``, in seconds from its clip's start; None is silence.

    It is played in ``length`` seconds; None: at its own speed.
    """

    source: Source | None
    start: Fraction
    end: Fraction
    length: Fraction | None = None

    @property
    def seconds(self) -> Fraction:
        """Its length in the result."""
        return self.end - self.start if self.length is None else self.length


def splice(parts: Sequence[Part], path: Path, codec: str = "aac", *, loops: bool = False) -> None:
    """Write the ``parts``, end to end, to an MP4 file; the result is as long as they are, exact to the sample.

    It has as many tracks as the part with the most, each with the most channels of that track in any part; a part without the
    track is silent. Each part is crossfaded into the next over 10 ms; with ``loops``, the last also into the first. Raises
    `InputError` if no part has sound.
    """
    found = [_streams(part) for part in parts]
    with tape_file(path) as output:
        tracks = []
        for number in range(max(map(len, found), default=0)):
            widest = max((streams[number] for streams in found if number < len(streams)), key=lambda one: one[:2])
            tracks.append((number, *made_for(*widest, output, codec)))
        if not tracks:
            raise InputError("sound was asked for: no clip has any")
        output.start_encoding()
        for number, track, rate, layout in tracks:
            for packet in encoded(track, _samples(parts, number, rate, layout, loops), rate, layout):
                output.mux(packet)


def samples_of(parts: Sequence[Part], rate: int, layout: str) -> Iterator[Samples]:
    """The first track of the ``parts``, end to end, as `splice` writes it: ``rate`` samples a second, in ``layout``."""
    return _samples(parts, 0, rate, layout, loops=False)


def _streams(part: Part) -> list[tuple[int, int]]:
    """The channels and the sample rate of each track of a part."""
    if part.source is None:
        return []
    name = name_of(part.source)
    with opened(part.source, name) as container:
        return [(stream.channels, stream.rate) for stream in sounds_of(container, name)]


def _samples(parts: Sequence[Part], number: int, rate: int, layout: str, loops: bool) -> Iterator[Samples]:
    """One track of the result."""
    fade = fade_at(rate)
    exact = list(accumulate((part.seconds * rate for part in parts), initial=Fraction(0)))
    ends = [round(end) for end in exact]
    begun = [_moved(part, Fraction(there - place, rate)) for part, place, there in zip(parts, exact, ends, strict=False)]
    pieces = [(part, end - start) for part, (start, end) in zip(begun, pairwise(ends), strict=True) if end > start]
    around = 0
    if loops:  # what is shown before the first part and after the last: it is crossfaded, then left out
        around = 2 * fade
        (first, _), (last, _) = pieces[0], pieces[-1]
        lead = replace(last, start=last.end - Fraction(around, rate), length=None)
        pieces = [(lead, around), *pieces, (replace(first, length=None), around)]
    blocks = crossfaded((_piece(part, number, rate, layout, count, fade) for part, count in pieces), fade)
    at = -around
    for block in blocks:
        wanted = block[:, max(-at, 0) : max(ends[-1] - at, 0)]
        at += block.shape[1]
        if wanted.shape[1]:
            yield wanted


def _moved(part: Part, late: Fraction) -> Part:
    """A part that is played at its own speed, and begins ``late`` seconds late: it begins with what is heard then, so that
    no sample is off by the roundings of both its own place and that in the result."""
    return replace(part, start=part.start + late, end=part.end + late) if part.length is None else part


def _piece(part: Part, number: int, rate: int, layout: str, count: int, fade: int) -> Iterator[Samples]:
    """``count`` samples of a part, and ``fade`` more at each end."""
    with ExitStack() as files:
        blocks: Iterable[Samples] = ()
        if part.source is not None:
            name = name_of(part.source)
            container = files.enter_context(opened(part.source, name))
            streams = sounds_of(container, name)
            if number < len(streams):
                tape = Tape(container, streams[number], rate, layout, name)
                here = float(part.start * rate)
                there = here + count if part.length is None else float(part.end * rate)
                blocks = played(tape, here, there, count, fade)
        yield from exactly(blocks, count + 2 * fade, AudioLayout(layout).nb_channels)
