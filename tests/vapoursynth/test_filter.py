"""The filter in a real VapourSynth whose Python has no torch: the cases of `cases`, what the library itself makes, and what
ffmpeg reads of vspipe's streams."""

from __future__ import annotations

import ast
import json
import shutil
import subprocess
from fractions import Fraction as F
from pathlib import Path
from types import SimpleNamespace as Home

import numpy as np
import pytest
import torch

import vfi
from vfi.core import Frame
from vfi.timing.grids import Subdivide, Uniform

HERE = Path(__file__).parent
TREE = ast.parse((HERE / "cases.py").read_text(encoding="utf-8"))
CASES = [node.name for node in TREE.body if isinstance(node, ast.FunctionDef) and node.name.startswith("case_")]

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("name", CASES)
def test_case(outcome, name: str):
    assert name in outcome.errors
    assert outcome.errors[name] is None, outcome.errors[name]


def frames(pictures: np.ndarray, alphas: np.ndarray | None = None, rate: F = F(24)) -> list[Frame]:
    """The frames of pictures [T,3,H,W], with alphas [T,1,H,W]."""
    return [
        Frame(torch.from_numpy(picture), n / rate, 1 / rate, None if alphas is None else torch.from_numpy(alphas[n]))
        for n, picture in enumerate(pictures)
    ]


def stacked(made: list[Frame]) -> np.ndarray:
    return np.stack([frame.rgb.numpy() for frame in made])


def test_the_frames_are_the_librarys_bit_for_bit(outcome, one_thread):
    judged = np.load(outcome.folder / "judged.npz")
    with torch.inference_mode():
        network = vfi.load("inbetween-s")
        whole = list(vfi.run(frames(judged["source"]), network, Uniform(F(60)), tail="hold"))
        quick = vfi.load(quality="draft")
        floats = list(vfi.run(frames(judged["source"] / np.float32(255)), quick, Subdivide(3), tail="hold"))
        clear = list(vfi.run(frames(judged["source"], judged["alpha"]), quick, Subdivide(2), tail="hold"))
    assert np.array_equal(stacked(whole), judged["made"])
    assert np.abs(stacked(floats) - judged["floats"]).max() < 1e-6  # VapourSynth divides by 255 in its own way
    assert np.array_equal(stacked(clear), judged["clear"])
    assert np.array_equal(np.stack([frame.alpha.numpy() for frame in clear]), judged["clear_alpha"])


@pytest.fixture
def one_thread():
    """As the worker: another number of threads may round otherwise."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def piped(home: Home, script: Path, *arguments: str) -> bytes:
    """What vspipe writes of a script."""
    words = [str(home.vspipe), "-c", "y4m", *arguments, str(script), "-"]
    done = subprocess.run(words, env=home.environment, capture_output=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


def script(path: Path, last: str) -> Path:
    """A script that ends in ``last``, which makes ``made`` of ``clip``."""
    path.write_text(
        f"import sys\nsys.argv = ['cases']\nsys.path.insert(0, {str(HERE)!r})\nimport vapoursynth as vs\n"
        "from cases import moving\nfrom vsinbetween import interpolate, retime\n"
        f"clip = moving(form=vs.YUV420P8, matrix=6)\n{last}\nmade.set_output()\n"
    )
    return path


def md5(stream: bytes) -> list[str]:
    """ffmpeg's checksum of each frame."""
    words = ["ffmpeg", "-v", "error", "-f", "yuv4mpegpipe", "-i", "-", "-f", "framemd5", "-"]
    text = subprocess.run(words, input=stream, capture_output=True, check=True).stdout.decode()
    return [line.split(",")[-1].strip() for line in text.splitlines() if not line.startswith("#")]


@pytest.mark.skipif(not (shutil.which("ffmpeg") and shutil.which("ffprobe")), reason="needs ffmpeg and ffprobe")
def test_ffmpeg_reads_what_vspipe_writes(home, tmp_path: Path):
    source = piped(home, script(tmp_path / "source.vpy", "made = clip"))
    made = piped(home, script(tmp_path / "made.vpy", "made = interpolate(clip, fps_num=60, quality='draft')"))
    words = ["ffprobe", "-v", "error", "-f", "yuv4mpegpipe", "-count_frames", "-show_streams", "-of", "json", "-"]
    found = json.loads(subprocess.run(words, input=made, capture_output=True, check=True).stdout)["streams"][0]
    assert (found["width"], found["height"], found["pix_fmt"]) == (64, 36, "yuv420p")
    assert (found["r_frame_rate"], found["nb_read_frames"]) == ("60/1", "30")
    before, after = md5(source), md5(made)
    assert [after[n] for n in range(0, 30, 5)] == before[::2]
    assert len(set(after)) == 29  # 11.2 and 11.6 both show the last frame


def test_an_error_of_the_filter_ends_vspipe_with_the_sentence(home, tmp_path: Path):
    path = script(tmp_path / "wrong.vpy", "made = interpolate(clip, model='nope')")
    done = subprocess.run(
        [str(home.vspipe), str(path), "-"], env=home.environment, capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode != 0
    assert done.stdout == ""
    assert "no model is called 'nope'" in done.stderr


@pytest.mark.parametrize("at", ["None", "5"])
def test_vspipe_says_so_if_the_worker_dies(home, tmp_path: Path, at: str):
    """Before the first frame, or at one: vspipe asks for several at once, so that one may wait for the worker then."""
    last = (
        "import os, signal\nfrom vfi.vapoursynth import makers\n"
        "def end(n, f):\n"
        f"    if n == {at}:\n        os.killpg(worker.pid, signal.SIGKILL)\n        worker.wait()\n"
        "    return f\n"
        "made = interpolate(clip.std.ModifyFrame(clip, end), quality='draft')\n"
        "worker = next(iter(makers._kept.values()))._backend.process\n"
        "end(None, None)\n"
    )
    path = script(tmp_path / "dying.vpy", last)
    done = subprocess.run(
        [str(home.vspipe), str(path), "-"], env=home.environment, capture_output=True, check=False, timeout=300
    )
    assert done.returncode == 1
    assert b"the worker that makes the frames has ended (signal 9)" in done.stderr


def test_the_worker_ends_with_a_script_that_is_killed(home, tmp_path: Path):
    code = (
        "import os, sys\nsys.argv = ['cases']\nsys.path.insert(0, sys.path.pop())\n"
        f"sys.path.insert(0, {str(HERE)!r})\n"
        "from cases import moving, interpolate, makers\n"
        "interpolate(moving(), quality='draft').get_frame(1)\n"
        "worker = next(iter(makers._kept.values()))._backend.process.pid\n"
        "sys.stdout.write(str(worker)); sys.stdout.flush()\nos.kill(os.getpid(), 9)\n"
    )
    with subprocess.Popen([str(home.python), "-c", code], env=home.environment, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        worker = int(child.stdout.read())
    for _ in range(600):
        state = Path(f"/proc/{worker}/stat")
        if not state.exists() or state.read_text().rpartition(")")[2].split()[0] == "Z":
            return
        subprocess.run(["sleep", "0.1"], check=True)
    pytest.fail("the worker still runs a minute after the program that started it was killed")
