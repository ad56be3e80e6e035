"""Other engines make the frames that torch makes; where one is missing or fails, torch does, and that is said."""

from __future__ import annotations

import importlib
import logging
import os
import sys
from collections.abc import Sequence

import pytest
import torch
from parity import synthetic_frames
from torch import Tensor, nn

import vfi
from vfi.archs.rife import NAMED_LAYERS, Config, Head, Rife
from vfi.core import InputError, Interpolator, Options
from vfi.model import backends
from vfi.model import load as loading
from vfi.model.backends import BackendError, Compiled, Exports, Function, compile
from vfi.model.fast import fast
from vfi.model.load import Part

EXACT = 100
"""PSNR in dB: what other engines are held to."""

PACKAGES = {"openvino": ["openvino"], "onnx": ["onnxruntime", "onnxscript"]}
"""What each backend needs, which is the extra of its name."""


def network() -> Interpolator:
    torch.manual_seed(3)
    return fast(Rife(Config((16, 12, 8, 8, 6), outputs=13, head=Head(8, 4, NAMED_LAYERS)), Options()).eval())


def window(height: int = 64, width: int = 128) -> Tensor:
    return torch.from_numpy(synthetic_frames(height, width, 2, 2.0))[None]


class Torch:
    """An engine that counts what it is asked to compile."""

    half = True

    def __init__(self) -> None:
        self.sizes: list[torch.Size] = []

    def compiled(self, part: nn.Module, example: Sequence[Tensor]) -> Function:
        self.sizes.append(example[0].shape)
        return part


class Broken:
    half = True

    def compiled(self, part: nn.Module, example: Sequence[Tensor]) -> Function:
        raise BackendError("it is broken")


def needed(backend: str) -> None:
    """Skip the test where the packages of a backend are not installed, but for continuous integration."""
    for package in PACKAGES[backend]:
        if os.environ.get("CI"):
            importlib.import_module(package)
        else:
            pytest.importorskip(package, reason=f"{package} is not installed: pip install 'inbetween-vfi[{backend}]'")


@pytest.mark.slow
@pytest.mark.parametrize("backend", PACKAGES)
@torch.no_grad()
def test_engines_make_the_frames_of_torch(backend: str) -> None:
    needed(backend)
    net = network()
    other = backends.on(net, backend)
    assert isinstance(other, Compiled)
    t = torch.tensor([0.25, 0.7])
    made = other(window(), t)
    assert -10 * (made - net(window(), t)).square().mean().log10() >= EXACT


@torch.no_grad()
def test_torch_compiles_what_it_runs() -> None:
    net, t = network(), torch.tensor([0.25, 0.7])
    torch.testing.assert_close(Compiled(net, compile.Engine("aot_eager"), "compile")(window(), t), net(window(), t))


def test_half_precision_is_for_engines_that_have_it(caplog: pytest.LogCaptureFixture) -> None:
    needed("openvino")
    halved = network().bfloat16()
    assert backends.on(halved, "openvino") is halved
    assert "only in float32" in caplog.text
    assert isinstance(backends.on(halved, "compile"), Compiled)


@torch.no_grad()
def test_each_size_is_compiled_once() -> None:
    engine = Torch()
    other = Compiled(network(), engine, "torch")
    for _ in range(2):
        for size in ((64, 128), (128, 64)):
            torch.testing.assert_close(other(window(*size), torch.tensor([0.5])), network()(window(*size), torch.tensor([0.5])))
    assert [tuple(size[-2:]) for size in engine.sizes] == [(64, 128)] * 2 + [(128, 64)] * 2
    other(window(64, 64), torch.tensor([0.5]))
    other(window(64, 128), torch.tensor([0.5]))
    assert len(engine.sizes) == 8


@torch.no_grad()
def test_windows_of_a_batch_and_motion_are_those_of_the_network() -> None:
    net = network()
    other = Compiled(net, Torch(), "torch")
    windows, t = torch.cat((window(), window().flip(1))), torch.tensor([0.25, 0.5])
    torch.testing.assert_close(other(windows, t), net(windows, t))
    assert torch.equal(other.motion(windows, t).flow0, Part(net, pad=None).ready().motion(windows, t).flow0)


@torch.no_grad()
def test_torch_takes_over_from_an_engine_that_fails(caplog: pytest.LogCaptureFixture) -> None:
    net = network()
    other = Compiled(net, Broken(), "broken")
    with caplog.at_level(logging.WARNING):
        made = other(window(), torch.tensor([0.5]))
    assert torch.equal(made, net(window(), torch.tensor([0.5])))
    assert caplog.messages == ["rife-custom cannot be run by broken, only by torch: it is broken"]


@pytest.mark.parametrize("package", ["openvino", "onnxruntime"])
def test_a_missing_engine_is_said(package: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    backend = {"openvino": "openvino", "onnxruntime": "onnx"}[package]
    monkeypatch.setitem(sys.modules, package, None)
    monkeypatch.delitem(sys.modules, f"vfi.model.backends.{backend}", raising=False)
    net = network()
    assert backends.on(net, backend) is net
    assert "not installed" in caplog.text
    assert "torch" in caplog.text
    monkeypatch.undo()
    importlib.invalidate_caches()


def test_what_cannot_be_exported_is_said(caplog: pytest.LogCaptureFixture) -> None:
    dis = loading.network("dis")
    assert not isinstance(dis, Exports)
    assert backends.on(dis, "openvino") is dis
    assert "cannot be exported" in caplog.text


def test_an_unknown_backend_is_refused() -> None:
    with pytest.raises(InputError, match="torch, compile, openvino, onnx"):
        vfi.load("dis", backend="abacus")
