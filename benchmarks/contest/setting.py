"""What a contender is asked to be, as it travels to its process and back. Knows nothing of torch."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class Setting:
    """``kind``: one of `contenders.KINDS`. ``model``: a safetensors file, or a name of the library's where it is ours alone.

    ``hollow``: the network is replaced by a copy of the frame before, so that all else is what takes time and memory.
    ``pad``: how the library grows frames, see `vfi.load`; rivals do it their way.
    """

    kind: str
    model: str
    dtype: str = "float32"
    device: str = "cpu"
    threads: int = 1
    hollow: bool = False
    pad: str = "auto"

    def __str__(self) -> str:
        return self.kind if self.dtype == "float32" else f"{self.kind} {self.dtype}"

    def dumped(self) -> str:
        return json.dumps(asdict(self))
