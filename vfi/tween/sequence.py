"""Several keyframes as one clip: each pair is drawn by itself, and nothing of that is to be seen.

Owns how many frames lie between which keyframes, how tracks go on from pair to pair, and how clips are joined. How frames are
drawn comes from outside. Knows nothing of networks.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate, pairwise

import torch
from torch import Tensor

from ..core import InputError
from ..motion.match import Matcher, Matches, sift
from ..tracks import Tracks
from ..tracks.curves import along, chain

LEAST = 3
"""Frames of the shortest clip: two keyframes and one between them."""

SAME = 1.5
"""Points of a keyframe that are nearer than this, in pixels, are one."""


def lengths(distances: Sequence[float], frames: int) -> list[int]:
    """How many frames each clip between two keyframes has, both among them, so that all moves equally fast.

    ``distances``: how far things move from one keyframe to the next, in any measure; they are alike where all are 0. The whole
    has ``frames``. Raises `InputError` where those are too few.
    """
    clips = len(distances)
    steps, spare = frames - 1, frames - 1 - clips * (LEAST - 1)
    if clips < 1 or spare < 0:
        raise InputError(f"{frames} frames were asked for over {clips + 1} keyframes: {clips * (LEAST - 1) + 1} are the least")
    whole = sum(distances)
    shares = [distance / whole for distance in distances] if whole > 0 else [1 / clips] * clips
    # A clip of its least length goes without; the rest share what is left.
    short: set[int] = set()
    while True:
        left = steps - (LEAST - 1) * len(short)
        others = sum(share for index, share in enumerate(shares) if index not in short)
        wanted = [LEAST - 1 if index in short else left * share / others for index, share in enumerate(shares)]
        more = {index for index, steps_of_one in enumerate(wanted) if steps_of_one < LEAST - 1}
        if not more:
            break
        short |= more
    # Ends are rounded, and not lengths, so that they add up.
    ends = [round(end) for end in accumulate(wanted, initial=0)]
    return [stop - start + 1 for start, stop in pairwise(ends)]


def places(lengths: Sequence[int]) -> list[int]:
    """The number of the frame that each keyframe is, in the clip of all."""
    return list(accumulate((length - 1 for length in lengths), initial=0))


def chained(clips: Iterable[Tensor]) -> Iterator[Tensor]:
    """The frames of ``clips`` [F,...], each of which begins with the keyframe that ends the one before: that comes once."""
    for index, clip in enumerate(clips):
        yield from clip if index == 0 else clip[1:]


def pieces(tracks: Tracks, lengths: Sequence[int]) -> Iterator[Tracks]:
    """The part of ``tracks`` over the whole clip that lies in each of its pairs, at the frames of that."""
    places_of_keys = places(lengths)
    whole = tracks.resampled(places_of_keys[-1] + 1)
    for start, stop in pairwise(places_of_keys):
        yield Tracks(whole.path[start : stop + 1], whole.visible[start : stop + 1], whole.size)


def matched(keyframes: Sequence[Tensor], matcher: Matcher = sift) -> list[Matches]:
    """The points that each keyframe [3,H,W] shares with the next, those that move together with others. Raises `InputError`."""
    return [matcher(first, last).consistent() for first, last in pairwise(keyframes)]


def distances(matches: Sequence[Matches]) -> list[float]:
    """How far things move from each keyframe to the next: the median way of their points, in pixels.

    Of two that share no point nothing is known: they count as the others do on average.
    """
    ways = [torch.linalg.vector_norm(found.last - found.first, dim=1) for found in matches]
    known = [float(way.median()) for way in ways if len(way)]
    usual = sum(known) / len(known) if known else 0.0
    return [float(way.median()) if len(way) else usual for way in ways]


def through(matches: Sequence[Matches], lengths: Sequence[int], count: int) -> Tracks:
    """Tracks through all keyframes, ``count`` in each pair at the most, whose speed does not jump where they pass one.

    A point that two pairs share, because it is found in the keyframe between them, is one track: monotone cubics through its
    places (Fritsch and Butland, 1984). It is visible from the first keyframe that has it to the last.
    """
    keys = torch.tensor(places(lengths), dtype=torch.float64)
    frames = torch.arange(int(keys[-1]) + 1, dtype=torch.float64)
    ways: list[tuple[int, list[Tensor]]] = []  # from which keyframe on, and where in each
    for pair, found in enumerate(matches):
        going = [way for start, way in ways if start + len(way) == pair + 1]
        left = torch.ones(len(found), dtype=torch.bool)
        for way in going:
            away = torch.linalg.vector_norm(found.first - way[-1], dim=1).where(left, torch.tensor(float("inf")))
            if len(found) and away.min() < SAME:
                left[away.argmin()] = False
                way.append(found.last[away.argmin()])
        held = sum(start + len(way) == pair + 2 for start, way in ways)
        chosen = found.kept(left).spread(max(count - held, 0))
        ways += [(pair, list(ends)) for ends in zip(chosen.first, chosen.last, strict=True)]
    size = matches[0].size
    if not ways:
        return Tracks(torch.zeros(len(frames), 0, 2), torch.zeros(len(frames), 0, dtype=torch.bool), size)
    paths, seen = [], []
    for start, way in ways:
        times = keys[start : start + len(way)]
        paths.append(along(chain(torch.stack(way).double(), times, "pchip"), times, frames))
        seen.append((frames >= times[0]) & (frames <= times[-1]))
    return Tracks(torch.stack(paths, dim=1), torch.stack(seen, dim=1), size)
