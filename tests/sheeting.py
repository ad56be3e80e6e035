"""Exposure sheets for tests: XDTS made from a table of layers, and a small reader of its own, written from the format's facts.

Knows nothing of the library.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from tests.footage import png

FIRST = "exchangeDigitalTimeSheet Save Data"
SYMBOLS = {"x": "SYMBOL_NULL_CELL", "-": "SYMBOL_HYPHEN", "o": "SYMBOL_TICK_1", "*": "SYMBOL_TICK_2"}


def track(number: int, entries: Mapping[int, str | dict[str, Any]]) -> dict[str, Any]:
    """A track: by frame, an entry's value, a sign of `SYMBOLS`, or its whole data."""
    frames = []
    for frame, value in entries.items():
        data = value if isinstance(value, dict) else {"id": 0, "values": [SYMBOLS.get(value, value)]}
        frames.append({"data": [data], "frame": frame})
    return {"frames": frames, "trackNo": number}


def tree(layers: Mapping[str, Mapping[int, Any]], duration: int, **more: Any) -> dict[str, Any]:
    """The JSON of a sheet, with a column of dialogue and one of the camera; ``more`` are fields of the whole."""
    words = {2: {"id": 0, "values": ["Ann", "Hello"]}}
    fields = [
        {"fieldId": 0, "tracks": [track(number, entries) for number, entries in enumerate(layers.values())]},
        {"fieldId": 3, "tracks": [track(0, words)]},
        {"fieldId": 5, "tracks": [track(0, {0: "PAN"})]},
    ]
    heads = [
        {"fieldId": 0, "names": list(layers)},
        {"fieldId": 3, "names": ["Ann"]},
        {"fieldId": 5, "names": ["cam"]},
    ]
    table = {"duration": duration, "fields": fields, "name": "cut 12", "timeTableHeaders": heads}
    return {"header": {"cut": "12", "scene": "3"}, "timeTables": [table], "version": 5} | more


def xdts(layers: Mapping[str, Mapping[int, Any]], duration: int = 12, **more: Any) -> bytes:
    """A sheet as a file."""
    return f"{FIRST}\n{json.dumps(tree(layers, duration, **more), separators=(',', ':'))}".encode()


def read_back(data: bytes, encoding: str = "utf-8") -> dict[str, dict[int, list[str]]]:
    """The values of every entry of the cels' layers, by name and frame."""
    first, _, text = data.decode(encoding).partition("\n")
    assert first.rstrip("\r") == FIRST
    (table,) = json.loads(text)["timeTables"]
    names = next(head["names"] for head in table["timeTableHeaders"] if head["fieldId"] == 0)
    layers: dict[str, dict[int, list[str]]] = {name: {} for name in names}
    for field in table["fields"]:
        if field["fieldId"] == 0:
            for one in field["tracks"]:
                for frame in one["frames"]:
                    layers[names[one["trackNo"]]][frame["frame"]] = [
                        value for part in frame["data"] for value in part["values"]
                    ]
    return layers


def cel(path: Path, shade: int, *, alpha: bool = True, size: tuple[int, int] = (12, 8), depth: int = 8) -> None:
    """A cel of one grey, 0..255, opaque in its left half; without ``alpha`` it has no transparency at all."""
    width, height = size
    scale = 257 if depth == 16 else 1
    pixels = np.full((height, width, 4 if alpha else 3), shade * scale)
    if alpha:
        pixels[:, : width // 2, 3] = 255 * scale
        pixels[:, width // 2 :, 3] = 0
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(png(pixels, 6 if alpha else 2, depth=depth))
