"""Framer in a real ComfyUI, with tiny random networks: its graph makes what the library makes."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import pytest
import tweening
from safetensors.torch import load_file, save_file
from torch import Tensor
from tweening import FRAMES, HEIGHT, WIDTH, apart

from vfi.tracks import Tracks
from vfi.tracks.formats import loads, tracks_of
from vfi.tween.framer import Drawing, Framer

pytestmark = pytest.mark.comfyui

CLOSE = 1e-3
"""Of the largest value."""

THREE = Drawing(steps=3, seed=7)
DRAWING = {"v": 1, "size": [WIDTH, HEIGHT], "tracks": [{"pts": [[20, 20], [60, 40]]}, {"pts": [[100, 10], [90, 50]]}]}


def pictures() -> tuple[Tensor, Tensor]:
    data = tweening.stored("loop")
    return tweening.picture(data["input.image_u8"]), tweening.picture(data["input.image_end_u8"])


def drawn() -> Tracks:
    return tracks_of(loads(json.dumps(DRAWING), (WIDTH, HEIGHT)), FRAMES)


@pytest.fixture(scope="module")
def networks(comfyui) -> None:
    """The files of tiny networks in the server's folders, and the keyframes among its inputs."""
    for folder, name in (
        ("diffusion_models", "unet"),
        ("controlnet", "controlnet"),
        ("vae", "vae"),
        ("clip_vision", "clip"),
    ):
        path = comfyui.base / "models" / folder / f"tiny_{name}.safetensors"
        path.parent.mkdir(exist_ok=True)
        save_file(tweening.state(name), path)
    for name, picture in zip(("tiny-first", "tiny-last"), pictures(), strict=True):
        codes = picture.mul(255).round().byte().movedim(0, -1).flip(-1).numpy()
        cv2.imwrite(str(comfyui.base / "input" / f"{name}.png"), codes)


def workflow(**changes: dict[str, Any]) -> dict[str, Any]:
    """Loader, conditioning, tracks, KSampler, decoder; ``changes`` of the inputs of nodes, by their key."""
    nodes: dict[str, tuple[str, dict[str, Any]]] = {
        "first": ("LoadImage", {"image": "tiny-first.png"}),
        "last": ("LoadImage", {"image": "tiny-last.png"}),
        "vae": ("TinyVae", {"name": "tiny_vae.safetensors"}),
        "clip": ("TinyClipVision", {"name": "tiny_clip.safetensors"}),
        "loader": (
            "InbetweenFramerLoader",
            {"unet": "tiny_unet.safetensors", "control_net": "tiny_controlnet.safetensors"},
        ),
        "told": (
            "InbetweenFramerConditioning",
            {
                "start": ["first", 0], "end": ["last", 0], "vae": ["vae", 0], "clip_vision": ["clip", 0],
                "width": WIDTH, "height": HEIGHT, "frames": FRAMES,
                "fps": THREE.fps, "motion_bucket": int(THREE.motion),
                "augmentation": THREE.augmentation, "augmentation_seed": THREE.seed,
            },
        ),
        "editor": (
            "InbetweenTrackEditor",
            {"frames": FRAMES, "width": WIDTH, "height": HEIGHT, "radius": 8.0, "drawing": json.dumps(DRAWING)},
        ),
        "led": (
            "InbetweenFramerApplyTracks",
            {
                "positive": ["told", 0], "negative": ["told", 1], "control_net": ["loader", 1], "tracks": ["editor", 0],
                "strength": 1.0,
            },
        ),
        "curve": ("InbetweenCfgCurve", {"model": ["loader", 0], "curve": "linear", "first": 1.0, "last": 3.0}),
        "sampler": (
            "KSampler",
            {
                "model": ["curve", 0], "seed": THREE.seed, "steps": THREE.steps, "cfg": 1.0, "sampler_name": "euler",
                "scheduler": "karras", "positive": ["led", 0], "negative": ["led", 1], "latent_image": ["told", 2],
                "denoise": 1.0,
            },
        ),
        "decoder": ("VAEDecode", {"samples": ["sampler", 0], "vae": ["vae", 0]}),
        "kept": ("TinyKeep", {"images": ["decoder", 0], "name": "kept.safetensors"}),
    }  # fmt: skip
    for key, inputs in changes.items():
        nodes[key][1].update(inputs)
    return {key: {"class_type": kind, "inputs": inputs} for key, (kind, inputs) in nodes.items()}


def kept(session, nodes: dict[str, Any]) -> Tensor:
    """The frames [F,3,H,W] that a workflow keeps."""
    path: Path = session.server.base / "output" / "kept.safetensors"
    path.unlink(missing_ok=True)
    session.run(nodes)
    return load_file(path)["images"].movedim(-1, 1)


def made(tracks: Tracks | None, drawing: Drawing) -> Tensor:
    return Framer(tweening.unet(), tweening.coders(), tweening.controlnet())(*pictures(), tracks, drawing, frames=FRAMES)


UNLED = {"sampler": {"positive": ["told", 0], "negative": ["told", 1]}}


@pytest.mark.parametrize(
    ("changes", "tracks", "drawing"),
    [
        pytest.param({}, True, THREE, id="tracks"),
        pytest.param(UNLED, False, THREE, id="none"),
        pytest.param({"led": {"strength": 0.5, "refine": True}}, True, replace(THREE, strength=0.5, refine=True), id="refined"),
        pytest.param({"curve": {"curve": "triangle"}}, True, replace(THREE, curve="triangle"), id="triangle"),
    ],
)
def test_the_graph_makes_what_the_library_makes(networks, session, changes, tracks, drawing):
    got = kept(session, workflow(**changes)).clamp(0, 1)
    assert apart(got, made(drawn() if tracks else None, drawing)) < CLOSE
    assert session.complaints() == []
