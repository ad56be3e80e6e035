"""Layered pictures for tests: OpenRaster and Photoshop files written from the formats' facts, and a reader of OpenRaster.

Knows nothing of the library.
"""

from __future__ import annotations

import struct
import zipfile
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import TypeAlias
from xml.etree import ElementTree

import numpy as np

from tests.footage import png

Picture: TypeAlias = np.ndarray
"""Straight RGBA or RGB, [H,W,4 or 3], 0..255, or 0..65535 if it is of 16 bits."""

Group: TypeAlias = tuple[str, Sequence[tuple[str, Picture, int, int]]]
"""The name of a group, or nothing, and its layers: name, picture, and where its corner lies on the canvas; topmost first."""


def ora(path: Path, size: tuple[int, int], groups: Sequence[Group], depth: int = 8, attributes: str = "") -> None:
    """Write an OpenRaster file; ``attributes`` are more of them for every layer."""
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("mimetype", "image/openraster")
        lines = [f"<?xml version='1.0' encoding='UTF-8'?>\n<image version='0.0.3' w='{size[0]}' h='{size[1]}'><stack>"]
        number = 0
        for group, layers in groups:
            lines.append(f'<stack name="{group}">' if group else "")
            for name, picture, x, y in layers:
                archive.writestr(f"data/{number}.png", png(picture, {3: 2, 4: 6}[picture.shape[2]], depth=depth))
                lines.append(f'<layer name="{name}" src="data/{number}.png" x="{x}" y="{y}" {attributes}/>')
                number += 1
            lines.append("</stack>" if group else "")
        archive.writestr("stack.xml", "".join((*lines, "</stack></image>")))


def read_ora(data: bytes) -> tuple[tuple[int, int], dict[str, dict[str, tuple[bool, bytes]]], zipfile.ZipFile]:
    """The size, whether each layer of each group is visible with its PNG file, lowest first, and the zip itself."""
    archive = zipfile.ZipFile(BytesIO(data))
    first = archive.infolist()[0]
    assert (first.filename, first.compress_type, archive.read(first)) == ("mimetype", zipfile.ZIP_STORED, b"image/openraster")
    image = ElementTree.fromstring(archive.read("stack.xml"))
    (root,) = image
    groups = {
        stack.get("name"): {
            layer.get("name"): (layer.get("visibility", "visible") == "visible", archive.read(layer.get("src")))
            for layer in reversed(list(stack))
        }
        for stack in reversed(list(root))
    }
    return (int(image.get("w")), int(image.get("h"))), groups, archive


def psd(path: Path, size: tuple[int, int], groups: Sequence[Group], depth: int = 8, mode: int = 3) -> None:
    """Write a Photoshop file of raw planes: RGB, or the first plane as another ``mode``."""
    width, height = size
    planes = 1 if mode == 1 else 4 if mode == 4 else 3
    records, planes_of_all = [], []
    for group, layers in reversed(groups):  # from the bottom up: the group's end, its layers, its beginning
        if group:
            _record(records, planes_of_all, "</Layer group>", None, 0, 0, depth, planes, section=3)
        for name, picture, x, y in reversed(layers):
            _record(records, planes_of_all, name, picture, x, y, depth, planes)
        if group:
            _record(records, planes_of_all, group, None, 0, 0, depth, planes, section=1)
    info = struct.pack(">h", len(records)) + b"".join((*records, *planes_of_all))
    info += b"\0" * (-len(info) % 4)
    if depth == 8:
        section = struct.pack(">I", len(info)) + info + struct.pack(">I", 0)
    else:
        section = struct.pack(">II", 0, 0) + b"8BIMLr16" + struct.pack(">I", len(info)) + info
    head = b"8BPS" + struct.pack(">H6xHIIHH", 1, planes, height, width, depth, mode)
    merged = struct.pack(">H", 0) + bytes(planes * width * height * depth // 8)
    path.write_bytes(head + struct.pack(">II", 0, 0) + struct.pack(">I", len(section)) + section + merged)


def _record(
    records: list[bytes],
    data: list[bytes],
    name: str,
    picture: Picture | None,
    x: int,
    y: int,
    depth: int,
    planes: int,
    section=0,
) -> None:
    height, width = (0, 0) if picture is None else picture.shape[:2]
    ids = list(range(planes)) + ([-1] if picture is None or picture.shape[2] == 4 else [])
    sizes = 2 + width * height * depth // 8
    record = struct.pack(">4iH", y, x, y + height, x + width, len(ids))
    record += b"".join(struct.pack(">hI", one, sizes) for one in ids)
    record += b"8BIM" + (b"pass" if section == 1 else b"norm") + struct.pack(">4B", 255, 0, 0, 0)
    text = name.encode("ascii", "replace")[:255]
    pascal = bytes((len(text),)) + text
    extra = struct.pack(">II", 0, 0) + pascal + b"\0" * (-len(pascal) % 4)
    wide = struct.pack(">I", len(name)) + name.encode("utf-16-be")
    wide += b"\0" * (-len(wide) % 4)
    extra += b"8BIMluni" + struct.pack(">I", len(wide)) + wide
    if section:
        extra += b"8BIMlsct" + struct.pack(">I", 4 if section == 3 else 12) + struct.pack(">I", section)
        extra += b"" if section == 3 else b"8BIMpass"
    records.append(record + struct.pack(">I", len(extra)) + extra)
    for one in ids:
        plane = (
            b"" if picture is None else picture[..., 3 if one == -1 else one].astype(">u2" if depth == 16 else "u1").tobytes()
        )
        data.append(struct.pack(">H", 0) + plane)
