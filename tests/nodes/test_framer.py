"""Framer's nodes without ComfyUI's samplers, which `tests/integration` covers."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
import tweening
from safetensors.torch import save_file
from torch import Tensor
from tweening import FRAMES, HEIGHT, WIDTH, picture, stored

from vfi.tween import edm, framer, keyframes

SIZE = {"width": WIDTH, "height": HEIGHT, "frames": FRAMES}


class Vae:
    def encode(self, pixels: Tensor) -> Tensor:
        return tweening.coding()[0].encode(pixels.movedim(-1, 1))

    def decode(self, latents: Tensor) -> Tensor:
        return tweening.coding()[0].decode(latents).movedim(1, -1)


class ClipVision:
    image_size = tweening.coding()[1].side

    def encode_image(self, image: Tensor, crop: bool = True) -> SimpleNamespace:
        assert not crop
        return SimpleNamespace(image_embeds=tweening.coding()[1](image.movedim(-1, 1)))


CODERS = {"vae": Vae(), "clip_vision": ClipVision()}


class Model:
    """The public methods of a MODEL."""

    def __init__(self) -> None:
        self.model_options: dict[str, Any] = {"transformer_options": {}}

    def clone(self) -> Model:
        return Model()

    def set_model_sampler_cfg_function(self, cfg: Any, disable_cfg1_optimization: bool = False) -> None:
        assert disable_cfg1_optimization
        self.cfg = cfg


class Control:
    def following(self, *given: Any) -> Control:
        made = Control()
        made.given = given
        return made

    def set_previous_controlnet(self, previous: Any) -> None:
        self.previous = previous


def images(name: str = "input.image_u8") -> Tensor:
    """[1,H,W,3]"""
    return picture(stored("loop")[name]).movedim(0, -1)[None]


def points(*ways: tuple[float, float]) -> dict[str, Tensor]:
    """Tracks of still points."""
    path = torch.tensor(ways).reshape(1, -1, 2).expand(4, -1, -1)
    return {"track_path": path, "track_visibility": torch.ones(path.shape[:2], dtype=torch.bool)}


def told(run, start: Tensor, end: Tensor, **size: int) -> tuple:
    return run("InbetweenFramerConditioning", start=start, end=end, **CODERS, **(SIZE | size))


@torch.no_grad()
def test_keyframes_are_told_as_the_library_tells_them(run):
    positive, negative, latent = told(run, images(), images("input.image_end_u8"))
    assert latent["samples"].shape == (FRAMES, 4, HEIGHT // 8, WIDTH // 8)
    pair = [picture(stored("loop")[name]) for name in ("input.image_u8", "input.image_end_u8")]
    ends, tokens = keyframes.condition_on(tweening.coders(), *pair, 0.02, keyframes.noise(0), torch.zeros(()))
    assert torch.allclose(positive[0][1]["framer"].ends, ends, atol=1e-5)
    assert torch.allclose(positive[0][0][0], tokens, atol=1e-5)
    assert not negative[0][0].any()
    assert not negative[0][1]["framer"].ends.any()
    assert positive[0][1]["framer"].ids.tolist() == pytest.approx([6, 100, 0.02])


@torch.no_grad()
def test_tracks_follow_the_picture_to_its_size(run):
    """The picture is twice as large and cropped at both sides."""
    large = torch.rand(1, 2 * HEIGHT, 2 * WIDTH + 40, 3)
    positive, negative, _ = told(run, large, large)
    led = run(
        "InbetweenFramerApplyTracks",
        positive=positive, negative=negative, control_net=Control(), tracks=points((20, 0), (120, 60)), strength=0.5,
    )  # fmt: skip
    tracks, strength, during, refine = led[0][0][1]["control"].given
    assert (tracks.frames, tracks.size) == (FRAMES, (WIDTH, HEIGHT))
    assert tracks.path[0].tolist() == [pytest.approx(place) for place in ([-0.25, -0.25], [49.75, 29.75])]
    assert (strength, during, refine) == (0.5, (0.0, 1.0), False)
    assert led[0][0][1]["control"] is led[1][0][1]["control"]  # shared, so that ComfyUI batches both
    assert led[0][0][1]["framer"] is positive[0][1]["framer"]


@torch.no_grad()
def test_no_tracks_and_no_strength_change_nothing(run):
    positive, negative, _ = told(run, images(), images())
    for tracks, strength in ((points(), 1.0), (points((3, 3)), 0.0)):
        given = {"positive": positive, "negative": negative, "control_net": Control(), "tracks": tracks, "strength": strength}
        assert run("InbetweenFramerApplyTracks", **given) == (positive, negative)


@pytest.mark.parametrize("curve", ["linear", "triangle"])
def test_frames_are_guided_along_a_curve(run, curve):
    (model,) = run("InbetweenCfgCurve", model=Model(), curve=curve, first=1.5, last=4.0)
    with_them, without = torch.randn(2, FRAMES, 4, 8, 8)
    strength = edm.guidance(FRAMES, (1.5, 4.0), curve).reshape(-1, 1, 1, 1)
    made = model.cfg({"cond": with_them, "uncond": without, "cond_scale": 7.0})
    assert torch.allclose(made, without + strength * (with_them - without), atol=1e-5)


@pytest.fixture
def drawn(part, monkeypatch) -> list[dict[str, Any]]:
    """Calls of a fake sampler, which returns grey; ComfyUI's internals are missing."""
    asked: list[dict[str, Any]] = []

    def sample(model: Any, positive: Any, negative: Any, latents: Tensor, **how: Any) -> Tensor:
        asked.append({"positive": positive[0][1], "latents": latents, **how})
        return torch.zeros_like(latents)

    fake = SimpleNamespace(Progress=lambda model, total: total, sample=sample)
    monkeypatch.setattr(part("nodes.framer"), "internals", lambda: fake)
    return asked


ALL = {"model": Model(), **CODERS, **SIZE, "steps": 4}


@torch.no_grad()
def test_one_node_draws(run, drawn):
    (clip,) = run(
        "InbetweenFramerTween",
        **ALL, start=images(), end=images(), tracks=points((3, 3)), control_net=Control(), seed=5,
    )  # fmt: skip
    assert clip.shape == (FRAMES, HEIGHT, WIDTH, 3)
    (asked,) = drawn
    assert asked["latents"].shape == (FRAMES, 4, HEIGHT // 8, WIDTH // 8)
    assert not asked["latents"].any()
    assert (asked["steps"], asked["seed"], asked["each"]) == (4, 5, 4)
    assert asked["positive"]["control"].given[0].frames == FRAMES


@torch.no_grad()
def test_optional_inputs_may_be_absent(nodes, drawn):
    """Saved workflows may lack them: the library's defaults hold."""
    shared = {**ALL, "curve": "linear", "first": 1.0, "last": 3.0, "fps": 7, "motion_bucket": 100, "seed": 5}
    nodes["InbetweenFramerTween"].execute(**shared, start=images(), end=images(), strength=1.0)
    assert drawn[0]["positive"]["framer"].ids.tolist() == pytest.approx([6, 100, framer.Drawing.augmentation])
    with pytest.raises(TypeError, match="unknown"):
        nodes["InbetweenFramerTween"].execute(**shared, start=images(), end=images(), strength=1.0, unknown=1)


@torch.no_grad()
def test_a_sequence_has_each_keyframe_once(run, drawn):
    clip, count, places = run("InbetweenKeyframeSequence", **ALL, keyframes=torch.cat([images()] * 4))
    assert clip.shape == (3 * (FRAMES - 1) + 1, HEIGHT, WIDTH, 3)
    assert (count, places) == (13, "0, 4, 8, 12")
    assert [len(asked["latents"]) for asked in drawn] == [FRAMES] * 3
    assert {asked["each"] for asked in drawn} == {12}


@torch.no_grad()
def test_keyframes_may_come_as_a_list(run, drawn):
    _, count, places = run("InbetweenKeyframeSequence", **ALL, keyframes=[images(), torch.cat([images()] * 2)])
    assert (count, places) == (9, "0, 4, 8")
    with pytest.raises(ValueError, match="keyframes of 64x32, 128x64 were given: all must have the same size"):
        run("InbetweenKeyframeSequence", **ALL, keyframes=[images(), images()[:, ::2, ::2]])


@torch.no_grad()
def test_tracks_of_a_sequence_are_those_of_its_pairs(run, drawn):
    path = torch.linspace(0, 40, 9).reshape(9, 1, 1).expand(9, 1, 2)
    tracks = {"track_path": path, "track_visibility": torch.ones(9, 1, dtype=torch.bool)}
    given = {**ALL, "keyframes": torch.cat([images()] * 3), "tracks": tracks, "control_net": Control()}
    run("InbetweenKeyframeSequence", **given)
    first, second = (asked["positive"]["control"].given[0].path[:, 0, 0] for asked in drawn)
    assert first.tolist() == pytest.approx([0, 5, 10, 15, 20])
    assert second.tolist() == pytest.approx([20, 25, 30, 35, 40])


@torch.no_grad()
def test_a_repair_changes_what_is_in_doubt(run, drawn):
    clip = torch.rand(8, 100, 150, 4)
    doubt = torch.zeros(8, 100, 150)
    doubt[3, 40:60, 70:90] = 0.4
    made, redrawn = run("InbetweenRepair", **ALL, images=clip, doubt=doubt, threshold=0.3, grow=4, denoise=0.6)
    assert made.shape == clip.shape
    assert torch.equal(made[..., 3], clip[..., 3])
    assert torch.equal((made != clip).any(-1), redrawn > 0)
    assert (redrawn > 0).flatten(1).sum(1).tolist() == [0, 0, 0, 28 * 28, 0, 0, 0, 0]
    (asked,) = drawn
    assert (asked["denoise"], asked["each"]) == (0.6, 4)
    assert asked["mask"].shape == (FRAMES, 1, HEIGHT // 8, WIDTH // 8)
    assert asked["mask"].flatten(1).any(1).tolist() == [False, False, True, False, False]
    assert asked["latents"].any()


@torch.no_grad()
def test_a_clip_without_doubt_is_not_touched(run, drawn):
    clip = torch.rand(8, 100, 150, 3)
    made, redrawn = run("InbetweenRepair", **ALL, images=clip, doubt=torch.zeros(1, 100, 150))
    assert torch.equal(made, clip)
    assert not redrawn.any()
    assert drawn == []


def test_a_wrong_file_says_what_it_is(run, server):
    save_file(tweening.state("controlnet"), server.folder / "mine.safetensors")
    with pytest.raises(ValueError, match=r"mine\.safetensors: these weights are Framer's ControlNet: Framer's UNet is needed"):
        run("InbetweenFramerLoader", unet="mine.safetensors", control_net="none")
    save_file(tweening.state("svd"), server.folder / "other.safetensors")
    with pytest.raises(ValueError, match="Stable Video Diffusion's UNet: Framer's UNet is needed"):
        run("InbetweenFramerLoader", unet="other.safetensors", control_net="none")
    with pytest.raises(ValueError, match=r"unet is 'gone\.safetensors': one of mine\.safetensors, other"):
        run("InbetweenFramerLoader", unet="gone.safetensors", control_net="none")


def test_without_comfyui_s_samplers_it_is_said(run, server):
    save_file(tweening.state("unet"), server.folder / "mine.safetensors")
    with pytest.raises(ValueError, match="Framer's nodes do not support this version of ComfyUI"):
        run("InbetweenFramerLoader", unet="mine.safetensors", control_net="none")


@torch.no_grad()
def test_what_does_not_suit_is_one_sentence(run, drawn):
    clip = torch.rand(8, 100, 150, 3)
    with pytest.raises(ValueError, match="of their size is needed"):
        run("InbetweenRepair", **ALL, images=clip, doubt=torch.zeros(8, 50, 75))
    with pytest.raises(ValueError, match="one keyframe was given"):
        run("InbetweenKeyframeSequence", **ALL, keyframes=images())
    with pytest.raises(ValueError, match="the control net is not Framer's"):
        run("InbetweenFramerTween", **ALL, start=images(), end=images(), tracks=points((3, 3)))
    nothing = [[torch.zeros(1, 2, 16), {}]]
    given = {"positive": nothing, "negative": nothing, "control_net": Control(), "tracks": points((3, 3))}
    with pytest.raises(ValueError, match="the conditioning is not Framer's"):
        run("InbetweenFramerApplyTracks", **given)
    other = SimpleNamespace(encode=lambda pixels: torch.zeros(2, 16, 1, 8, 8))
    with pytest.raises(ValueError, match=r"the VAE's latents have the shape \[2, 16, 1, 8, 8\]"):
        run("InbetweenFramerConditioning", start=images(), end=images(), **(CODERS | {"vae": other}), **SIZE)


def test_what_it_learned_is_the_default(nodes):
    for name in ("InbetweenFramerConditioning", "InbetweenFramerTween", "InbetweenKeyframeSequence", "InbetweenRepair"):
        given = {part.id: part.default for part in nodes[name].define_schema().inputs}
        assert (given["width"], given["height"], given["frames"]) == (*framer.SIZE, framer.FRAMES)


@pytest.fixture
def parts(server, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What ComfyUI's VAE and CLIP vision are made of, of files in its folders."""
    made: dict[str, Any] = {}

    class Vae:
        def __init__(self, sd: dict[str, Tensor]) -> None:
            made["vae"] = sd

        def throw_exception_if_invalid(self) -> None:
            assert "decoder.mid.block_1.mix_factor" in made["vae"]

    def load(path: str) -> object:
        made["clip_vision"] = path
        return object()

    for name, module in (("sd", SimpleNamespace(VAE=Vae)), ("clip_vision", SimpleNamespace(load=load))):
        monkeypatch.setitem(sys.modules, f"comfy.{name}", module)
        monkeypatch.setattr(sys.modules["comfy"], name, module, raising=False)
    save_file(tweening.state("vae"), server.folder / "vae.safetensors")
    save_file(tweening.state("clip"), server.folder / "eye.safetensors")
    return made


def test_the_parts_of_svd_come_from_two_files(run, server, parts):
    vae, vision = run("InbetweenLoadSvdParts", vae="vae.safetensors", image_encoder="eye.safetensors")
    assert vae is not None
    assert vision is not None
    assert "quant_conv.weight" not in parts["vae"]
    assert parts["clip_vision"] == str(server.folder / "eye.safetensors")
    with pytest.raises(ValueError, match=r"eye\.safetensors: these weights are a CLIP vision model: the autoencoder of Stable"):
        run("InbetweenLoadSvdParts", vae="eye.safetensors", image_encoder="eye.safetensors")
    with pytest.raises(ValueError, match=r"vae\.safetensors: these weights are the autoencoder of .*: the image encoder"):
        run("InbetweenLoadSvdParts", vae="vae.safetensors", image_encoder="vae.safetensors")


def test_what_the_command_fetched_is_offered_by_its_name(run, part, parts, monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setenv("INBETWEEN_MODELS", str(tmp_path))
    save_file(tweening.state("vae"), tmp_path / "svd_xt_vae_fp16.safetensors")
    assert part("nodes.framer").files_in("vae")[-1] == "svd-vae"
    assert "svd-vae" not in part("nodes.framer").files_in("diffusion_models")
    run("InbetweenLoadSvdParts", vae="svd-vae", image_encoder="eye.safetensors")
    assert "decoder.mid.block_1.mix_factor" in parts["vae"]
