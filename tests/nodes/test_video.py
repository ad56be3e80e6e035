from __future__ import annotations

import struct
from fractions import Fraction
from io import BytesIO
from itertools import pairwise
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
import torch

RATE, SAMPLES = 24, 48000
TWICE = {"mode": "times", "times": 2}


@pytest.fixture
def linear(run):
    (model,) = run("InbetweenLoadModel", model="linear")
    return model


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A second of video, frame k of brightness 10 k, with a second of AAC."""
    path = tmp_path / "clip.mp4"
    with av.open(path, "w") as output:
        video = output.add_stream("libx264", rate=RATE, options={"crf": "1"})
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        sound = output.add_stream("aac", rate=SAMPLES, layout="mono")
        for k in range(RATE):
            picture = av.VideoFrame.from_ndarray(np.full((48, 64, 3), 10 * k, np.uint8), format="rgb24")
            output.mux(video.encode(picture))
        output.mux(video.encode(None))
        tone = np.sin(np.arange(SAMPLES, dtype=np.float32) / 20)[None]
        samples = av.AudioFrame.from_ndarray(tone, format="fltp", layout="mono")
        samples.sample_rate = SAMPLES
        output.mux(sound.encode(samples))
        output.mux(sound.encode(None))
    return path


def seen(video) -> tuple[list[float], list[float], float]:
    """Brightness and time of each frame, and the seconds of sound."""
    with av.open(video.get_stream_source()) as container:
        levels, times, heard = [], [], 0.0
        for frame in container.decode(*container.streams):
            if isinstance(frame, av.VideoFrame):
                levels.append(float(frame.to_ndarray(format="rgb24").mean()))
                times.append(float(frame.time))
            else:
                heard += frame.samples / frame.sample_rate
    return levels, times, heard


@pytest.fixture
def from_file(part):
    return part("nodes.video").InputImpl.VideoFromFile


@pytest.fixture
def from_components(part):
    return part("nodes.video").InputImpl.VideoFromComponents


@pytest.mark.parametrize("in_memory", [False, True])
def test_a_file_is_interpolated_and_keeps_its_length_and_sound(run, linear, file, from_file, server, in_memory: bool):
    source = BytesIO(file.read_bytes()) if in_memory else str(file)
    video, fps, count = run("InbetweenInterpolateVideo", model=linear, video=from_file(source), mode=TWICE)
    assert (fps, count) == (48.0, 48)
    levels, times, heard = seen(video)
    assert times == pytest.approx([k / 48 for k in range(48)], abs=1e-4)
    assert levels == pytest.approx([*(5.0 * k for k in range(46)), 230, 230], abs=2.5)
    assert heard == pytest.approx(1.0, abs=0.05)
    assert server.progress[-1] == (48, 48)
    assert Path(video.get_stream_source()).parent == server.temp


def test_a_variable_frame_rate_is_halved_to_the_tick(run, linear, tmp_path, from_file):
    path, stamps = tmp_path / "variable.mp4", [0, 40, 110, 120, 200, 333]
    with av.open(path, "w") as output:
        stream = output.add_stream("libx264", rate=1000, options={"bf": "0"})
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for stamp in stamps:
            picture = av.VideoFrame(64, 48, "yuv420p")
            picture.pts, picture.time_base = stamp, Fraction(1, 1000)
            output.mux(stream.encode(picture))
        output.mux(stream.encode(None))
    video, _, count = run("InbetweenInterpolateVideo", model=linear, video=from_file(str(path)), mode=TWICE)
    with av.open(video.get_stream_source()) as container:
        times = [frame.pts * frame.time_base for frame in container.decode(video=0)]
    middles = [Fraction(a + b, 2000) for a, b in pairwise(stamps)]
    assert count == 12
    assert times[:11] == sorted([*(Fraction(stamp, 1000) for stamp in stamps), *middles])


@pytest.mark.parametrize(("start", "duration", "first", "frames"), [(0.25, 0.5, 6, 12), (0.5, 0, 12, 12), (0, 0.25, 0, 6)])
def test_a_trimmed_video_is_read_where_it_is_trimmed(run, linear, file, from_file, server, start, duration, first, frames):
    video = from_file(str(file), start, duration)
    video, _, count = run("InbetweenInterpolateVideo", model=linear, video=video, mode=TWICE)
    levels, times, heard = seen(video)
    assert count == 2 * frames
    assert times[0] == 0
    assert levels[0] == pytest.approx(10 * first, abs=2.5)
    assert levels[-1] == pytest.approx(10 * (first + frames - 1), abs=2.5)
    assert heard == pytest.approx(frames / RATE, abs=0.05)
    assert server.progress[-1] == (count, count)


@pytest.mark.parametrize("channels", [1, 2])
def test_a_video_of_frames_in_memory_is_not_encoded_first(run, linear, from_components, channels: int):
    images = torch.linspace(0, 0.9, 10)[:, None, None, None].expand(10, 48, 64, 3)
    audio = {"waveform": torch.sin(torch.arange(24000) / 20).expand(1, channels, -1), "sample_rate": SAMPLES}
    video = from_components(images, Fraction(20), audio)
    video, fps, count = run(
        "InbetweenInterpolateVideo", model=linear, video=video, mode={"mode": "frame rate", "target_fps": 30.0}
    )
    levels, times, heard = seen(video)
    assert (fps, count) == (30.0, 15)
    assert times == pytest.approx([k / 30 for k in range(15)], abs=1e-4)
    assert levels[:14] == pytest.approx([255 * 0.1 * k * 2 / 3 for k in range(14)], abs=2.5)
    assert heard == pytest.approx(0.5, abs=0.05)


def test_a_rate_that_was_a_float_is_exact_again(run, linear, from_components):
    video = from_components(torch.rand(4, 48, 64, 3), Fraction(24000 / 1001))
    video, *_ = run("InbetweenInterpolateVideo", model=linear, video=video, mode=TWICE)
    with av.open(video.get_stream_source()) as container:
        times = [frame.pts * frame.time_base for frame in container.decode(video=0)]
    assert times == [Fraction(1001 * k, 48000) for k in range(8)]


def test_slow_motion_stretches_the_sound(run, linear, file, from_file):
    mode = {"mode": "slow motion", "slower": 2.0}
    video, fps, count = run("InbetweenInterpolateVideo", model=linear, video=from_file(str(file)), mode=mode)
    _, times, heard = seen(video)
    assert (fps, count) == (24.0, 48)
    assert heard == pytest.approx(2, abs=0.03)
    assert times[-1] == pytest.approx(47 / 24, abs=1e-4)


@pytest.mark.parametrize("at", [0, 5])
def test_a_cancelled_run_leaves_no_file(run, linear, file, from_file, server, at: int):
    server.interrupt_at = at
    with pytest.raises(server.Interrupted):
        run("InbetweenInterpolateVideo", model=linear, video=from_file(str(file)), mode=TWICE)
    assert len(server.progress) == at
    assert not list(server.temp.iterdir())


@pytest.fixture
def cropped(from_file, file):
    """The right half of a VIDEO, noted and not yet applied, as ComfyUI after 0.25 does it."""

    class Cropped(from_file):
        saved: tuple = ()

        def get_dimensions(self) -> tuple[int, int]:
            return 32, 48

        def as_cropped(self, *rectangle: int) -> None:
            """Only its presence counts."""

        def save_to(self, path: str, **options) -> None:
            self.saved += ((Path(path), options),)
            with av.open(self.file) as source, av.open(path, "w") as output:
                stream = output.add_stream("libx264", rate=RATE, options={"crf": str(options["crf"])})
                stream.width, stream.height, stream.pix_fmt = 32, 48, "yuv420p"
                for frame in source.decode(video=0):
                    picture = av.VideoFrame.from_ndarray(frame.to_ndarray(format="rgb24")[:, 32:], format="rgb24")
                    output.mux(stream.encode(picture))
                output.mux(stream.encode(None))

    return Cropped


@pytest.mark.parametrize("states", [True, False])
def test_a_crop_that_is_only_noted_is_seen(run, linear, cropped, file, server, states: bool):
    video = cropped(str(file))
    if states:
        video.get_dimensions = lambda: (64, 48)  # as after a crop of a larger size
        video.has_pending_frame_edits = lambda: True
    made, *_ = run("InbetweenInterpolateVideo", model=linear, video=video, mode=TWICE)
    with av.open(made.get_stream_source()) as container:
        assert (container.streams.video[0].width, container.streams.video[0].height) == (32, 48)
    assert seen(made)[0] == pytest.approx([*(5.0 * k for k in range(46)), 230, 230], abs=2.5)
    ((path, options),) = video.saved
    assert options["crf"] == 0
    assert not path.exists()


def test_a_video_without_edits_is_read_from_its_own_file(run, linear, cropped, file):
    turned = cropped(str(file))
    turned.get_dimensions = lambda: (48, 64)  # of a turned video, ComfyUI says either
    stated = cropped(str(file))
    stated.has_pending_frame_edits = lambda: False
    for video in (turned, stated):
        run("InbetweenInterpolateVideo", model=linear, video=video, mode=TWICE)
        assert not video.saved


@pytest.mark.parametrize(("space", "transfer"), [("sRGB", 2), ("auto", 2), ("HDR", 18), ("HDR PQ", 16)])
def test_images_in_hdr_stay_in_hdr(run, linear, from_components, space: str, transfer: int):
    video = from_components(torch.rand(3, 48, 64, 3), Fraction(20))
    video.get_color_space, video.get_bit_depth = lambda: space, lambda: 10
    made, *_ = run("InbetweenInterpolateVideo", model=linear, video=video, mode=TWICE)
    with av.open(made.get_stream_source()) as container:
        context = container.streams.video[0].codec_context
        assert (context.color_trc, context.format.name) == (transfer, "yuv420p10le")


@pytest.mark.parametrize("deep", [False, True])
def test_alpha_beside_images_is_read(part, from_components, deep: bool):
    alpha = torch.rand(3, 48, 64, *((1,) if deep else ()))
    components = from_components(torch.rand(3, 48, 64, 3), Fraction(20)).get_components()
    components.alpha = alpha
    clip = part("nodes.video").Clip.of_components(components, 8).reader
    assert clip.info.alpha
    assert torch.equal(torch.stack([frame.alpha[0] for frame in clip]), alpha.reshape(3, 48, 64))
    components.alpha = alpha[:2]
    with pytest.raises(ValueError, match="one mask per frame"):
        part("nodes.video").Clip.of_components(components, 8)


def test_what_is_no_video_gets_a_sentence(run, linear, tmp_path, from_file):
    (tmp_path / "text.mp4").write_text("not a video")
    with pytest.raises(ValueError, match="is not a readable video or image"):
        run("InbetweenInterpolateVideo", model=linear, video=from_file(str(tmp_path / "text.mp4")), mode=TWICE)


@pytest.mark.parametrize("in_memory", [False, True])
def test_an_animated_webp_keeps_its_times(run, linear, tmp_path, from_file, in_memory: bool):
    lasts, still = [100, 50, 250], []
    for level in (20, 120, 220):
        encoded = cv2.imencode(".webp", np.full((48, 64, 3), level, np.uint8), [cv2.IMWRITE_WEBP_QUALITY, 101])[1]
        still.append(bytes(encoded)[12:])

    def chunk(name: bytes, body: bytes) -> bytes:
        return name + struct.pack("<I", len(body)) + body + bytes(len(body) % 2)

    size = struct.pack("<I", 63)[:3] + struct.pack("<I", 47)[:3]
    parts = [bytes(6) + size + struct.pack("<I", one)[:3] + b"\2" + data for one, data in zip(lasts, still, strict=True)]
    body = b"".join([chunk(b"VP8X", b"\2\0\0\0" + size), chunk(b"ANIM", bytes(6)), *(chunk(b"ANMF", one) for one in parts)])
    data = chunk(b"RIFF", b"WEBP" + body)
    (tmp_path / "a.webp").write_bytes(data)
    source = BytesIO(data) if in_memory else str(tmp_path / "a.webp")
    video, _, count = run("InbetweenInterpolateVideo", model=linear, video=from_file(source), mode=TWICE)
    levels, times, heard = seen(video)
    assert (count, heard) == (6, 0)
    assert times == pytest.approx([0, 0.05, 0.1, 0.125, 0.15, 0.275])
    assert levels == pytest.approx([20, 70, 120, 170, 220, 220], abs=2.5)
