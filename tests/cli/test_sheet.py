"""``vfi sheet``: sheets and cels in, in-betweens and numbered sheets out; what cannot be made is said, and nothing is lost."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from footage import png
from sheeting import cel, read_back, xdts

from vfi import __main__
from vfi.clips.images import ImageEncoder, read_described, read_image
from vfi.core import Frame
from vfi.pixels.uint8 import floats

LAYERS: dict[str, dict[int, Any]] = {
    "A": {0: "1", 2: "o", 4: "o", 6: "o", 8: "5", 10: "*"},  # on twos; nothing follows the last
    "B": {0: "1", 1: "o", 2: "2", 3: "o", 4: "o", 5: "7", 6: "x"},  # on ones
    "C": {0: "1", 1: "-", 2: "-", 3: "-", 4: "o", 6: "o", 8: "9"},  # a hold, then on twos
}


def vfi(*arguments: object) -> int:
    return __main__.main(["sheet", *map(str, arguments), "--model", "linear", "--drawing", "off"])


def shades(path: Path) -> tuple[float, float, float]:
    """The grey of the left and the right half of a picture, and the alpha on the right; the left must be opaque."""
    frame = read_image(path)
    scale = 1.0 if frame.rgb.is_floating_point() else 255.0
    left, right = ((frame.rgb[..., part].double() / scale).mean().item() * 255 for part in (slice(0, 5), slice(7, None)))
    assert frame.alpha is None or bool((frame.alpha[..., :5] == frame.alpha.max()).all())
    return left, right, 1.0 if frame.alpha is None else frame.alpha[..., 7:].double().mean().item() / scale


@pytest.fixture
def cut(tmp_path: Path) -> Path:
    """The folder of a cut with its sheet and cels, each layer called in its own way."""
    (tmp_path / "cut.xdts").write_bytes(xdts(LAYERS))
    for number, shade in ((1, 0), (5, 200)):
        cel(tmp_path / f"cels/A/{number:04d}.png", shade)
    for number, shade in ((1, 10), (2, 50), (7, 200)):
        cel(tmp_path / f"cels/B_{number:03d}.png", shade, alpha=False, size=(20, 6))
    for number, shade in ((1, 100), (9, 220)):
        cel(tmp_path / f"cels/C{number}.png", shade, depth=16)
    return tmp_path


def test_three_layers_are_made_whole(cut: Path, capsys: pytest.CaptureFixture[str]):
    layers = LAYERS | {"A": {frame: sign for frame, sign in LAYERS["A"].items() if frame < 10}}
    (cut / "cut.xdts").write_bytes(xdts(layers))
    assert vfi(cut / "cut.xdts", cut / "cels", cut / "out", "--json") == 0
    out = cut / "out"
    made = sorted(path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file())
    assert made == [
        *("A/0002.png", "A/0003.png", "A/0004.png", "B_003.png", "B_004.png", "B_005.png", "C2.png", "C3.png", "cut.xdts")
    ]
    assert read_back((out / "cut.xdts").read_bytes()) == {
        "A": {0: ["1"], 2: ["2"], 4: ["3"], 6: ["4"], 8: ["5"]},
        "B": {0: ["1"], 1: ["3"], 2: ["2"], 3: ["4"], 4: ["5"], 5: ["7"], 6: ["SYMBOL_NULL_CELL"]},
        "C": {0: ["1"], **{k: ["SYMBOL_HYPHEN"] for k in (1, 2, 3)}, 4: ["2"], 6: ["3"], 8: ["9"]},
    }
    for name, shade in (("A/0002", 50), ("A/0003", 100), ("A/0004", 150), ("C2", 140), ("C3", 180)):
        left, _, alpha = shades(out / f"{name}.png")
        assert left == pytest.approx(shade, abs=0.51)
        assert alpha == 0
    for name, shade in (("B_003", 30), ("B_004", 100), ("B_005", 150)):
        left, right, alpha = shades(out / f"{name}.png")
        assert (left, right, alpha) == pytest.approx((shade, shade, 1), abs=0.51)
    (_, a), (_, b), (_, c) = (read_described(out / name) for name in ("A/0002.png", "B_003.png", "C2.png"))
    assert [(info.width, info.height, info.depth, info.alpha) for info in (a, b, c)] == [
        (12, 8, 8, True),
        (20, 6, 8, False),
        (12, 8, 16, True),
    ]
    told = json.loads(capsys.readouterr().out)
    assert (told["sheet"], told["left"], told["notes"]) == (str(out / "cut.xdts"), [], [])
    assert told["made"][0] == {
        "layer": "A",
        "frame": 3,
        "frames": 2,
        "before": "1",
        "after": "5",
        "t": "1/4",
        "reverse": False,
        "drawing": "2",
        "file": "A/0002.png",
        "new": True,
    }


def test_the_new_sheet_asks_for_nothing_more_with_all_cels_in_one_folder(cut: Path, capsys: pytest.CaptureFixture[str]):
    assert vfi(cut / "cut.xdts", cut / "cels", cut / "out") == 3  # the last tick of A is left
    for path in [path for path in (cut / "out").rglob("*.png")]:
        path.rename(cut / "cels" / path.relative_to(cut / "out"))
    capsys.readouterr()
    assert vfi(cut / "out" / "cut.xdts", cut / "cels", "--list", "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert told["wanted"] == []
    assert told["left"] == [
        {
            "layer": "A",
            "frame": 11,
            "drawing": None,
            "reason": "no drawing stands after it: an in-between needs one on each side",
        }
    ]


def test_time_may_be_that_of_the_frames(cut: Path):
    assert vfi(cut / "cut.xdts", cut / "cels", cut / "out", "--spacing", "frames") == 3
    assert [shades(cut / f"out/C{number}.png")[0] for number in (2, 3)] == pytest.approx([160, 190], abs=0.51)


def test_the_list_says_what_is_asked_for_and_writes_nothing(cut: Path, capsys: pytest.CaptureFixture[str]):
    before = sorted(cut.rglob("*"))
    assert vfi(cut / "cut.xdts", "--list") == 0
    said = capsys.readouterr().out
    assert [line.split() for line in said.splitlines()[1:3]] == [
        ["A", "3", "2", "1", "and", "5", "1/4", "new"],
        ["A", "5", "2", "1", "and", "5", "1/2", "new"],
    ]
    assert said.splitlines()[-1] == "left: layer A, frame 11: no drawing stands after it: an in-between needs one on each side"
    assert vfi(cut / "cut.xdts", cut / "cels", "--list", "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["frames"], told["layers"], len(told["wanted"])) == (12, ["A", "B", "C"], 8)
    assert [one["file"] for one in told["wanted"] if one["layer"] == "C"] == ["C2.png", "C3.png"]
    assert sorted(cut.rglob("*")) == before


def test_only_some_layers_are_made(cut: Path):
    assert vfi(cut / "cut.xdts", cut / "cels", cut / "out", "--layer", "C") == 0
    assert sorted(path.name for path in (cut / "out").iterdir()) == ["C2.png", "C3.png", "cut.xdts"]
    assert read_back((cut / "out/cut.xdts").read_bytes())["A"][2] == ["SYMBOL_TICK_1"]


def test_one_picture_may_have_two_numbers(cut: Path):
    second, third = ({"id": 0, "values": [number, "SYMBOL_TICK_1"]} for number in ("2", "3"))
    (cut / "cut.xdts").write_bytes(xdts({"A": {0: "1", 1: second, 2: "5", 3: "1", 4: third, 5: "5"}}))
    assert vfi(cut / "cut.xdts", cut / "cels", cut / "out") == 0
    made = [(cut / f"out/A/000{number}.png").read_bytes() for number in (2, 3)]
    assert made[0] == made[1]


def test_ctrl_c_keeps_whole_cels_and_changes_no_sheet(cut: Path, monkeypatch: pytest.MonkeyPatch, capsys):
    encoded = ImageEncoder.encoded
    seen: list[Frame] = []

    def stopping(self: ImageEncoder, frame: Frame) -> bytes:
        seen.append(frame)
        if len(seen) == 2:
            raise KeyboardInterrupt
        return encoded(self, frame)

    monkeypatch.setattr(ImageEncoder, "encoded", stopping)
    assert vfi(cut / "cut.xdts", cut / "cels", cut / "out") == 130
    assert [path.relative_to(cut).as_posix() for path in (cut / "out").rglob("*") if path.is_file()] == ["out/A/0002.png"]
    assert shades(cut / "out/A/0002.png")[0] == pytest.approx(50, abs=0.51)


def test_csv_is_read_and_written(cut: Path):
    (cut / "cut.csv").write_bytes("Frame,A,Dialogue\r\n1,1,やあ\r\n2,○,\r\n3,5,\r\n".encode("cp932"))
    assert vfi(cut / "cut.csv", cut / "cels", cut / "out") == 0
    assert (cut / "out/cut.csv").read_bytes() == "Frame,A,Dialogue\r\n1,1,やあ\r\n2,2,\r\n3,5,\r\n".encode("cp932")
    assert shades(cut / "out/A/0002.png")[0] == pytest.approx(100, abs=0.51)


def test_a_sheet_without_ticks_is_written_as_it_was(cut: Path, capsys: pytest.CaptureFixture[str]):
    data = b"\xef\xbb\xbf" + xdts({"A": {-2: "1", 4: "5"}})
    (cut / "still.xdts").write_bytes(data)
    assert vfi(cut / "still.xdts", cut / "cels", cut / "out") == 0
    assert [path.name for path in (cut / "out").iterdir()] == ["still.xdts"]
    assert (cut / "out/still.xdts").read_bytes() == data
    assert "still.xdts: nothing to make" in capsys.readouterr().err


def test_a_way_back_shows_the_cels_of_the_way_there(cut: Path):
    (cut / "cut.xdts").write_bytes(xdts({"A": {0: "1", 1: "o", 2: "o", 3: "5", 4: "*", 5: "*", 6: "1"}}))
    assert vfi(cut / "cut.xdts", cut / "cels", cut / "out") == 0
    entered = read_back((cut / "out/cut.xdts").read_bytes())["A"]
    assert [entered[frame] for frame in range(7)] == [["1"], ["2"], ["3"], ["5"], ["3"], ["2"], ["1"]]
    assert len(list((cut / "out/A").iterdir())) == 2


def test_drawings_that_are_numbered_but_missing_are_made_if_asked(cut: Path, capsys: pytest.CaptureFixture[str]):
    key = {"id": 0, "values": ["9"], "options": ["OPTION_KEYFRAME"]}
    data = xdts({"A": {0: "1", 2: "2", 4: "3", 6: "5", 7: "3", 8: "1", 9: key, 10: "1"}})
    (cut / "cut.xdts").write_bytes(data)
    assert vfi(cut / "cut.xdts", cut / "cels", "--list", "--json") == 0
    assert json.loads(capsys.readouterr().out)["wanted"] == []
    assert vfi(cut / "cut.xdts", cut / "cels", cut / "out", "--missing") == 0
    assert (cut / "out/cut.xdts").read_bytes() == data
    found = {path.name: shades(path)[0] for path in (cut / "out/A").iterdir()}
    assert found == {"0002.png": pytest.approx(200 / 3, abs=0.51), "0003.png": pytest.approx(400 / 3, abs=0.51)}
    assert vfi(cut / "cut.xdts", "--list", "--missing") == 2
    assert "no cels were given: --missing looks for them, name their folder" in capsys.readouterr().err


def test_what_cannot_be_made_is_said_with_its_place_and_the_rest_is_made(cut: Path, capsys: pytest.CaptureFixture[str]):
    (cut / "cels/A/0005.png").unlink()
    cel(cut / "cels/B_002.png", 50, alpha=False, size=(20, 7))
    (cut / "cels/C9.png").write_bytes((cut / "cels/C9.png").read_bytes()[:60])
    ticks = {10: "3", 11: {"id": 0, "values": ["8", "SYMBOL_TICK_1"]}, 12: "1"}
    (cut / "cut.xdts").write_bytes(xdts(LAYERS | {"C": LAYERS["C"] | ticks, "D": {0: "1", 1: "o", 2: "2"}}, 14))
    cel(cut / "cels/D1.png", 0, alpha=False)
    cel(cut / "cels/D2.png", 100)
    assert vfi(cut / "cut.xdts", cut / "cels", cut / "out", "--json") == 3
    told = capsys.readouterr()
    lacks = f"drawing {{}} has no cel in {cut / 'cels'}: an in-between needs both neighbours"
    sizes = "{} is {} and {} {}: the cels around an in-between must have one size"
    broken = f"{cut / 'cels/C9.png'} cannot be decoded: it is damaged, truncated or too large"
    assert [line.removeprefix("left: layer ") for line in told.err.splitlines() if line.startswith("left: ")] == [
        *(f"A, frame {frame}: {lacks.format(5)}" for frame in (3, 5, 7)),
        "A, frame 11: no drawing stands after it: an in-between needs one on each side",
        f"B, frame 2, drawing 3: {sizes.format('B_001.png', '20x6', 'B_002.png', '20x7')}",
        *(f"B, frame {k}, drawing {k}: {sizes.format('B_002.png', '20x7', 'B_007.png', '20x6')}" for k in (4, 5)),
        *(f"C, frame {frame}, drawing {number}: {broken}" for frame, number in ((5, 2), (7, 4))),
        f"C, frame 12, drawing 8: {lacks.format(3)}",
    ]
    assert [(one["layer"], one["drawing"]) for one in json.loads(told.out)["made"]] == [("D", "3")]
    assert sorted(path.name for path in (cut / "out").iterdir()) == ["D3.png", "cut.xdts"]
    assert shades(cut / "out/D3.png")[2] == pytest.approx(0.5, abs=0.01)  # opaque where the one cel has no alpha
    entered = read_back((cut / "out/cut.xdts").read_bytes())
    assert entered["D"][1] == ["3"]
    assert entered["A"][2] == ["SYMBOL_TICK_1"]
    assert entered["C"][11] == ["8", "SYMBOL_TICK_1"]


def test_if_nothing_can_be_made_nothing_is_written(cut: Path, capsys: pytest.CaptureFixture[str]):
    (cut / "none").mkdir()
    assert vfi(cut / "cut.xdts", cut / "none", cut / "out", "--json") == 1
    told = capsys.readouterr()
    assert not (cut / "out").exists()
    assert "cut.xdts: not written, nothing could be made" in told.err
    assert json.loads(told.out)["sheet"] is None


def test_a_sheet_of_clip_studio_is_made_with_its_oddities_kept(cut: Path, capsys: pytest.CaptureFixture[str]):
    layer = {-4: "1", 2: "o", 4: "5", 5: "SYMBOL_STAR", 6: "x"}
    data = xdts({"背景": layer}, subversion="p1").decode().encode("cp932")
    (cut / "cut.xdts").write_bytes(data)
    for number, shade in ((1, 0), (5, 200)):
        cel(cut / f"cels/背景{number}.png", shade)
    assert vfi(cut / "cut.xdts", cut / "cels", cut / "out") == 0
    assert (cut / "out/cut.xdts").read_bytes() == data.replace(b"SYMBOL_TICK_1", b"2")
    assert shades(cut / "out/背景2.png")[0] == pytest.approx(100, abs=0.51)
    said = capsys.readouterr().err
    assert "note: layer 背景 has an entry before the first frame" in said
    assert "note: layer 背景, frame 6: SYMBOL_STAR is not known: it is kept" in said


class TestNothingIsOverwritten:
    def test_an_output_that_exists_is_refused_before_anything_is_made(self, cut: Path, capsys: pytest.CaptureFixture[str]):
        cel(cut / "out/C3.png", 1)
        kept = (cut / "out/C3.png").read_bytes()
        assert vfi(cut / "cut.xdts", cut / "cels", cut / "out") == 2
        assert f"{cut / 'out/C3.png'} exists already: give another folder, or --overwrite" in capsys.readouterr().err
        assert [path.name for path in (cut / "out").iterdir()] == ["C3.png"]
        assert (cut / "out/C3.png").read_bytes() == kept
        assert vfi(cut / "cut.xdts", cut / "cels", cut / "out", "--overwrite") == 3
        assert shades(cut / "out/C3.png")[0] == pytest.approx(180, abs=0.51)

    def test_inputs_are_never_outputs(self, cut: Path, capsys: pytest.CaptureFixture[str]):
        before = {path: path.read_bytes() for path in cut.rglob("*") if path.is_file()}
        assert vfi(cut / "cut.xdts", cut / "cels", cut / "cels", "--overwrite") == 2
        assert "is an input: give the output another name" in capsys.readouterr().err
        assert vfi(cut / "cut.xdts", cut / "cels", cut, "--overwrite") == 2
        assert f"{cut / 'cut.xdts'} is an input: give another folder for the output" in capsys.readouterr().err
        assert {path: path.read_bytes() for path in cut.rglob("*") if path.is_file()} == before

    @pytest.mark.parametrize(
        ("arguments", "said"),
        [
            (("cut.xdts",), "no cels were given: name their folder and one for the output, or give --list"),
            (("cut.xdts", "cels"), "no output was given: name a folder for the new cels, or give --list"),
            (("cut.xdts", "cels", "cut.xdts", "--overwrite"), "cut.xdts is an input"),
            (("cut.xdts", "cels", "cels/C1.png/out"), "cels/C1.png is a file: the output must be a folder"),
            (("cut.xdts", "cels", "-"), "- was given as a folder: cels and sheet lie in folders"),
            (("cut.xdts", "cels", "out", "--layer", "A", "--layer", "Z"), "'Z' is no layer of this sheet: choose from A, B, C"),
            (("cut.xdts", "cels", "out", "--consensus", "nobody"), "nobody"),
            (("none.xdts", "cels", "out"), "none.xdts cannot be read: No such file or directory"),
            (("cels/C1.png", "cels", "out"), "C1.png"),
        ],
    )
    def test_a_wrong_call_is_one_sentence(
        self,
        cut: Path,
        monkeypatch: pytest.MonkeyPatch,
        arguments: tuple[str, ...],
        said: str,
        capsys: pytest.CaptureFixture[str],
    ):
        monkeypatch.chdir(cut)
        before = sorted(cut.rglob("*"))
        assert vfi(*arguments) == 2
        error = capsys.readouterr().err
        assert said in error
        assert len(error.splitlines()) == 1
        assert sorted(cut.rglob("*")) == before


def test_a_model_that_estimates_motion_moves_alpha_with_the_picture(cut: Path):
    (cut / "cut.xdts").write_bytes(xdts({"A": {0: "1", 2: "o", 4: "5"}}))
    for number, x in ((1, 16), (5, 24)):
        square = np.zeros((48, 64, 4), np.uint8)
        square[12:36, x : x + 24] = 200, 40, 40, 255
        (cut / f"cels/A/{number:04d}.png").write_bytes(png(square, 6))
    assert __main__.main(["sheet", *map(str, (cut / "cut.xdts", cut / "cels", cut / "out")), "--model", "dis"]) == 0
    made = read_image(cut / "out/A/0002.png")
    assert made.alpha is not None
    alpha = floats(made.alpha)[0, 20:28]
    assert alpha[:, 22:42].min() > 0.9  # where it is halfway
    assert alpha[:, :17].max() < 0.1
    assert alpha[:, 47:].max() < 0.1
    assert (floats(made.rgb)[:, 20:28, 22:42] * 255).flatten(1).mean(1).tolist() == pytest.approx([200, 40, 40], abs=4)
