"""``--from`` and ``--to``: the commands that read a clip read the part that is asked for, and its sound."""

from __future__ import annotations

import json
from fractions import Fraction as F
from pathlib import Path

import av
import fielded
import pytest
import torch
from footage import film, moving, sounds

from vfi import __main__
from vfi.clips.clip import Encoding, Frame, Info, Trimmed, read_since
from vfi.clips.open import create_clip, open_clip
from vfi.clips.video import VideoReader


def written(path: Path, sound: Path | None = None) -> Path:
    """Two seconds at 24 fps, lossless."""
    with create_clip(path, Info(64, 48, rate=F(24)), encoding=Encoding("ffv1"), audio=sound) as writer:
        for frame in moving(48):
            writer.write(frame)
    return path


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return written(tmp_path / "in.mkv")


@pytest.fixture
def heard(tmp_path: Path) -> Path:
    """The same with sound, which begins a little before the first frame."""
    return written(tmp_path / "heard.mkv", film(tmp_path / "sound.mp4", range(0, 49), F(1, 24), sound=F(2)))


def vfi(*arguments: object) -> int:
    return __main__.main([*map(str, arguments)])


def pictures(path: Path) -> list[Frame]:
    return list(open_clip(path))


@pytest.mark.parametrize(
    ("start", "end", "frames"),
    [
        ("0.5", "1.25", range(12, 30)),
        ("12f", "30f", range(12, 30)),
        ("00:00:00:12", "00:00:01:06", range(12, 30)),
        ("0:00.5", "1.25s", range(12, 30)),
        (None, "3f", range(3)),
        ("45f", None, range(45, 48)),
        ("0.51", "99", range(12, 48)),
    ],
)
def test_a_part_is_made_of_its_frames_alone(source: Path, tmp_path: Path, start: str | None, end: str | None, frames: range):
    part = [word for name, given in (("--from", start), ("--to", end)) if given for word in (name, given)]
    assert vfi("interpolate", source, tmp_path / "out.mkv", "--codec", "ffv1", "--model", "linear", *part) == 0
    every = pictures(source)
    made = pictures(tmp_path / "out.mkv")
    assert len(made) == 2 * len(frames)
    assert all(torch.equal(new.rgb, every[k].rgb) for new, k in zip(made[::2], frames, strict=True))


@pytest.mark.parametrize(("name", "codec"), [("in.avi", "mpeg4"), ("in.mp4", "libx264"), ("in.ts", "libx264")])
@pytest.mark.parametrize("output", ["out.mkv", "out.mp4"])
def test_a_part_between_two_frames_begins_and_ends_there(tmp_path: Path, name: str, codec: str, output: str):
    source = film(tmp_path / name, range(9), F(1, 24), codec=codec)
    assert vfi("interpolate", source, tmp_path / output, "--model", "linear", "--from", "0.1", "--to", "0.3") == 0
    first = F(1, 8) - F(1, 10)
    shown = [F(0), first / 2, *(first + F(k, 48) for k in range(9))]
    made = pictures(tmp_path / output)
    exact = 0 if output.endswith("mp4") else F(1, 1000)  # Matroska counts milliseconds
    assert len(made) == 12
    assert all(abs(frame.time - time) <= exact for frame, time in zip(made, shown, strict=False))
    assert abs(made[-1].time + made[-1].duration - F(1, 5)) <= exact


@pytest.mark.parametrize("how", [[], ["--resume"], ["--workers", 2, "--threads", 1]])
def test_every_road_reads_the_same_part(heard: Path, tmp_path: Path, how: list[object]):
    command = ["--from", "12f", "--to", "36f", "--codec", "ffv1", "--model", "linear", *how]
    assert vfi("interpolate", heard, tmp_path / "out.mkv", *command) == 0
    made, every = pictures(tmp_path / "out.mkv"), pictures(heard)
    assert len(made) == 48
    assert torch.equal(made[0].rgb, every[12].rgb)
    with av.open(tmp_path / "out.mkv") as container:
        ends = [float((packet.pts + packet.duration) * packet.time_base) for packet in container.demux(audio=0) if packet.size]
    assert max(ends) == pytest.approx(1, abs=0.03)


def test_all_of_it_keeps_its_sound_bit_for_bit(heard: Path, tmp_path: Path):
    assert vfi("interpolate", heard, tmp_path / "out.mkv", "--model", "linear", "--from", "0") == 0
    assert sounds(tmp_path / "out.mkv") == sounds(heard)


def test_a_curve_runs_over_the_part(source: Path, tmp_path: Path):
    command = ["--speed", "-1", "--from", "24f", "--to", "36f", "--codec", "ffv1", "--model", "nearest"]
    assert vfi("retime", source, tmp_path / "out.mkv", *command) == 0
    made, every = pictures(tmp_path / "out.mkv"), pictures(source)
    assert torch.equal(made[0].rgb, every[35].rgb)
    assert torch.equal(made[-1].rgb, every[24].rgb)


def test_other_commands_read_the_part(source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    plain = ["--codec", "ffv1", "--model", "linear", "--from", "12f", "--to", "24f"]
    assert vfi("loop", source, tmp_path / "loop.mkv", *plain) == 0
    assert len(pictures(tmp_path / "loop.mkv")) == 24
    assert vfi("join", source, source, tmp_path / "join.mkv", "--overlap", 0, *plain) == 0
    assert len(pictures(tmp_path / "join.mkv")) == 24
    assert vfi("flow", source, tmp_path / "flow.mkv", *plain[:2], "--model", "dis", *plain[4:]) == 0
    assert len(pictures(tmp_path / "flow.mkv")) == 12
    capsys.readouterr()
    assert vfi("shots", source, "--json", "--from", "12f", "--to", "24f") == 0
    assert json.loads(capsys.readouterr().out)["source"]["frames"] == 12
    assert vfi("tune", source, "--models", "dis", "--json", *plain[4:]) == 0
    assert json.loads(capsys.readouterr().out)["ways"][0]["frames"] == 5
    assert vfi("audit", source, "--json", "--model", "dis", "--from", "12f", "--to", "18f") == 0
    assert len(json.loads(capsys.readouterr().out)["frames"]) == 5
    assert vfi("heal", source, tmp_path / "heal.mkv", *plain) == 0
    assert len(pictures(tmp_path / "heal.mkv")) == 12
    assert vfi("steady", source, tmp_path / "steady.mkv", *plain[:2], *plain[4:]) == 0
    assert len(pictures(tmp_path / "steady.mkv")) == 12


def test_folders_of_images_have_parts(tmp_path: Path):
    with create_clip(tmp_path / "in", Info(64, 48)) as writer:
        for frame in moving(10):
            writer.write(frame)
    part = ["--in-fps", 10, "--from", "4f", "--to", "1"]
    assert vfi("interpolate", tmp_path / "in", tmp_path / "out", "--model", "linear", *part) == 0
    assert len(pictures(tmp_path / "out")) == 12


def test_uneven_frames_are_counted_and_timed_as_they_are(tmp_path: Path):
    clip = film(tmp_path / "in.mkv", [0, 40, 200, 210, 300], F(1, 1000))
    times = [frame.time for frame in open_clip(clip)]
    assert vfi("interpolate", clip, tmp_path / "out.mkv", "--times", 1, "--model", "linear", "--from", "2f", "--to", "4f") == 0
    assert [frame.time for frame in pictures(tmp_path / "out.mkv")] == [0, times[3] - times[2]]


@pytest.mark.parametrize(
    ("part", "says"),
    [
        (["--from", "2"], "ends at 2.000 s: the part cannot begin at 2"),
        (["--from", "48f"], "the part cannot begin at 48f"),
        (["--from", "1", "--to", "1"], "its end must be after its start"),
        (["--from", "1", "--to", "12f"], "the part runs from 1 to 12f: its end must be after its start"),
        (["--to", "0"], "the part runs from 0 to 0"),
        (["--from", "0:00;02"], "is not a position"),
        (["--from", "00:00:00;02"], "drop frame needs 29.97 or 59.94 frames per second"),
    ],
)
def test_parts_that_cannot_be_get_a_sentence(
    source: Path, tmp_path: Path, part: list[str], says: str, capsys: pytest.CaptureFixture[str]
):
    try:
        code = vfi("interpolate", source, tmp_path / "out.mkv", *part)
    except SystemExit as end:
        code = end.code
    assert code == 2
    assert says in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["in.mkv"]


@pytest.mark.parametrize("before", [0, 1, 3])
@pytest.mark.parametrize("at", ["0", "1/48", "1/4", "17/48", "2/5", "9"])
def test_a_part_can_be_read_from_anywhere_as_its_whole(source: Path, at: str, before: int):
    part = Trimmed(VideoReader(source), F(1, 2), F(9, 10))
    whole = list(part)
    time = F(at)
    shown = max((k for k, frame in enumerate(whole) if frame.time <= time), default=0)
    read = list(read_since(part, time, before))
    assert [frame.time for frame in read][-1] == whole[-1].time
    assert [frame.time for frame in read] == [frame.time for frame in whole[max(shown - before, 0) :]]
    assert all(torch.equal(one.rgb, other.rgb) for one, other in zip(reversed(read), reversed(whole), strict=False))


def test_fields_are_treated_as_asked(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """Telecined film that is not flagged stays as it is, unless asked for; what is flagged is mended, unless told not to."""
    flagged = fielded.coded(tmp_path / "flagged.mp4", fielded.telecine(4), F(30000, 1001))
    plain = {"qp": "0"}
    silent = fielded.coded(tmp_path / "silent.mp4", fielded.telecine(4), F(30000, 1001), options=plain, order="prog")
    for path, asked, count, said in (
        (flagged, (), 16, "telecined film"),
        (flagged, ("--deinterlace", "off"), 20, "two fields of a frame are treated as one picture"),
        (silent, (), 20, ""),
        (silent, ("--deinterlace", "telecine"), 16, "telecined film"),
    ):
        out = tmp_path / f"{path.stem}{len(asked) and asked[1]}.mkv"
        assert vfi("interpolate", path, out, "--codec", "ffv1", "--times", 1, "--model", "nearest", *asked) == 0
        assert len(pictures(out)) == count
        assert said in " ".join(capsys.readouterr().err.split())
    together = tmp_path / "joined.mkv"
    assert (
        vfi("join", flagged, flagged, together, "--codec", "ffv1", "--deinterlace", "off", "--overlap", 0, "--bridge", 0) == 0
    )
    assert len(pictures(together)) == 40
