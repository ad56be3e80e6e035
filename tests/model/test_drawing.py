"""Drawings stay drawings: judged on synthetic cels whose in-betweens are known, by measures of the tests' own."""

import logging
from dataclasses import replace
from fractions import Fraction
from functools import cache

import pytest
import torch
from models import Bare

import vfi
from tests.drawings import SCENES, chamfer, ink, line_width, new_colours, soft
from vfi.archs.blend import Linear
from vfi.core import Frame, InputError, Motion
from vfi.model.drawing import Drawn, drawn
from vfi.model.pace import paced
from vfi.model.wrappers import Wrapper
from vfi.ops.near import box_mean
from vfi.ops.warp import warp_corners
from vfi.pixels.drawn import is_drawn
from vfi.pixels.uint8 import codes
from vfi.render.run import run
from vfi.timing.grids import At

HALF = torch.tensor([0.5])


@cache
def keys(scene):
    return tuple(SCENES[scene](t).on_paper() for t in (0, 0.5, 1))


def window(scene):
    before, _, after = keys(scene)
    return torch.stack((before, after)).float()[None] / 255


def made(scene, model, t=HALF):
    return codes(model(window(scene), t)[0].clamp(0, 1))


@cache
def both(scene):
    plain = vfi.load("inbetween-m")
    return made(scene, plain), made(scene, drawn(plain, "on"))


@pytest.mark.parametrize("scene", SCENES)
def test_flat_areas_have_no_new_colour_and_edges_are_not_blurred(scene):
    before, truth, after = keys(scene)
    plain, kept = both(scene)
    assert new_colours(kept, before, after) <= 0.0001 <= new_colours(plain, before, after)
    assert soft(kept, before, after) < 1.6 * soft(truth, before, after) < soft(plain, before, after) * 1.1


@pytest.mark.parametrize("scene", SCENES)
def test_lines_keep_their_width_and_lie_where_they_should(scene):
    _, truth, _ = keys(scene)
    plain, kept = both(scene)
    assert line_width(kept) == pytest.approx(line_width(truth), rel=0.1)
    assert ink(kept) == pytest.approx(ink(truth), rel=0.12)
    assert ink(kept) > ink(plain)
    assert chamfer(kept, truth) <= chamfer(plain, truth) + 0.01


class Squeezing(Linear):
    """Estimates motion that is 0 in the middle of each line and leads off it at its borders, where both lie."""

    def motion_at(self, prepared, t):
        ink = box_mean(1 - window("lines")[:, 0].mean(1, keepdim=True), 3)
        slope = torch.cat(torch.gradient(ink, dim=(-1, -2)), 1)
        off = -0.3 * slope / slope.square().sum(1, keepdim=True).sqrt().clamp(min=0.1)
        return Motion(off, off, torch.full_like(ink, 0.5))


def test_lines_are_not_squeezed_by_motion_that_changes_across_them():
    picture = keys("lines")[0]
    motion = Squeezing().motion_at(None, HALF)
    squeezed = codes(warp_corners(window("lines")[:, 0], motion.flow0)[0])
    kept = codes(drawn(Squeezing(), "on")(window("lines")[:, :1].repeat(1, 2, 1, 1, 1), HALF)[0].clamp(0, 1))
    assert line_width(squeezed) < 0.7 * line_width(picture)
    assert line_width(kept) == pytest.approx(line_width(picture), rel=0.1)


def test_other_times_are_drawings_too():
    scene = SCENES["slide"]
    kept = made("slide", drawn(vfi.load("inbetween-m"), "on"), torch.tensor([0.25]))
    truth, before, after = scene(0.25).on_paper(), scene(0).on_paper(), scene(1).on_paper()
    assert new_colours(kept, before, after) < 0.0005
    assert chamfer(kept, truth) < 0.15


def test_a_model_without_motion_lends_its_frames_as_a_guide():
    model = drawn(vfi.load("linear"), "on")
    before, truth, after = keys("squash")
    kept, plain = made("squash", model), made("squash", vfi.load("linear"))
    assert new_colours(kept, before, after) < 0.002 < new_colours(plain, before, after)
    assert chamfer(kept, truth) < chamfer(plain, truth)


class Rough(Linear):
    """Makes the true frame of a scene, and claims motion that is pixels off."""

    def __init__(self, scene):
        super().__init__()
        self.truth, self.spec = keys(scene)[1][None].float() / 255, replace(self.spec, motion="nowhere")

    def at(self, prepared, t):
        return self.truth

    def motion_at(self, prepared, t):
        off = torch.full_like(self.truth[:, :2], 5.0)
        return Motion(off, off, off[:, :1] / 10)


def test_motion_that_is_nowhere_exact_is_not_followed():
    before, truth, after = keys("squash")
    kept = made("squash", drawn(Rough("squash"), "on"))
    assert chamfer(kept, truth) < 0.1
    assert new_colours(kept, before, after) < 0.0005


def test_a_picture_is_a_drawing_only_if_it_is_flat_and_sharp():
    shaded = torch.linspace(0, 1, 96).expand(1, 3, 64, 96) * torch.rand(1, 3, 64, 1)
    noisy = window("slide")[:, 0] + 0.05 * torch.randn(1, 3, 144, 192)
    assert all(is_drawn(window(scene)[:, 0]) for scene in SCENES)
    assert not any(is_drawn(picture) for picture in (shaded, noisy, torch.full((1, 3, 40, 40), 0.3)))


def test_auto_treats_only_drawings_so_and_says_it_once(caplog):
    plain = vfi.load("inbetween-s")
    model = drawn(plain, "auto")
    noisy = (window("slide") + 0.05 * torch.randn(1, 2, 3, 144, 192)).clamp(0, 1)
    with caplog.at_level(logging.WARNING):
        assert torch.equal(model(noisy, HALF), plain(noisy, HALF))
        assert not caplog.records
        flat = [model(window(scene), HALF) for scene in ("slide", "lines")]
    assert [record.getMessage()[:29] for record in caplog.records] == ["the frames are flat-coloured:"]
    assert torch.equal(flat[0], drawn(plain, "on")(window("slide"), HALF))


def test_off_is_the_model_itself_and_another_mode_is_refused():
    plain = Linear()
    assert drawn(plain, "off") is plain
    with pytest.raises(InputError, match="'inked' was given for drawings: it must be one of auto, on, off"):
        drawn(plain, "inked")
    assert isinstance(vfi.load("dis", drawing="auto"), Drawn)


def test_a_consensus_keeps_its_doubt():
    model = vfi.load(["dis", "linear"], drawing="on")
    frames = [Frame(keys("squash")[index], Fraction(index)) for index in (0, 2)]
    (frame,) = run([frames[0], Frame(frames[1].rgb, Fraction(1))], model, At((Fraction(1, 2),)))
    assert frame.doubt.max() > 0.1
    assert new_colours(frame.rgb, keys("squash")[0], keys("squash")[2]) < 0.002


def test_black_lines_on_nothing_move_with_their_alpha():
    """Premultiplied, such lines are black on black: no model could see them."""
    cels = [(0 * rgb, alpha) for rgb, alpha in (SCENES["lines"](t).cel() for t in (0, 0.5, 1))]
    pair = [Frame(rgb, Fraction(index), alpha=alpha) for index, (rgb, alpha) in enumerate((cels[0], cels[2]))]
    (frame,) = run(pair, vfi.load("inbetween-m", drawing="auto"), At((Fraction(1, 2),)))
    (plain,) = run(pair, vfi.load("inbetween-m"), At((Fraction(1, 2),)))

    def shown(rgb, alpha):
        return (rgb.float() * alpha / 255 + 255 - alpha.float()).to(torch.uint8)

    truth = shown(*cels[1])
    assert chamfer(shown(frame.rgb, frame.alpha), truth) < 0.15 < 1 < chamfer(shown(plain.rgb, plain.alpha), truth)
    assert ink(shown(frame.rgb, frame.alpha)) == pytest.approx(ink(truth), rel=0.12)
    assert not frame.rgb.any()


def test_transparency_stays_where_nothing_is_drawn():
    cels = [SCENES["slide"](t).cel() for t in (0, 1)]
    pair = [Frame(rgb, Fraction(index), alpha=alpha) for index, (rgb, alpha) in enumerate(cels)]
    (frame,) = run(pair, vfi.load("inbetween-m", drawing="on"), At((Fraction(1, 2),)))
    nothing = (SCENES["slide"](0.5).cel()[1][0] == 0) & (cels[0][1][0] == 0) & (cels[1][1][0] == 0)
    assert (frame.alpha[0][nothing] == 0).float().mean() > 0.995
    assert not frame.rgb[:, frame.alpha[0] == 0].any()


@pytest.mark.parametrize("size", [(1, 1), (2, 9), (15, 40)])
def test_any_size(size):
    frames = torch.rand(1, 2, 3, *size)
    assert drawn(vfi.load("dis"), "on")(frames, HALF).shape == (1, 3, *size)


@pytest.mark.parametrize("kind", ["takes times", "moves", "bare"])
def test_drawings_keep_the_pace_of_the_frames_around_them(kind):
    """The ball speeds up: half-way in time it is less than half-way along, and no colour is new."""
    frames = [SCENES["slide"](t).on_paper() for t in (-0.1, 0.0, 0.4, 1.1)]  # each step is 0.3 longer than the one before
    truth = SCENES["slide"](0.1625).on_paper()
    window = torch.stack(frames).float()[None] / 255
    model = vfi.load("inbetween-s")
    if kind != "takes times":
        model = (Wrapper if kind == "moves" else Bare)(model, replace(model.spec, time_map=False))
    still = drawn(model, "on")
    plain, kept = (
        codes(model(given, HALF)[0].clamp(0, 1)) for model, given in ((still, window[:, 1:3]), (paced(still, "auto"), window))
    )
    assert chamfer(kept, truth) < chamfer(plain, truth) / 2
    assert new_colours(kept, frames[1], frames[2]) <= 0.0001
