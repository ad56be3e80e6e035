"""Runs the command on damaged files, each in a process forked from one that has imported everything, and judges what it did.

A run must keep to this:

- it ends within its time, and not by a signal;
- it ends with 0, or with 2 and one sentence of an `InputError`: no traceback, and nothing from the command's last net;
- its input is unchanged, and nothing is left beside it but the output, and that only after success;
- nothing is left in the folder for temporary files;
- an output is read again: it holds as many pictures as the command said.
"""

from __future__ import annotations

import faulthandler
import gc
import json
import os
import re
import resource
import shutil
import signal
import sys
import tempfile
import threading
import time
import traceback
from dataclasses import dataclass
from pathlib import Path
from random import Random

import av
import cv2
import torch

from vfi import __main__
from vfi.cli import command as _loaded  # noqa: F401  (with all that it imports)
from vfi.core import InputError
from vfi.tracks.formats import document_of, dumps, read_tracks, tracks_of
from vfi.train.recipe import read_recipe

from . import corpus
from .corpus import Case
from .mutate import mutated

MEMORY = 6 << 30
"""Address space of a run, in bytes."""

DISK = 200 << 20
"""The largest file that a run may write, in bytes."""

WAITING = 10
"""How many times its limit a run may last that computes little, as one that waits for ever does."""

WRONG = 97
"""Exit code of a run whose output is not what was said."""


@dataclass(frozen=True)
class Finding:
    """What a run did against the rules, with what makes it again."""

    case: str
    damaged: str
    command: tuple[str, ...]
    fault: str
    told: str
    data: bytes


@dataclass(frozen=True)
class Run:
    """One run of the command and its faults; ``code`` is its exit code, negative for a signal, None if it took too long."""

    code: int | None
    faults: tuple[str, ...]
    told: str


class Server:
    """Forks a process for each run, which may compute for ``limit`` seconds; ``folder`` holds the corpus and the work."""

    def __init__(self, folder: Path, limit: float) -> None:
        torch.set_num_threads(1)
        cv2.setNumThreads(0)
        self._limit, self._corpus, self._work = limit, folder / "corpus", folder / "work"
        status = _forked(lambda: corpus.build(self._corpus), 300)
        if status != 0:
            raise RuntimeError(f"the corpus could not be made: {status}")
        self._wholes = {
            (case.name, name): (self._corpus / case.name / name).read_bytes() for case in corpus.CASES for name in case.damaged
        }
        gc.freeze()

    def drawn(self, seed: int, number: int, only: str = "") -> tuple[Case, str, tuple[str, ...], bytes]:
        """The case, damaged file, command and content number ``number`` of a seed, of cases whose name contains ``only``."""
        random = Random(f"{seed}:{number}")
        case = random.choice([one for one in corpus.CASES if only in one.name])
        damaged = random.choice(case.damaged)
        whole = self._wholes[case.name, damaged]
        data = mutated(random, whole, list(self._wholes.values()), text=case.text)
        return case, damaged, random.choice(case.commands), data

    def whole(self, case: Case, damaged: str) -> bytes:
        """The undamaged file."""
        return self._wholes[case.name, damaged]

    def run(self, case: Case, damaged: str, command: tuple[str, ...], data: bytes) -> Run:
        """Run a command on a damaged file and judge it."""
        shutil.rmtree(self._work, ignore_errors=True)
        place, temporary, said = self._work / "place", self._work / "temporary", self._work / "said"
        shutil.copytree(self._corpus / case.name, place)
        (place / damaged).write_bytes(data)
        kept = place / "whole"
        whole = kept.read_bytes() if kept.exists() else None
        kept.unlink(missing_ok=True)
        temporary.mkdir()
        said.mkdir()
        before = _content(place)
        ended = _forked(lambda: _work(case, command, place, temporary, said), self._limit)
        out, told = ((said / name).read_bytes().decode("utf-8", "replace") for name in ("out", "told"))
        faults = [*_faults_of_ending(ended, told, out)]
        faults += [f"left {name} in the folder for temporary files" for name in sorted(_content(temporary))]
        after = _content(place)
        made = {name for name in after if name.split("/")[0] in case.outputs}
        hidden = {name for name in (*before, *after) if name.startswith(".out.mkv.work")}
        for name in sorted(before.keys() | after.keys()):
            if name in made or name in hidden:
                continue
            if before.get(name) != after.get(name):
                faults.append(f"{'left' if name not in before else 'changed'} {name}")
        if made and ended != 0:
            faults.append(f"failed, and left {sorted(made)[0]}")
        if ended == 0 and hidden & after.keys():
            faults.append(f"succeeded, and left {sorted(hidden & after.keys())[0]}")
        if ended == 0 and case.exact and whole != after.get("out.mkv"):
            faults.append("resumed to another output")
        return Run(ended, tuple(faults), told[-2000:])


def _faults_of_ending(ended: int | None, told: str, out: str) -> list[str]:
    if ended is None:
        return ["did not end in time"]
    if ended < 0:
        return [f"ended by the signal {signal.Signals(-ended).name}"]
    faults = []
    if "Traceback" in told or "Traceback" in out:
        faults.append("traceback")
    if "(VFI_DEBUG=1 shows where)" in told:
        faults.append("caught by the last net only")
    if ended == WRONG:
        faults.append(f"lied: {told.strip().splitlines()[-1]}")
    elif ended not in (0, 2):
        faults.append(f"ended with {ended}")
    sentences = re.findall(r"^vfi: .*$", told, re.MULTILINE)
    if ended == 2 and (len(sentences) != 1 or not told.rstrip().endswith(sentences[-1])):
        faults.append(f"ended with {len(sentences)} sentences")
    return faults


def _content(folder: Path) -> dict[str, bytes | None]:
    """The content of every file below a folder by its name, None for a folder."""
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() and not path.is_symlink() else None
        for path in folder.rglob("*")
    }


def _forked(work: object, limit: float) -> int | None:
    """Run a function in a process of its own; its exit code, negative for a signal, None if it computed or waited too long."""
    sys.stdout.flush()
    sys.stderr.flush()
    child = os.fork()
    if child == 0:
        code = 1
        try:
            os.setsid()
            code = work() or 0  # type: ignore[operator]
        except BaseException:  # noqa: BLE001  (it ends here in any case)
            traceback.print_exc()
        finally:
            sys.stderr.flush()
            os._exit(code)
    latest = time.monotonic() + limit * WAITING
    pause = 0.002
    while True:
        found, status = os.waitpid(child, os.WNOHANG)
        if found:
            return os.waitstatus_to_exitcode(status)
        if _worked(child) > limit or time.monotonic() > latest:
            break
        time.sleep(pause)
        pause = min(pause * 1.3, 0.02)
    os.kill(child, signal.SIGUSR1)  # it says where it is
    time.sleep(0.3)
    os.killpg(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return None


def _worked(process: int) -> float:
    """The seconds that a running process has computed: a busy machine makes it wait, which is no fault of its own."""
    try:
        fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _work(case: Case, command: tuple[str, ...], place: Path, temporary: Path, said: Path) -> int:
    """What the forked process does."""
    for name, number in (("out", 1), ("told", 2)):
        os.dup2(os.open(said / name, os.O_WRONLY | os.O_CREAT | os.O_APPEND), number)
    sys.stdout, sys.stderr = (os.fdopen(os.dup(number), "w", encoding="utf-8", errors="replace") for number in (1, 2))
    faulthandler.register(signal.SIGUSR1, file=sys.stderr, all_threads=True)
    tempfile.tempdir = os.environ["TMPDIR"] = os.environ["HOME"] = str(temporary)
    os.chdir(place)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_FSIZE, (DISK, DISK))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    if case.exact:
        corpus.short_chunks()
    try:
        code = _call(command) if " " in command[0] else __main__.main(command)
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else 1
    for thread in threading.enumerate():  # as Python does before it ends
        if thread is not threading.current_thread() and not thread.daemon:
            thread.join()
    sys.stdout.flush()
    sys.stderr.flush()
    if code == 0 and "--json" in command and (wrong := _wrong(said / "out")):
        sys.stderr.write(wrong + "\n")
        return WRONG
    return code


def _call(command: tuple[str, ...]) -> int:
    """A call of the library instead of a command."""
    try:
        if command[0] == corpus.READ_RECIPE:
            read_recipe(Path(command[1]))
        else:
            read = read_tracks(Path(command[1]), corpus.SIZE)
            tracks_of(read, 5)
            dumps(document_of(read), "document")
    except InputError as error:
        sys.stderr.write(f"vfi: {error}\n")
        return 2
    return 0


def _wrong(said: Path) -> str:
    """What is wrong with the output that a successful command described; empty if it holds what was said."""
    facts = json.loads(said.read_text(encoding="utf-8"))
    if not isinstance(facts.get("output"), str):  # the plan of `vfi shots`
        return ""
    path = Path(facts["output"])
    if path.suffix == ".tif" or not path.suffix:
        folder = path.parent if path.suffix else path
        found = sum(1 for _ in folder.iterdir())
    else:
        with av.open(str(path)) as container:
            found = sum(1 for _ in container.decode(video=0))
    return "" if found == facts["frames"] else f"said {facts['frames']} frames, and wrote {found}"
