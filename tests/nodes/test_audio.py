"""AUDIO as a file."""

from __future__ import annotations

from io import BytesIO

import av
import numpy as np
import pytest
import torch

RATE = 16000


@pytest.fixture
def sound(part):
    return part("nodes.audio")


def heard(file: BytesIO) -> tuple[str, np.ndarray]:
    with av.open(BytesIO(file.getvalue())) as container:
        resampler = av.AudioResampler("fltp", "mono", RATE)
        parts = [part for frame in container.decode(audio=0) for part in resampler.resample(frame)]
        return container.streams.audio[0].codec_context.name, np.concatenate([part.to_ndarray()[0] for part in parts])


@pytest.mark.parametrize("channels", [1, 2, 3, 6])
def test_audio_becomes_a_file(sound, channels: int):
    name, wave = heard(sound.of_audio({"waveform": torch.ones(1, channels, RATE), "sample_rate": RATE}))
    assert name == "aac"
    assert len(wave) / RATE == pytest.approx(1.0, abs=0.15)
