"""How far `vfi audit` can be trusted: the prior is learned from some clips, and the figures come from others.

    python benchmarks/audit.py look FOLDER CLIP... [--models dis,inbetween-s] [--frames 64]
    python benchmarks/audit.py fit FOLDER...
    python benchmarks/audit.py figures FOLDER... [--svg docs/audit.svg]

A clip is taken at half its rate, so that the frames which it lacks then are known. ``look`` makes these, as an audit does, and
every second of the others, which an audit may learn from. What is seen of each is kept in FOLDER, one file per clip; a clip
whose file is there is passed over. Models take turns from clip to clip. ``fit`` learns the prior that ships with the library.
``figures`` fits each clip on its own frames and that prior, and compares what is said of the frames that it lacks with them:
coverage of the 90 % band, AUROC of the worst tenth, Spearman's rank correlation, and a reliability diagram.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import cycle, islice
from pathlib import Path

import numpy as np
import torch

from vfi.clips.open import open_clip
from vfi.core import Frame
from vfi.edit.shots import shots
from vfi.evidence import prior as priors
from vfi.evidence.features import FEATURES
from vfi.evidence.fit import Fit, Sample, fitted
from vfi.evidence.judge import BEST, WORSE
from vfi.evidence.learn import Lesson, learned
from vfi.evidence.regression import in_logarithms
from vfi.evidence.remade import Remade, Triplet, placed, remade, triplets
from vfi.evidence.witness import Witness
from vfi.model.load import Choice

OWN, TASK = 12, 10
"""The most frames of a clip that are made of each kind, evenly along it."""


def half(frames: Sequence[Frame]) -> list[Frame]:
    """Every second frame; a cut before one that is left out is before the next."""
    kept = []
    for k in range(0, len(frames), 2):
        cut = frames[k].cut or (frames[k - 1].cut if k else None)
        kept.append(replace(frames[k], cut=cut))
    return kept


def some(found: Sequence[Triplet], most: int) -> Iterator[Triplet]:
    places = np.unique(np.linspace(0, len(found) - 1, min(most, len(found))).round().astype(int)) if found else []
    for place in places:
        if (one := placed(found[place])) is not None:
            yield one


def look(folder: Path, clips: Sequence[Path], models: Sequence[str], most: int) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for clip, model in zip(clips, cycle(models), strict=False):
        kept = folder / f"{clip.stem}.npz"
        if kept.exists():
            continue
        frames = list(islice(shots(open_clip(clip)), most))
        witness = Witness.of(Choice((model,)), torch.device("cpu"))
        own = [remade(one, witness) for one in some(list(triplets(half(frames))), OWN)]
        lacking = [one for one in triplets(frames) if one.index % 2]
        task = [remade(one, witness) for one in some(lacking, TASK)]
        if len(own) < 2 or len(task) < 2:
            sys.stdout.write(f"{clip.stem}: too short, or nothing moves evenly\n")
            continue
        part = kept.with_suffix(".part.npz")
        np.savez_compressed(part, **packed("own", own), **packed("task", task))
        part.rename(kept)
        sys.stdout.write(f"{clip.stem}: {len(own)} and {len(task)} frames by {model}\n")
        sys.stdout.flush()


def packed(name: str, made: Sequence[Remade]) -> dict[str, np.ndarray]:
    return {
        f"{name}_cells": np.stack([one.cells for one in made]),
        f"{name}_errors": np.stack([one.errors for one in made]).astype(np.float32),
        f"{name}_error": np.array([one.error for one in made]),
    }


def lessons(folders: Sequence[Path]) -> Iterator[tuple[str, Lesson]]:
    for path in sorted(path for folder in folders for path in folder.glob("*.npz")):
        with np.load(path) as data:
            parts = [samples(data, name) for name in ("own", "task")]
        yield path.stem, Lesson(*parts)


def samples(data: np.lib.npyio.NpzFile, name: str) -> tuple[Sample, ...]:
    every = zip(*(data[f"{name}_{part}"] for part in ("cells", "errors", "error")), strict=True)
    return tuple(Sample.of(cells, errors, float(error), tuple(FEATURES), k) for k, (cells, errors, error) in enumerate(every))


@dataclass(frozen=True)
class Judgement:
    """What a fit says of a frame, and the truth; PSNR in dB, errors as logarithms."""

    clip: int
    low: float
    said: float
    high: float
    true: float
    scores: np.ndarray
    errors: np.ndarray
    doubt: np.ndarray


def psnr(error: float) -> float:
    return float(10 * np.log10(255**2 / max(error, BEST)))


def judgements(clip: int, fit: Fit, task: Sequence[Sample]) -> Iterator[Judgement]:
    for one in task:
        scores = fit.scores(one.columns)
        low, said, high = map(psnr, fit.band(fit.summed(scores))[::-1])
        yield Judgement(clip, low, said, high, psnr(one.error), scores, one.errors, fit.doubt(scores, WORSE))


def auroc(scores: np.ndarray, wrong: np.ndarray) -> float:
    """The probability that a wrong one has a higher score than another."""
    _, place, count = np.unique(scores, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(count) - (count - 1) / 2)[place]
    bad = int(wrong.sum())
    good = len(wrong) - bad
    return float((ranks[wrong].sum() - bad * (bad + 1) / 2) / (bad * good)) if bad and good else float("nan")


def worst(values: np.ndarray) -> np.ndarray:
    return values >= np.quantile(values, 0.9)


def spearman(one: np.ndarray, other: np.ndarray) -> float:
    return float(np.corrcoef(np.argsort(np.argsort(one)), np.argsort(np.argsort(other)))[0, 1])


def of_cells(found: Sequence[Judgement]) -> tuple[np.ndarray, np.ndarray]:
    """The scores of all cells, and which are among the worst tenth."""
    scores, errors = (np.concatenate([getattr(one, name) for one in found]) for name in ("scores", "errors"))
    return scores, worst(errors)


def table(found: Sequence[Judgement]) -> dict[str, float]:
    true, said = np.array([one.true for one in found]), np.array([one.said for one in found])
    covered = [one.low <= one.true <= one.high for one in found]
    wrong = np.concatenate([one.errors for one in found]) > WORSE**2
    doubt = np.concatenate([one.doubt for one in found])
    clips = [[one for one in found if one.clip == clip] for clip in dict.fromkeys(one.clip for one in found)]
    within = [spearman(*(np.array([getattr(one, name) for one in some]) for name in ("said", "true"))) for some in clips]
    return {
        "frames": len(found),
        "clips": len(clips),
        "covered by the 90 % band": float(np.mean(covered)),
        "width of the band, dB": float(np.mean([one.high - one.low for one in found])),
        "mean difference from the expected PSNR, dB": float(np.abs(true - said).mean()),
        "bias, dB": float((said - true).mean()),
        "Spearman, all frames": spearman(said, true),
        "Spearman, within a clip (mean)": float(np.nanmean(within)),
        "AUROC, worst tenth of frames": auroc(-said, worst(-true)),
        "AUROC, worst tenth of cells": auroc(*of_cells(found)),
        "AUROC, worst tenth of cells, within a clip (median)": float(np.median([auroc(*of_cells(some)) for some in clips])),
        "AUROC, wrong cells": auroc(doubt, wrong),
    }


def reliability(found: Sequence[Judgement]) -> list[tuple[float, float, int]]:
    """Of cells whose doubt lies in each tenth: its mean, the share that is wrong, and how many there are."""
    doubt, wrong = np.concatenate([one.doubt for one in found]), np.concatenate([one.errors > WORSE**2 for one in found])
    bins = np.minimum((doubt * 10).astype(int), 9)
    return [
        (float(doubt[bins == k].mean()), float(wrong[bins == k].mean()), int((bins == k).sum()))
        for k in range(10)
        if (bins == k).any()
    ]


SIDE, MARGIN = 300, 48
"""Of each square of the diagram, in pixels."""


def square(left: int, title: str, x: str, y: str, points: Sequence[tuple[float, float]]) -> Iterator[str]:
    """A square of the diagram: shares from 0 to 1 on both axes, the diagonal, and dots joined by a line."""

    def place(one: float, other: float) -> tuple[float, float]:
        return left + one * SIDE, MARGIN + (1 - other) * SIDE

    yield f'<text x="{left}" y="{MARGIN - 24}" font-weight="600">{title}</text>'
    for share in (0.0, 0.25, 0.5, 0.75, 1.0):
        (right, up), (across, down) = place(1, share), place(share, 0)
        yield f'<path d="M{left},{up}H{right}M{across},{down}V{MARGIN}" stroke="#ddd6c6" fill="none"/>'
        yield f'<text x="{left - 6}" y="{up + 4}" text-anchor="end">{100 * share:g}</text>'
        yield f'<text x="{across}" y="{down + 18}" text-anchor="middle">{100 * share:g}</text>'
    yield f'<path d="M{left},{MARGIN + SIDE}L{left + SIDE},{MARGIN}" stroke="#8a8578" stroke-dasharray="4 4" fill="none"/>'
    dots = [place(*point) for point in points]
    yield f'<polyline points="{" ".join(f"{a:.1f},{b:.1f}" for a, b in dots)}" stroke="#cf6c1c" stroke-width="2" fill="none"/>'
    yield from (f'<circle cx="{a:.1f}" cy="{b:.1f}" r="3.5" fill="#cf6c1c"/>' for a, b in dots)
    yield f'<text x="{left + SIDE / 2}" y="{MARGIN + SIDE + 38}" text-anchor="middle">{x}</text>'
    yield f'<text x="{left}" y="{MARGIN - 8}" fill="#6a665c">{y}</text>'


def diagram(found: Sequence[Judgement], fits: Sequence[tuple[Fit, Sequence[Sample]]]) -> str:
    """Reliability as SVG: of the probability that a cell is wrong, and of the bands of frames."""
    wide = 2 * SIDE + 5 * MARGIN
    body = list(
        square(MARGIN, "Cells", "said to be wrong, %", "wrong, %", [(said, true) for said, true, _ in reliability(found)])
    )
    body += square(SIDE + 3 * MARGIN, "Frames", "width of the band, %", "true PSNR within it, %", coverage(fits))
    style = "font-family:sans-serif;font-size:12px"
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {wide} {SIDE + 2 * MARGIN}" style="{style}" fill="#20242a">'
    return "\n".join([head, '<rect width="100%" height="100%" fill="#fffdf8"/>', *body, "</svg>"]) + "\n"


def coverage(fits: Sequence[tuple[Fit, Sequence[Sample]]]) -> list[tuple[float, float]]:
    """How many frames lie within the middle part of what is said, for parts of several widths."""
    found = []
    for width in (0.1, 0.2, 0.4, 0.6, 0.8, 0.9, 0.95):
        inside = []
        for fit, task in fits:
            seen = np.array([fit.summed(fit.scores(one.columns)) for one in task])
            low, high = fit.frames.at(seen, [(1 - width) / 2, (1 + width) / 2])
            true = in_logarithms(np.array([one.error for one in task]))
            inside.append((low <= true) & (true <= high))
        found.append((width, float(np.concatenate(inside).mean())))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    looking = commands.add_parser("look")
    looking.add_argument("folder", type=Path)
    looking.add_argument("clips", type=Path, nargs="+")
    looking.add_argument("--models", default="dis,inbetween-s")
    looking.add_argument("--frames", type=int, default=64)
    fitting = commands.add_parser("fit")
    fitting.add_argument("folders", type=Path, nargs="+")
    showing = commands.add_parser("figures")
    showing.add_argument("folders", type=Path, nargs="+")
    showing.add_argument("--svg", type=Path)
    args = parser.parse_args()
    torch.set_num_threads(1)
    if args.command == "look":
        look(args.folder, args.clips, args.models.split(","), args.frames)
    elif args.command == "fit":
        known = [lesson for _, lesson in lessons(args.folders)]
        priors.SHIPPED.write_text(priors.written(learned(known, tuple(FEATURES))) + "\n", encoding="utf-8")
        sys.stdout.write(f"{priors.SHIPPED}: learned from {len(known)} clips\n")
    else:
        figures(args.folders, args.svg)


def figures(folders: Sequence[Path], svg: Path | None) -> None:
    ways: dict[str, list[Judgement]] = {"fitted on the clip": [], "the prior alone": []}
    fits: list[tuple[Fit, Sequence[Sample]]] = []
    for clip, (_, lesson) in enumerate(lessons(folders)):
        for found, own in zip(ways.values(), (lesson.own, ()), strict=True):
            fit = fitted(own, priors.shipped())
            found += judgements(clip, fit, lesson.task)
            fits += [(fit, lesson.task)] if own else []
    for way, found in ways.items():
        sys.stdout.write(f"\n{way}\n")
        for name, value in table(found).items():
            sys.stdout.write(f"  {name:52} {value:.3f}\n")
        for said, true, count in reliability(found):
            sys.stdout.write(f"  doubt {said:.2f}: {true:.2f} wrong of {count}\n")
    if svg is not None:
        svg.write_text(diagram(ways["fitted on the clip"], fits), encoding="utf-8")


if __name__ == "__main__":
    main()
