"""The example workflows, run in a real ComfyUI: what comes out is looked at frame by frame."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest
from forms import ROOT, all_saved, api_form, only, saved
from numpy.typing import NDArray

pytestmark = pytest.mark.comfyui

FOX, FRAMES, RATE = ROOT / "examples" / "fox-16fps.mp4", 33, 16
CUT = ROOT / "tests" / "data" / "clips" / "hard_cut_25fps.mp4"


def played(path: Path) -> tuple[list[float], list[NDArray]]:
    """When each frame of a video is shown, in seconds, and the frame, 0..255."""
    with av.open(path) as container:
        frames = list(container.decode(video=0))
    return [frame.time for frame in frames], [frame.to_ndarray(format="rgb24").astype(np.float32) for frame in frames]


def evenly(count: int, rate: int):
    return pytest.approx([k / rate for k in range(count)], abs=1e-3)


def apart(one: NDArray, other: NDArray) -> float:
    """The mean difference of two pictures, of 255."""
    return float(abs(one - other).mean())


def text(outputs: dict, workflow: dict) -> str:
    """What the workflow's Preview as Text shows."""
    (key,) = (key for key, node in workflow.items() if node["class_type"] == "PreviewAny")
    return "".join(outputs[key]["text"])


def test_a_cut_is_held_and_not_morphed(comfyui, session):
    workflow = api_form("Interpolate a clip with cuts")
    outputs, _ = session.run(workflow)
    times, frames = played(saved(comfyui, outputs))
    given = played(CUT)[1]
    assert times == evenly(96, 50)
    assert "cut, at 0.960 s (hold)" in text(outputs, workflow)
    loss = max(apart(frames[2 * k], given[k]) for k in range(48))  # of encoding
    assert loss < 4
    assert apart(frames[46], frames[47]) < 0.5  # the shot's last frame, shown until the next begins
    assert apart(frames[47], given[23]) < loss + 0.5
    assert apart(frames[48], given[24]) < loss
    assert apart(frames[47], frames[48]) > 50
    assert min(apart(frames[45], given[22]), apart(frames[45], given[23])) > 3  # before it, there is motion
    assert session.complaints() == []


def test_a_loop_comes_round(comfyui, session):
    workflow = api_form("Make a clip loop")
    outputs, _ = session.run(workflow)
    times, frames = played(saved(comfyui, outputs))
    assert times == evenly(74, 32)
    assert float(text(outputs, workflow)) < 1
    steps = [apart(one, other) for one, other in zip(frames, [*frames[1:], frames[0]], strict=True)]
    assert max(steps[-3:]) < 1.5 * max(steps[:-3])
    assert session.complaints() == []


def test_clips_that_share_frames_become_the_clip_that_they_are_of(comfyui, session):
    workflow = api_form("Join clips")
    outputs, _ = session.run(workflow)
    times, frames = played(saved(comfyui, outputs))
    assert times == evenly(FRAMES, RATE)
    assert text(outputs, workflow).count("3 shared frames left out") == 2
    assert max(apart(*pair) for pair in zip(frames, played(FOX)[1], strict=True)) < 2
    assert session.complaints() == []


def test_speed_follows_a_curve_written_or_drawn(comfyui, session):
    workflow = api_form("Ramp the speed of a clip")
    only(workflow, "InbetweenLoadModel")["model"] = "linear"
    outputs, _ = session.run(workflow)
    given = played(FOX)[1]
    videos = all_saved(comfyui, outputs)
    times, frames = played(videos["ramp"])
    assert times == evenly(96, 32)
    for shown, source in ((0, 0), (32, 10), (80, 25), (94, 32)):  # 1 to 1/4 in 1 s is 0.625 s of the clip
        assert apart(frames[shown], given[source]) < 2
        assert apart(frames[shown], given[source]) < min(
            apart(frames[shown], other) for other in given if other is not given[source]
        )
    times, frames = played(videos["ramp-drawn"])
    assert times == evenly(len(frames), 32)
    assert 2.9 < len(frames) / 32 < 3.2
    assert session.complaints() == []


def test_a_shutter_blurs(comfyui, session):
    workflow = api_form("Blur motion as a film camera does")
    only(workflow, "InbetweenShutterVideo")["samples"] = 2  # quicker
    outputs, _ = session.run(workflow)
    times, frames = played(saved(comfyui, outputs))
    assert times == evenly(FRAMES, RATE)
    sharp, blurred = ([float(abs(np.diff(frame, axis=1)).mean()) for frame in clip] for clip in (played(FOX)[1], frames))
    assert sum(blurred[:-1]) < 0.95 * sum(sharp[:-1])
    assert session.complaints() == []


def test_models_disagree_about_new_frames_alone(comfyui, session):
    workflow = api_form("See where models disagree")
    only(workflow, "InbetweenInterpolate")["images"] = only(workflow, "InbetweenFlowPicture")["images"] = ["few", 0]
    (parts,) = (key for key, node in workflow.items() if node["class_type"] == "GetVideoComponents")
    workflow["few"] = {"class_type": "ImageFromBatch", "inputs": {"image": [parts, 0], "batch_index": 0, "length": 3}}
    outputs, _ = session.run(workflow)
    videos = {name: played(path) for name, path in all_saved(comfyui, outputs).items()}
    assert videos["consensus"][0] == videos["disagreement"][0] == evenly(6, 2 * RATE)
    assert [frame.max() > 30 for frame in videos["disagreement"][1]] == [False, True, False, True, False, False]
    assert videos["motion"][0] == evenly(3, RATE)
    assert [frame.min() < 200 for frame in videos["motion"][1]] == [True, True, False]
    assert session.complaints() == []
