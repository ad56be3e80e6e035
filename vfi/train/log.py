"""The training log: one line of JSON per entry, and a picture of its curves.

Knows nothing of what is trained.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np

SIZE = (320, 900)
"""Height and width of one panel of the picture."""

MARGIN = (30, 20, 40, 70)
"""Margins above, right of, below and left of a panel's curve."""

INK, LINE, PALE, FAINT = (40, 40, 40), (30, 110, 230), (190, 215, 245), (225, 225, 225)

MANY = 40
"""Above this many points, the curve is their running mean over as many, drawn over a pale line of the raw values."""


class Log:
    """``log.jsonl`` and ``curves.png`` in ``folder``; an existing log is continued."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "log.jsonl"
        self.picture = folder / "curves.png"

    def forget(self, step: int) -> None:
        """Drop all entries after ``step``, from which training resumes."""
        kept = [note for note in self.notes() if note["step"] <= step]
        self.path.write_text("".join(f"{json.dumps(note)}\n" for note in kept), encoding="utf-8")

    def note(self, **values: float) -> None:
        with self.path.open("a", encoding="utf-8") as file:
            file.write(f"{json.dumps(values)}\n")

    def notes(self) -> list[dict[str, float]]:
        if not self.path.is_file():
            return []
        return [json.loads(line) for line in self.path.read_text(encoding="utf-8").splitlines()]

    def draw(self, names: Sequence[str]) -> None:
        """Draw the curves of ``names`` over the steps, one panel below the other."""
        import cv2

        panels = [panel(name, [(note["step"], note[name]) for note in self.notes() if name in note]) for name in names]
        done, data = cv2.imencode(".png", np.concatenate(panels))
        if done:
            self.picture.write_bytes(data.tobytes())


def panel(name: str, points: Sequence[tuple[float, float]]) -> np.ndarray:
    """One curve with its axes, uint8 [h,w,3] in OpenCV's channel order."""
    import cv2

    height, width = SIZE
    top, right, bottom, left = MARGIN
    picture = np.full((height, width, 3), 255, np.uint8)
    write = {"fontFace": cv2.FONT_HERSHEY_SIMPLEX, "fontScale": 0.42, "color": INK, "lineType": cv2.LINE_AA}
    cv2.putText(picture, name, (left, 20), **write)  # type: ignore[call-overload]
    if not points:
        return picture
    x, y = np.array(points, np.float64).T
    low, high = float(y.min()), float(y.max())
    room = max(high - low, abs(high) * 1e-3, 1e-9)
    across = left + (width - left - right) * x / max(float(x.max()), 1)
    down = height - bottom - (height - top - bottom) * (y - low) / room
    for share in (0.0, 0.25, 0.5, 0.75, 1.0):
        line = round(height - bottom - (height - top - bottom) * share)
        cv2.line(picture, (left, line), (width - right, line), FAINT, 1)
        cv2.putText(picture, f"{low + share * room:.4g}", (6, line + 4), **write)  # type: ignore[call-overload]
        place = round(left + (width - left - right) * share)
        cv2.putText(picture, f"{share * float(x.max()):.0f}", (place - 12, height - 14), **write)  # type: ignore[call-overload]
    if len(y) > MANY:
        cv2.polylines(picture, [_line(across, down)], False, PALE, 1, cv2.LINE_AA)
        across, down = (np.convolve(values, np.full(MANY, 1 / MANY), "valid") for values in (across, down))
    cv2.polylines(picture, [_line(across, down)], False, LINE, 1, cv2.LINE_AA)
    return picture


def _line(across: np.ndarray, down: np.ndarray) -> np.ndarray:
    return np.stack((across, down), axis=1).round().astype(np.int32)
