"""Measures the machine's convolution speed and a process's memory. Knows nothing of frames or networks."""

from __future__ import annotations

import resource
import sys
import time
from pathlib import Path

import torch

LAYERS = ((64, 135, 240), (96, 90, 160), (128, 68, 120), (192, 45, 80), (256, 34, 60))
"""Channels, height and width of the 3x3 convolutions tried: 0.9 to 2.4 GFLOP each."""


def convolution_limit(dtype: torch.dtype, device: torch.device, repeats: int = 5) -> float:
    """FLOP per second of torch's fastest convolution on this machine right now."""
    best = 0.0
    with torch.inference_mode():
        for channels, height, width in LAYERS:
            for layout in (torch.contiguous_format, torch.channels_last):
                layer = torch.nn.Conv2d(channels, channels, 3, padding=1).to(device, dtype, memory_format=layout)
                picture = torch.rand(1, channels, height, width).to(device, dtype, memory_format=layout)
                work = 2 * 9 * channels**2 * height * width
                for _ in range(repeats):
                    start = time.perf_counter()
                    layer(picture)
                    if device.type == "cuda":
                        torch.cuda.synchronize(device)
                    best = max(best, work / (time.perf_counter() - start))
    return best


def resident() -> tuple[int, int]:
    """Bytes that this process holds now, and its peak.

    Read from /proc if it exists: `getrusage` also counts what the parent held when it forked.
    """
    status = Path("/proc/self/status")
    if status.exists():
        lines = dict(line.split(":", 1) for line in status.read_text().splitlines() if ":" in line)
        return int(lines["VmRSS"].split()[0]) * 1024, int(lines["VmHWM"].split()[0]) * 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    return peak, peak


def faults() -> int:
    """Minor page faults of this process so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt
