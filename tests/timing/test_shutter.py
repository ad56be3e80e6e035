"""Motion blur: how wide, how bright, and what it leaves alone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction as F

import pytest
import torch
from models import Blend

from vfi.core import Frame, InputError, Spec
from vfi.pixels.transfer import named
from vfi.render.run import run
from vfi.timing.grids import At, Subdivide, Uniform
from vfi.timing.shutter import Shutter, exposed

LINEAR, SRGB = named("linear"), named("srgb")
RATE = F(24)
SPEED = 24  # pixels from frame to frame
BAR = 4  # pixels wide


class Mover:
    """Moves a bright bar over a dark ground, evenly: the truth between two frames of `bars`."""

    spec = Spec("mover")

    def __call__(self, window, t):
        starts = (window[:, 0, 0, 0] > 0.5).int().argmax(-1)
        made = [bar(round(int(starts[0]) + SPEED * step, 3), window.shape[-1]) for step in t.tolist()]
        return torch.stack(made)


def bar(left: float, width: int) -> torch.Tensor:
    """[3,2,W]: light 1 from ``left`` on, light 0.1 elsewhere, sRGB."""
    columns = torch.arange(width)
    light = torch.where((columns >= round(left)) & (columns < round(left) + BAR), 1.0, 0.1)
    return SRGB.code(light).expand(3, 2, width).contiguous()


def bars(count: int, width: int = 200) -> Iterator[Frame]:
    for index in range(count):
        yield Frame(bar(8 + index * SPEED, width), index / RATE, 1 / RATE)


def blurred(frames, shutter, outputs, *, model=None, curve=SRGB, tail="stop") -> list[Frame]:
    return list(exposed(run(frames, model or Mover(), shutter.grid(outputs), tail=tail), curve))


@pytest.mark.parametrize("angle", [45, 90, 180, 270, 360])
@pytest.mark.parametrize(("outputs", "step"), [(Subdivide(1), SPEED), (Uniform(RATE), SPEED), (Uniform(F(12)), 2 * SPEED)])
def test_a_moving_bar_is_blurred_over_the_way_it_goes_while_the_shutter_is_open(angle, outputs, step):
    path = step * angle // 360
    made = blurred(bars(5), Shutter(F(angle), samples=path), outputs)
    for index, frame in enumerate(made[:-1]):
        light = SRGB.light(frame.rgb)[0, 0] - 0.1
        lit = (light > 1e-4).nonzero()[:, 0]
        assert lit[0] == 8 + index * step
        assert len(lit) == path + BAR - 1
        assert light.sum().item() == pytest.approx(0.9 * BAR, rel=1e-4)  # a mean of code values would lose two thirds of it
        torch.testing.assert_close(light.max().item(), 0.9 * min(BAR / path, 1), atol=1e-4, rtol=0)
        assert frame.made


@pytest.mark.parametrize("tail", ["stop", "hold"])
@pytest.mark.parametrize("angle", [F(1), F(864, 5), F(360)])
@pytest.mark.parametrize(
    "outputs", [Subdivide(1), Subdivide(3, F(2)), Uniform(F(60)), Uniform(F(25, 3), F(5, 2)), Uniform(F(7))]
)
def test_frames_times_and_durations_are_those_without_a_shutter(outputs, angle, tail):
    plain = list(run(bars(4), Mover(), outputs, tail=tail))
    made = blurred(bars(4), Shutter(angle, 5), outputs, tail=tail)
    assert [(frame.time, frame.duration) for frame in made] == [(frame.time, frame.duration) for frame in plain]


def test_an_exposure_ends_at_a_cut():
    dark, bright = torch.full((3, 2, 2), 0.25), torch.full((3, 2, 2), 0.75)
    clip = [Frame(picture, F(index), F(1)) for index, picture in enumerate((dark, dark, bright, bright))]
    clip[2] = replace(clip[2], cut="hold")
    made = blurred(clip, Shutter(F(360), 8), Uniform(F(2, 3)), model=Blend(), tail="hold")
    assert [frame.rgb[0, 0, 0].item() for frame in made] == pytest.approx([0.25, 0.25, 0.75], abs=1e-6)
    assert [frame.shot for frame in made] == [0, 0, 1]


def test_a_held_picture_is_left_alone():
    made = blurred(bars(3), Shutter(), Subdivide(2), tail="hold")
    for frame in made[-2:]:
        assert torch.equal(frame.rgb, bar(8 + 2 * SPEED, 200))
    assert not made[-2].made


def test_colour_is_weighed_by_alpha():
    red, blue = torch.zeros(3, 2, 2), torch.zeros(3, 2, 2)
    red[0] = blue[2] = 1
    frames = [
        Frame(red, F(0), alpha=torch.full((1, 2, 2), 0.75)),
        Frame(blue, F(0), F(1), alpha=torch.full((1, 2, 2), 0.25)),
        Frame(blue, F(1), F(1), alpha=torch.zeros(1, 2, 2)),
        Frame(red, F(1), F(1), alpha=torch.zeros(1, 2, 2)),
    ]
    mixed, clear = exposed(frames, LINEAR)
    torch.testing.assert_close(mixed.rgb[:, 0, 0], torch.tensor([0.75, 0, 0.25]))
    torch.testing.assert_close(mixed.alpha, torch.full((1, 2, 2), 0.5))
    assert clear.alpha.max() == 0
    assert clear.rgb.isfinite().all()


def test_light_above_white_counts():
    frames = [Frame(torch.full((3, 1, 1), value), F(0)) for value in (16.0, 0.0, 0.0, 0.0)]
    (mean,) = exposed(frames, LINEAR)
    assert mean.rgb.unique().item() == 4


@pytest.mark.parametrize(
    ("angle", "samples", "message"),
    [(0, 8, "0 degrees"), (361, 8, "361 degrees"), (-90, 8, "-90 degrees"), (180, 1, "1 samples")],
)
def test_what_no_shutter_does_is_refused(angle, samples, message):
    with pytest.raises(InputError, match=message):
        Shutter(F(angle), samples)


def test_odd_times_are_refused():
    with pytest.raises(InputError, match="evenly spaced"):
        Shutter().grid(At((F(0), F(1))))
