"""Where programs keep a user's data on each platform."""

from __future__ import annotations

import os
import sys
from pathlib import Path


def data_folder() -> Path:
    """The folder in which each program has its own: ``XDG_DATA_HOME`` on Linux."""
    if sys.platform == "win32":
        return _named("APPDATA") or Path.home() / "AppData" / "Roaming"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Application Support"
    return _named("XDG_DATA_HOME") or Path.home() / ".local" / "share"


def used(folder: Path, ours: str) -> bool:
    """Whether a folder has anything besides ``ours``, which we may have made ourselves."""
    try:
        return any(path.name != ours for path in folder.iterdir())
    except OSError:
        return False


def _named(variable: str) -> Path | None:
    """The folder that an environment variable names; a relative one counts for nothing, as its standard says."""
    path = Path(os.environ.get(variable, ""))
    return path if path.is_absolute() else None
