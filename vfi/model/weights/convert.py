"""Conversion of the files of training scripts to one safetensors file, which holds only tensors.

The only place, with `torchscript`, that opens a pickle, and then only as tensors and plain values.
"""

from __future__ import annotations

import pickle
import re
import zipfile
from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ...core import InputError
from ...parse import shown
from .. import registry
from .files import first_line, kind_of, read_safetensors, sha256_of, write
from .torchscript import read_torchscript

PLAIN: list[Any] = [datetime, (OrderedDict, "typing.OrderedDict")]
"""Classes of plain values, beside torch's own, that published files name: Super SloMo's its date, AMT's a dictionary."""


def convert(files: Sequence[Path | str], out: Path | str, force: bool = False) -> Path:
    """Convert pickles, TorchScript or safetensors files to one safetensors file; values and dtypes are kept.

    Several files are parts of one model: the tensors of each get the file's stem as a prefix, or that of ``PREFIX=FILE``. A
    pickle is read as tensors and plain values only; one that holds anything else is refused and none of it is run. Of a
    TorchScript file the tensors of its modules are read; its code is not opened. Raises `InputError`; ``out`` is overwritten
    only with ``force``, and only by a complete file.
    """
    out = Path(out).expanduser()
    if out.suffix != ".safetensors":
        raise InputError(f"{out} was given: the output file must end in .safetensors")
    if out.exists() and not force:
        raise InputError(f"{out} already exists: --force overwrites it")
    parts = [_part(file, several=len(files) > 1) for file in files]
    state = joined(parts)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{out} cannot be written: {first_line(error)}") from error
    source = ", ".join(path.name for _, path in parts)
    write(out, state, {"source": source, "sha256": ", ".join(sha256_of(path) for _, path in parts)})
    return out


def _part(file: Path | str, several: bool) -> tuple[str, Path]:
    """The word that goes before the names of a file's tensors, perhaps empty, and the file."""
    path = Path(file).expanduser()
    if not path.exists() and (match := re.fullmatch(r"([\w.]+)=(.+)", str(file))):
        return match[1], Path(match[2]).expanduser()
    return path.stem if several else "", path


def joined(parts: Iterable[tuple[str, Path]]) -> dict[str, Tensor]:
    """The tensors of the files of one model, each file's after its word and a dot, or, if that is empty, as they are called."""
    state: dict[str, Tensor] = {}
    for word, path in parts:
        tensors = {f"{word}.{name}" if word else name: value for name, value in read_published(path).items()}
        if twice := next(filter(state.__contains__, tensors), None):
            raise InputError(f"{shown(twice)} is in two of the files: tell them apart with PREFIX=FILE")
        state |= tensors
    return state


def read_published(path: Path) -> dict[str, Tensor]:
    """The tensors of a model file of any kind, as plain as `registry.normalise` makes them."""
    kind = kind_of(path)
    if kind is None:
        raise InputError(f"{path} is not a model: a pickle, TorchScript or safetensors file is needed")
    loaders = {"safetensors": read_safetensors, "pickle": _unpickled, "TorchScript": read_torchscript}
    state = registry.unwrap(loaders[kind](path))
    if isinstance(state, Mapping):
        state = _tensors(state)
    try:
        return registry.normalise(state)
    except InputError as error:
        raise InputError(f"{path}: {error}") from error


def _tensors(state: Mapping[Any, Any]) -> dict[str, Tensor]:
    """The tensors of ``state``, or, if it holds whole networks instead, theirs as ``network.name``."""
    tensors = {name: value for name, value in state.items() if isinstance(value, Tensor)}
    if tensors:
        return tensors
    return {
        f"{network}.{name}": value
        for network, inner in state.items()
        if isinstance(inner, Mapping)
        for name, value in inner.items()
        if isinstance(value, Tensor)
    }


def _check_not_compressed(path: Path) -> None:
    """Raise `InputError` for an archive that unfolds to more than its size; torch stores tensors as they are."""
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            if sum(member.file_size for member in archive.infolist()) > path.stat().st_size:
                raise InputError(f"{path} is compressed: only tensors stored as they are can be read")


def _unpickled(path: Path) -> object:
    if torch.__version__ < "2.10":
        raise InputError(f"torch {torch.__version__} cannot read a pickle safely: 2.10 or later is needed")
    try:
        _check_not_compressed(path)
        with torch.serialization.safe_globals(PLAIN):
            return torch.load(path, map_location="cpu", weights_only=True)
    except InputError:
        raise
    except pickle.UnpicklingError as error:
        raise InputError(f"{path} holds more than tensors and plain values, or is damaged: none of it was run") from error
    except Exception as error:  # a damaged pickle can fail in any way
        raise InputError(f"{path} is damaged: {first_line(error)}") from error
