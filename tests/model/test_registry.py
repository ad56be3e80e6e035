from __future__ import annotations

import json
import struct
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import forks
import parity
import parity_other
import pytest
import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from vfi.core import Checkpoint, InputError, Options, Spec
from vfi.model import load, registry

STATE = {"first.weight": torch.ones(2, 3), "last.bias": torch.zeros(3)}


class Network(nn.Module):
    spec = Spec("toy")

    def __init__(self, state: dict[str, Tensor], options: Options):
        super().__init__()
        self.options = options
        self.weight = nn.Parameter(state["first.weight"])
        self.steps = nn.Parameter(state.get("steps", torch.zeros(1, dtype=torch.int64)), requires_grad=False)


def toy(key: str = "first.weight", names: tuple[str, ...] = ("toy",)) -> Any:
    """An architecture that knows state dicts by one key."""
    return SimpleNamespace(
        detect=lambda state: Spec(f"has {key}") if key in state else None,
        build=Network,
        CHECKPOINTS=tuple(Checkpoint(name, (f"{name}.safetensors",), "MIT") for name in names),
    )


@pytest.fixture
def architectures(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    found = {"toy": toy(), "plain": SimpleNamespace(BUILTIN={"still": lambda options: ("still", options)})}
    monkeypatch.setattr(registry, "architectures", lambda: found)
    return found


@pytest.mark.parametrize("wrapper", ["state_dict", "params_ema", "params", "model"])
def test_normalise_unwraps_what_training_scripts_save(wrapper: str):
    assert registry.normalise({wrapper: STATE, "epoch": 3, "optimiser": {"lr": 1e-4}}) == STATE


def test_normalise_unwraps_twice_and_prefers_the_averaged_weights():
    other = {"first.weight": torch.zeros(1)}
    assert registry.normalise({"model": {"params": other, "params_ema": STATE}}) == STATE


def test_normalise_strips_only_the_prefixes_that_all_names_share():
    wrapped = {f"module.flownet.{name}": value for name, value in STATE.items()}
    assert registry.normalise(wrapped) == STATE
    mixed = {"module.first.weight": STATE["first.weight"], "last.bias": STATE["last.bias"]}
    assert registry.normalise(mixed) == mixed


def test_normalise_leaves_a_tensor_that_is_called_like_a_wrapper():
    state = {"model": torch.ones(1), "params": torch.ones(1)}
    assert registry.normalise(state) == state


@pytest.mark.parametrize(
    ("bad", "says"),
    [
        ([torch.ones(1)], "not a list"),
        (torch.ones(1), "not a Tensor"),
        ({}, "empty"),
        ({"state_dict": {}}, "empty"),
        ({"weight": [1.0]}, "'weight' is a list"),
        ({3: torch.ones(1)}, "3 is a Tensor"),
    ],
)
def test_normalise_refuses_what_is_no_state_dict(bad: object, says: str):
    with pytest.raises(InputError, match=says):
        registry.normalise(bad)


@pytest.mark.usefixtures("architectures")
def test_detect_asks_every_architecture_and_names_what_nobody_knows():
    assert registry.detect({"module." + name: value for name, value in STATE.items()}).name == "has first.weight"
    with pytest.raises(InputError, match=r"not a known frame-interpolation network: first key a\.weight, 2 tensors"):
        registry.detect({"a.weight": torch.ones(1), "b.weight": torch.ones(1)})


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
@pytest.mark.usefixtures("architectures")
def test_build_refuses_weights_that_are_no_numbers(bad: float, dtype: torch.dtype):
    weights = torch.ones(2, 3, dtype=dtype)
    weights[1, 2] = bad
    with pytest.raises(InputError, match=r"first\.weight holds NaN or infinite numbers"):
        registry.build({**STATE, "first.weight": weights})


@pytest.mark.usefixtures("architectures")
def test_build_refuses_weights_that_are_only_shapes():
    with pytest.raises(InputError, match=r"first\.weight has no content"):
        registry.build({name: value.to("meta") for name, value in STATE.items()})


def test_what_no_network_can_be_built_from_gets_a_sentence(architectures: dict[str, Any]):
    def stumble(state: dict[str, Tensor], options: Options) -> None:
        torch.zeros(3).view(2, 2)

    architectures["toy"].build = stumble
    with pytest.raises(InputError, match=r"look like has first\.weight, but their shapes or types make no such network"):
        registry.build(STATE)
    architectures["toy"].detect = lambda state: state["missing"]
    with pytest.raises(InputError, match="not a known"):
        registry.detect(STATE)


@pytest.mark.filterwarnings("ignore:torch.quantize_per_tensor:UserWarning")
def test_odd_tensors_and_names_get_a_sentence():
    holds_itself: dict[str, Any] = {}
    holds_itself["state_dict"] = holds_itself
    for bad, says in (
        (holds_itself, "is a dict"),
        ({"a": torch.eye(3).to_sparse()}, "a is sparse"),
        ({"a": torch.quantize_per_tensor(torch.rand(4), 0.1, 0, torch.quint8)}, "a is quantised"),
        ({"a": torch.zeros(0, 2**40)}, "a has a side of 1099511627776"),
        ({"a\x1b[2J\nb": 3}, r"but 'a\\x1b\[2J\\nb' is a int"),
    ):
        with pytest.raises(InputError, match=says):
            registry.normalise(bad)
    with pytest.raises(InputError, match=r"first key 'a\\x1b\[2J\\nb', 1 tensors"):
        registry.detect({"a\x1b[2J\nb": torch.ones(1)})


@pytest.mark.usefixtures("architectures")
def test_build_gives_a_network_for_inference_in_float32():
    state = {"first.weight": torch.ones(2, 3, dtype=torch.float16), "steps": torch.tensor([7])}
    network = registry.build(state, Options(scale=0.5))
    assert isinstance(network, Network)
    assert not network.training
    assert not any(parameter.requires_grad for parameter in network.parameters())
    assert network.weight.dtype == torch.float32
    assert network.steps.dtype == torch.int64
    assert network.options.scale == 0.5


@pytest.mark.usefixtures("architectures")
def test_names_are_those_without_weights_and_then_the_catalogue():
    assert registry.names() == ["still", "toy"]
    assert registry.architecture("still") == "plain"
    assert registry.architecture("toy") == "toy"
    assert registry.builtin("still", Options(ensemble=True)) == ("still", Options(ensemble=True))
    with pytest.raises(InputError, match="'toy': there are still"):
        registry.builtin("toy")


def test_a_name_is_given_once(architectures: dict[str, Any]):
    architectures["again"] = toy("other")
    with pytest.raises(RuntimeError, match="called 'toy'"):
        registry.checkpoints()


def test_the_real_catalogue_holds_together():
    rows = registry.checkpoints()
    assert {"rife-4.25", "rife-4.0"} <= set(rows)
    assert len(set(registry.names())) == len(registry.names())
    for row in rows.values():
        assert row.files
        assert all(file.endswith(".safetensors") for file in row.files), row.name
        assert row.licence
    assert list(registry.architectures()) == sorted(registry.architectures())


LARGE = 2**20
"""A side that a file may state, and of which a network would take terabytes."""


def lying() -> dict[str, Tensor]:
    """The shapes of RIFE 4.25 but for one, which asks for a network of 2**20 channels; nothing is allocated."""
    state = parity.load_set("rife/rife_v4.25").state()
    shapes = {name: value.to("meta") for name, value in state.items()}
    first = next(name for name in shapes if name.endswith("block0.conv0.0.0.weight"))
    shapes[first] = torch.empty(LARGE, *shapes[first].shape[1:], device="meta")
    return shapes


class Allocated(TorchDispatchMode):
    """Adds up what is allocated within it on the CPU."""

    def __init__(self) -> None:
        super().__init__()
        self.bytes = 0

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        made = function(*args, **(kwargs or {}))
        if isinstance(made, Tensor) and made.device.type == "cpu":
            self.bytes += made.numel() * made.element_size()
        return made


def test_shapes_that_lie_are_refused_before_the_network_takes_memory():
    shapes = lying()
    with Allocated() as allocated, pytest.raises(InputError, match=r"tensors are missing, unknown or of the wrong shape: "):
        registry.check(shapes)
    assert allocated.bytes < 2**20
    with Allocated() as allocated, pytest.raises(InputError, match=r"tensors are missing, unknown or of the wrong shape: "):
        registry.build(shapes)
    assert allocated.bytes < 2**20


def test_a_sparse_file_of_any_size_is_refused_before_it_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Terabytes of zeros take no disk: the header of such a file agrees with its length."""
    header, at = {}, 0
    for name, value in lying().items():
        size = value.numel() * 4
        header[name] = {"dtype": "F32", "shape": list(value.shape), "data_offsets": [at, at + size]}
        at += size
    text = json.dumps(header).encode()
    file = tmp_path / "sparse.safetensors"
    with file.open("wb") as out:
        out.write(struct.pack("<Q", len(text)) + text)
        out.truncate(8 + len(text) + at)
    read = []
    monkeypatch.setattr("vfi.model.load.weights.read", lambda path: read.append(path))
    with pytest.raises(InputError, match="of the wrong shape"):
        load.network(file)
    assert read == []


SETS = (
    *((parity, name) for name in ("film/film", "flavr/flavr_2x", "ifrnet/ifrnet", "rife/rife_v4.25", "amt/amt_l")),
    *((parity_other, name) for name in ("dain/dain_slowmotion", "emavfi/emavfi_small", "gimmvfi/gimmvfi_r")),
    *((parity_other, name) for name in ("gmfss/gmfss_union", "ldmvfi/ldmvfi_tiny", "sepconv/sepconv_enhanced")),
    (parity_other, "superslomo/superslomo"),
)


@pytest.mark.parametrize(("stored", "name"), SETS, ids=lambda given: given if isinstance(given, str) else "")
def test_what_can_be_built_passes_the_check(stored: Any, name: str):
    """On the meta device nothing can be read: no network may need the content of a tensor to be built."""
    registry.check(stored.load_set(name).blank())


def test_building_a_network_does_not_load_the_compiler_of_torch():
    """It takes seconds, and leaves a folder among the temporary files."""
    names = [(stored.__name__, name) for stored, name in SETS]
    code = (
        "import importlib, sys\nimport vfi\nfrom vfi.model import registry\nvfi.load('inbetween-s')\n"
        f"for stored, name in {names}:\n"
        "    registry.check(importlib.import_module(stored).load_set(name).blank())\n"
        "    assert 'torch._dynamo' not in sys.modules, name\n"
    )
    done = forks.run(code)
    assert done.code == 0, done.told


def test_rows_of_other_kinds_can_be_told_from_networks_of_frames():
    others = registry.others()
    assert registry.rows().keys() == registry.checkpoints().keys() | others.keys()
    for kind, row in ((name, row) for name, module in registry.other_kinds().items() for row in module.CHECKPOINTS):
        assert row.kind == kind, row.name
        assert row.marks, row.name
        assert all(file.endswith(".safetensors") for file in row.files), row.name
        assert "/" not in row.files[0], row.name
    assert all(row.kind == "frames" and not row.marks for row in registry.checkpoints().values())
    for name, members in registry.sets().items():
        assert name not in registry.rows()
        assert set(members) <= others.keys()
