"""The mastering display and the light levels of HDR10 reach every output whose codec writes them; what does not is named."""

from __future__ import annotations

from fractions import Fraction as F
from pathlib import Path

import av
import pytest
from footage import moving

from vfi.clips.clip import Encoding, Info, Light
from vfi.clips.open import create_clip, open_clip
from vfi.clips.video import PacketWriter
from vfi.clips.video.light import left_out, options_for
from vfi.clips.video.packets import packets_of

DISPLAY = (*(F(17, 25), F(8, 25), F(53, 200), F(69, 100), F(3, 20), F(3, 50), F(3127, 10000), F(329, 1000)), F(1, 200), F(1000))
HDR10 = Light(DISPLAY, (1000, 400))
MASTER = "master-display=G(13250,34500)B(7500,3000)R(34000,16000)WP(15635,16450)L(10000000,50):max-cll=1000,400"

HDR10_PLUS = "01" + f"{1000:027b}" + "0" + 3 * f"{5000:017b}" + f"{900:017b}" + "0000" + f"{0:010b}" + "0" + "0" + "0"
"""One window, the display's luminance, the brightest red, green and blue, the average; nothing else. SMPTE ST 2094-40, bits."""


def hdr10(path: Path, *, plus: bool = False) -> Path:
    """A clip made by x265 itself, with its own names for the values."""
    with av.open(str(path), "w") as out:
        stream = out.add_stream("libx265", rate=24, options={"x265-params": f"log-level=error:{MASTER}"})
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p10le"
        for index in range(4):
            picture = av.VideoFrame(64, 48, "yuv420p10le")
            picture.pts = index
            for packet in [*stream.encode(picture), *(stream.encode(None) if index == 3 else ())]:
                copy = av.Packet((sei() if plus else b"") + bytes(packet))
                copy.stream, copy.pts, copy.dts, copy.time_base = stream, packet.pts, packet.dts, packet.time_base
                out.mux(copy)
    return path


def sei() -> bytes:
    """HDR10+ as a NAL unit of supplemental information, registered by ITU-T T.35."""
    bits = HDR10_PLUS + "0" * (-len(HDR10_PLUS) % 8)
    payload = bytes.fromhex("b5003c00010401") + int(bits, 2).to_bytes(len(bits) // 8, "big")
    guarded = payload.replace(b"\0\0\1", b"\0\0\3\1").replace(b"\0\0\0", b"\0\0\3\0")
    return b"\0\0\0\1\x4e\x01\x04" + bytes([len(payload)]) + guarded + b"\x80"


def test_a_clip_s_light_is_known(tmp_path: Path):
    assert open_clip(hdr10(tmp_path / "in.mkv")).info.light == HDR10


@pytest.mark.parametrize(
    ("name", "codec"),
    [
        ("out.mp4", "hevc"),
        ("out.mkv", "hevc"),
        ("out.mov", "hevc"),
        ("out.mp4", "h264"),
        ("out.mkv", "h264"),
        ("out.mp4", "av1"),
    ],
)
def test_codecs_write_it(tmp_path: Path, name: str, codec: str):
    info = Info(64, 48, rate=F(24), light=HDR10)
    with create_clip(tmp_path / name, info, encoding=Encoding(codec)) as writer:
        for frame in moving(3):
            writer.write(frame)
    assert writer.notes == []
    found = open_clip(tmp_path / name).info.light
    assert found.levels == (1000, 400)
    assert found.display is not None
    rounding = F(1, 65536) if codec == "av1" else F(0)  # AV1 counts chromaticity in 1/65536, the lowest luminance in 1/16384
    assert all(abs(value - wanted) <= rounding for value, wanted in zip(found.display[:8], DISPLAY[:8], strict=True))
    assert abs(found.display[8] - DISPLAY[8]) <= rounding * 4
    assert found.display[9] == 1000


def test_other_codecs_and_images_name_it(tmp_path: Path):
    info = Info(64, 48, rate=F(24), light=HDR10)
    lost = "not kept of the clip's HDR metadata: the mastering display, the content light level"
    for name, codec in (("out.mkv", "ffv1"), ("out.webm", "vp9"), ("images", None)):
        with create_clip(tmp_path / name, info, encoding=Encoding(codec)) as writer:
            for frame in moving(2):
                writer.write(frame)
        assert writer.notes == [lost]


def test_parts_made_by_workers_carry_it(tmp_path: Path):
    with PacketWriter(tmp_path / "part", ".mp4", Info(64, 48, rate=F(24), light=HDR10), encoding=Encoding("hevc")) as writer:
        for frame in moving(3):
            writer.write(frame)
    first = bytes(next(packets_of(tmp_path / "part")))
    decoder = av.CodecContext.create("hevc", "r")
    packet = av.Packet(first)
    picture = [*decoder.decode(packet), *decoder.decode(None)][0]
    assert {data.type.name for data in picture.side_data} >= {"MASTERING_DISPLAY_METADATA", "CONTENT_LIGHT_LEVEL"}


def test_metadata_of_single_frames_are_named(tmp_path: Path):
    info = open_clip(hdr10(tmp_path / "plus.hevc", plus=True)).info
    assert info.light == Light(DISPLAY, (1000, 400), ("HDR10+",))
    with create_clip(tmp_path / "out.mp4", info, encoding=Encoding("hevc")) as writer:
        for frame in moving(2):
            writer.write(frame)
    assert writer.notes == ["not kept of the clip's HDR metadata: the dynamic metadata of HDR10+"]
    assert left_out(Light(dynamic=("Dolby Vision",)), "hevc") == (
        "not kept of the clip's HDR metadata: the dynamic metadata of Dolby Vision"
    )


def test_clips_without_it_give_no_options():
    assert options_for("hevc", Light()) == {}
    assert options_for("ffv1", HDR10) == {}
    assert left_out(Light()) is None
