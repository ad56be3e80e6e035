"""TensorRT's engines on disk, each in a folder of its own that only the same work on the same machine finds again.

A build goes to a folder beside and is renamed once it is whole. Knows nothing of networks or of ONNX Runtime.
"""

from __future__ import annotations

import ctypes
import hashlib
import importlib
import json
import logging
import shutil
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TypeVar

from ..weights.folders import cache_folder

log = logging.getLogger(__name__)

FOLDER = "tensorrt"
"""The folder of all engines, in `weights.folders.cache_folder`."""

NOTE = "engine.json"
"""The file that says what an engine was built for; without it, a folder holds none."""

TIMINGS = "timings"
"""The folder of TensorRT's timing cache: inside an engine's while it is built, and one per machine between builds."""

LIBRARIES = [pattern.format(version) for version in (11, 10) for pattern in ("libnvinfer.so.{}", "nvinfer_{}.dll")]
"""TensorRT's library, by the names of its versions."""

Made = TypeVar("Made")


class EngineError(Exception):
    """An engine cannot be built, or a kept one cannot be used."""


@dataclass(frozen=True)
class Machine:
    """What an engine runs on: the GPU's name and compute capability, and the versions of driver, TensorRT and ONNX Runtime."""

    gpu: str
    driver: str
    tensorrt: str
    runtime: str


@dataclass(frozen=True)
class Work:
    """What an engine computes: the exported program's hash, the shapes of its inputs, its precision and the build's options."""

    program: str
    shapes: str
    precision: str
    options: str


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def folder(work: Work, machine: Machine) -> Path:
    """The folder of the engine that does ``work`` on ``machine``."""
    return cache_folder() / FOLDER / _key(asdict(work) | asdict(machine))


def tensorrt_version() -> str | None:
    """The version of TensorRT that can be loaded, or all of them; None if none tells."""
    told = []
    try:
        told.append(str(importlib.import_module("tensorrt").__version__))  # loads the libraries of its wheel too
    except (ImportError, OSError, AttributeError) as error:  # not installed, without its libraries, or a folder of that name
        log.debug("the package tensorrt tells no version: %s", error)
    for name in LIBRARIES:
        try:
            told.append(str(ctypes.CDLL(name).getInferLibVersion()))
        except (OSError, AttributeError):
            continue
    return " ".join(told) or None


def built(work: Work, machine: Machine | None, create: Callable[[Path | None], Made]) -> Made:
    """The result of ``create``, told the folder where it finds the engine or leaves it.

    ``create`` gets None if ``machine`` is None, that is if its versions are unknown: then nothing is kept. If it raises
    `EngineError` for a kept engine, that is deleted and built again. A log line before a build says that it takes minutes, and
    one after it how long it took.
    """
    if machine is None:
        return _built(work, "it is not kept, because the version of the driver or of TensorRT is unknown", lambda: create(None))
    kept = folder(work, machine)
    if (kept / NOTE).is_file():
        try:
            return _reused(kept, create)
        except EngineError as error:
            log.warning("the TensorRT engine in %s cannot be used: %s", kept, error)
            shutil.rmtree(kept)
    kept.parent.mkdir(parents=True, exist_ok=True)
    timings = kept.parent / f"{TIMINGS}-{_key(asdict(machine))}"
    new = Path(tempfile.mkdtemp(dir=kept.parent, prefix="building-"))
    try:
        (new / TIMINGS).mkdir()
        if timings.is_dir():
            shutil.copytree(timings, new / TIMINGS, dirs_exist_ok=True)
        made = _built(work, f"it is kept in {kept}", lambda: create(new))
        _keep_timings(new / TIMINGS, timings)
        (new / NOTE).write_text(json.dumps(asdict(work) | asdict(machine), indent=1))
        _rename(new, kept)
        return made
    finally:
        shutil.rmtree(new, ignore_errors=True)  # still there if the build failed, or another process was faster


def _key(facts: dict[str, str]) -> str:
    return digest(json.dumps(facts, sort_keys=True).encode())[:32]


def _built(work: Work, where: str, create: Callable[[], Made]) -> Made:
    log.warning("TensorRT builds an engine for inputs of %s in %s: this takes minutes; %s", work.shapes, work.precision, where)
    start = time.monotonic()
    made = create()
    log.warning("TensorRT built the engine in %.0f seconds", time.monotonic() - start)
    return made


def _reused(kept: Path, create: Callable[[Path | None], Made]) -> Made:
    """The result of ``create`` with the engine in ``kept``; a warning tells if that was built again nevertheless."""

    def engines() -> dict[Path, int]:
        return {file: file.stat().st_mtime_ns for file in kept.glob("*.engine")}

    before = engines()
    log.info("the TensorRT engine in %s is used", kept)
    made = create(kept)
    if engines() != before:
        log.warning("TensorRT built its engine again, although one was kept in %s", kept)
    return made


def _keep_timings(new: Path, kept: Path) -> None:
    """Copy the timing cache of a build to where the machine's next build finds it, each file at once."""
    kept.mkdir(exist_ok=True)
    for file in new.iterdir():
        part = new.parent / file.name
        shutil.copy(file, part)
        part.replace(kept / file.name)


def _rename(new: Path, kept: Path) -> None:
    try:
        new.replace(kept)
    except OSError:
        if not (kept / NOTE).is_file():  # else another process has built the same
            raise
