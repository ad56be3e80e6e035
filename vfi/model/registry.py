"""The known architectures, and which of them a state dict belongs to; the rows of the catalogue, of every kind.

Owns the search through ``archs`` and ``kinds``, and the normalisation of state dicts for every architecture. Knows nothing of
files.
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
from ..core import Checkpoint, InputError, Interpolator, Kind, Options, Spec
from ..parse import quoted, shown
from . import kinds
from .unfilled import unfilled

WRAPPERS = ("state_dict", "params_ema", "params", "model")
"""Keys under which training scripts keep the weights, in order of preference."""

PREFIXES = ("module.", "flownet.", "model.", "net.", "generator.", "matcher.")
"""Prefixes that training wrappers put before every name."""

DEEPEST = 8
"""The most containers around the weights, and the most prefixes before every name."""

WIDEST = 2**24
"""The longest side of a tensor of weights."""

PURPOSES: dict[Kind, str] = {
    "frames": "making the frames between frames",
    "matcher": "matching points of two pictures",
    "tracker": "following points through a clip",
    "tween": "generating clips from keyframes",
}
"""What the weights of each kind are for, as the end of a sentence."""

T = TypeVar("T")


_ODD = (ArithmeticError, LookupError, RuntimeError, TypeError, ValueError)
"""What reading names and shapes raises if they are not those of a network."""


@cache
def architectures() -> dict[str, ModuleType]:
    """The modules of ``archs`` by name, in alphabetical order; imported on the first call."""
    return _modules(archs)


@cache
def other_kinds() -> dict[str, ModuleType]:
    """The modules of ``kinds`` by name, in alphabetical order; imported on the first call."""
    return _modules(kinds)


def _modules(package: ModuleType) -> dict[str, ModuleType]:
    names = sorted(info.name for info in pkgutil.iter_modules(package.__path__))
    return {name: importlib.import_module(f".{name}", package.__name__) for name in names}


def builtins() -> dict[str, Callable[[Options], Interpolator]]:
    """The models that need no weights, by name."""
    return _unique(pair for module in architectures().values() for pair in getattr(module, "BUILTIN", {}).items())


def checkpoints() -> dict[str, Checkpoint]:
    """The published weights of frame networks, by name: those that a person can choose to make frames with."""
    return _rows(architectures())


def others() -> dict[str, Checkpoint]:
    """The published weights of every other kind, by name."""
    return _rows(other_kinds())


def rows() -> dict[str, Checkpoint]:
    """The whole catalogue, by name: `checkpoints`, then `others`."""
    return _unique([*checkpoints().items(), *others().items()])


def sets() -> dict[str, tuple[str, ...]]:
    """The names of rows that are needed together, by the name for all of them."""
    return _unique(pair for module in other_kinds().values() for pair in getattr(module, "SETS", {}).items())


def _rows(modules: Mapping[str, ModuleType]) -> dict[str, Checkpoint]:
    return _unique((row.name, row) for module in modules.values() for row in getattr(module, "CHECKPOINTS", ()))


def suits(name: str) -> str:
    """What a model is good at, as the end of a sentence; empty if nothing is known. Raises `InputError` for an unknown name."""
    family = architecture(name)
    known: dict[str, str] = getattr(architectures()[family], "SUITS", {})
    return known.get(name) or known.get(family, "")


def names() -> list[str]:
    """All names of models that make frames: those that need no weights, then those of `checkpoints`."""
    return [*builtins(), *checkpoints()]


def architecture(name: str) -> str:
    """The module of ``archs`` that a name belongs to. Raises `InputError` for an unknown one."""
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
    """The module of ``archs`` that a state dict belongs to, see `architecture`. Raises `InputError` for an unknown one."""
    return _recognise(normalise(state))[0].__name__.rpartition(".")[2]


def marked(state: Mapping[str, Tensor]) -> list[Checkpoint]:
    """The rows of `others` that a state dict may belong to: it holds all tensors of their marks, with these shapes.

    A row whose marks are only some of another's is left out.
    """
    plain = normalise(state)
    found = [row for row in others().values() if row.marks and not _unlike(row, plain)]
    return [row for row in found if not any(row.marks.items() < other.marks.items() for other in found)]


def _unlike(row: Checkpoint, plain: Mapping[str, Tensor]) -> str:
    """The first of the marks of a row that is not so in ``plain``; empty if there is none."""
    found = (name for name, shape in row.marks.items() if name not in plain or tuple(plain[name].shape) != shape)
    return next(found, "")


def identified(state: Mapping[str, Tensor]) -> str:
    """The name of the network, or of the rows of any other kind, that a state dict belongs to. Raises `InputError`."""
    if rows := marked(state):
        return " or ".join(row.name for row in rows)
    return detect(state).name


def verify(row: Checkpoint, shapes: Mapping[str, Tensor]) -> None:
    """Raise `InputError` if tensors of these shapes are no weights that ``row`` may have; nothing is allocated."""
    if row.kind == "frames":
        check(shapes, Options(variant=row.variant))
    elif missing := _unlike(row, normalise(shapes)):
        raise InputError(f"it is no {row.name}: it has no {shown(missing)} of the shape {list(row.marks[missing])}")


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
    if others := marked(plain):
        named = " or ".join(row.name for row in others)
        raise InputError(f"not a frame-interpolation network: these weights are {named}, for {PURPOSES[others[0].kind]}")
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
