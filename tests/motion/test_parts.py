"""Parts of a picture at times of their own: each is where its chart puts it, to half a pixel, whatever the model."""

from __future__ import annotations

import math
from fractions import Fraction

import pytest
import torch
from models import Blend

from tests.drawn import BLUE, HEIGHT, RED, WIDTH, Drawn, centre, off
from vfi.archs.blend import Linear
from vfi.archs.dis import Dis
from vfi.core import Frame, InputError
from vfi.model.load import load
from vfi.model.wrappers import Padded, Recursive
from vfi.motion.parts import Charted, Part, region
from vfi.pixels.metrics import psnr
from vfi.render.run import run
from vfi.timing.charts import Charts, of_json
from vfi.timing.grids import Subdivide
from vfi.tracks import Document, Point, Track

CHARTS = of_json('{"frames": 5, "charts": {"*": "even", "disc": "halves-b", "box": [0.05, 0.3, 0.45, 0.45, 1]}}')
SCENES = {
    "far": Drawn(),
    "plain": Drawn(plain=True),
    "pan": Drawn(pan=14.5),
    "odd": Drawn(disc=(60 + 50j, 93.7 + 61.3j), box=(180 + 110j, 161.6 + 97.2j), pan=5.2),
    "turn": Drawn(turn=40),
    "crossing": Drawn(disc=(60 + 80j, 150 + 80j), box=(120 + 84j, 100 + 84j)),
}


def made(scene: Drawn, model, charts: Charts = CHARTS, **options) -> torch.Tensor:
    picture, disc, box = scene.at(0, 0, 0)
    window = torch.stack((picture, scene.at(1, 1, 1)[0]))[None]
    table = charts.places(charts.frames)
    maker = Charted(model, (Part(disc, name="disc"), Part(box, name="box")), table, **options)
    return maker(window, torch.arange(1, len(table) + 1) / (len(table) + 1))


def check(scene: Drawn, frames: torch.Tensor, least: float = 34) -> None:
    for picture, places in zip(frames, CHARTS.places(5), strict=True):
        truth = scene.at(*map(float, places))[0]
        assert off(picture, truth, BLUE) < 0.5
        hidden = centre(truth, RED)[1] < centre(scene.at(0, 0, 0)[0], RED)[1] * 0.98  # the box is in front
        assert hidden or off(picture, truth, RED) < 0.5
        assert psnr(picture, truth) > least


@pytest.mark.parametrize(
    "name", [name if name in ("odd", "turn") else pytest.param(name, marks=pytest.mark.exhaustive) for name in SCENES]
)
def test_every_part_is_where_its_chart_puts_it(name: str):
    check(SCENES[name], made(SCENES[name], Padded(Dis())), 30 if name in ("turn", "crossing") else 38)


@pytest.mark.exhaustive
@pytest.mark.parametrize("model", [Linear(), Recursive(Blend(any_t=False))], ids=["linear", "half-way only"])
def test_a_model_without_motion_does_as_well(model):
    check(SCENES["pan"], made(SCENES["pan"], model))


@pytest.mark.weights
@pytest.mark.exhaustive
@pytest.mark.parametrize("name", ["plain", "odd"])
def test_so_does_rife(rife425_state, name: str):
    check(SCENES[name], made(SCENES[name], load(rife425_state)))


def test_an_arc_is_followed():
    scene = Drawn()

    def arc(t: float) -> complex:
        return 60 + 44 * t + 50j - 30j * math.sin(math.pi * t)

    points = tuple(Point(arc(k / 16).real, arc(k / 16).imag, k / 16) for k in range(17))
    frames = made(scene, Linear(), tracks=Document((WIDTH, HEIGHT), (Track(points),)))
    for picture, (_, place, _) in zip(frames, CHARTS.places(5), strict=True):
        truth = Drawn(disc=(arc(float(place)),) * 2).at(0, 0, 1)[0]
        assert off(picture, truth, RED) < 0.5


def test_keyframes_and_held_drawings_come_out_as_they_are():
    scene = Drawn()
    charts = of_json('{"frames": 4, "charts": {"*": [0, 1, 0.5], "disc": [0, 1, 0.5], "box": [0, 1, 0.5]}}')
    frames = made(scene, Linear(), charts)
    assert torch.equal(frames[0], scene.at(0, 0, 0)[0])
    assert torch.equal(frames[2], scene.at(1, 1, 1)[0])
    held = of_json('{"frames": 4, "charts": {"disc": "twos", "*": "twos", "box": "twos"}}')
    frames = made(scene, Linear(), held)
    assert torch.equal(frames[1], frames[2])
    assert not torch.equal(frames[2], frames[3])


def test_where_a_part_was_the_ground_is_seen():
    charts = of_json('{"frames": 2, "charts": {"*": [0, 1], "disc": [1, 1], "box": "hold"}}')
    scene = Drawn(disc=(60 + 50j, 120 + 50j))
    for picture in made(scene, Linear(), charts):
        truth = scene.at(0, 1, 0)[0]
        assert psnr(picture[:, 30:70, 40:80], truth[:, 30:70, 40:80]) > 40


def test_without_parts_the_model_makes_the_frame_at_its_place():
    window = torch.stack((Drawn().at(0, 0, 0)[0], Drawn().at(1, 1, 1)[0]))[None]
    model = Padded(Dis())
    table = of_json('{"charts": {"*": [0.1, 0.7, 1]}}').places(3)
    frames = Charted(model, (), table)(window, torch.tensor([0.25, 0.5, 0.75]))
    assert torch.equal(frames[:2], model(window, torch.tensor([0.1, 0.7])))
    assert torch.equal(frames[2], window[0, 1])


def test_a_mask_in_both_keyframes_leads_a_part_that_changes_its_shape():
    y, x = torch.meshgrid(torch.arange(96.0), torch.arange(160.0), indexing="ij")

    def shape(t: float) -> torch.Tensor:
        return (8.5 + 12 * t - (x - 40 - 60 * t).abs()).clamp(0, 1) * (20.5 - 12 * t - (y - 48).abs()).clamp(0, 1)

    def scene(t: float) -> torch.Tensor:
        return torch.stack((shape(t) * 0.9, *[0.4 * (1 - shape(t))] * 2))

    part = Part(shape(0), shape(1))
    maker = Charted(Padded(Dis()), (part,), [(0.5, place) for place in (0.25, 0.5, 0.75)])
    for picture, t in zip(
        maker(torch.stack((scene(0), scene(1)))[None], torch.tensor([0.25, 0.5, 0.75])), (0.25, 0.5, 0.75), strict=True
    ):
        assert abs(centre(picture, RED)[0] - centre(scene(t), RED)[0]) < 1


def test_transparent_pictures_stay_so():
    def cel(x: int, t: int) -> Frame:
        cut = torch.zeros(4, 96, 160)
        cut[:3, 30:60, 30:60] = torch.rand(3, 30, 30, generator=torch.Generator().manual_seed(1))
        cut[3, 30:60, 30:60] = 1
        cut = cut.roll(x, -1)
        return Frame(cut[:3], Fraction(t), alpha=cut[3:])

    first, last = cel(0, 0), cel(30, 1)
    maker = Charted(Padded(Dis()), (Part(first.alpha[0], last.alpha[0]),), [(0.0, 0.5)])
    frame = list(run([first, last], maker, Subdivide(2)))[1]
    wanted = cel(15, 0)
    assert (frame.alpha - wanted.alpha).abs().mean() < 0.003
    assert psnr(frame.rgb, wanted.rgb) > 30


@pytest.mark.parametrize("plain", [False, True])
def test_what_moves_with_a_track_is_found(plain: bool):
    scene = Drawn(disc=(60 + 50j, 84 + 53j), plain=plain)
    picture, disc, _ = scene.at(0, 0, 0)
    track = Track((Point(64, 46, 0.0), Point(88, 49, 1.0)))
    found = region(Document((WIDTH, HEIGHT), (track,)), [0], (picture, scene.at(1, 1, 1)[0]))
    both = (found > 0.5) & (disc > 0.5)
    assert both.sum() > 0.85 * ((found > 0.5) | (disc > 0.5)).sum()


def test_what_cannot_be_done_is_one_sentence():
    scene = Drawn()
    picture, disc, _ = (one[..., 20:84, 20:104] for one in scene.at(0, 0, 0))
    window, t = torch.stack((picture, picture.flip(-1)))[None], torch.tensor([0.5])
    with pytest.raises(InputError, match="the mask of arm in the first keyframe is empty"):
        Part(disc * 0, name="arm")
    with pytest.raises(InputError, match=r"the mask of arm is 64x64 and the keyframes are 84x64"):
        Charted(Linear(), (Part(torch.ones(64, 64), name="arm"),), [(0.5, 0.2)])(window, t)
    with pytest.raises(InputError, match="charts need a two-frame model"):
        Charted(Blend(window=4), (), [(0.5,)])
    with pytest.raises(InputError, match="places for 1 parts"):
        Charted(Linear(), (Part(disc),), [(0.5,)])
    with pytest.raises(InputError, match="the mask of under is covered by those after it"):
        Charted(Linear(), (Part(disc, disc, "under"), Part(disc, disc, "over")), [(0.5, 0.2, 0.3)])(window, t)
    nowhere = Document((WIDTH, HEIGHT), (Track((Point(5, 5, 0.0), Point(9, 9, 1.0))),))
    with pytest.raises(InputError, match="none begins in the mask of a part"):
        Charted(Linear(), (Part(disc),), [(0.5, 0.2)], nowhere)(window, t)
    with pytest.raises(InputError, match="track 3 was asked for: there are 1 tracks"):
        region(nowhere, [2], (picture, picture))
    with pytest.raises(InputError, match="nothing was found that moves with the tracks"):
        region(nowhere, [0], (picture, picture.flip(0)))


def test_a_part_may_cover_everything_or_lie_beside_another():
    scene = Drawn()
    picture, disc, box = scene.at(0, 0, 0)
    window, t = torch.stack((picture, scene.at(1, 1, 1)[0]))[None], torch.tensor([0.5])
    everything = Charted(Linear(), (Part(torch.ones(HEIGHT, WIDTH)),), [(0.5, 0.3)])(window, t)
    assert everything.isfinite().all()
    grown = torch.nn.functional.max_pool2d(box[None], 9, 1, 4)[0]  # a mask that holds some of the ground
    frame = Charted(Linear(), (Part(disc), Part(grown)), [(0.0, 0.5, 0.5)])(window, t)[0]
    assert off(frame, scene.at(0, 0.5, 0.5)[0], BLUE) < 0.5
