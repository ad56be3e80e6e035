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


@pytest.mark.parametrize("rate", [5000, 8000, 22255, 44100, 96000, 192000])
def test_any_rate_lasts_as_long(sound, rate: int):
    _, wave = heard(sound.of_audio({"waveform": torch.ones(1, 2, rate), "sample_rate": rate}))
    assert len(wave) / RATE == pytest.approx(1.0, abs=0.25)


@pytest.mark.parametrize("shape", [(1, 1, 0), (1, 0, 0), (0, 2, 100)])
def test_no_samples_are_no_sound(sound, shape: tuple[int, ...]):
    assert sound.of_audio({"waveform": torch.zeros(shape), "sample_rate": 48000}) is None


@pytest.mark.parametrize(("value", "rate"), [(float("nan"), RATE), (float("inf"), RATE), (0.0, 0), (0.0, -1)])
def test_what_is_no_sound_is_said(sound, part, value: float, rate: int):
    with pytest.raises(part("vfi.core").InputError):
        sound.of_audio({"waveform": torch.full((1, 1, 100), value), "sample_rate": rate})
