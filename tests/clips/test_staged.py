"""Outputs under hidden names, and where they end up."""

from __future__ import annotations

import errno
import os
import stat
import subprocess
import sys
from pathlib import Path

import forks
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


@pytest.mark.skipif(os.name != "posix", reason="asks for processes")
@pytest.mark.parametrize("name", ["o.mp4", "shot"])
def test_what_a_process_that_is_gone_has_left_is_cleared(tmp_path: Path, name: str):
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    folder = name == "shot"
    mine = Staged(tmp_path / name, folder=folder)
    other = tmp_path / mine.path.name.replace(f"-{os.getpid()}-", f"-{gone.pid}-")
    elsewhere = tmp_path / other.name.replace("partial-", "partial-0")
    alive = tmp_path / other.name.replace(f"-{gone.pid}-", f"-{os.getppid()}-")
    token = mine.path.name.split("-")[3][:8]
    earlier = tmp_path / mine.path.name.replace(token, "0" * 8)  # of an earlier process of the same number
    others = [tmp_path / other.name.replace("o.", "p.").replace("shot", "shots"), tmp_path / "o.partial.mp4"]
    for path in (other, elsewhere, alive, earlier, *others):
        if folder:
            path.mkdir()
            (path / "000000.png").touch()
        else:
            path.touch()
    again = Staged(tmp_path / name, folder=folder)
    assert set(tmp_path.iterdir()) == {mine.path, again.path, elsewhere, alive, *others}
    mine.discard()
    again.discard()
    assert set(tmp_path.iterdir()) == {elsewhere, alive, *others}


def test_content_is_on_the_disk_before_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    done: list[str] = []
    flush, rename = os.fsync, Path.replace

    def flushed(number: int) -> None:
        done.append("names flushed" if stat.S_ISDIR(os.fstat(number).st_mode) else "flushed")
        flush(number)

    monkeypatch.setattr(os, "fsync", flushed)
    monkeypatch.setattr(Path, "replace", lambda path, name: (done.append("named"), rename(path, name))[1])
    written(tmp_path / "o.mp4")
    written(tmp_path / "shot")
    assert done == ["flushed", "named", "names flushed", *["flushed"] * 3, "names flushed", "named", "names flushed"]


@pytest.mark.skipif(os.name != "posix", reason="only POSIX systems open folders")
@pytest.mark.parametrize(
    ("number", "kept"), [(errno.EINVAL, True), (errno.ENOTSUP, True), (errno.EACCES, True), (errno.EIO, False)]
)
def test_a_folder_that_cannot_be_flushed_is_an_error_unless_its_system_never_does(
    tmp_path: Path, number: int, kept: bool, monkeypatch: pytest.MonkeyPatch
):
    flush, open_ = os.fsync, os.open

    def flushed(file: int) -> None:
        if stat.S_ISDIR(os.fstat(file).st_mode):
            raise OSError(number, os.strerror(number))
        flush(file)

    def opened(path: Path, flags: int, *mode: int, **how: int) -> int:
        if flags & os.O_DIRECTORY:
            raise OSError(number, os.strerror(number))
        return open_(path, flags, *mode, **how)

    monkeypatch.setattr(*((os, "open", opened) if number == errno.EACCES else (os, "fsync", flushed)))
    if kept:
        written(tmp_path / "o.mp4")
        assert (tmp_path / "o.mp4").exists()
    else:
        with pytest.raises(InputError, match=r"o\.mp4 cannot be written: Input/output error"):
            written(tmp_path / "o.mp4")


def test_an_output_that_cannot_get_its_name_is_a_sentence_and_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def full(number: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(InputError, match=r"o.mp4 cannot be written: No space left"):
        written(tmp_path / "o.mp4")
    assert list(tmp_path.iterdir()) == []


def test_throwing_away_raises_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def stuck(path: Path, **how: bool) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    staged = Staged(tmp_path / "o.mp4")
    monkeypatch.setattr(Path, "unlink", stuck)
    staged.discard()


def test_a_disk_that_is_full_is_told_once(tmp_path: Path):
    resource = pytest.importorskip("resource")
    code = """if True:
        import resource, torch
        from pathlib import Path
        from vfi.clips.clip import Encoding, Info
        from vfi.clips.video import PacketWriter, VideoWriter
        from vfi.core import Frame, InputError
        from fractions import Fraction as F

        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
        info, ffv1 = Info(160, 120, rate=F(24)), Encoding("ffv1")
        for begun in (
            lambda: VideoWriter("o.mkv", info, encoding=ffv1),
            lambda: PacketWriter(Path("o"), ".mkv", info, encoding=ffv1),
        ):
            try:
                with begun() as writer:
                    for k in range(24):
                        writer.write(Frame(torch.rand(3, 120, 160), F(k, 24), F(1, 24)))
            except InputError as error:
                print(error)
            print(list(Path().iterdir()))
        """
    assert resource
    ended = forks.run(code, tmp_path)
    told = ["o.mkv cannot be written: File too large", "[]", "o cannot be written: File too large", "[]"]
    assert (ended.out.splitlines(), ended.told, ended.code) == (told, "", 0)
