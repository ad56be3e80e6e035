"""What is done of an output, in a hidden folder beside it, so that work that was cut off can be taken up again.

Owns that folder, the list of finished chunks, and the recipe: everything that decides the output, by which the same work is
known again. Knows nothing of what is in a chunk.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterable, Mapping
from fractions import Fraction
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from filelock import FileLock, Timeout

from .core import InputError
from .media import Done

PACKAGES = ("torch", "numpy", "av", "opencv-python", "opencv-python-headless", "scenedetect")
"""Those whose version may change a pixel."""


class Journal:
    """The folder ``.NAME.work`` beside ``target``, and what is finished in it; locked as long as the journal is open.

    ``recipe`` says by name what decides the output: where the folder was made by another, it is emptied, and ``notes`` says
    why. ``chunks`` are the finished ones in their order. Raises `InputError` where the folder cannot be made, or another run
    is at work in it.
    """

    def __init__(self, target: Path, recipe: Mapping[str, str]) -> None:
        self.folder = target.with_name(f".{target.name}.work")
        self.notes: list[str] = []
        self.chunks: list[Done] = []
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
        """All finished chunks together."""
        if not self.chunks:
            return Done()
        return Done(sum(chunk.frames for chunk in self.chunks), self.chunks[0].start, self.chunks[-1].end)

    def chunk(self, number: int) -> Path:
        """Where the chunk of a number is, or is to be put."""
        return self.folder / f"{number:06d}"

    @property
    def whole(self) -> Path:
        """Where the chunks are put together."""
        return self.folder / "whole"

    def finish(self, chunk: Done) -> None:
        """Count the next chunk, which is in its place, among the finished."""
        self.chunks.append(chunk)
        self._save()

    def close(self) -> None:
        """Leave what is finished for another run; nothing, where nothing is."""
        if self.chunks:
            self._lock.release()
        else:
            self.remove()

    def remove(self) -> None:
        """Delete the folder."""
        self._lock.release()
        shutil.rmtree(self.folder)

    def _take_up(self) -> None:
        """Read what is finished, and delete all else."""
        before, chunks = self._read()
        other = sorted(name for name in before.keys() | self._recipe.keys() if before.get(name) != self._recipe.get(name))
        if before and other:
            self.notes.append(f"what was done before is of another {', '.join(other)}: it is begun afresh")
            chunks = []
        present = [chunk for number, chunk in enumerate(chunks) if self.chunk(number).exists()]
        self.chunks = present if len(present) == len(chunks) else []
        if len(present) < len(chunks):
            self.notes.append(f"parts of what was done before are missing from {self.folder}: it is begun afresh")
        kept = {Path(self._lock.lock_file), *(self.chunk(number) for number in range(len(self.chunks)))}
        kept |= {self.whole} if self.chunks else set()  # images are moved there one by one
        for path in self.folder.iterdir():
            if path not in kept:
                shutil.rmtree(path) if path.is_dir() else path.unlink()
        self._save()

    @property
    def _file(self) -> Path:
        return self.folder / "journal.json"

    def _read(self) -> tuple[dict[str, str], list[Done]]:
        """The recipe and the chunks that are written down: none where there is no journal, or where it makes no sense."""
        if not self._file.exists():
            return {}, []
        try:
            written = json.loads(self._file.read_text(encoding="utf-8"))
            chunks = [Done(int(frames), Fraction(start), Fraction(end)) for frames, start, end in written["chunks"]]
            return dict(written["recipe"]), chunks
        except (ValueError, KeyError, TypeError, ZeroDivisionError):
            self.notes.append(f"{self._file} is damaged: what was done before is begun afresh")
            return {}, []

    def _save(self) -> None:
        chunks = [(chunk.frames, str(chunk.start), str(chunk.end)) for chunk in self.chunks]
        beside = self._file.with_suffix(".new")
        try:
            with beside.open("w", encoding="utf-8") as file:
                json.dump({"recipe": self._recipe, "chunks": chunks}, file)
                file.flush()
                os.fsync(file.fileno())
            beside.replace(self._file)
        except OSError as error:
            raise InputError(f"{self._file} cannot be written: {error.strerror}") from error


def versions() -> str:
    """The versions of what this library is built on, as far as they may change a pixel."""
    found = []
    for package in PACKAGES:
        try:
            found.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            continue
    return ", ".join(found)


def digest(files: Iterable[Path]) -> str:
    """The SHA-256 of what files hold, one after another, and of their sizes. Raises `InputError` where one cannot be read."""
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
