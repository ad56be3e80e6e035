from __future__ import annotations

import pytest
import torch

TWICE = {"mode": "times", "times": 2}
WHOLE = {"part": "whole clip"}


@pytest.fixture
def linear(run):
    (model,) = run("InbetweenLoadModel", model="linear")
    return model


def ramp(values: list[float]) -> torch.Tensor:
    return torch.tensor(values)[:, None, None, None].expand(-1, 4, 6, 3).clone()


def test_the_wrap_pair_gets_its_frames(run, linear, server):
    images, fps, count, originals, jump = run("InbetweenLoop", model=linear, images=ramp([0, 0.2, 0.4]), mode=TWICE, part=WHOLE)
    assert (fps, count) == (48.0, 6)
    assert images[:, 0, 0, 0].tolist() == pytest.approx([0, 0.1, 0.2, 0.3, 0.4, 0.2])
    assert originals[:, 0, 0].tolist() == [1, 0, 1, 0, 1, 0]
    assert jump == pytest.approx(1)
    assert server.progress[-1] == (6, 6)


def test_a_frame_rate_and_a_measured_gap(run, linear):
    mode = {"mode": "frame rate", "target_fps": 30.0}
    images, fps, count, *_ = run("InbetweenLoop", model=linear, images=ramp([0, 0.2, 0.4]), mode=mode, part=WHOLE, gap=0)
    assert (fps, count) == (30.0, 5)
    assert images[:, 0, 0, 0].tolist() == pytest.approx([0, 0.16, 0.32, 0.32, 0.16])


def test_the_best_part_is_taken(run, linear):
    clip = ramp([0.1, 0.2, 0.3, 0.4, 0.5, 0.4, 0.3, 0.2, 0.1, 0.2, 0.3, 0.4, 0.7])
    part = {"part": "best loop", "shortest": 0.1}
    images, _, count, _, jump = run("InbetweenLoop", model=linear, images=clip, mode=TWICE, part=part)
    assert (count, len(images), jump) == (16, 16, pytest.approx(0, abs=1e-5))


def test_a_video_loops(run, linear, part, server):
    video = part("nodes.video").InputImpl.VideoFromComponents(ramp([0, 0.2, 0.4]).repeat(1, 8, 8, 1), 24)
    made, fps, count, _ = run("InbetweenLoopVideo", model=linear, video=video, mode=TWICE, part=WHOLE)
    assert (fps, count) == (48.0, 6)
    frames = list(part("vfi.clips.open").open_clip(made.get_stream_source()))
    assert [float(frame.rgb.mean()) for frame in frames] == pytest.approx([0, 0.1, 0.2, 0.3, 0.4, 0.2], abs=0.01)
