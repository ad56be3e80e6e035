"""The contenders' clip: this repository's example clip, scaled, and played back and forth if more frames are needed.

Knows nothing of the contenders.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from functools import cache
from itertools import chain, cycle, islice
from pathlib import Path

import av
import numpy as np

EXAMPLE = Path(__file__).parents[2] / "examples" / "fox-16fps.mp4"
RATE = 24


@cache
def frames_of(file: Path) -> tuple[av.VideoFrame, ...]:
    with av.open(str(file)) as container:
        return tuple(container.decode(video=0))


def pictures(width: int, height: int) -> Iterator[av.VideoFrame]:
    """Endless frames: the example forward, then backward, and so on."""
    there = frames_of(EXAMPLE)
    for picture in cycle(chain(there, there[-2:0:-1])):
        yield picture.reformat(width, height, interpolation="BICUBIC")


def clip(folder: Path, width: int, height: int, frames: int) -> Path:
    """A file of ``frames`` frames, float32 [T,H,W,3] in 0..1 like IMAGE, written if missing."""
    file = folder / f"{width}x{height}x{frames}.npy"
    if not file.exists():
        out = np.lib.format.open_memmap(file, "w+", np.float32, (frames, height, width, 3))
        for index, picture in enumerate(islice(pictures(width, height), frames)):
            out[index] = picture.to_ndarray(format="rgb24") / np.float32(255)
        out.flush()
    return file


def film(folder: Path, width: int, height: int, frames: int) -> Path:
    """A video of ``frames`` frames. One round trip is encoded and its packets repeated, so long films cost little."""
    loop = folder / f"{width}x{height}.mp4"
    there = 2 * len(frames_of(EXAMPLE)) - 2
    if not loop.exists():
        with av.open(str(loop), "w") as out:
            stream = out.add_stream("libx264", rate=RATE, options={"crf": "18", "preset": "veryfast", "bf": "0"})
            stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
            for index, picture in enumerate(islice(pictures(width, height), there)):
                picture.pts, picture.time_base, picture.pict_type = index, Fraction(1, RATE), av.video.frame.PictureType.NONE
                out.mux(stream.encode(picture))
            out.mux(stream.encode())
    long = folder / f"{width}x{height}x{frames}.mp4"
    with av.open(str(loop)) as one, av.open(str(long), "w") as out:
        source = one.streams.video[0]
        stream = out.add_stream_from_template(source)
        assert source.time_base is not None
        span = round(Fraction(there, RATE) / source.time_base)
        packets = [(bytes(packet), packet.pts, packet.dts, packet.is_keyframe) for packet in one.demux(source) if packet.size]
        for index in range(frames):
            content, pts, dts, key = packets[index % there]
            packet = av.Packet(content)
            packet.pts, packet.dts = pts + index // there * span, dts + index // there * span
            packet.time_base, packet.is_keyframe, packet.stream = source.time_base, key, stream
            out.mux(packet)
    return long
