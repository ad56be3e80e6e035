"""The arithmetic of Blender's strips, and the process that makes their clips, without Blender."""

from __future__ import annotations

import itertools
import json
import os
import sys
import threading
from fractions import Fraction as F
from pathlib import Path

import pytest
from blender_package import job, places
from hypothesis import given
from hypothesis import strategies as st

from vfi.timing.curves import along, of_json

R24, NTSC = F(24), F(24000, 1001)


def placed(frames=200, length=20, offset=0, content=None, rate=R24, media=R24, **more):
    content = frames if content is None else content
    return places.placed(rate, media, frames, length=length, offset=F(offset), content=F(content), **more)


def test_half_speed_lies_at_halves():
    strip = placed(content=400, keys=(1, 401), offset=29)
    assert [strip.source(k) for k in range(3)] == [F(29, 2), 15, F(31, 2)]
    assert places.frames_needed(strip) == 10


def test_only_the_distance_of_the_keys_counts():
    assert placed(content=400, keys=(18, 418), offset=29) == placed(content=400, keys=(1, 401), offset=29)


def test_backwards_is_the_forward_pass_reversed():
    forward = placed(content=400, keys=(1, 401), length=400)
    backward = placed(content=400, keys=(1, 401), length=400, backwards=True)
    assert [backward.source(k) for k in range(1, 400)] == [forward.source(399 - k) for k in range(1, 400)]


def test_a_strip_of_another_frame_rate_steps_by_the_ratio():
    assert placed(content=96, media=F(50)).step == F(50, 24)
    assert placed(content=500, media=R24, rate=F(60)).step == F(2, 5)
    assert placed(content=200, media=F(50)).step == 1  # added from Python: frame by frame


def test_frames_left_out_of_the_file_are_not_shown():
    strip = placed(content=190, skipped=(7, 3), offset=0, length=300)
    assert (strip.source(0), strip.source(299)) == (7, 196)


def test_speed_control_multiplies_from_the_start_of_the_strip():
    strip = placed(offset=10, multiplied=F(1, 4))
    assert [strip.source(k) for k in (0, 1, 4)] == [10, F(41, 4), 11]


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        ({"keys": (1, 20, 401)}, "speed ramp"),
        ({"content": 150}, "fits neither"),
        ({"keys": (1, 1)}, "ends of its media"),
        ({"content": 400, "keys": (1, 301)}, "ends of its media"),
        ({"skipped": (150, 50)}, "nothing of its media"),
        ({"length": 0}, "nothing of its media"),
    ],
)
def test_what_cannot_be_known_is_refused(more, sentence):
    with pytest.raises(places.RefusedError, match=sentence):
        placed(**more)


def test_slower_is_longer_or_cut():
    strip = placed(offset=5)
    assert places.slowed(strip, F(5, 2), longer=True).length == 50
    cut = places.slowed(strip, F(5, 2), longer=False)
    assert (cut.length, cut.source(5)) == (20, 7)


def test_real_time_keeps_the_part_and_changes_its_length():
    strip = places.in_real_time(placed(media=F(50), length=100))
    assert (strip.length, strip.source(12), strip.source(1)) == (48, 25, F(25, 12))
    same = placed(content=96, media=F(50))
    assert places.in_real_time(same) == same


def test_rates_of_blender_are_exact():
    assert places.rate_of(23.976024627685547) == NTSC
    assert places.rate_of(23.976022720336914) == NTSC  # as Blender 4.2 gives it
    assert [places.rate_of(rate) for rate in (25.0, 12.5, 24.0)] == [25, F(25, 2), 24]
    assert places.rate_of(29.871234893798828) == F(29.871234893798828).limit_denominator(1001)  # a mean of varying times
    assert places.scene_rate(30, 1.001000046730042) == F(30000, 1001)
    with pytest.raises(places.RefusedError):
        places.rate_of(0.0)


RATES = st.sampled_from([NTSC, R24, F(25), F(30000, 1001), F(50), F(60000, 1001)])


@given(
    st.integers(2, 300),
    st.integers(1, 200),
    st.integers(-50, 350),
    RATES,
    RATES,
    st.integers(10, 800),
    st.booleans(),
    st.integers(0, 30),
)
def test_the_program_shows_every_frame_where_the_strip_does(frames, length, offset, rate, media, percent, backwards, handles):
    """Judged by the library's own reading of the job."""
    span = max(frames * 100 // percent, 2)
    strip = placed(frames, length, offset, content=span, rate=rate, media=media, keys=(7, 7 + span), backwards=backwards)
    made = places.job_of(strip, handles)
    curve = of_json(json.dumps(made.curve()), frames / media, made.seconds)
    grid = along(curve, rate, frames / media, frames, length=made.seconds)
    assert len(grid.outputs) == made.total == made.before + length + made.after
    shown = [grid.place(output) * media for output in grid.outputs]
    assert shown[made.before : made.before + length] == [strip.source(k) for k in range(length)]
    unheld = shown[: made.before + 1] if made.before else []
    assert all(late - early == strip.step for early, late in itertools.pairwise(unheld))
    assert made.before <= handles
    assert made.after <= handles
    assert all(0 <= place <= frames - 1 for place in shown)


PROGRAM = """#!{python}
import json, sys, time
from pathlib import Path
words = sys.argv[1:]
Path({log!r}).open("a").write(json.dumps(words) + "\\n")
sys.stderr.write("percentage: 40\\n")
sys.stderr.flush()
{body}
"""


@pytest.fixture
def media(tmp_path: Path) -> Path:
    path = tmp_path / "a clip – ü.mkv"
    path.write_bytes(b"media")
    return path


def options(tmp_path: Path, body: str):
    path = tmp_path / "my vfi"
    path.write_text(PROGRAM.format(python=sys.executable, log=str(tmp_path / "log"), body=body), encoding="utf-8")
    path.chmod(0o755)
    return job.Options(str(path), tmp_path / "out put")


@pytest.mark.skipif(sys.platform == "win32", reason="the program is a script with a shebang")
class TestRun:
    WRITES = "Path(words[2]).write_bytes(b'made')"

    def test_a_clip_is_made_once(self, tmp_path, media):
        chosen, made = options(tmp_path, self.WRITES), places.job_of(placed(content=400, keys=(0, 400)), 12)
        for _ in range(2):
            run = job.Run(media, made, chosen)
            run.start()
            run.wait()
        assert run.path.read_bytes() == b"made"
        assert [path.name for path in chosen.folder.iterdir()] == [run.path.name]
        (words,) = (json.loads(line) for line in (tmp_path / "log").read_text().splitlines())
        assert words[:2] == ["retime", str(media)]
        assert words[words.index("--fps") + 1] == "24"
        assert words[words.index("--duration") + 1] == "4/3"
        media.write_bytes(b"other media")
        assert job.Run(media, made, chosen).path != run.path

    def test_a_long_name_is_cut(self, tmp_path, media):
        long = media.rename(tmp_path / f"{'ü' * 100}.mkv")
        run = job.Run(long, places.job_of(placed(), 0), options(tmp_path, self.WRITES))
        run.start()
        run.wait()
        assert run.path.is_file()

    def test_what_the_program_says_is_told(self, tmp_path, media):
        run = job.Run(media, places.job_of(placed(), 0), options(tmp_path, "sys.exit('vfi: the clip is damaged')"))
        run.start()
        with pytest.raises(places.RefusedError, match="the clip is damaged"):
            run.wait()
        assert run.percent == 40
        assert list((tmp_path / "out put").iterdir()) == []

    def test_a_program_that_makes_nothing_is_told(self, tmp_path, media):
        run = job.Run(media, places.job_of(placed(), 0), options(tmp_path, ""))
        run.start()
        with pytest.raises(places.RefusedError, match="made no clip"):
            run.wait()

    def test_stopping_ends_the_program_and_leaves_nothing(self, tmp_path, media):
        started = tmp_path / "started"
        os.mkfifo(started)
        body = f"Path(words[2]).write_bytes(b'half'); Path({str(started)!r}).write_text('on'); threading = time.sleep(600)"
        run = job.Run(media, places.job_of(placed(), 0), options(tmp_path, body))
        run.start()
        assert started.read_text() == "on"  # waits for it
        process = run._process
        assert not run.poll()
        run.stop()
        assert process.poll() is not None
        assert list((tmp_path / "out put").iterdir()) == []
        assert threading.active_count() < 10

    def test_a_program_that_is_none_is_told(self, tmp_path, media, monkeypatch):
        monkeypatch.setenv("PATH", str(tmp_path))
        for given_path in ("", str(tmp_path / "nothing")):
            with pytest.raises(places.RefusedError, match="give the path of vfi"):
                job.program(given_path)
        (tmp_path / "vfi").write_bytes(b"\x7fELF")
        (tmp_path / "vfi").chmod(0o755)
        run = job.Run(media, places.job_of(placed(), 0), job.Options(job.program(""), tmp_path / "out"))
        with pytest.raises(places.RefusedError, match="cannot be started"):
            run.start()
        assert list((tmp_path / "out").iterdir()) == []

    def test_a_folder_that_cannot_be_written_is_told(self, tmp_path, media):
        (tmp_path / "out put").write_text("a file")
        with pytest.raises(places.RefusedError, match="cannot be written to"):
            job.Run(media, places.job_of(placed(), 0), options(tmp_path, "")).start()


@pytest.mark.parametrize(
    ("line", "found"), [("percentage: 7", 7), ("percentage: 999", 100), ("percentage: -1", None), ("vfi: 40", None), ("", None)]
)
def test_progress_is_read(line, found):
    assert places.percent(line) == found
