"""``vfi shots``, and what ``vfi interpolate`` makes of cuts, duplicates and plans."""

from __future__ import annotations

import json
from fractions import Fraction as F
from itertools import pairwise
from pathlib import Path

import pytest
import torch

from vfi import __main__
from vfi.clips.open import open_clip
from vfi.core import Frame
from vfi.edit.plan import Plan

CLIPS = Path(__file__).parents[1] / "data" / "clips"
CUT = Path(__file__).parents[2] / "examples" / "cut-25fps.mp4"
TWOS = CLIPS / "on_twos_24fps.mp4"


def vfi(*arguments: object) -> int:
    return __main__.main([str(argument) for argument in arguments])


def made(tmp_path: Path, source: Path, *options: object) -> list[Frame]:
    out = tmp_path / "out.mkv"
    assert vfi("interpolate", source, out, "--codec", "ffv1", "--model", "linear", "--overwrite", *options) == 0
    return list(open_clip(out))


def nearest(frame: Frame, given: list[Frame]) -> float:
    """How far a frame is from the nearest of some others, of 255."""
    return min(float((frame.rgb - one.rgb).abs().mean()) * 255 for one in given)


def test_shots_are_listed(capsys: pytest.CaptureFixture[str]):
    assert vfi("shots", CUT) == 0
    out = capsys.readouterr().out
    assert "1 cut, at 0.960 s (hold)" in out
    assert "cut, hold" in out
    assert "48 frames, 25 fps, 1.920 s -> 96 frames, 50 fps, 1.920 s" in out


def test_fades_are_listed(capsys: pytest.CaptureFixture[str]):
    assert vfi("shots", CLIPS / "fade_through_black.mp4") == 0
    out = capsys.readouterr().out
    assert "1 fade, at 0.760 s" in out
    assert "cut" not in out


def test_cadence_is_listed(capsys: pytest.CaptureFixture[str]):
    assert vfi("shots", TWOS) == 0
    assert "on twos, 24 repeats" in capsys.readouterr().out


def test_the_plan_is_printed_for_machines_and_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert vfi("shots", CUT, "--json", "--plan", tmp_path / "plan.json", "--fps", 60, "--cuts", "blend", "--edit", "+12") == 0
    text = capsys.readouterr().out
    assert (tmp_path / "plan.json").read_text(encoding="utf-8") == text
    plan = Plan.from_json(text)
    assert [(shot.start, shot.across) for shot in plan.shots[1:]] == [(F(12, 25), "blend"), (F(24, 25), "blend")]
    assert json.loads(text)["output"] == {"times": None, "fps": "60", "slow": None, "frames": 116}


@pytest.mark.parametrize(
    ("policy", "shown"), [([], "before"), (["--cuts", "blend"], "both"), (["--cuts", "interpolate"], "both")], ids=str
)
def test_nothing_is_mixed_across_a_cut_unless_asked(tmp_path: Path, policy, shown, capsys: pytest.CaptureFixture[str]):
    frames, given = made(tmp_path, CUT, "--times", 2, *policy), list(open_clip(CUT))
    assert [frame.time for frame in frames] == [F(k, 50) for k in range(96)]
    assert sum(frame.duration for frame in frames) == F(48, 25)
    assert (nearest(frames[47], given[23:24]) < 1) == (shown == "before")
    assert nearest(frames[48], given[24:25]) < 1
    said = capsys.readouterr().err
    assert ("1 cut, at 0.960 s" in said) == (policy != ["--cuts", "interpolate"])


def test_motion_is_spread_over_repeats_or_they_are_kept(tmp_path: Path):
    given = list(open_clip(TWOS))
    kept, spread = made(tmp_path, TWOS, "--times", 1), made(tmp_path, TWOS, "--times", 1, "--duplicates", "spread")
    assert [frame.time for frame in spread] == [frame.time for frame in kept] == [frame.time for frame in given]
    steps = [[float((b.rgb - a.rgb).abs().mean()) * 255 for a, b in pairwise(clip)] for clip in (kept, spread)]
    assert max(steps[0][::2]) < 2
    assert min(steps[1][:46]) > 1
    assert all(nearest(frame, given[2 * k : 2 * k + 1]) < 1 for k, frame in enumerate(spread[::2]))


def test_an_edited_plan_is_followed(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    path = tmp_path / "plan.json"
    assert vfi("shots", CUT, "--plan", path, "--times", 3) == 0
    data = json.loads(path.read_text(encoding="utf-8"))
    data["shots"][1:] = [{"start": "8/25"}, {"start": "0.96", "across": "blend"}]
    path.write_text(json.dumps(data), encoding="utf-8")
    frames, given = made(tmp_path, CUT, "--plan", path, "--json"), list(open_clip(CUT))
    assert len(frames) == 144
    assert torch.equal(frames[22].rgb, frames[21].rgb)
    assert torch.equal(frames[23].rgb, frames[21].rgb)
    assert nearest(frames[70], given) > 3
    told = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert "2 cuts, at 0.320, 0.960 s (blend, hold)" in told["notes"]
    assert len(made(tmp_path, CUT, "--plan", path, "--times", 1)) == 48


@pytest.mark.parametrize(
    ("text", "options", "says"),
    [
        ("{}", [], "plan.json: the plan has no 'plan'"),
        (None, [], "plan.json cannot be read as text"),
        ('{"start": "0.5"}', [], "the nearest frame begins at 12/25 (0.480 s)"),
        ('{"start": "24/25"}', ["--edit", "+3"], "--edit cannot be combined with --plan"),
    ],
)
def test_bad_plans_are_one_sentence_and_leave_nothing(text, options, says, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    path = tmp_path / "plan.json"
    if text and "start" in text:
        assert vfi("shots", CUT, "--plan", path) == 0
        path.write_text(
            path.read_text(encoding="utf-8").replace('{"start": "24/25", "frames": 24', text[:-1]), encoding="utf-8"
        )
    elif text:
        path.write_text(text, encoding="utf-8")
    capsys.readouterr()
    assert vfi("interpolate", CUT, tmp_path / "out.mkv", "--model", "linear", "--plan", path, *options) == 2
    err = capsys.readouterr().err.strip().splitlines()[-1]
    assert err.startswith("vfi: ")
    assert says in err
    assert {one.name for one in tmp_path.iterdir()} <= {"plan.json"}


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["missing.mp4"], "does not exist"),
        ([CUT, "--plan", "nowhere/plan.json"], "there is no folder"),
        ([CUT, "--edit", "-3"], "none"),
    ],
)
def test_bad_input_is_one_sentence(arguments, says, tmp_path, monkeypatch, capsys: pytest.CaptureFixture[str]):
    monkeypatch.chdir(tmp_path)
    assert vfi("shots", *arguments) == 2
    assert says in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
