"""Notes on what is unusual in a sheet: one sentence per kind and layer, however often it occurs.

Knows no format.
"""

from __future__ import annotations

from ..parse import shown


def place(layer: str, frame: int) -> str:
    """A place of a sheet in words; frames are counted from 1 there, as on paper."""
    return f"layer {shown(layer)}, frame {frame + 1}"


class Notes:
    """Collects notes; the same one about a later frame of a layer is only counted."""

    def __init__(self) -> None:
        self._found: dict[tuple[str, str], tuple[int, int]] = {}

    def add(self, layer: str, frame: int, note: str) -> None:
        """Note something about a frame of a layer."""
        first, count = self._found.get((layer, note), (frame, 0))
        self._found[layer, note] = first, count + 1

    def told(self) -> list[str]:
        """The sentences, in the order of the first finds."""
        return [
            f"{place(layer, frame)}: {note}" + (f" ({count} such entries)" if count > 1 else "")
            for (layer, note), (frame, count) in self._found.items()
        ]
