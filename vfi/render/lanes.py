"""Frames between the host and a device, beside its work: copies have streams of their own, and events say when each is done.

Host memory is pinned, and reused by torch once no copy needs it. Nothing here waits for more than the one copy that is asked
for. Knows nothing of models or of the order of frames.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor

from ..ops.kinds import kind


class Lanes:
    """Copies to and from ``device``. ``module`` is torch's for its kind, with streams and events, such as `torch.cuda`."""

    def __init__(self, device: torch.device, module: Any) -> None:
        self.device, self._torch = device, module
        self._up, self._down = module.Stream(device), module.Stream(device)

    def upload(self, tensor: Tensor) -> Tensor:
        """``tensor`` on the device. What is asked of the device from here on sees it whole; the host does not wait."""
        pinned = tensor.pin_memory()
        work = self._torch.current_stream(self.device)
        with self._torch.stream(self._up):
            there = pinned.to(self.device, non_blocking=True)
        work.wait_event(self._up.record_event())
        there.record_stream(work)
        return there

    def download(self, tensor: Tensor) -> Callable[[], Tensor]:
        """Begin to copy ``tensor``, as asked for so far, to pinned memory. The function waits for that copy and gives it."""
        ready = self._torch.current_stream(self.device).record_event()
        home = torch.empty(tensor.shape, dtype=tensor.dtype, pin_memory=True)
        with self._torch.stream(self._down):
            self._down.wait_event(ready)
            home.copy_(tensor, non_blocking=True)
        tensor.record_stream(self._down)
        done = self._down.record_event()

        def arrived() -> Tensor:
            done.synchronize()
            return home

        return arrived


def lanes_of(device: torch.device | None) -> Lanes | None:
    """The lanes of ``device``; None if it has no streams or there is no device."""
    if device is None or not kind(device).streams:
        return None
    return _lanes(device)


@lru_cache(maxsize=8)
def _lanes(device: torch.device) -> Lanes:
    return Lanes(device, getattr(torch, device.type))
