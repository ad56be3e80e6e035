"""Sound that follows time: pitch and place kept, lengths exact, untouched where time is kept."""

from __future__ import annotations

from fractions import Fraction as F
from pathlib import Path

import av
import numpy as np
import pytest
import torch
from footage import film, sounds
from waves import RATE, TONE, bursts, heard, onsets, pitch_of, record, tone

from vfi.clips.clip import Edited, Info
from vfi.clips.video.sound import fitted_sound, stretch
from vfi.core import Frame, InputError
from vfi.timing.curves import along, parse
from vfi.timing.grids import Timing, timing


def shown(duration: F | None, first: F = F(0)) -> Edited:
    """A clip of one frame."""
    frame = Frame(torch.zeros(3, 2, 2), first, duration or F(1))
    return Edited(Info(2, 2, duration=duration), [], lambda: iter([frame]))


def constant(seconds: int, factor: F) -> tuple:
    return (F(0), F(0)), (F(seconds), seconds * factor)


@pytest.mark.parametrize("rate", [16000, 44100, 48000])
@pytest.mark.parametrize("factor", [F(5, 2), F(1, 3), F(3, 2), F(7)])
def test_a_tone_keeps_its_pitch_and_lasts_to_the_sample(tmp_path: Path, factor: F, rate: int):
    source = record(tmp_path / "tone.mov", tone(4, rate), rate)
    stretch(source, tmp_path / "out.mp4", constant(4, factor))
    (wave,) = heard(tmp_path / "out.mp4")
    assert len(wave) == round(4 * factor * rate)
    middle = wave[rate // 4 : -rate // 4]
    assert pitch_of(middle, rate) == pytest.approx(TONE, rel=0.003)
    assert middle.std() == pytest.approx(0.5 / 2**0.5, rel=0.03)


@pytest.mark.parametrize("codec", ["pcm_s16le", "aac"])
@pytest.mark.parametrize(
    "text", ["1.5", "0.5", "-1", "0:1, 4:0.4 ease, 6:1", "0:1, 3:1 hold, 4:2", "0:1, 2:1 hold, 2.5:0 hold, 4:1"]
)
def test_sound_stays_with_the_picture(tmp_path: Path, text: str, codec: str):
    source = record(tmp_path / "bursts.mov", bursts(6), codec=codec)
    grid = along(parse(text, "speed"), F(24), F(6), 144)
    stretch(source, tmp_path / "out.mp4", grid.knots(F(6)))
    (wave,) = heard(tmp_path / "out.mp4")
    assert len(wave) == round(grid.length * RATE)
    times = np.linspace(0, float(grid.length), 20001)
    places = np.array([float(grid.path.at(F(time))) for time in times])
    found = np.array(onsets(wave))
    for k in range(1, 12):
        passed = times[np.flatnonzero(np.diff(np.sign(places - k / 2)))]
        for time in passed[(passed > 0.1) & (passed < float(grid.length) - 0.1)]:
            assert np.abs(found - time).min() < 0.045  # what broadcasters allow


def test_where_time_is_kept_samples_are_too(tmp_path: Path):
    wave = tone(3, pitch=300) + tone(3, pitch=1234) / 4
    source = record(tmp_path / "tone.mov", wave)
    stretch(source, tmp_path / "out.mp4", ((F(0), F(0)), (F(1), F(1)), (F(1), F(3, 2)), (F(2), F(5, 2))))
    (made,) = heard(tmp_path / "out.mp4")
    assert np.abs(made[4800:43200] - wave[0, 4800:43200]).mean() < 0.01
    assert np.abs(made[RATE + 1000 : RATE + 23000]).max() < 0.01
    assert np.abs(made[RATE * 3 // 2 + 1000 : -1000] - wave[0, RATE + 1000 : 2 * RATE - 1000]).mean() < 0.01


def test_backwards_is_heard_backwards(tmp_path: Path):
    sweep = np.sin(2 * np.pi * (200 * np.arange(4 * RATE) / RATE + 100 * (np.arange(4 * RATE) / RATE) ** 2))[None] / 2
    source = record(tmp_path / "sweep.mov", sweep)
    stretch(source, tmp_path / "out.mp4", ((F(4), F(0)), (F(0), F(4))))
    (wave,) = heard(tmp_path / "out.mp4")
    assert np.abs(wave[2000:-2000] - sweep[0, ::-1][2000:-2000]).mean() < 0.01


def test_joins_do_not_click(tmp_path: Path):
    source = record(tmp_path / "tone.mov", tone(8))
    grid = along(parse("0:1, 3:0.3 ease, 6:1", "speed"), F(24), F(8), 192)
    stretch(source, tmp_path / "out.mp4", grid.knots(F(8)))
    (wave,) = heard(tmp_path / "out.mp4")
    frequencies = np.fft.rfftfreq(4096, 1 / RATE)
    loudest = max(
        np.abs(np.fft.rfft(wave[at : at + 4096] * np.hanning(4096)))[frequencies > 3000].max()
        for at in range(4096, len(wave) - 8192, 1024)
    )
    whole = np.abs(np.fft.rfft(wave[4096:8192] * np.hanning(4096))).max()
    assert 20 * np.log10(loudest / whole) < -50


def test_several_channels_and_streams_are_kept(tmp_path: Path):
    path = tmp_path / "two.mov"
    with av.open(str(path), "w") as output:
        streams = [output.add_stream("pcm_s16le", rate=RATE, layout=layout) for layout in ("stereo", "mono")]
        waves = [np.concatenate([tone(1), tone(1, pitch=880)]), tone(1, pitch=600)]
        for stream, wave in zip(streams, waves, strict=True):
            layout = stream.codec_context.layout.name
            frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(wave, np.float32), format="fltp", layout=layout)
            frame.sample_rate, frame.pts = RATE, 0
            output.mux(stream.encode(frame))
            output.mux(stream.encode(None))
    stretch(path, tmp_path / "out.mp4", constant(1, F(2)))
    with av.open(str(tmp_path / "out.mp4")) as container:
        assert [stream.channels for stream in container.streams.audio] == [2, 1]
        made = [np.concatenate([f.to_ndarray() for f in container.decode(audio=0)], axis=1)]
        container.seek(0)
        made.append(np.concatenate([f.to_ndarray() for f in container.decode(audio=1)], axis=1))
    pitches = [pitch_of(channel[9600:-9600]) for wave in made for channel in wave]
    assert pitches == pytest.approx([440, 880, 600], rel=0.005)


@pytest.mark.parametrize(
    "knots", [((F(0), F(0)), (F(0), F(2))), ((F(0), F(0)), (F(2, 1000), F(2))), ((F(5), F(0)), (F(6), F(1)))]
)
def test_a_standstill_and_what_lies_past_the_end_are_silent(tmp_path: Path, knots):
    stretch(record(tmp_path / "tone.mov", tone(2)), tmp_path / "out.mp4", knots)
    (wave,) = heard(tmp_path / "out.mp4")
    assert len(wave) == knots[-1][1] * RATE
    assert np.abs(wave).max() < 0.01


@pytest.mark.parametrize("ending", [".mp4", ".mov", ".mkv"])
def test_sound_is_untouched_where_time_is_kept(tmp_path: Path, ending: str):
    source = film(tmp_path / "in.mp4", list(range(25)), F(1, 24), sound=F(1))
    for asked in (timing(F(24), times=2), timing(F(24), fps=F(60)), Timing(along(parse("1", "speed"), F(60), F(1), 24), F(60))):
        with fitted_sound(source, shown(F(1)), asked, ending) as given:
            assert given == source


def test_slow_motion_stretches_to_the_clip_and_leaves_nothing(tmp_path: Path):
    source = film(tmp_path / "in.mp4", list(range(25)), F(1, 24), sound=F(1))
    with fitted_sound(source, shown(F(1)), timing(F(24), slow=F(5, 2)), ".mp4") as given:
        (wave,) = heard(given)
        assert len(wave) == 2.5 * RATE
        assert pitch_of(wave[RATE // 4 : -RATE // 4]) == pytest.approx(TONE, rel=0.003)
        assert len(sounds(given)) > 100
    assert not given.parent.exists()


def test_sound_before_the_first_frame_stays_as_it_is(tmp_path: Path):
    source = record(tmp_path / "bursts.mov", bursts(3))
    with fitted_sound(source, shown(F(2), F(1)), timing(F(24), slow=F(2)), ".mp4") as given:
        (wave,) = heard(given)
    assert len(wave) == 5 * RATE
    assert onsets(wave)[0] == pytest.approx(0.5, abs=0.001)
    assert np.abs(np.array(onsets(wave)) - 2).min() < 0.03


@pytest.mark.parametrize(
    ("audio", "ending", "kept"),
    [("drop", ".mp4", None), ("auto", "", None), ("auto", ".png", None), ("copy", ".mp4", "source")],
)
def test_what_is_asked_for(tmp_path: Path, audio, ending: str, kept: str | None):
    source = film(tmp_path / "in.mp4", list(range(25)), F(1, 24), sound=F(1))
    with fitted_sound(source, shown(F(1)), timing(F(24), slow=F(2)), ending, audio) as given:
        assert given == (source if kept else None)
    with fitted_sound(None, shown(F(1)), timing(F(24), slow=F(2)), ".mp4") as given:
        assert given is None


def test_a_clip_of_unknown_length_gets_a_sentence(tmp_path: Path):
    source = film(tmp_path / "in.mp4", list(range(25)), F(1, 24), sound=F(1))
    with (
        pytest.raises(InputError, match="states no duration"),
        fitted_sound(source, shown(None), timing(F(24), slow=F(2)), ".mp4"),
    ):
        pass
