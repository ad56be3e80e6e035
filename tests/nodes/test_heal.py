"""The nodes that find and mend faults, and those that follow a plan with faults."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace

import av
import pytest
import torch
from footage import film, panned

from vfi.clips.clip import Encoding, Info
from vfi.clips.open import create_clip
from vfi.core import Frame

CLEAN = torch.stack(panned(24)).movedim(1, -1)
TWICE = {"mode": "times", "times": 2}
RATE = 24.0


def of(*numbers: int) -> torch.Tensor:
    return CLEAN[list(numbers)]


@pytest.fixture
def linear(run):
    (model,) = run("InbetweenLoadModel", model="linear")
    return model


@pytest.fixture
def flash() -> torch.Tensor:
    images = of(*range(20))
    images[8:10] = 1
    return images


def same(one: torch.Tensor, other: torch.Tensor) -> list[int]:
    """The frames in which two clips of the same length differ."""
    assert one.shape == other.shape
    return [k for k, (a, b) in enumerate(zip(one, other, strict=True)) if not torch.equal(a, b)]


def chosen(*kinds: str, every: tuple[str, ...]) -> dict:
    return {"kinds": "chosen", **{kind: kind in kinds for kind in every}}


@pytest.fixture
def every(part) -> tuple[str, ...]:
    return part("nodes.heal").KINDS


def found(run, images: torch.Tensor, **asked) -> SimpleNamespace:
    asked = {"source_fps": RATE, **asked}
    return SimpleNamespace(
        **dict(zip(("plan", "report", "list", "count"), run("InbetweenFindFaults", images=images, **asked), strict=True))
    )


def healed(run, model, images: torch.Tensor, **asked) -> SimpleNamespace:
    asked = {"source_fps": RATE, **asked}
    outputs = run("InbetweenHealClip", model=model, images=images, **asked)
    names = ("images", "fps", "count", "originals", "audio", "report", "sheet")
    return SimpleNamespace(**dict(zip(names, outputs, strict=True)))


def test_a_flash_is_found_without_making_frames(run, flash, server):
    told = found(run, flash)
    assert (told.list, told.count) == ("8-9", 1)
    (line, note) = told.report.splitlines()
    assert line.startswith("frames 8-9, from 0.333 s: flash, confidence ")
    assert line.endswith(", remake")
    assert note == "2 frames (flash) at frame 8-9: remade from the frames around them"
    assert server.progress[-1] == (20, 20)
    assert found(run, of(*range(20))).report == "nothing was found"
    picked, _ = run("InbetweenSelectFrames", images=flash, select={"select": "list", "frames": told.list})
    assert torch.equal(picked, flash[8:10])


def test_a_flash_is_remade_and_all_else_is_copied(run, linear, flash):
    made = healed(run, linear, flash)
    assert same(made.images, flash) == [8, 9]
    torch.testing.assert_close(made.images[8], torch.lerp(flash[7], flash[10], 1 / 3))
    assert made.originals[:, 0, 0].tolist() == [float(k not in (8, 9)) for k in range(20)]
    assert (made.fps, made.count, made.audio) == (RATE, 20, None)
    assert made.report.splitlines()[0].startswith("frames 8-9")
    assert made.sheet.shape[2:] == (1120, 3)
    assert 0 <= float(made.sheet.min()) < 0.3 < 0.9 < float(made.sheet.max()) <= 1


def test_interpolate_mends_in_the_same_pass(run, linear, flash):
    plan = found(run, flash).plan
    made, _, count, originals, _, times = run(
        "InbetweenInterpolate", model=linear, images=flash, source_fps=RATE, mode=TWICE, plan=plan
    )
    assert count == 39
    assert [k for k in range(20) if originals[2 * k, 0, 0] == 0] == [8, 9]
    torch.testing.assert_close(made[16], torch.lerp(flash[7], flash[10], 1 / 3))
    assert float(made[15:20].max()) < 0.9
    assert len(times.splitlines()) == 39


def test_a_plan_is_mended_without_another_search(run, linear, flash, every):
    plan = found(run, flash, leave="9").plan
    assert [one.action for one in plan.findings] == ["keep"]
    made = healed(run, linear, flash, plan=plan)
    assert torch.equal(made.images, flash)
    assert made.report.splitlines()[-1] == "nothing is to be mended: all frames are copied"
    plan = found(run, flash).plan
    made = healed(run, linear, flash, plan=plan, kinds=chosen("dark", every=every))
    assert torch.equal(made.images, flash)
    assert made.report.splitlines()[-1] == "1 of 1 findings are left as they are: flash is switched off"
    shots, *_ = run("InbetweenFindShots", images=flash)
    assert torch.equal(healed(run, linear, flash, plan=shots).images, flash)


def test_kinds_are_chosen(run, flash, every):
    assert found(run, flash, kinds=chosen("flash", every=every)).count == 1
    assert found(run, flash, kinds=chosen(*(set(every) - {"flash"}), every=every)).count == 0
    assert found(run, flash, kinds={"kinds": "chosen"}).count == 1  # saved before a kind was there


def test_every_kind_is_explained(part, every):
    assert set(every) <= set(part("nodes.heal").TOLD)


@pytest.mark.parametrize(
    ("leave", "told"),
    [
        ("3", "frame 3 cannot be left alone: findings are at frames 8-9"),
        ("8, 12-14", "frames 12 to 14 cannot be left alone: findings are at frames 8-9"),
        ("20", "frame 20 was requested of 20"),
        ("all", "'all' is neither a frame nor a range"),
    ],
)
def test_frames_to_leave_alone_are_checked(run, flash, leave: str, told: str):
    with pytest.raises(ValueError, match=told):
        found(run, flash, leave=leave)


def test_the_cuts_of_a_plan_are_kept(run, linear):
    images = torch.cat([of(*range(12)), CLEAN[:12].flip(2)])
    shots, *_ = run("InbetweenFindShots", images=images, source_fps=RATE, cuts="blend", edit="12")
    images[5] = 1
    plan = found(run, images, plan=shots).plan
    assert [(shot.frames, shot.across) for shot in plan.shots[1:]] == [(12, "blend")]
    assert [(one.kind, one.first) for one in plan.findings] == [("flash", 5)]


def with_findings(run, images: torch.Tensor, *findings: dict) -> object:
    """A plan of these images with findings by hand, as its JSON would hold them."""
    plan = found(run, images).plan
    data = json.loads(plan.to_json())
    return type(plan).from_json(json.dumps({**data, "findings": list(findings)}))


GAP = [*range(9), *range(11, 21)]


@pytest.mark.parametrize(("duration", "count", "made"), [("grow", 21, [9, 10]), ("keep", 19, list(range(1, 17)))])
def test_missing_frames_are_made_or_spread(run, linear, duration: str, count: int, made: list[int]):
    images = of(*GAP)
    plan = with_findings(run, images, {"kind": "missing", "first": 9, "count": 2})
    result = healed(run, linear, images, plan=plan, duration=duration)
    assert result.count == len(result.images) == count
    assert [k for k, own in enumerate(result.originals[:, 0, 0]) if not own] == made
    assert result.count == healed(run, linear, images, plan=with_duration(plan, duration)).count
    twice = {"images": images, "source_fps": RATE, "mode": TWICE, "plan": with_duration(plan, duration)}
    assert run("InbetweenInterpolate", model=linear, **twice)[2] == 2 * count - 1
    held, *_, times = run("InbetweenInterpolate", model=linear, hold_last=True, **twice)
    assert len(held) == len(times.splitlines()) == 2 * count


def with_duration(plan, duration: str):
    return replace(plan, duration=duration)


def test_uneven_motion_is_retimed_where_it_is_asked_for(run, linear):
    """Every other frame shows what is due 0.4 frames earlier, the last one too: no output lies on it."""
    images = of(*range(20))
    offsets = [0.4 * (k % 2) for k in range(20)]
    plan = with_findings(run, images, {"kind": "uneven", "first": 0, "last": 19, "offsets": offsets})
    assert torch.equal(healed(run, linear, images, plan=plan).images, images)
    even = healed(run, linear, images, plan=plan, even=True)
    torch.testing.assert_close(even.images[1], torch.lerp(images[1], images[2], 0.4 / 1.4))
    assert even.originals[:, 0, 0].tolist() == [float(k % 2 == 0) for k in range(20)]
    retimed = replace(plan, findings=tuple(replace(one, action="retime") for one in plan.findings))
    made, _, count, *_, times = run(
        "InbetweenInterpolate", model=linear, images=images, source_fps=RATE, mode=TWICE, plan=retimed
    )
    assert len(made) == count == len(times.splitlines()) == 39
    torch.testing.assert_close(made[2], even.images[1])


def test_drift_is_measured_from_what_is_asked_for(run, part, monkeypatch):
    """The first frame, the median, or a picture as its mean colour."""
    heal, images = part("nodes.heal"), of(*range(3))
    asked = []
    find = heal.find_faults
    monkeypatch.setattr(heal, "find_faults", lambda *clip, **more: asked.append(more["anchor"]) or find(*clip, **more))
    for answers in ({"anchor": "median"}, {}, {"reference": torch.full((2, 40, 40, 3), 0.5)}):
        found(run, images, **answers)
    assert asked[:2] == ["median", "first"]
    assert asked[2] == pytest.approx((127.5,) * 3, abs=1)


@pytest.mark.parametrize(("repeats", "count"), [("auto", 21), ("spread", 21), ("drop", 20)])
def test_repeats_are_spread_or_dropped(run, linear, repeats: str, count: int):
    images = of(*range(9), 8, *range(9, 20))
    plan = with_findings(run, images, {"kind": "repeat", "first": 9})
    result = healed(run, linear, images, plan=plan, repeats=repeats)
    assert result.count == count
    if repeats == "drop":
        assert torch.equal(result.images, of(*range(20)))
    else:
        torch.testing.assert_close(result.images[9], (images[8] + images[10]) / 2)


def ticks(seconds: float, channels: int = 1, rate: int = 8000) -> dict:
    """Sound that is as loud as the time is late."""
    wave = torch.arange(round(seconds * rate)) / rate / 10
    return {"waveform": wave.expand(1, channels, -1).clone(), "sample_rate": rate}


@pytest.mark.parametrize("channels", [1, 2, 6])
def test_sound_is_cut_with_the_frames(run, linear, channels: int):
    images = of(*range(20))
    plan = with_findings(run, images, {"kind": "junk", "first": 0, "last": 2}, {"kind": "freeze", "first": 17, "last": 19})
    audio = ticks(20 / 24, channels)
    result = healed(run, linear, images, plan=plan, audio=audio)
    assert torch.equal(result.images, images[3:17])
    wave = result.audio["waveform"]
    assert (wave.shape, result.audio["sample_rate"]) == ((1, channels, round(14 / 24 * 8000)), 8000)
    torch.testing.assert_close(
        wave[0, 0, 100:-100], audio["waveform"][0, 0, 1100 : 1000 + wave.shape[2] - 100], atol=1e-5, rtol=0
    )


def test_sound_is_unchanged_where_time_is(run, linear, flash):
    audio = ticks(1, 3)
    assert healed(run, linear, flash, audio=audio).audio is audio
    nothing = {"waveform": torch.zeros(1, 1, 0), "sample_rate": 8000}
    cut = with_findings(run, flash, {"kind": "junk", "first": 0})
    assert healed(run, linear, flash, audio=nothing, plan=cut).audio is nothing
    with pytest.raises(ValueError, match="the sound holds NaN"):
        healed(run, linear, flash, audio={"waveform": torch.full((1, 1, 9), math.nan), "sample_rate": 8000}, plan=cut)


def test_sound_of_unusual_channels_is_mixed_where_it_is_cut(run, linear, flash):
    cut = with_findings(run, flash, {"kind": "junk", "first": 0})
    assert healed(run, linear, flash, audio=ticks(1, 3), plan=cut).audio["waveform"].shape == (1, 1, 8000 - 333)


@pytest.mark.parametrize("frames", [1, 2])
def test_the_shortest_clips_are_copied(run, linear, frames: int):
    images = of(*range(frames))
    assert found(run, images).report == "nothing was found"
    assert torch.equal(healed(run, linear, images).images, images)


@pytest.mark.parametrize("light", [0.0, 1.0])
def test_clips_of_nothing_else_are_copied(run, linear, light: float):
    images = torch.full_like(CLEAN[:12], light)
    assert torch.equal(healed(run, linear, images).images, images)


def test_alpha_and_light_beyond_white_are_kept(run, linear, flash):
    alpha = torch.linspace(0.5, 1, 64).expand(20, 64, 64)[..., None]
    images = torch.cat([flash, alpha], dim=-1)
    made = healed(run, linear, images)
    assert same(made.images, images) == [8, 9]
    bright = of(*range(20)) * 2
    bright[8:10] = 6
    made = healed(run, linear, bright)
    assert same(made.images, bright) == [8, 9]
    assert 1 < float(made.images[8].max()) < 3


def test_grey_images_are_mended(run, linear, flash):
    assert same(healed(run, linear, flash[..., :1]).images, flash[..., :1]) == [8, 9]


def test_a_plan_of_another_clip_is_refused(run, linear, flash):
    plan = found(run, flash).plan
    for node in ("InbetweenHealClip", "InbetweenInterpolate", "InbetweenRetime"):
        asked = {"InbetweenHealClip": {}, "InbetweenInterpolate": {"mode": TWICE}}.get(
            node, {"curve": {"curve": "speed", "speed": "0:1", "start": -1.0}}
        )
        with pytest.raises(ValueError, match="faults of a clip of 20 frames: it was given with 6 frames"):
            run(node, model=linear, images=of(*range(6)), source_fps=RATE, plan=plan, **asked)
    with pytest.raises(ValueError, match="belongs to another clip"):
        healed(run, linear, flash, plan=plan, source_fps=30.0)


def test_a_curve_takes_gaps_only_if_frames_are_inserted(run, linear):
    images = of(*GAP)
    plan = with_findings(run, images, {"kind": "missing", "first": 9, "count": 2})
    asked = {"images": images, "source_fps": RATE, "curve": {"curve": "speed", "speed": "0:1", "start": -1.0}}
    with pytest.raises(ValueError, match="with duration grow"):
        run("InbetweenRetime", model=linear, plan=plan, **asked)
    assert run("InbetweenRetime", model=linear, plan=with_duration(plan, "grow"), **asked)[2] == 21


@pytest.mark.parametrize("at", [0, 3])
def test_a_search_can_be_cancelled(run, flash, server, at: int):
    server.interrupt_at = at
    with pytest.raises(server.Interrupted):
        found(run, flash)
    assert len(server.progress) == at


@pytest.fixture
def from_file(part):
    return part("nodes.video").InputImpl.VideoFromFile


def clip(path: Path, images: torch.Tensor, sounds: int = 1) -> Path:
    """The images as a video, 24 a second, with so many tracks of a second of sound."""
    sound = film(path.with_name("sound.mkv"), range(25), Fraction(1, 24), sound=Fraction(1)) if sounds else None
    with create_clip(path, Info(64, 64, rate=Fraction(24)), encoding=Encoding("h264", 4), audio=sound) as writer:
        for k, image in enumerate(images):
            writer.write(Frame(image.movedim(-1, 0), Fraction(k, 24), Fraction(1, 24)))
    return path


def seen(video) -> tuple[int, list[float]]:
    """The number of frames, and the end of each track of sound."""
    with av.open(video.get_stream_source()) as container:
        frames = sum(1 for _ in container.decode(video=0))
    ends = []
    with av.open(video.get_stream_source()) as container:
        tracks = range(len(container.streams.audio))
    for track in tracks:
        with av.open(video.get_stream_source()) as container:
            ends.append(max(frame.time + frame.samples / frame.sample_rate for frame in container.decode(audio=track)))
    return frames, ends


def test_a_video_is_mended_with_its_sound(run, linear, flash, from_file, tmp_path):
    video = from_file(str(clip(tmp_path / "in.mp4", flash)))
    result, fps, count, report, sheet = run("InbetweenHealVideo", model=linear, video=video, crf=4)
    assert (fps, count) == (RATE, 20)
    assert "flash" in report
    assert sheet.shape[0] == 1
    assert sheet.shape[2:] == (1120, 3)
    with av.open(result.get_stream_source()) as container:
        levels = [float(frame.to_ndarray(format="rgb24").mean()) for frame in container.decode(video=0)]
    assert max(levels) < 170
    assert seen(result)[1] == pytest.approx(seen(video)[1], abs=0.03)


@pytest.mark.parametrize("node", ["InbetweenHealVideo", "InbetweenInterpolateVideo", "InbetweenRetimeVideo"])
def test_sound_follows_frames_that_are_left_out(run, linear, from_file, tmp_path, node: str):
    images = of(*range(20))
    video = from_file(str(clip(tmp_path / "in.mp4", images)))
    found_in, *_ = run("InbetweenFindFaults", video=video)
    assert not found_in.findings
    plan = with_findings(run, images, {"kind": "junk", "first": 0, "last": 5})
    asked = {
        "InbetweenHealVideo": {},
        "InbetweenInterpolateVideo": {"mode": TWICE},
        "InbetweenRetimeVideo": {"curve": {"curve": "speed", "speed": "0:1", "start": -1.0}},
    }[node]
    result, _, count, *_ = run(node, model=linear, video=video, plan=plan, **asked)
    assert count == (28 if node == "InbetweenInterpolateVideo" else 14)
    (end,) = seen(result)[1]
    assert end == pytest.approx(1 - 6 / 24, abs=0.05)


def test_a_video_without_sound_is_mended(run, linear, from_file, tmp_path):
    video = from_file(str(clip(tmp_path / "in.mp4", of(*range(20)), sounds=0)))
    plan = with_findings(run, of(*range(20)), {"kind": "junk", "first": 0, "last": 5})
    result, _, count, *_ = run("InbetweenHealVideo", model=linear, video=video, plan=plan)
    assert (count, seen(result)) == (14, (14, []))
