"""Where things in a figure go."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.pages.reports import figure
from vfi.pages.layout import Box, Image, Line, Words, laid_out
from vfi.pages.page import Chart, Series


@pytest.mark.parametrize("width", [1120, 400])
@pytest.mark.parametrize("frames", [1, 2, 100, 5000])
def test_all_shapes_lie_within(width: int, frames: int):
    drawing = laid_out(figure(frames), width)
    for shape in drawing.shapes:
        points = shape.points if isinstance(shape, Line) else ((shape.x, shape.y),)
        if isinstance(shape, Box | Image):
            points = (*points, (shape.x + shape.width, shape.y + shape.height))
        assert all(-1 <= x <= width + 6 and -1 <= y <= drawing.height for x, y in points), shape


def test_marks_have_a_width_that_is_seen_and_a_number_where_there_is_room():
    drawing = laid_out(figure(100_000, marks=3), 1120)
    marks = [shape for shape in drawing.shapes if isinstance(shape, Box) and shape.role in ("mark", "hollow")]
    assert [one.role for one in marks] == ["mark", "hollow", "mark"]
    assert all(one.width >= 3 for one in marks)
    assert [one.text for one in drawing.shapes if isinstance(one, Words) and one.text in "123"] == ["3"]


def test_a_rare_peak_leaves_the_chart_and_is_told():
    drawing = laid_out(figure(), 1120)
    told = [shape.text for shape in drawing.shapes if isinstance(shape, Words) and shape.text.startswith("peaks")]
    assert told == ["peaks reach 187"]


def test_names_of_lines_are_never_over_another():
    lines = tuple(Series(tone, tone, [0, 1], [5, 5]) for tone in ("before", "after"))
    drawing = laid_out(replace(figure(), charts=(Chart("Light", "", lines),)), 1120)
    names = sorted(shape.y for shape in drawing.shapes if isinstance(shape, Words) and shape.text in ("before", "after"))
    assert names[1] - names[0] >= 12


def test_a_chart_without_numbers_is_drawn():
    empty = Chart("Light", "", (Series("before", "before", [], []),))
    assert laid_out(replace(figure(), charts=(empty,)), 400).height > 50
