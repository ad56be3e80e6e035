"""Audits of small clips: a spoilt frame comes first, with its cells."""

from __future__ import annotations

from fractions import Fraction as F

import numpy as np
import pytest
import torch
from footage import panned

from vfi.core import Frame, InputError
from vfi.evidence import prior
from vfi.evidence.causes import CAUSES
from vfi.evidence.features import CELL, FEATURES, Pair, areas, errors, features
from vfi.evidence.fit import Fit, fitted
from vfi.evidence.judge import Judged, judged, mask_of
from vfi.evidence.masks import masks
from vfi.evidence.real import Asked, Every, between
from vfi.evidence.remade import samples, triplets
from vfi.evidence.witness import Witness
from vfi.model import load

COUNT, SPOILT = 16, 9
HEIGHT, WIDTH = 68, 92
TRUE = panned(2 * COUNT, 1.5, height=HEIGHT, width=WIDTH)
SOURCE = [Frame(TRUE[2 * k], F(k, 24), F(1, 24)) for k in range(COUNT)]
LEFT, TOP, SIDE = 24, 16, 32


@pytest.fixture(scope="module")
def witness() -> Witness:
    return Witness(load.load("dis"), load.load("dis-fast"))


@pytest.fixture(scope="module")
def fit(witness: Witness) -> Fit:
    known = prior.shipped()
    return fitted(samples(SOURCE, witness, known.names), known)


@pytest.fixture(scope="module")
def found(witness: Witness, fit: Fit) -> list[Judged]:
    """True frames, but one has a part mirrored."""
    made = [Frame(one, F(k, 48), F(1, 48)) for k, one in enumerate(TRUE[: 2 * COUNT - 1])]
    spoilt = made[SPOILT].rgb.clone()
    part = spoilt[:, TOP : TOP + SIDE, LEFT : LEFT + SIDE].clone()
    spoilt[:, TOP : TOP + SIDE, LEFT : LEFT + SIDE] = part.flip(1, 2)
    made[SPOILT] = Frame(spoilt, made[SPOILT].time, made[SPOILT].duration)
    return list(judged(between(made, SOURCE, Every(2), 2), witness, fit))


def test_every_made_frame_is_judged(found: list[Judged], fit: Fit):
    assert [one.verdict.number for one in found] == list(range(1, 2 * COUNT - 2, 2))
    assert fit.own == COUNT - 2
    for one in found:
        assert one.verdict.low <= one.verdict.psnr <= one.verdict.high
        assert 0 <= one.verdict.doubtful <= 1
        assert one.verdict.cause in CAUSES
        assert one.doubt.shape == (-(-HEIGHT // CELL), -(-WIDTH // CELL))


def test_a_spoilt_frame_comes_first_and_its_cells_are_doubtful(found: list[Judged]):
    worst = min(found, key=lambda one: one.verdict.psnr)
    assert worst.verdict.number == SPOILT
    assert worst.verdict.cause != "none"
    cells = np.s_[TOP // CELL : (TOP + SIDE) // CELL, LEFT // CELL : (LEFT + SIDE) // CELL]
    inside = worst.doubt[cells]
    assert (inside > 0.5).mean() > 0.7
    outside = worst.doubt.copy()
    outside[max(cells[0].start - 1, 0) : cells[0].stop + 1, cells[1].start - 1 : cells[1].stop + 1] = 0
    assert (outside > 0.5).mean() < 0.1
    assert worst.verdict.box is not None
    left, top, wide, tall = worst.verdict.box
    assert abs(left + wide / 2 - (LEFT + SIDE / 2)) <= CELL
    assert abs(top + tall / 2 - (TOP + SIDE / 2)) <= CELL
    for one in found:
        if one is not worst:
            assert one.verdict.psnr > worst.verdict.psnr + 3
            assert one.verdict.doubtful == 0


def test_the_spoilt_frame_has_about_the_psnr_that_is_said(found: list[Judged]):
    worst = next(one for one in found if one.verdict.number == SPOILT)
    error = float(np.average(errors(worst.frame.rgb, TRUE[SPOILT]), weights=areas(HEIGHT, WIDTH)))
    assert 10 * np.log10(255**2 / error) == pytest.approx(worst.verdict.psnr, abs=6)


def test_masks_are_white_where_cells_are_wrong(found: list[Judged]):
    times = [(F(k, 48), F(1, 48)) for k in range(2 * COUNT)]
    shown = list(masks(found, times, HEIGHT, WIDTH))
    assert [frame.time for frame in shown] == [time for time, _ in times]
    assert all(frame.rgb.shape == (3, HEIGHT, WIDTH) for frame in shown)
    assert not any(frame.rgb.any() for frame in shown[::2])
    white = (shown[SPOILT].rgb[0] > 127).float()
    assert white[TOP : TOP + SIDE, LEFT : LEFT + SIDE].mean() > 0.7


def test_a_mask_has_the_size_of_its_frame():
    doubt = np.array([[0.0, 1.0], [0.5, 0.25]], np.float32)
    mask = mask_of(doubt, 13, 10)
    assert mask.shape == (1, 13, 10)
    assert mask[0, 0].tolist() == [0.0] * 8 + [1.0] * 2
    assert mask[0, 12].tolist() == [0.5] * 8 + [0.25] * 2


def test_a_short_clip_is_judged_by_the_prior_alone(witness: Witness):
    known = prior.shipped()
    assert fitted(samples(SOURCE[:5], witness, known.names), known).own == 0


def test_frames_are_left_out_within_a_shot_only():
    cut = [Frame(one.rgb, one.time, one.duration, cut="hold" if k == 6 else None) for k, one in enumerate(SOURCE)]
    left_out = [one.index for one in triplets(cut)]
    assert left_out == [k for k in range(1, COUNT - 1) if k not in (5, 6)]
    assert [one.index for one in triplets(SOURCE, 4)] == list(range(3, COUNT - 3))


def test_long_clips_keep_a_bounded_number_of_samples(witness: Witness):
    few = samples(SOURCE, witness, prior.shipped().names, most=3)
    assert 3 <= len(few) <= 6


def test_a_mean_of_neighbours_is_a_double_exposure():
    before, after = TRUE[0], TRUE[8]
    pair = Pair.of(before, after)
    names = list(FEATURES)
    for made, double in (((before + after) / 2, True), (TRUE[4], False)):
        cells = dict(zip(names, features(pair, made, 0.5, (made, made)), strict=True))
        assert (float(cells["double"].mean()) > 2) is double
        assert (float(cells["ghost"].mean()) < 0.1) is double


def test_features_of_a_perfect_frame_are_small():
    pair = Pair.of(TRUE[0], TRUE[2])
    cells = dict(zip(FEATURES, features(pair, TRUE[1], 0.5, (TRUE[1], TRUE[1])), strict=True))
    assert float(cells["turned"].max()) == 0
    assert float(np.median(cells["near"])) < 2
    assert float(np.median(cells["astray"])) < 0.5
    assert float(np.median(cells["length"])) == pytest.approx(3, abs=0.4)


def test_sizes_that_differ_are_refused(witness: Witness, fit: Fit):
    made = Frame(torch.zeros(3, 8, 8), F(1, 48), made=True)
    one = Asked(1, 0, F(1, 48), 0.5, (SOURCE[0], SOURCE[1]), made)
    with pytest.raises(InputError, match="both must have one size"):
        list(judged([one], witness, fit))
