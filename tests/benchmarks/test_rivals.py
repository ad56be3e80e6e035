"""The benchmark: what it counts, what its tables say of known records, and a whole run on a tiny case without rivals."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.contest import cases, footage, measure, plot, report
from benchmarks.contest.cases import Case
from vfi.archs import rife

ROOT = Path(__file__).parents[2]


def record(who: str, seconds: list[float], times: int = 2, **more) -> dict:
    same = {"most": 0.0, "square": 0.0}
    return {
        "who": who, "width": 64, "height": 64, "times": times, "new": 2, "seconds": seconds, "cpu": seconds, "first": 9.0,
        "flops": 10**9, "limit": 10**10, "difference": same, "grown alike": same, "allocator": "stock", **more,
    }  # fmt: skip


SPEED = [
    record("node", [1.0, 4.0, 2.0]),
    record("node bfloat16", [1.0, 1.0, 1.0], difference={"most": 0.1, "square": 1e-6}),
    record("core", [8.0, 8.0, 8.0]),
    record("fannovel16", [6.0, 6.0, 7.0]),
    record("node", [6.0], times=4),
    record("core", [3.0], times=4),
]


def test_the_least_work_is_the_network_without_what_nobody_reads():
    config = next(config for config, names in rife.PUBLISHED.items() if "4.25" in names)
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        rife.Rife(config)(torch.rand(1, 2, 3, 64, 64), torch.tensor([0.5]))
    unread = 2 * 32 * 32 * 16 / 16  # of the last block's transposed convolution: FLOP a pixel
    assert counter.get_total_flops() / 64**2 == pytest.approx(cases.BLOCKS + 2 * cases.HEAD + unread, rel=0.001)


@pytest.mark.parametrize(
    ("size", "times", "source"), [((960, 540), 2, 7), ((960, 540), 4, 3), ((1280, 720), 2, 4), ((64, 64), 2, 25)]
)
def test_a_turn_takes_about_as_long_at_any_size(size: tuple[int, int], times: int, source: int):
    case = Case(*size, times)
    assert case.source_frames(6) == source
    assert case.new_frames(source) == (source - 1) * (times - 1)


def test_sides_are_grown_as_the_network_needs_them():
    assert Case(960, 540, 2).grown == (576, 960)


@pytest.mark.parametrize("text", ["960", "960x", "x540", "960x540x2", "-1x4"])
def test_what_is_no_size_is_refused(text: str):
    with pytest.raises(ValueError, match="WIDTHxHEIGHT"):
        cases.size_of(text)


def test_the_clip_goes_to_and_fro(tmp_path: Path):
    clip = np.load(footage.clip(tmp_path, 32, 16, 67))
    assert clip.shape == (67, 16, 32, 3)
    assert clip.dtype == np.float32
    assert 0 <= clip.min() < 0.2 < 0.5 < clip.max() <= 1
    assert (clip[1] != clip[0]).any()
    assert (clip[33] == clip[31]).all()  # the example has 33 frames
    assert (clip[64] == clip[0]).all()


def test_a_long_film_is_a_short_one_repeated(tmp_path: Path):
    import av

    with av.open(str(footage.film(tmp_path, 64, 48, 130))) as container:
        times = [frame.time for frame in container.decode(video=0)]
    assert times == pytest.approx([index / footage.RATE for index in range(130)], abs=1e-4)


def test_the_difference_is_of_new_frames_alone(tmp_path: Path):
    ours = np.zeros((5, 4, 4, 3), np.float32)
    theirs = ours.copy()
    theirs[0], theirs[1, 2, 2] = 1, 0.5
    for name, frames in (("ours", ours), ("theirs", theirs)):
        np.save(tmp_path / f"{name}.npy", frames)
    apart = measure.difference(tmp_path / "theirs.npy", tmp_path / "ours.npy", Case(4, 4, 2))
    assert apart == {"most": 0.5, "square": pytest.approx(0.25 / 16 / 2)}


def test_ratios_are_to_the_better_rival_of_the_same_case():
    table = report.speed(SPEED)
    cell = {(row[0], row[1]): dict(zip(table.head, row, strict=True)) for row in table.rows}
    ours = cell["64x64 x2", "Inbetween"]
    assert ours["ms/new frame"] == "1000.0"
    assert ours["new frames/s"] == "1.00"
    assert ours["x better rival"] == "3.00"
    assert ours["of the limit"] == "10%"
    assert ours["PSNR"] == "same"
    assert cell["64x64 x2", "Inbetween, bfloat16"]["x better rival"] == "6.00"
    assert cell["64x64 x2", "Inbetween, bfloat16"]["PSNR"] == "60.0"
    assert cell["64x64 x4", "Inbetween"]["x better rival"] == "0.50"
    assert cell["64x64 x2", "ComfyUI's FrameInterpolate"]["x better rival"] == report.NOTHING


def test_the_notes_keep_what_is_round_the_tables():
    results = {"machine": {"cores": 2}, "model": "dis", "speed": SPEED}
    page = f"# Before\n{report.BEGIN}\nold\n{report.END}\nafter\n"
    once = report.noted(page, results)
    assert once.startswith(f"# Before\n{report.BEGIN}\nMeasured with: cores 2, model dis.")
    assert once.endswith(f"{report.END}\nafter\n")
    assert "old" not in once
    assert "| 64x64 x2 | Inbetween | 1000.0 |" in once
    assert report.noted(once, results) == once
    assert report.noted("", results).startswith("Measured with")


def test_the_plot_has_a_bar_and_a_number_for_each_record():
    drawn = plot.svg(SPEED, "Fast & exact")
    assert "Fast &amp; exact" in drawn
    assert drawn.count("<rect") == 1 + len(SPEED) + 4  # paper, bars, legend
    assert ">0.3<" in drawn  # Fannovel16's frames a second


@pytest.mark.slow
def test_a_whole_run_without_rivals(tmp_path: Path):
    files = {name: tmp_path / f"out.{name}" for name in ("json", "svg", "md")}
    words = ["--speed", "--model", "dis", "--sizes", "32x32", "--times", "2", "--new", "2", "--repeats", "2", "--threads", "1"]
    outputs = ["--json", files["json"], "--plot", files["svg"], "--notes", files["md"]]
    done = subprocess.run(
        [sys.executable, "benchmarks/rivals.py", *words, *map(str, outputs)],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    (one,) = json.loads(files["json"].read_text(encoding="utf-8"))["speed"]
    assert one["who"] == "library"
    assert len(one["seconds"]) == 2
    assert min(one["seconds"]) > 0
    assert one["difference"] == {"most": 0, "square": 0}
    assert "Inbetween, library" in done.stdout
    assert files["svg"].read_text(encoding="utf-8").startswith("<svg")
    assert "| 32x32 x2 |" in files["md"].read_text(encoding="utf-8")
