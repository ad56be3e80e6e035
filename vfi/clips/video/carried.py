"""What a decoded picture carries besides its pixels: how it is turned, how bright its display was.

PyAV frees the name of an ICC profile twice, with the object that shows it and with the picture: the process dies at some later
time, in whatever thread Python then collects garbage. PNG images of most painting programs have such a profile. So profiles,
which nothing here uses, are taken off before PyAV looks. Knows nothing of what the rest means.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import av


def carried_by(picture: av.VideoFrame) -> Any:
    """The side data of a picture, without ICC profiles, as PyAV shows it: a container by name.

    Raises `ValueError` if some of it is of a kind that PyAV does not know.
    """
    graph: Any = av.filter.Graph()
    graph.threads = 1
    begin = graph.add_buffer(width=picture.width, height=picture.height, format=picture.format, time_base=Fraction(1, 1))
    end = graph.add("buffersink")
    graph.link_nodes(begin, graph.add("sidedata", "mode=delete:type=ICC_PROFILE"), end).configure()
    begin.push(picture)
    return end.pull().side_data
