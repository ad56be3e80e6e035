"""Stored outputs of published networks, and the weights and frames that produced them.

A set is a manifest, ``NAME.json``, and its tensors, ``NAME.safetensors``, keyed ``case/tensor``. Trained weights are not
stored: every weight is random, seeded with its own key, so that a network with the published keys, shapes and arithmetic
gives the stored outputs. Outputs are stored without padding, every fourth row and column.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from torch import Tensor

DATA = Path(__file__).parent / "data" / "parity"


@dataclass(frozen=True)
class Case:
    """One call of a network, on ``count`` frames; ``height`` and ``width`` are those of the picture without padding."""

    name: str
    height: int
    width: int
    count: int
    motion: float
    timesteps: tuple[float, ...]
    pad: dict[str, Any]
    options: dict[str, Any]
    frames_sha256: str
    expected: dict[str, Tensor]

    @property
    def pictures(self) -> Tensor:
        """[N,3,H,W], without padding."""
        made = synthetic_frames(self.height, self.width, self.count, self.motion)
        assert hashlib.sha256(made.tobytes()).hexdigest() == self.frames_sha256, "the frames are not those of the manifest"
        return torch.from_numpy(made)

    @property
    def padding(self) -> tuple[int, int, int, int]:
        """Left, right, top and bottom."""
        down, right = -self.height % self.pad["multiple"], -self.width % self.pad["multiple"]
        if self.pad["align"] == "topleft":
            return 0, right, 0, down
        return right // 2, right - right // 2, down // 2, down - down // 2

    @property
    def window(self) -> Tensor:
        """[1,N,3,H,W], padded."""
        return F.pad(self.pictures, self.padding, mode=self.pad["mode"])[None]

    def times(self, t: float) -> Tensor:
        """``t`` [1]; a time per pixel around it, [1,1,H,W] with padding, if the case is one of those."""
        if not self.options.get("map"):
            return torch.tensor([t])
        height, width = self.window.shape[-2:]
        y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
        return (t + 0.2 * torch.sin(2 * math.pi * (x / 37 + y / 53)))[None, None]

    def cut(self, padded: Tensor) -> Tensor:
        """Without padding."""
        left, _, top, _ = self.padding
        return padded[..., top : top + self.height, left : left + self.width]


@dataclass(frozen=True)
class ParitySet:
    name: str
    manifest: dict[str, Any]
    cases: tuple[Case, ...]

    def state(self) -> dict[str, Tensor]:
        """The state dict, generated as the manifest says."""
        return filled(self.name, json.dumps(self.manifest))

    def blank(self) -> dict[str, Tensor]:
        """The state dict on the meta device: names, shapes and types, at once."""
        rows = self.manifest["state_dict"].items()
        return {key: torch.empty(shape, dtype=getattr(torch, dtype), device="meta") for key, (shape, dtype) in rows}

    def compare(self, case: Case, key: str, got: Tensor) -> None:
        """Assert that ``got``, whole and without padding, matches the stored tensor ``key`` within the set's tolerance."""
        tolerance = self.manifest["tolerance"]
        prefix = "flow_" if "flow" in key else ""
        compare(
            got,
            case.expected[key],
            rtol=tolerance[f"{prefix}rtol"],
            atol=tolerance[f"{prefix}atol"],
            what=f"{self.name}: {case.name}/{key}",
        )


def compare(got: Tensor, expected: Tensor, *, rtol: float, atol: float, what: str) -> None:
    got = got.detach().float()
    got = got[..., 1::4, 1::4] if got.ndim >= 4 else got.reshape(expected.shape)
    torch.testing.assert_close(got, expected, rtol=rtol, atol=atol, msg=lambda text: f"{what}: {text}")


def names(folder: str) -> list[str]:
    """The names of a folder's sets, such as ``rife/rife_v4.6``."""
    return sorted(f"{folder}/{path.stem}" for path in (DATA / folder).glob("*.json"))


def load_set(name: str) -> ParitySet:
    manifest = json.loads((DATA / f"{name}.json").read_text())
    tensors = load_file(DATA / f"{name}.safetensors")
    cases = tuple(
        Case(
            name=case["name"],
            height=case["height"],
            width=case["width"],
            count=case["frames"],
            motion=case["motion"],
            timesteps=tuple(case["timesteps"]),
            pad=case["pad"],
            options=case["options"],
            frames_sha256=case["input_sha256"],
            expected={
                key.removeprefix(f"{case['name']}/"): value
                for key, value in tensors.items()
                if key.startswith(f"{case['name']}/")
            },
        )
        for case in manifest["cases"]
    )
    return ParitySet(name, manifest, cases)


@lru_cache(maxsize=1)
def filled(name: str, manifest_text: str) -> dict[str, Tensor]:
    manifest = json.loads(manifest_text)
    arrays = {
        key: drawn(key, shape, manifest["recipe"]["rules"], dtype) for key, (shape, dtype) in manifest["state_dict"].items()
    }
    assert digest(arrays) == manifest["recipe"]["sha256"], f"{name}: the weights are not those of the manifest"
    return {key: torch.from_numpy(array) for key, array in arrays.items()}


def digest(arrays: dict[str, np.ndarray]) -> str:
    """The SHA-256 of weights, by name, shape and value."""
    total = hashlib.sha256()
    for key in sorted(arrays):
        total.update(f"{key}{list(arrays[key].shape)}".encode())
        total.update(arrays[key].astype(arrays[key].dtype.newbyteorder("<"), copy=False).tobytes())
    return total.hexdigest()


def drawn(key: str, shape: list[int], rules: list[dict[str, Any]], dtype: str) -> np.ndarray:
    """One weight, by the first rule that matches: ``base + std * n``, with n normal noise seeded with the key.

    ``abs`` takes |n|; ``fan`` divides by the square root of the fan-in; ``eye`` adds the identity, so that a square matrix has
    an inverse of its own size.
    """
    if dtype.startswith("int"):
        return np.zeros(shape, dtype)
    rule = next(
        rule
        for rule in rules
        if rule.get("ndim_min", 0) <= len(shape) <= rule.get("ndim_max", 99) and re.search(rule["match"], key)
    )
    weight = np.full(shape, float(rule.get("base", 0)))
    if std := float(rule.get("std", 0)):
        seed = int.from_bytes(hashlib.sha256(key.encode()).digest()[:8], "little")
        noise = np.random.Generator(np.random.PCG64(seed)).standard_normal(shape)
        std /= math.sqrt(math.prod(shape[1:])) if rule.get("fan") else 1
        weight += std * (np.abs(noise) if rule.get("abs") else noise)
    if rule.get("eye"):
        weight += np.eye(*shape[:2]).reshape(shape)
    return weight.astype(dtype)


WAVES = ((1 / 23, 1 / 61, 0.3), (-1 / 47, 1 / 19, 1.1), (1 / 11, 1 / 13, 2.0), (1 / 97, -1 / 71, 0.7))
AMPLITUDES = (0.14, 0.12, 0.05, 0.09)


def synthetic_frames(height: int, width: int, count: int, motion: float) -> np.ndarray:
    """[N,3,H,W] float32: waves drift by (3, -1.5) * motion pixels per frame, behind a disc drifting by (-4, 2.5) * motion."""
    y, x = np.mgrid[0:height, 0:width].astype(np.float64)
    turn = 2 * np.pi
    frames = np.empty((count, 3, height, width))
    for index in range(count):
        moved_x, moved_y = x - 3 * motion * index, y + 1.5 * motion * index
        dx, dy = x - (0.45 * width - 4 * motion * index), y - (0.5 * height + 2.5 * motion * index)
        inside = 1 / (1 + np.exp((np.sqrt(dx**2 + dy**2) - 0.22 * min(height, width)) / 1.2))
        for channel in range(3):
            behind = 0.5 + sum(
                amplitude * np.sin(turn * (fx * moved_x + fy * moved_y) + phase + 0.9 * channel * (wave + 1))
                for wave, (amplitude, (fx, fy, phase)) in enumerate(zip(AMPLITUDES, WAVES, strict=True))
            )
            disc = 0.5 + 0.28 * np.sin(turn * (dx / 9 - dy / 17) + 1.3 * channel) * (0.6 + 0.4 * np.cos(turn * dy / 7))
            frames[index, channel] = behind * (1 - inside) + disc * inside
    return np.clip(frames, 0, 1).astype(np.float32)
