from __future__ import annotations

import json
from fractions import Fraction
from io import BytesIO

import cv2
import pytest
import torch

from tests.footage import film


@pytest.fixture
def compare(nodes, server):
    """Run the node as ComfyUI does: its outputs, and what its view is told."""

    def compare(a, b, **given):
        defaults = {"a_fps": 24.0, "b_fps": 0.0, "measure": "PSNR", "start": 0.0, "steps": 60}
        made = nodes["InbetweenCompare"].execute(a=a, b=b, **{**defaults, **given})
        (told,) = made.ui["inbetween_compare"]
        json.dumps(told, allow_nan=False)
        return *made.result, told

    return compare


def ramp(count: int, height: int = 24, width: int = 32, channels: int = 3) -> torch.Tensor:
    return torch.linspace(0, 0.8, count * height * width * channels).reshape(count, height, width, channels)


def picture(server, told: dict, step: int, side: int):
    file = server.temp / told["folder"] / told["steps"][step]["files"][side]
    return torch.from_numpy(cv2.imread(str(file))).flip(-1)


def test_the_difference_and_the_numbers_of_each_step(compare, server):
    a = ramp(3)
    b = a.clone()
    b[1] += 0.1
    difference, report, told = compare(a, b, measure="PSNR and SSIM")
    assert difference.shape == a.shape
    torch.testing.assert_close(difference, (a - b).abs())
    assert "3 steps, 2 of them equal" in report
    assert "differs most: step 1, 0.042 s (a 1, b 1): PSNR 20.0" in report
    assert told["report"] == report
    first, second, _ = told["steps"]
    assert (first["psnr"], first["error"], first["ssim"]) == (None, 0, 1)
    assert second["psnr"] == pytest.approx(20, abs=0.1)
    assert second["error"] == pytest.approx(25.5, abs=0.1)
    assert first["files"][0] == first["files"][1]
    assert torch.equal(picture(server, told, 1, 1), (b[1] * 255).round().byte())
    assert len(list((server.temp / told["folder"]).iterdir())) == 4
    amplified, *_ = compare(a, b, amplify=4.0)
    torch.testing.assert_close(amplified, (4 * (a - b).abs()).clamp(max=1))


def test_other_rates_lengths_and_sizes_are_compared_and_said(compare):
    difference, report, told = compare(ramp(4), ramp(7, 12, 16), b_fps=48.0)
    assert [step["numbers"] for step in told["steps"]] == [[k // 2, k] for k in range(7)]
    assert difference.shape == (7, 24, 32, 3)
    for sentence in (
        "b was scaled to 32x24.",
        "a has 24 fps and b has 48 fps",
        "a goes on for 0.021 s after b ends at 0.146 s",
    ):
        assert sentence in report
        assert any(sentence in note for note in told["notes"])


def test_a_batch_is_compared_with_a_video(compare, part):
    video = part("nodes.video").InputImpl.VideoFromComponents(ramp(3), Fraction(24))
    *_, told = compare(video, ramp(3, channels=1))
    assert len(told["steps"]) == 3
    assert told["notes"] == []


def test_one_video_in_memory_can_be_both(compare, part, tmp_path):
    film(tmp_path / "clip.mp4", range(7), Fraction(1, 24))
    video = part("nodes.video").InputImpl.VideoFromFile(BytesIO((tmp_path / "clip.mp4").read_bytes()))
    difference, report, told = compare(video, video)
    assert "6 steps, 6 of them equal" in report
    assert difference.max() == 0
    film(tmp_path / "still.mp4", [0, 1], Fraction(1, 24))
    *_, told = compare(video, part("nodes.video").InputImpl.VideoFromFile(str(tmp_path / "still.mp4")))
    assert len(told["steps"]) == 1
    assert told["notes"] == ["a goes on for 0.208 s after b ends at 0.042 s: that part is not compared."]


def test_what_is_shown_is_bounded_and_said(compare, server, part, monkeypatch):
    a, b = ramp(8, 64, 128), ramp(8, 64, 128).flip(0)
    difference, report, told = compare(a, b, start=0.1, steps=3, longest_side=64)
    assert (told["first"], told["of"], len(told["steps"])) == (2, 8, 3)
    assert difference.shape == (3, 32, 64, 3)
    assert picture(server, told, 0, 1).shape == (32, 64, 3)
    assert told["notes"] == [
        "Shown are steps 2 to 4 of 8; all are measured.",
        "Shown at 64x32 of 128x64; measured at full size.",
    ]
    assert "8 steps" in report
    monkeypatch.setattr(part("nodes.compare"), "ROOM", 1)
    *_, told = compare(a, b)
    assert len(told["steps"]) == 1
    assert "at most 0 MB" in told["notes"][0]


def test_what_cannot_be_compared_gets_a_sentence(compare):
    with pytest.raises(ValueError, match=r"start is 5 s: the clips are compared for 0.125 s"):
        compare(ramp(3), ramp(3), start=5.0)
    with pytest.raises(ValueError, match="b is of type str: an IMAGE or a VIDEO is needed"):
        compare(ramp(3), "b")
    with pytest.raises(ValueError, match="at least one frame"):
        compare(ramp(3), ramp(3)[:0])
    with pytest.raises(ValueError, match="frame 0 of the images holds NaN"):
        compare(ramp(3), ramp(3) * float("nan"))


def test_cancel_comes_before_another_step_is_measured(compare, server):
    server.interrupt_at = 2
    with pytest.raises(server.Interrupted):
        compare(ramp(9), ramp(9))
    assert len(server.progress) == 2
