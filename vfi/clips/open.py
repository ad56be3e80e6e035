"""How a clip is opened, whether it is a video file or a folder of images: by what it is, not by who asks."""

from __future__ import annotations

import os
from fractions import Fraction
from io import BytesIO
from pathlib import Path

import torch

from ..core import InputError
from . import images, video
from .clip import DEFAULT_ENCODING, DEFAULT_RATE, IMAGE_ENDINGS, VIDEO_ENDINGS, Encoding, Info, Seeks, Source, Writer, name_of


def open_clip(
    source: Source, *, rate: Fraction | None = None, damaged_ok: bool = False, device: torch.device | str = "cpu"
) -> Seeks:
    """The clip in a video file, in a folder of images or in images named by a pattern such as ``shot/%05d.png``.

    ``rate`` is for images, which have none of their own: `DEFAULT_RATE` when None. Files are known by what they hold, not by
    their names. ``damaged_ok`` reads what can be read of a damaged video. Frames are on ``device``, where they become RGB: what
    is moved there is as small as the clip's own samples. Raises `InputError`.
    """
    if isinstance(source, BytesIO) or not (Path(source).is_dir() or "%" in Path(source).name):
        if rate is not None:
            raise InputError(f"{name_of(source)} is no folder of images: it has a frame rate of its own, {rate} cannot be set")
        return video.VideoReader(source, damaged_ok=damaged_ok, device=device)
    return images.ImageReader(Path(source), DEFAULT_RATE if rate is None else rate, device=device)


def create_clip(
    path: str | os.PathLike[str],
    info: Info,
    *,
    encoding: Encoding = DEFAULT_ENCODING,
    time_base: Fraction | None = None,
    audio: Source | None = None,
) -> Writer:
    """A clip to be written to a video file, a folder or images named by a pattern, whichever ``path`` names.

    ``info`` says what is to come: size, rate, depth, colour, ... . For ``time_base`` and ``audio`` see `video.VideoWriter`;
    images have neither. Raises `InputError` before any work is done.
    """
    path = Path(path)
    if path.suffix.lower() in VIDEO_ENDINGS:
        return video.VideoWriter(path, info, encoding=encoding, time_base=time_base, audio=audio)
    if "%" in path.name or not path.suffix or path.is_dir():
        return images.ImageWriter(path, info, encoding=encoding)
    if path.suffix.lower() in IMAGE_ENDINGS:
        raise InputError(
            f"{path} is one image: give a folder, or a pattern such as {path.with_name(path.stem)}/%06d{path.suffix}"
        )
    raise InputError(f"{path} has an ending that cannot be written: {', '.join(VIDEO_ENDINGS)} or a folder can")
