"""Keyframes for the video models that ComfyUI runs itself."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch

LTX = SimpleNamespace(downscale_index_formula=(8, 32, 32))
ROWS = [[torch.zeros(1, 4, 8), {}]]


def pictures(count: int, width: int = 64, height: int = 48, channels: int = 3) -> torch.Tensor:
    return torch.rand(count, height, width, channels)


def clip(frames: int = 97, width: int = 3, height: int = 2) -> dict:
    return {"samples": torch.zeros(1, 128, (frames - 1) // 8 + 1, height, width)}


def test_keyframes_become_a_control_video_and_masks(run):
    keys = pictures(3)
    video, masks, reference, *shape, report = run(
        "InbetweenVaceKeyframes", keyframes=keys, places="0, 10, -1", width=64, height=48, length=17
    )
    assert shape == [64, 48, 17]
    assert video.shape == (17, 48, 64, 3)
    assert masks.shape == (17, 48, 64)
    assert [int(mask.max()) for mask in masks] == [int(mask.min()) for mask in masks]
    assert masks[:, 0, 0].tolist() == [float(index not in (0, 10, 16)) for index in range(17)]
    assert torch.equal(video[[0, 10, 16]], keys)
    assert (video[masks.bool()] == 0.5).all()
    assert reference is None
    assert report.splitlines()[1] == "keyframe 2: frame 10, at 0.625 s"


def test_a_list_of_keyframes_may_have_any_sizes_and_channels(run):
    keys = [pictures(1, 64, 48), pictures(2, 100, 40, channels=4), pictures(1, 30, 90, channels=1)]
    video, masks, *_ = run("InbetweenVaceKeyframes", keyframes=keys, places="even", width=64, height=48, length=13)
    assert masks[:, 0, 0].tolist() == [float(index % 4 > 0) for index in range(13)]
    assert torch.equal(video[0], keys[0][0])
    assert torch.equal(video[12, ..., 0], video[12, ..., 2])
    assert video.min() >= 0
    assert video.max() <= 1


def test_clips_are_continued_and_connected(run):
    before, after, key = pictures(20), pictures(20), pictures(1)
    size = {"width": 64, "height": 48, "length": 33}
    video, masks, *_ = run("InbetweenVaceKeyframes", before=before, kept=5, **size)
    assert torch.equal(video[:5], before[-5:])
    assert masks[:, 0, 0].tolist() == [0.0] * 5 + [1.0] * 28
    video, masks, *_ = run("InbetweenVaceKeyframes", after=after, kept=50, length=33, width=64, height=48)
    assert torch.equal(video[-20:], after)  # as many as there are
    video, masks, *_, report = run("InbetweenVaceKeyframes", before=before, after=after, keyframes=key, kept=5, **size)
    assert masks[:, 0, 0].tolist() == [0.0] * 5 + [1.0] * 11 + [0.0] + [1.0] * 11 + [0.0] * 5
    assert torch.equal(video[16], key[0])
    assert report == "keyframe 1: frame 16, at 1.000 s"


def test_a_reference_is_put_on_white(run):
    _, _, reference, *_ = run(
        "InbetweenVaceKeyframes", keyframes=pictures(1), reference=0.5 * pictures(2, 16, 48), width=64, height=48, length=5
    )
    assert reference.shape == (1, 48, 64, 3)
    assert (reference[:, :, :24] == 1).all()
    assert (reference[:, :, 24:40] < 1).all()


@pytest.mark.parametrize(
    ("inputs", "said"),
    [
        ({}, "no picture was given"),
        ({"keyframes": pictures(2), "length": 16}, "such as 13 or 17"),
        ({"keyframes": pictures(2), "width": 60}, "a size of 60x48 was asked for"),
        ({"keyframes": pictures(2), "places": "0, 17"}, "the place 17 was given"),
        ({"keyframes": pictures(2), "places": "0"}, "the number of places is 1, and that of keyframes 2"),
        ({"before": pictures(9), "after": pictures(9)}, r"keyframes \(0\), before \(9\) and after \(9\)"),
        ({"keyframes": pictures(1), "before": pictures(16)}, "all filled by"),
        ({"keyframes": pictures(17)}, "all filled by"),
        ({"keyframes": torch.full((1, 48, 64, 3), float("nan"))}, "NaN or infinity"),
        ({"keyframes": pictures(1)[..., :2]}, "images of shape"),
        ({"keyframes": pictures(1), "length": 0}, "length is 0"),
    ],
)
def test_what_vace_cannot_take_is_refused_in_a_sentence(run, inputs, said):
    with pytest.raises(ValueError, match=said):
        run("InbetweenVaceKeyframes", **({"width": 64, "height": 48, "length": 17, "kept": 16} | inputs))


def test_a_clip_that_does_not_fit_into_memory_is_refused_before_it_is_made(run, part, monkeypatch):
    monkeypatch.setattr(part("nodes.bridge").memory, "free", lambda: 10**6)
    with pytest.raises(ValueError, match="control videos of 81 frames of 832x480 take"):
        run("InbetweenVaceKeyframes", keyframes=pictures(2))


def test_each_keyframe_becomes_a_guide_of_ltx_one_behind_the_other(run, nodes):
    keys, latent = pictures(3, 96, 64), clip(97)
    given = {
        "positive": [ROWS], "negative": [ROWS], "vae": [LTX], "latent": [latent], "keyframes": [keys[:2], keys[2:]],
        "places": ["0, 1.1s, -1"], "fps": [25.0], "strength": [0.7], "align": [True],
    }  # fmt: skip
    made = nodes["InbetweenLtxKeyframes"].execute(**given)
    first, second, third = made.expand
    assert [node["class_type"] for node in made.expand.values()] == ["LTXVAddGuide"] * 3
    inputs = [node["inputs"] for node in made.expand.values()]
    assert [one["frame_idx"] for one in inputs] == [0, 32, 96]
    assert [one["strength"] for one in inputs] == [0.7] * 3
    assert [torch.equal(one["image"], key[None]) for one, key in zip(inputs, keys, strict=True)] == [True] * 3
    assert (inputs[0]["positive"], inputs[0]["latent"]) == (ROWS, latent)
    for name, slot in (("positive", 0), ("negative", 1), ("latent", 2)):
        assert [one[name] for one in inputs[1:]] == [[first, slot], [second, slot]]
    assert made.result[:3] == ([third, 0], [third, 1], [third, 2])
    assert made.result[3].splitlines()[1] == "keyframe 2: frame 32, at 1.280 s: 4.5 frames later than asked"


@pytest.mark.parametrize(
    ("inputs", "said"),
    [
        ({"vae": SimpleNamespace(downscale_index_formula=None)}, "the VAE is not LTX's"),
        ({"vae": SimpleNamespace(downscale_index_formula=(4, 8, 8))}, "the VAE is not LTX's"),
        ({"vae": SimpleNamespace()}, "the VAE is not LTX's"),
        ({"latent": {"samples": torch.zeros(1, 4, 8, 8)}}, "a latent of shape"),
        ({"latent": {"samples": SimpleNamespace(is_nested=True)}}, "holds sound too"),
        ({"positive": [[torch.zeros(1), {"keyframe_idxs": torch.zeros(1)}]]}, "holds keyframes already"),
        ({"places": "0, 97"}, "a clip of 97 frames has 0 to 96"),
    ],
)
def test_what_ltx_cannot_take_is_refused_in_a_sentence(nodes, inputs, said):
    given = {"positive": ROWS, "negative": ROWS, "vae": LTX, "latent": clip(), "keyframes": pictures(2), "places": "even"}
    given = {name: [value] for name, value in (given | {"fps": 25.0, "strength": 1.0} | inputs).items()}
    with pytest.raises(ValueError, match=said):
        nodes["InbetweenLtxKeyframes"].execute(**given)
