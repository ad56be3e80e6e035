"""Test sets on disk: the input frames of each item, the ground truth between them, and its timesteps.

Each `Layout` describes the folder structure of one public test set. It follows the set's authors or the evaluation that became
standard; the docstring of its finder says which. A layout yields `Item`s. Knows nothing of models or measures.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from ..core import InputError
from .clip import IMAGE_ENDINGS
from .images import image_files, read_image

View = Literal["whole", "halved", "centre"]
"""The part of a picture that is used: all of it, all of it at half the size (2x2 pixels averaged, in 8 bits), or its central
half in width and height."""

HALF = Fraction(1, 2)
XIPH = re.compile(
    r"(Netflix_)?(BoxingPractice|Crosswalk|DrivingPOV|FoodMarket2?|RitualDance|SquareAndTimelapse|Tango)(?![A-Za-z])"
)
SNU_FILM = ("easy", "medium", "hard", "extreme")


@dataclass(frozen=True)
class Item:
    """Input frames, and the ground truth between the middle two of them.

    ``given`` is two evenly spaced files, or four if the set has them. ``truths`` are the frames at ``times``, in (0,1) between
    the middle two. ``subset`` names the part of the test set that the item belongs to; None if the set has no parts.
    """

    name: str
    given: tuple[Path, ...]
    truths: tuple[Path, ...]
    times: tuple[Fraction, ...] = (HALF,)
    subset: str | None = None
    view: View = "whole"

    def read(self, window: int) -> tuple[Tensor, Iterator[tuple[Fraction, Tensor]]]:
        """The middle ``window`` input frames, [1,N,3,H,W], and an iterator over each time and its true frame, [3,H,W].

        Raises `InputError` if a picture cannot be read or differs in size from the first, or if there are too few inputs.
        """
        if len(self.given) < window:
            raise InputError(f"{self.name} has {len(self.given)} input frames: {window} are needed")
        outer = (len(self.given) - window) // 2
        files = self.given[outer : len(self.given) - outer]
        first = _seen(files[0], self.view)

        def alike(file: Path) -> Tensor:
            rgb = _seen(file, self.view)
            if rgb.shape != first.shape:
                raise InputError(
                    f"{file} is {_size(rgb)}, but {files[0]} is {_size(first)}: all frames of an item must have one size"
                )
            return rgb

        frames = torch.stack([first, *map(alike, files[1:])])[None]
        return frames, ((t, alike(file)) for t, file in zip(self.times, self.truths, strict=True))


@dataclass(frozen=True)
class Layout:
    """The folder structure of a test set: ``holds`` describes it in words, and ``find`` yields the items.

    ``fits`` tells whether a folder has this structure.
    """

    name: str
    holds: str
    fits: Callable[[Path], bool]
    find: Callable[[Path], Iterator[Item]]


def items(root: Path, layout: str = "auto") -> tuple[Layout, list[Item]]:
    """The layout of the folder ``root`` and all its items.

    ``layout`` is a name, ``sequence:K`` for sequences in which every Kth frame is an input, or "auto" for the first that fits.
    Raises `InputError` if the folder is missing or does not have the layout, or if a picture of an item is missing.
    """
    chosen = None if layout == "auto" else parse(layout)
    if not root.is_dir():
        raise InputError(f"{root} is not a folder" if root.exists() else f"{root} does not exist")
    chosen = chosen or next((known for known in LAYOUTS if known.fits(root)), None)
    if chosen is None:
        raise InputError(f"{root} fits no known layout: {', '.join(known.name for known in LAYOUTS)}")
    found = list(chosen.find(root))
    if not found:
        raise InputError(f"{root} holds no {chosen.name} items: {chosen.holds} are expected")
    return chosen, found


def training_items(root: Path) -> list[Item]:
    """The training items of a folder: for Vimeo-90K those of its training list, for other layouts all.

    Raises as `items` does.
    """
    listing = "tri_trainlist.txt"
    return list(vimeo90k(root, listing)) if (root / listing).is_file() else items(root)[1]


def parse(text: str) -> Layout:
    """A layout by its name, or ``sequence:K``. Raises `InputError`."""
    name, _, number = text.partition(":")
    if name == "sequence":
        if number and (not re.fullmatch(r"\d{1,6}", number, re.ASCII) or int(number) < 2):
            raise InputError(f"{text!r} is not a layout: K in sequence:K must be a whole number of at least 2")
        return sequences(int(number or 2))
    found = next((layout for layout in LAYOUTS if layout.name == text), None)
    if found is None:
        names = ", ".join(layout.name for layout in LAYOUTS)
        raise InputError(f"{text!r} is not a layout: give auto, {names}, or sequence:K")
    return found


# --- triplets -----------------------------------------------------------------------------------------------------------------


def triplets(root: Path) -> Iterator[Item]:
    """Folders at any depth with the pictures im1, im2 and im3; im2 is the ground truth.

    A ``manifest.json`` in ``root`` or beside it may give the subset of each: ``{"triplets": [{"id": ..., "subset": ...}]}``.
    The id is the folder's path relative to ``root``.
    """
    subsets = _subsets(root)
    for folder in _folders_with(root, "im1"):
        name = folder.relative_to(root).as_posix()
        before, true, after = (_picture(folder, f"im{k}") for k in (1, 2, 3))
        yield Item(name, (before, after), (true,), subset=subsets.get(name))


def vimeo90k(root: Path, listing: str = "tri_testlist.txt") -> Iterator[Item]:
    """Vimeo-90K's triplets: im1, im2 and im3, with im2 as the ground truth.

    Xue et al., "Video Enhancement with Task-Oriented Flow", IJCV 2019: ``tri_testlist.txt`` lists 3782 in ``sequences``.
    """
    for name in _lines(root / listing):
        before, true, after = (_picture(root / "sequences" / name, f"im{k}") for k in (1, 2, 3))
        yield Item(name, (before, after), (true,))


def septuplets(root: Path) -> Iterator[Item]:
    """Vimeo-90K's septuplets, im1 to im7: inputs are 1, 3, 5 and 7 (3 and 5 for two-frame models), im4 is the ground truth.

    ``sep_testlist.txt`` lists the folders in ``sequences``. The inputs are those of Kalluri et al., "FLAVR", WACV 2023.
    """
    for name in _lines(root / "sep_testlist.txt"):
        folder = root / "sequences" / name
        yield Item(name, tuple(_picture(folder, f"im{k}") for k in (1, 3, 5, 7)), (_picture(folder, "im4"),))


def ucf101(root: Path) -> Iterator[Item]:
    """UCF101's frames as used for interpolation: one folder per item, at any depth.

    Either the 379 triplets of Liu et al. ("Deep Voxel Flow", ICCV 2017) as published by Jiang et al. ("Super SloMo", CVPR
    2018): inputs frame_00 and frame_02, ground truth frame_01_gt. Or four frames as in FLAVR (WACV 2023): inputs frame0 to
    frame3, ground truth framet between frame1 and frame2. Whole frames are used, without motion masks or FLAVR's cropping.
    """
    for folder in _folders_with(root, "frame_01_gt"):
        ends = tuple(_picture(folder, name) for name in ("frame_00", "frame_02"))
        yield Item(_name(folder, root), ends, (_picture(folder, "frame_01_gt"),))
    for folder in _folders_with(root, "framet"):
        around = tuple(_picture(folder, f"frame{k}") for k in range(4))
        yield Item(_name(folder, root), around, (_picture(folder, "framet"),))


def snu_film(root: Path) -> Iterator[Item]:
    """SNU-FILM: 310 triplets in each of its four subsets.

    Choi et al., "Channel Attention Is All You Need for Video Frame Interpolation", AAAI 2020: ``test-easy.txt`` and so on, in
    ``root`` or its ``eval_modes``, list three paths per line; the middle one is the ground truth. Paths begin with
    ``data/SNU-FILM/``, which may be ``root`` itself. Four-frame models also get the next frames at the same distance on
    either side, if they exist, as in FLAVR (WACV 2023). Frames are not cropped.
    """
    for subset in SNU_FILM:
        for folder in (root, root / "eval_modes"):
            listing = folder / f"test-{subset}.txt"
            for number, line in enumerate(_lines(listing) if listing.is_file() else [], start=1):
                if len(line.split()) != 3:
                    raise InputError(f"{listing} has the line {line!r}: it needs three paths")
                before, true, after = (_snu_path(root, text) for text in line.split())
                yield Item(f"{subset} {number}", _with_outer(before, after), (true,), subset=subset)


def xiph(root: Path) -> Iterator[Item]:
    """The eight 4096x2160 clips of Xiph.org: subset 2K downscales frames to half the size, 4K crops the central half.

    Niklaus and Liu, "Softmax Splatting for Video Frame Interpolation", CVPR 2020, and its published benchmark: in the first
    100 frames every second one is an input and those between are the ground truth, 49 per clip. Its files lie in one folder,
    as ``Tango-001.png``; one folder per clip also works.
    """
    clips: dict[str, list[Path]] = {}
    for file in image_files(root) if _images_in(root) else []:
        clips.setdefault(re.sub(r"[-_.]?(?<!\d)\d+$", "", file.stem), []).append(file)
    for folder in _folders(root):
        if folder != root:
            clips[_name(folder, root)] = image_files(folder)
    views: tuple[tuple[str, View], ...] = (("2K", "halved"), ("4K", "centre"))
    for subset, view in views:
        for name, files in clips.items():
            yield from _spaced(name, files[:100], 2, subset, view)


def x_test(root: Path) -> Iterator[Item]:
    """X-TEST of X4K1000FPS, times 8: subset 4K uses the original frames, 2K downscales them to half the size.

    Sim et al., "XVFI: eXtreme Video Frame Interpolation", ICCV 2021: of 33 frames in ``Type1/TEST01/0000.png`` and so on, 0
    and 32 are the inputs and every fourth between is ground truth, at t = 1/8 to 7/8. Half the size (2048x1080) is as in the
    evaluation of EMA-VFI (Zhang et al., CVPR 2023).
    """
    views: tuple[tuple[str, View], ...] = (("2K", "halved"), ("4K", "whole"))
    for subset, view in views:
        for scene in _scenes(root):
            files = _counted(scene, 33, "x-test")
            yield from _spaced(_name(scene, root), files[::4], 8, subset, view)


def davis_7(root: Path) -> Iterator[Item]:
    """Folders of nine frames, times 8: the first and the last are the inputs, the seven between are the ground truth.

    Jain et al., "Video Interpolation with Diffusion Models" (VIDIM), CVPR 2024: its test sets DAVIS-7 and UCF101-7.
    """
    for folder in _folders(root):
        yield from _spaced(_name(folder, root), _counted(folder, 9, "davis-7"), 8)


def sequences(times: int) -> Layout:
    """Folders of frames, at any depth: every ``times``-th frame is an input, those between are the ground truth.

    Four-frame models also get the next input on either side, if both exist. Frames after the last input are not used.
    """

    def find(root: Path) -> Iterator[Item]:
        for folder in _folders(root):
            files = image_files(folder)
            if len(files) <= times:
                raise InputError(f"{folder} has {len(files)} frames: sequence:{times} needs {times + 1} or more")
            yield from _spaced(_name(folder, root), files, times)

    return Layout(f"sequence:{times}", "folders of numbered frames", lambda root: bool(_folders(root)), find)


LAYOUTS: tuple[Layout, ...] = (
    Layout("vimeo90k", "tri_testlist.txt beside sequences/", lambda root: (root / "tri_testlist.txt").is_file(), vimeo90k),
    Layout(
        "vimeo90k-septuplet",
        "sep_testlist.txt beside sequences/",
        lambda root: (root / "sep_testlist.txt").is_file(),
        septuplets,
    ),
    Layout(
        "snu-film",
        "test-easy.txt to test-extreme.txt",
        lambda root: any((root / folder / f"test-{one}.txt").is_file() for folder in ("", "eval_modes") for one in SNU_FILM),
        snu_film,
    ),
    Layout(
        "ucf101",
        "folders with frame_00, frame_01_gt and frame_02, or frame0 to frame3 and framet",
        lambda root: any(_folders_with(root, name) for name in ("frame_01_gt", "framet")),
        ucf101,
    ),
    Layout("x-test", "Type1/TEST01/0000.png to 0032.png", lambda root: any(_typed(root)), x_test),
    Layout(
        "xiph",
        "frames of the eight clips, such as Tango-001.png",
        lambda root: any(XIPH.match(entry.name) for entry in root.iterdir()),
        xiph,
    ),
    Layout(
        "triplets",
        "folders with im1, im2 and im3",
        lambda root: any(not any(folder.glob("im4.*")) for folder in _folders_with(root, "im1")),
        triplets,
    ),
    sequences(2),
    Layout("davis-7", "folders of nine frames", lambda root: False, davis_7),
)
"""The layouts, in the order in which they are tried. davis-7 looks like any other sequence, so it must be named."""


# --- files --------------------------------------------------------------------------------------------------------------------


def _spaced(name: str, files: Sequence[Path], times: int, subset: str | None = None, view: View = "whole") -> Iterator[Item]:
    """The items of a sequence in which every ``times``-th frame is an input."""
    last = (len(files) - 1) // times * times
    for start in range(0, last, times):
        end = start + times
        outside = start >= times and end + times <= last
        given = (start - times, start, end, end + times) if outside else (start, end)
        yield Item(
            f"{name} {files[start].stem}-{files[end].stem}",
            tuple(files[place] for place in given),
            tuple(files[start + 1 : end]),
            tuple(Fraction(k, times) for k in range(1, times)),
            subset,
            view,
        )


def _seen(file: Path, view: View) -> Tensor:
    """The colours of a picture, [3,H,W], cropped or downscaled as ``view`` says."""
    rgb = read_image(file).rgb
    if view == "halved":
        return F.avg_pool2d((rgb * 255).round(), 2).add_(0.5).floor_() / 255
    if view == "centre":
        height, width = rgb.shape[1:]
        return rgb[:, height // 4 : height - height // 4, width // 4 : width - width // 4]
    return rgb


def _subsets(root: Path) -> dict[str, str | None]:
    """The subset of each triplet, from a manifest in ``root`` or beside it."""
    manifest = next((path for path in (root / "manifest.json", root.parent / "manifest.json") if path.is_file()), None)
    try:
        told = json.loads(manifest.read_text(encoding="utf-8")) if manifest else {}
    except ValueError as error:
        raise InputError(f"{manifest} is not JSON: {error}") from error
    rows = told.get("triplets", []) if isinstance(told, dict) else []
    return {row["id"]: row.get("subset") for row in rows if isinstance(row, dict) and "id" in row}


def _size(rgb: Tensor) -> str:
    return f"{rgb.shape[2]}x{rgb.shape[1]}"


def _name(folder: Path, root: Path) -> str:
    return root.resolve().name if folder == root else folder.relative_to(root).as_posix()


def _lines(listing: Path) -> list[str]:
    if not listing.is_file():
        raise InputError(f"{listing}, the list of frames, does not exist")
    return [line.strip() for line in listing.read_text(encoding="utf-8").splitlines() if line.strip()]


def _picture(folder: Path, stem: str) -> Path:
    """The picture in ``folder`` named ``stem``, with any image ending."""
    found = sorted(file for file in folder.glob(f"{stem}.*") if file.suffix.lower() in IMAGE_ENDINGS)
    if not found:
        raise InputError(f"{folder} has no picture {stem}: its ending must be one of {', '.join(IMAGE_ENDINGS)}")
    return found[0]


def _folders_with(root: Path, stem: str) -> list[Path]:
    """The folders at any depth, in order, that hold a picture named ``stem``."""
    return sorted({file.parent for file in root.rglob(f"{stem}.*") if file.suffix.lower() in IMAGE_ENDINGS})


def _folders(root: Path) -> list[Path]:
    """The folders at any depth, in order, that hold pictures."""
    return [folder for folder in sorted({root, *(path for path in root.rglob("*") if path.is_dir())}) if _images_in(folder)]


def _images_in(folder: Path) -> bool:
    return any(file.suffix.lower() in IMAGE_ENDINGS and not file.name.startswith(".") for file in folder.iterdir())


def _counted(folder: Path, count: int, layout: str) -> list[Path]:
    files = image_files(folder)
    if len(files) != count:
        raise InputError(f"{folder} has {len(files)} frames: {layout} needs {count}")
    return files


def _typed(root: Path) -> Iterator[Path]:
    """The folders of X-TEST, recognised by its own names."""
    return (first.parent for base in (root, root / "test") for first in base.glob("Type*/*/0000.*"))


def _scenes(root: Path) -> list[Path]:
    """The folders of X-TEST, whatever the names of its types."""
    base = root / "test" if (root / "test").is_dir() else root
    return sorted(path for path in base.glob("*/*") if path.is_dir())


def _snu_path(root: Path, text: str) -> Path:
    """The file for a path that SNU-FILM lists: relative to ``root``, or with ``root`` in place of data/SNU-FILM."""
    places = (root / text.rpartition("SNU-FILM/")[2], root / text)
    found = next((place for place in places if place.is_file()), None)
    if found is None:
        raise InputError(f"{text} is listed but missing from {root}")
    return found


def _with_outer(before: Path, after: Path) -> tuple[Path, ...]:
    """Two numbered frames and, if both exist, the next ones on either side at the same distance."""
    if not (before.stem.isdecimal() and after.stem.isdecimal()):
        return before, after
    low, high = int(before.stem), int(after.stem)
    outside = ((before, 2 * low - high), (after, 2 * high - low))
    first, last = (file.with_stem(str(number).zfill(len(file.stem))) for file, number in outside)
    return (first, before, after, last) if first.is_file() and last.is_file() else (before, after)
