"""ComfyUI as the host of nodes, without its server: what `main.py` does before the first node runs."""

from __future__ import annotations

import importlib
import sys


def start(device: str) -> None:
    """Have ComfyUI choose ``device``. Its checkout is the folder that the process runs in."""
    sys.argv[1:] = ["--cpu"] if device == "cpu" else []
    import comfy.options

    comfy.options.enable_args_parsing()
    importlib.import_module("comfy.model_management")  # which reads the arguments as it is imported
