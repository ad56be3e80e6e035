"""What files state falsely, or not at all: lengths, rates, the picture to show and the end of the sound."""

from __future__ import annotations

import re
from fractions import Fraction as F
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest
import torch
from av.stream import Disposition
from footage import film, sounds

from vfi.clips.clip import Edited, Info
from vfi.clips.open import create_clip
from vfi.clips.video import VideoReader
from vfi.clips.video.sound import fitted_sound
from vfi.core import Frame
from vfi.timing.curves import along, parse
from vfi.timing.grids import Timing, timing


def remuxed(path: Path, sources: list[Path], options: dict[str, str], shown: int | None = None) -> Path:
    """All streams of ``sources`` in one file, with stream ``shown`` as the default."""
    with av.open(str(path), "w", options=options) as output:
        packets = []
        for source in sources:
            with av.open(str(source)) as file:
                copies = {stream.index: output.add_stream_from_template(stream) for stream in file.streams}
                for packet in file.demux():
                    if packet.size:
                        packet.stream = copies[packet.stream.index]
                        packets.append(packet)
        for stream in output.streams if shown is not None else ():
            stream.disposition = Disposition.default if stream.index == shown else Disposition(0)
        for packet in sorted(packets, key=lambda one: one.dts * one.time_base):
            output.mux(packet)
    return path


@pytest.mark.parametrize(("shown", "width"), [(0, 64), (1, 96), (None, 96)])
def test_the_default_picture_is_read_else_the_largest(tmp_path, shown, width):
    small = film(tmp_path / "small.mkv", list(range(6)), F(1, 5))
    large = film(tmp_path / "large.mkv", list(range(6)), F(1, 5), size=(96, 64))
    options = {"default_mode": "passthrough"}
    both = remuxed(tmp_path / "both.mkv", [small, large], options, shown=2 if shown is None else shown)
    assert VideoReader(both).info.width == width


def test_a_raw_stream_has_the_rate_that_it_states(tmp_path):
    reader = VideoReader(film(tmp_path / "raw.h264", list(range(31)), F(1, 30)))
    assert reader.info.rate == 30
    assert [frame.time for frame in reader] == [F(k, 30) for k in range(30)]


def test_a_stale_length_is_not_believed(tmp_path):
    path = film(tmp_path / "clip.mkv", list(range(51)), F(1, 25))
    data = path.read_bytes()
    stale = re.sub(rb"00:00:0\d\.(\d{9})", rb"00:00:09.\1", data)
    assert stale != data
    path.write_bytes(stale)
    info = VideoReader(path).info
    assert (info.duration, info.frames) == (2, 50)


def test_a_recording_without_a_length_is_measured(tmp_path):
    source = film(tmp_path / "source.mkv", list(range(26)), F(1, 25))
    info = VideoReader(remuxed(tmp_path / "live.mkv", [source], {"live": "1"})).info
    assert (info.duration, info.frames) == (1, 25)


def test_frames_hidden_by_an_edit_list_are_not_counted(tmp_path):
    reader = VideoReader(film(tmp_path / "clip.mp4", list(range(-5, 20)), F(1, 24)))
    assert reader.info.frames == len(list(reader)) == 19


def test_sound_that_breaks_off_is_told(tmp_path):
    source = film(tmp_path / "source.mp4", list(range(25)), F(1, 24), sound=F(1))
    whole = remuxed(tmp_path / "whole.mp4", [source], {"movflags": "+frag_keyframe+empty_moov+default_base_moof"})
    reader = VideoReader(whole)
    assert len(list(reader)) == 24
    assert reader.notes == []
    data, cut = whole.read_bytes(), tmp_path / "cut.mp4"
    box = data.rindex(b"mfra") - 4
    cut.write_bytes(data[: box - 1000])
    reader = VideoReader(cut)
    assert len(list(reader)) == 24
    [note] = reader.notes
    assert re.fullmatch(rf"the sound of {re.escape(str(cut))} is damaged: it breaks off at [01]\.\d+ s", note)


def test_sound_after_the_picture_is_slowed_too(tmp_path):
    path = film(tmp_path / "clip.mp4", list(range(25)), F(1, 24), sound=F(3))
    frame = Frame(torch.zeros(3, 2, 2), F(0), F(1))
    clip = Edited(Info(2, 2, duration=F(1)), [], lambda: iter([frame]))
    with fitted_sound(path, clip, timing(F(24), slow=F(2)), ".mp4") as slowed, av.open(str(slowed)) as file:
        stream = file.streams.audio[0]
        assert float(stream.duration * stream.time_base) == pytest.approx(6, abs=0.1)
    assert clip.notes == []


def test_sound_after_the_end_of_a_curve_is_named(tmp_path):
    path = film(tmp_path / "clip.mp4", list(range(25)), F(1, 24), sound=F(3))
    frame = Frame(torch.zeros(3, 2, 2), F(0), F(1))
    clip = Edited(Info(2, 2, duration=F(1)), [], lambda: iter([frame]))
    backwards = Timing(along(parse("-1", "speed"), F(24), F(1), 24), F(24))
    with fitted_sound(path, clip, backwards, ".mp4"):
        pass
    [note] = clip.notes
    assert re.fullmatch(r"the last [\d.]+ s of the sound are left out: they come after the picture", note)


def test_joined_recordings_follow_on_each_other(tmp_path):
    stamps = {start: list(range(start, start + 26)) for start in (0, 25)}
    parts = [film(tmp_path / f"{start}.ts", stamps[start], F(1, 25), size=(128, 96), sound=F(1)) for start in stamps]
    for name, chosen in {"again": [0, 0], "on": [0, 1], "back": [1, 0]}.items():
        path = tmp_path / f"{name}.ts"
        path.write_bytes(b"".join(parts[number].read_bytes() for number in chosen))
        reader = VideoReader(path)
        frames = list(reader)
        late = [frame.time - frames[0].time - F(k, 25) for k, frame in enumerate(frames)]
        assert late[:25] == [0] * 25
        assert 0 <= late[25] < F(1, 20)  # the sound of a part may last a little longer than its picture
        assert late[25:] == [late[25]] * 25
        assert len(reader.notes) == 1
        assert f"{name}.ts is joined from parts at 1." in reader.notes[0]
        with create_clip(tmp_path / f"{name}.mp4", reader.info, audio=path) as writer:
            for frame in frames:
                writer.write(frame)
        times = [time for _, time, _ in sounds(tmp_path / f"{name}.mp4")]
        assert all(F(1, 60) < late - early < F(1, 20) for early, late in pairwise(times))
        assert 1.95 < times[-1] - times[0] < 2.1


def test_joined_sound_is_slowed_to_its_end(tmp_path):
    part = film(tmp_path / "part.ts", list(range(26)), F(1, 25), size=(128, 96), sound=F(1))
    path = tmp_path / "twice.ts"
    path.write_bytes(part.read_bytes() * 2)
    reader = VideoReader(path)
    with fitted_sound(path, reader, timing(F(25), slow=F(2)), ".mp4") as slowed, av.open(str(slowed)) as file:
        stream = file.streams.audio[0]
        wave = np.concatenate([frame.to_ndarray()[0] for frame in file.decode(stream)])
    loud = np.flatnonzero(np.abs(wave) > 0.1)
    assert loud[-1] / 48000 == pytest.approx(4, abs=0.2)
