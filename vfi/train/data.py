"""Turns a recipe's paths into sources of examples, prepared once and cached on disk.

Knows which source a folder belongs to; the sources read its contents.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..clips import datasets
from ..clips.clip import IMAGE_ENDINGS, VIDEO_ENDINGS
from ..clips.images import image_files
from ..clips.open import ClipSource
from ..core import InputError
from ..model.load import load
from .recipe import Recipe
from .shards import cut
from .sources import Mixed, Shards, Source, Stills, Triplets
from .teachers import teach_motion, teach_pictures

Told = Callable[[str], None]
"""Called with a short description of what is being prepared."""


@dataclass(frozen=True)
class Material:
    """The source of training examples, and the shards held out for measuring."""

    source: Source
    held_out: tuple[Path, ...]


def prepare(recipe: Recipe, home: Path, folder: Path, told: Told, device: str = "cpu") -> Material:
    """Cut clips into shards in ``folder`` and run the teachers on them, unless already done; paths are relative to ``home``.

    Raises `InputError` if a path does not exist or is empty.
    """
    from filelock import FileLock

    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / ".lock"):  # several processes may train together
        return _prepared(recipe, home, folder, told, device)


def _prepared(recipe: Recipe, home: Path, folder: Path, told: Told, device: str) -> Material:
    data = recipe.data
    files = [clip for text in data.clips for clip in clips(home / text)]
    out = [_held(text, files, home) for text in data.held_out]
    shards: dict[bool, list[Path]] = {False: [], True: []}
    for clip in [*files, *(clip for clip in out if clip not in files)]:
        told(f"cutting {clip.name}")
        shards[clip in out] += cut(ClipSource(clip).between(*data.part), folder, data.spans, data.side, data.timing)
    teach(recipe, shards[False], told, device)
    real: list[tuple[Source, float]] = []
    if shards[False]:
        source = Shards(shards[False], data.augment)
        real.append((source, len(source.windows)))
    items = [item for text in data.triplets for item in datasets.training_items(home / text)]
    if items:
        real.append((Triplets(items, data.augment), len(items)))
    total = sum(share for _, share in real)
    left = 1 - data.synthetic if data.stills else 1.0
    sources = [(source, left * share / total) for source, share in real]
    if data.stills:
        moved = Stills([file for text in data.stills for file in pictures(home / text)], data.motion)
        sources.append((moved, data.synthetic if real else 1.0))
    return Material(Mixed(sources), tuple(shards[True]))


def teach(recipe: Recipe, shards: Sequence[Path], told: Told, device: str) -> None:
    """Run the recipe's teachers on all shards."""
    teachers = recipe.teachers
    if teachers.motion:
        model = load(teachers.motion, device=device)
        for number, shard in enumerate(shards, start=1):
            told(f"{teachers.motion}: motion of shard {number} of {len(shards)}")
            teach_motion(shard, model, teachers.motion)
    if teachers.pictures:
        ensemble = load(teachers.pictures, quality=teachers.quality, device=device)
        for number, shard in enumerate(shards, start=1):
            told(f"{teachers.pictures}, {teachers.quality}: frames of shard {number} of {len(shards)}")
            teach_pictures(shard, ensemble, f"{teachers.pictures}, {teachers.quality}", teachers.longest)


def clips(path: Path) -> list[Path]:
    """The clip at ``path``, a video or a folder of images, or the clips inside it, sorted by name."""
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise InputError(f"{path} does not exist: a clip or a folder of clips is needed")
    if any(file.suffix.lower() in IMAGE_ENDINGS for file in path.iterdir()):
        return [path]
    found = sorted(entry for entry in path.iterdir() if entry.is_dir() or entry.suffix.lower() in VIDEO_ENDINGS)
    inside = [clip for entry in found for clip in (clips(entry) if entry.is_dir() else [entry])]
    if not inside:
        raise InputError(f"{path} holds no clips: videos or folders of images are needed")
    return inside


def pictures(path: Path) -> list[Path]:
    """The picture at ``path``, or the pictures inside it."""
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise InputError(f"{path} does not exist: a picture or a folder of pictures is needed")
    return image_files(path)


def _held(text: str, files: Sequence[Path], home: Path) -> Path:
    """The held-out clip: one of ``files`` by name, or a path."""
    named = [file for file in files if text in (file.name, file.stem)]
    if named:
        return named[0]
    (path,) = clips(home / text)[:1]
    return path
