"""The parts of the Blender extension that know nothing of Blender, imported without it."""

from __future__ import annotations

import importlib
import sys
import types
from pathlib import Path

SOURCE = Path(__file__).parents[1] / "editors" / "blender" / "inbetween_vfi"

_package = types.ModuleType("inbetween_vfi")
_package.__path__ = [str(SOURCE)]
sys.modules.setdefault("inbetween_vfi", _package)
places = importlib.import_module("inbetween_vfi.places")
job = importlib.import_module("inbetween_vfi.job")
