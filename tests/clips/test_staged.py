"""Outputs under hidden names, and where they end up."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest
from footage import moving

from vfi.clips.clip import Info, Staged
from vfi.clips.open import create_clip, open_clip
from vfi.core import InputError
from vfi.render.chunks import Chunks, ChunkWriter

INFO = Info(64, 48)


def written(path: Path, *, chunks: bool = False) -> None:
    with ChunkWriter(Chunks(path, INFO, {"input": "one"}, length=2)) if chunks else create_clip(path, INFO) as writer:
        for frame in moving(3):
            writer.write(frame)


@pytest.mark.parametrize("chunks", [False, True])
@pytest.mark.parametrize(
    ("name", "target"),
    [
        ("o.mp4", "big/o.mp4"),
        ("o.mp4", "big/data"),
        ("o.mp4", "big/new.mp4"),
        ("shot", "big/shot"),
        ("shot/%d.png", "big/shot"),
    ],
)
def test_a_link_stays_and_what_it_names_is_written(tmp_path: Path, name: str, target: str, chunks: bool):
    (tmp_path / "big" / "shot").mkdir(parents=True)
    for file in ("o.mp4", "data"):
        (tmp_path / "big" / file).write_bytes(b"")
    link = tmp_path / name.partition("/")[0]
    link.symlink_to(target)  # relative, as most are
    written(tmp_path / name, chunks=chunks)
    assert link.is_symlink()
    assert len(list(open_clip(tmp_path / target))) == 3
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(["big", link.name])
    assert {path.name for path in (tmp_path / "big").iterdir()} <= {"o.mp4", "data", "new.mp4", "shot"}


def test_a_link_in_a_circle_is_a_sentence(tmp_path: Path):
    (tmp_path / "o.mp4").symlink_to(tmp_path / "p.mp4")
    (tmp_path / "p.mp4").symlink_to(tmp_path / "o.mp4")
    with pytest.raises(InputError, match="is a symbolic link in a circle"):
        create_clip(tmp_path / "o.mp4", INFO)


@pytest.mark.parametrize("chunks", [False, True])
def test_a_write_protected_file_is_kept(tmp_path: Path, chunks: bool):
    (tmp_path / "o.mp4").write_text("dear to me")
    (tmp_path / "o.mp4").chmod(stat.S_IRUSR)
    with pytest.raises(InputError, match=r"o.mp4 is write-protected: give another name"):
        written(tmp_path / "o.mp4", chunks=chunks)
    assert [path.read_text() for path in tmp_path.iterdir()] == ["dear to me"]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs pipes with names")
def test_a_pipe_is_a_sentence(tmp_path: Path):
    os.mkfifo(tmp_path / "o.mp4")
    with pytest.raises(InputError, match="is a device or a pipe"):
        Staged(tmp_path / "o.mp4")
