"""What `vfi audit --doubtful` gains and costs, on clips at half their rate, so that the true frames are known.

    python benchmarks/policies.py CLIP... [--model inbetween-s] [--frames 33]

Every second frame is made by the model, and a square of every fourth of these is mirrored: these are spoilt. Prints the mean
PSNR of the spoilt frames before and after each policy, and of those others that the policy changes.
"""

from __future__ import annotations

import argparse
import sys
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from math import log10
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from vfi.clips.open import open_clip
from vfi.core import Frame
from vfi.edit.shots import shots
from vfi.evidence import prior
from vfi.evidence.fit import fitted
from vfi.evidence.judge import judged
from vfi.evidence.policies import Name, Policy
from vfi.evidence.real import Asked, unmade
from vfi.evidence.remade import colours, samples
from vfi.evidence.witness import Witness
from vfi.model.load import Choice
from vfi.pixels.uint8 import codes

SPOILT = 4
"""Every so many-th made frame is spoilt."""

POLICIES: tuple[Name, ...] = ("hold", "blend")


def psnr(one: Frame, other: Frame) -> float:
    return -10 * log10(max(float((colours(one) - colours(other)).square().mean()), 1e-9))


def spoilt(rgb: Tensor) -> Tensor:
    """The picture with a square in its middle mirrored, a third as high as itself."""
    height, width = rgb.shape[-2:]
    side = height // 3
    area = np.s_[:, side : 2 * side, (width - side) // 2 : (width + side) // 2]
    rgb = rgb.clone()
    rgb[area] = rgb[area].flip(2)
    return rgb


def tasks(source: list[Frame], witness: Witness) -> Iterator[Asked]:
    """The frames between those of ``source``, made, of which some are spoilt."""
    for place, one in enumerate(unmade(source, witness.model.spec.window)):
        made = codes(witness.between([colours(frame) for frame in one.window]).made(one.t))
        yield replace(one, made=Frame(spoilt(made) if place % SPOILT == 1 else made, one.time))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clips", metavar="CLIP", nargs="+", type=Path)
    parser.add_argument("--model", default="inbetween-s")
    parser.add_argument("--frames", type=int, default=33)
    args = parser.parse_args()
    witness = Witness.of(Choice((args.model,)), torch.device("cpu"))
    known = prior.shipped()
    found: dict[tuple[str, str], list[tuple[float, float]]] = defaultdict(list)
    for clip in args.clips:
        frames = list(islice(shots(open_clip(clip)), args.frames))
        if any(frame.cut for frame in frames[1:]):
            sys.stdout.write(f"{clip.name}: has a cut, passed over\n")
            continue
        source = frames[::2]
        fit = fitted(samples(source, witness, known.names), known)
        for place, one in enumerate(judged(tasks(source, witness), witness, fit)):
            kind = "spoilt" if place % SPOILT == 1 else "plain"
            for name in POLICIES:
                policy, true = Policy(name), frames[one.verdict.number]
                if kind == "spoilt" or policy.concerns(one):
                    found[kind, name].append((psnr(one.frame, true), psnr(policy.applied(one.frame, one), true)))
        sys.stdout.write(f"{clip.name}\n")
        sys.stdout.flush()
    for (kind, name), pairs in sorted(found.items()):
        before, after = np.mean(pairs, axis=0)
        better = np.mean([one < other for one, other in pairs])
        sys.stdout.write(
            f"{name}, {kind}: {len(pairs)} frames, {before:.2f} dB before, {after:.2f} dB after, {100 * better:.0f} % better\n"
        )


if __name__ == "__main__":
    main()
