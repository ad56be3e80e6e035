"""Quality and speed of models on triplets: the frame between two is made, and compared with the real one.

    python benchmarks/triplets.py FOLDER --models linear dis rife-4.25 --tta none duo --out results.json

FOLDER holds a folder per triplet with im1, im2 and im3 (png, webp or jpg; the layout of Vimeo-90K), at any depth. Where a
``manifest.json`` in FOLDER or beside it lists ``triplets`` with ``id`` and ``subset``, means are given by subset too.

PSNR is that of RGB rounded to 8 bits, and its mean that of the values per triplet. SSIM is scikit-image's with a Gaussian
window, sigma 1.5 and population covariance. IE is the mean absolute difference, 0..255. Pairs are made one by one, and timed
after a first call that is not.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from itertools import product
from pathlib import Path
from statistics import fmean

import cv2
import numpy as np
import torch
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from skimage.metrics import structural_similarity
from torch import Tensor

import vfi

ENDINGS = (".png", ".webp", ".jpg", ".jpeg")


@dataclass(frozen=True)
class Triplet:
    """Three frames in a row, on disk."""

    id: str
    folder: Path
    subset: str | None

    def read(self) -> list[np.ndarray]:
        """The three pictures, [H,W,3] RGB of 8 bits."""
        return [read(self.folder, name) for name in ("im1", "im2", "im3")]


@dataclass(frozen=True)
class Score:
    """How one made frame compares with the real one."""

    id: str
    psnr: float
    ssim: float
    ie: float
    seconds: float


@dataclass(frozen=True)
class Run:
    """A model and how it is used."""

    model: str
    tta: str
    pad: str
    refine: bool
    scale: float

    @property
    def name(self) -> str:
        extras = [self.tta if self.tta != "none" else "", "" if self.refine else "no refinement"]
        extras += [f"pad {self.pad}" if self.pad != "auto" else "", f"scale {self.scale:g}" if self.scale != 1 else ""]
        return ", ".join([self.model, *filter(None, extras)])


def read(folder: Path, name: str) -> np.ndarray:
    """A picture by its name without ending, [H,W,3] RGB of 8 bits."""
    found = [path for ending in ENDINGS if (path := folder / f"{name}{ending}").exists()]
    picture = cv2.imread(str(found[0])) if found else None
    if picture is None:
        raise SystemExit(f"{folder} has no readable picture {name}: it must be one of {', '.join(ENDINGS)}")
    return cv2.cvtColor(picture, cv2.COLOR_BGR2RGB)


def find_triplets(root: Path) -> list[Triplet]:
    """Every folder under ``root`` that holds an im1, in order of its name."""
    manifests = [path for path in (root / "manifest.json", root.parent / "manifest.json") if path.exists()]
    rows = json.loads(manifests[0].read_text(encoding="utf-8")).get("triplets", []) if manifests else []
    subsets = {row["id"]: row.get("subset") for row in rows}
    folders = sorted({path.parent for path in root.rglob("im1.*") if path.suffix in ENDINGS})
    ids = [folder.relative_to(root).as_posix() for folder in folders]
    return [Triplet(id, folder, subsets.get(id)) for id, folder in zip(ids, folders, strict=True)]


def compare(made: np.ndarray, real: np.ndarray) -> tuple[float, float, float]:
    """PSNR, SSIM and IE of two pictures [H,W,3] of 8 bits."""
    difference = made.astype(np.float64) - real
    error = float(np.mean(difference**2))
    psnr = 10 * math.log10(255**2 / error) if error else math.inf
    ssim = structural_similarity(
        made, real, gaussian_weights=True, sigma=1.5, use_sample_covariance=False, channel_axis=2, data_range=255
    )
    return psnr, float(ssim), float(np.mean(np.abs(difference)))


def to_tensor(picture: np.ndarray, device: str) -> Tensor:
    """[H,W,3] of 8 bits to [1,3,H,W] in 0..1."""
    return torch.from_numpy(picture).permute(2, 0, 1)[None].to(device).float() / 255


def to_picture(rgb: Tensor) -> np.ndarray:
    """[1,3,H,W] in 0..1 to [H,W,3] of 8 bits."""
    return (rgb[0].clamp(0, 1) * 255).round().byte().permute(1, 2, 0).cpu().numpy()


def measure(run: Run, triplets: list[Triplet], device: str) -> Iterator[Score]:
    model = vfi.load(run.model, tta=run.tta, pad=run.pad, refine=run.refine, scale=run.scale, device=device)
    half = torch.tensor([0.5], device=device)

    def make(pair: Tensor) -> np.ndarray:
        return to_picture(model(pair, half))

    for index, triplet in enumerate(triplets):
        before, real, after = triplet.read()
        pair = torch.stack((to_tensor(before, device), to_tensor(after, device)), dim=1)
        if index == 0:
            make(pair)
        start = time.perf_counter()
        made = make(pair)
        seconds = time.perf_counter() - start
        yield Score(triplet.id, *compare(made, real), seconds)


def means(scores: list[Score], chosen: Callable[[str], bool]) -> dict[str, float]:
    """Of the scores whose id is chosen: the mean of each number."""
    rows = [score for score in scores if chosen(score.id)]
    return {name: fmean(getattr(row, name) for row in rows) for name in ("psnr", "ssim", "ie", "seconds")}


def summary(results: dict[Run, list[Score]], triplets: list[Triplet]) -> tuple[list[str], list[list[str]]]:
    """The table: its heading and its rows, one a run; PSNR again for each subset."""
    subsets = {triplet.id: triplet.subset for triplet in triplets}
    names = sorted({name for name in subsets.values() if name})
    heading = ["model", f"PSNR all ({len(triplets)})", "SSIM", "IE", "s/frame"]
    heading += [f"PSNR {name} ({list(subsets.values()).count(name)})" for name in names]
    rows = []
    for run, scores in results.items():
        every = means(scores, lambda _: True)
        row = [run.name, f"{every['psnr']:.2f}", f"{every['ssim']:.4f}", f"{every['ie']:.2f}", f"{every['seconds']:.3f}"]
        row += [f"{means(scores, lambda id, name=name: subsets[id] == name)['psnr']:.2f}" for name in names]
        rows.append(row)
    return heading, rows


def markdown(heading: list[str], rows: list[list[str]]) -> str:
    return "\n".join("| " + " | ".join(cells) + " |" for cells in (heading, ["---"] * len(heading), *rows)) + "\n"


def save(path: Path, results: dict[Run, list[Score]], triplets: list[Triplet]) -> None:
    """``.md``: the table; anything else: JSON with every score."""
    if path.suffix == ".md":
        path.write_text(markdown(*summary(results, triplets)), encoding="utf-8")
        return
    listed = [
        {**asdict(run), "mean": means(scores, lambda _: True), "scores": [asdict(score) for score in scores]}
        for run, scores in results.items()
    ]
    path.write_text(json.dumps(listed, indent=1) + "\n", encoding="utf-8")


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Measure models on triplets of frames.")
    parser.add_argument("folder", type=Path, help="a folder per triplet, with im1, im2 and im3")
    parser.add_argument("--models", nargs="+", default=["nearest", "linear", "dis"], help="names or files (%(default)s)")
    parser.add_argument("--tta", nargs="+", default=["none"], help="test-time augmentations, each with each model")
    parser.add_argument("--pad", nargs="+", default=["auto"], help="paddings, each with each model, such as zeros:128")
    parser.add_argument("--scale", type=float, default=1, help="flow at this fraction of the size")
    parser.add_argument("--no-refine", action="store_true", help="leave the refinement net of RIFE 4.0 out")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, help="threads of PyTorch and OpenCV")
    parser.add_argument("--out", type=Path, nargs="+", default=[], help="results: .json with every score, .md the table")
    return parser.parse_args()


def main() -> None:
    chosen = arguments()
    if chosen.threads:
        torch.set_num_threads(chosen.threads)
        cv2.setNumThreads(chosen.threads)
    triplets = find_triplets(chosen.folder)
    if not triplets:
        raise SystemExit(f"{chosen.folder} holds no triplets: folders with im1, im2 and im3 were looked for")
    combined = product(chosen.models, chosen.tta, chosen.pad)
    runs = [Run(model, tta, pad, not chosen.no_refine, chosen.scale) for model, tta, pad in combined]
    results: dict[Run, list[Score]] = {}
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console) as progress:
        task = progress.add_task("", total=len(runs) * len(triplets))
        for run in runs:
            progress.update(task, description=run.name)
            results[run] = []
            for score in measure(run, triplets, chosen.device):
                results[run].append(score)
                progress.advance(task)
    heading, rows = summary(results, triplets)
    table = Table(*heading)
    for row in rows:
        table.add_row(*row)
    Console().print(table)
    for path in chosen.out:
        save(path, results, triplets)


if __name__ == "__main__":
    main()
