"""Layered pictures, written by the tests: what is read of them, what is refused, and what is left out and said."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from footage import png
from layered import ora, psd, read_ora

from vfi.clips.images import read_described
from vfi.clips.layers.open import read_layers, unpack
from vfi.clips.layers.ora import layers_of, written_ora
from vfi.core import InputError

SIZE = 12, 8


def picture(shade: int, size: tuple[int, int] = SIZE, *, alpha: bool = True, top: int = 255) -> np.ndarray:
    """One grey of which the left half is opaque."""
    width, height = size
    pixels = np.full((height, width, 4 if alpha else 3), shade)
    if alpha:
        pixels[..., 3] = np.where(np.arange(width) < width // 2, top, 0)
    return pixels


def write(kind: str, path: Path, groups, **more) -> Path:
    path = path / f"cels.{kind}"
    if kind == "psd":
        pytest.importorskip("psd_tools")
    (psd if kind == "psd" else ora)(path, SIZE, groups, **more)
    return path


def unpacked(path: Path) -> tuple[dict[str, tuple], list[str]]:
    """What the layers of a file become: colour on the left, alpha of every corner and the depth, by name."""
    folder = path.parent / "layers"
    folder.mkdir()
    notes = unpack(path, folder)
    found = {}
    for file in sorted(folder.rglob("*.png")):
        frame, info = read_described(file)
        scale = 1 if frame.rgb.is_floating_point() else 255
        corners = (
            None
            if frame.alpha is None
            else [round(float(one) / scale, 3) for one in frame.alpha[0, [0, -1, 0, -1], [0, 0, -1, -1]]]
        )
        middle = frame.rgb[:, 4, 2].double() / scale
        assert (info.width, info.height) == SIZE
        found[file.relative_to(folder).with_suffix("").as_posix()] = (
            [round(float(one), 3) for one in middle],
            corners,
            info.depth,
        )
    return found, notes


@pytest.mark.parametrize("kind", ["ora", "psd"])
def test_layers_lie_on_the_canvas_with_their_group(tmp_path: Path, kind: str):
    small = picture(102, (6, 4), alpha=False)
    groups = [
        ("B", [("1", picture(51, alpha=False), 0, 0)]),
        ("A", [("2", small, 1, 2), ("1", picture(204), 0, 0)]),
        ("", [("C7", small, 8, -2)]),
    ]
    found, notes = unpacked(write(kind, tmp_path, groups))
    assert not notes
    assert found["A/1"] == ([0.8] * 3, [1, 1, 0, 0], 8)
    assert found["A/2"] == ([0.4] * 3, [0, 0, 0, 0], 8)
    assert found["B/1"] == ([0.2] * 3, None, 8)
    assert found["C7"][1] == [0, 0, 1, 0]  # cut at the right and above
    assert len(found) == 4


@pytest.mark.parametrize("kind", ["ora", "psd"])
def test_16_bits_stay(tmp_path: Path, kind: str):
    found, notes = unpacked(write(kind, tmp_path, [("A", [("1", picture(12345, top=65535), 0, 0)])], depth=16))
    assert not notes
    assert found["A/1"] == ([round(12345 / 65535, 3)] * 3, [1, 1, 0, 0], 16)
    frame, _ = read_described(tmp_path / "layers/A/1.png")
    assert torch.allclose(frame.rgb[:, 0, 0], torch.tensor(12345 / 65535), atol=1e-6)


def test_a_grey_photoshop_file(tmp_path: Path):
    found, _ = unpacked(write("psd", tmp_path, [("A", [("1", picture(51), 0, 0)])], mode=1))
    assert found["A/1"] == ([0.2] * 3, [1, 1, 0, 0], 8)


@pytest.mark.parametrize(
    ("mode", "depth", "told"),
    [(4, 8, "is CMYK"), (9, 8, "is Lab"), (2, 8, "is indexed colour"), (3, 32, "has 32 bits per channel")],
)
def test_other_photoshop_files_are_refused_before_psd_tools_is_asked(tmp_path: Path, mode: int, depth: int, told: str):
    psd(tmp_path / "a.psd", SIZE, [], mode=mode, depth=depth)
    with pytest.raises(InputError, match=f"a.psd {told}: convert it to"):
        read_layers(tmp_path / "a.psd")


@pytest.mark.parametrize("kind", ["ora", "psd"])
def test_what_is_no_such_file(tmp_path: Path, kind: str):
    path = tmp_path / f"a.{kind}"
    with pytest.raises(InputError, match="does not exist"):
        read_layers(path)
    for data in (b"", b"8BPS", b"PK\3\4", b"GIF89a" * 50):
        path.write_bytes(data)
        with pytest.raises(InputError, match=r"is no (OpenRaster|Photoshop) file"):
            read_layers(path)


def test_damage_in_one_layer_leaves_the_others(tmp_path: Path):
    path = write("ora", tmp_path, [("A", [("1", picture(51), 0, 0), ("2", picture(102), 0, 0), ("3", picture(9), 0, 0)])])
    parts = {name: zipfile.ZipFile(path).read(name) for name in zipfile.ZipFile(path).namelist()}
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in parts.items():
            if name != "data/2.png":
                archive.writestr(name, data[:60] if name == "data/1.png" else data)
    found, notes = unpacked(path)
    assert list(found) == ["A/1"]
    assert len(notes) == 2
    assert all(note.startswith(f"layer A/{number} is left out: ") for note, number in zip(notes, (2, 3), strict=True))
    assert "lacks data/2.png" in notes[1]


def test_what_is_left_out_is_said(tmp_path: Path):
    layers = [("1", picture(51), 0, 0), ("1", picture(102), 0, 0), ("../2", picture(9), 0, 0)]
    found, notes = unpacked(write("ora", tmp_path, [("A", layers)], attributes='opacity="0.5" composite-op="svg:multiply"'))
    assert found["A/1"][0] == [0.2] * 3
    assert list(found) == ["A/1"]
    assert notes[:2] == [
        "layer A/1 has an opacity: its pixels are taken without it",
        "layer A/1 has a blend mode: its pixels are taken without it",
    ]
    assert notes[-2:] == [
        "layer A/1 is there more than once: the topmost counts",
        "layer A/../2 is left out: it is called as no cel can be",
    ]


@pytest.mark.parametrize(
    ("tree", "told"),
    [
        ("<image w='0' h='8'/>", "must begin with an image of a width and a height"),
        ("<image w='12.5' h='8'/>", "line 1, has the w 12.5: it must be a whole number"),
        ("<image w='nan' h='8'/>", "has the w nan"),
        ("<image w='12' h='8'>", "is not valid XML"),
        ("<!DOCTYPE a [<!ENTITY b 'c'>]><image w='12' h='8'/>", "are refused"),
    ],
)
def test_a_stack_that_is_wrong(tmp_path: Path, tree: str, told: str):
    with zipfile.ZipFile(tmp_path / "a.ora", "w") as archive:
        archive.writestr("stack.xml", tree)
    with pytest.raises(InputError, match=told):
        read_layers(tmp_path / "a.ora")


def test_a_damaged_photoshop_file_is_one_sentence(tmp_path: Path):
    path = write("psd", tmp_path, [("A", [("1", picture(51), 0, 0)])])
    data = path.read_bytes()
    for cut in (30, 60, len(data) // 2):
        path.write_bytes(data[:cut])
        with pytest.raises(InputError, match="is damaged, or of a kind that psd-tools cannot read"):
            read_layers(path)


def ora_of(path: Path, stack: str, head: str = "<image w='12' h='8'>") -> Path:
    """An OpenRaster file of a hand-written ``stack``, all of whose layers are one picture."""
    ora(path / "one.ora", SIZE, [("A", [("1", picture(51), 0, 0)])])
    data = zipfile.ZipFile(path / "one.ora").read("data/0.png")
    with zipfile.ZipFile(path / "cels.ora", "w") as archive:  # without mimetype, mergedimage.png and thumbnail
        archive.writestr("stack.xml", f"{head}<stack>{stack}</stack></image>")
        archive.writestr("data/0.png", data)
    return path / "cels.ora"


@pytest.mark.parametrize("written", ["1", "1.0", "1.00", "1.000000", "", "1e0"])
def test_an_opacity_of_one_is_none_however_it_is_written(tmp_path: Path, written: str):
    found, notes = unpacked(
        ora_of(tmp_path, f"<stack name='A' opacity='{written}'><layer name='1' opacity='{written}' src='data/0.png'/></stack>")
    )
    assert list(found) == ["A/1"]
    assert not notes


def test_what_changes_a_whole_group_is_said(tmp_path: Path):
    stack = "<stack name='A' opacity='0.5' composite-op='svg:multiply'><layer name='1' src='data/0.png'/></stack>"
    found, notes = unpacked(ora_of(tmp_path, stack + "<stack opacity='zero'/>"))
    assert found["A/1"][0] == [0.2] * 3
    without = "the pixels of its layers are taken without it"
    assert notes == [
        f"group A has an opacity: {without}",
        f"group A has a blend mode: {without}",
        f"group without a name has an opacity: {without}",
    ]


def test_one_layer_that_says_nothing_useful_leaves_the_others(tmp_path: Path):
    layers = ("name='1'", "name='2' x='1.5' src='data/0.png'", "src='data/0.png'", "name='4' src='data/4.svg'")
    found, notes = unpacked(ora_of(tmp_path, "".join(f"<layer {one}/>" for one in (*layers, "name='5' src='data/0.png'"))))
    assert list(found) == ["5"]
    told = ("1 is left out", "2 is left out", "without a name is left out: it is called as no cel", "4 is left out")
    assert all(note.startswith(f"layer {one}") for note, one in zip(notes, told, strict=True))
    assert "line 1, has no src: a layer names its picture there" in notes[0]
    assert "has the x 1.5: it must be a whole number" in notes[1]


@pytest.mark.parametrize("kind", ["ora", "psd"])
def test_spaces_around_names_are_no_part_of_them(tmp_path: Path, kind: str):
    found, notes = unpacked(write(kind, tmp_path, [("A ", [(" 1", picture(51), 0, 0)])]))
    assert list(found) == ["A/1"]
    assert not notes


def test_a_canvas_that_no_memory_holds_is_refused(tmp_path: Path):
    stack = "<layer name='A1' src='data/0.png'/>"
    with pytest.raises(InputError, match=r"cels\.ora is 999999x999999: layers on a canvas of at most 268435456 pixels"):
        read_layers(ora_of(tmp_path, stack, "<image w='999999' h='999999'>"))
    psd(tmp_path / "a.psd", SIZE, [])
    data = (tmp_path / "a.psd").read_bytes()
    (tmp_path / "a.psd").write_bytes(data[:14] + (300_000).to_bytes(4, "big") * 2 + data[22:])
    with pytest.raises(InputError, match=r"a\.psd is 300000x300000: layers on a canvas"):
        read_layers(tmp_path / "a.psd")


@pytest.mark.parametrize(
    ("place", "value", "told"),
    [
        (0, 128, "layer A/2 has an opacity: its pixels are taken without it"),
        (1, 1, "layer A/2 has a clipping mask: its pixels are taken without it"),
        (2, 2, None),  # hidden
    ],
)
def test_what_changes_a_photoshop_layer_is_said(tmp_path: Path, place: int, value: int, told: str | None):
    path = write("psd", tmp_path, [("A", [("2", picture(51), 0, 0), ("1", picture(102), 0, 0)])])
    data = bytearray(path.read_bytes())
    data[data.rindex(b"8BIMnorm") + 8 + place] = value  # opacity, clipping and flags follow the blend mode; topmost last
    path.write_bytes(data)
    found, notes = unpacked(path)
    assert found["A/2"][0] == [0.2] * 3
    assert found["A/1"][0] == [0.4] * 3
    assert notes == ([] if told is None else [told])


def test_what_changes_a_whole_photoshop_group_is_said(tmp_path: Path):
    path = write("psd", tmp_path, [("A", [("1", picture(51), 0, 0)])])
    data = bytearray(path.read_bytes())
    data[data.index(b"8BIMpass") + 8] = 64
    path.write_bytes(data)
    assert unpacked(path)[1] == ["group A has an opacity: the pixels of its layers are taken without it"]


def test_a_written_file_can_be_read_whatever_its_layers_are_called(tmp_path: Path):
    (tmp_path / "a.png").write_bytes(png(picture(51), 6))
    (layer,) = layers_of([("1\x02", tmp_path / "a.png", True)])
    _, groups, archive = read_ora(written_ora([("A\x01 <&\"'>", [layer])]))
    assert {group: list(layers) for group, layers in groups.items()} == {"A\ufffd <&\"'>": ["1\ufffd"]}
    assert archive.testzip() is None
