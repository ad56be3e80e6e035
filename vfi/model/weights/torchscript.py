"""The tensors of a TorchScript file, read without torch's loader, which would run the file's own code.

Owns the pickle of such an archive: every class in it becomes a plain record, and nothing of its code is opened. Knows nothing
of networks.
"""

from __future__ import annotations

import io
import math
import pickle
import pickletools
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from ...core import InputError
from .files import first_line

_DTYPES = {
    "DoubleStorage": torch.float64,
    "FloatStorage": torch.float32,
    "HalfStorage": torch.float16,
    "BFloat16Storage": torch.bfloat16,
    "LongStorage": torch.int64,
    "IntStorage": torch.int32,
    "ShortStorage": torch.int16,
    "CharStorage": torch.int8,
    "ByteStorage": torch.uint8,
    "BoolStorage": torch.bool,
}
_TENSOR = "torch._utils _rebuild_tensor_v2"
_PLAIN = {"collections OrderedDict", "torch device", _TENSOR, *(f"torch {name}" for name in _DTYPES)}
_PLAIN |= {f"torch.jit._pickle {name}" for name in ("build_intlist", "build_doublelist", "build_boollist", "build_tensorlist")}
_PLAIN.add("torch.jit._pickle restore_type_tag")
_OPCODES = """
    PROTO GLOBAL BINPUT LONG_BINPUT BINGET LONG_BINGET MARK NEWOBJ REDUCE BUILD BINPERSID STOP
    EMPTY_TUPLE TUPLE TUPLE1 TUPLE2 TUPLE3 EMPTY_LIST APPEND APPENDS EMPTY_DICT SETITEM SETITEMS
    BINUNICODE SHORT_BINSTRING BINSTRING BININT BININT1 BININT2 LONG1 BINFLOAT NONE NEWTRUE NEWFALSE
"""
_LARGEST_PICKLE = 1 << 24
_MOST_MODULES = 100_000
_DEEPEST = 100


class _Module:
    """An object of the file: its attributes. None of its class's code is run."""

    __slots__ = ("state",)

    def __init__(self, *arguments: object) -> None:
        self.state: object = None

    def __setstate__(self, state: object) -> None:
        self.state = state


class _Name:
    """A function or class that the file names; calling it only notes what with."""

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        self.name = name

    def __call__(self, *arguments: object) -> _Call:
        return _Call(self.name, arguments)

    def __setstate__(self, state: object) -> None:
        raise pickle.UnpicklingError(f"{self.name} is given a state")


class _Call(NamedTuple):
    name: str
    arguments: tuple[Any, ...]


class _Stored(NamedTuple):
    """The persistent id of a storage."""

    kind: str
    key: str
    size: int


class _Unpickler(pickle.Unpickler):
    """Makes records, lists, dictionaries, texts and numbers, and refuses every other class."""

    def find_class(self, module: str, name: str) -> Any:
        if module.split(".")[0] == "__torch__":
            return _Module
        if f"{module} {name}" not in _PLAIN:
            raise pickle.UnpicklingError(f"it names {module}.{name}")
        return _Name(f"{module} {name}")

    def persistent_load(self, pid: Any) -> _Stored:
        word, kind, key, _, size = pid
        if word != "storage" or not isinstance(kind, _Name) or not isinstance(key, str) or type(size) is not int:
            raise pickle.UnpicklingError("a storage is not described as one")
        return _Stored(kind.name.removeprefix("torch "), key, size)


def read_torchscript(path: Path) -> dict[str, Tensor]:
    """The tensors of the modules of a TorchScript file, as ``module.name``. Raises `InputError`."""
    try:
        with zipfile.ZipFile(path) as archive:
            members = {member.filename: member for member in archive.infolist()}
            pickled = next(name for name in members if name.count("/") == 1 and name.endswith("/data.pkl"))
            root = pickled.removesuffix("data.pkl")
            order = members.get(f"{root}byteorder")
            if order is not None and archive.read(order)[:6] != b"little":
                raise InputError(f"{path} holds big-endian numbers: only little-endian ones can be read")
            tensors = _Tensors(archive, members, f"{root}data/", path.stat().st_size)
            data = tensors.content(pickled, _LARGEST_PICKLE)
            _check(data)
            return dict(tensors.of(_Unpickler(io.BytesIO(data)).load()))
    except InputError:
        raise
    except pickle.UnpicklingError as error:
        raise InputError(
            f"{path} holds more than modules and tensors ({first_line(error)}), or is damaged: none of it was run"
        ) from error
    except Exception as error:  # a damaged archive can fail in any way
        raise InputError(f"{path} is damaged: {first_line(error)}") from error


def _check(data: bytes) -> None:
    """Refuse opcodes that no TorchScript file needs, and places in the memo for which memory would be allocated."""
    for code, argument, _ in pickletools.genops(data):
        if code.name not in _OPCODES.split():
            raise pickle.UnpicklingError(f"opcode {code.name}")
        if code.name == "LONG_BINPUT" and (argument or 0) > len(data):
            raise pickle.UnpicklingError(f"memo {argument}")


class _Tensors:
    """The tensors that an archive stores, no larger together than the archive."""

    def __init__(self, archive: zipfile.ZipFile, members: dict[str, zipfile.ZipInfo], folder: str, room: int) -> None:
        self._archive, self._members, self._folder, self._room = archive, members, folder, room
        self._storages: dict[_Stored, Tensor] = {}
        self._modules = 0

    def content(self, name: str, most: int) -> bytes:
        """A member that is stored as it is. Raises `UnpicklingError`."""
        member = self._members[name]
        if member.compress_type != zipfile.ZIP_STORED or member.file_size > min(most, self._room):
            raise pickle.UnpicklingError(f"{name!r} is compressed or too large")
        self._room -= member.file_size
        return self._archive.read(member)

    def of(self, module: object, prefix: str = "", depth: int = 0) -> Iterator[tuple[str, Tensor]]:
        """The tensors of a module and of those within, with their names."""
        self._modules += 1
        if self._modules > _MOST_MODULES or depth > _DEEPEST:
            raise pickle.UnpicklingError("modules within modules")
        if not isinstance(module, _Module) or not isinstance(module.state, dict):
            raise pickle.UnpicklingError("a module that packs its weights with code of its own")
        for name, value in module.state.items():
            if isinstance(value, _Module):
                yield from self.of(value, f"{prefix}{name}.", depth + 1)
            elif isinstance(value, _Call) and value.name == _TENSOR:
                yield f"{prefix}{name}", self._tensor(*value.arguments[:4])

    def _tensor(self, stored: _Stored, offset: int, size: tuple[int, ...], stride: tuple[int, ...]) -> Tensor:
        storage = self._storage(stored)
        whole = all(type(number) is int and number >= 0 for number in (offset, *size, *stride)) and len(size) == len(stride)
        if not whole or math.prod(size) > storage.numel():
            raise pickle.UnpicklingError("a tensor larger than what is stored of it")
        if 0 not in size and offset + sum((side - 1) * step for side, step in zip(size, stride, strict=True)) >= len(storage):
            raise pickle.UnpicklingError("a tensor that reaches beyond what is stored of it")
        return storage.as_strided(size, stride, offset)

    def _storage(self, stored: _Stored) -> Tensor:
        if stored not in self._storages:
            dtype = _DTYPES[stored.kind]
            content = bytearray(self.content(f"{self._folder}{stored.key}", self._room))
            self._storages[stored] = torch.frombuffer(content, dtype=dtype) if content else torch.empty(0, dtype=dtype)
        return self._storages[stored]
