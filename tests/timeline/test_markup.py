"""XML edited in place: nothing but the edit changes, and nothing that XML could do to a reader is done."""

from __future__ import annotations

import codecs
import re
from xml.etree import ElementTree

import pytest

from vfi.core import InputError
from vfi.timeline import markup
from vfi.timeline.markup import Document

TEXT = """<?xml version="1.0" encoding="{0}"?>\r
<!DOCTYPE xmeml>
<!-- kept: <clip name="not me"> -->
<a>
  <b  name='old > "x"'   other="1"/><b name="é">text &amp; more<c/></b>
  <![CDATA[<b name="nor me">]]>
</a>
<!-- kept -->
"""


@pytest.mark.parametrize(
    ("encoding", "mark"),
    [("utf-8", b""), ("utf-8", codecs.BOM_UTF8), ("iso-8859-1", b""), ("windows-1252", b""), ("utf-16", codecs.BOM_UTF16_LE)],
)
def test_an_edit_changes_its_own_bytes_only(encoding: str, mark: bytes):
    codec = "utf-16-le" if encoding == "utf-16" else encoding
    data = mark + TEXT.format(encoding).encode(codec)
    document = Document(data, "a.xml")
    assert document.edited() == data
    first, second = document.root.all("b")
    document.set(first, name="new & <é>", more=None, added="2")
    document.set_text(second.children[0], "5 < 6")
    document.append(second, ["<d/>"])
    text = document.edited()
    assert text.startswith(mark)
    before = TEXT.format(encoding)
    after = before.replace("""name='old > "x"'""", 'name="new &amp; &lt;é&gt;"').replace('other="1"/>', 'other="1" added="2"/>')
    after = after.replace("<c/></b>", "<c>5 &lt; 6</c><d/></b>")
    assert text[len(mark) :].decode(codec) == after


def test_elements_are_removed_with_the_space_before_them():
    document = Document(b"<a>\n  <b/>\n  <c>1</c>\n</a>", "a.xml")
    document.remove(document.root.children[1])
    document.insert_before(document.root.children[0], "<new/>")
    assert document.edited() == b"<a>\n  <new/>\n  <b/>\n</a>"


def test_edits_of_a_copy_of_a_document_start_afresh():
    document = Document(b"<a><b/></a>", "a.xml")
    document.remove(document.root.children[0])
    assert document.again().edited() == b"<a><b/></a>"


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"<a>\n <b>\n</a>", "a.xml is not valid XML at line 3, column 3: mismatched tag"),
        (b"", "not valid XML at line 1, column 1"),
        (b'<!DOCTYPE a [<!ENTITY x "y">]><a>&x;</a>', "declares a DTD of its own"),
        (b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>', "declares a DTD of its own"),
        (b'<!DOCTYPE a SYSTEM "http://example.org/a.dtd"><a>&x;</a>', "uses the entity x"),
        (b"<a>" * 201 + b"</a>" * 201, "deeper than 200"),
        (b'<?xml version="1.0" encoding="utf-7"?><a/>', "is encoded as utf-7: save the timeline as UTF-8"),
        (b"<a>\xff</a>", "is not valid utf-8 at byte 3"),
    ],
)
def test_what_is_no_timeline_is_one_sentence(data: bytes, said: str):
    with pytest.raises(InputError) as error:
        Document(data, "a.xml")
    assert said in str(error.value)
    assert str(error.value).startswith("a.xml")
    assert "\n" not in str(error.value)


def test_a_huge_document_is_refused_unread(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(markup, "LARGEST", 10)
    with pytest.raises(InputError, match="has 11 bytes: an XML timeline may have at most 10"):
        Document(b"<a></a>    ", "a.xml")


@pytest.mark.parametrize("text", ["A\x01", "\ufffe", "\ud800", "tab\tand\nline", "\U0001f600 <&\"'>"])
def test_what_is_written_can_be_read_whatever_a_name_holds(text: str):
    whole = f"<a b={markup.attribute(text)}>{markup.content(text)}</a>"
    read = ElementTree.fromstring(whole.encode())
    expected = re.sub("[\x01\ufffe\ud800]", "\ufffd", text)
    assert (read.get("b"), read.text) == (expected, expected)
