"""DynamiCrafter and ToonCrafter: whole runs against those of the published code, and what they do beyond."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from itertools import count

import pytest
import torch
from crafting import pair, sketch_state, stored, tiny_projector, tiny_unet, turned, vae_state
from torch import Tensor
from tweening import apart, normal

from vfi.core import InputError
from vfi.tween.dynamicrafter import schedule
from vfi.tween.dynamicrafter.autoencoder import CartoonAutoencoder, References, autoencoder
from vfi.tween.dynamicrafter.drawing import GREY, Coders, Drawing, DynamiCrafter, Run, condition, lines
from vfi.tween.dynamicrafter.sketch import sketch_encoder
from vfi.tween.keyframes import SCALE

CLOSE = 1e-4
"""Of the largest value, as the data promise."""

FRAMES = 6

PUBLISHED = Drawing(steps=4, fps=10, prompt="a text")
"""The settings of the stored run called full."""


@cache
def toon() -> CartoonAutoencoder:
    made = autoencoder(vae_state("toon_vae"))
    assert isinstance(made, CartoonAutoencoder)
    return made


def look(rgb: Tensor) -> Tensor:
    """The stored tokens of the grey picture and of the first keyframe."""
    data = stored("dc_loop")
    names = ("uncond_image_tokens" if torch.all(picture == GREY) else "image_tokens" for picture in rgb)
    return torch.cat([data[f"input.{name}"] for name in names])


def coders() -> Coders:
    data = stored("dc_loop")

    def encode_keyframes(pictures: Tensor) -> tuple[Tensor, References | None]:
        # The published run samples the latents of the keyframes.
        return turned(data["expected.z_ends"])[0] / SCALE, toon().encode_keyframes(pictures)[1]

    return Coders(
        toon().encode,
        encode_keyframes,
        toon().decode,
        look,
        lambda prompt: data["input.text" if prompt else "input.text_empty"],
    )


def crafter(*, sketches: bool = False) -> DynamiCrafter:
    sketcher = sketch_encoder(sketch_state()) if sketches else None
    return DynamiCrafter(tiny_unet(), tiny_projector(), coders(), sketcher)


@torch.no_grad()
def test_a_whole_run_is_the_published_one():
    method, steps = crafter(), count()
    run = Run(method, pair("dc_loop"), PUBLISHED, None)
    noise = turned(stored("dc_loop")["input.x_T"])

    def draw(shape) -> Tensor:
        return turned(normal(f"input:loop.step{next(steps)}", tuple(turned(torch.empty(shape)).shape)))

    latents = schedule.ddim(run.predict, noise, 4, draw=draw, published=True)
    assert apart(latents, turned(stored("dc_loop")["expected.full.step3"])) < CLOSE
    frames = method.coders.decode(latents[0] / SCALE, run.references)
    assert apart((frames * 2 - 1)[..., 1::4, 1::4], turned(stored("dc_loop")["expected.decoded"])[0]) < CLOSE


def test_the_condition_holds_the_keyframes_at_both_ends():
    ends = torch.rand(2, 4, 8, 16)
    beside = condition(ends, FRAMES)
    assert torch.equal(beside[[0, -1]], ends)
    assert not beside[1:-1].any()


def test_the_same_seed_gives_the_same_clip():
    first, last = pair("dc_loop")
    two, seen = Drawing(steps=2), []
    clip = crafter()(first, last, two, each=seen.append)
    assert clip.shape == (FRAMES, 3, 64, 128)
    assert clip.dtype == torch.float32
    assert 0 <= float(clip.min()) <= float(clip.max()) <= 1
    assert [(step.number, step.steps) for step in seen] == [(1, 2), (2, 2)]
    assert torch.equal(crafter()(first, last, two), clip)
    for other in (replace(two, seed=1), replace(two, eta=0.0), replace(two, fps=30), replace(two, prompt="a text")):
        assert not torch.equal(crafter()(first, last, other), clip), other


def test_sketches_lead_and_a_strength_of_zero_does_not():
    first, last = pair("dc_loop")
    two, sketch = Drawing(steps=2), torch.zeros(64, 128)
    sketch[20:40, 30:34] = 1
    plain = crafter()(first, last, two)
    led = crafter(sketches=True)(first, last, two, sketches={2: sketch})
    assert not torch.equal(led, plain)
    assert torch.equal(crafter(sketches=True)(first, last, replace(two, sketch=0.0), sketches={2: sketch}), plain)
    assert torch.equal(crafter(sketches=True)(first, last, two), plain)


def test_a_clip_is_redrawn_where_it_is_marked():
    first, last = pair("dc_loop")
    clip = torch.stack([torch.lerp(first, last, t) for t in torch.linspace(0, 1, FRAMES)])
    mask = torch.zeros(FRAMES, 8, 16)
    untouched = crafter().redraw(clip, mask, Drawing(steps=2))
    _, references = toon().encode_keyframes(clip[[0, -1]])
    assert torch.allclose(untouched, toon().decode(toon().encode(clip), references).clamp(0, 1), atol=1e-4)
    mask[2, 2:6, 4:9] = 1
    assert not torch.allclose(crafter().redraw(clip, mask, Drawing(steps=2)), untouched, atol=1e-2)
    with pytest.raises(InputError, match="5 frames were given to redraw: this network draws 6 at a time"):
        crafter().redraw(clip[:5], mask[:5], Drawing(steps=2))


def test_a_sketch_is_light_on_black_however_it_was_drawn():
    dark = torch.ones(3, 8, 8)
    dark[:, 2] = 0
    assert torch.equal(lines(dark), lines(1 - dark))
    assert lines(dark)[2].eq(1).all()
    assert torch.equal(lines(dark, "light on dark"), dark[0])
    assert torch.equal(lines(1 - dark, "dark on light"), dark[0])


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"steps": 0}, "0 steps"),
        ({"steps": 1001}, "1001 steps were asked for: between 1 and 1000 are possible"),
        ({"fps": 4}, "4 frames per second were asked for: the network takes 5 to 30"),
        ({"guidance": 0.5}, "guidance of 0.5 was asked for: it must be 1 or more"),
        ({"rescale": 1.1}, "rescale 1.1 was asked for: it must be between 0 and 1"),
        ({"eta": -0.1}, "eta -0.1 was asked for"),
        ({"seed": -1}, "seed -1"),
    ],
)
def test_settings_out_of_range(change, words):
    with pytest.raises(InputError, match=words):
        Drawing(**change)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"sketches": {6: torch.zeros(64, 128)}}, "a sketch for frame 6 was given: frames are numbered 0 to 5"),
        ({"sketches": {1: torch.zeros(64, 64)}}, r"the sketch of frame 1 has the shape \[64, 64\]"),
    ],
)
def test_sketches_that_do_not_fit(given, words):
    with pytest.raises(InputError, match=words):
        crafter(sketches=True)(*pair("dc_loop"), Drawing(steps=2), **given)


def test_sketches_need_their_encoder_and_keyframes_their_size():
    first, last = pair("dc_loop")
    with pytest.raises(InputError, match="1 sketches were given, and no sketch encoder"):
        crafter()(first, last, Drawing(steps=2), sketches={1: torch.zeros(64, 128)})
    with pytest.raises(InputError, match="96x64 were given: width and height must be multiples of 64"):
        crafter()(first[..., :96], last[..., :96])
