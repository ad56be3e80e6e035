"""``-`` as input and output: the same frames as by files, at once, with nothing else on standard output."""

from __future__ import annotations

import os
import select
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from fractions import Fraction as F
from pathlib import Path

import pytest
import torch
from footage import film, moving

from vfi import __main__
from vfi.archs.blend import Linear
from vfi.clips import piped, standard
from vfi.clips.clip import Encoding, Info, Seeks
from vfi.clips.open import ClipSource, create_clip, open_clip
from vfi.clips.y4m import Y4mReader
from vfi.core import InputError

ROOT = Path(__file__).parents[2]
LINEAR = ("--model", "linear")

pytestmark = pytest.mark.skipif(os.name != "posix", reason="needs POSIX pipes")


def vfi(*arguments: object) -> int:
    return __main__.main([*map(str, arguments)])


@pytest.fixture
def source(tmp_path: Path) -> Path:
    with create_clip(tmp_path / "in.y4m", Info(64, 48, rate=F(24), chroma="422"), encoding=Encoding(depth=10)) as writer:
        for frame in moving(8):
            writer.write(frame)
    return tmp_path / "in.y4m"


@pytest.fixture
def stdin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[bytes], None]]:
    """Puts bytes into standard input, through a pipe that a thread-free writer has closed."""
    monkeypatch.setattr(standard, "_reading", [])
    monkeypatch.setattr(piped, "_opened", [])
    kept = os.dup(0)

    def put(content: bytes) -> None:
        standard._reading.clear()
        piped._opened.clear()
        (tmp_path / "stdin").write_bytes(content)
        feeder = subprocess.Popen(["cat", str(tmp_path / "stdin")], stdout=subprocess.PIPE)
        assert feeder.stdout is not None
        os.dup2(feeder.stdout.fileno(), 0)
        feeder.stdout.close()

    yield put
    os.dup2(kept, 0)
    os.close(kept)


@pytest.mark.parametrize(
    "asked",
    [
        ("interpolate", "--fps", 60),
        ("interpolate", "--slow", "2.5"),
        ("interpolate", "--cuts", "blend", "--duplicates", "spread"),
        ("interpolate", "--from", "0.125", "--to", "6f"),
        ("interpolate", "--shutter", 180, "--shutter-samples", 2),
        ("retime", "--position", "0:0, 0.2:0.1 ease, 0.5:0.25", "--fps", 30),
        ("flow", "--radius", 3, "--model", "dis"),
    ],
    ids=lambda asked: " ".join(map(str, asked)),
)
def test_a_pipe_gives_what_a_file_gives(
    source: Path, stdin: Callable[[bytes], None], capfdbinary: pytest.CaptureFixture[bytes], asked: tuple[object, ...]
):
    out = source.with_name("out.y4m")
    command, *options = asked
    options += [] if "--model" in options else LINEAR
    assert vfi(command, source, out, *options) == 0
    assert capfdbinary.readouterr().out == b""
    stdin(source.read_bytes())
    assert vfi(command, "-", "-", *options) == 0
    assert capfdbinary.readouterr().out == out.read_bytes()


@pytest.mark.parametrize("ending", [".mkv", ".mp4"])
def test_other_streams_are_read_without_seeking(
    tmp_path: Path, stdin: Callable[[bytes], None], capfdbinary: pytest.CaptureFixture[bytes], ending: str
):
    path = film(tmp_path / f"in{ending}", range(0, 13), F(1, 24), sound=F(1, 2))
    if ending == ".mp4":  # its index first
        assert vfi("interpolate", path, tmp_path / "first.mp4", "--model", "nearest", "--times", 1) == 0
        path = tmp_path / "first.mp4"
    assert vfi("interpolate", path, tmp_path / "out.y4m", *LINEAR) == 0
    capfdbinary.readouterr()
    stdin(path.read_bytes())
    assert vfi("interpolate", "-", "-", *LINEAR) == 0
    out, err = capfdbinary.readouterr()
    assert out == (tmp_path / "out.y4m").read_bytes()
    assert err.count(b"y4m has no sound: it is left out") == 1
    assert b"the sound of standard input is left out" in err
    stdin(path.read_bytes())
    assert vfi("interpolate", "-", tmp_path / "out.mp4", *LINEAR) == 0
    assert not open_clip(tmp_path / "out.mp4").info.audio


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("interpolate", "-", "o.mp4", "--resume"), "--resume was given with -"),
        (("interpolate", "in.y4m", "-", "--resume"), "--resume was given with -"),
        (("interpolate", "-", "o.mp4", "--workers", 2), "--workers was given with -"),
        (("interpolate", "in.y4m", "-", "--ray"), "--ray was given with -"),
        (("interpolate", "in.y4m", "o.y4m", "--resume"), "--resume was given with o.y4m"),
        (("interpolate", "in.y4m", "-", "--json"), "--json was given with -"),
        (("retime", "-", "-", "--speed", "-1", "--duration", 1), "curve that plays backwards"),
        (("retime", "-", "-", "--speed", "0.5"), "--duration"),
        (("loop", "-", "o.mp4"), "vfi loop reads its clip twice"),
        (("loop", "-", "o.mp4", "--find"), "--find reads its clip twice"),
        (("heal", "-", "o.mp4"), "vfi heal reads its clip twice"),
        (("interpolate", "-", "o.mp4", "--even"), "--even reads its clip twice"),
        (("flow", "-", "-"), "--radius auto reads its clip twice"),
        (("join", "in.y4m", "-", "o.mp4"), "give files"),
        (("interpolate", "in.y4m", "o.mp4", "--consensus", "linear", "--disagreement", "-"), "only the clip itself"),
    ],
    ids=lambda words: " ".join(map(str, words)) if isinstance(words, tuple) else "",
)
def test_what_needs_a_file_is_refused_by_name(
    source: Path,
    stdin: Callable[[bytes], None],
    monkeypatch: pytest.MonkeyPatch,
    capfdbinary: pytest.CaptureFixture[bytes],
    words: tuple[object, ...],
    says: str,
):
    monkeypatch.chdir(source.parent)
    stdin(source.read_bytes())
    before = sorted(source.parent.iterdir())
    assert vfi(*words, *LINEAR) == 2
    out, err = capfdbinary.readouterr()
    assert (out, err.count(b"\n")) == (b"", 1)
    assert says in err.decode()
    assert sorted(source.parent.iterdir()) == before


@pytest.mark.parametrize(("damaged", "code"), [((), 1), (("--damaged-ok",), 0)])
def test_what_came_before_a_stream_broke_off_is_finished(
    source: Path,
    stdin: Callable[[bytes], None],
    capfdbinary: pytest.CaptureFixture[bytes],
    damaged: tuple[str, ...],
    code: int,
):
    stdin(source.read_bytes()[:-1])
    assert vfi("interpolate", "-", "-", *damaged, *LINEAR) == code
    out, err = capfdbinary.readouterr()
    assert out.count(b"FRAME\n") == 14
    assert err.count(b"standard input breaks off at 0.292 s, after 7 whole frames") == 1
    stdin(source.read_bytes()[:-1])
    assert vfi("shots", "-", *damaged, "--plan", source.with_name("plan.json")) == code
    assert source.with_name("plan.json").exists()


@pytest.mark.parametrize("size", [0, 5, 60, 90, 400])
def test_less_than_a_frame_is_one_sentence(
    source: Path, stdin: Callable[[bytes], None], capfdbinary: pytest.CaptureFixture[bytes], size: int
):
    stdin(source.read_bytes()[:size])
    assert vfi("interpolate", "-", source.with_name("o.mp4"), *LINEAR) == 2
    last = capfdbinary.readouterr().err.decode().splitlines()[-1]
    assert last.startswith("vfi: standard input ")
    assert not source.with_name("o.mp4").exists()


def test_a_broken_matroska_stream_is_told(
    tmp_path: Path, stdin: Callable[[bytes], None], capfdbinary: pytest.CaptureFixture[bytes]
):
    content = film(tmp_path / "in.mkv", range(0, 49), F(1, 24)).read_bytes()
    stdin(content[: len(content) // 2])
    assert vfi("interpolate", "-", "-", *LINEAR) == 1
    out, err = capfdbinary.readouterr()
    assert 10 < out.count(b"FRAME\n") < 90
    assert b"standard input is damaged or breaks off at" in err


def test_a_missing_rate_is_asked_for(source: Path, stdin: Callable[[bytes], None], capfdbinary: pytest.CaptureFixture[bytes]):
    content = source.read_bytes().replace(b"F24:1", b"F0:0")
    stdin(content)
    assert vfi("interpolate", "-", "-", *LINEAR) == 2
    assert b"--in-fps" in capfdbinary.readouterr().err
    stdin(content)
    assert vfi("interpolate", "-", "-", "--in-fps", "23.976", *LINEAR) == 0
    assert b" F48000:1001 " in capfdbinary.readouterr().out


def test_images_one_after_the_other_are_a_stream(
    tmp_path: Path, stdin: Callable[[bytes], None], capfdbinary: pytest.CaptureFixture[bytes]
):
    """As ``ffmpeg -f image2pipe -c:v png -`` sends them."""
    with create_clip(tmp_path / "images", Info(64, 48, rate=None)) as writer:
        for frame in moving(4):
            writer.write(frame)
    content = b"".join(file.read_bytes() for file in sorted((tmp_path / "images").iterdir()))
    for rate, header in ((None, b" F48:1 "), ("12.5", b" F25:1 ")):
        stdin(content)
        assert vfi("interpolate", "-", "-", *(() if rate is None else ("--in-fps", rate)), *LINEAR) == 0
        out = capfdbinary.readouterr().out
        assert header in out
        assert out.count(b"FRAME\n") == 8
    stdin(film(tmp_path / "in.mkv", range(0, 13), F(1, 24)).read_bytes())
    assert vfi("interpolate", "-", "-", "--in-fps", 25, *LINEAR) == 2
    assert b"has its own frame rate" in capfdbinary.readouterr().err


def test_whatever_a_library_prints_stays_out_of_the_stream(
    source: Path, capfdbinary: pytest.CaptureFixture[bytes], monkeypatch: pytest.MonkeyPatch
):
    at = Linear.at

    def printing(*arguments: object) -> torch.Tensor:
        sys.stdout.write("from Python\n")
        os.write(1, b"from C\n")
        return at(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(Linear, "at", printing)
    assert vfi("interpolate", source, "-", *LINEAR) == 0
    out, err = capfdbinary.readouterr()
    source.with_name("out.y4m").write_bytes(out)
    assert len(list(open_clip(source.with_name("out.y4m")))) == 16
    assert b"from Python" in err
    assert b"from C" in err
    sys.stdout.write("back\n")
    assert capfdbinary.readouterr().out == b"back\n"


def test_standard_input_is_a_clip_that_can_be_read_once(source: Path, stdin: Callable[[bytes], None]):
    stdin(source.read_bytes())
    clip = open_clip("-")
    assert not isinstance(clip, Seeks)
    assert isinstance(open_clip(source), Seeks)
    assert ClipSource(Path("-")).open() is clip
    assert (clip.info.frames, clip.info.duration, clip.info.path, clip.info.rate) == (None, None, None, 24)
    first = next(iter(clip))
    assert torch.equal(first.rgb, next(iter(clip)).rgb)
    frames = list(clip)
    assert all(torch.equal(one.rgb, other.rgb) for one, other in zip(frames, Y4mReader(source), strict=True))
    with pytest.raises(InputError, match="it can be read once only"):
        list(clip)


@pytest.mark.parametrize(
    "words",
    [
        ("loop", "in.y4m"),
        ("join", "in.y4m", "in2.y4m"),
        ("tween", "a.png", "b.png", "--frames", "3"),
        ("interpolate", "images"),
    ],
    ids=" ".join,
)
def test_every_command_that_makes_a_clip_can_write_it_to_a_pipe(
    source: Path, monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes], words: tuple[object, ...]
):
    monkeypatch.chdir(source.parent)
    shutil.copy("in.y4m", "in2.y4m")
    with create_clip("images", Info(64, 48, rate=None)) as writer:
        for frame in moving(4):
            writer.write(frame)
    for name, image in (("a.png", "000000.png"), ("b.png", "000001.png")):
        shutil.copy(Path("images") / image, name)
    command, *rest = words
    ends = rest.index("--frames") if "--frames" in rest else len(rest)
    for out in ("out.y4m", "-"):
        assert vfi(command, *rest[:ends], out, *rest[ends:], *LINEAR) == 0
    assert capfdbinary.readouterr().out == Path("out.y4m").read_bytes()


@pytest.mark.slow
def test_closed_and_full_streams_are_one_sentence(source: Path):
    def said(words: str) -> tuple[int, str]:
        command = f"exec {sys.executable} -m vfi interpolate {words} --model linear"
        environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
        done = subprocess.run(["sh", "-c", command], env=environment, capture_output=True, cwd=source.parent, text=True)
        return done.returncode, done.stderr.splitlines()[-1]

    assert said("- o.mp4 <&-") == (
        2,
        "vfi: - was given as the input, and standard input is closed: pipe a stream into it",
    )
    assert said("in.y4m - >&-") == (
        2,
        "vfi: - was given as the output, and standard output is closed: pipe it into a program",
    )
    assert said("- o.mp4 </dev/null") == (2, "vfi: standard input is empty")
    if Path("/dev/full").exists():
        assert said("in.y4m - >/dev/full") == (2, "vfi: standard output cannot be written: No space left on device")


class Live:
    """The command as a process that is fed by hand."""

    def __init__(self, *arguments: object) -> None:
        environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "2"}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "vfi", *map(str, arguments)],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.stdin, self.stdout = self.process.stdin, self.process.stdout
        self.out = b""

    def feed(self, content: bytes) -> None:
        self.stdin.write(content)
        self.stdin.flush()

    def frames(self, count: int) -> None:
        """Wait for frames; a command that holds them back waits for ever, so a limit ends it."""
        while self.out.count(b"FRAME\n") < count:
            assert select.select([self.stdout], [], [], 120)[0], "nothing comes"
            more = os.read(self.stdout.fileno(), 1 << 20)
            assert more, self.process.communicate()
            self.out += more


def split(path: Path) -> list[bytes]:
    """The header and the frames of a y4m file."""
    header, _, rest = path.read_bytes().partition(b"\n")
    return [header + b"\n", *(b"FRAME\n" + one for one in rest.split(b"FRAME\n")[1:])]


@pytest.mark.slow
@pytest.mark.parametrize("end", ["input", "output", "signal"])
def test_frames_go_out_at_once_and_either_side_may_end(source: Path, end: str):
    header, *frames = split(source)
    live = Live("interpolate", "-", "-", *LINEAR)
    live.feed(header + frames[0] + frames[1])
    live.frames(1)  # after two frames, with the pipe open
    for given, frame in enumerate(frames[2:5], start=3):
        live.feed(frame)
        live.frames(2 * given - 3)
    if end == "input":
        live.stdin.close()
        live.frames(10)
        assert live.process.wait() == 0
    elif end == "output":
        live.stdout.close()
        live.feed(frames[5])  # the input stays open: the command closes it
        assert live.process.wait() == 0
        assert live.process.stderr is not None
        assert b"vfi:" not in live.process.stderr.read()
        with pytest.raises(BrokenPipeError):
            live.feed(frames[6])
    else:
        live.process.send_signal(signal.SIGTERM)
        assert live.process.wait() == 130
        assert live.process.stderr is not None
        assert b"the 7 finished frames are in standard output" in live.process.stderr.read()


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="needs ffmpeg")
@pytest.mark.parametrize(
    ("layout", "more"),
    [
        pytest.param("yuv420p", ("-chroma_sample_location", "left"), marks=pytest.mark.exhaustive),
        ("yuv422p10le", ("-color_range", "pc")),
        pytest.param("yuv444p", (), marks=pytest.mark.exhaustive),
    ],
)
def test_ffmpeg_on_both_sides_gives_what_files_give(tmp_path: Path, layout: str, more: tuple[str, ...]):
    """Judged by FFmpeg's checksums of the frames: through files of FFV1, and through two pipes."""

    def ffmpeg(*words: object, **how: object) -> subprocess.Popen[bytes]:
        return subprocess.Popen(["ffmpeg", "-v", "error", "-y", *map(str, words)], **how)  # type: ignore[call-overload]

    def checksums(path: Path) -> list[bytes]:
        sums = ffmpeg("-i", path, "-map", "0:v", "-f", "framemd5", "-", stdout=subprocess.PIPE).communicate()[0]
        return [line.split(b",")[-1] for line in sums.splitlines() if not line.startswith(b"#")]

    drawn = ("-f", "lavfi", "-i", "testsrc2=size=64x48:rate=24:duration=0.5,noise=alls=30:allf=t")
    assert ffmpeg(*drawn, "-pix_fmt", layout, *more, "-c:v", "ffv1", tmp_path / "in.mkv").wait() == 0
    assert vfi("interpolate", tmp_path / "in.mkv", tmp_path / "file.mkv", "--codec", "ffv1", "--fps", 60, *LINEAR) == 0
    one = ffmpeg("-i", tmp_path / "in.mkv", "-strict", "-1", "-f", "yuv4mpegpipe", "-", stdout=subprocess.PIPE)
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    words = [sys.executable, "-m", "vfi", "interpolate", "-", "-", "--fps", "60", *LINEAR]
    two = subprocess.Popen(words, env=environment, stdin=one.stdout, stdout=subprocess.PIPE)
    three = ffmpeg("-i", "-", "-c:v", "ffv1", tmp_path / "piped.mkv", stdin=two.stdout)
    for process in (one, two):
        assert process.stdout is not None
        process.stdout.close()
    assert [process.wait() for process in (one, two, three)] == [0, 0, 0]
    assert len(checksums(tmp_path / "piped.mkv")) == 30
    assert checksums(tmp_path / "piped.mkv") == checksums(tmp_path / "file.mkv")
