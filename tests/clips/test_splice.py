"""Sound spliced from parts of clips: every click in its place, no click at a seam."""

from __future__ import annotations

from fractions import Fraction as F
from pathlib import Path

import av
import numpy as np
import pytest
from waves import RATE, bursts, heard, onsets, pitch_of, record, tone

from vfi.clips.video.reader import opened
from vfi.clips.video.splice import Part, splice
from vfi.clips.video.tape import Tape
from vfi.core import InputError


def spliced(tmp_path: Path, *parts: Part, loops: bool = False) -> np.ndarray:
    splice(parts, tmp_path / "out.mp4", loops=loops)
    return heard(tmp_path / "out.mp4")


def test_clicks_are_where_their_parts_are(tmp_path: Path):
    one, other = record(tmp_path / "a.mov", bursts(3)), record(tmp_path / "b.mov", bursts(3, F(1, 4)))
    wave = spliced(tmp_path, Part(one, F(1, 4), F(7, 4)), Part(None, F(0), F(1, 3)), Part(other, F(1), F(2)))
    assert wave.shape[1] == round((F(3, 2) + F(1, 3) + 1) * RATE)
    wanted = [F(1, 4), F(3, 4), F(5, 4), *(F(3, 2) + F(1, 3) + F(k, 4) for k in range(1, 4))]
    found = [at for at in onsets(wave[0]) if abs(at - float(F(11, 6))) > 0.02]  # a click at the seam itself fades in
    assert found == pytest.approx([float(at) for at in wanted], abs=3 / RATE)


@pytest.mark.parametrize("rate", [44100, 48000])
def test_a_tone_that_is_cut_in_two_goes_on(tmp_path: Path, rate: int):
    """The second part is a quarter of a period off: an abrupt seam would be a step of 0.5. AAC adds steps of its own."""
    path = record(tmp_path / "a.mov", tone(2, rate), rate)
    cut = F(1) + F(1, 4 * 440)
    wave = spliced(tmp_path, Part(path, F(0), F(1)), Part(path, cut, F(2)))[0]
    assert wave.shape[0] == pytest.approx(float(2 - F(1, 1760)) * rate, abs=1)
    assert np.abs(np.diff(wave[rate // 2 : -rate // 10])).max() < 0.08
    assert pitch_of(wave, rate) == pytest.approx(440, abs=1)


def test_the_end_of_a_loop_flows_into_its_beginning(tmp_path: Path):
    path = record(tmp_path / "a.mov", tone(3))
    wave = spliced(tmp_path, Part(path, F(1, 2), F(3, 2) + F(1, 4 * 440)), loops=True)[0]
    assert len(wave) == round((1 + F(1, 1760)) * RATE)
    assert np.abs(np.diff(np.concatenate([wave, wave]))).max() < 0.2


def test_a_part_can_be_played_faster_with_its_pitch(tmp_path: Path):
    path = record(tmp_path / "a.mov", tone(3))
    wave = spliced(tmp_path, Part(path, F(0), F(2), F(49, 25)), loops=True)[0]
    assert len(wave) == 49 * RATE // 25
    assert pitch_of(wave[RATE // 4 : -RATE // 4]) == pytest.approx(440, abs=1)


def test_the_most_tracks_and_channels_are_kept(tmp_path: Path):
    stereo = record(tmp_path / "a.mov", np.concatenate([tone(1), tone(1, pitch=880)]))
    two = tmp_path / "b.mov"
    with av.open(str(two), "w") as output:
        tracks = [output.add_stream("pcm_s16le", rate=44100, layout="mono") for _ in range(2)]
        for track in tracks:
            frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(tone(1, 44100), np.float32), format="fltp", layout="mono")
            frame.sample_rate, frame.pts = 44100, 0
            output.mux(track.encode(frame))
            output.mux(track.encode(None))
    splice([Part(two, F(0), F(1)), Part(stereo, F(0), F(1))], tmp_path / "out.mp4")
    with av.open(str(tmp_path / "out.mp4")) as file:
        assert [(stream.channels, stream.rate) for stream in file.streams.audio] == [(2, 48000), (1, 44100)]
        assert [float(stream.duration * stream.time_base) for stream in file.streams.audio] == pytest.approx([2, 2], abs=1e-4)
        second = np.concatenate([frame.to_ndarray() for frame in file.decode(file.streams.audio[1])], axis=1)[0]
    assert np.abs(second[: 44100 * 9 // 10]).max() > 0.4
    assert np.abs(second[44100 + 4410 : 2 * 44100 - 4410]).max() < 0.01


def test_sound_without_any_source_is_one_sentence(tmp_path: Path):
    with pytest.raises(InputError, match="no clip has any"):
        splice([Part(None, F(0), F(1))], tmp_path / "out.mp4")


@pytest.mark.parametrize(("codec", "rate"), [("flac", 44100), ("aac", 44100), ("libopus", 48000)])
def test_matroska_is_read_from_the_middle_as_from_the_start(tmp_path: Path, codec: str, rate: int):
    """Its times are rounded to milliseconds, dozens of samples; a part that begins late is reached by seeking."""
    noise = np.random.default_rng(0).normal(0, 0.1, (1, 15 * rate))
    path = record(tmp_path / "a.mkv", noise, rate, codec)

    def read(start: int, count: int) -> np.ndarray:
        with opened(path, "a") as file:
            tape = Tape(file, file.streams.audio[0], rate, "mono", "a")
            return np.concatenate(list(tape.read(start, start + count)), axis=1)[0]

    for second in (11.3, 13.7):
        at = round(second * rate)
        assert np.abs(read(at, 4000) - read(0, at + 4000)[at:]).max() < 0.02
