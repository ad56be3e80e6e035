"""Wrappers around an interpolator: padding, test-time augmentation, bisection, device placement.

A wrapper works in the steps of the model inside: `encode` once per frame, `prepare` once per window, `at` once per timestep.
Knows nothing of any particular network, or of time beyond t.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from threading import Lock
from typing import Any, Literal, TypeGuard, get_args

import torch
from torch import Tensor

from ..core import Encodes, InputError, Interpolator, Motion, Moves, Prepares, Spec
from ..ops.constants import constant, numbers
from ..ops.kinds import kind
from ..ops.times import is_map

log = logging.getLogger(__name__)


def encode(model: Interpolator, rgb: Tensor) -> Any:
    """The features that ``model`` computes of a single frame [B,3,H,W]; None if it has no such step."""
    return model.encode(rgb) if isinstance(model, Encodes) else None


def prepare(model: Interpolator, features: Sequence[Any], frames: Sequence[Tensor]) -> Any:
    """Everything of a window that is independent of t, from its frames [B,3,H,W] and their features."""
    return model.prepare(features, frames) if isinstance(model, Prepares) else torch.stack(tuple(frames), dim=1)


def at(model: Interpolator, prepared: Any, t: Tensor) -> Tensor:
    """The frames at ``t`` [B], from what `prepare` gave."""
    return model.at(prepared, t) if isinstance(model, Prepares) else model(prepared, t)


def device_of(model: Interpolator) -> torch.device | None:
    """The device of ``model``, if a `Placed` sets it; None if it runs on the device of its frames."""
    while isinstance(model, Wrapper) and not isinstance(model, Placed):
        model = model.model
    return model.device if isinstance(model, Placed) else None


def placed(tensor: Tensor, device: torch.device) -> Tensor:
    """``tensor`` on ``device``; not copied if it is there already."""
    if kind(device).streams and tensor.device.type == "cpu":
        return tensor.pin_memory().to(device, non_blocking=True)
    return tensor.to(device)


class Wrapper:
    """An interpolator around another; its motion is that of the model inside."""

    def __init__(self, model: Interpolator, spec: Spec | None = None) -> None:
        self.model = model
        self.spec = spec or model.spec

    def __call__(self, window: Tensor, t: Tensor) -> Tensor:
        return self.at(self._prepared(window), t)

    def motion(self, window: Tensor, t: Tensor) -> Motion:
        """The motion at ``t`` [B] between the frames of ``window`` [B or 1,N,3,H,W]. Raises `InputError` if there is none."""
        return self.motion_at(self._prepared(window), t)

    def encode(self, rgb: Tensor) -> Any:
        return encode(self.model, rgb)

    def prepare(self, features: Sequence[Any], frames: Sequence[Tensor]) -> Any:
        return prepare(self.model, features, frames)

    def at(self, prepared: Any, t: Tensor) -> Tensor:
        return at(self.model, prepared, t)

    def motion_at(self, prepared: Any, t: Tensor) -> Motion:
        if not isinstance(self.model, Moves):
            raise InputError(f"{self.spec.name} does not estimate motion")
        return self.model.motion_at(prepared, t)

    def _prepared(self, window: Tensor) -> Any:
        frames = window.unbind(1)
        return self.prepare([self.encode(rgb) for rgb in frames], frames)


def estimates_motion(model: Interpolator) -> TypeGuard[Moves]:
    """Whether the model inside all wrappers provides its motion."""
    while isinstance(model, Wrapper):
        model = model.model
    return isinstance(model, Moves)


PadMode = Literal["zeros", "edge", "reflect"]


@dataclass(frozen=True)
class Pad:
    """How a frame is padded to the size that a network needs.

    ``mode`` fills with black, the repeated edge or the mirrored picture; ``centre`` pads all sides instead of the right and
    the bottom; ``multiple`` is used if it is a multiple of the network's own. Black measured best with RIFE 4.25 and 4.0 on
    triplets whose sides need padding.
    """

    mode: PadMode = "zeros"
    centre: bool = False
    multiple: int = 1

    @classmethod
    def parse(cls, text: str) -> Pad:
        """A mode with options: "zeros", "edge:centre", "zeros:128"."""
        mode, *rest = text.split(":")
        numbers = [int(word) for word in rest if re.fullmatch(r"\d{1,4}", word, re.ASCII)]
        if mode not in get_args(PadMode) or len(numbers) + rest.count("centre") < len(rest) or 0 in numbers:
            raise InputError(
                f"{text!r} is not a padding: give auto, zeros, edge or reflect, with :centre or a multiple such as :128"
            )
        return cls(mode, centre="centre" in rest, multiple=max(numbers, default=1))  # type: ignore[arg-type]


class Padded(Wrapper):
    """Pads frames to the network's multiple and minimum size, and crops the result."""

    def __init__(self, model: Interpolator, pad: Pad | None = None) -> None:
        super().__init__(model, replace(model.spec, multiple=1, min_size=1))
        self.pad = pad or Pad.parse(model.spec.pad)

    def encode(self, rgb: Tensor) -> tuple[Tensor, Any]:
        grown = self._grow(rgb)
        return grown, encode(self.model, grown)

    def prepare(self, features: Sequence[tuple[Tensor, Any]], frames: Sequence[Tensor]) -> tuple[Any, torch.Size]:
        return prepare(self.model, [inner for _, inner in features], [grown for grown, _ in features]), frames[0].shape

    def at(self, prepared: tuple[Any, torch.Size], t: Tensor) -> Tensor:
        inner, shape = prepared
        return self._cut(at(self.model, inner, self._grown_time(t)), shape)

    def motion_at(self, prepared: tuple[Any, torch.Size], t: Tensor) -> Motion:
        inner, shape = prepared
        return super().motion_at(inner, self._grown_time(t)).mapped(lambda plane: self._cut(plane, shape))

    def _sides(self, size: int) -> tuple[int, int]:
        """Pixels to add before and after a side of ``size`` pixels."""
        spec = self.model.spec
        multiple = spec.multiple if self.pad.multiple % spec.multiple else self.pad.multiple
        wanted = max(size, spec.min_size)
        more = -wanted % multiple + wanted - size
        return (more // 2, more - more // 2) if self.pad.centre else (0, more)

    def _grow(self, rgb: Tensor) -> Tensor:
        (top, bottom), (left, right) = self._sides(rgb.shape[-2]), self._sides(rgb.shape[-1])
        if not (top or bottom or left or right):
            return rgb
        if self.pad.mode == "zeros":
            return torch.nn.functional.pad(rgb, (left, right, top, bottom))
        rows = self._sources(rgb.shape[-2], top, bottom, rgb.device)
        columns = self._sources(rgb.shape[-1], left, right, rgb.device)
        return rgb.index_select(-2, rows).index_select(-1, columns)

    def _grown_time(self, t: Tensor) -> Tensor:
        """A map of times with its edges repeated to the padded size; t [B] as it is."""
        if not is_map(t):
            return t
        (top, bottom), (left, right) = self._sides(t.shape[-2]), self._sides(t.shape[-1])
        return torch.nn.functional.pad(t, (left, right, top, bottom), mode="replicate")

    def _sources(self, size: int, before: int, after: int, device: torch.device) -> Tensor:
        """The source row or column of each padded one; padding larger than the picture mirrors it again."""
        index = torch.arange(-before, size + after, device=device)
        if self.pad.mode == "edge":
            return index.clamp(0, size - 1)
        period = max(2 * size - 2, 1)
        index = index % period
        return torch.minimum(index, period - index).clamp(max=size - 1)

    def _cut(self, grown: Tensor, shape: torch.Size) -> Tensor:
        height, width = shape[-2:]
        top, left = self._sides(height)[0], self._sides(width)[0]
        return grown[..., top : top + height, left : left + width]


_PLAIN, _WIDTH, _HEIGHT, _BOTH = (), (-1,), (-2,), (-2, -1)
TTA_PASSES: dict[str, tuple[tuple[tuple[int, ...], bool], ...]] = {
    "none": ((_PLAIN, False),),
    "flip": ((_PLAIN, False), (_WIDTH, False)),
    "rot180": ((_PLAIN, False), (_BOTH, False)),
    "swap": ((_PLAIN, False), (_PLAIN, True)),
    "duo": ((_PLAIN, False), (_BOTH, True)),
    "flip4": tuple((dims, False) for dims in (_PLAIN, _WIDTH, _HEIGHT, _BOTH)),
    "all": tuple((dims, swap) for dims in (_PLAIN, _WIDTH, _HEIGHT, _BOTH) for swap in (False, True)),
}
"""The passes of each mode: which axes are mirrored, and whether time is reversed."""

VIEWS: dict[str, tuple[tuple[tuple[int, ...], bool], ...]] = {"back": ((_PLAIN, True),), "turned": ((_BOTH, True),)}
"""Single passes over transformed frames, so that members of a consensus see different views: see `quality.mix`."""


class Tta(Wrapper):
    """Test-time augmentation: the mean over mirrored and time-reversed passes.

    ``flip`` adds a pass mirrored left-right, ``rot180`` one rotated by 180 degrees (RIFE's own), ``swap`` one reversed in
    time, ``duo`` one rotated and reversed; ``flip4`` makes all four flips, ``all`` those in both time directions (8 passes).
    Each of `VIEWS` is a single pass: ``back`` reversed in time, ``turned`` rotated and reversed.
    """

    def __init__(self, model: Interpolator, mode: str) -> None:
        super().__init__(model)
        if mode not in TTA_PASSES | VIEWS:
            raise InputError(f"{mode!r} is not a test-time augmentation: give one of {', '.join(TTA_PASSES)}")
        self.mode = mode
        self.passes = (TTA_PASSES | VIEWS)[mode]

    def encode(self, rgb: Tensor) -> dict[tuple[int, ...], Any]:
        return {dims: encode(self.model, rgb.flip(dims)) for dims in dict.fromkeys(dims for dims, _ in self.passes)}

    def prepare(self, features: Sequence[dict[tuple[int, ...], Any]], frames: Sequence[Tensor]) -> list[Any]:
        prepared = []
        for dims, swap in self.passes:
            turned, parts = [rgb.flip(dims) if dims else rgb for rgb in frames], [feature[dims] for feature in features]
            if swap:
                turned, parts = turned[::-1], parts[::-1]
            prepared.append(prepare(self.model, parts, turned))
        return prepared

    def at(self, prepared: Sequence[Any], t: Tensor) -> Tensor:
        total: Tensor | None = None
        for (dims, swap), inner in zip(self.passes, prepared, strict=True):
            made = at(self.model, inner, self._seen(t, dims, swap)).flip(dims)
            total = made if total is None else total + made
        assert total is not None
        return total / len(self.passes)

    @staticmethod
    def _seen(t: Tensor, dims: tuple[int, ...], swap: bool) -> Tensor:
        """t as a pass sees it, mirrored like its frames if it is a map."""
        t = t.flip(dims) if is_map(t) and dims else t
        return 1 - t if swap else t

    def motion_at(self, prepared: Sequence[Any], t: Tensor) -> Motion:
        """Motion of the first pass, mapped back to the frame."""
        dims, swap = self.passes[0]
        found = super().motion_at(prepared[0], self._seen(t, dims, swap))
        found = found.mapped(lambda plane: plane.flip(dims)) if dims else found
        signs = [-1 if axis in dims else 1 for axis in (-1, -2)]
        sign = constant(signs, found.flow0.device, found.flow0.dtype).view(1, 2, 1, 1)
        flows = found.flow0 * sign, found.flow1 * sign
        return Motion(*flows[::-1], 1 - found.mask, found.occlusion) if swap else Motion(*flows, found.mask, found.occlusion)


@dataclass
class Halves:
    """Frames [1,3,H,W] around one pair, by position in 1/64 from its first to its second, and the features of each.

    Only those at the quarters and those on the path to the last position are kept. One thread at a time adds to them.
    """

    frames: dict[int, Tensor]
    features: dict[int, Any]
    lock: Any = field(default_factory=Lock, repr=False)


class Recursive(Wrapper):
    """Any t from a model that only supports t = 1/2, by bisection to the nearest 1/64.

    A model of more than two frames sees equally spaced ones, which include half-way frames of the neighbouring pairs; beyond
    the window the last known frame is repeated. Half-way frames are kept while t increases: for a two-frame model, x8 takes
    7 calls per pair.
    """

    depth = 6

    def __init__(self, model: Interpolator) -> None:
        super().__init__(model, replace(model.spec, any_t=True, time_map=False))
        self._said = False

    def prepare(self, features: Sequence[Any], frames: Sequence[Tensor]) -> list[Halves]:
        """One per window of the batch; ``features`` are reused if there is only one window, otherwise recomputed."""
        places = [(index + 1 - self.spec.window // 2) * 2**self.depth for index in range(self.spec.window)]
        if len(frames[0]) == 1:
            return [Halves(dict(zip(places, frames, strict=True)), dict(zip(places, features, strict=True)))]
        return [
            Halves(dict(zip(places, [rgb[index : index + 1] for rgb in frames], strict=True)), {})
            for index in range(len(frames[0]))
        ]

    def at(self, prepared: Sequence[Halves], t: Tensor) -> Tensor:
        windows = list(prepared) * (len(t) if len(prepared) == 1 else 1)
        return torch.cat([self._bisect(halves, step) for halves, step in zip(windows, numbers(t), strict=True)])

    def motion_at(self, prepared: Sequence[Halves], t: Tensor) -> Motion:
        """Motion of the half-way frame, scaled linearly with t; the nearer frame weighs more."""
        middle = 2 ** (self.depth - 1)
        each = []
        for halves in prepared:
            with halves.lock:
                around = self._between(middle, halves)
            each.append(super().motion_at(around, t.new_full((1,), 0.5)))
        half = each[0] if len(each) == 1 else joined_motion(each)
        t = t.float().view(-1, 1, 1, 1)
        near, far = half.mask * (1 - t), (1 - half.mask) * t
        occlusion = None if half.occlusion is None else half.occlusion.expand(len(t), -1, -1, -1)
        return Motion(half.flow0 * 2 * t, half.flow1 * 2 * (1 - t), near / (near + far), occlusion)

    def _bisect(self, halves: Halves, t: float) -> Tensor:
        whole = 2**self.depth
        place = round(t * whole)
        if place != t * whole and not self._said:
            self._said = True
            log.warning("%s only supports t = 1/2: t = %.4f is rounded to %d/%d", self.spec.name, t, place, whole)
        path: set[int] = set()
        with halves.lock:
            self._reach(place, halves, path)
            for known in (halves.frames, halves.features):
                for left in [other for other in known if other % (whole // 4) and other not in path]:
                    del known[left]
            return halves.frames[place]

    def _reach(self, place: int, halves: Halves, path: set[int]) -> None:
        """Ensure that there is a frame at ``place``, and add all places that lead there to ``path``."""
        if place in path or place % 2**self.depth == 0:
            return
        path.add(place)
        for other in self._around(place):
            self._reach(other, halves, path)
        if place not in halves.frames:
            half = constant((0.5,), halves.frames[0].device)
            halves.frames[place] = at(self.model, self._between(place, halves), half)

    def _between(self, place: int, halves: Halves) -> Any:
        """What the model prepares of the frames around ``place``, which lies half-way between them."""
        around = self._around(place)
        for other in around:
            if other not in halves.features:
                halves.features[other] = encode(self.model, halves.frames[other])
        return prepare(self.model, [halves.features[other] for other in around], [halves.frames[other] for other in around])

    def _around(self, place: int) -> list[int]:
        """The places, as far apart as possible, whose middle two have ``place`` half-way between them."""
        half = self.spec.window // 2
        step, whole = place & -place, 2**self.depth
        places = [place + step * (2 * index + 1) for index in range(-half, half)]
        inside = [other for other in places if (1 - half) * whole <= other <= half * whole]
        return [min(max(other, inside[0]), inside[-1]) for other in places]


def joined_motion(motions: Sequence[Motion]) -> Motion:
    """``motions`` as one batch."""
    planes = zip(*((one.flow0, one.flow1, one.mask, one.occlusion) for one in motions), strict=True)
    return Motion(*(None if plane[0] is None else torch.cat(plane) for plane in planes))  # type: ignore[arg-type]


class Placed(Wrapper):
    """Runs the model on its device, without gradients; frames come from and return to the caller's device."""

    def __init__(self, model: Interpolator, device: torch.device | str = "cpu") -> None:
        super().__init__(model)
        self.device = torch.device(device)

    @torch.no_grad()
    def encode(self, rgb: Tensor) -> tuple[Tensor, Any]:
        rgb = placed(rgb, self.device)
        return rgb, encode(self.model, rgb)

    @torch.no_grad()
    def prepare(self, features: Sequence[tuple[Tensor, Any]], frames: Sequence[Tensor]) -> tuple[Any, torch.device]:
        return prepare(self.model, [inner for _, inner in features], [placed for placed, _ in features]), frames[0].device

    @torch.no_grad()
    def at(self, prepared: tuple[Any, torch.device], t: Tensor) -> Tensor:
        inner, home = prepared
        return at(self.model, inner, t.to(self.device)).to(home)

    @torch.no_grad()
    def motion_at(self, prepared: tuple[Any, torch.device], t: Tensor) -> Motion:
        inner, home = prepared
        return super().motion_at(inner, t.to(self.device)).mapped(lambda plane: plane.to(home))
