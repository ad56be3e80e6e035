"""The known architectures, and which of them a state dict belongs to.

Owns the search through ``archs`` and the normalisation of state dicts for every architecture. Networks that make no frames are
in the catalogue too: see `published`. Knows nothing of files.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from types import ModuleType
from typing import TypeVar

import torch
from torch import Tensor, nn

from .. import archs
from ..core import Checkpoint, InputError, Interpolator, Options, Spec
from ..parse import quoted, shown
from . import matching, tracking
from .unfilled import unfilled

WRAPPERS = ("state_dict", "params_ema", "params", "model")
"""Keys under which training scripts keep the weights, in order of preference."""

PREFIXES = ("module.", "flownet.", "model.", "net.", "generator.")
"""Prefixes that training wrappers put before every name."""

DEEPEST = 8
"""The most containers around the weights, and the most prefixes before every name."""

WIDEST = 2**24
"""The longest side of a tensor of weights."""

T = TypeVar("T")

APART: dict[str, ModuleType] = {"matches": matching, "tracks": tracking}
"""The modules of networks that make no frames, by what they make. Each has ``CHECKPOINTS``, ``SUITS``, ``DOES``, ``named`` and
``check``."""


_ODD = (ArithmeticError, LookupError, RuntimeError, TypeError, ValueError)
"""What reading names and shapes raises if they are not those of a network."""


@cache
def architectures() -> dict[str, ModuleType]:
    """The modules of ``archs`` by name, in alphabetical order; imported on the first call."""
    names = sorted(info.name for info in pkgutil.iter_modules(archs.__path__))
    return {name: importlib.import_module(f".{name}", archs.__name__) for name in names}


def builtins() -> dict[str, Callable[[Options], Interpolator]]:
    """The models that need no weights, by name."""
    return _unique(pair for module in architectures().values() for pair in getattr(module, "BUILTIN", {}).items())


def checkpoints() -> dict[str, Checkpoint]:
    """The catalogue of networks that make frames: every published set of weights, by name."""
    modules = architectures().values()
    return _unique((row.name, row) for module in modules for row in getattr(module, "CHECKPOINTS", ()))


def matchers() -> dict[str, Checkpoint]:
    """The catalogue of networks that match points between two pictures, by name: they make no frames."""
    return _unique((row.name, row) for row in matching.CHECKPOINTS)


def trackers() -> dict[str, Checkpoint]:
    """The catalogue of networks that track points through a clip, by name: they make no frames."""
    return _unique((row.name, row) for row in tracking.CHECKPOINTS)


def published() -> dict[str, Checkpoint]:
    """The whole catalogue: `checkpoints`, then the networks that make no frames."""
    return _unique((*checkpoints().items(), *((row.name, row) for module in APART.values() for row in module.CHECKPOINTS)))


def kind(name: str) -> str:
    """What a model of the catalogue makes: frames, or as in `APART`."""
    return next((made for made, module in APART.items() if any(row.name == name for row in module.CHECKPOINTS)), "frames")


def does(name: str) -> str:
    """What a model does that makes no frames, as the end of a sentence; empty for one that does."""
    return str(APART[made].DOES) if (made := kind(name)) in APART else ""


def apart(state: Mapping[str, Tensor]) -> tuple[str, str] | None:
    """The name of a network that makes no frames, and what it makes, from a normalised state dict; None if it is none."""
    return next(((name, made) for made, module in APART.items() if (name := module.named(state))), None)


def suits(name: str) -> str:
    """What a model is good at, as the end of a sentence; empty if nothing is known. Raises `InputError` for an unknown name."""
    for module in APART.values():
        if name in module.SUITS:
            return str(module.SUITS[name])
    family = architecture(name)
    known: dict[str, str] = getattr(architectures()[family], "SUITS", {})
    return known.get(name) or known.get(family, "")


def names() -> list[str]:
    """The names of all models that make frames: those that need no weights, then the catalogue."""
    return [*builtins(), *checkpoints()]


def architecture(name: str) -> str:
    """The module of ``archs`` that a name belongs to, or the name itself of a model that makes no frames.

    Raises `InputError` for an unknown one.
    """
    if kind(name) != "frames":
        return name
    for found, module in architectures().items():
        if name in getattr(module, "BUILTIN", {}) or any(row.name == name for row in getattr(module, "CHECKPOINTS", ())):
            return found
    raise InputError(f"no model is called {name!r}: there are {', '.join(names())}")


def unwrap(state: object) -> object:
    """Remove the containers of training scripts: ``{'state_dict': weights, ...}`` gives ``weights``."""
    for _ in range(DEEPEST):
        if not isinstance(state, Mapping):
            break
        inner = next((state[key] for key in WRAPPERS if isinstance(state.get(key), Mapping)), None)
        if inner is None:
            break
        state = inner
    return state


def normalise(state: object) -> dict[str, Tensor]:
    """A plain state dict: unwrapped, and without the `PREFIXES` that all of its names share.

    Raises `InputError` for anything that is not a mapping of names to tensors, and for an empty one.
    """
    weights = unwrap(state)
    if not isinstance(weights, Mapping):
        raise InputError(f"weights must be a mapping of names to tensors, not a {type(weights).__name__}")
    if not weights:
        raise InputError("weights must be a mapping of names to tensors, and this one is empty")
    for name, value in weights.items():
        if not isinstance(name, str) or not isinstance(value, Tensor):
            raise InputError(f"weights must be a mapping of names to tensors, but {quoted(name)} is a {type(value).__name__}")
        if value.layout != torch.strided or value.is_quantized:
            kind = "quantised" if value.is_quantized else "sparse"
            raise InputError(f"the tensor {shown(name)} is {kind}: weights must be dense")
        if max(value.shape, default=0) > WIDEST:
            raise InputError(f"the tensor {shown(name)} has a side of {max(value.shape)}: at most {WIDEST} is possible")
    plain: dict[str, Tensor] = dict(weights)
    for _ in range(DEEPEST):
        prefix = next((p for p in PREFIXES if all(name.startswith(p) for name in plain)), None)
        if prefix is None:
            break
        plain = {name.removeprefix(prefix): value for name, value in plain.items()}
    return plain


def detect(state: Mapping[str, Tensor]) -> Spec:
    """The network that a state dict belongs to, recognised by its names and shapes. Raises `InputError` for an unknown one."""
    return _recognise(normalise(state))[1]


def family(state: Mapping[str, Tensor]) -> str:
    """As `architecture`, for a state dict. Raises `InputError` for an unknown one."""
    plain = normalise(state)
    other = apart(plain)
    return other[0] if other else _recognise(plain)[0].__name__.rpartition(".")[2]


def called(state: Mapping[str, Tensor]) -> str:
    """The name of the network that a state dict belongs to, whatever it makes. Raises `InputError` for an unknown one."""
    other = apart(normalise(state))
    return other[0] if other else detect(state).name


def build(state: Mapping[str, Tensor], options: Options = Options()) -> Interpolator:  # noqa: B008
    """The network of a state dict with its weights: float32, on the CPU, in eval mode, without gradients.

    All shapes are compared before the network takes memory. Raises `InputError` for an unknown network, for weights that are no
    numbers (NaN or infinite), and for options that it cannot be built with.
    """
    plain = normalise(state)
    module, spec = _recognise(plain)
    _check(module, spec, plain, options)
    weights = {name: _as_float32(name, value) for name, value in plain.items()}
    model = _built(module, spec, weights, options)
    if isinstance(model, nn.Module):
        model.eval().requires_grad_(False)
    return model


def check(shapes: Mapping[str, Tensor], options: Options = Options()) -> None:  # noqa: B008
    """Raise the `InputError` that `build` would raise for tensors of these shapes; nothing is allocated.

    Names and shapes that lie could ask for a network of any size.
    """
    plain = normalise(shapes)
    _check(*_recognise(plain), plain, options)


def _check(module: ModuleType, spec: Spec, plain: Mapping[str, Tensor], options: Options) -> None:
    """As `check`: the network is built on the meta device, which has shapes and no memory. It takes some 20 ms."""
    empty = {
        name: torch.empty(value.shape, dtype=torch.float32 if value.is_floating_point() else value.dtype, device="meta")
        for name, value in plain.items()
    }
    with unfilled():
        _built(module, spec, empty, options)


def _built(module: ModuleType, spec: Spec, weights: dict[str, Tensor], options: Options) -> Interpolator:
    try:
        model: Interpolator = module.build(weights, options)
    except InputError:
        raise
    except _ODD as error:
        raise InputError(f"the weights look like {spec.name}, but their shapes or types make no such network") from error
    return model


def builtin(name: str, options: Options = Options()) -> Interpolator:  # noqa: B008
    """A model that needs no weights. Raises `InputError` for an unknown name."""
    if name not in builtins():
        raise InputError(f"no model without weights is called {name!r}: there are {', '.join(builtins())}")
    return builtins()[name](options)


def _recognise(plain: dict[str, Tensor]) -> tuple[ModuleType, Spec]:
    for module in architectures().values():
        try:
            spec = module.detect(plain) if hasattr(module, "detect") else None
        except _ODD:
            spec = None
        if spec is not None:
            return module, spec
    if other := apart(plain):
        raise InputError(f"{other[0]} {APART[other[1]].DOES} and makes no frames")
    lacks = next(filter(None, (module.lacking(plain) for module in architectures().values() if hasattr(module, "lacking"))), "")
    what = lacks or f"first key {shown(next(iter(plain)))}, {len(plain)} tensors"
    raise InputError(f"not a known frame-interpolation network: {what}")


def _as_float32(name: str, value: Tensor) -> Tensor:
    if value.is_meta:
        raise InputError(f"the tensor {shown(name)} has no content, only a shape: weights need numbers")
    weights = value.to("cpu", torch.float32 if value.is_floating_point() else value.dtype)
    if weights.is_floating_point() and not bool(weights.isfinite().all()):
        raise InputError(f"the tensor {shown(name)} holds NaN or infinite numbers: the weights are damaged")
    return weights


def _unique(pairs: Iterable[tuple[str, T]]) -> dict[str, T]:
    table: dict[str, T] = {}
    for name, value in pairs:
        if name in table:
            raise RuntimeError(f"two models of the catalogue are called {name!r}")
        table[name] = value
    return table
