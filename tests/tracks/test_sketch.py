from __future__ import annotations

import pytest
import torch

from vfi.core import InputError
from vfi.tracks import Tracks
from vfi.tracks.sketch import Style, influence, sketch

SIZE = (40, 30)


def tracks(*paths: list[tuple[float, float]], seen: bool = True) -> Tracks:
    path = torch.tensor(paths).transpose(0, 1)
    return Tracks(path, torch.full(path.shape[:2], seen), SIZE)


def test_a_dot_of_its_colour_is_where_the_point_is():
    for frame, (x, y) in enumerate([(5, 6), (30, 20)]):
        drawn = sketch(torch.zeros(3, 30, 40), tracks([(5.0, 6.0), (30.0, 20.0)]), frame, ["#00ff80"])
        assert (drawn[:, y, x] * 255).round().tolist() == [0, 255, 128]


def test_a_point_that_is_not_seen_has_a_path_and_no_dot():
    gone = sketch(torch.zeros(3, 30, 40), tracks([(5.0, 6.0), (30.0, 6.0)], seen=False), 0, ["#ffffff"])
    assert (gone[:, 6, 20] > 0.8).all()
    assert not gone[:, 11, 5].any()


def test_what_is_not_drawn_over_stays_as_it_is():
    picture = torch.randn(3, 30, 40)
    none = Tracks(torch.zeros(1, 0, 2), torch.zeros(1, 0, dtype=torch.bool), SIZE)
    assert torch.equal(sketch(picture, none, 0), picture)
    drawn = sketch(picture, tracks([(5.0, 6.0)]), 0)
    assert torch.equal(drawn[:, 15:], picture[:, 15:])
    assert not torch.equal(drawn, picture)


def covered(style: Style, frame: int = 1, seen: tuple[bool, ...] = (True, True, True)) -> torch.Tensor:
    """Which columns of row 15 are drawn over, of a point that goes there from 5 by way of 20 to 35."""
    path = torch.tensor([[[5.0, 15.0]], [[20.0, 15.0]], [[35.0, 15.0]]])
    drawn = sketch(torch.full((3, 30, 40), 0.5), Tracks(path, torch.tensor(seen)[:, None], SIZE), frame, style=style)
    return (drawn[:, 15] != 0.5).any(0)


def test_paths_trails_and_dots_are_drawn_as_asked():
    assert covered(Style("path", dots=False))[[5, 20, 35]].all()
    trail = covered(Style("trail", dots=False))
    assert trail[[5, 20]].all()
    assert not trail[24:].any()
    dots = covered(Style("none"))
    assert dots[20]
    assert not dots[[5, 35]].any()
    assert not covered(Style("none", dots=False)).any()


def test_lines_end_where_a_point_is_not_seen_unless_asked_otherwise():
    seen = (True, True, False)
    assert not covered(Style("path", hidden=False, dots=False), seen=seen)[24:].any()
    assert covered(Style("path", hidden=True, dots=False), seen=seen)[35]


def test_an_arrow_points_where_the_line_goes_and_a_point_that_stands_still_has_none():
    style = Style("path", dots=False, arrows=True, thickness=2)
    path = torch.tensor([[[5.0, 15.0]], [[35.0, 15.0]]])
    drawn = sketch(torch.zeros(3, 30, 40), Tracks(path, torch.ones(2, 1).bool(), SIZE), 0, style=style)
    height = (drawn > 0.3).any(0).sum(0)
    assert height[31] > height[20] >= 2
    assert height[31] > height[37]
    still = [sketch(torch.zeros(3, 30, 40), tracks([(20.0, 15.0)] * 2), 0, style=Style(arrows=on)) for on in (True, False)]
    assert torch.equal(*still)


@pytest.mark.parametrize("place", [(-500.0, 3.0), (1e9, -1e9), (39.0, 29.0)])
def test_points_may_lie_anywhere(place):
    assert sketch(torch.zeros(3, 30, 40), tracks([(5.0, 6.0), place]), 1).isfinite().all()
    assert influence(tracks([place]), 5).shape == (1, 30, 40)


@pytest.mark.parametrize("colour", ["red", "#12", ""])
def test_a_colour_that_is_not_known_is_that_of_the_tracks_turn(colour):
    drawn = sketch(torch.zeros(3, 30, 40), tracks([(5.0, 6.0)]), 0, [colour])
    assert torch.equal(drawn, sketch(torch.zeros(3, 30, 40), tracks([(5.0, 6.0)]), 0))


def test_influence_is_one_at_a_point_and_zero_from_the_radius_on():
    maps = influence(tracks([(10.0, 10.0), (20.0, 10.0)], [(10.0, 10.0), (20.0, 10.0)]), 8)
    assert maps.shape == (2, 30, 40)
    assert maps[0, 10, 10] == maps[1, 10, 20] == 1
    assert maps[0, 10, 14] == (1 - 0.25) ** 2
    assert maps[0, 10, 18] == 0
    y, x = torch.meshgrid(torch.arange(30), torch.arange(40), indexing="ij")
    away = ((x - 10) ** 2 + (y - 10) ** 2).float()
    torch.testing.assert_close(maps[0], (1 - away / 64).clamp(min=0) ** 2)


def test_the_nearest_of_points_counts_and_those_that_are_not_seen_do_not():
    both = influence(tracks([(10.0, 10.0)], [(14.0, 10.0)]), 8)
    one, other = influence(tracks([(10.0, 10.0)]), 8), influence(tracks([(14.0, 10.0)]), 8)
    assert torch.equal(both, torch.maximum(one, other))
    assert not influence(tracks([(10.0, 10.0)], seen=False), 8).any()


@pytest.mark.parametrize("radius", [0.0, -1.0, float("nan")])
def test_a_radius_is_above_zero(radius):
    with pytest.raises(InputError, match="above 0"):
        influence(tracks([(1.0, 1.0)]), radius)
