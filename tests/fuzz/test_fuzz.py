"""A short run of damaged files from a fixed seed, and the files that once showed a fault; CI goes on for five minutes."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
import time
from pathlib import Path
from random import Random

import pytest

from fuzz import mutate
from tests.fuzz import server

ROOT = Path(__file__).parents[2]

posix = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs processes that fork")


def fuzz(*arguments: str) -> str:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    line = [sys.executable, "-m", "tests.fuzz", *arguments]
    done = subprocess.run(line, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@posix
def test_damaged_files_end_in_a_sentence(tmp_path: Path):
    assert "'new': 20" in fuzz("--seed", "20", "--files", "20", "--keep", str(tmp_path))


@posix
@pytest.mark.exhaustive
def test_files_that_showed_a_fault_do_so_no_more():
    assert "'files'" in fuzz("--seeds", "--files", "0")


@posix
@pytest.mark.exhaustive
def test_undamaged_files_are_read_by_every_command(tmp_path: Path):
    assert "'refused'" not in fuzz("--whole", "--keep", str(tmp_path))


@pytest.mark.parametrize("mutator", [*mutate.BINARY, *mutate.TEXT], ids=lambda mutator: mutator.__name__)
@pytest.mark.parametrize("data", [b"a", b"ab", b'{"size": 12}', bytes(range(256)) * 4])
def test_damage_is_the_same_for_the_same_seed(mutator: mutate.Mutator, data: bytes):
    changed = []
    for _ in range(2):
        random, damaged = Random(3), bytearray(data)
        for _ in range(20):
            if damaged:
                mutator(random, damaged, [b"other", data])
        changed.append(bytes(damaged))
    assert changed[0] == changed[1]
    assert len(data) < 100 or changed[0] != data


@posix
def test_a_process_that_computes_or_waits_for_ever_is_ended(monkeypatch: pytest.MonkeyPatch):
    assert server._forked(lambda: 3, 5) == 3
    assert server._forked(lambda: sum(itertools.count()), 0.2) is None
    monkeypatch.setattr(server, "WAITING", 1)
    assert server._forked(lambda: time.sleep(100), 0.2) is None


@posix
@pytest.mark.parametrize(
    ("ended", "told", "faults"),
    [
        (0, "note: fine\n", []),
        (2, "vfi: a is not b: give c\n", []),
        (None, "", ["did not end in time"]),
        (-11, "", ["ended by the signal SIGSEGV"]),
        (1, "Traceback (most recent call last):\n", ["traceback", "ended with 1"]),
        (2, "vfi: one\nvfi: two\n", ["ended with 2 sentences"]),
        (2, "", ["ended with 0 sentences"]),
        (2, "vfi: odd (VFI_DEBUG=1 shows where)\n", ["caught by the last net only"]),
        (97, "said 3 frames, and wrote 2\n", ["lied: said 3 frames, and wrote 2"]),
    ],
)
def test_a_fault_is_told(ended: int | None, told: str, faults: list[str]):
    """What `server` judges is not always right: each kind of ending is told from the others."""
    assert server._faults_of_ending(ended, told, "") == faults
