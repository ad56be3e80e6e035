"""Pages as pictures and as text."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.pages.reports import NASTY, figure, flat, page, wiped
from vfi.pages.drawn import COLOURS, SHEET, drawn
from vfi.pages.page import Notes, Page, Section
from vfi.pages.pictures import data_uri, decoded, encoded
from vfi.pages.plain import COLUMNS, text


@pytest.mark.parametrize("width", [1120, 480])
def test_a_page_is_drawn_with_its_lines_and_pictures(width: int):
    made = drawn(page(), width)
    assert made.dtype == np.uint8
    assert made.shape[1:] == (width, 3)
    assert tuple(made[0, 0]) == SHEET
    found = {tuple(one) for one in np.unique(made.reshape(-1, 3), axis=0).tolist()}
    assert {COLOURS["after"], COLOURS["before"], COLOURS["mark"], (255, 255, 255)} <= found


def test_a_page_without_figures_is_drawn():
    assert drawn(Page("Clip report", "a", "Nothing.", (), ())).shape[2] == 3
    assert drawn(replace(page(), parts=(Section("Along", (figure(1, marks=0),)),))).shape[0] > 200


def test_only_so_many_pairs_are_drawn():
    assert drawn(page(), most=0).shape[0] < drawn(page(), most=1).shape[0]


def test_pictures_to_wipe_stand_side_by_side():
    found = {tuple(one) for one in np.unique(drawn(wiped()).reshape(-1, 3), axis=0).tolist()}
    assert {(20, 20, 20), (120, 120, 120), (220, 220, 220), (5, 5, 5)} <= found
    assert f"frame 7: real, {NASTY}, third, difference" in text(wiped())


def test_pictures_come_back():
    dice = np.random.default_rng(0)
    smooth = np.kron(dice.integers(0, 255, (6, 8, 3)), np.ones((16, 16, 1))).astype(np.uint8)
    one = encoded(smooth)
    assert (one.width, one.height, one.mime) == (128, 96, "image/jpeg")
    assert np.abs(decoded(one).astype(int) - smooth).mean() < 3
    assert data_uri(one).startswith("data:image/jpeg;base64,")
    tiny = encoded(np.full((1, 1, 3), (200, 10, 30), np.uint8))
    assert np.abs(decoded(tiny).astype(int) - (200, 10, 30)).max() <= 3
    assert decoded(flat(255)).min() == 255


def test_a_page_is_written_as_text():
    lines = text(page()).splitlines()
    assert lines[0] == f"Clip report: {NASTY}"
    (lane,) = (line for line in lines if line.startswith("flash"))
    assert lane.split()[1] == "o#" + "·" * (COLUMNS - 2)
    curves = [line for line in lines if line.startswith("Brightness")]
    assert len(curves) == 2
    assert curves[0].count("█") == 1
    assert "- Two." in lines
    assert any(line.startswith("  1  ") for line in lines)


def test_a_page_of_notes_alone_is_text():
    assert text(Page("Clip report", "a", "b", (), (Notes(("One.",)),))).splitlines() == ["Clip report: a", "b", "", "- One."]
