"""The example workflows, run in a real ComfyUI: what comes out is looked at frame by frame."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from forms import ROOT, all_saved, api_form, only, saved
from numpy.typing import NDArray

from tests.media import EXPOSED, HOLD, SWINGS, bird, seen, swing, swing_at
from vfi.clips.images import read_image
from vfi.timing.charts import of_json
from vfi.tracks.formats import loads, tracks_of

pytestmark = pytest.mark.comfyui

FOX, FRAMES, RATE = ROOT / "examples" / "fox-16fps.mp4", 33, 16
FLICKER = ROOT / "examples" / "flicker-16fps.mp4"
CUT = ROOT / "examples" / "cut-25fps.mp4"
ROOM = ROOT / "examples" / "room-16fps.mp4"
BALL, SIZE = (slice(256, 344), slice(52, 140)), (640, 384)
"""Where the ball is in ball-first.png, rows and columns, and how large that is."""


def played(path: Path) -> tuple[list[float], list[NDArray]]:
    """When each frame of a video is shown, in seconds, and the frame, 0..255."""
    with av.open(path) as container:
        frames = list(container.decode(video=0))
    return [frame.time for frame in frames], [frame.to_ndarray(format="rgb24").astype(np.float32) for frame in frames]


def evenly(count: int, rate: int):
    return pytest.approx([k / rate for k in range(count)], abs=1e-3)


def apart(one: NDArray, other: NDArray) -> float:
    """The mean difference of two pictures, of 255."""
    return float(abs(one - other).mean())


def text(outputs: dict, workflow: dict) -> str:
    """What the workflow's Preview as Text shows."""
    (key,) = (key for key, node in workflow.items() if node["class_type"] == "PreviewAny")
    return "".join(outputs[key]["text"])


def painted(name: str) -> NDArray:
    """One of the example pictures, 0..255."""
    return read_image(ROOT / "examples" / name).rgb.movedim(0, -1).mul(255).numpy()


def balls(frames: list[NDArray]) -> NDArray:
    """Where the middle of the ball is in each frame, x and y in pixels: there it looks most as it did."""
    ball, mask = painted("ball-first.png")[BALL], painted("ball-mask.png")[BALL]
    scores = [cv2.matchTemplate(frame, ball, cv2.TM_SQDIFF, mask=mask) for frame in frames]
    return np.array([cv2.minMaxLoc(score)[2] for score in scores]) + 43.5


def disturbed(frames: list[NDArray], balls: NDArray) -> float:
    """How much further from the first picture than the first frame they are, at the most, of 255: below the cloud, where there
    is no ball and was none in either. What is lost in writing is lost of the first frame too, 1.8 of 255."""
    y, x = np.mgrid[: frames[0].shape[0], : frames[0].shape[1]]
    away = []
    for frame, ball in zip(frames, balls, strict=True):
        near = [np.hypot(x - at[0], y - at[1]) < 60 for at in (ball, (95.5, 299.5), (547.5, 299.5))]
        away.append(float(abs(frame - painted("ball-first.png"))[~np.any(near, axis=0) & (y > 130)].mean()))
    return max(away) - away[0]


def a_cut_is_held_and_not_morphed(comfyui, workflow, outputs):
    times, frames = played(saved(comfyui, outputs))
    given = played(CUT)[1]
    assert times == evenly(96, 50)
    assert "cut, at 0.960 s (hold)" in text(outputs, workflow)
    loss = max(apart(frames[2 * k], given[k]) for k in range(48))  # of encoding
    assert loss < 4
    assert apart(frames[46], frames[47]) < 0.5  # the shot's last frame, shown until the next begins
    assert apart(frames[47], given[23]) < loss + 0.5
    assert apart(frames[48], given[24]) < loss
    assert apart(frames[47], frames[48]) > 50
    assert min(apart(frames[45], given[22]), apart(frames[45], given[23])) > 3  # before it, there is motion


def a_loop_comes_round(comfyui, workflow, outputs):
    times, frames = played(saved(comfyui, outputs))
    assert times == evenly(74, 32)
    assert float(text(outputs, workflow)) < 1
    steps = [apart(one, other) for one, other in zip(frames, [*frames[1:], frames[0]], strict=True)]
    assert max(steps[-3:]) < 1.5 * max(steps[:-3])


def clips_that_share_frames_become_the_clip_that_they_are_of(comfyui, workflow, outputs):
    times, frames = played(saved(comfyui, outputs))
    assert times == evenly(FRAMES, RATE)
    assert text(outputs, workflow).count("4 shared frames left out") == 2  # a part begins with the frame shown at its start
    assert max(apart(*pair) for pair in zip(frames, played(FOX)[1], strict=True)) < 2


def speed_follows_a_curve_written_or_drawn(comfyui, workflow, outputs):
    given = played(FOX)[1]
    videos = all_saved(comfyui, outputs)
    times, frames = played(videos["ramp"])
    assert times == evenly(96, 32)
    for shown, source in ((0, 0), (32, 10), (80, 25), (94, 32)):  # 1 to 1/4 in 1 s is 0.625 s of the clip
        assert apart(frames[shown], given[source]) < 2
        assert apart(frames[shown], given[source]) < min(
            apart(frames[shown], other) for other in given if other is not given[source]
        )
    times, frames = played(videos["ramp-drawn"])
    assert times == evenly(len(frames), 32)
    assert 2.9 < len(frames) / 32 < 3.2


def a_shutter_blurs(comfyui, workflow, outputs):
    times, frames = played(saved(comfyui, outputs))
    assert times == evenly(FRAMES, RATE)
    sharp, blurred = ([float(abs(np.diff(frame, axis=1)).mean()) for frame in clip] for clip in (played(FOX)[1], frames))
    assert sum(blurred[:-1]) < 0.95 * sum(sharp[:-1])


def models_disagree_about_new_frames_alone(comfyui, workflow, outputs):
    videos = {name: played(path) for name, path in all_saved(comfyui, outputs).items()}
    given = len(videos["motion"][0])
    assert videos["consensus"][0] == videos["disagreement"][0] == evenly(2 * given, 2 * RATE)
    assert [frame.max() > 30 for frame in videos["disagreement"][1]] == [*[False, True] * (given - 1), False, False]
    assert videos["motion"][0] == evenly(given, RATE)
    assert [frame.min() < 200 for frame in videos["motion"][1]] == [True] * (given - 1) + [False]


def the_ball_flies_as_drawn(comfyui, workflow, outputs):
    times, frames = played(saved(comfyui, outputs))
    assert times == evenly(25, 24)
    drawn = tracks_of(loads(only(workflow, "InbetweenTrackEditor")["drawing"], SIZE), 25).path[:, 0].numpy()
    assert abs(balls(frames) - drawn).max() < 1.5
    assert disturbed(frames, drawn) < 0.5


def the_ball_rolls_as_its_points_were_matched(comfyui, workflow, outputs):
    (shown,) = (output["images"] for output in outputs.values() if output.get("images", [{}])[0].get("type") == "temp")
    assert len(shown) == 2
    times, frames = played(next(iter(all_saved(comfyui, outputs).values())))
    assert times == evenly(9, 8)
    straight = np.linspace((95.5, 299.5), (547.5, 299.5), 9)
    assert abs(balls(frames) - straight).max() < 1.5
    assert disturbed(frames, straight) < 0.5


def nodes_of_wan_show_what_was_drawn(comfyui, workflow, outputs):
    times, frames = played(saved(comfyui, outputs))
    assert times == evenly(81, 16)
    drawn = tracks_of(loads(only(workflow, "InbetweenTrackEditor")["drawing"], SIZE), 81).path[:, 0].numpy()
    first = painted("ball-first.png")
    for frame, (x, y) in zip(frames, drawn, strict=True):
        around = np.s_[max(0, round(y) - 4) : round(y) + 5, round(x) - 4 : round(x) + 5]
        assert apart(frame[around], first[around]) > 20


def twice_the_frames_in_the_same_time(comfyui, workflow, outputs):
    times, frames = played(saved(comfyui, outputs))
    assert times == evenly(2 * FRAMES, 2 * RATE)
    assert max(apart(*pair) for pair in zip(frames[::2], played(FOX)[1], strict=True)) < 3


def faults_of_hosted_clips_are_gone(comfyui, workflow, outputs):
    """One and a half times as fast, at 48 frames per second: each frame of the fox, 16 per second, is every other one."""
    times, frames = played(saved(comfyui, outputs))
    assert times == evenly(66, 48)
    fox = [cv2.resize(frame, (416, 240), interpolation=cv2.INTER_AREA) for frame in played(FOX)[1]]
    pairs = list(zip(frames[::2], fox, strict=True))
    assert max(apart(*pair) for pair in pairs) < 8  # repeats say when a frame was shown, not quite when it was taken
    assert max(apart(*pair) for pair in pairs[::2]) < 4.5
    assert max(abs(one.mean() - other.mean()) for one, other in pairs) < 4  # the flash adds 54
    steps = [apart(*pair) for pair in pairwise(frames[:65])]  # the last one is held
    assert min(steps) > 0.4 * float(np.median(steps))  # a repeated frame is no step
    assert max(steps) < 2.5 * float(np.median(steps))
    told = "\n".join(output["text"][0] for output in outputs.values() if "text" in output)
    assert "1 shared frames left out" in told
    assert "1 flash" in told


def a_generated_clip_is_healed(comfyui, workflow, outputs):
    times, frames = played(saved(comfyui, outputs))
    given = played(ROOT / "examples" / "hosted-1-24fps.mp4")[1]
    assert times == evenly(25, 24)
    changed = [k for k, pair in enumerate(zip(given, frames, strict=True)) if apart(*pair) > 3.5]  # the rest is encoding
    assert changed == [1, 4, 7, 10, 11, 13, 16, 19, 22]
    assert max(abs(one.mean() - other.mean()) for one, other in pairwise(frames)) < 4  # the flash adds 54
    assert min(apart(*pair) for pair in pairwise(frames[2:])) > 3  # a repeated frame is no step
    found = text(outputs, workflow).splitlines()
    assert [line.split(", ")[1].split(": ")[1] for line in found if ", from " in line].count("repeat") == 8
    assert any(line.startswith("frame 11, from 0.458 s: flash") for line in found)
    (compared,) = (output["inbetween_compare"][0] for output in outputs.values() if "inbetween_compare" in output)
    assert compared["of"] == 25


def flicker_is_gone(comfyui, workflow, outputs):
    times, frames = played(saved(comfyui, outputs))
    assert times == evenly(FRAMES, RATE)
    given = played(FLICKER)[1]

    def flicker(clip: list[NDArray]) -> float:
        """How much the light changes from frame to frame, more than it does in the fox."""
        light = np.array([[frame.mean(), fox.mean()] for frame, fox in zip(clip, played(FOX)[1], strict=True)])
        return float(np.diff(np.log(light[:, 0] / light[:, 1])).std())

    assert flicker(frames) < 0.25 * flicker(given)


def new_frames_are_judged(comfyui, workflow, outputs):
    lines = text(outputs, workflow).splitlines()
    assert lines[0] == "real frames: every:2"
    assert lines[1].startswith(f"{FRAMES - 1} made frames: expected PSNR ")
    named = [line for line in lines if line.startswith("frame ")]
    numbers = [int(line.split(",")[0].split()[1]) for line in named]
    assert len(numbers) == 10
    assert all(number % 2 for number in numbers)
    expected = [float(line.split(": ")[1].split()[0]) for line in named]
    assert expected == sorted(expected)
    assert max(expected) < 45
    (sheet,) = (item for output in outputs.values() for item in output.get("images", []))
    picture = cv2.imread(str(comfyui.base / "temp" / sheet["subfolder"] / sheet["filename"]))
    assert picture.shape[0] > picture.shape[1] == 1120


def the_ball_stays_in_the_window(comfyui, workflow, outputs):
    """Where it was painted, and where the window goes to: the ball of the first frame is found there in all others."""
    times, frames = played(saved(comfyui, outputs))
    assert times == evenly(45, 16)
    given = played(ROOM)[1]
    window, ball = (slice(100, 190), slice(84, 164)), (slice(112, 176), slice(92, 156))
    for frame, original in zip(frames[::11], given[::11], strict=True):
        moved = cv2.minMaxLoc(cv2.matchTemplate(original, given[0][window], cv2.TM_CCOEFF_NORMED))[3]
        found = cv2.minMaxLoc(cv2.matchTemplate(frame, frames[0][ball], cv2.TM_CCOEFF_NORMED))[3]
        assert np.abs(np.array(found) - moved - (8, 12)).max() < 6
        assert apart(frame[240:], original[240:]) < 3  # coded again


def a_sheet_is_made_whole(comfyui, workflow, outputs):
    asked, made = ("".join(outputs[key]["text"]) for key, node in workflow.items() if node["class_type"] == "PreviewAny")
    assert asked.splitlines()[0] == "layer B, frame 3: drawing 2, 1/4 between 1 and 5"
    assert made.splitlines() == [f"{made.split(':')[0]}: 10 new cels, 0 left"]
    times, frames = played(saved(comfyui, outputs))
    assert times == evenly(24, 24)
    loss = max(apart(frames[k], frames[k + 1]) for k in (0, 18, 20, 22))  # of encoding: these show the same
    assert loss < 0.5
    steps = [apart(frames[k], frames[k + 2]) for k in range(0, 16, 2)]
    assert min(steps) > 1 > 2 * loss
    assert all((abs(frame[10, 10] - 255) < 6).all() for frame in frames)  # paper stays white


def the_ball_is_on_twos_and_the_cloud_on_ones(comfyui, workflow, outputs):
    times, frames = played(saved(comfyui, outputs))
    assert times == evenly(25, 24)
    chart = workflow["5"]["inputs"]
    charts = of_json(chart["chart"]).places(chart["frames"])
    way = loads(only(workflow, "InbetweenTrackEditor")["drawing"], SIZE)
    wanted = way.at((0.0, *(float(ball) for _, ball in charts), 1.0)).path[:, 0].numpy()
    found = balls(frames)
    assert abs(found - wanted).max() < 1.5
    assert abs(found[2:-1:2] - found[3::2])[:-1].max() < 1.5  # each drawing for two frames
    assert disturbed(frames, wanted) < 0.5


def a_cartoon_on_twos_is_smooth_and_its_hold_stays(comfyui, workflow, outputs):
    times, frames = played(saved(comfyui, outputs))
    assert times == evenly(2 * sum(EXPOSED), 48)
    begins = 2 * sum(EXPOSED[: EXPOSED.index(HOLD)])
    ends = begins + 2 * (HOLD - 1)  # the last frame of the hold
    steps = [apart(*pair) for pair in pairwise(frames)]
    assert max(steps[begins:ends]) < 0.1
    moves = steps[:begins] + steps[ends:-3]  # the last drawing is held
    assert min(moves) > 2
    assert max(moves) < 2 * min(moves)
    for k in range(1, begins, 2):  # a drawing is new for four frames
        assert apart(frames[k], seen(bird(k / 4 / (len(EXPOSED) - 1)))) < 3
    assert "18 repeats in 46 frames" in text(outputs, workflow)


def drawings_are_filled_with_the_colours_of_their_keys(comfyui, workflow, outputs):
    times, frames = played(saved(comfyui, outputs))
    assert times == evenly(25, 24)
    for k, frame in enumerate(frames):
        truth = seen(bird(k / 48))
        assert apart(frame, truth) < 2
        assert (abs(frame - truth).max(axis=-1) > 60).mean() < 0.003  # on edges, whose colour is coded at half size
        assert apart(frame, seen(bird(k / 48, painted=False))) > 50


def the_ball_swings_at_its_own_pace(comfyui, workflow, outputs):
    times, frames = played(saved(comfyui, outputs))
    assert times == evenly(2 * (2 * SWINGS + 1), 24)
    scale, (ball,) = 480 / SIZE[0], swing([0])
    mask = cv2.resize(painted("ball-mask.png"), (480, 288), interpolation=cv2.INTER_AREA)
    y, x = np.nonzero(mask[..., 0] > 250)
    part = np.s_[y.min() : y.max() + 1, x.min() : x.max() + 1]

    def place(frame: NDArray) -> float:
        """How far to the right of its first place the ball is, to a part of a pixel."""
        score = cv2.matchTemplate(frame, ball[part].astype(np.float32), cv2.TM_SQDIFF, mask=np.float32(mask[part] > 250))
        at, row = cv2.minMaxLoc(score)[2]
        left, here, right = score[row, at - 1 : at + 2]
        return at - x.min() + (left - right) / (left - 2 * here + right) / 2

    off = [abs(place(frames[k]) - scale * swing_at(k / 2)) for k in range(1, 4 * SWINGS, 2)]
    assert np.mean(off) < 0.7  # 0.92 at even motion
    assert max(off) < 1.2  # 1.5 at even motion
    (compared,) = (output["inbetween_compare"][0] for output in outputs.values() if "inbetween_compare" in output)
    assert compared["of"] == len(frames)


EXPECTED = {
    "Interpolate a clip": twice_the_frames_in_the_same_time,
    "Interpolate a clip with cuts": a_cut_is_held_and_not_morphed,
    "Smooth a batch of images": twice_the_frames_in_the_same_time,
    "Ramp the speed of a clip": speed_follows_a_curve_written_or_drawn,
    "Make a clip loop": a_loop_comes_round,
    "Join clips": clips_that_share_frames_become_the_clip_that_they_are_of,
    "Blur motion as a film camera does": a_shutter_blurs,
    "Move things along drawn paths": the_ball_flies_as_drawn,
    "Move things along matched points": the_ball_rolls_as_its_points_were_matched,
    "Draw tracks for Wan": nodes_of_wan_show_what_was_drawn,
    "See where models disagree": models_disagree_about_new_frames_alone,
    "Finish clips of hosted models": faults_of_hosted_clips_are_gone,
    "Heal a generated clip": a_generated_clip_is_healed,
    "Steady a flickering clip": flicker_is_gone,
    "Find the frames to look at": new_frames_are_judged,
    "Carry a retouch through a clip": the_ball_stays_in_the_window,
    "In-between an exposure sheet": a_sheet_is_made_whole,
    "Space each part by its chart": the_ball_is_on_twos_and_the_cloud_on_ones,
    "A cartoon on twos": a_cartoon_on_twos_is_smooth_and_its_hold_stays,
    "Colour from two coloured keys": drawings_are_filled_with_the_colours_of_their_keys,
    "Motion that speeds up and slows down": the_ball_swings_at_its_own_pace,
}
"""What comes out of each example that needs no weights of others, by title."""

LIGHTER: dict[str, dict[str, list[dict[str, object]]]] = {
    "Smooth a batch of images": {"InbetweenLoadModel": [{"model": "linear"}]},
    "Ramp the speed of a clip": {"InbetweenLoadModel": [{"model": "linear"}]},
    "Blur motion as a film camera does": {"InbetweenShutterVideo": [{"samples": 2}]},
    "Move things along matched points": {"InbetweenInterpolate": [{"mode.times": 8}]},
    "See where models disagree": {"InbetweenLoadModel": [{"model": "dis"}, {"model": "linear"}]},
    "Carry a retouch through a clip": {"InbetweenPaintThrough": [{"radius": 0}]},
    "Space each part by its chart": {"InbetweenLoadModel": [{"model": "linear"}]},
    "Find the frames to look at": {
        "InbetweenExampleClip": [{"file": "flicker-16fps.mp4"}],  # as many frames, a quarter of the pixels
        "InbetweenLoadModel": [{"model": "linear"}],
    },
}
"""Changes that make an example quicker: for each class, the inputs of its nodes, in the order of their ids."""


@pytest.mark.parametrize("name", [name for name in EXPECTED if name != "Interpolate a clip"])  # test_comfyui runs that one
def test_what_comes_out(comfyui, session, name: str):
    workflow = api_form(name)
    for kind, changes in LIGHTER.get(name, {}).items():
        nodes = [node["inputs"] for node in workflow.values() if node["class_type"] == kind]
        for inputs, change in zip(nodes, changes, strict=True):
            inputs.update(change)
    if name == "Draw tracks for Wan":
        only(workflow, "WanMoveVisualizeTracks")["images"] = ["2", 0]  # not our own preview: theirs is all that is drawn
    outputs, _ = session.run(workflow)
    EXPECTED[name](comfyui, workflow, outputs)
    assert session.complaints() == []
