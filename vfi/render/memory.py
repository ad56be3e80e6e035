"""How much memory is free. Knows nothing of what needs it."""

from __future__ import annotations

from pathlib import Path

import torch

MEMINFO = Path("/proc/meminfo")
LIMIT, USED = Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory.current")
STAT = Path("/sys/fs/cgroup/memory.stat")


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
    """What is left of a container's limit. Copies of files in memory, which make room when it is needed, count as free."""
    try:
        limit, used = int(LIMIT.read_text()), int(USED.read_text())
    except (OSError, ValueError):  # there is no container, or no limit
        return None
    return max(limit - used + _copies(), 0)


def _copies() -> int:
    """The bytes of files that a container holds in memory and does not use; 0 if the system does not tell."""
    try:
        lines = (line.split() for line in STAT.read_text().splitlines())
        return next(int(line[1]) for line in lines if line[:1] == ["inactive_file"])
    except (OSError, ValueError, LookupError, StopIteration):
        return 0
