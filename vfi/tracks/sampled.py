"""Tracks sampled at the frames of a clip: the position and visibility of each point.

Owns the arithmetic of such tracks. Knows nothing of how they were drawn or estimated, nor of files.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import torch
from torch import Tensor

from ..core import InputError

Size: TypeAlias = "tuple[float, float]"

Watch: TypeAlias = "Callable[[Iterable[Any]], Iterable[Any]]"
"""Passes items on, one by one: a caller can count them, and stop between two by raising. `iter` only passes them on."""
"""Width and height of a picture, in pixels."""

_EXACT = 1e-9


def instants(frames: int) -> Tensor:
    """The times of ``frames`` frames, [T] float64: 0 is the first keyframe, 1 the last. Raises `InputError` for none."""
    if frames < 1:
        raise InputError(f"{frames} frames were asked for: at least one is needed")
    return torch.arange(frames, dtype=torch.float64) / max(frames - 1, 1)


@dataclass(frozen=True, eq=False)
class Tracks:
    """N points over T frames, evenly spaced from the first keyframe (t = 0) to the last (t = 1).

    ``path`` [T,N,2] float: x and y in pixels of a picture of ``size`` (width, height); 0, 0 is the centre of its first pixel,
    and a point may lie outside. ``visible`` [T,N] bool. Raises `InputError` if the shapes do not match or a position is not
    finite, and names its track and frame.
    """

    path: Tensor
    visible: Tensor
    size: Size

    def __post_init__(self) -> None:
        path, visible = self.path, self.visible
        if path.ndim != 3 or path.shape[-1] != 2 or not len(path) or not path.is_floating_point():
            raise InputError(f"a path of shape {list(path.shape)} was given: floats [frames, tracks, 2] are needed")
        if visible.shape != path.shape[:2] or visible.dtype != torch.bool:
            raise InputError(
                f"visibility of shape {list(visible.shape)} was given for a path of {list(path.shape)}: "
                "truth values [frames, tracks] are needed"
            )
        if len(self.size) != 2 or not all(0 < side < float("inf") for side in self.size):
            raise InputError(f"a size of {self.size} was given: width and height must be above 0")
        if not path.isfinite().all():
            frame, track = (~path.isfinite()).any(-1).nonzero()[0].tolist()
            raise InputError(f"track {track} is at {path[frame, track].tolist()} in frame {frame}: positions must be finite")

    @property
    def frames(self) -> int:
        return self.path.shape[0]

    @property
    def count(self) -> int:
        """The number of tracks."""
        return self.path.shape[1]

    def at(self, times: Tensor | Sequence[float]) -> Tracks:
        """The tracks at any ``times`` [T'] from 0 to 1, interpolated linearly between frames.

        Between two frames a point is visible if it is visible in both. Raises `InputError` for other times.
        """
        at = torch.as_tensor(times, dtype=torch.float64, device=self.path.device)
        if at.ndim != 1 or not len(at) or not ((at >= 0) & (at <= 1)).all():
            raise InputError(f"the times {at.tolist()} were asked for: at least one is needed, each within 0 and 1")
        place = at * (self.frames - 1)
        index = place.floor().long().clamp(max=max(self.frames - 2, 0))
        share = place - index
        following = (index + 1).clamp(max=self.frames - 1)
        weight = share[:, None, None].to(self.path.dtype)
        path = torch.lerp(self.path[index], self.path[following], weight)
        before, after = share > 1 - _EXACT, share < _EXACT  # on one of the two frames, the other does not count
        visible = (self.visible[index] | before[:, None]) & (self.visible[following] | after[:, None])
        return Tracks(path, visible, self.size)

    def resampled(self, frames: int) -> Tracks:
        """The same tracks at another number of frames, over the same time span."""
        return self if frames == self.frames else self.at(instants(frames))

    def scaled(self, size: Size) -> Tracks:
        """The same tracks on a picture of another ``size``; see `rescale`."""
        return Tracks(rescale(self.path, self.size, size), self.visible, size)

    def reversed(self) -> Tracks:
        """The tracks of the clip played backwards."""
        return Tracks(self.path.flip(0), self.visible.flip(0), self.size)

    def moved(self, by: tuple[float, float]) -> Tracks:
        """All tracks shifted by (dx, dy) pixels."""
        return Tracks(self.path + self.path.new_tensor(by), self.visible, self.size)

    def select(self, which: Tensor | Sequence[int]) -> Tracks:
        """A subset of the tracks, by index or mask [N]."""
        index = torch.as_tensor(which, device=self.path.device)
        index = index if index.dtype == torch.bool else index.long()
        return Tracks(self.path[:, index], self.visible[:, index], self.size)

    def beside(self, other: Tracks) -> Tracks:
        """These tracks followed by those of ``other``, rescaled and resampled to this size and number of frames."""
        other = other.scaled(self.size).resampled(self.frames)
        path = torch.cat((self.path, other.path.to(self.path)), dim=1)
        return Tracks(path, torch.cat((self.visible, other.visible.to(self.visible)), dim=1), self.size)

    def then(self, other: Tracks) -> Tracks:
        """These frames, then those of ``other``, rescaled to this size. Raises `InputError` unless both have as many tracks."""
        if other.count != self.count:
            raise InputError(f"{other.count} tracks were given to follow {self.count}: both numbers must be equal")
        other = other.scaled(self.size)
        path = torch.cat((self.path, other.path.to(self.path)))
        return Tracks(path, torch.cat((self.visible, other.visible.to(self.visible))), self.size)


def rescale(places: Tensor, size: Size, wanted: Size) -> Tensor:
    """Convert ``places`` [...,2] in pixels from a picture of ``size`` to the same picture at the ``wanted`` size.

    Pixels are squares around their centres, so the picture's left and top edges stay at -0.5.
    """
    if tuple(size) == tuple(wanted):
        return places
    growth = places.new_tensor((wanted[0] / size[0], wanted[1] / size[1]))
    return (places + 0.5) * growth - 0.5
