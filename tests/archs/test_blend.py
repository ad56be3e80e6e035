"""The models without motion: exact values."""

from __future__ import annotations

import pytest
import torch

from vfi.archs.blend import BUILTIN
from vfi.core import InputError, Interpolator, Options


@pytest.fixture
def window() -> torch.Tensor:
    return torch.rand(1, 2, 3, 4, 5, generator=torch.Generator().manual_seed(1))


def test_linear_mixes_by_time(window: torch.Tensor):
    t = torch.tensor([0.25, 0.5, 0.75])
    made = BUILTIN["linear"](Options())(window, t)
    for picture, weight in zip(made, t.tolist(), strict=True):
        torch.testing.assert_close(picture, window[0, 0] * (1 - weight) + window[0, 1] * weight)


def test_linear_keeps_what_does_not_change(window: torch.Tensor):
    still = window[:, :1].repeat(1, 2, 1, 1, 1)
    assert torch.equal(BUILTIN["linear"](Options())(still, torch.tensor([0.3])), still[:, 0])


def test_nearest_takes_the_nearer_frame_and_the_first_at_half(window: torch.Tensor):
    made = BUILTIN["nearest"](Options())(window, torch.tensor([0.1, 0.5, 0.6]))
    assert torch.equal(made, torch.stack((window[0, 0], window[0, 0], window[0, 1])))


@pytest.mark.parametrize("name", BUILTIN)
def test_each_keeps_its_promises(name: str, window: torch.Tensor):
    model = BUILTIN[name](Options(scale=0.5, refine=False))
    assert isinstance(model, Interpolator)
    assert (model.spec.name, model.spec.licence) == (name, "MIT")
    one_pixel = model(window[..., :1, :1].half(), torch.tensor([0.5]))
    assert one_pixel.shape == (1, 3, 1, 1)
    assert one_pixel.dtype == torch.float16


@pytest.mark.parametrize("name", BUILTIN)
@pytest.mark.parametrize("options", [Options(ensemble=True), Options(variant="4.0")])
def test_options_of_networks_are_refused(name: str, options: Options):
    with pytest.raises(InputError, match="is not a neural network"):
        BUILTIN[name](options)
