"""``vfi sheet`` with layers of one file as cels, and with one as output."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from layered import ora, psd, read_ora
from sheeting import read_back, xdts

from tests.drawings import SCENES
from vfi import __main__

SIZE = 12, 8
LAYERS = {
    "A": {0: "1", 2: "o", 4: "o", 6: "o", 8: "5"},  # on twos
    "B": {0: "1", 1: "o", 2: "2", 3: "o", 4: "o", 5: "7", 6: "x"},  # on ones
    "C": {0: "x", 1: "1", 2: "-", 3: "-", 4: "o", 6: "o", 8: "9"},  # a hold, then on twos
}
KEYS = {"A": {1: 0, 5: 200}, "B": {1: 10, 2: 50, 7: 200}, "C": {1: 100, 9: 220}}


def vfi(*arguments: object) -> int:
    return __main__.main(["sheet", *map(str, arguments), "--model", "linear", "--drawing", "off"])


def picture(shade: int) -> np.ndarray:
    pixels = np.full((*SIZE[::-1], 4), shade)
    pixels[:, SIZE[0] // 2 :, 3] = 0
    pixels[:, : SIZE[0] // 2, 3] = 255
    return pixels


def groups(keys=KEYS):
    return [
        (layer, [(str(number), picture(shade), 0, 0) for number, shade in reversed(drawings.items())])
        for layer, drawings in keys.items()
    ]


@pytest.mark.parametrize("kind", ["ora", "psd"])
def test_a_sheet_of_three_layers_is_made_whole_from_one_file(tmp_path: Path, kind: str, capsys: pytest.CaptureFixture[str]):
    if kind == "psd":
        pytest.importorskip("psd_tools")
    (tmp_path / "cut.xdts").write_bytes(xdts(LAYERS))
    cels, out = tmp_path / f"cels.{kind}", tmp_path / "out"
    (psd if kind == "psd" else ora)(cels, SIZE, groups())
    given = cels.read_bytes()
    assert vfi(tmp_path / "cut.xdts", cels, out, "--ora") == 0
    assert "left" not in capsys.readouterr().err.replace("0 left", "")
    made = sorted(path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file())
    assert made == [
        "A/2.png",
        "A/3.png",
        "A/4.png",
        "B/3.png",
        "B/4.png",
        "B/5.png",
        "C/2.png",
        "C/3.png",
        "cut.ora",
        "cut.xdts",
    ]
    sheet = read_back((out / "cut.xdts").read_bytes())
    assert sheet["A"] == {0: ["1"], 2: ["2"], 4: ["3"], 6: ["4"], 8: ["5"]}
    size, stacks, archive = read_ora((out / "cut.ora").read_bytes())
    assert size == SIZE
    assert {name: list(layers) for name, layers in stacks.items()} == {
        "A": ["1", "2", "3", "4", "5"],
        "B": ["1", "2", "3", "4", "5", "7"],
        "C": ["1", "2", "3", "9"],
    }
    assert [(group, name) for group, layers in stacks.items() for name, (seen, _) in layers.items() if seen] == [
        ("A", "1"),
        ("B", "1"),
    ]
    shades = {(group, name): decoded(data) for group, layers in stacks.items() for name, (_, data) in layers.items()}
    assert [shades["A", name][4, 2, 0] for name in "12345"] == [0, 50, 100, 150, 200]
    assert shades["C", "2"][4, 2, 0] == 140
    assert all((shade[..., 3] == picture(0)[..., 3]).all() for shade in shades.values())
    assert (out / "A/2.png").read_bytes() == stacks["A"]["2"][1]
    merged = decoded(archive.read("mergedimage.png"))
    assert merged.shape == (8, 12, 4)
    assert merged[4, 2].tolist() == [10, 10, 10, 255]
    assert not merged[:, 6:].any()
    assert decoded(archive.read("Thumbnails/thumbnail.png")).shape == (8, 12, 4)
    assert cels.read_bytes() == given


def test_the_new_file_is_a_source_again_and_nothing_is_left_to_make(tmp_path: Path):
    (tmp_path / "cut.xdts").write_bytes(xdts(LAYERS))
    ora(tmp_path / "cels.ora", SIZE, groups())
    assert vfi(tmp_path / "cut.xdts", tmp_path / "cels.ora", tmp_path / "out", "--ora") == 0
    again = tmp_path / "again"
    assert vfi(tmp_path / "out/cut.xdts", tmp_path / "out/cut.ora", again, "--ora") == 0
    assert sorted(path.name for path in again.iterdir()) == ["cut.ora", "cut.xdts"]
    assert (again / "cut.xdts").read_bytes() == (tmp_path / "out/cut.xdts").read_bytes()
    before, after = (read_ora((folder / "cut.ora").read_bytes())[1] for folder in (tmp_path / "out", again))
    assert {name: {key: decoded(data).tolist() for key, (_, data) in layers.items()} for name, layers in before.items()} == {
        name: {key: decoded(data).tolist() for key, (_, data) in layers.items()} for name, layers in after.items()
    }


def test_what_can_be_made_is_made_and_what_lacks_is_named_with_the_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    (tmp_path / "cut.xdts").write_bytes(xdts(LAYERS))
    ora(tmp_path / "cels.ora", SIZE, groups({"A": KEYS["A"], "B": {1: 10, 2: 50}, "C": {1: 100}}))
    assert vfi(tmp_path / "cut.xdts", tmp_path / "cels.ora", tmp_path / "out") == 3
    said = capsys.readouterr().err
    assert f"left: layer B, frame 4: drawing 7 has no cel in {tmp_path / 'cels.ora'}: an in-between needs both" in said
    assert "vfi-layers-" not in said
    assert (tmp_path / "out/A/3.png").is_file()


def test_the_source_is_never_the_output(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    (tmp_path / "cut.xdts").write_bytes(xdts(LAYERS))
    out = tmp_path / "out"
    out.mkdir()
    ora(out / "cut.ora", SIZE, groups())
    given = (out / "cut.ora").read_bytes()
    for more in ((), ("--overwrite",)):
        assert vfi(tmp_path / "cut.xdts", out / "cut.ora", out, "--ora", *more) == 2
        assert f"{out / 'cut.ora'} is an input: give another folder" in capsys.readouterr().err
    assert (out / "cut.ora").read_bytes() == given
    assert list(out.iterdir()) == [out / "cut.ora"]


def test_a_file_that_is_no_layered_picture(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    (tmp_path / "cut.xdts").write_bytes(xdts(LAYERS))
    (tmp_path / "cels.kra").write_bytes(b"PK")
    assert vfi(tmp_path / "cut.xdts", tmp_path / "cels.kra", tmp_path / "out") == 2
    assert "is not a folder: cels lie in a folder, or are layers of a file (.ora, .psd, .psb)" in capsys.readouterr().err


def test_black_lines_of_a_layer_stay_lines(tmp_path: Path):
    """They are drawings by themselves: black on nothing, which is moved instead of being blended."""
    cels = {
        number: np.concatenate([plane.numpy() for plane in SCENES["lines"](t).cel()]).transpose(1, 2, 0)
        for number, t in ((1, 0), (3, 1))
    }
    height, width = cels[1].shape[:2]
    ora(
        tmp_path / "cels.ora",
        (width, height),
        [("A", [(str(number), cel * (0, 0, 0, 1), 0, 0) for number, cel in cels.items()])],
    )
    (tmp_path / "cut.xdts").write_bytes(xdts({"A": {0: "1", 1: "o", 2: "3"}}, 3))
    command = ["sheet", *map(str, (tmp_path / "cut.xdts", tmp_path / "cels.ora", tmp_path / "out")), "--model", "inbetween-m"]
    assert __main__.main(command) == 0
    made = decoded((tmp_path / "out/A/2.png").read_bytes())
    area = [float(cel[..., 3].sum()) for cel in (made, cels[1])]
    assert not made[..., :3].any()
    assert area[0] == pytest.approx(area[1], rel=0.12)
    assert (made[..., 3] > 200).sum() == pytest.approx((cels[1][..., 3] > 200).sum(), rel=0.25)


def decoded(data: bytes) -> np.ndarray:
    """A PNG as RGBA, by OpenCV."""
    found = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    return cv2.cvtColor(found, cv2.COLOR_BGRA2RGBA)
