"""What the track editor puts out is what ComfyUI's own nodes of drawn motion take."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

import pytest

pytestmark = pytest.mark.comfyui

FRAMES = 5
DRAWING = {
    "v": 1,
    "size": [64, 48],
    "tracks": [{"pts": [[8, 10], [30, 40], [56, 10]], "ease": "inout"}, {"pts": [[20, 20]]}],
}


def node(kind: str, **inputs: Any) -> dict[str, Any]:
    return {"class_type": kind, "inputs": inputs}


@pytest.fixture
def workflow() -> dict[str, Any]:
    """The editor between two pictures, and what it puts out as others see it."""
    size = {"width": 64, "height": 48}
    picture = {**size, "batch_size": 1}
    style = {"line_resolution": 24, "circle_size": 2, "opacity": 0.75, "line_width": 2}
    given = {"frames": FRAMES, **size, "radius": 8.0, "drawing": json.dumps(DRAWING)}
    return {
        "1": node("EmptyImage", **picture, color=255),
        "2": node("EmptyImage", **picture, color=0),
        "3": node("InbetweenTrackEditor", **given, first=["1", 0], last=["2", 0]),
        "4": node("WanMoveTracksFromCoords", track_coords=["3", 1]),
        "5": node("WanMoveVisualizeTracks", images=["3", 2], tracks=["3", 0], **style),
        "6": node("PreviewAny", source=["3", 0]),
        "7": node("PreviewAny", source=["4", 0]),
        "8": node("PreviewAny", source=["4", 1]),
        "9": node("SaveImage", images=["5", 0], filename_prefix="tracks"),
        "10": node("MaskPreview", mask=["3", 3]),
    }


def test_nodes_of_wan_move_take_the_tracks_and_the_text_alike(session, workflow):
    outputs, _ = session.run(workflow)
    ours, theirs = (outputs[number]["text"][0] for number in ("6", "7"))
    assert ours == theirs
    assert "track_visibility" in ours
    assert outputs["8"]["text"] == [str(FRAMES)]
    assert len(outputs["9"]["images"]) == len(outputs["10"]["images"]) == FRAMES
    assert session.complaints() == []


ATI = """
import json, sys
text, sys.argv[1:] = sys.stdin.read(), ["--cpu"]
import comfy.options
comfy.options.enable_args_parsing()
import torch
from comfy_extras.nodes_wan import WanTrackToVideo, parse_json_tracks
class Vae:
    def encode(self, video):
        return torch.zeros(1, 16, (len(video) + 3) // 4, video.shape[1] // 8, video.shape[2] // 8)
given = [[torch.zeros(1, 1, 8), {}]]
size = {"width": 64, "height": 48, "length": 81, "batch_size": 1}
asked = {"tracks": text, "temperature": 20.0, "topk": 2, "start_image": torch.zeros(1, 48, 64, 3)}
made = WanTrackToVideo.execute(positive=given, negative=given, vae=Vae(), **size, **asked)
led = 1 - made.args[0][0][1]["concat_mask"][0, 0]
json.dump({"read": parse_json_tracks(text), "led": led.tolist()}, sys.stdout)
"""
"""The node of ATI at work in ComfyUI's own interpreter, without the network: what it reads, and how far each cell is led."""


def test_the_node_of_ati_leads_where_was_drawn(comfyui, session, workflow):
    workflow["3"]["inputs"]["frames"] = 121
    workflow["11"] = node("PreviewAny", source=["3", 1])
    outputs, _ = session.run(workflow)
    (text,) = outputs["11"]["text"]
    info = comfyui.get("/object_info")
    assert info["WanTrackToVideo"]["input"]["required"]["tracks"][0] == info["InbetweenTrackEditor"]["output"][1]
    command = [os.environ.get("COMFYUI_PYTHON", sys.executable), "-c", ATI]
    done = subprocess.run(command, input=text, cwd=os.environ["COMFYUI_PATH"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert [len(track) for track in told["read"]] == [121, 121]
    places = [[told["read"][0][frame][key] for key in "xy"] for frame in (0, 60, 120)]
    assert places == [pytest.approx(point, abs=1e-3) for point in DRAWING["tracks"][0]["pts"]]
    for moment, row, column in ((10, 4, 3), (20, 1, 6)):  # of 20 and a first, in cells of 8 pixels
        led = told["led"][moment]
        assert led[row][column] == max(max(line) for line in led)


def test_the_browser_is_told_what_it_shows_after_a_run(comfyui, session, workflow):
    workflow["3"]["inputs"]["matches"] = ["4", 0]
    workflow["4"]["inputs"]["track_coords"] = '[[{"x": 1, "y": 2}, {"x": 3, "y": 4}]]'
    _, events = session.run(workflow)
    (told,) = (event.data["output"] for event in events if event.type == "executed" and event.data["node"] == "3")
    assert told["matches"] == [[1, 2, 3, 4]]
    assert (told["frames"], told["size"]) == ([FRAMES], [64, 48])
    for name in ("first", "last"):
        (picture,) = told[name]
        query = "&".join(f"{key}={value}" for key, value in picture.items())
        assert comfyui.fetch(f"/view?{query}").startswith(b"\x89PNG")


def test_a_drawing_that_cannot_be_read_says_where(session, workflow):
    workflow["3"]["inputs"]["drawing"] = '{"v": 1, "size": [64, 48], "tracks": [{"pts": [[1]]}]}'
    last = session.ended(session.queue(workflow))[-1]
    assert last.type == "execution_error"
    assert "tracks[0].pts[0] is [1]" in last.data["exception_message"]
