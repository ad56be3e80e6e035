"""``vfi heal`` on files, and ``vfi interpolate`` along a plan with findings."""

from __future__ import annotations

import json
from fractions import Fraction as F
from pathlib import Path

import numpy as np
import pytest
import torch
from footage import film, panned

from vfi import __main__
from vfi.clips.clip import Encoding, Info
from vfi.clips.open import create_clip, open_clip
from vfi.clips.video.sound import end_of_sound
from vfi.core import Frame

FLASH = (8, 9)
CLEAN = [(one * 255).round() / 255 for one in panned(24)]
"""What the clips show, in whole steps of 8 bits."""


def vfi(*arguments: object) -> int:
    return __main__.main([*map(str, arguments)])


def healed(*arguments: object, model: str = "linear") -> int:
    return vfi("heal", *arguments, "--codec", "ffv1", "--model", model)


def clip(path: Path, change=lambda k, frame: frame, numbers=range(20), sound: Path | None = None, alpha: bool = False) -> Path:
    """Frames of a soft moving picture, 24 a second, without loss."""
    shown = torch.full((1, 64, 64), 0.8) if alpha else None
    with create_clip(path, Info(64, 64, rate=F(24), alpha=alpha), encoding=Encoding("ffv1"), audio=sound) as writer:
        for k, number in enumerate(numbers):
            writer.write(Frame(change(k, CLEAN[number]), F(k, 24), F(1, 24), shown))
    return path


def flashed(k: int, rgb: torch.Tensor) -> torch.Tensor:
    return torch.ones_like(rgb) if k in FLASH else rgb


@pytest.fixture
def flash(tmp_path: Path) -> Path:
    return clip(tmp_path / "flash.mkv", flashed)


def pictures(path: Path) -> list[torch.Tensor]:
    return [frame.rgb for frame in open_clip(path)]


def test_findings_are_listed_for_machines(flash: Path, capsys: pytest.CaptureFixture[str]):
    assert vfi("heal", flash, "--list", "--json") == 0
    (one,) = json.loads(capsys.readouterr().out)["findings"]
    assert (one["kind"], one["first"], one["last"], one["count"], one["action"]) == ("flash", 8, 9, 2, "remake")
    assert 0.5 < one["confidence"] <= 1


def test_findings_are_listed_for_people(flash: Path, capsys: pytest.CaptureFixture[str]):
    assert vfi("heal", flash, "--list") == 0
    out = capsys.readouterr().out
    assert "8-9" in out
    assert "remake" in out
    assert vfi("heal", clip(flash.with_name("clean.mkv")), "--list") == 0
    assert "nothing was found" in capsys.readouterr().out


def test_a_flash_is_remade_and_all_else_is_copied(flash: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert healed(flash, tmp_path / "out.mkv", model="dis") == 0
    given, made, wanted = pictures(flash), pictures(tmp_path / "out.mkv"), CLEAN[:20]
    assert len(made) == 20
    assert [k for k in range(20) if not torch.equal(given[k], made[k])] == list(FLASH)
    assert all(float((made[k] - wanted[k]).abs().mean()) < 0.05 for k in FLASH)
    assert "2 frames (flash) at frame 8-9: remade" in capsys.readouterr().err


def test_a_plan_is_edited_and_given_back(flash: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    plan = tmp_path / "plan.json"
    assert vfi("heal", flash, "--list", "--plan", plan) == 0
    data = json.loads(plan.read_text(encoding="utf-8"))
    data["findings"][0] |= {"last": 8, "count": 1, "end": None}
    plan.write_text(json.dumps(data), encoding="utf-8")
    assert healed(flash, tmp_path / "out.mkv", "--plan", plan) == 0
    given, made = pictures(flash), pictures(tmp_path / "out.mkv")
    assert [k for k in range(20) if not torch.equal(given[k], made[k])] == [8]
    assert healed(flash, tmp_path / "kept.mkv", "--plan", plan, "--without", "flash") == 0
    assert all(map(torch.equal, given, pictures(tmp_path / "kept.mkv")))
    assert "1 of 1 findings are left as they are: flash is switched off" in capsys.readouterr().err
    other = clip(tmp_path / "other.mkv", numbers=range(6))
    assert healed(other, tmp_path / "none.mkv", "--plan", plan) == 2
    assert "the plan is of a clip of 20 frames (0.833 s), and this one has 6" in capsys.readouterr().err
    assert not (tmp_path / "none.mkv").exists()


@pytest.mark.parametrize("length", [6, 24])
def test_a_plan_of_another_clip_is_refused(length: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    plan, other = tmp_path / "plan.json", clip(tmp_path / "other.mkv", numbers=range(length))
    assert vfi("shots", clip(tmp_path / "in.mkv"), "--plan", plan) == 0
    capsys.readouterr()
    assert vfi("interpolate", other, tmp_path / "out.mkv", "--plan", plan, "--model", "linear") == 2
    said = capsys.readouterr().err
    assert f"the plan is of a clip of 20 frames (0.833 s), and this one has {length}: give the plan of this clip" in said
    assert not (tmp_path / "out.mkv").exists()


def test_interpolate_follows_findings_in_the_same_pass(flash: Path, tmp_path: Path):
    plan = tmp_path / "plan.json"
    assert vfi("heal", flash, "--list", "--plan", plan) == 0
    assert (
        vfi("interpolate", flash, tmp_path / "out.mkv", "--plan", plan, "--times", 2, "--codec", "ffv1", "--model", "linear")
        == 0
    )
    given, made = pictures(flash), pictures(tmp_path / "out.mkv")
    assert len(made) == 40
    assert all(torch.equal(given[k], made[2 * k]) == (k not in FLASH) for k in range(20))
    assert max(float(one.mean()) for one in made) < 0.9


def listed(tmp_path: Path, source: Path, *found: dict[str, object]) -> Path:
    """A plan of ``source`` with these findings."""
    plan = tmp_path / "by_hand.json"
    assert vfi("shots", source, "--plan", plan, "--overwrite", "--times", 1) == 0
    data = json.loads(plan.read_text(encoding="utf-8"))
    plan.write_text(json.dumps({**data, "findings": found}), encoding="utf-8")
    return plan


@pytest.mark.parametrize(("duration", "frames"), [("grow", 21), ("keep", 19)])
def test_missing_frames_are_made_or_their_motion_is_spread(tmp_path: Path, duration: str, frames: int):
    source = clip(
        tmp_path / "in.mkv",
        numbers=[*range(9), *range(11, 21)],
        sound=film(tmp_path / "s.mp4", range(25), F(1, 24), sound=F(1)),
    )
    plan = listed(tmp_path, source, {"kind": "missing", "first": 9, "count": 2})
    assert healed(source, tmp_path / "out.mkv", "--plan", plan, "--duration", duration) == 0
    given, made = pictures(source), pictures(tmp_path / "out.mkv")
    assert len(made) == frames
    same = [any(torch.equal(one, other) for other in given) for one in made]
    assert [k for k, kept in enumerate(same) if not kept] == ([9, 10] if duration == "grow" else list(range(1, 17)))
    longer = end_of_sound(tmp_path / "out.mkv") - end_of_sound(source)
    assert abs(longer - (F(2, 24) if duration == "grow" else 0)) < F(1, 40)


def test_ends_are_cut_off_with_their_sound(tmp_path: Path):
    source = clip(tmp_path / "in.mkv", sound=film(tmp_path / "s.mp4", range(25), F(1, 24), sound=F(1)))
    found = [{"kind": "junk", "first": 0, "last": 2}, {"kind": "freeze", "first": 17, "last": 19}]
    assert healed(source, tmp_path / "out.mkv", "--plan", listed(tmp_path, source, *found)) == 0
    assert all(map(torch.equal, pictures(source)[3:17], pictures(tmp_path / "out.mkv")))
    ends = [end_of_sound(path) for path in (source, tmp_path / "out.mkv")]
    assert abs(ends[1] - F(14, 24)) < F(1, 12)


def test_repeats_are_spread_or_dropped(tmp_path: Path):
    source = clip(tmp_path / "in.mkv", numbers=[*range(9), 8, *range(9, 20)])
    plan = listed(tmp_path, source, {"kind": "repeat", "first": 9})
    assert healed(source, tmp_path / "spread.mkv", "--plan", plan) == 0
    assert len(pictures(tmp_path / "spread.mkv")) == 21
    assert healed(source, tmp_path / "drop.mkv", "--plan", plan, "--repeats", "drop") == 0
    wanted = CLEAN[:20]
    assert all(
        torch.allclose(one, other, atol=1e-3) for one, other in zip(pictures(tmp_path / "drop.mkv"), wanted, strict=True)
    )


def test_alpha_is_kept(tmp_path: Path):
    source = clip(tmp_path / "in.mkv", flashed, alpha=True)
    plan = listed(tmp_path, source, {"kind": "flash", "first": 8, "last": 9})
    assert healed(source, tmp_path / "out.mkv", "--plan", plan) == 0
    assert all(frame.alpha is not None for frame in open_clip(tmp_path / "out.mkv"))


@pytest.mark.parametrize("frames", [1, 2])
def test_the_shortest_clips_are_copied(tmp_path: Path, frames: int):
    source = clip(tmp_path / "in.mkv", numbers=range(frames))
    assert healed(source, tmp_path / "out.mkv") == 0
    assert all(map(torch.equal, pictures(source), pictures(tmp_path / "out.mkv")))


def test_a_clip_that_is_all_flash_is_copied(tmp_path: Path):
    source = clip(tmp_path / "in.mkv", lambda k, rgb: torch.ones_like(rgb))
    assert healed(source, tmp_path / "out.mkv") == 0
    assert len(pictures(tmp_path / "out.mkv")) == 20


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--list", "out.mkv"), "--list was given with an output"),
        ((), "the following arguments are required: OUT"),
        (("out.mkv", "--only", "hiccup"), "'hiccup' is no kind of finding"),
    ],
)
def test_what_cannot_be_done_is_one_sentence(
    flash: Path, words: tuple[str, ...], told: str, capsys: pytest.CaptureFixture[str]
):
    try:
        code = vfi("heal", flash, *words)
    except SystemExit as ended:
        code = ended.code
    assert code == 2
    assert told in capsys.readouterr().err


def test_the_plan_is_not_written_over_the_clip(flash: Path, capsys: pytest.CaptureFixture[str]):
    before = flash.read_bytes()
    assert vfi("heal", flash, "--list", "--plan", flash) == 2
    assert "is an input" in capsys.readouterr().err
    assert flash.read_bytes() == before


def test_variable_frame_rates_keep_their_times(tmp_path: Path):
    stamps = [0, 1, 2, 4, 5, 6, 8, 9, 10, 12, 13, 14, 16]
    source = film(tmp_path / "in.mp4", stamps, F(1, 24), shade=lambda k: 40 + 4 * k)
    plan = listed(tmp_path, source, {"kind": "flash", "first": 5})
    assert healed(source, tmp_path / "out.mkv", "--plan", plan) == 0
    times = [frame.time for frame in open_clip(tmp_path / "out.mkv")]
    assert np.allclose([float(time) for time in times], [stamp / 24 for stamp in stamps[:-1]], atol=2e-3)


UNEVEN = [k * 5 // 4 for k in range(19)]
"""Four frames of five, as a change from 30 to 24 frames per second leaves them."""


def test_uneven_motion_is_listed_and_kept_unless_it_is_asked_for(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    source, plan = clip(tmp_path / "in.mkv", numbers=UNEVEN), tmp_path / "plan.json"
    actions = []
    for words in ((), ("--even",)):
        assert vfi("heal", source, "--list", "--json", "--only", "uneven", *words, "--plan", plan, "--overwrite") == 0
        (one,) = json.loads(capsys.readouterr().out)["findings"]
        actions.append(one["action"])
        assert (one["kind"], one["first"], one["last"], len(one["offsets"])) == ("uneven", 0, 18, 19)
        assert one["offsets"][:6] == pytest.approx([0, 0.2, 0.4, 0.6, 0, 0.2])
    assert actions == ["keep", "retime"]
    assert healed(source, tmp_path / "kept.mkv", "--only", "uneven") == 0
    assert all(map(torch.equal, pictures(source), pictures(tmp_path / "kept.mkv")))
    assert healed(source, tmp_path / "even.mkv", "--plan", plan) == 0
    made = pictures(tmp_path / "even.mkv")
    assert len(made) == 19
    same = {k for k, (one, given) in enumerate(zip(made, pictures(source), strict=True)) if torch.equal(one, given)}
    assert {0, 4, 8, 18} <= same
    assert same.isdisjoint((1, 2, 3, 5, 6, 7))
    assert "19 frames (uneven) at frame 0-18: shown at their true times" in capsys.readouterr().err


@pytest.mark.parametrize(("words", "frames"), [((), 38), (("--fps", 60), 48), (("--slow", 2), 38), (("--times", 1), 19)])
def test_interpolate_makes_uneven_motion_even_in_the_same_pass(tmp_path: Path, words: tuple[object, ...], frames: int):
    source = clip(tmp_path / "in.mkv", numbers=UNEVEN)
    out = tmp_path / "out.mkv"
    assert vfi("interpolate", source, out, "--even", *words, "--codec", "ffv1", "--model", "nearest") == 0
    made, given = pictures(out), pictures(source)
    assert len(made) == frames
    assert torch.equal(made[0], given[0])
    assert sum(torch.equal(one, given[5]) for one in made) >= (0 if words == ("--times", 1) else 1)


def test_even_motion_stays_and_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    source = clip(tmp_path / "in.mkv")
    plan = listed(tmp_path, source)
    for words in ((), ("--plan", plan)):
        assert healed(source, tmp_path / "out.mkv", "--even", "--overwrite", *words) == 0
        assert "no uneven motion was found" in capsys.readouterr().err
        assert all(map(torch.equal, pictures(source), pictures(tmp_path / "out.mkv")))
    assert vfi("interpolate", source, tmp_path / "more.mkv", "--even", "--plan", plan, "--model", "linear") == 0
    assert "no uneven motion was found" in capsys.readouterr().err


def test_frames_that_move_are_not_made_in_several_processes(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    source = clip(tmp_path / "in.mkv", numbers=UNEVEN)
    assert vfi("interpolate", source, tmp_path / "out.mkv", "--even", "--workers", 2, "--model", "linear") == 2
    assert "cannot be combined with several processes" in capsys.readouterr().err


def test_flicker_is_taken_out_in_the_same_pass(tmp_path: Path):
    source = clip(tmp_path / "lit.mkv", lambda k, frame: (frame * (1.04 if k % 2 else 1.0)).clamp(0, 1))

    def flicker(path: Path) -> float:
        light = np.diff([float(picture.float().mean()) for picture in pictures(path)])
        return float(np.abs(np.diff(light)).mean())

    assert healed(source, tmp_path / "out.mkv", "--only", "flash", "--steady", 1) == 0
    assert flicker(tmp_path / "out.mkv") < 0.4 * flicker(source)


def test_a_report_is_written_beside_the_clip(flash: Path, tmp_path: Path):
    page = tmp_path / "report.html"
    assert healed(flash, tmp_path / "out.mkv", "--report", page, model="dis") == 0
    text = page.read_text(encoding="utf-8")
    assert "1 finding in 20 frames: 1 flash. It is mended." in text
    assert "out.mkv" in text
    assert '<b class="a">after</b>, frame 9' in text
    assert text.count("<img ") == 2 + 2 * 4
    assert torch.equal(pictures(tmp_path / "out.mkv")[0], pictures(flash)[0])


def test_a_report_of_a_list_shows_what_was_found(flash: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    page = tmp_path / "report.html"
    assert vfi("heal", flash, "--list", "--json", "--report", page) == 0
    assert json.loads(capsys.readouterr().out)["findings"][0]["kind"] == "flash"
    text = page.read_text(encoding="utf-8")
    assert "Nothing was changed." in text
    assert text.count("<img ") == 1 + 4


def test_a_report_follows_a_plan(flash: Path, tmp_path: Path):
    plan = listed(tmp_path, flash, {"kind": "flash", "first": 8, "last": 9}, {"kind": "dark", "first": 15, "action": "keep"})
    page = tmp_path / "report.html"
    assert healed(flash, tmp_path / "out.mkv", "--plan", plan, "--report", page) == 0
    assert "2 findings in 20 frames: 1 flash, 1 dark. 1 mended, 1 left." in page.read_text(encoding="utf-8")


@pytest.mark.parametrize("more", [(), ("--list",)])
def test_a_report_replaces_nothing_unasked(
    flash: Path, tmp_path: Path, more: tuple[str, ...], capsys: pytest.CaptureFixture[str]
):
    page, out = tmp_path / "report.html", [] if more else [tmp_path / "out.mkv"]
    page.write_text("mine", encoding="utf-8")
    assert healed(flash, *out, *more, "--report", page) == 2
    assert "exists already" in capsys.readouterr().err
    assert page.read_text(encoding="utf-8") == "mine"
    assert not (tmp_path / "out.mkv").exists()


@pytest.mark.parametrize(
    ("name", "told"),
    [("report.pdf", "must end in .html"), ("none/report.html", "there is no folder"), ("-", "must end in .html")],
)
def test_a_report_that_cannot_be_written_is_told_before_any_work(
    flash: Path, tmp_path: Path, name: str, told: str, capsys: pytest.CaptureFixture[str]
):
    try:
        code = healed(flash, tmp_path / "out.mkv", "--report", name if name == "-" else tmp_path / name)
    except SystemExit as ended:
        code = ended.code
    assert code == 2
    assert told in capsys.readouterr().err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["flash.mkv"]


def test_a_report_belongs_to_one_clip(flash: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert vfi("heal", flash, "--out-dir", tmp_path / "out", "--report", tmp_path / "report.html") == 2
    assert "--report belongs to one clip" in capsys.readouterr().err


def test_no_report_is_left_if_no_clip_is_made(flash: Path, tmp_path: Path):
    plan = listed(tmp_path, flash, {"kind": "junk", "first": 0, "last": 19})
    assert healed(flash, tmp_path / "out.mkv", "--plan", plan, "--report", tmp_path / "report.html") == 2
    assert not [path.name for path in tmp_path.iterdir() if "report" in path.name]
