"""XML that is edited in place: elements know where they stand in the bytes, and only what is edited changes.

Owns parsing within bounds, and edits. Refuses entities, internal DTDs, and deep or huge documents. Knows no format.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterable, Iterator
from copy import copy
from dataclasses import dataclass, field
from xml.parsers import expat
from xml.sax.saxutils import escape, quoteattr

from ..core import InputError
from .edits import Edit, edited

DEEPEST = 200
"""The deepest nesting of elements."""

LARGEST = 256 * 2**20
"""The most bytes of a document."""

ENCODINGS = ("utf-8", "utf-16", "iso8859-1", "cp1252", "ascii")
"""The encodings of documents, by Python's names."""

_FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What no document may hold, not even escaped (XML 1.0, 2.2)."""

_ATTRIBUTE = re.compile(r"\s([^\s=/>\"']+)\s*=\s*(\"[^\"]*\"|'[^']*')")
_QUOTE_OR_END = re.compile(r"[\"'>]")
_DECLARED = re.compile(r"<\?xml[^>]{0,200}?encoding\s{0,9}=\s{0,9}[\"']([A-Za-z0-9._-]{1,40})[\"']")


def content(text: str) -> str:
    """A text as the content of an element; what XML forbids becomes U+FFFD."""
    return escape(_FORBIDDEN.sub("\ufffd", text))


def attribute(text: str) -> str:
    """A text as the value of an attribute, in quotes; what XML forbids becomes U+FFFD."""
    return quoteattr(_FORBIDDEN.sub("\ufffd", text))


@dataclass(eq=False)
class Element:
    """An element of a `Document`: ``text`` is all text directly inside it.

    In the bytes, its start tag reaches from ``begin`` to ``inner``, its content to ``close``, and its end tag to ``end``.
    """

    tag: str
    attributes: dict[str, str]
    line: int
    begin: int
    inner: int = 0
    close: int = 0
    end: int = 0
    parent: Element | None = None
    children: list[Element] = field(default_factory=list)
    pieces: list[str] = field(default_factory=list)

    @property
    def text(self) -> str:
        return "".join(self.pieces).strip()

    def get(self, name: str, default: str = "") -> str:
        """An attribute."""
        return self.attributes.get(name, default)

    def all(self, *tags: str) -> Iterator[Element]:
        """The children of these tags."""
        return (child for child in self.children if child.tag in tags)

    def child(self, *path: str) -> Element | None:
        """The first child of a tag, its first child of the next, and so on."""
        found: Element | None = self
        for tag in path:
            found = None if found is None else next(found.all(tag), None)
        return found

    def value(self, *path: str, default: str = "") -> str:
        """The text of `child`."""
        found = self.child(*path)
        return default if found is None else found.text

    def within(self, *tags: str) -> Iterator[Element]:
        """The descendants of these tags, in the order of the document."""
        waiting = list(reversed(self.children))
        while waiting:
            one = waiting.pop()
            if one.tag in tags:
                yield one
            waiting.extend(reversed(one.children))


class Document:
    """An XML document, and edits of it, which may not overlap. Raises `InputError`; ``what`` names the file."""

    def __init__(self, data: bytes, what: str) -> None:
        if len(data) > LARGEST:
            raise InputError(f"{what} has {len(data)} bytes: an XML timeline may have at most {LARGEST}")
        self.what = what
        self._edits = list[Edit]()
        self._bom, self._encoding, text = _decoded(data, what)
        self._data = text.encode()
        self._characters = self._data.decode("latin-1")  # as long as the bytes, for regular expressions
        self.root = self._parse()

    def again(self) -> Document:
        """The same document without its edits; elements of this one are its own too."""
        other = copy(self)
        other._edits = []
        return other

    def _parse(self) -> Element:
        parser = expat.ParserCreate("utf-8")
        opened: list[Element] = []
        roots: list[Element] = []

        def start(tag: str, attributes: dict[str, str]) -> None:
            if len(opened) >= DEEPEST:
                raise InputError(f"{self.where(parser)} nests elements deeper than {DEEPEST}: no program writes that")
            begin = parser.CurrentByteIndex
            inner = self._tag_end(begin)
            parent = opened[-1] if opened else None
            element = Element(tag, attributes, parser.CurrentLineNumber, begin, inner, parent=parent)
            (roots if parent is None else parent.children).append(element)
            opened.append(element)

        def end(tag: str) -> None:
            element = opened.pop()
            if self._empty(element):
                element.close = element.end = element.inner
            else:
                element.close = parser.CurrentByteIndex
                element.end = self._data.index(b">", element.close) + 1

        def words(text: str) -> None:
            if opened:
                opened[-1].pieces.append(text)

        def doctype(name: str, system: str | None, public: str | None, internal: int) -> None:
            if internal:
                raise InputError(f"{self.where(parser)} declares a DTD of its own: timelines with entities are refused")

        def entity(name: str, *_: object) -> None:
            raise InputError(f"{self.where(parser)} uses the entity {name}: timelines with entities are refused")

        parser.StartElementHandler, parser.EndElementHandler = start, end
        parser.CharacterDataHandler, parser.StartDoctypeDeclHandler = words, doctype
        parser.SkippedEntityHandler = parser.EntityDeclHandler = entity
        parser.buffer_text = False
        try:
            parser.Parse(self._data, True)
        except expat.ExpatError as error:
            place = f"line {error.lineno}, column {error.offset + 1}"
            raise InputError(f"{self.what} is not valid XML at {place}: {expat.ErrorString(error.code)}") from error
        return roots[0]

    def where(self, at: Element | expat.XMLParserType) -> str:
        """The file and line of an element."""
        return f"{self.what}, line {at.line if isinstance(at, Element) else at.CurrentLineNumber},"

    def _tag_end(self, begin: int) -> int:
        """The byte after a start tag."""
        at = begin
        while (found := _QUOTE_OR_END.search(self._characters, at)) and found[0] != ">":
            at = self._characters.index(found[0], found.end()) + 1
        assert found is not None, "expat has seen the end of the tag"
        return found.end()

    def _empty(self, element: Element) -> bool:
        return self._data[element.inner - 2 : element.inner] == b"/>"

    def _edit(self, begin: int, end: int, text: str) -> None:
        self._edits.append((begin, end, text.encode().decode("latin-1")))

    def set(self, element: Element, **attributes: str | None) -> None:
        """Set attributes of an element; None removes one. Each may be set once."""
        tag = self._characters[element.begin : element.inner]
        spans = {found[1].encode("latin-1").decode(): found.span() for found in _ATTRIBUTE.finditer(tag)}
        last = max((end for _, end in spans.values()), default=1 + len(element.tag.encode()))
        for name, value in attributes.items():
            begin, end = spans.get(name, (last, last))
            text = "" if value is None else f" {name}={attribute(value)}"
            if text or end > begin:
                self._edit(element.begin + begin, element.begin + end, text)

    def set_text(self, element: Element, text: str) -> None:
        """Replace the content of an element."""
        if self._empty(element):
            self._open(element, content(text))
        else:
            self._edit(element.inner, element.close, content(text))

    def remove(self, element: Element) -> None:
        """Remove an element, and the space before it."""
        begin = element.begin
        while self._data[begin - 1 : begin].isspace():
            begin -= 1
        self._edit(begin, element.end, "")

    def replace(self, element: Element, markup: str) -> None:
        """Replace an element."""
        self._edit(element.begin, element.end, markup)

    def insert_before(self, element: Element, markup: str) -> None:
        """Insert markup before an element, on a line of its own if the element stands on one."""
        self._edit(element.begin, element.begin, markup + self._indent(element))

    def insert_first(self, element: Element, markup: str) -> None:
        """Insert markup as the first child of an element."""
        if element.children:
            self.insert_before(element.children[0], markup)
        elif self._empty(element):
            self._open(element, markup)
        else:
            self._edit(element.inner, element.inner, markup)

    def append(self, element: Element, parts: Iterable[str]) -> None:
        """Insert markup as the last children of an element, each as its last child stands."""
        if element.children:
            last = element.children[-1]
            self._edit(last.end, last.end, "".join(self._indent(last) + markup for markup in parts))
        elif self._empty(element):
            self._open(element, "".join(parts))
        else:
            self._edit(element.close, element.close, "".join(parts))

    def source(self, element: Element) -> str:
        """The markup of an element, as it stands."""
        return self._data[element.begin : element.end].decode()

    def copied(self, element: Element) -> Document:
        """An element as a document of its own, in UTF-8."""
        return Document(self._data[element.begin : element.end], self.what)

    def _open(self, element: Element, content: str) -> None:
        self._edit(element.inner - 2, element.inner, f">{content}</{element.tag}>")

    def _indent(self, element: Element) -> str:
        """The space before an element."""
        begin = element.begin
        while self._data[begin - 1 : begin].isspace():
            begin -= 1
        return self._data[begin : element.begin].decode()

    def edited(self) -> bytes:
        """The document with all edits, in its own encoding."""
        whole = edited(self._characters, self._edits).encode("latin-1").decode()
        return self._bom + whole.encode(self._encoding, "xmlcharrefreplace")


def _decoded(data: bytes, what: str) -> tuple[bytes, str, str]:
    """The byte order mark, the encoding and the text of a document."""
    for bom, encoding in (
        (codecs.BOM_UTF8, "utf-8"),
        (codecs.BOM_UTF16_LE, "utf-16-le"),
        (codecs.BOM_UTF16_BE, "utf-16-be"),
    ):
        if data.startswith(bom):
            return bom, encoding, _text(data[len(bom) :], encoding, what)
    declared = _DECLARED.match(data[:300].decode("latin-1"))
    name = declared[1] if declared else "utf-8"
    try:
        encoding = codecs.lookup(name).name
    except LookupError:
        encoding = name
    if encoding not in ENCODINGS or encoding == "utf-16":
        raise InputError(f"{what} is encoded as {name}: save the timeline as UTF-8")
    return b"", encoding, _text(data, encoding, what)


def _text(data: bytes, encoding: str, what: str) -> str:
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        raise InputError(f"{what} is not valid {encoding} at byte {error.start}: save the timeline as UTF-8") from error
