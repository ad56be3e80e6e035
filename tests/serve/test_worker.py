"""``vfi serve --pipe`` and what asks it: the same frames, errors as sentences, and no end that makes the other wait."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from fractions import Fraction as F
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from vfi.core import InputError
from vfi.serve import messages, worker
from vfi.serve.engine import Engine
from vfi.serve.maker import Asked, Maker, Picture
from vfi.serve.protocol import Message, read, write
from vfi.serve.worker import Worker

ROOT = Path(__file__).parent.parent.parent
QUICK = Asked(quality="draft")

pytestmark = pytest.mark.skipif(os.name != "posix", reason="the commands are shell scripts")


def program(path: Path, text: str) -> str:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return str(path)


@pytest.fixture(scope="module")
def vfi(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The command of this checkout."""
    code = f'PYTHONPATH="{ROOT}" OMP_NUM_THREADS=1 exec "{sys.executable}" -m vfi "$@"'
    return program(tmp_path_factory.mktemp("command") / "vfi", code)


@pytest.fixture(scope="module")
def running(vfi: str) -> Worker:
    return Worker(QUICK, vfi)


def pictures(*, alpha: bool = False) -> dict[str, Picture]:
    stream = np.random.default_rng(0)
    texture = stream.integers(0, 256, (3, 9, 20), np.uint8).repeat(4, 1).repeat(4, 2)
    return {
        str(n): Picture(texture[:, :, 2 * n : 2 * n + 64], texture[:1, :, n : n + 64] if alpha and n != 1 else None)
        for n in range(3)
    }


@pytest.mark.parametrize("alpha", [False, True])
def test_a_worker_makes_the_frames_that_this_process_makes(running: Worker, alpha: bool):
    given = pictures(alpha=alpha)
    here, there = Maker(Engine(QUICK)), Maker(running)
    assert there.window == here.window == 2
    for window in (("0", "1"), ("1", "2"), ("2", "0")):
        names = {name: f"{alpha}{name}" for name in window}
        back = {value: key for key, value in names.items()}
        for steps in ([F(1, 2)], [F(1, 3), F(5, 7)]):
            ours = here.make(tuple(names[one] for one in window), lambda name, back=back: given[back[name]], steps)
            theirs = there.make(tuple(names[one] for one in window), lambda name, back=back: given[back[name]], steps)
            for one, other in zip(ours, theirs, strict=True):
                assert np.array_equal(one.rgb, other.rgb)
                assert (one.alpha is None) == (other.alpha is None)
                assert one.alpha is None or np.array_equal(one.alpha, other.alpha)
    thumbnails = np.random.default_rng(1).random((3, 3, 72, 128), np.float32)
    assert there.marks(thumbnails, [None, True, False], True, 0.1) == here.marks(thumbnails, [None, True, False], True, 0.1)


def test_an_error_there_is_an_error_here_and_the_worker_goes_on(running: Worker):
    given = pictures()
    with pytest.raises(InputError, match="window of 3 frames"):
        running.make(("0", "1", "2"), given, [F(1, 2)])
    with pytest.raises(InputError, match="between 0 and 1"):
        running.make(("0", "1"), given, [F(3, 2)])
    with pytest.raises(InputError, match="differ in size"):
        running.make(("a", "b"), {"a": given["0"], "b": Picture(given["0"].rgb[:, :9])}, [F(1, 2)])
    assert running.alive


def test_options_are_refused_by_the_first_answer(vfi: str):
    with pytest.raises(InputError, match="no model is called 'nope'"):
        Worker(Asked(model="nope"), vfi)


def test_a_worker_that_dies_is_an_error_every_time(vfi: str):
    dying = Worker(QUICK, vfi)
    os.killpg(dying.process.pid, signal.SIGKILL)
    for _ in range(2):
        with pytest.raises(InputError, match=r"has ended \(signal 9\)"):
            dying.make(("0", "1"), pictures(), [F(1, 2)])
    assert not dying.alive


def test_a_dead_worker_does_not_end_a_program_that_heeds_broken_pipes(vfi: str):
    """As vspipe, which starts Python without its signal handlers: there, a broken pipe would end the whole program."""
    code = (
        "import os, signal\nfrom fractions import Fraction\nimport numpy as np\n"
        "from vfi.core import InputError\nfrom vfi.serve.maker import Asked, Picture\nfrom vfi.serve.worker import Worker\n"
        "signal.signal(signal.SIGPIPE, signal.SIG_DFL)\n"
        f"worker = Worker(Asked(quality='draft'), {vfi!r})\n"
        "os.killpg(worker.process.pid, signal.SIGKILL)\nworker.process.wait()\n"
        "given = {name: Picture(np.zeros((3, 500, 500), np.uint8)) for name in 'ab'}\n"
        "try:\n    worker.make(('a', 'b'), given, [Fraction(1, 2)])\n"
        "except InputError as error:\n    assert 'signal 9' in str(error)\n"
        "else:\n    raise AssertionError\n"
        "assert signal.pthread_sigmask(signal.SIG_BLOCK, []) == set()\nassert signal.sigpending() == set()\n"
        "os.write(1, b'goes on')\n"
        "os.kill(os.getpid(), signal.SIGPIPE)  # its own broken pipes still end it\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (-signal.SIGPIPE, "goes on", "")


def test_a_worker_ends_when_it_is_closed_or_forgotten(vfi: str):
    closed = Worker(QUICK, vfi)
    closed.close()
    assert closed.process.poll() == 0
    forgotten = Worker(QUICK, vfi)
    process = forgotten.process
    del forgotten
    assert process.poll() == 0


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("exit 3", r"ended \(exit code 3\)"),
        ("echo 'No module named torch' >&2; exit 1", "No module named torch"),
        ("echo hello; exec sleep 1000", "does not answer as vfi serve"),
        ("cat; exit 0", "has no 'window'"),
        ("kill -9 $$", r"ended \(signal 9\)"),
        ("exec 1>&-; exec sleep 1000", "ended"),
    ],
)
def test_a_command_that_is_no_worker_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, words: str):
    if "sleep" in text:
        monkeypatch.setattr(worker, "PATIENCE", 0.1)
    with pytest.raises(InputError, match=words):
        Worker(QUICK, program(tmp_path / "other", text))


def test_a_command_that_never_answers_is_killed_with_its_children(tmp_path: Path):
    path = tmp_path / "pid"
    with pytest.raises(InputError, match="no answer within"):
        Worker(QUICK, program(tmp_path / "mute", f"sleep 1000 &\necho $! > {path}\nwait"), start=1.0)
    child = Path("/proc") / path.read_text().strip() / "stat"
    assert not child.exists() or child.read_text().rpartition(")")[2].split()[0] == "Z"


def test_a_command_that_cannot_be_started_is_an_error(tmp_path: Path):
    path = tmp_path / "vfi"
    path.write_text("no program")
    path.chmod(0o755)
    with pytest.raises(InputError, match="cannot be started"):
        Worker(QUICK, str(path))


def test_the_command_is_the_named_one_else_that_on_the_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    there = program(tmp_path / "vfi", "exit 0")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert worker.command({}) == there
    named = program(tmp_path / "with space", "exit 0")
    assert worker.command({worker.NAMED: named}) == named
    monkeypatch.setenv("HOME", str(tmp_path))
    assert worker.command({worker.NAMED: "~/with space"}) == named
    with pytest.raises(InputError, match="INBETWEEN_VFI is '/nowhere'"):
        worker.command({worker.NAMED: "/nowhere"})
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(InputError, match="no vfi command was found"):
        worker.command({})


def test_a_worker_does_not_see_the_modules_of_another_python(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PYTHONPATH", "/other")
    monkeypatch.setenv("PYTHONHOME", "/other")
    with pytest.raises(InputError, match=r": clean$"):
        Worker(QUICK, program(tmp_path / "other", '[ -z "$PYTHONPATH$PYTHONHOME" ] && echo clean >&2; exit 1'))


def started(vfi: str, **options: object) -> subprocess.Popen[bytes]:
    pipe = subprocess.PIPE
    return subprocess.Popen([vfi, "serve", "--pipe"], stdin=pipe, stdout=pipe, stderr=pipe, **options)  # type: ignore[call-overload]


def test_nothing_but_answers_is_written_and_the_end_of_requests_is_the_end(vfi: str):
    process = started(vfi)
    write(process.stdin, messages.hello(QUICK))
    answer = read(process.stdout)
    assert answer is not None
    assert answer.head == {"window": 2}
    process.stdin.close()
    assert process.wait(60) == 0
    assert process.stdout.read() == b""


def test_a_worker_ends_in_the_midst_of_a_frame(vfi: str):
    process = started(vfi)
    write(process.stdin, messages.hello(Asked(model="dis", tta="all")))
    assert read(process.stdout) is not None
    large = {name: Picture(np.random.default_rng(n).integers(0, 256, (3, 2000, 3000), np.uint8)) for n, name in enumerate("ab")}
    write(process.stdin, messages.make(("a", "b"), large, [F(k, 100) for k in range(1, 100)]))
    process.stdin.close()
    assert process.wait(60) == 0
    assert process.stdout.read() == b""


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        (Message({"do": "open", "protocol": 99, "model": "auto"}), "protocol 99"),
        (Message({"do": "make"}), "opens no model"),
        (
            Message(
                {"do": "open", "protocol": 1, "model": 3, "quality": "draft", "tta": "none", "drawing": "off", "device": "cpu"}
            ),
            "text",
        ),
        (
            Message(
                {
                    "do": "open",
                    "protocol": 1,
                    "model": "dis",
                    "quality": "draft",
                    "tta": "none",
                    "drawing": "off",
                    "device": "cpu",
                    "x": 1,
                }
            ),
            "x",
        ),
    ],
)
def test_a_wrong_first_message_is_answered_with_a_sentence(request_: Message, words: str):
    with pytest.raises(InputError, match=words):
        messages.asked_of(request_)


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        (Message({"do": "delete"}), "make or marks"),
        (Message({"do": "make", "window": "01", "given": [], "steps": ["1/2"]}), "list"),
        (Message({"do": "make", "window": [1, 2], "given": [], "steps": ["1/2"]}), "text"),
        (Message({"do": "make", "window": ["0", "1"], "given": [], "steps": ["1e999999999"]}), "seconds|number"),
        (Message({"do": "make", "window": ["0", "1"], "given": [{"name": "0", "alpha": True}], "steps": ["1/2"]}), "0 planes"),
        (Message({"do": "marks", "known": [], "spread": False, "threshold": 2}), "0 to 1"),
        (Message({"do": "marks", "known": [None], "spread": False, "threshold": 0}), "0 planes"),
    ],
)
def test_a_wrong_request_is_answered_with_a_sentence(request_: Message, words: str):
    with pytest.raises(InputError, match=words):
        messages.answered(request_, Engine(QUICK))


def test_a_terminal_is_told_that_a_program_starts_the_command():
    code = (
        "import os, pty, subprocess, sys\nmain, other = pty.openpty()\n"
        "words = [sys.executable, '-m', 'vfi', 'serve', '--pipe']\n"
        "done = subprocess.run(words, stdin=other, capture_output=True, text=True)\n"
        "sys.stdout.write(f'{done.returncode} {done.stderr}')"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.startswith("2 vfi: standard input is a terminal")


def test_the_filter_and_its_worker_import_without_torch():
    blocked = "; ".join(
        f"sys.modules[{name!r}] = None" for name in ("torch", "cv2", "av", "rich", "safetensors", "scenedetect")
    )
    code = (
        f"import sys, types; {blocked}; sys.modules['vapoursynth'] = types.ModuleType('vapoursynth'); "
        "import vfi, vsinbetween, vfi.vapoursynth.graph, vfi.serve.worker; sys.stdout.write(vfi.vapoursynth.__name__)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("vfi.vapoursynth", "")


def test_a_maker_is_in_this_process_if_torch_is_and_is_shared(monkeypatch: pytest.MonkeyPatch, vfi: str):
    monkeypatch.setitem(sys.modules, "vapoursynth", ModuleType("vapoursynth"))
    for name in [name for name in sys.modules if name.startswith("vfi.vapoursynth")]:
        monkeypatch.delitem(sys.modules, name)
    from vfi.vapoursynth import makers

    monkeypatch.setenv(worker.NAMED, vfi)
    here = makers.maker(QUICK)
    assert isinstance(here._backend, Engine)
    assert makers.maker(QUICK) is here
    assert makers.maker(QUICK, "never") is here
    there = makers.maker(QUICK, "always")
    assert isinstance(there._backend, Worker)
    there._backend.close()
    assert makers.maker(QUICK, "always") is not there
    monkeypatch.setitem(sys.modules, "vfi.serve.engine", None)
    with pytest.raises(InputError, match="cannot import"):
        makers.maker(QUICK, "never")
    assert isinstance(makers.maker(QUICK)._backend, Worker)
    makers._kept.clear()
