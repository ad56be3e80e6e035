"""OpenTimelineIO (.otio) of Resolve, Premiere, Kdenlive and many tools: read exactly, and edited in place, without its library.

Owns the format. Times are floats there: a number within 10^-6 of a fraction whose denominator is at most 1001 is that fraction.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from functools import lru_cache
from math import ceil, isfinite
from typing import Any

from ..core import InputError
from ..parse import exact, shown
from .clip import Left, NewMedia, TimelineClip
from .compose import Composition, Placed
from .json_spans import Json, Value
from .maps import Polyline, Speed, TimeMap
from .paths import file_url, media_name, media_path

NEAR = Fraction(1, 10**6)
"""How near a float must be to a fraction of a small denominator to be that fraction."""

SLIP = Fraction(1, 1000)
"""How far from a whole frame a place may be by the rounding of floats."""

BIGGEST = 1e12
"""The largest number of a time."""

HOUR = 3600
"""Where a file's start is unknown, a clip that begins after this many seconds counts the file's timecode."""

OPAQUE = ("time remap", "timeremap", "time remapping", "retime")
"""Names of effects by which adapters keep speeds that they do not read."""


@dataclass(frozen=True)
class _Spot:
    """Where a clip stands: its reference to media, its time effects by index, and what its markers are shifted by."""

    clip: Value
    reference: Value
    effects: frozenset[int]
    start: Fraction


@dataclass
class OtioTimeline:
    """A timeline of OpenTimelineIO; a `clip.Timeline`."""

    clips: list[TimelineClip]
    left: list[Left]
    rate: Fraction
    _json: Json
    _rate: float
    _spots: list[_Spot] = field(default_factory=list)
    _placed: list[Placed] = field(default_factory=list)
    _unplaced: str = ""

    @property
    def composition(self) -> Composition:
        """What can be written as another format. Raises `InputError` if clips have no whole frame as their place."""
        if self._unplaced:
            raise InputError(f"the timeline can only be written as .otio: {self._unplaced}")
        root = self._json.root
        start = root.get("global_start_time")
        first = Fraction(0) if start is None else _seconds(start) * self.rate
        return Composition(shown(root.string("name")), self.rate, max(round(first), 0), False, tuple(self._placed))

    def with_media(self, new: Mapping[int, NewMedia]) -> bytes:
        self._json.clear()
        for index, media in new.items():
            self._change(self.clips[index], self._spots[index], media)
        return self._json.edited()

    def _change(self, clip: TimelineClip, spot: _Spot, media: NewMedia) -> None:
        json = self._json
        json.put(spot.clip, "source_range", self._range(media.start, clip.frames))
        if _schema(spot.reference) == "ExternalReference":
            json.put(spot.reference, "target_url", file_url(media.path))
            json.put(spot.reference, "available_range", self._range(0, media.frames))
        else:
            kept = spot.reference.members
            json.replace(
                spot.reference,
                {
                    "OTIO_SCHEMA": "ExternalReference.1",
                    "metadata": kept.get("metadata", {}),
                    "name": kept.get("name", ""),
                    "available_range": self._range(0, media.frames),
                    "available_image_bounds": kept.get("available_image_bounds"),
                    "target_url": file_url(media.path),
                },
            )
        if spot.effects:
            effects = spot.clip.get("effects")
            assert effects is not None
            json.remove(effects, set(spot.effects))
        for marker in spot.clip.all("markers"):
            time = marker.get("marked_range", "start_time")
            if time is not None and "value" in time.members:
                second = _seconds(time) - spot.start + media.start / self.rate
                json.replace(time.members["value"], float(second * _rate(time)))

    def _range(self, start: int, frames: int) -> dict[str, Any]:
        return {"OTIO_SCHEMA": "TimeRange.1", "duration": self._time(frames), "start_time": self._time(start)}

    def _time(self, frames: int) -> dict[str, Any]:
        return {"OTIO_SCHEMA": "RationalTime.1", "rate": self._rate, "value": float(frames)}


def read_otio(data: bytes, what: str) -> OtioTimeline:
    """Read a timeline. ``what`` names the file. Raises `InputError`."""
    if data.startswith(b"PK"):
        raise InputError(f"{what} is an archive (.otioz): unpack it, and give the content.otio in it")
    json = Json(data, what)
    schema = _schema(json.root)
    if schema != "Timeline":
        raise InputError(
            f"{what} holds {f'a {schema}' if schema else 'no timeline of OpenTimelineIO'}: it must hold a Timeline"
        )
    said = _timeline_rate(json.root, what)
    timeline = OtioTimeline([], [], normal_rate(said), json, said)
    tracks = json.root.get("tracks")
    if tracks is not None:
        _read_stack(timeline, tracks)
    return timeline


@lru_cache(maxsize=256)
def normal_rate(said: float) -> Fraction:
    """The frame rate that a float stands for: 23.976, 23.98 and 23.976024 are 24000/1001."""
    ntsc = Fraction(ceil(said) * 1000, 1001)
    return ntsc if said != ceil(said) and abs(said - ntsc) < 0.01 else _fraction(said)


def _schema(value: Value) -> str:
    return value.string("OTIO_SCHEMA").partition(".")[0]


@lru_cache(maxsize=4096)
def _fraction(value: float) -> Fraction:
    stated = exact(value)
    near = stated.limit_denominator(1001)
    return near if abs(near - stated) <= NEAR else stated


def _number(value: Value, name: str) -> float:
    found = value.number(name)
    if found is None or not isfinite(found) or abs(found) > BIGGEST:
        field = value.members.get(name)
        raise InputError(f"its {name} is {'missing' if field is None else field.text[:40] or field.kind}: it must be a number")
    return found


def _rate(time: Value) -> Fraction:
    rate = _number(time, "rate")
    if not 1e-3 <= rate <= 1e6:
        raise InputError(f"its rate is {rate:g}: it must be from 1/1000 to 10^6")
    return normal_rate(rate)


def _seconds(time: Value) -> Fraction:
    return _fraction(_number(time, "value")) / _rate(time)


def _span(value: Value | None) -> tuple[Fraction, Fraction] | None:
    """The start and duration of a TimeRange, in seconds."""
    if value is None:
        return None
    start, duration = value.get("start_time"), value.get("duration")
    if start is None or duration is None:
        raise InputError("its range has no start_time and duration")
    return _seconds(start), _seconds(duration)


def _timeline_rate(root: Value, what: str) -> float:
    """The rate of the timeline: that of its start if a clip has it, else that of most clips."""
    rates = Counter[float]()
    for track in root.all("tracks", "children"):
        for item in [track, *track.all("children")] if _video(track) else []:
            rate = (item.get("source_range", "duration") or item).number("rate")
            if rate is not None and isfinite(rate) and 1e-3 <= rate <= 1e6:
                rates[rate] += 1
    start = root.get("global_start_time")
    first = None if start is None else start.number("rate")
    if first is not None and (first in rates or not rates) and isfinite(first) and 1e-3 <= first <= 1e6:
        return first
    if not rates:
        for reference in _references(root):
            rate = (reference.get("available_range", "duration") or reference).number("rate")
            if rate is not None and isfinite(rate) and 1e-3 <= rate <= 1e6:
                return rate
        raise InputError(f"{what} tells no frame rate: a clip or its start must have one")
    return rates.most_common(1)[0][0]


def _references(root: Value) -> list[Value]:
    items = (item for track in root.all("tracks", "children") if _video(track) for item in track.all("children"))
    return [reference for item in items if (reference := _reference(item)) is not None]


def _video(track: Value) -> bool:
    return track.string("kind") in ("Video", "")


def _read_stack(timeline: OtioTimeline, stack: Value) -> None:
    why = _why_all_stay(stack, "its stack")
    if stack.get("source_range") is not None:
        timeline._unplaced = "its stack is trimmed"
    track = 0
    for item in stack.all("children"):
        if _schema(item) != "Track":
            _read_item(timeline, item, why, _Place(track, Fraction(0)))
            track += 1
        elif _video(item):
            _read_track(timeline, item, why or _why_all_stay(item, "its track"), track)
            track += 1


def _read_track(timeline: OtioTimeline, track: Value, why: str, number: int) -> None:
    if track.get("source_range") is not None:
        timeline._unplaced = "one of its tracks is trimmed"
    children, at = track.all("children"), Fraction(0)
    for index, child in enumerate(children):
        before, after = (_blend(children, index + step, name) for step, name in ((-1, "in_offset"), (1, "out_offset")))
        _read_item(timeline, child, why, _Place(number, at, before, after))
        try:
            at += _duration(child)
        except InputError as error:
            timeline._unplaced = timeline._unplaced or f"a place is not known, since {error}"


@dataclass(frozen=True)
class _Place:
    """Where an item begins, in seconds, and how long transitions show it beyond its ends; None: there is no transition."""

    track: int
    begin: Fraction
    before: Fraction | None = None
    after: Fraction | None = None


def _blend(children: list[Value], index: int, name: str) -> Fraction | None:
    """How long the transition at an index shows what is beside it beyond its end; None if there is no transition."""
    if not 0 <= index < len(children) or _schema(children[index]) != "Transition":
        return None
    offset = children[index].get(name)
    try:
        return Fraction(0) if offset is None else max(_seconds(offset), Fraction(0))
    except InputError:
        return Fraction(0)  # the clip is still known to stand beside it


def _duration(item: Value) -> Fraction:
    """How long an item lasts in its track, in seconds. Raises `InputError`."""
    schema = _schema(item)
    if schema == "Transition":
        return Fraction(0)
    used = _span(item.get("source_range"))
    if used is None and schema in ("Track", "Stack"):
        inner = [_duration(child) for child in item.all("children")]
        return exact(sum(inner) if schema == "Track" else max(inner, default=0))
    reference = _reference(item)
    used = used or (None if reference is None else _span(reference.get("available_range")))
    if used is None:
        raise InputError(f"{shown(item.string('name') or schema or 'an item')} has no range")
    return used[1]


def _why_all_stay(value: Value, what: str) -> str:
    if not value.flag("enabled", True):
        return f"{what} is disabled"
    timed = [effect for effect in value.all("effects") if _timed(effect)]
    return f"{what} has a time effect" if timed else ""


def _read_item(timeline: OtioTimeline, item: Value, why: str, place: _Place) -> None:
    schema, json = _schema(item), timeline._json
    name = shown(item.string("name") or _media(item) or schema or "a clip")
    one: TimelineClip | Left | None = None
    frames = None
    if schema in ("Gap", "Transition", "Filler"):
        return
    if schema in ("Stack", "Track"):
        why = why or "it is nested: open it as a timeline of its own"
    elif schema != "Clip":
        why = why or f"it is {shown(schema) or 'no clip'}, not a clip"
    needed = not (schema == "Clip" and _made_up(item))
    if not why:
        try:
            one, frames = _read_clip(timeline, item, name, place)
        except InputError as error:
            why = str(error)
    if one is None:
        one = Left(name, why, json.line(item), missed=needed)
        timeline.left.append(one)
    _place(timeline, item, one, place, frames)


def _place(timeline: OtioTimeline, item: Value, one: TimelineClip | Left, place: _Place, media_frames: int | None) -> None:
    """Put a clip into the composition, if it stands at whole frames."""
    try:
        begin, length = place.begin * timeline.rate, _duration(item) * timeline.rate
    except InputError as error:
        timeline._unplaced = timeline._unplaced or f"a place is not known, since {error}"
        return
    frames = round(length)
    if abs(begin - round(begin)) > SLIP or abs(length - frames) > SLIP:
        timeline._unplaced = timeline._unplaced or f"{one.name} stands at broken frames"
    elif frames > 0:
        index = None if isinstance(one, Left) else len(timeline.clips) - 1
        lost = "" if place.before is None and place.after is None else "a transition beside it is not written"
        timeline._placed.append(Placed(one, place.track, round(begin), frames, index, media_frames, lost))


def _made_up(clip: Value) -> bool:
    """Whether a clip shows what a program makes up, such as a title: it lacks no frames."""
    reference = _reference(clip)
    return reference is not None and _schema(reference) == "GeneratorReference"


def _timed(effect: Value) -> bool:
    """Whether an effect changes the time of its clip."""
    schema, names = _schema(effect), (effect.string("effect_name"), effect.string("name"))
    timed = schema in ("LinearTimeWarp", "FreezeFrame", "TimeEffect") or any(name.lower() in OPAQUE for name in names)
    return timed and effect.flag("enabled", True)


def _reference(clip: Value) -> Value | None:
    """The active reference to media."""
    if clip.get("media_references") is None:
        return clip.get("media_reference")
    return clip.get("media_references", clip.string("active_media_reference_key") or "DEFAULT_MEDIA")


def _media(clip: Value) -> str:
    reference = _reference(clip)
    return "" if reference is None else media_name(media_path(reference.string("target_url")))


def _source(reference: Value | None) -> tuple[str, Fraction | None]:
    """The path of media, and the rate at which images play."""
    schema = "" if reference is None else _schema(reference)
    if reference is None or schema == "MissingReference":
        raise InputError("its media is missing")
    if schema == "ExternalReference":
        path = media_path(reference.string("target_url"))
        if not path:
            raise InputError("its media has no path")
        return path, None
    if schema != "ImageSequenceReference":
        raise InputError(f"its media is a {shown(schema)}, not a file")
    folder, digits = media_path(reference.string("target_url_base")), reference.number("frame_zero_padding") or 0
    step = reference.number("frame_step")
    if not 0 <= digits <= 20 or (step is not None and not 1 <= step <= BIGGEST):
        raise InputError("its images have an impossible frame_zero_padding or frame_step")
    count = f"%0{int(digits)}d" if digits else "%d"
    name = f"{reference.string('name_prefix')}{count}{reference.string('name_suffix')}"
    rate = _rate(reference) / int(step or 1)
    return f"{folder.rstrip('/')}/{name}" if folder else name, rate


def _read_clip(timeline: OtioTimeline, item: Value, name: str, place: _Place) -> tuple[TimelineClip, int | None]:
    """A clip, which the timeline takes in, and how many frames its media has."""
    if not item.flag("enabled", True):
        raise InputError("it is disabled")
    reference = _reference(item)
    media, media_rate = _source(reference)
    assert reference is not None
    available = _span(reference.get("available_range"))
    used = _span(item.get("source_range")) or available
    if used is None:
        raise InputError("it has neither a source_range nor an available_range")
    start, rate, notes = used[0], timeline.rate, list[str]()
    exact = used[1] * rate
    frames = round(exact)
    if abs(exact - frames) > SLIP or frames < 1:
        raise InputError(f"it lasts {float(exact):g} frames of the timeline: it must last whole frames, 1 at least")
    origin = available[0] if available else Fraction(0)
    timed = {index: effect for index, effect in enumerate(item.all("effects")) if _timed(effect)}
    time_map, first = _time_map(list(timed.values()), start, origin, frames, rate, notes)
    by_timecode = available is None and start >= HOUR
    if by_timecode:
        notes.append("the timeline does not tell where its media starts: the media's start timecode is used")
    timeline._spots.append(_Spot(item, reference, frozenset(timed), start))
    clip = TimelineClip(
        name=name,
        media=media,
        rate=rate,
        frames=frames,
        map=time_map,
        start=first,
        origin=Fraction(0) if isinstance(time_map, Polyline) else origin,
        by_timecode=by_timecode,
        media_rate=media_rate,
        handles=(ceil((place.before or 0) * rate), ceil((place.after or 0) * rate)),
        notes=tuple(notes),
        line=timeline._json.line(item),
    )
    timeline.clips.append(clip)
    return clip, round(available[1] * (media_rate or rate)) if available else None


def _time_map(
    effects: list[Value], start: Fraction, origin: Fraction, frames: int, rate: Fraction, notes: list[str]
) -> tuple[TimeMap, Fraction]:
    """The map of a clip's time effects, and the time on it of the clip's first frame."""
    linear = [effect for effect in effects if _schema(effect) in ("LinearTimeWarp", "FreezeFrame")]
    if len(linear) < len(effects):
        if len(effects) > 1:
            raise InputError("it has several time effects, of which one is not linear")
        return _ramp(effects[0], notes), start - origin
    speed = Fraction(1)
    for effect in linear:
        speed *= 0 if _schema(effect) == "FreezeFrame" else _fraction(_number(effect, "time_scalar"))
    if speed >= 0:
        return Speed(speed, start), Fraction(0)
    notes.append("it plays backwards: its range is read as the frames that it shows, so that it begins with the range's end")
    return Speed(speed, start - (frames - 1) / rate * speed), Fraction(0)


def _ramp(effect: Value, notes: list[str]) -> Polyline:
    """Resolve's ramps: keyframes of (second of the clip, second of the media, smooth, four numbers of tangents).

    The first and the last bound the clip with its handles; Resolve does not heed their tangents.
    """
    keys = effect.all("metadata", "Resolve_OTIO", "Key Frames")
    if not keys:
        raise InputError("its time effect is not one that can be read: export FCPXML instead")
    points = list[tuple[Fraction, Fraction]]()
    for index, key in enumerate(keys):
        numbers = [float(item.text) for item in key.items if item.kind == "number"]
        if len(numbers) < 2 or [item.kind for item in key.items[:2]] != ["number", "number"]:
            raise InputError(f"keyframe {index + 1} of its ramp has no two times")
        if not all(abs(number) <= BIGGEST for number in numbers):
            raise InputError(f"keyframe {index + 1} of its ramp is out of range")
        if any(numbers[2:]) and 0 < index < len(keys) - 1:
            raise InputError("its ramp has curves: only straight ramps of Resolve are read")
        points.append((_fraction(numbers[0]), _fraction(numbers[1])))
    notes.append("its ramp of Resolve is read as straight lines between its keyframes")
    return Polyline(tuple(points))
