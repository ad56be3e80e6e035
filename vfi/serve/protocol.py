"""Messages on a pipe: their binary form, and its bounds.

A message is a head, a JSON object, and planes, arrays of numbers. On the pipe stand `MAGIC`, the length of the head in 4 bytes,
little endian, the head, whose field ``planes`` gives the type and shape of each plane, and then the planes in C order, little
endian. Knows nothing of what messages mean, or of processes.
"""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import IO, Any

import numpy as np

from ..core import InputError
from ..parse import Fields, count, listed, one_of, read_json
from .maker import Plane

VERSION = 1
"""The version of the protocol; both ends must have the same."""

MAGIC = b"vfi\x01"
"""The first bytes of each message: they tell a message from what a program may have printed."""

TYPES: dict[str, np.dtype[Any]] = {"uint8": np.dtype("<u1"), "float32": np.dtype("<f4")}

HEAD = 2**16
"""The most bytes of a head."""

PLANES = 64
"""The most planes of a message."""

SIDE = 2**16
"""The longest side of a plane."""

BYTES = 2**31
"""The most bytes of all planes of a message."""


class EndedError(Exception):
    """The pipe ended within a message."""


@dataclass(frozen=True, eq=False)
class Message:
    """``head`` without its field ``planes``, and the planes."""

    head: Mapping[str, Any]
    planes: tuple[Plane, ...] = ()


def write(pipe: IO[bytes], message: Message) -> None:
    """Write a message. Raises `InputError` if it is beyond the bounds, and `OSError` if nobody reads it."""
    planes = [np.ascontiguousarray(plane) for plane in message.planes]
    shapes = [{"type": plane.dtype.name, "shape": list(plane.shape)} for plane in planes]
    head = json.dumps({**message.head, "planes": shapes}, separators=(",", ":")).encode()
    _shapes(head)
    pipe.write(struct.pack("<4sI", MAGIC, len(head)) + head)
    for plane in planes:
        pipe.write(plane.astype(TYPES[plane.dtype.name], copy=False).reshape(-1).data.cast("B"))
    pipe.flush()


def read(pipe: IO[bytes]) -> Message | None:
    """Read a message; None if the pipe ends before it.

    Raises `EndedError` if the pipe ends within it, and `InputError` for what is no message or is beyond the bounds.
    """
    start, size = bytearray(4), bytearray(4)
    if not _fill(pipe, memoryview(start), may_end=True):
        return None
    if start != MAGIC:
        raise InputError(f"the pipe brought {bytes(start)!r}: a message begins with {MAGIC!r}")
    _fill(pipe, memoryview(size))
    (length,) = struct.unpack("<I", size)
    _few(length, HEAD, "bytes in its head")
    text = bytearray(length)
    _fill(pipe, memoryview(text))
    head, shapes = _shapes(bytes(text))
    planes = []
    for dtype, shape in shapes:
        plane: Plane = np.empty(math.prod(shape), dtype)
        _fill(pipe, plane.data.cast("B"))
        planes.append(plane.reshape(shape))
    return Message(head, tuple(planes))


def _fill(pipe: IO[bytes], space: memoryview, *, may_end: bool = False) -> bool:
    """Fill ``space`` from the pipe; False if the pipe ended before its first byte and ``may_end`` allows that."""
    done = 0
    while done < len(space):
        some = pipe.readinto(space[done:])  # type: ignore[attr-defined]
        if not some:
            if may_end and not done:
                return False
            raise EndedError("the pipe ended within a message")
        done += some
    return True


def _shapes(text: bytes) -> tuple[dict[str, Any], list[tuple[np.dtype[Any], tuple[int, ...]]]]:
    """The head without its planes, and the type and shape of each. Raises `InputError` beyond the bounds."""
    _few(len(text), HEAD, "bytes in its head")
    try:
        data = read_json(text.decode(), "the head of a message is")
    except UnicodeDecodeError as error:
        raise InputError(f"the head of a message is not UTF-8: {error}") from error
    shapes, total = [], 0
    for one in Fields(data, "", "the head of a message").objects("planes"):
        dtype = TYPES[one.take("type", one_of(list(TYPES)))]
        shape = one.take("shape", lambda value: tuple(map(count(1), listed(value))))
        one.end()
        _few(max(shape, default=1), SIDE, "numbers on the side of a plane")
        total += math.prod(shape) * dtype.itemsize
        shapes.append((dtype, shape))
    _few(len(shapes), PLANES, "planes")
    _few(total, BYTES, "bytes in its planes")
    return {name: value for name, value in data.items() if name != "planes"}, shapes


def _few(given: int, most: int, what: str) -> None:
    if given > most:
        raise InputError(f"a message has {given} {what}: at most {most} are possible")
