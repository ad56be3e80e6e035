"""Pages as pictures: the figures of a page, its pictures before and after, and those to wipe, drawn one below the other.

The letters are OpenCV's, which has ASCII alone. Knows nothing of clips, or of nodes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, TypeAlias

import numpy as np

from .layout import Box, Drawing, Image, Line, Words, laid_out
from .page import Figure, Moment, Page, Pairs, Part, Picture, Section, Wipe
from .pictures import Pixels, decoded

Colour: TypeAlias = "tuple[int, int, int]"

SHEET, INK, QUIET = (251, 250, 245), (32, 36, 42), (102, 98, 87)
COLOURS: dict[str, Colour] = {
    "rule": (216, 210, 194),
    "grid": (236, 231, 218),
    "band": (247, 229, 205),
    "mark": INK,
    "hollow": INK,
    "cut": (165, 157, 138),
    "before": (207, 108, 28),
    "after": (11, 92, 158),
    "ink": INK,
    "quiet": QUIET,
}
WORDS: dict[str, Colour] = {"before": (169, 74, 8)}
"""Colours of words, if they are others."""

WIDTHS = {"before": 3, "after": 1}

MARGIN, HEAD, GAP = 20, 30, 10
LETTERS = 0.4
"""Scale of the letters."""

FINE = 3
"""Bits of a pixel's fraction in OpenCV's coordinates."""


def drawn(page: Page, width: int = 1120, *, most: int = 24) -> Pixels:
    """The page as a picture [H,W,3] uint8 in RGB, ``width`` pixels wide: its figures, and up to ``most`` pairs or wipes."""
    inner = width - 2 * MARGIN
    rows: list[Pixels] = []
    pairs = 0
    for number, title, part in _parts(page.parts):
        if isinstance(part, Figure) and part.wide:
            rows.append(_figure(laid_out(part, inner)))
        elif isinstance(part, Pairs) and pairs < most:
            rows.append(_pair(part, f"{number}  {title}".strip(), inner))
            pairs += 1
        elif isinstance(part, Wipe) and pairs < most:
            rows += [
                _row(some, title, inner)
                for some, title in ((part.sides, f"{number}  {title}".strip()), (part.below, ""))
                if some
            ]
            pairs += 1
    height = sum(row.shape[0] + MARGIN for row in rows) + MARGIN + HEAD
    sheet = np.empty((height, width, 3), np.uint8)
    sheet[:] = SHEET
    _write(sheet, MARGIN, MARGIN + 12, f"{page.kind}. {page.lead}", INK)
    y = MARGIN + HEAD
    for row in rows:
        sheet[y : y + row.shape[0], MARGIN : MARGIN + row.shape[1]] = row
        y += row.shape[0] + MARGIN
    return sheet


def _parts(parts: Sequence[Part], number: str = "", title: str = "") -> Iterator[tuple[str, str, Part]]:
    """All parts, with the heading that they stand under."""
    for part in parts:
        if isinstance(part, Section):
            heading = f"{part.title}, {part.where}" if part.where else part.title
            yield from _parts(part.parts, part.number, heading)
        else:
            yield number, title, part


def _figure(drawing: Drawing) -> Pixels:
    import cv2

    sheet = np.empty((drawing.height + 4, drawing.width, 3), np.uint8)
    sheet[:] = SHEET
    for shape in drawing.shapes:
        if isinstance(shape, Line):
            points = (np.array(shape.points) * 2**FINE).round().astype(np.int32)
            colour, wide = COLOURS[shape.role], WIDTHS.get(shape.role, 1)
            cv2.polylines(sheet, [points], False, colour, wide, cv2.LINE_AA, FINE)
        elif isinstance(shape, Box):
            corners = round(shape.x), round(shape.y), round(shape.x + shape.width) - 1, round(shape.y + shape.height) - 1
            cv2.rectangle(sheet, corners[:2], corners[2:], COLOURS[shape.role], 1 if shape.role == "hollow" else -1)
        elif isinstance(shape, Image):
            _paste(sheet, shape)
        else:
            _words(sheet, shape)
    return sheet


def _paste(sheet: Pixels, image: Image) -> None:
    """A picture that fills its place."""
    wide, tall = max(round(image.width), 1), max(round(image.height), 1)
    pixels = decoded(image.picture)
    scale = max(wide / pixels.shape[1], tall / pixels.shape[0])
    pixels = _sized(pixels, max(round(pixels.shape[1] * scale), wide), max(round(pixels.shape[0] * scale), tall))
    left, top = (pixels.shape[1] - wide) // 2, (pixels.shape[0] - tall) // 2
    x, y = round(image.x), round(image.y)
    sheet[y : y + tall, x : x + wide] = pixels[top : top + tall, left : left + wide]


def _words(sheet: Pixels, words: Words) -> None:
    wide = _width(words.text)
    x = words.x - {"start": 0.0, "middle": wide / 2, "end": wide}[words.anchor]
    _write(sheet, round(x), round(words.y), words.text, WORDS.get(words.role, COLOURS[words.role]))


def _pair(pairs: Pairs, title: str, width: int) -> Pixels:
    """A moment before and after, side by side, under its title."""
    sides = [pairs.key.before, *([pairs.key.after] if pairs.both else [])]
    side = (width - GAP) // 2
    shown = [_side(one, pairs.key, side) for one in sides]
    tall = max(one.shape[0] for one in shown)
    sheet = np.empty((tall + HEAD + HEAD, width, 3), np.uint8)
    sheet[:] = SHEET
    _write(sheet, 0, 18, title, INK)
    for k, (one, name, tone) in enumerate(zip(shown, pairs.sides, ("before", "after"), strict=False)):
        x = k * (side + GAP)
        sheet[HEAD : HEAD + one.shape[0], x : x + one.shape[1]] = one
        _write(sheet, x, HEAD + tall + 16, f"{name}, {pairs.key.label}", WORDS.get(tone, COLOURS[tone]))
    return sheet


def _row(pictures: Sequence[tuple[str, Picture]], title: str, width: int) -> Pixels:
    """Named pictures side by side, under a title."""
    side = (width - GAP * (len(pictures) - 1)) // len(pictures)
    shown = [
        _sized(one, side, max(round(one.shape[0] * side / one.shape[1]), 1)) for one in (decoded(one) for _, one in pictures)
    ]
    tall, head = max(one.shape[0] for one in shown), HEAD if title else 0
    sheet = np.empty((tall + head + HEAD, width, 3), np.uint8)
    sheet[:] = SHEET
    _write(sheet, 0, 18, title, INK)
    for k, ((name, _), one) in enumerate(zip(pictures, shown, strict=True)):
        x = k * (side + GAP)
        sheet[head : head + one.shape[0], x : x + side] = one
        _write(sheet, x, head + tall + 16, name, INK)
    return sheet


def _side(one: Picture | str | None, key: Moment, side: int) -> Pixels:
    """A picture, at most ``side`` pixels on its longer side, or an empty place that says why there is none."""
    if isinstance(one, Picture):
        pixels = decoded(one)
        scale = min(side / max(pixels.shape[:2]), 1.0)
        return _sized(pixels, max(round(pixels.shape[1] * scale), 1), max(round(pixels.shape[0] * scale), 1))
    like = next((other for other in (key.before, key.after) if isinstance(other, Picture)), None)
    scale = 1.0 if like is None else min(side / max(like.width, like.height), 1.0)
    tall, wide = (120, side) if like is None else (max(round(like.height * scale), 24), max(round(like.width * scale), 24))
    empty = np.empty((tall, wide, 3), np.uint8)
    empty[:] = COLOURS["grid"]
    text = one or ""
    _write(empty, max(round((wide - _width(text)) / 2), 2), tall // 2 + 4, text, QUIET)
    return empty


def _sized(pixels: Pixels, wide: int, tall: int) -> Pixels:
    import cv2

    if pixels.shape[:2] == (tall, wide):
        return pixels
    how = cv2.INTER_AREA if wide < pixels.shape[1] else cv2.INTER_LINEAR
    sized: Pixels = cv2.resize(pixels, (wide, tall), interpolation=how)
    return sized


def _plain(text: str) -> str:
    """A text in ASCII."""
    known = {"×": "x", "·": "-", "–": "-", "’": "'"}
    return "".join(known.get(one, one) for one in text).encode("ascii", "replace").decode()


def _width(text: str) -> float:
    import cv2

    (wide, _), _ = cv2.getTextSize(_plain(text), cv2.FONT_HERSHEY_SIMPLEX, LETTERS, 1)
    return float(wide)


def _write(sheet: Any, x: int, y: int, text: str, colour: Colour) -> None:
    import cv2

    cv2.putText(sheet, _plain(text), (x, y), cv2.FONT_HERSHEY_SIMPLEX, LETTERS, colour, 1, cv2.LINE_AA)
