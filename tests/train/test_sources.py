"""Examples come from test-set folders and from still pictures too, as often as their shares say."""

from __future__ import annotations

import random
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from vfi.clips import datasets
from vfi.core import InputError
from vfi.train.augment import mirrored, recoloured, reversed_in_time, transposed
from vfi.train.data import clips, pictures
from vfi.train.samples import batch, sample
from vfi.train.sources import CALM, Mixed, Stills, Triplets, worth
from vfi.train.synthetic import Synthetic
from vfi.train.teachers import beside


def picture(path: Path, value: int = 100, size: tuple[int, int] = (96, 128)) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(value).integers(0, 20, (*size, 3), dtype=np.uint8)
    cv2.imwrite(str(path), noise + np.uint8(value))
    return path


def test_vimeo90k_is_learned_from_by_its_training_list(tmp_path: Path):
    for name, value in (("00001/0001", 10), ("00001/0002", 200)):
        for k in (1, 2, 3):
            picture(tmp_path / "sequences" / name / f"im{k}.png", value)
    (tmp_path / "tri_trainlist.txt").write_text("00001/0001\n")
    (tmp_path / "tri_testlist.txt").write_text("00001/0002\n")
    items = datasets.training_items(tmp_path)
    assert [item.name for item in items] == ["00001/0001"]
    one = Triplets(items).draw(64, random.Random(0))
    assert one.truth.shape == (3, 64, 64)
    assert one.truth.mean() < 0.15
    assert float(one.t) == 0.5
    assert one.error.isinf().all()
    with pytest.raises(InputError, match="frames of 128x96: crops of 128 were asked for"):
        Triplets(items).draw(128, random.Random(0))


def test_any_folder_of_triplets_is_learned_from_whole(tmp_path: Path):
    for name in ("a", "b"):
        for k in (1, 2, 3):
            picture(tmp_path / name / f"im{k}.png")
    assert len(datasets.training_items(tmp_path)) == 2


def test_sources_are_drawn_from_as_their_shares_say(tmp_path: Path):
    class Constant:
        def __init__(self, value: float) -> None:
            self.value = value

        def draw(self, size: int, chance: random.Random):
            plane = torch.full((3, size, size), self.value)
            return sample(plane, plane, plane, 0.5)

    source = Mixed([(Constant(0.0), 0.75), (Constant(1.0), 0.25), (Constant(0.5), 0.0)])
    drawn = [float(source.draw(8, random.Random(seed)).truth.mean()) for seed in range(400)]
    assert set(drawn) == {0.0, 1.0}
    assert sum(drawn) / 400 == pytest.approx(0.25, abs=0.06)
    with pytest.raises(InputError, match="nothing to learn from"):
        Mixed([])


def test_windows_that_move_far_are_drawn_more_often(tmp_path: Path):
    shard = tmp_path / "a.safetensors"
    windows = torch.tensor([[0, 1, 2], [0, 2, 4]])
    frames = torch.zeros(5, 3, 64, 64, dtype=torch.uint8)
    frames[4] = 12
    save_file({"frames": frames, "windows": windows, "times": torch.full((2,), 0.5)}, shard)
    assert worth(shard) == [CALM, 12.0]
    flow = torch.zeros(2, 4, 16, 16)
    flow[0, 0], flow[1, 0], flow[1, 2] = 0.3, -2, 4
    save_file({"flow": flow.half(), "error": torch.zeros(2, 1, 16, 16).half()}, beside(shard, "motion"))
    assert worth(shard) == [CALM, 6.0]


def test_stills_are_moved(tmp_path: Path):
    files = [picture(tmp_path / f"{k}.png", 40 + 60 * k) for k in range(2)]
    one = Stills(files, Synthetic()).draw(64, random.Random(3))
    assert not torch.equal(one.before, one.after)
    assert (one.error == 0).any()
    with pytest.raises(InputError, match="no still pictures were found"):
        Stills([], Synthetic())


def test_what_an_example_is_turned_into_is_turned_back():
    pictures = torch.rand(3, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    one = sample(*pictures, 0.25)
    one.flow.copy_(torch.rand(4, 4, 4, generator=torch.Generator().manual_seed(1)))
    for change in (lambda s: mirrored(s, True), lambda s: mirrored(s, False), transposed, reversed_in_time):
        changed = change(one)
        assert not torch.equal(changed.flow, one.flow)
        again = change(changed)
        for name in ("before", "after", "truth", "flow", "t"):
            assert torch.equal(getattr(again, name), getattr(one, name))
    assert float(reversed_in_time(one).t) == 0.75
    assert torch.equal(recoloured(one, [2, 0, 1]).truth[0], one.truth[2])
    assert batch([one, one]).window.shape == (2, 2, 3, 16, 16)


def test_clips_are_found_in_folders(tmp_path: Path):
    picture(tmp_path / "all" / "b" / "0.png")
    picture(tmp_path / "all" / "deep" / "a" / "0.png")
    (tmp_path / "all" / "c.mp4").touch()
    (tmp_path / "all" / "notes.txt").touch()
    found = clips(tmp_path / "all")
    assert [path.relative_to(tmp_path / "all").as_posix() for path in found] == ["b", "c.mp4", "deep/a"]
    assert clips(tmp_path / "all" / "b") == [tmp_path / "all" / "b"]
    assert pictures(tmp_path / "all" / "b") == [tmp_path / "all" / "b" / "0.png"]
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="holds no clips"):
        clips(tmp_path / "empty")
    with pytest.raises(InputError, match="does not exist"):
        pictures(tmp_path / "missing")
