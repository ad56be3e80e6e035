"""Stored outputs of published networks and of their operators, in a second format beside that of `parity`.

A set is a manifest, ``NAME.json``, and its tensors, ``NAME.safetensors``, named ``in.*`` and ``out.*``. Trained weights
are not stored: each is random, seeded with its own key. Frames are not stored either if the manifest gives the shift of
their waves. Outputs are stored whole or, if large, every fourth row and column.
The set ``primitives`` has no weights: its tensors are named ``case/in.*`` and ``case/out.*``.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file
from torch import Tensor

DATA = Path(__file__).parent / "data" / "parity"


@dataclass(frozen=True)
class Case:
    """Input tensors, and the outputs expected within ``atol + rtol * |expected|``."""

    name: str
    inputs: Mapping[str, Tensor]
    expected: Mapping[str, Tensor]
    options: Mapping[str, Any]
    atol: float
    rtol: float

    def compare(self, output: str, got: Tensor, *, atol: float | None = None) -> float:
        """Assert that ``got``, whole, matches the stored ``output``, and return the largest difference."""
        expected = self.expected[output]
        got = got.detach().float()
        if got.shape != expected.shape:
            got = got[..., 1::4, 1::4]
        atol = self.atol if atol is None else atol
        torch.testing.assert_close(got, expected, atol=atol, rtol=self.rtol, msg=lambda text: f"{self.name}/{output}: {text}")
        return float((got - expected).abs().max())


@dataclass(frozen=True)
class ParitySet(Case):
    """A `Case` of a network with random weights."""

    manifest: Mapping[str, Any]

    def window(self, before: str = "img0", after: str = "img1") -> Tensor:
        """Two of the inputs, as a window [1,2,3,H,W]."""
        return torch.stack((self.inputs[before], self.inputs[after]), dim=1)

    def blank(self) -> dict[str, Tensor]:
        """The state dict on the meta device: names, shapes and types, at once."""
        rows = [row for row in self.manifest["keys"] if row["kind"] != "const"]
        types = {"int0": torch.int64}
        return {
            row["key"]: torch.empty(row["shape"], dtype=types.get(row["kind"], torch.float32), device="meta") for row in rows
        }

    def state(self, prefix: str = "") -> dict[str, Tensor]:
        """The weights whose keys begin with ``prefix``, which is removed. Constants of the architecture are left out."""
        return {key.removeprefix(prefix): value for key, value in _weights(self.name).items() if key.startswith(prefix)}


def load_set(name: str) -> ParitySet:
    """The set at a path under ``tests/data/parity``, such as ``superslomo/superslomo``."""
    manifest = json.loads((DATA / f"{name}.json").read_text())
    stored = load_file(DATA / f"{name}.safetensors")
    inputs = {key: _frame(row) if "shift" in row else stored[f"in.{key}"] for key, row in manifest["inputs"].items()}
    expected = {key.removeprefix("out."): value for key, value in stored.items() if key.startswith("out.")}
    tolerance = manifest["tolerance"]
    return ParitySet(name, inputs, expected, manifest["options"], tolerance["atol"], tolerance.get("rtol", 0.0), manifest)


def load_cases(name: str = "primitives/primitives") -> dict[str, Case]:
    """The cases of a set of operators, keyed by name."""
    manifest = json.loads((DATA / f"{name}.json").read_text())
    stored = load_file(DATA / f"{name}.safetensors")
    tolerance = manifest["tolerance"]
    return {
        case: Case(
            case,
            {key: stored[f"{case}/in.{key}"] for key in row["inputs"]},
            {key: stored[f"{case}/out.{key}"] for key in row["outputs"]},
            row["options"],
            tolerance["atol"],
            tolerance["rtol"],
        )
        for case, row in manifest["cases"].items()
    }


def _frame(row: Mapping[str, Any]) -> Tensor:
    """An input [1,3,H,W], 0..1, or -1..1 if signed."""
    frame = torch.from_numpy(waves(*row["shape"][-2:], *row["shift"]))[None]
    return frame * 2 - 1 if row.get("signed") else frame


@lru_cache(maxsize=1)
def _weights(name: str) -> dict[str, Tensor]:
    return drawn(json.loads((DATA / f"{name}.json").read_text())["keys"])


KINDS: dict[str, Callable[[np.ndarray, float], np.ndarray]] = {
    "weight": lambda n, gain: n * gain / math.sqrt(max(1, math.prod(n.shape[1:]))),
    "weight_t": lambda n, gain: n * gain / math.sqrt(n.shape[0]),
    "bias": lambda n, gain: 0.05 * gain * n,
    "bias_pos": lambda n, gain: gain * (1 + 0.1 * n),
    "norm_weight": lambda n, gain: 1 + 0.1 * n,
    "norm_scaled": lambda n, gain: gain * (1 + 0.1 * n),
    "norm_bias": lambda n, gain: 0.1 * n,
    "running_mean": lambda n, gain: 0.1 * n,
    "running_var": lambda n, gain: 1 + 0.1 * np.abs(n),
    "prelu": lambda n, gain: 0.25 + 0.05 * n,
    "codebook": lambda n, gain: gain * n,
    "scalar1": lambda n, gain: 1 + 0.1 * n,
}
"""Turns normal noise n into a tensor, keyed by the kind given in the manifest."""


def drawn(rows: list[dict[str, Any]]) -> dict[str, Tensor]:
    """A state dict, each tensor made from noise seeded with its key."""
    state: dict[str, Tensor] = {}
    for row in rows:
        key, kind = row["key"], row["kind"]
        if kind == "alias":
            state[key] = state[row["alias_of"]]
        elif kind == "int0":
            state[key] = torch.zeros(row["shape"], dtype=torch.int64)
        elif kind != "const":
            seed = int.from_bytes(hashlib.sha256(key.encode()).digest()[:8], "little")
            noise = np.random.Generator(np.random.PCG64(seed)).standard_normal(row["shape"])
            state[key] = torch.from_numpy(np.asarray(KINDS[kind](noise, row.get("gain", 1.0)), np.float32))
    return state


WAVES = (
    (0.16, 1 / 23, 1 / 31, 0.0),
    (0.12, 1 / 11, -1 / 17, 0.7),
    (0.08, -1 / 7, 1 / 9, 1.9),
    (0.06, 1 / 5, 1 / 6, 2.6),
    (0.05, 1 / 41, 1 / 13, 4.1),
)
"""Amplitude, frequencies in x and y, phase."""


def waves(height: int, width: int, dx: float, dy: float) -> np.ndarray:
    """A frame [3,H,W] float32 of waves that have moved by (dx, dy) pixels."""
    y, x = np.mgrid[0:height, 0:width].astype(np.float64)
    channels = [
        0.5 + sum(a * np.sin(2 * np.pi * (fx * (x - dx) + fy * (y - dy)) + phase + 1.3 * channel) for a, fx, fy, phase in WAVES)
        for channel in range(3)
    ]
    return np.stack(channels).astype(np.float32)
