"""What every model does alike, whatever its architecture: motion that can be used, and test-time augmentation."""

from __future__ import annotations

import contracts
import pytest
import torch
from networks import SMALL, small
from torch import Tensor

from vfi.archs import gimmvfi, pervfi
from vfi.core import Interpolator
from vfi.model import registry
from vfi.model.load import Part
from vfi.model.pace import Paced, paced
from vfi.model.wrappers import estimates_motion

FLOWS = {
    "amt",
    "dain",
    "dis",
    "dis-fast",
    "emavfi",
    "film",
    "gimmvfi",
    "gmfss",
    "ifrnet",
    "inbetween",
    "rife",
    "superslomo",
    "vfimamba",
}
SLOW = {"dain", "film", "gimmvfi", "pervfi"}


@pytest.fixture(autouse=True)
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """GIMM-VFI and PerVFI correct their flow twice, not twenty or twelve times."""
    for module in (gimmvfi, pervfi):
        monkeypatch.setattr(module, "ITERATIONS", 2)


def named(names: set[str], **marks: pytest.MarkDecorator) -> list[object]:
    slow = dict.fromkeys(SLOW, pytest.mark.slow) | marks
    return [pytest.param(name, marks=slow.get(name, ())) for name in sorted(names)]


def frames(model: Interpolator) -> Tensor:
    """A window [1,N,3,H,W] of the smallest frames that suit the network, less a few pixels that must be grown again."""
    side = max(model.spec.multiple, model.spec.min_size, 32)
    return contracts.window(side - 3, side - 7, model.spec.window)


def test_no_architecture_is_left_out():
    assert SMALL.keys() == registry.architectures().keys() - {"blend"} | registry.builtins().keys()


@pytest.mark.parametrize("name", named(FLOWS))
def test_motion_is_that_of_the_frame(name: str):
    model = Part(small(name)).ready()
    window, times = frames(small(name)), torch.tensor([0.25, 0.75])
    size = window.shape[-2:]
    motion = contracts.motion(model, window, times)
    assert motion.flow0.shape == motion.flow1.shape == (2, 2, *size)
    assert motion.mask.shape == (2, 1, *size)
    for flow in (motion.flow0, motion.flow1):
        assert flow.isfinite().all()
        assert 0 < flow.abs().mean() < max(size)
    shares = [motion.mask] if motion.occlusion is None else [motion.mask, motion.occlusion]
    for share in shares:
        assert share.shape == (2, 1, *size)
        assert 0 <= share.min() <= share.max() <= 1


@pytest.mark.parametrize("name", named(set(SMALL), dain=pytest.mark.exhaustive, pervfi=pytest.mark.exhaustive))
def test_augmentation_suits_every_model(name: str):
    augmented(name, "swap")


@pytest.mark.parametrize("name", sorted(SMALL.keys() - SLOW))
def test_all_augmentation_suits_every_quick_model(name: str):
    augmented(name, "all")


def augmented(name: str, mode: str) -> None:
    network = small(name)
    assert estimates_motion(network) == (name in FLOWS)
    window, t = frames(network), torch.tensor([0.25 if network.spec.any_t else 0.5])
    made = Part(network, tta=mode).ready()(window, t)
    assert made.shape == (1, 3, *window.shape[-2:])
    assert 0 <= made.min() <= made.max() <= 1
    if mode == "swap":
        plain = Part(network).ready()
        by_hand = (plain(window, t) + plain(window.flip(1), 1 - t)) / 2
        torch.testing.assert_close(made, by_hand, rtol=1e-4, atol=2e-5)


@pytest.mark.parametrize(
    ("name", "half_size", "tta"),
    [("dis-fast", False, "all"), ("dis", False, "none"), ("inbetween", True, "none"), ("rife", False, "duo")],
)
def test_a_map_of_one_time_makes_the_frame_at_that_time(name: str, half_size: bool, tta: str):
    network = small(name)
    window, t = frames(network), torch.tensor([0.3, 0.6])
    model = Part(network, tta=tta, half_size=half_size).ready()
    times = t.view(2, 1, 1, 1).expand(2, 1, *window.shape[-2:]).contiguous()
    assert model.spec.time_map
    torch.testing.assert_close(model(window, times), model(window, t), rtol=1e-4, atol=2e-4)


@pytest.mark.parametrize("name", named(set(SMALL) - {"flavr"}, dain=pytest.mark.exhaustive, pervfi=pytest.mark.exhaustive))
def test_every_model_of_two_frames_takes_a_pace(name: str):
    """Without frames around the pair, it makes the same bits."""
    model = Part(small(name)).ready()
    before, after = frames(model).unbind(1)
    t = torch.tensor([0.25 if small(name).spec.any_t else 0.5])
    quick = paced(model, "auto")
    assert isinstance(quick, Paced)
    first, second = quick.encode(before), quick.encode(after)
    alone = quick.prepare([first, first, second, second], [before, before, after, after])
    plain = model(torch.stack((before, after), dim=1), t)
    assert torch.equal(quick.at(alone, t), plain)
    around = [before.roll(-1, -1), before, after, after.roll(1, -1)]
    made = quick.at(quick.prepare([quick.encode(one) for one in around], around), t)
    assert made.shape == plain.shape
    assert 0 <= made.min() <= made.max() <= 1
