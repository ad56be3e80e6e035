"""Parts of a clip as bare encoded packets, which are joined into one file without encoding again.

A file is a series of packets: a header (time stamps, duration, whether it is a key frame, size), then the bytes. Containers
are not used: they round times, rewrite packets, and guess stream properties from the packets.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from fractions import Fraction
from io import BytesIO
from pathlib import Path
from struct import Struct

import av

from ...core import Frame, InputError
from ..clip import DEFAULT_ENCODING, Encoding, Info, Staged, Writer
from ..yuv import has_alpha
from .codecs import CONTAINERS
from .encoder import Encoder, Pictures

HEADER = Struct("<qqq?I")


class PacketWriter(Writer):
    """Encodes a part of a clip into a file of packets for a container of the given ``ending``; see `writer.VideoWriter`.

    The first packet is a key frame, and no packet refers to another part. Raises `InputError` if the file cannot be written,
    and for VP9 with alpha.
    """

    def __init__(
        self,
        path: Path,
        ending: str,
        info: Info,
        *,
        encoding: Encoding = DEFAULT_ENCODING,
        time_base: Fraction | None = None,
    ) -> None:
        pictures = Pictures(ending, info, encoding, time_base)
        if pictures.codec == "vp9" and has_alpha(pictures.layout):  # its alpha is not in the packets themselves
            raise InputError("the alpha of vp9 cannot be joined from parts: prores, ffv1 and images keep it")
        self.notes = pictures.notes
        self._container = av.open(BytesIO(), "w", format=CONTAINERS[ending][0])  # stays empty; nothing is left if it fails
        self._staged = Staged(path)
        self._file = self._staged.path.open("wb")
        try:
            self._encoder = Encoder(pictures, pictures.stream(self._container))
        except BaseException:
            self.discard()
            raise

    def write(self, frame: Frame) -> None:
        self._save(self._encoder.encode(frame))

    def commit(self) -> Path:
        try:
            self._save(self._encoder.rest())
            with self._reported():
                self._file.flush()
                os.fsync(self._file.fileno())  # else its name may reach the disk before its content
                self._close()
        except BaseException:
            self.discard()
            raise
        return self._staged.commit()

    def keep_partial(self) -> Path | None:
        self.discard()
        return None

    def discard(self) -> None:
        with suppress(av.FFmpegError, OSError, ValueError):  # a full disk fails again: the first error is told
            self._container.close()
        with suppress(OSError):
            self._file.close()
        self._staged.discard()

    def _close(self) -> None:
        self._container.close()
        self._file.close()

    def _save(self, packets: Iterable[av.Packet]) -> None:
        with self._reported():
            for packet in packets:
                header = HEADER.pack(packet.pts, packet.dts, packet.duration, packet.is_keyframe, packet.size)
                self._file.write(header)
                self._file.write(bytes(packet))

    @contextmanager
    def _reported(self) -> Iterator[None]:
        try:
            yield
        except (OSError, av.FFmpegError) as error:
            raise InputError(f"{self._staged.target} cannot be written: {error.strerror}") from error


def packets_of(path: Path) -> Iterator[av.Packet]:
    """The packets of a file. Raises `InputError` if it is truncated."""
    with path.open("rb") as file:
        while header := file.read(HEADER.size):
            data = b""
            if len(header) == HEADER.size:
                pts, dts, duration, key, size = HEADER.unpack(header)
                data = file.read(size)
            if not data or len(data) < size:
                raise InputError(f"{path} is truncated: delete {path.parent} and start over")
            packet = av.Packet(data)
            packet.pts, packet.dts, packet.duration, packet.is_keyframe = pts, dts, duration, key
            yield packet
