"""How many frames a node still makes once it was cancelled: counted, never timed."""

from __future__ import annotations

from typing import Any

import pytest
import torch

MANY = {"mode": "times", "times": 8}
CURVE = {"curve": "speed", "speed": "0:0.1", "start": -1.0}
JOIN = {"overlap": 0, "match_colours": False, "bridge_frames": 6}
NODES: dict[str, dict[str, Any]] = {
    "Interpolate": {"mode": MANY},
    "Retime": {"curve": CURVE},
    "Loop": {"mode": MANY, "part": {"part": "whole clip"}},
    "Shutter": {"target_fps": 24.0, "angle": 180.0, "samples": 8},
    "JoinClips": JOIN,
    "InterpolateVideo": {"mode": MANY},
    "RetimeVideo": {"curve": CURVE},
    "LoopVideo": {"mode": MANY, "part": {"part": "whole clip"}},
    "ShutterVideo": {"target_fps": 24.0, "angle": 180.0, "samples": 8},
    "JoinVideos": JOIN,
}

AT = 3
"""The new frame during which the run is cancelled."""


@pytest.fixture
def made(part, server, monkeypatch) -> list[float]:
    """The timesteps of the frames that the model ``linear`` makes; during one of them the run is cancelled."""
    linear, times = part("vfi.archs.blend").Linear, []
    at = linear.at

    def counted(self, prepared, t):
        times.extend(t.tolist())
        if len(times) >= AT:
            server.interrupt_at = 0
        return at(self, prepared, t)

    monkeypatch.setattr(linear, "at", counted)
    return times


@pytest.mark.parametrize("consensus", [False, True])
@pytest.mark.parametrize("name", NODES)
def test_a_cancelled_node_makes_no_further_frame(run, part, server, made, name: str, consensus: bool):
    images = torch.rand(12, 16, 16, 3)
    given = dict(NODES[name])
    (given["model"],) = run("InbetweenLoadModel", model="linear")
    if consensus:
        (nearest,) = run("InbetweenLoadModel", model="nearest")
        (given["model"],) = run("InbetweenConsensus", model_1=given["model"], model_2=nearest)
    video = part("nodes.video").InputImpl.VideoFromComponents(images, 24)
    if name == "JoinClips":
        given["clips"] = {"clip 1": images, "clip 2": images}
    elif name == "JoinVideos":
        given["videos"] = {"video 1": video, "video 2": video}
    else:
        given |= {"video": video} if name.endswith("Video") else {"images": images, "source_fps": 24.0}
    with pytest.raises(server.Interrupted):
        run(f"Inbetween{name}", **given)
    assert len(made) == AT
