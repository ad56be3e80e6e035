"""Records the finished chunks of an output in a hidden folder beside it, so that an interrupted run can be resumed.

Owns that folder, the list of finished chunks, and the recipe: everything that decides the output, by which an earlier run of
the same work is recognised. Knows nothing of the content of chunks.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import fields, is_dataclass
from importlib.metadata import PackageNotFoundError, version
from itertools import count, takewhile
from pathlib import Path

from filelock import FileLock, Timeout

from ..clips.clip import Done
from ..clips.images import image_files
from ..core import InputError
from ..parse import seconds

PACKAGES = ("torch", "numpy", "av", "opencv-python", "opencv-python-headless", "scenedetect")
"""Packages whose version may change a pixel."""


class Journal:
    """The folder ``.NAME.work`` beside ``target`` and its finished chunks; locked while the journal is open.

    ``recipe`` lists, by name, everything that decides the output. A folder made with another recipe is emptied, and ``notes``
    says why. ``chunks`` are the finished ones by number. Raises `InputError` if the folder cannot be made or another run is
    using it.
    """

    def __init__(self, target: Path, recipe: Mapping[str, str]) -> None:
        self.folder = target.with_name(f".{target.name}.work")
        self.notes: list[str] = []
        self.chunks: dict[int, Done] = {}
        self._recipe = dict(recipe)
        try:
            self.folder.mkdir(exist_ok=True)
            self._lock = FileLock(self.folder / "lock")
            self._lock.acquire(blocking=False)
        except Timeout as error:
            raise InputError(f"{target} is being made by another run: wait for it, or give another name") from error
        except FileNotFoundError as error:
            raise InputError(f"{target} cannot be written: there is no folder {target.parent}") from error
        except OSError as error:
            raise InputError(f"{target} cannot be written: {error.strerror}") from error
        try:
            self._take_up()
        except BaseException:
            self._lock.release()
            raise

    @property
    def done(self) -> Done:
        """The finished chunks together, up to the first missing one."""
        row = [self.chunks[number] for number in takewhile(self.chunks.__contains__, count())]
        return Done(sum(chunk.frames for chunk in row), row[0].start, row[-1].end) if row else Done()

    def chunk(self, number: int) -> Path:
        """The path of chunk ``number``, whether it exists or not."""
        return self.folder / f"{number:06d}"

    @property
    def whole(self) -> Path:
        """The path where the chunks are joined."""
        return self.folder / "whole"

    def finish(self, number: int, chunk: Done) -> None:
        """Record a chunk as finished; its files must be in place."""
        self.chunks[number] = chunk
        self._save()

    def keep(self, first: int) -> None:
        """Forget the chunks from number ``first`` on."""
        for number in [number for number in self.chunks if number >= first]:
            del self.chunks[number]
            delete(self.chunk(number))
        self._save()

    def close(self) -> None:
        """Leave the finished chunks for another run, or nothing if there are none."""
        if self.chunks:
            self._lock.release()
        else:
            self.remove()

    def remove(self) -> None:
        """Delete the folder."""
        self._lock.release()
        shutil.rmtree(self.folder)

    def _take_up(self) -> None:
        """Read the list of finished chunks and delete everything else."""
        before, chunks = self._read()
        other = sorted(name for name in before.keys() | self._recipe.keys() if before.get(name) != self._recipe.get(name))
        if before and other:
            self.notes.append(f"chunks from an earlier run differ in {', '.join(other)}: starting over")
            chunks = {}
        if not all(self.chunk(number).exists() for number in chunks):
            self.notes.append(f"chunks from an earlier run are missing from {self.folder}: starting over")
            chunks = {}
        self.chunks = chunks
        kept = {Path(self._lock.lock_file), *map(self.chunk, chunks)}
        kept |= {self.whole} if self.chunks else set()  # images are moved there one by one
        for path in self.folder.iterdir():
            if path not in kept:
                delete(path)
        self._save()

    @property
    def _file(self) -> Path:
        return self.folder / "journal.json"

    def _read(self) -> tuple[dict[str, str], dict[int, Done]]:
        """The recorded recipe and chunks; empty if there is no journal or it is damaged."""
        if not self._file.exists():
            return {}, {}
        try:
            written = json.loads(self._file.read_text(encoding="utf-8"))
            chunks = {
                number: Done(int(chunk[0]), seconds(chunk[1]), seconds(chunk[2]))
                for number, chunk in enumerate(written["chunks"])
                if chunk is not None
            }
            return dict(written["recipe"]), chunks
        except (ValueError, KeyError, IndexError, TypeError, ZeroDivisionError):
            self.notes.append(f"{self._file} is damaged: starting over")
            return {}, {}

    def _save(self) -> None:
        found = map(self.chunks.get, range(max(self.chunks, default=-1) + 1))
        chunks = [None if chunk is None else (chunk.frames, str(chunk.start), str(chunk.end)) for chunk in found]
        beside = self._file.with_suffix(".new")
        try:
            with beside.open("w", encoding="utf-8") as file:
                json.dump({"recipe": self._recipe, "chunks": chunks}, file)
                file.flush()
                os.fsync(file.fileno())
            beside.replace(self._file)
        except OSError as error:
            raise InputError(f"{self._file} cannot be written: {error.strerror}") from error


def delete(path: Path) -> None:
    """Delete a file, or a folder with its content, if it exists."""
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def versions() -> str:
    """The versions of the packages that may change a pixel."""
    found = []
    for package in PACKAGES:
        try:
            found.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            continue
    return ", ".join(found)


def recipe(**decisions: object) -> dict[str, str]:
    """Everything that decides an output, as text by name. Anything not listed here does not invalidate kept chunks.

    A dataclass counts field by field. A file or a folder of images counts by its content, not by its name.
    """
    found = {"versions": versions()}
    for name, value in decisions.items():
        if is_dataclass(value) and not isinstance(value, type):
            found |= {f"{name} {one.name}": identity(getattr(value, one.name)) for one in fields(value) if one.init}
        else:
            found[name] = identity(value)
    return found


def identity(value: object) -> str:
    """A text that is the same for the same value; files and folders of images are identified by their content."""
    if isinstance(value, Path):
        return digest([value] if value.is_file() else image_files(value))
    if isinstance(value, list | tuple):
        return ", ".join(map(identity, value))
    return str(value)


def digest(files: Iterable[Path]) -> str:
    """The SHA-256 of the sizes and contents of files, in order. Raises `InputError` if one cannot be read."""
    total = hashlib.sha256()
    for path in files:
        try:
            total.update(f"{path.stat().st_size};".encode())
            with path.open("rb") as file:
                while block := file.read(2**20):
                    total.update(block)
        except OSError as error:
            raise InputError(f"{path} cannot be read: {error.strerror}") from error
    return total.hexdigest()
