"""Start-up, memory and cancelling of the nodes in a real ComfyUI server.

    python -m benchmarks.comfyui_server COMFYUI --python COMFYUI_PYTHON start memory cancel

start: seconds, and CPU seconds, until the server would listen, with and without the pack in turn; the median counts. memory:
the server's resident memory after each of ten runs of Interpolate Video and of Interpolate Frames, and the peak of one run of a
long clip (``--minutes``) against a short one. cancel: seconds from POST /interrupt in the middle of a frame to the end of the
job, and seconds per frame, for each node that makes many frames. Run it in the repository's root; other load adds to all times.
"""

from __future__ import annotations

import argparse
import os
import resource
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

from examples.comfyui_api import ENDS, Failed, Messages, Server

ROOT = Path(__file__).parents[1]

TWICE = {"mode": "times", "mode.times": 2}
BATCH = {"images": ["batch", 0], "source_fps": 16.0}
VIDEO = {"video": ["clip", 0]}
LOOP = {"part": "whole clip"}
SHUTTER = {"target_fps": 16.0, "angle": 180.0, "samples": 16}
CURVE = {"curve": "speed", "curve.speed": "0:0.1", "curve.start": -1.0}
LONG = {"mode": "times", "mode.times": 16}

CANCELLED: dict[str, tuple[str, dict[str, Any]]] = {
    "Interpolate Frames": ("InbetweenInterpolate", {**BATCH, **LONG}),
    "Interpolate Frames, consensus": ("InbetweenInterpolate", {**BATCH, **LONG, "model": ["both", 0]}),
    "Interpolate Video": ("InbetweenInterpolateVideo", {**VIDEO, **LONG}),
    "Retime Frames": ("InbetweenRetime", {**BATCH, **CURVE}),
    "Retime Video": ("InbetweenRetimeVideo", {**VIDEO, **CURVE}),
    "Loop Frames": ("InbetweenLoop", {**BATCH, **LONG, **LOOP}),
    "Loop Video": ("InbetweenLoopVideo", {**VIDEO, **LONG, **LOOP}),
    "Shutter": ("InbetweenShutter", {**BATCH, **SHUTTER}),
    "Shutter Video": ("InbetweenShutterVideo", {**VIDEO, **SHUTTER}),
    "Find Shots": ("InbetweenFindShots", {**VIDEO, "source_fps": 16.0, "cuts": "hold"}),
}


class Running:
    """A server with folders of its own, and the pack if ``pack``."""

    def __init__(self, chosen: argparse.Namespace, base: Path, pack: bool = True) -> None:
        for folder in ("custom_nodes", "input", "output", "temp", "models"):
            (base / folder).mkdir(parents=True, exist_ok=True)
        if pack:
            (base / "custom_nodes" / "inbetween").symlink_to(ROOT, target_is_directory=True)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.base = base
        self.words = [
            *(chosen.python, "main.py", "--cpu", "--disable-api-nodes", "--port", str(self.port)),
            *("--base-directory", str(base), "--database-url", f"sqlite:///{base}/comfyui.db"),
        ]
        self.where = {"cwd": chosen.comfyui, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}

    def start(self) -> None:
        self.process = subprocess.Popen(self.words, **self.where)
        self.server = Server(f"http://127.0.0.1:{self.port}")
        end = time.monotonic() + 300
        while time.monotonic() < end:
            try:
                self.server.call("/system_stats")
            except Failed:
                time.sleep(0.5)
            else:
                return
        raise SystemExit("ComfyUI did not start")

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait()

    def memory(self, what: str = "VmRSS") -> float:
        """Resident memory of the server in MB, now or at its peak (VmHWM)."""
        status = Path(f"/proc/{self.process.pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in status if line.startswith(what)) / 1024

    def run(self, nodes: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
        """Queue a workflow; the messages of its job."""
        client = "benchmark"
        messages = Messages(self.server.address, client)
        job = self.server.queue(nodes, client)
        try:
            for kind, data in messages:
                if data.get("prompt_id") == job:
                    yield kind, data
                    if kind in ENDS:
                        return
        finally:
            messages.close()

    def done(self, nodes: dict[str, Any]) -> None:
        *_, (kind, data) = self.run(nodes)
        if kind != "execution_success":
            raise SystemExit(f"{kind}: {data}")


@contextmanager
def running(chosen: argparse.Namespace) -> Iterator[Running]:
    with tempfile.TemporaryDirectory() as folder:
        server = Running(chosen, Path(folder))
        server.start()
        try:
            yield server
        finally:
            server.stop()


def graph(clip: str, made: tuple[str, dict[str, Any]], seed: int = 0, model: str = "dis") -> dict[str, Any]:
    """A node of ours, given a clip as VIDEO and as IMAGE; a new ``seed`` cuts it a little later, so that all runs again."""
    kind, inputs = made
    part = {"start_time": seed / 1000, "duration": 0.0, "strict_duration": False}
    return {
        "file": {"class_type": "LoadVideo", "inputs": {"file": clip}},
        "clip": {"class_type": "Video Slice", "inputs": {"video": ["file", 0], **part}},
        "parts": {"class_type": "GetVideoComponents", "inputs": {"video": ["clip", 0]}},
        "batch": {"class_type": "ImageFromBatch", "inputs": {"image": ["parts", 0], "batch_index": 0, "length": 33}},
        "one": {"class_type": "InbetweenLoadModel", "inputs": {"model": model, "allow_download": False}},
        "two": {"class_type": "InbetweenLoadModel", "inputs": {"model": "linear", "allow_download": False}},
        "both": {"class_type": "InbetweenConsensus", "inputs": {"model_1": ["one", 0], "model_2": ["two", 0]}},
        "made": {"class_type": kind, "inputs": {"model": ["one", 0], **inputs} if kind != "InbetweenFindShots" else inputs},
        "shown": {"class_type": "PreviewAny", "inputs": {"source": ["made", 1]}},
    }


def start(chosen: argparse.Namespace) -> None:
    seconds: dict[bool, list[tuple[float, float]]] = {False: [], True: []}
    with tempfile.TemporaryDirectory() as folder:
        servers = {pack: Running(chosen, Path(folder) / str(pack), pack) for pack in (False, True)}
        for _ in range(chosen.rounds + 1):  # the first compiles
            for pack, server in servers.items():
                began, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
                subprocess.run([*server.words, "--quick-test-for-ci"], check=True, **server.where)
                after = resource.getrusage(resource.RUSAGE_CHILDREN)
                cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
                seconds[pack].append((time.perf_counter() - began, cpu))
    wall, cpu = ({pack: median(one[k] for one in taken[1:]) for pack, taken in seconds.items()} for k in (0, 1))
    report(f"start: without {wall[False]:.2f} s, with {wall[True]:.2f} s; CPU {cpu[False]:.2f} s and {cpu[True]:.2f} s")


def memory(chosen: argparse.Namespace) -> None:
    for name in ("Interpolate Video", "Interpolate Frames"):
        kind, inputs = CANCELLED[name]
        with running(chosen) as server:
            film(server.base / "input" / "short.mp4", 2)
            after = []
            for seed in range(10):
                server.done(graph("short.mp4", (kind, {**inputs, **TWICE}), seed))
                after.append(server.memory())
            report(f"memory after each run of {name}, MB: {' '.join(f'{one:.0f}' for one in after)}")
    for minutes in (chosen.minutes / 16, chosen.minutes):
        with running(chosen) as server:
            film(server.base / "input" / "long.mp4", minutes * 60)
            before = server.memory()
            nodes = graph("long.mp4", ("InbetweenInterpolateVideo", {**VIDEO, **TWICE}), model="linear")
            server.done({key: node for key, node in nodes.items() if key not in ("parts", "batch")})
            report(f"memory for {minutes:.2f} minutes: {before:.0f} MB before, {server.memory('VmHWM'):.0f} MB at the peak")


def cancel(chosen: argparse.Namespace) -> None:
    with running(chosen) as server:
        film(server.base / "input" / "short.mp4", 4, "320x180")
        for name, made in CANCELLED.items():
            told = [cancelled(server, name, made) for _ in range(chosen.rounds)]
            waits = " ".join(f"{wait:.2f} ({wait / frame:.1f} frames)" for wait, frame in told)
            report(f"cancel {name}, seconds after the request: {waits}")


def cancelled(server: Running, name: str, made: tuple[str, dict[str, Any]]) -> tuple[float, float]:
    """Seconds from a request to cancel, some frames into a job and half-way to the next, to its end; and seconds per frame."""
    steps: list[tuple[float, int]] = []
    asked = 0.0
    for kind, data in server.run(graph("short.mp4", made)):
        now = time.perf_counter()
        if kind == "progress" and data["node"] == "made" and not asked:
            steps.append((now, data["value"]))
            (since, first), (until, last) = steps[0], steps[-1]
            if len(steps) > 8 and last > first:
                frame = (until - since) / (last - first)
                time.sleep(frame / 2)
                asked = time.perf_counter()
                server.server.post("/interrupt")
        if kind == "execution_interrupted" and asked:
            return now - asked, frame
        if kind in ENDS:
            raise SystemExit(f"{name} was not cancelled: {data.get('exception_message', kind)}")
    raise SystemExit(f"{name} did not end")


def film(path: Path, seconds: float, size: str = "640x360") -> None:
    """A moving test picture at 16 frames per second, with a tone."""
    pictures, tone = f"testsrc2=size={size}:rate=16:duration={seconds}", f"sine=duration={seconds}"
    words = ["ffmpeg", "-v", "error", "-f", "lavfi", "-i", pictures, "-f", "lavfi", "-i", tone, "-c:v", "libx264"]
    subprocess.run([*words, "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-c:a", "aac", str(path)], check=True)


def report(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure start-up, memory and cancelling of the nodes in ComfyUI.")
    parser.add_argument("comfyui", type=Path, help="a checkout of ComfyUI")
    parser.add_argument("measures", nargs="+", choices=("start", "memory", "cancel"))
    parser.add_argument("--python", default=sys.executable, help="its interpreter")
    parser.add_argument("--rounds", type=int, default=5, help="starts and cancelled jobs of each kind (%(default)s)")
    parser.add_argument("--minutes", type=float, default=8.0, help="length of the long clip (%(default)s)")
    chosen = parser.parse_args()
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    for name in chosen.measures:
        {"start": start, "memory": memory, "cancel": cancel}[name](chosen)


if __name__ == "__main__":
    main()
