"""The form of messages on a pipe, and its bounds."""

from __future__ import annotations

import io
import json
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vfi.core import InputError
from vfi.serve import protocol
from vfi.serve.protocol import EndedError, Message, read, write


def written(*messages: Message) -> io.BytesIO:
    pipe = io.BytesIO()
    for message in messages:
        write(pipe, message)
    pipe.seek(0)
    return pipe


def raw(head: object, rest: bytes = b"", length: int | None = None) -> io.BytesIO:
    text = head if isinstance(head, bytes) else json.dumps(head).encode()
    return io.BytesIO(struct.pack("<4sI", protocol.MAGIC, len(text) if length is None else length) + text + rest)


@given(
    st.lists(
        st.tuples(st.sampled_from(sorted(protocol.TYPES)), st.lists(st.integers(1, 5), min_size=1, max_size=4)), max_size=5
    )
)
def test_what_is_written_is_read(shapes: list[tuple[str, list[int]]]):
    stream = np.random.default_rng(0)
    planes = tuple((stream.random(shape) * 255).astype(name) for name, shape in shapes)
    pipe = written(Message({"do": "make", "names": ["ä", "b"]}, planes), Message({"ok": True}))
    first, second = read(pipe), read(pipe)
    assert first is not None
    assert second is not None
    assert first.head == {"do": "make", "names": ["ä", "b"]}
    assert [plane.dtype for plane in first.planes] == [plane.dtype for plane in planes]
    assert all(np.array_equal(one, two) for one, two in zip(first.planes, planes, strict=True))
    assert (second.head, second.planes) == ({"ok": True}, ())
    assert read(pipe) is None


def test_a_plane_that_is_a_view_is_written_as_it_looks():
    plane = np.arange(24, dtype=np.uint8).reshape(4, 6)[::2, ::-1]
    message = read(written(Message({}, (plane,))))
    assert message is not None
    assert np.array_equal(message.planes[0], plane)


def test_a_message_that_is_cut_off_is_no_message():
    whole = written(Message({"a": 1}, (np.zeros((3, 5), np.float32),))).getvalue()
    for end in range(1, len(whole)):
        with pytest.raises(EndedError):
            read(io.BytesIO(whole[:end]))


class Dripping(io.RawIOBase):
    """A pipe that gives one byte at a time."""

    def __init__(self, data: bytes) -> None:
        self.data = io.BytesIO(data)

    def readable(self) -> bool:
        return True

    def readinto(self, space) -> int:  # type: ignore[override]
        some = self.data.read(1)
        space[: len(some)] = some
        return len(some)


def test_a_message_may_come_in_pieces():
    message = read(Dripping(written(Message({"a": 1}, (np.arange(9, dtype=np.uint8),))).getvalue()))  # type: ignore[arg-type]
    assert message is not None
    assert message.planes[0].tolist() == list(range(9))


@pytest.mark.parametrize(
    ("pipe", "words"),
    [
        (io.BytesIO(b"Traceback (most recent call last)"), "begins with"),
        (io.BytesIO(b"vfi\x02\x02\x00\x00\x00{}"), "begins with"),
        (raw({}, length=2**31), "bytes in its head"),
        (raw(b"\xff\xfe"), "UTF-8"),
        (raw(b"{"), "JSON"),
        (raw([1]), "object"),
        (raw({}), "planes"),
        (raw({"planes": 3}), "list"),
        (raw({"planes": [{"type": "float64", "shape": [1]}]}), "float32"),
        (raw({"planes": [{"type": "uint8", "shape": [0]}]}), "from 1 up"),
        (raw({"planes": [{"type": "uint8", "shape": [-1, -1]}]}), "from 1 up"),
        (raw({"planes": [{"type": "uint8", "shape": [1.5]}]}), "whole number"),
        (raw({"planes": [{"type": "uint8", "shape": [2**17]}]}), "side"),
        (raw({"planes": [{"type": "float32", "shape": [2**15, 2**15]}] * 2}), "bytes in its planes"),
        (raw({"planes": [{"type": "uint8", "shape": [1]}] * 65}), "planes"),
        (raw(b"[" * 60000), "JSON"),
    ],
)
def test_what_is_no_message_is_refused_before_memory_is_taken(pipe: io.BytesIO, words: str):
    with pytest.raises(InputError, match=words):
        read(pipe)


def test_nothing_is_written_of_a_message_beyond_the_bounds():
    pipe = io.BytesIO()
    with pytest.raises(InputError, match="planes"):
        write(pipe, Message({}, (np.zeros(1, np.uint8),) * 65))
    with pytest.raises(InputError, match="head"):
        write(pipe, Message({"name": "a" * 2**16}))
    with pytest.raises(InputError, match="float32"):
        write(pipe, Message({}, (np.zeros(1, np.float64),)))
    assert pipe.getvalue() == b""
