"""Several keyframes as one clip."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

from vfi.clips.images import read_image
from vfi.core import InputError
from vfi.motion.match import Matches
from vfi.tracks import Tracks
from vfi.tween import sequence

CHINA = Path(__file__).parents[1] / "data" / "images" / "china.jpg"
SIZE = (200.0, 100.0)


def matches(*points: tuple[float, float, float, float]) -> Matches:
    table = torch.tensor(points, dtype=torch.float32).reshape(-1, 4)
    return Matches(table[:, :2], table[:, 2:], torch.linspace(1, 0.5, len(table)), SIZE)


@pytest.mark.parametrize(
    ("distances", "frames", "expected"),
    [
        ([1], 14, [14]),
        ([5, 5], 27, [14, 14]),
        ([0, 0, 0], 31, [11, 11, 11]),
        ([1, 3], 41, [11, 31]),
        ([0, 10], 14, [3, 12]),
        ([1, 1, 98], 11, [3, 3, 7]),
        ([7, 1], 5, [3, 3]),
    ],
)
def test_things_move_equally_fast_from_key_to_key(distances, frames, expected):
    assert sequence.lengths(distances, frames) == expected


@pytest.mark.parametrize("frames", range(9, 60, 7))
def test_clips_have_the_frames_of_the_whole_between_them(frames):
    for seed in range(20):
        ways = torch.rand(4, generator=torch.Generator().manual_seed(seed)).pow(3).tolist()
        lengths = sequence.lengths(ways, frames)
        assert min(lengths) >= sequence.LEAST
        assert sequence.places(lengths)[-1] == frames - 1


def test_too_few_frames_are_refused():
    with pytest.raises(InputError, match="8 frames were asked for over 5 keyframes: the minimum is 9"):
        sequence.lengths([1, 1, 1, 1], 8)


def test_a_keyframe_comes_once():
    clips = [torch.arange(0, 4), torch.arange(3, 6), torch.arange(5, 10)]
    assert [int(frame) for frame in sequence.chained(clips)] == list(range(10))


def test_tracks_go_on_from_pair_to_pair():
    path = torch.linspace(0, 90, 10).double().reshape(10, 1, 1).expand(10, 1, 2)
    whole = Tracks(path, torch.ones(10, 1, dtype=torch.bool), SIZE)
    first, second = sequence.pieces(whole, [4, 7])
    assert first.path[:, 0, 0].tolist() == pytest.approx([0, 10, 20, 30])
    assert second.path[:, 0, 0].tolist() == pytest.approx([30, 40, 50, 60, 70, 80, 90])


def steps(track: Tensor) -> Tensor:
    return torch.linalg.vector_norm(track[1:] - track[:-1], dim=1)


def test_speed_does_not_jump_at_a_key():
    found = [matches((10, 50, 50, 60)), matches((50.5, 60.5, 150, 70))]
    tracks = sequence.through(found, [11, 11], count=5)
    assert (tracks.frames, tracks.count) == (21, 1)
    assert tracks.visible.all()
    places = tracks.path[[0, 10, 20], 0]
    assert torch.allclose(places, torch.tensor([[10, 50], [50, 60], [150, 70]]).double())
    speed = steps(tracks.path[:, 0])
    assert abs(speed[10] - speed[9]) < 0.2 * speed.mean()
    assert (speed[1:] - speed[:-1]).abs().max() < 0.5 * speed.mean()


def test_a_point_is_seen_between_the_keys_that_have_it():
    tracks = sequence.through([matches((10, 50, 20, 50)), matches((100, 20, 120, 20), (150, 80, 150, 90))], [4, 5], count=1)
    assert tracks.count == 2
    assert tracks.visible[:, 0].tolist() == [True] * 4 + [False] * 4
    assert tracks.visible[:, 1].tolist() == [False] * 3 + [True] * 5
    assert sequence.through([matches()], [5], count=3).count == 0


def test_points_are_linked_through_pictures_of_one_thing():
    whole = read_image(CHINA).rgb[:, 40:240, 40:440]
    keyframes = [whole[:, :, 24:-24], whole[:, :, 12:-36], whole[:, :, :-48]]
    found = sequence.matched(keyframes)
    assert sequence.distances(found) == pytest.approx([12, 12], abs=0.5)
    tracks = sequence.through(found, [5, 5], count=4)
    through = tracks.visible.all(0)
    assert through.sum() >= 2
    way = tracks.path[-1, through] - tracks.path[0, through]
    assert (way - torch.tensor([24.0, 0.0]).double()).abs().max() < 1.5


def test_keyframes_that_share_nothing_count_as_the_others_do():
    assert sequence.distances([matches((0, 0, 3, 4)), matches(), matches((0, 0, 6, 8))]) == pytest.approx([5, 7.5, 10])
    assert sequence.distances([matches(), matches()]) == [0, 0]
