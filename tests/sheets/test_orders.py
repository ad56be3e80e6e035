"""Orders: cels are found by every name in use, new ones are called alike, and numbers are free."""

from __future__ import annotations

import unicodedata
from pathlib import Path
from typing import Any

import pytest
from sheeting import xdts

from vfi.core import InputError
from vfi.sheets.cels import Cels, number_of
from vfi.sheets.orders import Order, orders
from vfi.sheets.sheet import Sheet
from vfi.sheets.wanted import Left, wanted
from vfi.sheets.xdts import read_xdts

READ, WRITABLE = (".png", ".tga", ".tif"), (".png", ".tif")


def folder(root: Path, *names: str) -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    return root


def ordered(root: Path, *names: str, **layers: dict[int, Any]) -> tuple[list[Order], list[Left]]:
    """The orders of a sheet with ``layers`` for cels of these names."""
    sheet: Sheet = read_xdts(xdts(layers), "a.xdts")
    asked, left = wanted(sheet)
    assert not left
    cels = Cels(folder(root, *names), [layer.name for layer in sheet.layers], READ)
    return orders(sheet, asked, cels, WRITABLE)


@pytest.mark.parametrize(
    ("first", "last", "new"),
    [
        ("A/0001.png", "A/0003.png", "A/0002.png"),
        ("A/A0001.png", "A/A0003.png", "A/A0002.png"),
        ("A/A_01.png", "A/A_03.png", "A/A_02.png"),
        ("A0001.png", "A0003.png", "A0002.png"),
        ("A_0001.tif", "A_0003.tif", "A_0002.tif"),
        ("A.0001.png", "A.0003.png", "A.0002.png"),
        ("A-1.png", "A-3.png", "A-2.png"),
        ("A 1.png", "A 3.png", "A 2.png"),
        ("A1.TIF", "A3.TIF", "A2.TIF"),
        ("A0001.tga", "A0003.tga", "A0002.png"),
        ("A0001.tif", "A3.png", "A0002.tif"),
    ],
)
def test_a_new_cel_is_called_like_the_one_before_it(tmp_path: Path, first: str, last: str, new: str):
    (one,), left = ordered(tmp_path, first, last, A={0: "1", 2: "o", 4: "3"})
    assert not left
    assert (one.drawing, one.file.as_posix(), one.shows) == ("2", new, False)
    assert (one.before.path, one.after.path) == (tmp_path / first, tmp_path / last)


def test_new_numbers_are_the_next_free_ones(tmp_path: Path):
    layer = {0: "1", 1: "o", 2: "o", 3: "2", 4: "o", 5: "7", 6: "9"}
    made, _ = ordered(tmp_path, *(f"A{number}.png" for number in (1, 2, 3, 5, 7)), A=layer)
    assert [order.drawing for order in made] == ["4", "6", "8"]


def test_numbers_are_written_like_those_before_them(tmp_path: Path):
    (one,), _ = ordered(tmp_path, "A1.png", "A2.png", A={0: "A001", 2: "o", 4: "A002"})
    assert (one.drawing, one.file.name) == ("A003", "A3.png")


def test_a_number_of_the_sheet_is_kept_and_its_cel_is_not_made_twice(tmp_path: Path):
    numbered = {"id": 0, "values": ["5", "SYMBOL_TICK_1"]}
    there = {"id": 0, "values": ["6a", "SYMBOL_TICK_1"]}
    layer = {0: "1", 1: numbered, 2: "3", 3: there, 4: "7", 5: "o", 6: "1"}
    made, left = ordered(tmp_path, "A1.png", "A3.png", "A7.png", "A6A.png", A=layer)
    assert not left
    assert [(order.drawing, order.file.name, order.shows) for order in made] == [
        ("5", "A5.png", False),
        ("6a", "A6A.png", True),
        ("8", "A8.png", False),
    ]


def test_a_way_back_and_a_cycle_show_the_same_drawings_again(tmp_path: Path):
    layer = {0: "1", 1: "o", 2: "o", 3: "4", 4: "*", 5: "*", 6: "1", 7: "o", 8: "o", 9: "4", 10: "o", 11: "1"}
    made, _ = ordered(tmp_path, "A1.png", "A4.png", A=layer)
    assert [(order.drawing, order.shows) for order in made] == [
        *(("2", False), ("3", False)),
        *(("3", True), ("2", True)),
        *(("2", True), ("3", True)),
        ("5", False),
    ]


def test_a_way_back_without_a_way_there_is_made(tmp_path: Path):
    made, _ = ordered(tmp_path, "A1.png", "A3.png", A={0: "1", 1: "*", 2: "3"})
    assert [(order.drawing, order.shows) for order in made] == [("2", False)]


def test_what_lacks_a_cel_is_left_and_the_rest_is_ordered(tmp_path: Path):
    layer = {0: "1", 1: "o", 2: "3", 3: "o", 4: "LO", 5: "o", 6: "5", 7: "o", 8: "1"}
    made, left = ordered(tmp_path, "A1.png", "A5.png", "B3.png", A=layer)
    assert [(order.wanted.frame, order.drawing) for order in made] == [(7, "6")]
    lacks = f"drawing 3 has no cel in {tmp_path}: an in-between needs both neighbours"
    nameless = "drawing LO has no number: a cel is called by one, such as 12 or 12a"
    assert left == [Left(0, 1, "", lacks), Left(0, 3, "", lacks), Left(0, 5, "", nameless)]


def test_a_cel_that_is_there_twice_is_left(tmp_path: Path):
    made, left = ordered(tmp_path, "A0001.png", "A/1.png", "A3.png", A={0: "1", 1: "o", 2: "3"})
    assert not made
    assert left[0].reason == "drawing 1 is there 2 times, as A/1.png and A0001.png: leave one of them"


def test_layers_whose_names_begin_alike_are_told_apart(tmp_path: Path):
    both = {"A": {0: "1", 1: "o", 2: "3"}, "A1": {0: "1", 1: "o", 2: "3"}}
    made, left = ordered(tmp_path, *(f"{layer}{n:04d}.png" for layer in both for n in (1, 3)), **both)
    assert not left
    assert [order.file.name for order in made] == ["A0002.png", "A10002.png"]


def test_numbers_within_the_folder_of_a_layer_that_is_called_by_one(tmp_path: Path):
    made, left = ordered(tmp_path, "1/11.png", "1/13.png", "1/14a.png", **{"1": {0: "11", 1: "o", 2: "13", 3: "o", 4: "14a"}})
    assert not left
    assert [order.file.as_posix() for order in made] == ["1/12.png", "1/15.png"]


def test_other_files_are_no_cels(tmp_path: Path):
    others = (
        "A.png",
        "A_.png",
        "B1.png",
        "A1.txt",
        ".A2.png",
        "A3/1.png",
        "A1x2.png",
        "A0000000001.png",
        "A1ab.png",
        "A4.png/x",
    )
    cels = Cels(folder(tmp_path, *others, "背景2b.png"), ["A", "背景"], READ)
    assert cels.numbers("A") == set()
    found = cels.find("背景", "2B")
    assert found is not None
    assert found.path.name == "背景2b.png"


def test_two_layers_never_get_one_file(tmp_path: Path):
    both = {"A": {0: "11", 1: "o", 2: "13"}, "A1": {0: "1", 1: "o", 2: "3"}}
    names = ("A/A11.png", "A/A13.png", "A11.png", "A13.png")
    made, left = ordered(tmp_path, *names, **both)
    assert [order.file.as_posix() for order in made] == ["A/A12.png", "A12.png"]
    clashing = {"A": {0: "9", 1: {"id": 0, "values": ["12", "SYMBOL_TICK_1"]}, 2: "8"}, "A1": {0: "1", 1: "o", 2: "3"}}
    made, left = ordered(tmp_path / "b", "A9.png", "A8.png", "A11.png", "A13.png", **clashing)
    assert [order.file.name for order in made] == ["A12.png"]
    assert left == [Left(1, 1, "", "its file A12.png is also one of layer A: rename the cels of one layer")]


def test_layers_of_one_name_are_left(tmp_path: Path):
    data = xdts({"A": {0: "1", 1: "o", 2: "3"}, "B": {0: "1", 1: "o", 2: "3"}}).replace(b'"B"', b'"A"')
    sheet = read_xdts(data, "a.xdts")
    made, left = orders(sheet, wanted(sheet)[0], Cels(folder(tmp_path, "A1.png", "A3.png"), ["A", "A"], READ), WRITABLE)
    assert not made
    assert [one.reason for one in left] == ["2 layers are called A: give each a name of its own"] * 2


def test_a_folder_of_cels_must_be_there(tmp_path: Path):
    with pytest.raises(InputError, match="does not exist"):
        Cels(tmp_path / "none", ["A"], READ)
    with pytest.raises(InputError, match="is not a folder"):
        Cels(folder(tmp_path, "a.png") / "a.png", ["A"], READ)


@pytest.mark.parametrize("drawing", ["", "LO", "../1", "1/2", "1ab", "1" * 10, "²"])
def test_what_is_no_number_never_becomes_a_name(drawing: str):
    if drawing == "../1":  # what stands before a number is never part of a file's name
        assert number_of(drawing).key == (1, "")
        return
    with pytest.raises(InputError, match="has no number"):
        number_of(drawing)


@pytest.mark.parametrize("name", ["が", "é", "A"])
@pytest.mark.parametrize("kept", ["{0}/0001.png", "{0} /0001.png", "{0}/{0}_0001.png", "{0}_0001.png"])
def test_names_that_only_a_file_system_tells_apart_are_one(tmp_path: Path, name: str, kept: str):
    """macOS keeps the marks of kana and accents apart from their letters, and a sheet does not."""
    apart = unicodedata.normalize("NFD", name)
    names = [kept.format(apart).replace("0001", number) for number in ("0001", "0003")]
    (one,), left = ordered(tmp_path, *names, **{name: {0: "1", 2: "o", 4: "3"}})
    assert not left
    assert one.file.as_posix() == names[0].replace("0001", "0002")


def test_digits_as_wide_as_kanji_are_digits(tmp_path: Path):
    (one,), left = ordered(tmp_path, "A/0011.png", "A/0013.png", A={0: "１１", 2: "o", 4: "１３"})
    assert not left
    assert (one.drawing, one.file.as_posix()) == ("12", "A/0012.png")
