from __future__ import annotations

from fractions import Fraction

import pytest
import torch

from vfi.clips.video import VideoReader
from vfi.pixels.transfer import named


@pytest.fixture
def linear(run):
    (model,) = run("InbetweenLoadModel", model="linear")
    return model


@pytest.mark.parametrize(("target", "count"), [(24.0, 5), (12.0, 3), (48.0, 9), (23.976, 4)])
def test_counts_and_rates(run, linear, target: float, count: int):
    images = torch.rand(5, 4, 6, 3)
    made, fps, given = run("InbetweenShutter", model=linear, images=images, target_fps=target)
    assert (len(made), given) == (count, count)
    assert fps == pytest.approx(target, abs=1e-3)


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_frames_are_the_mean_of_their_exposure(run, linear, channels: int):
    images = torch.ones(3, 4, 6, channels)
    for index, level in enumerate((0.0, 1.0, 1.0)):
        images[index, ..., :3] = level
    made, *_ = run("InbetweenShutter", model=linear, images=images, angle=180.0, samples=4, light="linear")
    assert made.shape == images.shape
    torch.testing.assert_close(made[0, ..., 0], torch.full((4, 6), (0 + 1 + 2 + 3) / 8 / 4))
    assert torch.equal(made[2], images[2])
    brighter, *_ = run("InbetweenShutter", model=linear, images=images, angle=180.0, samples=4)
    assert (brighter[0, ..., 0] > made[0, ..., 0]).all()
    torch.testing.assert_close(made[..., 3:], torch.ones_like(made[..., 3:]))


def test_cancel_comes_before_another_moment_is_made(run, linear, server, part, monkeypatch):
    chances = iter(range(20))  # fewer than the moments of one exposure

    def interrupted() -> None:
        if next(chances, None) is None:
            raise server.Interrupted

    monkeypatch.setattr(part("nodes.bridge"), "throw_exception_if_processing_interrupted", interrupted)
    with pytest.raises(server.Interrupted):
        run("InbetweenShutter", model=linear, images=torch.rand(2, 4, 6, 3), samples=64)
    assert server.progress == []


@pytest.mark.parametrize(("light", "curve"), [("auto", "srgb"), ("linear", "linear")])
def test_a_video_is_blurred_in_its_light_and_keeps_its_length(run, linear, part, light: str, curve: str):
    images = torch.stack([torch.full((48, 64, 3), level) for level in (0.1, 0.9, 0.9, 0.9)])
    video = part("nodes.video").InputImpl.VideoFromComponents(images, Fraction(24))
    made, fps, count = run("InbetweenShutterVideo", model=linear, video=video, angle=360.0, samples=2, light=light, crf=1)
    assert (fps, count) == (24, 4)
    pictures = list(VideoReader(made.get_stream_source()))
    light_of = named(curve)
    moments = light_of.light(torch.tensor([0.1, 0.5]))
    assert pictures[0].rgb.mean().item() == pytest.approx(light_of.code(moments.mean()).item(), abs=0.02)
    assert pictures[-1].rgb.mean().item() == pytest.approx(0.9, abs=0.02)
