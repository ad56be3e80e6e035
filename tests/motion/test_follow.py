from __future__ import annotations

import math
import weakref
from collections.abc import Callable, Iterator
from dataclasses import replace
from fractions import Fraction
from types import SimpleNamespace

import parity
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

import vfi
from vfi.core import Frame, InputError
from vfi.motion import alltracker, trackers
from vfi.motion.alltracker import AllTracker
from vfi.motion.follow import corners, follow, follow_both_ways

SIZE = (96, 128)


@pytest.fixture(scope="module")
def texture() -> Tensor:
    torch.manual_seed(0)
    return F.interpolate(torch.rand(1, 3, 40, 50), (320, 400), mode="bicubic").clamp(0, 1)


def clip(texture: Tensor, shift: Callable[[int], tuple[float, float]], count: int = 8) -> Iterator[Frame]:
    """The texture, moved by ``shift(k)`` pixels in frame k."""
    height, width = SIZE
    for index in range(count):
        dx, dy = shift(index)
        x = torch.arange(width) + 130.0 - dx
        y = torch.arange(height) + 110.0 - dy
        grid = torch.stack(torch.meshgrid((x + 0.5) / 200 - 1, (y + 0.5) / 160 - 1, indexing="xy"), dim=-1)
        picture = F.grid_sample(texture, grid[None], mode="bicubic", align_corners=False)[0].clamp(0, 1)
        yield Frame(picture, Fraction(index, 24), Fraction(1, 24))


def circle(index: int) -> tuple[float, float]:
    return 12 * math.sin(index / 2), 12 - 12 * math.cos(index / 2)


POINTS = torch.tensor([[40.0, 30.0], [64.5, 48.25], [90.0, 50.0], [30.0, 45.0]])


@pytest.mark.parametrize(("by", "within"), [(None, 0.15), ("dis", 0.8)])
def test_points_are_followed_along_a_curve(texture, by, within):
    model = None if by is None else vfi.load(by)
    tracks = follow(clip(texture, circle), POINTS, model)
    truth = torch.stack([POINTS.double() + torch.tensor(circle(index)) for index in range(8)])
    assert tracks.visible.all()
    assert (tracks.path - truth).norm(dim=-1).max() < within
    assert torch.equal(tracks.path[0], POINTS.double())
    assert tracks.size == (SIZE[1], SIZE[0])


def test_codes_of_8_bits_are_followed_as_floats_are(texture):
    frames = list(clip(texture, circle))
    eight = [replace(frame, rgb=(frame.rgb * 255).round().byte()) for frame in frames]
    assert (follow(frames, POINTS).path - follow(eight, POINTS).path).abs().max() < 0.02


@pytest.mark.parametrize("by", [None, "dis"])
def test_what_leaves_the_frame_is_lost_and_stays_where_it_was(texture, by):
    model = None if by is None else vfi.load(by)
    tracks = follow(clip(texture, lambda index: (9.0 * index, 0)), torch.tensor([[100.0, 48.0], [30.0, 48.0]]), model)
    seen = tracks.visible.T.int().tolist()
    assert seen[0] == sorted(seen[0], reverse=True)
    assert 2 <= sum(seen[0]) <= 5
    last = sum(seen[0]) - 1
    assert tracks.path[last:, 0].unique(dim=0).shape[0] == 1
    assert sum(seen[1]) == 8


def test_what_is_covered_is_lost(texture):
    frames = list(clip(texture, lambda index: (1.0 * index, 0)))
    torch.manual_seed(1)
    cover = F.interpolate(torch.rand(1, 3, 30, 30), (60, 60), mode="bicubic")[0].clamp(0, 1)
    for frame in frames[4:]:
        frame.rgb[:, 20:80, 20:80] = cover
    tracks = follow(frames, torch.tensor([[48.0, 50.0], [108.0, 50.0]]))
    assert tracks.visible.T.int().tolist() == [[1, 1, 1, 1, 0, 0, 0, 0], [1] * 8]


@pytest.mark.parametrize("by", [None, "dis"])
def test_nothing_is_followed_across_a_cut_and_all_through_repeats(texture, by):
    model = None if by is None else vfi.load(by)
    frames = list(clip(texture, lambda index: (2.0 * index, 0)))
    cut = [replace(frame, cut="hold") if index == 3 else frame for index, frame in enumerate(frames)]
    assert follow(cut, POINTS, model).visible.T.int().tolist() == [[1, 1, 1, 0, 0, 0, 0, 0]] * 4
    repeated = [replace(frame, rgb=frames[2].rgb, repeat=True) if index == 3 else frame for index, frame in enumerate(frames)]
    path = follow(repeated, POINTS, model).path
    assert torch.equal(path[2], path[3])
    assert (path[4] - POINTS - torch.tensor([8.0, 0])).abs().max() < 0.8


def test_a_point_outside_is_never_seen_and_one_frame_is_enough(texture):
    tracks = follow(clip(texture, circle, 1), torch.tensor([[-5.0, 3.0], [5.0, 3.0]]))
    assert tracks.visible.tolist() == [[False, True]]


def test_memory_does_not_grow_with_the_clip(texture):
    given: list[weakref.ref[Frame]] = []
    alive: list[int] = []

    def counted() -> Iterator[Frame]:
        for frame in clip(texture, circle, 12):
            given.append(weakref.ref(frame))
            alive.append(sum(one() is not None for one in given))
            yield frame

    follow(counted(), POINTS)
    assert max(alive) <= 5  # those of the generators on the way among them
    assert len(set(alive[5:])) == 1


def test_corners_lie_apart_and_can_be_followed(texture):
    first = next(clip(texture, circle))
    found = corners(first, 12, apart=20)
    assert len(found) <= 12
    assert (torch.cdist(found, found) + 1e3 * torch.eye(len(found))).min() >= 20
    assert follow(clip(texture, circle), found).visible[1].float().mean() > 0.7
    with pytest.raises(InputError, match="it is uniform"):
        corners(replace(first, rgb=torch.zeros(3, 20, 20)), 5)
    with pytest.raises(InputError, match="0 points"):
        corners(first, 0)


def test_what_cannot_be_followed_is_refused(texture):
    frames = list(clip(texture, circle, 2))
    with pytest.raises(InputError, match="no frames"):
        follow([], POINTS)
    with pytest.raises(InputError, match="points of shape"):
        follow(frames, torch.zeros(0, 2))
    with pytest.raises(InputError, match="a tolerance of 0 pixels"):
        follow(frames, POINTS, within=0)
    with pytest.raises(InputError, match="does not estimate motion"):
        follow(frames, POINTS, SimpleNamespace(spec=vfi.Spec("still")))
    with pytest.raises(InputError, match="all frames of a clip must have one size"):
        follow([frames[0], replace(frames[1], rgb=torch.zeros(3, 8, 8))], POINTS)


@pytest.fixture(scope="module")
def tracker() -> AllTracker:
    return alltracker.build(parity.load_set("alltracker/small").state())


def test_a_tracker_gives_every_frame_its_positions_and_what_it_sees(texture, tracker):
    frames = list(clip(texture, circle, 5))
    tracks = follow(frames, POINTS, tracker)
    places = list(trackers.trail(tracker, [frame.rgb for frame in frames], POINTS))
    assert torch.equal(tracks.path, torch.stack([place.xy for place in places]))
    assert torch.equal(tracks.path[0], POINTS.double())
    assert tracks.visible[0].all()
    assert tracks.size == (SIZE[1], SIZE[0])


def test_a_tracker_sees_nothing_of_cuts_and_repeats(texture, tracker, monkeypatch):
    """It would follow points into another shot, and take a repeat for motion that stops."""
    frames = list(clip(texture, circle, 8))
    marked = [replace(frame, cut="hold") if index == 5 else frame for index, frame in enumerate(frames)]
    marked = [replace(frame, repeat=True) if index in (2, 7) else frame for index, frame in enumerate(marked)]
    shown = []

    def trail(net, pictures, points, watch):
        for index, rgb in enumerate(pictures):
            shown.append(rgb)
            sure = torch.full((2,), 1.0 if index != 1 else 0.5, dtype=torch.float64)
            yield trackers.Place(points + 20 * index, sure, sure)

    monkeypatch.setattr(trackers, "trail", trail)
    tracks = follow(marked, torch.tensor([[10.0, 10.0], [60.0, 60.0]]), tracker)
    assert [id(rgb) for rgb in shown] == [id(frames[index].rgb) for index in (0, 1, 3, 4)]
    assert tracks.path[:, 0, 0].tolist() == [10, 30, 30, 50, 70, 70, 70, 70]
    assert tracks.visible.T.int().tolist() == [[1, 0, 0, 1, 1, 0, 0, 0], [1, 0, 0, 0, 0, 0, 0, 0]]


def test_a_tracker_can_be_stopped_within_a_window(texture, tracker):
    def stopped(states):
        for index, state in enumerate(states):
            if index == 1:
                raise KeyboardInterrupt
            yield state

    with pytest.raises(KeyboardInterrupt):
        follow(clip(texture, circle, 4), POINTS, tracker, watch=stopped)


def test_what_a_tracker_cannot_follow_is_refused(texture, tracker):
    with pytest.raises(InputError, match="no frames"):
        follow([], POINTS, tracker)
    frames = list(clip(texture, circle, 2))
    with pytest.raises(InputError, match="all frames of a clip must have one size"):
        follow([frames[0], replace(frames[1], rgb=torch.zeros(3, 8, 8))], POINTS, tracker)


def test_a_tracker_takes_codes_and_odd_numbers(texture, tracker):
    frames = list(clip(texture, circle, 3))
    path = follow(frames, POINTS, tracker).path
    eight = [replace(frame, rgb=(frame.rgb * 255).round().byte()) for frame in frames]
    assert (follow(eight, POINTS, tracker).path - path).abs().max() < 0.5
    frames[1].rgb[:, 5:9, 5:9] = torch.nan
    frames[2].rgb[:, 5:9, 5:9] = 1e30
    assert follow(frames, POINTS, tracker).path.isfinite().all()


@pytest.mark.parametrize(("by", "within"), [(None, 0.15), ("dis", 0.8)])
def test_points_of_any_frame_are_followed_to_both_ends(texture, by, within):
    model = None if by is None else vfi.load(by)
    frames = list(clip(texture, circle))
    start = POINTS.double() + torch.tensor(circle(3))
    tracks = follow_both_ways(frames[3::-1], frames[3:], start, model)
    truth = torch.stack([POINTS.double() + torch.tensor(circle(index)) for index in range(8)])
    assert tracks.path.shape == (8, 4, 2)
    assert torch.equal(tracks.path[3], start)
    assert tracks.visible.all()
    assert (tracks.path - truth).norm(dim=-1).max() < within
    ends = follow_both_ways(frames[::-1], frames[-1:], POINTS, model), follow_both_ways(frames[:1], frames, POINTS, model)
    assert torch.equal(ends[0].path, follow(frames[::-1], POINTS, model).path.flip(0))
    assert torch.equal(ends[1].path, follow(frames, POINTS, model).path)


def test_what_leaves_the_frame_on_the_way_back_is_lost_there(texture):
    frames = list(clip(texture, lambda index: (9.0 * index, 0)))
    tracks = follow_both_ways(frames[6::-1], frames[6:], torch.tensor([[30.0, 48.0]]))
    seen = tracks.visible[:, 0].int().tolist()
    assert seen[5:] == [1, 1, 1]
    assert seen[:2] == [0, 0]
