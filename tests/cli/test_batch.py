"""Several inputs into one folder, a watched folder, and progress for other programs."""

from __future__ import annotations

import os
import shutil
from argparse import Namespace
from fractions import Fraction as F
from itertools import count
from pathlib import Path

import pytest
from footage import film, moving

from vfi import __main__
from vfi.cli.batch import Watched, output_of, watch
from vfi.clips.clip import Info
from vfi.clips.open import create_clip, open_clip

LINEAR = ("--model", "linear")


def vfi(*arguments: object) -> int:
    return __main__.main([*map(str, arguments)])


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with ``a.mp4``, ``b.mkv``, ``c.avi``, each of four frames, and a folder of as many images, ``images``."""
    monkeypatch.chdir(tmp_path)
    film(Path("a.mp4"), range(5), F(1, 24))
    film(Path("b.mkv"), range(5), F(1, 24))
    film(Path("c.avi"), range(5), F(1, 24), codec="mpeg4")
    with create_clip(Path("images"), Info(64, 48, rate=None)) as writer:
        for frame in moving(4):
            writer.write(frame)
    return tmp_path


def test_each_input_is_made_under_its_own_name(capsys: pytest.CaptureFixture[str]):
    assert vfi("interpolate", "a.mp4", "b.mkv", "--times", 2, "c.avi", "images/", "--out-dir", "new/smooth", *LINEAR) == 0
    made = sorted(path.name for path in Path("new/smooth").iterdir())
    assert made == ["a.mp4", "b.mkv", "c.mp4", "images"]
    assert {len(list(open_clip(Path("new/smooth") / name))) for name in made} == {8}
    said = capsys.readouterr()
    assert said.out == ""
    lines = said.err.splitlines()
    assert [line.partition(":")[0] for line in lines] == [f"new/smooth/{name}" for name in made]
    assert all(": 8 frames, " in line for line in lines)


def test_one_result_a_line_for_machines(capsys: pytest.CaptureFixture[str]):
    assert vfi("retime", "--speed", "0.5", "--out-dir=o", "a.mp4", "images", "--json", *LINEAR) == 0
    assert [line.count('"frames": 8') for line in capsys.readouterr().out.splitlines()] == [1, 1]


def test_a_failed_one_does_not_stop_the_rest(capsys: pytest.CaptureFixture[str]):
    Path("bad.mp4").write_bytes(b"not a video")
    assert vfi("interpolate", "none.mp4", "a.mp4", "bad.mp4", "b.mkv", "--out-dir", "o", *LINEAR) == 3
    assert sorted(path.name for path in Path("o").iterdir()) == ["a.mp4", "b.mkv"]
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "vfi: none.mp4 does not exist"
    assert lines[2].startswith("vfi: bad.mp4 is not a readable video")
    assert lines[4:] == ["vfi: 2 of 4 inputs failed"]
    assert vfi("interpolate", "none.mp4", "bad.mp4", "--out-dir", "o", *LINEAR) == 1
    before = Path("o/a.mp4").read_bytes()
    assert vfi("interpolate", "a.mp4", "c.avi", "--out-dir", "o", "--times", 3, *LINEAR) == 3
    assert Path("o/a.mp4").read_bytes() == before
    assert vfi("interpolate", "a.mp4", "--out-dir", "o", "--times", 3, "--overwrite", *LINEAR) == 0
    assert len(list(open_clip("o/a.mp4"))) == 12


def test_a_restart_skips_what_exists(capsys: pytest.CaptureFixture[str]):
    Path("o").mkdir()
    Path("o/a.mp4").write_bytes(b"made before")
    assert vfi("interpolate", "a.mp4", "b.mkv", "--out-dir", "o", "--skip-existing", *LINEAR) == 0
    assert capsys.readouterr().err.splitlines()[0] == "o/a.mp4: skipped, it exists"
    assert Path("o/a.mp4").read_bytes() == b"made before"
    assert len(list(open_clip("o/b.mkv"))) == 8
    assert vfi("interpolate", "a.mp4", "b.mkv", "--out-dir", "o", "--skip-existing", "--progress", "percentage", *LINEAR) == 0
    assert percentages(capsys.readouterr().err) == [50, 100]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("a.mp4", "--skip-existing", "--overwrite"), "choose one of the two"),
        (("a.mp4", "sub/a.mp4"), "a.mp4 and sub/a.mp4 would both become o/a.mp4"),
        (("c.avi", "c.mp4"), "c.avi and c.mp4 would both become o/c.mp4"),
        (("a.mp4", "a.mp4"), "would both become"),
        (("a.mp4", "b.mkv", "--out-dir", "."), "a.mp4 is an input"),
        (("sub/a.mp4", "--out-dir", "link"), "link/a.mp4 is an input"),
        (("a.mp4", "-"), "standard input has no name"),
        (("a.mp4", "--plan", "p.json"), "--plan belongs to one clip"),
        (("a.mp4", "--consensus", "nearest", "--disagreement", "d"), "--disagreement belongs to one clip"),
        ((), "without an input"),
        (("--watch", "sub", "a.mp4"), "put inputs into the folder"),
        (("--watch", "none"), "none is not a folder"),
        (("--watch", "sub", "--out-dir", "sub"), "sub is the watched folder"),
        (("--watch", "sub", "--progress", "percentage"), "it has no end"),
        (("a.mp4", "--out-dir", "a.mp4"), "a.mp4 cannot be made"),
        (("b.mkv", "--out-dir", "a.mp4"), "a.mp4 cannot be made"),
    ],
)
def test_what_cannot_be_done_is_told_before_work(capsys: pytest.CaptureFixture[str], words: tuple[str, ...], says: str):
    Path("sub").mkdir()
    shutil.copy("a.mp4", "sub/a.mp4")
    shutil.copy("a.mp4", "c.mp4")
    Path("link").symlink_to("sub", target_is_directory=True)
    before = sorted(Path().rglob("*"))
    words = words if "--out-dir" in words else (*words, "--out-dir", "o")
    assert vfi("interpolate", *words, *LINEAR) == 2
    err = capsys.readouterr().err
    assert says in err
    assert err.count("\n") == 1
    assert sorted(Path().rglob("*")) == before


def test_wrong_options_are_named(capsys: pytest.CaptureFixture[str]):
    for words in (
        ("interpolate", "a.mp4", "--out-dir", "o", "--tims", "2"),
        ("tween", "a", "b", "--out-dir", "o", "--frames", 1),
    ):
        with pytest.raises(SystemExit):
            vfi(*words)
        assert "unrecognized arguments" in capsys.readouterr().err
    assert vfi("interpolate", "a.mp4", "b.mkv", "--out-d", "o") == 2
    assert "write --out-dir or --watch" in capsys.readouterr().err
    assert vfi("interpolate", "--watch", ".") == 2
    assert "without --out-dir" in capsys.readouterr().err


def test_names_with_a_dash_follow_two_dashes(folder: Path):
    shutil.copy("a.mp4", "-a.mp4")
    assert vfi("interpolate", "--out-dir", "o", *LINEAR, "--", "-a.mp4", "b.mkv") == 0
    assert sorted(path.name for path in Path("o").iterdir()) == ["-a.mp4", "b.mkv"]


@pytest.mark.parametrize(
    ("name", "codec", "made"),
    [
        ("A.MP4", None, "A.MP4"),
        ("a.b.mov", None, "a.b.mov"),
        ("a.y4m", None, "a.y4m"),
        ("a.avi", None, "a.mp4"),
        ("a", None, "a.mp4"),
        ("a.mp4", "prores", "a.mov"),
        ("a.mkv", "prores", "a.mkv"),
        ("a.mp4", "ffv1", "a.mkv"),
        ("a.avi", "vp9", "a.mp4"),
        ("images", "h264", "images"),
        ("images/%06d.png", None, "images"),
    ],
)
def test_the_ending_is_kept_if_it_can_be_written(name: str, codec: str | None, made: str):
    assert output_of(Path(name), Path("o"), codec) == Path("o") / made


def test_a_file_is_taken_once_it_stays_as_it_is():
    box = Path("box")
    (box / "folder.mp4").mkdir(parents=True)
    watched = Watched(box, 5)
    for name in (".hidden.mp4", "a.mp4.part", "b.mp4~", "c.txt", "empty.mp4"):
        (box / name).write_bytes(b"" if name == "empty.mp4" else b"x")
    grown = box / "grown.mp4"
    grown.write_bytes(b"x")
    assert [watched.ready(now) for now in (0, 4.9)] == [[], []]
    grown.write_bytes(b"xx")
    assert [watched.ready(now) for now in (5, 9.9)] == [[], []]
    assert watched.ready(10) == [grown]
    watched.take(grown)
    assert [watched.ready(now) for now in (11, 99)] == [[], []]
    os.utime(grown, (1, 1))
    assert [watched.ready(now) for now in (100, 105)] == [[], [grown]]


def watching(*more: str) -> tuple[Watched, Namespace, list[tuple[str, str]]]:
    parser_args = {"watch": Path("box"), "out_dir": Path("o"), "codec": None, "overwrite": "--overwrite" in more}
    Path("box").mkdir(exist_ok=True)
    Path("o").mkdir(exist_ok=True)
    return Watched(Path("box"), 2), Namespace(**parser_args), []


def test_a_watched_folder_goes_on_where_it_ended(capsys: pytest.CaptureFixture[str]):
    def turn(steps: int, change: dict[int, str], *more: str) -> tuple[int, list[str]]:
        watched, args, _ = watching(*more)
        runs: list[str] = []
        ticks = count()

        def wait() -> None:
            step = next(ticks)
            if step in change:
                (args.watch / change[step]).write_bytes(b"x" * (step + 1))
            if step == steps:
                raise KeyboardInterrupt

        def tried(run: Namespace) -> tuple[int, str | None]:
            runs.append(run.input.name)
            if "bad" in run.input.name:
                return 2, f"{run.input} is damaged"
            run.output.write_bytes(b"made")
            return 0, None

        clock = count()
        return watch(watched, args, tried, clock=lambda: float(next(clock)), wait=wait), runs

    assert turn(9, {0: "a.avi", 1: "b.mkv", 3: "bad.mp4"}) == (3, ["a.avi", "b.mkv", "bad.mp4"])
    assert capsys.readouterr().err == "vfi: box/bad.mp4 is damaged\n"
    assert turn(9, {}) == (1, ["bad.mp4"])  # the others are done
    assert turn(12, {5: "bad.mp4"}) == (1, ["bad.mp4", "bad.mp4"])  # again once it changed
    capsys.readouterr()
    Path("box/bad.mp4").unlink()
    assert turn(5, {}) == (0, [])
    os.utime("box/a.avi", (2**31, 2**31))
    assert turn(5, {}) == (0, [])
    assert turn(5, {}, "--overwrite") == (0, ["a.avi"])
    os.utime("o/a.mp4", (2**31, 2**31))
    assert turn(9, {0: "a.mp4"}, "--overwrite") == (1, [])
    assert "box/a.mp4 and box/a.avi would both become o/a.mp4" in capsys.readouterr().err


def test_a_watched_folder_by_the_command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    Path("box").mkdir()
    shutil.copy("a.mp4", "box/a.mp4")
    rounds = count()

    def sleep(seconds: float) -> None:
        if next(rounds) == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr("vfi.cli.batch.time.sleep", sleep)
    clock = count()
    monkeypatch.setattr("vfi.cli.batch.watch.__kwdefaults__", {**watch.__kwdefaults__, "clock": lambda: float(next(clock))})
    assert vfi("interpolate", "--watch", "box", "--settle", 1, "--out-dir", "o", *LINEAR) == 0
    assert len(list(open_clip("o/a.mp4"))) == 8
    assert capsys.readouterr().err.splitlines()[0] == "watching box: Ctrl-C ends"


def percentages(err: str) -> list[int]:
    words = [line.split() for line in err.splitlines()]
    assert all(len(pair) == 2 and pair[0] == "percentage:" for pair in words), err
    return [int(number) for _, number in words]


@pytest.mark.parametrize(
    "words",
    [
        ("interpolate", "a.mp4", "o.mp4"),
        ("retime", "a.mp4", "o.mp4", "--speed", "-1"),
        ("loop", "a.mp4", "o.mp4"),
        ("join", "a.mp4", "b.mkv", "o.mp4"),
        ("tween", "images/000000.png", "images/000001.png", "o.mp4", "--frames", "3"),
        ("interpolate", "a.mp4", "b.mkv", "c.avi", "--out-dir", "o"),
        ("interpolate", "a.mp4", "o.mp4", "--resume"),
    ],
    ids=" ".join,
)
def test_percentages_rise_and_nothing_else_is_said(capfd: pytest.CaptureFixture[str], words: tuple[str, ...]):
    assert vfi(*words, "--progress", "percentage", *LINEAR) == 0
    out, err = capfd.readouterr()
    told = percentages(err)
    assert out == ""
    assert (told[0], told[-1]) == (0, 100)
    assert told == sorted(set(told))
    assert len(told) > 3


def test_an_error_is_the_only_other_line(capfd: pytest.CaptureFixture[str]):
    assert vfi("interpolate", "none.mp4", "o.mp4", "--progress", "percentage", *LINEAR) == 2
    assert capfd.readouterr().err == "vfi: none.mp4 does not exist\n"
    whole = film(Path("long.mkv"), range(49), F(1, 24)).read_bytes()
    Path("cut.mkv").write_bytes(whole[: len(whole) * 3 // 4])
    assert vfi("interpolate", "cut.mkv", "o.mp4", "--progress", "percentage", *LINEAR) == 2
    *numbers, last = capfd.readouterr().err.splitlines()
    assert last.startswith("vfi: cut.mkv is damaged")
    assert 100 not in percentages("\n".join(numbers))
