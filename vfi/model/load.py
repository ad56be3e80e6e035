"""From a name, a file or a state dict to a model that is ready to use.

Owns the order of the wrappers. Knows nothing of how files are found (`weights`) or networks recognised (`registry`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor, nn

from ..core import InputError, Interpolator, Options, Sampling, Spec
from . import backends, registry, weights
from .consensus import Consensus
from .fast import fast
from .half_size import Halved
from .moving_region import Still
from .quality import Member, Source, members
from .tiles import Tiled
from .wrappers import Pad, Padded, Placed, Recursive, Tta

AUTO = ("rife-4.25", "rife-4.26", "rife-4.25-heavy", "rife-4.25-lite", "rife-4.0", "inbetween-s")
"""What ``auto`` takes when it is on disk, best first; the last ships with the library, and without it there is ``dis``."""


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
    what follows holds for each. ``quality``: how good frames are and how long they take, one of `quality.RUNGS`.

    ``scale``: flow is estimated at this fraction of the frame's size; ``ensemble``: both directions inside the network;
    ``tta``: see `wrappers.Tta`; ``pad``: see `wrappers.Pad.parse`, or "auto" for what suits the network; ``refine``: use the refinement
    net of RIFE 4.0, and the finest block of RIFE 4.25 and later; ``variant``: names a network that its keys cannot tell;
    ``sampling``: how a diffusion model draws its frames, see `core.Sampling`; ``dtype``: of the weights, float32 unless given;
    ``backend``: what runs the network, one of `backends.BACKENDS`. Never downloads. Raises `InputError`.
    """
    options = Options(scale=scale, ensemble=ensemble, refine=refine, variant=variant, sampling=sampling)
    wanted = [model] if isinstance(model, str | Path | Mapping) else list(model)
    chosen = networks(members(quality, wanted, tta, there=there), options)
    made = [ready(one, **member.use, pad=pad, device=device, dtype=dtype, backend=backend) for member, one in chosen]
    return made[0] if isinstance(model, str | Path | Mapping) and len(made) == 1 else Consensus(made)


def networks(chosen: Iterable[Member], options: Options = Options()) -> Iterator[tuple[Member, Interpolator]]:  # noqa: B008
    """Each with its bare network, see `network`; those of one name or file share it."""
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
    return fast(registry.build(weights.read(file), replace(options, variant=options.variant or _variant(file))))


def source(model: str | Path) -> str | Path:
    """The name of a model that needs no weights, or the file of any other. Raises `InputError` where there is none."""
    name = auto() if model == "auto" else model
    return str(name) if name in registry.builtins() else weights.find(name)


def _variant(file: Path) -> str | None:
    """What the weights of the catalogue that are called as ``file`` is call for."""
    return next((row.variant for row in registry.checkpoints().values() if file.name in row.files), None)


def ready(
    model: Interpolator,
    *,
    tta: str = "none",
    halved: bool = False,
    pad: str | Pad | None = "auto",
    device: torch.device | str = "cpu",
    dtype: torch.dtype | None = None,
    backend: str = "torch",
) -> Interpolator:
    """Wrap a bare network so that it takes any size and t, on ``device``, in what memory there is.

    ``halved``: it works at half the size and, without ``tta``, on the part of the frame that moves, see `half_size` and `moving_region`.
    """
    dtype = dtype or torch.float32
    if torch.device(device).type == "cpu" and dtype == torch.float16:
        raise InputError("float16 was asked for on the CPU, which has no fast path for it: give float32 or bfloat16")
    if dtype != torch.float32 and not model.spec.half:
        raise InputError(f"{model.spec.name} needs float32: half precision breaks its picture")
    if isinstance(model, nn.Module):
        model.to(device=device, dtype=dtype)
    multiple = model.spec.multiple * (2 if halved else 1)
    model = backends.on(model, backend)
    if isinstance(pad, str):
        pad = None if pad == "auto" else Pad.parse(pad)
    model = Padded(model, pad)
    if halved:
        model = Halved(model)
        model = Still(model) if tta == "none" else model
    if not model.spec.any_t:
        model = Recursive(model)
    if tta != "none":
        model = Tta(model, tta)
    return Placed(Tiled(model, multiple), device)


def there(name: str, folders: Iterable[Path] | None = None) -> bool:
    """Whether a model of this name can be used, as it is on disk or needs no weights; ``folders`` as for `auto`."""
    return name in registry.builtins() or weights.on_disk(name, folders) is not None


def auto(folders: Iterable[Path] | None = None) -> str:
    """The best model that is on disk, in ``folders``, where models are looked for, or with the library."""
    places = weights.search_folders() if folders is None else list(folders)
    return next((name for name in AUTO if weights.on_disk(name, places)), "dis")


def detect(state: Mapping[str, Tensor]) -> Spec:
    """What network a state dict is of, read off its keys and shapes. Raises `InputError` for an unknown one."""
    return registry.detect(state)


def models() -> list[str]:
    """The names that `load` knows: those that need no weights, then the catalogue."""
    return registry.names()
