"""Workers in processes of their own: what dies is made again, what fails is said once, and no process is left behind."""

from __future__ import annotations

import multiprocessing
import os
import signal
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import forks
import labour
import pytest
import torch
from footage import moving

from vfi.clips.clip import DEFAULT_RATE, Encoding, Info
from vfi.clips.open import create_clip
from vfi.core import InputError
from vfi.render.workers import Worker, make_segments
from vfi.render.workers.processes import Processes

CPU = torch.device("cpu")

pytestmark = [pytest.mark.slow, pytest.mark.skipif(os.name != "posix", reason="needs POSIX signals")]


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "in.mkv"
    with create_clip(path, Info(64, 48, rate=DEFAULT_RATE), encoding=Encoding("ffv1")) as writer:
        for frame in moving(40):
            writer.write(frame)
    return path


@pytest.fixture
def alone(source: Path, tmp_path: Path) -> bytes:
    """What one worker makes in this process."""
    threads = torch.get_num_threads()
    job, cut, chunks = labour.task(source, tmp_path / "alone.mp4", labour.slow)
    worker = Worker(job, CPU, threads)
    for segment in cut:
        chunks.finish(segment.number, worker.make_segment(segment))
    return chunks.join().read_bytes()


@pytest.fixture
def forked(monkeypatch: pytest.MonkeyPatch) -> None:
    forks.workers(monkeypatch)


def nobody_is_left() -> bool:
    return not multiprocessing.active_children()


def test_a_worker_that_is_killed_changes_nothing(source: Path, tmp_path: Path, alone: bytes, forked: None):
    job, cut, chunks = labour.task(source, tmp_path / "out.mp4", labour.slow)
    killed = (1, 4, 8)
    left = list(killed)
    holds = labour.hold(tmp_path / "holds", killed)  # none is finished before it is killed
    job = replace(job, parts=labour.Held(**vars(job.parts), holds=holds))
    counts: dict[int, list[int]] = {}
    with closing(make_segments(Processes(2, 1, CPU), job, cut, chunks)) as making:
        for made in making:
            counts.setdefault(made.number, []).append(made.frames)
            begun = left and counts.get(left[0], [0])[-1] >= 3
            if begun and chunks.finished.keys() >= set(range(left[0])):  # so that none is killed three times
                for process in multiprocessing.active_children():
                    os.kill(process.pid, signal.SIGKILL)
                    process.join()
                (holds / str(left.pop(0))).unlink()
    assert left == []
    holds.rmdir()
    assert all(counts[number].count(0) >= 1 for number in killed)
    assert {number: frames[-1] for number, frames in counts.items()} == dict.fromkeys(range(10), 8)
    assert (tmp_path / "out.mp4").read_bytes() == alone
    assert sorted(path.name for path in tmp_path.iterdir()) == ["alone.mp4", "in.mkv", "out.mp4"]
    assert nobody_is_left()


def test_work_that_is_stopped_keeps_its_chunks_in_whatever_order(source: Path, tmp_path: Path, alone: bytes, forked: None):
    job, cut, chunks = labour.task(source, tmp_path / "out.mp4", labour.slow)
    with closing(make_segments(Processes(2, 1, CPU), job, cut, chunks)) as making:
        while len(chunks.finished) < 3:
            next(making)
    chunks.close()
    assert nobody_is_left()
    finished = set(chunks.finished)
    job, cut, chunks = labour.task(source, tmp_path / "out.mp4", labour.slow)
    assert set(chunks.finished) == finished
    with closing(make_segments(Processes(3, 1, CPU), job, cut, chunks)) as making:
        numbers = {made.number for made in making}
    assert numbers == set(range(10)) - finished
    assert (tmp_path / "out.mp4").read_bytes() == alone


@pytest.mark.parametrize(
    ("model", "error", "says"),
    [
        (labour.absent, InputError, r"^there is no such model$"),
        (labour.wrong, RuntimeError, "a worker failed: its error is above"),
        (
            labour.deadly,
            InputError,
            r"workers died 3 times before they began, the last by SIGKILL: fewer workers need less memory",
        ),
    ],
)
def test_what_goes_wrong_is_one_sentence(
    source: Path, tmp_path: Path, model, error: type[Exception], says: str, request: pytest.FixtureRequest, capfd
):
    if model is labour.deadly:
        request.getfixturevalue("forked")
    job, cut, chunks = labour.task(source, tmp_path / "out.mp4", model)
    with pytest.raises(error, match=says), closing(make_segments(Processes(1, 1, CPU), job, cut, chunks)) as making:
        list(making)
    chunks.close()
    assert nobody_is_left()
    assert ("a fault of the program" in capfd.readouterr().err) == (model is labour.wrong)
    assert [path.name for path in tmp_path.iterdir()] == ["in.mkv"]


def test_what_a_worker_cannot_read_is_said_as_it_would_be_alone(source: Path, tmp_path: Path, forked: None):
    job, cut, chunks = labour.task(source, tmp_path / "out.mp4")
    stored = list(cut)
    source.unlink()
    with pytest.raises(InputError, match=r"in\.mkv does not exist$"):
        list(make_segments(Processes(1, 1, CPU), job, stored, chunks))
    chunks.close()
    assert nobody_is_left()


def test_ray_makes_the_same(source: Path, tmp_path: Path, alone: bytes, monkeypatch: pytest.MonkeyPatch):
    ray = pytest.importorskip("ray")
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[1]))
    from vfi.render.workers.ray import Ray

    try:
        pool = Ray(2, 1, CPU)
        job, cut, chunks = labour.task(source, tmp_path / "out.mp4", labour.slow)
        assert {made.number for made in make_segments(pool, job, cut, chunks)} == set(range(10))
        assert (tmp_path / "out.mp4").read_bytes() == alone
        job, cut, chunks = labour.task(source, tmp_path / "again.mp4", labour.absent)
        with pytest.raises(InputError, match=r"^there is no such model$"):
            list(make_segments(pool, job, cut, chunks))
        chunks.close()
    finally:
        ray.shutdown()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["alone.mp4", "in.mkv", "out.mp4"]


def test_without_ray_it_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch):
    import sys

    from vfi.render.workers.ray import Ray

    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(InputError, match=r"ray is not installed: pip install inbetween-vfi\[ray\]"):
        Ray(1, 1, CPU)


@pytest.mark.parametrize(("device", "gpus", "count"), [("cpu", 0, 4), ("cuda:1", 1, 2), ("mps", 0, 4)])
def test_ray_shares_out_gpus_of_kinds_that_it_counts(monkeypatch: pytest.MonkeyPatch, device: str, gpus: int, count: int):
    import sys

    from vfi.render.workers.ray import Ray

    class Cluster(ModuleType):
        def init(self, address: str, **options: object) -> None:
            assert address == "local"

        def cluster_resources(self) -> dict[str, float]:
            return {"CPU": 8.0, "GPU": 2.0}

    monkeypatch.setitem(sys.modules, "ray", Cluster("ray"))
    pool = Ray(None, 2, torch.device(device))
    assert pool._needs == {"num_cpus": 2, "num_gpus": gpus}
    assert pool.count == count


def test_devices_without_a_number_are_used_in_turn(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 3)
    assert Processes(4, 1, torch.device("cuda")).devices == [torch.device("cuda", k) for k in range(3)]
    assert Processes(4, 1, torch.device("cuda:1")).devices == [torch.device("cuda:1")]
    assert Processes(4, 1, CPU).devices == [CPU]
