"""The methods that draw between two keyframes, by name: what each takes, and a clip drawn with given files.

Owns which settings a method knows. Knows nothing of how a method works or where files are found.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ..core import InputError
from ..model import weights
from ..model.weights.files import kind_of as form_of
from ..model.weights.files import read_shapes
from ..tracks import Tracks
from . import files, framer, keyframes, svd, svdkfi
from .dynamicrafter import drawing as crafter
from .dynamicrafter.checkpoint import is_toon
from .dynamicrafter.files import dynamicrafter
from .edm import Each
from .fit import Pixels


@dataclass(frozen=True)
class Asked:
    """What to draw: a clip from ``first`` to ``last`` [3,H,W] 0..1, led by ``tracks`` or by ``sketches``.

    ``sketches`` are light lines on black [H,W] 0..1, by frame number. ``vocabulary``: CLIP's, for a prompt. ``settings`` are
    fields of the method's own drawing, such as steps, seed or prompt; those left out have the method's defaults.
    """

    first: Tensor
    last: Tensor
    tracks: Tracks | None = None
    sketches: Mapping[int, Tensor] = field(default_factory=dict)
    vocabulary: Path | None = None
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
        words = {"vocabulary": asked.vocabulary} if "prompt" in {own.name for own in fields(self.drawing)} else {}
        network = self.load(paths, device=device, dtype=dtype, **words)
        given: dict[str, Any] = {"each": each}
        if "tracks" in self.leads:
            given["tracks"] = asked.tracks
        if "sketches" in self.leads:
            given["sketches"] = asked.sketches
        return network(asked.first, asked.last, drawing=drawing, **given)


# --- files --------------------------------------------------------------------------------------------------------------------

CODERS = (
    "a whole checkpoint, Stable Video Diffusion's or one like it",
    "the autoencoder of Stable Video Diffusion",
    "a CLIP vision model",
)
CRAFTER_FILE = "a whole checkpoint, DynamiCrafter's or ToonCrafter's"
"""Kinds of files, as `svd.looks_like` names them."""


def kind_of(path: Path) -> str:
    """What a file holds, as `svd.looks_like` names it; a folder is taken for Stable Video Diffusion's. Raises `InputError`."""
    if path.is_dir():
        return CODERS[0]
    found = weights.find(path)
    if form_of(found) != "safetensors":
        weights.read(found, ())  # says why not
    return svd.looks_like(read_shapes(found))


def sorted_by_kind(paths: Sequence[Path], needed: Mapping[str, int], optional: Sequence[str] = ()) -> list[list[Path]]:
    """The files of each kind, in the order of ``needed``, which says how many, and then of ``optional``, at most one.

    Raises `InputError` for a file of another kind, and if there are too few or too many.
    """
    counts = {**needed, **dict.fromkeys(optional, 1)}
    found: dict[str, list[Path]] = {kind: [] for kind in counts}
    for path in paths:
        kind = kind_of(path)
        if kind not in found:
            raise InputError(f"{path.name} is {kind}; these can be given: {', '.join(counts)}")
        found[kind].append(path)
    for kind, several in found.items():
        if len(several) > counts[kind] or (kind in needed and len(several) < counts[kind]):
            raise InputError(f"{len(several)} files are {kind}: {counts[kind]} {'is' if counts[kind] == 1 else 'are'} needed")
    return list(found.values())


def load_framer(paths: Sequence[Path], **how: Any) -> framer.Framer:
    """Framer, by default as the catalogue knows it."""
    if not paths:
        return files.framer(controlnet=weights.on_disk("framer-controlnet"), **how)
    (net,), *base, control = sorted_by_kind(paths, {"Framer's UNet": 1}, [*CODERS, "Framer's ControlNet"])
    return files.framer(net, coding(*base), *control, **how)


def load_svdkfi(paths: Sequence[Path], **how: Any) -> svdkfi.Inbetweening:
    paths = paths or [weights.find(name) for name in ("svd-xt-unet", "svdkfi-unet", "svd-unet")]
    nets, *base = sorted_by_kind(paths, {"Stable Video Diffusion's UNet": 3}, CODERS)
    return files.inbetweening(nets[0], nets[1], nets[2], coding(*base), **how)


def coding(whole: list[Path], autoencoder: list[Path], vision: list[Path]) -> files.Coding:
    """Stable Video Diffusion's parts besides its UNet, by default as the catalogue knows them. Raises `InputError`."""
    if whole:
        return whole[0]
    if bool(autoencoder) != bool(vision):
        lacks = "its image encoder" if autoencoder else "its autoencoder"
        raise InputError(f"only one part of Stable Video Diffusion was given: {lacks} is needed too")
    return (autoencoder[0], vision[0]) if autoencoder else files.SVD


def load_crafter(paths: Sequence[Path], toon: bool, vocabulary: Path | None = None, **how: Any) -> crafter.DynamiCrafter:
    """DynamiCrafter or ToonCrafter; by default as the catalogue knows them, as are OpenCLIP's halves."""
    name, other = ("ToonCrafter", "DynamiCrafter") if toon else ("DynamiCrafter", "ToonCrafter")
    if not paths:
        led = weights.on_disk("tooncrafter-sketch")
        paths = [weights.find(f"{name.lower()}-512"), *([led] if led else [])]
    (whole,), *others = sorted_by_kind(
        paths,
        {CRAFTER_FILE: 1},
        ["a CLIP vision model", "a CLIP text model", "a ControlNet of single pictures", "both halves of OpenCLIP"],
    )
    vision, text, sketch, both = (own[0] if own else None for own in others)
    if is_toon(read_shapes(weights.find(whole))) != toon:
        raise InputError(f"{whole.name} is {other}'s: choose {other.lower()}, or give another file")
    return dynamicrafter(whole, vision=vision or both, text=text or both, vocabulary=vocabulary, sketch=sketch, **how)


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
            "Framer's UNet, its ControlNet for tracks, and Stable Video Diffusion's autoencoder and image encoder or "
            "checkpoint",
            load_framer,
        ),
        Method(
            "svdkfi",
            svdkfi.FRAMES,
            svdkfi.SIZE,
            keyframes.CELL,
            svdkfi.Drawing,
            frozenset(),
            "three UNets, Stable Video Diffusion's of 25 frames, the authors' and the one they tuned, and Stable Video "
            "Diffusion's autoencoder and image encoder or checkpoint",
            load_svdkfi,
        ),
        *(
            Method(
                name,
                crafter.FRAMES,
                crafter.SIZE,
                crafter.CELL,
                crafter.Drawing,
                frozenset({"sketches"}),
                f"{title}'s whole file, or the pruned one, CLIP ViT-H's vision model and Stable Diffusion 2.1's text encoder",
                partial(load_crafter, toon=title == "ToonCrafter"),
            )
            for name, title in (("dynamicrafter", "DynamiCrafter"), ("tooncrafter", "ToonCrafter"))
        ),
    )
}
"""All methods, by name."""
