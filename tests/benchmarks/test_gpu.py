"""The script for a device: it starts, and Framer's steps are timed with networks of its own shapes."""

from __future__ import annotations

import importlib
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import tweening

from vfi.model import load

ROOT = Path(__file__).parents[2]


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sys, "path", list(sys.path))
    return importlib.import_module("benchmarks.gpu")


@pytest.mark.parametrize("control", [False, True])
def test_steps_of_framer_are_timed(script, control: bool, monkeypatch: pytest.MonkeyPatch):
    whole = tweening.table
    monkeypatch.setattr(tweening, "table", lambda name: whole(name.removeprefix("real_")))
    monkeypatch.setattr(script, "WIDTH", 128)
    monkeypatch.setattr(script, "HEIGHT", 64)
    record = script.stepped(torch.device("cpu"), torch.float32, control=control)
    assert record["seconds per step"] > 0
    assert record["peak"] is None


def test_models_that_are_not_on_disk_are_timed_with_random_weights(script, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(load, "there", lambda name: False)
    names = {name: script.timed(name).spec.name for name in script.WHOLE if name not in ("film", "gmfss-union")}
    assert names == {"rife-4.25": "rife-4.25/4.26", "rife-4.26": "rife-4.25/4.26", "inbetween-s": "inbetween-s"}


def test_the_script_says_what_it_takes():
    told = subprocess.run(
        [sys.executable, ROOT / "benchmarks" / "gpu.py", "--help"], capture_output=True, text=True, check=True
    )
    assert "--small" in told.stdout
    assert "--pack" in told.stdout
