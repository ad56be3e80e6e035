"""AAF of Avid and others: read exactly by pyaaf2, and written as another format (see `compose`).

Owns the format: tracks, time warps, and the chain of mobs from a clip to its media. pyaaf2 is imported only here, when a file
is read.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

from .. import timecode
from ..core import InputError
from ..parse import exact, shown
from .clip import Left, NewMedia, TimelineClip
from .compose import Composition, Placed, written_as
from .maps import Cubics, Polyline, Speed, TimeMap, rising
from .paths import media_name, media_path

MOST_POINTS = 200
"""The most keyframes of a curve: exact fractions of more grow too long."""

TAPE = 12 * 3600
"""A file that claims to last this many seconds is counted by timecode, as a tape is: its positions are times of day."""

LONGEST_CHAIN = 20
"""The most mobs between a clip and its media."""

SKIPPED = ("Filler", "ScopeReference")
"""Components that show nothing of their own."""

BROKEN = (
    *(AssertionError, AttributeError, EOFError, LookupError, NotImplementedError, OSError, OverflowError),
    *(RecursionError, TypeError, ValueError, ZeroDivisionError, struct.error),
)
"""What pyaaf2 raises for damaged files, besides its own errors."""


@dataclass
class AafTimeline:
    """An AAF; a `clip.Timeline`, which is written as a format that ``ending`` names."""

    clips: list[TimelineClip]
    left: list[Left]
    rate: Fraction
    composition: Composition
    ending: str
    what: str

    def with_media(self, new: Mapping[int, NewMedia]) -> bytes:
        return written_as(self.composition, new, self.ending, self.what)


def read_aaf(path: Path, ending: str = ".otio") -> AafTimeline:
    """Read the sequence of an AAF; ``ending`` names the format that it will be written as. Raises `InputError`."""
    try:
        import aaf2
        import aaf2.exceptions
    except ImportError as error:
        raise InputError(f"an AAF needs pyaaf2, the extra 'editors': {error}") from error
    try:
        with aaf2.open(str(path), "r") as file:
            return _Reader(file, path.name, ending).timeline()
    except InputError:
        raise
    except (aaf2.exceptions.AAFError, *BROKEN) as error:
        raise InputError(f"{path.name} is not an AAF that can be read: {type(error).__name__}: {str(error)[:200]}") from error


@dataclass(frozen=True)
class _Source:
    """Media: timecode calls its first frame ``first``, and that with which a clip begins at 100 % ``zero``."""

    media: str
    rate: Fraction
    zero: Fraction
    first: Fraction
    by_timecode: bool
    frames: int | None


@dataclass
class _Reader:
    """The sequence of an open file."""

    file: Any
    what: str
    ending: str
    clips: list[TimelineClip] = field(default_factory=list)
    placed: list[Placed] = field(default_factory=list)
    left: list[Left] = field(default_factory=list)

    def timeline(self) -> AafTimeline:
        mobs = list(self.file.content.toplevel())
        if not mobs:
            mobs = [mob for mob in self.file.content.compositionmobs() if mob.usage is None]
        if len(mobs) != 1:
            names = ", ".join(shown(str(mob.name)) for mob in mobs[:5])
            raise InputError(f"{self.what} holds {len(mobs)} sequences{f' ({names})' if mobs else ''}: export exactly one")
        pictures = [slot for slot in mobs[0].slots if slot.media_kind == "Picture"]
        if not pictures:
            raise InputError(f"{self.what} has no video track: its sequence must have one")
        rate = _exact(pictures[0].edit_rate)
        if not Fraction(1, 1000) <= rate <= 10**6:
            raise InputError(f"{self.what} has {float(rate):g} frames per second: its rate must be from 1/1000 to 10^6")
        layers: list[Any] = []
        for slot in pictures:
            if _exact(slot.edit_rate) != rate:
                raise InputError(f"{self.what} has video tracks of several rates: they must have one")
            # Avid writes several video tracks as the layers of one scope
            layers += list(slot.segment.slots) if _kind(slot.segment) == "NestedScope" else [slot.segment]
        for track, layer in enumerate(layers):
            self._track(layer, track, rate)
        start, drop = _start(mobs[0], rate)
        composition = Composition(shown(str(mobs[0].name or "")), rate, start, drop, tuple(self.placed))
        return AafTimeline(self.clips, self.left, rate, composition, self.ending, self.what)

    def _track(self, segment: Any, track: int, rate: Fraction) -> None:
        components, at = _parts(segment), 0
        kinds = [_kind(component) for component in components]
        for index, component in enumerate(components):
            length = int(component.length or 0)
            if kinds[index] == "Transition":
                at -= length
                continue
            why = "it stands beside a transition" if "Transition" in kinds[max(index - 1, 0) : index + 2] else ""
            if kinds[index] not in SKIPPED and length > 0:
                self._place(component, track, at, length, rate, why)
            at += length

    def _place(self, component: Any, track: int, at: int, length: int, rate: Fraction, why: str) -> None:
        name, index, frames = _name(component), None, None
        one: TimelineClip | Left
        try:
            if at < 0 or length > 10**9:
                raise InputError("its place in the sequence is out of range")
            if why:
                raise InputError(why)
            one, frames = _clip(component, name, length, rate)
            index = len(self.clips)
            self.clips.append(one)
        except InputError as error:
            one = Left(name, str(error), missed=not isinstance(error, _Muted))
            self.left.append(one)
        self.placed.append(Placed(one, track, max(at, 0), length, index, frames))


class _Muted(InputError):
    """A clip that is not shown."""


def _kind(value: Any) -> str:
    return type(value).__name__


def _exact(value: Any) -> Fraction:
    """A rational of AAF, whose denominator may be 0."""
    if value is None or not value.denominator:
        raise InputError("a number of it is no fraction")
    return Fraction(int(value.numerator), int(value.denominator))


def _parts(segment: Any) -> list[Any]:
    return list(segment.components) if _kind(segment) == "Sequence" else [segment]


def _start(mob: Any, rate: Fraction) -> tuple[int, bool]:
    """The frame of the start timecode, and whether it is drop frame: of the first track that counts the rate's frames."""
    for slot in mob.slots:
        for part in _parts(slot.segment) if slot.media_kind == "Timecode" else ():
            if _kind(part) == "Timecode" and part.fps == timecode.base(rate):
                return int(part.start), bool(part.drop) and rate in timecode.DROPPED
    return 0, False


def _only(segment: Any) -> Any:
    """The one component of a segment that is more than filler."""
    parts = [part for part in _parts(segment) if _kind(part) not in SKIPPED and (part.length or 0) > 0]
    if len(parts) != 1 or len(_parts(segment)) != 1:
        raise InputError("it holds several clips, or none: only single clips are read")
    return parts[0]


def _layers(component: Any) -> Iterator[Any]:
    """A component and what it holds, down to the clip."""
    for _ in range(LONGEST_CHAIN):
        yield component
        kind = _kind(component)
        if kind == "Selector":
            component = component["Selected"].value
        elif kind == "OperationGroup":
            inputs = list(component.segments)
            if len(inputs) != 1:
                raise InputError(f"its effect {shown(str(component.operation.name))} has {len(inputs)} inputs, not one")
            component = _only(inputs[0])
        elif kind == "Sequence":
            component = _only(component)
        else:
            return
    raise InputError("its effects are nested too deeply")


def _name(component: Any) -> str:
    """The name of the mob that a component shows first."""
    try:
        for layer in _layers(component):
            if _kind(layer) == "SourceClip" and layer.mob is not None and layer.mob.name:
                return shown(str(layer.mob.name))
    except InputError:
        return shown(_kind(component))
    return shown(_kind(component))


def _clip(component: Any, name: str, length: int, rate: Fraction) -> tuple[TimelineClip, int | None]:
    layers, notes = list(_layers(component)), list[str]()
    clip = layers[-1]
    if _kind(clip) in SKIPPED and any(_kind(layer) == "Selector" for layer in layers):
        raise _Muted("it is muted")
    if _kind(clip) != "SourceClip":
        raise InputError(f"it is a {_kind(clip)}, not a clip")
    groups = [layer for layer in layers if _kind(layer) == "OperationGroup"]
    warps = [group for group in groups if _is_warp(group)]
    if len(warps) > 1:
        raise InputError("it has several time warps")
    notes += [f"its effect {shown(str(group.operation.name))} is not written" for group in groups if group not in warps]
    source = _source(clip, rate)
    zero = source.zero / source.rate
    if not warps:
        time_map: TimeMap = Speed(Fraction(1), zero)
    else:
        time_map = _warp(warps[0], rate, zero)
    return (
        TimelineClip(
            name=name,
            media=source.media,
            rate=rate,
            frames=length,
            map=time_map,
            origin=source.first / source.rate,
            by_timecode=source.by_timecode,
            media_rate=source.rate,
            notes=tuple(notes),
        ),
        source.frames,
    )


def _is_warp(group: Any) -> bool:
    said = group.operation.get("IsTimeWarp")
    return said is not None and bool(said.value)


def _warp(group: Any, rate: Fraction, zero: Fraction) -> TimeMap:
    """The map of a time warp: seconds of the timeline to seconds of the media, of which position 0 is ``zero``."""
    parameters = {parameter.name: parameter for parameter in group.parameters}
    lines, curve = parameters.get("PARAM_SPEED_OFFSET_MAP_U"), parameters.get("PARAM_OFFSET_MAP_U")
    found = lines or curve
    if found is None or _kind(found) != "VaryingValue":
        raise InputError(f"its time warp {shown(str(group.operation.name))} has no map of frames")
    # a map of offsets counts from 0 to 1, of frames in frames
    unit = Fraction(1) if lines is not None else exact(max(int(group.length) - 1, 1))
    points = [
        (_exact(point["Time"].value) * unit / rate, zero + _exact(point["Value"].value) / rate) for point in found.pointlist
    ]
    rising([time for time, _ in points])
    how = str(found.interpolation.name)
    if len(points) == 1:
        return Speed(Fraction(0), points[0][1])
    if how in ("LinearInterp", "Linear") or len(points) == 2:
        if "Bezier" in how:
            raise InputError("its time warp has Bezier curves, which are not read")
        if len(points) > 2:
            return Polyline(tuple(points))
        (early, low), (late, high) = points
        speed = (high - low) / (late - early)
        return Speed(speed, low - early * speed)
    if "Cubic" not in how:
        raise InputError(f"its time warp has curves of the kind {shown(how)}, which are not read")
    return natural_spline(points)


def natural_spline(points: list[tuple[Fraction, Fraction]]) -> Cubics:
    """The natural cubic spline through points: smooth, with no curvature at its ends; in exact fractions."""
    if len(points) > MOST_POINTS:
        raise InputError(f"its time warp has {len(points)} keyframes: a curve may have at most {MOST_POINTS}")
    widths = [late - early for (early, _), (late, _) in pairwise(points)]
    slopes = [(high - low) / width for ((_, low), (_, high)), width in zip(pairwise(points), widths, strict=True)]
    # for each inner point: width before * bend before + 2 (both) * bend + width after * bend after = 6 (change of slope)
    factors, sums = [Fraction(0)], [Fraction(0)]
    for index in range(1, len(points) - 1):
        before, after = widths[index - 1], widths[index]
        pivot = 2 * (before + after) - before * factors[-1]
        factors.append(after / pivot)
        sums.append((6 * (slopes[index] - slopes[index - 1]) - before * sums[-1]) / pivot)
    bends = [Fraction(0)]
    for factor, total in zip(reversed(factors[1:]), reversed(sums[1:]), strict=True):
        bends.append(total - factor * bends[-1])
    bends = [Fraction(0), *reversed(bends)] if len(points) > 2 else [Fraction(0), Fraction(0)]
    pieces = []
    for index, width in enumerate(widths):
        low, high = points[index][1], points[index + 1][1]
        here, there = bends[index] * width**2 / 6, bends[index + 1] * width**2 / 6
        pieces.append((low, high - low - 2 * here - there, 3 * here, there - here))
    return Cubics(tuple(time for time, _ in points), tuple(pieces), points[-1][1])


def _source(clip: Any, rate: Fraction) -> _Source:
    """Follow a clip through its mobs, and choose its media.

    The original file (of an import) is taken if its rate is that of what Avid plays, else the file that Avid plays. The last
    timecode of the chain is what the frames are called. A file that is counted by it is found by the timecode that it states.
    """
    at, here = Fraction(int(clip.start or 0)), rate  # the position, in edit units of the slot that it is in
    files = list[tuple[str, Fraction, Fraction, int]]()  # path, rate, position, length
    names, code, segment = list[str](), None, clip
    for _ in range(LONGEST_CHAIN):
        mob, slot = segment.mob, segment.slot
        if mob is None or slot is None:
            break
        own = _exact(slot.edit_rate)
        at, here = at * own / here + int(getattr(slot, "origin", 0) or 0), own
        kind, segment = _kind(mob), slot.segment
        if kind == "CompositionMob" and mob.usage == "Usage_TopLevel":
            raise InputError("it is a nested sequence: export it as an AAF of its own")
        if mob.name:
            names.append(str(mob.name))
        if kind == "SourceMob":
            length = int(segment.length or 0)
            files += [(path, own, at, length) for path in _locators(mob)[:1]]
            if (start := _mob_timecode(mob, own)) is not None:
                code = (at + start, own)
        segment = _only(segment) if _kind(segment) == "Sequence" else segment
        if _kind(segment) != "SourceClip":
            if kind != "SourceMob":
                raise InputError(f"it is made of a {_kind(segment)}, not of one clip: export it as an AAF of its own")
            break
        at += int(segment.start or 0)
    else:
        raise InputError("its mobs are nested too deeply")
    if not names:
        raise InputError("its media is not in the AAF")
    if not files:
        counted, own = code or (at, here)
        return _Source(media_name(names[-1]) or names[-1], own, counted, Fraction(0), code is not None, None)
    path, own, position, length = next((file for file in reversed(files) if file[1] == files[0][1]), files[0])
    counted = position if code is None else code[0] * own / code[1]
    if length > TAPE * own:
        return _Source(path, own, counted, Fraction(0), True, None)
    return _Source(path, own, counted, counted - position, False, length)


def _locators(mob: Any) -> list[str]:
    """The paths of a mob's media."""
    descriptor = mob.get("EssenceDescription")
    located = None if descriptor is None else descriptor.value.get("Locator")
    if located is None:
        return []
    texts = (locator.get("URLString") for locator in located.value)
    return [media_path(str(text.value)) for text in texts if text is not None and text.value]


def _mob_timecode(mob: Any, rate: Fraction) -> int | None:
    """The frame that a mob's timecode begins with, if it counts the frames of a rate."""
    for slot in mob.slots:
        for part in _parts(slot.segment) if slot.media_kind == "Timecode" else ():
            if _kind(part) == "Timecode" and part.fps == timecode.base(rate):
                return int(part.start)
    return None
