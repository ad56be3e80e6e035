"""The types of ComfyUI between its nodes and ours: VIDEO in every form, lists, expanded graphs, curves."""

from __future__ import annotations

from typing import Any

import av
import pytest
from forms import saved
from safetensors.torch import load_file

pytestmark = pytest.mark.comfyui


def node(kind: str, **inputs: Any) -> dict[str, Any]:
    """A node in API form; two underscores in a name stand for a dot."""
    return {"class_type": kind, "inputs": {name.replace("__", "."): value for name, value in inputs.items()}}


LOAD = {
    "load": node("LoadVideo", file="fox-16fps.mp4"),
    "model": node("InbetweenLoadModel", model="linear", allow_download=False),
}
TWICE = {"mode": "times", "mode__times": 2}


def small(name: str, count: int = 5) -> dict[str, Any]:
    """The first frames of the clip, 64x48, as an IMAGE of the node ``name``."""
    return {
        "parts": node("GetVideoComponents", video=["load", 0]),
        "some": node("ImageFromBatch", image=["parts", 0], batch_index=0, length=count),
        name: node("ImageScale", image=["some", 0], upscale_method="area", width=64, height=48, crop="disabled"),
    }


SHUTTER = {"target_fps": 16.0, "angle": 180.0, "samples": 2}
WHOLE = {"part": "whole clip"}
MADE = {
    "interpolate": node("InbetweenInterpolateVideo", video=["cut", 0], model=["model", 0], **TWICE),
    "retime": node(
        "InbetweenRetimeVideo", video=["cut", 0], model=["model", 0], curve="speed", curve__speed="0:0.5", curve__start=-1
    ),
    "loop": node("InbetweenLoopVideo", video=["cut", 0], model=["model", 0], **TWICE, **WHOLE),
    "steady": node("InbetweenSteadyVideo", video=["cut", 0], strength=1.0),
    "shutter": node("InbetweenShutterVideo", video=["cut", 0], model=["model", 0], **SHUTTER),
    "join": node(
        "InbetweenJoinVideos",
        **{"videos.video 1": ["cut", 0]},
        **{"videos.video 2": ["rest", 0]},
        model=["model", 0],
        overlap=0,
        match_colours=False,
        bridge_frames=0,
    ),
}
COUNTS = {"interpolate": 16, "retime": 16, "loop": 16, "steady": 8, "shutter": 8, "join": 16}


def test_core_nodes_take_every_video_of_ours(comfyui, session):
    """What Video Slice cuts is read; what we make is saved, as it is and encoded anew, taken apart, and cut again."""
    workflow = {
        **LOAD,
        "outer": node("Video Slice", video=["load", 0], start_time=0.5, duration=1.5, strict_duration=False),
        "cut": node("Video Slice", video=["outer", 0], start_time=0.25, duration=0.5, strict_duration=False),
        "rest": node("Video Slice", video=["load", 0], start_time=-0.5, duration=0.5, strict_duration=False),
        **MADE,
    }
    for name, asked in (("auto", ("auto", "auto")), ("mp4", ("mp4", "auto")), ("h264", ("mp4", "h264"))):
        for made in MADE:
            workflow[f"{made} {name}"] = node(
                "SaveVideo", video=[made, 0], filename_prefix=f"{made}-{name}", format=asked[0], codec=asked[1]
            )
    for made in MADE:
        workflow[f"{made} parts"] = node("GetVideoComponents", video=[made, 0])
        workflow[f"{made} kept"] = node("TinyKeep", images=[f"{made} parts", 0], name=f"{made}.safetensors")
        workflow[f"{made} again"] = node("Video Slice", video=[made, 0], start_time=0.25, duration=0.25, strict_duration=False)
        workflow[f"{made} part"] = node(
            "SaveVideo", video=[f"{made} again", 0], filename_prefix=f"{made}-part", format="auto", codec="auto"
        )
    outputs, _ = session.run(workflow)
    for made, count in COUNTS.items():
        for name in ("auto", "mp4", "h264"):
            with av.open(saved(comfyui, {"": outputs[f"{made} {name}"]})) as container:
                assert sum(1 for _ in container.decode(video=0)) == count, (made, name)
        assert len(load_file(comfyui.base / "output" / f"{made}.safetensors")["images"]) == count, made
        with av.open(saved(comfyui, {"": outputs[f"{made} part"]})) as container:
            assert sum(1 for _ in container.decode(video=0)) in (4, 8), made
    assert session.complaints() == []


def test_ten_bits_made_of_images_stay_ten_bits(comfyui, session):
    workflow = {
        **LOAD,
        **small("images"),
        "video": node("CreateVideo", images=["images", 0], fps=16.0, bit_depth=10),
        "made": node("InbetweenInterpolateVideo", video=["video", 0], model=["model", 0], **TWICE),
        "save": node("SaveVideo", video=["made", 0], filename_prefix="deep", format="auto", codec="auto"),
    }
    outputs, _ = session.run(workflow)
    with av.open(saved(comfyui, outputs)) as container:
        assert container.streams.video[0].codec_context.format.name == "yuv420p10le"


def test_a_list_runs_once_for_each_and_is_joined_in_one_socket(comfyui, session):
    """Create List makes one; nodes that take single values run once per item, and a join takes all."""
    workflow = {
        **LOAD,
        "a": node("Video Slice", video=["load", 0], start_time=0.0, duration=0.5, strict_duration=False),
        "b": node("Video Slice", video=["load", 0], start_time=0.5, duration=0.75, strict_duration=False),
        "list": node("CreateList", inputs__input0=["a", 0], inputs__input1=["b", 0]),
        "each": node("InbetweenInterpolateVideo", video=["list", 0], model=["model", 0], **TWICE),
        "all": node(
            "InbetweenJoinVideos",
            **{"videos.video 1": ["each", 0]},
            model=["model", 0],
            overlap=0,
            match_colours=False,
            bridge_frames=0,
        ),
        "save": node("SaveVideo", video=["all", 0], filename_prefix="all", format="auto", codec="auto"),
        "parts": node("GetVideoComponents", video=["each", 0]),
        "clips": node(
            "InbetweenJoinClips",
            **{"clips.clip 1": ["parts", 0]},
            source_fps=["parts", 2],
            model=["model", 0],
            overlap=0,
            match_colours=False,
            bridge_frames=0,
        ),
        "kept": node("TinyKeep", images=["clips", 0], name="clips.safetensors"),
    }
    outputs, _ = session.run(workflow)
    with av.open(saved(comfyui, {"": outputs["save"]})) as container:
        assert sum(1 for _ in container.decode(video=0)) == 2 * (8 + 12)
    assert len(load_file(comfyui.base / "output" / "clips.safetensors")["images"]) == 2 * (8 + 12)


def test_nodes_in_an_expanded_loop_see_each_turn_s_values(comfyui, session):
    """A loop is its body, copied once per turn and linked to the turn before. Inside a subgraph, ids have colons."""
    turns = node("TinyTurns", images=["9:1", 0], model=["9:2", 0], turns=3)
    inside = small("9:1", 3)
    workflow = {"load": LOAD["load"], "9:2": LOAD["model"], **inside, "9:3": turns}
    workflow["looped"] = node("TinyKeep", images=["9:3", 0], name="looped.safetensors")
    source = ["9:1", 0]
    for turn in range(3):
        workflow[f"by hand {turn}"] = node(
            "InbetweenInterpolate", images=source, model=["9:2", 0], source_fps=24.0, mode="times", mode__times=turn + 2
        )
        source = [f"by hand {turn}", 0]
    workflow["chained"] = node("TinyKeep", images=source, name="chained.safetensors")
    session.run(workflow)
    looped, chained = (load_file(comfyui.base / "output" / f"{name}.safetensors")["images"] for name in ("looped", "chained"))
    assert len(looped) == 49  # 3, 5, 13, 49
    assert (looped == chained).all()

    turns["inputs"]["turns"] = 2  # only what has changed runs again
    _, events = session.run(workflow)
    (cached,) = (event.data["nodes"] for event in events if event.type == "execution_cached")
    assert {"9:1", "9:2", "by hand 2"} <= set(cached)
    assert len(load_file(comfyui.base / "output" / "looped.safetensors")["images"]) == 13
    assert session.complaints() == []


def test_a_drawn_curve_means_what_core_s_editor_draws(comfyui, session):
    """Its bottom is the start of the clip and its top the end, and between its points it is core's own interpolation."""
    points = [[0.0, 0.0], [0.3, 0.8], [0.7, 0.5], [1.0, 1.0]]
    for kind in ("monotone_cubic", "linear"):
        drawn = {"__value__": {"points": points, "interpolation": kind}}
        workflow = {
            **LOAD,
            **small("images", 17),
            "curve": node("CurveEditor", curve=drawn),
            "told": node("TinyCurve", curve=["curve", 0], count=17),
            "made": node(
                "InbetweenRetime",
                images=["images", 0],
                model=["model", 0],
                source_fps=16.0,
                curve="drawn position",
                curve__position_curve=["curve", 0],
            ),
            "times": node("PreviewAny", source=["made", 4]),
            "values": node("PreviewAny", source=["told", 0]),
        }
        outputs, _ = session.run(workflow)
        shown, core = ("".join(outputs[name]["text"]).split() for name in ("times", "values"))
        duration = 17 / 16
        assert [float(second) for second in shown] == pytest.approx([min(float(y) * duration, 1.0) for y in core], abs=1e-5)
