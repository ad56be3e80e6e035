"""Flow as pictures: the colour wheel, what its rim stands for, and where motion is not to be trusted."""

from __future__ import annotations

import math
from dataclasses import replace
from fractions import Fraction as F
from pathlib import Path

import pytest
import torch
from models import Blend, Shift
from torch import Tensor

import vfi
from vfi.clips.images import read_image
from vfi.core import Across, Frame, InputError, Motion
from vfi.motion import flow
from vfi.pixels.uint8 import floats
from vfi.render.run import frames_of_tensor

HALF = torch.tensor([0.5])
DIRECTIONS = {
    "right": ((1, 0), (1, 0, 0)),
    "down": ((0, 1), (1, 55 / 60, 0)),
    "left": ((-1, 0), (0, 17 / 22, 1)),
    "up": ((0, -1), (5.25 / 13, 0, 1)),
}


def field(dx: float, dy: float, height: int = 4, width: int = 6) -> Tensor:
    return torch.tensor([dx, dy]).view(1, 2, 1, 1).repeat(1, 1, height, width).float()


def clip(count: int) -> list[Frame]:
    return list(frames_of_tensor(torch.rand(count, 3, 8, 12), F(10)))


@pytest.mark.parametrize("name", DIRECTIONS)
def test_hue_is_the_direction(name: str):
    (dx, dy), colour = DIRECTIONS[name]
    made = flow.colours(field(3 * dx, 3 * dy), radius=3)
    assert made.shape == (1, 3, 4, 6)
    torch.testing.assert_close(made[0, :, 0, 0], torch.tensor(colour, dtype=torch.float32))


def test_colour_grows_with_length_and_darkens_beyond_the_radius():
    still, half, full, beyond = (flow.colours(field(dx, 0), radius=8)[0, :, 0, 0].tolist() for dx in (0, 4, 8, 80))
    assert (still, half, full, beyond) == ([1, 1, 1], [1, 0.5, 0.5], [1, 0, 0], [0.75, 0, 0])


def test_the_wheel_has_no_seam():
    turns = torch.linspace(0, 2 * math.pi, 721)
    rim = torch.stack((turns.cos(), turns.sin()))[None, :, None] * 0.99
    steps = flow.colours(rim, radius=1).diff(dim=-1).abs()
    assert steps.max() < 0.04
    assert steps.amax(dim=1).min() > 0


@pytest.mark.parametrize("radius", [0, -1, math.inf, math.nan])
def test_a_radius_that_is_none_gets_a_sentence(radius: float):
    with pytest.raises(InputError, match="must be above 0"):
        flow.colours(field(1, 1), radius)


def test_the_radius_of_a_clip_spares_the_fastest_hundredth_of_each_pair():
    lengths = torch.arange(200.0).view(1, 1, 10, 20)
    assert flow.reach(torch.cat((lengths, torch.zeros_like(lengths)), dim=1)) == 197
    assert flow.radius_of([field(3, 4), field(0, 2)]) == 5
    assert flow.radius_of([field(0.1, 0)]) == flow.radius_of([]) == 1


@pytest.mark.parametrize("t", [0.25, 0.5, 0.8])
def test_what_moves_on_one_path_is_seen(t: float):
    motion = Motion(field(-4 * t, 0, 8, 12), field(4 * (1 - t), 0, 8, 12), torch.ones(1, 1, 8, 12))
    assert not flow.occlusion(motion, torch.tensor([t])).any()


def test_flows_that_contradict_each_other_are_occlusion():
    came, goes = field(-4, 0, 8, 12), field(4, 0, 8, 12)
    goes[..., :6] = -2
    found = flow.occlusion(Motion(came, goes, torch.ones(1, 1, 8, 12)), HALF)
    assert found[0, 0, 0].tolist() == [1] * 6 + [0] * 6


def test_what_lies_out_of_both_frames_is_occlusion_and_of_one_is_not():
    wide = Motion(field(0, -5, 8, 2), field(0, 5, 8, 2), torch.ones(1, 1, 8, 2))
    assert flow.occlusion(wide, HALF)[0, 0, :, 0].tolist() == [0, 0, 0, 1, 1, 0, 0, 0]


def test_what_the_model_says_of_occlusion_counts():
    own = torch.rand(1, 1, 4, 6)
    assert flow.occlusion(Motion(field(9, 9), field(9, 9), own, own), HALF) is own


def test_there_is_a_picture_for_each_frame_and_the_last_one_is_still():
    frames = clip(4)
    made = list(flow.pictures(frames, Shift(6), 3))
    assert [(one.time, one.duration) for one in made] == [(one.time, one.duration) for one in frames]
    assert [one.rgb[:, 0, 0].tolist() for one in made] == [[1, 0, 0]] * 3 + [[1, 1, 1]]
    back = next(flow.pictures(frames, Shift(6), 3, toward="previous"))
    torch.testing.assert_close(back.rgb[:, 0, 0], torch.tensor([0, 17 / 22, 1]))


def test_flow_is_that_at_t():
    motions = [motion for _, motion in flow.motions(clip(2), Shift(8), t=0.25)]
    assert [motion.flow1[0, 0, 0, 0].item() for motion in motions] == [6, 0]
    assert [motion.flow0[0, 0, 0, 0].item() for motion in motions] == [-2, 0]


@pytest.mark.parametrize("across", ["hold", "blend"])
def test_nothing_moves_across_a_cut(across: Across):
    first, second, third = clip(3)
    cut = replace(second, cut=across)
    moved = [motion.flow1.any().item() for _, motion in flow.motions([first, cut, third], Shift(8))]
    assert moved == [False, True, False]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"model": Blend()}, "blend does not estimate motion: choose"),
        ({"t": 0}, "t = 0 was given"),
        ({"t": 1.5}, "t = 1.5 was given"),
        ({"toward": "me"}, "one of next, previous"),
    ],
)
def test_what_cannot_be_asked_gets_a_sentence(arguments: dict, sentence: str):
    with pytest.raises(InputError, match=sentence):
        list(flow.pictures(clip(2), **({"model": Shift(1), "radius": 1} | arguments)))


def test_frames_of_two_sizes_get_a_sentence():
    frames = [*clip(2), Frame(torch.zeros(3, 4, 4), F(1))]
    with pytest.raises(InputError, match="must have one size"):
        list(flow.motions(frames, Shift(1)))


class Inner(Shift):
    """Knows motion only half-way, as networks that are trained to make frames in between."""

    def motion_at(self, prepared, t):
        near = (2 * t - 1).abs().view(-1, 1, 1, 1)
        found = super().motion_at(prepared, t)
        return Motion(found.flow0 * (1 - near), found.flow1 * (1 - near), found.mask)


def test_both_ways_do_not_ask_for_motion_where_a_model_does_not_know_it():
    forth, back = flow.BothWays(Inner(8))(torch.rand(1, 3, 32, 64), torch.rand(1, 3, 32, 64))
    torch.testing.assert_close(forth, field(8, 0, 32, 64))
    torch.testing.assert_close(back, field(-8, 0, 32, 64))


@pytest.mark.parametrize("name", ["dis", "inbetween-s", "inbetween-m"])
def test_both_ways_of_included_models(name: str):
    """A moved picture: networks that are made for frames in between lose its motion right at the frames."""
    picture = floats(read_image(Path(__file__).parents[1] / "data" / "images" / "china.jpg").rgb)[None]
    forth, back = flow.BothWays(vfi.load(name))(picture[..., 6:198, 12:268], picture[..., 3:195, 6:262])
    for found, way in ((forth, 1), (back, -1)):
        for plane, true in zip(found[0], (6, 3), strict=True):
            assert float(plane.median()) == pytest.approx(way * true, abs=1)
