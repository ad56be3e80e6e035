"""Bad and odd input: the right result or one clear sentence, never a traceback, never half a clip that looks whole."""

from __future__ import annotations

import resource
import struct
import subprocess
import sys
import zlib
from fractions import Fraction as F
from io import BytesIO
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest
from footage import film, moving, png, sounds

from vfi.clips import exr
from vfi.clips.clip import DamagedError, Info
from vfi.clips.images import read_image
from vfi.clips.open import open_clip
from vfi.clips.video import VideoReader, VideoWriter
from vfi.core import InputError


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    """An MP4 of 48 frames with B-frames and a little detail, its index first."""
    path = tmp_path / "clip.mp4"
    with VideoWriter(path, Info(64, 48, rate=F(24))) as writer:
        for frame in moving(48):
            writer.write(frame)
    return path


def cut(path: Path, share: float) -> Path:
    """The first part of a file."""
    data = path.read_bytes()
    short = path.with_name("cut" + path.suffix)
    short.write_bytes(data[: int(len(data) * share)])
    return short


def rotten(path: Path) -> Path:
    """The same file with bytes flipped in the middle of its pictures."""
    data = bytearray(path.read_bytes())
    start = data.index(b"mdat") + 4
    for at in np.linspace(start + (len(data) - start) // 3, len(data) - 1, 40).astype(int):
        data[at] ^= 0xFF
    (rot := path.with_name("rot.mp4")).write_bytes(data)
    return rot


def copy(reader: VideoReader, path: Path) -> None:
    with VideoWriter(path, reader.info) as writer:
        for frame in reader:
            writer.write(frame)


class TestNoVideo:
    @pytest.mark.parametrize("name", ["zero.mp4", "text.mp4", "folder.mp4/x.mp4", "none.mp4", "text.png"])
    def test_what_is_none_says_so(self, tmp_path: Path, name: str):
        (tmp_path / "zero.mp4").touch()
        for text in ("text.mp4", "text.png"):
            (tmp_path / text).write_text("hello there\n")
        with pytest.raises(InputError, match=name) as raised:
            open_clip(tmp_path / name)
        assert "\n" not in str(raised.value)
        with pytest.raises(InputError, match=name):
            read_image(tmp_path / name)

    def test_sound_alone(self, tmp_path: Path):
        path = film(tmp_path / "both.mp4", [0, 1], F(1, 24), sound=F(1, 2))
        with av.open(str(path)) as source, av.open(str(tmp_path / "sound.mp4"), "w") as out:
            stream = out.add_stream_from_template(source.streams.audio[0])
            for packet in source.demux(source.streams.audio[0]):
                if packet.dts is not None:
                    packet.stream = stream
                    out.mux(packet)
        assert sounds(tmp_path / "sound.mp4")
        with pytest.raises(InputError, match="has no video: only sound"):
            open_clip(tmp_path / "sound.mp4")

    def test_names_do_not_matter(self, clip: Path, tmp_path: Path):
        clip.rename(tmp_path / "clip.png")
        assert len(list(open_clip(tmp_path / "clip.png"))) == 48
        with pytest.raises(InputError, match="holds a video: exactly one picture is needed"):
            read_image(tmp_path / "clip.png")
        (tmp_path / "image.mp4").write_bytes(png(np.full((4, 6), 100), 0))
        frames = list(open_clip(tmp_path / "image.mp4"))
        assert [frame.rgb.shape for frame in frames] == [(3, 4, 6)]


class TestDamage:
    def test_a_file_cut_short(self, clip: Path):
        path = cut(clip, 0.6)
        with pytest.raises(DamagedError, match=r"cut\.mp4 is damaged at \d\.\d{3} s, after \d+ of 48 frames"):
            list(VideoReader(path))
        reader = VideoReader(path, damaged_ok=True)
        frames = list(reader)
        assert 10 < len(frames) < 48
        assert [frame.time for frame in frames][:10] == [F(k, 24) for k in range(10)]
        assert all(frame.time + frame.duration == after.time for frame, after in pairwise(frames))
        assert frames[-1].duration == F(1, 24)
        assert "all frames that could be decoded were used" in reader.notes[0]

    def test_a_file_cut_before_its_index(self, tmp_path: Path):
        path = cut(film(tmp_path / "late.mp4", list(range(25)), F(1, 24)), 0.6)  # PyAV alone puts the index last
        with pytest.raises(InputError, match="damaged or truncated"):
            VideoReader(path)

    def test_flipped_bytes(self, clip: Path):
        path = rotten(clip)
        with pytest.raises(DamagedError, match="is damaged at"):
            list(VideoReader(path))
        reader = VideoReader(path, damaged_ok=True)
        assert 24 < len(list(reader)) <= 48
        assert "is damaged, first at" in reader.notes[0]

    @pytest.mark.parametrize("sound", [None, F(2)])
    def test_matroska_cut_short(self, tmp_path: Path, sound):
        path = cut(film(tmp_path / "clip.mkv", list(range(49)), F(1, 24), sound=sound), 0.5)
        with pytest.raises(InputError, match="damaged"):
            list(VideoReader(path))

    def test_whole_files_are_not_taken_for_damaged(self, tmp_path: Path):
        for ending in ("mp4", "mkv", "mov", "ts", "avi", "flv"):
            reader = VideoReader(film(tmp_path / f"clip.{ending}", list(range(25)), F(1, 24), sound=F(2)))
            assert len(list(reader)) == 24
            assert reader.notes == []

    def test_a_recording_may_start_between_key_frames(self, tmp_path: Path):
        path = film(tmp_path / "whole.ts", list(range(49)), F(1, 25), size=(128, 96))
        data = path.read_bytes()
        (tmp_path / "late.ts").write_bytes(data[: 188 * 3] + data[len(data) // 3 // 188 * 188 :])  # its tables, and the rest
        frames = list(VideoReader(tmp_path / "late.ts"))
        assert 24 <= len(frames) <= 40
        assert [frame.time - frames[0].time for frame in frames] == [F(k, 25) for k in range(len(frames))]

    def test_an_output_from_a_damaged_input_never_appears(self, clip: Path, tmp_path: Path):
        reader = VideoReader(cut(clip, 0.6))
        with pytest.raises(DamagedError):
            copy(reader, tmp_path / "out.mp4")
        assert sorted(path.name for path in tmp_path.iterdir()) == ["clip.mp4", "cut.mp4"]

    @pytest.mark.parametrize("share", [0.3, 0.7, 0.98])
    def test_images_cut_short(self, tmp_path: Path, share: float):
        (tmp_path / "a.png").write_bytes(png(np.random.default_rng(0).integers(0, 256, (32, 32, 3)), 2))
        with pytest.raises(InputError, match="damaged"):
            read_image(cut(tmp_path / "a.png", share))

    def test_a_jpeg_cut_short_is_not_half_a_picture(self, tmp_path: Path):
        whole = Path(__file__).parents[1] / "data" / "images" / "cmyk.jpg"
        (tmp_path / "a.jpg").write_bytes(whole.read_bytes())
        with pytest.raises(InputError, match="damaged"):
            read_image(cut(tmp_path / "a.jpg", 0.97))


class TestSize:
    @pytest.mark.parametrize("side", [30_000, 100_000])
    def test_a_huge_header_is_refused_before_it_costs_memory(self, tmp_path: Path, side: int):
        data = bytearray(png(np.zeros((1, 1)), 0))
        data[16:24] = struct.pack(">II", side, side)
        (tmp_path / "huge.png").write_bytes(data)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        with pytest.raises(InputError, match="too large"):
            read_image(tmp_path / "huge.png")
        with pytest.raises(InputError, match="too large"):
            open_clip(tmp_path / "huge.png")
        assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100 * 1024

    def test_a_container_that_lies_about_the_size(self, clip: Path):
        data = bytearray(clip.read_bytes())
        width = data.index(b"tkhd") + 4 + 76
        data[width : width + 8] = struct.pack(">II", 65535 << 16, 65535 << 16)
        coded = data.index(b"avc1", data.index(b"stsd")) + 4 + 24
        data[coded : coded + 4] = struct.pack(">HH", 65535, 65535)
        clip.write_bytes(data)
        reader = VideoReader(clip)
        assert (reader.info.width, reader.info.height) == (64, 48)
        assert len(list(reader)) == 48

    def test_a_size_that_changes(self, tmp_path: Path):
        parts = [
            film(tmp_path / f"{side}.ts", list(range(start, start + 9)), F(1, 25), size=(side, side))
            for side, start in ((96, 0), (128, 8))
        ]
        (tmp_path / "change.ts").write_bytes(b"".join(part.read_bytes() for part in parts))
        with pytest.raises(InputError, match=r"changes from 96x96 to 128x128 at 0\.3\d\d s"):
            list(VideoReader(tmp_path / "change.ts", damaged_ok=True))

    @pytest.mark.parametrize("count", [1, 2])
    def test_very_short_clips(self, tmp_path: Path, count: int):
        frames = list(VideoReader(film(tmp_path / "short.mp4", list(range(count + 1)), F(1, 25))))
        assert [(frame.time, frame.duration) for frame in frames] == [(F(k, 25), F(1, 25)) for k in range(count)]


class TestLies:
    """Files that state what is impossible, or that lead to other files."""

    def test_tags_in_latin_1(self, tmp_path: Path):
        path = film(tmp_path / "clip.avi", range(6), F(1, 24), codec="mpeg4")
        data = path.read_bytes()
        info = b"INFOINAM" + struct.pack("<I", 4) + "Café".encode("latin-1")
        at = data.index(b"LIST", data.index(b"movi") - 8)
        titled = bytearray(data[:at] + b"LIST" + struct.pack("<I", len(info)) + info + data[at:])
        struct.pack_into("<I", titled, 4, len(titled) - 8)
        path.write_bytes(titled)
        assert len(list(open_clip(path))) == 5

    @pytest.mark.parametrize("digits", [b"0:0:" + b"1" * 5000, b"9" * 4000 + b":0:0"])
    def test_a_duration_of_many_digits(self, tmp_path: Path, digits: bytes):
        data = film(tmp_path / "clip.mkv", range(6), F(1, 24)).read_bytes().replace(b"DURATION", b"DURATIOX")

        def element(kind: str, body: bytes) -> bytes:
            return bytes.fromhex(kind) + struct.pack(">Q", len(body) | 1 << 56) + body

        at = data.index(bytes.fromhex("73C5"))
        track = data[at + 3 : at + 3 + (data[at + 2] & 0x7F)]
        tag = element("67C8", element("45A3", b"DURATION") + element("4487", digits))
        tags = element("1254C367", element("7373", element("63C0", element("63C5", track)) + tag))
        segment, cluster = data.index(bytes.fromhex("18538067")), data.index(bytes.fromhex("1F43B675"))
        whole = bytearray(data[:cluster] + tags + data[cluster:])
        whole[segment + 4 : segment + 12] = bytes.fromhex("01FFFFFFFFFFFFFF")  # of unknown size
        (tmp_path / "tagged.mkv").write_bytes(whole)
        assert len(list(open_clip(tmp_path / "tagged.mkv"))) == 5

    def test_an_unknown_codec(self, tmp_path: Path):
        path = film(tmp_path / "clip.mkv", range(6), F(1, 24))
        path.write_bytes(path.read_bytes().replace(b"V_MPEG4/ISO/AVC", b"V_ZZZZZ/ISO/AVC"))
        with pytest.raises(InputError, match="has a codec that"):
            open_clip(path)

    @pytest.mark.parametrize("error", [av.FFmpegError(1, "odd"), AttributeError(), ValueError(), OverflowError(), KeyError()])
    def test_whatever_pyav_raises_is_a_sentence(self, clip: Path, tmp_path: Path, monkeypatch, error: Exception):
        def fail(*_):
            raise error

        monkeypatch.setattr("vfi.clips.video.reader.yuv.depth_of", fail)
        (tmp_path / "a.png").write_bytes(png(np.zeros((4, 4, 3)), 2))
        for read, path in ((open_clip, clip), (read_image, tmp_path / "a.png")):
            with pytest.raises(InputError, match=f"{path} cannot be read"):
                read(path)

    @pytest.mark.parametrize(
        "text",
        [
            "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 45004 RTP/AVP 96\na=rtpmap:96 H264/90000\n",
            "ffconcat version 1.0\nfile clip.mp4\n",
            "#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:2,\nclip.mp4\n#EXT-X-ENDLIST\n",
            '<svg xmlns="http://www.w3.org/2000/svg" width="64" height="64"/>',
            '<?xml version="1.0"?>\n<MPD xmlns="urn:mpeg:dash:schema:mpd:2011" profiles="urn:mpeg:dash:profile:full:2011"/>',
        ],
        ids=["sdp", "concat", "hls", "svg", "dash"],
    )
    @pytest.mark.parametrize("ending", ["png", "mp4", "txt", "sdp", "m3u8"])
    def test_what_names_other_files_is_not_opened(self, clip: Path, text: str, ending: str):
        path = clip.with_name(f"list.{ending}")
        path.write_text(text)
        for read in (open_clip, read_image, lambda path: open_clip(BytesIO(path.read_bytes()))):
            with pytest.raises(InputError, match="is not a readable video or image"):
                read(path)

    def test_numbered_images_are_opened_by_their_pattern_only(self, tmp_path: Path):
        for number in range(3):
            (tmp_path / f"{number}.png").write_bytes(png(np.zeros((4, 4, 3)), 2))
        (tmp_path / "%d.png").write_text("nothing")
        with pytest.raises(InputError, match="is not a readable video or image"):
            read_image(tmp_path / "%d.png")

    @pytest.mark.parametrize("size", [-1, -2, -40, -(2**31)])
    def test_an_exr_whose_header_leads_backwards(self, tmp_path: Path, size: int):
        name = b"\x76\x2f\x31\x01\x02\0\0\0" + b"a\0b\0"
        (tmp_path / "a.exr").write_bytes(name + struct.pack("<i", size) + bytes(400))
        with pytest.raises(InputError, match=r"a\.exr"):
            read_image(tmp_path / "a.exr")
        assert exr.is_cut((tmp_path / "a.exr").read_bytes())

    def test_an_image_with_a_named_colour_profile_may_be_collected_at_any_time(self, tmp_path: Path):
        """PyAV frees the name of a profile twice, and the process dies: only another one can tell."""
        profile = b"a name\0\0" + zlib.compress(bytes(200))
        (tmp_path / "0.png").write_bytes(png(np.full((16, 24, 3), 51), 2, extra=[(b"iCCP", profile)]))
        code = """
import gc, sys
from pathlib import Path
from vfi.clips.images import read_image
from vfi.clips.open import open_clip
from vfi.pixels.uint8 import floats
for _ in range(10):
    assert abs(float(floats(read_image(sys.argv[1]).rgb)[0, 0, 0]) - 0.2) < 1e-6
    assert len(list(open_clip(Path(sys.argv[1]).parent))) == 1
    gc.collect()
print("alive")
"""
        asked = subprocess.run(
            [sys.executable, "-c", code, str(tmp_path / "0.png")], capture_output=True, text=True, check=False
        )
        assert (asked.returncode, asked.stdout) == (0, "alive\n"), asked.stderr
