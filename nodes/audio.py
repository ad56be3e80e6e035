"""AUDIO encoded as a file in memory, whose sound an MP4 can copy."""

from __future__ import annotations

from io import BytesIO
from typing import Any

import av

from ..vfi.clips.video.sound import LAYOUTS


def of_audio(audio: dict[str, Any]) -> BytesIO:
    """Encode an AUDIO, ``{"waveform": [1,C,S], "sample_rate": Hz}``; an unusual number of channels is mixed to mono."""
    wave, rate = audio["waveform"][0].float().cpu(), int(audio["sample_rate"])
    if len(wave) not in LAYOUTS:
        wave = wave.mean(0, keepdim=True)
    file, layout = BytesIO(), LAYOUTS[len(wave)]
    with av.open(file, "w", format="mp4") as output:
        encoder = output.add_stream("aac", rate, layout=layout)
        sound = av.AudioFrame.from_ndarray(wave.contiguous().numpy(), format="fltp", layout=layout)
        sound.sample_rate, sound.pts = rate, 0
        output.mux(encoder.encode(sound))
        output.mux(encoder.encode(None))
    return file
