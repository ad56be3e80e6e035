"""The plot: new frames per second of each contender, one panel per size, as SVG. Needs only the records."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from html import escape
from typing import Any

from .report import case, per_frame, title

Record = Mapping[str, Any]
INK, FAINT, PAPER = "#333333", "#d8d8d8", "#ffffff"
COLOURS = {"node": "#e07020", "library": "#e07020", "core": "#9a9a9a", "fannovel16": "#6b7fa3"}
OTHERS = {"bfloat16": "#f3b98a", "float16": "#f3b98a", "openvino": "#8f4513", "onnx": "#b5651d"}
"""Ours in another precision or on another backend."""
PANEL, GAP, TOP, BOTTOM, HEIGHT = 290, 24, 46, 66, 330
"""Pixels: width of a panel, gap between panels, space above and below the bars, and total height."""


def svg(records: Sequence[Record], heading: str) -> str:
    """Bars side by side for each case; each panel has its own scale, each bar its number."""
    sizes = list(dict.fromkeys((record["width"], record["height"]) for record in records))
    whos = list(dict.fromkeys(record["who"] for record in records))
    width = GAP + len(sizes) * (PANEL + GAP)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{HEIGHT}" viewBox="0 0 {width} {HEIGHT}" '
        f'font-family="sans-serif" font-size="12" fill="{INK}">',
        f'<rect width="{width}" height="{HEIGHT}" fill="{PAPER}"/>',
        text(GAP, 20, heading, anchor="start", size=14),
    ]
    for index, size in enumerate(sizes):
        shown = [record for record in records if (record["width"], record["height"]) == size]
        parts.extend(panel(shown, whos, GAP + index * (PANEL + GAP)))
    left = float(GAP)
    for who in whos:
        name = title({"who": who})
        parts.append(f'<rect x="{left}" y="{HEIGHT - 22}" width="11" height="11" fill="{colour(who)}"/>')
        parts.append(text(left + 16, HEIGHT - 12, name, anchor="start"))
        left += 30 + 6.8 * len(name)
    return "\n".join([*parts, "</svg>"]) + "\n"


def panel(records: Sequence[Record], whos: Sequence[str], left: float) -> Iterator[str]:
    """The bars of one size, starting at x = ``left``."""
    floor = HEIGHT - BOTTOM
    most = max(1 / per_frame(record) for record in records)
    names = list(dict.fromkeys(case(record) for record in records))
    group = PANEL / len(names)
    bar = min(group * 0.86 / len(whos), 34)
    yield f'<line x1="{left}" y1="{floor}" x2="{left + PANEL}" y2="{floor}" stroke="{FAINT}"/>'
    for place, name in enumerate(names):
        start = left + place * group + (group - bar * len(whos)) / 2
        yield text(left + (place + 0.5) * group, floor + 18, name.replace("x", "×"))
        for record in records:
            if case(record) == name:
                speed = 1 / per_frame(record)
                x, height = start + whos.index(record["who"]) * bar, speed / most * (floor - TOP - 18)
                fill = colour(record["who"])
                yield f'<rect x="{x:.1f}" y="{floor - height:.1f}" width="{bar - 2:.1f}" height="{height:.1f}" fill="{fill}"/>'
                yield text(x + bar / 2 - 1, floor - height - 4, f"{speed:.1f}", size=10)


def colour(who: str) -> str:
    kind, *unusual = who.split()
    return OTHERS.get(unusual[-1], FAINT) if unusual else COLOURS.get(kind, FAINT)


def text(x: float, y: float, words: str, *, anchor: str = "middle", size: int = 12) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}">{escape(words)}</text>'
