"""Framer in a real ComfyUI, with tiny random networks: its graph makes what the library makes."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
import cv2
import pytest
import torch
import torch.nn.functional as F
import tweening
from forms import EXAMPLES, ROOT, all_saved, api_form, title
from safetensors.torch import load_file, save_file
from torch import Tensor
from tweening import FRAMES, HEIGHT, WIDTH, apart

from vfi.clips.images import read_image
from vfi.tracks import Tracks
from vfi.tracks.formats import loads, tracks_of
from vfi.tween import sequence, svd, svdkfi
from vfi.tween.framer import Drawing, Framer
from vfi.tween.repair import Repair, repaired
from vfi.tween.sequence import chained, matched

pytestmark = pytest.mark.comfyui

CLOSE = 1e-3
"""Of the largest value."""

PHOTO = ROOT / "tests" / "data" / "images" / "china.jpg"

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
        save(comfyui, name, picture)


def written(picture: Tensor) -> Tensor:
    """A picture [3,H,W] as a file of 8 bits has it."""
    return picture.mul(255).round() / 255


def save(comfyui, name: str, picture: Tensor) -> None:
    """Put a picture among the server's inputs."""
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


@torch.no_grad()
def test_rows_may_be_in_batches_of_their_own(networks, session):
    """As where memory is short: tracks are refined with the features of both."""
    nodes = workflow(led={"strength": 0.5, "refine": True}, curve={"model": ["changed", 0]})
    nodes["changed"] = {"class_type": "TinyChange", "inputs": {"model": ["loader", 0], "how": "apart"}}
    expected = made(drawn(), replace(THREE, strength=0.5, refine=True))
    assert apart(kept(session, nodes).clamp(0, 1), expected) < CLOSE


def test_in_half_precision_it_is_about_the_same(networks, session):
    nodes = workflow()
    nodes["loader"]["class_type"] = "TinyHalf"
    difference = (kept(session, nodes).clamp(0, 1) - made(drawn(), THREE)).abs()
    assert 0 < difference.mean() < 0.05


NETWORKS = {"model": ["loader", 0], "vae": ["vae", 0], "clip_vision": ["clip", 0]}
"""What a node that does all by itself is given."""

ALONE = {
    **{"width": WIDTH, "height": HEIGHT, "frames": FRAMES, "steps": THREE.steps, "curve": "linear", "first": 1.0, "last": 3.0},
    **{"seed": THREE.seed, "fps": THREE.fps, "motion_bucket": int(THREE.motion), "augmentation": THREE.augmentation},
}


def alone(kind: str, **inputs: Any) -> dict[str, Any]:
    """A workflow of one node that does all by itself."""
    nodes = workflow(kept={"images": ["all", 0]})
    nodes["all"] = {"class_type": kind, "inputs": NETWORKS | ALONE | inputs}
    return nodes


def kept(session, nodes: dict[str, Any]) -> Tensor:
    """The frames [F,3,H,W] that a workflow keeps."""
    path: Path = session.server.base / "output" / "kept.safetensors"
    path.unlink(missing_ok=True)
    session.run(nodes)
    return load_file(path)["images"].movedim(-1, 1)


def made(tracks: Tracks | None, drawing: Drawing) -> Tensor:
    return Framer(tweening.unet(), tweening.coders(), tweening.controlnet())(*pictures(), tracks, drawing, frames=FRAMES)


SVD = {
    **{"clip_vision": ["clip", 0], "init_image": ["first", 0], "vae": ["vae", 0], "width": WIDTH, "height": HEIGHT},
    **{"video_frames": FRAMES, "motion_bucket_id": 100, "fps": 7, "augmentation_level": 0.0},
}
"""What ComfyUI's own conditioning of Stable Video Diffusion is given."""

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


def test_one_node_makes_what_the_library_makes(networks, session):
    nodes = alone(
        "InbetweenFramerTween",
        control_net=["loader", 1], start=["first", 0], end=["last", 0], tracks=["editor", 0], strength=1.0,
    )  # fmt: skip
    assert apart(kept(session, nodes), made(drawn(), THREE)) < CLOSE
    assert session.complaints() == []


def batch(nodes: dict[str, Any], *keys: str) -> list[Any]:
    """Pictures one after another as one IMAGE."""
    together = [keys[0], 0]
    for number, key in enumerate(keys[1:]):
        nodes[f"batch{number}"] = {"class_type": "ImageBatch", "inputs": {"image1": together, "image2": [key, 0]}}
        together = [f"batch{number}", 0]
    return together


def test_a_sequence_is_its_pairs(networks, session):
    nodes = alone("InbetweenKeyframeSequence", follow=False, timing="even", strength=1.0)
    nodes["all"]["inputs"]["keyframes"] = batch(nodes, "first", "last", "first")
    nodes["shown"] = {"class_type": "PreviewAny", "inputs": {"source": ["all", 2]}}
    got = kept(session, nodes)
    framer, (first, last) = Framer(tweening.unet(), tweening.coders()), pictures()
    pairs = [framer(*pair, None, THREE, frames=FRAMES) for pair in ((first, last), (last, first))]
    assert apart(got, torch.stack(list(chained(pairs)))) < CLOSE
    assert session.complaints() == []


def test_a_sequence_follows_points_of_its_keyframes(networks, session):
    photo = F.interpolate(read_image(PHOTO).rgb[None], size=(120, 190), mode="area")[0]
    keys = [written(photo[:, y : y + HEIGHT, x : x + WIDTH]) for y, x in ((20, 20), (20, 26), (22, 40))]
    nodes = alone("InbetweenKeyframeSequence", follow=True, timing="motion", strength=1.0, control_net=["loader", 1])
    for index, key in enumerate(keys):
        name = f"key{index}"
        save(session.server, name, key)
        nodes[name] = {"class_type": "LoadImage", "inputs": {"image": f"{name}.png"}}
    nodes["all"]["inputs"]["keyframes"] = batch(nodes, "key0", "key1", "key2")
    got = kept(session, nodes)
    found = matched(keys)
    lengths = sequence.lengths(sequence.distances(found), 2 * FRAMES - 1)
    assert lengths[0] < lengths[1]
    tracks = sequence.through(found, lengths, 5)
    assert tracks.count >= 5
    framer = Framer(tweening.unet(), tweening.coders(), tweening.controlnet())
    clips = [
        framer(*pair, piece, THREE, frames=length)
        for pair, piece, length in zip(pairwise(keys), sequence.pieces(tracks, lengths), lengths, strict=True)
    ]
    assert apart(got, torch.stack(list(chained(clips)))) < CLOSE


@pytest.mark.parametrize("denoise", [1.0, 0.5])
def test_a_repair_is_the_library_s(networks, session, denoise):
    nodes = alone("InbetweenRepair", threshold=0.5, grow=8, denoise=denoise, doubt=["doubt", 0])
    keys = ["first", "first", "last", "last", "last"]
    nodes["all"]["inputs"]["images"] = batch(nodes, *keys)
    nodes["dark"] = {"class_type": "SolidMask", "inputs": {"value": 0.0, "width": WIDTH, "height": HEIGHT}}
    nodes["light"] = {"class_type": "SolidMask", "inputs": {"value": 1.0, "width": 40, "height": 24}}
    nodes["doubt"] = {
        "class_type": "MaskComposite",
        "inputs": {"destination": ["dark", 0], "source": ["light", 0], "x": 32, "y": 16, "operation": "add"},
    }
    first, last = pictures()
    clip, doubt = torch.stack([first, first, last, last, last]), torch.zeros(FRAMES, HEIGHT, WIDTH)
    doubt[:, 16:40, 32:72] = 1
    repair = Repair(0.5, 8, FRAMES, (WIDTH, HEIGHT))
    framer, shares = Framer(tweening.unet(), tweening.coders()), repair.shares(doubt)
    expected = repaired(clip, shares, lambda part, mask: framer.redraw(part, mask, THREE, share=denoise), repair)
    got = kept(session, nodes)
    assert apart(got, expected) < CLOSE
    untouched = (shares == 0)[:, None].expand_as(clip)
    assert torch.equal(got[untouched], clip[untouched])
    assert apart(got[1:4], clip[1:4]) > 0.1
    assert session.complaints() == []


def test_generative_inbetweening_makes_what_the_library_makes(networks, session):
    folder = session.server.base / "models" / "diffusion_models"
    own = tweening.state("svd")
    states = {
        "original": own,
        "tuned": own | {key: 0.1 * tweening.normal(key, own[key].shape) for key in tweening.table("delta")},
        "base": {key: torch.zeros_like(value) for key, value in own.items()},
    }
    for name, state in states.items():
        save_file(state, folder / f"tiny_{name}.safetensors")
    nodes = workflow(kept={"images": ["all", 0]})
    names = {name: f"tiny_{name}.safetensors" for name in states}
    nodes["pair"] = {"class_type": "InbetweenSvdkfiLoader", "inputs": names}
    given = {name: ALONE[name] for name in ("width", "height", "frames", "steps", "seed", "fps", "augmentation")}
    coders = {"vae": ["vae", 0], "clip_vision": ["clip", 0], "start": ["first", 0], "end": ["last", 0]}
    own_inputs = {"networks": ["pair", 0], "motion_bucket": 127, "injected": 0.4, "times": 2}
    nodes["all"] = {"class_type": "InbetweenSvdkfiTween", "inputs": given | coders | own_inputs}
    nets = [svd.unet(state) for state in (own, svdkfi.backward_state(*states.values()))]
    drawing = svdkfi.Drawing(3, 7, injected=0.4, times=2)
    expected = svdkfi.Inbetweening(*nets, tweening.coders())(*pictures(), drawing, frames=FRAMES)
    assert apart(kept(session, nodes), expected) < CLOSE
    assert session.complaints() == []


def test_a_lora_changes_it(networks, session):
    """One that is named as trainers name those of diffusers' networks."""
    key = "up_blocks.1.attentions.0.transformer_blocks.0.attn1.to_q"
    state = dict(tweening.state("unet"))
    rows, columns = state[f"{key}.weight"].shape
    up, down = tweening.normal("up", (rows, 2)), tweening.normal("down", (2, columns))
    path = session.server.base / "models" / "loras" / "tiny_lora.safetensors"
    path.parent.mkdir(exist_ok=True)
    name = f"lora_unet_{key.replace('.', '_')}"
    save_file({f"{name}.lora_up.weight": up, f"{name}.lora_down.weight": down, f"{name}.alpha": torch.tensor(2.0)}, path)
    nodes = workflow(curve={"model": ["lora", 0]}, **UNLED)
    inputs = {"model": ["loader", 0], "lora_name": path.name, "strength_model": 0.5}
    nodes["lora"] = {"class_type": "LoraLoaderModelOnly", "inputs": inputs}
    state[f"{key}.weight"] = state[f"{key}.weight"] + 0.5 * up @ down
    expected = Framer(svd.unet(state), tweening.coders())(*pictures(), None, THREE, frames=FRAMES)
    got = kept(session, nodes).clamp(0, 1)
    assert apart(got, expected) < CLOSE
    assert apart(got, made(None, THREE)) > 10 * CLOSE
    assert session.complaints() == []


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"loader": {"unet": "tiny_controlnet.safetensors"}},
            "tiny_controlnet.safetensors: these weights are Framer's ControlNet",
        ),
        ({"loader": {"control_net": "tiny_unet.safetensors"}}, "tiny_unet.safetensors: these weights are Framer's UNet"),
        ({"loader": {"control_net": "none"}}, "control net was not given: a value of type CONTROL_NET is needed"),
        ({"sampler": {"latent_image": ["other", 0]}}, "the latent has 1 frames of 64x64"),
        ({"sampler": {"positive": ["zero", 0]}}, "the conditioning is not Framer's"),
        ({"curve": {"model": ["changed", 0]}}, "out of memory for 5 frames of 128x64: lower width and height first"),
    ],
)
def test_what_is_wrong_is_said(networks, session, changes, message):
    for folder in ("diffusion_models", "controlnet"):
        for name in ("unet", "controlnet"):
            save_file(tweening.state(name), session.server.base / "models" / folder / f"tiny_{name}.safetensors")
    nodes = workflow(**changes)
    nodes["other"] = {"class_type": "EmptyLatentImage", "inputs": {"width": 64, "height": 64, "batch_size": 1}}
    nodes["zero"] = {"class_type": "SVD_img2vid_Conditioning", "inputs": SVD}
    nodes["changed"] = {"class_type": "TinyChange", "inputs": {"model": ["loader", 0], "how": "memory"}}
    last = session.ended(session.queue(nodes))[-1]
    assert last.type == "execution_error"
    assert message in last.data["exception_message"]


def test_cancelling_does_not_wait_for_the_step(networks, session):
    nodes = workflow(curve={"model": ["changed", 0]})
    nodes["changed"] = {"class_type": "TinyChange", "inputs": {"model": ["loader", 0], "how": "cancel"}}
    assert session.ended(session.queue(nodes))[-1].type == "execution_interrupted"


@pytest.mark.parametrize("kind", ["FramerTween", "KeyframeSequence", "Repair"])
def test_nor_does_it_in_nodes_that_do_all(networks, session, kind):
    own = {
        "FramerTween": {"start": ["first", 0], "end": ["last", 0], "strength": 1.0},
        "KeyframeSequence": {"follow": False, "timing": "even", "strength": 1.0},
        "Repair": {"threshold": 0.5, "grow": 8, "denoise": 1.0, "doubt": ["doubt", 0]},
    }
    nodes = alone(f"Inbetween{kind}", **own[kind])
    if kind != "FramerTween":
        name, keys = ("images", ["first"] * FRAMES) if kind == "Repair" else ("keyframes", ["first", "last"])
        nodes["all"]["inputs"][name] = batch(nodes, *keys)
    nodes["doubt"] = {"class_type": "SolidMask", "inputs": {"value": 1.0, "width": WIDTH, "height": HEIGHT}}
    nodes["changed"] = {"class_type": "TinyChange", "inputs": {"model": ["loader", 0], "how": "cancel"}}
    nodes["all"]["inputs"]["model"] = ["changed", 0]
    assert session.ended(session.queue(nodes))[-1].type == "execution_interrupted"


def test_steps_are_told(networks, session):
    nodes = alone("InbetweenFramerTween", start=["first", 0], end=["last", 0], strength=1.0, seed=99)
    _, events = session.run(nodes)
    told = [event.data for event in events if event.type == "progress" and event.data["node"] == "all"]
    values = [data["value"] for data in told]  # ComfyUI leaves out some that follow soon
    assert values == sorted(values)
    assert (values[0], values[-1]) == (1, 3)
    assert {data["max"] for data in told} == {3}


def shrunk(nodes: dict[str, Any]) -> dict[str, Any]:
    """An example with tiny networks, that draw few small frames."""
    small = {"width": WIDTH, "height": HEIGHT, "frames": FRAMES, "steps": 2, "unet": "tiny_unet.safetensors"}
    (checkpoint,) = (key for key, node in nodes.items() if node["class_type"] == "ImageOnlyCheckpointLoader")
    there = {1: ["clip", 0], 2: ["vae", 0]}
    for node in nodes.values():
        inputs = node["inputs"]
        if node["class_type"] == "InbetweenFramerLoader" and inputs["control_net"] != "none":
            inputs["control_net"] = "tiny_controlnet.safetensors"
        if node["class_type"].startswith(("InbetweenFramer", "InbetweenKeyframe", "InbetweenRepair", "KSampler")):
            inputs |= {name: value for name, value in small.items() if name in inputs}
        for name, value in inputs.items():
            if isinstance(value, list) and value[0] == checkpoint:
                inputs[name] = there[value[1]]
    del nodes[checkpoint]
    return nodes | {key: workflow()[key] for key in ("vae", "clip")}


def few(images: list[Any]) -> dict[str, Any]:
    return {"class_type": "ImageFromBatch", "inputs": {"image": images, "batch_index": 0, "length": 5}}


@pytest.mark.parametrize(
    ("name", "count"),
    [
        ("Tween two keyframes with Framer", FRAMES),
        ("Drag things with Framer", FRAMES),
        ("Let Framer find what moves", FRAMES),
        ("Morph one picture into another", FRAMES),
        ("Make a time-lapse smooth", 3 * (3 * (FRAMES - 1)) + 1),  # 10 to 30 frames a second
        ("In-between a cartoon", 2 * (FRAMES - 1) + 1),
        ("Repair what models disagree about", 9),
    ],
)
def test_an_example_runs(networks, session, name, count):
    nodes = shrunk(api_form(name))
    for node in nodes.values():
        if node["class_type"] == "InbetweenInterpolate" and name.startswith("Repair"):
            nodes = nodes | {"few": few(node["inputs"]["images"])}
            node["inputs"]["images"] = ["few", 0]
    outputs, _ = session.run(nodes)
    (path,) = (path for path in all_saved(session.server, outputs).values() if path.suffix == ".mp4")
    with av.open(path) as container:
        assert sum(1 for _ in container.decode(video=0)) == count
    assert session.complaints() == []


def test_no_example_is_left_out():
    own = [
        title(name) for name in EXAMPLES if "InbetweenFramerLoader" in {node["class_type"] for node in api_form(name).values()}
    ]
    (tested,) = (mark.args[1] for mark in test_an_example_runs.pytestmark if mark.name == "parametrize")
    assert sorted(name for name, _ in tested) == sorted(own)
