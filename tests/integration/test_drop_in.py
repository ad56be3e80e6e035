"""Workflows of packs that are not installed, converted by a real ComfyUI: by its server, and by its browser code."""

from __future__ import annotations

import re

import av
import numpy as np
import pytest
import torch
from other_packs import FRAMES, api_form, graph
from parity import load_set

COUNT = 6

pytestmark = pytest.mark.comfyui


@pytest.fixture
def clip(comfyui) -> None:
    with av.open(comfyui.base / "input" / "short.mp4", "w") as output:
        video = output.add_stream("libx264", rate=16)
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        for index in range(COUNT):
            picture = np.full((48, 64, 3), 30 * index, np.uint8)
            output.mux(video.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        output.mux(video.encode(None))


def test_the_server_knows_what_replaces_them(comfyui):
    told = comfyui.get("/node_replacements")
    assert told["RIFE VFI"][0]["new_node_id"] == "InbetweenDropIn"
    assert told["FrameInterpolate"][0]["new_node_id"] == "InbetweenDropIn"
    assert "RIFE_VFI_Advanced" not in told  # its timing of each pair has no counterpart


@pytest.mark.usefixtures("clip")
@pytest.mark.parametrize("name", sorted(FRAMES))
def test_a_workflow_of_a_missing_pack_gives_its_number_of_frames(session, name: str):
    outputs, _ = session.run(api_form(name))
    assert len(outputs["9"]["images"]) == FRAMES[name](COUNT)
    assert session.complaints() == []


OFFER = re.compile("^(Show swap nodes|See errors|View details)$", re.IGNORECASE)
"""The button in ComfyUI's message about a missing node."""


@pytest.mark.usefixtures("clip")
def test_a_browser_replaces_what_is_missing(page):
    page.evaluate("graph => app.loadGraphData(graph)", graph("skips_film"))
    page.get_by_role("button", name=OFFER).first.click()
    page.get_by_role("button", name=re.compile("Replace All")).last.click()
    page.wait_for_function("app.graph.nodes.some(node => node.type === 'InbetweenDropIn')")
    assert "InbetweenSkippedPairs" in page.evaluate("app.graph.nodes.map(node => node.type)")
    sent = page.evaluate("app.graphToPrompt().then(made => Object.values(made.output))")
    made = next(node["inputs"] for node in sent if node["class_type"] == "InbetweenDropIn")
    assert made["model_name"] == "film_net_fp32.pt"
    assert (made["times"], made["count"]) == (3, "skipped frames dropped")
    assert isinstance(made["images"], list)
    assert isinstance(made["pairs"], list)
    pairs = next(node["inputs"] for node in sent if node["class_type"] == "InbetweenSkippedPairs")
    assert pairs == {"frames": "1,3", "skip": True}


def test_a_pickle_is_converted_and_listed(comfyui, session):
    folder = comfyui.base / "models" / "frame_interpolation"
    torch.save(load_set("ifrnet/ifrnet_l").state(), folder / "IFRNet_L.pth")
    waits = comfyui.get("/object_info/InbetweenLoadModel")["InbetweenLoadModel"]["input"]["required"]["model"][1]["options"]
    assert waits[-1] == "IFRNet_L.pth (needs conversion)"
    session.run({"1": {"class_type": "InbetweenConvertModel", "inputs": {"file": "IFRNet_L.pth"}}})
    listed = comfyui.get("/object_info/InbetweenLoadModel")["InbetweenLoadModel"]["input"]["required"]["model"][1]["options"]
    assert "IFRNet_L.safetensors" in listed
    assert waits[-1] not in listed
    (folder / "IFRNet_L.safetensors").unlink()
    (folder / "IFRNet_L.pth").unlink()
    assert session.complaints() == []
