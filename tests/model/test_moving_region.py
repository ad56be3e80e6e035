"""The part of a frame that moves: where it lies, and that the rest of the frame is the frames' own."""

from __future__ import annotations

import contracts
import pytest
import torch
from models import Shift
from torch import Tensor

from vfi.core import Motion
from vfi.model import wrappers
from vfi.model.moving_region import ALIGNED, EQUAL, MARGIN, Box, MovingRegion, moving

HALF = torch.tensor([0.5])


class Red(Shift):
    """Makes red frames, notes the sizes that it is shown, and says that everything moves by 2 pixels."""

    def __init__(self, **spec) -> None:
        super().__init__(2, **spec)
        self.encoded: list[tuple[int, ...]] = []

    def encode(self, rgb: Tensor) -> Tensor:
        self.encoded.append(tuple(rgb.shape[-2:]))
        return rgb

    def prepare(self, features: list[Tensor], frames: list[Tensor]) -> Tensor:
        return torch.stack(features, dim=1)

    def at(self, prepared: Tensor, t: Tensor) -> Tensor:
        made = torch.zeros(len(t), *prepared.shape[2:])
        made[:, 0] = 1
        return made


def pair(top: int, left: int, height: int = 512, width: int = 640, size: int = 10) -> tuple[Tensor, Tensor]:
    """Two grey frames, in the second of which a square is white."""
    before = torch.full((1, 3, height, width), 0.5)
    after = before.clone()
    after[..., top : top + size, left : left + size] = 1
    return before, after


@pytest.mark.parametrize(("top", "left"), [(0, 0), (200, 300), (502, 630), (127, 129)])
def test_the_box_holds_what_moves_with_a_margin(top, left):
    box = moving(*pair(top, left))
    assert box is not None
    assert 0 <= box.top <= max(top - MARGIN, 0)
    assert min(top + 10 + MARGIN, 512) <= box.bottom <= 512
    assert 0 <= box.left <= max(left - MARGIN, 0)
    assert min(left + 10 + MARGIN, 640) <= box.right <= 640
    assert box.top % ALIGNED == box.left % ALIGNED == box.bottom % ALIGNED == box.right % ALIGNED == 0
    assert box.share(torch.empty(512, 640)) < 0.3


def test_a_box_at_the_edge_of_an_odd_frame_stays_inside():
    assert moving(*pair(90, 100, height=101, width=111)) == Box(0, 101, 64, 111)


def test_what_coding_does_is_no_motion():
    before = torch.rand(1, 3, 40, 50) * 0.9
    assert moving(before, before + EQUAL * 0.99) is None
    assert moving(before, before + EQUAL * 1.01) is not None


def test_only_what_moves_is_made():
    before, after = pair(200, 300)
    model, window = Red(), torch.stack((before, after), dim=1)
    made = MovingRegion(model)(window, torch.tensor([0.25]))
    box = moving(before, after)
    assert box is not None
    assert model.encoded == [(box.bottom - box.top, box.right - box.left)] * 2
    red = torch.tensor([1.0, 0, 0]).view(1, 3, 1, 1)
    assert torch.equal(box.of(made), red.expand_as(box.of(made)))
    box.of(made).copy_(box.of(before))
    assert torch.equal(made, before)


def test_where_nothing_moves_no_model_is_asked():
    model, before = Red(), torch.rand(1, 3, 64, 64)
    window = torch.stack((before, before), dim=1)
    assert torch.equal(MovingRegion(model)(window, HALF), before)
    motion = contracts.motion(MovingRegion(model), window, torch.tensor([0.25]))
    assert not motion.flow0.any()
    assert (motion.mask == 0.75).all()
    assert not model.encoded


def test_where_much_moves_all_is_made_and_features_serve_two_pairs():
    model = Red()
    still, frames = MovingRegion(model), list(torch.rand(3, 1, 3, 40, 50))
    features = [still.encode(rgb) for rgb in frames]
    for first in (0, 1):
        prepared = still.prepare(features[first : first + 2], frames[first : first + 2])
        assert wrappers.at(still, prepared, HALF)[:, 0].min() == 1
    assert model.encoded == [(40, 50)] * 3


def test_motion_is_none_outside():
    before, after = pair(200, 300)
    box, window = moving(before, after), torch.stack((before, after), dim=1)
    assert box is not None
    motion = contracts.motion(MovingRegion(Red()), window, torch.tensor([0.25, 0.5]))
    assert isinstance(motion, Motion)
    assert motion.flow1.shape == (2, 2, 512, 640)
    assert (box.of(motion.flow1)[0, 0] == 1.5).all()
    assert (box.of(motion.mask) == 0.5).all()
    outside = torch.ones(512, 640, dtype=torch.bool)
    box.of(outside).fill_(False)
    assert not motion.flow0[..., outside].any()
    assert (motion.mask[0, 0, outside] == 0.75).all()
