"""Several keyframes as one clip: each pair is drawn separately and joined without a visible seam.

Owns the number of frames per pair, the continuation of tracks across pairs, and the joining of clips. The caller draws the
frames. Knows nothing of networks.
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
"""Frames of the shortest clip: two keyframes and one frame between them."""

SAME = 1.5
"""Points of a keyframe that are closer than this, in pixels, count as the same."""


def lengths(distances: Sequence[float], frames: int) -> list[int]:
    """Frames of each clip between two keyframes, both included, so that motion is equally fast in all clips.

    ``distances``: motion from each keyframe to the next, in any unit; if all are 0, clips are equally long. ``frames``: length
    of the whole. Raises `InputError` if that is too short.
    """
    clips = len(distances)
    steps, spare = frames - 1, frames - 1 - clips * (LEAST - 1)
    if clips < 1 or spare < 0:
        raise InputError(f"{frames} frames were asked for over {clips + 1} keyframes: the minimum is {clips * (LEAST - 1) + 1}")
    whole = sum(distances)
    shares = [distance / whole for distance in distances] if whole > 0 else [1 / clips] * clips
    # Clips that would fall below the minimum get it; the rest share the remaining frames.
    short: set[int] = set()
    while True:
        left = steps - (LEAST - 1) * len(short)
        others = sum(share for index, share in enumerate(shares) if index not in short)
        wanted = [LEAST - 1 if index in short else left * share / others for index, share in enumerate(shares)]
        more = {index for index, steps_of_one in enumerate(wanted) if steps_of_one < LEAST - 1}
        if not more:
            break
        short |= more
    # Round the ends rather than the lengths, so that the lengths add up.
    ends = [round(end) for end in accumulate(wanted, initial=0)]
    return [stop - start + 1 for start, stop in pairwise(ends)]


def places(lengths: Sequence[int]) -> list[int]:
    """The frame number of each keyframe in the whole clip."""
    return list(accumulate((length - 1 for length in lengths), initial=0))


def chained(clips: Iterable[Tensor]) -> Iterator[Tensor]:
    """The frames of consecutive ``clips`` [F,...]; the keyframe shared by two clips comes only once."""
    for index, clip in enumerate(clips):
        yield from clip if index == 0 else clip[1:]


def pieces(tracks: Tracks, lengths: Sequence[int]) -> Iterator[Tracks]:
    """Split ``tracks`` over the whole clip into one part per pair of keyframes, sampled at that pair's frames."""
    places_of_keys = places(lengths)
    whole = tracks.resampled(places_of_keys[-1] + 1)
    for start, stop in pairwise(places_of_keys):
        yield Tracks(whole.path[start : stop + 1], whole.visible[start : stop + 1], whole.size)


def matched(keyframes: Iterable[Tensor], matcher: Matcher = sift) -> list[Matches]:
    """Match points of each keyframe [3,H,W] to the next; keep those that move with others. Raises `InputError`."""
    return [matcher(first, last).consistent() for first, last in pairwise(keyframes)]


def distances(matches: Sequence[Matches]) -> list[float]:
    """Motion from each keyframe to the next: the median displacement of their points, in pixels.

    Pairs without a shared point get the mean of the others.
    """
    ways = [torch.linalg.vector_norm(found.last - found.first, dim=1) for found in matches]
    known = [float(way.median()) for way in ways if len(way)]
    usual = sum(known) / len(known) if known else 0.0
    return [float(way.median()) if len(way) else usual for way in ways]


def through(matches: Sequence[Matches], lengths: Sequence[int], count: int) -> Tracks:
    """Tracks through all keyframes, at most ``count`` per pair, whose speed does not jump at a keyframe.

    A point that two pairs share at the keyframe between them becomes one track: monotone cubics through its positions
    (Fritsch and Butland, 1984). It is visible from the first keyframe it was matched in to the last.
    """
    keys = torch.tensor(places(lengths), dtype=torch.float64)
    frames = torch.arange(int(keys[-1]) + 1, dtype=torch.float64)
    ways: list[tuple[int, list[Tensor]]] = []  # (first keyframe, position in each keyframe from there on)
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
