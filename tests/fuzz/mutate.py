"""Random damage to bytes, decided by a generator alone: the same seed gives the same damage."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from random import Random

ODD_NUMBERS = (0, 1, 2, 3, 7, 8, 0x7F, 0x80, 0xFF, 0x100, 0x7FFF, 0x8000, 0xFFFF, 0x10000, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)
ODD_NUMBERS += (0x7FFFFFFFFFFFFFFF, 0x8000000000000000, 0xFFFFFFFFFFFFFFFF)

ODD_VALUES = ("-1", "0", "-0.0", "1e400", "-1e308", "1e-400", "NaN", "Infinity", "-Infinity", "null", "true", '""', "[]", "{}")
ODD_VALUES += ("9" * 30, "9" * 5000, '"1/0"', '"1e999999999"', '"١٢"', '"\\ud800"', "[" * 500, '"' + "a" * 3000 + '"', "1_000")

MOST = 1 << 20
"""The most bytes of a damaged file."""


def flip_bits(random: Random, data: bytearray, _: Sequence[bytes]) -> None:
    """Flip up to 32 bits."""
    for _number in range(random.choice((1, 1, 2, 4, 8, 32))):
        data[random.randrange(len(data))] ^= 1 << random.randrange(8)


def overwrite(random: Random, data: bytearray, _: Sequence[bytes]) -> None:
    """Overwrite a run with one value or with noise."""
    start, size = random.randrange(len(data)), random.choice((1, 2, 4, 16, 200))
    run = random.randbytes(size) if random.random() < 0.5 else bytes([random.choice((0, 0xFF, 0x80))]) * size
    data[start : start + size] = run[: len(data) - start]


def truncate(random: Random, data: bytearray, _: Sequence[bytes]) -> None:
    """Cut off the end, or the start."""
    place = random.randrange(len(data))
    if random.random() < 0.9:
        del data[place:]
    else:
        del data[:place]


def splice(random: Random, data: bytearray, others: Sequence[bytes]) -> None:
    """Insert a part of another file, or put it over the content."""
    other = random.choice(others)
    start = random.randrange(len(other))
    part = other[start : start + random.choice((4, 16, 100, 1000))]
    place = random.randrange(len(data))
    data[place : place if random.random() < 0.5 else place + len(part)] = part


def edit_lengths(random: Random, data: bytearray, _: Sequence[bytes]) -> None:
    """Change a number that may be a length: of 1 to 8 bytes, either end first, preferably one that is small now."""
    size = random.choice((1, 2, 4, 4, 4, 8))
    order = random.choice(("big", "little"))
    if len(data) < size:
        return
    place = random.randrange(len(data) - size + 1)
    for _number in range(64):
        if 0 < int.from_bytes(data[place : place + size], order) <= len(data):
            break
        place = random.randrange(len(data) - size + 1)
    now = int.from_bytes(data[place : place + size], order)
    new = random.choice((*ODD_NUMBERS, now + 1, now - 1, now * 2, now // 2, len(data), len(data) - place, -now))
    data[place : place + size] = (new % (1 << 8 * size)).to_bytes(size, order)


def edit_boxes(random: Random, data: bytearray, _: Sequence[bytes]) -> None:
    """Change the length before or after a name of four letters, as of MP4 boxes, RIFF, PNG and safetensors' neighbours."""
    names = [found.start() for found in re.finditer(rb"[A-Za-z][A-Za-z0-9 ]{3}", bytes(data[: 1 << 16]))]
    if names:
        place = random.choice(names) + random.choice((-4, -4, 4))
        if 0 <= place <= len(data) - 4:
            data[place : place + 4] = (random.choice(ODD_NUMBERS) % (1 << 32)).to_bytes(4, random.choice(("big", "little")))


def repeat(random: Random, data: bytearray, _: Sequence[bytes]) -> None:
    """Repeat a part up to 200 times."""
    start, size = random.randrange(len(data)), random.choice((1, 8, 64, 188, 1000))
    data[start:start] = data[start : start + size] * random.choice((1, 2, 5, 200))


def swap(random: Random, data: bytearray, _: Sequence[bytes]) -> None:
    """Swap two parts."""
    one, two, size = random.randrange(len(data)), random.randrange(len(data)), random.choice((1, 8, 64, 1000))
    first, second = bytes(data[one : one + size]), bytes(data[two : two + size])
    data[one : one + size], data[two : two + size] = second, first


def remove(random: Random, data: bytearray, _: Sequence[bytes]) -> None:
    """Remove a part."""
    start = random.randrange(len(data))
    del data[start : start + random.choice((1, 4, 8, 64, 188, 1000))]


def edit_values(random: Random, data: bytearray, _: Sequence[bytes]) -> None:
    """Replace a number or a text of JSON or TOML by an odd one."""
    values = [found.span() for found in re.finditer(rb'"[^"\n]{0,60}"|-?\d+(?:\.\d+)?', bytes(data[: 1 << 16]))]
    if values:
        start, end = random.choice(values)
        data[start:end] = random.choice(ODD_VALUES).encode("utf-8", "surrogatepass")


Mutator = Callable[[Random, bytearray, Sequence[bytes]], None]
BINARY: tuple[Mutator, ...] = (
    flip_bits,
    overwrite,
    truncate,
    splice,
    edit_lengths,
    edit_lengths,
    edit_boxes,
    repeat,
    swap,
    remove,
)
TEXT: tuple[Mutator, ...] = (edit_values, edit_values, edit_values, flip_bits, truncate, splice, repeat, swap, remove)


def mutated(random: Random, data: bytes, others: Sequence[bytes], *, text: bool) -> bytes:
    """A damaged copy of ``data``; ``others`` are files whose parts may be inserted."""
    changed = bytearray(data)
    for _ in range(random.choice((1, 1, 1, 2, 3, 6))):
        if changed:
            random.choice(TEXT if text else BINARY)(random, changed, others)
    return bytes(changed[:MOST])
