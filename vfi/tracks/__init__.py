"""Tracks: the paths of points through a clip, drawn by hand or estimated, and the formats that store them.

A `Document` holds drawn curves, `Tracks` their positions at frames; `formats` reads and writes other programs' formats. Knows
nothing of models, nor of how tracks are estimated (`match`, `follow`).
"""

from .document import Document, Point, Track
from .sampled import Tracks, instants

__all__ = ["Document", "Point", "Track", "Tracks", "instants"]
