"""MLT XML: projects of Shotcut (``.mlt``) and Kdenlive (``.kdenlive``).

Owns MLT's arithmetic: positions are frames of the profile's rate on the axis of the retimed producer, ends included. A
``timewarp`` producer has a constant speed; a ``timeremap`` link maps frames to seconds of its media. Source: MLT's
producer_timewarp, link_timeremap and mlt_animation, as melt 7.12 and 7.30 play them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from itertools import chain
from math import ceil

from ..core import InputError
from ..parse import exact, number, quoted, whole
from .clip import Left, NewMedia, TimelineClip
from .maps import Cubics, Speed, Summed, TimeMap
from .markup import Document, Element, content
from .paths import media_path

FILES = ("avformat", "avformat-novalidate", "timewarp", "")
"""Services that play files; without a service, MLT chooses by the file."""

BINS = ("main_bin", "main bin")
"""Playlists of what a project holds, not of what it shows."""

LONGEST = 10**6
"""The most frames of a producer with a speed map."""

_KEY = re.compile(r"\s*(-?[0-9:;,.]{1,24})([^=0-9.:;,-]?)=(.*)", re.ASCII | re.DOTALL)
_CLOCK = re.compile(r"(\d{1,4}):(\d{1,2}):(\d{1,2}(?:[.,]\d{1,9})?)", re.ASCII)
_TIMECODE = re.compile(r"(\d{1,4}):(\d{1,2}):(\d{1,2})[:;](\d{1,3})", re.ASCII)


@dataclass(frozen=True)
class _Place:
    """An entry of a playlist that stands for a clip, and its producer."""

    entry: Element
    producer: Element


def read_mlt(data: bytes, what: str) -> MltTimeline:
    """The timeline of an MLT document; ``what`` names the file. Raises `InputError`."""
    return MltTimeline(Document(data, what))


class MltTimeline:
    """An MLT document that was read; see `clip.Timeline`."""

    def __init__(self, document: Document) -> None:
        self._document = document
        self.clips: list[TimelineClip] = []
        self.left: list[Left] = []
        self._places: list[_Place] = []
        root = document.root
        profile = root.child("profile")
        if root.tag != "mlt" or profile is None:
            raise InputError(f"{document.what} is not an MLT project: its root is <{root.tag}>, or it has no profile")
        try:
            self.rate = Fraction(whole(profile.get("frame_rate_num")), whole(profile.get("frame_rate_den", "1")))
        except (ValueError, ZeroDivisionError):
            self.rate = Fraction(0)
        if self.rate <= 0:
            raise InputError(
                f"{document.where(profile)} has no frame rate: it needs a frame_rate_num and frame_rate_den above 0"
            )
        self._folder = media_path(root.get("root"))
        self._comma = root.get("LC_NUMERIC", "C") not in ("C", "POSIX")
        self._named = {one.get("id"): one for one in root.within("producer", "chain", "playlist", "tractor") if one.get("id")}
        self._originals = dict(self._proxied())
        hidden = self._hidden()
        for playlist in root.within("playlist"):
            hides = hidden.get(playlist.get("id"), {"": True})
            if playlist.get("id") not in BINS and any(hide not in ("video", "both") for hide in hides):
                self._read(playlist, any(hide not in ("audio", "both") for hide in hides))

    def _proxied(self) -> Iterator[tuple[str, str]]:
        """The original file of each clip for which Kdenlive has put a proxy, by the clip's number."""
        for one in map(properties_of, self._document.root.within("producer", "chain")):
            if len(one.get("kdenlive:proxy", "")) > 2 and one.get("kdenlive:originalurl"):  # "-" is none
                yield one.get("kdenlive:id", ""), one["kdenlive:originalurl"]

    def _hidden(self) -> dict[str, dict[str, bool]]:
        """What each tractor's tracks hide of a playlist."""
        hidden: dict[str, dict[str, bool]] = {}
        for track in self._document.root.within("track"):
            hidden.setdefault(track.get("producer"), {})[track.get("hide")] = True
        return hidden

    def _read(self, playlist: Element, heard: bool) -> None:
        for entry in playlist.all("entry"):
            producer = self._named.get(entry.get("producer"))
            if producer is None:
                self.left.append(Left(entry.get("producer"), "its producer is not in the project", entry.line))
                continue
            properties = properties_of(producer)
            name = properties.get("kdenlive:clipname") or properties.get("shotcut:caption") or producer.get("id")
            if producer.tag in ("playlist", "tractor"):
                self._leave_nested(name, entry, producer)
            elif (service := properties.get("mlt_service", "")) not in FILES:
                retimed = service == "framebuffer"  # speed in projects of old versions
                self.left.append(Left(name, f"it is no video file, but {service}", entry.line, missed=retimed))
            else:
                try:
                    self.clips.append(self._clip(name, entry, producer, properties, heard))
                    self._places.append(_Place(entry, producer))
                except InputError as error:
                    self.left.append(Left(name, str(error), entry.line))

    def _leave_nested(self, name: str, entry: Element, nested: Element) -> None:
        """Name a clip that is a transition or a timeline of its own."""
        parts = [self._named[one.get("producer")] for one in nested.all("track") if one.get("producer") in self._named]
        retimed = any(
            properties_of(part).get("mlt_service") == "timewarp" or any(part.all("link"))
            for part in parts
            if part.tag in ("producer", "chain")
        )
        reason = "it is a transition or a nested timeline: only clips with hard cuts are conformed"
        self.left.append(Left(name, reason, entry.line, missed=retimed))

    def _clip(self, name: str, entry: Element, producer: Element, properties: Mapping[str, str], heard: bool) -> TimelineClip:
        start, frames = self._cut(entry, producer)
        warped = properties.get("mlt_service") == "timewarp"
        resource = properties.get("warp_resource") or properties.get("resource", "")
        speed = Fraction(1)
        if warped:
            said, _, rest = properties.get("resource", "").partition(":")
            resource = properties.get("warp_resource") or rest
            speed = self._number(properties.get("warp_speed") or said)
        resource = self._originals.get(properties.get("kdenlive:id", ""), resource)
        path = media_path(properties.get("shotcut:resource") or resource)
        self._check(chain(entry.all("filter"), producer.all("filter")), start)
        relative = self._folder and not path.startswith("/") and path[1:2] != ":"
        return TimelineClip(
            name,
            f"{self._folder.rstrip('/')}/{path}" if relative else path,
            self.rate,
            frames,
            self._map(producer, speed),
            start / self.rate,
            sound=heard and properties.get("audio_index") != "-1",
            line=entry.line,
        )

    def _cut(self, entry: Element, producer: Element) -> tuple[int, int]:
        """The first frame of an entry, on its producer's axis, and how many it has."""
        start = self._frame(entry.get("in") or producer.get("in") or "0")
        end = entry.get("out") or producer.get("out")
        last = self._frame(end) if end else self._length(producer) - 1
        if last < start:
            raise InputError(f"its out point, frame {last}, lies before its in point, frame {start}")
        return start, last - start + 1

    def _length(self, producer: Element) -> int:
        """The length of a producer, in frames."""
        out, length = producer.get("out"), properties_of(producer).get("length", "")
        if out:
            return self._frame(out) + 1
        if length:
            return self._frame(length)
        raise InputError("its producer has neither an out point nor a length")

    def _map(self, producer: Element, speed: Fraction) -> TimeMap:
        links = [properties_of(one) | {"": one.get("in")} for one in producer.all("link")]
        remaps = [one for one in links if one.get("mlt_service") == "timeremap" and one.get("disable") != "1"]
        if not remaps:
            if speed < 0:
                return Speed(speed, -speed * (self._length(producer) - 1) / self.rate)
            if speed == 0:
                raise InputError("its speed is 0: use a freeze frame")
            return Speed(speed)
        if len(remaps) > 1:
            raise InputError("its producer has several time remaps: at most one is understood")
        remap = remaps[0]
        first = self._frame(remap[""] or "0")
        speeds, times = remap.get("speed_map"), remap.get("time_map") or remap.get("map")
        if speeds:
            length = self._length(producer)
            if length > LONGEST:
                raise InputError(f"its speed map runs over {length} frames: at most {LONGEST} are possible")
            at = self._animation(speeds)
            return Summed(first / self.rate, 1 / self.rate, tuple(at(exact(frame)) for frame in range(length)))
        if not times:
            raise InputError("its time remap has neither a time_map nor a speed_map")
        keys = self._keys(times)
        starts = tuple((position + first) / self.rate for position, _, _ in keys)
        if len(keys) == 1:
            return Speed(Fraction(0), keys[0][2])
        return Cubics(starts, _pieces(keys), keys[-1][2])

    def _animation(self, text: str) -> Callable[[Fraction], Fraction]:
        """The value of an animated property at each frame, held before its first key and after its last."""
        keys = self._keys(text)
        if len(keys) == 1:
            return lambda frame: keys[0][2]
        cubics = Cubics(tuple(exact(position) for position, _, _ in keys), _pieces(keys), keys[-1][2])
        return lambda frame: cubics.at(min(max(frame, cubics.first), cubics.last))

    def _keys(self, text: str) -> list[tuple[int, str, Fraction]]:
        """The keyframes of an animated property: frame, kind of the line to the next, and value."""
        if "=" not in text:
            return [(0, "", self._number(text))]
        keys = []
        for part in filter(None, map(str.strip, re.split(r";(?=\s*-?[0-9:.,]{1,24}[^=0-9]?=)|;\s*$", text))):
            found = _KEY.fullmatch(part)
            if found is None or found[2] not in ("", "~", "|"):
                raise InputError(
                    f"its keyframe {quoted(part)} is not understood: straight (=), smooth (~=) and held (|=) ones are"
                )
            keys.append((self._frame(found[1]), found[2], self._number(found[3])))
        if not keys:
            raise InputError("its time remap has no keyframes")
        return sorted(keys, key=lambda key: key[0])

    def _number(self, text: str) -> Fraction:
        try:
            return number(text.replace(",", ".") if self._comma else text)
        except (ValueError, ZeroDivisionError) as error:
            raise InputError(f"{quoted(text)} is not a number: {error}") from error

    def _frame(self, text: str) -> int:
        """A position: a whole number of frames, a clock such as 00:00:01.500, or a timecode such as 00:00:01:12."""
        text = text.strip()
        if found := _TIMECODE.fullmatch(text):
            hours, minutes, secs, frames = map(int, found.groups())
            return ((hours * 60 + minutes) * 60 + secs) * ceil(self.rate) + frames
        if found := _CLOCK.fullmatch(text):
            length = (int(found[1]) * 60 + int(found[2])) * 60 + number(found[3].replace(",", "."))
            return round(length * self.rate)
        try:
            frame = whole(text)
        except ValueError as error:
            raise InputError(
                f"{quoted(text)} is not a position: it is a frame number or a time such as 00:00:01.500"
            ) from error
        if frame < 0:
            raise InputError(f"{frame} is not a position: positions counted from the end are not understood")
        return frame

    def _check(self, filters: Iterable[Element], start: int) -> None:
        """Raise `InputError` if a filter's keyframes would lie before new media that begins at ``start``."""
        for effect in filters:
            first = self._frame(effect.get("in") or "0")
            for one in effect.all("property"):
                if any(key is not None and first + key < start for key, _ in self._parts(one.text)):
                    name = properties_of(effect).get("mlt_service", "")
                    raise InputError(f"its filter {quoted(name)} has keyframes before the clip's in point: move them first")

    def _parts(self, text: str) -> list[tuple[int | None, str]]:
        """The keyframes of a property, (position, the rest); one of None if it is not animated or counts from the end."""
        if not re.match(r"\s*[0-9:.,]{1,24}[^=0-9\s]?=", text):
            return [(None, text)]
        parts: list[tuple[int | None, str]] = []
        for part in text.split(";"):
            found = re.match(r"\s*([0-9:.,]{1,24})([^=0-9\s]?=.*)", part, re.DOTALL)
            parts.append((self._frame(found[1]), found[2]) if found else (None, part))
        return parts

    def _filter(self, effect: Element, moved: int, frames: int) -> str:
        """A filter of a clip whose axis has ``moved``, for media of ``frames`` frames."""
        source = self._document.copied(effect)
        begin, end = (effect.get(name) for name in ("in", "out"))
        first = max(self._frame(begin or "0") + moved, 0)
        shift = self._frame(begin or "0") + moved - first
        if not begin:
            first, shift = 0, moved
        else:
            source.set(source.root, **{"in": str(first)})
        if end:
            source.set(source.root, out=str(min(max(self._frame(end) + moved, first), frames - 1)))
        for one in source.root.all("property"):
            parts = self._parts(one.text)
            if shift and parts[0][0] is not None:
                source.set_text(one, ";".join(rest if key is None else f"{key + shift}{rest}" for key, rest in parts))
        return source.edited().decode()

    def with_media(self, new: Mapping[int, NewMedia]) -> bytes:
        """As `clip.Timeline`."""
        document, producers, entries = self._document.again(), list[str](), list[str]()
        bins = [one for one in document.root.within("playlist") if one.get("id") in BINS]
        ids = [
            int(one.text) for one in document.root.within("property") if one.get("name") == "kdenlive:id" and _small(one.text)
        ]
        names = (name for k in range(len(self._named) + len(new) + 1) if (name := f"inbetween{k}") not in self._named)
        for count, ((index, media), name) in enumerate(zip(new.items(), names, strict=False), 1):
            place, clip = self._places[index], self.clips[index]
            moved, number = media.start - int(clip.start * self.rate), max(ids, default=0) + count
            effects = [self._filter(one, moved, media.frames) for one in place.producer.all("filter")]
            producers.append(_producer(name, media, number if ids else None, effects))
            document.set(place.entry, producer=name, **{"in": str(media.start), "out": str(media.start + clip.frames - 1)})
            for one in place.entry.all("filter"):
                document.replace(one, self._filter(one, moved, media.frames))
            for one in place.entry.all("property"):
                if one.get("name") == "kdenlive:id":
                    document.set_text(one, str(number))
            entries += [f'<entry producer="{name}" in="0" out="{media.frames - 1}"/>'] if ids else []
        first = next(document.root.within("playlist"), None)
        for markup in producers:
            assert first is not None
            document.insert_before(first, markup)
        if entries and bins:
            document.append(bins[0], entries)
        return document.edited()


def _producer(name: str, media: NewMedia, number: int | None, effects: list[str]) -> str:
    properties = {"resource": str(media.path.absolute()), "length": str(media.frames), "mlt_service": "avformat"}
    if number is not None:
        properties["kdenlive:id"] = str(number)
    if not media.channels:
        properties["audio_index"] = "-1"
    inside = "".join(f'<property name="{key}">{content(value)}</property>' for key, value in properties.items())
    return f'<producer id="{name}" in="0" out="{media.frames - 1}">{inside}{"".join(effects)}</producer>'


def properties_of(element: Element) -> dict[str, str]:
    """The properties of an element, by name."""
    return {one.get("name"): one.text for one in element.all("property")}


def _small(text: str) -> bool:
    return text.isdecimal() and text.isascii() and len(text) < 10


def _pieces(keys: list[tuple[int, str, Fraction]]) -> tuple[tuple[Fraction, ...], ...]:
    """The polynomial from each keyframe to the next: a line, a step, or a Catmull-Rom spline with its ends doubled."""
    values = [keys[0][2], *(value for _, _, value in keys), keys[-1][2]]
    pieces: list[tuple[Fraction, ...]] = []
    for index, (_, kind, value) in enumerate(keys[:-1]):
        before, here, there, beyond = values[index : index + 4]
        if kind == "|":
            pieces.append((value,))
        elif kind == "~":
            slope, cubic = (there - before) / 2, (beyond - before) / 2 + 3 * (here - there) / 2
            pieces.append((here, slope, there - here - slope - cubic, cubic))
        else:
            pieces.append((value, there - value))
    return tuple(pieces)
