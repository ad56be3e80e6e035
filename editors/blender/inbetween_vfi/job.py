"""The program ``vfi`` as a process: started, watched and ended. A finished clip has its name, a broken one leaves nothing.

Knows nothing of Blender or of strips.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
import tempfile
import threading
from collections import deque
from dataclasses import dataclass
from pathlib import Path

from . import places
from .places import Job, RefusedError

ENDINGS = {"prores": ".mov", "h264": ".mp4", "hevc": ".mp4", "ffv1": ".mkv"}
"""The container of each codec."""

LONGEST = 60
"""The most characters that a clip's name takes from its media: a file name is limited, in bytes."""

PATIENCE = 20
"""Seconds that a process has to end before it is killed."""


@dataclass(frozen=True)
class Options:
    """What the user chose: the program, where clips go, and how they are made."""

    program: str
    folder: Path
    quality: str = "normal"
    codec: str = "prores"


def program(given: str) -> str:
    """The path of ``vfi``: what the user gave, else what PATH leads to. Raises `RefusedError`."""
    found = shutil.which(given or "vfi")
    if found is None:
        what = f"{given} is not a program" if given else "The program vfi was not found"
        raise RefusedError(f"{what}: give the path of vfi in the preferences of the Inbetween extension")
    return found


def name_of(media: Path, job: Job, options: Options) -> str:
    """The name of the clip that a job makes: equal for equal jobs, of the same file with the same content."""
    state = media.stat()
    facts = [
        str(media.resolve()),
        state.st_size,
        state.st_mtime_ns,
        job.curve(),
        str(job.strip.rate),
        job.total,
        options.quality,
        options.codec,
    ]
    told = hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:8]
    return f"{media.stem[:LONGEST]}_{told}{ENDINGS[options.codec]}"


class Run:
    """One clip in the making. ``path`` is where it will be; `poll` tells when it is there, `stop` ends it."""

    def __init__(self, media: Path, job: Job, options: Options) -> None:
        self.path = options.folder / name_of(media, job, options)
        self.percent = 0
        self._media, self._job, self._options = media, job, options
        self._said: deque[str] = deque(maxlen=20)
        self._process: subprocess.Popen[bytes] | None = None
        self._reader: threading.Thread | None = None
        self._room: Path | None = None

    def start(self) -> None:
        """Start the program, unless the clip is there already. Raises `RefusedError` if it cannot be started."""
        if self.path.is_file():
            self.percent = 100
            return
        try:
            self._options.folder.mkdir(parents=True, exist_ok=True)
            self._room = Path(tempfile.mkdtemp(prefix=".making-", dir=self._options.folder))
            curve = self._room / "job.json"
            curve.write_text(json.dumps(self._job.curve()), encoding="utf-8")
        except OSError as error:
            self._clean()
            raise RefusedError(f"The folder {self._options.folder} cannot be written to: {error.strerror}") from error
        words = [
            self._options.program,
            "retime",
            str(self._media),
            str(self._made),
            "--curve",
            str(curve),
            "--fps",
            str(self._job.strip.rate),
            "--duration",
            str(self._job.seconds),
            "--audio",
            "drop",
            "--quality",
            self._options.quality,
            "--codec",
            self._options.codec,
            "--progress",
            "percentage",
        ]
        hidden = {"creationflags": getattr(subprocess, "CREATE_NO_WINDOW", 0)} if sys.platform == "win32" else {}
        try:
            self._process = subprocess.Popen(
                words, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, **hidden
            )
        except OSError as error:
            self._clean()
            raise RefusedError(f"{self._options.program} cannot be started: {error.strerror}") from error
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    @property
    def _made(self) -> Path:
        assert self._room is not None
        return self._room / f"clip{self.path.suffix}"

    def _read(self) -> None:
        assert self._process is not None
        assert self._process.stderr is not None
        for line in self._process.stderr:
            text = line.decode(errors="replace").strip()
            found = places.percent(text)
            if found is not None:
                self.percent = found
            elif text:
                self._said.append(text)

    def poll(self) -> bool:
        """Whether the clip is finished. Raises `RefusedError` with what the program said if it failed."""
        if self._process is None:
            return True
        code = self._process.poll()
        if code is None:
            return False
        return self._ended(code)

    def wait(self) -> None:
        """Wait until the clip is finished. Raises `RefusedError`."""
        if self._process is not None:
            self._ended(self._process.wait())

    def _ended(self, code: int) -> bool:
        assert self._reader is not None
        self._reader.join()
        self._process = None
        try:
            if code or not self._made.is_file():
                last = next((line for line in reversed(self._said) if line.startswith("vfi: ")), "")
                last = last or (self._said[-1] if self._said else f"it ended with code {code}")
                raise RefusedError(f"vfi made no clip: {last.removeprefix('vfi: ')[:300]}")
            self._made.replace(self.path)
        except OSError as error:
            raise RefusedError(f"{self.path} cannot be written: {error.strerror}") from error
        finally:
            self._clean()
        return True

    def stop(self) -> None:
        """End the program and leave nothing of the clip."""
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            self._process = None
        self._clean()

    def _clean(self) -> None:
        if self._room is not None:
            shutil.rmtree(self._room, ignore_errors=True)
            self._room = None
