"""JSON that is edited in place."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vfi.core import InputError
from vfi.timeline.json_spans import DEEPEST, Json, Value

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


def plain(value: Value) -> object:
    """What `json.loads` gives for a value."""
    if value.kind == "object":
        return {key: plain(inner) for key, inner in value.members.items()}
    return [plain(item) for item in value.items] if value.kind == "array" else json.loads(value.text)


@given(VALUES, st.sampled_from([None, 1, "\t"]), st.booleans())
def test_it_reads_what_python_reads(value: object, indent: int | str | None, escaped: bool):
    text = json.dumps(value, indent=indent, ensure_ascii=escaped)
    read = Json(text.encode("utf-8", "surrogatepass") if escaped else text.encode(errors="replace"), "a.otio")
    assert plain(read.root) == json.loads(text.encode(errors="replace"))
    assert read.edited() == text.encode(errors="replace")


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ('{"a":1,}', "line 1, column 8"),
        ("[1,,2]", "line 1, column 4"),
        ('{"a" 1}', "line 1, column 6"),
        ("", "line 1, column 1"),
        ("[1", "line 1, column 3"),
        ("[1]\n x", "line 2, column 2"),
        ('["\\q"]', "line 1, column 2"),
        ("[01]", "line 1, column 2"),
        ("[1 2]", "line 1, column 4"),
        ('{\n "a": tru}', "line 2, column 7"),
        ('["a\nb"]', "line 1, column 2"),
        ("[-]", "line 1, column 2"),
        ("[1.]", "line 1, column 2"),
        ("]", "line 1, column 1"),
        ("[1}", "line 1, column 3"),
        ("{1:2}", "line 1, column 2"),
        ("['a']", "line 1, column 2"),
        ("[1]/**/", "line 1, column 4"),
        ('"a', "line 1, column 1"),
    ],
)
def test_what_is_not_json_is_refused_with_its_line_and_column(text: str, place: str):
    with pytest.raises(InputError, match=rf"^a\.otio is not valid JSON at {place}: "):
        Json(text.encode(), "a.otio")


def test_bytes_that_are_not_utf_8_are_refused():
    with pytest.raises(InputError, match="not UTF-8 at byte 3"):
        Json(b'["a\xff"]', "a.otio")


def test_depth_is_bounded_and_costs_no_recursion():
    Json(b"[" * DEEPEST + b"]" * DEEPEST, "a.otio")
    with pytest.raises(InputError, match="deeper than 200"):
        Json(b"[" * 10**6, "a.otio")


def test_a_long_string_of_escapes_without_end_is_refused_at_once():
    with pytest.raises(InputError, match="column 1"):
        Json(b'"' + b"\\a" * 10**6, "a.otio")


def test_nan_and_infinity_are_numbers_as_the_library_of_otio_writes_them():
    read = Json(b"[NaN, -Infinity, Inf]", "a.otio")
    assert [item.kind for item in read.root.items] == ["word"] * 3


CRLF = '{\r\n\t"a": {\r\n\t\t"b": [\r\n\t\t\t1,\r\n\t\t\t2,\r\n\t\t\t3\r\n\t\t]\r\n\t},\r\n\t"c": null\r\n}\r\n'


def test_edits_take_the_style_of_the_document():
    read = Json(b"\xef\xbb\xbf" + CRLF.encode(), "a.otio")
    inside = read.root.get("a")
    assert inside is not None
    read.remove(inside.members["b"], {0, 2})
    read.put(read.root, "c", {"x": 1, "y": {}})
    wanted = '{\r\n\t"a": {\r\n\t\t"b": [\r\n\t\t\t2\r\n\t\t]\r\n\t},\r\n\t"c": {\r\n\t\t"x": 1,\r\n\t\t"y": {}\r\n\t}\r\n}\r\n'
    assert read.edited() == b"\xef\xbb\xbf" + wanted.encode()
    read.clear()
    assert read.edited() == b"\xef\xbb\xbf" + CRLF.encode()


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ('{"a":1}', '{"b":{"x":1,"y":2},"a":1}'),
        ('{"a": 1}', '{"b": {"x": 1, "y": 2}, "a": 1}'),
        ('{\n "a" : 1\n}', '{\n "b" : {\n  "x" : 1,\n  "y" : 2\n },\n "a" : 1\n}'),
        ("{}", '{"b": {"x": 1, "y": 2}}'),
    ],
)
def test_a_field_that_is_missing_is_added(text: str, wanted: str):
    read = Json(text.encode(), "a.otio")
    read.put(read.root, "b", {"x": 1, "y": 2})
    assert read.edited().decode() == wanted


def test_the_last_of_two_equal_fields_counts_as_in_python():
    assert Json(b'{"a": 1, "a": 2}', "a.otio").root.number("a") == 2
