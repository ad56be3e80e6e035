from __future__ import annotations

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st


@pytest.fixture
def linear(run):
    (model,) = run("InbetweenLoadModel", model="linear")
    return model


def clip(count: int, channels: int = 3) -> torch.Tensor:
    """A clip whose frame k is filled with k."""
    return torch.arange(count, dtype=torch.float32)[:, None, None, None].expand(-1, 2, 3, channels).clone()


def numbers(images: torch.Tensor) -> list[float]:
    assert images.shape[1:] == (2, 3, 3)
    return images[:, 0, 0, 0].tolist()


@pytest.mark.parametrize("size", [2, 3, 4, 7, 50])
@pytest.mark.parametrize("overlap", [0, 1, 2, 6])
@pytest.mark.parametrize("count", [1, 2, 3, 10, 11, 12, 13])
def test_chunks_joined_are_the_clip(run, count: int, overlap: int, size: int):
    if overlap >= size:
        with pytest.raises(ValueError, match="the overlap must be smaller than the chunk"):
            run("InbetweenSplitFrames", images=clip(count), size=size, overlap=overlap)
        return
    chunks, amount = run("InbetweenSplitFrames", images=clip(count), size=size, overlap=overlap)
    assert amount == len(chunks)
    assert all(len(chunk) == size for chunk in chunks[:-1])
    assert all(len(chunk) > overlap for chunk in chunks[1:])
    for seam in ("earlier", "later", "blend"):
        images, total = run("InbetweenJoinFrames", chunks=chunks, overlap=overlap, seam=seam)
        assert total == count
        torch.testing.assert_close(images, clip(count))


def test_a_clip_interpolated_in_chunks_is_the_clip_interpolated_whole(run):
    images = torch.rand(9, 4, 5, 3)
    (model,) = run("InbetweenLoadModel", model="linear")
    whole, *_ = run("InbetweenInterpolate", model=model, images=images, mode={"mode": "times", "times": 3})
    chunks, _ = run("InbetweenSplitFrames", images=images, size=4)
    made = [run("InbetweenInterpolate", model=model, images=part, mode={"mode": "times", "times": 3})[0] for part in chunks]
    joined, count = run("InbetweenJoinFrames", chunks=made)
    assert count == 25
    assert torch.equal(joined, whole)


def test_seams(run):
    chunks = [clip(4), clip(4) + 10]
    kept = {seam: numbers(run("InbetweenJoinFrames", chunks=chunks, overlap=2, seam=seam)[0]) for seam in ("earlier", "later")}
    assert kept == {"earlier": [0, 1, 2, 3, 12, 13], "later": [0, 1, 10, 11, 12, 13]}
    blended, _ = run("InbetweenJoinFrames", chunks=chunks, overlap=2, seam="blend")
    torch.testing.assert_close(blended[2:4, 0, 0, 0], torch.tensor([2 * 2 / 3 + 10 / 3, 3 / 3 + 11 * 2 / 3]))


def test_chunks_that_do_not_fit_are_refused(run):
    with pytest.raises(ValueError, match="chunk 1 has frames of 3x3 with 3 channels, chunk 0 of 3x2 with 3 channels"):
        run("InbetweenJoinFrames", chunks=[clip(2), torch.zeros(2, 3, 3, 3)], overlap=0)
    with pytest.raises(ValueError, match="chunk 1 has 1 frames: it cannot share 2"):
        run("InbetweenJoinFrames", chunks=[clip(3), clip(1)], overlap=2)


@pytest.mark.parametrize(
    ("select", "wanted"),
    [
        ({"select": "range", "first": 0, "last": -1, "every": 1}, list(range(10))),
        ({"select": "range", "first": 2, "last": 7, "every": 3}, [2, 5]),
        ({"select": "range", "first": -3, "last": -1, "every": 2}, [7, 9]),
        ({"select": "single frame", "frame": -1}, [9]),
        ({"select": "list", "frames": "0, 4,4  7-9, -1"}, [0, 4, 4, 7, 8, 9, 9]),
        ({"select": "list", "frames": "3-1 -2--1"}, [3, 2, 1, 8, 9]),
    ],
)
def test_frames_are_selected(run, select: dict, wanted: list[int]):
    images, count = run("InbetweenSelectFrames", images=clip(10), select=select)
    assert numbers(images) == wanted
    assert count == len(wanted)


@pytest.mark.parametrize(
    ("select", "sentence"),
    [
        ({"select": "single frame", "frame": 10}, "frame 10 was requested of 10: give 0 to 9, or -10 to -1"),
        ({"select": "range", "first": -11, "last": -1, "every": 1}, "frame -11 was requested"),
        ({"select": "range", "first": 5, "last": 4, "every": 1}, "must not run backwards"),
        ({"select": "list", "frames": "1, x"}, "'x' is neither a frame nor a range"),
        ({"select": "list", "frames": " , "}, "the list of frames is empty"),
    ],
)
def test_what_cannot_be_selected_gets_a_sentence(run, select: dict, sentence: str):
    with pytest.raises(ValueError, match=sentence):
        run("InbetweenSelectFrames", images=clip(10), select=select)


def test_reverse(run):
    (images,) = run("InbetweenReverseFrames", images=clip(3))
    assert numbers(images) == [2, 1, 0]


@pytest.mark.parametrize(
    ("count", "loop", "wanted"),
    [(1, True, [0]), (1, False, [0]), (2, True, [0, 1]), (4, True, [0, 1, 2, 3, 2, 1]), (4, False, [0, 1, 2, 3, 2, 1, 0])],
)
def test_ping_pong(run, count: int, loop: bool, wanted: list[int]):
    images, total = run("InbetweenPingPong", images=clip(count), loop=loop)
    assert numbers(images) == wanted
    assert total == len(wanted)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(1, 12), st.integers(2, 7), st.integers(1, 4), st.data())
def test_frames_made_in_any_chunks_are_those_made_at_once(run, linear, count: int, size: int, times: int, data):
    images = torch.rand(count, 4, 6, 3, generator=torch.Generator().manual_seed(count))
    overlap = data.draw(st.integers(1, size - 1))
    mode = {"mode": "times", "times": times}
    chunks, _ = run("InbetweenSplitFrames", images=images, size=size, overlap=overlap)
    made = [run("InbetweenInterpolate", model=linear, images=chunk, mode=mode)[0] for chunk in chunks]
    joined, total = run("InbetweenJoinFrames", chunks=made, overlap=(overlap - 1) * times + 1, seam="earlier")
    at_once, *_ = run("InbetweenInterpolate", model=linear, images=images, mode=mode)
    assert total == len(at_once)
    assert torch.equal(joined, at_once)
