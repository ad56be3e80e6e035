"""Video that arrives through standard input in a container, such as Matroska or MPEG-TS: read once, without seeking.

Knows nothing of y4m. `reader` decodes; this keeps one container open from the first picture to the end.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fractions import Fraction
from itertools import chain
from pathlib import Path

import av
import torch

from ...core import Frame, InputError
from ..clip import DEFAULT_RATE
from ..standard import NAME, Incoming
from .reader import FORMATS, ODD, Decoded, first_look, pictures_of, video_of


class _Unseekable:
    """What PyAV needs of a stream: without ``seek``, it does not try to."""

    def __init__(self, stream: Incoming) -> None:
        self._stream = stream

    def read(self, size: int) -> bytes:
        """What is there, up to ``size`` bytes."""
        return self._stream.read(size) or b""


class StreamReader(Decoded):
    """The frames of a stream, each one frame behind the next, as its end is known then; to be iterated once.

    All frames that can be decoded come. If some cannot, or the stream breaks off, ``broken`` says so in a sentence; with
    ``damaged_ok`` a note does. ``rate`` is for images that follow on each other; None means `DEFAULT_RATE`. FFmpeg reads ahead,
    up to some seconds, to find what the stream holds. Raises `InputError`.
    """

    def __init__(
        self,
        stream: Incoming,
        *,
        rate: Fraction | None = None,
        damaged_ok: bool = False,
        device: torch.device | str = "cpu",
    ) -> None:
        super().__init__(Path(NAME), damaged_ok=True, device=device)
        self.broken: str | None = None
        self._told = damaged_ok
        self._input = stream
        name = "standard input"
        if not stream.peek(1):
            raise InputError(f"{name} is empty")
        try:
            options = {"format_whitelist": ",".join(FORMATS)}
            shown = {"framerate": str(rate or DEFAULT_RATE)}  # only images take it
            container = av.open(_Unseekable(stream), "r", options=shown, container_options=options, metadata_errors="replace")
        except (av.FFmpegError, *ODD) as error:
            raise InputError(
                f"{name} is not a stream that can be read: give y4m, Matroska, MPEG-TS or another that needs no seeking, which "
                "an MP4 with its index at the end does"
            ) from error
        if rate is not None and not container.format.name.endswith("_pipe"):
            raise InputError(f"{name} has its own frame rate: {rate} can only be set for images and y4m")
        with first_look(name):
            video = video_of(container, name)
            early: list[int | None] = []
            calls: list[Callable[..., object]] = [early.append, bool, bool]
            pictures = pictures_of(
                container, video, lambda pts: _none(calls[0](pts)), None, lambda end: calls[1](end), lambda at: calls[2](at)
            )
            picture = next(pictures, None)
            clock = self._look(container, video, picture)
        assert picture is not None
        if self.info.interlaced:
            self._note("the clip is interlaced: the two fields of a frame are treated as one picture")
        if self.info.audio:
            self.notes.append("the sound of standard input is left out: the input can be read once only")

        def begun(*told: Callable[..., object]) -> Iterator[av.VideoFrame]:
            calls[:] = told
            for pts in early:
                told[0](pts)
            return chain((picture,), pictures)

        self._frames = self._shown(container, video, clock, None, begun)

    def __iter__(self) -> Iterator[Frame]:
        return (self._frame(*shown) for shown in self._frames)

    def _broken(self, time: Fraction) -> None:
        if self._told:
            super()._broken(time)
        elif not self._input.stopped:
            self.broken = (
                f"standard input is damaged or breaks off at {float(time):.3f} s: all frames that could be decoded were used"
            )


def _none(_: object) -> None:
    """Nothing."""
