"""Writing a clip in chunks that are kept when work is cut off, and put together without encoding again.

Each chunk is a clip of its own, made and named as a whole by an ordinary writer, and no frame of it depends on another: which
chunks are made in which run makes no difference to the result.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from fractions import Fraction
from itertools import chain
from pathlib import Path

from . import images, media
from .core import Frame, InputError
from .journal import Journal
from .media import DEFAULT_ENCODING, Done, Encoding, Info, Source, Writer
from .video import PacketWriter, VideoWriter
from .video.packets import packets_of

LENGTH = 96
"""Frames of a chunk: what is lost at most. Each begins with a key frame."""


class ChunkWriter(Writer):
    """Writes a clip as `media.open_writer` does, in chunks of ``length`` frames.

    The chunks lie in a hidden folder beside the output, see `journal.Journal`, until the clip is whole; there must be room for
    both. An interruption and an error leave the finished ones there, and ``done`` says what they hold: a later writer of the
    same ``recipe`` goes on from them. Raises `InputError` as `media.open_writer` does, before any work is done.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        info: Info,
        recipe: Mapping[str, str],
        *,
        encoding: Encoding = DEFAULT_ENCODING,
        time_base: Fraction | None = None,
        audio: Source | None = None,
        length: int = LENGTH,
    ) -> None:
        self._path, self._info = Path(path), info
        self._encoding = replace(encoding, repeatable=True)
        self._time_base, self._audio, self._length = time_base, audio, length
        probe = self._whole(self._path)
        probe.discard()
        self._video = isinstance(probe, VideoWriter)
        if self._video:
            self._packets(self._path).discard()
        self._target = self._path.parent if "%" in self._path.name else self._path
        self._journal = Journal(self._target, {**recipe, "length of a chunk": str(length)})
        self.notes = [*probe.notes, *self._journal.notes]
        self.done = self._journal.done
        self._chunk: Writer | None = None
        self._begun = Done()

    def write(self, frame: Frame) -> None:
        if self._chunk is None:
            self._chunk = self._part(self._journal.chunk(len(self._journal.chunks)))
        self._chunk.write(frame)
        self._begun = self._begun.with_frame(frame)
        if self._begun.frames == self._length:
            self._finish_chunk()

    def commit(self) -> Path:
        try:
            if self._begun.frames:
                self._finish_chunk()
            if not self.done.frames:
                raise InputError(f"{self._path} was not written: there were no frames")
            self._join()
        except BaseException:
            self.discard()
            raise
        self._journal.remove()
        return self._target

    def keep_partial(self) -> Path | None:
        """Leave the finished chunks where they are, for a later run."""
        self.discard()
        return self._journal.folder if self.done.frames else None

    def discard(self) -> None:
        """Leave nothing behind but the finished chunks."""
        try:
            if self._chunk is not None:
                self._chunk.discard()
        finally:
            self._chunk = None
            self._journal.close()

    def _finish_chunk(self) -> None:
        assert self._chunk is not None
        self._chunk.commit()
        self._chunk = None
        self._journal.finish(self._begun)
        self._begun, self.done = Done(), self._journal.done

    def _whole(self, path: Path) -> Writer:
        """What writes the whole clip."""
        return media.open_writer(path, self._info, encoding=self._encoding, time_base=self._time_base, audio=self._audio)

    def _part(self, path: Path) -> Writer:
        """What writes a chunk."""
        if self._video:
            return self._packets(path)
        path = path / self._path.name if "%" in self._path.name else path
        return images.ImageWriter(path, self._info, encoding=self._encoding, first=self.done.frames)

    def _packets(self, path: Path) -> PacketWriter:
        ending = self._path.suffix.lower()
        return PacketWriter(path, ending, self._info, encoding=self._encoding, time_base=self._time_base)

    def _join(self) -> None:
        """Put the chunks together in the folder, and give the whole its name."""
        parts = [self._journal.chunk(number) for number in range(len(self._journal.chunks))]
        whole = self._journal.whole
        if self._video:
            whole = whole.with_suffix(self._path.suffix)
            with self._whole(whole) as writer:
                assert isinstance(writer, VideoWriter)
                writer.take(chain.from_iterable(map(packets_of, parts)))
        else:
            images.join(parts, whole)
        try:
            if self._target.is_dir():
                self._target.rmdir()
            whole.replace(self._target)
        except OSError as error:
            raise InputError(f"{self._target} cannot be written: {error.strerror}") from error
