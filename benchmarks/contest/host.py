"""ComfyUI as the host of nodes, without its server: the steps of `main.py` before the first node runs."""

from __future__ import annotations

import importlib
import sys


def start(device: str) -> None:
    """Make ComfyUI use ``device``. The working directory is its checkout."""
    sys.argv[1:] = ["--cpu"] if device == "cpu" else []
    import comfy.options

    comfy.options.enable_args_parsing()
    importlib.import_module("comfy.model_management")  # reads the arguments on import
