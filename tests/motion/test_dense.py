"""Motion of any estimator of optical flow."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from vfi.core import InputError
from vfi.model.load import Part, assemble
from vfi.motion import dense


class Right:
    """An estimator of ``speed`` pixels to the right, or to the left if the second picture is brighter on its left."""

    def __init__(self, speed: float = 8.0) -> None:
        self.speed = speed
        self.sizes: list[tuple[int, ...]] = []
        self.range = (0.0, 0.0)

    def __call__(self, start: Tensor, end: Tensor) -> Tensor:
        assert start.shape == end.shape
        self.sizes.append(tuple(start.shape))
        self.range = float(start.min()), float(start.max())
        way = 1 if float(centre(start)) < float(centre(end)) else -1
        return torch.cat((torch.full_like(start[:, :1], way * self.speed), torch.zeros_like(start[:, :1])), dim=1)


def centre(picture: Tensor) -> Tensor:
    """The mean column of what is bright."""
    light = picture.mean(1)[0] + 1
    return (light * torch.arange(light.shape[-1])).sum() / light.sum()


def moving(height: int, width: int, speed: int) -> Tensor:
    """A disc on black, in two frames, [1,2,3,H,W], ``speed`` pixels apart."""
    x, y = torch.meshgrid(torch.arange(width), torch.arange(height), indexing="xy")
    disc = [((x - width // 3 - shift) ** 2 + (y - height // 2) ** 2 < (height // 6) ** 2).float() for shift in (0, speed)]
    return torch.stack(disc)[None, :, None].expand(1, 2, 3, height, width)


@pytest.mark.parametrize("size", [(1, 1), (7, 300), (131, 133), (128, 256)])
def test_frames_of_any_size_are_padded_to_what_the_network_needs(size: tuple[int, int]):
    estimate = Right(0.0)
    model = assemble([Part(dense.Dense(estimate))])
    frames = torch.rand(1, 2, 3, *size)
    made = model(frames, torch.tensor([0.5]))
    assert made.shape == (1, 3, *size)
    for _, _, height, width in estimate.sizes:
        assert height % 8 == width % 8 == 0
        assert min(height, width) >= 128
        assert height - size[0] < 128
    assert -1 <= estimate.range[0] <= estimate.range[1] <= 1


def test_motion_at_t_follows_the_flow_of_both_directions():
    frames = moving(120, 160, 8)
    model = assemble([Part(dense.Dense(Right(8.0)))])
    quarter = model(frames, torch.tensor([0.25]))
    between = moving(120, 160, 2)[:, 1]
    assert (quarter - between).abs().mean() < 0.002
    assert (quarter - frames.lerp(frames.flip(1), 0.25)[:, 0]).abs().mean() > 0.005  # a blend would be far off


def test_large_frames_are_shrunk_for_the_estimator_only():
    height, width = 1600, 2560
    tall, wide = dense.estimated_size(height, width)
    assert tall * wide <= 1.01 * dense.MOST
    assert wide / tall == pytest.approx(width / height, rel=0.01)
    assert dense.volume(2160, 4096) < 4e9
    estimate = Right(8.0)
    model = dense.Dense(estimate)
    frames = F.interpolate(moving(160, 256, 8)[0], (height, width))[None]
    prepared = model.prepare([model.encode(frame) for frame in frames.unbind(1)], frames.unbind(1))
    motion = model.motion_at(prepared, torch.tensor([0.5]))
    assert motion.flow1.shape == (1, 2, height, width)
    assert float(motion.flow1[0, 0, height // 2, width // 2]) == pytest.approx(4 * width / wide, rel=0.02)


@pytest.mark.parametrize("shape", [(1, 3, 128, 128), (1, 2, 16, 16), (2, 128, 128)])
def test_what_is_no_flow_is_refused(shape: tuple[int, ...]):
    model = dense.Dense(lambda start, end: torch.zeros(shape))
    frames = torch.rand(1, 3, 100, 100), torch.rand(1, 3, 100, 100)
    with pytest.raises(InputError, match=r"optical flow gave .*: \[1, 2, height, width\] is needed"):
        model.prepare([model.encode(frame) for frame in frames], frames)
