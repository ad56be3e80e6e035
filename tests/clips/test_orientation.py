"""Pictures are turned upright, whether a container or a photograph says how."""

from __future__ import annotations

import pytest
import torch
from footage import exif

from vfi.clips.orientation import TAGS, Turn, of_photograph

PICTURE = torch.arange(12.0).view(1, 3, 4)
# What EXIF 2.3 says of row 0 and column 0 of the stored picture, in the words of torch.
UPRIGHT = {
    1: PICTURE,
    2: PICTURE.flip(-1),
    3: PICTURE.rot90(2, (-2, -1)),
    4: PICTURE.flip(-2),
    5: PICTURE.transpose(-1, -2),
    6: PICTURE.rot90(-1, (-2, -1)),
    7: PICTURE.rot90(2, (-2, -1)).transpose(-1, -2),
    8: PICTURE.rot90(1, (-2, -1)),
}


@pytest.mark.parametrize("tag", range(1, 9))
@pytest.mark.parametrize(
    "wrap",
    [
        lambda tiff: b"\xff\xd8\xff\xe1\0\0Exif\0\0" + tiff,
        lambda tiff: b"\x89PNG\r\n\x1a\n....eXIf" + tiff,
        lambda tiff: b"RIFF....WEBPEXIF\0\0\0\0" + tiff,
        lambda tiff: b"RIFF....WEBPEXIF\0\0\0\0Exif\0\0" + tiff,
        lambda tiff: tiff,
    ],
    ids=["jpeg", "png", "webp", "webp-prefixed", "tiff"],
)
def test_the_tag_is_found_and_obeyed(tag: int, wrap):
    turn = of_photograph(wrap(exif(tag)))
    assert turn == TAGS[tag]
    assert torch.equal(turn(PICTURE), UPRIGHT[tag])


@pytest.mark.parametrize("data", [b"", b"II*\0", exif(6)[:12], exif(9), b"\xff\xd8 no tag", b"\x89PNG eXIfMM"])
def test_without_a_tag_that_can_be_read_nothing_is_turned(data: bytes):
    assert of_photograph(data) == Turn()
