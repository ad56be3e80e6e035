"""The contenders' processes: starts each with the Python and the folders it needs, sends orders, waits for answers.

Only one works at a time; the others sleep. Knows nothing of the measurements, nor of torch: a large parent would inflate the
memory reported for its children.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .setting import Setting

BENCHMARKS = Path(__file__).parents[1]

TUNED = {"MALLOC_MMAP_MAX_": "0", "MALLOC_TRIM_THRESHOLD_": str(2**40)}
"""The environment in which glibc keeps freed memory for reuse: `mallopt` with M_MMAP_MAX 0 and a trim threshold that is never
reached. Filling fresh pages costs ten times as much as filling a reused buffer."""


@dataclass(frozen=True)
class Places:
    """Where the rivals are: a ComfyUI checkout, the Python that runs it, and a checkout of Fannovel16's pack.

    ``environment``: extra variables for all processes, such as `TUNED`.
    """

    comfyui: Path | None = None
    comfyui_python: str = sys.executable
    pack: Path | None = None
    environment: Mapping[str, str] = field(default_factory=dict)

    def kinds(self) -> list[str]:
        """The contenders available, ours first."""
        if self.comfyui is None:
            return ["library"]
        return ["node", "core", *(["fannovel16"] if self.pack else [])]

    def process(self, setting: Setting, log: Any) -> subprocess.Popen[str]:
        """The process for ``setting``; the contender's output goes to ``log``."""
        hosted = setting.kind not in ("library", "stream")
        paths = [BENCHMARKS, *([self.pack] if hosted and self.pack else [])]
        environment = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join(map(str, paths)),
            "OMP_NUM_THREADS": str(setting.threads),
            **self.environment,
        }
        return subprocess.Popen(
            [self.comfyui_python if hosted else sys.executable, "-m", "contest.worker", setting.dumped()],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True, env=environment,
            cwd=self.comfyui if hosted else BENCHMARKS.parent,
        )  # fmt: skip


class Worker:
    """One contender in its process. A context manager; raises `RuntimeError` with the end of its log if it dies."""

    def __init__(self, setting: Setting, places: Places) -> None:
        self.setting = setting
        self._log = tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace")  # noqa: SIM115  closed in __exit__
        self._process = places.process(setting, self._log)

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            self._process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._log.close()

    def ask(self, do: str, **how: Any) -> dict[str, Any]:
        """Send an order and wait for the answer."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            self._process.stdin.write(json.dumps({"do": do, **how}) + "\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            raise RuntimeError(self._last_words()) from None
        answer = self._process.stdout.readline()
        if not answer:
            raise RuntimeError(self._last_words())
        return json.loads(answer)

    def _last_words(self) -> str:
        self._process.wait(timeout=10)
        self._log.seek(0)
        return f"{self.setting} ended:\n{self._log.read()[-4000:]}"
