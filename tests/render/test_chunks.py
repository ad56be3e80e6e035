"""Clips in chunks: the same as in one go, whatever was made in which run, and sentences when a disk does not play along."""

from __future__ import annotations

import errno
from collections.abc import Iterable
from fractions import Fraction as F
from itertools import islice, pairwise
from pathlib import Path

import av
import pytest
import torch
from footage import film, moving, sounds

from vfi.clips.clip import Colour, Done, Encoding, Info, Writer
from vfi.clips.open import create_clip, open_clip
from vfi.clips.video import VideoReader, packets
from vfi.core import Frame, InputError
from vfi.render.chunks import Chunks, ChunkWriter

INFO = Info(64, 48, rate=F(24))
RECIPE = {"input": "one"}
CODECS = [
    *(("h264", ".mp4"), ("h264", ".mkv"), ("hevc", ".mov"), ("vp9", ".webm")),
    *(("av1", ".mp4"), ("ffv1", ".mkv"), ("prores", ".mov")),
]


def written(writer: Writer, frames: Iterable[Frame]) -> Writer:
    with writer:
        for frame in frames:
            writer.write(frame)
    return writer


def broken_off(writer: Writer, frames: Iterable[Frame], error: type[BaseException]) -> None:
    with writer:
        for frame in frames:
            writer.write(frame)
        raise error


def facts(path: Path) -> tuple[object, list[tuple[F, F]]]:
    """What a file says of its picture, and when each of its frames is shown."""
    with av.open(path) as container:
        stream = container.streams.video[0]
        context = stream.codec_context
        said = (stream.time_base, stream.start_time, stream.duration, stream.average_rate, stream.sample_aspect_ratio)
        said = (*said, context.codec_tag, context.pix_fmt, context.color_trc, context.extradata, container.duration)
    return said, [(frame.time, frame.duration) for frame in VideoReader(path)]


@pytest.mark.parametrize(("codec", "ending"), CODECS)
def test_chunks_put_together_are_the_clip(tmp_path: Path, codec: str, ending: str):
    info = Info(64, 48, rate=F(24), colour=Colour(1, 1, 1, False))
    encoding = Encoding(codec, repeatable=True)
    written(create_clip(tmp_path / f"plain{ending}", info, encoding=encoding), moving(20))
    written(ChunkWriter(Chunks(tmp_path / f"chunks{ending}", info, RECIPE, encoding=encoding, length=8)), moving(20))
    plain, chunks = facts(tmp_path / f"plain{ending}"), facts(tmp_path / f"chunks{ending}")
    assert plain == chunks
    pairs = zip(VideoReader(tmp_path / f"plain{ending}"), VideoReader(tmp_path / f"chunks{ending}"), strict=True)
    assert max(float((one.rgb - other.rgb).abs().mean()) for one, other in pairs) < 0.02
    assert sorted(path.name for path in tmp_path.iterdir()) == [f"chunks{ending}", f"plain{ending}"]


@pytest.mark.parametrize(("codec", "ending"), CODECS)
@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
def test_what_is_made_in_several_runs_is_the_same_to_the_bit(tmp_path: Path, codec: str, ending: str, error):
    def writer(name: str) -> ChunkWriter:
        return ChunkWriter(Chunks(tmp_path / f"{name}{ending}", INFO, RECIPE, encoding=Encoding(codec), length=5))

    written(writer("whole"), moving(18))
    for upto in (7, 3, 6):  # of the frames still to be written in each run
        begun = writer("parts")
        with pytest.raises(error):
            broken_off(begun, islice(moving(18), begun.done.frames, begun.done.frames + upto), error)
    last = writer("parts")
    assert last.done == Done(10, F(0), F(10, 24))
    written(last, islice(moving(18), 10, None))
    assert (tmp_path / f"parts{ending}").read_bytes() == (tmp_path / f"whole{ending}").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == [f"parts{ending}", f"whole{ending}"]


@pytest.mark.parametrize("ending", [".mp4", ".mkv"])
def test_uneven_times_stay_exact_and_decoding_times_increase(tmp_path: Path, ending: str):
    steps = [1, 1, 30, 1, 1, 40, 1, 90, 1, 1, 1, 2, 60, 1, 1, 1, 1, 1, 50, 1, 3]
    starts = [F(sum(steps[:k]), 1000) for k in range(len(steps))]
    frames = [
        Frame(frame.rgb, start, F(step, 1000)) for frame, start, step in zip(moving(len(steps)), starts, steps, strict=True)
    ]
    path = tmp_path / f"uneven{ending}"
    written(ChunkWriter(Chunks(path, INFO, RECIPE, time_base=F(1, 1000), length=4)), frames)
    with av.open(path) as container:
        shown = [picture.pts * picture.time_base for picture in container.decode(video=0)]
    assert shown == starts
    with av.open(path) as container:
        stamps = [packet.dts for packet in container.demux(video=0) if packet.dts is not None]
    assert all(one < other for one, other in pairwise(stamps))


def test_sound_is_copied_once_and_untouched(tmp_path: Path):
    source = film(tmp_path / "in.mp4", range(0, 49), F(1, 24), sound=F(2))
    written(ChunkWriter(Chunks(tmp_path / "out.mp4", INFO, RECIPE, audio=source, length=7)), moving(48))
    assert sounds(tmp_path / "out.mp4") == sounds(source) != []


@pytest.mark.parametrize("name", ["shot", "%03d.tif"])
def test_images_are_numbered_through(tmp_path: Path, name: str):
    path = tmp_path / "images" / name if "%" in name else tmp_path / "images"
    begun = ChunkWriter(Chunks(path, INFO, RECIPE, length=4))
    with pytest.raises(RuntimeError):
        broken_off(begun, moving(6), RuntimeError)
    assert sorted(path.name for path in tmp_path.iterdir()) == [".images.work"]
    last = ChunkWriter(Chunks(path, INFO, RECIPE, length=4))
    written(last, islice(moving(10), last.done.frames, None))
    made = [frame.rgb for frame in open_clip(tmp_path / "images")]
    assert len(made) == 10
    assert all(torch.equal(one, frame.rgb) for one, frame in zip(made, moving(10), strict=True))
    pattern = name if "%" in name else "%06d.png"
    assert sorted(path.name for path in (tmp_path / "images").iterdir()) == [pattern % number for number in range(10)]
    assert [path.name for path in tmp_path.iterdir()] == ["images"]


def test_images_whose_moving_was_cut_off_are_moved_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    moved: list[Path] = []
    rename = Path.replace

    def fail_once(path: Path, target: Path) -> Path:
        if Path(target).parent.name == "whole":
            moved.append(path)
            if len(moved) == 3:
                raise RuntimeError
        return rename(path, target)

    monkeypatch.setattr(Path, "replace", fail_once)
    with pytest.raises(RuntimeError):
        written(ChunkWriter(Chunks(tmp_path / "images", INFO, RECIPE, length=2)), moving(5))
    written(ChunkWriter(Chunks(tmp_path / "images", INFO, RECIPE, length=2)), [])
    assert len(list((tmp_path / "images").iterdir())) == 5


def test_another_recipe_begins_afresh_and_says_so(tmp_path: Path):
    with pytest.raises(RuntimeError):
        broken_off(
            ChunkWriter(Chunks(tmp_path / "a.mp4", INFO, {"crf": "18", "model": "dis"}, length=4)), moving(6), RuntimeError
        )
    writer = ChunkWriter(Chunks(tmp_path / "a.mp4", INFO, {"crf": "20", "model": "dis"}, length=4))
    assert writer.done == Done()
    assert writer.notes == ["chunks from an earlier run differ in crf: starting over"]
    writer.discard()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("where", ["a.mp4", "images"])
def test_nothing_is_left_of_a_run_that_finished_no_chunk(tmp_path: Path, where: str):
    with pytest.raises(RuntimeError):
        broken_off(ChunkWriter(Chunks(tmp_path / where, INFO, RECIPE, length=10)), moving(6), RuntimeError)
    with pytest.raises(InputError, match="there were no frames"):
        written(ChunkWriter(Chunks(tmp_path / where, INFO, RECIPE, length=10)), [])
    assert list(tmp_path.iterdir()) == []


def test_two_runs_do_not_work_at_the_same_clip(tmp_path: Path):
    first = ChunkWriter(Chunks(tmp_path / "a.mp4", INFO, RECIPE))
    with pytest.raises(InputError, match="is being made by another run"):
        ChunkWriter(Chunks(tmp_path / "a.mp4", INFO, RECIPE))
    first.discard()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "info", "encoding", "says"),
    [
        ("nowhere/a.mp4", INFO, Encoding(), "there is no folder"),
        ("a.xyz", INFO, Encoding(), "a.xyz"),
        ("a.mp4", INFO, Encoding("prores"), "cannot hold prores"),
        ("folder", INFO, Encoding(), "is not empty"),
        ("a.webm", Info(64, 48, rate=F(24), alpha=True), Encoding(), "alpha of vp9"),
    ],
)
def test_what_cannot_be_written_is_refused_at_once(tmp_path: Path, name: str, info: Info, encoding: Encoding, says: str):
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "a.txt").touch()
    with pytest.raises(InputError, match=says):
        ChunkWriter(Chunks(tmp_path / name, info, RECIPE, encoding=encoding))
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]


def test_a_full_disk_is_a_sentence_and_keeps_what_is_finished(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    writer = ChunkWriter(Chunks(tmp_path / "a.mp4", INFO, RECIPE, length=4))
    packed = packets.HEADER

    class Full:
        left = 6
        size = packed.size

        def pack(self, *values: object) -> bytes:
            self.left -= 1
            if self.left < 0:
                raise OSError(errno.ENOSPC, "No space left on device")
            return packed.pack(*values)

    with monkeypatch.context() as patched:
        patched.setattr(packets, "HEADER", Full())
        with pytest.raises(InputError, match=r"cannot be written: No space left on device"):
            written(writer, moving(20))
    again = ChunkWriter(Chunks(tmp_path / "a.mp4", INFO, RECIPE, length=4))
    assert again.done.frames == 4
    written(again, islice(moving(20), 4, None))
    assert len(list(VideoReader(tmp_path / "a.mp4"))) == 20


def test_a_file_of_packets_that_is_cut_short_is_noticed(tmp_path: Path):
    writer = packets.PacketWriter(tmp_path / "000000", ".mp4", INFO)
    for frame in moving(6):
        writer.write(frame)
    path = writer.commit()
    assert len(list(packets.packets_of(path))) == 6
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(InputError, match="is truncated"):
        list(packets.packets_of(path))


@pytest.mark.parametrize("name", ["a.mkv", "images"])
def test_a_chunk_that_was_damaged_is_made_again(tmp_path: Path, name: str):
    written(ChunkWriter(Chunks(tmp_path / f"whole-{name}", INFO, RECIPE, length=4)), moving(12))
    begun = ChunkWriter(Chunks(tmp_path / name, INFO, RECIPE, length=4))
    with pytest.raises(RuntimeError):
        broken_off(begun, moving(9), RuntimeError)
    chunk = begun._chunks.folder / "000001"
    file = next(chunk.iterdir()) if chunk.is_dir() else chunk
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1  # the size stays
    file.write_bytes(data)
    last = ChunkWriter(Chunks(tmp_path / name, INFO, RECIPE, length=4))
    assert last.done.frames == 4
    assert "damaged chunks from an earlier run are made again: 000001" in last.notes
    written(last, islice(moving(12), 4, None))
    one, other = (sorted([path, *path.rglob("*")]) for path in (tmp_path / name, tmp_path / f"whole-{name}"))
    assert [path.read_bytes() for path in one if path.is_file()] == [path.read_bytes() for path in other if path.is_file()]


def test_a_chunk_damaged_before_it_is_joined_is_never_part_of_the_clip(tmp_path: Path):
    chunks = Chunks(tmp_path / "a.mkv", INFO, RECIPE, length=4)
    writer = ChunkWriter(chunks)
    for frame in moving(9):
        writer.write(frame)
    file = chunks.folder / "000000"
    file.write_bytes(file.read_bytes()[:-1] + b"x")
    with pytest.raises(InputError, match="damaged chunks, 000000: run the same command again"):
        writer.commit()
    assert [path.name for path in tmp_path.iterdir()] == [".a.mkv.work"]
    written(ChunkWriter(Chunks(tmp_path / "a.mkv", INFO, RECIPE, length=4)), moving(9))
    assert len(list(open_clip(tmp_path / "a.mkv"))) == 9


def test_images_damaged_while_they_are_moved_are_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def cut_off(folders: Iterable[Path], whole: Path) -> None:
        whole.mkdir()
        image = next(next(iter(folders)).iterdir())
        image.replace(whole / image.name)
        raise OSError(errno.EIO, "broken")

    monkeypatch.setattr("vfi.render.chunks.images.join", cut_off)
    with pytest.raises(OSError, match="broken"):
        written(ChunkWriter(Chunks(tmp_path / "a", INFO, RECIPE, length=4)), moving(8))
    monkeypatch.undo()
    (image,) = (tmp_path / ".a.work" / "whole").iterdir()
    image.write_bytes(image.read_bytes()[:-1] + b"x")
    last = ChunkWriter(Chunks(tmp_path / "a", INFO, RECIPE, length=4))
    assert last.done.frames == 0
    assert any("are damaged: starting over" in note for note in last.notes)
    written(last, moving(8))
    assert len(list(open_clip(tmp_path / "a"))) == 8


def test_a_writer_that_cannot_begin_lets_go_of_its_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    chunks = Chunks(tmp_path / "a.mkv", INFO, {"input": "one"}, length=4)
    monkeypatch.setattr(Chunks, "keep", lambda *_: (_ for _ in ()).throw(InputError("the disk is full")))
    with pytest.raises(InputError, match="the disk is full"):
        ChunkWriter(chunks)
    monkeypatch.undo()
    assert list(tmp_path.iterdir()) == []
    ChunkWriter(Chunks(tmp_path / "a.mkv", INFO, {"input": "one"}, length=4)).discard()
