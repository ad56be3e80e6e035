"""What a decoded picture carries besides its pixels: how it is turned, how bright its display was.

PyAV shows it by an object that the picture holds and that holds the picture, so that both stay in memory until Python next
looks for such rings: hundreds of images may come before. So it is shown of a picture of a few pixels that carries the same.

PyAV frees the name of an ICC profile twice, with the object that shows it and with the picture: the process dies at some later
time, in whatever thread Python then collects garbage. PNG images of most painting programs have such a profile. So profiles,
which nothing here uses, are taken off before PyAV looks. Knows nothing of what the rest means.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import av

FEW_PIXELS = (("crop", "w=16:h=16"), ("copy", ""))
WITHOUT_PROFILES = (("sidedata", "mode=delete:type=ICC_PROFILE"),)


def carried_by(picture: av.VideoFrame) -> list[tuple[str, bytes]]:
    """The kind and the data of all that a picture carries, as FFmpeg names and holds them, without ICC profiles.

    Raises `ValueError` if some of it is of a kind that PyAV does not know.
    """
    try:
        shown = _through(picture, FEW_PIXELS + WITHOUT_PROFILES)
    except av.FFmpegError:  # the picture is smaller, or its pixels do not start at whole bytes
        shown = _through(picture, WITHOUT_PROFILES)
    return [(data.type.name, bytes(data)) for data in shown.side_data]


def _through(picture: av.VideoFrame, filters: Sequence[tuple[str, str]]) -> Any:
    """The picture as FFmpeg's ``filters``, each with its options, return it."""
    graph: Any = av.filter.Graph()
    graph.threads = 1
    begin = graph.add_buffer(width=picture.width, height=picture.height, format=picture.format, time_base=Fraction(1, 1))
    end = graph.add("buffersink")
    graph.link_nodes(begin, *(graph.add(*one) for one in filters), end).configure()
    begin.push(picture)
    return end.pull()
