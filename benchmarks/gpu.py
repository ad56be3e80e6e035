"""One run on a device that tells all: every architecture against the CPU, speed, memory, Framer, and rivals if they are named.

    python benchmarks/gpu.py --json > gpu.json
    python benchmarks/gpu.py --report gpu.html --comfyui COMFYUI --comfyui-python PYTHON --pack COMFYUI_FRAME_INTERPOLATION

It needs torch and this checkout, and no weights: they are random where there are none, which takes as long. After eight minutes
no measurement begins; ``--device cpu --small`` tries it on any machine. See `vfi bench gpu`.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests"), str(ROOT / "benchmarks")]

import networks  # noqa: E402  of the tests
import parity  # noqa: E402
import rivals  # noqa: E402
import torch  # noqa: E402
import tweening  # noqa: E402

from vfi.archs import film, gmfss, inbetween, rife  # noqa: E402
from vfi.bench import device as bench  # noqa: E402
from vfi.cli import gpu  # noqa: E402
from vfi.core import InputError, Interpolator  # noqa: E402
from vfi.model import devices, load  # noqa: E402
from vfi.model.fast import fast  # noqa: E402
from vfi.tween import edm, framer, svd  # noqa: E402

WHOLE: dict[str, Callable[[], Interpolator]] = {
    "rife-4.25": lambda: rife.build(parity.load_set("rife/rife_v4.25").state()),
    "rife-4.26": lambda: rife.build(parity.load_set("rife/rife_v4.26").state()),
    "inbetween-s": lambda: inbetween.Inbetween().eval(),
    "gmfss-union": lambda: gmfss.build(networks.other("gmfss/gmfss_union")),
    "film": lambda: film.build(parity.load_set("film/film").state()),
}
"""The networks that are timed, at full size, with random weights."""

FRAMES, WIDTH, HEIGHT, STEPS = 14, 512, 320, 3
"""Framer's clip, and the denoising steps, of which all but the first are timed."""


def timed(name: str) -> Interpolator:
    return load.network(name) if load.there(name) else fast(WHOLE[name]())


@torch.no_grad()
def drawn(ours: gpu.Bench, results: dict[str, Any]) -> None:
    """Adds seconds per denoising step and peak memory of Framer's UNet, alone and with its ControlNet."""
    records = results["framer"] = []
    for what, control in (("UNet", False), ("UNet and ControlNet", True)):
        ours.tell(f"framer: {what}")
        dtype = torch.float16
        record: dict[str, Any] = {"what": what, "dtype": bench.short(dtype)}
        try:
            record |= stepped(ours.device, dtype, control=control)
        except (RuntimeError, InputError) as error:
            record["error"] = f"{type(error).__name__}: {error}"[:400]
        devices.free(ours.device)
        records.append(record)


def stepped(device: torch.device, dtype: torch.dtype, *, control: bool) -> dict[str, Any]:
    devices.forget_peak(device)
    kinds = {"real_unet": svd.UNet, **({"real_controlnet": svd.ControlNet} if control else {})}
    built = [sized(name, kind, device, dtype) for name, kind in kinds.items()]
    there = {"device": device, "dtype": dtype}
    ends, tokens = torch.randn(2, 4, HEIGHT // 8, WIDTH // 8, **there), torch.randn(2, built[0].sizes.context, **there)
    points = tweening_tracks() if control else None
    run = framer.Run(built[0], built[1] if control else None, ends, tokens, points, framer.Drawing(steps=STEPS), FRAMES)
    began: list[float] = []

    def each(step: Any) -> None:
        devices.synchronize(device)
        began.append(time.perf_counter())

    edm.euler(run.predict, torch.randn(1, FRAMES, 4, HEIGHT // 8, WIDTH // 8, **there), STEPS, each)
    return {"seconds per step": (began[-1] - began[0]) / (len(began) - 1), "peak": devices.peak(device)}


def sized(name: str, kind: Any, device: torch.device, dtype: torch.dtype) -> torch.nn.Module:
    """Framer's network with the published shapes, its weights small and random."""
    shapes = {key: torch.empty(shape, device="meta") for key, shape in tweening.table(name).items()}
    with torch.device("meta"):
        network = kind(svd.Sizes.read(shapes))
    network = network.to(dtype).to_empty(device=device).eval()
    for weight in network.state_dict().values():
        if weight.is_floating_point():
            weight.normal_(std=0.02)
    return network


def tweening_tracks() -> Any:
    from vfi.tracks import Tracks

    path = torch.linspace(0.2, 0.8, FRAMES, dtype=torch.float64)
    points = torch.stack((path * WIDTH, path * HEIGHT), dim=-1)[:, None]
    return Tracks(points, torch.ones(FRAMES, 1, dtype=torch.bool), (WIDTH, HEIGHT))


def raced(chosen: argparse.Namespace, ours: gpu.Bench, results: dict[str, Any]) -> None:
    """Adds the records of `rivals`, in turns on the same device."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "rivals.json"
        words = ["--comfyui", chosen.comfyui, "--comfyui-python", chosen.comfyui_python, "--device", ours.device.type]
        words += ["--pack", chosen.pack] if chosen.pack else []
        words += ["--sizes", *(f"{case.width}x{case.height}" for case in ours.cases if case.times == 2 and not case.bytes)]
        words += ["--times", "2", "--repeats", "3", "--speed", "--json", file, "--model", chosen.rival_model]
        before, sys.stdout = sys.stdout, sys.stderr
        try:
            rivals.main([str(word) for word in words])
        finally:
            sys.stdout = before
        results["rivals"] = json.loads(file.read_text(encoding="utf-8"))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    gpu.add_options(parser)
    parser.add_argument("--no-framer", action="store_true", help="leave Framer out; it is left out on a CPU")
    parser.add_argument("--comfyui", metavar="PATH", help="a checkout of ComfyUI, whose own node is timed too")
    parser.add_argument("--comfyui-python", default=sys.executable, metavar="PYTHON", help="the Python that runs it (this one)")
    parser.add_argument("--pack", metavar="PATH", help="a checkout of Fannovel16's ComfyUI-Frame-Interpolation, timed too")
    parser.add_argument("--rival-model", default="rife-4.25", metavar="MODEL", help="the weights of all sides (%(default)s)")
    chosen = parser.parse_args()

    def more(ours: gpu.Bench, results: dict[str, Any]) -> None:
        if not chosen.no_framer and ours.device.type != "cpu":
            drawn(ours, results)
        if chosen.comfyui:
            raced(chosen, ours, results)

    try:
        quick = {name: lambda name=name: timed(name) for name in chosen.models or WHOLE}
        return gpu.run(chosen, networks.SMALL, quick, more)
    except InputError as error:
        parser.error(str(error))


if __name__ == "__main__":
    sys.exit(main())
