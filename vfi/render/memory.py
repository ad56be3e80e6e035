"""How much memory is free. Knows nothing of what needs it."""

from __future__ import annotations

from pathlib import Path

import torch

MEMINFO = Path("/proc/meminfo")
LIMIT, USED = Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory.current")


def free(device: torch.device | None = None) -> int | None:
    """The bytes that a process may still take, with the video memory of ``device``; None if the system does not tell."""
    known = [room for room in (_available(), _allowed()) if room is not None]
    if not known:
        return None
    video = torch.cuda.mem_get_info(device)[0] if device is not None and device.type == "cuda" else 0
    return min(known) + video


def _available() -> int | None:
    try:
        lines = MEMINFO.read_text().splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:"))
    except (OSError, ValueError, StopIteration):
        return None


def _allowed() -> int | None:
    """What is left of a container's limit."""
    try:
        return max(int(LIMIT.read_text()) - int(USED.read_text()), 0)
    except (OSError, ValueError):
        return None
