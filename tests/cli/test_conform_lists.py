"""``vfi conform`` on EDLs, OpenTimelineIO and AAF, with real files: what is listed, made and written."""

from __future__ import annotations

import json
from fractions import Fraction as F
from pathlib import Path

import pytest
from footage import film

from vfi import __main__
from vfi.clips.open import open_clip
from vfi.timeline.open import read_timeline

DATA = Path(__file__).parent.parent / "data" / "timelines"
SAMPLES = {"speeds.edl": ("--fps", "24"), "speeds.otio": ()}


def vfi(*arguments: object) -> int:
    return __main__.main(["conform", *map(str, arguments), "--model", "linear", "--codec", "ffv1", "--cuts", "interpolate"])


@pytest.fixture(scope="module")
def footage(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Clips of 200 frames, of which frame k has the Y' 16 + k."""
    folder = tmp_path_factory.mktemp("footage")
    for name, rate in (("n24.mp4", F(24)), ("n50.mp4", F(50))):
        film(folder / name, list(range(201)), 1 / rate)
    return folder


def shades(path: Path) -> list[float]:
    """The brightness of each frame, less 16: the number of its source frame."""
    return [float(frame.rgb.float().mean()) * (219 if frame.rgb.is_floating_point() else 1) for frame in open_clip(path)]


@pytest.mark.parametrize("name", SAMPLES)
def test_the_list_is_what_was_worked_out(name: str, footage: Path, capsys: pytest.CaptureFixture[str]):
    assert __main__.main(["conform", str(DATA / name), *SAMPLES[name], "--list", "--json", "--find", str(footage)]) == 0
    assert json.loads(capsys.readouterr().out) == json.loads((DATA / f"{name}.expected.json").read_text())


@pytest.mark.parametrize("name", SAMPLES)
def test_every_frame_on_a_source_frame_is_that_frame(name: str, footage: Path, tmp_path: Path):
    out, media = tmp_path / name, tmp_path / "media"
    assert vfi(DATA / name, out, *SAMPLES[name], "--find", footage, "--media", media) == 0
    rate = F(24) if SAMPLES[name] else None
    wanted = json.loads((DATA / f"{name}.expected.json").read_text())
    for clip, told in zip(read_timeline(out, rate)[1].clips, wanted, strict=True):
        if told["nothing_to_do"]:
            continue
        assert (clip.place(0) * 24, clip.frames) == (told["handles"][0], told["frames"])
        got = shades(media / Path(clip.media).name)
        assert len(got) == told["new_media_frames"]
        for shade, place in zip(got[told["handles"][0] :], map(F, told["source_frame_of_each"]), strict=False):
            assert abs(shade - place) <= (0.01 if place.denominator == 1 else 1)


@pytest.mark.parametrize("name", SAMPLES)
def test_a_conformed_timeline_has_nothing_to_do(name: str, footage: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    out, again, media = tmp_path / name, tmp_path / f"again{Path(name).suffix}", tmp_path / "media"
    assert vfi(DATA / name, out, *SAMPLES[name], "--find", footage, "--media", media, "--only", "slow") == 0
    assert vfi(out, again, *SAMPLES[name], "--find", footage, "--find", media, "--only", "slow") == 0
    assert again.read_bytes() == out.read_bytes()
    assert "nothing to do" in capsys.readouterr().err


@pytest.mark.parametrize("ending", [".edl", ".xml"])
def test_otio_is_written_as_other_formats(ending: str, footage: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    out, media = tmp_path / f"out{ending}", tmp_path / "media"
    assert vfi(DATA / "speeds.otio", out, "--find", footage, "--media", media, "--only", "slow") == 0
    clips = read_timeline(out, F(24) if ending == ".edl" else None)[1].clips
    made = [clip for clip in clips if (media / Path(clip.media).name).exists()]
    assert [(clip.frames, clip.place(0) * 24) for clip in made] == [(48, 12), (30, 12), (24, 12)]
    assert [clip.frames for clip in clips] == [24, 48, 30, 12, 24, 24]
    assert "sound, effects and transitions are not" in " ".join(capsys.readouterr().err.split())


def test_what_cannot_be_written_is_refused_before_frames_are_made(
    footage: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    source = tmp_path / "broken.otio"
    source.write_text((DATA / "speeds.otio").read_text().replace('"value": 10.0', '"value": 10.5'))  # the gap
    assert vfi(source, tmp_path / "o.edl", "--find", footage) == 2
    assert "can only be written as .otio: third stands at broken frames" in " ".join(capsys.readouterr().err.split())
    assert list(tmp_path.iterdir()) == [source]
    assert vfi(source, tmp_path / "o.otio", "--find", footage, "--clip", "freeze") == 0


def test_an_edl_needs_its_rate(footage: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert vfi(DATA / "speeds.edl", tmp_path / "o.edl", "--find", footage) == 1
    assert "speeds.edl is an EDL, which does not tell its frame rate: give it by --fps" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_an_edl_cannot_become_another_format(footage: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert vfi(DATA / "speeds.edl", tmp_path / "o.otio", "--fps", "24", "--find", footage) == 2
    assert "its name must end in .edl" in capsys.readouterr().err


def test_an_aaf_becomes_otio_with_the_frames_of_avid(footage: Path, tmp_path: Path):
    pytest.importorskip("aaf2")
    find = tmp_path / "find"
    find.mkdir()
    for name in ("Frame Debugger 0h.mov", "Frame Debugger 1h.mov"):
        (find / name).write_bytes((footage / "n24.mp4").read_bytes())
    out, media = tmp_path / "o.otio", tmp_path / "media"
    assert vfi(DATA / "misc_speed_effects.aaf", out, "--find", find, "--media", media) == 0
    shown = json.loads((DATA / "misc_speed_effects.aaf.avid.json").read_text())["shown"]
    clips = read_timeline(out)[1].clips
    assert len(clips) == len(shown)
    for clip, avid in list(zip(clips, shown, strict=True))[1:]:
        got = shades(Path(clip.media))[int(clip.place(0) * 24) :][: clip.frames]
        assert avid is None or all(
            place % 86400 - 0.01 <= shade < place % 86400 + 1.01 for shade, place in zip(got, avid, strict=True)
        )
