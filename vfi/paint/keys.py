"""Keys: painted frames, as files, and which frame of a clip each of them is.

A key's frame is told by the last number in its name, or by a list. Owns these names, what of a key is painted, and what is
wrong with it. Knows nothing of motion.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..clips.clip import IMAGE_ENDINGS, Info
from ..clips.images import read_image
from ..core import Frame, InputError
from ..parse import shown
from ..pixels.uint8 import floats
from .planes import Array, array_of

TOUCHED = 2 / 255
"""Difference from the original up to which a pixel is not painted, if most pixels are equal."""

NOISE = 5.0
"""That difference in medians of all, for keys that were coded or converted in another way than the clip."""

SPECK = 6
"""Pixels below which a touched place is noise, if the difference is faint."""

STRONG = 0.1
"""Difference that is never noise."""

WHOLE = 0.9
"""Share of touched pixels from which a key is a painting of the whole frame."""


VERSION = re.compile(r"(?<=\d)[ _.-]?v\d+$", re.IGNORECASE)
"""The number of a version, at the end of a name."""


@dataclass(frozen=True)
class Key:
    """The key of frame ``frame``, counted from 0 in the clip that is read. ``read`` gives its picture, and ``name`` is for
    messages."""

    frame: int
    name: str
    read: Callable[[], Frame]


@dataclass(frozen=True)
class Paint:
    """What is painted in a key: its frame's ``original`` [H,W,3] as ``painted`` [H,W,3]; the paint alone, ``layer`` [H,W,4],
    multiplied by its cover, the last plane. ``whole``: all is painted."""

    original: Array
    painted: Array
    layer: Array
    whole: bool


def files_of(folder: str | os.PathLike[str]) -> list[Path]:
    """The images in a folder, or the one image given, sorted by the numbers in their names. Raises `InputError`."""
    path = Path(folder)
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise InputError(f"{path} does not exist: give the folder of the keys")
    files = [one for one in path.iterdir() if one.suffix.lower() in IMAGE_ENDINGS and not one.name.startswith(".")]
    if not files:
        raise InputError(f"{path} has no images: keys end in one of {', '.join(IMAGE_ENDINGS)}")
    return sorted(files, key=lambda one: [int(part) if part.isdecimal() else part for part in re.split(r"(\d+)", one.name)])


def number_of(file: Path) -> int:
    """The last number in a key's name, but for that of a version (0048_v2.png). Raises `InputError` if it has none."""
    found = re.findall(r"\d+", VERSION.sub("", file.stem)) or re.findall(r"\d+", file.stem)
    if not found:
        raise InputError(f"{file} has no number in its name: a key is called by its frame, such as 48.png, or give --at")
    return int(found[-1])


def placed(
    files: Sequence[Path], numbers: Sequence[int] | None, info: Info, frames: int, place: Callable[[int], int | None]
) -> tuple[list[Key], list[str]]:
    """The keys in the order of their frames, and what is wrong with each file that can be none.

    ``numbers`` are those of the keys' frames; None: those in the names. ``place`` tells the frame of a number, None if there is
    none. A key must be an image of the size of the clip, which ``info`` describes, and fit one of its ``frames``. Raises
    `InputError` if no file is a key, or two are of one frame.
    """
    keys: dict[int, Key] = {}
    wrong: list[str] = []
    for index, file in enumerate(files):
        try:
            number = number_of(file) if numbers is None else numbers[index]
            frame = place(number)
            if frame is None or not 0 <= frame < frames:
                first, last = _ends(frames, place)
                raise InputError(f"{file} is the key of frame {number}: the clip has frames {first} to {last}")
            key = Key(frame, str(file), lambda file=file: read_image(file))  # type: ignore[misc]
            checked(key, info.width, info.height)
        except InputError as error:
            wrong.append(str(error))
            continue
        if frame in keys:
            raise InputError(f"{keys[frame].name} and {file} are keys of one frame, {number}: leave one of them")
        keys[frame] = key
    if not keys:
        raise InputError(wrong[0] + ("; no other key fits either" if wrong[1:] else ""))
    return [keys[frame] for frame in sorted(keys)], wrong


def _ends(frames: int, place: Callable[[int], int | None]) -> tuple[int, int]:
    """The numbers of the first and the last frame."""
    known = [number for number in range(10 * frames + 2000) if (frame := place(number)) is not None and 0 <= frame < frames]
    return (known[0], known[-1]) if known else (0, frames - 1)


def checked(key: Key, width: int, height: int) -> Frame:
    """The picture of a key. Raises `InputError` if it has another size than the clip."""
    frame = key.read()
    tall, wide = frame.rgb.shape[-2:]
    if (wide, tall) != (width, height):
        raise InputError(f"{shown(key.name)} is {wide}x{tall}: the clip is {width}x{height}, and a key must have its size")
    return frame


def paint_of(key: Frame, original: Frame) -> Paint:
    """What is painted in a key of the ``original`` frame.

    A key with transparency is painted where it is opaque. Any other is painted where it differs from its frame, or everywhere
    if it does nearly everywhere.
    """
    given, own = array_of(floats(key.rgb)), array_of(floats(original.rgb))
    alpha = None if key.alpha is None else array_of(floats(key.alpha))[..., 0]
    if alpha is not None and float(alpha.min()) < 1:
        cover = alpha
    else:
        cover = touched(given, own).astype(np.float32)
        if float(cover.mean()) > WHOLE:
            cover = np.ones_like(cover)
    painted = np.where(cover[..., None] > 0, own + cover[..., None] * (given - own), own)
    layer = np.dstack((given * cover[..., None], cover))
    return Paint(own, painted, layer, bool(cover.min() == 1))


def touched(painted: Array, original: Array) -> np.ndarray[tuple[int, int], np.dtype[np.bool_]]:
    """Where a picture differs from the original, [H,W], apart from noise and faint specks."""
    import cv2

    apart = np.abs(painted - original).max(-1)
    found = apart > max(TOUCHED, NOISE * float(np.median(apart))) if float(np.median(apart)) < 0.02 else apart > TOUCHED
    _, labels, stats, _ = cv2.connectedComponentsWithStats(found.astype(np.uint8), connectivity=8)
    strong = np.zeros(len(stats), bool)
    strong[labels[apart > STRONG]] = True
    kept = strong | (stats[:, cv2.CC_STAT_AREA] >= SPECK)
    kept[0] = False
    made: np.ndarray[tuple[int, int], np.dtype[np.bool_]] = kept[labels]
    return made
