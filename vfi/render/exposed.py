"""A sheet with its cels: the picture of each of its frames, and all cels as the layers of one file.

Owns which file a drawing is in once new cels are made. Knows nothing of sheets' formats or of how cels are made.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from functools import lru_cache
from pathlib import Path

import torch
import torch.nn.functional as F

from ..clips.images import read_image
from ..clips.layers.ora import Written, layers_of, written_ora
from ..core import Frame, InputError
from ..pixels.alpha import premultiplied, straight
from ..pixels.uint8 import floats
from ..sheets.cels import Cels, number_of
from ..sheets.orders import Order
from ..sheets.sheet import Layer, Sheet

HELD = 16
"""Cels that are kept decoded."""


class Exposed:
    """A sheet whose orders were ``made`` below ``folder``; a drawing without a cel is not shown."""

    def __init__(self, sheet: Sheet, cels: Cels, made: Sequence[Order], folder: Path) -> None:
        self.sheet = sheet
        self._cels = cels
        self._entered = {place: order.drawing for order in made for place in order.wanted.places}
        self._new: dict[int, dict[tuple[int, str], tuple[str, Path]]] = {}
        for order in made:
            if not order.shows:
                self._new.setdefault(order.wanted.layer, {})[number_of(order.drawing).key] = order.drawing, folder / order.file
        self._all = [self._files(index, layer) for index, layer in enumerate(sheet.layers)]
        self._shown = [self._exposures(index, layer) for index, layer in enumerate(sheet.layers)]

    def at(self, frame: int) -> list[Path]:
        """The files that a frame shows, the lowest layer first."""
        keys = [next((key for start, end, key in shown if start <= frame < end), None) for shown in self._shown]
        return [files[key][1] for key, files in zip(keys, self._all, strict=True) if key is not None and key in files]

    def size(self) -> tuple[int, int]:
        """Height and width of the canvas: those of the largest cel that the sheet shows. Raises `InputError`."""
        files = {
            files[key][1] for shown, files in zip(self._shown, self._all, strict=True) for _, _, key in shown if key in files
        }
        if not files:
            raise InputError("the sheet shows no cel that is there: name the layers and cels alike")
        sides = [read_image(path).rgb.shape[1:] for path in sorted(files)]
        return max(height for height, _ in sides), max(width for _, width in sides)

    def frames(self, size: tuple[int, int], rate: Fraction = Fraction(24)) -> Iterator[Frame]:
        """The picture of each frame on a transparent canvas of ``size`` (height, width), cels in its upper left corner."""
        read = lru_cache(maxsize=HELD)(read_image)
        known: tuple[list[Path], Frame] | None = None
        for number in range(self.sheet.frames):
            paths = self.at(number)
            if known is None or known[0] != paths:
                whole = torch.zeros(4, *size)
                for path in paths:
                    _lay(whole, read(path))
                known = paths, Frame(straight(whole[:3], whole[3:]), Fraction(0), alpha=whole[3:])
            yield Frame(known[1].rgb, number / rate, 1 / rate, known[1].alpha)

    def layers(self, index: int) -> Iterator[Written]:
        """All cels of a layer, old and new, as layers to write; those of the first frame are visible. Raises `InputError`."""
        first = set(self.at(0))
        yield from layers_of([(name, path, path in first) for _, (name, path) in sorted(self._all[index].items())])

    def _files(self, index: int, layer: Layer) -> dict[tuple[int, str], tuple[str, Path]]:
        """The number and the file of each drawing."""
        there = {
            cel.number.key: (f"{int(cel.number.digits)}{cel.number.letter}", cel.path) for cel in self._cels.all(layer.name)
        }
        return {**there, **self._new.get(index, {})}

    def _exposures(self, index: int, layer: Layer) -> list[tuple[int, int, tuple[int, str]]]:
        """From and to which frame each drawing is shown."""
        found = []
        for one in layer.exposures(self.sheet.frames):
            drawing = self._entered.get((index, one.start), one.entry.drawing if one.entry.mark == "drawing" else "")
            try:
                key = number_of(drawing).key
            except InputError:  # nothing is shown: an empty entry, a tick that is left, or a drawing without a number
                continue
            found.append((one.start, one.end, key))
        return found


def as_layers(sheet: Sheet, cels: Cels, made: Sequence[Order], folder: Path) -> bytes:
    """All cels, old and new, as an OpenRaster file: a group per layer of the sheet, of which the first frame is visible.

    Raises `InputError`.
    """
    exposed = Exposed(sheet, cels, made, folder)
    return written_ora((layer.name, exposed.layers(index)) for index, layer in enumerate(sheet.layers))


def _lay(whole: torch.Tensor, frame: Frame) -> None:
    """Put a picture over a premultiplied one [4,H,W]."""
    alpha = torch.ones_like(frame.rgb[:1], dtype=torch.float32) if frame.alpha is None else floats(frame.alpha)
    over = torch.cat((premultiplied(frame), alpha))[:, : whole.shape[1], : whole.shape[2]]
    over = F.pad(over, (0, whole.shape[2] - over.shape[2], 0, whole.shape[1] - over.shape[1]))
    whole.mul_(1 - over[3:]).add_(over)
