"""Speed and memory of Inbetween against its rivals, on the same weights.

    python benchmarks/rivals.py --comfyui COMFYUI --comfyui-python PYTHON --pack ComfyUI-Frame-Interpolation --dtype bfloat16

Each contender is its own process, loads once, makes the first frames untimed, and then takes turns with the others on the same
clip, so that other load on the machine affects all alike. Frames are in memory before and after, as IMAGE is between nodes.
Without a rival's path only Inbetween is measured.

Measurements: `--speed` and `--memory` by default; also `--growth` (memory by length of the clip), `--host-loop` (everything but
the network) and `--all`.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from contest import measure, plot, report
from contest.cases import Case, size_of
from contest.crew import TUNED, Places
from contest.setting import Setting

PARTS = ("speed", "memory", "growth", "host-loop")
COUNTED = r"4\.2[56](?!.*(lite|heavy))"
"""The models whose minimum work `cases` knows."""


def arguments(words: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Measure speed and memory against rivals on the same weights.")
    parser.add_argument("--comfyui", type=Path, metavar="PATH", help="a checkout of ComfyUI 0.25 or later")
    parser.add_argument("--comfyui-python", default=sys.executable, metavar="PYTHON", help="the Python that runs it (this one)")
    parser.add_argument("--pack", type=Path, metavar="PATH", help="a checkout of Fannovel16's ComfyUI-Frame-Interpolation")
    parser.add_argument("--model", default="rife-4.25", help="a name or a safetensors file (%(default)s)")
    parser.add_argument("--dtype", nargs="*", default=[], choices=["bfloat16", "float16"], help="run ours in these types too")
    parser.add_argument("--backend", nargs="*", default=[], help="run the library on these too, in float32: openvino, onnx")
    parser.add_argument("--sizes", nargs="+", type=size_of, default=[(448, 256), (960, 540), (1280, 720)], metavar="WxH")
    parser.add_argument("--times", nargs="+", type=int, default=[2, 4], metavar="K")
    parser.add_argument("--repeats", type=int, default=5, help="timed turns (%(default)s)")
    parser.add_argument("--new", type=int, default=12, help="new frames per turn at 960x540; other sizes alike (%(default)s)")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--allocator", nargs="+", default=["stock"], choices=["stock", "tuned"], help="glibc's, on all sides")
    parser.add_argument("--long-size", type=size_of, default=(1280, 720), metavar="WxH", help="for --growth and --host-loop")
    parser.add_argument("--image-lengths", nargs="*", type=int, default=[15, 30, 60, 120], metavar="N", help="for --growth")
    parser.add_argument("--film-lengths", nargs="*", type=int, default=[60, 600, 6000], metavar="N", help="for --growth")
    parser.add_argument("--loop-frames", type=int, default=13, help="source frames per turn of --host-loop (%(default)s)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the measurements")
    parser.add_argument("--notes", type=Path, metavar="FILE", help="write the tables as markdown; replaces those in NOTES.md")
    parser.add_argument("--plot", type=Path, metavar="FILE.svg", help="draw new frames per second")
    parser.add_argument("--from-json", type=Path, metavar="FILE", help="measure nothing: show earlier measurements")
    for part in PARTS:
        parser.add_argument(f"--{part}", dest="parts", action="append_const", const=part)
    parser.add_argument("--all", dest="parts", action="store_const", const=list(PARTS))
    chosen = parser.parse_args(words)
    if chosen.pack and not chosen.comfyui:
        parser.error("--pack was given without --comfyui: the pack runs in ComfyUI")
    if chosen.plot and chosen.plot.suffix != ".svg":
        parser.error(f"--plot {chosen.plot} was given: the file name must end in .svg")
    return chosen


def measured(chosen: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """The records of all requested measurements."""
    places = Places(chosen.comfyui, chosen.comfyui_python, chosen.pack)
    model = str(weights_of(chosen.model)) if chosen.comfyui else chosen.model
    plain = [Setting(kind, model, device=chosen.device, threads=chosen.threads) for kind in places.kinds()]
    also = [replace(plain[0], dtype=dtype) for dtype in chosen.dtype]
    also += [replace(plain[0], kind="library", backend=backend) for backend in chosen.backend]
    settings = [plain[0], *also, *plain[1:]]
    cases = [Case(*size, times) for size in chosen.sizes for times in chosen.times]
    plan = measure.Plan(settings, places, cases, folder, chosen.repeats, chosen.new, tell)
    parts = chosen.parts or ["speed", "memory"]
    results: dict[str, Any] = {"machine": report.machine(chosen.threads), "model": chosen.model}
    for allocator in chosen.allocator:
        plan = replace(plan, places=replace(places, environment=TUNED if allocator == "tuned" else {}))
        long = replace(plan, cases=[Case(*chosen.long_size, 2)])
        wanted = {
            "speed": ("speed", lambda plan=plan: measure.speed(plan)),
            "memory": ("memory", lambda plan=plan: measure.memory(plan)),
            "image growth": ("growth", lambda plan=long: measure.image_growth(plan, chosen.image_lengths)),
            "film growth": ("growth", lambda plan=long: measure.command_growth(plan, chosen.film_lengths)),
            "host loop": ("host-loop", lambda plan=long: measure.host_loop(plan, chosen.loop_frames)),
        }
        for name, (part, records) in wanted.items():
            if part in parts:
                results.setdefault(name, []).extend({**record, "allocator": allocator} for record in records())
    if not re.search(COUNTED, model):
        for record in results.get("speed", []):
            record["flops"] = None
    return results


def weights_of(model: str) -> Path:
    """The file that all sides read. Raises `vfi.InputError` if there is none."""
    from vfi.model import weights  # only here: this process has no use for torch

    return weights.find(model)


def tell(text: str) -> None:
    sys.stderr.write(f"{text}\n")


def main(words: Sequence[str] | None = None) -> None:
    chosen = arguments(words)
    if chosen.from_json:
        results = json.loads(chosen.from_json.read_text(encoding="utf-8"))
    else:
        with tempfile.TemporaryDirectory() as folder:
            results = measured(chosen, Path(folder))
    for table in report.tables(results):
        sys.stdout.write(f"{table.text()}\n\n")
    if chosen.json:
        chosen.json.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    if chosen.notes:
        page = chosen.notes.read_text(encoding="utf-8") if chosen.notes.exists() else ""
        chosen.notes.write_text(report.noted(page, results), encoding="utf-8")
    if chosen.plot:
        first = [record for record in results["speed"] if record["allocator"] == results["speed"][0]["allocator"]]
        heading = f"New frames per second, {results['model']}, {results['machine']['threads']} threads"
        chosen.plot.write_text(plot.svg(first, heading), encoding="utf-8")


if __name__ == "__main__":
    main()
