"""A question to the user, if there is one at a terminal. Knows nothing of what is asked."""

from __future__ import annotations

import sys


def agreed(question: str) -> bool:
    """Whether the user answers ``question`` with yes; no if there is no terminal to ask at."""
    if sys.stdin is None or not (sys.stdin.isatty() and sys.stderr.isatty()):
        return False
    sys.stderr.write(f"{question} [y/N] ")
    sys.stderr.flush()
    return sys.stdin.readline().strip().lower() in ("y", "yes")
