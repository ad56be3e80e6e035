"""Pace from neighbours: times of pixels from four frames, in scenes whose motion is known."""

from __future__ import annotations

import math
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise

import pytest
import torch
import torch.nn.functional as F
from models import Blend
from torch import Tensor

from vfi import interpolate, retime
from vfi.core import Frame, InputError, Interpolator, Spaced
from vfi.model import pace
from vfi.model.load import Choice, build, spec_of
from vfi.model.pace import PACES, Paced, Side, Times, paced
from vfi.model.tiles import Tiled
from vfi.render.run import frames_of_tensor, run
from vfi.timing.grids import Subdivide

HEIGHT, WIDTH = 96, 144


def texture(size: tuple[int, int], cells: int, seed: int) -> Tensor:
    """A smooth random picture [1,3,H,W], 0..1."""
    coarse = torch.rand(1, 3, cells, cells, generator=torch.Generator().manual_seed(seed))
    return F.interpolate(coarse, size=size, mode="bicubic").clamp(0, 1)


DISC, GROUND = texture((400, 400), 50, 1), texture((HEIGHT, 3 * WIDTH), 24, 2) * 0.6


def scene(x: float, *, pan: float = 0.0) -> Tensor:
    """A textured disc of radius 22 with its centre at ``x``, [3,H,W], before a ground shifted by ``pan`` pixels."""
    rows, columns = torch.meshgrid(torch.arange(HEIGHT).float(), torch.arange(WIDTH).float(), indexing="ij")
    inside = (22 - ((columns - x).square() + (rows - 48).square()).sqrt()).clamp(0, 1)
    disc = F.grid_sample(DISC, torch.stack((columns - x, rows - 48), -1)[None] / 100, align_corners=True)
    ground = F.grid_sample(
        GROUND, torch.stack(((columns + pan) / (1.5 * WIDTH) - 1, rows / 47.5 - 1), -1)[None], align_corners=True
    )
    return (ground * (1 - inside) + disc * inside)[0]


def psnr(made: Tensor, true: Tensor) -> float:
    return -10 * math.log10(float((made - true).square().mean()))


def speeding(t: float) -> float:
    return 40 + 6 * t + 1.6 * t * t


def easing(t: float) -> float:
    """From rest to rest over six frames, as an animator eases."""
    return 40 + 60 * (1 - math.cos(math.pi * t / 6)) / 2


def both(model: str, clip: Tensor, times: int = 2) -> tuple[Tensor, Tensor]:
    """A clip with in-between frames of ``model``, plain and paced."""
    plain, quick = (interpolate(clip, build(Choice((model,), pace=mode)), times) for mode in ("off", "auto"))
    return plain, quick


@pytest.mark.parametrize(("model", "way"), [("inbetween-s", speeding), ("dis", speeding), ("dis", easing)])
def test_motion_that_speeds_up_is_closer_to_the_truth(model, way):
    clip = torch.stack([scene(way(t)) for t in range(5)])
    gains = [
        psnr(quick, true) - psnr(plain, true)
        for plain, quick, true in zip(*both(model, clip), (scene(way(t / 2)) for t in range(9)), strict=True)
        if not torch.equal(plain, true)
    ][1::2]
    assert sum(gains) / len(gains) > 0.7
    assert min(gains) > -0.1


def test_at_four_times_the_frames_it_gains_at_every_step():
    clip = torch.stack([scene(speeding(t)) for t in range(4)])
    plain, quick = both("dis", clip, times=4)
    for k in (5, 6, 7):  # of the middle pair, which has both neighbours
        true = scene(speeding(k / 4))
        assert psnr(quick[k], true) > psnr(plain[k], true) + 1


@pytest.mark.parametrize("model", ["inbetween-s", "dis"])
def test_uniform_motion_is_made_as_without_pace(model):
    clip = torch.stack([scene(40 + 7 * t) for t in range(4)])
    plain, quick = both(model, clip)
    assert psnr(plain, quick) > 45
    assert psnr(quick[3], scene(40 + 7 * 1.5)) > psnr(plain[3], scene(40 + 7 * 1.5)) - 0.1


def test_two_frames_and_frames_between_cuts_are_those_of_the_plain_model():
    clip = torch.stack([scene(speeding(t)) for t in range(2)])
    assert torch.equal(*both("dis", clip))
    other = torch.stack([1 - scene(30), *clip, 1 - scene(90)])
    frames = [
        replace(frame, cut="hold" if k in (1, 3) else None) for k, frame in enumerate(frames_of_tensor(other, Fraction(1)))
    ]
    made = [[one.rgb for one in run(frames, build(Choice(("dis",), pace=mode)), Subdivide(2))] for mode in ("off", "auto")]
    assert all(map(torch.equal, *made))


def test_a_frame_beyond_one_end_is_enough():
    clip = torch.stack([scene(speeding(t)) for t in range(3)])
    plain, quick = both("dis", clip)
    for k in (1, 3):
        assert psnr(quick[k], scene(speeding(k / 2))) > psnr(plain[k], scene(speeding(k / 2)))


def test_real_time_stamps_count():
    """Uniform motion at a variable frame rate is not taken for motion that speeds up."""
    stamps = [Fraction(0), Fraction(2), Fraction(3), Fraction(6)]
    frames = [Frame(scene(30 + 6 * float(time)), time, Fraction(1)) for time in stamps]
    plain, quick = (
        [one.rgb for one in run(frames, build(Choice(("dis",), pace=mode)), Subdivide(2))][3] for mode in ("off", "auto")
    )
    assert psnr(plain, quick) > 45
    wrong = Paced(build(Choice(("dis",))))  # takes them for evenly spaced
    window = torch.stack([frame.rgb for frame in frames])[None]
    assert psnr(wrong(window, torch.tensor([0.5]))[0], plain) < 40
    right = wrong.spaced(stamps)
    assert isinstance(wrong, Spaced)
    assert torch.equal(right(window, torch.tensor([0.5]))[0], quick)


def flat(dx: float) -> Tensor:
    """A flow of ``dx`` to the right everywhere."""
    return torch.tensor([dx, 0.0]).view(1, 2, 1, 1).expand(1, 2, 24, 24).contiguous()


def of_steps(before: float, across: float, after: float, gaps: tuple[float, float] = (1, 1)) -> Times:
    """The times of a point that moves on by these many pixels, one step after the other."""
    first = pace._side(flat(across), flat(-across), flat(-before), flat(before), gaps[0], sign=-1)
    second = pace._side(flat(-across), flat(across), flat(after), flat(-after), gaps[1], sign=1)
    return Times(first, second, (24, 24), holds=False)


def middle(times: Times, t: float) -> float:
    return float(times.at(torch.tensor([t]))[0, 0, 12, 12])


def test_the_times_are_those_of_a_parabola(monkeypatch):
    monkeypatch.setattr(pace, "NOISE", 0.0)
    for at in (0.25, 0.5, 0.75):  # x = 3 t + t^2, at t = -1, 0, 1, 2
        assert middle(of_steps(2, 4, 6), at) == pytest.approx((3 * at + at * at) / 4, abs=1e-5)
        assert middle(of_steps(4, 4, 4), at) == pytest.approx(at, abs=1e-6)
        assert middle(of_steps(8, 4, 12, (2, 3)), at) == pytest.approx(at, abs=1e-6)


def test_speed_is_the_same_on_both_sides_of_a_frame(monkeypatch):
    monkeypatch.setattr(pace, "NOISE", 0.0)
    one, other = of_steps(3, 4, 5), of_steps(4, 5, 6)
    h = 1 / 32
    assert 4 * (1 - middle(one, 1 - h)) / h == pytest.approx(4.5, rel=0.01)
    assert 5 * middle(other, h) / h == pytest.approx(4.5, rel=0.01)


def test_a_repeat_or_a_lost_frame_beside_the_pair_changes_nothing():
    for steps in ((0, 8, 8), (8, 8, 0), (0, 8, 0), (16, 8, 8), (8, 8, 16), (16, 8, 16)):
        assert middle(of_steps(*steps), 0.5) == pytest.approx(0.5, abs=1e-3), steps


@pytest.mark.parametrize("steps", [(0, 8, 0), (0, 8, 40), (40, 8, 0), (-8, 8, -8), (30, 8, 30), (2, 8, 20), (20, 8, 2)])
def test_nothing_ever_goes_backwards_or_leaves_the_pair(steps):
    times = [middle(of_steps(*steps), k / 16) for k in range(1, 16)]
    assert all(early < late for early, late in pairwise(times))
    assert times[0] > 0
    assert times[-1] < 1


@pytest.mark.parametrize("model", ["dis", "inbetween-s"])
def test_a_drawing_on_twos_stays_on_twos_before_a_ground_that_moves(model):
    drawn = [30, 30, 50, 50, 70, 70]
    clip = torch.stack([scene(x, pan=3 * k) for k, x in enumerate(drawn)])
    auto, holds = (interpolate(clip, build(Choice((model,), pace=mode))) for mode in ("auto", "holds"))
    disc = (slice(None), slice(36, 60), slice(39, 61))  # well inside the disc at 50
    made = holds[7]  # between the drawings at 50 and at 70
    assert torch.equal(made[disc], clip[3][disc])
    assert psnr(auto[7][disc], clip[3][disc]) < 25
    ground = (slice(None), slice(None), slice(100, None))
    assert psnr(made[ground], scene(0, pan=3 * 3.5)[ground]) > psnr(clip[3][ground], scene(0, pan=3 * 3.5)[ground]) + 3


def test_holds_leaves_smooth_motion_to_auto():
    clip = torch.stack([scene(speeding(t)) for t in range(4)])
    auto, holds = (interpolate(clip, build(Choice(("dis",), pace=mode))) for mode in ("auto", "holds"))
    assert torch.equal(auto[3], holds[3])


def test_alpha_goes_with_the_picture():
    clip = torch.cat((torch.stack([scene(speeding(t)) for t in range(4)]), torch.ones(4, 1, HEIGHT, WIDTH)), dim=1)
    made = interpolate(clip, build(Choice(("dis",), pace="holds")))
    assert made.shape == (7, 4, HEIGHT, WIDTH)
    assert made[:, 3].min() > 0.99


def test_flow_is_computed_once_per_pair(monkeypatch):
    made = []
    monkeypatch.setattr(pace, "find_flow", lambda start, end: made.append(1) or torch.zeros(len(start), 2, *start.shape[-2:]))
    interpolate(torch.stack([scene(30 + t) for t in range(6)]), _bare())
    assert len(made) == 5


def test_a_curve_shows_the_same_frames():
    clip = torch.stack([scene(speeding(t)) for t in range(5)])
    model = build(Choice(("dis-fast",), pace="auto"))
    assert torch.equal(retime(clip, model, [Fraction(5, 2), Fraction(7, 2)]), interpolate(clip, model)[5:8:2])


def _bare() -> Interpolator:
    class Mapped(Blend):
        def __init__(self) -> None:
            super().__init__()
            self.spec = replace(self.spec, time_map=True)

        def __call__(self, window: Tensor, t: Tensor) -> Tensor:
            return torch.lerp(window[:, 0], window[:, 1], t)

    return Paced(Mapped())


def test_tiles_take_their_part_of_the_map():
    inner = _bare().model
    whole, tiled = Tiled(inner), Tiled(inner, 8)
    tiled.room = 64 * 256
    window, times = torch.rand(1, 2, 3, 64, 400), torch.rand(1, 1, 64, 400)
    torch.testing.assert_close(tiled(window, times), whole(window, times))


def test_what_has_no_pace_says_so():
    with pytest.raises(InputError, match="linear takes no time per pixel: pace needs a model that does"):
        build(Choice(("linear",), pace="auto"))
    with pytest.raises(InputError, match="consensus of dis, linear takes no time per pixel"):
        build(Choice(("dis", "linear"), pace="auto"))
    with pytest.raises(InputError, match="'slow' is not a pace"):
        paced(build(Choice(("dis",))), "slow")
    assert set(PACES) == {"off", "auto", "holds"}


def test_the_spec_is_known_without_building():
    built = build(Choice(("dis",), pace="auto")).spec
    assert spec_of(Choice(("dis",), pace="auto")) == replace(built, min_size=32)  # its wrappers pad
    assert built.window == 4
    assert not built.time_map
    assert spec_of(Choice(("dis",))).window == 2


def test_a_consensus_keeps_its_doubt():
    clip = torch.stack([scene(speeding(t)) for t in range(4)])
    model = build(Choice(("dis", "dis-fast"), pace="auto"))
    made = list(run(frames_of_tensor(clip, Fraction(1)), model, Subdivide(2)))
    assert made[3].doubt is not None
    assert made[3].doubt.max() > 0


def test_an_end_without_a_neighbour_says_nothing():
    still = Side(flat(8), torch.zeros(1, 2, 24, 24), torch.zeros(1, 1, 24, 24), False)
    there = still._replace(across=flat(-8))
    assert middle(Times(still, there, (24, 24), holds=False), 0.3) == pytest.approx(0.3)
