"""Packed convolutions: torch's own are the oracle."""

from __future__ import annotations

import pickle
from copy import deepcopy

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from vfi.ops import packed
from vfi.ops.packed import PackedConv, available

pytestmark = pytest.mark.skipif(not available(), reason="this torch has no such operators")


def expected(layer: PackedConv, x: Tensor) -> Tensor:
    made = F.conv2d(x, layer.weight, layer.bias, layer.stride, 1, 1, layer.groups)
    return F.leaky_relu(made, layer.slope)


@pytest.mark.parametrize("channels", [6, 32])
@pytest.mark.parametrize(("stride", "groups", "bias", "slope"), [(1, 1, True, 0.2), (2, 2, False, 1.0), (2, 1, True, 0.2)])
@pytest.mark.parametrize("size", [(1, 5, 7), (3, 16, 24), (1, 64, 96)])
@torch.no_grad()
def test_it_convolves(channels: int, stride: int, groups: int, bias: bool, slope: float, size: tuple[int, int, int]) -> None:
    torch.manual_seed(1)
    layer = PackedConv(channels, 12, stride=stride, groups=groups, bias=bias, slope=slope)
    batch, height, width = size
    for x in (torch.randn(batch, channels, height, width), torch.randn(batch, height, width, channels).movedim(-1, 1)):
        torch.testing.assert_close(layer(x), expected(layer, x), rtol=1e-4, atol=1e-5)


@torch.no_grad()
def test_weights_that_change_are_packed_anew() -> None:
    layer, x = PackedConv(16, 8, slope=0.2), torch.randn(1, 16, 6, 8)
    for change in (lambda: layer.weight.mul_(2), lambda: setattr(layer.weight, "data", -layer.weight.data), lambda: None):
        change()
        torch.testing.assert_close(layer(x), expected(layer, x), rtol=1e-4, atol=1e-5)
    with torch.inference_mode():
        layer.load_state_dict(PackedConv(16, 8).state_dict())
        torch.testing.assert_close(layer(x), expected(layer, x), rtol=1e-4, atol=1e-5)


@torch.no_grad()
def test_a_layer_is_copied_with_its_weights_alone() -> None:
    layer, x = PackedConv(16, 8, slope=0.2), torch.randn(1, 16, 6, 8)
    layer(x)
    for copy in (deepcopy(layer), pickle.loads(pickle.dumps(layer))):
        assert list(copy.state_dict()) == ["weight", "bias"]
        copy.weight.mul_(3)
        torch.testing.assert_close(copy(x), expected(copy, x), rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(layer.double()(x.double()), expected(layer, x.double()))


def test_gradients_flow() -> None:
    layer, x = PackedConv(16, 8, slope=0.2), torch.randn(1, 16, 6, 8, requires_grad=True)
    layer(x).sum().backward()
    assert x.grad is not None
    assert layer.weight.grad is not None


@torch.no_grad()
def test_it_traces_as_a_plain_convolution() -> None:
    layer, x = PackedConv(16, 8, slope=0.2), torch.randn(1, 16, 6, 8)
    layer(x)
    traced = torch.jit.trace(layer, (x,))
    assert "mkldnn::" not in str(traced.graph)
    assert "mkldnn" not in str(torch.export.export(layer, (x,)).graph)
    torch.testing.assert_close(traced(x), layer(x), rtol=1e-4, atol=1e-5)


@torch.no_grad()
def test_without_the_operators_it_is_torchs(monkeypatch: pytest.MonkeyPatch) -> None:
    layer, x = PackedConv(16, 8, slope=0.2), torch.randn(1, 16, 6, 8)
    monkeypatch.setattr(packed, "available", lambda: False)
    assert torch.equal(layer(x), expected(layer, x))


@pytest.mark.parametrize("fault", [AttributeError, RuntimeError("unknown operator"), TypeError("other arguments"), None])
def test_operators_that_fail_or_compute_something_else_are_not_used(fault, monkeypatch: pytest.MonkeyPatch) -> None:
    def convolved(*_: object) -> Tensor:
        if fault is not None:
            raise fault
        return torch.zeros(1, 8, 3, 4)

    monkeypatch.setattr(packed, "_convolved", convolved)
    assert not available.__wrapped__()
