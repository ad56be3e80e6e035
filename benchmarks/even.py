"""Even motion with a known truth: rendered clips go through changes of rate, and their true times are found again.

    python benchmarks/even.py [--frames 60] [--encode 28] [--make dis] [--patterns "24 to 30"] [--scenes pan]
    python benchmarks/even.py --clips CLIP...

Each scene is known at any instant. Frames are taken from it at the rate of a source, and the nearest of them shown at the rate
of the clip, or frames are dropped at random. Printed for each pattern: in how many scenes it is found, how far frames lie from
their true times before and after, in frames (a delay of all frames alike counts as none), and with ``--make`` the PSNR of the
clip as it is, of the even one made by a model, and of that made by one who knows the true times. Clips that are even as they
are come last: what is found in them is wrong. ``--clips`` measures real clips, whose true times nobody knows: by how much
neighbouring steps differ, and how many frames do not lie midway, before and after.
"""

from __future__ import annotations

import argparse
import random
import sys
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import cos, exp, pi, sin
from pathlib import Path

import cv2
import numpy as np
from damage import Clip, encoded, frames_of, pictures_of

import vfi
from vfi.core import Interpolator
from vfi.edit.heal.findings import Finding
from vfi.edit.heal.judge import findings
from vfi.edit.heal.measures import Measures
from vfi.edit.heal.mend import mending
from vfi.edit.heal.steps import Steps, steps_of
from vfi.edit.shots import shots
from vfi.timing.grids import Subdivide, Timing

RATE = Fraction(24)
"""Of `frames_of`; only ratios of rates matter."""

WIDTH, HEIGHT = 256, 160

Scene = Callable[[float], np.ndarray]
"""The picture at a number of seconds."""


def texture(seed: int, side: int = 1024) -> np.ndarray:
    """A random picture with detail of all sizes, as natural ones have."""
    dice = np.random.default_rng(seed)
    total = np.zeros((side, side, 3), np.float32)
    for cells, weight in ((8, 1.0), (32, 0.7), (128, 0.4), (256, 0.25)):
        cell = dice.random((cells, cells, 3), np.float32) - 0.5
        total += weight * cv2.resize(cell, (side, side), interpolation=cv2.INTER_CUBIC)
    return (128 + 100 * total).clip(0, 255).astype(np.uint8)


def view(picture: np.ndarray, x: float, y: float, zoom: float = 1.0, turn: float = 0.0) -> np.ndarray:
    """What a camera at (``x``, ``y``) sees of a picture."""
    c, s = cos(turn) / zoom, sin(turn) / zoom
    place = np.array([[c, -s, x - c * WIDTH / 2 + s * HEIGHT / 2], [s, c, y - s * WIDTH / 2 - c * HEIGHT / 2]])
    how = cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP
    return cv2.warpAffine(picture, place, (WIDTH, HEIGHT), flags=how, borderMode=cv2.BORDER_REFLECT)


def over(below: np.ndarray, picture: np.ndarray, x: float, y: float, size: float) -> np.ndarray:
    """``below`` with a soft disc of ``picture`` at (``x``, ``y``)."""
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    share = (size - np.hypot(columns - x, rows - y)).clip(0, 2)[..., None] / 2
    moved = view(picture, 512 + WIDTH / 2 - x, 512 + HEIGHT / 2 - y)
    return (below * (1 - share) + moved * share).round().astype(np.uint8)


GROUND, FIGURE = texture(1), texture(2)

SCENES: dict[str, Scene] = {
    "pan": lambda t: view(GROUND, 300 + 70 * t, 400 + 10 * t),
    "pan that swings": lambda t: view(GROUND, 500 + 120 * sin(1.1 * t), 500 + 40 * t),
    "zoom and turn": lambda t: view(GROUND, 500 + 20 * t, 500, exp(0.12 * t), 0.12 * t),
    "figures": lambda t: over(
        over(view(GROUND, 500, 500), FIGURE, 40 + 45 * t, 60 + 12 * sin(2 * t), 34), FIGURE, 220 - 38 * t, 110, 30
    ),
    "parallax": lambda t: over(view(GROUND, 400 + 40 * t, 500), FIGURE, 200 - 30 * t, 80 + 20 * sin(1.5 * t), 48),
    "fast pan that speeds up": lambda t: view(GROUND, 260 + 90 * t + 25 * t * t, 500),
}


@dataclass(frozen=True)
class Resampled:
    """The instants, in seconds, that the frames of a clip of ``rate`` show."""

    instants: Sequence[float]
    rate: float

    @property
    def offsets(self) -> np.ndarray:
        """How many frames later than its time each frame shows what it shows."""
        return np.arange(len(self.instants)) - (np.array(self.instants) - self.instants[0]) * self.rate


def nearest(old: float, new: float, count: int, phase: float = 0.3) -> Resampled:
    """``count`` frames at ``new`` per second, each the nearest of those at ``old``."""
    return Resampled([int(k * old / new + phase) / old for k in range(count)], new)


def dropped(share: float, count: int) -> Resampled:
    """Frames of which a share is missing, at random, shown evenly."""
    dice = random.Random(5)
    kept = [k for k in range(2 * count + 20) if dice.random() >= share][:count]
    return Resampled([k / 24 for k in kept], 24 * (1 - share))


def twice(first: tuple[float, float], then: float, count: int) -> Resampled:
    """Through two changes of rate."""
    old, between = first
    return Resampled([int(int(k * between / then + 0.4) * old / between + 0.2) / old for k in range(count)], then)


PATTERNS: dict[str, Callable[[int], Resampled]] = {
    "24 to 30": lambda count: nearest(24, 30, count),
    "30 to 24": lambda count: nearest(30, 24, count),
    "16 to 24": lambda count: nearest(16, 24, count),
    "25 to 30": lambda count: nearest(25, 30, count),
    "16 to 30": lambda count: nearest(16, 30, count),
    "30 to 25": lambda count: nearest(30, 25, count),
    "24 to 25": lambda count: nearest(24, 25, count),
    "60 to 24": lambda count: nearest(60, 24, count),
    "24 to 15": lambda count: nearest(24, 15, count),
    "25 to 15": lambda count: nearest(25, 15, count),
    "24 to 60": lambda count: nearest(24, 60, count),
    "24000/1001 to 30000/1001": lambda count: nearest(24 / 1.001, 30 / 1.001, count),
    "30 to 25 to 15": lambda count: twice((30, 25), 15, count),
    "a fifth dropped": lambda count: dropped(0.2, count),
}


def bounce(t: float) -> np.ndarray:
    fall = (t * 1.6) % 1.0
    return over(view(GROUND, 500, 500), FIGURE, 60 + 30 * t, 30 + 90 * (1 - 4 * fall * (1 - fall)), 26)


def jerky(t: float) -> np.ndarray:
    """Stop-motion: each picture is placed by hand, not quite where it belongs."""
    k = round(24 * t)
    return over(view(GROUND, 500, 500), FIGURE, 30 + 3 * k + random.Random(k).gauss(0, 0.35), 80, 40)


EVEN: dict[str, Scene] = {
    **SCENES,
    "speeding up": lambda t: view(GROUND, 300 + 5 * t + 60 * t * t, 500),
    "a bouncing ball": bounce,
    "on twos": lambda t: SCENES["figures"](round(24 * t) // 2 / 12),
    "on threes": lambda t: SCENES["figures"](round(24 * t) // 3 / 8),
    "stop-motion": jerky,
    "stop-motion on twos": lambda t: jerky(round(24 * t) // 2 / 12),
    "a pan that stops": lambda t: view(GROUND, 300 + 80 * min(t, 1.3), 500),
    "a pan that starts": lambda t: view(GROUND, 300 + 80 * max(t - 1, 0), 500),
    "walking camera": lambda t: view(GROUND, 300 + 60 * t + 2 * sin(2 * pi * 1.9 * t), 500 + 3 * sin(2 * pi * 3.8 * t)),
    "standing still": lambda t: view(GROUND, 500, 500),
    "turning round": lambda t: view(GROUND, 500 + 60 * cos(4 * t), 500),
}


def measured(clip: Clip) -> Measures:
    seen = Measures()
    deque(seen.take(shots(frames_of(clip))), maxlen=0)
    return seen


def uneven_in(clip: Clip) -> list[Finding]:
    return [one for one in findings(measured(clip)) if one.kind in ("uneven", "border")]


def found_offsets(found: Sequence[Finding], count: int) -> np.ndarray:
    offsets = np.zeros(count)
    for one in found:
        if one.kind == "uneven":
            offsets[one.first : one.last + 1] = one.offsets
    return offsets


def off(offsets: np.ndarray) -> tuple[float, float]:
    """The spread of true times from even ones, in frames, and the largest distance from the middle one."""
    away = offsets - np.median(offsets)
    return float(offsets.std()), float(np.abs(away).max())


def made_even(clip: Clip, offsets: np.ndarray, model: Interpolator) -> Clip:
    one = Finding("uneven", 0, len(clip) - 1, len(clip), 1.0, "retime", offsets=tuple(map(float, offsets)))
    mends = mending([one], "keep", frames=len(clip), begin=Fraction(0), lasts=len(clip) / RATE)
    made = vfi.run(mends.frames(frames_of(clip)), model, mends.timing(Timing(Subdivide(1))).grid, tail="hold")
    return [frame.rgb.movedim(0, -1).numpy() for frame in made]


def psnr(clip: Clip, scene: Scene, instants: np.ndarray) -> float:
    """Of all but the ends, where offsets fall to none."""
    inner = range(8, len(clip) - 9)
    errors = [np.mean((clip[k].astype(float) - scene(instants[k])) ** 2) for k in inner]
    return float(np.mean([10 * np.log10(255**2 / max(error, 1e-2)) for error in errors]))


def rendered(count: int, crf: int | None, model: Interpolator | None, patterns: Sequence[str], scenes: Sequence[str]) -> None:
    sys.stdout.write("change of rate            found  off by (most), frames   true times found  PSNR: as it is, even, told\n")
    for name in patterns:
        pattern = PATTERNS[name]
        before, after, hits, gains = [], [], 0, []
        for scene in map(SCENES.__getitem__, scenes):
            shown = pattern(count)
            clip = [scene(t) for t in shown.instants]
            clip = clip if crf is None else encoded(clip, crf)
            found = uneven_in(clip)
            offsets = found_offsets(found, count)
            hits += any(one.kind == "uneven" for one in found)
            before.append(off(shown.offsets))
            after.append(off((shown.offsets - offsets)[8:-8]))
            if model is not None:
                even = shown.instants[0] + np.arange(count) / shown.rate
                late, rest = (np.median(each) / shown.rate for each in (shown.offsets, shown.offsets - offsets))
                ways = [
                    (clip, even - late),
                    (made_even(clip, offsets, model), even - rest),
                    (made_even(clip, shown.offsets, model), even),
                ]
                gains.append([psnr(way, scene, instants) for way, instants in ways])
        (was, most), (now, worst) = np.mean(before, axis=0), np.mean(after, axis=0)
        gained = ", ".join(f"{one:.1f}" for one in np.mean(gains, axis=0)) + " dB" if gains else ""
        sys.stdout.write(
            f"{name:25} {hits}/{len(scenes)}    {was:.3f} ({most:.2f})            {now:.3f} ({worst:.2f})       {gained}\n"
        )
        sys.stdout.flush()
    total = wrong = 0
    for name, scene in EVEN.items() if patterns == [*PATTERNS] else ():
        clip = [scene(k / 24) for k in range(count)]
        found = uneven_in(clip if crf is None else encoded(clip, crf))
        total, wrong = total + count, wrong + len(found)
        if found:
            sys.stdout.write(f"wrong in {name}: {', '.join(f'{one.kind} {one.first}-{one.last}' for one in found)}\n")
    if total:
        sys.stdout.write(f"even clips: {wrong} findings in {total} frames\n")


def spread_of(steps: Steps, offsets: np.ndarray) -> tuple[float, float, int]:
    """By how much neighbouring steps differ, as a logarithm, the share of frames that do not lie within 0.03 of midway, and of
    how many frames that is known, when each is shown at its true time."""
    times = np.concatenate([[0.0], np.cumsum(steps.lasts)]) - offsets
    away = steps.told - np.diff(np.log(np.maximum(np.diff(times), 0.05)))
    away = away[~np.isnan(away)]
    if not len(away):
        return 0.0, 0.0, 0
    return float(np.sqrt((away**2).mean())), float((np.abs(1 / (1 + np.exp(away)) - 0.5) > 0.03).mean()), len(away)


def real(paths: Sequence[Path], most: int) -> None:
    sums = np.zeros((2, 2))
    known = uneven = 0
    for path in paths:
        clip = pictures_of(path, most)
        seen = measured(clip)
        found = [one for one in findings(seen) if one.kind in ("uneven", "border")]
        offsets = found_offsets(found, len(clip))
        told = ", ".join(f"{one.kind} {one.first}-{one.last} ({one.confidence:.2f})" for one in found)
        for steps in steps_of(seen):
            mine = offsets[steps.first : steps.first + steps.frames]
            (was, share, count), (now, rest, _) = (spread_of(steps, each) for each in (np.zeros(steps.frames), mine))
            sums += count * np.array([[was**2, share], [now**2, rest]])
            known += count
            told += f"; {steps.first}: {was:.2f} ({100 * share:.0f} %) to {now:.2f} ({100 * rest:.0f} %)"
        uneven += any(one.kind == "uneven" for one in found)
        sys.stdout.write(f"{path.name}: {told}\n")
        sys.stdout.flush()
    (was, share), (now, rest) = sums / max(known, 1)
    sys.stdout.write(
        f"{uneven} of {len(paths)} clips are uneven; steps differ by {was**0.5:.3f} before and {now**0.5:.3f} after; "
        f"{100 * share:.0f} % of the frames do not lie midway before, {100 * rest:.0f} % after ({known} frames)\n"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure how well the true times of uneven frames are found.")
    parser.add_argument("--clips", type=Path, nargs="+")
    parser.add_argument("--frames", type=int, default=60)
    parser.add_argument("--encode", type=int, metavar="CRF")
    parser.add_argument("--make", metavar="MODEL")
    parser.add_argument("--patterns", nargs="+", choices=PATTERNS, default=[*PATTERNS], metavar="PATTERN")
    parser.add_argument("--scenes", nargs="+", choices=SCENES, default=[*SCENES], metavar="SCENE")
    chosen = parser.parse_args()
    if chosen.clips:
        real(chosen.clips, chosen.frames)
    else:
        model = None if chosen.make is None else vfi.load(chosen.make)
        rendered(chosen.frames, chosen.encode, model, chosen.patterns, chosen.scenes)


if __name__ == "__main__":
    main()
