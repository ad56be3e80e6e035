"""Measures `Spec.activations` of models: the numbers held per pixel, at the peak, while a frame is made.

    python benchmarks/activations.py ifrnet.safetensors dis --size 448x256

Names are those of `vfi models`, or safetensors files; random weights measure the same. Declare the measured number with half as
much to spare: other sizes and versions of PyTorch hold a little more.
"""

from __future__ import annotations

import argparse

import torch
from torch.profiler import ProfilerActivity, profile

import vfi
from vfi.core import Interpolator


def held(model: Interpolator, height: int, width: int) -> float:
    """The peak of the memory that PyTorch allocates for one frame, in float32 numbers per pixel."""
    window, t = torch.rand(1, model.spec.window, 3, height, width), torch.tensor([0.5])
    model(window, t)  # buffers that are kept from frame to frame are allocated before
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as seen:
        model(window, t)
    assert seen.profiler is not None
    now = peak = 0
    for _, size in sorted(
        (event.start_ns(), event.nbytes()) for event in seen.profiler.kineto_results.events() if event.name() == "[memory]"
    ):
        now += size
        peak = max(peak, now)
    return peak / 4 / height / width


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="+", help="names from `vfi models`, or safetensors files")
    parser.add_argument("--size", default="448x256", help="width and height of the frames (448x256)")
    args = parser.parse_args()
    width, height = map(int, args.size.split("x"))
    for name in args.models:
        model = vfi.load(name)
        measured = held(model, height, width)
        print(f"{name}: {measured:.0f} numbers per pixel measured, {model.spec.activations} declared")  # noqa: T201


if __name__ == "__main__":
    main()
