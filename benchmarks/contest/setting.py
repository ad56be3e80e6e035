"""What a contender is asked to be, as it travels to its process and back. Knows nothing of torch."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class Setting:
    """``kind``: one of `contenders.KINDS`. ``model``: a safetensors file, or a name of the library's where it is ours alone.

    ``hollow``: the network is replaced by a copy of the frame before, so that all else is what takes time and memory.
    ``pad``, ``backend``: how the library grows frames and runs networks, see `vfi.load`; rivals do it their way.
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
