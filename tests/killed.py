"""Kills ``--resume`` without warning at steps drawn from seeds, again and again, and checks what each kill leaves.

A program of its own: ``OMP_NUM_THREADS=1 PYTHONPATH=.:tests python tests/killed.py FOLDER SEEDS``. It forks a process for each
run, which is safe only without threads.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable
from fractions import Fraction
from functools import partial
from hashlib import sha256
from pathlib import Path
from random import Random

from footage import moving
from steps import Steps, install

from vfi import __main__
from vfi.clips.clip import Encoding, Info
from vfi.clips.open import create_clip
from vfi.render import convert
from vfi.render.chunks import Chunks

TIMES = 3
"""Kills of each seed."""


def forked(work: Callable[..., int], *given: object) -> int:
    """The exit code of ``work`` in a process of its own, negative for a signal."""
    child = os.fork()
    if child == 0:
        try:
            with Path(os.devnull).open("w") as nothing:
                os.dup2(nothing.fileno(), 2)
            os._exit(work(*given))
        finally:
            os._exit(99)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def make_source(path: Path) -> int:
    with create_clip(path, Info(64, 48, rate=Fraction(24)), encoding=Encoding("ffv1")) as writer:
        for frame in moving(24):
            writer.write(frame)
    return 0


def run(folder: Path, name: str, kill: int = 0, count: Path | None = None) -> int:
    """The command, which is killed at step ``kill`` unless that is 0; the number of its steps is written to ``count``."""
    convert.Chunks = partial(Chunks, length=8)  # type: ignore[assignment, misc]
    steps = Steps(folder)

    def step(kind: str) -> bool:
        steps.counts["all"] = steps.counts.get("all", 0) + 1
        if steps.counts["all"] == kill:
            os.kill(os.getpid(), signal.SIGKILL)
        return False

    steps.step = step  # type: ignore[method-assign]
    install(steps)
    code = __main__.main(["interpolate", str(folder / "in.mkv"), str(folder / name), "--model", "linear", "--resume"])
    if count is not None:
        count.write_text(str(steps.counts["all"]))
    return code


def verified(folder: Path, name: str) -> int:
    """The number of finished chunks; each is there, and is what its journal says."""
    work = folder / f".{name}.work"
    if not (work / "journal.json").exists():
        return 0
    if any(work.glob("whole*")):
        return 0  # images are on their way out of their chunks
    rows = [row for row in json.loads((work / "journal.json").read_text())["chunks"] if row is not None]
    for number, (_, _, _, size, known) in enumerate(rows):
        path = work / f"{number:06d}"
        content = {"": path.read_bytes()} if path.is_file() else {one.name: one.read_bytes() for one in path.iterdir()}
        total = sum(int(sha256(f"{len(data)};".encode() + data).hexdigest(), 16) for data in content.values())
        assert sum(map(len, content.values())) == size, f"chunk {number} has another size"
        assert f"{total % 2**256:064x}" == known, f"chunk {number} has another content"
    return len(rows)


def content(path: Path) -> dict[str, bytes]:
    return {one.name: one.read_bytes() for one in (path.iterdir() if path.is_dir() else [path])}


def delete(path: Path) -> None:
    for one in [*path.iterdir(), path] if path.is_dir() else [path]:
        one.rmdir() if one.is_dir() else one.unlink()


def check(folder: Path, seeds: int) -> None:
    assert forked(make_source, folder / "in.mkv") == 0
    kills = kept = 0
    for name in ("out.mkv", "out.mp4", "out"):
        assert forked(run, folder, name, 0, folder / "count") == 0
        most = int((folder / "count").read_text())
        (folder / "count").unlink()
        whole = content(folder / name)
        delete(folder / name)
        for seed in range(seeds):
            random = Random(f"{name} {seed}")
            drawn = [random.randrange(1, most + 1) for _ in range(TIMES)]
            where = f"seed {seed}, {name}, killed at steps {drawn} of {most}"
            for kill in drawn:
                code = forked(run, folder, name, kill)
                assert code in (0, -signal.SIGKILL), f"{where}: ended with {code}"
                kills += code != 0
                if (folder / name).exists() and (code == 0 or name != "out" or any((folder / name).iterdir())):
                    assert content(folder / name) == whole, f"{where}: not whole under its name"
                if code == 0 or (name != "out" and (folder / name).exists()):
                    break  # finished: killed while its folder was cleared, at the latest
                try:
                    kept += verified(folder, name) > 0
                except AssertionError as error:
                    raise AssertionError(f"{where}: {error}") from error
            if not (folder / name).exists():
                assert forked(run, folder, name) == 0, f"{where}: the last run failed"
            assert content(folder / name) == whole, f"{where}: another output"
            left = {path.name for path in folder.iterdir()} - {"in.mkv", name}
            assert left <= {f".{name}.work"}, f"{where}: left {left}"
            delete(folder / name)
            if left:  # killed between naming the clip and clearing its folder: the next run clears it
                assert forked(run, folder, name) == 0
                assert content(folder / name) == whole
                assert {path.name for path in folder.iterdir()} == {"in.mkv", name}, where
                delete(folder / name)
    sys.stdout.write(f"{kills} kills, {kept} of which left finished chunks\n")
    assert kills > seeds * 3
    assert kept > seeds


if __name__ == "__main__":
    check(Path(sys.argv[1]), int(sys.argv[2]))
