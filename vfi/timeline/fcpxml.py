"""FCPXML, the format of Final Cut Pro, which Resolve also reads and writes.

Owns its arithmetic: all times are rational seconds. ``start`` and what lies inside a clip count on the retimed axis. ``value``
of a ``timept`` counts on the media's axis, from the asset's ``start``. Source: Apple's FCPXML reference, 1.3 to 1.14.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from math import ceil

from ..core import InputError
from ..parse import number, quoted
from .clip import Left, NewMedia, TimelineClip
from .maps import LastFrames, Smooth, Speed, TimeMap
from .markup import Document, Element, attribute
from .paths import file_url, media_path

STORY = ("asset-clip", "clip", "video", "audio", "ref-clip", "sync-clip", "mc-clip", "title", "gap", "audition", "spine")
"""Elements that stand on a timeline."""

LEFT = {
    "clip": "it is a clip of several elements: only clips of one video and no sound of its own are conformed",
    "ref-clip": "it is a compound clip: open it and conform its own timeline",
    "sync-clip": "it is a synchronized clip: break it apart to conform it",
    "mc-clip": "it is a multicam clip: flatten it to conform it",
}
"""Why elements that hold media stay as they are."""

FILM = (Fraction(24000, 1001), Fraction(24), Fraction(25))
"""Media of these rates plays frame for frame in timelines of these rates."""

NTSC = Fraction(1000, 1001)

_NAMED = {"2398": FILM[0], "24": FILM[1], "2997": 30 * NTSC, "5994": 60 * NTSC}
"""Rates at the end of names such as FFVideoFormat1080p2398; others are whole numbers."""


@dataclass(frozen=True)
class _Asset:
    path: str
    start: Fraction
    rate: Fraction | None
    still: bool
    sound: bool


def read_fcpxml(data: bytes, what: str) -> FcpxmlTimeline:
    """The timeline of an FCPXML document; ``what`` names the file. Raises `InputError`."""
    return FcpxmlTimeline(Document(data, what))


class FcpxmlTimeline:
    """An FCPXML document that was read; see `clip.Timeline`."""

    def __init__(self, document: Document) -> None:
        self._document = document
        self.clips: list[TimelineClip] = []
        self.left: list[Left] = []
        self._elements: list[tuple[Element, Element]] = []
        root = document.root
        resources = root.child("resources")
        if root.tag != "fcpxml" or resources is None:
            raise InputError(f"{document.what} is not FCPXML: its root is <{root.tag}>, or it has no resources")
        self._resources = resources
        self._formats = {one.get("id"): one for one in resources.all("format")}
        self._assets = {one.get("id"): self._asset(one) for one in resources.all("asset")}
        for sequence in root.within("sequence"):
            if not _inside(sequence, resources):
                self._read(sequence)

    def _read(self, sequence: Element) -> None:
        rate = self._rate(sequence.get("format"))
        if rate is None:
            raise InputError(
                f"{self._document.where(sequence)} has no frame rate: its format needs a frameDuration, such as 1001/24000s"
            )
        for element in sequence.within("asset-clip", "video", *LEFT):
            if element.parent is None or element.parent.tag in LEFT or _unseen(element):
                continue  # the part of a clip that is named as a whole, or what shows no picture
            asset = self._assets.get(element.get("ref"))
            if element.tag == "clip":
                self._read_clip(element, sequence, rate)
            elif element.tag in LEFT:
                if any(element.within("timeMap", "conform-rate")):
                    self._leave(element, LEFT[element.tag])
            elif asset is not None and not asset.still:
                try:
                    self.clips.append(self._clip(element, asset, rate))
                    self._elements.append((element, sequence))
                except InputError as error:
                    self._leave(element, str(error))
            elif asset is None and element.tag == "asset-clip":
                self._leave(element, f"its media {quoted(element.get('ref'))} is not among the resources")

    def _read_clip(self, element: Element, sequence: Element, rate: Fraction) -> None:
        """Read a ``clip`` around one ``video``, which holds the media."""
        retimed = any(element.within("timeMap", "conform-rate"))
        inside = [one for one in element.children if one.tag in STORY and "lane" not in one.attributes]
        asset = self._assets.get(inside[0].get("ref")) if [one.tag for one in inside] == ["video"] else None
        if asset is None or asset.still or any(element.within("audio")):
            if retimed:
                self._leave(element, LEFT["clip"])
            return
        maps = [one.child("timeMap") for one in (element, inside[0])]
        if None not in maps:
            self._leave(element, "both the clip and the video in it have a time map: at most one is understood")
            return
        # the axis of the video is that of the clip, moved
        moved = seconds(inside[0].get("start", "0s")) - seconds(inside[0].get("offset", "0s"))
        try:
            clip = self._clip(element, asset, rate, inside[0])
        except InputError as error:
            self._leave(element, str(error))
            return
        within = maps[1] is not None
        self.clips.append(
            replace(clip, start=clip.start + (moved if within else 0), origin=clip.origin - (0 if within else moved))
        )
        self._elements.append((element, sequence))

    def _leave(self, element: Element, reason: str) -> None:
        self.left.append(Left(element.get("name", element.tag), reason, element.line))

    def _asset(self, element: Element) -> _Asset:
        source = element.get("src") or next((one.get("src") for one in element.all("media-rep")), "")
        return _Asset(
            media_path(source),
            seconds(element.get("start", "0s")),
            self._rate(element.get("format")),
            seconds(element.get("duration", "1s")) == 0 or element.get("hasVideo", "1") == "0",
            element.get("hasAudio") == "1",
        )

    def _rate(self, name: str) -> Fraction | None:
        """The frame rate of a format."""
        element = self._formats.get(name)
        if element is None:
            return None
        duration = element.get("frameDuration")
        if duration:
            length = seconds(duration)
            if length <= 0:
                raise InputError(f"{self._document.where(element)} has a frame duration of {duration}: it must be above 0")
            return 1 / length
        digits = element.get("name")[:80].rpartition("p")[2]
        if not digits.isdecimal() or len(digits) > 4:
            return None
        return _NAMED.get(digits) or Fraction(int(digits)) or None

    def _clip(self, element: Element, asset: _Asset, rate: Fraction, video: Element | None = None) -> TimelineClip:
        """The clip of an element, or of the ``video`` in it."""
        start, duration = seconds(element.get("start", "0s")), seconds(element.get("duration", "0s"))
        frames = duration * rate
        if frames < 1 or frames.denominator != 1:
            raise InputError(f"its duration of {element.get('duration', '0s')} is not a whole number of frames from 1 up")
        if any(name in element.attributes for name in ("audioStart", "audioDuration")):
            raise InputError("its sound is trimmed apart from its picture: detach the audio to conform it")
        conform = (
            element.child("conform-rate") if video is None else video.child("conform-rate") or element.child("conform-rate")
        )
        time_map = element.child("timeMap") or (None if video is None else video.child("timeMap"))
        scaled = conform is not None and conform.get("scaleEnabled", "1") == "1"
        played = frame_for_frame(asset.rate, rate) if scaled else None
        return TimelineClip(
            element.get("name", element.tag),
            asset.path,
            rate,
            int(frames),
            Speed() if time_map is None else _mapped(time_map, 1 / (played or asset.rate or rate)),
            start,
            asset.start,
            media_rate=played,
            sound=element.tag == "asset-clip" and asset.sound and element.get("srcEnable", "all") == "all",
            handles=_handles(element, rate),
            line=element.line,
        )

    def with_media(self, new: Mapping[int, NewMedia]) -> bytes:
        """As `clip.Timeline`."""
        document, assets = self._document.again(), list[str]()
        taken = {one.get("id") for one in self._resources.children}
        names = (name for k in range(len(taken) + 3 * len(new) + 1) if (name := f"inbetween{k}") not in taken)
        for index, media in new.items():
            element, sequence = self._elements[index]
            clip = self.clips[index]
            form = self._formats[sequence.get("format")]
            size = str(media.width), str(media.height)
            if (form.get("width", size[0]), form.get("height", size[1])) != size:
                form_id = next(names)
                assets.append(
                    f'<format id="{form_id}" frameDuration="{written(1 / clip.rate)}" width="{size[0]}" height="{size[1]}"/>'
                )
            else:
                form_id = form.get("id")
            asset = next(names)
            assets.append(self._new_asset(asset, form_id, clip, media))
            self._point(document, element, asset, clip, media)
        if assets:
            document.append(self._resources, assets)
        return document.edited()

    def _new_asset(self, name: str, form: str, clip: TimelineClip, media: NewMedia) -> str:
        version = [int(part) if part.isdecimal() else 0 for part in self._document.root.get("version", "1.11")[:9].split(".")]
        source, old = attribute(file_url(media.path)), version < [1, 9]
        sound = ""
        if media.channels:
            sound = f' hasAudio="1" audioSources="1" audioChannels="{media.channels}" audioRate="{media.sample_rate}"'
        tag = f'<asset id="{name}" name={attribute(media.path.stem)} start="0s" duration="{written(media.frames / clip.rate)}"'
        tag += f' hasVideo="1" format="{form}"{sound}'
        if old:
            return f"{tag} src={source}/>"
        return f'{tag}><media-rep kind="original-media" src={source}/></asset>'

    def _point(self, document: Document, element: Element, asset: str, clip: TimelineClip, media: NewMedia) -> None:
        """Point a clip at new media, with the times inside it moved to the new axis."""
        start = media.start / clip.rate
        gone = {name: None for name in ("format", "tcFormat") if name in element.attributes}
        if element.tag == "clip":
            document.set(element, start=written(start), **gone)
            video = next(one for one in element.all("video") if "lane" not in one.attributes)
            document.set(video, ref=asset, offset="0s", start="0s", duration=written(media.frames / clip.rate))
            for one in video.all("timeMap", "conform-rate"):
                document.remove(one)
        else:
            video = element
            document.set(element, ref=asset, start=written(start), **gone)
        moved = start - seconds(element.get("start", "0s"))
        for one in element.children:
            if one.tag in ("timeMap", "conform-rate"):
                document.remove(one)
            elif one is video:
                continue
            elif one.tag in STORY:
                _move(document, one, "offset", moved)
            elif "start" in one.attributes:
                _move(document, one, "start", moved)
            else:
                for key in one.within("keyframe"):
                    _move(document, key, "time", moved)


def _move(document: Document, element: Element, name: str, by: Fraction) -> None:
    if by and name in element.attributes:
        document.set(element, **{name: written(seconds(element.get(name)) + by)})


def _inside(element: Element, other: Element) -> bool:
    above: Element | None = element
    while above is not None and above is not other:
        above = above.parent
    return above is other


def _unseen(element: Element) -> bool:
    audition = element.parent is not None and element.parent.tag == "audition"
    alternate = audition and element.parent is not None and element.parent.children[0] is not element
    return element.get("srcEnable") == "audio" or element.get("enabled") == "0" or alternate


def _handles(element: Element, rate: Fraction) -> tuple[int, int]:
    """The frames that transitions beside a clip show before its first and after its last."""
    if element.parent is None or "offset" not in element.attributes:
        return 0, 0
    begin = seconds(element.get("offset"))
    end = begin + seconds(element.get("duration", "0s"))
    siblings = element.parent.children
    place = siblings.index(element)
    before = after = Fraction(0)
    for one in siblings[max(place - 1, 0) : place + 2]:
        if one.tag == "transition":
            offset = seconds(one.get("offset", "0s"))
            length = seconds(one.get("duration", "0s"))
            before = max(before, begin - offset) if offset <= begin < offset + length else before
            after = max(after, offset + length - end) if offset < end <= offset + length else after
    return ceil(before * rate), ceil(after * rate)


def _mapped(element: Element, frame: Fraction) -> TimeMap:
    """The map of a ``timeMap``, for media of ``frame`` seconds a frame."""
    points: list[tuple[Fraction, Fraction]] = []
    reach: list[tuple[Fraction, Fraction]] = []
    for one in element.all("timept"):
        interpolation = one.get("interp", "smooth2")
        if interpolation not in ("smooth2", "linear"):
            raise InputError(f"its time map has the interpolation {quoted(interpolation)}: only linear and smooth2 are known")
        points.append((seconds(one.get("time")), seconds(one.get("value"))))
        rounded = interpolation == "smooth2"
        reach.append((seconds(one.get("inTime", "0s")), seconds(one.get("outTime", "0s"))) if rounded else (Fraction(0),) * 2)
    if any(min(pair) < 0 for pair in reach):
        raise InputError("its time map has an inTime or outTime below 0")
    return LastFrames(Smooth(tuple(points), tuple(reach)), frame)


def frame_for_frame(media: Fraction | None, timeline: Fraction) -> Fraction | None:
    """The rate at which a timeline plays media frame for frame that Final Cut conforms; None if it keeps the media's time.

    Source: the table in Apple's "conform-rate".
    """
    if media is None or media == timeline:
        return None
    film = Fraction(25) if timeline == 50 else timeline
    if media in FILM and film in FILM:
        return None if media == film else film
    ntsc = timeline.denominator == 1001
    other = media * NTSC if ntsc else media / NTSC
    families = {30 * NTSC, 60 * NTSC} if ntsc else {Fraction(30), Fraction(60)}
    return other if media not in families and other in families and timeline in families else None


def seconds(text: str) -> Fraction:
    """A time such as 5s or 1001/24000s. Raises `InputError`."""
    try:
        return number(text.strip().removesuffix("s"))
    except (ValueError, ZeroDivisionError) as error:
        raise InputError(f"{quoted(text)} is not a time: write seconds such as 5s or 1001/24000s") from error


def written(time: Fraction) -> str:
    """A time as FCPXML writes it."""
    return f"{time.numerator}s" if time.denominator == 1 else f"{time.numerator}/{time.denominator}s"
