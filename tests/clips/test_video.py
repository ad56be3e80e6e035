"""Video files: exact times in and out, colours and depth kept, sound untouched, and never half a file."""

from __future__ import annotations

import io
import os
import struct
import threading
from contextlib import suppress
from dataclasses import replace
from fractions import Fraction as F
from itertools import accumulate, pairwise
from pathlib import Path

import av
import forks
import numpy as np
import pytest
import torch
from footage import fail, film, moving, sounds, tone

from vfi.clips.clip import Colour, Edited, Encoding, Info, read_since
from vfi.clips.open import create_clip, open_clip
from vfi.clips.video import VideoReader, VideoWriter, priority
from vfi.clips.yuv import planes_of
from vfi.core import Frame, InputError

SMALL = Info(64, 48, rate=F(24))
MIXED = [0, 100, 167, 217, 251, 285, 318, 417, 517, 584, 640]  # milliseconds


def brightness(frames) -> list[int]:
    """The Y' of grey frames of limited range."""
    return [round(float(frame.rgb.mean()) * 219 + 16) for frame in frames]


def write(path: Path, info: Info, frames, **options) -> VideoWriter:
    with VideoWriter(path, info, **options) as writer:
        for frame in frames:
            writer.write(frame)
    return writer


def planes(path: Path) -> list[list[np.ndarray]]:
    with av.open(str(path)) as container:
        return [[plane.copy() for plane in planes_of(picture)] for picture in container.decode(video=0)]


class TestReading:
    def test_times_are_exact(self, tmp_path: Path):
        reader = VideoReader(film(tmp_path / "ntsc.mp4", [1001 * k for k in range(11)], F(1, 30000)))
        frames = list(reader)
        assert [frame.time for frame in frames] == [k * F(1001, 30000) for k in range(10)]
        assert {frame.duration for frame in frames} == {F(1001, 30000)}
        assert brightness(frames) == list(range(16, 26))
        assert reader.info == Info(
            64,
            48,
            tmp_path / "ntsc.mp4",
            F(30000, 1001),
            10,
            F(1001, 3000),
            chroma="420",
            codec="h264",
            time_base=F(1, 30000),
            start=F(0),
        )
        assert reader.notes == []

    def test_a_variable_rate_keeps_every_duration_and_the_last(self, tmp_path: Path):
        reader = VideoReader(film(tmp_path / "mixed.mp4", MIXED, F(1, 1000)))
        frames = list(reader)
        assert [frame.time * 1000 for frame in frames] == MIXED[:-1]
        assert [(frame.time + frame.duration) * 1000 for frame in frames] == MIXED[1:]
        assert reader.info.duration == F(640, 1000)

    @pytest.mark.parametrize("rate", [F(24), F(24000, 1001), F(30), F(60000, 1001), F(120)])
    def test_matroska_milliseconds_become_the_frame_rate_again(self, tmp_path: Path, rate: F):
        path = film(tmp_path / "rounded.mkv", [k * rate.denominator for k in range(31)], F(1, rate.numerator))
        reader = VideoReader(path)
        assert [frame.time for frame in reader] == [k / rate for k in range(30)]
        assert {frame.duration for frame in reader} == {1 / rate}
        assert (reader.info.rate, reader.info.frames, reader.info.duration) == (rate, 30, 30 / rate)

    def test_variable_times_in_matroska_stay_what_they_are(self, tmp_path: Path):
        frames = list(VideoReader(film(tmp_path / "mixed.mkv", MIXED, F(1, 1000))))
        assert [float(frame.time) for frame in frames] == pytest.approx([stamp / 1000 for stamp in MIXED[:-1]], abs=1.01e-3)

    def test_a_reader_reads_again_and_can_be_left_early(self, tmp_path: Path):
        reader = VideoReader(film(tmp_path / "clip.mp4", list(range(11)), F(1, 10)))
        assert brightness(zip_first(reader, 3)) == [16, 17, 18]
        assert brightness(reader) == brightness(reader) == list(range(16, 26))
        two = zip(reader, reader, strict=True)
        assert all(torch.equal(one.rgb, other.rgb) for one, other in two)

    def test_a_clip_in_memory(self, tmp_path: Path):
        data = io.BytesIO(film(tmp_path / "clip.mp4", list(range(11)), F(1, 10)).read_bytes())
        data.seek(100)
        reader = open_clip(data)
        assert brightness(reader) == brightness(reader) == list(range(16, 26))
        assert reader.info.path is None
        assert data.tell() == 100

    def test_what_is_known_of_a_clip(self, tmp_path: Path):
        path = film(
            tmp_path / "ten.mp4", [0, 1, 2], F(1, 25), codec="libx264", layout="yuv422p10le",
            colorspace=9, color_primaries=9, color_trc=16, color_range=1, sample_aspect_ratio=F(4, 3), sound=F(1, 10),
        )  # fmt: skip
        info = VideoReader(path).info
        assert (info.depth, info.chroma, info.alpha, info.audio) == (10, "422", False, True)
        assert info.colour == Colour(9, 9, 16, False)
        assert info.sample_aspect_ratio == F(4, 3)

    def test_full_range_is_read_as_such(self, tmp_path: Path):
        frames = VideoReader(film(tmp_path / "full.mp4", [0, 1, 2], F(1, 25), color_range=2))
        assert [float(frame.rgb.mean()) * 255 for frame in frames] == pytest.approx([16, 17], abs=0.01)

    @pytest.mark.parametrize(
        ("matrix", "turned"),
        [
            ((0, 1, -1, 0), lambda rgb: rgb.rot90(-1, (-2, -1))),
            ((-1, 0, 0, -1), lambda rgb: rgb.rot90(2, (-2, -1))),
            ((0, -1, 1, 0), lambda rgb: rgb.rot90(1, (-2, -1))),
            ((-1, 0, 0, 1), lambda rgb: rgb.flip(-1)),
        ],
    )
    def test_a_display_matrix_is_obeyed_and_not_carried_over(self, tmp_path: Path, matrix, turned):
        plain = tmp_path / "plain.mp4"
        write(plain, replace(SMALL, sample_aspect_ratio=F(4, 3)), moving(2))
        data = plain.read_bytes()
        at = data.index(b"tkhd") + 4 + 40  # version 0: the matrix of 16.16 numbers
        a, b, c, d = (struct.pack(">i", value << 16) for value in matrix)
        (path := tmp_path / "turned.mp4").write_bytes(data[:at] + a + b + data[at + 8 : at + 12] + c + d + data[at + 20 :])
        reader = VideoReader(path)
        for upright, stored in zip(reader, VideoReader(plain), strict=True):
            assert torch.equal(upright.rgb, turned(stored.rgb))
        swapped = matrix[0] == 0
        assert (reader.info.width, reader.info.height) == ((48, 64) if swapped else (64, 48))
        assert reader.info.sample_aspect_ratio == (F(3, 4) if swapped else F(4, 3))
        write(tmp_path / "again.mp4", reader.info, reader)
        with av.open(str(tmp_path / "again.mp4")) as container:
            assert next(container.decode(video=0)).rotation == 0

    def test_sound_may_start_first(self, tmp_path: Path):
        path = film(tmp_path / "late.mp4", [5, 6, 7, 8], F(1, 25), sound=F(1, 5))
        assert [frame.time for frame in VideoReader(path)] == [F(5, 25), F(6, 25), F(7, 25)]

    def test_frames_without_time_stamps_follow_one_another(self, tmp_path: Path):
        reader = VideoReader(film(tmp_path / "raw.h264", list(range(11)), F(1, 25)))
        assert [frame.time for frame in reader] == [F(k, 25) for k in range(10)]
        assert "no usable time stamp" in reader.notes[0]

    def test_interlaced_clips_are_taken_as_they_are_if_asked(self, tmp_path: Path):
        path = tmp_path / "fields.mp4"
        with av.open(str(path), "w") as out:
            stream = out.add_stream("libx264", rate=25, options={"x264-params": "tff=1"})
            stream.width, stream.height = 64, 64
            for index in range(3):
                picture = av.VideoFrame(64, 64, "yuv420p")
                picture.pts = index
                out.mux(stream.encode(picture))
            out.mux(stream.encode(None))
        reader = VideoReader(path, deinterlace="off")
        assert reader.info.interlaced
        assert len(list(reader)) == 3
        assert "interlaced" in reader.notes[0]


PARAMETERS = {
    "libx264": ("x264-params", "keyint=12:min-keyint=12:bframes=3:b-pyramid=normal:open-gop={}:scenecut=0"),
    "libx265": ("x265-params", "keyint=12:min-keyint=12:bframes=4:open-gop={}:scenecut=0:log-level=error"),
}


def grouped(path: Path, encoder: str, stamps: list[int], tick: F, *, open_gop: bool = False, gop: int = 12) -> Path:
    """Moving colours in groups of 12 pictures with B-frames; ``stamps`` as for `film`."""
    name, value = PARAMETERS.get(encoder, ("g", "12"))
    with av.open(str(path), "w") as out:
        options = {name: value.format(int(open_gop)).replace("12", str(gop))}
        stream = out.add_stream(encoder, rate=round(1 / tick / (stamps[1] - stamps[0])), options=options)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        stream.codec_context.time_base = tick
        for index, frame in enumerate(moving(len(stamps) - 1)):
            picture = av.VideoFrame.from_ndarray((frame.rgb * 255).byte().permute(1, 2, 0).numpy(), format="rgb24")
            picture = picture.reformat(format="yuv420p")
            picture.pts, picture.time_base = stamps[index], tick
            out.mux(stream.encode(picture))
        out.mux(stream.encode(None))
    return path


UNEVEN = list(accumulate(([40, 33, 50, 17] * 12), initial=100))


def gif(path: Path, pictures: list[np.ndarray]) -> Path:
    """A GIF of indices [H,W] of four colours, of which 0 is transparent; a clear code before each sample spares the table."""

    def coded(indices: np.ndarray) -> bytes:
        bits = "".join(f"{code:03b}"[::-1] for index in indices.flat for code in (4, int(index))) + f"{5:03b}"[::-1]
        data = bytes(int(bits[at : at + 8].ljust(8, "0")[::-1], 2) for at in range(0, len(bits), 8))
        return (
            b"\x02"
            + b"".join(bytes([len(data[at : at + 255])]) + data[at : at + 255] for at in range(0, len(data), 255))
            + b"\0"
        )

    height, width = pictures[0].shape
    data = b"GIF89a" + struct.pack("<HHBBB", width, height, 0xF1, 0, 0) + bytes([0, 0, 0, 0, 80, 200, 255, 0, 0, 9, 9, 9])
    for picture in pictures:
        data += b"\x21\xf9\x04" + struct.pack("<BHB", 2 << 2 | 1, 10, 0) + b"\0"
        data += b"\x2c" + struct.pack("<HHHHB", 0, 0, width, height, 0) + coded(picture)
    path.write_bytes(data + b"\x3b")
    return path


class TestLateAlpha:
    def test_of_a_gif_counts(self, tmp_path: Path):
        opaque = np.ones((8, 12), int)
        holed = opaque.copy()
        holed[2:4, 3:9] = 0
        reader = open_clip(gif(tmp_path / "a.gif", [opaque, opaque, holed, opaque]))
        assert reader.info.alpha
        alphas = [None if frame.alpha is None else frame.alpha[0].numpy() for frame in reader]
        assert [alpha is None or bool(alpha.all()) for alpha in alphas] == [True, True, False, True]
        assert np.array_equal(alphas[2], holed)

    def test_a_gif_without_has_none(self, tmp_path: Path):
        reader = open_clip(gif(tmp_path / "a.gif", [np.ones((8, 12), int)] * 3))
        assert not reader.info.alpha
        assert [frame.alpha for frame in reader] == [None] * 3


class TestReadingFromWithin:
    @pytest.mark.parametrize("before", [0, 1, 3])
    @pytest.mark.parametrize(
        ("name", "encoder", "stamps", "tick", "open_gop", "gop"),
        [
            ("closed.mp4", "libx264", list(range(49)), F(1, 24), False, 12),
            ("open.mp4", "libx264", list(range(49)), F(1, 24), True, 12),
            ("open.mkv", "libx264", list(range(49)), F(1, 24), True, 12),
            ("ntsc.mkv", "libx264", [k * 1001 for k in range(49)], F(1, 60000), False, 12),
            ("uneven.mp4", "libx264", UNEVEN, F(1, 1000), True, 12),
            ("short.mp4", "libx264", list(range(49)), F(1, 24), False, 2),
            ("open.mov", "libx265", list(range(49)), F(1, 24), True, 12),
            ("closed.mkv", "libx265", list(range(49)), F(1, 24), False, 12),
            ("clip.webm", "libvpx-vp9", list(range(49)), F(1, 24), False, 12),
            ("intra.mov", "prores_ks", list(range(25)), F(1, 24), False, 12),
            ("recorded.ts", "libx264", list(range(49)), F(1, 24), True, 12),
            ("raw.h264", "libx264", list(range(25)), F(1, 25), False, 12),
        ],
    )
    def test_the_frames_and_times_are_those_of_a_full_read(
        self, tmp_path: Path, name: str, encoder: str, stamps: list[int], tick: F, open_gop: bool, gop: int, before: int
    ):
        if encoder == "prores_ks":
            info = replace(SMALL, depth=10)
            write(tmp_path / name, info, moving(24), encoding=Encoding("prores"))
        else:
            grouped(tmp_path / name, encoder, stamps, tick, open_gop=open_gop, gop=gop)
        reader = VideoReader(tmp_path / name)
        full = list(reader)
        assert len(full) == len(stamps) - 1
        notes = list(reader.notes)
        for index in (0, 1, 2, 3, 5, 11, 12, 13, 20, len(full) - 2, len(full) - 1):
            wanted = full[max(index - before, 0) :]
            for time in (full[index].time, full[index].time + full[index].duration * F(2, 3)):
                read = zip_first(reader.since(time, before), 6) if index < len(full) - 6 else list(reader.since(time, before))
                assert [frame.time for frame in read] == [frame.time for frame in wanted[: len(read)]]
                assert all(torch.equal(one.rgb, other.rgb) for one, other in zip(read, wanted, strict=False))
                assert [frame.duration for frame in read] == [frame.duration for frame in wanted[: len(read)]]
        assert reader.notes == notes

    def test_before_the_start_it_is_the_whole_clip_and_after_the_end_the_last_frame(self, tmp_path: Path):
        reader = VideoReader(film(tmp_path / "clip.mp4", list(range(5, 16)), F(1, 10), sound=F(1)))
        assert brightness(reader.since(F(-1))) == brightness(reader.since(F(2, 10))) == list(range(16, 26))
        assert brightness(reader.since(F(9))) == [25]
        assert brightness(reader.since(F(9), 2)) == [23, 24, 25]

    def test_it_begins_at_the_key_frame_and_not_at_the_start(self, tmp_path: Path):
        path = film(tmp_path / "clip.mp4", list(range(41)), F(1, 10))  # a key frame every 8 frames
        with av.open(str(path)) as container:
            packet = next(packet for packet in container.demux(video=0) if packet.pts * packet.time_base == F(3, 10))
        data = path.read_bytes()
        path.write_bytes(data[: packet.pos] + b"\xff" * packet.size + data[packet.pos + packet.size :])
        reader = VideoReader(path)
        with pytest.raises(InputError, match=r"damaged at 0\.300 s, after 3 of 40 frames"):
            list(reader)
        assert brightness(reader.since(F(1))) == list(range(26, 56))

    def test_a_clip_that_cannot_seek_is_read_from_its_start(self):
        frames = list(moving(6, F(10)))
        clip = Edited(SMALL, [], lambda: iter(frames))
        assert list(read_since(clip, F(25, 100))) == frames[2:]
        assert list(read_since(clip, F(25, 100), 1)) == frames[1:]
        assert list(read_since(clip, F(5), 1)) == frames[4:]
        assert list(read_since(clip, F(0), 2)) == frames


@pytest.mark.parametrize("layout", ["yuv420p", "yuv420p10le", "gray"])
def test_frames_are_made_where_they_are_wanted(tmp_path: Path, layout: str):
    """On the device that has no memory, all that is computed elsewhere fails."""
    path = tmp_path / "clip.mkv"
    film(path, range(4), F(1, 24), codec="ffv1", layout=layout)
    frames = list(open_clip(path, device="meta"))
    assert [frame.rgb.device.type for frame in frames] == ["meta"] * 3
    assert [frame.rgb.shape for frame in frames] == [(3, 48, 64)] * 3


def zip_first(frames, count: int) -> list[Frame]:
    return [frame for _, frame in zip(range(count), frames, strict=False)]


CHOICES = [
    ("mp4", "h264", 8), ("mp4", "h264", 10), ("mp4", "hevc", 8), ("mp4", "hevc", 10), ("mp4", "vp9", 8), ("mp4", "av1", 8),
    ("mp4", "av1", 10), ("mov", "prores", 10), ("mkv", "h264", 8), ("mkv", "ffv1", 8), ("mkv", "ffv1", 10),
    ("mkv", "ffv1", 16), ("webm", "vp9", 8), ("webm", "av1", 10),
]  # fmt: skip


class TestWriting:
    @pytest.mark.parametrize(("ending", "codec", "depth"), CHOICES)
    def test_every_codec_keeps_frames_times_depth_and_colours(self, tmp_path: Path, ending: str, codec: str, depth: int):
        path = tmp_path / f"clip.{ending}"
        made = list(moving(12, F(30000, 1001)))
        info = replace(SMALL, rate=F(30000, 1001), depth=depth, chroma="420", colour=Colour(1, 1, 1, False))
        writer = write(path, info, made, encoding=Encoding(codec))
        reader = VideoReader(path)
        read = list(reader)
        assert writer.notes == reader.notes == []
        assert [(frame.time, frame.duration) for frame in read] == [(frame.time, frame.duration) for frame in made]
        assert (reader.info.codec, reader.info.depth, reader.info.rate) == (codec, depth, F(30000, 1001))
        assert reader.info.colour.matrix == 1
        assert reader.info.colour.full is False
        error = torch.stack([frame.rgb - before.rgb for frame, before in zip(read, made, strict=True)]) * 255
        lossy = codec not in ("ffv1", "prores")
        assert error.abs().mean() < (4 if lossy else 0.8)
        assert error.mean((0, 2, 3)).abs().max() < (0.8 if lossy else 0.5)  # x264 does not make the same of it every time

    @pytest.mark.parametrize("count", [1, 2, 3, 25])
    @pytest.mark.parametrize("codec", ["h264", "hevc", "av1", "vp9"])
    def test_mp4_states_the_exact_end_and_rate(self, tmp_path: Path, codec: str, count: int):
        path = tmp_path / "clip.mp4"
        write(path, replace(SMALL, rate=F(30000, 1001)), moving(count, F(30000, 1001)), encoding=Encoding(codec))
        with av.open(str(path)) as container:
            stream = container.streams.video[0]
            assert stream.frames == count
            assert stream.duration * stream.time_base == count * F(1001, 30000)
            assert stream.average_rate == F(30000, 1001)

    @pytest.mark.parametrize("codec", ["h264", "hevc", "av1", "vp9"])
    def test_uneven_times_and_a_long_last_frame_are_exact(self, tmp_path: Path, codec: str):
        path = tmp_path / "clip.mp4"
        stamps = [F(stamp, 1000) for stamp in MIXED]
        stamps[-1] += F(1, 7)
        shown = list(pairwise(stamps))
        frames = [
            replace(frame, time=start, duration=end - start) for frame, (start, end) in zip(moving(10), shown, strict=True)
        ]
        write(path, SMALL, frames, encoding=Encoding(codec), time_base=F(1, 7000))
        read = list(VideoReader(path))
        assert [(frame.time, frame.time + frame.duration) for frame in read] == shown
        with av.open(str(path)) as container:
            stream = container.streams.video[0]
            assert stream.duration * stream.time_base == stamps[-1]

    def test_a_late_start_is_kept(self, tmp_path: Path):
        path = film(tmp_path / "late.mp4", [5, 6, 7, 8], F(1, 24), sound=F(1, 5))
        reader = VideoReader(path)
        write(tmp_path / "out.mp4", reader.info, reader, audio=path)
        assert [frame.time for frame in VideoReader(tmp_path / "out.mp4")] == [F(5, 24), F(6, 24), F(7, 24)]
        write(tmp_path / "out.mkv", reader.info, reader, audio=path)
        late = [float(next(iter(VideoReader(clip))).time - sounds(clip)[0][1]) for clip in (path, tmp_path / "out.mkv")]
        assert late[0] == pytest.approx(late[1], abs=2e-3)

    @pytest.mark.parametrize("layout", ["yuv420p", "yuv422p", "yuv444p10le"])
    def test_frames_passed_through_a_lossless_codec_are_the_same_to_the_bit(self, tmp_path: Path, layout: str):
        path, again = tmp_path / "source.mkv", tmp_path / "again.mkv"
        picture = av.VideoFrame(48, 32, layout)
        with av.open(str(path), "w") as out:
            stream = out.add_stream("ffv1", rate=24)
            stream.width, stream.height, stream.pix_fmt = 48, 32, layout
            random = np.random.default_rng(0)
            for number, plane in enumerate(planes_of(picture)):
                low, high = (60, 190) if number == 0 else (110, 146)
                plane[:] = random.integers(low, high, plane.shape) * (4 if "10" in layout else 1)
            picture.pts = 0
            out.mux(stream.encode(picture))
            out.mux(stream.encode(None))
        reader = VideoReader(path)
        write(again, reader.info, reader, encoding=Encoding("ffv1"))
        for one, other in zip(planes(path)[0], planes(again)[0], strict=True):
            assert np.array_equal(one, other)

    def test_eight_bit_frames_come_back_from_lossless_rgb_to_the_bit(self, tmp_path: Path):
        made = list(moving(3))
        write(tmp_path / "rgb.mkv", SMALL, made, encoding=Encoding("ffv1"))
        for frame, before in zip(VideoReader(tmp_path / "rgb.mkv"), made, strict=True):
            assert torch.equal((frame.rgb * 255).round(), (before.rgb * 255).round())

    @pytest.mark.parametrize("colour", [Colour(9, 9, 16, False), Colour(5, 5, 6, True), Colour(1, 1, 1, False)])
    @pytest.mark.parametrize(("ending", "codec"), [("mp4", "hevc"), ("mp4", "h264"), ("mkv", "ffv1"), ("webm", "av1")])
    def test_colour_tags_are_carried_over(self, tmp_path: Path, ending: str, codec: str, colour: Colour):
        path = tmp_path / f"clip.{ending}"
        write(path, replace(SMALL, depth=10, chroma="420", colour=colour), moving(3), encoding=Encoding(codec))
        assert VideoReader(path).info.colour == colour

    def test_an_unspecified_tag_stays_so_and_rgb_becomes_bt709(self, tmp_path: Path):
        for colour, expected in ((Colour(), Colour()), (Colour(0, full=True), Colour(1, full=False))):
            write(tmp_path / "clip.mp4", replace(SMALL, chroma="420", colour=colour), moving(2))
            assert VideoReader(tmp_path / "clip.mp4").info.colour == expected

    @pytest.mark.parametrize(("ending", "codec"), [("mov", "prores"), ("mkv", "ffv1"), ("webm", "vp9")])
    def test_alpha_is_kept_where_it_can_be(self, tmp_path: Path, ending: str, codec: str):
        path = tmp_path / f"clip.{ending}"
        made = list(moving(3, alpha=True))
        writer = write(path, replace(SMALL, alpha=True), made, encoding=Encoding(codec))
        reader = VideoReader(path)
        assert writer.notes == []
        assert reader.info.alpha
        for frame, before in zip(reader, made, strict=True):
            assert (frame.alpha - before.alpha).abs().max() < 0.1

    def test_alpha_that_cannot_be_kept_is_noted(self, tmp_path: Path):
        writer = write(tmp_path / "clip.mp4", replace(SMALL, alpha=True), moving(2, alpha=True))
        assert "transparency is dropped" in writer.notes[0]

    @pytest.mark.parametrize(("codec", "chroma"), [("h264", "444"), ("hevc", "444"), ("vp9", "420"), ("av1", "420")])
    def test_odd_sizes_are_never_cropped(self, tmp_path: Path, codec: str, chroma: str):
        info = replace(SMALL, width=61, height=37, chroma="420")
        writer = write(tmp_path / "odd.mp4", info, moving(2, width=61, height=37), encoding=Encoding(codec))
        found = VideoReader(tmp_path / "odd.mp4")
        assert (found.info.width, found.info.height, found.info.chroma) == (61, 37, chroma)
        assert next(iter(found)).rgb.shape == (3, 37, 61)
        assert bool(writer.notes) == (chroma == "444")

    def test_the_smallest_pictures(self, tmp_path: Path):
        write(tmp_path / "dot.mp4", Info(1, 1, rate=F(24)), moving(2, width=1, height=1))
        assert next(iter(VideoReader(tmp_path / "dot.mp4"))).rgb.shape == (3, 1, 1)
        with pytest.raises(InputError, match="hevc cannot encode pictures of 1x1"):
            VideoWriter(tmp_path / "no.mp4", Info(1, 1), encoding=Encoding("hevc"))

    def test_less_depth_than_asked_for_is_noted(self, tmp_path: Path):
        writer = write(tmp_path / "clip.mp4", replace(SMALL, depth=16), moving(2))
        assert writer.notes == ["h264 is written with 10 bits per sample, not 16"]
        assert VideoReader(tmp_path / "clip.mp4").info.depth == 10

    def test_apple_plays_it_and_it_starts_while_it_loads(self, tmp_path: Path):
        write(tmp_path / "clip.mp4", SMALL, moving(2), encoding=Encoding("hevc"))
        data = (tmp_path / "clip.mp4").read_bytes()
        assert b"hvc1" in data
        assert data.index(b"moov") < data.index(b"mdat")

    def test_times_too_fine_for_a_container_are_rounded(self, tmp_path: Path):
        frames = [replace(frame, time=F(k, 24) + F(k, 10**12), duration=F(1, 24)) for k, frame in enumerate(moving(3))]
        write(tmp_path / "clip.mp4", SMALL, frames, time_base=F(1, 3 * 10**12))
        assert [frame.time for frame in VideoReader(tmp_path / "clip.mp4")] == [F(k, 24) for k in range(3)]

    @pytest.mark.parametrize(("ending", "encoding"), [("mp4", "h264"), ("mov", "hevc"), ("mkv", "h264"), ("webm", "vp9")])
    def test_more_frames_than_the_clock_counts_are_refused(self, tmp_path: Path, ending: str, encoding: str):
        with pytest.raises(InputError, match=r"5e\+09 frames per second were given: .* hold at most"):
            VideoWriter(tmp_path / f"clip.{ending}", replace(SMALL, rate=F(5 * 10**9)), encoding=Encoding(encoding))
        assert not list(tmp_path.iterdir())

    @pytest.mark.parametrize("codec", ["h264", "hevc"])
    @pytest.mark.parametrize(("clock", "held"), [(89_820_000, 50), (9_000_000, 50), (9_000_000, 200), (90_000, 4000)])
    def test_a_picture_held_for_long_leaves_the_order_readable(self, tmp_path: Path, codec: str, clock: int, held: int):
        """FFmpeg 5 drops all composition offsets of an MP4 if one passes 2^28 ticks."""
        starts = [F(k, 30) + (held if k > 20 else 0) + (held if k > 21 else 0) for k in range(41)]
        frames = [replace(frame, time=start, duration=F(1, 30)) for frame, start in zip(moving(41), starts, strict=True)]
        write(tmp_path / "clip.mp4", SMALL, frames, time_base=F(1, clock), encoding=Encoding(codec))
        data = (tmp_path / "clip.mp4").read_bytes()
        at = data.index(b"ctts") + 8
        offsets = struct.iter_unpack(">Ii", data[at + 4 : at + 4 + 8 * int.from_bytes(data[at : at + 4], "big")])
        assert max(abs(offset) for _, offset in offsets) <= 2**28
        assert [frame.time for frame in VideoReader(tmp_path / "clip.mp4")] == starts

    def test_times_must_increase(self, tmp_path: Path):
        one, two = moving(2)
        with pytest.raises(ValueError, match="does not come after"):
            write(tmp_path / "clip.mp4", SMALL, [two, one])
        assert not list(tmp_path.iterdir())


class TestSound:
    @pytest.mark.parametrize("ending", ["mp4", "mov", "mkv"])
    def test_it_is_copied_packet_by_packet(self, tmp_path: Path, ending: str):
        path = film(tmp_path / "source.mp4", list(range(25)), F(1, 24), sound=F(1))
        again = tmp_path / f"again.{ending}"
        reader = VideoReader(path)
        write(again, reader.info, reader, audio=path)
        assert [data for data, _, _ in sounds(again)] == [data for data, _, _ in sounds(path)]
        stamps = [[float(time) for _, time, _ in sounds(clip)] for clip in (again, path)]
        start = 0 if ending != "mkv" else stamps[0][0] - stamps[1][0]  # Matroska has no time before zero
        assert stamps[0] == pytest.approx([time + start for time in stamps[1]], abs=1e-3)
        assert VideoReader(again).info.audio

    def test_sound_from_memory(self, tmp_path: Path):
        path = film(tmp_path / "source.mp4", list(range(25)), F(1, 24), sound=F(1))
        data = io.BytesIO(path.read_bytes())
        reader = VideoReader(data)
        write(tmp_path / "again.mp4", reader.info, reader, audio=data)
        assert sounds(tmp_path / "again.mp4") == sounds(path)

    @pytest.mark.parametrize(("codec", "ending", "wanted"), [("aac", "webm", "opus"), ("libopus", "mov", "aac")])
    def test_what_a_container_cannot_hold_is_encoded_anew_and_said(self, tmp_path: Path, codec: str, ending: str, wanted: str):
        path = tmp_path / "source.mkv"
        with av.open(str(path), "w") as out:
            stream = out.add_stream(codec, rate=48000, layout="mono")
            for packet in tone(stream, F(1)):
                out.mux(packet)
        writer = write(tmp_path / f"again.{ending}", SMALL, moving(24), audio=path)
        assert writer.notes[-1].startswith(f".{ending} files cannot hold ")
        with av.open(str(tmp_path / f"again.{ending}")) as again:
            assert again.streams.audio[0].codec_context.name == wanted
            assert float(sum(frame.samples for frame in again.decode(audio=0)) / 48000) == pytest.approx(1, abs=0.05)

    def test_an_unknown_codec_of_sound_is_named(self, tmp_path: Path):
        path = film(tmp_path / "source.mkv", list(range(5)), F(1, 24), sound=F(1, 5))
        path.write_bytes(path.read_bytes().replace(b"A_AAC", b"A_ZZZ"))
        with pytest.raises(InputError, match=r"the sound of .* has a codec that"):
            write(tmp_path / "again.mp4", SMALL, moving(2), audio=path)
        assert [found.name for found in tmp_path.iterdir()] == ["source.mkv"]

    def test_a_file_without_sound_adds_none(self, tmp_path: Path):
        path = film(tmp_path / "source.mp4", list(range(5)), F(1, 24))
        write(tmp_path / "again.mp4", SMALL, moving(2), audio=path)
        assert not VideoReader(tmp_path / "again.mp4").info.audio


class TestSafety:
    def test_the_name_is_given_at_the_end(self, tmp_path: Path):
        path = tmp_path / "clip.mp4"
        path.write_bytes(b"what was there before")
        with VideoWriter(path, SMALL) as writer:
            for frame in moving(3):
                writer.write(frame)
            assert path.read_bytes() == b"what was there before"
        assert len(list(VideoReader(path))) == 3
        assert list(tmp_path.iterdir()) == [path]

    def test_an_error_leaves_nothing(self, tmp_path: Path):
        path = tmp_path / "clip.mp4"
        path.write_bytes(b"what was there before")
        with pytest.raises(RuntimeError, match="no"):
            fail(VideoWriter(path, SMALL), 30, RuntimeError("no"))
        assert path.read_bytes() == b"what was there before"
        assert list(tmp_path.iterdir()) == [path]

    def test_ctrl_c_leaves_what_plays_under_another_name(self, tmp_path: Path):
        source = film(tmp_path / "source.mp4", list(range(49)), F(1, 24), sound=F(2))
        for name in ("clip.partial.mp4", "clip.partial2.mp4"):
            writer = VideoWriter(tmp_path / "clip.mp4", SMALL, audio=source)
            with pytest.raises(KeyboardInterrupt):
                fail(writer, 12, KeyboardInterrupt())
            assert writer.partial == tmp_path / name
            assert len(list(VideoReader(writer.partial))) == 12
            assert 0.4 < sounds(writer.partial)[-1][1] < 0.6
        assert sorted(path.name for path in tmp_path.iterdir()) == ["clip.partial.mp4", "clip.partial2.mp4", "source.mp4"]

    def test_ctrl_c_before_the_first_frame_leaves_nothing(self, tmp_path: Path):
        writer = VideoWriter(tmp_path / "clip.mp4", SMALL)
        with pytest.raises(KeyboardInterrupt):
            fail(writer, 0, KeyboardInterrupt())
        assert writer.partial is None
        assert not list(tmp_path.iterdir())

    def test_no_frames_make_no_file(self, tmp_path: Path):
        with pytest.raises(InputError, match="there were no frames"):
            write(tmp_path / "clip.mp4", SMALL, [])
        assert not list(tmp_path.iterdir())

    @pytest.mark.parametrize(
        ("name", "encoding", "message"),
        [
            ("none/clip.mp4", Encoding(), "there is no folder"),
            ("folder.mp4", Encoding(), "is a folder"),
            ("clip.avi", Encoding(), "has an unsupported ending"),
            ("clip.webm", Encoding("h264"), "cannot hold h264: choose from vp9, av1"),
            ("clip.mp4", Encoding("xvid"), "is not a codec that can be written"),
            ("clip.mp4", Encoding(crf=60), "h264 takes 0 to 51"),
            ("clip.mkv", Encoding("ffv1", crf=3), "ffv1 has no crf"),
            ("frame.png", Encoding(), "single image: give a folder"),
        ],
    )
    def test_what_cannot_be_written_is_said_before_any_work(self, tmp_path: Path, name: str, encoding: Encoding, message: str):
        (tmp_path / "folder.mp4").mkdir()
        with pytest.raises(InputError, match=message):
            create_clip(tmp_path / name, SMALL, encoding=encoding)
        assert [path.name for path in tmp_path.iterdir()] == ["folder.mp4"]

    def test_the_input_is_never_the_output(self, tmp_path: Path):
        path = film(tmp_path / "clip.mp4", [0, 1, 2], F(1, 24))
        before = path.read_bytes()
        (tmp_path / "link.mp4").symlink_to(path)
        for name in ("clip.mp4", "link.mp4"):
            with pytest.raises(InputError, match="is an input: give the output another name"):
                create_clip(tmp_path / name, VideoReader(path).info)
        assert path.read_bytes() == before

    @pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write everywhere")
    def test_a_folder_that_may_not_be_written(self, tmp_path: Path):
        tmp_path.chmod(0o500)
        with pytest.raises(InputError, match="cannot be written: Permission denied"):
            VideoWriter(tmp_path / "clip.mp4", SMALL)


@pytest.mark.skipif(not priority.TASKS.is_dir(), reason="needs Linux's list of threads")
class TestPriority:
    def policies(self) -> set[int]:
        found = set()
        for task in priority.threads():
            with suppress(ProcessLookupError):  # it has ended since
                found.add(os.sched_getscheduler(task))
        return found

    def test_no_encoder_makes_this_process_a_real_time_one(self, tmp_path: Path):
        """SVT-AV1 would, when root runs it."""
        before = self.policies()
        with VideoWriter(tmp_path / "clip.mp4", SMALL, encoding=Encoding("av1")) as writer:
            for frame in moving(3):
                writer.write(frame)
            assert self.policies() == before

    def test_threads_are_as_they_were(self):
        done, before = threading.Event(), self.policies()
        with priority.kept():
            os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))
            begun = threading.Thread(target=done.wait)
            begun.start()
            assert os.sched_getscheduler(begun.native_id) == os.SCHED_BATCH
        assert self.policies() == before
        done.set()
        begun.join()


@pytest.mark.slow
@pytest.mark.parametrize("codec", ["h264", "av1"])
def test_memory_does_not_grow_with_the_clip(tmp_path: Path, codec: str):
    script = """
import resource, torch
from fractions import Fraction
from vfi.core import Frame
from vfi.clips.clip import Encoding, Info
from vfi.clips.video import VideoReader, VideoWriter
picture = torch.linspace(0, 1, 320).expand(3, 180, 320)
for seconds in (4, 40):
    with VideoWriter("clip.mp4", Info(320, 180, rate=Fraction(30)), encoding=Encoding("CODEC")) as writer:
        for k in range(seconds * 30):
            writer.write(Frame(picture.roll(k, 2), Fraction(k, 30), Fraction(1, 30)))
    assert sum(1 for _ in VideoReader("clip.mp4")) == seconds * 30
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""
    done = forks.run(script.replace("CODEC", codec), tmp_path)
    assert done.code == 0, done.told
    peaks = [int(peak) for peak in done.out.split()]
    assert peaks[1] < peaks[0] + 60 * 1024, f"peak memory in kB for 4 s and for 40 s: {peaks}"
