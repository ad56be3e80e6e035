"""The command's shutter on real files."""

from __future__ import annotations

from fractions import Fraction as F
from pathlib import Path

import pytest
import torch

from vfi import __main__
from vfi.clips.clip import Encoding, Info
from vfi.clips.open import create_clip, open_clip
from vfi.core import Frame
from vfi.pixels.transfer import named


def vfi(*arguments: object) -> int:
    return __main__.main([str(argument) for argument in arguments])


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Five frames of 16 bits, frame k of code 0.1 + 0.2 k."""
    info = Info(16, 16, rate=F(24), depth=16)
    with create_clip(tmp_path / "in.mkv", info, encoding=Encoding("ffv1")) as writer:
        for k in range(5):
            writer.write(Frame(torch.full((3, 16, 16), 0.1 + 0.2 * k), F(k, 24), F(1, 24)))
    return tmp_path / "in.mkv"


@pytest.mark.parametrize(("transfer", "curve"), [((), "srgb"), (("--transfer", "linear"), "linear")])
def test_each_frame_is_the_mean_light_of_its_exposure(source: Path, tmp_path: Path, transfer, curve):
    out = tmp_path / "out.mkv"
    options = ("--model", "linear", "--times", 1, "--cuts", "interpolate", "--codec", "ffv1")
    options = (*options, "--shutter", 180, "--shutter-samples", 4, *transfer)
    assert vfi("interpolate", source, out, *options) == 0
    made = list(open_clip(out))
    assert [frame.time for frame in made] == [F(k, 24) for k in range(5)]
    light = named(curve)
    for k, frame in enumerate(made):
        codes = torch.tensor([0.1 + 0.2 * min(k + moment / 8, 4) for moment in range(4)])
        assert frame.rgb.mean().item() == pytest.approx(light.code(light.light(codes).mean()).item(), abs=1e-3)


def test_what_no_shutter_does_is_refused_before_work_starts(source: Path, tmp_path: Path, capsys):
    assert vfi("interpolate", source, tmp_path / "out.mkv", "--shutter", 400) == 2
    assert "400 degrees" in capsys.readouterr().err
    assert not (tmp_path / "out.mkv").exists()


def test_no_exposure_reaches_across_a_cut_that_was_found(source: Path, tmp_path: Path):
    out = tmp_path / "out.mkv"
    options = ("--model", "linear", "--times", 1, "--edit", "2", "--codec", "ffv1", "--shutter", 360, "--shutter-samples", 4)
    assert vfi("interpolate", source, out, *options) == 0
    made = [frame.rgb.mean().item() for frame in open_clip(out)]
    assert made[1] == pytest.approx(0.3, abs=1e-3)
    assert 0.5 < made[2] < 0.7
