"""The noise schedule, Euler's method and guidance."""

from __future__ import annotations

import math

import pytest
import torch
from tweening import stored

from vfi.core import InputError
from vfi.tween import edm


def test_the_schedule_is_the_published_one():
    data = stored("loop")
    assert edm.sigmas(3) == pytest.approx(data["expected.sigmas"].tolist(), rel=1e-6)
    assert [edm.level(sigma) for sigma in edm.sigmas(3)[:-1]] == pytest.approx(data["expected.timesteps"].tolist(), rel=1e-5)


def test_one_step_leaves_no_noise():
    assert edm.sigmas(1) == pytest.approx([700, 0])
    with pytest.raises(InputError, match="0 steps"):
        edm.sigmas(0)


@pytest.mark.parametrize("steps", [1, 5, 40])
def test_a_network_that_knows_the_picture_is_led_to_it(steps):
    picture = torch.randn(1, 3, 4, 2, 2)

    def knows(x, sigma):
        return (x / (sigma**2 + 1) - picture) * math.sqrt(sigma**2 + 1) / sigma

    seen: list[edm.Step] = []
    made = edm.euler(knows, torch.randn_like(picture), steps, seen.append)
    assert torch.allclose(made, picture, atol=1e-3)
    assert [step.number for step in seen] == list(range(1, steps + 1))
    assert all(torch.allclose(step.clean, picture, atol=1e-3) for step in seen)


def test_going_back_adds_as_much_noise_as_a_step_took_away():
    levels: list[float] = []

    def nothing(x, sigma):  # says that there is no picture
        levels.append(sigma)
        return x / (sigma**2 + 1) * math.sqrt(sigma**2 + 1) / sigma

    noise = torch.randn(1, 1, 100, 100)
    again = torch.randn(2, *noise.shape)
    made = edm.euler(nothing, noise, 3, again=lambda step: iter(again if step == 1 else ()))
    high, middle, low = levels[0], levels[1], levels[-1]
    assert levels == [high, middle, middle, middle, low]
    assert torch.allclose(made, torch.zeros_like(made), atol=1e-6)


def test_guidance_grows_to_the_end_or_to_the_middle():
    assert edm.guidance(5, (1, 3), "linear").tolist() == [1, 1.5, 2, 2.5, 3]
    assert edm.guidance(5, (1, 3), "triangle").tolist() == [1.25, 2.25, 3, 2.25, 1.25]


def test_frames_are_guided_each_by_its_own_strength():
    rows = torch.stack((torch.zeros(3, 4, 2, 2), torch.ones(3, 4, 2, 2)))
    assert edm.guided(rows, torch.tensor([0.0, 1.0, 3.0]))[0, :, 0, 0, 0].tolist() == [0, 1, 3]


def test_a_seed_is_always_the_same_noise():
    assert torch.equal(edm.noise_of(3)((2, 3)), edm.noise_of(3)((2, 3)))
    assert not torch.equal(edm.noise_of(3)((2, 3)), edm.noise_of(4)((2, 3)))
    assert not torch.equal(edm.noise_of(3)((2, 3)), edm.noise_of(3, stream=1)((2, 3)))
    assert edm.noise_of(2**64 - 1, stream=1)((2, 3)).isfinite().all()


def test_it_is_the_noise_that_comfyui_draws_of_that_seed():
    generator = torch.manual_seed(7)
    theirs = torch.randn((5, 4, 8, 16), dtype=torch.float32, generator=generator, device="cpu")
    assert torch.equal(edm.noise_of(7)((1, 5, 4, 8, 16))[0], theirs)
