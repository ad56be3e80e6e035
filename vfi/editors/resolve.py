"""The script in DaVinci Resolve's menu: where Resolve looks for it, and what it is told of this machine."""

from __future__ import annotations

import sys
from pathlib import Path

from ..core import InputError
from . import places

NAME = "Inbetween.py"
"""The name of the script, which is its name in the menu."""

HEAD = '"""Inbetween for DaVinci Resolve:'
"""How each of our scripts begins: a file of the same name that does not is another's."""

SETTINGS = ("PROGRAM", "FOLDER")


def folder() -> Path:
    """The folder of Resolve's scripts for the edit page."""
    inside = Path("Fusion", "Scripts", "Edit")
    if sys.platform == "win32":
        return places.data_folder() / "Blackmagic Design" / "DaVinci Resolve" / "Support" / inside
    if sys.platform == "darwin":
        return places.data_folder() / "Blackmagic Design" / "DaVinci Resolve" / inside
    return Path.home() / ".local" / "share" / "DaVinciResolve" / inside


def found() -> bool:
    """Whether Resolve seems to be installed, or was started once."""
    programs = {"win32": "C:/Program Files/Blackmagic Design/DaVinci Resolve", "darwin": "/Applications/DaVinci Resolve"}
    return Path(programs.get(sys.platform, "/opt/resolve")).is_dir() or places.used(folder().parents[2], "Fusion")


def media_folder() -> Path:
    """Where new media goes if nothing else is said."""
    return Path.home() / ("Movies" if sys.platform == "darwin" else "Videos") / "Inbetween"


def script(program: Path, media: Path) -> str:
    """The script that starts ``program`` and keeps new media in ``media``. Raises `InputError` if it is not our own."""
    text = Path(__file__).with_name("resolve_script.py").read_text(encoding="utf-8")
    for name, value in zip(SETTINGS, (program, media), strict=True):
        line = f'{name} = ""\n'
        if text.count(line) != 1:
            raise InputError(f"the script for Resolve has no line {name}: install this package anew")
        text = text.replace(line, f"{name} = {str(value)!r}\n")
    return text
