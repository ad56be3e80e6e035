"""A network at half the size: what it is shown, and what becomes of the motion that it finds."""

from __future__ import annotations

import contracts
import pytest
import torch
from models import Blend, Encoding, Shift
from torch import Tensor

from vfi.archs.blend import Linear
from vfi.archs.dis import Dis
from vfi.core import InputError, Motion
from vfi.model.half_size import HalfSize
from vfi.model.wrappers import Padded

HALF = torch.tensor([0.5])


class Sizes(Shift):
    """Notes the size of what it is shown."""

    def motion_at(self, prepared: Tensor, t: Tensor) -> Motion:
        self.shown = tuple(prepared.shape[-2:])
        return super().motion_at(prepared, t)


@pytest.mark.parametrize("size", [(1, 1), (2, 33), (31, 17), (40, 64)])
def test_the_network_sees_half_the_size_and_the_frame_keeps_its_own(size):
    model = Sizes(0)
    window = torch.rand(1, 2, 3, *size)
    assert HalfSize(model)(window, HALF).shape == (1, 3, *size)
    assert model.shown == ((size[0] + 1) // 2, (size[1] + 1) // 2)


def test_motion_is_doubled_and_the_frames_follow_it_at_full_size():
    before = torch.rand(1, 3, 32, 64)
    window = torch.stack((before, before.roll(8, -1)), dim=1)
    model = HalfSize(Shift(4))  # pixels of the half size
    motion = contracts.motion(model, window, torch.tensor([0.25]))
    torch.testing.assert_close(motion.flow0[0, :, 16, 32], torch.tensor([-2.0, 0]))
    torch.testing.assert_close(motion.flow1[0, :, 16, 32], torch.tensor([6.0, 0]))
    made = model(window, torch.tensor([0.25]))
    torch.testing.assert_close(made[..., 8:-8], before.roll(2, -1)[..., 8:-8], atol=1e-5, rtol=0)


def test_what_it_takes_from_each_frame_is_what_the_mask_says():
    class Leaning(Shift):
        def motion_at(self, prepared: Tensor, t: Tensor) -> Motion:
            motion = super().motion_at(prepared, t)
            return Motion(motion.flow0, motion.flow1, torch.full_like(motion.mask, 0.75))

    window = torch.stack((torch.ones(1, 3, 8, 8), torch.zeros(1, 3, 8, 8)), dim=1)
    torch.testing.assert_close(HalfSize(Leaning(0))(window, HALF), torch.full((1, 3, 8, 8), 0.75))


def test_it_keeps_the_promises_of_an_interpolator():
    frames, times = contracts.window(50, 66), torch.tensor([0.25, 0.75])
    model = HalfSize(Padded(Dis()))
    contracts.preparing_once_serves_every_timestep(model, frames, times)
    contracts.each_window_of_a_batch_is_made_by_itself(model, frames, times)
    assert model.spec.activations < Dis().spec.activations


@pytest.mark.parametrize("model", [Linear(), Padded(Blend()), Encoding()])
def test_a_model_without_motion_says_so(model):
    with pytest.raises(InputError, match=f"{model.spec.name} does not estimate motion"):
        HalfSize(model)
