"""Pace from neighbours: times of pixels from four frames, in scenes whose motion is known."""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise

import pytest
import torch
import torch.nn.functional as F
from models import Bare, Blend
from torch import Tensor

from vfi import interpolate, retime
from vfi.core import Frame, InputError, Interpolator, Spaced
from vfi.model import pace
from vfi.model.drawing import drawn
from vfi.model.load import Choice, build, spec_of
from vfi.model.pace import PACES, Paced, Side, Times, paced
from vfi.model.tiles import Tiled
from vfi.model.wrappers import Recursive, Wrapper
from vfi.motion.guided import Guide, Guided
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
    inside = disc_at(x)
    disc = F.grid_sample(DISC, torch.stack((columns - x, rows - 48), -1)[None] / 100, align_corners=True)
    ground = F.grid_sample(
        GROUND, torch.stack(((columns + pan) / (1.5 * WIDTH) - 1, rows / 47.5 - 1), -1)[None], align_corners=True
    )
    return (ground * (1 - inside) + disc * inside)[0]


def psnr(made: Tensor, true: Tensor) -> float:
    return -10 * math.log10(float((made - true).square().mean()))


def speeding(t: float) -> float:
    return 40 + 6 * t + 1.6 * t * t


def disc_at(x: float) -> Tensor:
    """Where the disc of `scene` is, [H,W] 0..1."""
    rows, columns = torch.meshgrid(torch.arange(HEIGHT).float(), torch.arange(WIDTH).float(), indexing="ij")
    return (22 - ((columns - x).square() + (rows - 48).square()).sqrt()).clamp(0, 1)


def easing(t: float) -> float:
    """From rest to rest over six frames, as an animator eases."""
    return 40 + 60 * (1 - math.cos(math.pi * t / 6)) / 2


def both(model: str, clip: Tensor, times: int = 2) -> tuple[Tensor, Tensor]:
    """A clip with in-between frames of ``model``, plain and paced."""
    plain, quick = (interpolate(clip, build(Choice((model,), pace=mode)), times) for mode in ("off", "auto"))
    return plain, quick


def of_kind(kind: str, name: str = "dis") -> Interpolator:
    """A model of ``kind``: one that takes times per pixel, or one that does not and moves, is bare or bisects."""
    model = build(Choice((name,)))
    spec = replace(model.spec, time_map=False)
    if kind == "moves":
        return Wrapper(model, spec)
    return {"times": model, "bare": Bare(model, spec), "bisects": Recursive(Bare(model, replace(spec, any_t=False)))}[kind]


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


@pytest.mark.parametrize("way", [speeding, easing])
@pytest.mark.parametrize(("name", "kind"), [("dis", "moves"), ("dis", "bare"), ("dis", "bisects"), ("inbetween-m", "moves")])
def test_frames_of_models_without_times_per_pixel_are_moved(name, kind, way):
    clip = torch.stack([scene(way(t)) for t in range(5)])
    model = of_kind(kind, name)
    plain, quick = interpolate(clip, model), interpolate(clip, paced(model, "auto"))
    mapped = interpolate(clip, build(Choice((name,), pace="auto")))
    true = scene(way(1.5))
    gain, of_map = (psnr(made[3], true) - psnr(plain[3], true) for made in (quick, mapped))
    assert gain > 2
    assert gain > of_map - 0.4


@pytest.mark.parametrize("at", [0.25, 0.5, 0.75])
@pytest.mark.parametrize("way", [speeding, easing])
def test_a_perfect_frame_of_even_motion_is_moved_to_where_things_are(way, at):
    class Even(Blend):
        def __call__(self, window: Tensor, t: Tensor) -> Tensor:
            return torch.stack([scene(way(1) + (way(2) - way(1)) * float(one)) for one in t])

    window = torch.stack([scene(way(k)) for k in range(4)])[None]
    t = torch.tensor([at])
    even, moved = Even()(window, t)[0], Paced(Even())(window, t)[0]
    true = scene(way(1 + at))
    assert psnr(moved, true) > psnr(even, true) + 5
    ground = (slice(None), slice(None), slice(110, None))  # far from the disc
    assert torch.equal(moved[ground], even[ground])


def test_moved_frames_come_with_their_motion():
    window = torch.stack([scene(easing(k)) for k in range(4)])[None]
    t = torch.tensor([0.5])
    model = of_kind("moves")
    found = Paced(model).motion(window, t)
    plain = model.motion(window[:, 1:3], t)
    disc = (0, 0, slice(40, 56), slice(round(easing(1.5)) - 8, round(easing(1.5)) + 8))
    for flow, even, true in (
        (found.flow0, plain.flow0, easing(1) - easing(1.5)),
        (found.flow1, plain.flow1, easing(2) - easing(1.5)),
    ):
        assert (flow[disc] - true).abs().mean() < (even[disc] - true).abs().mean() / 3
    assert found.mask.shape == (1, 1, HEIGHT, WIDTH)


@pytest.mark.parametrize("steps", [(7, 7, 7), (0, 7, 7), (7, 7, 0)])
def test_frames_keep_their_bits_where_nothing_bends(steps, monkeypatch):
    """Of even flows, and beside a repeated frame, nothing is sampled."""
    flows = [flat(dx) for dx in steps]
    monkeypatch.setattr(pace, "_flows", lambda first, second: (flows[first.inner], -flows[first.inner]))
    model = Blend()
    window = torch.rand(1, 4, 3, 24, 24)
    moved = Paced(model)
    seen = [replace(moved.encode(rgb), inner=k) for k, rgb in enumerate(window.unbind(1))]
    prepared = moved.prepare(seen, window.unbind(1))
    for at in (0.25, 0.5, 0.75):
        t = torch.tensor([at])
        assert torch.equal(moved.at(prepared, t), model(window[:, 1:3], t))


def test_the_first_and_only_pair_of_a_clip_keeps_its_bits():
    clip = torch.stack([scene(speeding(t)) for t in range(2)])
    model = of_kind("bare")
    assert torch.equal(interpolate(clip, model), interpolate(clip, paced(model, "auto")))


@pytest.mark.parametrize("size", [(1, 1), (2, 9), (15, 40), (97, 143), (20, 900)])
@pytest.mark.parametrize("mode", ["auto", "holds"])
def test_moved_frames_have_any_size(size, mode):
    window, t = torch.rand(1, 4, 3, *size), torch.tensor([0.25, 0.5, 0.75])
    made = Paced(Blend(), mode)(window, t)
    assert made.shape == (3, 3, *size)
    assert made.isfinite().all()


def test_a_batch_of_windows_is_moved_as_each_of_them():
    windows = torch.stack([torch.stack([scene(way(k)) for k in range(4)]) for way in (speeding, easing)])
    model, t = Paced(Blend()), torch.tensor([0.25, 0.5])
    both = model(windows, t)
    for k in range(2):
        torch.testing.assert_close(both[k], model(windows[k : k + 1], t[k : k + 1])[0], atol=1e-4, rtol=0)


def test_threads_move_frames_side_by_side():
    window = torch.stack([scene(easing(k)) for k in range(4)]).unsqueeze(1)
    model = Paced(Blend())
    prepared = model.prepare([model.encode(rgb) for rgb in window], list(window))
    times = [torch.tensor([k / 16]) for k in range(1, 16)]
    with ThreadPoolExecutor(4) as pool:
        made = list(pool.map(lambda t: model.at(prepared, t), times))
    assert all(torch.equal(one, model.at(prepared, t)) for one, t in zip(made, times, strict=True))
    assert [Paced(Blend(threads=safe)).spec.threads for safe in (True, False)] == [True, False]


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


@pytest.mark.parametrize(("kind", "name"), [("times", "dis"), ("times", "inbetween-s"), ("moves", "dis"), ("bare", "dis")])
def test_a_drawing_on_twos_stays_on_twos_before_a_ground_that_moves(kind, name):
    drawn = [30, 30, 50, 50, 70, 70]
    clip = torch.stack([scene(x, pan=3 * k) for k, x in enumerate(drawn)])
    model = of_kind(kind, name)
    auto, holds = (interpolate(clip, paced(model, mode)) for mode in ("auto", "holds"))
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


@pytest.mark.parametrize("kind", ["times", "bare"])
def test_alpha_goes_with_the_picture(kind):
    clip = torch.cat((torch.stack([scene(speeding(t)) for t in range(4)]), torch.ones(4, 1, HEIGHT, WIDTH)), dim=1)
    made = interpolate(clip, paced(of_kind(kind), "holds"))
    assert made.shape == (7, 4, HEIGHT, WIDTH)
    assert made[:, 3].min() > 0.99


def test_alpha_is_moved_with_the_picture():
    ways = [speeding(t) for t in range(4)]
    shape = torch.stack([disc_at(x) for x in ways])[:, None]
    clip = torch.cat((torch.stack([scene(x) for x in ways]), shape), dim=1)
    model = of_kind("moves")
    true = disc_at(speeding(1.5))
    plain, quick = (float((interpolate(clip, one)[3, 3] - true).square().mean()) for one in (model, paced(model, "auto")))
    assert quick < plain / 2


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
    with pytest.raises(InputError, match="blend takes 4 frames at once: pace needs a model of two frames"):
        paced(Blend(window=4), "auto")
    for model in (Guided(Blend(), Guide()), drawn(Guided(Blend(), Guide()), "on")):
        with pytest.raises(InputError, match="blend follows a guide: pace needs a model whose frames do not depend"):
            paced(model, "auto")
    with pytest.raises(InputError, match="'slow' is not a pace"):
        paced(build(Choice(("dis",))), "slow")
    assert set(PACES) == {"off", "auto", "holds"}


def test_the_spec_is_known_without_building():
    built = build(Choice(("dis",), pace="auto")).spec
    assert spec_of(Choice(("dis",), pace="auto")) == replace(built, min_size=32)  # its wrappers pad
    assert built.window == 4
    assert not built.time_map
    assert spec_of(Choice(("dis",))).window == 2


@pytest.mark.parametrize(("first", "second"), [("dis", "dis-fast"), ("dis", "linear")])
def test_a_consensus_keeps_its_doubt(first, second):
    clip = torch.stack([scene(speeding(t)) for t in range(4)])
    model = build(Choice((first, second), pace="auto"))
    made = list(run(frames_of_tensor(clip, Fraction(1)), model, Subdivide(2)))
    assert made[3].doubt is not None
    assert made[3].doubt.max() > 0


def test_doubt_is_moved_with_the_picture():
    class Unsure(Blend):
        """Doubts the brightness of what it makes."""

        def prepare(self, features, frames):
            return torch.stack(tuple(frames), dim=1)

        def at(self, prepared, t):
            return self(prepared, t)

        def judged(self, prepared, t):
            made = self(prepared, t)
            return made, made[:, :1]

    window = torch.stack([scene(easing(k)) for k in range(4)]).unsqueeze(1)
    model = paced(Unsure(), "auto")
    prepared = model.prepare([model.encode(rgb) for rgb in window], list(window))
    made, doubt = model.judged(prepared, torch.tensor([0.5]))
    assert not torch.equal(made, model.model(prepared.inner, torch.tensor([0.5])))
    torch.testing.assert_close(doubt, made[:, :1], atol=0.05, rtol=0)  # each is kept within a range of its own


def test_an_end_without_a_neighbour_says_nothing():
    still = Side(flat(8), torch.zeros(1, 2, 24, 24), torch.zeros(1, 1, 24, 24), False)
    there = still._replace(across=flat(-8))
    assert middle(Times(still, there, (24, 24), holds=False), 0.3) == pytest.approx(0.3)
