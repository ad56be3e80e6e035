"""What is freed while frames are made stays at hand, and is given back after. On glibc only: elsewhere nothing changes."""

from __future__ import annotations

import threading

import forks
import pytest

from vfi.render import malloc

glibc = pytest.mark.skipif(malloc._glibc() is None, reason="glibc alone can be told")

FAULTS = """
import resource
import torch
from vfi.render import malloc
from vfi.render.malloc import kept

malloc._ours = True

def faults(size):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    torch.ones(size)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

def held():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * 4096

def work(left=2**22):
    faults(2**16)  # the library's pages come in
    start = held()
    with kept():
        for power in (16, 17, 18, 19, 20, *[21] * 16):  # where small ones come to lie, it takes several large ones
            faults(2**power)
        with kept():
            again = min(faults(2**21) for _ in range(4))  # a thread's heap may grow once more
        after = min(faults(2**21) for _ in range(4))
        assert again + after < 100, (again, after)
        assert held() > start + 2**22
    assert held() < start + left, held() - start
    assert faults(2**24) > 1000
"""


@pytest.fixture
def ours(monkeypatch: pytest.MonkeyPatch) -> None:
    """The allocator of this process is ours for one test."""
    monkeypatch.setattr(malloc, "_ours", True)


def run(code: str) -> None:
    done = forks.run(FAULTS + code)
    assert done.code == 0, done.told


@glibc
def test_a_buffer_is_cleared_once_and_given_back_after_the_last():
    run("work()")


@glibc
def test_in_a_thread_too():
    run("import threading\ndone = []\nthread = threading.Thread(target=lambda: done.append(work(2**24)))\n"
        "thread.start(); thread.join(); assert done")  # fmt: skip


@glibc
def test_threads_that_share_a_heap_keep_buffers_of_any_size():
    run("""
from vfi.render import malloc
malloc.take_over()
def large():
    with kept():
        assert [faults(2**25) for _ in range(16)][-1] < 100
import threading
done = []
thread = threading.Thread(target=lambda: done.append(large()))
thread.start(); thread.join(); assert done
""")


@pytest.mark.usefixtures("ours")
def test_items_come_as_they_are_and_what_they_come_from_is_closed():
    closed = []

    def source():
        try:
            yield from range(100)
        finally:
            closed.append(True)

    assert list(malloc.keeping(source())) == list(range(100))
    half = malloc.keeping(items := source())
    assert [next(half), malloc._users] == [0, 1]
    half.close()
    items.close()
    assert (malloc._users, closed) == (0, [True, True])


@glibc
def test_holes_are_given_back_on_the_way():
    run("""
from vfi.render.malloc import keeping
def items():
    small, large = [(torch.ones(2**18), torch.ones(64)) for _ in range(64)], []
    for k in range(64):
        small[k] = small[k][1]
        large.append(torch.ones(3 * 2**17))
        yield held()
sizes = list(keeping(items()))
assert max(sizes) - sizes[0] < 48 * 2**20, sizes  # 32 MiB more are in use, and the holes are 64
""")


@pytest.mark.usefixtures("ours")
def test_many_threads_leave_it_as_it_was():
    def often() -> None:
        for _ in range(200):
            with malloc.kept():
                assert malloc._users > 0

    threads = [threading.Thread(target=often) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert malloc._users == 0


@pytest.mark.usefixtures("ours")
def test_an_error_comes_out_and_ends_it():
    with pytest.raises(ZeroDivisionError), malloc.kept():
        raise ZeroDivisionError
    assert malloc._users == 0


@pytest.mark.usefixtures("ours")
def test_elsewhere_nothing_is_done(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(malloc, "_glibc", lambda: None)
    with malloc.kept():
        assert malloc._users == 1


def test_a_process_that_is_not_ours_is_left_alone(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(malloc, "_ours", False)
    monkeypatch.setattr(malloc, "_set", lambda parameters: pytest.fail(f"{parameters} were set"))
    with malloc.kept():
        assert list(malloc.keeping([1, 2])) == [1, 2]
    assert malloc._users == 0
