"""FCP 7 XML (``xmeml``), which Premiere and Resolve read and write.

Owns its arithmetic: ``start`` and ``end`` are frames of the timeline, ``in`` and ``out`` frames of the retimed clip, at the
timeline's rate whatever rate the clip states, as Premiere and Resolve read them. A Time
Remap filter has a graph of straight lines from these to frames of the media, or a constant speed. Source: Apple's Final Cut Pro
XML Interchange Format.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from fractions import Fraction

from ..core import InputError
from ..parse import exact, number, quoted, whole
from .clip import Left, NewMedia, TimelineClip
from .maps import Polyline, Speed, TimeMap
from .markup import Document, Element, content
from .paths import file_url, media_path

TICKS = 254_016_000_000
"""Premiere's ticks per second."""


def read_fcp7(data: bytes, what: str) -> Fcp7Timeline:
    """The timeline of an FCP 7 XML document; ``what`` names the file. Raises `InputError`."""
    return Fcp7Timeline(Document(data, what))


class Fcp7Timeline:
    """An FCP 7 XML document that was read; see `clip.Timeline`."""

    def __init__(self, document: Document) -> None:
        self._document = document
        self.clips: list[TimelineClip] = []
        self.left: list[Left] = []
        self._items: list[Element] = []
        if document.root.tag != "xmeml":
            raise InputError(f"{document.what} is not FCP 7 XML: its root is <{document.root.tag}>")
        self._files: dict[str, Element] = {}
        for one in document.root.within("file"):
            if one.children:
                self._files.setdefault(one.get("id"), one)
        for sequence in document.root.within("sequence"):
            if sequence.parent is not None and sequence.parent.tag != "clipitem":
                self._read(sequence)

    def _read(self, sequence: Element) -> None:
        rate = _rate(sequence)
        if rate is None:
            raise InputError(f"{self._document.where(sequence)} has no frame rate: it needs a rate with a timebase above 0")
        video = sequence.child("media", "video")
        for track in () if video is None else video.all("track"):
            for item in track.all("clipitem", "generatoritem"):
                if item.value("enabled").upper() == "FALSE":
                    continue
                name = item.value("name", default=item.get("id"))
                unneeded = _no_media(item)
                if unneeded:
                    self.left.append(Left(name, unneeded, item.line, missed=False))
                    continue
                try:
                    self.clips.append(self._clip(name, item, rate))
                    self._items.append(item)
                except InputError as error:
                    self.left.append(Left(name, str(error), item.line))

    def _clip(self, name: str, item: Element, rate: Fraction) -> TimelineClip:
        file = item.child("file")
        file = None if file is None else self._files.get(file.get("id"), file)
        if file is None or not file.value("pathurl"):
            raise InputError("its media has no path: bring it online and export again")
        start, end = _whole(item, "start"), _whole(item, "end")
        if -1 in (start, end):
            raise InputError("it stands beside a transition: only clips with hard cuts are conformed in FCP 7 XML")
        if end <= start:
            raise InputError(f"it lasts from frame {start} to {end}: the end must come after the start")
        time_map, notes = self._map(item, file, rate)
        return TimelineClip(
            name,
            media_path(file.value("pathurl")),
            rate,
            end - start,
            time_map,
            _whole(item, "in") / rate,
            notes=notes,
            line=item.line,
        )

    def _map(self, item: Element, file: Element, rate: Fraction) -> tuple[TimeMap, tuple[str, ...]]:
        effects = _remaps(item)
        if not effects:
            return Speed(), ()
        if len(effects) > 1:
            raise InputError("it has several Time Remap filters: at most one is understood")
        parameters = {one.value("parameterid").lower(): one for one in effects[0].within("parameter")}
        graph = parameters.get("graphdict")
        keys = [] if graph is None else list(graph.all("keyframe"))
        if len(keys) > 1:
            points = sorted((_number(key, "when") / rate, _number(key, "value") / rate) for key in keys)
            lines = Polyline(tuple(points))
            slopes = {lines.slope(index) for index in range(len(points) - 1)}
            ramp = "its ramp is read as straight lines between keyframes: for smooth ramps export FCPXML or OTIO instead"
            return lines, (ramp,) if len(slopes) > 1 else ()
        if "speed" not in parameters:
            raise InputError("its Time Remap has neither a graph nor a speed")
        speed = _number(parameters["speed"], "value") / 100
        if speed == 0:
            raise InputError("its speed is 0: use a freeze frame")
        reverse = parameters.get("reverse")
        if speed < 0 or (reverse is not None and reverse.value("value").upper() == "TRUE"):
            frames = _number(file, "duration")
            return Speed(-abs(speed), (frames - 1) / (_rate(file) or rate)), ()
        return Speed(speed), ()

    def with_media(self, new: Mapping[int, NewMedia]) -> bytes:
        """As `clip.Timeline`."""
        document = self._document.again()
        changed = {id(self._items[index]) for index in new}
        names = (name for k in range(len(self._files) + len(new) + 1) if (name := f"inbetween{k}") not in self._files)
        for (index, media), name in zip(new.items(), names, strict=False):
            item, clip = self._items[index], self.clips[index]
            file = item.child("file")
            assert file is not None
            if file.children:
                self._keep_definition(document, file, changed)
            document.replace(file, _file(name, media, clip.rate))
            first, last = media.start, media.start + clip.frames
            ticks = {"pproTicksIn": first, "pproTicksOut": last}
            texts = {"in": first, "out": last, "duration": media.frames}
            texts |= {tag: int(frame / clip.rate * TICKS) for tag, frame in ticks.items()}
            for tag, value in texts.items():
                if (one := item.child(tag)) is not None:
                    document.set_text(one, str(value))
            if (own := item.child("rate")) is not None and _rate(item) != clip.rate:
                document.replace(own, _rate_markup(clip.rate))
            for one in item.all("masterclipid"):
                document.remove(one)
            for effect in _remaps(item):
                assert effect.parent is not None
                document.remove(effect.parent)
        return document.edited()

    def _keep_definition(self, document: Document, file: Element, changed: Iterable[int]) -> None:
        """Move the definition of a file, which its first user holds, to the next user that stays."""
        for other in self._document.root.within("file"):
            user = other.parent
            if other is not file and not other.children and other.get("id") == file.get("id") and id(user) not in changed:
                document.replace(other, document.source(file))
                return


def _no_media(item: Element) -> str:
    """Why an item shows no frames of a file, if it does not."""
    if item.tag == "generatoritem":
        return "it is a generator"
    if item.child("sequence") is not None:
        return "it is a nested sequence: conform that sequence on its own"
    if item.child("multiclip") is not None:
        return "it is a multiclip: flatten it to conform it"
    if item.value("stillframe").upper() == "TRUE":
        return "it is a still frame"
    return ""


def _remaps(item: Element) -> list[Element]:
    """The Time Remap effects of an item that are on."""
    effects = [effect for one in item.all("filter") if one.value("enabled").upper() != "FALSE" for effect in one.all("effect")]
    return [effect for effect in effects if effect.value("effectid").lower() == "timeremap"]


def _rate(element: Element) -> Fraction | None:
    """The frame rate that an element states."""
    try:
        timebase = whole(element.value("rate", "timebase"))
    except ValueError:
        return None
    ntsc = element.value("rate", "ntsc").upper() == "TRUE"
    if timebase <= 0:
        return None
    return Fraction(timebase * 1000, 1001) if ntsc else exact(timebase)


def _rate_markup(rate: Fraction) -> str:
    ntsc = rate.denominator == 1001
    timebase = round(rate * Fraction(1001, 1000)) if ntsc else round(rate)
    return f"<rate><timebase>{timebase}</timebase><ntsc>{'TRUE' if ntsc else 'FALSE'}</ntsc></rate>"


def _file(name: str, media: NewMedia, rate: Fraction) -> str:
    url = file_url(media.path).replace("file:///", "file://localhost/", 1)
    size = f"<width>{media.width}</width><height>{media.height}</height>"
    return (
        f'<file id="{name}"><name>{content(media.path.name)}</name><pathurl>{content(url)}</pathurl>{_rate_markup(rate)}'
        f"<duration>{media.frames}</duration><media><video><samplecharacteristics>{size}</samplecharacteristics></video></media>"
        "</file>"
    )


def _whole(element: Element, tag: str) -> int:
    text = element.value(tag)
    try:
        return whole(text)
    except ValueError as error:
        raise InputError(f"its <{tag}> is {quoted(text)}: it must be a whole number of frames") from error


def _number(element: Element, tag: str) -> Fraction:
    text = element.value(tag)
    try:
        return number(text)
    except (ValueError, ZeroDivisionError) as error:
        raise InputError(f"its <{tag}> is {quoted(text)}: it must be a number") from error
