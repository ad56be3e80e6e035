"""y4m files: every sample, and all that the header says, as FFmpeg reads and writes them."""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import replace
from fractions import Fraction as F
from io import BytesIO
from pathlib import Path

import av
import numpy as np
import pytest
import torch
from footage import fail, moving

from vfi.clips.clip import DEFAULT_ENCODING, Colour, DamagedError, Encoding, Info
from vfi.clips.open import ClipSource, create_clip, open_clip
from vfi.clips.y4m import Header, Y4mReader, Y4mWriter
from vfi.clips.yuv import planes_of
from vfi.core import InputError

LAYOUTS = {
    "C420jpeg": "yuv420p",
    "C420mpeg2": "yuv420p",
    "C420paldv": "yuv420p",
    "C422": "yuv422p",
    "C444": "yuv444p",
    "Cmono": "gray",
    "C420p9": "yuv420p9le",
    "C420p10": "yuv420p10le",
    "C422p10": "yuv422p10le",
    "C444p12": "yuv444p12le",
    "C420p14": "yuv420p14le",
    "C422p16": "yuv422p16le",
    "Cmono10": "gray10le",
    "Cmono16": "gray16le",
}


def noise(word: str, size: tuple[int, int] = (16, 12), frames: int = 3, rest: str = "") -> bytes:
    """A stream of random samples from end to end, as y4m."""
    layout = av.VideoFormat(LAYOUTS[word])
    bits = layout.components[0].bits
    random = np.random.default_rng(len(word))
    scale = (1, 1) if "mono" in word else (layout.chroma_width(64), layout.chroma_height(64))
    chroma = (-(-size[1] * scale[1] // 64), -(-size[0] * scale[0] // 64))
    shapes = [(size[1], size[0])] + ([] if "mono" in word else [chroma, chroma])
    stream = f"YUV4MPEG2 W{size[0]} H{size[1]} F24:1 Ip A1:1 {word}{rest}\n".encode()
    for _ in range(frames):
        planes = [random.integers(0, 1 << bits, shape).astype("<u2" if bits > 8 else "u1") for shape in shapes]
        stream += b"FRAME\n" + b"".join(plane.tobytes() for plane in planes)
    return stream


def frames_in(stream: bytes) -> bytes:
    """All after the header."""
    return stream.partition(b"\n")[2]


@pytest.mark.parametrize("size", [(16, 12), (15, 11)])
@pytest.mark.parametrize("full", ["", " XCOLORRANGE=LIMITED", " XCOLORRANGE=FULL"])
@pytest.mark.parametrize("word", LAYOUTS)
def test_what_is_read_is_written_bit_for_bit(tmp_path: Path, word: str, full: str, size: tuple[int, int]):
    (tmp_path / "in.y4m").write_bytes(noise(word, size, rest=full))
    clip = open_clip(tmp_path / "in.y4m")
    with create_clip(tmp_path / "out.y4m", clip.info) as writer:
        for frame in clip:
            writer.write(frame)
    before, after = ((tmp_path / name).read_bytes() for name in ("in.y4m", "out.y4m"))
    assert frames_in(after) == frames_in(before)
    assert word in after.partition(b"\n")[0].decode().split()
    assert Header.parse(after.partition(b"\n")[0], "a") == Header.parse(before.partition(b"\n")[0], "b")


@pytest.mark.parametrize("word", LAYOUTS)
def test_another_reader_finds_the_same_samples_and_tags(tmp_path: Path, word: str):
    stream = noise(word, rest=" XCOLORRANGE=FULL").replace(b"F24:1 Ip A1:1", b"F30000:1001 It A4:3")
    clip = open_clip(BytesIO(stream))
    with create_clip(tmp_path / "out.y4m", clip.info) as writer:
        for frame in clip:
            writer.write(frame)
    with av.open(str(tmp_path / "out.y4m")) as container:
        video = container.streams.video[0]
        assert (video.average_rate, video.sample_aspect_ratio) == (F(30000, 1001), F(4, 3))
        pictures = list(container.decode(video))
    assert {picture.format.name for picture in pictures} == {LAYOUTS[word]}
    assert pictures[0].color_range == 2
    read = b"".join(b"FRAME\n" + b"".join(plane.tobytes() for plane in planes_of(one)) for one in pictures)
    assert read == frames_in(stream)


def test_a_header_says_what_the_clip_is():
    line = b"YUV4MPEG2 W720 H576 F25:1 Ib A16:15 C420paldv XYSCSS=420PALDV XCOLORRANGE=LIMITED XOTHER"
    header = Header.parse(line, "x")
    info = header.info(F(25), None, None)
    assert (info.width, info.height, info.rate, info.sample_aspect_ratio) == (720, 576, 25, F(16, 15))
    assert (info.interlaced, info.field_order, info.siting, info.colour.full) == (True, "bottom", "top-left", False)
    assert header.line() == line.removesuffix(b" XOTHER") + b"\n"
    assert Header.parse(b"YUV4MPEG2 W16 H12 F0:0 A0:0", "x") == Header(16, 12, None)
    assert Header.parse(b"YUV4MPEG2 H12 W16 F24:1 XYSCSS=420MPEG2", "x").siting == "left"
    assert Header.parse(b"YUV4MPEG2 H12 W16 F24:1 XYSCSS=422P10", "x").depth == 10
    assert Header.parse(b"YUV4MPEG2 H12 W16 F24:1 Im", "x").order == ""


@pytest.mark.parametrize(
    ("line", "says"),
    [
        (b"H12 F24:1", "states W"),
        (b"W16 H-12 F24:1", "states H-12"),
        (b"W0 H12 F24:1", "frames of 0x12"),
        (b"W99999 H99999 F24:1", "2^28 pixels"),
        (b"W" + b"9" * 4000 + b" H12 F24:1", "states W9999"),
        (b"W16 H12 F24", "states F"),
        (b"W16 H12 F24:x", "states Fx"),
        (b"W16 H12 F999999999:1", "states 1e+09 frames per second"),
        (b"W16 H12 F24:1 C410", "the y4m chroma '410'"),
        (b"W16 H12 F24:1 C411p10", "the y4m chroma '411p10'"),
        (b"W16 H12 F24:1 C420p11", "420, 422, 444, 411 and mono"),
        (b"W16 H12 F24:1 Ix", "interlacing 'x'"),
        (b"W16 H12 F24:1", "no picture"),
    ],
)
def test_a_broken_header_is_one_sentence(line: bytes, says: str):
    with pytest.raises(InputError, match=re.escape(says)) as told:
        open_clip(BytesIO(b"YUV4MPEG2 " + line + b"\n"))
    assert len(str(told.value)) < 200


def test_a_header_without_an_end_and_a_missing_rate_are_told(tmp_path: Path):
    with pytest.raises(InputError, match="no end"):
        open_clip(BytesIO(b"YUV4MPEG2 W16 H12" + b" " * 5000))
    stream = noise("C444").replace(b"F24:1", b"F0:0")
    with pytest.raises(InputError, match="--in-fps"):
        open_clip(BytesIO(stream))
    assert [frame.time for frame in open_clip(BytesIO(stream), rate=F(50))] == [0, F(1, 50), F(2, 50)]
    clip = open_clip(BytesIO(noise("C444").replace(b"F24:1", b"F24000:1")), rate=F(25))
    assert [frame.time for frame in clip] == [0, F(1, 25), F(2, 25)]
    assert clip.notes == ["the y4m header states 24000 frames per second: 25 was given and replaces it"]


def test_a_line_of_one_frame_may_have_words_of_its_own():
    stream = noise("C420jpeg")
    odd = stream[::-1].replace(b"\nEMARF", b"\nAVX ppI EMARF", 1)[::-1]
    plain, worded = (list(open_clip(BytesIO(one))) for one in (stream, odd))
    assert len(plain) == len(worded) == 3
    assert all(torch.equal(one.rgb, other.rgb) for one, other in zip(plain, worded, strict=True))
    since = list(Y4mReader(BytesIO(odd)).since(F(2, 24), 1))
    assert [frame.time for frame in since] == [F(1, 24), F(2, 24)]


def test_transparency_is_read(tmp_path: Path):
    header = b"YUV4MPEG2 W4 H2 F24:1 C444alpha\n"
    clip = open_clip(BytesIO(header + b"FRAME\n" + bytes([16] * 8 + [128] * 16 + list(range(0, 256, 32)))))
    (frame,) = clip
    assert clip.info.alpha
    assert torch.equal((frame.alpha * 255).round().flatten(), torch.arange(0, 256, 32).float())


@pytest.mark.parametrize(("word", "across", "down"), [("C420mpeg2", 0, 0.5), ("C420jpeg", 0.5, 0.5), ("C420paldv", 0, 0)])
def test_chroma_lies_where_the_header_says(word: str, across: float, down: float):
    """Slopes of Cb: their values at the luma samples tell where the chroma samples lie."""
    for axis, offset in ((1, across), (0, down)):
        slope = np.arange(8, dtype=np.uint8) * 16 + 64
        blue = np.broadcast_to(slope if axis else slope[:, None], (8, 8)).tobytes()
        stream = (
            f"YUV4MPEG2 W16 H16 F24:1 {word} XCOLORRANGE=FULL\nFRAME\n".encode() + bytes([128] * 256) + blue + bytes([128] * 64)
        )
        (frame,) = open_clip(BytesIO(stream))
        line = frame.rgb[2, 8] if axis else frame.rgb[2, :, 8]
        places = (torch.arange(16) - offset) / 2
        blue_of = 128 / 255 + 1.772 * (places * 16 + 64 - 128) / 255
        assert (line - blue_of)[2:14].abs().max() < 1e-5


@pytest.mark.parametrize("codec", ["ffv1", "h264"])
@pytest.mark.parametrize(("word", "location"), [("C420mpeg2", "left"), ("C420jpeg", "center"), ("C420paldv", "topleft")])
def test_files_keep_the_samples_and_where_they_lie(tmp_path: Path, codec: str, word: str, location: str):
    stream = noise(word, rest=" XCOLORRANGE=LIMITED")
    clip = open_clip(BytesIO(stream))
    path = tmp_path / "out.mkv"
    with create_clip(path, clip.info, encoding=Encoding(codec, 0 if codec == "h264" else None)) as writer:
        for frame in clip:
            writer.write(frame)
    with av.open(str(path)) as container:
        pictures = list(container.decode(video=0))
    assert b"".join(b"FRAME\n" + b"".join(plane.tobytes() for plane in planes_of(one)) for one in pictures) == frames_in(stream)
    if shutil.which("ffprobe") and codec == "h264":
        words = ["ffprobe", "-v", "error", "-show_entries", "stream=chroma_location", "-of", "csv=p=0", str(path)]
        assert subprocess.run(words, capture_output=True, text=True, check=True).stdout.strip() == location


def test_any_time_is_found_as_by_reading_from_the_start(tmp_path: Path):
    (tmp_path / "in.y4m").write_bytes(noise("C444", frames=9))
    clip = Y4mReader(tmp_path / "in.y4m")
    every = list(clip)
    assert (clip.info.frames, clip.info.duration) == (9, F(9, 24))
    for time, before, first in ((F(0), 0, 0), (F(5, 24), 0, 5), (F(11, 48), 2, 3), (F(1, 24), 4, 0), (F(99), 1, 7)):
        found = list(clip.since(time, before))
        assert [frame.time for frame in found] == [frame.time for frame in every[first:]]
        assert torch.equal(found[0].rgb, every[first].rgb)
    part = ClipSource(tmp_path / "in.y4m", start=F(3, 24), end=F(5, 24))
    assert len(list(part.open())) == 2
    assert (part.sound(), part.extras()) == (None, None)


def test_a_file_that_breaks_off_is_damaged(tmp_path: Path):
    path = tmp_path / "in.y4m"
    path.write_bytes(noise("C444")[:-5])
    with pytest.raises(DamagedError, match=r"damaged at 0.083 s, after 2 frames"):
        list(open_clip(path))
    clip = open_clip(path, damaged_ok=True)
    assert len(list(clip)) == 2
    assert clip.notes == [f"{path} is damaged at 0.083 s, after 2 frames: the frames before were used"]
    path.write_bytes(noise("C444") + b"not a frame" * 999)
    with pytest.raises(DamagedError, match="after 3 frames"):
        list(open_clip(path))


def written(path: Path, info: Info, encoding: Encoding = DEFAULT_ENCODING, **how: bool) -> list[str]:
    with create_clip(path, info, encoding=encoding) as writer:
        for frame in moving(3, height=info.height, width=info.width, **how):
            writer.write(frame)
    return writer.notes


def test_what_y4m_does_not_hold_is_noted(tmp_path: Path):
    info = Info(64, 48, rate=F(24), chroma="420")
    out = tmp_path / "a.y4m"
    assert written(out, info) == []
    assert written(out, replace(info, audio=True)) == ["y4m has no sound: it is left out"]
    assert "transparency is dropped" in written(out, replace(info, alpha=True), alpha=True)[0]
    assert written(out, replace(info, colour=Colour(5, 6, 1, False))) == []
    assert "(matrix bt709)" in written(out, replace(info, colour=Colour(1, 1, 1, False)))[0]
    assert "(matrix bt2020nc, primaries bt2020, transfer smpte2084)" in written(out, replace(info, colour=Colour(9, 9, 16)))[0]
    assert written(out, info, Encoding(depth=32)) == ["y4m is written with 16 bits per sample, not 32"]
    assert out.read_bytes().startswith(b"YUV4MPEG2 W64 H48 F24:1 Ip A1:1 C420p16 XYSCSS=420P16\n")


def test_rgb_becomes_what_players_take_it_for(tmp_path: Path):
    """No tag says the matrix: BT.601 below 720 lines, limited range."""
    written(tmp_path / "a.y4m", Info(64, 48, rate=F(24)))
    with av.open(str(tmp_path / "a.y4m")) as container:
        picture = next(container.decode(video=0))
        assert (picture.format.name, picture.color_range) == ("yuv420p", 1)
        shown = picture.reformat(format="rgb24", src_colorspace=5).to_ndarray()
    given = next(moving(1)).rgb.movedim(0, -1).numpy() * 255
    assert np.abs(shown - given)[4:-4, 4:-4].mean() < 3


@pytest.mark.parametrize("encoding", [Encoding("h264"), Encoding(crf=18)])
def test_a_codec_and_its_quality_are_refused(tmp_path: Path, encoding: Encoding):
    with pytest.raises(InputError, match="neither codec nor crf"):
        create_clip(tmp_path / "a.y4m", Info(64, 48, rate=F(24)), encoding=encoding)
    assert list(tmp_path.iterdir()) == []


def test_one_rate_is_all_that_y4m_has(tmp_path: Path):
    with pytest.raises(InputError, match="give it with --fps"):
        create_clip(tmp_path / "a.y4m", Info(64, 48, rate=None))

    def shown_at(*times: F) -> list[str]:
        with create_clip(tmp_path / "a.y4m", Info(64, 48, rate=F(24))) as writer:
            for frame, time in zip(moving(4), times, strict=True):
                writer.write(replace(frame, time=time))
        return writer.notes

    with pytest.raises(InputError, match=r"0\.110 s is off the rate of 24 .* --fps"):
        shown_at(F(0), F(1, 24), F("0.11"), F(1, 8))
    assert list(tmp_path.iterdir()) == []
    moved = shown_at(F(1), F("1.042"), F("1.083"), F("1.125"))  # milliseconds, from 1 s on
    assert moved == ["y4m has one frame rate: frames moved by up to 0.333 ms, --fps resamples them exactly"]


def test_ctrl_c_keeps_what_is_whole_and_no_frames_leave_nothing(tmp_path: Path):
    writer = Y4mWriter(tmp_path / "a.y4m", Info(64, 48, rate=F(24)))
    with pytest.raises(KeyboardInterrupt):
        fail(writer, 2, KeyboardInterrupt())
    assert writer.partial == tmp_path / "a.partial.y4m"
    assert len(list(open_clip(Path(writer.partial)))) == 2
    Path(writer.partial).unlink()
    with pytest.raises(InputError, match="there were no frames"), Y4mWriter(tmp_path / "a.y4m", Info(64, 48, rate=F(24))):
        pass
    assert list(tmp_path.iterdir()) == []
