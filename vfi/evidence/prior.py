"""What other clips teach, as a small file: read when it is needed, and made again by ``benchmarks/audit.py --fit``.

Owns the file's form. Knows nothing of clips.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from .calibration import Misses
from .fit import Prior
from .regression import Array, Basis, Equations

SHIPPED = Path(__file__).with_name("prior.json")

DIGITS = 5
"""Digits that are kept of a number."""


@cache
def shipped() -> Prior:
    """The prior that comes with the library."""
    return read(SHIPPED)


def read(path: Path) -> Prior:
    """The prior in a file that `written` made."""
    data = json.loads(path.read_text(encoding="utf-8"))
    basis = Basis(*(np.array(data["basis"][name]) for name in ("centre", "scale", "bends")))
    count = len(data["side"])
    square = np.zeros((count, count))
    square[np.triu_indices(count)] = data["square"]
    square = square + np.triu(square, 1).T
    equations = Equations(square, np.array(data["side"]), data["weight"])
    low, high = data["line"]
    cells, frames, alone = (_misses(data[name]) for name in ("cells", "frames", "alone"))
    drop, shifts = np.array(data["drop"]), np.array(data["shifts"])
    return Prior(tuple(data["names"]), basis, equations, cells, (low, high), frames, drop, shifts, alone)


def written(prior: Prior) -> str:
    """The text of a prior's file."""
    square = prior.equations.square
    return json.dumps(
        {
            "names": list(prior.names),
            "basis": {name: _short(getattr(prior.basis, name)) for name in ("centre", "scale", "bends")},
            "weight": prior.equations.weight,
            "square": _short(square[np.triu_indices(len(square))]),
            "side": _short(prior.equations.side),
            "cells": _data(prior.cells),
            "line": _short(prior.line),
            "frames": _data(prior.frames),
            "drop": _short(prior.drop),
            "shifts": _short(prior.shifts),
            "alone": _data(prior.alone),
        },
        separators=(",", ":"),
    )


def _misses(data: dict[str, Any]) -> Misses:
    return Misses(np.array(data["centres"]), np.array(data["quantiles"]), data["weight"])


def _data(misses: Misses) -> dict[str, Any]:
    return {
        "centres": _short(misses.centres),
        "quantiles": [_short(row) for row in misses.quantiles],
        "weight": misses.weight,
    }


def _short(numbers: Array | Sequence[float]) -> list[float]:
    return [float(f"{value:.{DIGITS}g}") for value in numbers]
