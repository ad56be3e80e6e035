"""Tracks: where points go in a clip, drawn by hand or found, and every form in which they are written down.

`Document` is what is drawn and `Tracks` are its places at frames; `formats` reads and writes those of others. Knows nothing of
models, nor of how tracks are found (`match`, `follow`).
"""

from .document import Document, Point, Track
from .sampled import Tracks, instants

__all__ = ["Document", "Point", "Track", "Tracks", "instants"]
