"""ONNX Runtime with TensorRT, both pretended: what is asked of it, what is kept and for whom, and what is said."""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from vfi.model import devices
from vfi.model.backends import BackendError, engines

TENSORRT, CUDA, CPU = "TensorrtExecutionProvider", "CUDAExecutionProvider", "CPUExecutionProvider"


class Runtime(ModuleType):
    """A pretended `onnxruntime`: it records options, leaves engines where it is told, and answers which providers it uses."""

    __version__ = "1.31.1"

    def __init__(self) -> None:
        super().__init__("onnxruntime")
        self.there = [TENSORRT, CUDA, CPU]
        self.uses = [TENSORRT, CUDA, CPU]
        self.leaves, self.fails, self.version = True, False, 1
        self.asked: list[list[tuple[str, dict[str, str]]]] = []
        self.builds = self.runs = 0

    def get_available_providers(self) -> list[str]:
        return self.there

    def SessionOptions(self) -> SimpleNamespace:
        return SimpleNamespace()

    def InferenceSession(self, data: bytes, settings: Any, providers: Any, *, enable_fallback: int) -> SimpleNamespace:
        assert isinstance(data, bytes)
        assert not enable_fallback
        self.asked.append(providers)
        named = [name for name, _ in providers]
        if named[0] == TENSORRT:
            self._build(providers[0][1])
        used = [name for name in self.uses if name in named or name == CPU]
        ports = {"get_inputs": lambda: [SimpleNamespace(name="x")], "get_outputs": lambda: [SimpleNamespace(name="y")]}
        return SimpleNamespace(get_providers=lambda: used, run=self._run, **ports)

    def _run(self, outputs: None, given: dict[str, Any]) -> None:
        assert list(given) == ["x"]
        self.runs += 1

    def _build(self, options: dict[str, str]) -> None:
        if self.fails:
            raise RuntimeError("TensorRT fails")
        file = Path(options.get("trt_engine_cache_path", "/nowhere"), "TensorrtExecutionProvider_TRTKernel_graph_1_0_0.engine")
        if file.is_file() and file.read_text() == "broken":
            raise RuntimeError("the engine is broken")
        if file.is_file() and file.read_text() == str(self.version):
            return
        self.builds += 1
        if self.leaves and "trt_engine_cache_path" in options:
            file.write_text(str(self.version))
            Path(options["trt_timing_cache_path"], "gpu.timing").write_text(str(self.builds))


class Program:
    """A pretended program of ONNX, whose parts have no notes."""

    def __init__(self, data: bytes = b"") -> None:
        self.data = data
        self.metadata_props: list[str] = []
        self.graph = SimpleNamespace(node=[], value_info=[], input=[], output=[], initializer=[])

    def CopyFrom(self, other: Program) -> None:
        self.data = other.data

    def SerializeToString(self, deterministic: bool = False) -> bytes:
        return self.data


@pytest.fixture
def runtime(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Runtime]:
    made = Runtime()
    monkeypatch.setitem(sys.modules, "onnxruntime", made)
    monkeypatch.setitem(sys.modules, "onnxscript", ModuleType("onnxscript"))
    monkeypatch.delitem(sys.modules, "vfi.model.backends.onnx", raising=False)
    monkeypatch.setenv("INBETWEEN_MODELS", str(tmp_path))
    onnx = importlib.import_module("vfi.model.backends.onnx")
    monkeypatch.setitem(onnx.PROVIDERS, "meta", [TENSORRT, CUDA])  # a device of the kind that torch has without a GPU
    monkeypatch.setattr(onnx.devices, "identity_of", lambda device: "a GPU (9, 0)")
    monkeypatch.setattr(onnx.devices, "driver_of", lambda device: "driver 1")
    monkeypatch.setattr(onnx.engines, "tensorrt_version", lambda: "10.9")
    monkeypatch.setattr(torch.onnx, "export", exported)
    yield made
    monkeypatch.undo()
    sys.modules.pop("vfi.model.backends.onnx", None)


def exported(part: nn.Module, example: tuple[Tensor, ...], **how: Any) -> SimpleNamespace:
    """A program that holds the weights and the shapes of its inputs, as a real one does."""
    weights = [weight.tolist() for weight in part.parameters()]
    return SimpleNamespace(model_proto=Program(json.dumps([weights, [one.shape for one in example]]).encode()))


class Part(nn.Module):
    def __init__(self, weight: float = 1.0) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.tensor(weight))

    def forward(self, x: Tensor) -> tuple[Tensor]:
        return (x.clone(),)


def compiled(weight: float = 1.0, size: int = 8, engine: Any = None) -> Callable[..., Any]:
    onnx = sys.modules["vfi.model.backends.onnx"]
    return onnx.Engine().compiled(Part(weight), (torch.empty(1, 3, size, size, device="meta"),))


def kept(folder: Path) -> list[Path]:
    return sorted(note.parent for note in (folder / engines.FOLDER).glob(f"*/{engines.NOTE}"))


def test_an_engine_is_built_once_and_both_is_said(runtime: Runtime, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    compiled()
    (folder,) = kept(tmp_path)
    before, after = caplog.messages
    assert before == (f"TensorRT builds an engine for inputs of 1x3x8x8 in float32: this takes minutes; it is kept in {folder}")
    assert after.startswith("TensorRT built the engine in ")
    assert after.endswith(" seconds")
    caplog.clear()
    compiled()
    assert runtime.builds == 1
    assert runtime.runs == 2  # what is only built by the first frame is built by now
    assert not caplog.messages
    assert kept(tmp_path) == [folder]
    assert not list(folder.parent.glob("building-*"))


def test_the_options_say_where_engines_are_and_forbid_other_precisions(runtime: Runtime, tmp_path: Path) -> None:
    compiled()
    compiled()
    (first, others), (again, _) = runtime.asked
    assert first[0] == again[0] == TENSORRT
    assert first[1]["trt_fp16_enable"] == first[1]["trt_int8_enable"] == "False"
    assert first[1]["trt_engine_cache_enable"] == first[1]["trt_timing_cache_enable"] == "True"
    assert again[1]["trt_engine_cache_path"] == str(kept(tmp_path)[0])
    assert others == (CUDA, {"use_tf32": "0"})
    note = json.loads((kept(tmp_path)[0] / engines.NOTE).read_text())
    assert note["gpu"] == "a GPU (9, 0)"
    assert (note["driver"], note["tensorrt"], note["runtime"]) == ("driver 1", "10.9", "1.31.1")
    assert (note["shapes"], note["precision"]) == ("1x3x8x8", "float32")


def test_the_gpu_of_the_tensors_is_used(runtime: Runtime) -> None:
    onnx: Any = sys.modules["vfi.model.backends.onnx"]
    onnx._opened(b"", [TENSORRT, CUDA], torch.device("cuda", 1), {})
    assert [options["device_id"] for _, options in runtime.asked[0]] == ["1", "1"]


def _other(what: str, runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Change one thing; returns what `compiled` is to be given."""
    onnx: Any = sys.modules["vfi.model.backends.onnx"]
    if what == "weights":
        return {"weight": 2.0}
    if what == "size":
        return {"size": 16}
    if what == "precision":
        monkeypatch.setattr(onnx, "PRECISION", "float16")
    elif what == "options":
        monkeypatch.setitem(onnx.OPTIONS, TENSORRT, {"trt_fp16_enable": "True"})
    elif what == "GPU":
        monkeypatch.setattr(onnx.devices, "identity_of", lambda device: "another GPU")
    elif what == "driver":
        monkeypatch.setattr(onnx.devices, "driver_of", lambda device: "driver 2")
    elif what == "TensorRT":
        monkeypatch.setattr(onnx.engines, "tensorrt_version", lambda: "10.10")
    else:
        monkeypatch.setattr(runtime, "__version__", "1.32.0", raising=False)
    return {}


@pytest.mark.parametrize("what", ["weights", "size", "precision", "options", "GPU", "driver", "TensorRT", "ONNX Runtime"])
def test_another_engine_is_never_reused(runtime: Runtime, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str) -> None:
    compiled()
    changed = _other(what, runtime, monkeypatch)
    compiled(**changed)
    assert runtime.builds == 2
    assert len(kept(tmp_path)) == 2
    compiled(**changed)
    assert runtime.builds == 2


@pytest.mark.parametrize("unknown", ["driver_of", "tensorrt_version"])
def test_nothing_is_kept_if_a_version_is_unknown(
    runtime: Runtime, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, unknown: str
) -> None:
    onnx: Any = sys.modules["vfi.model.backends.onnx"]
    monkeypatch.setattr(onnx.devices if unknown == "driver_of" else onnx.engines, unknown, lambda *_: None)
    compiled()
    compiled()
    assert runtime.builds == 2
    assert "it is not kept, because the version of the driver or of TensorRT is unknown" in caplog.text
    assert not any("cache" in name for name in runtime.asked[0][0][1])
    assert not list(tmp_path.iterdir())


def test_the_next_build_knows_the_timings_of_the_last(runtime: Runtime, tmp_path: Path) -> None:
    seen = []
    build = runtime._build

    def watched(options: dict[str, str]) -> None:
        seen.append({file.name: file.read_text() for file in Path(options["trt_timing_cache_path"]).iterdir()})
        build(options)

    runtime._build = watched  # type: ignore[method-assign]
    compiled(size=8)
    compiled(size=16)
    assert seen == [{}, {"gpu.timing": "1"}]


def test_a_broken_engine_is_built_again(runtime: Runtime, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    compiled()
    (file,) = kept(tmp_path)[0].glob("*.engine")
    file.write_text("broken")
    caplog.clear()
    compiled()
    assert runtime.builds == 2
    assert f"the TensorRT engine in {file.parent} cannot be used: the engine is broken" in caplog.text
    assert file.read_text() == "1"


def test_a_build_in_spite_of_a_kept_engine_is_said(runtime: Runtime, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    compiled()
    caplog.clear()
    runtime.version = 2
    compiled()
    assert caplog.messages == [f"TensorRT built its engine again, although one was kept in {kept(tmp_path)[0]}"]


def test_a_build_that_fails_leaves_nothing_and_cuda_takes_over(
    runtime: Runtime, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    runtime.fails = True
    compiled()
    assert caplog.messages[-1] == f"TensorRT cannot run the network, {CUDA} runs it instead: TensorRT fails"
    assert [name for name, _ in runtime.asked[-1]] == [CUDA]
    assert not list((tmp_path / engines.FOLDER).iterdir())


def test_a_session_without_tensorrt_is_said(runtime: Runtime, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    compiled()
    runtime.uses = [CUDA, CPU]
    compiled()
    assert caplog.messages[-1] == (
        f"TensorRT cannot run the network, {CUDA} runs it instead: ONNX Runtime does not use TensorRT, although its build has "
        "it; are TensorRT's libraries found?"
    )
    assert len(kept(tmp_path)) == 1  # it is no fault of the engine


def test_a_session_that_leaves_the_gpu_is_refused(runtime: Runtime) -> None:
    runtime.uses = [CPU]
    with pytest.raises(BackendError, match=f"uses {CPU} instead of {TENSORRT}"):
        compiled()
    runtime.there = [CUDA, CPU]
    with pytest.raises(BackendError, match=f"uses {CPU} instead of {CUDA}"):
        compiled()


def test_a_network_of_which_tensorrt_runs_nothing_is_said(
    runtime: Runtime, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    runtime.leaves = False
    compiled()
    assert "TensorRT runs no part of the network" in caplog.text


def test_a_build_without_tensorrt_is_not_blamed(runtime: Runtime, caplog: pytest.LogCaptureFixture) -> None:
    runtime.there = [CUDA, CPU]
    compiled()
    assert not caplog.messages
    assert runtime.asked == [[(CUDA, {"use_tf32": "0"})]]


def test_a_process_that_was_faster_wins(runtime: Runtime, tmp_path: Path) -> None:
    build = runtime._build

    def slow(options: dict[str, str]) -> None:
        build(options)
        if runtime.builds == 1:
            compiled()  # another process, meanwhile

    runtime._build = slow  # type: ignore[method-assign]
    compiled()
    assert runtime.builds == 2
    (folder,) = kept(tmp_path)
    assert [entry.name for entry in folder.parent.glob("building-*")] == []


def test_the_program_is_known_by_what_it_computes_not_by_its_notes() -> None:
    pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    pytest.importorskip("onnxscript")
    from onnx import TensorProto, helper

    from vfi.model.backends import onnx

    def program(operator: str, note: str) -> Any:
        ports = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1]) for name in "xy"]
        node = helper.make_node(operator, ["x"], ["y"], doc_string=note)
        return helper.make_model(helper.make_graph([node], "graph", ports[:1], ports[1:]), doc_string=note)

    assert onnx._bare(program("Sin", "here")) == onnx._bare(program("Sin", "there"))
    assert onnx._bare(program("Sin", "here")) != onnx._bare(program("Cos", "here"))


def test_the_driver_is_read_from_the_system(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    told = tmp_path / "version"
    told.write_text("NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.104.05\nGCC version: 12\n")
    monkeypatch.setattr(devices, "NVIDIA", told)
    assert devices.driver_of(torch.device("cuda")) == "NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.104.05"
    assert devices.driver_of(torch.device("cpu")) is None
    monkeypatch.setattr(devices, "NVIDIA", tmp_path / "missing")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert devices.driver_of(torch.device("cuda")) is None
    program = tmp_path / "nvidia-smi"
    program.write_text("#!/bin/sh\necho 551.61\n")
    program.chmod(0o755)
    if sys.platform != "win32":
        assert devices.driver_of(torch.device("cuda")) == "551.61"
        program.write_text("#!/bin/sh\nexit 9\n")
        assert devices.driver_of(torch.device("cuda")) is None


def test_tensorrt_tells_its_version(monkeypatch: pytest.MonkeyPatch) -> None:
    library = ModuleType("tensorrt")
    monkeypatch.setitem(sys.modules, "tensorrt", library)
    monkeypatch.setattr(engines, "LIBRARIES", ["libno-such-thing.so.10"])
    library.__version__ = "10.9.0"  # type: ignore[attr-defined]
    assert engines.tensorrt_version() == "10.9.0"
    del library.__version__  # any folder of this name
    assert engines.tensorrt_version() is None
    monkeypatch.setitem(sys.modules, "tensorrt", None)
    assert engines.tensorrt_version() is None
