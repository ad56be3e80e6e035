"""The search words of the pack's subgraph blueprints.

ComfyUI serves the files of ``subgraphs/`` by itself, and its front end shows their names, categories and descriptions. But it
finds them by words that the server has to list, and the server lists none. Knows nothing of what the blueprints do.
"""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).resolve().parents[1] / "subgraphs"

log = logging.getLogger(__name__)


async def add_words(manager: Any) -> None:
    """Give each of our blueprints, as the server's subgraph ``manager`` lists them, the ``BlueprintSearchAliases`` of its file.

    The manager is no public interface: where it is another, blueprints are found by their names only, and the log tells.
    """
    try:
        for entry in (await manager.get_custom_node_subgraphs(())).values():
            path = Path(entry["path"])
            if path.parent.resolve() == FOLDER:
                entry["info"]["search_aliases"] = words_of(path)
    except (AttributeError, KeyError, TypeError) as error:
        log.info("blueprints are found by their names only: %s", error)


def words_of(path: Path) -> list[str]:
    """The search words that a blueprint's file states."""
    return json.loads(path.read_text(encoding="utf-8"))["extra"]["BlueprintSearchAliases"]
