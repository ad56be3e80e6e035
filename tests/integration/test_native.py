"""Keyframes as ComfyUI's own nodes for Wan VACE and LTX-Video take them."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from tests.integration.test_types import node

pytestmark = pytest.mark.comfyui

KEYS = {
    "first": node("InbetweenExamplePicture", image="ball-first.png"),
    "last": node("InbetweenExamplePicture", image="ball-last.png"),
    "keys": node("ImageBatch", image1=["first", 0], image2=["last", 0]),
    "words": node("TinyWords"),
}
PLACES = "0, 10"


def numbers(comfyui: Any, session: Any, workflow: dict[str, Any]) -> dict[str, Tensor]:
    """What `TinyKeepNumbers` kept."""
    session.run({**KEYS, **workflow})
    assert session.complaints() == []
    return load_file(comfyui.base / "output" / "numbers.safetensors")


def keep(of: str) -> dict[str, Any]:
    return {"keep": node("TinyKeepNumbers", conditioning=[of, 0], latent=[of, 2], name="numbers.safetensors")}


@pytest.mark.parametrize("referenced", [False, True])
def test_wan_vace_sees_each_keyframe_in_its_latent_and_grey_elsewhere(comfyui, session, referenced):
    given = {"reference": ["first", 0]} if referenced else {}
    kept = numbers(
        comfyui,
        session,
        {
            "vae": node("TinyMeanVae", of="wan"),
            "made": node(
                "InbetweenVaceKeyframes",
                keyframes=["keys", 0],
                places=PLACES,
                width=160,
                height=96,
                length=17,
                fps=16.0,
                **given,
            ),
            "vace": node(
                "WanVaceToVideo",
                positive=["words", 0],
                negative=["words", 0],
                vae=["vae", 0],
                control_video=["made", 0],
                control_masks=["made", 1],
                reference_image=["made", 2],  # nothing, unless a reference was given
                width=["made", 3],
                height=["made", 4],
                length=["made", 5],
                batch_size=1,
                strength=1.0,
            ),
            **keep("vace"),
        },
    )
    extra = int(referenced)
    inactive, reactive = kept["vace_frames"][0, :, extra:].split(16)
    assert kept["samples"].shape == (1, 16, 5 + extra, 12, 20)
    assert (reactive == 0.5).all()
    assert [float(latent.std()) > 0.01 for latent in inactive[0]] == [True, False, False, True, False]
    mask = kept["vace_mask"]
    assert mask.shape == (1, 64, 5 + extra, 12, 20)
    assert set(mask.unique().tolist()) <= {0.0, 1.0}


def test_ltx_gets_one_guide_per_keyframe_at_its_frame(comfyui, session):
    pair = {"positive": ["words", 0], "negative": ["words", 0]}
    kept = numbers(
        comfyui,
        session,
        {
            "vae": node("TinyMeanVae", of="ltx"),
            "empty": node("EmptyLTXVLatentVideo", width=160, height=96, length=25, batch_size=1),
            "at": node("LTXVConditioning", **pair, frame_rate=25.0),
            "made": node(
                "InbetweenLtxKeyframes",
                positive=["at", 0],
                negative=["at", 1],
                vae=["vae", 0],
                latent=["empty", 0],
                keyframes=["keys", 0],
                places="10, -1",
                fps=25.0,
                strength=0.75,
            ),
            **keep("made"),
        },
    )
    places = kept["keyframe_idxs"]
    starts = places[0, 0, :, 0].reshape(2, -1)
    assert starts.tolist() == [[10.0] * 15, [24.0] * 15]
    assert kept["samples"].shape == (1, 128, 4 + 2, 3, 5)
    assert kept["noise_mask"][0, 0, :, 0, 0].tolist() == [1.0] * 4 + [0.25] * 2
    guides = kept["samples"][0, 0, 4:]
    assert not torch.equal(guides[0], guides[1])


def test_keyframes_are_taken_out_again(comfyui, session):
    """*LTXVCropGuides* finds what *Keyframes to LTX* added, and a second run, with another place, does not see the first."""
    workflow = {
        "vae": node("TinyMeanVae", of="ltx"),
        "empty": node("EmptyLTXVLatentVideo", width=160, height=96, length=25, batch_size=1),
        "made": node(
            "InbetweenLtxKeyframes",
            positive=["words", 0],
            negative=["words", 0],
            vae=["vae", 0],
            latent=["empty", 0],
            keyframes=["keys", 0],
            places="even",
            fps=25.0,
            strength=1.0,
        ),
        "crop": node("LTXVCropGuides", positive=["made", 0], negative=["made", 1], latent=["made", 2]),
        **keep("crop"),
    }
    for places in ("even", "0, 1"):
        workflow["made"]["inputs"]["places"] = places
        kept = numbers(comfyui, session, workflow)
        assert kept["samples"].shape == (1, 128, 4, 3, 5)
        assert "keyframe_idxs" not in kept
