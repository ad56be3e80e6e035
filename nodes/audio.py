"""AUDIO as a file in memory: encoded, so that an MP4 can copy its sound, or without loss, to be mended."""

from __future__ import annotations

from collections.abc import Mapping
from io import BytesIO
from typing import Any

import av
import numpy as np
import torch
from torch import Tensor

from ..vfi.clips.video.tape import LAYOUTS, RATES
from ..vfi.core import InputError
from ..vfi.edit.heal.mend import Mending
from ..vfi.render.splice import mended_samples


def of_audio(audio: Mapping[str, Any]) -> BytesIO | None:
    """Encode an AUDIO, ``{"waveform": [1,C,S], "sample_rate": Hz}``; None if it has no samples.

    An unusual number of channels is mixed to mono, and an unusual rate becomes 48 kHz. Raises `InputError` if the rate or a
    sample is no usable number.
    """
    wave, rate = checked(audio)
    return _file(wave, rate, "mp4", "aac", rate if rate in RATES else 48000) if wave.numel() else None


def mended_audio(audio: Mapping[str, Any], mended: Mending) -> Mapping[str, Any]:
    """The AUDIO of a clip that is mended: itself if time is unchanged, else cut and stretched as `render.splice` does.

    An unusual number of channels is then mixed to mono. Raises what `of_audio` raises.
    """
    wave, rate = checked(audio)
    if not mended.changes_time or not wave.numel():
        return audio
    file = _file(wave, rate, "nut", "pcm_f32le", rate)
    samples = np.concatenate([*mended_samples(file, mended, rate, LAYOUTS[len(wave)])], axis=1)
    return {"waveform": torch.from_numpy(samples)[None], "sample_rate": rate}


def checked(audio: Mapping[str, Any]) -> tuple[Tensor, int]:
    """The first sound [C,S] of an AUDIO, on the CPU, with a usual number of channels, and its rate. Raises `InputError`."""
    batch, rate = audio["waveform"], int(audio["sample_rate"])
    if not batch.numel():
        return torch.empty(0, 0), rate
    wave = batch[0].float().cpu()
    if not wave.isfinite().all():
        raise InputError("the sound holds NaN or infinity: only finite samples can be used")
    if not 1000 <= rate <= 768_000:
        raise InputError(f"a sample rate of {rate} Hz was given: it must be from 1000 to 768000")
    return (wave if len(wave) in LAYOUTS else wave.mean(0, keepdim=True)), rate


def _file(wave: Tensor, rate: int, container: str, codec: str, encoded: int) -> BytesIO:
    """A sound [C,S] of ``rate`` as a file with a stream of ``encoded`` samples a second."""
    file, layout = BytesIO(), LAYOUTS[len(wave)]
    with av.open(file, "w", format=container) as output:
        encoder = output.add_stream(codec, encoded, layout=layout)
        sound = av.AudioFrame.from_ndarray(wave.contiguous().numpy(), format="fltp", layout=layout)
        sound.sample_rate, sound.pts = rate, 0
        output.mux(encoder.encode(sound))
        output.mux(encoder.encode(None))
    return file
