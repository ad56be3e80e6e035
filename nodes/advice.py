"""What a person in ComfyUI can do where the library's messages name the ``vfi`` command: a node, a widget or the exact line.

ComfyUI's Python has no ``vfi`` command: the line names that Python and the folder to run it in. Knows nothing of what nodes do.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

from ..vfi.model import registry

PACK = Path(__file__).absolute().parents[1]


def advised(text: str) -> str:
    """``text`` with what to do in ComfyUI in place of each ``vfi`` command in backticks."""
    return re.sub(r"`vfi ([^`]{1,4000})`", lambda found: _instead(found[1], text), text)


def line(arguments: str) -> str:
    """The command line of ``vfi`` with these arguments, and where to run it."""
    return f'`"{sys.executable}" -m vfi {arguments}` in the folder {PACK}'


def _instead(arguments: str, text: str) -> str:
    if arguments == "models":
        return "the widget model of Load Interpolation Model"
    if arguments.startswith("models convert "):
        return f"the node Convert Model, or with {line(arguments)}"
    if registry.does(arguments.removeprefix("models fetch ")):
        return line(arguments)
    if arguments.startswith("models fetch ") and "--from" not in arguments and "allow download" not in text:
        return f"Load Interpolation Model and its allow download on, or with {line(arguments)}"
    return line(arguments)
