"""Edit decision lists (CMX 3600, .edl): read exactly, and edited line by line.

Owns the format: events, their comments and M2 speeds. An EDL tells neither its frame rate nor where media lies: the caller
gives the one, and ``media`` is a name. Columns, comments and unknown lines stay as they are.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import pairwise

from .. import timecode
from ..core import InputError
from ..parse import number, shown
from .clip import Left, NewMedia, TimelineClip
from .edits import Edit, edited
from .maps import Speed
from .paths import media_path

LARGEST = 64 * 2**20
"""The most bytes of an EDL."""

SIMPLE = 8
"""The largest denominator of a speed that is taken for simple."""

DOUBT = Fraction(1, 2)
"""A rounded speed is told if it may put the last frame of a clip this many frames of the media off."""

_LINE = re.compile(r"[^\r\n]*(?:\r\n|\r|\n)?")
_WORD = re.compile(r"\S+")
_EVENT = re.compile(r"[0-9]{1,8}[A-Za-z]?")
_CHANNEL = re.compile(r"[A-Z0-9/]{1,12}")
_TRANSITION = re.compile(r"C|D|W[0-9]{0,4}|K[BO]?")
_FRAME = re.compile(r"[0-9]{1,9}")
_DROP_MARK = re.compile(r"[0-9]{2};[0-9]{2}")
_SPEED = re.compile(r"[+-]?[0-9]{1,6}(?:\.([0-9]{0,6}))?")
_COMMENT = re.compile(r"[ \t]{0,40}\*[ \t*]{0,8}([A-Z][A-Z ]{2,30}?)[ \t]{0,8}:[ \t]{0,40}", re.IGNORECASE)
_NAMED = re.compile(r"\(([0-9]{1,6}\.([0-9]{1,6})) FPS\)")
_HINT = re.compile(r"\((?:[A-Z]+[0-9]+|[0-9.]+ ?FPS)\)")
_ENDING = re.compile(r"[A-Za-z0-9]{1,5}")

FILES = ("SOURCE FILE", "FROM FILE", "FROM CLIP")
"""Comments that name the media's file, the first that counts first."""


@dataclass(frozen=True)
class _Word:
    text: str
    begin: int
    end: int


@dataclass(frozen=True)
class _Line:
    """A line of the file: from ``begin`` to before its line end at ``end``; the next begins at ``after``."""

    number: int
    begin: int
    end: int
    after: int


@dataclass
class _Comment:
    """A comment such as ``* FROM CLIP NAME: n24.mp4``, whose value begins at ``value``."""

    name: str
    text: str
    value: int
    line: _Line


@dataclass
class _Tail:
    """What follows an event line: comments, M2 lines as (line, speed, entry), and lines of a freeze frame."""

    comments: list[_Comment] = field(default_factory=list)
    speeds: list[tuple[_Line, str, str]] = field(default_factory=list)
    freeze: list[_Line] = field(default_factory=list)

    @property
    def empty(self) -> bool:
        return not (self.comments or self.speeds or self.freeze)

    def value(self, name: str) -> str:
        """The text of the last comment of a name."""
        return next((comment.text for comment in reversed(self.comments) if comment.name == name and comment.text), "")


@dataclass
class _Event:
    """An event line; ``own`` follows it, and ``tail`` is what counts: its own, or else that of the next line of its number.

    ``times`` are source in and out and record in and out, and ``frames`` what they count. ``drop``: timecode without a mark of
    its own is drop frame.
    """

    line: _Line
    number: str
    reel: _Word
    channel: str
    transition: str
    times: tuple[_Word, ...]
    frames: tuple[int, ...]
    drop: bool
    own: _Tail
    tail: _Tail

    @property
    def video(self) -> bool:
        return self.channel.startswith("B") or "V" in self.channel

    @property
    def sound(self) -> bool:
        return self.channel.startswith("B") or "A" in self.channel

    @property
    def clip_name(self) -> str:
        return without_hints(self.tail.value("FROM CLIP NAME"))

    @property
    def media(self) -> str:
        """The first name that ends as files do: of `FILES`, FROM CLIP NAME; else the first that there is, else the reel."""
        names = [name for name in (*map(self.tail.value, FILES), self.clip_name) if name]
        files = [name for name in names if "." in name and _ENDING.fullmatch(name.rpartition(".")[2])]
        return media_path([*files, *names, self.reel.text][0])


def _frames(text: str, rate: Fraction, drop: bool) -> int:
    return timecode.frames(text, rate, drop or timecode.drops(text)) if timecode.is_timecode(text) else int(text)


def without_hints(name: str) -> str:
    """A clip's name without what Avid appends: ``FF``, a rate such as ``(47.56 FPS)``, or capitals and digits: ``(LAY2)``."""
    name = name.strip()
    while True:
        head, _, last = name.rpartition(" ")
        if last == "FPS)":  # the hint holds a space
            head, _, count = head.rpartition(" ")
            last = f"{count} {last}"
        if not head.strip() or not (last == "FF" or _HINT.fullmatch(last)):
            return name
        name = head.rstrip()


@dataclass
class EdlTimeline:
    """An EDL; a `clip.Timeline`."""

    clips: list[TimelineClip]
    left: list[Left]
    rate: Fraction
    _text: str
    _bom: bytes
    _encoding: str
    _events: list[_Event]
    _what: str

    def with_media(self, new: Mapping[int, NewMedia]) -> bytes:
        edits = [edit for index, media in new.items() for edit in self._edits(self._events[index], self.clips[index], media)]
        try:
            return self._bom + edited(self._text, dict.fromkeys(edits)).encode(self._encoding)
        except UnicodeEncodeError as error:
            raise InputError(
                f"{self._what} is Latin-1, which cannot hold the name of the new media: use plain letters"
            ) from error

    def _edits(self, event: _Event, clip: TimelineClip, media: NewMedia) -> Iterator[Edit]:
        reel, name = event.reel, media.path.name
        room = len(reel.text) if len(reel.text) > 1 or self._text[reel.end : reel.end + 2] != "  " else 2
        yield reel.begin, reel.begin + room, "AX".ljust(room)
        for word, frame in zip(event.times, (media.start, media.start + clip.frames), strict=False):
            yield word.begin, word.end, _like(word.text, frame, self.rate, event.drop or timecode.drops(word.text))
        for line in [*(line for line, _, _ in event.tail.speeds), *event.tail.freeze]:
            yield line.begin, line.after, ""
        for comment in event.own.comments:
            if comment.name in ("FROM CLIP NAME", *FILES):
                path = "/" in comment.text or "\\" in comment.text
                yield comment.value, comment.line.end, str(media.path.absolute()) if path else name
        if not event.own.value("FROM CLIP NAME"):
            begin, after = event.line.end, event.line.after
            ending = self._text[begin:after] or "\n"
            yield begin, begin, f"{ending}* FROM CLIP NAME: {name}"


def _like(text: str, frame: int, rate: Fraction, drop: bool) -> str:
    """A frame as timecode in the manner of another: its last mark, or none at all, or a number of frames."""
    if not timecode.is_timecode(text):
        return str(frame)
    if ":" not in text:
        return timecode.written(frame, rate, drop).replace(":", "")
    mark = text.rstrip("0123456789")[-1]
    head, _, last = timecode.written(frame, rate, drop, mark).rpartition(mark)
    return f"{head}{mark}{last.zfill(len(text.rpartition(mark)[2]))}"


def read_edl(data: bytes, what: str, rate: Fraction | None) -> EdlTimeline:
    """Read an EDL of ``rate`` frames per second. ``what`` names the file. Raises `InputError`."""
    if len(data) > LARGEST:
        raise InputError(f"{what} has {len(data)} bytes: an EDL may have at most {LARGEST}")
    if rate is None:
        raise InputError(f"{what} is an EDL, which does not tell its frame rate: give it by --fps, such as --fps 23.976")
    bom, encoding, text = _decoded(data, what)
    reader = _Reader(text, what, rate)
    timeline = EdlTimeline([], reader.broken, rate, text, bom, encoding, [], what)
    for event, why in _judged(reader.events):
        name = shown(event.clip_name or event.reel.text)
        try:
            if why:
                raise _Unusable(why)
            clip = _clip(event, name, rate, what)
        except _Unusable as error:
            timeline.left.append(Left(name, str(error), event.line.number))
        else:
            timeline.clips.append(clip)
            timeline._events.append(event)
    timeline.left.sort(key=lambda left: left.line or 0)
    return timeline


class _Unusable(Exception):
    """An event that stays as it is, and why."""


@contextmanager
def _told(what: str, line: _Line, rate: Fraction) -> Iterator[None]:
    """Errors of timecode tell the line, and that the rate may be wrong."""
    try:
        yield
    except InputError as error:
        raise InputError(f"{what}, line {line.number}: {error} (--fps gives {timecode.shown_rate(rate)})") from error


def _decoded(data: bytes, what: str) -> tuple[bytes, str, str]:
    """The byte order mark, the encoding and the text of an EDL."""
    known = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))
    bom, encoding = next((pair for pair in known if data.startswith(pair[0])), (b"", "utf-8"))
    try:
        text = data[len(bom) :].decode(encoding)
    except UnicodeDecodeError as error:
        if bom:
            raise InputError(f"{what} is not {encoding}, as it says, at byte {error.start}: save it as UTF-8") from error
        encoding = "latin-1"
        text = data.decode(encoding)
    if "\0" in text:
        raise InputError(f"{what} is no text: an EDL must be text (CMX 3600)")
    return bom, encoding, text


class _Reader:
    """The events of a text."""

    def __init__(self, text: str, what: str, rate: Fraction) -> None:
        self.text, self.what, self.rate = text, what, rate
        self.events: list[_Event] = []
        self.broken: list[Left] = []
        self.marked = _DROP_MARK.search(text) is not None  # then marks tell drop frame, and FCM does not
        self.read()

    def lines(self) -> Iterator[_Line]:
        at, count = 0, 0
        while at < len(self.text):
            found = _LINE.match(self.text, at)
            assert found is not None
            count += 1
            yield _Line(count, at, at + len(found[0].rstrip("\r\n")), found.end())
            at = found.end()

    def read(self) -> None:
        drop, known = False, False
        for line in self.lines():
            text = self.text[line.begin : line.end]
            upper = text.strip().upper()
            known = known or upper.startswith(("TITLE:", "FCM:"))
            if upper.startswith("FCM:"):
                drop = "DROP" in upper and "NON" not in upper
                if drop:
                    with _told(self.what, line, self.rate):
                        timecode.dropped(self.rate)
            elif upper.startswith(("M2 ", "M2\t")):
                self._speed(line)
            elif upper.startswith("*"):
                self._comment(line, text)
            elif upper[:1].isdecimal():
                self._event(line, drop)
        if not known and not self.events and self.text.strip():
            raise InputError(f"{self.what} has no events of CMX 3600: an EDL has lines such as 001 REEL V C and four timecodes")
        for event, later in pairwise(self.events):
            if event.own.empty and event.number == later.number:
                event.tail = later.own

    def words(self, line: _Line) -> list[_Word]:
        return [_Word(found[0], *found.span()) for found in _WORD.finditer(self.text, line.begin, line.end)]

    def _event(self, line: _Line, drop: bool) -> None:
        words = self.words(line)
        if not _EVENT.fullmatch(words[0].text):
            return
        first = next((index for index, word in enumerate(words) if timecode.is_timecode(word.text) and ":" in word.text), None)
        if first is None:
            first = len(words) - 4
            if first < 3 or not all(_FRAME.fullmatch(word.text) for word in words[first:]):
                return  # not an event: it has no times
        times = tuple(words[first : first + 4])
        at = first - 1
        if at > 1 and words[at].text.isdecimal():
            at -= 1  # the frames of a transition
        if at > 2 and words[at].text in ("B", "O") and words[at - 1].text == "K":
            at -= 1
        channel = words[at - 1].text.upper() if at > 2 else "V"
        good = at > 1 and _TRANSITION.fullmatch(words[at].text.upper()) and _CHANNEL.fullmatch(channel)
        if len(times) < 4 or not good or len({_counts(word.text) for word in times}) > 1:
            why = f"its event {words[0].text} is not written as CMX 3600: number, reel, channel, transition and four timecodes"
            self.broken.append(Left(f"event {words[0].text}", why, line.number))
            return
        last = at - 1 if at > 2 else at
        reel = _Word(self.text[words[1].begin : words[last - 1].end], words[1].begin, words[last - 1].end)
        tail = _Tail()
        drop = drop and not self.marked
        with _told(self.what, line, self.rate):
            frames = tuple(_frames(word.text, self.rate, drop) for word in times)
        event = _Event(line, words[0].text, reel, channel, words[at].text.upper(), times, frames, drop, tail, tail)
        self.events.append(event)

    def _speed(self, line: _Line) -> None:
        """An M2 line: it belongs to the last event, or to one before of the same number that has its reel."""
        words = self.words(line)[1:]
        entry = ""
        if len(words) > 1 and (timecode.is_timecode(words[-1].text) or (len(words) > 2 and _FRAME.fullmatch(words[-1].text))):
            entry = words.pop().text
        if not self.events:
            return
        speed = words.pop().text if words else ""
        reel = " ".join(word.text for word in words)
        number_ = self.events[-1].number
        same = [event for event in self.events[-3:] if event.number == number_ and event.reel.text == reel]
        (same or self.events[-1:])[-1].own.speeds.append((line, speed, entry))

    def _comment(self, line: _Line, text: str) -> None:
        if not self.events:
            return
        own = self.events[-1].own
        if text.strip("* \t").upper() == "FREEZE FRAME":
            own.freeze.append(line)
        elif found := _COMMENT.match(text):
            own.comments.append(_Comment(found[1].upper(), text[found.end() :].strip(), line.begin + found.end(), line))


def _counts(text: str) -> bool:
    return not timecode.is_timecode(text)


def _judged(events: list[_Event]) -> Iterator[tuple[_Event, str]]:
    """The events that show video of a reel, each with why it stays, if it does."""
    blended = set[int]()
    for index, event in enumerate(events):
        if event.transition == "C":
            continue
        blended.add(id(event))
        for before in events[max(index - 3, 0) : index]:
            meets = before.channel == event.channel and before.frames[3] == event.frames[2]
            if before.number == event.number or meets:
                blended.add(id(before))
    for event in events:
        source, out, begin, end = event.frames
        if not event.video or event.reel.text.upper() == "BL" or begin == end:
            continue
        kind = {"D": "a dissolve", "W": "a wipe", "K": "a key"}.get(event.transition[0])
        why = f"it is {kind}" if kind else "it stands before a transition" if id(event) in blended else ""
        if end < begin:
            why = "its record out is before its record in"
        elif out < source:
            why = "its source out is before its source in"
        yield event, why


def _clip(event: _Event, name: str, rate: Fraction, what: str) -> TimelineClip:
    source, out, begin, end = event.frames
    frames, used, notes = end - begin, out - source, list[str]()
    speeds = event.tail.speeds
    if len(speeds) > 1:
        raise _Unusable("it has several M2 lines")
    if speeds:
        line, text, place = speeds[0]
        speed, decimals = _said(text, event.tail.value("FROM CLIP NAME"), rate)
        with _told(what, line, rate):
            entry = _frames(place, rate, event.drop) if place else None
        if speed and event.tail.freeze:
            raise _Unusable("it has a freeze frame and an M2 line of another speed")
        avid = speed < 0 and used == 1 and entry in (None, source)  # its source is the frame that it begins with
        speed = narrowed(speed, decimals, frames, 0 if avid else used, rate, notes)
        if speed >= 0 or avid:
            source = source if entry is None else entry
        elif entry is None or (entry == source and (frames - 1) * -speed >= 1):
            notes.append("its M2 line does not tell the frame that it begins with: the last of its source is taken")
            source = out - 1
        else:
            source = entry
    elif event.tail.freeze:
        speed = Fraction(0)
    elif used == 0:
        raise _Unusable("its source lasts no frame")
    else:
        speed = by_lengths(frames, used)
        if speed != 1:
            notes.append(f"it has no M2 line: its speed, {float(speed * 100):.4g} %, is that of {used} frames in {frames}")
    return TimelineClip(
        name=name,
        media=event.media,
        rate=rate,
        frames=frames,
        map=Speed(speed, source / rate),
        by_timecode=True,
        sound=event.sound,
        notes=tuple(notes),
        line=event.line.number,
    )


def _said(text: str, name: str, rate: Fraction) -> tuple[Fraction, int]:
    """The speed that an M2 line says, and its decimals; Avid writes more of them into the clip's name, as (47.56 FPS)."""
    found = _SPEED.fullmatch(text)
    if not found:
        raise _Unusable("its M2 line has no speed in frames per second, such as 048.0")
    said, decimals = number(text.rstrip(".")), len(found[1] or "")
    if (named := _NAMED.search(name)) and len(named[2]) > decimals:
        exact = number(named[1])
        if abs(exact - abs(said)) * 2 * 10**decimals <= 1:
            said, decimals = exact if said >= 0 else -exact, len(named[2])
    return said / timecode.base(rate), decimals


def by_lengths(frames: int, used: int) -> Fraction:
    """The speed of a clip that takes ``used`` frames of its source for ``frames`` of the timeline.

    Avid counts floor((frames - 1) * speed) + 1 frames of the source, others frames * speed. Avid's count is taken if it gives a
    simpler speed, such as 2 for 97 frames in 49.
    """
    speed = Fraction(used, frames)
    for below in range(1, min(SIMPLE + 1, speed.denominator)):
        above = -(-below * (used - 1) // (frames - 1))  # the least speed of this denominator that uses as many
        if above and above * (frames - 1) < used * below:
            return Fraction(above, below)
    return speed


def narrowed(said: Fraction, decimals: int, frames: int, used: int, rate: Fraction, notes: list[str]) -> Fraction:
    """The speed behind a rounded one, of a clip that takes ``used`` frames of its source for ``frames`` of the timeline.

    If ``used`` is 0, the source range tells nothing.

    Avid counts floor((frames - 1) * speed) + 1 frames of the source. Of the speeds that are rounded so and use so many, the
    said one is taken if it is among them, else the middle. If there is none, the said one is taken, as for Resolve, whose
    source range tells no speed (OpenTimelineIO issue 948).
    """
    size = abs(said)
    if size == 0 or size * frames == used:
        return said
    half = Fraction(1, 2 * 10**decimals * timecode.base(rate))
    low, high = max(size - half, Fraction(0)), size + half
    if frames > 1 and used:
        least, most = max(low, Fraction(used - 1, frames - 1)), min(high, Fraction(used, frames - 1))
        if least < most:
            low, high = least, most
            size = size if low <= size < high else (low + high) / 2
        elif abs(size * frames - used) > 1:
            notes.append(f"its source lasts {used} frames, which is not its M2 speed: the M2 speed is taken")
    doubt = max(high - size, size - low) * (frames - 1)
    if doubt >= DOUBT:
        notes.append(f"its M2 speed is rounded: its last frame may be {float(doubt):.1f} frames off")
    return size if said > 0 else -size
