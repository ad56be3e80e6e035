"""The pack inside a real ComfyUI: loading, help, progress, cancel, and what nodes do beside others."""

from __future__ import annotations

import re
import time
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.parse import quote

import av
import cv2
import numpy as np
import pytest
from forms import EXAMPLES, ROOT, api_form, only, saved

from vfi.clips.images import read_image

FRAMES, RATE = 33, 16
"""Of the example clip."""

pytestmark = pytest.mark.comfyui


def of_the_pack(info: dict[str, Any]) -> dict[str, Any]:
    return {name: node for name, node in info.items() if node["python_module"] == "custom_nodes.inbetween"}


def test_the_pack_loads_without_a_warning(comfyui):
    log = comfyui.text()
    assert re.search(r"\d seconds: \S*custom_nodes/inbetween", log)
    assert "(IMPORT FAILED)" not in re.sub(r"\S*comfy_extras\S*", "", log)
    assert comfyui.complaints() == []


def test_the_nodes_are_listed_with_their_help(comfyui):
    listed = of_the_pack(comfyui.get("/object_info"))
    assert listed.keys() == {path.stem for path in (ROOT / "js" / "docs").glob("*.md")}
    for name, node in listed.items():
        assert node["category"].startswith("Inbetween/")
        assert node["search_aliases"]
        assert all(node["output_tooltips"])
        inputs = {**node["input"].get("required", {}), **node["input"].get("optional", {})}
        assert all(options["tooltip"] for _, options in inputs.values())
        assert comfyui.fetch(f"/extensions/inbetween/docs/{name}.md").startswith(b"# ")


def test_the_templates_are_offered(comfyui):
    assert sorted(comfyui.get("/workflow_templates")["inbetween"]) == EXAMPLES
    for name in EXAMPLES:
        assert comfyui.get(f"/api/workflow_templates/inbetween/{quote(name)}.json")["nodes"]
        assert comfyui.fetch(f"/api/workflow_templates/inbetween/{quote(name)}.jpg")[:2] == b"\xff\xd8"


@pytest.mark.parametrize("name", ["Interpolate a clip", "Smooth a batch of images"])
def test_an_example_runs(comfyui, session, name: str):
    outputs, events = session.run(api_form(name))
    with av.open(saved(comfyui, outputs)) as container:
        times = [frame.time for frame in container.decode(video=0)]
        duration = container.duration / av.time_base
    assert times == pytest.approx([k / (2 * RATE) for k in range(2 * FRAMES)], abs=1e-3)
    assert duration == pytest.approx(FRAMES / RATE, abs=2e-3)
    progress = [event.data["value"] for event in events if event.type == "progress" and event.data["max"] == 2 * FRAMES]
    assert progress == sorted(progress)
    assert progress[-1] == 2 * FRAMES
    assert len(progress) > 5
    assert session.complaints() == []


def test_a_model_that_is_not_there_is_refused_before_anything_runs(comfyui):
    workflow = api_form("Interpolate a clip")
    only(workflow, "InbetweenLoadModel")["model"] = "rife-4.25 (download)"
    answer = comfyui.post("/prompt", prompt=workflow)
    (node,) = (node for node in answer["node_errors"].values() if node["class_type"] == "InbetweenLoadModel")
    (error,) = node["errors"]
    assert error["extra_info"]["input_name"] == "model"
    assert error["details"].startswith("model - rife-4.25 is not on disk and allow download is off")


def test_an_error_is_one_sentence_after_the_name_of_the_pack(session):
    """ComfyUI's browser shows the type, a colon and the message."""
    workflow = api_form("Interpolate a clip")
    (make,) = (node for node in workflow.values() if node["class_type"] == "InbetweenInterpolateVideo")
    make["class_type"] = "InbetweenRetimeVideo"
    make["inputs"] = {"video": make["inputs"]["video"], "curve": "speed", "curve.speed": "fast", "curve.start": -1.0}
    error = session.ended(session.queue(workflow))[-1]
    assert error.type == "execution_error"
    assert error.data["node_type"] == "InbetweenRetimeVideo"
    assert error.data["exception_type"] == "Inbetween"
    assert "'fast'" in error.data["exception_message"]


@pytest.mark.parametrize("name", ["Interpolate a clip", "Smooth a batch of images"])
def test_cancel_comes_within_one_frame(comfyui, session, name: str):
    workflow = api_form(name)
    (make,) = (node for node in workflow.values() if node["class_type"].startswith("InbetweenInterpolate"))
    make["inputs"]["mode.times"] = 9  # too long to end by itself, and not yet cached
    before = set((comfyui.base / "temp").iterdir())
    prompt = session.queue(workflow)
    steps = [event for event in session.events.until(lambda event: event.type == "progress" and event.data["value"] >= 20)]
    made = [event for event in steps if event.type == "progress" and event.data["max"] == 9 * FRAMES]
    frame = max((b.at - a.at) / (b.data["value"] - a.data["value"]) for a, b in pairwise(made))  # the slowest so far
    time.sleep(frame / 2)  # in the middle of a frame
    asked = time.monotonic()
    comfyui.post("/interrupt")
    end = session.ended(prompt)[-1]
    assert end.type == "execution_interrupted"
    assert end.at - asked < 2 * frame + 0.25, f"{end.at - asked:.3f} s to cancel at {frame:.3f} s a frame"
    assert set((comfyui.base / "temp").iterdir()) == before


@pytest.mark.parametrize("name", ["Interpolate a clip", "Smooth a batch of images"])
def test_new_frames_are_shown_as_the_user_asks(session, name: str):
    """As with samplers: a run says how it wants previews, and the server wants none by default."""
    workflow = api_form(name)
    only(workflow, "InbetweenLoadModel")["model"] = "linear"
    (make,) = (node for node in workflow.values() if node["class_type"].startswith("InbetweenInterpolate"))
    shown = []
    for times, settings in ((3, {"preview_method": "auto"}), (4, {"preview_method": "none"}), (5, {})):
        make["inputs"]["mode.times"] = times  # not yet cached
        events = session.ended(session.queue(workflow, **settings))
        assert events[-1].type == "execution_success", events[-1].data
        shown.append([event.data["jpeg"] for event in events if event.type == "preview"])
    pictures = [cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR) for jpeg in shown[0]]
    assert pictures
    assert all(max(picture.shape[:2]) <= 512 and picture.std() > 10 for picture in pictures)
    assert shown[1:] == [[], []]
    assert session.complaints() == []


def record(path: Path) -> None:
    """A second of 24 frames with a tone."""
    with av.open(path, "w") as output:
        video = output.add_stream("libx264", rate=24)
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        sound = output.add_stream("aac", rate=48000, layout="mono")
        for _ in range(24):
            output.mux(video.encode(av.VideoFrame(64, 48, "yuv420p")))
        output.mux(video.encode(None))
        tone = av.AudioFrame.from_ndarray(np.sin(np.arange(48000, dtype=np.float32) / 20)[None], format="fltp", layout="mono")
        tone.sample_rate = 48000
        output.mux(sound.encode(tone))
        output.mux(sound.encode(None))


def of_file(name: str) -> dict[str, Any]:
    """The example *Interpolate a clip*, of a file in the input folder."""
    workflow = api_form("Interpolate a clip")
    (example,) = (node for node in workflow.values() if node["class_type"] == "InbetweenExampleClip")
    example |= {"class_type": "LoadVideo", "inputs": {"file": name}}
    return workflow


@pytest.mark.parametrize("source", ["trimmed", "in memory"])
def test_a_video_is_taken_as_the_node_before_leaves_it(comfyui, session, source: str):
    record(comfyui.base / "input" / "tone.mp4")
    workflow = of_file("tone.mp4")
    make = only(workflow, "InbetweenInterpolateVideo")
    only(workflow, "InbetweenLoadModel")["model"] = "linear"
    if source == "trimmed":
        inputs = {"video": make["video"], "start_time": 0.25, "duration": 0.5, "strict_duration": False}
        workflow["trim"] = {"class_type": "Video Slice", "inputs": inputs}
        make["video"], seconds = ["trim", 0], 0.5
    else:
        workflow["parts"] = {"class_type": "GetVideoComponents", "inputs": {"video": make["video"]}}
        inputs = {"images": ["parts", 0], "audio": ["parts", 1], "fps": ["parts", 2]}
        workflow["whole"] = {"class_type": "CreateVideo", "inputs": inputs}
        make["video"], seconds = ["whole", 0], 1.0
    outputs, _ = session.run(workflow)
    with av.open(saved(comfyui, outputs)) as container:
        frames = list(container.decode(*container.streams))
    pictures = [frame for frame in frames if isinstance(frame, av.VideoFrame)]
    heard = sum(frame.samples / frame.sample_rate for frame in frames if isinstance(frame, av.AudioFrame))
    assert [frame.time for frame in pictures] == pytest.approx([k / 48 for k in range(round(48 * seconds))], abs=1e-3)
    assert heard == pytest.approx(seconds, abs=0.06)


@pytest.mark.parametrize("curve", ["written", "drawn", "connected"])
def test_a_video_is_retimed_along_a_curve(comfyui, session, curve: str):
    record(comfyui.base / "input" / "tone.mp4")
    workflow = of_file("tone.mp4")
    (make,) = (node for node in workflow.values() if node["class_type"] == "InbetweenInterpolateVideo")
    only(workflow, "InbetweenLoadModel")["model"] = "linear"
    drawn = {"points": [[0, 0.25], [1, 0.25]], "interpolation": "monotone_cubic"}
    workflow["drawn"] = {"class_type": "CurveEditor", "inputs": {"curve": {"__value__": drawn}}}
    value = ["drawn", 0] if curve == "connected" else {"__value__": drawn}
    asked = {"curve": "drawn speed", "curve.speed_curve": value, "curve.fastest": 2.0}
    if curve == "written":
        asked = {"curve": "speed", "curve.speed": "0:0.5", "curve.start": -1.0}
    make["class_type"] = "InbetweenRetimeVideo"
    make["inputs"] = {key: make["inputs"][key] for key in ("model", "video", "codec", "crf")}
    make["inputs"] |= asked | {"duration": 0.0, "target_fps": 0.0, "audio": "auto"}
    outputs, _ = session.run(workflow)
    with av.open(saved(comfyui, outputs)) as container:
        assert sum(1 for _ in container.decode(video=0)) == 48
        assert [float(stream.duration * stream.time_base) for stream in container.streams] == pytest.approx([2, 2], abs=1e-3)


def test_chunks_run_one_by_one_and_join(comfyui, session):
    """The list that Split gives makes ComfyUI run Interpolate once a chunk, and Join take all of them at once."""
    workflow = api_form("Smooth a batch of images")
    names = {node["class_type"]: key for key, node in workflow.items()}
    make, load = names["InbetweenInterpolate"], names["GetVideoComponents"]
    model = only(workflow, "InbetweenTTA")["model"]
    only(workflow, "InbetweenLoadModel")["model"] = "linear"
    workflow["split"] = {"class_type": "InbetweenSplitFrames", "inputs": {"images": [load, 0], "size": 10, "overlap": 1}}
    workflow["join"] = {"class_type": "InbetweenJoinFrames", "inputs": {"chunks": [make, 0], "overlap": 1, "seam": "earlier"}}
    workflow["turn"] = {"class_type": "InbetweenPingPong", "inputs": {"images": ["join", 0], "loop": True}}
    choice = {"select": "range", "select.first": 0, "select.last": -1, "select.every": 4}
    workflow["select"] = {"class_type": "InbetweenSelectFrames", "inputs": {"images": ["turn", 0], **choice}}
    workflow[make]["inputs"] |= {"images": ["split", 0], "model": model, "hold_last": False, "source_fps": 16.0}
    only(workflow, "CreateVideo").update({"images": ["select", 0], "fps": 16.0})
    outputs, _ = session.run(workflow)
    with av.open(saved(comfyui, outputs)) as container:
        count = sum(1 for _ in container.decode(video=0))
    whole = 2 * (FRAMES - 1) + 1
    assert count == len(range(0, 2 * whole - 2, 4))


def test_a_consensus_and_the_flow_of_a_model(comfyui, session):
    def load(name: str) -> dict[str, Any]:
        return {"class_type": "InbetweenLoadModel", "inputs": {"model": name, "allow_download": False}}

    images = ["three", 0]
    interpolated = {"images": images, "model": ["consensus", 0], "source_fps": 16, "mode": "times", "mode.times": 2}
    workflow = {
        "video": {"class_type": "LoadVideo", "inputs": {"file": "fox-16fps.mp4"}},
        "parts": {"class_type": "GetVideoComponents", "inputs": {"video": ["video", 0]}},
        "three": {"class_type": "ImageFromBatch", "inputs": {"image": ["parts", 0], "batch_index": 0, "length": 3}},
        "dis": load("dis"),
        "linear": load("linear"),
        "consensus": {"class_type": "InbetweenConsensus", "inputs": {"model_1": ["dis", 0], "model_2": ["linear", 0]}},
        "made": {"class_type": "InbetweenInterpolate", "inputs": interpolated},
        "grey": {"class_type": "MaskToImage", "inputs": {"mask": ["made", 4]}},
        "doubt": {"class_type": "SaveImage", "inputs": {"images": ["grey", 0], "filename_prefix": "doubt"}},
        "motion": {
            "class_type": "InbetweenFlowPicture",
            "inputs": {"model": ["consensus", 0], "images": images, "toward": "next", "radius": 0},
        },
        "flow": {"class_type": "SaveImage", "inputs": {"images": ["motion", 0], "filename_prefix": "flow"}},
    }
    outputs, _ = session.run(workflow)

    def means(node: str) -> list[float]:
        files = [comfyui.base / "output" / item["filename"] for item in outputs[node]["images"]]
        return [float(read_image(file).rgb.mean()) for file in files]

    assert [mean > 0 for mean in means("doubt")] == [False, True, False, True, False]
    assert [mean < 1 for mean in means("flow")] == [True, True, False]
    assert session.complaints() == []
