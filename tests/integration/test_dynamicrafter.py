"""DynamiCrafter and ToonCrafter in a real ComfyUI, with tiny random networks: the graph makes what the library makes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
import cv2
import pytest
import torch
from crafting import clip_state, file, pair, sketch_state
from forms import api_form, only, saved
from safetensors.torch import load_file, save_file
from torch import Tensor
from tweening import apart, normal

from vfi.tween import edm
from vfi.tween.checkpoint import vision_state
from vfi.tween.dynamicrafter import schedule
from vfi.tween.dynamicrafter.drawing import FRAMES, Drawing, DynamiCrafter, Run
from vfi.tween.dynamicrafter.files import dynamicrafter
from vfi.tween.keyframes import SCALE
from vfi.tween.repair import Repair, repaired
from vfi.tween.sequence import chained

pytestmark = pytest.mark.comfyui

CLOSE = 1e-3
"""Of the largest value."""

WIDTH, HEIGHT = 128, 64

FOUR = Drawing(steps=4, seed=7, guidance=3.0)
"""Settings at which what ComfyUI's a[999], which is not quite 0, does to random networks stays small. Of four steps, its
scheduler "simple" and the library have the same times."""


def line() -> Tensor:
    """A sketch, dark on light."""
    sketch = torch.ones(3, HEIGHT, WIDTH)
    sketch[:, 20:40, 30:34] = 0
    return sketch


@pytest.fixture(scope="module")
def networks(comfyui) -> Mapping[str, Path]:
    """The files of tiny networks in the server's folders, and the pictures among its inputs."""
    made = {}
    for folder, name, state in (
        ("checkpoints", "toon", file(pruned=True, frames=FRAMES)),
        ("controlnet", "sketch", sketch_state()),
        ("clip_vision", "eye", vision_state(clip_state("image"), "")),
        ("text_encoders", "reader", clip_state("text")),
    ):
        path = comfyui.base / "models" / folder / f"tiny_{name}.safetensors"
        path.parent.mkdir(exist_ok=True)
        save_file({key: value.contiguous() for key, value in state.items()}, path)
        made[name] = path
    for name, picture in zip(("toon-first", "toon-last", "toon-line"), (*pair("dc_loop"), line()), strict=True):
        codes = picture.mul(255).round().byte().movedim(0, -1).flip(-1).numpy()
        cv2.imwrite(str(comfyui.base / "input" / f"{name}.png"), codes)
    return made


def crafter(networks: Mapping[str, Path]) -> DynamiCrafter:
    return dynamicrafter(networks["toon"], vision=networks["eye"], text=networks["reader"], sketch=networks["sketch"])


NETWORKS = {"clip_vision": ["eye", 0], "vae": ["loader", 3], "positive": ["text", 0], "negative": ["text", 0]}
KEYFRAMES = {"start": ["first", 0], "end": ["last", 0]}
SIZE = {"width": WIDTH, "height": HEIGHT}


def workflow(**changes: dict[str, Any]) -> dict[str, Any]:
    """Loader, conditioning, KSampler, decoder; ``changes`` of the inputs of nodes, by their key."""
    nodes: dict[str, tuple[str, dict[str, Any]]] = {
        "first": ("LoadImage", {"image": "toon-first.png"}),
        "last": ("LoadImage", {"image": "toon-last.png"}),
        "line": ("LoadImage", {"image": "toon-line.png"}),
        "eye": ("TinyClipVision", {"name": "tiny_eye.safetensors"}),
        "text": ("TinyText", {"name": "tiny_reader.safetensors"}),
        "loader": (
            "InbetweenDynamiCrafterLoader",
            {"checkpoint": "tiny_toon.safetensors", "control_net": "tiny_sketch.safetensors", "rescale": FOUR.rescale},
        ),
        "told": ("InbetweenDynamiCrafterConditioning", {**NETWORKS, **KEYFRAMES, **SIZE, "fps": FOUR.fps}),
        "led": (
            "InbetweenSketchGuidance",
            {
                "positive": ["told", 0], "negative": ["told", 1], "control_net": ["loader", 4], "sketches": ["line", 0],
                "places": "3", "lines": "auto", "strength": 0.6, "start_percent": 0.0, "end_percent": 1.0,
            },
        ),
        "sampler": (
            "KSampler",
            {
                "model": ["loader", 0], "seed": FOUR.seed, "steps": FOUR.steps, "cfg": FOUR.guidance,
                "sampler_name": "euler", "scheduler": "simple", "positive": ["told", 0], "negative": ["told", 1],
                "latent_image": ["told", 2], "denoise": 1.0,
            },
        ),
        "decoder": (
            "InbetweenDynamiCrafterDecode",
            {"samples": ["sampler", 0], "vae": ["loader", 3], **KEYFRAMES, "exact": False},
        ),
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


@torch.no_grad()
def by_euler(method: DynamiCrafter, drawing: Drawing, sketches: Mapping[int, Tensor] | None = None) -> Tensor:
    """What the library's network draws with Euler's method on the sigmas."""
    keys = pair("dc_loop")
    run = Run(method, keys, drawing, method._hints(sketches or {}, keys))
    sigmas = schedule.sigmas(drawing.steps)
    y = edm.noise_of(drawing.seed)((1, FRAMES, 4, HEIGHT // 8, WIDTH // 8)) * sigmas[0]
    for sigma, following in pairwise(sigmas):
        level = torch.tensor(sigma)
        v = run.predict(y * schedule.input_scale(level), int(schedule.time_of(level)))
        y = y + (y - schedule.clean_of(y, v, level)) / sigma * (following - sigma)
    return method.coders.decode(y[0] / SCALE, run.references).clamp(0, 1)


def alone(kind: str, **inputs: Any) -> dict[str, Any]:
    """A workflow of one node that does all by itself."""
    nodes = workflow(kept={"images": ["all", 0]})
    own = {"model": ["loader", 0], "steps": FOUR.steps, "seed": FOUR.seed, "fps": FOUR.fps}
    nodes["all"] = {"class_type": kind, "inputs": NETWORKS | SIZE | own | inputs}
    return nodes


def test_the_graph_makes_what_the_library_makes(networks, session):
    assert apart(kept(session, workflow()), by_euler(crafter(networks), FOUR)) < CLOSE
    assert session.complaints() == []


def test_sketches_lead_as_in_the_library(networks, session):
    led = {"sampler": {"positive": ["led", 0], "negative": ["led", 1]}}
    got = kept(session, workflow(**led))
    assert apart(got, by_euler(crafter(networks), FOUR, {3: 1 - line()[0]})) < CLOSE
    assert apart(got, by_euler(crafter(networks), FOUR)) > 10 * CLOSE
    assert session.complaints() == []


@pytest.mark.parametrize("eta", [0.0, 1.0])
def test_one_node_makes_what_the_library_makes(networks, session, eta):
    nodes = alone("InbetweenDynamiCrafterTween", **KEYFRAMES, cfg=FOUR.guidance, eta=eta, exact=True)
    got, (first, last) = kept(session, nodes), pair("dc_loop")
    assert torch.equal(got[0], first)
    assert torch.equal(got[-1], last)
    made = crafter(networks)(first, last, replace(FOUR, eta=eta))
    assert apart(got[1:-1], made[1:-1]) < 5 * CLOSE  # a[999] is 0 in the library
    assert session.complaints() == []


def batch(nodes: dict[str, Any], *keys: str) -> list[Any]:
    """Pictures one after another as one IMAGE."""
    together = [keys[0], 0]
    for number, key in enumerate(keys[1:]):
        nodes[f"batch{number}"] = {"class_type": "ImageBatch", "inputs": {"image1": together, "image2": [key, 0]}}
        together = [f"batch{number}", 0]
    return together


FRAMERS = {"curve": "linear", "first": 1.0, "last": 3.0, "motion_bucket": 100, "frames": FRAMES}
"""Inputs that only Framer heeds, and the number of frames."""


def test_a_sequence_is_its_pairs(networks, session):
    nodes = alone("InbetweenKeyframeSequence", follow=False, timing="even", strength=1.0, **FRAMERS)
    nodes["all"]["inputs"]["keyframes"] = batch(nodes, "first", "last", "first")
    got = kept(session, nodes)
    method, (first, last), drawing = crafter(networks), pair("dc_loop"), Drawing(steps=4, seed=7)
    pairs = [method(*keys, drawing) for keys in ((first, last), (last, first))]
    assert apart(got, torch.stack(list(chained(pairs)))) < 20 * CLOSE  # guidance 7.5 enlarges what a[999] does
    assert session.complaints() == []


def test_a_repair_is_the_library_s(networks, session):
    nodes = alone("InbetweenRepair", threshold=0.5, grow=8, denoise=0.5, doubt=["doubt", 0], **FRAMERS)
    nodes["all"]["inputs"]["images"] = batch(nodes, *["first"] * 8, *["last"] * 8)
    nodes["dark"] = {"class_type": "SolidMask", "inputs": {"value": 0.0, "width": WIDTH, "height": HEIGHT}}
    nodes["light"] = {"class_type": "SolidMask", "inputs": {"value": 1.0, "width": 40, "height": 24}}
    nodes["doubt"] = {
        "class_type": "MaskComposite",
        "inputs": {"destination": ["dark", 0], "source": ["light", 0], "x": 32, "y": 16, "operation": "add"},
    }
    first, last = pair("dc_loop")
    clip, doubt = torch.stack([first] * 8 + [last] * 8), torch.zeros(FRAMES, HEIGHT, WIDTH)
    doubt[:, 16:40, 32:72] = 1
    repair = Repair(0.5, 8, FRAMES, (WIDTH, HEIGHT))
    method, drawing, shares = crafter(networks), Drawing(steps=4, seed=7), repair.shares(doubt)
    expected = repaired(clip, shares, lambda part, mask: method.redraw(part, mask, drawing, share=0.5), repair)
    got = kept(session, nodes)
    assert apart(got, expected) < 5 * CLOSE
    untouched = (shares == 0)[:, None].expand_as(clip)
    assert torch.equal(got[untouched], clip[untouched])
    assert apart(got[1:-1], clip[1:-1]) > 0.1
    assert session.complaints() == []


def test_a_lora_changes_it(networks, session):
    key = "output_blocks.5.1.transformer_blocks.0.attn1.to_q"
    state = file(pruned=True, frames=FRAMES)
    weight = f"model.diffusion_model.{key}.weight"
    rows, columns = state[weight].shape
    up, down = normal("up", (rows, 2)), normal("down", (2, columns))
    path = session.server.base / "models" / "loras" / "tiny_toon_lora.safetensors"
    path.parent.mkdir(exist_ok=True)
    name = f"diffusion_model.{key}"
    save_file({f"{name}.lora_up.weight": up, f"{name}.lora_down.weight": down, f"{name}.alpha": torch.tensor(2.0)}, path)
    nodes = workflow(sampler={"model": ["lora", 0]})
    inputs = {"model": ["loader", 0], "lora_name": path.name, "strength_model": 0.5}
    nodes["lora"] = {"class_type": "LoraLoaderModelOnly", "inputs": inputs}
    changed = networks["toon"].with_name("tiny_changed.safetensors")
    save_file({name: own.contiguous() for name, own in (state | {weight: state[weight] + 0.5 * up @ down}).items()}, changed)
    got = kept(session, nodes)
    assert apart(got, by_euler(crafter({**networks, "toon": changed}), FOUR)) < CLOSE
    assert apart(got, by_euler(crafter(networks), FOUR)) > 10 * CLOSE
    assert session.complaints() == []


def test_the_example_runs(networks, session):
    nodes = api_form("In-between a cartoon with ToonCrafter")
    only(nodes, "InbetweenDynamiCrafterLoader")["checkpoint"] = "tiny_toon.safetensors"
    only(nodes, "InbetweenDynamiCrafterTween").update(NETWORKS | SIZE | {"steps": 2, "vae": ["2", 3]})
    own = {key: node for key, node in nodes.items() if not node["class_type"].startswith("CLIP")}
    outputs, _ = session.run(own | {key: workflow()[key] for key in ("eye", "text")})
    with av.open(saved(session.server, outputs)) as container:
        assert container.streams.video[0].average_rate == 30
        assert sum(1 for _ in container.decode(video=0)) == 2 * (FRAMES - 1) + 1
    assert session.complaints() == []


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"loader": {"control_net": "none"}, "sampler": {"positive": ["led", 0]}}, "CONTROL_NET is needed"),
        ({"sampler": {"latent_image": ["other", 0]}}, "the latent has 1 frames of 64x64: use the one from"),
        ({"sampler": {"positive": ["text", 0]}}, "the conditioning is not DynamiCrafter's: connect DynamiCrafter Conditioning"),
        ({"sampler": {"model": ["changed", 0]}}, "out of memory for 16 frames of 128x64: lower width and height first"),
        ({"told": {"width": 96}}, "width"),
        ({"told": {"positive": ["words", 0]}}, "the text encoder gives 8 values per token, and DynamiCrafter takes 32"),
    ],
)
def test_what_is_wrong_is_said(networks, session, changes, message):
    nodes = workflow(**changes)
    nodes["other"] = {"class_type": "EmptyLatentImage", "inputs": {"width": 64, "height": 64, "batch_size": 1}}
    nodes["changed"] = {"class_type": "TinyChange", "inputs": {"model": ["loader", 0], "how": "memory"}}
    nodes["words"] = {"class_type": "TinyWords", "inputs": {}}
    last = session.ended(session.queue(nodes))[-1]
    assert last.type == "execution_error"
    assert message in last.data["exception_message"]


def test_cancelling_does_not_wait_for_the_step(networks, session):
    nodes = workflow(sampler={"model": ["changed", 0]})
    nodes["changed"] = {"class_type": "TinyChange", "inputs": {"model": ["loader", 0], "how": "cancel"}}
    assert session.ended(session.queue(nodes))[-1].type == "execution_interrupted"


def test_steps_are_told(networks, session):
    nodes = alone("InbetweenDynamiCrafterTween", **KEYFRAMES, cfg=FOUR.guidance, eta=1.0, exact=True)
    nodes["all"]["inputs"]["seed"] = 99
    _, events = session.run(nodes)
    told = [event.data for event in events if event.type == "progress" and event.data["node"] == "all"]
    values = [data["value"] for data in told]  # ComfyUI leaves out some that follow soon
    assert values == sorted(values)
    assert (values[0], values[-1]) == (1, 4)
    assert {data["max"] for data in told} == {4}
