"""Which model makes the frames, and where: the options, and the model ready to use that they mean."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace, _ArgumentGroup

import torch

from ..clips.clip import Info, unbound
from ..core import InputError, Interpolator, Options, Sampling, Spec
from ..model import load as loading
from ..model import quality
from ..model.backends import BACKENDS
from ..model.consensus import Consensus
from ..model.hdr import Lit
from ..model.quality import Member
from ..model.wrappers import TTA_PASSES
from .arguments import argument, auto_or, count, factor, names, whole

HUGE = 2160 * 3840
"""Pixels from which ``--scale auto`` estimates motion at half the size, as RIFE's authors advise for 4K."""

DTYPES = {"float32": torch.float32, "float16": torch.float16, "bfloat16": torch.bfloat16}


def add_options(parser: ArgumentParser) -> None:
    """Declare the options of the model."""
    model = parser.add_argument_group("model")
    model.add_argument(
        "--model", default="auto", help="a name from `vfi models`, or a file; auto: the best on disk, else inbetween-s"
    )
    rungs = "; ".join(f"{name}: {rung.does}" for name, rung in quality.RUNGS.items())
    model.add_argument("--quality", choices=quality.RUNGS, default="normal", help=f"from the quickest to the best: {rungs}")
    model.add_argument(
        "--consensus",
        type=argument(names),
        default=(),
        metavar="NAME[,NAME...]",
        help="more models: each pixel is the median of what all of them make",
    )
    model.add_argument("--tta", choices=TTA_PASSES, default="none", help="test-time augmentation: better frames for more time")
    model.add_argument("--ensemble", action="store_true", help="average both directions of time inside networks that can")
    model.add_argument(
        "--no-refine",
        dest="refine",
        action="store_false",
        help="without the refinement net of RIFE 4.0, or the finest block of 4.25 and later, which is quicker and no worse",
    )
    model.add_argument(
        "--scale",
        type=argument(auto_or(factor)),
        help="size at which motion is estimated: auto (0.5 from 4K on), 1, 0.5, 0.25, 2, 4",
    )
    model.add_argument("--steps", type=argument(whole), metavar="N", help="diffusion models: steps of a frame (20)")
    model.add_argument("--eta", type=float, metavar="E", help="diffusion models: noise drawn anew at each step, 0 to 1 (0)")
    model.add_argument("--seed", type=argument(count), metavar="N", help="diffusion models: the same seed, the same frames (0)")
    model.add_argument("--pad", default="auto", help="auto, zeros, edge or reflect, with :centre or a multiple such as :128")
    engines = "; ".join(f"{name}: {does}" for name, does in BACKENDS.items() if does)
    model.add_argument("--backend", choices=BACKENDS, default="torch", help=f"what runs the network, if it can: {engines}")
    add_device(model)
    model.add_argument(
        "--batch", type=argument(auto_or(whole)), help="new frames of a pair made at once; auto: 1 on a CPU, 8 elsewhere"
    )


def add_device(group: _ArgumentGroup) -> None:
    """Declare where the model runs, and how exactly."""
    group.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:1, mps ...")
    group.add_argument("--dtype", choices=("auto", *DTYPES), default="auto", help="auto: float16 on CUDA, else float32")


def device_of(text: str) -> torch.device:
    """The device that ``--device`` means; auto is the fastest that is there."""
    if text == "auto":
        text = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    try:
        return torch.empty(0, device=text).device
    except (RuntimeError, AssertionError) as error:
        raise InputError(f"there is no device {text!r} here: give auto, cpu, cuda or mps") from error


def home_of(text: str) -> torch.device:
    """Where frames are read to when ``--device`` is ``text``: to a GPU of CUDA, so that they cross to it once, as samples."""
    device = device_of(text)
    return device if device.type == "cuda" else torch.device("cpu")


def model_of(args: Namespace, info: Info, device: torch.device) -> tuple[str, Interpolator]:
    """The name and the model that the options mean, ready to use on ``device``."""
    scale = args.scale or (0.5 if info.width * info.height >= HUGE else 1.0)
    curve = unbound(info)
    drawn = {name: given for name in ("steps", "eta", "seed") if (given := getattr(args, name)) is not None}
    sampling = Sampling(**drawn) if drawn else None
    options = Options(scale=float(scale), ensemble=args.ensemble, refine=args.refine, sampling=sampling)
    models = []
    for member, network in loading.networks(members_of(args), options):
        dtype = dtype_of(args.dtype, device, network.spec)
        ready = loading.ready(network, **member.use, pad=args.pad, device=device, dtype=dtype, backend=args.backend)
        models.append(Lit(ready, curve) if curve else ready)
    model = models[0] if len(models) == 1 else Consensus(models)
    return model.spec.name, model


def members_of(args: Namespace) -> tuple[Member, ...]:
    """The models that the options mean, without a look at any of them."""
    return quality.members(args.quality, (args.model, *args.consensus), args.tta, there=loading.there)


def dtype_of(text: str, device: torch.device, spec: Spec) -> torch.dtype:
    """The precision that ``--dtype`` means for a model of ``spec``."""
    half = device.type == "cuda" and spec.half
    return DTYPES[text] if text != "auto" else torch.float16 if half else torch.float32
