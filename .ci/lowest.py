"""Prints the lowest versions that pyproject.toml allows, as pip's requirements: what users may have, and what CI tests once.

Arguments are extras, whose packages are printed too. Knows nothing of installing.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

if sys.version_info >= (3, 11):
    import tomllib
else:
    from pip._vendor import tomli as tomllib

NEEDED = re.compile(r"(?P<name>[\w.-]+)>=(?P<least>[\w.]+)(?:,<[\w.]+)?(?P<marker>;.*)?")


def lowest(extras: list[str]) -> list[str]:
    """One line ``name==version; marker`` for each dependency."""
    project = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    found = []
    for line in [*project["dependencies"], *(one for extra in extras for one in project["optional-dependencies"][extra])]:
        parts = NEEDED.fullmatch(line.replace("; ", ";"))
        if parts is None:
            raise SystemExit(f"{line} has no lowest version: write name>=version")
        found.append(f"{parts['name']}=={parts['least']}{parts['marker'] or ''}")
    return found


if __name__ == "__main__":
    sys.stdout.write("\n".join(lowest(sys.argv[1:])) + "\n")
