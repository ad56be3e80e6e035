"""Drawn motion: frames put things where tracks say, at every instant, and what nobody drew stays as it was."""

from __future__ import annotations

import math
from fractions import Fraction

import pytest
import torch
import torch.nn.functional as F
from models import Blend, Shift
from torch import Tensor

from vfi.archs.blend import Linear
from vfi.archs.dis import Dis
from vfi.core import Frame, InputError
from vfi.model.load import load
from vfi.model.wrappers import Padded, Recursive, Wrapper
from vfi.motion import match
from vfi.motion.guided import Guide, Guided
from vfi.pixels.metrics import psnr
from vfi.render.run import run
from vfi.timing.grids import Subdivide
from vfi.tracks import Document, Point, Track, Tracks

SIZE = (224, 128)
RADIUS = 16
TIMES = torch.tensor([0.125, 0.375, 0.5, 0.625, 0.875])
FIRST, LAST = (50.0, 64.0), (174.0, 64.0)


def arc(t: float) -> tuple[float, float]:
    """Over the straight way, and back down to it."""
    angle = math.pi * (1 - t)
    return 112 + 62 * math.cos(angle), 64 - 40 * math.sin(angle)


def eased(t: float) -> tuple[float, float]:
    """Straight, and slow at the start."""
    return 50 + 124 * t * t, 64.0


def texture(height: int, width: int, seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.rand(1, 3, height // 6 + 2, width // 6 + 2, generator=generator)
    return F.interpolate(coarse, size=(height, width), mode="bicubic")[0].clamp(0, 1)


def scene(centre: tuple[float, float], shift: float = 0.0) -> Tensor:
    """A patterned red disc on a patterned ground without red, which is moved by ``shift``: [1,3,H,W]."""
    width, height = SIZE
    x, y = torch.arange(width) - centre[0], (torch.arange(height) - centre[1])[:, None]
    inside = (RADIUS + 0.5 - (x * x + y * y).sqrt()).clamp(0, 1)
    ground = texture(height, width + 64, 1)[:, :, round(shift) : round(shift) + width] * torch.tensor([0, 1, 1])[:, None, None]
    grid = torch.stack(torch.broadcast_tensors(x / 31.5, y / 31.5), dim=-1)[None]
    disc = F.grid_sample(texture(64, 64, 2)[None], grid, align_corners=True)[0] * 0.6
    disc[0] = 0.6 + disc[0] * 0.6
    return (ground * (1 - inside) + disc * inside)[None]


def redness(picture: Tensor) -> tuple[float, float, int]:
    """Where most of the red of a picture [3,H,W] is, and of how many pixels."""
    y, x = (picture[0] > 0.5).nonzero(as_tuple=True)
    return (float(x.median()), float(y.median()), len(x)) if len(x) else (math.nan, math.nan, 0)


def off(picture: Tensor, wanted: tuple[float, float]) -> float:
    """How far the disc is from where it should be, in pixels; infinite where there is no whole disc."""
    x, y, count = redness(picture)
    whole = redness(scene(wanted)[0])[2]
    return math.dist((x, y), wanted) if 0.8 * whole < count < 1.2 * whole else math.inf


def drawn(path, count: int = 9) -> Document:
    """The way of the disc's centre, by points in time."""
    points = tuple(Point(*path(k / (count - 1)), k / (count - 1)) for k in range(count))
    return Document(SIZE, (Track(points),))


def window(shift: float = 0.0) -> Tensor:
    return torch.stack((scene(FIRST), scene(LAST, shift)), dim=1)


def sized(path) -> Document:
    """As `drawn`, on a picture twice the size."""
    return drawn(path).scaled((2 * SIZE[0], 2 * SIZE[1]))


@pytest.fixture(scope="module")
def dis():
    return Padded(Dis())


@pytest.mark.parametrize("path", [arc, eased])
@pytest.mark.parametrize("drawing", [drawn, sized])
def test_a_thing_is_where_it_was_drawn_at_every_instant(dis, path, drawing):
    alone, made = dis(window(), TIMES), Guided(dis, Guide(drawing(path)))(window(), TIMES)
    for picture, unguided, t in zip(made, alone, TIMES.tolist(), strict=True):
        assert off(picture, path(t)) < 1.5
        assert off(unguided, path(t)) > 1.5
        truth = scene(path(t))[0]
        assert psnr(picture, truth) > psnr(unguided, truth) + 4


@pytest.mark.weights
@pytest.mark.slow
@pytest.mark.parametrize("path", [arc, eased])
def test_rife_puts_a_thing_where_it_was_drawn(rife425_state, path):
    rife = load(rife425_state)
    alone, made = rife(window(), TIMES), Guided(rife, Guide(drawn(path)))(window(), TIMES)
    for picture, unguided, t in zip(made, alone, TIMES.tolist(), strict=True):
        assert off(picture, path(t)) < 1.5
        assert off(unguided, path(t)) > 1.5


@pytest.mark.parametrize("model", [Linear(), Recursive(Blend(any_t=False))], ids=["linear", "half-way only"])
def test_a_model_without_motion_is_led_too(model):
    made = Guided(model, Guide(drawn(arc)))(window(), TIMES)
    assert max(off(picture, arc(t)) for picture, t in zip(made, TIMES.tolist(), strict=True)) < 1.5


def test_what_is_far_from_all_tracks_is_the_models_to_the_bit(dis):
    small = Document(SIZE, (Track((Point(20, 100), Point(23, 100))),))
    alone, made = dis(window(), TIMES), Guided(dis, Guide(small))(window(), TIMES)
    assert torch.equal(made[..., 192:], alone[..., 192:])
    assert not torch.equal(made[..., 96:104, 16:24], alone[..., 96:104, 16:24])


@pytest.mark.parametrize(
    "guide",
    [
        Guide(),
        Guide(Document(SIZE)),
        Guide(drawn(arc), strength=0),
        Guide(Document(SIZE, (Track(drawn(arc).tracks[0].points, on=False),))),
        Guide(Document(SIZE, (Track(drawn(arc).tracks[0].points, span=(0, 0.9)),))),
        Guide(drawn(arc), span=(Fraction(5), Fraction(6))),
    ],
    ids=["nothing", "no tracks", "no strength", "off", "not seen at the end", "at another time"],
)
def test_frames_that_nothing_leads_are_the_models_to_the_bit(dis, guide: Guide):
    frames = [Frame(picture, Fraction(index)) for index, picture in enumerate(window()[0])]
    guided, alone = (list(run(frames, model, Subdivide(4))) for model in (Guided(dis, guide), dis))
    assert all(torch.equal(one.rgb, other.rgb) for one, other in zip(guided, alone, strict=True))


def test_strength_goes_half_the_way():
    def moved(strength: float) -> float:
        guide = Guide(
            Document(SIZE, (Track((Point(112, 64, 0), Point(112, 52, 0.5), Point(112, 64, 1)), interp="linear"),)),
            strength=strength,
        )
        still = torch.stack((scene((112, 64)), scene((112, 64))), dim=1)
        motion = Guided(Shift(0), guide).motion(still, torch.tensor([0.5]))
        return float(motion.flow0[0, 1, 52, 112])

    assert moved(1) == pytest.approx(12, abs=0.2)
    assert moved(0.5) == pytest.approx(6, abs=0.2)


@pytest.mark.parametrize("smaller", [1, 2])
def test_a_part_moves_as_a_whole(dis, smaller):
    """A loop, which starts and ends at one place: nothing in the frames says what goes along with the point."""

    def loop(t: float) -> tuple[float, float]:
        return 112 + 30 * math.sin(2 * math.pi * t), 80 - 24 * (1 - math.cos(2 * math.pi * t)) / 2

    def away(centre: tuple[float, float]) -> Tensor:
        x, y = torch.arange(SIZE[0]) - centre[0], (torch.arange(SIZE[1]) - centre[1])[:, None]
        return (x * x + y * y).sqrt()

    still = torch.stack((scene(loop(0)), scene(loop(1))), dim=1)
    part = F.interpolate((away(loop(0)) < RADIUS + 1).float()[None, None], scale_factor=1 / smaller, mode="bilinear")[0]
    t = torch.tensor([0.2, 0.7])
    alone, made = (Guided(dis, Guide(drawn(loop, 17), parts=parts))(still, t) for parts in (None, part))
    for unguided, picture, time in zip(alone, made, t.tolist(), strict=True):
        disc = away(loop(time)) < RADIUS - 1
        truth = scene(loop(time))[0]
        assert (picture - truth).abs()[:, disc].mean() < 0.03
        assert (unguided - truth).abs()[:, disc].mean() > 0.15


def test_what_both_frames_share_leads_where_the_model_has_lost_it():
    """A square of 80 pixels goes 160 to the right."""

    def square(left: int) -> Tensor:
        picture = texture(180, 360, 3)
        picture[:, 50:130, left : left + 80] = texture(80, 80, 4)
        return picture[None]

    t = torch.tensor([0.25, 0.5])
    made = Guided(Shift(0), Guide(auto=True))(torch.stack((square(60), square(220)), dim=1), t)
    for picture, left in zip(made, (100, 140), strict=True):
        assert (picture - square(left)[0])[:, 54:126, left + 4 : left + 76].abs().mean() < 0.02


def plain(left: int) -> Tensor:
    """A patterned square that is so far to the right, before hills, sky and a pole: large even areas, which stand still."""
    picture = torch.tensor([0.5, 0.7, 0.9])[:, None, None].expand(3, 180, 360) * torch.linspace(1, 0.8, 180)[:, None]
    picture[:, 90:] = torch.tensor([0.4, 0.6, 0.4])[:, None, None]
    picture[:, 40:150, 176:184] = 0.3
    picture[:, 70:130, left : left + 60] = texture(60, 60, 4)
    return picture[None]


@pytest.mark.parametrize("guide", [Guide(auto=True), Guide(Document((360, 180), (Track((Point(60, 100), Point(290, 100))),)))])
def test_large_motion_before_even_areas_leaves_them_whole(dis, guide):
    keyframes, t = torch.stack((plain(30), plain(260)), dim=1), torch.tensor([0.25, 0.5, 0.75])
    for picture, unguided, time in zip(Guided(dis, guide)(keyframes, t), dis(keyframes, t), t.tolist(), strict=True):
        truth = plain(30 + round(230 * time))[0]
        assert psnr(picture, truth) > psnr(unguided, truth) + 6
        apart = (picture - truth).abs().amax(0)
        assert (apart > 0.1).float().mean() < 0.02


def test_a_part_leaves_nothing_behind_where_it_is_half_way(dis):
    part = torch.zeros(1, 180, 360)
    part[:, 70:130, 30:90] = 1
    guide = Guide(Document((360, 180), (Track((Point(60, 100), Point(290, 100))),)), parts=part)
    made = Guided(dis, guide)(torch.stack((plain(30), plain(260)), dim=1), TIMES)
    for picture, time in zip(made, TIMES.tolist(), strict=True):
        left = 30 + round(230 * time)
        apart = (picture - plain(left)[0]).abs().amax(0)
        apart[:, max(left - 20, 0) : left + 80] = 0
        assert (apart > 0.05).float().mean() < 0.001


def test_what_is_drawn_leads_a_thing_alone():
    """Points that frames share on it go straight, and would leave a second one there."""

    def square(left: int, top: int) -> Tensor:
        picture = texture(180, 360, 3) * 0.3
        picture[:, top : top + 60, left : left + 60] = 0.5 + texture(60, 60, 4) / 2
        return picture[None]

    over = Document((360, 180), (Track((Point(70, 129.5), Point(170, 29.5), Point(270, 129.5)), interp="linear"),))
    keyframes = torch.stack((square(40, 100), square(240, 100)), dim=1)
    made = Guided(Shift(0), Guide(over, auto=True))(keyframes, torch.tensor([0.5]))[0]
    truth = square(140, 0)[0]
    assert (made - truth)[:, 4:56, 144:196].abs().mean() < 0.05
    assert (made - truth)[:, 104:156, 144:196].abs().mean() < 0.05


def test_where_things_go_far_frames_are_made_by_way_of_the_one_half_way():
    """Of two frames that share no points; what the model marks at t = 1/2 is then seen in frames on either side."""

    class Marked(Shift):
        def __call__(self, window: Tensor, t: Tensor) -> Tensor:
            return super().__call__(window, t) + 8 * (t == 0.5).float().view(-1, 1, 1, 1)

    keyframes, t = torch.stack((texture(128, 224, 5), texture(128, 224, 6)))[None], torch.tensor([0.125, 0.5, 0.875])
    for shift, marked in ((30, [True, True, True]), (1, [False, True, False])):
        made = Guided(Marked(shift), Guide(auto=True))(keyframes, t)
        assert [bool(one.min() > 1) for one in made] == marked


def test_nothing_is_led_where_the_model_sees_the_motion_itself(dis):
    near = torch.stack((scene((100, 64)), scene((104, 66))), dim=1)
    assert torch.equal(Guided(dis, Guide(auto=True))(near, TIMES), dis(near, TIMES))


def test_another_matcher_finds_the_points():
    asked: list[tuple[int, ...]] = []

    def finder(first: Tensor, last: Tensor) -> match.Matches:
        asked.append(tuple(first.shape))
        return match.sift(first, last)

    keyframes, t = torch.stack((plain(60), plain(220)), dim=1), torch.tensor([0.5])
    made = Guided(Shift(0), Guide(auto=True, matcher=finder))(keyframes, t)
    assert asked == [tuple(keyframes.shape[2:])]
    assert torch.equal(made, Guided(Shift(0), Guide(auto=True))(keyframes, t))


def test_motion_leads_where_the_picture_does(dis):
    t = torch.tensor([0.5])
    motion = Guided(dis, Guide(drawn(arc))).motion(window(), t)
    x, y = (round(side) for side in arc(0.5))
    wanted = torch.tensor([FIRST[0] - x, FIRST[1] - y, LAST[0] - x, LAST[1] - y])
    found = torch.cat((motion.flow0, motion.flow1), dim=1)[0, :, y, x]
    torch.testing.assert_close(found, wanted, atol=1.0, rtol=0)
    torch.testing.assert_close(motion.flow0[0, :, -4:, -4:], Wrapper(dis).motion(window(), t).flow0[0, :, -4:, -4:])


def test_tracks_may_go_on_over_a_clip(dis):
    """Three frames a second apart: the second pair gets the second half of the way."""
    frames = [Frame(scene(arc(t))[0], Fraction(k)) for k, t in enumerate((0, 0.5, 1))]
    guide = Guide(drawn(arc), span=(Fraction(0), Fraction(2)))
    made = list(run(frames, Guided(dis, guide), Subdivide(2)))
    assert [off(frame.rgb, arc(float(frame.time) / 2)) < 1.5 for frame in made] == [True] * 5


def test_tracks_that_were_sampled_lead_too(dis):
    tracks = drawn(arc).sampled(9)
    torch.testing.assert_close(
        Guided(dis, Guide(tracks))(window(), TIMES), Guided(dis, Guide(drawn(arc)))(window(), TIMES), atol=0.02, rtol=0
    )


def test_a_point_that_is_hidden_in_either_frame_does_not_lead(dis):
    sampled = drawn(arc).sampled(9)
    for end in (0, -1):
        visible = sampled.visible.clone()
        visible[end] = False
        made = Guided(dis, Guide(Tracks(sampled.path, visible, SIZE)))(window(), TIMES)
        assert torch.equal(made, dis(window(), TIMES))


def test_a_batch_is_made_as_each_by_itself(dis):
    guided = Guided(dis, Guide(drawn(arc), auto=True))
    windows = torch.cat((window(), window(8.0)))
    t = TIMES[:2]
    apart = torch.cat([guided(one[None], time[None]) for one, time in zip(windows, t, strict=True)])
    torch.testing.assert_close(guided(windows, t), apart, atol=1e-5, rtol=1e-4)


def test_instants_of_a_batch_share_their_passes():
    """The middle frame takes two; all others, where motion is large, one for each half and one for what is led."""
    passes, frames = [], []
    for batch in (1, len(TIMES)):
        model = Shift(1)
        guided = Guided(model, Guide(drawn(arc)))
        prepared = guided.prepare([None, None], list(window().unbind(1)))
        frames.append(torch.cat([guided.at(prepared, some) for some in TIMES.split(batch)]))
        passes.append(model.calls)
    torch.testing.assert_close(*frames)
    assert passes == [2 * len(TIMES), 5]


@pytest.mark.parametrize("size", [(1, 1), (3, 40), (33, 17)])
def test_any_size_is_led(dis, size):
    frames = torch.rand(1, 2, 3, *size, generator=torch.Generator().manual_seed(1))
    guide = Guide(drawn(arc), auto=True, parts=torch.ones(1, 4, 4))
    made = Guided(dis, guide)(frames, TIMES)
    assert made.shape == (len(TIMES), 3, *size)
    assert made.isfinite().all()


def test_large_frames_are_led_as_small_ones_are():
    """What points reach is found out at a smaller size."""
    large = F.interpolate(window()[0], scale_factor=5, mode="bilinear")[None]
    made = Guided(Shift(0), Guide(drawn(arc)))(large, torch.tensor([0.375]))
    small = F.interpolate(made, scale_factor=0.2, mode="bilinear", antialias=True)
    assert off(small[0], arc(0.375)) < 1.5


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: Guide(strength=1.5), "a strength of 1.5 was given: it must lie between 0 and 1"),
        (lambda: Guide(parts=torch.ones(4, 4)), "masks \\[parts, height, width\\] are needed"),
        (lambda: Guide(span=(Fraction(2), Fraction(2))), "the end must come later"),
        (lambda: Guided(Blend(window=4), Guide()), "blend takes 4 frames at once: only two-frame models can be guided"),
    ],
)
def test_what_cannot_be_followed_is_one_sentence(make, said):
    with pytest.raises(InputError, match=said):
        make()
