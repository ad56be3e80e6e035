"""Compare inside a real ComfyUI: a batch against a video of another rate, and what its view is told."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

import cv2
import numpy as np
import pytest

pytestmark = pytest.mark.comfyui


def node(kind: str, **inputs: Any) -> dict[str, Any]:
    return {"class_type": kind, "inputs": inputs}


def compare(a: list, b: list, **given: Any) -> dict[str, Any]:
    usual = {"a_fps": 24.0, "b_fps": 0.0, "measure": "PSNR", "start": 0.0, "steps": 5}
    return node("InbetweenCompare", a=a, b=b, **(usual | given))


def test_a_batch_is_compared_with_a_video_of_twice_its_rate(comfyui, session):
    workflow = {
        "load": node("LoadVideo", file="room-16fps.mp4"),
        "part": node("Video Slice", video=["load", 0], start_time=0.0, duration=0.5, strict_duration=False),
        "frames": node("GetVideoComponents", video=["part", 0]),
        "model": node("InbetweenLoadModel", model="linear", allow_download=False),
        "make": node("InbetweenInterpolateVideo", video=["part", 0], model=["model", 0], mode="times", **{"mode.times": 2}),
        "compare": compare(["frames", 0], ["make", 0], a_fps=16.0, measure="PSNR and SSIM"),
        "report": node("PreviewAny", source=["compare", 1]),
        "difference": node("PreviewImage", images=["compare", 0]),
    }
    outputs, _ = session.run(workflow)
    (told,) = outputs["compare"]["inbetween_compare"]
    assert (told["first"], told["of"], len(told["steps"])) == (0, 16, 5)
    assert [step["numbers"] for step in told["steps"]] == [[k // 2, k] for k in range(5)]
    assert any("a has 16 fps and b has 32 fps" in note for note in told["notes"])
    assert outputs["report"]["text"] == [told["report"]]
    assert len(outputs["difference"]["images"]) == 5
    one, other = (picture(comfyui, told, told["steps"][0]["files"][side]) for side in (0, 1))
    assert one.shape == other.shape == (350, 350, 3)
    made = 10 * np.log10(255**2 / np.square(one.astype(float) - other).mean())  # the source's frame, once more encoded
    assert made == pytest.approx(told["steps"][0]["psnr"], abs=1e-6)
    assert made > 35
    assert session.complaints() == []


def picture(comfyui: Any, told: dict[str, Any], name: str) -> np.ndarray:
    """A picture, as the browser fetches it."""
    png = comfyui.fetch(f"/view?{urlencode({'filename': name, 'subfolder': told['folder'], 'type': 'temp'})}")
    return cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_COLOR)


def test_what_is_neither_images_nor_a_video_cannot_be_linked(comfyui):
    workflow = {
        "model": node("InbetweenLoadModel", model="linear", allow_download=False),
        "compare": compare(["model", 0], ["model", 0]),
    }
    answer = comfyui.post("/prompt", prompt=workflow)
    assert {error["type"] for error in answer["node_errors"]["compare"]["errors"]} == {"return_type_mismatch"}
