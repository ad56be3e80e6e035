"""AUDIO encoded as a file in memory, whose sound an MP4 can copy."""

from __future__ import annotations

from io import BytesIO
from typing import Any

import av

from ..vfi.clips.video.tape import LAYOUTS, RATES
from ..vfi.core import InputError


def of_audio(audio: dict[str, Any]) -> BytesIO | None:
    """Encode an AUDIO, ``{"waveform": [1,C,S], "sample_rate": Hz}``; None if it has no samples.

    An unusual number of channels is mixed to mono, and an unusual rate becomes 48 kHz. Raises `InputError` if the rate or a
    sample is no usable number.
    """
    batch, rate = audio["waveform"], int(audio["sample_rate"])
    if not batch.numel():
        return None
    wave = batch[0].float().cpu()
    if not wave.isfinite().all():
        raise InputError("the sound holds NaN or infinity: only finite samples can be used")
    if not 1000 <= rate <= 768_000:
        raise InputError(f"a sample rate of {rate} Hz was given: it must be from 1000 to 768000")
    if len(wave) not in LAYOUTS:
        wave = wave.mean(0, keepdim=True)
    file, layout = BytesIO(), LAYOUTS[len(wave)]
    with av.open(file, "w", format="mp4") as output:
        encoder = output.add_stream("aac", rate if rate in RATES else 48000, layout=layout)
        sound = av.AudioFrame.from_ndarray(wave.contiguous().numpy(), format="fltp", layout=layout)
        sound.sample_rate, sound.pts = rate, 0
        output.mux(encoder.encode(sound))
        output.mux(encoder.encode(None))
    return file
