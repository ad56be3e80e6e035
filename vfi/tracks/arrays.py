"""Tracks in other programs' arrays: ComfyUI's TRACKS, FramerWrapper's PREDTRACKS, the files of ATI and Wan-Move.

None of them stores the picture's size: the caller passes it. No pickle is ever loaded.
"""

from __future__ import annotations

import io
import pickletools
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..core import InputError
from ..parse import short
from .sampled import Size, Tracks

ATI_FRAMES = 121
ATI_STEPS = 8
"""ATI's arrays hold 121 frames, with positions in eighths of a pixel."""

_LARGEST = 1 << 28
"""Maximum size of an unpacked array, in bytes."""


def of_core(tracks: Mapping[str, Any], size: Size) -> Tracks:
    """Read ComfyUI's TRACKS, ``track_path`` [T,N,2] and ``track_visibility`` [T,N] or [T,1], on a picture of ``size``.

    Raises `InputError`.
    """
    path = _tensor(tracks.get("track_path"), "track_path")
    if path.ndim != 3 or path.shape[-1] != 2:
        raise InputError(f"track_path has the shape {list(path.shape)}: [frames, tracks, 2] is needed")
    seen = tracks.get("track_visibility")
    visible = torch.ones(path.shape[:2], dtype=torch.bool) if seen is None else _tensor(seen, "track_visibility") > 0.5
    visible = visible.to(path.device)
    if visible.shape != path.shape[:2]:
        if visible.ndim != 2 or visible.shape != (len(path), 1):
            raise InputError(f"track_visibility has the shape {list(visible.shape)}: {list(path.shape[:2])} is needed")
        visible = visible.expand(path.shape[:2])
    return Tracks(path, visible, size)


def core_dict(tracks: Tracks) -> dict[str, Tensor]:
    """Tracks as ComfyUI's TRACKS: ``track_path`` [T,N,2] float32 in pixels, ``track_visibility`` [T,N] bool."""
    return {"track_path": tracks.path.float(), "track_visibility": tracks.visible}


def of_pred_tracks(data: Mapping[str, Any], size: Size) -> Tracks:
    """Read FramerWrapper's ``pred_tracks`` [F,N,2], on a picture of its own ``width`` and ``height``. Raises `InputError`."""
    path = _tensor(data["pred_tracks"], "pred_tracks")
    own = (_side(data, "width", size[0]), _side(data, "height", size[1]))
    return of_core({"track_path": path[0] if path.ndim == 4 and len(path) == 1 else path}, own).scaled(size)


def of_npy(data: bytes, visibility: bytes | None, size: Size) -> Tracks:
    """Read Wan-Move's track.npy, [T,N,2] or [1,T,N,2], and visibility.npy, [T,N] or [1,T,N]. Raises `InputError`."""
    path, seen = _npy(data), None if visibility is None else _npy(visibility)
    path = path[0] if path.ndim == 4 and len(path) == 1 else path
    seen = seen[0] if seen is not None and seen.ndim == 3 and len(seen) == 1 else seen
    return of_core({"track_path": path, "track_visibility": seen}, size)


def of_ati(data: bytes, size: Size) -> Tracks:
    """Read ATI's .npz, or the one embedded in a .pth, extracted without unpickling. Raises `InputError`."""
    array = _array_in(data)
    if array.ndim != 4 or array.shape[2:] != (1, 3):
        raise InputError(f"the array has the shape {list(array.shape)}: ATI's is [tracks, {ATI_FRAMES}, 1, 3]")
    rows = torch.from_numpy(array.astype(np.float64))[:, :, 0].transpose(0, 1) / ATI_STEPS
    return Tracks(rows[..., :2].contiguous(), rows[..., 2] > 0, size)


def save_ati(tracks: Tracks, path: Path | str) -> None:
    """Write ATI's array: an .npz of [tracks, 121, 1, 3] (x, y, visible) in eighths of a pixel."""
    sampled = tracks.resampled(ATI_FRAMES)
    rows = torch.cat((sampled.path, sampled.visible[..., None].to(sampled.path)), dim=-1).transpose(0, 1)
    array = (rows * ATI_STEPS).round().int()[:, :, None].cpu().numpy()
    with Path(path).expanduser().open("wb") as file:
        np.savez_compressed(file, array=array)


def save_wan_move(tracks: Tracks, folder: Path | str) -> None:
    """Write Wan-Move's arrays, track.npy [T,N,2] and visibility.npy [T,N], into an existing folder."""
    folder = Path(folder).expanduser()
    np.save(folder / "track.npy", tracks.path.float().cpu().numpy())
    np.save(folder / "visibility.npy", tracks.visible.cpu().numpy())


def _tensor(data: Any, name: str) -> Tensor:
    """A float tensor of a tensor, array or nested lists; other number types become float32, booleans 0 and 1."""
    try:
        made = data if isinstance(data, Tensor) else torch.as_tensor(np.asarray(data, dtype=np.float64))
    except (ValueError, TypeError) as error:
        raise InputError(f"{name} is {short(data)}: a tensor, or equally long lists of numbers, are needed") from error
    return made if made.is_floating_point() else made.float()


def _side(data: Mapping[str, Any], key: str, usual: float) -> float:
    side = data.get(key)
    if side is None:
        return usual
    if isinstance(side, bool) or not isinstance(side, int | float) or not 0 < side < 1e9:
        raise InputError(f"{key} is {short(side)}: a number of pixels above 0 is needed")
    return float(side)


def _array_in(data: bytes) -> np.ndarray:
    """The array in an .npz, or in the .npz inside the pickle of a .pth."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            names = archive.namelist()
            if wanted := [name for name in names if name.endswith(".npy")]:
                name = "array.npy" if "array.npy" in wanted else wanted[0]
                if archive.getinfo(name).file_size > _LARGEST:
                    raise InputError(f"{name} unpacks to more than {_LARGEST >> 20} MiB: too large for tracks")
                return _npy(archive.read(name))
            for name in names:
                if name.endswith("data.pkl") and archive.getinfo(name).file_size <= _LARGEST:
                    return _array_in(_archive_in(archive.read(name)))
    except InputError:
        raise
    except Exception as error:  # a damaged archive can fail in any way
        raise InputError(f"it is not an archive of arrays: {error}") from error
    raise InputError("it holds no array: ATI's tracks are an .npz, on its own or in a .pth")


def _archive_in(pickled: bytes) -> bytes:
    """The .npz among the strings and bytes of a pickle, whose opcodes are only parsed and never executed."""
    try:
        for _, value, _ in pickletools.genops(pickled):
            found = value.encode("latin-1", "ignore") if isinstance(value, str) else value
            if isinstance(found, bytes) and found.startswith(b"PK\x03\x04"):
                return found
    except Exception as error:  # a damaged pickle can fail in any way
        raise InputError(f"its pickle is damaged: {error}") from error
    raise InputError("its pickle holds no archive of arrays, as ATI's do")


def _npy(data: bytes) -> np.ndarray:
    try:
        array = np.load(io.BytesIO(data), allow_pickle=False)
    except Exception as error:  # a damaged header can fail in any way
        raise InputError(f"it is not an array of numbers: {error}") from error
    if not isinstance(array, np.ndarray) or array.dtype.kind not in "biuf":
        raise InputError("it is not an array of numbers")
    return array
