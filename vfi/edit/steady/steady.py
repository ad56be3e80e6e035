"""Steady: takes flicker out of a clip, shot by shot: light is made even along the motion, and what stands still is held still.

The light of every frame is compared with that of the next along their motion (`light`), carried over the frames around and
made even (`even`); then texture is held still (`still`). Owns the window and the options. Knows nothing of files, of models,
or of how motion is found: it is given `light.Flows`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import groupby

import torch
import torch.nn.functional as F
from torch import Tensor

from ...clips.clip import same_size
from ...core import Frame, InputError
from ...ops.warp import warp_corners
from ...pixels.uint8 import floats, like
from .even import evened
from .light import Change, Flows, View, change, softened, view
from .still import Moment, held

RADIUS = 8
"""Frames on each side over which light is made even."""

TEXTURE = 4
"""Frames on each side over which texture is averaged."""

LOCAL = 1 / 3
"""Share of the reach by which a part may be corrected apart from the whole: shadows and glints pass over parts."""

UNSEEN = 0.5 / 255
"""Change of a picture that cannot be seen: the frame stays as it is."""

KNEE = 0.95
"""Where a picture that ends at white begins to be darkened less, so that white stays white: it may have been clipped."""


@dataclass(frozen=True)
class Steady:
    """How flicker is taken out. ``strength``, 0 to 1: the share that is taken out.

    ``reach``, 0.01 to 0.5: the largest change of light, as a share, that counts as flicker. Beyond it, up to twice that, less
    and less is done: lightning and lamps stay as they are. ``texture``: also hold still what stands still.
    """

    strength: float = 1.0
    reach: float = 0.12
    texture: bool = True

    def __post_init__(self) -> None:
        if not 0 <= self.strength <= 1:
            raise InputError(f"a strength of {self.strength:g} was given: it must lie between 0 and 1")
        if not 0.01 <= self.reach <= 0.5:
            raise InputError(f"a flicker limit of {self.reach:g} was given: it must lie between 0.01 and 0.5")


def steady(frames: Iterable[Frame], flows: Flows, options: Steady = Steady()) -> Iterator[Frame]:
    """The frames without flicker, at the same times and with the same alpha and marks.

    A frame marked as a cut begins a new shot, and nothing reaches across. Float frames stay floats, also below 0 and above 1;
    a frame whose change could not be seen stays bit-identical. Holds `RADIUS` frames ahead, and twice `TEXTURE`. Raises
    `InputError` if a frame differs in size from those before it.
    """
    frames = same_size(frames)
    if options.strength == 0:
        yield from frames
        return
    for _, shot in groupby(_numbered(frames), key=lambda one: one[0]):
        moments = _lit((frame for _, frame in shot), flows, options)
        if options.texture:
            made = held(moments, TEXTURE, options.strength)
        else:
            made = ((moment.frame, moment.rgb) for moment in moments)
        for frame, rgb in made:
            yield _kept(frame, rgb)


def _numbered(frames: Iterable[Frame]) -> Iterator[tuple[int, Frame]]:
    """Each frame with the number of its shot."""
    shot = 0
    for frame in frames:
        shot += frame.cut is not None
        yield shot, frame


def _kept(frame: Frame, rgb: Tensor) -> Frame:
    """The frame with another picture; itself if nobody can see the difference."""
    changed = float((rgb - floats(frame.rgb)).abs().nan_to_num().max())
    return frame if changed < UNSEEN else replace(frame, rgb=like(frame.rgb, rgb))


@dataclass
class _Seen:
    """A frame in the window, and the change to the next, None if there is none or it cannot be told; of one that has been shown
    only the change is kept."""

    frame: Frame | None
    next: Change | None = None


def _lit(frames: Iterable[Frame], flows: Flows, options: Steady) -> Iterator[Moment]:
    """The frames of a shot, their light made even."""
    window: deque[_Seen] = deque(maxlen=2 * RADIUS + 1)
    last: View | None = None
    bounded = True
    waiting = 0
    for frame in frames:
        now = view(frame)
        bounded = bounded and now.bounded
        if last is not None:
            window[-1].next = change(last, now, flows)
        last = now
        window.append(_Seen(frame))
        waiting += 1
        if waiting > RADIUS:
            yield _moment(window, len(window) - waiting, bounded, options)
            waiting -= 1
    for place in range(len(window) - waiting, len(window)):
        yield _moment(window, place, bounded, options)


def _moment(window: deque[_Seen], place: int, bounded: bool, options: Steady) -> Moment:
    here = window[place]
    frame, here.frame = here.frame, None
    assert frame is not None
    rgb = floats(frame.rgb)
    field = _correction(window, place, options.reach)
    if field is not None:
        rgb = _relit(rgb, options.strength * field, bounded)
    return Moment(frame, rgb, None if here.next is None else here.next.speed)


def _correction(window: deque[_Seen], place: int, reach: float) -> Tensor | None:
    """The logarithms of the gains [3,gh,gw] that make the light of the frame at ``place`` even; None if it is compared with no
    other."""
    changes = [one.next for one in window]
    series: dict[int, Tensor] = {}
    for later in (True, False):
        light = at = None
        number = place
        while (step := changes[number] if later else changes[number - 1] if number else None) is not None:
            light = torch.zeros_like(step.light) if light is None else light
            at = torch.zeros_like(step.forth) if at is None else at
            if later:
                light = light + _carried(step.light, at)
                at = at + _carried(step.forth, at)
            else:
                at = at + _carried(step.back, at)
                light = light - _carried(step.light, at)
            number += 1 if later else -1
            series[number - place] = light
    if not series:
        return None
    nothing = torch.zeros_like(next(iter(series.values())))
    far = max(map(abs, series))
    around = range(-far, far + 1)
    known = torch.tensor([float(k in series or k == 0) for k in around], device=nothing.device)
    near = [one.doubt for one in changes[max(place - 1, 0) : place + 1] if one is not None]
    doubt = torch.stack(near).amax(0)
    field = evened(torch.stack([series.get(k, nothing) for k in around]), known, doubt, reach)
    whole = field.mean((1, 2), keepdim=True)
    return whole + softened((field - whole).clamp(-LOCAL * reach, LOCAL * reach)[None])[0]


def _carried(field: Tensor, at: Tensor) -> Tensor:
    """A field [C,gh,gw] fetched from where the motion ``at`` [2,gh,gw] leads."""
    return warp_corners(field[None], at[None])[0]


def _relit(rgb: Tensor, field: Tensor, bounded: bool) -> Tensor:
    """A picture [3,H,W] in the light that ``field`` asks for; ``bounded``: it ends at white."""
    if float(field.abs().max()) * max(float(rgb.nan_to_num().abs().max()), 1e-9) < UNSEEN:
        return rgb
    gain = F.interpolate(field[None].exp(), rgb.shape[-2:], mode="bilinear")[0]
    if not bounded:
        return rgb * gain
    kept = ((1 - rgb) / (1 - KNEE)).clamp(0, 1)
    darker = rgb * (1 + (gain - 1) * kept)
    lighter = torch.minimum(rgb * gain, rgb.clamp(min=1))
    return torch.where(gain < 1, darker, lighter)
