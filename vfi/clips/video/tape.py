"""The samples of a sound stream by their place in time: read, stretched, and pieces crossfaded one into the next.

FFmpeg's ``atempo`` does the stretching (waveform-similarity overlap-add). Works on a few seconds at a time. Knows nothing of
pictures, or of which pieces are wanted: `sound` and `splice` do.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from fractions import Fraction
from itertools import chain
from math import ceil, gcd, lcm, log2
from pathlib import Path
from typing import Any, cast

import av
import numpy as np
from av.audio.stream import AudioStream
from av.container import InputContainer, OutputContainer
from numpy.typing import NDArray

from .reader import heard, joined, zero_of_sound

Samples = NDArray[np.float32]
"""[C,n], -1..1."""

LAYOUTS = {1: "mono", 2: "stereo", 6: "5.1", 8: "7.1"}
"""Channel layouts by the number of channels; other numbers are mixed to stereo."""

RATES = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000)
BIT_RATE = 96_000
"""Bits per second and channel."""

SLOWEST, FASTEST = Fraction(1, 64), Fraction(64)
"""Range of speeds at which sound is intelligible; outside it, and while the clip stands still, there is silence."""

PRIMING = 1024
"""Samples that FFmpeg's AAC encoder puts before the first."""

BLOCK = 2**16
"""Samples processed at once."""


def fade_at(rate: int) -> int:
    """The samples over which a piece goes on at each end, to be crossfaded: 5 ms."""
    return rate // 200


@contextmanager
def tape_file(path: Path) -> Iterator[OutputContainer]:
    """A new MP4 file in which the end of every stream of sound is exact to the sample."""
    with av.open(f"file:{path}", "w", format="mp4", options={"movie_timescale": str(lcm(*RATES))}) as output:
        yield output


def made_for(channels: int, rate: int, output: Any, codec: str) -> tuple[AudioStream, int, str]:
    """A new output stream for sound of ``channels`` and of ``rate``, with its own rate and its layout."""
    rate = rate if codec == "aac" and rate in RATES else 48000
    layout = LAYOUTS.get(channels, "stereo")
    track = output.add_stream(codec, rate=rate, layout=layout)
    track.bit_rate = BIT_RATE * track.channels
    return track, rate, layout


class Tape:
    """The samples of a stream, addressed from the clip's start; gaps are silent.

    Samples shortly before the last ones read are still held; earlier or distant ones are reached by seeking.
    """

    def __init__(self, container: InputContainer, stream: AudioStream, rate: int, layout: str, name: str) -> None:
        self.rate, self.layout = rate, layout
        self.channels = av.AudioLayout(layout).nb_channels
        self._container, self._stream, self._name = container, stream, name
        self._origin = zero_of_sound(container)
        self._first: Fraction | None = None
        self._at, self._kept, self._decoded = self._anew(0)
        opening = next(self._decoded, None)
        self._decoded = chain(() if opening is None else (opening,), self._decoded)

    def read(self, start: int, stop: int) -> Iterator[Samples]:
        """The samples from ``start`` to ``stop``, in reverse order if ``stop`` is before ``start``."""
        if stop < start:
            for end in range(start, stop, -BLOCK):
                yield np.concatenate([*self.read(max(end - BLOCK, stop), end)], axis=1)[:, ::-1]
            return
        while start < stop:
            end = min(start + BLOCK, stop)
            yield self._part(start, end)
            start = end

    def _part(self, start: int, end: int) -> Samples:
        """At most `BLOCK` samples."""
        if max(start, 0) < self._at or start > self._at + self._kept.shape[1] + 10 * self.rate:
            self._seek(start)
        while self._at + self._kept.shape[1] < end and self._more(start):
            pass
        part = np.zeros((self.channels, end - start), np.float32)
        low, high = max(start, self._at), min(end, self._at + self._kept.shape[1])
        if low < high:
            part[:, low - start : high - start] = self._kept[:, low - self._at : high - self._at]
        return part

    def _more(self, start: int) -> bool:
        """Decode the next frame; drop samples more than a second before ``start``. False at the end."""
        found = next(self._decoded, None)
        if found is None:
            return False
        place, samples = found
        end = self._at + self._kept.shape[1]
        if not self._kept.shape[1]:
            self._at = end = place
        if place > end:
            samples = np.pad(samples, ((0, 0), (place - end, 0)))
        spare = max(min(start - self.rate - self._at, self._kept.shape[1]), 0)
        self._kept = np.concatenate([self._kept[:, spare:], samples[:, max(end - place, 0) :]], axis=1)
        self._at += spare
        return True

    def _seek(self, start: int) -> None:
        """Seek to half a second before ``start``: a decoder needs some run-up."""
        time = Fraction(start, self.rate) - Fraction(1, 2) + self._origin
        begin = self._stream.start_time or 0
        self._container.seek(max(int(time / cast(Fraction, self._stream.time_base)), begin), stream=self._stream)
        self._at, self._kept, self._decoded = self._anew(start)

    def _anew(self, start: int) -> tuple[int, Samples, Iterator[tuple[int, Samples]]]:
        return start, np.zeros((self.channels, 0), np.float32), self._decode()

    def _time(self, frame: av.AudioFrame) -> Fraction:
        """The time of a frame in the file. Containers round it, Matroska to milliseconds: where all frames from the end of the
        first are as long as this one, it is exact."""
        tick, length = cast(Fraction, frame.time_base), Fraction(frame.samples, frame.sample_rate)
        time = cast(int, frame.pts) * tick
        if not length:
            return time
        if self._first is None:
            self._first = time + length
        exact = self._first + round((time - self._first) / length) * length
        return exact if abs(exact - time) <= tick else time

    def _decode(self) -> Iterator[tuple[int, Samples]]:
        """The position and the samples of each frame. Frames that nearly follow on do so exactly, despite rounded times."""
        single = self._stream.channels == 1 and self.layout == "stereo"  # FFmpeg mixes it to both sides 3 dB less loud
        resampler = av.AudioResampler("fltp", "mono" if single else self.layout, self.rate)
        following: int | None = None
        with heard(self._name):
            packets = (packet for packet in joined(self._container) if packet.stream.index == self._stream.index)
            for frame in chain.from_iterable(self._stream.decode(packet) for packet in packets):
                place = following
                if frame.pts is not None and frame.time_base is not None:
                    place = round((self._time(frame) - self._origin) * self.rate)
                    if following is not None and abs(place - following) < self.rate // 20:
                        place = following
                following = place or 0
                for part in resampler.resample(frame):
                    samples = self._on_all(cast(Samples, part.to_ndarray()))
                    yield following, samples
                    following += samples.shape[1]
            for part in resampler.resample(None) if following is not None else ():
                yield following or 0, self._on_all(cast(Samples, part.to_ndarray()))

    def _on_all(self, samples: Samples) -> Samples:
        """The samples of one channel on each channel; others unchanged."""
        return samples if len(samples) == self.channels else np.repeat(samples, self.channels, axis=0)


def played(tape: Tape, here: float, there: float, count: int, fade: int) -> Iterator[Samples]:
    """The samples from ``here`` to ``there``, stretched to ``count`` samples, and ``fade`` more at each end."""
    tempo = abs(there - here) / count
    way = 1 if there > here else -1
    if not SLOWEST <= tempo <= FASTEST:
        return
    if round(abs(there - here)) == count:
        start = round(here)
        yield from tape.read(start - way * fade, start + way * (count + fade))
        return
    filters = max(ceil(abs(log2(tempo))), 1)  # each takes 0.5 to 2: lower is impossible, higher skips samples
    each = tempo ** (1 / filters)
    half = 2 ** ceil(log2(tape.rate // 24)) // 2  # atempo drops half of its window at the start
    early = fade * tempo + half * sum(each**k for k in range(filters))
    late = fade * tempo + 4 * half
    graph = av.filter.Graph()
    begin = graph.add_abuffer(format="fltp", sample_rate=tape.rate, layout=tape.layout, time_base=Fraction(1, tape.rate))
    end = graph.add("abuffersink")
    tempos = (graph.add("atempo", f"{each:.12f}") for _ in range(filters))
    graph.link_nodes(begin, *tempos, graph.add("aformat", "sample_fmts=fltp"), end).configure()
    for samples in tape.read(round(here - way * early), round(there + way * late)):
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(samples), format="fltp", layout=tape.layout)
        frame.sample_rate, frame.time_base = tape.rate, Fraction(1, tape.rate)
        begin.push(frame)
        yield from _pulled(end)
    begin.push(None)
    yield from _pulled(end)


def _pulled(end: Any) -> Iterator[Samples]:
    """The samples that a filter graph has ready."""
    while True:
        try:
            yield end.pull().to_ndarray()
        except (av.BlockingIOError, av.EOFError):
            return


def encoded(track: AudioStream, blocks: Iterable[Samples], rate: int, layout: str) -> Iterator[av.Packet]:
    """The packets of the samples, from time zero on, and the rest of the encoder.

    AAC begins with as much silence before zero that its first packet lies on a whole millisecond: Matroska rounds to those.
    """
    lead = -PRIMING % (rate // gcd(rate, 1000)) if track.codec_context.name == "aac" else 0
    at = -lead
    for samples in chain((np.zeros((track.channels, lead), np.float32),) if lead else (), blocks):
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(samples), format="fltp", layout=layout)
        frame.sample_rate, frame.pts, frame.time_base = rate, at, Fraction(1, rate)
        at += samples.shape[1]
        yield from track.encode(frame)
    yield from track.encode(None)


def exactly(blocks: Iterable[Samples], count: int, channels: int) -> Iterator[Samples]:
    """Blocks cut or padded with silence to ``count`` samples in total."""
    for block in blocks:
        yield block[:, :count]
        count -= min(block.shape[1], count)
        if not count:
            return
    while count:
        yield np.zeros((channels, min(count, BLOCK)), np.float32)
        count -= min(count, BLOCK)


def crossfaded(pieces: Iterable[Iterable[Samples]], fade: int) -> Iterator[Samples]:
    """Concatenated pieces, each crossfaded into the next over the 2 * ``fade`` samples that overlap."""
    rising = np.linspace(0, 1, 2 * fade, dtype=np.float32)
    before: Samples | None = None
    for piece in pieces:
        held: Samples | None = None
        begun = False
        for block in piece:
            held = block if held is None else np.concatenate([held, block], axis=1)
            if held.shape[1] < 2 * fade:
                continue
            if not begun:
                begun = True
                over = held[:, fade : 2 * fade] if before is None else before * (1 - rising) + held[:, : 2 * fade] * rising
                held = np.concatenate([over, held[:, 2 * fade :]], axis=1)
            if held.shape[1] > 2 * fade:
                yield held[:, : -2 * fade]
                held = held[:, -2 * fade :]
        before = held
    if before is not None:
        yield before[:, :-fade]
