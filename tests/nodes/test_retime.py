from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
import torch

SPEED = {"curve": "speed", "start": -1.0}


@pytest.fixture
def linear(run):
    (model,) = run("InbetweenLoadModel", model="linear")
    return model


def ramp(count: int) -> torch.Tensor:
    """Frame k is of brightness k / 100."""
    return (torch.arange(count) / 100)[:, None, None, None].expand(count, 4, 6, 3).contiguous()


def levels(images: torch.Tensor) -> list[float]:
    return [round(float(image.mean()) * 100, 3) for image in images]


@pytest.mark.parametrize(
    ("curve", "options", "wanted"),
    [
        (SPEED | {"speed": "1"}, {}, list(range(10))),
        (SPEED | {"speed": "0.5"}, {}, [*(k / 2 for k in range(19)), 9]),
        (SPEED | {"speed": "-1"}, {}, list(range(9, -1, -1))),
        (SPEED | {"speed": "-1", "start": 0.4}, {}, [4, 3, 2, 1, 0]),
        (SPEED | {"speed": "1"}, {"target_fps": 20.0}, [*(k / 2 for k in range(19)), 9]),
        (SPEED | {"speed": "0", "start": 0.25}, {"duration": 0.3}, [2.5] * 3),
        ({"curve": "position", "position": "0:0, 0.5:0.2"}, {}, [0, 0.4, 0.8, 1.2, 1.6]),
    ],
)
def test_frames_are_played_along_a_curve(run, linear, curve: dict, options: dict, wanted: list[float]):
    made, fps, count, originals, times = run(
        "InbetweenRetime", model=linear, images=ramp(10), source_fps=10.0, curve=curve, **options
    )
    assert levels(made) == pytest.approx(wanted)
    assert (fps, count) == (options.get("target_fps", 10.0), len(wanted))
    at = [float(time) * 10 for time in times.splitlines()]
    assert [bool(mask.all()) for mask in originals] == [place in range(10) for place in at]
    assert [min(place, 9) for place in at] == pytest.approx(wanted, abs=1e-4)


@pytest.mark.parametrize("connected", [False, True])
def test_a_drawn_curve_is_as_wide_as_the_clip(run, linear, part, connected: bool):
    points = [(0.0, 1.0), (1.0, 0.0)]
    given = part("nodes.retime").LinearCurve(points) if connected else {"points": points, "interpolation": "linear"}
    curve = {"curve": "drawn position", "position_curve": given}
    made, *_ = run("InbetweenRetime", model=linear, images=ramp(10), source_fps=10.0, curve=curve)
    assert levels(made) == pytest.approx([9, *range(9, 0, -1)])
    curve = {"curve": "drawn speed", "speed_curve": given, "fastest": 2.0}
    made, *_ = run("InbetweenRetime", model=linear, images=ramp(10), source_fps=10.0, curve=curve)
    assert levels(made) == pytest.approx([min(2 * k - k * k / 10, 9) for k in range(10)], abs=1e-3)


def test_a_curve_that_is_none_gets_a_sentence(run, linear):
    with pytest.raises(ValueError, match="'fast' is not a keyframe"):
        run("InbetweenRetime", model=linear, images=ramp(3), source_fps=10.0, curve=SPEED | {"speed": "fast"})


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A second of video, frame k of brightness 10 k, with a second of sound."""
    path = tmp_path / "clip.mp4"
    with av.open(path, "w") as output:
        video = output.add_stream("libx264", rate=24, options={"crf": "1"})
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        sound = output.add_stream("aac", rate=48000, layout="mono")
        for k in range(24):
            output.mux(video.encode(av.VideoFrame.from_ndarray(np.full((48, 64, 3), 10 * k, np.uint8), format="rgb24")))
        output.mux(video.encode(None))
        samples = av.AudioFrame.from_ndarray(
            np.sin(np.arange(48000, dtype=np.float32) / 20)[None], format="fltp", layout="mono"
        )
        samples.sample_rate = 48000
        output.mux(sound.encode(samples))
        output.mux(sound.encode(None))
    return path


@pytest.mark.parametrize(("trim", "first"), [((0, 0), 0), ((0.5, 0), 12)])
@pytest.mark.parametrize(("audio", "heard"), [("auto", True), ("drop", False)])
def test_a_video_plays_backwards_at_half_speed(run, linear, file, part, server, trim, first: int, audio: str, heard: bool):
    video = part("nodes.video").InputImpl.VideoFromFile(str(file), *trim)
    frames = 2 * (24 - first)
    made, fps, count, times = run(
        "InbetweenRetimeVideo", model=linear, video=video, curve=SPEED | {"speed": "-0.5"}, audio=audio
    )
    assert (fps, count, len(times.splitlines())) == (24.0, frames, frames)
    assert server.progress[-1] == (frames, frames)
    with av.open(made.get_stream_source()) as container:
        shown = [float(frame.to_ndarray(format="rgb24").mean()) for frame in container.decode(video=0)]
        lengths = {stream.type: stream.duration * stream.time_base for stream in container.streams}
    assert shown == pytest.approx([max(230 - 5 * k, 10 * first) for k in range(frames)], abs=2.5)
    wanted = Fraction(frames, 24)
    assert lengths == ({"video": wanted, "audio": wanted} if heard else {"video": wanted})


@pytest.mark.parametrize(("speed", "wanted"), [("0.5", [0, 0.5, 1, 1, 2, 2.5, 3, 3]), ("-0.5", [3, 2.5, 2, 1, 1, 0.5, 0, 0])])
def test_a_plan_keeps_shots_apart_in_both_directions(run, linear, part, speed: str, wanted: list[float]):
    images = ramp(4)
    plan, *_ = run("InbetweenFindShots", images=images, source_fps=10.0, edit="2")
    made, *_ = run("InbetweenRetime", model=linear, images=images, source_fps=10.0, curve=SPEED | {"speed": speed}, plan=plan)
    assert levels(made) == pytest.approx(wanted)


def test_pace_along_a_curve_is_that_of_more_frames(run):
    (model,) = run("InbetweenLoadModel", model="dis-fast")
    images = torch.rand(1, 6, 10, 3).movedim(-1, 1)
    images = torch.nn.functional.interpolate(images, size=(48, 120), mode="bicubic").movedim(1, -1).clamp(0, 1)
    images = torch.cat([images.roll(shift, dims=2) for shift in (0, 3, 7, 12)])
    mode = {"mode": "times", "times": 2}
    more = run("InbetweenInterpolate", model=model, images=images, mode=mode, hold_last=True, pace="auto")[0]
    slower = run("InbetweenRetime", model=model, images=images, curve=SPEED | {"speed": "0.5"}, pace="auto")[0]
    assert torch.equal(more, slower)
    assert not torch.equal(more, run("InbetweenInterpolate", model=model, images=images, mode=mode, hold_last=True)[0])
