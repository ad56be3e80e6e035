"""Interlaced and telecined clips for tests, made with PyAV only."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from io import BytesIO
from pathlib import Path

import av
import numpy as np

SIZE = (96, 64)


def picture(index: int, *, step: int = 3) -> np.ndarray:
    """Luma [H,W] of film frame ``index``: bars and a square that move ``step`` columns per frame, over a still pattern."""
    width, height = SIZE
    y, x = np.mgrid[:height, :width]
    luma = 60 + 2 * y.astype(int) // 3 + 40 * ((x - step * index) % 24 < 8) * (y < height // 2)
    left = (step * index) % (width - 20)
    luma[36:56, left : left + 20] = 200
    return luma.astype(np.uint8)


def woven(fields: Sequence[tuple[int, int]], *, step: int = 3) -> list[np.ndarray]:
    """Frames whose upper lines are of one picture and whose lower lines are of another, by their indices."""
    frames = []
    for upper, lower in fields:
        frame = picture(upper, step=step)
        frame[1::2] = picture(lower, step=step)[1::2]
        frames.append(frame)
    return frames


def interlaced(count: int) -> list[np.ndarray]:
    """``count`` frames, the upper field shown first."""
    return woven([(2 * k, 2 * k + 1) for k in range(count)], step=1)


def telecine(cycles: int) -> list[np.ndarray]:
    """Film by 3:2 pulldown, the upper field shown first: five frames for each four pictures."""
    return woven([(4 * k + up, 4 * k + low) for k in range(cycles) for up, low in ((0, 0), (0, 1), (1, 2), (2, 2), (3, 3))])


def coded(
    path: Path,
    lumas: Sequence[np.ndarray],
    rate: Fraction,
    codec: str = "libx264",
    options: dict[str, str] | None = None,
    layout: str = "yuv420p",
    *,
    order: str = "tff",
    field_order: int = 0,
) -> Path:
    """A clip of grey frames; lossless and interlaced unless ``options`` say otherwise. ``order``: the field shown first."""
    usual = {"qp": "0", "g": "12", "bf": "2", "flags": "+ildct+ilme"}
    with av.open(str(path), "w") as out:
        stream = out.add_stream(codec, rate=rate, options=usual if options is None else options)
        stream.width, stream.height, stream.pix_fmt = lumas[0].shape[1], lumas[0].shape[0], layout
        if field_order:
            stream.codec_context.field_order = field_order
        marks = av.filter.Graph()
        begin, end = marks.add_buffer(stream, time_base=1 / rate), marks.add("buffersink")
        marks.link_nodes(begin, marks.add("setfield", order), end).configure()
        for index, luma in enumerate(lumas):
            begin.push(grey(luma, layout))
            frame = end.pull()
            frame.pts, frame.time_base = index, 1 / rate
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return path


def grey(luma: np.ndarray, layout: str = "yuv420p") -> av.VideoFrame:
    frame = av.VideoFrame(luma.shape[1], luma.shape[0], layout)
    for number, plane in enumerate(frame.planes):
        sample = np.dtype(np.uint16 if frame.format.components[0].bits > 8 else np.uint8)
        shift = frame.format.components[0].bits - 8
        lines = np.frombuffer(plane, sample).reshape(plane.height, -1)
        lines[:, : plane.width] = luma.astype(sample) << shift if number == 0 else 128 << shift
    return frame


def repeated_by_flags(path: Path, count: int) -> Path:
    """MPEG-2 film at 24000/1001 whose fields are repeated by the flags of its pictures, as on DVD: 2 and 3 fields in turn."""
    tick, field = Fraction(1, 120000), 2002
    steady = BytesIO()
    with av.open(steady, "w", format="nut") as out:
        stream = out.add_stream("mpeg2video", rate=Fraction(30000, 1001), options={"g": "12", "bf": "2", "b": "4M"})
        stream.width, stream.height, stream.pix_fmt = *SIZE, "yuv420p"
        for index in range(count):
            frame = grey(picture(index))
            frame.pts = index
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))

    def begin(index: int) -> int:
        return (5 * index + 1) // 2 * field  # 0, 3, 5, 8, 10: three fields, two, three

    with av.open(BytesIO(steady.getvalue())) as given, av.open(str(path), "w") as out:
        origin = given.streams.video[0]
        stream = out.add_stream_from_template(origin)
        stream.time_base = tick
        packets = [packet for packet in given.demux(origin) if packet.size]
        for order, packet in enumerate(packets):
            data, index = bytearray(bytes(packet)), round(packet.pts * packet.time_base * Fraction(30000, 1001))
            first, repeats = ((1, 1), (0, 0), (0, 1), (1, 0))[index % 4]
            place = -1
            while (place := data.find(b"\0\0\1\xb5", place + 1)) >= 0:
                kind = data[place + 4] >> 4
                if kind == 1:
                    data[place + 5] &= ~8  # progressive_sequence
                elif kind == 8:
                    data[place + 7] = data[place + 7] & ~0x82 | first << 7 | repeats << 1
                    data[place + 8] |= 0x80  # progressive_frame
            copy = av.Packet(bytes(data))
            copy.stream, copy.time_base = stream, tick
            copy.pts, copy.dts = begin(index), begin(order) - 5 * field
            copy.duration = begin(index + 1) - begin(index)
            copy.is_keyframe = packet.is_keyframe
            out.mux(copy)
    return path


def flagged_whole(path: Path, source: Path, rate: Fraction, whole: int) -> Path:
    """An interlaced MPEG-2 clip whose first ``whole`` pictures are flagged as progressive."""
    with av.open(str(source)) as given, av.open(str(path), "w") as out:
        origin = given.streams.video[0]
        stream = out.add_stream_from_template(origin)
        for packet in given.demux(origin):
            if not packet.size:
                continue
            data = bytearray(bytes(packet))
            place = next(at for at in range(len(data)) if data[at : at + 4] == b"\0\0\1\xb5" and data[at + 4] >> 4 == 8)
            if packet.pts * packet.time_base * rate < whole:
                data[place + 8] |= 0x80  # progressive_frame
            copy = av.Packet(bytes(data))
            copy.stream, copy.time_base, copy.is_keyframe = stream, packet.time_base, packet.is_keyframe
            copy.pts, copy.dts, copy.duration = packet.pts, packet.dts, packet.duration
            out.mux(copy)
    return path
