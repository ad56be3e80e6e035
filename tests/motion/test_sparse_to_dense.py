"""What a point reaches, and what it changes there."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from vfi.motion.sparse_to_dense import CORE, Points, led, lost

SIZE = (96, 160)


def texture(seed: int = 0) -> Tensor:
    coarse = torch.rand(1, 3, 26, 42, generator=torch.Generator().manual_seed(seed))
    return F.interpolate(coarse, size=SIZE, mode="bicubic")[0].clamp(0, 1)


def still(value: float = 0.0) -> Tensor:
    return torch.full((4, *SIZE), value)


def point(at, before, after, *, drawn: bool = True, reach: Tensor | None = None) -> Points:
    places = (torch.tensor([place], dtype=torch.float32) for place in (at, before, after))
    return Points(*places, torch.tensor([drawn]), (reach,))


def together(*points: Points) -> Points:
    planes = (torch.cat([one[k] for one in points]) for k in range(4))
    return Points(*planes, tuple(one.reach[0] for one in points))


def test_what_goes_along_with_a_point_is_corrected_and_what_stands_still_is_not():
    """The left half moves by 12 pixels, as the point does, but at t the point is further on than the model thinks."""
    own = still()
    own[0, :, :80], own[2, :, :80] = -6, 6
    made = led(own, texture(), texture(), point((40, 48), (31, 48), (43, 48)))
    torch.testing.assert_close(made.motion[:, 48, 40], torch.tensor([-9.0, 0, 3, 0]), atol=1e-3, rtol=0)
    assert made.motion[0, 48, 70] < -7.2
    assert made.motion[0, 48, 79] < -6.4
    assert torch.equal(made.motion[:, :, 90:], own[:, :, 90:])
    assert not made.share[:, :, 90:].any()


def test_where_a_model_has_lost_a_point_what_explains_the_frames_decides():
    """A square of the first frame is 40 pixels further right in the second."""
    before = texture(1)
    after = before.clone()
    patch = texture(2)[:, :24, :24]
    before[:, 36:60, 20:44], after[:, 36:60, 60:84] = patch, patch
    made = led(still(), before, after, point((52, 48), (32, 48), (72, 48)))
    inside = made.motion[:, 37:59, 41:63]
    torch.testing.assert_close(inside, torch.tensor([-20.0, 0, 20, 0]).view(4, 1, 1).expand_as(inside), atol=0.1, rtol=0)
    outside = torch.ones(SIZE, dtype=torch.bool)
    outside[28:68, 32:72] = False
    assert made.share[0][outside].mean() < 0.05
    assert made.hidden[0, 48, 32] > 0.9
    assert made.hidden[1, 48, 72] > 0.9
    assert made.hidden[:, 48, 52].max() < 0.1


@pytest.mark.parametrize("drawn", [True, False])
def test_even_ground_around_a_lost_point_stays(drawn):
    """It looks the same wherever it is said to come from, and stood still."""
    before = torch.full((3, *SIZE), 0.4)
    before[:, 72:] = 0.6
    after = before.clone()
    before[:, 36:60, 20:44], after[:, 36:60, 116:140] = (texture(2)[:, :24, :24],) * 2
    made = led(still(), before, after, point((80, 48), (32, 48), (128, 48), drawn=drawn))
    inside = made.motion[:, 37:59, 69:91]
    torch.testing.assert_close(inside, torch.tensor([-48.0, 0, 48, 0]).view(4, 1, 1).expand_as(inside), atol=0.1, rtol=0)
    ground = torch.ones(SIZE, dtype=torch.bool)
    ground[33:63, 65:95] = False
    assert not made.share[0][ground].any()


def test_a_point_that_was_only_found_moves_nothing_that_its_motion_does_not_explain():
    """A drawn one does, close by."""
    points = [point((80, 48), (60, 48), (100, 48), drawn=drawn) for drawn in (True, False)]
    frames = texture(3), texture(4)
    drawn, found = (led(still(), *frames, one) for one in points)
    assert drawn.share[0, 48, 80] == 1
    assert found.share.max() < 0.3
    reach = CORE * (SIZE[0] ** 2 + SIZE[1] ** 2) ** 0.5
    assert drawn.share[0, 48, 80 + int(reach) + 1 :].max() < 0.2


def test_an_anchor_holds_what_the_model_would_move():
    own = still()
    own[0], own[2] = -10, 10
    frame = texture(5)
    made = led(own, frame, frame, point((80, 48), (80, 48), (80, 48)))
    assert made.motion[:, 46:51, 78:83].abs().max() < 0.1
    assert torch.equal(made.motion[:, :8, :8], own[:, :8, :8])


def test_points_agree_on_what_lies_between_them():
    points = together(point((60, 48), (50, 48), (70, 48)), point((80, 48), (76, 48), (84, 48)))
    part = torch.ones(SIZE)
    made = led(still(), texture(), texture(), points._replace(reach=(part, part)))
    row = made.motion[0, 48]
    assert row[60] == pytest.approx(-10, abs=0.2)
    assert row[80] == pytest.approx(-4, abs=0.2)
    assert row[70] == pytest.approx(-7, abs=0.1)
    assert -10 <= row.min() <= row.max() <= -4


def test_a_part_is_moved_by_its_own_points_alone():
    part = torch.zeros(SIZE)
    part[:, :80] = 1
    points = together(point((70, 48), (60, 48), (80, 48), reach=part), point((84, 48), (84, 48), (84, 48)))
    made = led(still(), texture(), texture(), points)
    inside = made.motion[:, :, :80]
    torch.testing.assert_close(inside, torch.tensor([-10.0, 0, 10, 0]).view(4, 1, 1).expand_as(inside), atol=1e-4, rtol=0)
    assert not made.motion[:, :, 80:].any()


@pytest.mark.parametrize(("missed", "low", "high"), [(0, 0, 0), (1, 0, 0.1), (40, 0.99, 1)])
def test_a_point_is_lost_where_the_model_sees_another_way(missed, low, high):
    own = still()
    own[0], own[2] = -20 - missed, 20
    assert low <= float(lost(own, point((80, 48), (60, 48), (100, 48)))) <= high


def test_large_frames_are_looked_at_smaller():
    """At nine times the size the same comes out, nine times as far."""
    own, frame = still(), texture(6)
    own[0], own[2] = -6, 6
    small = led(own, frame, frame, point((80, 48), (70, 48), (82, 48)))
    grown = [F.interpolate(plane[None], scale_factor=9.0, mode="bilinear")[0] for plane in (own * 9, frame)]
    places = [((x + 0.5) * 9 - 0.5, (48 + 0.5) * 9 - 0.5) for x in (80, 70, 82)]
    large = led(grown[0], grown[1], grown[1], point(*places))
    assert large.motion.shape == (4, 9 * SIZE[0], 9 * SIZE[1])
    shrunk = F.interpolate(large.motion[None], size=SIZE, mode="area")[0] / 9
    assert (shrunk - small.motion).abs().mean() < 0.2
