"""ComfyUI's OPTICAL_FLOW, a ModelPatcher around a network that gives a list of flows, as a source of motion."""

from __future__ import annotations

from fractions import Fraction
from types import SimpleNamespace

import pytest
import torch


class Raft(torch.nn.Module):
    """Gives flow as RAFT does, one for each round: 8 pixels to the right forwards, back to the left after."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(1))
        self.calls = 0

    def forward(self, start: torch.Tensor, end: torch.Tensor) -> list[torch.Tensor]:
        assert start.shape[-1] % 8 == start.shape[-2] % 8 == 0
        way = 1 if self.calls % 2 == 0 else -1
        self.calls += 1
        flow = torch.zeros(1, 2, *start.shape[-2:])
        flow[:, 0] = 8 * way
        return [torch.zeros_like(flow), flow * self.weight]


@pytest.fixture
def raft(part):
    cpu = torch.device("cpu")
    return part("nodes.model").model_patcher.CoreModelPatcher(Raft(), load_device=cpu, offload_device=cpu)


def test_its_flow_is_shown(run, raft):
    pictures, occlusion, _, radius = run("InbetweenFlowPicture", images=torch.rand(3, 40, 60, 3), optical_flow=raft)
    assert pictures[0, 20, 30].tolist() == [1, 0, 0]
    assert radius == pytest.approx(4)
    assert not occlusion[0, 20, 20:40].any()
    (needed,) = raft.memory_required
    assert needed > 2 * 4 * (128 // 8) ** 4


def test_points_follow_it(run, raft):
    start = {"track_path": torch.tensor([[[10.0, 20.0]]]), "track_visibility": torch.ones(1, 1, dtype=torch.bool)}
    tracks, _, count = run("InbetweenFollowPoints", images=torch.rand(3, 40, 60, 3), start=start, optical_flow=raft)
    assert tracks["track_path"][:, 0, 0].tolist() == pytest.approx([10, 18, 26], abs=0.01)
    assert count == 1


def test_motion_comes_from_one_source(run, raft, part):
    model = part("nodes.load").opened("dis")
    with pytest.raises(ValueError, match="model and optical flow are both connected: motion comes from one"):
        run("InbetweenFlowPicture", images=torch.rand(3, 40, 60, 3), optical_flow=raft, model=model)


@pytest.mark.parametrize("given", [SimpleNamespace(model=None), SimpleNamespace(model=Raft()), "raft_large.pth"])
def test_what_is_no_optical_flow_model_is_refused(run, given):
    with pytest.raises(ValueError, match=r"optical flow is a \w+: connect Load Optical Flow Model"):
        run("InbetweenFlowPicture", images=torch.rand(2, 40, 60, 3), optical_flow=given)


def test_another_kind_of_network_is_refused(run, raft):
    raft.model.forward = lambda start, end: {"flow": start}
    with pytest.raises(ValueError, match="the optical flow model gave a dict: one that gives flow is needed"):
        run("InbetweenFlowPicture", images=torch.rand(2, 40, 60, 3), optical_flow=raft)


def test_a_cancelled_run_ends_between_two_pairs(run, raft, server, monkeypatch: pytest.MonkeyPatch, part):
    management = part("nodes.optical_flow").model_management

    def check() -> None:
        if raft.model.calls == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr(management, "throw_exception_if_processing_interrupted", check)
    with pytest.raises(KeyboardInterrupt):
        run("InbetweenFlowPicture", images=torch.rand(9, 40, 60, 3), optical_flow=raft)
    assert raft.model.calls == 3


def test_it_guides_models_that_estimate_no_motion(run, raft, part):
    wrappers, opened = part("vfi.model.wrappers"), part("nodes.load").opened
    start = {
        "track_path": torch.tensor([[[10.0, 20.0]], [[30.0, 20.0]]]),
        "track_visibility": torch.ones(2, 1, dtype=torch.bool),
    }
    asked = {"tracks": start, "strength": 1.0, "auto": False, "optical_flow": raft}
    (guided,) = run("InbetweenGuide", model=opened("linear"), **asked)
    ready = part("nodes.model").over(guided.ready((40, 60)), Fraction(1))
    assert not wrappers.estimates_motion(ready.model)
    ready(torch.rand(1, 2, 3, 40, 60), torch.tensor([0.5]))
    assert raft.model.calls == 2
    (own,) = run("InbetweenGuide", model=opened("dis"), **asked)
    own.ready((40, 60))(torch.rand(1, 2, 3, 40, 60), torch.tensor([0.5]))
    assert raft.model.calls == 2
