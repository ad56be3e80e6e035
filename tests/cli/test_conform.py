"""``vfi conform`` on real files: the frames of the new media, what the timeline says of them, and what stays as it was."""

from __future__ import annotations

import json
import shutil
import subprocess
from fractions import Fraction as F
from math import ceil, floor
from pathlib import Path

import av
import pytest
from footage import film

from vfi import __main__
from vfi.cli import conform, new_media
from vfi.clips.open import open_clip
from vfi.core import InputError
from vfi.timeline.open import read_timeline

DATA = Path(__file__).parent.parent / "data" / "timelines"
SAMPLES = ("ramp.fcpxml", "remap.xml", "shots.mlt")


def vfi(*arguments: object) -> int:
    made = ("--model", "linear", "--codec", "ffv1", "--cuts", "interpolate")
    return __main__.main(["conform", *map(str, arguments), *made])


def shades(path: Path) -> list[float]:
    """The brightness of each frame: 16 + k of the source frame k."""
    return [float(frame.rgb.float().mean()) * (219 if frame.rgb.is_floating_point() else 1) + 16 for frame in open_clip(path)]


@pytest.fixture(scope="module")
def footage(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Clips of 200 frames, of which frame k has the Y' 16 + k."""
    folder = tmp_path_factory.mktemp("footage")
    for name, rate in (("n24.mp4", F(24)), ("n50.mp4", F(50)), ("ntsc.mp4", F(24000, 1001)), ("drop.mp4", F(30000, 1001))):
        film(folder / name, list(range(201)), 1 / rate)
    return folder


def checked(path: Path, wanted: list[F]) -> None:
    """Frames on a source frame are that frame, and the others lie between the two around them."""
    got = shades(path)
    assert len(got) == len(wanted)
    assert [round(shade, 2) for shade, place in zip(got, wanted, strict=True) if place.denominator == 1] == [
        16 + place for place in wanted if place.denominator == 1
    ]
    assert max(abs(shade - 16 - float(place)) for shade, place in zip(got, wanted, strict=True)) <= 1


@pytest.mark.parametrize("name", SAMPLES)
def test_a_sample_gets_the_frames_it_shows(name: str, footage: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    out = tmp_path / name
    assert vfi(DATA / name, out, "--find", footage, "--json") == 0
    told = json.loads(capsys.readouterr().out)
    clips, before = read_timeline(out)[1].clips, read_timeline(DATA / name)[1].clips
    assert len(told["made"]) == sum(Path(clip.media).parent == tmp_path / f"{out.stem}_media" for clip in clips)
    for clip, old, wanted in zip(clips, before, json.loads((DATA / f"{name}.expected.json").read_text()), strict=True):
        if not wanted["nothing_to_do"]:
            rate, first = F(wanted["media_rate"]), int(clip.place(0) * 24)
            frames = open_clip(clip.media).info.frames
            checked(Path(clip.media), [old.place(k - first) * rate for k in range(frames)])
            assert [old.place(k) * rate for k in range(old.frames)] == [F(text) for text in wanted["source_frame_of_each"]]


def test_a_second_run_makes_nothing_and_writes_the_same(footage: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    out = tmp_path / "out.mlt"
    assert vfi(DATA / "shots.mlt", out, "--find", footage, "--clip", "half") == 0
    (media,) = (tmp_path / "out_media").iterdir()
    stamp, text = media.stat().st_mtime_ns, out.read_bytes()
    assert vfi(DATA / "shots.mlt", out, "--find", footage, "--clip", "shots_001", "--overwrite") == 0
    assert (media.stat().st_mtime_ns, out.read_bytes()) == (stamp, text)
    assert "exists already" in capsys.readouterr().err
    assert vfi(out, tmp_path / "again.mlt", "--find", footage, "--only", "slow", "--clip", "inbetween0") == 0
    assert (tmp_path / "again.mlt").read_bytes() == text
    assert "nothing to do" in capsys.readouterr().err


@pytest.mark.parametrize("name", SAMPLES)
def test_the_list_is_what_would_be_made(name: str, footage: Path, capsys: pytest.CaptureFixture[str]):
    assert __main__.main(["conform", str(DATA / name), "--list", "--json", "--find", str(footage)]) == 0
    listed = json.loads(capsys.readouterr().out)
    wanted = json.loads((DATA / f"{name}.expected.json").read_text())
    for row, other in zip(listed, wanted, strict=True):
        # a map shows nothing before its first keyframe and after its last, so that there are no handles
        ramp = row["name"] in ("ramp_002", "ramp_004", "remap_002")
        apart = ("handles", "new_media_frames") if ramp else ()
        assert {key: row[key] for key in other if key not in apart} == {key: other[key] for key in other if key not in apart}
        assert not ramp or row["handles"][0] == 0
        assert row["new_media_frames"] == row["frames"] + sum(row["handles"])
    assert __main__.main(["conform", str(DATA / name), "--list", "--find", str(footage)]) == 0
    assert "half" in capsys.readouterr().out


def fcpxml(media: Path, rate: F, clips: str, *, audio: bool = False) -> str:
    each = f"{(1 / rate).numerator}/{(1 / rate).denominator}s"
    sound = 'hasAudio="1"' if audio else ""
    return f"""<fcpxml version="1.10"><resources><format id="r1" frameDuration="{each}" width="64" height="48"/>
<asset id="r2" start="0s" hasVideo="1" {sound} format="r1"><media-rep kind="original-media" src="{media.as_uri()}"/></asset>
</resources><library><event><project><sequence format="r1"><spine>
{clips}
</spine></sequence></project></event></library></fcpxml>"""


@pytest.mark.parametrize(("name", "rate"), [("ntsc.mp4", F(24000, 1001)), ("drop.mp4", F(30000, 1001))])
def test_ntsc_rates_are_exact(name: str, rate: F, footage: Path, tmp_path: Path):
    unit = f"{rate.denominator}/{rate.numerator}"
    points = f'<timept time="0s" value="0s" interp="linear"/><timept time="{rate.denominator * 200}/{rate.numerator}s" '
    points += f'value="{rate.denominator * 100}/{rate.numerator}s" interp="linear"/>'
    start = f"{rate.denominator * 40}/{rate.numerator}s"
    clip = f'<asset-clip ref="r2" name="half" start="{start}" duration="{rate.denominator * 30}/{rate.numerator}s">'
    source = tmp_path / "in.fcpxml"
    source.write_text(fcpxml(footage / name, rate, f"{clip}<timeMap>{points}</timeMap></asset-clip>"))
    assert vfi(source, tmp_path / "out.fcpxml") == 0
    (new,) = read_timeline(tmp_path / "out.fcpxml")[1].clips
    assert new.rate == rate
    assert new.place(0) == 12 / rate
    assert unit in (tmp_path / "out.fcpxml").read_text()
    checked(Path(new.media), [F(k, 2) for k in range(28, 28 + 54)])
    assert open_clip(new.media).info.rate == rate


@pytest.mark.skipif(shutil.which("melt") is None, reason="melt, which renders MLT projects, is not installed")
def test_melt_renders_the_conformed_timeline(tmp_path: Path):
    def shade(k: int) -> int:
        return 16 + 10 * (k % 22)  # melt rounds by a shade or two

    for name, rate in (("n24.mp4", F(24)), ("n50.mp4", F(50))):
        film(tmp_path / name, list(range(201)), 1 / rate, shade=shade)
    project = tmp_path / "in.mlt"
    text = (DATA / "shots.mlt").read_text().replace('root="/media"', f'root="{tmp_path}"')
    text = text.replace('width="320" height="180"', 'width="64" height="48"')
    project.write_text(text.replace('aspect_num="16" display_aspect_den="9"', 'aspect_num="4" display_aspect_den="3"'))
    assert vfi(project, tmp_path / "out.mlt") == 0
    rendered = tmp_path / "melt.mkv"
    command = ["melt", str(tmp_path / "out.mlt"), "-consumer", f"avformat:{rendered}", "vcodec=ffv1", "real_time=-1"]
    subprocess.run(command, check=True, capture_output=True, timeout=120)
    got = shades(rendered)
    wanted = json.loads((DATA / "shots.mlt.expected.json").read_text())
    begin = 0
    for clip in wanted:
        begin += 12 if clip["name"] == "shots_004" else 0  # the gap
        for place, grey in zip(map(F, clip["source_frame_of_each"]), got[begin:], strict=False):
            between = sorted((shade(floor(place)), shade(ceil(place))))
            assert between[0] - 3 < grey < between[1] + 3
        begin += clip["frames"]
    assert len(got) == begin


def test_sound_that_a_clip_carries_goes_along(tmp_path: Path):
    film(tmp_path / "in.mp4", list(range(49)), F(1, 24), sound=F(2))
    points = '<timept time="0s" value="0s" interp="linear"/><timept time="4s" value="2s" interp="linear"/>'
    clip = f'<asset-clip ref="r2" name="half" start="0s" duration="3s"><timeMap>{points}</timeMap></asset-clip>'
    source = tmp_path / "in.fcpxml"
    source.write_text(fcpxml(tmp_path / "in.mp4", F(24), clip, audio=True))
    assert vfi(source, tmp_path / "out.fcpxml") == 0
    (new,) = read_timeline(tmp_path / "out.fcpxml")[1].clips
    assert new.sound
    assert 'hasAudio="1" audioSources="1" audioChannels="1" audioRate="48000"' in (tmp_path / "out.fcpxml").read_text()
    with av.open(new.media) as container:
        assert [stream.type for stream in container.streams] == ["video", "audio"]
        assert container.duration / 1e6 == pytest.approx(84 / 24, abs=0.05)


def test_source_frames_are_kept_bit_for_bit(footage: Path, tmp_path: Path):
    assert vfi(DATA / "shots.mlt", tmp_path / "out.mlt", "--find", footage, "--clip", "back") == 0
    (media,) = (tmp_path / "out_media").iterdir()

    def planes(path: Path) -> list[bytes]:
        with av.open(str(path)) as container:
            return [frame.reformat(format="yuv420p").to_ndarray().tobytes() for frame in container.decode(video=0)]

    before, after = planes(footage / "n24.mp4"), planes(media)
    assert after == [before[191 - k] for k in range(48)]


def test_media_that_is_missing_leaves_its_clip_as_it_was(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert vfi(DATA / "ramp.fcpxml", tmp_path / "out.fcpxml") == conform.SOME_LEFT
    assert (tmp_path / "out.fcpxml").read_bytes() == (DATA / "ramp.fcpxml").read_bytes()
    said = capsys.readouterr().err
    assert "left: half (line 11): its media ./n24.mp4 does not exist: replace the start of its path with --map" in said
    assert not (tmp_path / "out_media").exists()


def test_two_files_of_one_name_are_told_apart(footage: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    other = tmp_path / "other"
    other.mkdir()
    film(other / "n24.mp4", list(range(30)), F(1, 24))
    arguments = (DATA / "remap.xml", tmp_path / "out.xml", "--find", footage, "--find", other)
    assert vfi(*arguments) == conform.SOME_LEFT
    assert f"was found as {footage / 'n24.mp4'} and {other / 'n24.mp4'}" in capsys.readouterr().err


def test_paths_are_mapped(footage: Path, tmp_path: Path):
    assert vfi(DATA / "remap.xml", tmp_path / "out.xml", "--map", f"/media={footage}", "--only", "slow", "--clip", "half") == 0


def test_two_clips_of_one_map_are_made_once(footage: Path, tmp_path: Path):
    points = '<timept time="0s" value="0s" interp="linear"/><timept time="8s" value="4s" interp="linear"/>'
    one = f'<asset-clip ref="r2" name="a" start="2s" duration="1s"><timeMap>{points}</timeMap></asset-clip>'
    source = tmp_path / "in.fcpxml"
    source.write_text(fcpxml(footage / "n24.mp4", F(24), one + one.replace('name="a"', 'name="b"')))
    assert vfi(source, tmp_path / "out.fcpxml") == 0
    assert len(list((tmp_path / "out_media").iterdir())) == 1
    assert len({clip.media for clip in read_timeline(tmp_path / "out.fcpxml")[1].clips}) == 1


def test_transitions_get_the_handles_they_show(footage: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    points = '<timept time="0s" value="0s" interp="linear"/><timept time="8s" value="4s" interp="linear"/>'
    clips = [
        f'<asset-clip ref="r2" name="{name}" offset="{at}s" start="3s" duration="2s"><timeMap>{points}</timeMap></asset-clip>'
        for name, at in (("a", 0), ("b", 2))
    ]
    source = tmp_path / "in.fcpxml"
    spine = f'{clips[0]}<transition offset="1s" duration="2s"/>{clips[1]}'
    source.write_text(fcpxml(footage / "n24.mp4", F(24), spine))
    assert __main__.main(["conform", str(source), "--list", "--json", "--handles", "0"]) == 0
    assert [row["handles"] for row in json.loads(capsys.readouterr().out)] == [[0, 24], [24, 0]]


def test_a_freeze_is_made_only_if_everything_is_asked_for(footage: Path, tmp_path: Path):
    points = '<timept time="0s" value="1s" interp="linear"/><timept time="8s" value="1s" interp="linear"/>'
    source = tmp_path / "in.fcpxml"
    freeze = f'<asset-clip ref="r2" name="a" start="0s" duration="1s"><timeMap>{points}</timeMap></asset-clip>'
    source.write_text(fcpxml(footage / "n24.mp4", F(24), freeze))
    assert vfi(source, tmp_path / "kept.fcpxml", "--only", "retimed") == 0
    assert (tmp_path / "kept.fcpxml").read_bytes() == source.read_bytes()
    assert vfi(source, tmp_path / "made.fcpxml") == 0
    (media,) = (tmp_path / "made_media").iterdir()
    checked(media, [F(24)] * 36)


@pytest.mark.parametrize(
    ("text", "name", "said"),
    [
        ("<xmeml>\n<sequence></xmeml>", "in.xml", "in.xml is not valid XML at line 2, column 13: mismatched tag"),
        ("<svg/>", "in.xml", "in.xml is XML with the root <svg>: FCPXML, FCP 7 XML (xmeml) and MLT are read"),
        ("nothing", "in.txt", "in.txt is no timeline that is known"),
        ("<fcpxml/>", "in.fcpxml", "in.fcpxml is not FCPXML: its root is <fcpxml>, or it has no resources"),
        ("<mlt><profile frame_rate_num='0'/></mlt>", "in.mlt", "line 1, has no frame rate"),
        ("<xmeml><sequence/></xmeml>", "in.xml", "line 1, has no frame rate: it needs a rate with a timebase above 0"),
    ],
)
def test_what_cannot_be_read_is_one_sentence(
    text: str, name: str, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    (tmp_path / name).write_text(text)
    assert vfi(tmp_path / name, tmp_path / f"out{Path(name).suffix}") == conform.UNREADABLE
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1
    assert not (tmp_path / f"out{Path(name).suffix}").exists()


@pytest.mark.parametrize(
    ("clip", "said"),
    [
        ('<asset-clip ref="r2" name="x" start="0s" duration="-1s"/>', "is not a whole number of frames from 1 up"),
        ('<asset-clip ref="r2" name="x" start="nan" duration="1s"/>', "'nan' is not a time"),
        ('<asset-clip ref="r2" name="x" start="1e99s" duration="1s"/>', "is not a time"),
        ('<asset-clip ref="r9" name="x" duration="1s"/>', "its media 'r9' is not among the resources"),
        ('<asset-clip ref="r2" name="x" duration="1s"><timeMap/></asset-clip>', "a time map has no keyframes"),
        ('<asset-clip ref="r2" name="x" duration="99999999s"/>', "at most 1000000 are possible"),
        (
            '<asset-clip ref="r2" name="x" duration="1s"><timeMap><timept time="0s" value="0s"/><timept time="0s" value="1s"/>'
            "</timeMap></asset-clip>",
            "their times must increase",
        ),
        (
            '<asset-clip ref="r2" name="x" duration="1s"><timeMap><timept time="0s" value="0s" interp="smooth"/></timeMap>'
            "</asset-clip>",
            "has the interpolation 'smooth'",
        ),
        ('<ref-clip ref="r2" name="x" duration="1s"><timeMap/></ref-clip>', "it is a compound clip"),
    ],
)
def test_a_clip_that_makes_no_sense_is_left_and_named(
    clip: str, said: str, footage: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    source, out = tmp_path / "in.fcpxml", tmp_path / "out.fcpxml"
    source.write_text(fcpxml(footage / "n24.mp4", F(24), clip))
    assert vfi(source, out) == conform.SOME_LEFT
    assert said in capsys.readouterr().err
    assert out.read_bytes() == source.read_bytes()


def test_a_timeline_without_retimes_is_written_as_it_is(footage: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    source, out = tmp_path / "in.fcpxml", tmp_path / "out.fcpxml"
    source.write_text(fcpxml(footage / "n24.mp4", F(24), '<asset-clip ref="r2" name="x" start="1s" duration="1s"/>'))
    assert vfi(source, out) == 0
    assert "nothing to do" in capsys.readouterr().err
    assert out.read_bytes() == source.read_bytes()


def test_outputs_are_checked_before_any_work(footage: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    source = tmp_path / "in.fcpxml"
    shutil.copy(DATA / "ramp.fcpxml", source)
    before = source.read_bytes()
    for output, said in (
        (source, "is an input"),
        (tmp_path / "out.edl", "out.edl was given for FCPXML from in.fcpxml: its name must end in .fcpxml"),
        (None, "no output was given"),
    ):
        arguments = [source, *([] if output is None else [output]), "--find", footage, "--overwrite"]
        assert vfi(*arguments) == 2
        assert said in capsys.readouterr().err
    assert source.read_bytes() == before
    assert vfi(source, tmp_path / "out.fcpxml", "--clip", "nobody", "--find", footage) == 2
    assert "'nobody' is no clip of this timeline: choose from back, fifty, half, ramp" in capsys.readouterr().err


def test_ctrl_c_leaves_no_timeline(footage: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(new_media, "make_clip", lambda *_, **__: conform.INTERRUPTED)
    assert vfi(DATA / "remap.xml", tmp_path / "out.xml", "--find", footage) == conform.INTERRUPTED
    assert not (tmp_path / "out.xml").exists()


def test_a_clip_that_fails_does_not_stop_the_rest(
    footage: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    real, failed = new_media.make_clip, []

    def once(*arguments: object, **options: object) -> int:
        if not failed:
            failed.append(True)
            raise InputError("the disk is full")
        return real(*arguments, **options)

    monkeypatch.setattr(new_media, "make_clip", once)
    assert vfi(DATA / "remap.xml", tmp_path / "out.xml", "--find", footage) == conform.SOME_LEFT
    assert "left: half (line 7): the disk is full" in capsys.readouterr().err
    half, ramp = read_timeline(tmp_path / "out.xml")[1].clips
    assert half.media == "/media/n24.mp4"
    assert Path(ramp.media).parent == tmp_path / "out_media"


def test_another_file_of_the_same_name_is_not_taken(footage: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert vfi(DATA / "remap.xml", tmp_path / "out.xml", "--find", footage, "--clip", "half") == 0
    (media,) = (tmp_path / "out_media").iterdir()
    shutil.copy(footage / "n24.mp4", media)
    (tmp_path / "out.xml").unlink()
    assert vfi(DATA / "remap.xml", tmp_path / "out.xml", "--find", footage, "--clip", "half") == conform.SOME_LEFT
    assert "exists and is not the media of this clip" in capsys.readouterr().err
    assert media.read_bytes() == (footage / "n24.mp4").read_bytes()
