"""Half precision is compared with single precision on the first pair that moves."""

from __future__ import annotations

import logging
from pathlib import Path

import cv2
import numpy as np
import parity
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from vfi.core import Interpolator, Spec
from vfi.model import load
from vfi.model.load import Choice, Part
from vfi.model.self_check import APART, SelfCheck, parting
from vfi.render.run import interpolate


class Placing(nn.Module):
    """Blends the frames after looking each pixel up at its position, which it computes in the type of its weights."""

    def __init__(self) -> None:
        super().__init__()
        self.spec = Spec("placing")
        self.step = nn.Parameter(torch.ones(1))
        self.encoded: list[torch.dtype] = []

    def encode(self, rgb: Tensor) -> Tensor:
        self.encoded.append(self.step.dtype)
        position = (torch.arange(rgb.shape[-1]) * self.step).long().clamp(0, rgb.shape[-1] - 1)
        return rgb[..., position]

    def prepare(self, features: list[Tensor], frames: list[Tensor]) -> list[Tensor]:
        return features

    def at(self, prepared: list[Tensor], t: Tensor) -> Tensor:
        return torch.lerp(prepared[0], prepared[1], t.view(-1, 1, 1, 1))

    def forward(self, window: Tensor, t: Tensor) -> Tensor:
        return self.at([self.encode(rgb) for rgb in window.unbind(1)], t)


def text(width: int, shift: int) -> Tensor:
    picture = np.full((48, width, 3), 20, np.uint8)
    for left in range(shift, width, 90):
        cv2.putText(picture, "Text", (left, 32), cv2.FONT_HERSHEY_SIMPLEX, 0.7, (255, 255, 255), 1)
    return torch.from_numpy(picture).permute(2, 0, 1) / 255


def titles(width: int, *shifts: int) -> Tensor:
    """A clip of text, moved by ``shifts``."""
    return torch.stack([text(width, shift) for shift in shifts])


def checked(*, falls_back: bool = True, network: type[nn.Module] = Placing) -> tuple[Interpolator, nn.Module, list[nn.Module]]:
    """A model whose network is in bfloat16, that network, and those made in float32 so far."""
    half, made = network(), []

    def exact() -> nn.Module:
        made.append(network())
        return made[-1]

    return Part(half, dtype=torch.bfloat16, exact=exact, falls_back=falls_back).ready(), half, made


def test_positions_of_a_wide_frame_fall_back_aloud(caplog: pytest.LogCaptureFixture):
    clip = titles(1200, 5, 12, 19, 26)
    model, half, made = checked()
    with caplog.at_level(logging.WARNING):
        got = interpolate(clip, model, 3)
    (line,) = [record.message for record in caplog.records]
    assert "half precision is given up for this clip: placing parts from single precision by" in line
    assert torch.equal(got, interpolate(clip, Part(Placing()).ready(), 3))
    assert half.encoded == [torch.bfloat16] * 2  # only the pair that was compared
    assert len(made) == 1
    assert set(made[0].encoded) == {torch.float32}


def test_half_precision_that_holds_goes_on_alone(caplog: pytest.LogCaptureFixture):
    clip = titles(200, 5, 12, 19, 26)
    model, half, made = checked()
    got = interpolate(clip, model, 3)
    assert not caplog.records
    assert len(half.encoded) == 4  # each frame once
    assert len(made) == 1
    assert len(made[0].encoded) == 2
    alone = Part(Placing(), dtype=torch.bfloat16).ready()
    assert torch.equal(got, interpolate(clip, alone, 3))


def test_what_was_asked_for_is_kept_with_a_warning(caplog: pytest.LogCaptureFixture):
    clip = titles(1200, 5, 12, 19)
    model, *_ = checked(falls_back=False)
    got = interpolate(clip, model, 2)
    assert ["float32 avoids that" in record.message for record in caplog.records] == [True]
    assert torch.equal(got, interpolate(clip, Part(Placing(), dtype=torch.bfloat16).ready(), 2))


def test_a_pair_that_stands_still_proves_nothing(caplog: pytest.LogCaptureFixture):
    clip = titles(1200, 5, 5, 5, 12)
    clip[1:, 0, 0, 0] += 0.01  # compressed, so not identical
    model, _, made = checked()
    first = interpolate(clip[:2], model, 2)
    assert not made
    assert torch.equal(first[0], clip[0])
    interpolate(clip, model, 2)
    assert len(made) == 1
    assert len(caplog.records) == 1


def test_a_network_that_overflows_falls_back(caplog: pytest.LogCaptureFixture):
    class Overflowing(Placing):
        def at(self, prepared: list[Tensor], t: Tensor) -> Tensor:
            made = super().at(prepared, t)
            return made if self.step.dtype == torch.float32 else made / 0

    clip = titles(200, 5, 12, 19)
    model, *_ = checked(network=Overflowing)
    assert interpolate(clip, model, 2).isfinite().all()
    assert "by inf of 255" in caplog.text


def test_a_few_shaken_letters_of_a_large_frame_suffice():
    still = torch.zeros(1, 3, 1080, 1920)
    shaken = still.clone()
    still[..., 500:548, :200], shaken[..., 500:548, :200] = text(200, 5), text(200, 6)
    assert (shaken - still).square().mean() < 1e-3  # 30 dB over the whole frame
    assert parting(still, shaken) > APART
    assert parting(still, still + 0.4 * APART) < APART


@pytest.mark.parametrize("precision", ["bfloat16", "float32"])
def test_models_of_half_precision_are_checked_and_agree(tmp_path: Path, precision: str, caplog: pytest.LogCaptureFixture):
    file = tmp_path / "small.safetensors"
    save_file(parity.load_set("rife/rife_v4.22.lite").state(), file)
    model = load.build(Choice((str(file),), precision=precision))
    assert isinstance(model, SelfCheck) == (precision == "bfloat16")
    clip = torch.from_numpy(parity.synthetic_frames(64, 96, 3, 1.0))
    assert interpolate(clip, model, 2).isfinite().all()
    assert not caplog.records


def test_motion_is_that_of_the_model_in_use():
    model = Part(load.network("dis-fast"), exact=lambda: load.network("dis-fast")).ready()
    assert not isinstance(model, SelfCheck)  # float32 has nothing to be checked against
