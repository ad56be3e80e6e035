"""HDR through the command: EXR in and out, PQ video with its tags, and one as the other."""

from __future__ import annotations

from fractions import Fraction as F
from pathlib import Path

import pytest
import torch

from vfi import __main__
from vfi.clips.clip import Colour, Encoding, Info
from vfi.clips.open import create_clip, open_clip
from vfi.core import Frame
from vfi.pixels.transfer import named


def vfi(*arguments: object) -> int:
    return __main__.main([str(argument) for argument in arguments])


def written(path: Path, info: Info, pictures: list[torch.Tensor], encoding: Encoding = Encoding()) -> Path:  # noqa: B008
    with create_clip(path, info, encoding=encoding) as writer:
        for k, picture in enumerate(pictures):
            writer.write(Frame(picture, F(k, 24), F(1, 24)))
    return path


@pytest.fixture
def pictures() -> list[torch.Tensor]:
    """Three pictures of light from -0.005 to 40, which brightens."""
    torch.manual_seed(0)
    ground = (torch.rand(3, 16, 24) * 40).half().float()
    ground[:, :2] = -0.005
    return [torch.where(ground > 0, ground * 2**k, ground).half().float() for k in range(3)]


@pytest.mark.parametrize("model", ["linear", "dis"])
def test_exr_comes_out_as_exr_with_all_its_light(tmp_path: Path, pictures, model):
    info = Info(24, 16, rate=F(24), depth=16, floats=True, colour=Colour(0, transfer=8))
    source = written(tmp_path / "in", info, pictures)
    assert vfi("interpolate", source, tmp_path / "out", "--model", model) == 0
    assert len(list((tmp_path / "out").glob("*.exr"))) == 6
    made = [frame.rgb for frame in open_clip(tmp_path / "out")]
    for before, after in zip(pictures, made[::2], strict=True):
        assert torch.equal(before, after)
    for new, before, after in zip(made[1::2], made[::2], made[2::2], strict=False):
        assert before.mean() < new.mean() < after.mean()
        assert new.max() > before.max()
        assert new.min() == pytest.approx(-0.005, abs=2e-3)


def test_pq_video_keeps_its_codes(tmp_path: Path):
    """10 bits stay 10 bits, tags stay, and no code is clipped."""
    info = Info(32, 16, rate=F(24), depth=10, chroma="444", colour=Colour(9, 9, 16, False))
    ramp = torch.linspace(0, 1, 32).expand(3, 16, 32)
    source = written(tmp_path / "in.mkv", info, [ramp, ramp], Encoding("ffv1"))
    assert vfi("interpolate", source, tmp_path / "out.mkv", "--model", "dis", "--codec", "ffv1") == 0
    reader = open_clip(tmp_path / "out.mkv")
    assert (reader.info.depth, reader.info.colour) == (10, Colour(9, 9, 16, False))
    first, between, *_ = reader
    torch.testing.assert_close(first.rgb, ramp, atol=2 / 876, rtol=0)
    assert torch.equal(first.rgb, next(iter(open_clip(source))).rgb)
    torch.testing.assert_close(between.rgb, first.rgb, atol=2 / 876, rtol=0)


@pytest.mark.parametrize(("transfer", "curve"), [((), "pq"), (("--transfer", "slog3"), "slog3")])
def test_video_becomes_light_in_exr(tmp_path: Path, transfer, curve):
    info = Info(32, 16, rate=F(24), depth=10, chroma="444", colour=Colour(9, 9, 16, False))
    ramp = torch.linspace(0, 1, 32).expand(3, 16, 32)
    source = written(tmp_path / "in.mkv", info, [ramp], Encoding("ffv1"))
    codes = next(iter(open_clip(source))).rgb
    out = tmp_path / "out" / "shot_%03d.exr"
    out.parent.mkdir()
    assert vfi("interpolate", source, out, "--times", 1, "--model", "linear", "--depth", 32, *transfer) == 0
    (frame,) = open_clip(out)
    assert torch.equal(frame.rgb, named(curve).light(codes))
    assert frame.rgb.max() > 30


def test_exr_becomes_video(tmp_path: Path, pictures, capsys):
    info = Info(24, 16, rate=F(24), depth=16, floats=True, colour=Colour(0, 1, 8))
    source = written(tmp_path / "in", info, [picture / 40 for picture in pictures])
    out = tmp_path / "out.mkv"
    assert vfi("interpolate", source, out, "--model", "linear", "--codec", "ffv1") == 0
    assert "light above 1 is clipped in a video" in capsys.readouterr().err
    reader = open_clip(out)
    assert reader.info.colour.transfer == 1
    first = next(iter(reader))
    expected = named("bt1886").code((pictures[0] / 40).half().float().clamp(0, 1))
    torch.testing.assert_close(first.rgb, expected, atol=1e-4, rtol=0)
