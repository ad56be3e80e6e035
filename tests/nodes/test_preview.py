from __future__ import annotations

from fractions import Fraction

import pytest
import torch


@pytest.fixture
def linear(run):
    (model,) = run("InbetweenLoadModel", model="linear")
    return model


@pytest.fixture
def shown(server, part, monkeypatch):
    """Turn previews on: every new frame is shown, since no time passes."""
    server.args.preview_method = type(server.args.preview_method).Auto
    monkeypatch.setattr(part("nodes.preview"), "EVERY", 0)
    monkeypatch.setattr(part("nodes.preview"), "perf_counter", lambda: 1.0)
    return server.previews


def frame(part, rgb: torch.Tensor, made: bool = True):
    return part("vfi.core").Frame(rgb, Fraction(0), made=made)


def test_only_new_frames_are_shown(run, linear, shown):
    run("InbetweenInterpolate", model=linear, images=torch.rand(3, 4, 6, 3), mode={"mode": "times", "times": 2})
    assert [done for done, _ in shown] == [2, 4]


def test_frames_of_a_video_are_shown_too(run, linear, shown, part):
    video = part("nodes.video").InputImpl.VideoFromComponents(torch.rand(3, 48, 64, 3), Fraction(24))
    run("InbetweenInterpolateVideo", model=linear, video=video, mode={"mode": "times", "times": 2})
    assert [done for done, _ in shown] == [2, 4, 6]  # the last one holds the last frame
    assert all(picture.size == (64, 48) for _, picture in shown)


def test_exposures_are_shown_not_their_samples(run, linear, shown, server):
    run("InbetweenShutter", model=linear, images=torch.rand(3, 4, 6, 3), samples=4)
    assert server.progress[-1] == (3, 3)
    assert [done for done, _ in shown] == [1, 2]  # nothing follows the last frame, which stays sharp


def test_nothing_is_shown_unless_the_user_wants_previews(run, linear, shown, server):
    server.args.preview_method = type(server.args.preview_method).NoPreviews
    run("InbetweenInterpolate", model=linear, images=torch.rand(3, 4, 6, 3), mode={"mode": "times", "times": 2})
    assert shown == []
    assert server.progress[-1] == (5, 5)


def test_a_picture_is_small_and_in_8_bits(part, server, shown):
    rgb = torch.linspace(-1, 2, 3000).expand(3, 40, -1)
    _, picture, most = part("nodes.preview").Previews().of(frame(part, rgb))
    width, height = picture.size
    assert most == width <= 512
    assert width > 256
    assert 3 <= height <= 8
    for codes in (frame(part, (torch.rand(3, 5, 7) * 255).byte()), frame(part, torch.rand(3, 5, 7).half())):
        assert part("nodes.preview").Previews().of(codes)[1].size == (7, 5)
    server.args.preview_size = 0  # an odd choice must not end a run
    assert part("nodes.preview").Previews().of(frame(part, rgb)) is None


@pytest.mark.parametrize(("took", "wait"), [(0.02, 4.0), (0.001, 0.5)])
def test_pictures_take_little_of_the_time(part, shown, monkeypatch, took: float, wait: float):
    """A picture that takes 20 ms is followed by none within 4 seconds, a fast one by none within half a second."""
    now, preview = 10.0, part("nodes.preview")

    def clock() -> float:
        nonlocal now
        now += took
        return now

    monkeypatch.setattr(preview, "EVERY", 0.5)
    monkeypatch.setattr(preview, "perf_counter", clock)
    previews, one = preview.Previews(), frame(part, torch.rand(3, 5, 7))
    assert previews.of(one) is not None
    now = 10 + wait - took
    assert previews.of(one) is None
    assert previews.of(one) is not None
