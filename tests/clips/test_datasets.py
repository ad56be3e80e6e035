"""Every layout, tiny: which frames are given, which are true, and when."""

from __future__ import annotations

import json
from fractions import Fraction as F
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from vfi.clips import datasets
from vfi.clips.datasets import Item
from vfi.core import InputError

EIGHTHS = tuple(F(k, 8) for k in range(1, 8))


def picture(path: Path, grey: int = 0, size: tuple[int, int] = (16, 12)) -> Path:
    """An image of one grey, ``size`` wide and high."""
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), np.full((*size[::-1], 3), grey, np.uint8))
    return path


def frames(folder: Path, names: str, places: range) -> None:
    """Images called by a pattern such as ``%04d.png``, frame k of grey k."""
    for k in places:
        picture(folder / (names % k), k)


def stems(item: Item) -> tuple[str, str]:
    """Names of the files given and of the true ones, without endings."""
    given, truths = (" ".join(file.stem for file in files) for files in (item.given, item.truths))
    return given, truths


def found(root: Path, layout: str = "auto") -> tuple[str, list[Item]]:
    chosen, items = datasets.items(root, layout)
    return chosen.name, items


@pytest.mark.parametrize("ending", [".png", ".webp", ".jpg", ".TIF"])
def test_triplets_of_any_kind_and_depth(tmp_path: Path, ending: str):
    for folder in ("b", "a/c"):
        frames(tmp_path / folder, f"im%d{ending}", range(1, 4))
    name, items = found(tmp_path)
    assert name == "triplets"
    assert [item.name for item in items] == ["a/c", "b"]
    assert {stems(item) for item in items} == {("im1 im3", "im2")}
    assert {(item.times, item.subset) for item in items} == {((F(1, 2),), None)}


@pytest.mark.parametrize("beside", [False, True])
def test_a_manifest_tells_the_subsets_of_triplets(tmp_path: Path, beside: bool):
    root = tmp_path / "set"
    for folder in ("a", "b"):
        frames(root / folder, "im%d.png", range(1, 4))
    manifest = (tmp_path if beside else root) / "manifest.json"
    manifest.write_text(json.dumps({"triplets": [{"id": "a", "subset": "hard"}, {"id": "c", "subset": "std"}]}))
    assert [item.subset for item in found(root)[1]] == ["hard", None]
    manifest.write_text("{")
    with pytest.raises(InputError, match=r"manifest\.json is not JSON"):
        found(root)


def test_vimeo90k(tmp_path: Path):
    for folder in ("00001/0001", "00001/0002", "00002/0001"):
        frames(tmp_path / "sequences" / folder, "im%d.png", range(1, 4))
    (tmp_path / "tri_testlist.txt").write_text("00001/0001\n00002/0001\n\n")
    name, items = found(tmp_path)
    assert name == "vimeo90k"
    assert [item.name for item in items] == ["00001/0001", "00002/0001"]
    assert stems(items[0]) == ("im1 im3", "im2")


def test_vimeo90k_septuplet(tmp_path: Path):
    frames(tmp_path / "sequences/00001/0001", "im%d.png", range(1, 8))
    (tmp_path / "sep_testlist.txt").write_text("00001/0001\r\n")
    name, (item,) = found(tmp_path)
    assert (name, item.name) == ("vimeo90k-septuplet", "00001/0001")
    assert stems(item) == ("im1 im3 im5 im7", "im4")


def test_ucf101_with_two_frames_and_with_four(tmp_path: Path):
    for name in ("frame_00", "frame_01_gt", "frame_01_ours", "frame_02"):
        picture(tmp_path / "ucf101_interp_ours" / "1" / f"{name}.png")
    for name in ("frame0", "frame1", "frame2", "frame3", "framet"):
        picture(tmp_path / "2" / f"{name}.png")
    name, items = found(tmp_path)
    assert name == "ucf101"
    assert [stems(item) for item in items] == [("frame_00 frame_02", "frame_01_gt"), ("frame0 frame1 frame2 frame3", "framet")]


@pytest.mark.parametrize("inside", ["", "eval_modes/"])
@pytest.mark.parametrize("prefix", ["data/SNU-FILM/", ""])
def test_snu_film(tmp_path: Path, inside: str, prefix: str):
    frames(tmp_path / "test/GOPRO_test/a", "%06d.png", range(1, 8))
    path = f"{prefix}test/GOPRO_test/a"
    (tmp_path / inside).mkdir(exist_ok=True)
    (tmp_path / inside / "test-easy.txt").write_text(f"{path}/000003.png {path}/000004.png {path}/000005.png\n")
    (tmp_path / inside / "test-medium.txt").write_text(f"{path}/000002.png {path}/000004.png {path}/000006.png\n")
    name, items = found(tmp_path)
    assert name == "snu-film"
    assert [(item.name, item.subset) for item in items] == [("easy 1", "easy"), ("medium 1", "medium")]
    assert stems(items[0]) == ("000001 000003 000005 000007", "000004")
    assert stems(items[1]) == ("000002 000006", "000004")


def test_snu_film_where_data_lies_inside(tmp_path: Path):
    frames(tmp_path / "data/SNU-FILM/test/b", "%05d.png", range(3))
    path = "data/SNU-FILM/test/b"
    (tmp_path / "test-extreme.txt").write_text(f"{path}/00000.png {path}/00001.png {path}/00002.png\n")
    assert [stems(item) for item in found(tmp_path)[1]] == [("00000 00002", "00001")]


@pytest.mark.parametrize("names", ["Tango-%03d.png", "Tango/%03d.png"])
def test_xiph_takes_every_second_of_the_first_100_frames(tmp_path: Path, names: str):
    for k in range(1, 104):
        picture(tmp_path / (names % k), k, size=(8, 8))
    name, items = found(tmp_path)
    assert name == "xiph"
    assert [(item.subset, item.view) for item in items] == [("2K", "halved")] * 49 + [("4K", "centre")] * 49
    numbers = [[int(file.stem[-3:]) for file in (*item.given, *item.truths)] for item in items[:49]]
    assert (numbers[0], numbers[1], numbers[-1]) == ([1, 3, 2], [1, 3, 5, 7, 4], [97, 99, 98])


@pytest.mark.parametrize("inside", ["", "test"])
def test_x_test(tmp_path: Path, inside: str):
    for scene in ("Type1/TEST01", "Type2/TEST06"):
        frames(tmp_path / inside / scene, "%04d.png", range(33))
    name, items = found(tmp_path)
    assert name == "x-test"
    assert [(item.subset, item.view) for item in items] == [("2K", "halved")] * 2 + [("4K", "whole")] * 2
    assert stems(items[0]) == ("0000 0032", "0004 0008 0012 0016 0020 0024 0028")
    assert items[0].times == EIGHTHS


def test_davis_7_has_to_be_named(tmp_path: Path):
    for folder in ("bear", "dance"):
        frames(tmp_path / folder, "%05d.jpg", range(9))
    assert found(tmp_path)[0] == "sequence:2"
    name, items = found(tmp_path, "davis-7")
    assert (name, [item.name for item in items]) == ("davis-7", ["bear 00000-00008", "dance 00000-00008"])
    assert stems(items[0]) == ("00000 00008", "00001 00002 00003 00004 00005 00006 00007")
    assert items[0].times == EIGHTHS
    picture(tmp_path / "bear/00009.jpg")
    with pytest.raises(InputError, match="bear has 10 frames: davis-7 needs 9"):
        found(tmp_path, "davis-7")


def test_sequences_give_every_kth_frame_in_natural_order(tmp_path: Path):
    frames(tmp_path, "shot%d.png", range(1, 13))
    name, items = found(tmp_path, "sequence:3")
    assert name == "sequence:3"
    assert [stems(item) for item in items] == [
        ("shot1 shot4", "shot2 shot3"),
        ("shot1 shot4 shot7 shot10", "shot5 shot6"),
        ("shot7 shot10", "shot8 shot9"),
    ]
    assert {item.times for item in items} == {(F(1, 3), F(2, 3))}
    assert items[0].name == f"{tmp_path.name} shot1-shot4"
    assert datasets.parse("sequence").name == "sequence:2"


def test_models_of_two_frames_are_given_the_middle_ones(tmp_path: Path):
    frames(tmp_path, "%d.png", range(7))
    _, (_, item, _) = found(tmp_path, "sequence:2")
    greys = {}
    for window in (2, 4):
        given, truths = item.read(window)
        assert given.shape == (1, window, 3, 12, 16)
        greys[window] = [round(float(frame.mean()) * 255) for frame in given[0]]
        ((t, true),) = truths
        assert (t, round(float(true.mean()) * 255)) == (F(1, 2), 3)
    assert greys == {2: [2, 4], 4: [0, 2, 4, 6]}


def test_a_view_is_half_the_size_or_the_middle(tmp_path: Path):
    codes = np.random.default_rng(1).integers(0, 256, (16, 24, 3), dtype=np.uint8)
    for k in range(3):
        cv2.imwrite(str(tmp_path / f"{k}.png"), codes[..., ::-1])
    files = sorted(tmp_path.iterdir())
    seen = {}
    for view in ("whole", "halved", "centre"):
        given, _ = Item("a", tuple(files[::2]), (files[1],), view=view).read(2)
        seen[view] = given[0, 0].mul(255).round().permute(1, 2, 0).numpy()
    assert np.array_equal(seen["whole"], codes)
    assert np.array_equal(seen["halved"], cv2.resize(codes, (12, 8), interpolation=cv2.INTER_AREA))
    assert np.array_equal(seen["centre"], codes[4:-4, 6:-6])


def test_transparency_is_left_alone(tmp_path: Path):
    for k in range(3):
        cv2.imwrite(str(tmp_path / f"{k}.png"), np.full((4, 4, 4), 100 + k, np.uint8))
    given, truths = found(tmp_path)[1][0].read(2)
    assert given.shape == (1, 2, 3, 4, 4)
    assert torch.equal(next(truths)[1], torch.full((3, 4, 4), 101 / 255))


class TestRefusals:
    @pytest.mark.parametrize("layout", ["auto", *(layout.name for layout in datasets.LAYOUTS)])
    def test_an_empty_folder(self, tmp_path: Path, layout: str):
        with pytest.raises(InputError, match=r"fits no known layout|holds no|, the list of frames, does not exist"):
            found(tmp_path, layout)

    @pytest.mark.parametrize(("name", "message"), [("none", "does not exist"), ("file", "is not a folder")])
    def test_no_folder(self, tmp_path: Path, name: str, message: str):
        (tmp_path / "file").touch()
        with pytest.raises(InputError, match=message):
            found(tmp_path / name)

    @pytest.mark.parametrize("text", ["vimeo", "sequence:1", "sequence:x", "triplets:2"])
    def test_an_unknown_layout(self, tmp_path: Path, text: str):
        with pytest.raises(InputError, match=f"'{text}' is not a layout"):
            found(tmp_path, text)

    def test_a_missing_picture(self, tmp_path: Path):
        frames(tmp_path / "a", "im%d.png", range(1, 3))
        with pytest.raises(InputError, match="a has no picture im3"):
            found(tmp_path)

    def test_a_listed_picture_that_is_missing(self, tmp_path: Path):
        (tmp_path / "test-hard.txt").write_text("test/1.png test/2.png test/3.png")
        with pytest.raises(InputError, match=r"test/1\.png is listed but missing from"):
            found(tmp_path)
        (tmp_path / "test-hard.txt").write_text("\ntest/1.png test/2.png")
        with pytest.raises(InputError, match=r"test-hard\.txt has the line 'test/1\.png test/2\.png': it needs three paths"):
            found(tmp_path)

    def test_a_sequence_that_is_too_short(self, tmp_path: Path):
        frames(tmp_path / "a", "%d.png", range(8))
        with pytest.raises(InputError, match="a has 8 frames: sequence:8 needs 9 or more"):
            found(tmp_path, "sequence:8")

    @pytest.mark.parametrize("odd", [1, 2, 3])
    def test_pictures_of_different_size_in_an_item(self, tmp_path: Path, odd: int):
        for k in (1, 2, 3):
            picture(tmp_path / f"im{k}.png", size=(16, 14 if k == odd else 12))
        (item,) = found(tmp_path)[1]
        with pytest.raises(InputError, match=r"im\d\.png is 16x1\d, but .*im1\.png is 16x1\d: all frames of an item"):
            list(item.read(2)[1])

    def test_an_item_with_too_few_frames(self, tmp_path: Path):
        frames(tmp_path, "im%d.png", range(1, 4))
        with pytest.raises(InputError, match="has 2 input frames: 4 are needed"):
            found(tmp_path)[1][0].read(4)
