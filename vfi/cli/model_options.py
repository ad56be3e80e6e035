"""Model options: which model makes the frames, how, and on which device."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace, _ArgumentGroup

import torch

from ..core import Sampling
from ..model.backends import BACKENDS
from ..model.devices import device_of as device_of
from ..model.drawing import DRAWINGS
from ..model.load import Choice
from ..model.pace import PACES
from ..model.precision import PRECISIONS
from ..model.quality import RUNGS
from ..model.wrappers import TTA_PASSES
from ..ops.kinds import kind
from .arguments import argument, auto_or, count, factor, names, whole


def add_options(parser: ArgumentParser, *, motion: bool = False) -> None:
    """Declare the options of the model; ``motion``: it makes no frames, and is called so."""
    model = parser.add_argument_group("model")
    which = "a name from `vfi models`, or a file; auto: the one on disk that measured best, of those no slower than RIFE 4.25"
    if motion:
        model.add_argument("--motion", dest="model", metavar="MODEL", default="dis", help=f"the model of motion: {which} (dis)")
    else:
        model.add_argument("--model", default="auto", help=which)
    rungs = "; ".join(f"{name}: {rung.does}" for name, rung in RUNGS.items())
    model.add_argument(
        "--quality", choices=RUNGS, default="normal", help=f"quality preset, from the fastest to the best: {rungs}"
    )
    model.add_argument(
        "--consensus",
        type=argument(names),
        default=(),
        metavar="NAME[,NAME...]",
        help="more models: each pixel becomes the median of all models",
    )
    model.add_argument("--tta", choices=TTA_PASSES, default="none", help="test-time augmentation: better frames for more time")
    model.add_argument(
        "--ensemble",
        action="store_true",
        help="estimate motion in both time directions and average it, in networks that support it",
    )
    model.add_argument(
        "--no-refine",
        dest="refine",
        action="store_false",
        help="skip the refinement network of RIFE 4.0 (faster, 0.8 dB worse) or the finest block of RIFE 4.25 and later "
        "(faster, no worse)",
    )
    model.add_argument(
        "--scale",
        type=argument(auto_or(factor)),
        help="flow scale: fraction of the frame size at which motion is estimated (auto: 0.5 for 4K and up, else 1)",
    )
    model.add_argument("--steps", type=argument(whole), metavar="N", help="diffusion models: denoising steps per frame (20)")
    model.add_argument(
        "--eta", type=float, metavar="E", help="diffusion models: eta, the share of fresh noise added at each step, 0 to 1 (0)"
    )
    model.add_argument("--heat", type=float, metavar="H", help="PerVFI: standard deviation of the noise, 0 to 1 (0.3)")
    model.add_argument("--seed", type=argument(count), metavar="N", help="diffusion models and PerVFI: seed of the noise (0)")
    model.add_argument(
        "--pad", default="auto", help="padding: auto, zeros, edge or reflect, with :centre or a multiple such as :128"
    )
    engines = "; ".join(f"{name}: {does}" for name, does in BACKENDS.items() if does)
    model.add_argument(
        "--backend", choices=BACKENDS, default="torch", help=f"engine that runs the network, if it can: {engines}"
    )
    if not motion:
        model.add_argument(
            "--drawing",
            choices=DRAWINGS,
            default="auto",
            help="line art and flat colour: new frames take each part from one of the two frames instead of blending, so that "
            "lines and colours stay as drawn; auto: where both frames are flat-coloured",
        )
    add_device(model)
    model.add_argument(
        "--batch", type=argument(auto_or(whole)), help="in-between frames of a pair made at once; auto: 1 on a CPU, else 8"
    )


def add_pace(parser: ArgumentParser) -> None:
    """Declare the option that times the pixels between two frames."""
    modes = "; ".join(f"{name}: {does}" for name, does in PACES.items())
    parser.add_argument(
        "--pace", choices=PACES, default="off", help=f"time of every pixel, from the frames around each pair: {modes} (off)"
    )


def add_device(group: _ArgumentGroup) -> None:
    """Declare the device and the precision."""
    group.add_argument("--device", default="auto", help="auto (the fastest available), cpu, cuda, cuda:1, mps ...")
    group.add_argument(
        "--dtype", choices=PRECISIONS, default="auto", help="auto: float16 on CUDA if the model supports it, else float32"
    )


def choice_of(args: Namespace) -> Choice:
    """The `Choice` that the options mean; no file is read."""
    drawn = {name: given for name in ("steps", "eta", "heat", "seed") if (given := getattr(args, name)) is not None}
    return Choice(
        models=(args.model, *args.consensus),
        quality=args.quality,
        tta=args.tta,
        scale=None if args.scale is None else float(args.scale),
        ensemble=args.ensemble,
        refine=args.refine,
        sampling=Sampling(**drawn) if drawn else None,
        pad=args.pad,
        precision=args.dtype,
        backend=args.backend,
        drawing=getattr(args, "drawing", "off"),
        pace=getattr(args, "pace", "off"),
    )


def home_of(device: torch.device) -> torch.device:
    """The device that frames are read to: CUDA, so that they are transferred once, as raw samples; otherwise the CPU."""
    return device if kind(device).streams else torch.device("cpu")
