"""Inbetween's side: the library, the library as a stream of bytes, and the node in ComfyUI. All from this checkout."""

from __future__ import annotations

import importlib.util
import sys
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from types import ModuleType

import torch
from torch import Tensor

from . import host
from .setting import Setting

ROOT = Path(__file__).parents[2]
RATE = Fraction(24)


class Library:
    """IMAGE in, IMAGE out, through `vfi.run`; the result is allocated once and written in place."""

    def __init__(self, setting: Setting) -> None:
        import vfi
        from vfi.render.run import frames_of_tensor
        from vfi.timing.grids import Subdivide

        self.vfi, self.frames_of, self.grid = vfi, frames_of_tensor, Subdivide
        dtype = getattr(torch, setting.dtype)
        name, backend = ("nearest", "torch") if setting.hollow else (setting.model, setting.backend)
        self.model = vfi.load(name, pad=setting.pad, device=setting.device, dtype=dtype, backend=backend)

    def given(self, images: Tensor) -> Tensor:
        return images

    def make(self, images: Tensor, times: int) -> Tensor:
        grid = self.grid(times)
        out = images.new_empty(((len(images) - 1) * times + 1, *images.shape[1:]))
        frames = self.frames_of(images.movedim(-1, 1), RATE)
        for picture, frame in zip(out, self.vfi.run(frames, self.model, grid), strict=True):
            picture.movedim(-1, 0)[:] = frame.rgb
        return out


class Stream(Library):
    """Bytes in, bytes out, one frame at a time: [3,H,W] uint8, as between the command's decoder and encoder. Keeps no frame."""

    def given(self, images: Tensor) -> Tensor:
        return (images.movedim(-1, 1) * 255).round().to(torch.uint8).contiguous()

    def make(self, images: Tensor, times: int) -> Tensor:
        from vfi.render import malloc

        out = torch.empty_like(images[0])
        malloc.take_over()  # as the command does
        with malloc.kept():
            for frame in self.vfi.run(self.frames_of(images, RATE), self.model, self.grid(times)):
                out.copy_(frame.rgb)
        return out[None]


class Node:
    """The node in ComfyUI, with ComfyUI's model management, progress bar and cancelling."""

    def __init__(self, setting: Setting) -> None:
        host.start(setting.device)
        pack = as_pack()
        self.interpolate = importlib.import_module(f"{pack.__name__}.nodes.interpolate").Interpolate
        memory = importlib.import_module(f"{pack.__name__}.nodes.model")
        loading = importlib.import_module(f"{pack.__name__}.vfi.model.load")
        file = "nearest" if setting.hollow else setting.model
        with torch.inference_mode():
            held = memory.Model.hold(loading.network(file if setting.hollow else Path(file)))
        self.model = held if setting.dtype == "float32" else replace(held, dtype=getattr(torch, setting.dtype))

    def given(self, images: Tensor) -> Tensor:
        return images

    def make(self, images: Tensor, times: int) -> Tensor:
        with torch.inference_mode():
            mode = {"mode": "times", "times": times}
            return self.interpolate.execute(images=images, source_fps=float(RATE), mode=mode, model=self.model)[0]


def as_pack() -> ModuleType:
    """This checkout, imported by its path under its own name, as ComfyUI imports a pack."""
    spec = importlib.util.spec_from_file_location("inbetween", ROOT / "__init__.py", submodule_search_locations=[str(ROOT)])
    assert spec is not None
    assert spec.loader is not None
    pack = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = pack
    spec.loader.exec_module(pack)
    return pack
