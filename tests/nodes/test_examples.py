"""The clips and pictures that come with the pack."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch

from vfi.clips.images import read_image
from vfi.clips.open import open_clip

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"


def test_every_example_is_offered_once(part):
    examples = part("nodes.examples")
    masks = {mask for mask in examples.PICTURES.values() if mask}
    given = {path.name for path in EXAMPLES.iterdir() if path.suffix in (".mp4", ".png")}
    assert {*examples.CLIPS, *examples.PICTURES, *masks} == given


def test_a_clip_is_the_file_itself(run, part):
    for name in part("nodes.examples").CLIPS:
        (video,) = run("InbetweenExampleClip", file=name)
        assert Path(video.get_stream_source()).samefile(EXAMPLES / name)
        assert open_clip(video.get_stream_source()).info.frames > 20


def test_a_picture_comes_with_its_mask(run):
    image, mask = run("InbetweenExamplePicture", image="ball-first.png")
    assert image.shape == (1, 384, 640, 3)
    assert torch.equal(image[0].movedim(-1, 0), read_image(EXAMPLES / "ball-first.png").rgb)
    assert mask.shape == (1, 384, 640)
    assert mask.unique().tolist() == [0, 1]
    inside = mask[0].nonzero().float().mean(0)
    assert inside.tolist() == pytest.approx([299.5, 95.5], abs=1)  # row and column of the ball's middle
    _, nothing = run("InbetweenExamplePicture", image="ball-last.png")
    assert nothing.shape == (1, 384, 640)
    assert not nothing.any()


@pytest.mark.parametrize("name", ["../pyproject.toml", "other.mp4", str(EXAMPLES / "fox-16fps.mp4")])
def test_only_what_is_listed_is_opened(run, name):
    with pytest.raises(Exception, match=r"file is .*: one of fox-16fps\.mp4, .* is needed"):
        run("InbetweenExampleClip", file=name)


def test_the_browser_asks_where_the_server_answers(part):
    script = (ROOT / "js" / "sources.js").read_text(encoding="utf-8")
    assert re.search(r'ADDRESS = "(.+)";', script)[1] == part("nodes.examples").ADDRESS
