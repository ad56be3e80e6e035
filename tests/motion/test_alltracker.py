"""AllTracker computes what the published network computes, and walks through clips in bounded memory."""

from __future__ import annotations

import re
import weakref
from collections.abc import Iterator

import parity
import pytest
import torch
from torch import Tensor

from vfi.core import InputError
from vfi.model.unfilled import unfilled
from vfi.motion import alltracker, trackers
from vfi.motion.alltracker import AllTracker
from vfi.motion.trackers import Place, dense, track, trail

SETS = [parity.load_set(name) for name in parity.names("alltracker")]
SMALL = next(stored for stored in SETS if stored.name == "alltracker/small")
CLOSE = 1e-4
"""Largest difference from the published network, as a share of the largest value."""


@pytest.fixture(scope="module")
def net() -> AllTracker:
    return alltracker.build(SMALL.state())


def clip(count: int, height: int = 40, width: int = 60) -> Tensor:
    return torch.from_numpy(parity.synthetic_frames(height, width, count, 1.0))


def close(got: Tensor, expected: Tensor, what: str) -> None:
    assert got[..., 1::4, 1::4].shape == expected.shape, what
    off = (got[..., 1::4, 1::4] - expected).abs().max() / expected.abs().max()
    assert off <= CLOSE, f"{what}: {off:.2g} of the largest value"


def cases() -> list[object]:
    """Those of the published size take 16 frames of 128x128, which is long for a test."""
    return [
        pytest.param(
            stored, case, id=f"{stored.name}-{case.name}", marks=[pytest.mark.slow] * (long(stored) and case.count > 2)
        )
        for stored in SETS
        for case in stored.cases
    ]


def long(stored: parity.ParitySet) -> bool:
    return stored.manifest["state_dict"]["time_emb"][0][1] == 16


@pytest.mark.parametrize(("stored", "case"), cases())
def test_it_computes_what_the_published_network_does(
    stored: parity.ParitySet, case: parity.Case, monkeypatch: pytest.MonkeyPatch
):
    """Every frame, and each iteration of the last window."""
    net, passed = alltracker.build(stored.state()), []
    refine = net.refine

    def recorded(*args: Tensor) -> Iterator[alltracker.State]:
        passed.append([])
        for state in refine(*args):
            passed[-1].append(net.fine(state))
            yield state

    monkeypatch.setattr(net, "refine", recorded)
    fields = list(dense(net, case.pictures, case.options.get("iters", 4)))
    assert len(fields) == case.count
    fields = fields[1:] if case.count == 2 else fields  # of two frames, the published network only gives the second
    close(torch.stack([field.flow for field in fields]), case.expected["flow_t0"], "flow")
    seen = torch.stack([torch.stack((field.visibility, field.confidence)) for field in fields])
    close(seen, case.expected["seen_t0"], "visibility and confidence")
    if case.options.get("steps"):
        left, _, top, _ = trackers._padding(case.pictures[0], net.least)
        for step, planes in enumerate(passed[-1]):
            for name, plane in zip(("flow", "seen"), planes, strict=True):
                cut = plane[..., top : top + case.height, left : left + case.width]
                close(cut, case.expected[f"window{len(passed) - 1}_step{step}_{name}_t0"], f"{name} after iteration {step}")
        assert len(passed[-1]) == 4


@pytest.mark.parametrize(("name", "millions"), [("alltracker", 16.48), ("alltracker-tiny", 6.29)])
def test_the_published_sizes_are_read_off_the_published_keys(name: str, millions: float):
    """On the meta device: the names and shapes of the published constructor, without its weights."""
    shapes = next(stored for stored in SETS if stored.name.endswith(name.replace("-", "_"))).manifest["state_dict"]
    with unfilled():
        state = {key: torch.empty(shape) for key, (shape, _) in shapes.items()}
        net = AllTracker(alltracker.PUBLISHED[name])
        assert {key: list(value.shape) for key, value in net.state_dict().items()} == {
            key: shape for key, (shape, _) in shapes.items()
        }
    assert alltracker.configure(state) == alltracker.PUBLISHED[name]
    assert sum(weight.numel() for weight in net.parameters()) == pytest.approx(millions * 1e6, rel=1e-3)


def test_other_weights_are_refused(net: AllTracker):
    state = dict(net.state_dict())
    with pytest.raises(InputError, match="not a known tracker: first key weight, 1 tensors"):
        alltracker.build({"weight": torch.zeros(3)})
    with pytest.raises(InputError, match="2 tensors are missing, unknown or of the wrong shape"):
        alltracker.build({"more": torch.zeros(1), **{key: state[key] for key in state if key != "dot_conv.bias"}})
    for key in ("time_emb", "dot_conv.weight", "update_block.final_conv.weight", "flow_head.0.bias"):
        with pytest.raises(InputError, match=r"not a known tracker|missing, unknown or of the wrong shape"):
            alltracker.build({name: value.new_zeros(3) if name == key else value for name, value in state.items()})
    with pytest.raises(InputError, match=r"flow_head\.0\.bias holds NaN"):
        alltracker.build(state | {"flow_head.0.bias": state["flow_head.0.bias"] * torch.nan})


def test_the_walk_holds_the_frames_of_a_window_at_most(net: AllTracker):
    given: list[weakref.ref[Tensor]] = []
    read: list[int] = []

    def counted() -> Iterator[Tensor]:
        for rgb in clip(17).unbind():
            kept = rgb.clone()
            given.append(weakref.ref(kept))
            yield kept
            del kept
            assert sum(one() is not None for one in given) <= 2

    for index, _ in enumerate(dense(net, counted(), 1)):
        read.append(len(given) - index)
    assert len(read) == 17
    assert max(read) <= net.config.window + 1


def test_correlation_that_is_not_stored_gives_the_same(net: AllTracker, monkeypatch: pytest.MonkeyPatch):
    frames = clip(3)
    stored = list(dense(net, frames, 1))
    monkeypatch.setattr(alltracker, "PAIR_BYTES", 0)
    for before, after in zip(stored, dense(net, frames, 1), strict=True):
        torch.testing.assert_close(after.flow, before.flow, atol=1e-4, rtol=1e-4)


def test_cells_are_attended_to_in_parts(net: AllTracker, monkeypatch: pytest.MonkeyPatch):
    whole = list(dense(net, clip(3), 1))
    monkeypatch.setattr(alltracker, "CELLS", 50)
    for before, after in zip(whole, dense(net, clip(3), 1), strict=True):
        torch.testing.assert_close(after.flow, before.flow, atol=1e-5, rtol=1e-5)


def test_points_are_read_off_the_flow_where_they_are(net: AllTracker):
    points = torch.tensor([[10.0, 20.0], [59.0, 39.0], [0.0, 0.0], [40.5, 30.0]])
    for index, (place, field) in enumerate(zip(trail(net, clip(5), points), dense(net, clip(5)), strict=True)):
        if not index:
            assert torch.equal(place.xy, points.double())
            assert place.visible.all()
            continue
        for n, (x, y) in enumerate(points[:3].long().tolist()):
            torch.testing.assert_close(place.xy[n] - points[n], field.flow[:, y, x].double())
            assert place.visibility[n] == pytest.approx(float(field.visibility[y, x]))
            assert place.confidence[n] == pytest.approx(float(field.confidence[y, x]))
        between = (field.flow[:, 30, 40] + field.flow[:, 30, 41]) / 2
        torch.testing.assert_close(place.xy[3] - points[3], between.double())


def test_a_point_is_visible_if_visibility_times_confidence_is_high():
    place = Place(torch.zeros(3, 2), torch.tensor([0.9, 0.9, 0.61]), torch.tensor([0.9, 0.6, 0.99]))
    assert place.visible.tolist() == [True, False, True]


def test_large_frames_are_reduced_and_positions_are_in_their_pixels(net: AllTracker):
    large, points = clip(3, 80, 120), torch.tensor([[20.0, 30.0], [50.0, 12.0]])
    small = torch.nn.functional.interpolate(large, (40, 60), mode="bilinear", antialias=True)
    for one, other in zip(trail(net, small, points), trail(net, large, points * 2 + 0.5, longest=60), strict=True):
        torch.testing.assert_close(other.xy, one.xy * 2 + 0.5)
        torch.testing.assert_close(other.visibility, one.visibility)


def test_points_of_any_frame_are_followed_to_both_ends(net: AllTracker):
    frames, points = clip(6), torch.tensor([[20.0, 30.0], [50.0, 12.0]])
    found = track(net, frames, points, 3, iterations=1)
    assert found.xy.shape == (6, 2, 2)
    assert found.visible.shape == (6, 2)
    assert torch.equal(found.xy[3], points.double())
    for index, place in enumerate(trail(net, frames[3:], points, iterations=1)):
        assert torch.equal(found.xy[3 + index], place.xy)
    for index, place in enumerate(trail(net, frames[:4].flip(0), points, iterations=1)):
        assert torch.equal(found.confidence[3 - index], place.confidence)
    assert torch.equal(track(net, frames[:1], points).xy, points.double()[None])
    for wrong in (-1, 6):
        with pytest.raises(InputError, match=re.escape(f"frame {wrong} was given: the clip has frames 0 to 5")):
            track(net, frames, points, wrong)


@pytest.mark.parametrize("size", [(1, 1), (3, 100), (64, 65)])
@pytest.mark.parametrize("count", [1, 2, 3])
def test_any_size_and_any_number_of_frames_will_do(net: AllTracker, size: tuple[int, int], count: int):
    fields = list(dense(net, clip(count, *size), 1))
    assert [field.flow.shape for field in fields] == [(2, *size)] * count
    assert all(bool(torch.stack((field.visibility, field.confidence)).isfinite().all()) for field in fields)


@pytest.mark.slow
def test_everything_stays_on_the_device_of_the_network():
    with unfilled():
        net = AllTracker(alltracker.configure(SMALL.state()) or alltracker.TINY)
        fields = list(dense(net, torch.empty(6, 3, 40, 60), 1))
    assert {part.device.type for field in fields for part in field} == {"meta"}


def test_codes_are_read_as_floats_are(net: AllTracker):
    codes, points = (clip(3) * 255).round().byte(), torch.tensor([[20.0, 30.0]])
    for one, other in zip(trail(net, codes, points), trail(net, codes / 255, points), strict=True):
        torch.testing.assert_close(one.xy, other.xy)


def test_what_cannot_be_done_is_refused(net: AllTracker):
    for wrong in (torch.zeros(3, 8, 8), torch.zeros(1, 40, 60)):
        with pytest.raises(InputError, match=re.escape(f"a frame of shape {list(wrong.shape)} was given")):
            list(dense(net, [clip(1)[0], wrong]))
    assert list(dense(net, [])) == []
    with pytest.raises(InputError, match="0 iterations"):
        list(dense(net, clip(2), 0))
    with pytest.raises(InputError, match="a longest side of 0 pixels"):
        list(trail(net, clip(2), torch.zeros(1, 2), longest=0))
