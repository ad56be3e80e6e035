"""Steady Clip and Steady Video."""

from __future__ import annotations

import footage
import pytest
import torch

HEIGHT, WIDTH = 48, 64


def clip(gains: list[float], step: float = 0.0) -> torch.Tensor:
    """A soft texture as an IMAGE, in the light of ``gains``."""
    pictures = footage.panned(len(gains), step, height=HEIGHT, width=WIDTH)
    return torch.stack([(picture * 0.8 * gain).movedim(0, -1) for picture, gain in zip(pictures, gains, strict=True)])


def light(images: torch.Tensor) -> torch.Tensor:
    return images.mean((1, 2, 3))


PULSE = [1.0, 1.0, 1.05, 1.0, 1.0, 1.0, 1.0, 1.0, 1.05, 1.0, 1.0, 1.0]


def test_a_pulse_goes_and_the_other_frames_stay(run, server):
    out, unchanged = run("InbetweenSteady", images=clip(PULSE), strength=1.0)
    assert float(light(out).std()) < 0.1 * float(light(clip(PULSE)).std())
    assert unchanged[:, 0, 0].tolist() == [float(gain == 1) for gain in PULSE]
    assert server.progress[-1] == (12, 12)


def test_strength_0_changes_nothing(run):
    given = clip(PULSE)
    out, unchanged = run("InbetweenSteady", images=given, strength=0.0)
    assert torch.equal(out, given)
    assert unchanged.all()


def test_alpha_and_grey_are_kept(run):
    given = clip(PULSE)
    alpha = torch.rand(HEIGHT, WIDTH, 1).expand(12, -1, -1, -1)
    out, _ = run("InbetweenSteady", images=torch.cat((given, alpha), dim=-1), strength=1.0)
    assert torch.equal(out[..., 3:], alpha)
    grey, _ = run("InbetweenSteady", images=given[..., :1], strength=1.0)
    assert grey.shape == (12, HEIGHT, WIDTH, 1)
    assert float(light(grey).std()) < 0.1 * float(light(given[..., :1]).std())


def test_a_plan_gives_the_cuts(run):
    given = clip([1.0] * 6 + [1.06] * 6)
    (plan, *_) = run("InbetweenFindShots", images=given, source_fps=24.0, edit="6")
    out, _ = run("InbetweenSteady", images=given, strength=1.0, plan=plan)
    assert torch.equal(out, given)


def test_a_model_without_motion_is_refused(run):
    (model,) = run("InbetweenLoadModel", model="linear")
    with pytest.raises(ValueError, match="does not estimate motion"):
        run("InbetweenSteady", images=clip(PULSE), strength=1.0, model=model)


def test_a_video_is_made_steady(run, part):
    video = part("nodes.video").InputImpl.VideoFromComponents(clip(PULSE), 24)
    made, fps, count = run("InbetweenSteadyVideo", video=video, strength=1.0, crf=4)
    assert (fps, count) == (24.0, 12)
    frames = list(part("vfi.clips.open").open_clip(made.get_stream_source()))
    means = torch.tensor([float(frame.rgb.float().mean()) for frame in frames])
    assert float(means.std() / means.mean()) < 0.2 * float(light(clip(PULSE)).std() / light(clip(PULSE)).mean())
