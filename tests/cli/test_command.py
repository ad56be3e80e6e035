"""The ``vfi`` command as a process: its errors in sentences, its signals, its exit codes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from fractions import Fraction as F
from pathlib import Path

import labour
import pytest
import torch
from footage import moving

from vfi import __main__
from vfi.cli import catalogue
from vfi.clips.clip import Encoding, Info
from vfi.clips.open import create_clip

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (OverflowError("Python int too large to convert to C long"), "out of bounds, or an input is damaged: Python int too"),
        (ZeroDivisionError("division by zero"), "out of bounds"),
        (ValueError("one\nand two"), "one and two"),
        (ValueError(), "ValueError"),
        (MemoryError(), "there is not enough memory"),
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"), "there is not enough memory"),
        (RecursionError("maximum recursion depth exceeded"), "nested too deeply"),
        (OSError(28, "No space left on device"), "vfi: No space left on device"),
        (OSError(36, "File name too long", "a" * 5000), "a: File name too long"),
    ],
)
def test_what_nothing_foresaw_is_one_sentence(
    error: BaseException, says: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(catalogue, "print_list", fail)
    monkeypatch.delenv("VFI_DEBUG", raising=False)
    assert __main__.main(["models"]) == 2
    said = capsys.readouterr().err
    assert said.startswith("vfi: ")
    assert says in said
    assert (said.count("\n"), len(said) < 400) == (1, True)
    monkeypatch.setenv("VFI_DEBUG", "1")
    assert __main__.main(["models"]) == 2
    assert "Traceback" in capsys.readouterr().err


def test_a_fault_of_the_program_is_not_hidden(monkeypatch: pytest.MonkeyPatch):
    def fail(*_: object) -> None:
        raise TypeError("a fault of the program")

    monkeypatch.setattr(catalogue, "print_list", fail)
    with pytest.raises(TypeError):
        __main__.main(["models"])


def process(*arguments: object, **how: object) -> subprocess.Popen[bytes]:
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    return subprocess.Popen([sys.executable, "-m", "vfi", *map(str, arguments)], env=environment, **how)  # type: ignore[call-overload]


@pytest.mark.skipif(os.name != "posix", reason="needs POSIX pipes")
def test_a_reader_that_goes_away_is_no_error():
    read, write = os.pipe()
    os.close(read)
    running = process("models", "--json", stdout=write, stderr=subprocess.PIPE)
    os.close(write)
    assert (running.communicate()[1], running.returncode) == (b"", 141)


@pytest.mark.skipif(os.name != "posix", reason="needs POSIX signals")
@pytest.mark.parametrize(
    "how", [signal.SIGTERM, *(pytest.param(one, marks=pytest.mark.exhaustive) for one in (signal.SIGHUP, signal.SIGINT))]
)
def test_a_process_that_is_told_to_end_leaves_nothing_hidden(tmp_path: Path, how: signal.Signals):
    source = tmp_path / "in.mkv"
    with create_clip(source, Info(64, 48, rate=F(24)), encoding=Encoding("ffv1")) as writer:
        for frame in moving(4):
            writer.write(frame)
    begun = ["interpolate", str(source), str(tmp_path / "o.mp4"), "--times", "100000", "--model", "nearest"]
    running = labour.started(tmp_path, begun)
    while not (hidden := list(tmp_path.glob(".*partial*"))) or not hidden[0].stat().st_size:
        assert running.poll() is None, running.communicate()[1]
        time.sleep(0.01)
    running.send_signal(how)
    said = running.communicate()[1]
    assert running.returncode == 130, said
    assert "interrupted" in said
    assert not list(tmp_path.glob(".*"))


def test_signals_are_as_before_once_the_command_is_done(capsys: pytest.CaptureFixture[str]):
    before = signal.getsignal(signal.SIGTERM)
    assert __main__.main(["models", "--json"]) == 0
    assert signal.getsignal(signal.SIGTERM) is before


@pytest.mark.parametrize("option", ["--threads", "--workers"])
def test_more_threads_or_processes_than_any_system_has_are_refused(option: str, capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit, match="2"):
        __main__.main(["interpolate", "in.mp4", "o.mp4", option, "1000000"])
    assert "1000000 was given: a whole number from 1 to 1024 is needed" in capsys.readouterr().err


def test_a_device_that_computes_nothing_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    with create_clip(tmp_path / "in.mkv", Info(64, 48), encoding=Encoding("ffv1")) as writer:
        for frame in moving(2):
            writer.write(frame)
    assert __main__.main(["interpolate", str(tmp_path / "in.mkv"), str(tmp_path / "o.mp4"), "--device", "meta"]) == 2
    assert "there is no device 'meta' here" in capsys.readouterr().err
