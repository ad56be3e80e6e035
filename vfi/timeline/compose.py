"""A timeline written afresh as OpenTimelineIO, EDL or FCP 7 XML, for formats that are read only, such as AAF.

Owns the three writers: video tracks, gaps, names, rate and start timecode. What cannot be kept stands in its place under its
name, with the reason beside it. Sound is not written. Knows nothing of how the timeline was read.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import floor
from pathlib import PurePosixPath
from typing import Any, Protocol, runtime_checkable
from urllib.parse import quote

from .. import timecode
from ..core import InputError
from ..parse import exact, shown
from .clip import Left, NewMedia, TimelineClip
from .maps import Polyline, Speed
from .markup import content
from .paths import file_url, media_name


@dataclass(frozen=True)
class Placed:
    """A clip, or one that is left, at frame ``begin`` of the timeline for ``frames`` frames, on a track counted from 0.

    ``index`` is its place among the timeline's clips. ``media_frames`` is how many frames its old media has. ``lost`` is what
    no writer keeps of it.
    """

    clip: TimelineClip | Left
    track: int
    begin: int
    frames: int
    index: int | None = None
    media_frames: int | None = None
    lost: str = ""


@dataclass(frozen=True)
class Composition:
    """A timeline of ``rate`` frames per second, whose first frame has the timecode of frame ``start``."""

    name: str
    rate: Fraction
    start: int
    drop: bool
    placed: Sequence[Placed]

    def tracks(self) -> list[list[Placed]]:
        """The clips of each track, in the order of the timeline."""
        count = max((one.track for one in self.placed), default=0) + 1
        return [sorted((one for one in self.placed if one.track == track), key=lambda one: one.begin) for track in range(count)]


@runtime_checkable
class Composed(Protocol):
    """A timeline that can be written as other formats."""

    @property
    def composition(self) -> Composition: ...


def written_as(composition: Composition, new: Mapping[int, NewMedia], ending: str, what: str) -> bytes:
    """A file of the format that ``ending`` names, with new media for some clips, by index. ``what`` names what was read.

    Raises `InputError` for another ending.
    """
    writers = {".otio": _otio, ".edl": _edl, ".xml": _xml}
    if ending.lower() not in writers:
        raise InputError(f"{what} can be written as {', '.join(writers)}, not as {ending or 'a file without ending'}")
    return writers[ending.lower()](composition, new).encode(errors="replace")  # a lone surrogate is no character


def _why(one: Placed) -> str:
    """What a clip without new media does not show as it did, and why."""
    return one.clip.reason if isinstance(one.clip, Left) else one.lost


def _line(clip: TimelineClip) -> Polyline:
    """The map of a clip as straight lines: of a curve, from frame to frame."""
    if isinstance(clip.map, Polyline):
        return clip.map
    times = [clip.start + frame / clip.rate for frame in range(clip.frames)]
    return Polyline(tuple((time, clip.map.at(time)) for time in times))


def _url(path: str) -> str:
    """The URL of a path with forward slashes; a name stays as it is."""
    if path.startswith("//"):
        return "file:" + quote(path, errors="replace")
    if path.startswith("/") or path[1:3] == ":/":
        return "file://" + ("" if path.startswith("/") else "/") + quote(path, safe="/:", errors="replace")
    return path


# OpenTimelineIO


def _otio(composition: Composition, new: Mapping[int, NewMedia]) -> str:
    tracks = []
    for number, placed in enumerate(composition.tracks()):
        children, at = list[dict[str, Any]](), 0
        for one in placed:
            if one.begin > at:
                children.append(_item("Gap.1", "", _range(0, one.begin - at, composition.rate)))
            media = None if one.index is None else new.get(one.index)
            children.append(_otio_clip(one, media, composition.rate))
            at = one.begin + one.frames
        tracks.append({**_item("Track.1", f"V{number + 1}", None), "children": children, "kind": "Video"})
    whole = {
        "OTIO_SCHEMA": "Timeline.1",
        "metadata": {},
        "name": composition.name,
        "global_start_time": _time(exact(composition.start), composition.rate),
        "tracks": {**_item("Stack.1", "tracks", None), "children": tracks},
    }
    return json.dumps(whole, indent=4) + "\n"


def _item(schema: str, name: str, source: dict[str, Any] | None) -> dict[str, Any]:
    start: dict[str, Any] = {"OTIO_SCHEMA": schema, "metadata": {}, "name": name, "source_range": source}
    return start | {"effects": [], "markers": [], "enabled": True, "color": None}


def _time(value: Fraction, rate: Fraction) -> dict[str, Any]:
    return {"OTIO_SCHEMA": "RationalTime.1", "rate": float(rate), "value": float(value)}


def _range(start: Fraction | int, frames: Fraction | int, rate: Fraction) -> dict[str, Any]:
    return {
        "OTIO_SCHEMA": "TimeRange.1",
        "duration": _time(exact(frames), rate),
        "start_time": _time(exact(start), rate),
    }


def _otio_clip(one: Placed, media: NewMedia | None, rate: Fraction) -> dict[str, Any]:
    start, effects, why = Fraction(0), list[dict[str, Any]](), one.lost if media else _why(one)
    reference: dict[str, Any] = {"OTIO_SCHEMA": "MissingReference.1", "metadata": {}, "name": "", "available_range": None}
    reference["available_image_bounds"] = None
    if media is not None:
        start = exact(media.start)
        reference |= {"OTIO_SCHEMA": "ExternalReference.1", "target_url": file_url(media.path)}
        reference["available_range"] = _range(0, media.frames, rate)
    elif isinstance(one.clip, TimelineClip):
        clip, own = one.clip, one.clip.media_rate or rate
        reference |= {"OTIO_SCHEMA": "ExternalReference.1", "target_url": _url(clip.media)}
        if one.media_frames is not None:
            reference["available_range"] = _range(clip.origin * own, one.media_frames, own)
        lowest = 0
        if isinstance(clip.map, Speed):
            lowest = clip.frames - 1 if clip.map.speed < 0 else 0
            effects = _warp(clip.map.speed)
            start = (clip.place(lowest) + clip.origin) * rate
        else:
            effects = _ramp(_line(clip), clip.origin)
            start = (clip.start + clip.origin) * rate
    item = _item("Clip.2", one.clip.name, _range(start, one.frames, rate))
    if why:
        item["metadata"] = {"inbetween": {"left": why}}
    item["effects"] = effects
    return item | {"media_references": {"DEFAULT_MEDIA": reference}, "active_media_reference_key": "DEFAULT_MEDIA"}


def _warp(speed: Fraction) -> list[dict[str, Any]]:
    if speed == 1:
        return []
    schema = "LinearTimeWarp" if speed else "FreezeFrame"
    warp = {"OTIO_SCHEMA": f"{schema}.1", "metadata": {}, "name": "", "effect_name": schema, "enabled": True}
    return [warp | {"time_scalar": float(speed)}]


def _ramp(line: Polyline, origin: Fraction) -> list[dict[str, Any]]:
    """A ramp as Resolve writes it, whose times count from the media's first frame."""
    keys = [[float(time), float(value - origin), False, 0.0, 0.0, 0.0, 0.0] for time, value in line.points]
    effect = {"OTIO_SCHEMA": "TimeEffect.1", "metadata": {"Resolve_OTIO": {"Key Frames": keys}}, "name": ""}
    return [effect | {"effect_name": "", "enabled": True}]


# EDL


def _edl(composition: Composition, new: Mapping[int, NewMedia]) -> str:
    rate, drop = composition.rate, composition.drop
    mark = ";" if drop else ":"

    def code(frame: int) -> str:
        return timecode.written(frame, rate, drop, mark)

    title = " ".join(composition.name.split())
    lines = [f"TITLE: {title}", f"FCM: {'' if drop else 'NON-'}DROP FRAME", ""]
    for count, one in enumerate(sorted(composition.placed, key=lambda one: (one.begin, one.track)), 1):
        media = None if one.index is None else new.get(one.index)
        reel, first, used, name, after = "BL", 0, one.frames, one.clip.name, list[str]()
        why = one.lost if media else _why(one)
        if media is not None:
            reel, first, name = "AX", media.start, media.path.name
        elif isinstance(one.clip, TimelineClip):
            reel, first, used, after, lost = _edl_source(one.clip, rate, code)
            name, why = shown(media_name(one.clip.media)) or name, why or lost
        channel = "V" if one.track == 0 else f"V{one.track + 1}"
        begin = composition.start + one.begin
        times = " ".join(map(code, (first, first + used, begin, begin + one.frames)))
        lines += [f"{count:03}  {reel:<8} {channel:<5} C        {times}", *after, f"* FROM CLIP NAME: {' '.join(name.split())}"]
        if media is None and isinstance(one.clip, TimelineClip) and isinstance(one.clip.map, Speed) and not one.clip.map.speed:
            lines.append("* * FREEZE FRAME")
        if why:
            lines.append(f"* COMMENT: {' '.join(why.split())}")
    return "\n".join([*lines, ""])


def _edl_source(clip: TimelineClip, rate: Fraction, code: Any) -> tuple[str, int, int, list[str], str]:
    """The reel, the first frame and the frames of the source, the M2 line, and what is lost."""
    letters = "".join(
        letter for letter in PurePosixPath(media_name(clip.media)).stem.upper() if letter.isascii() and letter.isalnum()
    )
    reel = letters[:8] if letters and letters not in ("BL", "AX") else "AX"
    speed = clip.map.speed if isinstance(clip.map, Speed) else Fraction(1)
    lost = "" if isinstance(clip.map, Speed) else "an EDL holds no ramp: it plays at 100 %"
    place = (clip.place(0) + clip.origin) * rate
    entry = max(floor(place), 0)
    if place != entry:
        lost = lost or "it begins within a frame of its media: its source in is rounded down"
    used = max(floor((clip.frames - 1) * abs(speed)) + 1, 1)
    first = entry if speed >= 0 else max(entry - used + 1, 0)
    said = float(speed * timecode.base(rate))
    if speed == 1:
        return reel, first, used, [], lost
    number = f"{said:05.1f}" if said >= 0 else f"{said:06.1f}"
    return reel, first, used, [f"M2   {reel:<8}{number:>12}                {code(entry)}"], lost


# FCP 7 XML


def _xml(composition: Composition, new: Mapping[int, NewMedia]) -> str:
    rate = composition.rate
    told = _xml_rate(rate)
    length = max((one.begin + one.frames for one in composition.placed), default=0)
    code = timecode.written(composition.start, rate, composition.drop, ";" if composition.drop else ":")
    lines = [
        '<?xml version="1.0" encoding="UTF-8"?>',
        "<!DOCTYPE xmeml>",
        '<xmeml version="5">',
        f'  <sequence id="sequence-1"><name>{content(composition.name)}</name><duration>{length}</duration>{told}',
        f"    <timecode>{told}<string>{code}</string><frame>{composition.start}</frame>"
        f"<displayformat>{'DF' if composition.drop else 'NDF'}</displayformat></timecode>",
        "    <media><video>",
    ]
    files: dict[tuple[str, Fraction | None], str] = {}
    count = 0
    for placed in composition.tracks():
        lines.append("      <track>")
        for one in placed:
            media = None if one.index is None else new.get(one.index)
            why = one.lost if media else _why(one)
            if why:
                said = f"{one.clip.name}: {why}".replace("-", "\u2010")  # a comment may hold no two hyphens
                lines.append(f"        <!-- {said} -->")
            if media is None and isinstance(one.clip, Left):
                continue  # a gap
            count += 1
            lines += _xml_clip(one, media, rate, count, files)
        lines.append("      </track>")
    return "\n".join([*lines, "    </video></media>", "  </sequence>", "</xmeml>", ""])


def _xml_rate(rate: Fraction) -> str:
    ntsc = rate.denominator == 1001
    return f"<rate><timebase>{timecode.base(rate)}</timebase><ntsc>{'TRUE' if ntsc else 'FALSE'}</ntsc></rate>"


def _xml_clip(
    one: Placed, media: NewMedia | None, rate: Fraction, count: int, files: dict[tuple[str, Fraction | None], str]
) -> list[str]:
    clip, filters, first = one.clip, list[str](), 0
    if media is not None:
        url, name, total, own, first = file_url(media.path), media.path.name, media.frames, rate, media.start
        size = f"<width>{media.width}</width><height>{media.height}</height>"
        inner = f"<media><video><samplecharacteristics>{size}</samplecharacteristics></video></media>"
    else:
        assert isinstance(clip, TimelineClip)
        url, name, own, inner = _url(clip.media), shown(media_name(clip.media)), clip.media_rate or rate, ""
        total = one.media_frames or one.frames
        if isinstance(clip.map, Speed) and clip.map.speed == 1 and (clip.place(0) * rate).denominator == 1:
            first = int(clip.place(0) * rate)
        else:
            filters = _xml_remap(clip, total)
    key = (url, own)
    known = key in files
    ident = files.setdefault(key, f"file-{len(files) + 1}")
    timed = f"<name>{content(name)}</name><pathurl>{content(url)}</pathurl>{_xml_rate(own)}<duration>{total}</duration>{inner}"
    return [
        f'        <clipitem id="clipitem-{count}"><name>{content(clip.name)}</name>'
        f"<duration>{total if media or not filters else one.frames}</duration>{_xml_rate(rate)}",
        f"          <start>{one.begin}</start><end>{one.begin + one.frames}</end>"
        f"<in>{first}</in><out>{first + one.frames}</out>",
        f'          <file id="{ident}"/>' if known else f'          <file id="{ident}">{timed}</file>',
        *filters,
        "        </clipitem>",
    ]


def _xml_remap(clip: TimelineClip, total: int) -> list[str]:
    """The filter Time Remap, whose graph gives the media's frame, at the timeline's rate, for each frame of the clip."""
    times = {Fraction(0), exact(clip.frames)}
    if not isinstance(clip.map, Speed):
        inside = ((time - clip.start) * clip.rate for time, _ in _line(clip).points)
        times |= {frame for frame in inside if 0 < frame < clip.frames}
    shows = {when: (clip.map.at(clip.start + when / clip.rate) - clip.origin) * clip.rate for when in sorted(times)}
    keys = "".join(
        f"<keyframe><when>{_decimal(when)}</when><value>{_decimal(value)}</value></keyframe>" for when, value in shows.items()
    )
    return [
        "          <filter><effect><name>Time Remap</name><effectid>timeremap</effectid><effectcategory>motion</effectcategory>"
        "<effecttype>motion</effecttype><mediatype>video</mediatype>",
        "            <parameter><parameterid>variablespeed</parameterid><name>variablespeed</name><value>1</value></parameter>",
        "            <parameter><parameterid>graphdict</parameterid><name>graphdict</name>"
        f"<valuemin>0</valuemin><valuemax>{total}</valuemax>{keys}<interpolation><name>FCPCurve</name></interpolation>"
        "</parameter></effect></filter>",
    ]


def _decimal(value: Fraction) -> str:
    return str(value.numerator) if value.denominator == 1 else repr(float(value))
