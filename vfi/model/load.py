"""The assembler: from a name, a file or a state dict to a model that is ready to use.

Owns the choice of networks and the order of the wrappers around them. Knows nothing of how files are found (`weights`) or
networks recognised (`registry`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor, nn

from ..core import InputError, Interpolator, Options, Sampling, Spec
from ..pixels.transfer import Transfer
from . import backends, consensus, half_size, pace, registry, weights
from .consensus import Consensus
from .fast import fast
from .half_size import HalfSize
from .hdr import Lit
from .moving_region import MovingRegion
from .pace import PaceMode, paced
from .precision import dtype_of
from .quality import RUNGS, Member, Source, members, order
from .tiles import Tiled
from .weights.files import kind_of, read_shapes
from .wrappers import Pad, Padded, Placed, Recursive, Tta

AUTO = order()
"""The models that ``auto`` looks for on disk, best first. One ships with the library; without any, ``auto`` is ``dis``."""

CPU = torch.device("cpu")

HUGE = 2160 * 3840
"""Pixels per frame from which motion is estimated at half size if no scale is given, as RIFE's authors advise for 4K."""


@dataclass(frozen=True)
class Choice:
    """Which models make the frames, and how: everything that determines a model except the device. Picklable if its models are.

    ``models`` are names (see `models`), safetensors files or state dicts; of several, each pixel is their median (see
    `consensus.Consensus`). ``quality`` is one of `quality.RUNGS`, ``tta`` a mode of `wrappers.Tta`, ``pad`` as in
    `wrappers.Pad.parse` or "auto", ``precision`` one of `precision.PRECISIONS` or a type, and ``backend`` one of
    `backends.BACKENDS`. ``pace``, one of `pace.PaceMode`: how the frames around a pair time its pixels. A ``scale`` of None
    depends on the frame size, see `HUGE`. The rest is as in `core.Options`.
    """

    models: tuple[Source, ...] = ("auto",)
    quality: str = "normal"
    tta: str = "none"
    scale: float | None = None
    ensemble: bool = False
    refine: bool = True
    variant: str | None = None
    sampling: Sampling | None = None
    pad: str | Pad = "auto"
    precision: str | torch.dtype = "auto"
    backend: str = "torch"
    pace: PaceMode = "off"

    @property
    def members(self) -> tuple[Member, ...]:
        """The models that make a frame. Raises `InputError` if the quality contradicts the rest."""
        return members(self.quality, self.models, self.tta, there=there)

    def options(self, size: tuple[int, int] | None = None) -> Options:
        """The options to build networks with, for frames of ``size`` (height, width)."""
        scale = self.scale or (0.5 if size is not None and size[0] * size[1] >= HUGE else 1.0)
        return Options(scale, self.ensemble, self.refine, self.variant, self.sampling)


@dataclass(frozen=True)
class Part:
    """A network on its ``device`` and how it is used; one or more parts are assembled into a model.

    ``half_size``: motion is estimated at half size and, without ``tta``, only the moving region is made, see `half_size`
    and `moving_region`. ``pad``: None for the network's own.
    """

    network: Interpolator
    device: torch.device = CPU
    dtype: torch.dtype = torch.float32
    tta: str = "none"
    half_size: bool = False
    pad: Pad | None = None

    def ready(self) -> Interpolator:
        """Wrap the network to take any frame size and any t within the memory available. Moves it to ``device``."""
        dtype_of(self.dtype, self.network.spec, self.device)
        if isinstance(self.network, nn.Module):
            self.network.to(device=self.device, dtype=self.dtype)
        model: Interpolator = Padded(self.network, self.pad)
        if self.half_size:
            model = HalfSize(model)
            model = MovingRegion(model) if self.tta == "none" else model
        if not model.spec.any_t:
            model = Recursive(model)
        if self.tta != "none":
            model = Tta(model, self.tta)
        return Placed(Tiled(model, self.network.spec.multiple * (2 if self.half_size else 1)), self.device)


def assemble(parts: Sequence[Part], transfer: Transfer | None = None, pace: PaceMode = "off") -> Interpolator:
    """The model of ``parts``, if several their median, at a ``pace`` (see `pace.paced`). ``transfer``: of frames beyond black
    and white, see `hdr.Lit`."""
    models = [part.ready() if transfer is None else Lit(part.ready(), transfer) for part in parts]
    return paced(models[0] if len(models) == 1 else Consensus(models), pace)


def parts_of(choice: Choice, device: torch.device, size: tuple[int, int] | None = None) -> list[Part]:
    """The parts of a model on ``device``, for frames of ``size`` (height, width)."""
    pad = None if choice.pad == "auto" else Pad.parse(choice.pad) if isinstance(choice.pad, str) else choice.pad
    run_by: dict[int, tuple[Interpolator, torch.dtype]] = {}
    parts = []
    for member, network in networks(choice.members, choice.options(size)):
        if id(network) not in run_by:
            dtype = dtype_of(choice.precision, network.spec, device)
            if isinstance(network, nn.Module):
                network.to(device=device, dtype=dtype)
            run_by[id(network)] = backends.on(network, choice.backend), dtype
        engine, dtype = run_by[id(network)]
        parts.append(Part(engine, device, dtype, member.tta, member.half_size, pad))
    return parts


def build(
    choice: Choice,
    device: torch.device | str = "cpu",
    size: tuple[int, int] | None = None,
    transfer: Transfer | None = None,
) -> Interpolator:
    """The model of ``choice``, ready to use on ``device``, for frames of ``size`` (height, width) and any other."""
    return assemble(parts_of(choice, torch.device(device), size), transfer, choice.pace)


def spec_of(choice: Choice) -> Spec:
    """The `Spec` of what `build` would make, from the headers of the files, without building a network."""
    specs = []
    for member in choice.members:
        if isinstance(member.source, Mapping):
            spec = registry.detect(member.source)
        else:
            file = source(member.source)
            spec = registry.builtin(file).spec if isinstance(file, str) else registry.detect(read_shapes(file))
        specs.append(half_size.spec_of(spec) if member.half_size else spec)
    spec = consensus.spec_of(specs)
    return spec if choice.pace == "off" else pace.spec_of(spec)


def load(
    model: Source | Sequence[Source] = "auto",
    *,
    quality: str = "normal",
    scale: float = 1.0,
    ensemble: bool = False,
    tta: str = "none",
    pad: str | Pad = "auto",
    refine: bool = True,
    variant: str | None = None,
    sampling: Sampling | None = None,
    device: torch.device | str = "cpu",
    dtype: torch.dtype | None = None,
    backend: str = "torch",
) -> Interpolator:
    """A model ready to use: any size from 1x1 up, ``model(window [B,N,3,H,W] in 0..1, t [B]) -> [B,3,H,W]``.

    ``model`` is a name (see `models`), a safetensors file or a state dict; a list of these is their `consensus.Consensus`, and
    the other arguments apply to each. ``quality``: trade-off between quality and time, one of `quality.RUNGS`.

    ``scale``: fraction of the frame size at which flow is estimated; ``ensemble``: average both time directions inside the
    network; ``tta``: see `wrappers.Tta`; ``pad``: see `wrappers.Pad.parse`, or "auto" for the network's own; ``refine``: use
    the refinement network of RIFE 4.0, and the finest block of RIFE 4.25 and later; ``variant``: name of the network, if its
    keys do not tell; ``sampling``: how a diffusion model samples frames, see `core.Sampling`; ``dtype``: of the weights,
    float32 by default; ``backend``: the engine that runs the network, one of `backends.BACKENDS`. Never downloads. Raises
    `InputError`.
    """
    models = (model,) if isinstance(model, str | Path | Mapping) else tuple(model)
    precision = dtype or torch.float32
    choice = Choice(models, quality, tta, scale, ensemble, refine, variant, sampling, pad, precision, backend)
    if models != (model,) and len(choice.members) < 2:
        raise InputError(f"a consensus of {len(models)} was asked for: it takes 2 models or more")
    return build(choice, device)


def networks(chosen: Iterable[Member], options: Options = Options()) -> Iterator[tuple[Member, Interpolator]]:  # noqa: B008
    """Each member with its bare network, see `network`; members of the same name or file share one."""
    made: dict[object, Interpolator] = {}
    for member in chosen:
        key = id(member.source) if isinstance(member.source, Mapping) else member.source
        if key not in made:
            made[key] = network(member.source, options)
        yield member, made[key]


def network(model: Source, options: Options = Options()) -> Interpolator:  # noqa: B008
    """The bare network in its fastest form, float32 on the CPU; it takes only sizes that suit its `Spec`."""
    if isinstance(model, Mapping):
        return fast(registry.build(model, options))
    file = source(model)
    if isinstance(file, str):
        return registry.builtin(file, options)
    options = replace(options, variant=options.variant or _variant(file))
    if kind_of(file) == "safetensors":
        registry.check(read_shapes(file), options)  # before the file is read: a sparse one may state any size
    return fast(registry.build(weights.read(file), options))


def source(model: str | Path) -> str | Path:
    """The name of a model that needs no weights, or the file of any other. Raises `InputError` if there is none."""
    name = auto() if model == "auto" else model
    if other := registry.others().get(str(name)):
        raise InputError(f"{name} is for {registry.PURPOSES[other.kind]}: a model that makes frames is needed")
    return str(name) if name in registry.builtins() else weights.find(name)


def _variant(file: Path) -> str | None:
    """The variant that the catalogue gives for weights of this file name."""
    return next((row.variant for row in registry.checkpoints().values() if file.name in row.files), None)


def there(name: str, folders: Iterable[Path] | None = None) -> bool:
    """Whether a model of this name is available: on disk, or without weights. ``folders`` as for `auto`."""
    return name in registry.builtins() or weights.on_disk(name, folders) is not None


def auto(folders: Iterable[Path] | None = None) -> str:
    """The best model in ``folders`` (default: `weights.search_folders`) or shipped with the library."""
    places = weights.search_folders() if folders is None else list(folders)
    return next((name for name in AUTO if weights.on_disk(name, places)), "dis")


def qualities_of(name: str) -> tuple[str, ...]:
    """The qualities that use a model of their own accord, from the fastest, if all models are on disk."""
    used = {quality: {str(member.source) for member in members(quality, there=lambda other: True)} for quality in RUNGS}
    return tuple(quality for quality, models in used.items() if name in models or (name == AUTO[0] and "auto" in models))


def detect(state: Mapping[str, Tensor]) -> Spec:
    """The network that a state dict belongs to, recognised by its keys and shapes. Raises `InputError` for an unknown one."""
    return registry.detect(state)


def models() -> list[str]:
    """The names that `load` knows: those that need no weights, then the catalogue."""
    return registry.names()
