from __future__ import annotations

from pathlib import Path

import pytest

from vfi.render import memory


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine whose files about memory are in a folder."""
    for name in ("MEMINFO", "LIMIT", "USED", "STAT"):
        monkeypatch.setattr(memory, name, tmp_path / name)
    return tmp_path


def test_a_system_that_does_not_tell_is_none(machine: Path):
    assert memory.free() is None


def test_the_machine_and_the_container_both_count(machine: Path):
    (machine / "MEMINFO").write_text("MemTotal: 100 kB\nMemAvailable: 50 kB\n")
    assert memory.free() == 50 * 1024
    (machine / "LIMIT").write_text("30000\n")
    (machine / "USED").write_text("20000\n")
    assert memory.free() == 10000
    (machine / "LIMIT").write_text("max\n")
    assert memory.free() == 50 * 1024


def test_files_that_a_container_holds_in_memory_leave_when_room_is_needed(machine: Path):
    """As after reading a long clip: the container's use includes the copy of the file, but the copy makes room."""
    (machine / "LIMIT").write_text("30000\n")
    (machine / "USED").write_text("29000\n")
    (machine / "STAT").write_text("anon 4000\nfile 25000\ninactive_file 20000\nactive_file 5000\n")
    assert memory.free() == 21000
    (machine / "STAT").write_text("inactive_file\n")
    assert memory.free() == 1000
