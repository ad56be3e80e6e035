"""The consensus of models: the median, the disagreement, and that nothing is computed twice."""

from __future__ import annotations

from fractions import Fraction as F

import pytest
import torch
from models import Blend, Encoding, Shift
from torch import Tensor

import vfi
from vfi.core import Doubts, InputError, Interpolator, Spec
from vfi.model.consensus import Consensus, ordered
from vfi.model.wrappers import Padded, Placed, Tta, estimates_motion
from vfi.render.run import frames_of_tensor, interpolate, run
from vfi.timing.grids import Subdivide

HALF = torch.tensor([0.5])


class Says:
    """Makes the same grey of everything."""

    def __init__(self, *grey: float, **spec) -> None:
        self.spec = Spec(f"says {grey}", **spec)
        self.grey = torch.tensor(grey).view(1, -1, 1, 1).expand(1, 3, 1, 1)

    def __call__(self, window: Tensor, t: Tensor) -> Tensor:
        return self.grey.expand(len(t), 3, *window.shape[-2:])


class Middle(Blend):
    """A blend that lists the windows it sees."""

    def __init__(self, **spec) -> None:
        super().__init__(**spec)
        self.seen: list[list[float]] = []

    def __call__(self, window: Tensor, t: Tensor) -> Tensor:
        self.seen.append(window[0, :, 0, 0, 0].tolist())
        return super().__call__(window, t)


def judged(*models: Interpolator, t: Tensor = HALF) -> tuple[Tensor, Tensor]:
    model, window = Consensus(models), torch.zeros(1, 2, 3, 4, 6)
    return model.judged(model.prepare([model.encode(rgb) for rgb in window.unbind(1)], window.unbind(1)), t)


@pytest.mark.parametrize(
    ("greys", "median", "doubt"),
    [
        ((0.25, 0.75), 0.5, 0.5),
        ((0.0, 1.0), 0.5, 1.0),
        ((0.5, 0.25, 1.0), 0.5, 2 * 0.75 / 3),
        ((0.5, 0.5, 1.0), 0.5, 2 * 0.5 / 3),
        ((0.0, 1.0, 1.0, 0.0), 0.5, 1.0),
        ((0.1, 0.2, 0.4, 0.9), 0.3, 0.5),
        ((0.3, 0.3, 0.3, 0.3, 0.8), 0.3, 0.2),
        ((0.7, 0.7), 0.7, 0.0),
    ],
)
def test_the_median_and_twice_the_mean_deviation_from_it(greys: tuple, median: float, doubt: float):
    made, unsure = judged(*map(Says, greys))
    torch.testing.assert_close(made, torch.full((1, 3, 4, 6), median))
    torch.testing.assert_close(unsure, torch.full((1, 1, 4, 6), doubt))


def test_each_colour_has_its_own_median_and_doubt_is_their_mean():
    made, unsure = judged(Says(0.0, 0.2, 0.9), Says(0.4, 0.2, 0.0), Says(1.0, 0.2, 0.1))
    torch.testing.assert_close(made[0, :, 0, 0], torch.tensor([0.4, 0.2, 0.1]))
    assert unsure[0, 0, 0, 0].item() == pytest.approx(2 / 3 * (1.0 + 0 + 0.9) / 3)


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 7])
def test_frames_are_sorted_pixel_by_pixel(count: int):
    frames = torch.rand(count, 2, 3, 5, 7)
    assert torch.equal(torch.stack(ordered(frames.unbind())), frames.sort(dim=0).values)


def test_the_median_is_that_of_whole_models():
    window, t = torch.rand(1, 2, 3, 9, 7), torch.tensor([0.25, 0.75])
    parts = [vfi.load(name) for name in ("linear", "nearest", "dis")]
    made = vfi.load(["linear", "nearest", "dis"])(window, t)
    torch.testing.assert_close(made, torch.stack([part(window, t) for part in parts]).median(dim=0).values)


def test_options_hold_for_each_model():
    window = torch.rand(1, 2, 3, 9, 7)
    made = vfi.load(["nearest", "linear"], tta="swap")(window, HALF)
    torch.testing.assert_close(made[0], window[0].mean(0))


def test_each_part_is_computed_once():
    one, other = Encoding(), Encoding()
    model = Consensus([Placed(Tta(Padded(one), "none")), Placed(other)])
    made = list(run(frames_of_tensor(torch.rand(5, 3, 4, 6), F(24)), model, Subdivide(4), batch=2))
    assert (one.encoded, one.prepared, one.calls) == (other.encoded, other.prepared, other.calls) == (5, 4, 8)
    assert len(made) == 17


def test_the_window_is_the_widest_and_each_model_sees_its_middle():
    narrow, wide = Middle(), Middle(window=4)
    clip = (torch.arange(4) / 10)[:, None, None, None].expand(-1, 3, 4, 6)
    made = interpolate(clip, Consensus([narrow, wide]), 2)
    torch.testing.assert_close(made[:, 0, 0, 0], torch.arange(7) / 20)
    assert narrow.seen == [pytest.approx([0, 0.1]), pytest.approx([0.1, 0.2]), pytest.approx([0.2, 0.3])]
    assert wide.seen[1] == pytest.approx([0, 0.1, 0.2, 0.3])


def test_the_spec_is_what_all_can_do():
    spec = Consensus([Says(0.1, licence="MIT"), Says(0.2, window=4, any_t=False, licence="Apache-2.0")]).spec
    assert (spec.window, spec.any_t, spec.licence) == (4, False, "Apache-2.0 AND MIT")
    assert spec.name == "consensus of says (0.1,), says (0.2,)"


def test_motion_is_that_of_the_first_that_estimates_any():
    model = Consensus([Blend(window=4), Padded(Shift(4)), Shift(8)])
    assert estimates_motion(model)
    assert model.motion(torch.zeros(1, 4, 3, 4, 6), HALF).flow1[0, 0, 0, 0] == 2
    still = Consensus([Blend(), Blend()])
    assert not estimates_motion(still)
    with pytest.raises(InputError, match="consensus of blend, blend does not estimate motion"):
        still.motion(torch.zeros(1, 2, 3, 4, 6), HALF)


def test_alpha_goes_with_a_consensus():
    clip = torch.rand(2, 4, 8, 16)
    made = interpolate(clip, Consensus([Blend(), Shift(0)]), 2)
    torch.testing.assert_close(made[1, 3], clip[:, 3].mean(0))


@pytest.mark.parametrize("batch", [1, 8])
def test_frames_that_are_made_carry_their_doubt_and_others_none(batch: int):
    clip = torch.stack((torch.zeros(3, 4, 6), torch.ones(3, 4, 6)))
    made = list(run(frames_of_tensor(clip, F(1)), vfi.load(["linear", "nearest"]), Subdivide(4), batch=batch))
    assert [frame.doubt is None for frame in made] == [True, False, False, False, True]
    assert made[1].doubt.shape == (1, 4, 6)
    assert [frame.doubt[0, 0, 0].item() for frame in made[1:4]] == [0.25, 0.5, 0.25]


def test_a_single_model_has_no_doubt():
    assert not isinstance(vfi.load("linear"), Doubts)
    assert all(frame.doubt is None for frame in run(frames_of_tensor(torch.rand(3, 3, 4, 6), F(1)), Blend(), Subdivide(2)))


@pytest.mark.parametrize("names", [[], ["linear"]])
def test_a_consensus_needs_two(names: list[str]):
    with pytest.raises(InputError, match=f"a consensus of {len(names)} was asked for: it takes 2 models or more"):
        vfi.load(names)
