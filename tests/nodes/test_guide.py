from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch
from torch import Tensor


@pytest.fixture
def linear(run):
    (model,) = run("InbetweenLoadModel", model="linear")
    return model


def square(left: float, top: float) -> Tensor:
    """A white square of 20 pixels on grey: [H,W,3]."""
    image = torch.full((96, 160, 3), 0.2)
    image[round(top) : round(top) + 20, round(left) : round(left) + 20] = 1
    return image


def centre(image: Tensor) -> tuple[float, float]:
    y, x = (image[..., 0] > 0.6).nonzero(as_tuple=True)
    return float(x.double().mean()), float(y.double().mean())


def tracks(*places: tuple[float, float]) -> dict[str, Tensor]:
    """The track of one point."""
    path = torch.tensor(places, dtype=torch.float32)[:, None]
    return {"track_path": path, "track_visibility": torch.ones(len(places), 1, dtype=torch.bool)}


BOW = ((29.5, 69.5), (79.5, 29.5), (129.5, 69.5))
"""A detour above the straight line between both ends."""


def interpolated(run, model, images: Tensor, times: int = 2) -> Tensor:
    return run("InbetweenInterpolate", model=model, images=images, source_fps=24.0, mode={"mode": "times", "times": times})[0]


def test_new_frames_follow_tracks(run, linear):
    images = torch.stack([square(20, 60), square(120, 60)])
    (model,) = run("InbetweenGuide", model=linear, strength=1.0, auto=False, tracks=tracks(*BOW))
    made = interpolated(run, model, images)
    assert torch.equal(made[::2], images)
    assert centre(made[1]) == pytest.approx((79.5, 29.5), abs=1)
    assert centre(interpolated(run, linear, images)[1])[1] != pytest.approx(29.5, abs=20)


def test_tracks_go_on_over_all_frames(run, linear):
    images = torch.stack([square(20, 60), square(70, 20), square(120, 60)])
    (model,) = run("InbetweenGuide", model=linear, strength=1.0, auto=False, tracks=tracks(*BOW))
    made = interpolated(run, model, images)
    assert centre(made[1]) == pytest.approx((54.5, 49.5), abs=1)
    assert centre(made[3]) == pytest.approx((104.5, 49.5), abs=1)


def test_a_mask_says_what_is_moved(run, linear):
    """Half of the square moves, the rest stays."""
    still = torch.stack([square(70, 40), square(70, 40)])
    still[1, 0, 0] = 0  # identical frames would be repeated without the model
    parts = torch.zeros(1, 96, 160)
    parts[:, 40:60, 80:90] = 1
    model = run(
        "InbetweenGuide",
        model=linear,
        strength=1.0,
        auto=False,
        tracks=tracks((85, 50), (120, 50), (85, 50)),
        parts=parts,
    )[0]
    made = interpolated(run, model, still)[1]
    assert made[42:58, 117:123].mean() > 0.95
    assert made[42:58, 100:110].mean() < 0.25
    assert made[42:58, 71:78].mean() > 0.95


def test_a_guided_model_may_be_augmented(run, linear):
    images = torch.stack([square(20, 60), square(120, 60)])
    (model,) = run("InbetweenGuide", model=linear, strength=1.0, auto=False, tracks=tracks(*BOW))
    (model,) = run("InbetweenTTA", model=model, mode="flip")
    assert centre(interpolated(run, model, images)[1]) == pytest.approx((79.5, 29.5), abs=1)


def test_what_cannot_be_guided_is_one_sentence(run, linear):
    with pytest.raises(ValueError, match="there is nothing to follow: connect tracks or turn auto on"):
        run("InbetweenGuide", model=linear, strength=1.0, auto=False)
    (model,) = run("InbetweenGuide", model=linear, strength=1.0, auto=True)
    with pytest.raises(ValueError, match="already follows a guide"):
        run("InbetweenGuide", model=model, strength=1.0, auto=True)
    with pytest.raises(ValueError, match="join the models first, then add the guide"):
        run("InbetweenConsensus", model_1=linear, model_2=model)


def test_the_points_of_auto_can_be_found_by_a_network(run, linear, nodes, part, monkeypatch):
    node, prompts = nodes["InbetweenGuide"], part("nodes.prompts")
    assert "vfi models fetch loftr`" in node.validate_inputs(matcher="loftr")
    assert node.validate_inputs(matcher="sift") is True
    monkeypatch.setattr(node, "hidden", SimpleNamespace(unique_id="3"), raising=False)
    prompts.noted({"prompt": {"3": {"inputs": {"matcher": "loftr", "auto": False}}}})
    assert node.validate_inputs(matcher="loftr") is True  # it is not used
    prompts.noted({})
    with pytest.raises(ValueError, match=r"loftr is not on disk.*vfi models fetch loftr`"):
        run("InbetweenGuide", model=linear, auto=True, matcher="loftr")
    (model,) = run("InbetweenGuide", model=linear, auto=False, matcher="loftr", tracks=tracks(*BOW))
    assert model.guide.matcher is part("vfi.motion.match").sift


def test_a_guide_takes_no_pace(run, linear):
    images = torch.stack([square(20, 60), square(120, 60)])
    (model,) = run("InbetweenGuide", model=linear, strength=1.0, auto=False, tracks=tracks(*BOW))
    with pytest.raises(ValueError, match="pace auto was given with a model that follows a guide"):
        run("InbetweenInterpolate", model=model, images=images, mode={"mode": "times", "times": 2}, pace="auto")
