"""How a part of a picture moves as a whole from one keyframe to the next: one shift, turn and growth.

Owns the search for that motion, and where it leads at any place between the keyframes. What changes within the part, such as
a hand that closes, is left to models. Knows nothing of charts, models or files.

The search compares the part with every place of the other picture at once, by Fourier transforms, for a few turns and growths.
What is found is refined by the damped least squares of Levenberg and Marquardt, as Lucas and Kanade align pictures (Baker and
Matthews, "Lucas-Kanade 20 Years On", IJCV 2004).
"""

from __future__ import annotations

import cmath
import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from ..ops.warp import sample
from .sparse_to_dense import resized

SEARCHED = 128
"""The longer side, in pixels, at which pictures are searched, unless the part is then smaller than `SMALLEST`."""

SMALLEST = 24
"""The longer side of a part, in pixels, at which it is searched."""

LARGEST = 512
"""The longer side, in pixels, at which pictures are searched at most."""

FINEST = 1024
"""The longer side, in pixels, at which motion is refined."""

POINTS = 6_000
"""At most this many pixels of a part are compared."""

TURNS = (0, 15, -15, 30, -30, 45, -45, 60, -60, 90, -90)
GROWTHS = (1.0, 0.8, 1.25)
"""Turns, in degrees, and growths that are tried if a shift alone does not explain a part."""

EXPLAINED = 0.03
"""Root mean square of the differences in colour, 0..1, below which a shift alone explains a part."""

SAME = 0.01
"""Root mean square of the differences in colour below which nothing has moved: compression alone causes as much."""

PLAINER = 1.25
"""A plainer motion is kept if its error is at most this many times as large."""

ODD = 0.1
"""Difference in colour from which a pixel counts less: it is hidden, or has changed."""

MOST_GROWTH = 2.5
"""A part grows or shrinks less than this; else one of a single colour would fit into itself, as small as a point."""

SHOWN = 0.4
"""The share of a part that must be inside the other picture."""


class Similar(NamedTuple):
    """A shift, turn and growth: the point ``x + iy``, in pixels, goes to ``turn * (x + iy) + shift``."""

    turn: complex = 1 + 0j
    shift: complex = 0j

    def of(self, point: complex) -> complex:
        return self.turn * point + self.shift

    def inverse(self) -> Similar:
        return Similar(1 / self.turn, -self.shift / self.turn)

    def after(self, other: Similar) -> Similar:
        """First ``other``, then this."""
        return Similar(self.turn * other.turn, self.turn * other.shift + self.shift)

    def scaled(self, growth: complex) -> Similar:
        """The same motion on pictures ``growth`` times as large."""
        edge = (growth - 1) * (0.5 + 0.5j)
        return Similar(self.turn, growth * self.shift + edge * (1 - self.turn))

    def places(self, points: Tensor) -> Tensor:
        """Where ``points`` [...,2] go."""
        x, y = points.unbind(-1)
        turn, shift = self
        return torch.stack((turn.real * x - turn.imag * y + shift.real, turn.imag * x + turn.real * y + shift.imag), dim=-1)

    def flow(self, height: int, width: int, like: Tensor) -> Tensor:
        """By how much each pixel of a picture moves, [1,2,H,W] (dx, dy), on the device of ``like``."""
        points = grid(height, width, like)
        return (self.places(points) - points).movedim(-1, 0)[None]


STILL = Similar()
"""No motion."""


def grid(height: int, width: int, like: Tensor) -> Tensor:
    """The position of each pixel, [H,W,2], x and y, on the device of ``like``."""
    x = torch.arange(width, device=like.device, dtype=torch.float32).expand(height, width)
    y = torch.arange(height, device=like.device, dtype=torch.float32)[:, None].expand(height, width)
    return torch.stack((x, y), dim=-1)


class Course(NamedTuple):
    """The way of a part between two keyframes: ``whole`` is its motion from the first to the last, and ``pivot`` what goes
    straight while all else turns about it. A turn whose fixed point is its pivot is one about a joint."""

    whole: Similar
    pivot: complex

    def at(self, place: float) -> Similar:
        """The motion from the first keyframe to ``place``, 0 to 1."""
        turn = cmath.exp(place * cmath.log(self.whole.turn))
        there = self.pivot + place * (self.whole.of(self.pivot) - self.pivot)
        return Similar(turn, there - turn * self.pivot)


class Seen(NamedTuple):
    """A part in one keyframe: a picture [C,H,W], and how much each of its pixels counts, [1,H,W] 0..1."""

    picture: Tensor
    weight: Tensor

    def at_size(self, size: list[int]) -> Seen:
        return Seen(resized(self.picture, size), resized(self.weight, size))


def course(whole: Similar, before: Tensor, after: Tensor) -> Course:
    """The way of a part with masks ``before`` and ``after`` [1,H,W]: about its joint, if the fixed point of ``whole`` lies
    within both masks, as that of a wheel that rolls does not; else its centre goes straight."""
    if abs(whole.turn - 1) > 1e-3:
        joint = whole.shift / (1 - whole.turn)
        place = torch.tensor([[joint.real]]), torch.tensor([[joint.imag]])
        if all(sample(mask[None].cpu(), place[0][None], place[1][None], outside="zeros") > 0.5 for mask in (before, after)):
            return Course(whole, joint)
    return Course(whole, centre(before))


def centre(mask: Tensor) -> complex:
    """The centre of gravity of a mask [1,H,W]."""
    total = mask.sum().clamp(min=1e-6)
    x, y = torch.arange(mask.shape[2]).to(mask), torch.arange(mask.shape[1]).to(mask)
    return complex(float((mask[0].sum(0) * x).sum() / total), float((mask[0].sum(1) * y).sum() / total))


def whole_motion(before: Seen, after: Seen, about: Similar | None = None) -> Similar:
    """The motion that carries what counts in ``before`` to its place in ``after``; `STILL` if none explains it better.

    ``about``: roughly that motion, if it is known; it is kept if none near it is better.
    """
    before, after = (Seen(seen.picture.float(), seen.weight.float()) for seen in (before, after))
    height, width = before.weight.shape[-2:]
    longer = max(height, width)
    extent = max(int((before.weight[0] > 0.5).any(axis).sum()) for axis in (0, 1))
    best = about or STILL
    if not extent or (about is None and _Aligned(before, after).error(STILL) < SAME**2):
        return best
    levels = [min(max(SEARCHED, SMALLEST / extent * longer), LARGEST, longer)]
    while levels[-1] < min(longer, FINEST):
        levels.append(min(2 * levels[-1], longer, FINEST))
    turning = about is not None
    for level in levels:
        growth = level / longer
        one, other = (seen.at_size([max(round(side * growth), 1) for side in (height, width)]) for seen in (before, after))
        aligned = _Aligned(one, other)
        found = aligned.refined(best.scaled(growth), turning)
        if about is None and level == levels[0]:
            search = _Search(one, other)
            found = min((found, aligned.refined(search.shift()[1], turning)), key=aligned.error)
            if aligned.error(found) > EXPLAINED**2:
                turning = True
                found = min((aligned.refined(start) for start in (found, *search.starts())), key=aligned.error)
        best = found.scaled(1 / growth)
    found = min((found, aligned.refined(found)), key=aligned.error)
    start = (about or STILL).scaled(growth)
    shift = aligned.refined(best.scaled(growth) if not turning else aligned.only(found, 1 + 0j), turning=False)
    rigid = aligned.refined(aligned.only(found, found.turn / abs(found.turn)), turning=False)
    for plainer in (start, shift, rigid):
        if aligned.error(plainer) <= PLAINER * aligned.error(found) + SAME**2 / 10:
            return plainer.scaled(1 / growth)
    return found.scaled(1 / growth)


class _Search:
    """Finds shifts of a part in another picture by comparing all of them at once."""

    def __init__(self, before: Seen, after: Seen) -> None:
        self.before = before
        self.height, self.width = before.weight.shape[-2:]
        self.size = (2 * self.height, 2 * self.width)
        seen = after.weight
        self.after = self._spectrum(torch.cat((seen * after.picture.square().sum(0, keepdim=True), seen, seen * after.picture)))
        down = torch.fft.fftfreq(self.size[0], 1 / self.size[0])[:, None].to(seen)
        right = torch.fft.fftfreq(self.size[1], 1 / self.size[1]).to(seen)
        self.longer = 1e-6 * (down.square() + right.square()).sqrt() / max(self.height, self.width)

    def starts(self) -> list[Similar]:
        """The best motions, for turns and growths of the part."""
        middle, found = centre(self.before.weight), []
        for degrees in TURNS:
            for growth in GROWTHS:
                turn = cmath.rect(growth, math.radians(degrees))
                cost, start = self.shift(Similar(turn, middle - turn * middle))
                found.append((cost * (1 + abs(degrees) / 300), start))
        return [start for _, start in sorted(found, key=lambda one: one[0])[:4]]

    def shift(self, turned: Similar = STILL) -> tuple[float, Similar]:
        """The part ``turned`` and then shifted to where it fits best, and its mean squared error there."""
        picture, weight = self.before if turned == STILL else self._turned(turned)
        squares = weight * picture.square().sum(0, keepdim=True)
        ours = self._spectrum(torch.cat((weight, squares, -2 * weight * picture))).conj()
        shared, cost = torch.fft.irfft2(torch.stack((ours[0] * self.after[1], (ours * self.after).sum(0))), s=self.size)
        cost = (cost / shared.clamp(min=1e-6) / len(picture)).clamp(min=0) + self.longer  # of equal ones, the nearest
        cost = torch.where(shared >= SHOWN * weight.sum(), cost, math.inf)
        best = int(cost.argmin())
        down, right = divmod(best, self.size[1])
        moved = complex(*(at - side * (at >= side / 2) for at, side in ((right, self.size[1]), (down, self.size[0]))))
        return float(cost.flatten()[best]), Similar(turned.turn, turned.shift + moved)

    def _spectrum(self, planes: Tensor) -> Tensor:
        return torch.fft.rfft2(planes, s=self.size)

    def _turned(self, turned: Similar) -> Seen:
        x, y = turned.inverse().places(grid(self.height, self.width, self.before.weight)).unbind(-1)
        return Seen(*(sample(planes[None], x[None], y[None], outside="zeros")[0] for planes in self.before))


class _Aligned:
    """Compares a part in two pictures under any motion, and improves the motion."""

    def __init__(self, before: Seen, after: Seen) -> None:
        height, width = before.weight.shape[-2:]
        y, x = (before.weight[0] > (0.99 if (before.weight > 0.99).any() else 0.01)).nonzero(as_tuple=True)
        every = max(1, math.ceil(len(x) / POINTS))
        x, y = x[::every], y[::every]
        self.points = torch.stack((x, y), dim=-1).double()
        self.weight = before.weight[0, y, x].double()
        self.wanted = before.picture[:, y, x].double()
        picture = after.picture.double()
        grown = F.pad(picture[None], (1, 1, 1, 1), mode="replicate")[0]
        right, down = (grown[:, 1:-1, 2:] - grown[:, 1:-1, :-2]) / 2, (grown[:, 2:, 1:-1] - grown[:, :-2, 1:-1]) / 2
        self.after = torch.cat((picture, right, down, after.weight.double()))[None]
        self.size = width, height
        self.centre = centre(before.weight)
        self.reach = max(float((self.points - self.points.mean(0)).square().sum(-1).mean().sqrt()), 1.0)

    def error(self, motion: Similar) -> float:
        """The mean squared difference under ``motion``; pixels that are odd count less."""
        missed, weight, _, _ = self._missed(motion)
        total = float(weight.sum())
        if not 1 / MOST_GROWTH < abs(motion.turn) < MOST_GROWTH or total < SHOWN * float(self.weight.sum()):
            return math.inf
        odd = ODD**2
        squared = missed.square().mean(0)
        return float((weight * squared * odd / (squared + odd)).sum() / total)

    def only(self, motion: Similar, turn: complex) -> Similar:
        """``motion`` of the centre, with another ``turn``."""
        return Similar(turn, motion.of(self.centre) - turn * self.centre)

    def refined(self, motion: Similar, turning: bool = True) -> Similar:
        """``motion``, improved until that changes less than a thousandth of a pixel; only its shift unless ``turning``."""
        damping, error = 1e-3, self.error(motion)
        if error == math.inf:
            return motion
        for _ in range(40):
            missed, weight, right, down = self._missed(motion)
            x, y = (self.points - torch.tensor([self.centre.real, self.centre.imag])).unbind(-1)
            x, y = x / self.reach, y / self.reach
            slopes = [right, down, right * x + down * y, down * x - right * y][: 4 if turning else 2]
            jacobian = torch.stack(slopes)
            trust = weight / (1 + missed.square().mean(0) / ODD**2) ** 2
            square = torch.einsum("icn,jcn,n->ij", jacobian, jacobian, trust)
            slope = torch.einsum("icn,cn,n->i", jacobian, missed, trust)
            damped = square + damping * torch.diag(square.diagonal()) + 1e-9 * torch.eye(len(square)).double()
            step = -torch.linalg.solve(damped, slope)
            shift = complex(float(step[0]), float(step[1]))
            turn = complex(float(step[2]), float(step[3])) / self.reach if turning else 0j
            better = Similar(motion.turn + turn, motion.shift + shift - turn * self.centre)
            less = self.error(better)
            if less < error:
                motion, error, damping = better, less, damping / 5
                if abs(shift) + abs(turn) * self.reach < 1e-3:
                    break
            else:
                damping *= 5
                if damping > 1e4:
                    break
        return motion

    def _missed(self, motion: Similar) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Of each point under ``motion``: what its colours [C,N] differ by, its weight [N], and the slopes of the picture
        there, [C,N] each."""
        x, y = motion.places(self.points).unbind(-1)
        found = sample(self.after, x[None, None], y[None, None], outside="zeros")[0, :, 0]
        colours, right, down, weight = found.split([len(self.wanted)] * 3 + [1])
        inside = (x >= 0) & (x <= self.size[0] - 1) & (y >= 0) & (y <= self.size[1] - 1)
        return colours - self.wanted, self.weight * weight[0] * inside, right, down


def through(starts: Sequence[complex], ends: Sequence[complex]) -> Similar:
    """The motion that best carries two points or more from ``starts`` to ``ends``, by least squares."""
    middle, goal = sum(starts) / len(starts), sum(ends) / len(ends)
    spread = sum(abs(point - middle) ** 2 for point in starts)
    turn = 1 + 0j
    if spread > 1e-6:
        turn = sum((point - middle).conjugate() * (end - goal) for point, end in zip(starts, ends, strict=True)) / spread
    return Similar(turn, goal - turn * middle)
