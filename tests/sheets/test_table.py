"""CSV sheets: signs, headings, quotes and encodings, and that only ticks change in the file."""

from __future__ import annotations

import csv
import io

import pytest

from vfi.core import InputError
from vfi.sheets.sheet import Column, Entry
from vfi.sheets.table import TableSheet, read_table

PLAIN = "Frame,A,B,Dialogue\n1,1,10,Ann\n2,,○,\n3,○,×,Hello\n4,-,,\n5,3,11,\n6,x,,\n"
QUOTED = '"Frame","A","B","Dialogue"\r\n"1","1","10","say ""hi"", Ann"\r\n"2","","○",""\r\n"3","○","×","two\nlines"\r\n'
GROUPED = ";原画;;台詞;カメラ\r\n;A;B;;\r\n1;1;1;やあ;PAN\r\n2;○;●;;\r\n\r\n3;3;2;;\r\n"
FILES = {
    "plain": PLAIN.encode(),
    "with a mark": b"\xef\xbb\xbf" + PLAIN.encode(),
    "quoted": QUOTED.encode(),
    "tabs": PLAIN.replace(",", "\t").encode(),
    "Shift-JIS": GROUPED.encode("cp932"),
    "no end of the last line": PLAIN.rstrip().encode(),
}


def read(data: bytes | str) -> TableSheet:
    return read_table(data.encode() if isinstance(data, str) else data, "cut.csv")


def test_signs_are_read_and_columns_of_words_are_kept():
    sheet = read(PLAIN)
    assert (sheet.frames, [layer.name for layer in sheet.layers]) == (6, ["A", "B"])
    assert sheet.layers[0].entries == (
        Entry(0, "drawing", "1"),
        Entry(2, "tick"),
        Entry(3, "hold"),
        Entry(4, "drawing", "3"),
        Entry(5, "empty"),
    )
    assert [entry.mark for entry in sheet.layers[1].entries] == ["drawing", "tick", "empty", "drawing"]
    assert list(sheet.columns) == [Column("dialogue", "Dialogue", ((0, "Ann"), (2, "Hello")))]
    assert not sheet.notes


def test_groups_above_the_names_tell_words_from_layers():
    sheet = read(FILES["Shift-JIS"])
    assert [layer.name for layer in sheet.layers] == ["A", "B"]
    assert [(column.kind, column.name, column.cells) for column in sheet.columns] == [
        ("dialogue", "台詞", ((0, "やあ"),)),
        ("camera", "カメラ", ((0, "PAN"),)),
    ]
    assert [entry.mark for entry in sheet.layers[1].entries] == ["drawing", "reverse", "drawing"]


@pytest.mark.parametrize("name", FILES)
def test_a_sheet_stays_byte_for_byte_but_for_what_is_entered(name: str):
    data = FILES[name]
    encoding = "cp932" if name == "Shift-JIS" else "utf-8"
    sheet = read(data)
    assert sheet.entered({}) == data
    tick = next(entry for entry in sheet.layers[0].entries if entry.mark == "tick")
    text = data.decode(encoding)
    number = text.index("○", text.index("\n2" if name == "Shift-JIS" else "3"))
    after = text[:number] + "2" + text[number + 1 :]
    assert sheet.entered({(0, tick.frame): "2"}) == after.encode(encoding)


def test_what_is_entered_reads_back_with_another_reader():
    after = read(QUOTED).entered({(0, 2): "2", (1, 1): "12"}).decode()
    rows = list(csv.reader(io.StringIO(after, newline="")))
    assert rows == [
        ["Frame", "A", "B", "Dialogue"],
        ["1", "1", "10", 'say "hi", Ann'],
        ["2", "", "12", ""],
        ["3", "2", "×", "two\nlines"],
    ]


def test_a_number_that_would_break_its_row_is_quoted():
    rows = list(csv.reader(io.StringIO(read("F,A\n1,1\n2,○\n3,3\n").entered({(0, 1): 'a,"2'}).decode())))
    assert rows == [["F", "A"], ["1", "1"], ["2", 'a,"2'], ["3", "3"]]


def test_a_circle_beside_a_number_is_a_tick_that_is_numbered():
    sheet = read("F,A\n1,1\n2,○2\n3,3○\n4,● 2a\n5,5\n")
    assert sheet.layers[0].entries == (
        Entry(0, "drawing", "1"),
        Entry(1, "tick", "2"),
        Entry(2, "tick", "3"),
        Entry(3, "reverse", "2a"),
        Entry(4, "drawing", "5"),
    )
    assert sheet.entered({(0, 1): "2"}).splitlines()[2] == b"2,2"


def test_rows_may_count_from_zero_and_be_short():
    sheet = read("F,A,B\n0,1\n1,○,7,extra\n2,2,\n")
    assert [entry.frame for entry in sheet.layers[0].entries] == [0, 1, 2]
    assert sheet.layers[1].entries == (Entry(1, "drawing", "7"),)


def test_unknown_signs_are_named_and_kept():
    sheet = read("F,A\n1,1\n2,LO\n3,LO\n4,2\n")
    assert [entry.mark for entry in sheet.layers[0].entries] == ["drawing", "hold", "hold", "drawing"]
    assert list(sheet.notes) == ["layer A, frame 2: LO is not known: it is kept, and counts as a hold (2 such entries)"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "cut.csv has no row that begins with its number: a CSV sheet has a row of headings, then a row per frame"),
        ("A,B\nx,y\n", "has no row that begins with its number"),
        ("1,2\n2,3\n", "begins with a row of cells: a CSV sheet has a row of headings"),
        ("F,A\n1,1\n1,2\n", "has row 1 after row 1: the numbers of its rows must rise"),
        ("F,A\n1,1\nend,2\n", "has the row 'end' after row 1: each must begin with its number"),
        ('F,A\n1,"1\n2,3\n', "has a quote in line 2 that is never closed: close it"),
        ('F,A\n1,"1"2\n', "row 2: text follows a closed quote"),
        (b"\x81\xff\xff\x00", "is no text that can be read: a sheet must be UTF-8, UTF-16 or Shift-JIS"),
    ],
)
def test_what_is_no_sheet_is_refused(text: str | bytes, said: str):
    with pytest.raises(InputError) as error:
        read(text)
    assert said in str(error.value)
