"""Builds the zip of the Blender extension, with Blender's own tool, which also validates it.

    python editors/blender/build.py [FOLDER]

The tool comes from ``blender`` on PATH, or from the bpy wheel of this Python or of the one that BLENDER_PYTHON names. The zip
goes into FOLDER, ``dist`` if none is given.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

SOURCE = Path(__file__).parent / "inbetween_vfi"
FIND = "import importlib.util; print(importlib.util.find_spec('bpy').origin)"


def tool() -> list[str]:
    """The words that start Blender's tool for extensions."""
    for python in filter(None, (os.environ.get("BLENDER_PYTHON"), sys.executable)):
        found = subprocess.run([python, "-c", FIND], capture_output=True, text=True, check=False)
        if found.returncode == 0:
            scripts = Path(found.stdout.strip()).parent.glob("*/scripts/addons_core/bl_pkg/cli/blender_ext.py")
            return [python, str(next(scripts))]
    if program := shutil.which("blender"):
        return [program, "--command", "extension"]
    raise SystemExit("Blender was not found: put blender on PATH, or let BLENDER_PYTHON name a Python that has bpy")


def build(folder: Path) -> int:
    """Validate and build; the exit code of the tool."""
    folder.mkdir(parents=True, exist_ok=True)
    words = tool()
    for more in (["validate", str(SOURCE)], ["build", f"--source-dir={SOURCE}", f"--output-dir={folder}"]):
        code = subprocess.run([*words, *more], check=False).returncode
        if code:
            return code
    return 0


if __name__ == "__main__":
    raise SystemExit(build(Path(sys.argv[1]) if len(sys.argv) > 1 else Path("dist")))
