from __future__ import annotations

import pytest
import torch

RED = [1.0, 0.0, 0.0]


@pytest.fixture
def shift(part):
    """A model that estimates 8 pixels of motion to the right everywhere."""
    core = part("vfi.core")

    class Shift:
        spec = core.Spec("shift")

        def __call__(self, window, t):
            return window[:, 0]

        def motion_at(self, window, t):
            plane = torch.ones(1, 1, *window.shape[-2:])
            right = torch.cat((plane, plane * 0), dim=1) * 8
            return core.Motion(-t * right, (1 - t) * right, plane * 0.25)

    return part("nodes.model").Model.hold(Shift())


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_motion_becomes_colour(run, shift, channels: int):
    images = torch.rand(3, 6, 20, channels)
    pictures, occlusion, weight, radius = run("InbetweenFlowPicture", model=shift, images=images)
    assert (pictures.shape, occlusion.shape, weight.shape) == ((3, 6, 20, 3), (3, 6, 20), (3, 6, 20))
    assert pictures[:, 0, 0].tolist() == [RED, RED, [1, 1, 1]]
    assert radius == 4
    assert weight[0].unique().tolist() == [0.25]
    assert not occlusion.any()


def test_radius_time_and_direction_can_be_chosen(run, shift):
    images = torch.rand(2, 6, 20, 3)
    pictures, *_, radius = run("InbetweenFlowPicture", model=shift, images=images, radius=12.0, t=0.25)
    assert (pictures[0, 0, 0].tolist(), radius) == ([1, 0.5, 0.5], 12)
    pictures, *_, radius = run("InbetweenFlowPicture", model=shift, images=images, toward="previous", t=0.25)
    assert pictures[0, 0, 0, 0] == 0
    assert radius == 2


def test_a_real_model_sees_a_pan(run):
    (model,) = run("InbetweenLoadModel", model="dis")
    wide = torch.nn.functional.interpolate(torch.rand(1, 3, 16, 24), (64, 112), mode="bicubic")[0].movedim(0, -1).clamp(0, 1)
    images = torch.stack((wide[:, 8:104], wide[:, :96]))
    pictures, occlusion, weight, _ = run("InbetweenFlowPicture", model=model, images=images, radius=5.0)
    assert (pictures[0, 16:48, 24:72].mean((0, 1)) - torch.tensor([1, 0.2, 0.2])).abs().max() < 0.1
    assert occlusion[0, 16:48, 24:72].mean() < 0.1
    assert weight[0, :, 0].mean() < 0.3 < 0.7 < weight[0, :, -1].mean()  # what enters is only in the next frame


def test_a_model_without_motion_says_so(run):
    (model,) = run("InbetweenLoadModel", model="linear")
    with pytest.raises(ValueError, match="linear does not estimate motion: choose a model that does"):
        run("InbetweenFlowPicture", model=model, images=torch.rand(2, 6, 20, 3))


def test_progress_and_cancel_come_at_every_pair(run, shift, server):
    images = torch.rand(5, 6, 20, 3)
    run("InbetweenFlowPicture", model=shift, images=images)
    assert server.progress == [(done, 5) for done in range(1, 6)]
    server.progress.clear()
    server.interrupt_at = 2
    with pytest.raises(server.Interrupted):
        run("InbetweenFlowPicture", model=shift, images=images)
    assert len(server.progress) == 2
