"""The nodes of exposure sheets: the example, files of the input folder, what is written, and what cannot be made."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from layered import ora, read_ora
from sheeting import cel, read_back, xdts

ROOT = Path(__file__).parents[2]
LINEAR = {"drawing": "off"}


@pytest.fixture
def folders(nodes) -> tuple[Path, Path]:
    """ComfyUI's input and output folders."""
    import folder_paths

    there = Path(folder_paths.get_input_directory()), Path(folder_paths.get_output_directory())
    for path in there:
        path.mkdir(exist_ok=True)
    return there


@pytest.fixture
def linear(run):
    return run("InbetweenLoadModel", model="linear", allow_download=False)[0]


def test_the_example_asks_for_ten_cels(run, folders):
    _, count, report = run("InbetweenLoadSheet", sheet="example", cels="example")
    assert count == 10
    assert report.splitlines()[0] == "layer B, frame 3: drawing 2, 1/4 between 1 and 5"
    assert "left" not in report


def test_cels_are_made_and_shown(run, folders, linear):
    given, output = folders
    (given / "cut").mkdir()
    (given / "cut/a.xdts").write_bytes(xdts({"A": {0: "1", 1: "o", 2: "3"}, "B": {0: "1", 2: "x"}, "C": {0: "1", 1: "o"}}, 4))
    for name, shade in (("A1", 0), ("A3", 200), ("B1", 100), ("C1", 7)):
        cel(given / f"cut/cels/{name}.png", shade, size=(12, 8) if name[0] == "A" else (4, 4))
    sheet, count, report = run("InbetweenLoadSheet", sheet="cut/a.xdts", cels="cut/cels")
    assert (count, report.splitlines()) == (
        1,
        [
            "layer A, frame 2: drawing 2, 1/2 between 1 and 3",
            "left: layer C, frame 2: no drawing stands after it: an in-between needs one on each side",
        ],
    )
    images, alpha, count, report = run("InbetweenCels", sheet=sheet, model=linear, **LINEAR)
    assert (count, report.splitlines()[0]) == (1, "cels_00001: 1 new cel, 1 left")
    assert images.shape == (4, 8, 12, 3)
    assert alpha.shape == (4, 8, 12)
    left, nothing = images[:, 6, 3, 0], images[:, 6, 9, 0]
    assert left.tolist() == pytest.approx([0, 100 / 255, 200 / 255, 200 / 255], abs=1e-3)
    assert nothing.tolist() == [1] * 4
    assert images[:, 1, 0, 0].tolist() == pytest.approx([7 / 255, 100 / 255, 200 / 255, 200 / 255], abs=1e-3)  # C, B, A
    assert alpha[0, 6].tolist() == [1] * 6 + [0] * 6
    out = output / "cels_00001"
    assert sorted(path.name for path in out.iterdir()) == ["A2.png", "a.ora", "a.xdts"]
    assert read_back((out / "a.xdts").read_bytes())["A"] == {0: ["1"], 1: ["2"], 2: ["3"]}
    assert list(read_ora((out / "a.ora").read_bytes())[1]["A"]) == ["1", "2", "3"]
    assert run("InbetweenCels", sheet=sheet, model=linear, ora=False, **LINEAR)[3].startswith("cels_00002: ")
    assert sorted(path.name for path in (output / "cels_00002").iterdir()) == ["A2.png", "a.xdts"]


def test_layers_of_a_file_are_cels(run, folders, linear, nodes):
    given, _ = folders
    (given / "a.csv").write_text("Frame,A\n1,1\n2,○\n3,3\n", encoding="utf-8")
    picture = torch.full((8, 12, 4), 255)
    ora(given / "cels.ora", (12, 8), [("A", [("1", (picture * 0).numpy(), 0, 0), ("3", picture.numpy(), 0, 0)])])
    assert "a.csv" in nodes["InbetweenLoadSheet"].define_schema().inputs[0].options
    assert "cels.ora" in nodes["InbetweenLoadSheet"].define_schema().inputs[1].options
    sheet, *_ = run("InbetweenLoadSheet", sheet="a.csv", cels="cels.ora")
    images, alpha, *_ = run("InbetweenCels", sheet=sheet, model=linear, **LINEAR)
    assert alpha[:, 0, 0].tolist() == pytest.approx([0, 0.5, 1], abs=1e-2)
    assert images[1, 0, 0, 0] == 1


def test_a_changed_cel_is_read_anew(folders, nodes):
    given, _ = folders
    (given / "a.csv").write_text("Frame,A\n1,1\n", encoding="utf-8")
    cel(given / "cels/A1.png", 1)
    node, asked = nodes["InbetweenLoadSheet"], {"sheet": "a.csv", "cels": "cels", "spacing": "ticks", "missing": False}
    before = node.fingerprint_inputs(**asked)
    assert node.fingerprint_inputs(**asked) == before
    cel(given / "cels/A10.png", 1)
    assert node.fingerprint_inputs(**asked) != before


@pytest.mark.parametrize("name", ["", "..", "a/b", "/tmp", "a\n", " a"])
def test_a_folder_outside_is_refused(run, folders, linear, name):
    sheet, *_ = run("InbetweenLoadSheet", sheet="example", cels="example")
    with pytest.raises(ValueError, match="was given as a folder: it must be a plain name"):
        run("InbetweenCels", sheet=sheet, model=linear, folder=name)
    assert not list(folders[1].iterdir())
