"""A Python with VapourSynth (3.12 or later) and without torch, found or built; the worker's command; and what `cases` found.

Looked for: the Python that ``INBETWEEN_VAPOURSYNTH_PYTHON`` names, this one, those of pyenv, and those on PATH. With
``INBETWEEN_BUILD_VAPOURSYNTH=1`` an environment is made for one that lacks it, once, in the cache folder: 99 MB. Otherwise the
tests are skipped.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import parity
import pytest
from filelock import FileLock
from safetensors.torch import save_file

ROOT = Path(__file__).parent.parent.parent
HERE = Path(__file__).parent
NEEDED = ("vapoursynth==81", "numpy")
FIT = "import importlib.util, numpy, vapoursynth; vapoursynth.core; assert importlib.util.find_spec('torch') is None"


@dataclass(frozen=True)
class Home:
    """``python`` has VapourSynth and ``vspipe`` runs its scripts, in this ``environment``, which names the worker's command."""

    python: Path
    vspipe: Path
    environment: dict[str, str]

    def run(self, *arguments: object, **options: object) -> subprocess.CompletedProcess[str]:
        """A script run by this Python."""
        words = [str(self.python), *map(str, arguments)]
        return subprocess.run(words, env=self.environment, text=True, capture_output=True, check=False, timeout=560, **options)  # type: ignore[call-overload]


def pythons() -> Iterator[Path]:
    """Every Python that may have VapourSynth."""
    if named := os.environ.get("INBETWEEN_VAPOURSYNTH_PYTHON"):
        yield Path(named)
        return
    yield Path(sys.executable)
    yield cached() / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    for version in sorted(Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")).glob("versions/3.1[2-9]*"), reverse=True):
        yield version / "bin" / "python"
    for minor in range(19, 11, -1):
        if found := shutil.which(f"python3.{minor}"):
            yield Path(found)


def cached() -> Path:
    """The folder of the environment that is made."""
    folder = os.environ.get("INBETWEEN_TEST_CACHE") or Path.home() / ".cache" / "inbetween-vfi-tests"
    return Path(folder) / "vapoursynth"


def has(python: Path, code: str) -> bool:
    """Whether a Python runs this code."""
    return python.is_file() and subprocess.run([python, "-c", code], capture_output=True, check=False).returncode == 0


def found() -> Path:
    """A Python with VapourSynth; skips the test if there is none."""
    for python in pythons():
        if has(python, FIT):
            return python
    if named := os.environ.get("INBETWEEN_VAPOURSYNTH_PYTHON"):
        pytest.fail(f"INBETWEEN_VAPOURSYNTH_PYTHON names {named}, which must have VapourSynth and NumPy, and no torch")
    if not os.environ.get("INBETWEEN_BUILD_VAPOURSYNTH"):
        pytest.skip(
            "no Python 3.12 or later with VapourSynth and NumPy: INBETWEEN_VAPOURSYNTH_PYTHON names one, "
            "INBETWEEN_BUILD_VAPOURSYNTH=1 makes one (99 MB)"
        )
    for python in pythons():
        if has(python, "import sys, venv; assert sys.version_info >= (3, 12)"):
            subprocess.run([python, "-m", "venv", "--clear", cached()], check=True)
            made = cached() / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
            subprocess.run([made, "-m", "pip", "install", "--quiet", *NEEDED], check=True)
            return made
    pytest.skip("no Python 3.12 or later was found: VapourSynth needs one")


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """A Python with VapourSynth and without torch, and the command of this checkout as the worker."""
    with FileLock(shared(tmp_path_factory) / "vapoursynth.lock"):
        python = found()
    folder = tmp_path_factory.mktemp("vapoursynth")
    worker = folder / "vfi"
    worker.write_text(f'#!/bin/sh\nPYTHONPATH="{ROOT}" OMP_NUM_THREADS=1 exec "{sys.executable}" -m vfi "$@"\n')
    worker.chmod(0o755)
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "XDG_CONFIG_HOME": str(folder / "config"),  # `vapoursynth config` writes there
        "INBETWEEN_VFI": str(worker),
    }
    asked = [python, "-c", "import sysconfig; print(sysconfig.get_path('scripts'))"]
    scripts = Path(subprocess.run(asked, check=True, capture_output=True, text=True).stdout.strip())
    for name in ("vapoursynth", "vspipe"):
        assert (scripts / name).exists(), f"{scripts} has no {name}"
    subprocess.run([scripts / "vapoursynth", "config"], env=environment, check=True, capture_output=True)
    return Home(python, scripts / "vspipe", environment)


@dataclass(frozen=True)
class Outcome:
    """What went wrong in each case, None if nothing did; and the folder with what they wrote."""

    errors: dict[str, str | None]
    folder: Path


@pytest.fixture(scope="session")
def outcome(home: Home, tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    """All cases of `cases`, run once, in one process of that Python, so that they share a worker."""
    folder = shared(tmp_path_factory) / "vapoursynth-cases"
    report = folder / "report.json"
    with FileLock(f"{folder}.lock"):
        if not report.exists():
            folder.mkdir(exist_ok=True)
            save_file(parity.load_set("flavr/flavr_4x").state(), folder / "four.safetensors")
            done = home.run(HERE / "cases.py", folder)
            assert report.exists(), done.stderr
            assert done.stdout == "", "something was printed, which would be in the picture of a y4m stream"
    return Outcome(json.loads(report.read_text()), folder)


def shared(factory: pytest.TempPathFactory) -> Path:
    """The temporary folder of this run of the tests, which its processes share."""
    folder = factory.getbasetemp()
    return folder.parent if "PYTEST_XDIST_WORKER" in os.environ else folder
