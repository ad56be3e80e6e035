"""Sound for tests, made and heard with PyAV and NumPy only: tones, clicks, and where they are found."""

from __future__ import annotations

from fractions import Fraction as F
from pathlib import Path

import av
import numpy as np

RATE = 48000
TONE = 440


def record(path: Path, wave: np.ndarray, rate: int = RATE, codec: str = "pcm_s16le") -> Path:
    """A file with sound [C,n] alone."""
    layout = {1: "mono", 2: "stereo", 3: "2.1"}[len(wave)]
    with av.open(str(path), "w") as output:
        stream = output.add_stream(codec, rate=rate, layout=layout)
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(wave, np.float32), format="fltp", layout=layout)
        frame.sample_rate, frame.pts = rate, 0
        output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    return path


def heard(path: Path) -> np.ndarray:
    """The samples of the first stream, as long as the file states."""
    with av.open(str(path)) as container:
        stream = container.streams.audio[0]
        count = round(stream.duration * stream.time_base * stream.rate)
        return np.concatenate([frame.to_ndarray() for frame in container.decode(stream)], axis=1)[:, :count]


def tone(seconds: float, rate: int = RATE, pitch: float = TONE) -> np.ndarray:
    return np.sin(np.arange(round(seconds * rate)) * 2 * np.pi * pitch / rate)[None] / 2


def pitch_of(wave: np.ndarray, rate: int = RATE) -> float:
    spectrum = np.abs(np.fft.rfft(wave * np.hanning(len(wave)), 1 << 20))
    return float(np.argmax(spectrum)) * rate / (1 << 20)


def bursts(seconds: int, every: F = F(1, 2), rate: int = RATE) -> np.ndarray:
    """Ten milliseconds of a tone at each multiple of ``every`` seconds but 0."""
    wave, burst = np.zeros((1, seconds * rate)), tone(0.01, rate, 2000) * 2
    for k in range(1, int(seconds / every)):
        at = int(k * every * rate)
        wave[0, at : at + burst.shape[1]] = burst
    return wave


def onsets(wave: np.ndarray, rate: int = RATE) -> list[float]:
    found: list[int] = []
    for at in np.flatnonzero(np.abs(wave) > 0.25):
        if not found or at - found[-1] > rate // 20:
            found.append(int(at))
    return [at / rate for at in found]
