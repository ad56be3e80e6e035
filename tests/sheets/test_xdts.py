"""XDTS: what is read, what is unusual and kept, and that only ticks change in the file."""

from __future__ import annotations

import json
from typing import Any

import pytest
from sheeting import FIRST, read_back, tree, xdts

from vfi.core import InputError
from vfi.sheets.sheet import Column, Entry
from vfi.sheets.xdts import XdtsSheet, read_xdts

LAYERS: dict[str, dict[int, Any]] = {
    "A": {0: "1", 2: "o", 4: "3", 6: "-", 8: "x"},
    "B": {0: {"id": 0, "values": ["1"], "options": ["OPTION_KEYFRAME"]}, 3: "*", 6: "2"},
}
CRLF = FIRST.encode() + b"\r\n" + json.dumps(tree(LAYERS, 12), indent=2).replace("\n", "\r\n").encode() + b"\r\n"
JAPANESE = FIRST + "\n" + json.dumps(tree({"背景ソ": LAYERS["A"]}, 12), ensure_ascii=False, indent="\t")
FILES = {
    "one line": xdts(LAYERS),
    "CRLF and indented": CRLF,
    "with a mark": b"\xef\xbb\xbf" + xdts(LAYERS),
    "UTF-8": JAPANESE.encode(),
    "Shift-JIS": JAPANESE.encode("cp932"),
    "sub-version p1": xdts(LAYERS, subversion="p1", ponoc={"colour": [1, 2.50, 1e3]}),
}


def read(data: bytes) -> XdtsSheet:
    return read_xdts(data, "cut.xdts")


def test_layers_hold_what_is_entered_and_the_rest_is_kept_as_columns():
    sheet = read(xdts(LAYERS))
    assert (sheet.name, sheet.frames, [layer.name for layer in sheet.layers]) == ("cut 12", 12, ["A", "B"])
    assert sheet.layers[0].entries == (
        Entry(0, "drawing", "1"),
        Entry(2, "tick"),
        Entry(4, "drawing", "3"),
        Entry(6, "hold"),
        Entry(8, "empty"),
    )
    assert sheet.layers[1].entries == (Entry(0, "drawing", "1", key=True), Entry(3, "reverse"), Entry(6, "drawing", "2"))
    assert list(sheet.columns) == [
        Column("dialogue", "Ann", ((2, "Ann Hello"),)),
        Column("camera", "cam", ((0, "PAN"),)),
    ]
    assert not sheet.notes


@pytest.mark.parametrize("name", FILES)
def test_a_sheet_in_which_nothing_is_entered_stays_byte_for_byte(name: str):
    assert read(FILES[name]).entered({}) == FILES[name]


@pytest.mark.parametrize("name", FILES)
def test_only_the_ticks_that_are_entered_change(name: str):
    before = FILES[name]
    after = read(before).entered({(0, 2): "2"})
    assert after == before.replace(b'"SYMBOL_TICK_1"', b'"2"')
    encoding = "cp932" if name == "Shift-JIS" else "utf-8-sig"
    assert next(iter(read_back(after, encoding).values())) == {
        0: ["1"],
        2: ["2"],
        4: ["3"],
        6: ["SYMBOL_HYPHEN"],
        8: ["SYMBOL_NULL_CELL"],
    }
    assert read(after).layers[0].entries[1] == Entry(2, "drawing", "2")


def test_a_tick_beside_its_number_goes_and_the_options_stay():
    both = {"id": 0, "values": ["2", "SYMBOL_TICK_1"], "options": ["OPTION_REFERENCEFRAME"]}
    sheet = read(xdts({"A": {0: "1", 1: both, 2: "3"}}))
    assert sheet.layers[0].entries[1] == Entry(1, "tick", "2", reference=True)
    after = sheet.entered({(0, 1): "2"})
    assert read_back(after) == {"A": {0: ["1"], 1: ["2"], 2: ["3"]}}
    assert read(after).layers[0].entries[1] == Entry(1, "drawing", "2", reference=True)


def test_two_tracks_are_edited_and_edits_are_not_remembered():
    sheet = read(xdts(LAYERS))
    assert read_back(sheet.entered({(0, 2): "2", (1, 3): "10"}))["B"][3] == ["10"]
    assert read_back(sheet.entered({(0, 2): "2"}))["B"][3] == ["SYMBOL_TICK_2"]


def test_frames_before_the_sheet_are_read_and_hold_into_it():
    sheet = read(xdts({"A": {-3: "1", -1: "2", 4: "o", 8: "3"}}))
    assert [(one.entry.drawing, one.start, one.end) for one in sheet.layers[0].exposures(12)] == [
        ("1", -3, -1),
        ("2", -1, 4),
        ("", 4, 8),
        ("3", 8, 12),
    ]
    assert list(sheet.notes) == ["layer A has 2 entries before the first frame: the last holds until the next entry"]


def test_tracks_and_frames_in_any_order_are_read_by_their_numbers():
    table = tree({"A": {4: "2", 0: "1"}, "B": {0: "5"}}, 12)
    table["timeTables"][0]["fields"][0]["tracks"].reverse()
    sheet = read(f"{FIRST}\n{json.dumps(table)}".encode())
    assert [(layer.name, [one.drawing for one in layer.entries]) for layer in sheet.layers] == [("A", ["1", "2"]), ("B", ["5"])]


def test_unknown_symbols_and_options_are_named_once_and_kept():
    odd = {"id": 0, "values": ["SYMBOL_STAR"], "options": ["OPTION_GOLD"]}
    data = xdts({"A": {0: "1", 2: odd, 3: odd, 4: "o", 6: "2"}}, version=7)
    sheet = read(data)
    assert [entry.mark for entry in sheet.layers[0].entries] == ["drawing", "hold", "hold", "tick", "drawing"]
    assert list(sheet.notes) == [
        "cut.xdts is of version 7: it is read as version 5",
        "layer A, frame 3: SYMBOL_STAR is not known: it is kept, and counts as a hold (2 such entries)",
        "layer A, frame 3: the option OPTION_GOLD is not known: it is kept (2 such entries)",
    ]
    assert sheet.entered({(0, 4): "3"}) == data.replace(b"SYMBOL_TICK_1", b"3")


def test_more_time_tables_are_kept_and_said():
    two = tree({"A": {0: "1"}}, 12)
    two["timeTables"] *= 2
    sheet = read(f"{FIRST}\n{json.dumps(two)}".encode())
    assert list(sheet.notes) == ["cut.xdts holds 2 time tables: the first is read, the other is kept"]


def test_a_layer_without_a_name_is_called_by_its_track():
    bare = tree({"A": {0: "1"}, "B": {0: "1"}}, 12)
    bare["timeTables"][0]["timeTableHeaders"][0]["names"] = ["A"]
    assert [layer.name for layer in read(f"{FIRST}\n{json.dumps(bare)}".encode()).layers] == ["A", "track 2"]


def changed(path: list[Any], value: Any) -> bytes:
    """A sheet in which one value of the JSON is another."""
    whole = tree({"A": {0: "1", 2: "o"}}, 12)
    inside: Any = whole
    for step in path[:-1]:
        inside = inside[step]
    inside[path[-1]] = value
    return f"{FIRST}\n{json.dumps(whole, indent=1)}".encode()


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "cut.xdts begins with '': an XDTS sheet begins with the line exchangeDigitalTimeSheet Save Data"),
        (b"toeiDigitalTimeSheet Save Data\n{}", "begins with 'toeiDigitalTimeSheet Save Data': an XDTS sheet begins"),
        (FIRST.encode(), "cut.xdts is not valid JSON at line 2, column 1: it ends too early"),
        (FIRST.encode() + b"\n{,}", "cut.xdts is not valid JSON at line 2, column 2"),
        (FIRST.encode() + b"\n[]", "cut.xdts, line 2: there is an array: it must be an object"),
        (FIRST.encode() + b"\n{}", "cut.xdts holds no time table"),
        (FIRST.encode() + b"\n" + b"[" * 300, "nests values deeper than 200"),
        (
            b"\xef\xbb\xbf" + FIRST.encode() + b"\n\xff",
            "is no text that can be read: a sheet must be UTF-8, UTF-16 or Shift-JIS",
        ),
        (changed(["timeTables", 0, "duration"], "long"), 'line 9: duration is "long": it must be a whole number'),
        (changed(["timeTables", 0, "duration"], 0), "duration is 0: it must be from 1 up"),
        (changed(["timeTables", 0, "duration"], 1e300), "duration is 1e+300: it must be a whole number"),
        (changed(["timeTables", 0, "fields"], 5), "fields is 5: it must be a list"),
        (changed(["timeTables", 0, "fields", 0, "tracks", 0], 5), "there is 5: it must be an object"),
        (changed(["timeTables", 0, "fields", 0, "tracks", 0, "frames", 0], {}), "frame is missing: it must be a whole number"),
    ],
)
def test_what_is_no_sheet_is_refused_with_its_place(data: bytes, said: str):
    with pytest.raises(InputError) as error:
        read(data)
    assert said in str(error.value)
