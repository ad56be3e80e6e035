"""Pictures for pages: encoded once, at the size at which they are shown, and decoded to be drawn.

Pictures are [H,W,3] uint8, RGB. Knows nothing of clips.
"""

from __future__ import annotations

from base64 import b64encode
from typing import Any, TypeAlias

import numpy as np

from .page import Picture

Pixels: TypeAlias = "np.ndarray[Any, Any]"

QUALITY = 84
"""Of JPEG, of 100: coding errors must not be taken for faults of the clip."""


def encoded(pixels: Pixels) -> Picture:
    """The picture [H,W,3] as JPEG, without subsampling of colour; small ones as PNG, if that is smaller."""
    import cv2

    bgr = np.ascontiguousarray(pixels[..., ::-1])
    flags = [cv2.IMWRITE_JPEG_QUALITY, QUALITY, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444]
    best, mime = _written(".jpg", bgr, flags), "image/jpeg"
    if pixels.shape[0] * pixels.shape[1] < 64 * 64:
        png = _written(".png", bgr, [])
        best, mime = (png, "image/png") if len(png) <= len(best) else (best, mime)
    return Picture(best, pixels.shape[1], pixels.shape[0], mime)


def decoded(picture: Picture) -> Pixels:
    """The pixels of a picture, [H,W,3] uint8."""
    import cv2

    bgr: Pixels | None = cv2.imdecode(np.frombuffer(picture.data, np.uint8), cv2.IMREAD_COLOR)
    if bgr is None:
        raise RuntimeError(f"a picture of {picture.width}x{picture.height} on a page could not be decoded")
    return np.ascontiguousarray(bgr[..., ::-1])


def data_uri(picture: Picture) -> str:
    """The picture as an address that holds it."""
    return f"data:{picture.mime};base64,{b64encode(picture.data).decode()}"


def _written(ending: str, bgr: Pixels, flags: list[int]) -> bytes:
    import cv2

    done, data = cv2.imencode(ending, bgr, flags)
    if not done:
        raise RuntimeError(f"a picture of shape {list(bgr.shape)} could not be encoded")
    return bytes(data)
