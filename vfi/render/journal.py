"""Records the finished chunks of an output in a hidden folder beside it, so that an interrupted run can be resumed.

Owns that folder, the list of finished chunks, and the recipe: everything that decides the output, by which an earlier run of
the same work is recognised. Knows nothing of the content of chunks.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import stat
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import fields, is_dataclass
from importlib.metadata import PackageNotFoundError, version
from itertools import count, takewhile
from pathlib import Path

from filelock import FileLock, Timeout

from ..clips.clip import Done
from ..clips.images import image_files
from ..core import InputError
from ..parse import seconds

MADE = re.compile(r"\d{6,}|whole[.\w]*|journal\.(json|new)|lock|\.(\d{6,}|whole)\.partial-[.\w-]+")
"""The names in a work folder that this library makes: only these are deleted."""

PACKAGES = ("torch", "numpy", "av", "opencv-python", "opencv-python-headless", "scenedetect")
"""Packages whose version may change a pixel."""


class Journal:
    """The folder ``.NAME.work`` beside ``target`` and its finished chunks; locked while the journal is open.

    ``recipe`` lists, by name, everything that decides the output. Chunks made with another recipe are deleted, and ``notes``
    says why. ``chunks`` are the finished ones by number; one whose files changed since is made again. Nothing is deleted that
    a journal did not make. Raises `InputError` if the folder cannot be made, is not a work folder of this user, or is in use.
    """

    def __init__(self, target: Path, recipe: Mapping[str, str]) -> None:
        self.folder = target.with_name(f".{target.name}.work")
        self.notes: list[str] = []
        self.chunks: dict[int, Done] = {}
        self._sums: dict[int, tuple[int, str]] = {}
        self._recipe = dict(recipe)
        try:
            try:
                self.folder.mkdir()
            except FileExistsError:
                self._require_own()
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
        self._sums[number] = self._sum([number])
        self.chunks[number] = chunk
        self._save()

    def verify(self) -> None:
        """Forget the finished chunks whose files changed since. Raises `InputError` if there are any."""
        if changed := self._changed():
            self._forget(changed)
            self._save()
            raise InputError(
                f"{self.folder} has damaged chunks, {named(changed)}: run the same command again to make them again"
            )

    def keep(self, first: int) -> None:
        """Forget the chunks from number ``first`` on."""
        self._forget([number for number in self.chunks if number >= first])
        self._save()

    def close(self) -> None:
        """Leave the finished chunks for another run, or nothing if there are none."""
        if self.chunks:
            self._lock.release()
        else:
            self.remove()

    def remove(self) -> None:
        """Delete the folder and all that was made in it; it stays if it holds anything else."""
        self._lock.release()
        for path in self._made():
            delete(path)
        with suppress(OSError):
            self.folder.rmdir()

    def _require_own(self) -> None:
        """Raises `InputError` unless the existing folder is a work folder of this user: never one that a link leads to."""
        found = self.folder.lstat()
        own = stat.S_ISDIR(found.st_mode) and (not hasattr(os, "geteuid") or found.st_uid == os.geteuid())
        if own:
            inside = list(self.folder.iterdir())
            own = not any(path.is_symlink() for path in inside)
            own = own and (all(MADE.fullmatch(path.name) for path in inside) or bool(self._read()[0]))
            self.notes.clear()
        if not own:
            raise InputError(
                f"{self.folder.parent} cannot be written: {self.folder} is not a work folder of yours; "
                "move it away, or give the output another name"
            )

    def _made(self) -> list[Path]:
        """Everything in the folder that a journal or a writer made."""
        return [path for path in self.folder.iterdir() if MADE.fullmatch(path.name)]

    def _sum(self, numbers: Iterable[int], *beside: Path) -> tuple[int, str]:
        """The size and a checksum of the files of chunks, and of those ``beside``, together: wherever each of them lies."""
        size, total = 0, 0
        for path in files_of([*map(self.chunk, numbers), *beside]):
            size += path.stat().st_size
            total += int(digest([path]), 16)
        return size, f"{total % 2**256:064x}"

    def _changed(self) -> list[int]:
        """The finished chunks whose files changed since."""
        return [number for number in sorted(self.chunks) if self._sum([number]) != self._sums[number]]

    def _forget(self, numbers: Iterable[int]) -> None:
        for number in numbers:
            del self.chunks[number]
            delete(self.chunk(number))

    def _take_up(self) -> None:
        """Read the list of finished chunks and delete everything else that was made."""
        before, chunks = self._read()
        other = sorted(name for name in before.keys() | self._recipe.keys() if before.get(name) != self._recipe.get(name))
        if before and other:
            self.notes.append(f"chunks from an earlier run differ in {', '.join(other)}: starting over")
            chunks = {}
        if not all(self.chunk(number).exists() for number in chunks):
            self.notes.append(f"chunks from an earlier run are missing from {self.folder}: starting over")
            chunks = {}
        self.chunks = chunks
        if self.chunks and self.whole.is_dir():  # images are moved there one by one
            sums = [self._sums[number] for number in chunks]
            wanted = sum(size for size, _ in sums), f"{sum(int(total, 16) for _, total in sums) % 2**256:064x}"
            if self._sum([*chunks], self.whole) != wanted:
                self.notes.append(f"images from an earlier run in {self.folder} are damaged: starting over")
                self.chunks = {}
        elif changed := self._changed():
            self.notes.append(f"damaged chunks from an earlier run are made again: {named(changed)}")
            self._forget(changed)
        kept = {Path(self._lock.lock_file), *map(self.chunk, self.chunks)}
        kept |= {self.whole} if self.chunks else set()
        for path in self._made():
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
            if written.pop("sha256") != sealed(written):
                raise ValueError("the journal is not as it was written")
            rows = {number: chunk for number, chunk in enumerate(written["chunks"]) if chunk is not None}
            chunks = {number: Done(int(row[0]), seconds(row[1]), seconds(row[2])) for number, row in rows.items()}
            self._sums = {number: (int(row[3]), str(row[4])) for number, row in rows.items()}
            return dict(written["recipe"]), chunks
        except (ValueError, KeyError, IndexError, TypeError, AttributeError, ZeroDivisionError, RecursionError):
            self.notes.append(f"{self._file} is damaged: starting over")
            return {}, {}

    def _save(self) -> None:
        found = map(self.chunks.get, range(max(self.chunks, default=-1) + 1))
        chunks = [
            None if chunk is None else (chunk.frames, str(chunk.start), str(chunk.end), *self._sums[number])
            for number, chunk in enumerate(found)
        ]
        written = {"recipe": self._recipe, "chunks": chunks}
        beside = self._file.with_suffix(".new")
        try:
            with beside.open("w", encoding="utf-8") as file:
                json.dump({**written, "sha256": sealed(written)}, file)
                file.flush()
                os.fsync(file.fileno())
            beside.replace(self._file)
        except OSError as error:
            raise InputError(f"{self._file} cannot be written: {error.strerror}") from error


def sealed(written: Mapping[str, object]) -> str:
    """The SHA-256 of the content of a journal."""
    return hashlib.sha256(json.dumps(written, sort_keys=True).encode()).hexdigest()


def files_of(paths: Iterable[Path]) -> Iterator[Path]:
    """The files, and those in the folders, of ``paths``; never through a link."""
    for path in paths:
        if path.is_dir() and not path.is_symlink():
            yield from files_of(path.iterdir())
        elif path.is_file() and not path.is_symlink():
            yield path


def named(numbers: Iterable[int]) -> str:
    """Chunks in words."""
    return ", ".join(f"{number:06d}" for number in numbers)


def delete(path: Path) -> None:
    """Delete a file, a link, or a folder with its content, if it exists."""
    if path.is_dir() and not path.is_symlink():
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
