"""DynamiCrafter's schedule and sampler against stored outputs of the published code, and its schedule for other samplers."""

from __future__ import annotations

import math
from functools import cache
from itertools import pairwise

import pytest
import torch
from crafting import manifest, stored, tiny_projector, tiny_unet, turned
from torch import Tensor
from tweening import apart, normal

from vfi.core import InputError
from vfi.tween.dynamicrafter import schedule
from vfi.tween.dynamicrafter.unet import Context
from vfi.tween.edm import Known, Step, noise_of

FRAMES = 6
SHAPE = (1, FRAMES, 4, 8, 16)


def at(name: str) -> Tensor:
    return stored("dc_schedule")[f"expected.{name}"]


def numbers(values) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)


# --- the tables ---------------------------------------------------------------------------------------------------------------


def test_the_schedule_is_the_published_one():
    alphas = numbers(schedule.alphas())
    before = torch.cat((torch.ones(1), alphas[:-1]))
    for made, name in ((alphas, "alphas_cumprod"), (1 - alphas / before, "betas"), (numbers(schedule.shades()), "scale_arr")):
        assert (made - at(name)).abs().max() < 1e-6, name
    assert alphas[-1] == 0


@pytest.mark.parametrize("steps", manifest("dc_schedule")["timesteps_uniform_trailing"])
def test_the_times_are_the_published_ones(steps):
    assert schedule.times(int(steps)) == at(f"steps{steps}.timesteps").tolist()[::-1]


def test_no_run_visits_a_time_twice_or_one_that_does_not_exist():
    for steps in range(1, 1001):
        way = schedule.times(steps)
        assert len(set(way)) == steps
        assert (way[0], way[-1] >= 0) == (999, True)
    assert schedule.times(48)[3] == 936  # of 937.5, which exact fractions would round to 938
    for steps in (0, -1, 1001):
        with pytest.raises(InputError, match=f"{steps} steps were asked for: between 1 and 1000"):
            schedule.times(steps)


@pytest.mark.parametrize("eta", [0, 0.5, 1])
@pytest.mark.parametrize("steps", [4, 10, 25, 50])
def test_a_step_replaces_as_much_noise_as_the_published_one(steps, eta):
    way = [schedule.Level.at(time) for time in schedule.times(steps)]
    way.append(schedule.Level.at(0))
    made = [schedule.shares(here, there, eta)[1] for here, there in pairwise(way)]
    for got, name in (
        (made, f"eta{eta}.sigmas"),
        ([one.alpha for one in way[:-1]], "alphas"),
        ([one.alpha for one in way[1:]], "alphas_prev"),
    ):
        assert (numbers(got) - at(f"steps{steps}.{name}").flip(0)).abs().max() < 1e-6, name


# --- runs ---------------------------------------------------------------------------------------------------------------------


@cache
def context() -> Context:
    """Of neither text nor picture, then of both."""
    data, project = stored("dc_loop"), tiny_projector()
    with torch.no_grad():
        pictures, none = project(data["input.image_tokens"]), project(data["input.uncond_image_tokens"])
    assert apart(pictures, data["expected.image_context"]) < 1e-5
    assert apart(none, data["expected.uncond_image_context"]) < 1e-5
    return Context(torch.cat((data["input.text_empty"], data["input.text"])), torch.cat((none, pictures)))


class Network:
    """v of the tiny networks, guided."""

    def __init__(self, scale: float, rescale: float, fs: int) -> None:
        ends = turned(stored("dc_loop")["expected.z_ends"])
        self.keyframes = torch.zeros(SHAPE)
        self.keyframes[:, 0], self.keyframes[:, -1] = ends[:, 0], ends[:, 1]
        self.scale, self.rescale, self.fs = scale, rescale, torch.tensor(fs)
        self.rows: list[Tensor] = []

    @torch.no_grad()
    def __call__(self, latents: Tensor, time: int) -> Tensor:
        told = torch.cat((latents, self.keyframes), dim=2).repeat(2, 1, 1, 1, 1)
        rows = tiny_unet()(told, torch.tensor(time), context(), self.fs)
        self.rows.append(rows)
        return schedule.guided(rows, self.scale, self.rescale)


def published_noise():
    count = iter(range(100))
    return lambda shape: turned(normal(f"input:loop.step{next(count)}", tuple(turned(torch.empty(shape)).shape)))


@pytest.mark.parametrize("name", manifest("dc_loop")["runs"])
def test_runs_are_the_published_ones(name):
    steps, eta, scale, rescale, fs = manifest("dc_loop")["runs"][name]
    data, network, seen = stored("dc_loop"), Network(scale, rescale, fs), list[Step]()
    noise = turned(data["input.x_T"])
    made = schedule.ddim(network, noise, steps, eta=eta, draw=published_noise(), each=seen.append, published=True)
    assert torch.equal(made, seen[-1].latents)
    way = schedule.times(steps)
    compared = 0
    for index, step in enumerate(seen):
        assert (step.number, step.steps) == (index + 1, steps)
        if f"expected.{name}.step{index}" in data:
            assert apart(step.latents, turned(data[f"expected.{name}.step{index}"])) < 1e-4
            shade = schedule.shades()[way[min(index + 1, steps - 1)]]
            assert apart(step.clean * shade, turned(data[f"expected.{name}.clean{index}"])) < 1e-4
            compared += 1
    assert compared == (steps if name == "full" else 1)
    if name == "full":
        for row, which in zip(network.rows[0], ("v_uncond0", "v_cond0"), strict=True):
            assert apart(row[None], turned(data[f"expected.full.{which}"])) < 1e-5


@cache
def without_new_noise() -> list[Step]:
    seen: list[Step] = []
    made = schedule.ddim(Network(7.5, 0.7, 10), turned(stored("dc_loop")["input.x_T"]), 4, eta=0, each=seen.append)
    assert torch.equal(made, seen[-1].clean)
    return seen


@pytest.mark.parametrize(
    ("floor", "precision", "close"),
    [(1e-16, torch.float64, 1e-5), (schedule.FLOOR, torch.float32, 5e-4)],
)
def test_without_new_noise_it_is_eulers_method_on_the_sigmas(floor, precision, close):
    network, noise = Network(7.5, 0.7, 10), turned(stored("dc_loop")["input.x_T"])
    ladder, way = schedule.sigmas(4, floor=floor), schedule.times(4)
    states = [noise, *(step.latents for step in without_new_noise())]
    y = noise.to(precision) * ladder[0]
    for index, (sigma, following) in enumerate(pairwise(ladder)):
        level = torch.tensor(sigma, dtype=precision)
        x = (y * schedule.input_scale(level)).float()
        assert apart(x, states[index]) < close
        assert schedule.time_of(level) == way[index]
        clean = schedule.clean_of(y, network(x, way[index]).to(y), level)
        y = y + (y - clean) / sigma * (following - sigma)
    assert apart(y.float(), states[-1]) < 2 * close


def test_the_ladder_of_sigmas_gives_back_times_shades_and_scales():
    ladder = numbers(schedule.ladder())
    assert (ladder.diff() > 0).all()
    for precision in (torch.float32, torch.float64):
        sigma = ladder.to(precision)
        assert torch.equal(schedule.time_of(sigma), torch.arange(1000))
        assert torch.allclose(schedule.shade_of(sigma).double(), numbers(schedule.shades()), rtol=1e-6)
        wanted = numbers(schedule.alphas()).clamp(min=schedule.FLOOR).sqrt() * numbers(schedule.shades())
        assert torch.allclose(schedule.input_scale(sigma).double(), wanted, rtol=1e-5)
    assert schedule.time_of(torch.tensor([1e-9, 0.0, 1e9])).tolist() == [0, 0, 999]
    assert schedule.ladder()[-1] == pytest.approx(math.sqrt((1 - schedule.FLOOR) / schedule.FLOOR) / schedule.SHADE)


@pytest.mark.parametrize("eta", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("steps", [1, 2, 7, 25, 50])
def test_a_network_that_knows_the_picture_is_led_to_it(steps, eta):
    picture, seen = torch.randn(1, 3, 4, 2, 2), list[Step]()

    def knows(x, time):
        level = schedule.Level.at(time)
        noise = (x - math.sqrt(level.alpha) * level.shade * picture) / math.sqrt(1 - level.alpha)
        return math.sqrt(level.alpha) * noise - math.sqrt(1 - level.alpha) * level.shade * picture

    start = torch.randn_like(picture)
    made = schedule.ddim(knows, start, steps, eta=eta, draw=noise_of(1), each=seen.append)
    assert torch.allclose(made, picture, atol=1e-5)
    assert all(torch.allclose(step.clean, picture, atol=1e-5) for step in seen)
    darker = schedule.ddim(knows, start, steps, eta=0, published=True)
    kept = math.sqrt(1 - schedule.alphas()[0])
    first = schedule.shades()[schedule.times(steps)[-1]]
    assert (darker - first * picture).std() < 2 * kept


@pytest.mark.parametrize("precision", [torch.float32, torch.float16, torch.bfloat16])
@pytest.mark.parametrize("published", [False, True])
def test_no_number_of_steps_fails(precision, published):
    noise = torch.randn(1, 2, 4, 2, 2).to(precision)

    def network(x, time):
        assert x.dtype == precision
        return torch.tanh(3 * x - time / 999)

    for steps in range(1, 61):
        for eta in (0, 1):
            made = schedule.ddim(network, noise, steps, eta=eta, draw=noise_of(steps), published=published)
            assert made.isfinite().all(), (steps, eta)
            assert made.dtype == precision
            assert made.abs().max() < 20


def test_noise_is_drawn_only_where_it_is_used():
    drawn: list[tuple[int, ...]] = []

    def draw(shape):
        drawn.append(tuple(shape))
        return torch.zeros(*shape)

    def network(x, time):
        return x * 0.5

    noise = torch.randn(SHAPE)
    schedule.ddim(network, noise, 5, draw=draw)
    assert drawn == [SHAPE] * 4
    schedule.ddim(network, noise, 5, eta=0, draw=draw)
    assert len(drawn) == 4
    one, other = (schedule.ddim(network, noise, 5, draw=noise_of(3)) for _ in range(2))
    assert torch.equal(one, other)


def test_settings_that_make_no_sense_are_refused():
    noise = torch.zeros(SHAPE)
    for eta in (-0.1, 1.1, math.nan):
        with pytest.raises(InputError, match="it must be between 0 and 1"):
            schedule.ddim(lambda x, time: x, noise, 4, eta=eta, draw=noise_of(1))
    with pytest.raises(InputError, match="without a source of noise: only eta 0"):
        schedule.ddim(lambda x, time: x, noise, 4)
    with pytest.raises(InputError, match="0 steps were asked for"):
        schedule.ddim(lambda x, time: x, noise, 0, eta=0)


# --- guidance -----------------------------------------------------------------------------------------------------------------


def test_guidance_takes_back_the_spread_it_adds_over_the_whole_clip():
    rows = torch.randn(4, 3, 4, 2, 2)
    wanted = rows[2:].flatten(1).std(dim=1)
    whole = schedule.guided(rows, 7.5, 1.0)
    assert torch.allclose(whole.flatten(1).std(dim=1), wanted)
    plain = schedule.guided(rows, 7.5)
    assert torch.allclose(plain, rows[:2] + 7.5 * (rows[2:] - rows[:2]), atol=1e-5)
    assert torch.allclose(schedule.guided(rows, 7.5, 0.7), 0.7 * whole + 0.3 * plain, atol=1e-5)
    assert torch.allclose(schedule.guided(rows, 1.0, 0.7), rows[2:], atol=1e-6)


def test_guidance_of_half_precision_does_not_overflow_and_of_nothing_stays_finite():
    rows = torch.full((2, 2, 4, 2, 2), 3e4, dtype=torch.float16)
    rows[0] = -3e4
    rows[1, 0] = 0
    made = schedule.guided(rows, 7.5, 0.7)
    assert made.dtype == torch.float32
    assert made.isfinite().all()
    assert schedule.guided(torch.zeros(2, 2, 4, 2, 2), 7.5, 0.7).abs().max() == 0


@pytest.mark.parametrize("eta", [0, 0.5, 1])
def test_a_run_on_the_sigmas_with_new_noise_is_a_run_of_ddim(eta):
    network, noise = Network(3.0, 0.7, 10), turned(stored("dc_loop")["input.x_T"])
    made = schedule.ddim(network, noise, 4, eta=eta, draw=published_noise())
    ladder, draw = schedule.sigmas(4), published_noise()
    y = noise.double() * ladder[0]
    for sigma, following in pairwise(ladder):
        level = torch.tensor(sigma, dtype=torch.float64)
        x = (y * schedule.input_scale(level)).float()
        clean = schedule.clean_of(y, network(x, int(schedule.time_of(level))).to(y), level)
        old, new = schedule.renewed(sigma, following, eta)
        y = clean + old * (y - clean) / sigma
        if new > 0:
            y = y + new * draw(y.shape)
    assert apart(y.float(), made) < 5e-3  # a[999] is not quite 0 here, and a random network enlarges what that does


def test_known_latents_stay_where_they_are():
    generator = torch.Generator().manual_seed(0)
    latents, noise = (torch.randn(SHAPE, generator=generator) for _ in range(2))
    mask = torch.zeros(1, SHAPE[1], 1, *SHAPE[3:])
    mask[:, 2, :, :, 4:] = 1
    told: list[torch.Tensor] = []

    def predict(x: Tensor, time: int) -> Tensor:
        told.append(x)
        return torch.zeros_like(x)

    draw = lambda shape: torch.randn(*shape, generator=generator)  # noqa: E731
    made = schedule.ddim(predict, noise, 3, draw=draw, known=Known(latents, mask, 0.5))
    kept = (mask == 0).expand(SHAPE)
    assert torch.allclose(made[kept], latents[kept], atol=1e-6)
    assert not torch.allclose(made[~kept], latents[~kept], atol=0.1)
    for x, time in zip(told, schedule.times(6)[3:], strict=True):
        noisy = schedule.mixed(latents, noise, schedule.Level.at(time))
        assert torch.allclose(x[kept], noisy[kept], atol=1e-6)
