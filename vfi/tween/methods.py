"""The methods that draw between two keyframes, by name: what each takes, and a clip drawn with given files.

Owns which settings a method knows. Knows nothing of how a method works or where files are found.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ..core import InputError
from ..tracks import Tracks
from . import files, framer, keyframes, svdkfi
from .dynamicrafter import drawing as crafter
from .edm import Each
from .fit import Pixels


@dataclass(frozen=True)
class Asked:
    """What to draw: a clip from ``first`` to ``last`` [3,H,W] 0..1, led by ``tracks`` or by ``sketches``.

    ``sketches`` are light lines on black [H,W] 0..1, by frame number. ``settings`` are fields of the method's own drawing, such
    as steps, seed or prompt; those left out have the method's defaults.
    """

    first: Tensor
    last: Tensor
    tracks: Tracks | None = None
    sketches: Mapping[int, Tensor] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Method:
    """A method with published weights. It draws ``frames`` frames, keyframes included, best at ``size``.

    Width and height are multiples of ``cell`` pixels. ``drawing``: its settings; ``leads``: which of tracks and sketches it
    follows. ``needs``: its files, in words.
    """

    name: str
    frames: int
    size: Pixels
    cell: int
    drawing: type[keyframes.Drawing]
    leads: frozenset[str]
    needs: str
    load: Callable[..., Any]

    def check(self, asked: Asked) -> None:
        """Raises `InputError` for what this method does not take."""
        known = {own.name for own in fields(self.drawing)}
        for name in asked.settings:
            if name not in known:
                raise InputError(f"{name} was given: {self.name} takes {', '.join(sorted(known))}")
        for name, given in (("tracks", asked.tracks is not None), ("sketches", bool(asked.sketches))):
            if given and name not in self.leads:
                able = [method.name for method in METHODS.values() if name in method.leads]
                raise InputError(f"{name} were given: {self.name} does not follow {name}, {' and '.join(able)} can")

    def draw(
        self,
        paths: Sequence[Path],
        asked: Asked,
        *,
        device: torch.device | str = "cpu",
        dtype: torch.dtype = torch.float32,
        each: Each | None = None,
    ) -> Tensor:
        """The clip [F,3,H,W] 0..1 with both keyframes redrawn, drawn with the weights of ``paths``. Raises `InputError`."""
        self.check(asked)
        drawing = self.drawing(**asked.settings)
        keyframes.check(asked.first, asked.last, self.frames, self.cell)
        network = self.load(paths, device=device, dtype=dtype)
        given: dict[str, Any] = {"each": each}
        if "tracks" in self.leads:
            given["tracks"] = asked.tracks
        if "sketches" in self.leads:
            given["sketches"] = asked.sketches
        return network(asked.first, asked.last, drawing=drawing, **given)


METHODS = {
    method.name: method
    for method in (
        Method(
            "framer",
            framer.FRAMES,
            framer.SIZE,
            keyframes.CELL,
            framer.Drawing,
            frozenset({"tracks"}),
            "Framer's UNet, its ControlNet for tracks, and Stable Video Diffusion's checkpoint or folder",
            files.framer_of,
        ),
        Method(
            "svdkfi",
            svdkfi.FRAMES,
            svdkfi.SIZE,
            keyframes.CELL,
            svdkfi.Drawing,
            frozenset(),
            "three UNets, Stable Video Diffusion's of 25 frames, the authors' and the one they tuned, and Stable Video "
            "Diffusion's checkpoint or folder",
            files.inbetweening_of,
        ),
        *(
            Method(
                name,
                crafter.FRAMES,
                crafter.SIZE,
                crafter.CELL,
                crafter.Drawing,
                frozenset({"sketches"}),
                f"{title}'s whole file, or the pruned one with CLIP ViT-H's vision model and Stable Diffusion 2.1's text encoder",
                load,
            )
            for name, title, load in (
                ("dynamicrafter", "DynamiCrafter", files.dynamicrafter_of),
                ("tooncrafter", "ToonCrafter", files.tooncrafter_of),
            )
        ),
    )
}
"""All methods, by name."""
