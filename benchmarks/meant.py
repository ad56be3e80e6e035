"""What film makers mean, and what looks like damage: cuts, dissolves, lightning, strobes, animation on twos, freezes, grain.

    python benchmarks/meant.py CLIP... [--only strobe "on twos"] [--frames 48] [--encode 28]

Each maker makes such a clip of two clean ones, and every finding in it is false. Clips are first cut down to their longest
part in which nothing is found, so that what is wrong with them is not blamed on the maker; `--as-they-are` counts what is found
in the clips themselves instead. Printed are the findings of each maker, and how many there are per 1,000 frames.
"""

from __future__ import annotations

import argparse
import random
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeAlias

import cv2
import numpy as np
from damage import Clip, clean_part, encoded, found_in, pictures_of, told

Maker: TypeAlias = Callable[[Clip, Clip, random.Random], Clip]
"""Makes a clip of two of equal size and length."""

CHANGE_OF_RATE = ("repeat", "missing", "uneven")
"""Kinds that are true findings where a change of rate was made."""


def _mixed(one: np.ndarray, other: np.ndarray, share: float) -> np.ndarray:
    """``share`` of the other picture, the rest of the first."""
    return np.round(one * (1.0 - share) + other * share).astype(np.uint8)


def _white(one: np.ndarray) -> np.ndarray:
    return np.full_like(one, 255)


def _black(one: np.ndarray) -> np.ndarray:
    return np.zeros_like(one)


def _clear(picture: np.ndarray) -> np.ndarray:
    return np.clip(np.round(picture), 0, 255).astype(np.uint8)


def _noise(shape: tuple[int, ...], spread: float, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, spread, shape)


def _blob(shape: tuple[int, ...], dice: random.Random, size: float) -> np.ndarray:
    """A soft spot of light, [H,W,1] in 0..1; ``size`` is a share of the shorter side."""
    height, width = shape[:2]
    y, x = dice.uniform(0.2, 0.8) * height, dice.uniform(0.2, 0.8) * width
    rows, columns = np.mgrid[:height, :width]
    far = np.hypot(rows - y, columns - x) / (size * min(height, width))
    spot: np.ndarray = np.exp(-(far**2))[..., None]
    return spot


def _moved(picture: np.ndarray, x: float, y: float = 0.0, scale: float = 1.0) -> np.ndarray:
    """The picture moved by shares of its size, and scaled about its centre."""
    height, width = picture.shape[:2]
    by = np.array(
        [
            [scale, 0, (1 - scale) * width / 2 + x * width],
            [0, scale, (1 - scale) * height / 2 + y * height],
        ]
    )
    return cv2.warpAffine(picture, by, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101)


def _swept(picture: np.ndarray, share: float) -> np.ndarray:
    """The picture with the motion blur of a pan over a ``share`` of its width."""
    wide = max(int(share * picture.shape[1]), 1)
    return cv2.blur(picture, (wide, 1))


def cut(a: Clip, b: Clip, dice: random.Random) -> Clip:
    at = len(a) // 2 + dice.randrange(-4, 5)
    return [*a[:at], *b[at:]]


def montage(a: Clip, b: Clip, dice: random.Random) -> Clip:
    """Shots of 8 to 14 frames, of both clips by turns."""
    made: Clip = []
    for shot in (a, b) * len(a):
        count = dice.randrange(8, 15)
        first = dice.randrange(0, len(a) - count)
        made += shot[first : first + count]
        if len(made) >= len(a):
            break
    return made


def insert(count: int) -> Maker:
    """A shot of ``count`` frames between two parts of another, as trailers have them."""

    def make(a: Clip, b: Clip, dice: random.Random) -> Clip:
        at = len(a) // 2 + dice.randrange(-4, 5)
        return [*a[:at], *b[at : at + count], *a[at + count :]]

    return make


def dissolve(length: int) -> Maker:
    def make(a: Clip, b: Clip, dice: random.Random) -> Clip:
        at = (len(a) - length) // 2
        return [
            _mixed(one, other, min(max((k - at + 1) / (length + 1), 0.0), 1.0))
            for k, (one, other) in enumerate(zip(a, b, strict=True))
        ]

    return make


def through(ground: Callable[[np.ndarray], np.ndarray], out: int, held: int, into: int) -> Maker:
    """One shot fades out in ``out`` frames, black or white is ``held``, and the next fades in."""

    def make(a: Clip, b: Clip, dice: random.Random) -> Clip:
        at = len(a) // 2
        made = list(a[: at - out])
        made += [_mixed(a[at - out + k], ground(a[0]), (k + 1) / (out + 1)) for k in range(out)]
        made += [ground(a[0])] * held
        made += [_mixed(ground(b[0]), b[at + k], (k + 1) / (into + 1)) for k in range(into)]
        return [*made, *b[at + into :]][: len(a)]

    return make


def faded(ground: Callable[[np.ndarray], np.ndarray], at_end: bool, length: int = 12) -> Maker:
    """A fade in from, or out to, a plain ground."""

    def make(a: Clip, b: Clip, dice: random.Random) -> Clip:
        def share(k: int) -> float:
            return max(1 - (len(a) - 1 - k if at_end else k) / length, 0.0)

        return [_mixed(one, ground(one), share(k)) for k, one in enumerate(a)]

    return make


def lit(levels: Sequence[float], again: int = 0) -> Maker:
    """The whole scene lit by ``levels`` of white, frame by frame; ``again`` that many frames later, weaker."""

    def make(a: Clip, b: Clip, dice: random.Random) -> Clip:
        first = dice.randrange(10, 16)
        made = list(a)
        for start, weight in ((first, 1.0), *(((first + again, 0.8),) if again else ())):
            for k, level in enumerate(levels, start):
                made[k] = _mixed(made[k], _white(made[k]), weight * level)
        return made

    return make


def strobe(every: int, lasts: int, ground: Callable[[np.ndarray], np.ndarray], share: float = 0.8) -> Maker:
    """``lasts`` of ``every`` so many frames flash."""

    def make(a: Clip, b: Clip, dice: random.Random) -> Clip:
        return [_mixed(one, ground(one), share) if k >= 8 and k % every < lasts else one for k, one in enumerate(a)]

    return make


def photographers(a: Clip, b: Clip, dice: random.Random) -> Clip:
    """Camera flashes of a press scene: each lights a part of it for one or two frames."""
    made, k = list(a), 6
    while k < len(a) - 3:
        spot = _blob(a[0].shape, dice, dice.uniform(0.3, 0.9)) * dice.uniform(0.5, 1.0)
        made[k] = _mixed(made[k], _white(made[k]), 1.0 * spot)
        if dice.random() < 0.3:
            made[k + 1] = _mixed(made[k + 1], _white(made[k]), 0.3 * spot)
        k += dice.randrange(3, 14)
    return made


def gunfire(a: Clip, b: Clip, dice: random.Random) -> Clip:
    """Bright spots in one place, one frame each, every three to five frames."""
    made, k = list(a), 12
    spot = _blob(a[0].shape, dice, 0.35)
    while k < len(a) - 4:
        made[k] = _clear(made[k] + 230 * spot * np.array([1.0, 0.9, 0.6]))
        k += dice.randrange(3, 6)
    return made


def explosion(a: Clip, b: Clip, dice: random.Random) -> Clip:
    """A fire ball that is there at once, grows and fades within a second."""
    made, first = list(a), dice.randrange(10, 16)
    dice = random.Random(dice.random())
    where = dice.random()
    for k in range(first, min(first + 24, len(a))):
        age = (k - first) / 24
        spot = _blob(a[0].shape, random.Random(where), 0.3 + 0.9 * age)
        made[k] = _clear(made[k] + 320 * (1 - age) ** 2 * spot * np.array([1.0, 0.75, 0.4]) + 60 * (1 - age) ** 4)
    return made


def passer_by(a: Clip, b: Clip, dice: random.Random) -> Clip:
    """Something dark and near crosses the picture within five frames."""
    made, first = list(a), dice.randrange(12, 20)
    height, width = a[0].shape[:2]
    tone = np.array([dice.randrange(20, 60) for _ in range(3)])
    for k in range(7):
        middle = (k - 0.5) / 5 * width
        inside = np.abs(np.arange(width) - middle) < 0.22 * width
        shape = cv2.blur(np.repeat(inside[None, :].astype(np.float32), height, axis=0), (max(width // 8, 1), 1))[..., None]
        made[first + k] = _clear(made[first + k] * (1 - shape) + tone * shape)
    return made


def held(count: int) -> Maker:
    """Animation: every picture is shown ``count`` times, and stands for as many of the clip."""

    def make(a: Clip, b: Clip, dice: random.Random) -> Clip:
        return [a[k // count * count] for k in range(len(a))]

    return make


def mixed_holds(a: Clip, b: Clip, dice: random.Random) -> Clip:
    """Animation with holds of one to four frames."""
    made: Clip = []
    while len(made) < len(a):
        made += [a[len(made)]] * dice.choice((1, 2, 2, 2, 3, 4))
    return made[: len(a)]


def stop_motion(count: int) -> Maker:
    """Puppets: steps vary, the light flickers, and each picture is shown ``count`` times."""

    def make(a: Clip, b: Clip, dice: random.Random) -> Clip:
        made: Clip = []
        place = 0.0
        while len(made) < len(a):
            picture = _moved(a[min(int(place), len(a) - 1)], dice.gauss(0, 0.004), dice.gauss(0, 0.004))
            made += [_clear(picture * dice.uniform(0.95, 1.05))] * count
            place += count * dice.choice((0.5, 1.0, 1.0, 1.5))
        return made[: len(a)]

    return make


def cadence(pattern: Sequence[int]) -> Maker:
    """A change of rate by repeats, such as 2-3 from 24 to 60 frames a second."""

    def make(a: Clip, b: Clip, dice: random.Random) -> Clip:
        made: Clip = []
        for k, picture in enumerate(a):
            made += [picture] * pattern[k % len(pattern)]
        return made[: len(a)]

    return make


def freeze(first: int, count: int) -> Maker:
    """The picture stands still on purpose for ``count`` frames from ``first`` on, and goes on; a negative one counts from the
    end."""

    def make(a: Clip, b: Clip, dice: random.Random) -> Clip:
        if first < 0:
            return [*a, *[a[-1]] * count]
        return [*a[:first], *[a[first]] * count, *a[first:]]

    return make


def _card(like: np.ndarray, dice: random.Random, ground: int = 12) -> np.ndarray:
    """A title card."""
    height, width = like.shape[:2]
    picture = np.full_like(like, ground)
    for line, words in enumerate(("THE QUICK", "BROWN FOX")):
        cv2.putText(picture, words, (width // 10, int(height * (0.4 + 0.25 * line))), 2, width / 280, (235, 225, 200), 1)
    return picture


def card(at_end: bool) -> Maker:
    """A shot, and a still title card of a second."""

    def make(a: Clip, b: Clip, dice: random.Random) -> Clip:
        still = [_card(a[0], dice)] * 24
        return [*a[:24], *still] if at_end else [*still, *a[:24]]

    return make


def title(a: Clip, b: Clip, dice: random.Random) -> Clip:
    """A title pops in over a shot, and out again a second later."""
    made, first = list(a), dice.randrange(8, 14)
    height, width = a[0].shape[:2]
    for k in range(first, min(first + 22, len(a) - 4)):
        picture = made[k].copy()
        picture[int(0.68 * height) : int(0.88 * height), int(0.08 * width) : int(0.92 * width)] = (20, 60, 140)
        cv2.putText(picture, "LOWER THIRD", (width // 8, int(0.82 * height)), 2, width / 300, (250, 250, 250), 1)
        made[k] = picture
    return made


def subtitles(a: Clip, b: Clip, dice: random.Random) -> Clip:
    """Short subtitles, eight frames each, with four between."""
    made = list(a)
    height, width = a[0].shape[:2]
    for first in range(6, len(a) - 10, 12):
        for k in range(first, first + 8):
            picture = made[k].copy()
            words = ("WHAT?", "RUN FOR IT", "NO")[first // 12 % 3]
            cv2.putText(picture, words, (width // 5, int(0.9 * height)), 2, width / 220, (255, 255, 255), 2)
            made[k] = picture
    return made


def grain(spread: float) -> Maker:
    def make(a: Clip, b: Clip, dice: random.Random) -> Clip:
        return [_clear(one + _noise((*one.shape[:2], 1), spread, k)) for k, one in enumerate(a)]

    return make


def old_film(a: Clip, b: Clip, dice: random.Random) -> Clip:
    """Weave, flicker, grain, scratches and dirt."""
    made = []
    for k, one in enumerate(a):
        picture = _moved(one, dice.gauss(0, 0.006), dice.gauss(0, 0.006)) * dice.uniform(0.92, 1.08)
        picture = picture + _noise((*one.shape[:2], 1), 8, k)
        height, width = one.shape[:2]
        for _ in range(dice.randrange(0, 5)):
            centre = (dice.randrange(width), dice.randrange(height))
            size = max(int(dice.uniform(0.005, 0.03) * width), 1)
            cv2.circle(picture, centre, size, [dice.choice((15, 235))] * 3, -1)
        made.append(_clear(picture))
    return made


def whip_pan(a: Clip, b: Clip, dice: random.Random) -> Clip:
    """A pan of six frames, blurred by its speed, from one shot to the next."""
    at = len(a) // 2
    made = list(a[: at - 3])
    for k in range(6):
        done = (k + 0.5) / 6
        speed = 0.5 * np.sin(np.pi * done)
        picture = a[at] if done < 0.5 else b[at]
        made.append(_swept(_moved(picture, done if done < 0.5 else done - 1), speed))
    return [*made, *b[at + 3 :]]


def static(a: Clip, b: Clip, dice: random.Random) -> Clip:
    """Noise of a television for a third of a second between two shots."""
    at = len(a) // 2
    small = [np.random.default_rng(k).integers(0, 256, (a[0].shape[0] // 2, a[0].shape[1] // 2), np.uint8) for k in range(8)]
    noise = [cv2.resize(np.repeat(one[..., None], 3, axis=2), a[0].shape[1::-1], interpolation=0) for one in small]
    return [*a[: at - 4], *noise, *b[at + 4 :]]


def shaken(a: Clip, b: Clip, dice: random.Random) -> Clip:
    """A camera shaken by hand, and a blow in the middle."""
    blow = {k: 0.05 * 0.7 ** (k - 20) * (-1) ** k for k in range(20, 32)}
    return [
        _moved(one, dice.gauss(0, 0.006), dice.gauss(0, 0.006) + blow.get(k, 0), 1.08 + blow.get(k, 0) / 4)
        for k, one in enumerate(a)
    ]


def punch_in(a: Clip, b: Clip, dice: random.Random) -> Clip:
    """The same shot, closer from one frame to the next."""
    at = len(a) // 2
    return [*a[:at], *(_moved(one, 0.04, 0, 1.35) for one in a[at:])]


def jump_cut(a: Clip, b: Clip, dice: random.Random) -> Clip:
    """Half a second of a shot left out."""
    at = len(a) // 2 - 6
    return [*a[:at], *a[at + 12 :]]


def ramp(a: Clip, b: Clip, dice: random.Random) -> Clip:
    """Speed: first every frame, then every second one."""
    at = len(a) // 2
    return [*a[:at], *a[at::2]]


def eased(a: Clip, b: Clip, dice: random.Random) -> Clip:
    """A still that is moved in: it starts fast, comes to rest, and starts again."""
    still = a[0]
    one = [0.3 * 0.8**k for k in range(24)]
    return [_moved(still, x - 0.3) for x in one] + [_moved(still, one[-1] - 0.3 - 0.002 * k * k) for k in range(16)]


def neon(a: Clip, b: Clip, dice: random.Random) -> Clip:
    """A sign in the scene that goes on and off."""
    spot = _blob(a[0].shape, dice, 0.3)
    on, k, lit_now = [], 0, False
    while k < len(a):
        count = dice.randrange(2, 8)
        on += [lit_now] * count
        k, lit_now = k + count, not lit_now
    return [_clear(one + 150 * spot * np.array([1.0, 0.3, 0.6])) if shines else one for one, shines in zip(a, on, strict=False)]


def lamp(a: Clip, b: Clip, dice: random.Random) -> Clip:
    """The light of a room goes off, and on again a second later."""
    first = dice.randrange(10, 14)
    return [_clear(one * 0.25) if first <= k < first + 20 else one for k, one in enumerate(a)]


def confetti(a: Clip, b: Clip, dice: random.Random) -> Clip:
    """Bright pieces that fall before the camera, fast."""
    height, width = a[0].shape[:2]
    pieces = [
        (
            dice.random(),
            dice.random(),
            dice.uniform(0.06, 0.2),
            dice.uniform(0.02, 0.06),
            [dice.randrange(256) for _ in range(3)],
        )
        for _ in range(30)
    ]
    made = []
    for k, one in enumerate(a):
        picture = one.copy()
        for x, y, speed, size, colour in pieces:
            centre = int(x * width), int(((y + speed * k) % 1.2 - 0.1) * height)
            cv2.circle(picture, centre, max(int(size * height / 2), 1), colour, -1)
        made.append(picture)
    return made


def slides(a: Clip, b: Clip, dice: random.Random) -> Clip:
    """Stills of half a second each."""
    return [still for number in range(4) for still in [(a, b)[number % 2][number * 8]] * 12]


def still(a: Clip, b: Clip, dice: random.Random) -> Clip:
    return [_clear(a[0] + _noise(a[0].shape, 1.5, k)) for k in range(len(a))]


def screen(a: Clip, b: Clip, dice: random.Random) -> Clip:
    """A recorded screen: text is typed, a window pops up, the page is scrolled at once."""
    height, width = a[0].shape[:2]
    page = np.vstack([_card(a[0], dice, 230) if number % 2 else a[0] for number in range(3)])
    made = []
    for k in range(len(a)):
        top = 0 if k < 20 else height // 2 if k < 34 else height
        picture = page[top : top + height].copy()
        for typed in range(k // 2):
            picture[4:8, 4 + 3 * typed % width : 6 + 3 * typed % width] = 0
        if 10 <= k < 16:
            picture[height // 4 : 3 * height // 4, width // 4 : 3 * width // 4] = (200, 205, 215)
        made.append(picture)
    return made


MEANT: dict[str, Maker] = {
    "cut": cut,
    "montage": montage,
    "insert of 12 frames": insert(12),
    "insert of 3 frames": insert(3),
    "dissolve": dissolve(12),
    "short dissolve": dissolve(3),
    "through black": through(_black, 8, 4, 8),
    "dip to black": through(_black, 2, 1, 2),
    "through white": through(_white, 6, 2, 10),
    "flash cut": through(_white, 1, 1, 4),
    "fade in": faded(_black, at_end=False),
    "fade out": faded(_black, at_end=True),
    "fast fade in": faded(_black, at_end=False, length=4),
    "fade to white": faded(_white, at_end=True, length=6),
    "lightning": lit((0.8, 0.5, 0.3, 0.15, 0.07), again=6),
    "one stroke of lightning": lit((0.7, 0.35, 0.15)),
    "strobe": strobe(4, 1, _white),
    "slow strobe": strobe(12, 1, _white),
    "strobe of two frames": strobe(6, 2, _white, 0.5),
    "strobe into black": strobe(3, 1, _black, 1.0),
    "photographers": photographers,
    "gunfire": gunfire,
    "explosion": explosion,
    "passer-by": passer_by,
    "on twos": held(2),
    "on threes": held(3),
    "mixed holds": mixed_holds,
    "stop motion on ones": stop_motion(1),
    "stop motion on twos": stop_motion(2),
    "cadence 2-3": cadence((2, 3)),
    "cadence 1-1-1-2": cadence((1, 1, 1, 2)),
    "freeze within": freeze(20, 20),
    "short freeze within": freeze(20, 6),
    "freeze at the end": freeze(-1, 36),
    "freeze at the start": freeze(0, 36),
    "title card at the end": card(at_end=True),
    "title card at the start": card(at_end=False),
    "title": title,
    "subtitles": subtitles,
    "grain": grain(10),
    "heavy grain": grain(25),
    "old film": old_film,
    "whip pan": whip_pan,
    "television static": static,
    "shaken camera": shaken,
    "punch-in": punch_in,
    "jump cut": jump_cut,
    "speed ramp": ramp,
    "easing": eased,
    "neon": neon,
    "light switch": lamp,
    "confetti": confetti,
    "slides": slides,
    "still": still,
    "screen": screen,
}
"""What is made, by name."""


def like(clip: Clip, other: Clip) -> Clip:
    """A clip at the size of another, and as long: it runs back and forth where it is shorter."""
    size = other[0].shape[1::-1]
    fitted = [cv2.resize(one, size, interpolation=cv2.INTER_AREA) for one in clip]
    there_and_back = fitted + fitted[-2:0:-1]
    return (there_and_back * (len(other) // len(there_and_back) + 1))[: len(other)]


def main() -> None:
    parser = argparse.ArgumentParser(description="Make what is meant and looks like damage, and count what is found in it.")
    parser.add_argument("clips", type=Path, nargs="+")
    parser.add_argument("--only", nargs="*", choices=sorted(MEANT), metavar="NAME", help="only these makers")
    parser.add_argument("--frames", type=int, default=48)
    parser.add_argument("--encode", type=int, metavar="CRF")
    parser.add_argument("--as-they-are", action="store_true", help="only count what is found in the clips themselves")
    chosen = parser.parse_args()
    clips = {path.name: pictures_of(path, chosen.frames) for path in chosen.clips}
    passed = (lambda clip: encoded(clip, chosen.encode)) if chosen.encode is not None else (lambda clip: clip)
    total, false = 0, Counter[str]()
    if chosen.as_they_are:
        for name, clip in clips.items():
            found = found_in(passed(clip))
            total += len(clip)
            false.update(one.kind for one in found)
            sys.stdout.write(f"{name}: {told(found)}\n")
    else:
        parts = {name: part for name, clip in clips.items() if (part := clean_part(clip)) is not None}
        names = list(parts)
        sys.stderr.write(f"{len(parts)} of {len(clips)} clips are used\n")
        for maker in chosen.only or MEANT:
            for number, name in enumerate(names):
                a = parts[name]
                made = MEANT[maker](a, like(parts[names[number - 1]], a), random.Random(f"{name} {maker}"))
                found = [
                    one for one in found_in(passed(made)) if not (maker.startswith("cadence") and one.kind in CHANGE_OF_RATE)
                ]
                total += len(made)
                false.update(one.kind for one in found)
                if found:
                    sys.stdout.write(f"{maker}, {name}: {told(found)}\n")
            sys.stdout.flush()
    many = sum(false.values())
    kinds = ", ".join(f"{count} {kind}" for kind, count in false.items()) or "none"
    sys.stdout.write(f"{many} findings in {total} frames, {1000 * many / max(total, 1):.2f} per 1,000: {kinds}\n")


if __name__ == "__main__":
    main()
