"""Downloads over HTTP: a URL becomes a file, resumed where it stopped, within bounds of size, speed and time.

Owns redirects, and which of them are followed. Knows nothing of models, of hashes, or of what a server is.
"""

from __future__ import annotations

import ipaddress
import shutil
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from queue import Empty, Full, Queue
from threading import Event, Thread
from typing import Any, NamedTuple, TypeVar
from urllib.parse import urljoin, urlsplit

from ...core import InputError
from ...parse import quoted
from .files import first_line

Progress = Callable[[int, int | None], None]
"""Called with (bytes done, total bytes); the total is None while unknown."""

CHUNK = 1 << 16
"""Bytes written at a time, and at most lost when a connection breaks."""

TIMEOUT = 30.0
"""Seconds without data after which a connection counts as broken."""

SLOWEST = 1 << 14
"""The fewest bytes per second, over each `WINDOW`, at which a download goes on."""

WINDOW = 60.0
"""Seconds over which the speed of a download is measured, and within which a server must begin to answer."""

LONGEST = 24 * 3600.0
"""Seconds that one download may take."""

TICK = 0.5
"""Seconds between two looks at the clock, and at the caller's wish to stop."""

REDIRECTS = 5
"""The most redirects on the way to a file."""

T = TypeVar("T")

clock = time.monotonic


class BrokenError(Exception):
    """The server does not give the file, or the connection ended early."""


class _SlowError(BrokenError):
    """The download is too slow to go on."""


class Piece(NamedTuple):
    """Bytes of a file from ``position`` on; ``total`` is the size of the file, None if the server does not state it."""

    position: int
    total: int | None
    content: bytes


class _Pace:
    """Watches the speed of a download. Raises `_SlowError`."""

    def __init__(self) -> None:
        self._began = self._since = clock()
        self._come = 0

    def come(self, count: int) -> None:
        """``count`` more bytes came, perhaps 0."""
        now = clock()
        self._come += count
        if now - self._began > LONGEST:
            raise _SlowError(f"it took more than {LONGEST / 3600:.3g} hours")
        if now - self._since >= WINDOW:
            if self._come < SLOWEST * (now - self._since):
                raise _SlowError(f"fewer than {SLOWEST >> 10} KiB per second came for {WINDOW:g} s")
            self._since, self._come = now, 0


def beside(items: Callable[[], Iterable[T]]) -> Generator[T | None, None, None]:
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


def answer(ask: Callable[[], T], progress: Progress) -> T:
    """What ``ask`` returns. Raises `TimeoutError` if it takes longer than `WINDOW`."""
    began = clock()
    for answered in beside(lambda: [ask()]):
        if answered is not None:
            return answered
        progress(0, None)
        if clock() - began > WINDOW:
            break
    raise TimeoutError(f"no answer for {WINDOW:g} s")


def download(url: str, part: Path, size: int | None, progress: Progress, headers: Mapping[str, str] | None = None) -> None:
    """Complete ``part`` from ``url``, and retry as long as each attempt makes progress at a fair speed.

    ``size`` in bytes is None if the server must state it. ``headers`` go to the host of ``url`` alone, not where it redirects.
    Raises `BrokenError`; what came stays in ``part``, for the next call. Raises `InputError` if the disk has too little room.
    """
    part.touch()
    pace = _Pace()
    done = part.stat().st_size
    with part.open("r+b") as file:
        file.seek(done)
        if size is not None:
            need_room(part.parent, size - done)
            progress(done, size)
        while size is None or done < size:
            reason = "the server sent nothing"
            try:
                with closing(beside(partial(_stream, url, done, headers or {}))) as stream:
                    for piece in stream:
                        position, total, content = piece or (file.tell(), size, b"")
                        pace.come(len(content))
                        if piece is not None:
                            if size is None and total is not None:
                                need_room(part.parent, total - position)
                            size = _agreed(size, total)
                        if position != file.tell():
                            file.truncate(file.seek(position))
                        file.write(content[: (size or 0) - position])  # a server may send more than it said
                        progress(file.tell(), size)
                        if size is not None and file.tell() >= size:
                            break
            except _SlowError:
                raise
            except BrokenError as error:
                reason = str(error)
            if file.tell() <= done and file.tell() != size:
                raise BrokenError(reason)
            done = file.tell()


def _agreed(size: int | None, total: int | None) -> int:
    """The size of a file, of which the catalogue knows one and the server states another, perhaps neither."""
    if size is None and total is None:
        raise BrokenError("the server does not state its size: a partial file could not be told from a complete one")
    if size is not None and total is not None and size != total:
        raise BrokenError(f"the server's file has {total} bytes instead of {size}")
    return size if size is not None else total or 0


def head(url: str, headers: Mapping[str, str] | None = None) -> tuple[int, Mapping[str, str]]:
    """The status and the headers with which a server answers a HEAD, after redirects. Raises `BrokenError`."""
    with _opened("HEAD", url, dict(headers or {})) as reply:
        return reply.status_code, reply.headers


def need_room(folder: Path, size: int) -> None:
    """Raise `InputError` if ``folder`` has no room for ``size`` bytes."""
    free = shutil.disk_usage(folder).free
    if free < size:
        raise InputError(f"{folder} has {free >> 20} MiB free: {(size >> 20) + 1} MiB are needed")


def _stream(url: str, start: int, headers: Mapping[str, str]) -> Generator[Piece, None, None]:
    """The bytes of ``url`` from ``start`` on; from 0 if the server does not support ranges."""
    with _opened("GET", url, {**headers, "Range": f"bytes={start}-"}) as reply:
        if reply.status_code == 416 and reply.headers.get("Content-Range") == f"bytes */{start}":
            yield Piece(start, start, b"")  # it came whole before
            return
        if reply.status_code >= 400:
            raise BrokenError(f"the server answered {reply.status_code}")
        if (encoding := reply.headers.get("Content-Encoding", "identity")) != "identity":
            raise BrokenError(f"the server sent it in the encoding {quoted(encoding)}, which was not asked for")
        if (kind := reply.headers.get("Content-Type", "")).startswith("text/html"):
            raise BrokenError(f"the server sent a web page ({kind.partition(';')[0]}) instead of the file")
        position = start if reply.status_code == 206 else 0
        length = reply.headers.get("Content-Length", "")
        total = position + int(length) if length.isdecimal() and len(length) < 16 else None
        for chunk in reply.iter_bytes(CHUNK) if hasattr(reply, "iter_bytes") else reply.iter_content(CHUNK):
            yield Piece(position, total, chunk)
            position += len(chunk)


@contextmanager
def _opened(method: str, url: str, headers: dict[str, str]) -> Iterator[Any]:
    """The reply to a request, after redirects; ``headers`` of the caller's own go to the first host alone."""
    from huggingface_hub import get_session

    session: Any = get_session()
    plain = {"Accept-Encoding": "identity", **({"Range": headers["Range"]} if "Range" in headers else {})}
    host = urlsplit(url).netloc
    try:
        for _ in range(REDIRECTS + 1):
            told = {**headers, **plain} if urlsplit(url).netloc == host else plain
            if callable(session.stream):  # httpx, since huggingface-hub 1.0
                request = session.stream(method, url, headers=told, timeout=TIMEOUT, follow_redirects=False)
            else:  # requests
                request = session.request(method, url, headers=told, timeout=TIMEOUT, stream=True, allow_redirects=False)
            with request as reply:
                if reply.status_code not in (301, 302, 303, 307, 308):
                    yield reply
                    return
                url = _redirected(url, reply.headers.get("Location", ""))
        raise BrokenError(f"it redirects more than {REDIRECTS} times")
    except BrokenError:
        raise
    except Exception as error:  # a client may fail in any way
        raise BrokenError(first_line(error)) from error


def _redirected(url: str, location: str) -> str:
    """Where a redirect of ``url`` leads. Raises `BrokenError` if it leaves HTTPS, or leads from the internet into a network."""
    try:
        to = urljoin(url, location)
        before, after = urlsplit(url), urlsplit(to)
        allowed = after.scheme == "https" or after.scheme == before.scheme == "http"
        inside = _private(after.hostname) and not _private(before.hostname)
    except ValueError as error:
        raise BrokenError(f"it redirects to {quoted(location)}, which is no URL") from error
    if not allowed or not after.hostname:
        raise BrokenError(f"it redirects to {quoted(to)}: only https is followed")
    if inside:
        raise BrokenError(f"it redirects from the internet to {after.hostname}, a host of this network: that is not followed")
    return to


def _private(host: str | None) -> bool:
    """Whether a host is this machine or an address that the internet does not know."""
    name = (host or "").rstrip(".").lower()
    try:
        return not ipaddress.ip_address(name).is_global
    except ValueError:
        return name == "localhost" or name.endswith((".localhost", ".local", ".internal"))
