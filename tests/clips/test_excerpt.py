"""The sound of a part of a clip."""

from __future__ import annotations

from fractions import Fraction
from io import BytesIO
from pathlib import Path

import av
import numpy as np
import pytest

from vfi import __main__
from vfi.clips.video.excerpt import sound_between, sound_for
from vfi.core import InputError

RATE = 16000
LENGTH = Fraction(2)


def recorded(codec: str, container: str) -> BytesIO:
    """Two seconds: silence, then a tone."""
    file = BytesIO()
    wave = np.sin(np.arange(2 * RATE, dtype=np.float32) / 5)[None] * (np.arange(2 * RATE) >= RATE)
    with av.open(file, "w", format=container) as output:
        stream = output.add_stream(codec, RATE, layout="mono")
        frame = av.AudioFrame.from_ndarray(wave.astype(np.float32), format="fltp", layout="mono")
        frame.sample_rate, frame.pts = RATE, 0
        output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    file.seek(0)
    return file


def heard(file: BytesIO) -> tuple[str, np.ndarray]:
    with av.open(BytesIO(file.getvalue())) as container:
        resampler = av.AudioResampler("fltp", "mono", RATE)
        parts = [part for frame in container.decode(audio=0) for part in resampler.resample(frame)]
        return container.streams.audio[0].codec_context.name, np.concatenate([part.to_ndarray()[0] for part in parts])


@pytest.mark.parametrize(("codec", "container"), [("aac", "mp4"), ("adpcm_ms", "avi")])
def test_all_sound_is_taken_as_it_is(codec: str, container: str):
    source = recorded(codec, container)
    assert sound_between(source, Fraction(0), None) is source


@pytest.mark.parametrize(
    ("codec", "container", "wanted"),
    [
        ("aac", "matroska", "aac"),
        ("pcm_s16le", "mov", "pcm_s16le"),
        ("pcm_mulaw", "mov", "pcm_mulaw"),
        ("adpcm_ms", "avi", "adpcm_ms"),
        ("mp3", "avi", "mp3float"),
    ],
)
@pytest.mark.parametrize(("start", "end"), [(0, None), (Fraction(613, 1000), Fraction(3, 2)), (Fraction(1, 2), None)])
def test_sound_is_cut_where_it_is_asked_for(codec: str, container: str, wanted: str, start: Fraction, end: Fraction | None):
    source = recorded(codec, container)
    file = sound_between(source, Fraction(start), end)
    name, wave = heard(file)
    assert name == wanted
    assert len(wave) / RATE == pytest.approx(float((end or LENGTH) - start), abs=0.15)
    assert onset(file) == pytest.approx(onset(source) - float(start), abs=0.004)


def onset(file: BytesIO) -> float:
    """When the tone begins, in seconds."""
    with av.open(BytesIO(file.getvalue())) as container:
        begins = container.streams.audio[0].start_time * container.streams.audio[0].time_base
    return float(begins) + int(np.argmax(np.abs(heard(file)[1]) > 0.2)) / RATE


@pytest.mark.parametrize(
    ("codec", "container", "ending", "wanted"),
    [
        ("adpcm_ms", "avi", ".mkv", "aac"),
        ("adpcm_ms", "avi", ".mp4", "aac"),
        ("libopus", "ogg", ".mp4", None),
        ("libopus", "ogg", ".mov", "aac"),
        ("pcm_s16le", "mov", ".webm", "opus"),
        ("aac", "mp4", ".m4v", None),
    ],
)
def test_sound_that_a_container_cannot_hold_is_encoded_anew(
    tmp_path: Path, codec: str, container: str, ending: str, wanted: str | None
):
    source = recorded(codec, container)
    file, note = sound_for(source, ending, tmp_path / "sound.mp4")
    if wanted is None:
        assert (file, note) == (source, None)
        return
    found = BytesIO(Path(file).read_bytes())
    assert heard(found)[0] == wanted
    assert note is not None
    assert note.startswith(f"{ending} files cannot hold ")
    assert onset(found) == pytest.approx(onset(source), abs=0.004)
    assert len(heard(found)[1]) / RATE == pytest.approx(2, abs=0.15)


def test_a_part_after_the_end_of_the_sound_has_none():
    assert sound_between(recorded("aac", "mp4"), Fraction(5), None) is None


def test_a_clip_without_sound_has_none(file: Path):
    assert sound_between(str(file), Fraction(0), None) is None


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "silent.mp4"
    with av.open(path, "w") as output:
        stream = output.add_stream("libx264", rate=10)
        stream.width, stream.height, stream.pix_fmt = 32, 32, "yuv420p"
        output.mux(stream.encode(av.VideoFrame(32, 32, "yuv420p")))
        output.mux(stream.encode(None))
    return path


def test_a_part_stays_in_place_when_it_is_copied(tmp_path: Path):
    """The first packet of a part begins after the part does; the time between the two is kept."""
    from footage import film, moving

    from vfi.clips.clip import Info
    from vfi.clips.open import create_clip

    source = film(tmp_path / "in.mp4", range(0, 48), Fraction(1, 24), sound=LENGTH)
    start = Fraction(1, 7)
    part = sound_between(source, start, None)
    with create_clip(tmp_path / "out.mp4", Info(64, 48, rate=Fraction(24)), audio=part) as writer:
        for frame in moving(24):
            writer.write(frame)
    whole, cut = (times(path) for path in (source, tmp_path / "out.mp4"))
    assert cut == pytest.approx([float(time - start) for time in whole if time >= start], abs=1e-4)


def times(path: Path) -> list[Fraction]:
    with av.open(path) as container:
        return [
            packet.pts * packet.time_base for packet in container.demux(audio=0) if packet.pts is not None and packet.pts >= 0
        ]


@pytest.mark.parametrize("found", ["in.flv--68ccabf6", "in.ts--cf8c7d89"])
def test_damaged_sound_of_a_part_is_a_sentence_whose_advice_works(tmp_path: Path, found: str):
    (damaged,) = (Path(__file__).parents[1] / "fuzz" / "seeds").glob(f"*{found}.bin")  # found by the fuzzer
    with pytest.raises(InputError, match=r"the sound of .* is damaged \(.*\): drop the sound"):
        sound_between(damaged, Fraction(1, 10), Fraction(2, 5))
    command = ["interpolate", str(damaged), str(tmp_path / "o.mkv"), "--model", "linear", "--from", "0.1", "--to", "0.4"]
    assert __main__.main([*command]) == 2
    assert __main__.main([*command, "--audio", "drop", "--damaged-ok"]) == 0
