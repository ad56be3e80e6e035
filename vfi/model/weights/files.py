"""Model files: their kind, reading them, and writing them completely or not at all.

Knows nothing of where files are or which networks their tensors form.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import zipfile
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from ...core import InputError
from ...parse import quoted, shown

DIGEST = "data_sha256"
"""The field of the metadata that holds `data_sha256`, by which a file is known to be whole later."""

_DTYPES = {
    **{"F64": torch.float64, "F16": torch.float16, "BF16": torch.bfloat16, "I64": torch.int64, "I32": torch.int32},
    **{"I16": torch.int16, "I8": torch.int8, "U8": torch.uint8, "BOOL": torch.bool},
    **{"F8_E4M3": torch.float8_e4m3fn, "F8_E5M2": torch.float8_e5m2},
}
"""Dtypes in a safetensors header that a network may hold besides float32."""


def read(path: Path | str, prefixes: tuple[str, ...] = ("",)) -> dict[str, Tensor]:
    """The tensors of a safetensors file whose names begin with one of ``prefixes``; no others are read.

    Raises `InputError` for any other file; pickles are not opened.
    """
    path = Path(path)
    kind = kind_of(path)
    if kind in ("pickle", "TorchScript"):
        raise InputError(
            f"{path} is a {kind} file, which can hold code: convert it once with "
            f"`vfi models convert {path} {path.with_suffix('.safetensors').name}`"
        )
    if kind != "safetensors":
        raise InputError(f"{path} is not a model: a safetensors file is needed")
    return read_safetensors(path, prefixes)


def read_safetensors(path: Path, prefixes: tuple[str, ...] = ("",)) -> dict[str, Tensor]:
    """As `read`, for a file known to be safetensors. Raises `InputError` for a damaged one."""
    from safetensors import safe_open

    try:
        with safe_open(path, framework="pt") as file:
            return {name: file.get_tensor(name) for name in file.keys() if name.startswith(prefixes)}  # noqa: SIM118
    except Exception as error:  # a damaged header can fail in any way
        raise InputError(f"{path} is damaged: {first_line(error)}") from error


def read_shapes(path: Path) -> dict[str, Tensor]:
    """The names, shapes and types of the tensors of a safetensors file, as tensors on the meta device: no weights are read."""
    from safetensors import safe_open

    try:
        with safe_open(path, framework="pt") as file:
            slices = {name: file.get_slice(name) for name in file.keys()}  # noqa: SIM118
            return {
                name: torch.empty(part.get_shape(), dtype=_DTYPES.get(part.get_dtype()), device="meta")
                for name, part in slices.items()
            }
    except Exception as error:  # a damaged header can fail in any way
        raise InputError(f"{path} is damaged: {first_line(error)}") from error


def kind_of(path: Path) -> str | None:
    """``safetensors``, ``pickle``, ``TorchScript`` or None, from the content; nothing in it is run."""
    try:
        if path.is_dir():
            raise InputError(f"{path} is a folder, not a model file")
        with path.open("rb") as file:
            head, size = file.read(9), file.seek(0, os.SEEK_END)
            if size == 0:
                raise InputError(f"{path} is empty")
            if head[8:] == b"{" and 8 + int.from_bytes(head[:8], "little") <= size:
                return "safetensors"
            if re.match(rb"\x80[\x02-\x05]", head):
                return "pickle"
            if zipfile.is_zipfile(file):
                members = {name.rpartition("/")[2] for name in zipfile.ZipFile(file).namelist()}
                return "TorchScript" if "constants.pkl" in members else "pickle" if "data.pkl" in members else None
    except InputError:
        raise
    except Exception as error:  # a damaged archive can fail in any way
        raise InputError(f"{path} cannot be read: {getattr(error, 'strerror', None) or first_line(error)}") from error
    return None


def write(target: Path, state: Mapping[str, Tensor], metadata: dict[str, str]) -> None:
    """Save tensors to a temporary file beside ``target``, and rename it once complete. Raises `InputError`."""
    from safetensors import SafetensorError
    from safetensors.torch import save_file

    for name, value in state.items():
        _check_storable(target, name, value)
    part = target.with_name(f".{target.name}.{os.getpid()}.part")
    own = _apart(state)
    try:
        part.touch()
        mode = part.stat().st_mode
        save_file(own, part, {"format": "pt", **metadata})
        part.chmod(mode)  # save_file makes the file readable by its owner only
        part.replace(target)
    except (SafetensorError, OSError) as error:
        raise InputError(f"{target} cannot be written: {first_line(error)}") from error
    finally:
        part.unlink(missing_ok=True)


def stamp(source: Path, target: Path, metadata: Mapping[str, str]) -> None:
    """Copy a safetensors file, its tensors byte for byte, with ``metadata`` and the sha256 of its data added to its header.

    ``target`` gets its name once it is complete. Raises `InputError` for a file that is damaged or cannot be written.
    """
    read_shapes(source)
    part = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        with source.open("rb") as file:
            header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
            own = {**header.get("__metadata__", {}), **metadata, DIGEST: data_sha256(source)}
            text = json.dumps({**header, "__metadata__": own}, separators=(",", ":")).encode()
            text += b" " * (-len(text) % 8)
            with part.open("wb") as out:
                out.write(len(text).to_bytes(8, "little") + text)
                shutil.copyfileobj(file, out, 1 << 20)
        part.replace(target)
    except OSError as error:
        raise InputError(f"{target} cannot be written: {first_line(error)}") from error
    finally:
        part.unlink(missing_ok=True)


def metadata_of(path: Path) -> dict[str, str]:
    """The metadata of a safetensors file. Raises `InputError` for a damaged one."""
    from safetensors import safe_open

    try:
        with safe_open(path, framework="pt") as file:
            return dict(file.metadata() or {})
    except Exception as error:  # a damaged header can fail in any way
        raise InputError(f"{path} is damaged: {first_line(error)}") from error


def data_sha256(path: Path) -> str:
    """The sha256 of all that follows the header of a safetensors file: its numbers."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        file.seek(int.from_bytes(file.read(8), "little"), os.SEEK_CUR)
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def _apart(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors, each in memory of its own, as safetensors files need them: only those that are not yet so are copied."""
    seen: set[int] = set()
    made = {}
    for name, value in state.items():
        memory = value.untyped_storage()
        alone = memory.nbytes() == value.numel() * value.element_size() and memory.data_ptr() not in seen
        seen.add(memory.data_ptr())
        kept = alone and value.is_contiguous()
        made[name] = value.detach() if kept else value.detach().clone(memory_format=torch.contiguous_format)
    return made


def _check_storable(target: Path, name: str, value: Tensor) -> None:
    """Raise `InputError` for a tensor that cannot be stored, or whose copy would be larger than what it is a view of."""
    if not name.isprintable():
        raise InputError(f"{target} cannot hold a tensor called {quoted(name)}: names need printable characters")
    if value.is_meta:
        raise InputError(f"{target} cannot hold the tensor {shown(name)}: it has no content, only a shape")
    if value.numel() * value.element_size() > value.untyped_storage().nbytes():
        raise InputError(f"{target} cannot hold the tensor {shown(name)}: it repeats its numbers to {list(value.shape)}")


def sha256_of(path: Path) -> str:
    """The sha256 of a file in hexadecimal digits."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def first_line(error: BaseException) -> str:
    """The first line of an exception's message."""
    lines = str(error).strip().splitlines()
    return lines[0].rstrip(".:") if lines else type(error).__name__
