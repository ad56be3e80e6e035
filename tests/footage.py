"""Clips for tests, made with PyAV only, so that readers and writers are not just tested against each other."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import torch

from vfi.clips.clip import Writer
from vfi.clips.yuv import planes_of
from vfi.core import Frame


def film(
    path: Path,
    stamps: Sequence[int],
    tick: Fraction,
    *,
    codec="libx264",
    layout="yuv420p",
    size=(64, 48),
    sound=None,
    shade: Callable[[int], int] = lambda k: 16 + k,
    **tags,
):
    """A clip whose frame k has the Y' ``shade(k)``, shown at ``stamps[k]`` ticks; the last of ``stamps`` is the end."""
    with av.open(str(path), "w", options={"movie_timescale": str(tick.denominator)} if path.suffix == ".mp4" else {}) as out:
        rate = Fraction(len(stamps) - 1, stamps[-1] - stamps[0]) / tick
        stream = out.add_stream(codec, rate=rate.limit_denominator(10**6), options={"bf": "0", "crf": "0", "g": "8"})
        stream.width, stream.height, stream.pix_fmt = *size, layout
        stream.codec_context.time_base = tick
        for tag, value in tags.items():
            setattr(stream.codec_context, tag, value)
        voice = sound and out.add_stream("aac", rate=48000, layout="mono")
        out.start_encoding()
        lasts = {start: end - start for start, end in pairwise(stamps)}
        for index, start in enumerate(lasts):
            picture = av.VideoFrame(*size, layout)
            for number, plane in enumerate(planes_of(picture)):
                plane[:] = shade(index) if number == 0 else 128
            picture.pts, picture.time_base = start, tick
            for packet in stream.encode(picture):
                packet.duration = lasts[packet.pts]
                out.mux(packet)
        for packet in stream.encode(None):
            packet.duration = lasts[packet.pts]
            out.mux(packet)
        for packet in tone(voice, sound) if sound else ():
            out.mux(packet)
    return path


def tone(stream, seconds: Fraction) -> Iterator[av.Packet]:
    """A 440 Hz tone."""
    wave = np.sin(np.arange(int(seconds * 48000)) * 2 * np.pi * 440 / 48000).astype(np.float32) / 4
    for start in range(0, len(wave), 1024):
        frame = av.AudioFrame.from_ndarray(wave[None, start : start + 1024], format="fltp", layout="mono")
        frame.sample_rate, frame.pts = 48000, start
        yield from stream.encode(frame)
    yield from stream.encode(None)


def sounds(path: Path) -> list[tuple[bytes, Fraction, Fraction]]:
    """Bytes, presentation time and decoding time of every audio packet in a file."""
    with av.open(str(path)) as container:
        packets = [packet for packet in container.demux(container.streams.audio[0]) if packet.size]
        return [(bytes(packet), packet.pts * packet.time_base, packet.dts * packet.time_base) for packet in packets]


def moving(
    count: int, rate: Fraction = Fraction(24), *, height=48, width=64, alpha=False, start=Fraction(0)
) -> Iterator[Frame]:
    """Smooth moving colours, rounded to 8-bit steps."""
    y, x = torch.meshgrid(torch.linspace(0, 1, height), torch.linspace(0, 1, width), indexing="ij")
    for index in range(count):
        phase = index / 16
        rgb = torch.stack([(torch.sin(3 * (x + phase)) + 1) / 2, y * 0.8 + 0.1, (torch.cos(4 * (x - y - phase)) + 1) / 2])
        shown = (x[None] > 0.5).float() if alpha else None
        yield Frame((rgb * 255).round() / 255, start + index / rate, 1 / rate, shown)


def panned(count: int, step: float = 2.0, *, height=64, width=64, seed=0) -> list[torch.Tensor]:
    """A window that moves ``step`` pixels a frame over a soft random texture, [3,H,W] 0..1: motion that can be measured."""
    dice = torch.Generator().manual_seed(seed)
    wide = width + int(step * count) + 2
    rough = [torch.rand((1, 3, height // by, wide // by), generator=dice) for by in (8, 2)]
    coarse, fine = (torch.nn.functional.interpolate(one, (height, wide), mode="bicubic") for one in rough)
    picture = (0.7 * coarse + 0.3 * fine)[0].clamp(0, 1) * 0.7 + 0.15
    places = (divmod(step * k, 1.0) for k in range(count))
    return [
        torch.lerp(picture[:, :, int(left) : int(left) + width], picture[:, :, int(left) + 1 : int(left) + 1 + width], part)
        for left, part in places
    ]


def fail(writer: Writer, count: int, error: BaseException) -> None:
    """Write ``count`` frames, then raise ``error``."""
    with writer:
        for frame in moving(count):
            writer.write(frame)
        raise error


def png(pixels: np.ndarray, kind: int, *, depth: int = 8, extra: Sequence[tuple[bytes, bytes]] = ()) -> bytes:
    """A PNG file of samples [H,W] or [H,W,C]; ``kind`` is PNG's colour type, ``extra`` are chunks before the picture."""
    rows = pixels.astype(">u2" if depth == 16 else np.uint8).reshape(len(pixels), -1)
    rows = np.packbits(rows, axis=1) if depth == 1 else rows
    data = b"".join(b"\0" + row.tobytes() for row in rows)
    header = struct.pack(">IIBBBBB", pixels.shape[1], pixels.shape[0], depth, kind, 0, 0, 0)
    chunks = [(b"IHDR", header), *extra, (b"IDAT", zlib.compress(data)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body)) for name, body in chunks
    )


def exif(orientation: int) -> bytes:
    """A TIFF structure that holds only an orientation."""
    return b"II*\0" + struct.pack("<IHHHIHHI", 8, 1, 0x0112, 3, 1, orientation, 0, 0)
