"""Framer: whole runs against those of the published code, and what it does beyond."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor
from tweening import FRAMES, HEIGHT, SEED, WIDTH, apart, coders, controlnet, normal, picture, state, stored, unet

from vfi.core import InputError
from vfi.motion.match import Matches
from vfi.tracks import Tracks
from vfi.tween import edm, keyframes, svd
from vfi.tween.framer import Drawing, Framer, Run, autopilot, condition, maps
from vfi.tween.refresh import Enlarged, Refresh

CLOSE = 5e-5
"""Of the largest value; the reference allows 5e-4."""

THREE = Drawing(steps=3)

CHINA = Path(__file__).parents[1] / "data" / "images" / "china.jpg"


def pictures() -> tuple[Tensor, Tensor]:
    data = stored("loop")
    return picture(data["input.image_u8"]), picture(data["input.image_end_u8"])


def tracks(name: str = "input.tracks") -> Tracks:
    path = stored("loop")[name].double()
    return Tracks(path, torch.ones(path.shape[:2], dtype=torch.bool), (WIDTH, HEIGHT))


def framer() -> Framer:
    return Framer(unet(), coders(), controlnet())


def noise() -> Tensor:
    return normal("input:framer.latents", (1, FRAMES, 4, HEIGHT // 8, WIDTH // 8))


def told() -> tuple[Tensor, Tensor]:
    return keyframes.condition_on(coders(), *pictures(), THREE.augmentation, edm.noise_of(SEED), torch.zeros(()))


@torch.no_grad()
def test_keyframes_are_told_as_published():
    data = stored("loop")
    ends, tokens = told()
    rows = torch.stack([condition(row, FRAMES, unet().mask_token) for row in keyframes.paired(ends)])
    assert apart(rows, data["expected.unet_first_input_cond_channels"]) < CLOSE
    for index, name in enumerate(("image", "image_end")):
        assert apart(keyframes.paired(tokens[index])[:, None], data[f"expected.{name}_embeddings_cfg"]) < CLOSE


def run(drawing: Drawing, points: Tracks | None, order: str = "fixed") -> Run:
    return Run(unet(order), controlnet(order), *told(), points, drawing, FRAMES)


@pytest.mark.parametrize(
    ("name", "drawing", "points", "order"),
    [
        ("control_fixed", THREE, "input.tracks", "fixed"),
        ("control_legacy", THREE, "input.tracks", "legacy"),
        ("nocontrol_fixed", THREE, None, "fixed"),
        ("nocontrol_legacy", THREE, None, "legacy"),
        ("control_fixed_triangle", replace(THREE, curve="triangle"), "input.tracks", "fixed"),
        ("control_fixed_half_range", replace(THREE, strength=0.5, during=(0, 0.5)), "input.tracks", "fixed"),
        ("autopilot_off_fixed", THREE, "input.autopilot_tracks", "fixed"),
    ],
)
@torch.no_grad()
def test_runs_give_what_the_published_code_gives(name, drawing, points, order):
    data = stored("loop")
    steps: list[edm.Step] = []
    one = run(drawing, None if points is None else tracks(points), order)
    latents = edm.euler(one.predict, noise(), 3, steps.append)
    assert torch.equal(latents, steps[-1].latents)
    compared = 0
    for step in steps:
        expected = data.get(f"expected.{name}.step{step.number - 1}")
        if expected is not None:
            assert apart(step.latents, expected) < CLOSE
            compared += 1
    assert compared == (3 if name == "control_fixed" else 1)


@torch.no_grad()
def test_a_clip_is_decoded_as_published():
    data = stored("loop")
    latents = data["expected.control_fixed.step2"][0]
    own = coders()
    whole = own.decode(latents / keyframes.SCALE)[..., ::4, ::4] * 2 - 1
    assert apart(whole, data["expected.control_fixed.frames_decoded"]) < CLOSE
    parts = torch.cat([own.decode(part / keyframes.SCALE) for part in latents.split(2)])[..., ::4, ::4] * 2 - 1
    assert apart(parts, data["expected.control_fixed.frames_decoded_chunk2"]) < CLOSE
    assert torch.equal(keyframes.decode_frames(own, latents, latents)[..., ::4, ::4], ((whole + 1) / 2).clamp(0, 1))


@pytest.mark.parametrize(("name", "agree"), [("autopilot_fixed", 2), ("autopilot_loose_fixed", 9)])
@torch.no_grad()
def test_points_are_found_where_the_published_code_finds_them(name, agree):
    """It draws its maps once: so does this run, whose tracks lead nowhere."""
    data = stored("refresh")
    one = run(replace(THREE, refine=True), tracks("input.autopilot_tracks"))
    assert one.refresh is not None
    one.refresh.agree = agree
    drawn = one.hints
    one._hints = lambda: drawn
    before = [one.tracks]
    latents = edm.euler(one.predict, noise(), 3, lambda step: before.append(one.tracks))
    assert apart(latents, stored("loop")[f"expected.{name}.step2"]) < CLOSE
    for step in range(3):
        assert torch.allclose(before[step].path.float(), data[f"{name}.tracks_step{step}"], atol=1e-4)
    assert torch.equal(one.refresh.fixed, data[f"{name}.anchor_flag_final"].bool())


@torch.no_grad()
def test_refined_tracks_are_drawn_anew():
    drawing = replace(THREE, refine=True)
    one = run(drawing, tracks("input.autopilot_tracks"))
    assert one.refresh is not None
    one.refresh.agree = 9
    first = one.hints
    assert first is not None
    refined = edm.euler(one.predict, noise(), 3)
    assert one.tracks is not None
    assert one.hints is not None
    assert (one.tracks.path - tracks("input.autopilot_tracks").path).abs().max() > 1
    assert torch.equal(one.hints, controlnet().hints(maps(one.tracks)))
    assert not torch.equal(one.hints, first)
    assert apart(refined, stored("loop")["expected.autopilot_off_fixed.step2"]) > 1e-3


def test_parts_of_enlarged_features_are_those_of_the_whole():
    features = torch.randn(2, 3, 8, 16)
    whole = F.interpolate(features, size=(64, 128), mode="bilinear")
    large = Enlarged(features, 128, 64)
    for x, y, reach in ((0, 0, 5), (127, 63, 5), (64, 30, 5), (3, 60, 0)):
        part = whole[1, :, max(y - reach, 0) : y + reach + 1, max(x - reach, 0) : x + reach + 1]
        assert torch.allclose(large.part(1, torch.tensor([x, y]), reach), part, atol=1e-5)


@torch.no_grad()
def test_points_outside_of_the_picture_are_looked_for_at_its_edge():
    path = torch.tensor([[[-50.0, 30.0]], [[60.0, 300.0]], [[20.0, 20.0]]])
    refresh = Refresh(Tracks(path, torch.ones(3, 1, dtype=torch.bool), (WIDTH, HEIGHT)))
    bent = refresh(torch.randn(3, 8, 8, 16))
    assert torch.equal(bent.path[[0, 2]], path[[0, 2]])


def test_a_clip_is_drawn_and_its_steps_are_told():
    seen: list[int] = []
    first, last = pictures()
    clip = framer()(first, last, tracks(), THREE, frames=4, each=lambda step: seen.append(step.number))
    assert clip.shape == (4, 3, HEIGHT, WIDTH)
    assert clip.dtype == torch.float32
    assert 0 <= clip.min() <= clip.max() <= 1
    assert seen == [1, 2, 3]
    assert torch.equal(clip, framer()(first, last, tracks(), THREE, frames=4))
    assert not torch.equal(clip, framer()(first, last, tracks(), replace(THREE, seed=1), frames=4))
    assert not torch.equal(clip, framer()(first, last, None, THREE, frames=4))


def test_tracks_are_brought_to_the_size_and_the_frames():
    first, last = pictures()
    large = tracks().scaled((2 * WIDTH, 2 * HEIGHT))
    assert torch.allclose(
        framer()(first, last, large, THREE, frames=5), framer()(first, last, tracks(), THREE, frames=5), atol=1e-4
    )


def test_no_tracks_are_as_none():
    first, last = pictures()
    empty = tracks().select([])
    assert torch.equal(framer()(first, last, empty, THREE, frames=3), framer()(first, last, None, THREE, frames=3))


def test_the_work_ends_when_it_is_told_to():
    class Enough(Exception):
        pass

    def stop(step: edm.Step) -> None:
        if step.number == 2:
            raise Enough

    with pytest.raises(Enough):
        framer()(*pictures(), None, replace(THREE, steps=20), frames=3, each=stop)


def test_autopilot_follows_points_that_move_together():
    places = torch.rand(60, 2, generator=torch.Generator().manual_seed(0)) * torch.tensor([100.0, 50.0])
    moved = places + torch.tensor([6.0, 3.0])
    moved[:5] += 40 * torch.rand(5, 2, generator=torch.Generator().manual_seed(1)) + 5

    def matcher(first: Tensor, last: Tensor) -> Matches:
        return Matches(places, moved, torch.linspace(1, 0.1, 60), (WIDTH, HEIGHT))

    found = autopilot(*pictures(), frames=7, count=4, matcher=matcher)
    assert (found.frames, found.count) == (7, 4)
    way = found.path[-1] - found.path[0]
    assert torch.allclose(way, torch.tensor([6.0, 3.0]).to(way).expand_as(way), atol=1e-4)


def test_autopilot_finds_what_sift_finds():
    image = cv2.resize(cv2.imread(str(CHINA)), (320, 200), interpolation=cv2.INTER_AREA)
    whole = picture(torch.from_numpy(image))
    found = autopilot(whole[:, :, 12:], whole[:, :, :-12], frames=5)
    assert (found.frames, found.count) == (5, 5)
    way = found.path[-1] - found.path[0]
    assert (way - torch.tensor([12.0, 0.0]).to(way)).abs().max() < 1


def test_tracks_need_a_controlnet():
    with pytest.raises(InputError, match="3 tracks were given, and no ControlNet"):
        Framer(unet(), coders())(*pictures(), tracks(), THREE, frames=3)


def test_other_networks_are_refused():
    with pytest.raises(InputError, match="takes 8 channels and lacks a token"):
        Framer(svd.unet(state("svd")), coders())
    wide = {key: value for key, value in state("controlnet").items()}
    wide["conv_in.weight"] = torch.zeros(32, 8, 3, 3)
    with pytest.raises(InputError, match="not made for this UNet"):
        Framer(unet(), coders(), svd.controlnet(wide))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"steps": 0}, "0 steps"),
        ({"seed": -1}, "seed -1"),
        ({"fps": 0}, "0 frames per second"),
        ({"motion": 256}, "motion 256"),
        ({"augmentation": 2}, "augmentation 2"),
        ({"curve": "round"}, "curve 'round'"),
        ({"strength": 3}, "strength 3"),
        ({"during": (0.5, 0.2)}, "steering during .* was asked for"),
    ],
)
def test_what_cannot_be_drawn_is_refused(options, words):
    with pytest.raises(InputError, match=words):
        Drawing(**options)


@pytest.mark.parametrize(
    ("first", "last", "frames", "words"),
    [
        ((3, 64, 128), (3, 64, 64), 5, "two of one size"),
        ((1, 64, 128), (1, 64, 128), 5, "two of one size"),
        ((3, 68, 128), (3, 68, 128), 5, "multiples of 8, from 64 up"),
        ((3, 32, 128), (3, 32, 128), 5, "multiples of 8, from 64 up"),
        ((3, 64, 128), (3, 64, 128), 2, "2 frames were asked for"),
    ],
)
def test_keyframes_that_do_not_suit_are_refused(first, last, frames, words):
    with pytest.raises(InputError, match=words):
        framer()(torch.zeros(first), torch.zeros(last), frames=frames)
