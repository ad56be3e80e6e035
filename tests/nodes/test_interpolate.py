from __future__ import annotations

from fractions import Fraction

import pytest
import torch
from models import Encoding


@pytest.fixture
def linear(run):
    (model,) = run("InbetweenLoadModel", model="linear")
    return model


def times(count: int) -> dict:
    return {"mode": "times", "times": count}


def rate(fps: float) -> dict:
    return {"mode": "frame rate", "target_fps": fps}


def slow(slower: float) -> dict:
    return {"mode": "slow motion", "slower": slower}


@pytest.mark.parametrize(
    ("mode", "source", "hold", "count", "fps"),
    [
        (times(1), 24.0, False, 10, 24),
        (times(2), 24.0, False, 19, 48),
        (times(4), 25.0, True, 40, 100),
        (rate(60.0), 24.0, False, 23, 60),
        (rate(60.0), 24.0, True, 25, 60),
        (rate(59.94), 23.976, False, 23, Fraction(60000, 1001)),
        (rate(12.0), 24.0, False, 5, 12),
        (slow(2.0), 24.0, False, 19, 24),
        (slow(2.5), 24.0, False, 23, 24),
    ],
)
def test_counts_and_rates(run, linear, mode: dict, source: float, hold: bool, count: int, fps: Fraction):
    images = torch.rand(10, 4, 6, 3)
    made, given_fps, given_count, originals, disagreement, listed = run(
        "InbetweenInterpolate", model=linear, images=images, mode=mode, source_fps=source, hold_last=hold
    )
    assert (len(made), given_count, given_fps) == (count, count, float(fps))
    assert originals.shape == disagreement.shape == (count, 4, 6)
    shown = [float(second) for second in listed.splitlines()]
    slower = mode.get("slower", 1)
    exact = Fraction(24000, 1001) if source == 23.976 else source
    assert shown == pytest.approx([min(k / fps / slower, 9 / exact) for k in range(count)], abs=1e-6)


def test_frames_of_the_source_come_out_bit_for_bit_and_are_marked(run, linear):
    images = torch.rand(5, 4, 6, 3)
    made, _, _, originals, *_ = run("InbetweenInterpolate", model=linear, images=images, mode=times(3))
    assert torch.equal(made[::3], images)
    torch.testing.assert_close(made[1], images[0] * 2 / 3 + images[1] / 3)
    assert originals[:, 0, 0].tolist() == [1, 0, 0] * 4 + [1]
    assert originals.untyped_storage().nbytes() == 13 * 4


def test_held_frames_are_not_marked(run, linear):
    _, _, _, originals, *_ = run(
        "InbetweenInterpolate", model=linear, images=torch.rand(2, 4, 6, 3), mode=times(2), hold_last=True
    )
    assert originals[:, 0, 0].tolist() == [1, 0, 1, 0]


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_channels_are_kept(run, linear, channels: int):
    images = torch.rand(3, 4, 6, channels)
    images[..., 3:] = 1
    made, *_ = run("InbetweenInterpolate", model=linear, images=images, mode=times(2))
    assert made.shape == (5, 4, 6, channels)
    assert torch.equal(made[::2], images)
    torch.testing.assert_close(made[1], images[:2].mean(0))


def test_colour_that_is_transparent_does_not_bleed(run, linear):
    images = torch.ones(2, 4, 6, 4)
    images[1, ..., :3], images[1, ..., 3] = 0, 0  # clear black after opaque white
    made, *_ = run("InbetweenInterpolate", model=linear, images=images, mode=times(2))
    torch.testing.assert_close(made[1], torch.tensor([1.0, 1, 1, 0.5]).expand(4, 6, 4))


def test_one_frame_stays_one(run, linear):
    images = torch.rand(1, 1, 1, 3)
    made, _, count, originals, *_ = run("InbetweenInterpolate", model=linear, images=images, mode=times(8))
    assert torch.equal(made, images)
    assert (count, originals.tolist()) == (1, [[[1.0]]])


@pytest.mark.parametrize(
    ("images", "sentence"),
    [
        (torch.zeros(0, 4, 6, 3), "at least one frame is needed"),
        (torch.zeros(2, 4, 6, 2), "1, 3 or 4 channels"),
        (torch.full((2, 4, 6, 3), float("nan")), "frame 0 of the images holds NaN or infinity"),
        (torch.cat([torch.zeros(3, 4, 6, 3), torch.full((1, 4, 6, 3), -float("inf"))]), "frame 3"),
    ],
)
def test_images_that_cannot_be_used_get_a_sentence(run, linear, images: torch.Tensor, sentence: str):
    with pytest.raises(ValueError, match=sentence):
        run("InbetweenInterpolate", model=linear, images=images, mode=times(2))


def test_progress_counts_every_frame(run, linear, server):
    run("InbetweenInterpolate", model=linear, images=torch.rand(3, 4, 6, 3), mode=times(2))
    assert server.progress == [(done, 5) for done in range(1, 6)]


@pytest.mark.parametrize("at", [0, 1, 4])
def test_cancel_comes_before_another_frame_is_made(run, linear, server, at: int):
    server.interrupt_at = at
    with pytest.raises(server.Interrupted):
        run("InbetweenInterpolate", model=linear, images=torch.rand(9, 4, 6, 3), mode=times(2))
    assert len(server.progress) == at


def test_augmentation_wraps_the_model(run, part):
    network = part("vfi.core").Spec
    seen = []

    class Lopsided:
        """Shifts by one pixel: the mean over flips is symmetric."""

        spec = network("lopsided")

        def __call__(self, window, t):
            seen.append(float(t[0]))
            return window[:, 0].roll(1, -1)

    model = part("nodes.model").Model.hold(Lopsided())
    (model,) = run("InbetweenTTA", model=model, mode="all")
    images = torch.rand(2, 4, 6, 3)
    made, *_ = run("InbetweenInterpolate", model=model, images=images, mode=times(4))
    assert len(seen) == 3 * 8
    assert sorted(set(seen)) == [0.25, 0.5, 0.75]
    expected = sum(images[k].roll(shift, 1) for k in (0, 1) for shift in (1, -1)) / 4
    torch.testing.assert_close(made[1], expected)


@pytest.fixture
def load(run):
    return lambda name: run("InbetweenLoadModel", model=name)[0]


def test_a_single_model_disagrees_with_nobody_and_takes_no_memory_for_it(run, linear):
    *_, disagreement, _ = run("InbetweenInterpolate", model=linear, images=torch.rand(3, 4, 6, 3), mode=times(2))
    assert disagreement.shape == (5, 4, 6)
    assert not disagreement.any()
    assert disagreement.untyped_storage().nbytes() == 5 * 4


def test_a_consensus_is_the_median_and_shows_where_models_disagree(run, load):
    names, images = ("linear", "nearest", "dis"), torch.rand(2, 20, 24, 3)
    (model,) = run("InbetweenConsensus", **{f"model_{k}": load(name) for k, name in enumerate(names, start=1)})
    made, _, count, _, disagreement, _ = run("InbetweenInterpolate", model=model, images=images, mode=times(4))
    single = [run("InbetweenInterpolate", model=load(name), images=images, mode=times(4))[0] for name in names]
    torch.testing.assert_close(made, torch.stack(single).median(dim=0).values)
    assert (count, disagreement.shape) == (5, (5, 20, 24))
    assert disagreement.amax((1, 2)).gt(0).tolist() == [False, True, True, True, False]
    spread = torch.stack(single).amax(0) - torch.stack(single).amin(0)
    torch.testing.assert_close(disagreement, spread.mean(-1) * 2 / 3)


def test_a_consensus_of_a_consensus_counts_its_models_one_by_one(run, load):
    (pair,) = run("InbetweenConsensus", model_1=load("linear"), model_2=load("nearest"))
    (model,) = run("InbetweenConsensus", model_1=pair, model_2=load("linear"), model_5=load("linear"))
    images = torch.rand(2, 4, 6, 3)
    made, *_, disagreement, _ = run("InbetweenInterpolate", model=model, images=images, mode=times(2))
    torch.testing.assert_close(made[1], images.mean(0))
    torch.testing.assert_close(disagreement[1], (images[1] - images[0]).abs().mean(-1) / 4)


def test_augmentation_of_a_consensus_acts_on_each_model(run, load):
    (model,) = run("InbetweenConsensus", model_1=load("nearest"), model_2=load("nearest"))
    (model,) = run("InbetweenTTA", model=model, mode="swap")
    images = torch.rand(2, 4, 6, 3)
    made, *_, disagreement, _ = run("InbetweenInterpolate", model=model, images=images, mode=times(2))
    torch.testing.assert_close(made[1], images.mean(0))
    assert not disagreement.any()


def test_the_models_of_a_consensus_are_in_memory_together(part, load, monkeypatch):
    memory, asked = part("nodes.model"), []
    monkeypatch.setattr(memory.model_management, "load_models_gpu", lambda *given, **room: asked.append((given, room)))

    class Net(torch.nn.Module):
        def __init__(self, activations):
            super().__init__()
            self.spec = part("vfi.core").Spec("net", activations=activations)

    models = [memory.Model.hold(Net(40)), load("linear"), memory.Model.hold(Net(70))]
    memory.Several.of(models).ready((10, 20))
    patchers = [models[0].patcher, models[2].patcher]
    assert asked == [((patchers,), {"memory_required": 110 * 10 * 20 * 4})]


@pytest.mark.parametrize("level", [-0.2, 0.5, 1.2, 40.0])
def test_values_above_white_survive_in_new_frames_and_those_within_are_left_as_they_are(run, level: float):
    (model,) = run("InbetweenLoadModel", model="dis")
    images = torch.full((2, 16, 16, 4), level)
    images[..., 3] = 1
    made, *_ = run("InbetweenInterpolate", model=model, images=images, mode=times(2))
    assert torch.equal(made[::2], images)
    torch.testing.assert_close(made[1], images[0], rtol=1e-3, atol=1e-3 if level > 0 else 0.15)


def test_more_frames_than_memory_holds_are_refused_before_any_work(run, linear, part, monkeypatch):
    monkeypatch.setattr(part("vfi.render.memory"), "free", lambda: 10**9)
    mode = {"mode": "times", "times": 256}
    with pytest.raises(Exception, match=r"frames of 1000x1000 take [\d.]+ GB and [\d.]+ GB of memory are free"):
        run("InbetweenInterpolate", model=linear, images=torch.zeros(1).expand(3, 1000, 1000, 3), source_fps=24.0, mode=mode)


def test_without_a_model_the_best_on_disk_is_used(run):
    images = torch.rand(3, 32, 32, 3)
    mode = {"mode": "times", "times": 2}
    (model,) = run("InbetweenLoadModel", model="auto")
    told, *_ = run("InbetweenInterpolate", model=model, images=images, mode=mode)
    made, *_ = run("InbetweenInterpolate", images=images, mode=mode)
    assert torch.equal(made, told)
    (double,) = run("InbetweenTTA", mode="duo")
    assert (double.network.spec.name, double.tta) == (model.network.spec.name, "duo")


def test_pace_times_pixels_by_the_frames_around_the_pair(run):
    (model,) = run("InbetweenLoadModel", model="dis")
    coarse = torch.rand(1, 3, 4, 12, generator=torch.Generator().manual_seed(3))
    ground = torch.nn.functional.interpolate(coarse, size=(64, 288), mode="bicubic").clamp(0, 1)[0].movedim(0, -1)

    def view(k: float) -> torch.Tensor:
        """A pan that speeds up."""
        left = round(8 * k + 4 * k * k)
        return ground[:, left : left + 160]

    def error(pace: str) -> float:
        images = torch.stack([view(k) for k in range(4)])
        made = run("InbetweenInterpolate", model=model, images=images, mode=times(2), pace=pace)[0]
        return float((made[3] - view(1.5)).abs().mean())

    assert error("auto") < error("off") / 2
    assert error("holds") == error("auto")


def test_pace_needs_a_model_of_two_frames(run, part):
    model = part("nodes.model").Model.hold(Encoding(window=4))
    with pytest.raises(ValueError, match="blend takes 4 frames at once: pace needs a model of two frames"):
        run("InbetweenInterpolate", model=model, images=torch.rand(3, 20, 24, 3), mode=times(2), pace="auto")


def test_as_many_timesteps_are_made_at_once_as_the_device_takes(run, part, monkeypatch):
    node = part("nodes.interpolate")
    asked = []
    monkeypatch.setattr(node, "batch_for", lambda model, size: asked.append(size) or 3)
    counting = Encoding()
    model = part("nodes.model").Model.hold(counting)
    made, *_ = run("InbetweenInterpolate", model=model, images=torch.rand(3, 8, 10, 3), mode={"mode": "times", "times": 4})
    assert len(made) == 9
    assert counting.calls == 2  # once per pair
    assert list(map(tuple, asked)) == [(8, 10)]
