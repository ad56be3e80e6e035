"""Opens timelines: the format is recognised by its content, then by its name.

Owns the list of formats, and which of them can be written from which.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path

from ..core import InputError
from .clip import NewMedia, Timeline
from .compose import Composed, written_as
from .markup import LARGEST

FORMATS: dict[str, tuple[str, tuple[str, ...]]] = {
    "fcpxml": ("FCPXML", (".fcpxml",)),
    "xmeml": ("FCP 7 XML", (".xml",)),
    "mlt": ("MLT", (".mlt", ".kdenlive", ".xml")),
    "edl": ("EDL", (".edl",)),
    "otio": ("OTIO", (".otio",)),
    "aaf": ("AAF", ()),
}
"""By kind: its name, and the endings of files of it that are written."""

COMPOSED = {".otio": "otio", ".edl": "edl", ".xml": "xmeml"}
"""The endings of timelines that can be written from an AAF or OTIO timeline, and their kinds."""

_AAF = bytes.fromhex("d0cf11e0a1b11ae1")
_ROOT = re.compile(r"<([A-Za-z][\w.-]{0,40})")


def read_timeline(path: Path, rate: Fraction | None = None) -> tuple[str, Timeline]:
    """The kind of a timeline, a key of `FORMATS`, and the timeline itself; ``rate`` is for an EDL, which does not state one.

    A Final Cut bundle (``.fcpxmld``) is read too. Raises `InputError`.
    """
    path = path / "Info.fcpxml" if path.suffix.lower() == ".fcpxmld" and path.is_dir() else path
    data, what = _bytes(path), path.name
    kind = kind_of(data, path)
    if kind != "edl" and rate is not None:
        raise InputError(f"{what} has its own frame rate: a rate can only be given for an EDL")
    if kind == "fcpxml":
        from .fcpxml import read_fcpxml

        return kind, read_fcpxml(data, what)
    if kind == "xmeml":
        from .fcp7 import read_fcp7

        return kind, read_fcp7(data, what)
    if kind == "mlt":
        from .mlt import read_mlt

        return kind, read_mlt(data, what)
    if kind == "edl":
        from .edl import read_edl

        return kind, read_edl(data, what, rate)
    if kind == "otio":
        from .otio import read_otio

        return kind, read_otio(data, what)
    from .aaf import read_aaf

    return kind, read_aaf(path)


def kind_of(data: bytes, path: Path) -> str:
    """The kind of a timeline. Raises `InputError` if it is none that is known."""
    if data.startswith(_AAF):
        return "aaf"
    head = data[:4096]
    text = head.decode("utf-16" if head[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8", "ignore").lstrip("\ufeff \r\n\t")
    if text.startswith("<"):
        found = _ROOT.search(re.sub(r"<[?!][^>]{0,2000}>", "", text))
        root = found[1] if found else ""
        if root in FORMATS:
            return root
        raise InputError(f"{path.name} is XML with the root <{root}>: FCPXML, FCP 7 XML (xmeml) and MLT are read")
    if text.startswith("{") or path.suffix.lower() in (".otio", ".otioz"):
        return "otio"
    if path.suffix.lower() == ".edl" or text.startswith("TITLE:"):
        return "edl"
    raise InputError(f"{path.name} is no timeline that is known: FCPXML, FCP 7 XML, MLT, Kdenlive, EDL, OTIO and AAF are read")


def check_ending(kind: str, source: Path, output: Path) -> str:
    """The kind in which ``output`` is to be written from a timeline of ``kind``. Raises `InputError`."""
    name, endings = FORMATS[kind]
    ending = output.suffix.lower()
    if ending in endings and (kind != "mlt" or ending == source.suffix.lower() or ending != ".xml"):
        return kind
    if kind in ("aaf", "otio") and ending in COMPOSED:
        return COMPOSED[ending]
    allowed = sorted({*endings, *(COMPOSED if kind in ("aaf", "otio") else ())})
    raise InputError(f"{output.name} was given for {name} from {source.name}: its name must end in {' or '.join(allowed)}")


def written(kind: str, timeline: Timeline, new: Mapping[int, NewMedia], target: str) -> bytes:
    """The timeline with new media, in the kind ``target``. Raises `InputError`."""
    if target == kind:
        return timeline.with_media(new)
    if isinstance(timeline, Composed):
        ending = next(ending for ending, known in COMPOSED.items() if known == target)
        return written_as(timeline.composition, new, ending, FORMATS[kind][0])
    raise InputError(f"{FORMATS[kind][0]} cannot be written as {FORMATS[target][0]}")


def _bytes(path: Path) -> bytes:
    try:
        if path.stat().st_size > LARGEST:
            raise InputError(f"{path} has {path.stat().st_size} bytes: a timeline may have at most {LARGEST}")
        return path.read_bytes()
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from error
