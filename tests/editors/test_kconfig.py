"""Entries in a KConfig file: added once, read by KDE's own reader, and taken out to the byte."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vfi.core import InputError
from vfi.editors.kconfig import added, entry, removed

MARK = "inbetween-"
OURS = {"Binary": {"inbetween-a": "/opt/my tools/vfi"}, "Ids": {"inbetween-a": "Slow", "inbetween-b": "a\\b  c"}}
FOREIGN = [
    b"",
    b"\n",
    b"[Ids]\nmine=My job\n",
    b"[Ids]\nmine=My job",
    b"\xef\xbb\xbf# \xc3\xbc comment\r\n[Ids]\r\nmine=Caf\xc3\xa9\r\nempty=\r\n\r\n\r\n[Binary]\r\nmine=/usr/bin/ffmpeg\r\n",
    b"[Empty]\n\n[Ids]\n",
    b"[Ids]\nmine[de]=Mein\nmine[$e]=$HOME\n[Odd\xff]\nx=\xff\n\n",
    b"top=1\n[A][B]\nc=d\n# inbetween-a=not ours\nnot inbetween-a=1\n",
]


@pytest.mark.parametrize("before", FOREIGN)
def test_bytes_come_back(before):
    after = added(before, OURS, MARK)
    assert after.startswith(before)
    assert added(after, OURS, MARK) == after
    assert removed(after, MARK) == before
    assert removed(before, MARK) == before


def test_a_new_file_goes_again():
    after = added(None, OURS, MARK)
    assert added(after, OURS, MARK) == after
    assert removed(after, MARK) is None


@given(st.lists(st.sampled_from([b"[Ids]\n", b"[Binary]\r\n", b"\n", b"a=b\n", b" # c\n", b"x", b"[Ids][C]\n", b"[", b"=\n"])))
def test_bytes_of_any_file_come_back(lines):
    before = b"".join(lines)
    assert removed(added(before, OURS, MARK), MARK) == before


def test_other_entries_replace_the_old():
    first = added(b"[Ids]\nmine=1\n", OURS, MARK)
    second = added(first, {"Ids": {"inbetween-c": "New"}}, MARK)
    assert entry(second, "Ids", "inbetween-a") is None
    assert entry(second, "Ids", "inbetween-c") == "New"
    assert removed(second, MARK) == b"[Ids]\nmine=1\n"


def test_what_others_wrote_into_the_block_stays():
    text = added(b"[Ids]\nmine=1\n", OURS, MARK).replace(b"[Ids]\ninbetween-a", b"[Ids]\nlate=2\ninbetween-a")
    assert removed(text, MARK) == b"[Ids]\nmine=1\n[Ids]\nlate=2\n"
    cut = added(None, OURS, MARK).replace(b"# Inbetween: end\n", b"[Ids]\nlate=2\n")  # the block lost its end
    assert removed(cut, MARK) == b"[Ids]\nlate=2\n"


def test_a_file_that_was_written_anew_and_sorted():
    text = b"[Binary]\ninbetween-a=/opt/vfi\n\n[Ids]\ninbetween-a=Slow\nmine=My job\n\n[Output]\ninbetween-a=.mov\n"
    assert removed(text, MARK) == b"[Ids]\nmine=My job\n\n"
    assert removed(b"[Binary]\ninbetween-a=/opt/vfi\n", MARK) is None


def test_a_file_that_kdenlive_wrote_anew():
    text = (Path(__file__).parents[1] / "data" / "editors" / "kdenlive_24_12.rc").read_bytes()
    assert entry(text, "Binary", "inbetween-slow-2") == "/opt/my tools/vfi"
    assert removed(text, MARK).rstrip() == b"[Binary]\nforeign=/usr/bin/ffmpeg\n\n[Ids]\nforeign=Other job"


def test_a_locked_file_is_refused():
    for text in (b"[$i]\n[Ids]\na=b\n", b"[Ids][$i]\na=b\n"):
        with pytest.raises(InputError, match="locked"):
            added(text, OURS, MARK)


def test_control_characters_are_refused():
    with pytest.raises(InputError, match="control characters"):
        added(None, {"Ids": {"inbetween-a": "a\nb"}}, MARK)


def kde(program: str, path: Path, group: str, key: str, *more: str) -> str:
    words = [program, "--file", str(path), "--group", group, "--key", key, *more]
    return subprocess.run(words, capture_output=True, text=True, check=True).stdout.removesuffix("\n")


@pytest.mark.skipif(
    not shutil.which("kreadconfig5"), reason="kreadconfig5 (libkf5config-bin) is missing: KDE's reader is not asked"
)
@pytest.mark.parametrize("before", FOREIGN)
def test_kde_reads_and_writes_the_same(tmp_path, monkeypatch, before):
    monkeypatch.setenv("HOME", str(tmp_path))
    path = tmp_path / "some.rc"
    path.write_bytes(added(before, OURS, MARK))
    for group, values in OURS.items():
        for key, value in values.items():
            assert kde("kreadconfig5", path, group, key) == value == entry(path.read_bytes(), group, key)
    if b"mine=My job" in before:
        assert kde("kreadconfig5", path, "Ids", "mine") == "My job"
    kde("kwriteconfig5", path, "Ids", "late", "new")  # sorts all, and forgets comments
    assert kde("kreadconfig5", path, "Ids", "inbetween-b") == "a\\b  c"
    left = removed(path.read_bytes(), MARK)
    assert b"inbetween-a=" not in left.replace(b"# inbetween-a=", b"").replace(b"not inbetween-a=", b"")
    assert entry(left, "Ids", "late") == "new"
