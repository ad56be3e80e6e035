"""Losses are the published formulas, and RIFE's own distillation is this one."""

from __future__ import annotations

import kornia
import parity
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from vfi.archs.rife import build
from vfi.train.losses import charbonnier, distillation, doubled, halved, laplacian
from vfi.train.objective import Weights, learned
from vfi.train.samples import batch, sample

SETS = [parity.load_set(name) for name in ("rife/rife_eccv", "rife/rife_eccv_m")]


def pictures(*shape: int, seed: int = 0) -> Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed))


def by_convolution(made: Tensor, true: Tensor, levels: int) -> Tensor:
    """The Laplacian pyramids of both, built as Burt and Adelson say, and compared."""
    window = torch.tensor([1.0, 4, 6, 4, 1]) / 16
    kernel = torch.outer(window, window).expand(3, 1, 5, 5)
    total = torch.zeros(())
    for _ in range(levels):
        bands = []
        coarse = []
        for picture in (made, true):
            small = F.conv2d(F.pad(picture, (2, 2, 2, 2), mode="reflect"), kernel, stride=2, groups=3)
            large = F.conv_transpose2d(small, 4 * kernel, stride=2, padding=2, output_padding=1, groups=3)
            bands.append((picture - large)[..., 2:-2, 2:-2])
            coarse.append(small)
        total = total + (bands[0] - bands[1]).abs().mean()
        made, true = coarse
    return total


def test_the_pyramid_is_that_of_burt_and_adelson():
    made, true = pictures(2, 3, 64, 96), pictures(2, 3, 64, 96, seed=1)
    inside = by_convolution(made, true, 1)
    difference = made - true
    band = difference - doubled(doubled(halved(halved(difference, 2), 3), 2), 3)
    torch.testing.assert_close(band[..., 2:-2, 2:-2].abs().mean(), inside)


def test_smoothing_keeps_what_is_even_and_the_loss_of_equal_pictures_is_nothing():
    flat = torch.full((1, 3, 32, 48), 0.25)
    torch.testing.assert_close(halved(flat, 3), flat[..., ::2])
    torch.testing.assert_close(doubled(flat, 2), flat.repeat_interleave(2, dim=2))
    assert laplacian(flat, flat) == 0
    assert charbonnier(flat, flat) == pytest.approx(1e-3)


def test_the_laplacian_loss_sees_detail_at_every_level_and_no_offset():
    picture = pictures(1, 3, 64, 64)
    torch.testing.assert_close(laplacian(picture, picture + 0.1), torch.zeros(()), atol=1e-6, rtol=0)
    for level in range(4):
        coarse = F.interpolate(pictures(1, 3, 64 >> level, 64 >> level, seed=2), scale_factor=2**level, mode="nearest")
        assert laplacian(coarse, torch.zeros_like(coarse)) > 0.1
    smooth = kornia.filters.gaussian_blur2d(picture, (5, 5), (1.5, 1.5))
    assert laplacian(smooth, picture) < laplacian(picture.flip(-1), picture)


def test_motion_is_learned_only_where_the_teacher_is_better():
    taught, flow = torch.ones(1, 4, 4, 4), torch.zeros(1, 4, 8, 8, requires_grad=True)
    student, teacher = torch.full((1, 1, 8, 8), 0.05), torch.full((1, 1, 4, 4), 0.03)
    torch.testing.assert_close(distillation([flow, flow], taught, [student, student], teacher), torch.tensor(2.0))
    torch.testing.assert_close(distillation([flow], taught, [student - 0.015], teacher), torch.zeros(()))
    half = teacher.clone()
    half[..., :2] = torch.inf
    lost = distillation([flow], taught, [student], half)
    torch.testing.assert_close(lost, torch.tensor(0.5))
    lost.backward()
    assert (flow.grad[..., :4] == 0).all()
    assert (flow.grad[..., 4:] < 0).all()


def test_motion_on_another_grid_is_brought_to_the_teachers():
    taught, error, bar = torch.full((1, 4, 4, 4), 3.0), torch.ones(1, 1, 16, 16), torch.zeros(1, 1, 4, 4)
    for side in (2, 4, 16):
        torch.testing.assert_close(distillation([torch.ones(1, 4, side, side)], taught, [error], bar), torch.tensor(2.0))


def test_how_much_better_the_teacher_must_be_is_said():
    flow, taught, bar = torch.zeros(1, 4, 4, 4), torch.ones(1, 4, 4, 4), torch.zeros(1, 1, 4, 4)
    error = torch.full((1, 1, 4, 4), 0.005)
    assert distillation([flow], taught, [error], bar) == 0
    assert distillation([flow], taught, [error], bar, better=0.002) == 1


def test_equal_flows_have_a_slope():
    flow = torch.zeros(1, 4, 4, 4, requires_grad=True)
    distillation([flow], torch.zeros(1, 4, 4, 4), [torch.ones(1, 1, 4, 4)], torch.zeros(1, 1, 4, 4)).backward()
    assert flow.grad.isfinite().all()


@pytest.mark.parametrize("stored", SETS, ids=lambda stored: stored.name)
@torch.no_grad()
def test_it_is_the_published_distillation(stored: parity.ParitySet):
    """The stored loss of RIFE's training is that of its students' flows and its teacher's, by this formula."""
    case = next(case for case in stored.cases if case.options.get("teacher"))
    net, t = build(stored.state(), teacher=True), torch.tensor([0.5])
    truth = torch.from_numpy(parity.synthetic_frames(case.height, case.width, 2, case.motion / 2))[1:]
    features = [net.encode(rgb) for rgb in case.window.unbind(1)]
    planes = features[0].plane, features[1].plane
    levels = list(net.flownet.levels(planes, t.view(1, 1, 1, 1), net.flownet.scales))
    lesson = net.teach(case.window, t, truth)
    errors = [(level.blend() - truth).abs().mean(dim=1, keepdim=True) for level in levels]
    bar = (lesson.teacher - truth).abs().mean(dim=1, keepdim=True)
    loss = distillation([level.flow for level in levels], lesson.teacher_flow, errors, bar)
    torch.testing.assert_close(loss, lesson.distillation)
    stored.compare(case, "loss_distill", loss)


def test_a_network_with_a_teacher_is_taught_by_the_papers_sum():
    """L_lap of student and teacher, and lambda times the distillation."""
    stored = SETS[0]
    net, frames = build(stored.state(), teacher=True), pictures(3, 3, 64, 64, seed=3)
    examples = batch([sample(frames[0], frames[2], frames[1], 0.5)])
    lesson = net.teach(examples.window, examples.t, examples.truth)
    wanted = laplacian(lesson.student, examples.truth) + laplacian(lesson.teacher, examples.truth)
    told = learned(net, examples, Weights(privileged=0.01))
    torch.testing.assert_close(told.loss, wanted + 0.01 * lesson.distillation)
