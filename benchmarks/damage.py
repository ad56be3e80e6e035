"""Damage with a known truth: clean clips are broken as generators, cutters and encoders break them, and findings are scored.

    python benchmarks/damage.py CLIP... [--kinds flash missing] [--frames 48] [--encode 28] [--mend dis]

Each clip is cut down to its longest part in which nothing is found, and broken once per kind and strength, and in two ways at
once. Printed for each: how many of the places found are right (precision), and how many of the broken places are found
(recall). ``--encode`` passes every clip through H.264 of that CRF first. ``--mend`` makes lost and spoilt frames by a model,
and prints their PSNR against the undamaged ones, beside that of the same model when it is told the place; with ``--encode``,
of frames made from encoded ones. Of drift and pulses
is printed by how many decibels grading reduces the error of light.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import islice, pairwise
from pathlib import Path
from typing import Protocol

import numpy as np
import torch

import vfi
from vfi.clips.clip import Encoding, Info
from vfi.clips.open import create_clip, open_clip
from vfi.core import Frame, Interpolator
from vfi.edit.heal.findings import KINDS, Finding
from vfi.edit.heal.judge import findings
from vfi.edit.heal.measures import Measures
from vfi.edit.heal.mend import mending
from vfi.edit.shots import shots
from vfi.timing.grids import Subdivide

Clip = list[np.ndarray]
"""Pictures [H,W,3], uint8."""

RATE = Fraction(24)
EDGE = 8
"""Frames at both ends that damage within a clip leaves alone."""
SHORT = 1.0
"""Decibels by which a clip that is mended as found may lie below one that is mended as known, and is not named."""
LEAST = 36
"""Frames that a clean clip has at least."""


@dataclass
class Broken:
    """A damaged clip: its pictures, what was done, and the undamaged frame for each of its frames (None: there is none)."""

    frames: Clip
    truth: list[Finding]
    origin: list[int | None]


def _whole(clip: Clip) -> Broken:
    return Broken(list(clip), [], list(range(len(clip))))


class Breaks(Protocol):
    """Breaks a clip. ``at`` is the first frame that is broken, if it lies within the clip; None leaves it to the ``dice``."""

    def __call__(self, clip: Clip, dice: random.Random, at: int | None = None) -> Broken: ...


def _place(clip: Clip, dice: random.Random, room: int, at: int | None) -> int:
    return dice.randrange(EDGE, len(clip) - EDGE - room) if at is None else at


def relit(change: Callable[[np.ndarray], np.ndarray], count: int, kind: str) -> Breaks:
    """``count`` frames in another light; ``change`` maps pictures of 0..1."""

    def breaks(clip: Clip, dice: random.Random, at: int | None = None) -> Broken:
        made, first = _whole(clip), _place(clip, dice, count, at)
        for k in range(first, first + count):
            made.frames[k] = (change(clip[k] / 255.0).clip(0, 1) * 255).round().astype(np.uint8)
        made.truth.append(Finding(kind, first, first + count - 1, count, 1.0, "remake"))  # type: ignore[arg-type]
        return made

    return breaks


def corrupted(how: str, count: int, size: float = 0.3) -> Breaks:
    """``count`` frames with blocks of colour, rows torn apart or noise; all grey, green, or half a picture. ``size`` is the
    share that is hit, of noise the strength."""

    def breaks(clip: Clip, dice: random.Random, at: int | None = None) -> Broken:
        made, first = _whole(clip), _place(clip, dice, count, at)
        height, width = clip[0].shape[:2]
        for k in range(first, first + count):
            picture = clip[k].copy()
            if how == "grey":
                picture[:] = 128
            elif how == "half":
                picture[height // 2 :] = dice.choice((0, 128))
            elif how == "green":  # what a decoder shows of planes of zeros
                picture[dice.choice((0, height // 3)) :] = (0, 135, 0)
            elif how == "torn":  # rows are shifted
                for top in range(0, height, max(height // 8, 1)):
                    if dice.random() < size:
                        shift = dice.randrange(width // 8, width // 2)
                        picture[top : top + height // 8] = np.roll(picture[top : top + height // 8], shift, axis=1)
            elif how == "noise":
                picture[:] = np.clip(picture + np.random.default_rng(k).normal(0, 255 * size, picture.shape), 0, 255)
            else:
                side = max(min(height, width) // 10, 8)
                for top in range(0, height, side):
                    for left in range(0, width, side):
                        if dice.random() < size:
                            picture[top : top + side, left : left + side] = [dice.randrange(256) for _ in range(3)]
            made.frames[k] = picture
        made.truth.append(Finding("corrupt", first, first + count - 1, count, 1.0, "remake"))
        return made

    return breaks


def lost(count: int, every: int | None = None) -> Breaks:
    """``count`` frames missing at one place, or one after ``every`` so many."""

    def breaks(clip: Clip, dice: random.Random, at: int | None = None) -> Broken:
        places = [_place(clip, dice, count, at)] if every is None else list(range(every - 1, len(clip) - 4, every))
        gone = {k for place in places for k in range(place, place + count)}
        kept = [k for k in range(len(clip)) if k not in gone]
        truth = [
            Finding("missing", kept.index(place + count), kept.index(place + count), count, 1.0, "insert") for place in places
        ]
        return Broken([clip[k] for k in kept], truth, list(kept))

    return breaks


def repeated(noise: float, every: int | None = None, stands_in: bool = True) -> Breaks:
    """A frame shown again, with ``noise`` of 255; in place of the next, or before it; once, or after ``every`` so many."""

    def breaks(clip: Clip, dice: random.Random, at: int | None = None) -> Broken:
        places = {_place(clip, dice, 1, at)} if every is None else set(range(every, len(clip) - 2, every))
        frames: Clip = []
        origin: list[int | None] = []
        truth = []
        for k, picture in enumerate(clip):
            if k in places:
                near = clip[k - 1] + np.random.default_rng(k).normal(0, noise, picture.shape) if noise else clip[k - 1]
                truth.append(Finding("repeat", len(frames), len(frames), 1, 1.0, "spread"))
                frames.append(np.clip(np.round(near), 0, 255).astype(np.uint8))
                origin.append(k if stands_in else None)
                if stands_in:
                    continue
            frames.append(picture)
            origin.append(k)
        return Broken(frames, truth, origin)

    return breaks


def frozen(count: int, at_end: bool) -> Breaks:
    """The first or the last picture, held for ``count`` frames more."""

    def breaks(clip: Clip, dice: random.Random, at: int | None = None) -> Broken:
        made = _whole(clip)
        held: list[int | None] = [None] * count
        if at_end:
            first = len(clip)
            made.frames, made.origin = [*clip, *[clip[-1]] * count], [*made.origin, *held]
        else:
            first = 0
            made.frames, made.origin = [*[clip[0]] * count, *clip], [*held, *made.origin]
        made.truth.append(Finding("freeze", first, first + count - 1, count, 1.0, "cut"))
        return made

    return breaks


def junk(how: str, count: int, at_end: bool) -> Breaks:
    """``count`` frames at an end of something else: turned pictures in negative, black, or the clip in another light."""

    def breaks(clip: Clip, dice: random.Random, at: int | None = None) -> Broken:
        made = _whole(clip)
        near = clip[-count:] if at_end else clip[:count]
        if how == "light":
            other = [np.clip(picture * 0.75 + 60, 0, 255).astype(np.uint8) for picture in near]
        elif how == "black":
            other = [np.zeros_like(clip[0])] * count
        else:
            other = [255 - np.ascontiguousarray(picture[::-1, ::-1]) for picture in clip[20 : 20 + count]]
        rest: list[int | None] = [None] * count
        if at_end:
            made.frames, made.origin, first = [*clip, *other], [*made.origin, *rest], len(clip)
        else:
            made.frames, made.origin, first = [*other, *clip], [*rest, *made.origin], 0
        made.truth.append(Finding("junk", first, first + count - 1, count, 1.0, "cut"))
        return made

    return breaks


def two(one: Breaks, other: Breaks, between: int | None = None) -> Breaks:
    """First one damage, then the other, with so many sound frames ``between``; None: each in its half of the clip."""

    def breaks(clip: Clip, dice: random.Random, at: int | None = None) -> Broken:
        later = len(clip) // 2 + dice.randrange(0, len(clip) // 2 - EDGE - 4)
        second = other(clip, dice, later)
        count = one(clip, random.Random(0), EDGE).truth[0].count
        earlier = later - count - between if between is not None else dice.randrange(EDGE, len(clip) // 2 - EDGE)
        first = one(second.frames, dice, earlier)
        longer = len(first.frames) - len(second.frames)
        truth = [*first.truth, *(_later(found, longer) for found in second.truth)]
        origin = [None if k is None else second.origin[k] for k in first.origin]
        return Broken(first.frames, truth, origin)

    return breaks


def _later(one: Finding, frames: int) -> Finding:
    return replace(one, first=one.first + frames, last=one.last + frames)


DAMAGE: dict[str, Breaks] = {
    "flash white": relit(lambda p: p * 0.0 + 1, 1, "flash"),
    "flash white, 3 frames": relit(lambda p: p * 0.0 + 1, 3, "flash"),
    "flash 60 %": relit(lambda p: 0.4 * p + 0.6, 1, "flash"),
    "flash 30 %, 2 frames": relit(lambda p: 0.7 * p + 0.3, 2, "flash"),
    "flash x1.6": relit(lambda p: p * 1.6, 1, "flash"),
    "flash x1.3, 3 frames": relit(lambda p: p * 1.3, 3, "flash"),
    "dark black": relit(lambda p: p * 0, 1, "dark"),
    "dark black, 3 frames": relit(lambda p: p * 0, 3, "dark"),
    "dark x0.7": relit(lambda p: p * 0.7, 1, "dark"),
    "dark x0.5": relit(lambda p: p * 0.5, 1, "dark"),
    "dark x0.3, 4 frames": relit(lambda p: p * 0.3, 4, "dark"),
    "corrupt grey": corrupted("grey", 1),
    "corrupt half": corrupted("half", 1),
    "corrupt green": corrupted("green", 1),
    "corrupt torn": corrupted("torn", 1, 0.6),
    "corrupt noise": corrupted("noise", 1, 0.4),
    "corrupt blocks 30 %": corrupted("blocks", 1),
    "corrupt blocks 10 %, 2 frames": corrupted("blocks", 2, 0.1),
    "corrupt blocks 20 %, 4 frames": corrupted("blocks", 4, 0.2),
    "missing 1": lost(1),
    "missing 2": lost(2),
    "missing 3": lost(3),
    "missing every 12th": lost(1, 12),
    "repeat exact": repeated(0),
    "repeat near": repeated(2.0),
    "repeat extra": repeated(0.5, stands_in=False),
    "repeat every 5th, extra": repeated(0.5, 5, stands_in=False),
    "freeze end": frozen(6, at_end=True),
    "freeze end, 15 frames": frozen(15, at_end=True),
    "freeze start": frozen(5, at_end=False),
    "freeze start, 3 frames": frozen(3, at_end=False),
    "junk end": junk("other", 3, at_end=True),
    "junk end, 1 frame": junk("other", 1, at_end=True),
    "junk end, light": junk("light", 2, at_end=True),
    "junk start": junk("other", 2, at_end=False),
    "junk start, 5 frames": junk("other", 5, at_end=False),
    "junk start, black": junk("black", 1, at_end=False),
}
"""What is done, by name; the first word is the kind that should be found."""

TWO: dict[str, Breaks] = {
    "flash 60 % and dark x0.5": two(DAMAGE["flash 60 %"], DAMAGE["dark x0.5"]),
    "flash white and flash x1.6": two(DAMAGE["flash white"], DAMAGE["flash x1.6"]),
    "flash white and missing 1": two(DAMAGE["flash white"], DAMAGE["missing 1"]),
    "corrupt half and repeat exact": two(DAMAGE["corrupt half"], DAMAGE["repeat exact"]),
    "corrupt blocks 30 % and corrupt grey": two(DAMAGE["corrupt blocks 30 %"], DAMAGE["corrupt grey"]),
    "missing 2 and repeat exact": two(DAMAGE["missing 2"], DAMAGE["repeat exact"]),
    "missing 1 and missing 1": two(DAMAGE["missing 1"], DAMAGE["missing 1"]),
    "repeat exact and dark black": two(DAMAGE["repeat exact"], DAMAGE["dark black"]),
    "dark x0.5 and freeze end": two(DAMAGE["dark x0.5"], DAMAGE["freeze end"]),
    "missing 1 and junk end": two(DAMAGE["missing 1"], DAMAGE["junk end"]),
    "corrupt blocks 30 % near flash 60 %": two(DAMAGE["corrupt blocks 30 %"], DAMAGE["flash 60 %"], 4),
    "flash white near dark black": two(DAMAGE["flash white"], DAMAGE["dark black"], 3),
    "flash 60 % near missing 1": two(DAMAGE["flash 60 %"], DAMAGE["missing 1"], 4),
    "dark x0.5 near repeat exact": two(DAMAGE["dark x0.5"], DAMAGE["repeat exact"], 4),
    "repeat exact near missing 2": two(DAMAGE["repeat exact"], DAMAGE["missing 2"], 4),
    "corrupt half near repeat exact": two(DAMAGE["corrupt half"], DAMAGE["repeat exact"], 4),
}
"""Two at once, far apart, or near one another."""


def relit_course(kind: str, gains: Callable[[int, random.Random], np.ndarray]) -> Breaks:
    """All frames in another light: ``gains`` [n,1] or [n,3] multiply the codes of a clip of n frames. A border lies where they
    change most; where that is, is left to chance."""

    def breaks(clip: Clip, dice: random.Random, at: int | None = None) -> Broken:
        made = _whole(clip)
        lit = np.broadcast_to(gains(len(clip), dice), (len(clip), 3))
        made.frames = [(one * gain).round().clip(0, 255).astype(np.uint8) for one, gain in zip(clip, lit, strict=True)]
        if kind == "border":
            first = last = 1 + int(np.abs(np.diff(lit, axis=0)).max(axis=1).argmax())
        else:
            first, last = 0, len(clip) - 1
        action = "bridge" if kind == "border" else "regrade"
        made.truth.append(Finding(kind, first, last, last - first + 1, 1.0, action))  # type: ignore[arg-type]
        return made

    return breaks


def drifting(*to: float, bend: float = 0.0) -> Callable[[int, random.Random], np.ndarray]:
    """Gains that go from 1 ``to`` 1 and these in a line, or by a curve that settles after a share ``bend`` of the clip."""

    def gains(length: int, dice: random.Random) -> np.ndarray:
        way = np.linspace(0, 1, length)[:, None]
        return 1 + np.array(to) * (1 - np.exp(-way / bend) if bend else way)

    return gains


def pulsing(by: float, every: int, wave: bool = False) -> Callable[[int, random.Random], np.ndarray]:
    """Every so many frames one is brighter, or all go up and down in a wave."""

    def gains(length: int, dice: random.Random) -> np.ndarray:
        places = np.arange(length)[:, None] + dice.randrange(every)
        return 1 + by * (np.sin(places * 2 * np.pi / every) if wave else places % every == 0)

    return gains


def flickering(by: float) -> Callable[[int, random.Random], np.ndarray]:
    """Each frame is brighter or darker by chance, with this standard deviation."""
    return lambda length, dice: 1 + np.array([[dice.gauss(0, by)] for _ in range(length)])


def stepping(*by: float) -> Callable[[int, random.Random], np.ndarray]:
    """A step between two frames."""

    def gains(length: int, dice: random.Random) -> np.ndarray:
        at = dice.randrange(2 * EDGE, length - 2 * EDGE) if length > 4 * EDGE else length // 2
        return 1 + np.array(by) * (np.arange(length)[:, None] >= at)

    return gains


DAMAGE |= {
    "drift +10 %": relit_course("drift", drifting(0.1)),
    "drift -10 %": relit_course("drift", drifting(-0.1)),
    "drift r+5 b-5 %": relit_course("drift", drifting(0.05, 0, -0.05)),
    "drift +10 %, settling": relit_course("drift", drifting(0.1, bend=0.2)),
    "pulse 4 % every 8th": relit_course("pulse", pulsing(0.04, 8)),
    "pulse 4 % every 16th": relit_course("pulse", pulsing(0.04, 16)),
    "pulse 4 %, wave of 8": relit_course("pulse", pulsing(0.04, 8, wave=True)),
    "pulse 4 %, wave of 16": relit_course("pulse", pulsing(0.04, 16, wave=True)),
    "pulse flicker 2 %": relit_course("pulse", flickering(0.02)),
    "border 3 %": relit_course("border", stepping(0.03)),
    "border 6 %": relit_course("border", stepping(0.06)),
    "border r+3 b-3 %": relit_course("border", stepping(0.03, 0, -0.03)),
    "border r-6 b+6 %": relit_course("border", stepping(-0.06, 0, 0.06)),
}


def evened(clip: Clip, broken: Clip, found: Sequence[Finding]) -> float:
    """By how many decibels grading reduces the error of light against the undamaged clip: the root of the mean square over the
    frames, of the means of 8 x 8 parts of each colour."""
    lit = [one for one in found if one.action == "regrade"]
    mends = mending(lit, "keep", frames=len(broken), begin=Fraction(0), lasts=len(broken) / RATE)
    made = [frame.rgb.movedim(0, -1).numpy() for frame in mends.frames(frames_of(broken))]
    before, after = (_unlike(clip, way) for way in (broken, made))
    return float(10 * np.log10(before / max(after, 1e-6)))


def _unlike(clip: Clip, other: Clip) -> float:
    return float(np.mean([(_light(one) - _light(two)) ** 2 for one, two in zip(clip, other, strict=True)]))


def _light(picture: np.ndarray) -> np.ndarray:
    small = torch.nn.functional.adaptive_avg_pool2d(torch.from_numpy(picture).movedim(-1, 0).double(), 8)
    return small.numpy()


def frames_of(clip: Sequence[np.ndarray]) -> Iterator[Frame]:
    for k, picture in enumerate(clip):
        yield Frame(torch.from_numpy(np.ascontiguousarray(picture)).movedim(-1, 0), k / RATE, 1 / RATE)


def found_in(clip: Sequence[np.ndarray]) -> tuple[Finding, ...]:
    seen = Measures()
    deque(seen.take(shots(frames_of(clip))), maxlen=0)
    return findings(seen)


def clean_part(clip: Clip) -> Clip | None:
    """The longest part of a clip in which nothing is found, if it has `LEAST` frames; repeats of a change of rate are left out
    first."""
    own = found_in(clip)
    gone = {k for one in own if one.kind == "repeat" for k in range(one.first, one.last + 1)}
    clip = [picture for k, picture in enumerate(clip) if k not in gone]
    walls = [0]
    for one in found_in(clip):
        walls += [one.first, one.last + 1]
    first, last = max(pairwise([*walls, len(clip)]), key=lambda part: part[1] - part[0])
    part = clip[first:last]
    return part if len(part) >= LEAST and not found_in(part) else None


def encoded(clip: Clip, crf: int) -> Clip:
    """The clip after H.264."""
    height, width = (side // 2 * 2 for side in clip[0].shape[:2])
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "clip.mp4"
        with create_clip(path, Info(width, height, rate=RATE), encoding=Encoding("h264", crf)) as writer:
            for frame in frames_of([picture[:height, :width] for picture in clip]):
                writer.write(frame)
        return pictures_of(path, len(clip))


def pictures_of(path: Path, most: int) -> Clip:
    frames = (frame.rgb for frame in islice(open_clip(path), most))
    return [
        (rgb if rgb.dtype == torch.uint8 else (rgb.clamp(0, 1) * 255).round().byte()).movedim(0, -1).numpy() for rgb in frames
    ]


def is_right(one: Finding, truth: Finding) -> bool:
    """Whether a finding names the kind and the place, give or take a frame, and at a border 8."""
    if one.kind != truth.kind:
        return False
    near = 8 if truth.kind == "border" else 1
    return one.first <= truth.last + near and truth.first <= one.last + near


@dataclass
class Score:
    """Findings that are right and wrong, and broken places that are found and missed."""

    right: int = 0
    wrong: int = 0
    hit: int = 0
    missed: int = 0

    def add(self, found: Sequence[Finding], truth: Sequence[Finding], clean: Sequence[Finding]) -> None:
        """Count the findings of a broken clip; what was found in it before does not count, nor does that the clip is uneven
        where frames are repeated or missing at a period: it is."""
        before = Counter(one.kind for one in clean)
        many = Counter(one.kind for one in truth)
        uneven = max(many["repeat"], many["missing"]) > 1
        for one in found:
            if one.kind == "uneven" and uneven:
                continue
            if any(is_right(one, other) for other in truth):
                self.right += 1
            elif before[one.kind]:
                before[one.kind] -= 1
            else:
                self.wrong += 1
        for other in truth:
            ok = any(is_right(one, other) for one in found)
            self.hit, self.missed = self.hit + ok, self.missed + (not ok)

    def __str__(self) -> str:
        precision = self.right / max(self.right + self.wrong, 1)
        recall = self.hit / max(self.hit + self.missed, 1)
        return f"precision {precision:.2f} ({self.wrong} wrong), recall {recall:.2f} ({self.hit} of {self.places})"

    @property
    def places(self) -> int:
        """How many places were broken."""
        return self.hit + self.missed


def mended(clip: Clip, found: Sequence[Finding], model: Interpolator) -> Clip:
    """The clip after mending, with lost frames put in."""
    mends = mending(found, "grow", frames=len(clip), begin=Fraction(0), lasts=len(clip) / RATE)
    made = vfi.run(mends.frames(frames_of(clip)), model, Subdivide(1), tail="hold")
    return [frame.rgb.movedim(0, -1).numpy() for frame in made]


def regained(clip: Clip, broken: Broken, found: Sequence[Finding], model: Interpolator) -> tuple[float, float] | None:
    """PSNR of the frames that were broken, against ``clip`` as wide and high as they are: mended, and mended by one who knows;
    None where the lengths differ."""
    height, width = broken.frames[0].shape[:2]
    clip = [picture[:height, :width] for picture in clip]
    spoilt = [broken.origin[k] for one in broken.truth if one.action != "insert" for k in range(one.first, one.last + 1)]
    there = set(broken.origin)
    at = sorted({k for k in spoilt if k is not None} | {k for k in range(max(filter(None, there)) + 1) if k not in there})
    ways = [mended(broken.frames, some, model) for some in (found, broken.truth)]
    if not at or any(len(way) != len(clip) for way in ways):
        return None
    errors = [np.mean([(way[k].astype(float) - clip[k]) ** 2 for k in at]) for way in ways]
    return tuple(10 * np.log10(255**2 / max(error, 1e-3)) for error in errors)  # type: ignore[return-value]


def main() -> None:
    parser = argparse.ArgumentParser(description="Break clean clips in known ways, and score what is found.")
    parser.add_argument("clips", type=Path, nargs="+")
    parser.add_argument("--kinds", nargs="*", help="only damage whose name begins with one of these")
    parser.add_argument("--frames", type=int, default=48)
    parser.add_argument("--encode", type=int, metavar="CRF")
    parser.add_argument("--mend", metavar="MODEL")
    chosen = parser.parse_args()
    model = None if chosen.mend is None else vfi.load(chosen.mend)
    asked = {
        name: breaks for name, breaks in {**DAMAGE, **TWO}.items() if not chosen.kinds or name.startswith(tuple(chosen.kinds))
    }
    passed = (lambda clip: encoded(clip, chosen.encode)) if chosen.encode is not None else (lambda clip: clip)
    scores = {name: Score() for name in asked}
    kinds = {kind: Score() for kind in KINDS}
    gains: dict[str, list[tuple[float, float]]] = {}
    evens: dict[str, list[float]] = {}
    for path in chosen.clips:
        clip = clean_part(pictures_of(path, chosen.frames))
        if clip is None:
            sys.stdout.write(f"{path.name}: no {LEAST} frames without a finding, left out\n")
            continue
        sys.stdout.write(f"{path.name}: {len(clip)} frames\n")
        clean = () if chosen.encode is None else found_in(passed(clip))
        for name, breaks in asked.items():
            broken = breaks(clip, random.Random(f"{path.name} {name}"))
            frames = passed(broken.frames)
            found = found_in(frames)
            scores[name].add(found, broken.truth, clean)
            for kind, score in kinds.items():
                score.add(*([one for one in some if one.kind == kind] for some in (found, broken.truth, clean)))
            if broken.truth[0].action == "regrade":
                evens.setdefault(name, []).append(evened(clip, frames, found))
            if not all(any(is_right(one, other) for one in found) for other in broken.truth) or len(found) > len(broken.truth):
                sys.stdout.write(f"  {name}: {told(broken.truth)}, found {told(found)}\n")
            elif model is not None and (gain := regained(clip, replace(broken, frames=frames), found, model)) is not None:
                gains.setdefault(name, []).append(gain)
                if gain[1] - gain[0] > SHORT:
                    sys.stdout.write(f"  {name}: {gain[0]:.1f} dB, told the place {gain[1]:.1f}: found {told(found)}\n")
        sys.stdout.flush()
    for name, score in scores.items():
        ours, known = np.mean(gains[name], axis=0) if name in gains else (None, None)
        dB = "" if ours is None else f", {ours:.1f} dB (told the place: {known:.1f})"
        if name in evens:
            dB = f", error of light less by {np.median(evens[name]):.1f} dB (median)"
        sys.stdout.write(f"{name:32} {score}{dB}\n")
    for kind, score in kinds.items():
        if score.places or score.wrong:
            sys.stdout.write(f"all {kind:28} {score}\n")


def told(found: Sequence[Finding]) -> str:
    return ", ".join(f"{one.kind} {one.first}-{one.last} ({one.count})" for one in found) or "nothing"


if __name__ == "__main__":
    main()
