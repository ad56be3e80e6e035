"""DynamiCrafter's nodes without ComfyUI's samplers, which `tests/integration` covers."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
import tweening
from crafting import file, pair, sketch_state
from safetensors.torch import save_file
from torch import Tensor
from torch.nn import functional as F

from vfi.tween.dynamicrafter.drawing import FRAMES, SIZE, Drawing
from vfi.tween.keyframes import SCALE
from vfi.tween.vision import squeezed

WIDTH, HEIGHT = 128, 64

MODEL = SimpleNamespace(model=SimpleNamespace(draws="dynamicrafter"))


class Vae:
    """One latent per 8x8 pixels: the mean colour, and a zero."""

    def encode(self, pixels: Tensor) -> Tensor:
        return F.pad(F.avg_pool2d(pixels.movedim(-1, 1), 8), (0, 0, 0, 0, 0, 1))

    def decode(self, latents: Tensor) -> Tensor:
        return F.interpolate(latents[:, :3], scale_factor=8).movedim(1, -1)


class ToonVae(Vae):
    """Its frames are the first keyframe, and its negative: what it looked at shows, and so does what is beyond 0..1."""

    def decode_between(self, latents: Tensor, keyframes: Tensor) -> Tensor:
        frames = torch.full((len(latents), *keyframes.shape[1:]), 0.25)
        frames[1], frames[2] = keyframes[0], -keyframes[1]
        return frames.movedim(1, -1)


class ClipVision:
    """A token per channel: its mean."""

    image_size = 224

    def encode_image(self, image: Tensor, crop: bool = True) -> SimpleNamespace:
        assert not crop
        assert image.shape[1:] == (224, 224, 3)
        return SimpleNamespace(last_hidden_state=image.mean((1, 2))[:, :, None])


class Control:
    """The sketch encoder as a CONTROL_NET."""

    given: tuple = ()
    previous: Any = None

    def sketched(self, *given: Any) -> Control:
        made = Control()
        made.given = given
        return made

    def set_previous_controlnet(self, previous: Any) -> None:
        self.previous = previous


def text(value: float) -> list[Any]:
    """A CONDITIONING of two entries."""
    return [[torch.full((1, 77, 4), value), {"pooled": None}], [torch.zeros(1, 77, 4), {"area": 1}]]


TEXTS = {"positive": text(1.0), "negative": text(-1.0)}
CODERS = {"vae": Vae(), "clip_vision": ClipVision()}
OF_SIZE = {"width": WIDTH, "height": HEIGHT}


def image(picture: Tensor) -> Tensor:
    """[3,H,W] -> [1,H,W,3]"""
    return picture.movedim(0, -1)[None]


FIRST, LAST = pair("dc_loop")
KEYFRAMES = {"start": image(FIRST), "end": image(LAST)}


def told(run, **changes: Any) -> tuple:
    return run("InbetweenDynamiCrafterConditioning", **(TEXTS | CODERS | OF_SIZE | KEYFRAMES | changes))


# --- conditioning -------------------------------------------------------------------------------------------------------------


def test_keyframes_and_what_clip_sees_are_told(run):
    positive, negative, latent = told(run, fps=12)
    assert latent["samples"].shape == (16, 4, HEIGHT // 8, WIDTH // 8)
    assert not latent["samples"].any()
    for rows, name, picture in ((positive, "positive", FIRST), (negative, "negative", torch.full_like(FIRST, 0.5))):
        texts = TEXTS[name]
        assert [own is given for (own, _), (given, _) in zip(rows, texts, strict=True)] == [True, True]
        for (_, rest), (_, before) in zip(rows, texts, strict=True):
            assert before.items() <= rest.items()
            entry = rest["crafter"]
            ends = F.avg_pool2d(torch.stack((FIRST, LAST)), 8) * SCALE
            assert torch.allclose(entry.ends[:, :3], ends, atol=1e-6)
            seen = squeezed(picture[None], 224).mean((2, 3))[:, :, None]
            assert torch.allclose(entry.seen, seen, atol=1e-5)
            assert entry.fps == 12
    assert "crafter" not in TEXTS["positive"][0][1]


def test_pictures_of_another_shape_are_cropped_alike(run):
    """The wide start picture: 40 of its columns are cut off at each side."""
    wide = torch.rand(1, HEIGHT, WIDTH + 80, 3)
    tall = torch.rand(2, HEIGHT + 20, WIDTH, 3)
    positive, _, _ = told(run, start=wide, end=tall)
    ends = positive[0][1]["crafter"].ends[:, :3] / SCALE
    assert torch.allclose(ends[0], F.avg_pool2d(wide[0, :, 40:-40].movedim(-1, 0), 8), atol=1e-4)
    assert torch.allclose(ends[1], F.avg_pool2d(tall[1, 10:-10].movedim(-1, 0), 8), atol=1e-4)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"width": 120}, "keyframes of 120x64 were given: width and height must be multiples of 64"),
        ({"fps": 31}, "fps is 31: a whole number from 5 to 30 is needed"),
        ({"vae": SimpleNamespace(encode=lambda pixels: torch.zeros(1, 16, 1, 8, 16))}, r"the VAE's latents .* \[2, 16, 1"),
        ({"start": torch.zeros(0, HEIGHT, WIDTH, 3)}, "at least one frame is needed"),
    ],
)
def test_what_does_not_suit_the_conditioning_is_one_sentence(run, changes, words):
    with pytest.raises(ValueError, match=words) as caught:
        told(run, **changes)
    assert "\n" not in str(caught.value)


# --- sketches -----------------------------------------------------------------------------------------------------------------


def sketch(ground: float, columns: slice, size: tuple[int, int] = (HEIGHT, WIDTH)) -> Tensor:
    """[1,H,W,3]: a vertical line on a ground."""
    picture = torch.full((1, *size, 3), ground)
    picture[:, :, columns] = 1 - ground
    return picture


def led(run, sketches: Tensor, places: str = "7", **changes: Any) -> tuple:
    positive, negative, _ = told(run)
    given = {"positive": positive, "negative": negative, "control_net": Control(), "sketches": sketches, "places": places}
    return run("InbetweenSketchGuidance", **(given | changes))


def test_sketches_are_light_lines_at_their_frames_and_black_elsewhere(run):
    dark, light = sketch(1.0, slice(30, 34)), sketch(0.0, slice(60, 64))
    positive, negative = led(run, torch.cat((dark, light)), "11, 2", strength=0.7, start_percent=0.1, end_percent=0.8)
    control = positive[0][1]["control"]
    maps, strength, during = control.given
    assert (strength, during) == (0.7, (0.1, 0.8))
    assert maps.shape == (FRAMES, 1, HEIGHT, WIDTH)
    assert maps.flatten(1).any(1).nonzero().flatten().tolist() == [2, 11]
    for place, columns in ((11, slice(30, 34)), (2, slice(60, 64))):
        expected = torch.zeros(HEIGHT, WIDTH)
        expected[:, columns] = 1
        assert torch.equal(maps[place, 0], expected)
    assert {id(rest["control"]) for rows in (positive, negative) for _, rest in rows} == {id(control)}
    assert not positive[0][1]["control_apply_to_uncond"]
    assert "crafter" in positive[0][1]


@pytest.mark.parametrize(("lines", "ground"), [("dark on light", 1.0), ("light on dark", 0.0), ("auto", 0.0)])
def test_lines_may_be_named(run, lines, ground):
    """A sketch that is mostly light: only auto and dark on light turn it."""
    mostly_light = sketch(1.0, slice(30, 34))
    (maps, *_) = led(run, mostly_light, lines=lines)[0][0][1]["control"].given
    as_given = lines == "light on dark"
    assert torch.equal(maps[7, 0], mostly_light[0, :, :, 0] if as_given else 1 - mostly_light[0, :, :, 0])
    assert (ground == 0.0) or not as_given


def test_a_sketch_follows_the_frames_to_their_size(run):
    """It is twice as large, and cropped evenly at both sides."""
    large = sketch(0.0, slice(20 + 2 * 16, 20 + 2 * 24), (2 * HEIGHT, 2 * WIDTH + 40))
    (maps, *_) = led(run, large, strength=1.0)[0][0][1]["control"].given
    columns = (maps[7, 0] > 0.5).any(0).nonzero().flatten().tolist()
    assert columns == list(range(16, 24))


def test_sixteen_sketches_need_no_places(run):
    sketches = torch.cat([sketch(0.0, slice(4 * k, 4 * k + 2)) for k in range(FRAMES)])
    (maps, *_) = led(run, sketches, " ")[0][0][1]["control"].given
    assert [int(one[0, 0].argmax()) for one in maps] == [4 * k for k in range(FRAMES)]


def test_another_control_net_stays(run):
    positive, negative, _ = told(run)
    other = Control()
    before = [[own, {**rest, "control": other}] for own, rest in positive]
    made, _ = led(run, sketch(0.0, slice(4)), positive=before, negative=negative)
    assert made[0][1]["control"].previous is other


def test_no_strength_changes_nothing(run):
    positive, negative, _ = told(run)
    given = {"positive": positive, "negative": negative, "strength": 0.0}
    assert led(run, sketch(0.0, slice(4)), **given) == (positive, negative)


@pytest.mark.parametrize(
    ("count", "places", "words"),
    [
        (1, "middle", r"places 'middle' were given: frame numbers separated by commas are needed"),
        (1, "7.5", r"places '7.5' were given"),
        (1, "16", r"a sketch for frame 16 was given: frames are numbered 0 to 15"),
        (1, "-1", r"a sketch for frame -1 was given"),
        (2, "7", r"places '7' were given for 2 sketches: each needs a frame number of its own"),
        (2, "7, 7", r"places '7, 7' were given for 2 sketches"),
        (2, "", r"places '' were given for 2 sketches"),
    ],
)
def test_wrong_places_are_one_sentence(run, count, places, words):
    with pytest.raises(ValueError, match=words):
        led(run, sketch(0.0, slice(4)).expand(count, -1, -1, -1), places)


def test_other_conditioning_or_control_nets_are_refused(run):
    with pytest.raises(ValueError, match="the conditioning is not DynamiCrafter's: connect DynamiCrafter Conditioning"):
        led(run, sketch(0.0, slice(4)), positive=text(1.0))
    with pytest.raises(ValueError, match="the control net is not ToonCrafter's sketch encoder: choose it in Dyn"):
        led(run, sketch(0.0, slice(4)), control_net=object())


# --- decoding -----------------------------------------------------------------------------------------------------------------


def decoded(run, vae: Any, **changes: Any) -> Tensor:
    """[F,3,H,W]"""
    latents = {"samples": torch.linspace(-0.5, 1.5, 5).reshape(5, 1, 1, 1).expand(5, 4, HEIGHT // 8, WIDTH // 8)}
    (clip,) = run("InbetweenDynamiCrafterDecode", **({"samples": latents, "vae": vae} | KEYFRAMES | changes))
    return clip.movedim(-1, 1)


@pytest.mark.parametrize("exact", [True, False])
def test_the_ends_are_the_keyframes_if_asked(run, exact):
    clip = decoded(run, Vae(), exact=exact)
    assert clip.shape == (5, 3, HEIGHT, WIDTH)
    assert [float(frame.mean()) for frame in clip[1:-1]] == [0.0, 0.5, 1.0]
    assert torch.equal(clip[0], FIRST) == torch.equal(clip[-1], LAST) == exact
    if not exact:  # clamped
        assert not clip[0].any()
        assert bool((clip[-1] == 1).all())


def test_tooncrafters_vae_looks_at_the_keyframes(run):
    clip = decoded(run, ToonVae(), exact=False)
    assert torch.equal(clip[1], FIRST)
    assert not clip[2].any()  # -LAST, clamped
    assert bool((clip[[0, 3, 4]] == 0.25).all())


def test_keyframes_are_fitted_to_what_is_decoded(run):
    wide = torch.rand(1, HEIGHT, WIDTH + 80, 3)
    clip = decoded(run, ToonVae(), start=wide)
    assert torch.equal(clip[0], wide[0, :, 40:-40].movedim(-1, 0))
    assert torch.equal(clip[1], clip[0])


@pytest.mark.parametrize("shape", [(1, 16, 5, 8, 16), (5, 16, 8, 16), (1, 4, 8, 16)])
def test_latents_of_other_networks_are_refused(run, shape):
    with pytest.raises(ValueError, match=r"latents of shape .* were given: \[frames, 4, height, width\] are needed"):
        decoded(run, Vae(), samples={"samples": torch.zeros(shape)})


# --- all in one ---------------------------------------------------------------------------------------------------------------


@pytest.fixture
def drawn(part, monkeypatch) -> list[dict[str, Any]]:
    """Calls of a fake sampler, which returns grey; ComfyUI's internals are missing."""
    asked: list[dict[str, Any]] = []

    def sample(model: Any, positive: Any, negative: Any, latents: Tensor, settings: Drawing, each: int, **how: Any) -> Tensor:
        rows = {"positive": positive, "negative": negative, "latents": latents}
        asked.append(rows | {"model": model, "settings": settings, "each": each} | how)
        return torch.full_like(latents, 0.5)

    fake = SimpleNamespace(Progress=lambda model, total: total, sample=sample)
    monkeypatch.setattr(part("nodes.dynamicrafter"), "internals", lambda: fake)
    return asked


ALL = {"model": MODEL, **CODERS, **OF_SIZE, "steps": 4, "seed": 5}


def test_one_node_draws(run, drawn):
    (clip,) = run("InbetweenDynamiCrafterTween", **ALL, **TEXTS, **KEYFRAMES, cfg=6.0, fps=8, eta=0.3)
    assert clip.shape == (FRAMES, HEIGHT, WIDTH, 3)
    assert torch.equal(clip[:1], KEYFRAMES["start"])
    assert torch.equal(clip[-1:], KEYFRAMES["end"])
    assert bool((clip[1:-1] == 0.5).all())
    (asked,) = drawn
    assert vars(asked["settings"]) == vars(Drawing(steps=4, seed=5, fps=8, guidance=6.0, eta=0.3))
    assert asked["latents"].shape == (FRAMES, 4, HEIGHT // 8, WIDTH // 8)
    assert (asked["model"], asked["each"]) == (MODEL, 4)
    assert asked["positive"][0][1]["crafter"].fps == 8
    assert torch.allclose(asked["negative"][0][1]["crafter"].seen, torch.tensor(0.5), atol=1e-5)


def test_without_exact_the_ends_are_redrawn(run, drawn):
    (clip,) = run("InbetweenDynamiCrafterTween", **ALL, **TEXTS, **KEYFRAMES, exact=False)
    assert bool((clip == 0.5).all())


def test_defaults_are_those_of_the_library(nodes):
    for name in ("InbetweenDynamiCrafterConditioning", "InbetweenDynamiCrafterTween"):
        given = {one.id: one.default for one in nodes[name].define_schema().inputs}
        assert (given["width"], given["height"]) == SIZE
        assert given["fps"] == Drawing.fps
    assert (given["steps"], given["cfg"], given["eta"]) == (Drawing.steps, Drawing.guidance, Drawing.eta)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"model": object()}, "the model is not DynamiCrafter's or ToonCrafter's: connect DynamiCrafter Loader"),
        ({"width": 136}, "keyframes of 136x64 were given: width and height must be multiples of 64"),
        ({"clip_vision": None}, "clip vision was not given"),
        ({"negative": None}, "negative was not given"),
    ],
)
def test_what_does_not_suit_the_one_node_is_one_sentence(run, drawn, changes, words):
    with pytest.raises(ValueError, match=words):
        run("InbetweenDynamiCrafterTween", **(ALL | TEXTS | KEYFRAMES | changes))
    assert drawn == []


# --- nodes that take several networks -----------------------------------------------------------------------------------------


SEQUENCE = {**ALL, "frames": FRAMES, "positive": [TEXTS["positive"]], "negative": [TEXTS["negative"]]}
"""Inputs that are lists, as ComfyUI gives them."""


def keyframes(count: int) -> Tensor:
    return torch.cat([KEYFRAMES["start"], KEYFRAMES["end"]] * count)[:count]


def test_a_sequence_has_each_keyframe_once(run, drawn):
    clip, count, places = run("InbetweenKeyframeSequence", **SEQUENCE, keyframes=keyframes(3), fps=9)
    assert clip.shape == (31, HEIGHT, WIDTH, 3)
    assert (count, places) == (31, "0, 15, 30")
    assert [vars(asked["settings"]) for asked in drawn] == [vars(Drawing(steps=4, seed=5, fps=9))] * 2
    assert {asked["each"] for asked in drawn} == {8}
    first, second = (asked["positive"][0][1]["crafter"].ends for asked in drawn)
    assert torch.equal(first[1], second[0])
    assert torch.equal(drawn[0]["positive"][0][0], TEXTS["positive"][0][0])


def still() -> dict[str, Tensor]:
    """A track of a still point."""
    return {"track_path": torch.full((4, 1, 2), 20.0), "track_visibility": torch.ones(4, 1, dtype=torch.bool)}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"tracks": still()}, "1 tracks were given: DynamiCrafter does not follow tracks, Framer does"),
        ({"frames": 14}, "14 frames were asked for: DynamiCrafter draws 16 at a time; Interpolate Frames makes more"),
        ({"negative": None}, "positive or negative is not connected: DynamiCrafter needs both, from CLIP Text Encode"),
        ({"control_net": Control()}, "a control net was given: DynamiCrafter takes sketches with Sketch Guidance"),
        ({"fps": 3}, "3 frames per second were asked for: the network takes 5 to 30"),
    ],
)
def test_what_a_sequence_cannot_take_is_refused(run, drawn, changes, words):
    with pytest.raises(ValueError, match=words):
        run("InbetweenKeyframeSequence", **(SEQUENCE | {"keyframes": keyframes(2)} | changes))
    assert drawn == []


def test_a_repair_changes_what_is_in_doubt(run, drawn):
    clip, doubt = torch.rand(18, HEIGHT, WIDTH, 3), torch.zeros(18, HEIGHT, WIDTH)
    doubt[8, 20:40, 40:60] = 1
    made, redrawn = run(
        "InbetweenRepair", **ALL, **TEXTS, images=clip, doubt=doubt, threshold=0.5, grow=4, denoise=0.6, frames=FRAMES
    )
    assert torch.equal((made != clip).any(-1), redrawn > 0)
    assert (redrawn > 0).flatten(1).any(1).nonzero().flatten().tolist() == [8]
    (asked,) = drawn
    assert (asked["denoise"], asked["each"]) == (0.6, 4)
    assert asked["mask"].shape == (FRAMES, 1, HEIGHT // 8, WIDTH // 8)
    assert int(asked["mask"].flatten(1).any(1).sum()) == 1
    assert asked["latents"].shape == (FRAMES, 4, HEIGHT // 8, WIDTH // 8)
    assert asked["latents"].any()


def test_a_repair_of_a_longer_run_or_without_texts_is_refused(run, drawn):
    clip, doubt = torch.rand(20, HEIGHT, WIDTH, 3), torch.ones(20, HEIGHT, WIDTH)
    given = {**ALL, "images": clip, "doubt": doubt, "frames": FRAMES}
    with pytest.raises(ValueError, match="20 frames were asked for: DynamiCrafter draws 16 at a time"):
        run("InbetweenRepair", **given, **TEXTS)
    with pytest.raises(ValueError, match="positive or negative is not connected"):
        run("InbetweenRepair", **given)
    assert drawn == []


# --- files --------------------------------------------------------------------------------------------------------------------


@pytest.fixture
def loading(part, monkeypatch) -> SimpleNamespace:
    """What is made of files, instead of ComfyUI's objects."""
    fake = SimpleNamespace(
        model=lambda state, rescale: ("model", len(state), rescale),
        clip=lambda state: "clip",
        clip_vision=lambda state: None,
        vae=lambda state: "vae",
        control_net=lambda state: ("sketch", len(state)),
    )
    monkeypatch.setattr(part("nodes.dynamicrafter"), "internals", lambda: fake)
    return fake


def save(path: Path, state: dict[str, Tensor]) -> Path:
    path.parent.mkdir(exist_ok=True, parents=True)
    save_file({key: value.contiguous() for key, value in state.items()}, path)
    return path


def test_a_file_gives_all_its_parts(run, server, loading):
    state, sketches = file(), sketch_state()
    save(server.folder / "toon.safetensors", state)
    save(server.folder / "sketch.safetensors", sketches)
    made = run("InbetweenDynamiCrafterLoader", checkpoint="toon.safetensors", control_net="sketch.safetensors", rescale=0.5)
    assert made == (("model", len(state), 0.5), "clip", None, "vae", ("sketch", len(sketches)))
    assert run("InbetweenDynamiCrafterLoader", checkpoint="toon.safetensors", control_net="none")[-1] is None


def test_what_the_command_fetched_is_offered_by_its_name(run, nodes, loading, monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setenv("INBETWEEN_MODELS", str(tmp_path / "fetched"))
    save(tmp_path / "fetched" / "tooncrafter_512_interp-pruned-fp16.safetensors", file(pruned=True))
    save(tmp_path / "fetched" / "sketch_encoder-fp16.safetensors", sketch_state())
    options = {one.id: one.options for one in nodes["InbetweenDynamiCrafterLoader"].define_schema().inputs}
    assert options["checkpoint"] == ["tooncrafter-512"]
    assert options["control_net"] == ["none", "tooncrafter-sketch"]
    made = run("InbetweenDynamiCrafterLoader", checkpoint="tooncrafter-512", control_net="tooncrafter-sketch")
    assert made[0][0] == "model"
    assert made[-1][0] == "sketch"


def test_a_wrong_file_says_what_it_is(run, server, loading):
    save(server.folder / "other.safetensors", tweening.state("unet"))
    with pytest.raises(ValueError, match=r"other\.safetensors: these weights are Framer's UNet: a file of DynamiCrafter"):
        run("InbetweenDynamiCrafterLoader", checkpoint="other.safetensors", control_net="none")
    save(server.folder / "dynamicrafter_1024_v1.safetensors", file("dc_vae"))
    with pytest.raises(ValueError, match="this model animates a single picture: DynamiCrafter 512 Interp"):
        run("InbetweenDynamiCrafterLoader", checkpoint="dynamicrafter_1024_v1.safetensors", control_net="none")


def test_without_comfyui_s_samplers_it_is_said(run, server):
    save(server.folder / "toon.safetensors", file())
    with pytest.raises(ValueError, match="DynamiCrafter's nodes do not support this version of ComfyUI"):
        run("InbetweenDynamiCrafterLoader", checkpoint="toon.safetensors", control_net="none")
