"""The settings of a contender, as sent to its process. Knows nothing of torch."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class Setting:
    """``kind``: one of those that `worker.contender` knows. ``model``: a safetensors file, or a model name if only ours runs.

    ``hollow``: the network is replaced by a copy of the previous frame, so that only the rest costs time and memory.
    ``pad``, ``backend``: how the library pads frames and runs networks, see `vfi.load`; rivals use their own way.
    """

    kind: str
    model: str
    dtype: str = "float32"
    device: str = "cpu"
    threads: int = 1
    hollow: bool = False
    pad: str = "auto"
    backend: str = "torch"

    def __str__(self) -> str:
        unusual = [self.dtype] * (self.dtype != "float32") + [self.backend] * (self.backend != "torch")
        return " ".join([self.kind, *unusual])

    def dumped(self) -> str:
        return json.dumps(asdict(self))
