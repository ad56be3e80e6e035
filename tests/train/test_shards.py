"""Clips become windows that hold no cut and no repeat, and teachers tell what they see in them."""

from __future__ import annotations

import random
from fractions import Fraction
from pathlib import Path

import pytest
import torch
from torch import Tensor

import vfi
from vfi.clips.clip import Info
from vfi.clips.images import ImageWriter
from vfi.clips.open import ClipSource
from vfi.core import Frame, InputError
from vfi.model.weights.files import read
from vfi.ops.warp import warp_corners
from vfi.render.run import frames_of_tensor
from vfi.timing.positions import Position
from vfi.train.shards import LONGEST, cut, runs, shrunk, windows
from vfi.train.sources import Shards
from vfi.train.teachers import beside, each, teach_motion, teach_pictures

WIDE = torch.nn.functional.interpolate(
    torch.rand((2, 3, 12, 60), generator=torch.Generator().manual_seed(0)), (96, 640), mode="bilinear"
)


def view(left: int, scene: int = 0) -> Tensor:
    return WIDE[scene, :, :, left : left + 128]


def pan(count: int, step: int = 4) -> list[Tensor]:
    return [view(step * k) for k in range(count)]


def folder(path: Path, pictures: list[Tensor]) -> Path:
    """A folder of numbered images."""
    height, width = pictures[0].shape[1:]
    with ImageWriter(path, Info(width, height, Fraction(24))) as writer:
        for frame in frames_of_tensor(torch.stack(pictures), Fraction(24)):
            writer.write(frame)
    return path


def lengths(pictures: list[Tensor]) -> list[int]:
    frames: list[Frame] = list(frames_of_tensor(torch.stack(pictures), Fraction(24)))
    return [len(run) for run in runs(frames, 720)]


def test_true_frames_lie_where_their_motion_says(tmp_path: Path):
    """One frame is a pixel early. Where two halves of the picture move by different clocks, no time is true."""
    lefts = [0, 8, 15, 24, 32]
    clip = folder(tmp_path / "clip", [view(left) for left in lefts])
    (even,) = cut(ClipSource(clip), tmp_path / "shards", (2,), 720)
    (measured,) = cut(ClipSource(clip), tmp_path / "shards", (2,), 720, "measured")
    assert read(even)["times"].tolist() == [0.5, 0.5, 0.5]
    assert read(measured)["times"].tolist() == pytest.approx([8 / 15, 7 / 16, 9 / 17], abs=0.01)
    apart = [torch.cat((view(8 * k)[:, :48], view(left)[:, 48:]), dim=1) for k, left in enumerate((0, 14, 16, 30, 32))]
    assert cut(ClipSource(folder(tmp_path / "apart", apart)), tmp_path / "shards", (2,), 720, "measured") == []


def test_a_cut_ends_a_run():
    assert lengths([*pan(10), *(view(4 * k, scene=1) for k in range(8))]) == [10, 8]


def test_frames_that_repeat_the_one_before_are_dropped():
    """On twos every picture is there once, evenly; a lone repeat parts what follows from what was before."""
    on_twos = [picture for picture in pan(8, 6) for _ in range(2)]
    assert lengths(on_twos) == [8]
    assert sum(lengths([*pan(8, 6), view(42), *(view(42 + 6 * k) for k in range(1, 8))])) == 15


def test_long_runs_are_parted():
    assert lengths([view(2 * k) for k in range(LONGEST + 10)]) == [LONGEST, 10]


@pytest.mark.parametrize("spans", [(2,), (2, 3, 4), (5, 8)])
def test_windows_lie_within_and_hold_their_middle(spans: tuple[int, ...]):
    found = windows(20, spans)
    assert {int(end - start) for start, _, end in found} == set(spans)
    assert ((found[:, 0] < found[:, 1]) & (found[:, 1] < found[:, 2])).all()
    assert found.min() >= 0
    assert found.max() <= 19
    even = found[(found[:, 2] - found[:, 0]) % 2 == 0]
    assert (even[:, 1] * 2 == even[:, 0] + even[:, 2]).all()


def test_no_window_fits_into_too_few_frames():
    assert len(windows(2, (2, 3))) == 0
    with pytest.raises(InputError, match="numbers of frames from 2 up"):
        windows(10, (1,))


def test_large_frames_are_made_smaller():
    assert shrunk(torch.rand(3, 100, 200), 50).shape == (3, 50, 100)
    assert torch.equal(shrunk(torch.full((3, 8, 8), 17, dtype=torch.uint8), 50), torch.full((3, 8, 8), 17, dtype=torch.uint8))


def test_a_clip_is_cut_once(tmp_path: Path):
    clip = folder(tmp_path / "clip", pan(9))
    (shard,) = cut(ClipSource(clip), tmp_path / "shards", (2, 4), 720)
    stamp = shard.stat().st_mtime_ns
    assert cut(ClipSource(clip), tmp_path / "shards", (2, 4), 720) == [shard]
    assert shard.stat().st_mtime_ns == stamp
    tensors = read(shard)
    assert tensors["frames"].shape == (9, 3, 96, 128)
    window, t, truth = next(each(shard))
    assert float(t) == 0.5
    torch.testing.assert_close(window[0, 1], view(8), atol=0.003, rtol=0)
    torch.testing.assert_close(truth[0], view(4), atol=0.003, rtol=0)


def test_teachers_keep_motion_and_pictures(tmp_path: Path):
    (shard,) = cut(ClipSource(folder(tmp_path / "clip", pan(6))), tmp_path / "shards", (2, 4), 720)
    dis = vfi.load("dis")
    teach_motion(shard, dis, "dis")
    teach_pictures(shard, dis, "dis", longest=2)
    motion, pictures, count = read(beside(shard, "motion")), read(beside(shard, "picture")), len(read(shard)["windows"])
    assert motion["flow"].shape == (count, 4, 24, 32)
    torch.testing.assert_close(motion["flow"][0, 0, 8:16, 12:20].float().mean(), torch.tensor(4.0), atol=0.5, rtol=0)
    assert motion["error"].shape == (count, 1, 24, 32)
    assert motion["error"].min() >= 0
    windows_and_truths = list(each(shard))
    for number, (window, t, truth) in enumerate(windows_and_truths):
        wanted = dis(window, t) if number < 4 else truth
        torch.testing.assert_close(pictures["picture"][number].float() / 255, wanted[0], atol=0.003, rtol=0)
    with pytest.raises(InputError, match="linear does not estimate motion"):
        teach_motion(
            cut(ClipSource(folder(tmp_path / "b", pan(4))), tmp_path / "shards", (2,), 720)[0], vfi.load("linear"), "linear"
        )


def test_an_example_keeps_its_motion_however_it_is_cropped_and_turned(tmp_path: Path):
    """The teacher's flow still leads to the same colours after zooming, mirroring, turning and reversing."""
    pictures = [picture.repeat(1, 2, 2)[:, :144, :192] for picture in pan(6)]
    (shard,) = cut(ClipSource(folder(tmp_path / "clip", pictures)), tmp_path / "shards", (2,), 720)
    teach_motion(shard, vfi.load("dis"), "dis")
    source = Shards([shard])
    for seed in range(12):
        one = source.draw(64, random.Random(seed))
        assert one.truth.shape == (3, 64, 64)
        assert one.flow.shape == (4, 16, 16)
        still = (one.before - one.truth).abs().mean()
        flow = torch.nn.functional.interpolate(one.flow[None], scale_factor=4, mode="bilinear")
        moved = (warp_corners(one.before[None], flow[:, :2])[0] - one.truth).abs()[:, 16:-16, 16:-16].mean()
        after = (warp_corners(one.after[None], flow[:, 2:])[0] - one.truth).abs()[:, 16:-16, 16:-16].mean()
        assert moved < still / 2
        assert after < still / 2


def test_crops_larger_than_the_frames_are_refused(tmp_path: Path):
    shards = cut(ClipSource(folder(tmp_path / "clip", pan(4))), tmp_path / "shards", (2,), 720)
    with pytest.raises(InputError, match="frames of 128x96: crops of 128 were asked for"):
        Shards(shards).draw(128, random.Random(0))
    with pytest.raises(InputError, match="hold no frames to learn from"):
        Shards([])


def test_a_part_of_a_clip_makes_shards_of_its_own(tmp_path: Path):
    clip = ClipSource(folder(tmp_path / "clip", pan(9)))
    (whole,) = cut(clip, tmp_path / "shards", (2,), 720)
    (part,) = cut(clip.between(Position.parse("2f"), Position.parse("6f")), tmp_path / "shards", (2,), 720)
    assert whole != part
    frames = read(whole)["frames"][2:6]
    assert torch.equal(read(part)["frames"], frames)
