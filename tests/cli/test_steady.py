"""``vfi steady`` on files."""

from __future__ import annotations

import json
from fractions import Fraction as F
from pathlib import Path

import footage
import pytest
import torch

from vfi import __main__
from vfi.clips.clip import Encoding, Info
from vfi.clips.open import create_clip, open_clip
from vfi.core import Frame


def written(path: Path, gains: list[float]) -> Path:
    """A still clip in the light of ``gains``."""
    picture = 0.8 * footage.panned(1, height=48, width=64)[0]
    with create_clip(path, Info(64, 48, rate=F(24)), encoding=Encoding("ffv1")) as writer:
        for k, gain in enumerate(gains):
            writer.write(Frame(picture * gain, F(k, 24), F(1, 24)))
    return path


def vfi(*arguments: object) -> int:
    return __main__.main([*map(str, arguments), "--codec", "ffv1"])


def light(path: Path) -> torch.Tensor:
    return torch.tensor([float(frame.rgb.float().mean()) for frame in open_clip(path)])


def test_a_pulse_goes_and_all_else_is_copied(tmp_path: Path):
    source = written(tmp_path / "in.mkv", [1.0, 1.0, 1.05, *[1.0] * 7])
    assert vfi("steady", source, tmp_path / "out.mkv") == 0
    given, made = list(open_clip(source)), list(open_clip(tmp_path / "out.mkv"))
    assert [frame.time for frame in made] == [frame.time for frame in given]
    assert [torch.equal(a.rgb, b.rgb) for a, b in zip(given, made, strict=True)] == [k != 2 for k in range(10)]
    assert float(light(tmp_path / "out.mkv").std()) < 0.1 * float(light(source).std())


def test_a_plan_or_an_edit_says_where_the_cuts_are(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    source = written(tmp_path / "in.mkv", [1.0] * 4 + [1.06] * 4)
    plan = tmp_path / "plan.json"
    assert __main__.main(["shots", str(source), "--plan", str(plan), "--edit", "4"]) == 0
    for given in (["--plan", plan], ["--edit", "4"]):
        assert vfi("steady", source, tmp_path / "out.mkv", "--overwrite", *given) == 0
        assert torch.equal(light(source), light(tmp_path / "out.mkv"))
    assert vfi("steady", source, tmp_path / "other.mkv", "--plan", plan, "--edit", "4") == 2
    assert "--edit cannot be combined with --plan" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (["--strength", "2"], "2 was given: it must lie between 0 and 1"),
        (["--flicker-limit", "0.9"], "a flicker limit of 0.9 was given: it must lie between 0.01 and 0.5"),
        (["--motion", "linear"], "linear does not estimate motion"),
        (["--tta", "flip"], "--tta was given: it acts on new frames, and vfi steady makes none"),
    ],
)
def test_what_cannot_be_gets_a_sentence(tmp_path: Path, given: list[str], says: str, capsys: pytest.CaptureFixture[str]):
    source = written(tmp_path / "in.mkv", [1.0] * 3)
    try:
        code = vfi("steady", source, tmp_path / "out.mkv", *given)
    except SystemExit as end:
        code = end.code
    assert code == 2
    assert says in capsys.readouterr().err
    assert not (tmp_path / "out.mkv").exists()


def test_the_report_is_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    source = written(tmp_path / "in.mkv", [1.0] * 3)
    assert vfi("steady", source, tmp_path / "out.mkv", "--json", "--strength", "0.5") == 0
    assert json.loads(capsys.readouterr().out)["frames"] == 3
