"""Workflows in API format, and the files that a run saves."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
EXAMPLES = sorted(path.stem for path in (ROOT / "example_workflows").glob("*.json"))
APP = "19 Smooth a video (app)"
"""The example that is an app. It asks for a clip of one's own, so it alone brings none along."""


def title(name: str) -> str:
    """An example's name without the number that puts it in order."""
    return re.sub(r"^\d\d ", "", name)


def api_form(name: str) -> dict[str, Any]:
    """An example workflow, by its name or its title."""
    (path,) = (path for path in (ROOT / "tests" / "workflows").glob("*.json") if name in (path.stem, title(path.stem)))
    return json.loads(path.read_text(encoding="utf-8"))


def foreign(name: str) -> bool:
    """Whether an example needs weights that do not come with the pack."""
    graph = json.loads((ROOT / "example_workflows" / f"{name}.json").read_text(encoding="utf-8"))
    return any("models" in node["properties"] for node in graph["nodes"])


def only(workflow: dict[str, Any], kind: str) -> dict[str, Any]:
    """The inputs of the only node of class ``kind``."""
    (inputs,) = (node["inputs"] for node in workflow.values() if node["class_type"] == kind)
    return inputs


def all_saved(comfyui: Any, outputs: dict[str, Any]) -> dict[str, Path]:
    """The files in the output folder, keyed by the prefix of their names."""
    items = [item for output in outputs.values() for item in output.get("images", []) if item["type"] == "output"]
    paths = [comfyui.base / "output" / item["subfolder"] / item["filename"] for item in items]
    return {path.name.rsplit("_", 2)[0]: path for path in paths}


def saved(comfyui: Any, outputs: dict[str, Any]) -> Path:
    """The only file in the output folder."""
    (path,) = all_saved(comfyui, outputs).values()
    return path
