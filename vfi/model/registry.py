"""The known architectures, and which of them a state dict belongs to.

Owns the search through ``archs`` and the normalisation of state dicts for every architecture. Knows nothing of files.
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

WRAPPERS = ("state_dict", "params_ema", "params", "model")
"""Keys under which training scripts keep the weights, in order of preference."""

PREFIXES = ("module.", "flownet.", "model.", "net.", "generator.")
"""Prefixes that training wrappers put before every name."""

T = TypeVar("T")


@cache
def architectures() -> dict[str, ModuleType]:
    """The modules of ``archs`` by name, in alphabetical order; imported on the first call."""
    names = sorted(info.name for info in pkgutil.iter_modules(archs.__path__))
    return {name: importlib.import_module(f".{name}", archs.__name__) for name in names}


def builtins() -> dict[str, Callable[[Options], Interpolator]]:
    """The models that need no weights, by name."""
    return _unique(pair for module in architectures().values() for pair in getattr(module, "BUILTIN", {}).items())


def checkpoints() -> dict[str, Checkpoint]:
    """The catalogue: every published set of weights, by name."""
    modules = architectures().values()
    return _unique((row.name, row) for module in modules for row in getattr(module, "CHECKPOINTS", ()))


def names() -> list[str]:
    """All names: models that need no weights, then the catalogue."""
    return [*builtins(), *checkpoints()]


def architecture(name: str) -> str:
    """The module of ``archs`` that a name belongs to. Raises `InputError` for an unknown one."""
    for found, module in architectures().items():
        if name in getattr(module, "BUILTIN", {}) or any(row.name == name for row in getattr(module, "CHECKPOINTS", ())):
            return found
    raise InputError(f"no model is called {name!r}: there are {', '.join(names())}")


def unwrap(state: object) -> object:
    """Remove the containers of training scripts: ``{'state_dict': weights, ...}`` gives ``weights``."""
    while isinstance(state, Mapping):
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
            raise InputError(f"weights must be a mapping of names to tensors, but {name!r} is a {type(value).__name__}")
    plain: dict[str, Tensor] = dict(weights)
    while prefix := next((p for p in PREFIXES if all(name.startswith(p) for name in plain)), None):
        plain = {name.removeprefix(prefix): value for name, value in plain.items()}
    return plain


def detect(state: Mapping[str, Tensor]) -> Spec:
    """The network that a state dict belongs to, recognised by its names and shapes. Raises `InputError` for an unknown one."""
    return _recognise(normalise(state))[1]


def build(state: Mapping[str, Tensor], options: Options = Options()) -> Interpolator:  # noqa: B008
    """The network of a state dict with its weights: float32, on the CPU, in eval mode, without gradients.

    Raises `InputError` for an unknown network and for options that it cannot be built with.
    """
    plain = normalise(state)
    module, _ = _recognise(plain)
    model = module.build({name: _as_float32(value) for name, value in plain.items()}, options)
    if isinstance(model, nn.Module):
        model.eval().requires_grad_(False)
    return model


def builtin(name: str, options: Options = Options()) -> Interpolator:  # noqa: B008
    """A model that needs no weights. Raises `InputError` for an unknown name."""
    if name not in builtins():
        raise InputError(f"no model without weights is called {name!r}: there are {', '.join(builtins())}")
    return builtins()[name](options)


def _recognise(plain: dict[str, Tensor]) -> tuple[ModuleType, Spec]:
    for module in architectures().values():
        if hasattr(module, "detect") and (spec := module.detect(plain)) is not None:
            return module, spec
    raise InputError(f"not a known frame-interpolation network: first key {next(iter(plain))}, {len(plain)} tensors")


def _as_float32(value: Tensor) -> Tensor:
    return value.to("cpu", torch.float32 if value.is_floating_point() else value.dtype)


def _unique(pairs: Iterable[tuple[str, T]]) -> dict[str, T]:
    table: dict[str, T] = {}
    for name, value in pairs:
        if name in table:
            raise RuntimeError(f"two models of the catalogue are called {name!r}")
        table[name] = value
    return table
