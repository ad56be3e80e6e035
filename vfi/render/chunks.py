"""Writes a clip in chunks that survive an interruption, and joins them without encoding again.

Each chunk is a separate clip, written by an ordinary writer and named only when complete, and no chunk depends on another. The
result is the same whichever run or worker makes a chunk, in any order.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import chain, count
from pathlib import Path

from ..clips import images
from ..clips.clip import DEFAULT_ENCODING, VIDEO_ENDINGS, Done, Encoding, Info, Source, Writer, aimed, is_pattern
from ..clips.open import create_clip
from ..clips.video import PacketWriter, VideoWriter
from ..clips.video.extras import Extras
from ..clips.video.packets import packets_of
from ..core import Frame, InputError
from .journal import Journal, delete

LENGTH = 96
"""Frames per chunk: at most this many are lost. Each chunk begins with a key frame."""


@dataclass(frozen=True)
class Parts:
    """Writes the chunks of the clip ``path`` into ``folder``. Picklable, so it can be sent to another process."""

    path: Path
    folder: Path
    info: Info
    encoding: Encoding
    time_base: Fraction | None

    @property
    def video(self) -> bool:
        """Whether the clip is a video file rather than images."""
        return self.path.suffix.lower() in VIDEO_ENDINGS

    def chunk(self, number: int) -> Path:
        """The path of chunk ``number``, whether it exists or not."""
        return self.folder / f"{number:06d}"

    def writer(self, number: int, before: int) -> Writer:
        """A writer for chunk ``number``, whose frames come after ``before`` others; an existing chunk is replaced."""
        path = self.chunk(number)
        delete(path)
        if self.video:
            return self.packets(path)
        path = path / self.path.name if is_pattern(self.path) else path
        return images.ImageWriter(path, self.info, encoding=self.encoding, first=before)

    def packets(self, path: Path) -> PacketWriter:
        """A writer of frames as the bare packets of a video."""
        ending = self.path.suffix.lower()
        return PacketWriter(path, ending, self.info, encoding=self.encoding, time_base=self.time_base)


class Chunks:
    """The clip ``path`` while it is made in chunks of ``length`` frames, by any worker that has ``parts``.

    The chunks lie in a hidden folder beside the output (see `journal.Journal`) until the clip is complete; the disk needs room
    for both. ``finished`` chunks, including those from an earlier run of the same ``recipe``, are reused and stay when this is
    closed. Raises `InputError` as `open.create_clip` does, before any work is done.
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
        extras: Extras | None = None,
        length: int = LENGTH,
    ) -> None:
        path, encoding = Path(path), replace(encoding, repeatable=True)
        self.length = length
        self._info, self._encoding, self._time_base, self._audio, self._extras = info, encoding, time_base, audio, extras
        probe = self._whole(path)
        probe.discard()
        self._target = aimed(path.parent if is_pattern(path) else path)
        if isinstance(probe, VideoWriter):
            Parts(path, self._target.parent, info, encoding, time_base).packets(path).discard()
        self._journal = Journal(self._target, {**recipe, "length of a chunk": str(length)})
        self.parts = Parts(path, self._journal.folder, info, encoding, time_base)
        self.notes = [*probe.notes, *self._journal.notes]

    @property
    def folder(self) -> Path:
        """The folder of the chunks."""
        return self._journal.folder

    @property
    def finished(self) -> dict[int, Done]:
        """The finished chunks by number."""
        return dict(self._journal.chunks)

    @property
    def done(self) -> Done:
        """The finished part, up to the first missing chunk."""
        return self._journal.done

    def finish(self, number: int, chunk: Done) -> None:
        """Record a chunk as finished; its files must be in place."""
        self._journal.finish(number, chunk)

    def keep(self, first: int) -> None:
        """Forget the chunks from number ``first`` on."""
        self._journal.keep(first)

    def join(self) -> Path:
        """Join the finished chunks, none of which may be missing, and give the clip its name."""
        if not self.done.frames:
            raise InputError(f"{self.parts.path} was not written: there were no frames")
        if not self._journal.whole.is_dir():  # else the images were verified before they were moved there
            self._journal.verify()
        parts = [self.parts.chunk(number) for number in sorted(self.finished)]
        whole = self._journal.whole
        if self.parts.video:
            whole = whole.with_suffix(self.parts.path.suffix)
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
        self._journal.remove()
        return self._target

    def close(self) -> None:
        """Leave only the finished chunks behind."""
        self._journal.close()

    def _whole(self, path: Path) -> Writer:
        """A writer for the whole clip."""
        return create_clip(
            path,
            self._info,
            encoding=self._encoding,
            time_base=self._time_base,
            audio=self._audio,
            extras=self._extras,
        )


class ChunkWriter(Writer):
    """Writes a clip as `open.create_clip` does, in ``chunks``, from the first missing one on; ``done`` is the part before it.

    Finished chunks survive an interruption or an error, and a later writer with the same recipe resumes from them.
    """

    def __init__(self, chunks: Chunks) -> None:
        self._chunks = chunks
        self.notes = chunks.notes
        self.done = chunks.done
        self._number = next(number for number in count() if number not in chunks.finished)
        try:
            chunks.keep(self._number)  # chunks after a gap, left by several processes, are made again
        except BaseException:
            chunks.close()
            raise
        self._chunk: Writer | None = None
        self._begun = Done()

    def write(self, frame: Frame) -> None:
        if self._chunk is None:
            self._chunk = self._chunks.parts.writer(self._number, self.done.frames)
        self._chunk.write(frame)
        self._begun = self._begun.with_frame(frame)
        if self._begun.frames == self._chunks.length:
            self._finish_chunk()

    def commit(self) -> Path:
        try:
            if self._begun.frames:
                self._finish_chunk()
            return self._chunks.join()
        except BaseException:
            self.discard()
            raise

    def keep_partial(self) -> Path | None:
        """Leave the finished chunks in place for a later run."""
        self.discard()
        return self._chunks.folder if self.done.frames else None

    def discard(self) -> None:
        """Leave only the finished chunks behind."""
        try:
            if self._chunk is not None:
                self._chunk.discard()
        finally:
            self._chunk = None
            self._chunks.close()

    def _finish_chunk(self) -> None:
        assert self._chunk is not None
        self._chunk.commit()
        self.notes += [note for note in self._chunk.notes if note not in self.notes]
        self._chunk = None
        self._chunks.finish(self._number, self._begun)
        self._number += 1
        self._begun, self.done = Done(), self._chunks.done
