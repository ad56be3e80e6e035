"""``vfi paint`` on files."""

from __future__ import annotations

import json
from collections.abc import Sequence
from fractions import Fraction as F
from functools import partial
from pathlib import Path

import pytest
import torch
from painting import HEIGHT, WIDTH, marked, pictures, psnr
from torch import Tensor

from vfi import __main__
from vfi.clips.clip import Encoding, Info
from vfi.clips.images import ImageEncoder
from vfi.clips.open import create_clip, open_clip
from vfi.core import Frame
from vfi.paint import through
from vfi.pixels.uint8 import codes
from vfi.render import convert
from vfi.render.chunks import Chunks

GIVEN = pictures(8)


def written(path: Path, given: Sequence[Tensor] = GIVEN) -> Path:
    with create_clip(path, Info(WIDTH, HEIGHT, rate=F(24)), encoding=Encoding("ffv1" if path.suffix else None)) as writer:
        for k, picture in enumerate(given):
            writer.write(Frame(picture, F(k, 24), F(1, 24)))
    return path


def key(path: Path, rgb: Tensor) -> Path:
    path.parent.mkdir(exist_ok=True)
    info = Info(rgb.shape[2], rgb.shape[1])
    path.write_bytes(ImageEncoder(".png", info).encoded(Frame(rgb, F(0))))
    return path


def vfi(*arguments: object) -> int:
    return __main__.main([*map(str, arguments)])


def read(path: Path) -> list[Tensor]:
    return [codes(frame.rgb) for frame in open_clip(path)]


def test_a_retouch_goes_through_a_clip_and_all_else_is_copied(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    source = written(tmp_path / "in.mkv")
    key(tmp_path / "keys" / "retouch_0002.png", marked(GIVEN[2], 2))
    given = ["--keys", tmp_path / "keys", "--codec", "ffv1"]
    assert vfi("paint", source, tmp_path / "out.mkv", *given, "--json") == 0
    assert json.loads(capsys.readouterr().out)["frames"] == 8
    made = read(tmp_path / "out.mkv")
    assert torch.equal(made[2], marked(GIVEN[2], 2))
    for k, picture in enumerate(made):
        assert psnr(picture, marked(GIVEN[k], k)) > 30
        assert torch.equal(picture[:, :12], GIVEN[k][:, :12])


def test_keys_of_a_folder_are_called_like_its_images_and_at_overrides_names(tmp_path: Path):
    source = written(tmp_path / "in")
    for number in range(7, -1, -1):
        (source / f"{number:06d}.png").rename(source / f"shot.{number + 101}.png")
    key(tmp_path / "keys" / "paint.104.png", marked(GIVEN[3], 3))
    assert vfi("paint", source, tmp_path / "out", "--keys", tmp_path / "keys") == 0
    assert torch.equal(read(tmp_path / "out")[3], marked(GIVEN[3], 3))
    assert vfi("paint", source, tmp_path / "at", "--keys", tmp_path / "keys", "--at", "3") == 0
    assert all(torch.equal(a, b) for a, b in zip(read(tmp_path / "out"), read(tmp_path / "at"), strict=True))
    part = ["--from", "2f", "--keys", tmp_path / "keys"]
    assert vfi("paint", source, tmp_path / "part", *part) == 0
    assert torch.equal(read(tmp_path / "part")[1], marked(GIVEN[3], 3))


def test_an_interrupted_run_resumes_without_painting_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(convert, "Chunks", partial(Chunks, length=3))
    source = written(tmp_path / "in.mkv")
    for k in (1, 7):
        key(tmp_path / "keys" / f"{k}.png", marked(GIVEN[k], k))
    command = ["paint", source, tmp_path / "out.mkv", "--keys", tmp_path / "keys", "--codec", "ffv1", "--resume"]
    painted, at = through.painted, []

    def stopping(*given: object, **how: object) -> object:
        at.append(1)
        if len(at) == 5:
            raise KeyboardInterrupt
        return painted(*given, **how)

    monkeypatch.setattr(through, "painted", stopping)
    assert vfi(*command) == 130
    at[:] = [1] * 9
    assert vfi(*command) == 0
    assert len(at) - 9 == 4  # frames 3 to 6: the first chunk was whole, and 7 is a key
    assert vfi(*command[:2], tmp_path / "whole.mkv", *command[3:]) == 0
    assert all(torch.equal(a, b) for a, b in zip(read(tmp_path / "out.mkv"), read(tmp_path / "whole.mkv"), strict=True))


def test_percentages_count_what_is_carried_back_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    source = written(tmp_path / "in.mkv")
    key(tmp_path / "keys" / "7.png", marked(GIVEN[7], 7))
    given = ["--keys", tmp_path / "keys", "--codec", "ffv1", "--progress", "percentage"]
    assert vfi("paint", source, tmp_path / "out.mkv", *given) == 0
    told = [int(line.split()[1]) for line in capsys.readouterr().err.splitlines()]
    assert told == sorted(told)
    assert (told[0], told[-1]) == (0, 100)
    assert len([percent for percent in told if percent < 47]) > 4  # seven of fifteen pieces before the first frame


@pytest.mark.parametrize(
    ("name", "given", "says"),
    [
        ("8.png", [], "8.png is the key of frame 8: the clip has frames 0 to 7"),
        ("red.png", [], "red.png has no number in its name: a key is called by its frame, such as 48.png, or give --at"),
        ("2.png", ["--at", "1,2"], "--at names 2 frames and"),
        ("2.png", ["--at", "two"], "'two' was given: a whole number from 0 up is needed"),
        ("2.png", ["--search-radius", "9"], "a search radius of 9 pixels was given: it must lie between 0 and 8"),
        ("2.png", ["--motion", "linear"], "linear does not estimate motion"),
        ("2.png", ["--tta", "flip"], "--tta was given: it acts on new frames, and vfi paint makes none"),
        ("2.txt", [], "has no images: keys end in one of"),
        ("small/2.png", [], "2.png is 4x4: the clip is 80x48, and a key must have its size"),
        ("2.png", ["--keys", "nothing"], "nothing does not exist: give the folder of the keys"),
    ],
)
def test_what_cannot_be_gets_a_sentence(
    tmp_path: Path, name: str, given: list[str], says: str, capsys: pytest.CaptureFixture[str]
):
    source = written(tmp_path / "in.mkv")
    small = name.startswith("small")
    path = key(tmp_path / "keys" / Path(name).name, GIVEN[2][:, :4, :4] if small else GIVEN[2])
    assert path.exists()
    try:
        code = vfi("paint", source, tmp_path / "out.mkv", "--codec", "ffv1", "--keys", tmp_path / "keys", *given)
    except SystemExit as end:
        code = end.code
    assert code == 2
    assert says in capsys.readouterr().err
    assert not (tmp_path / "out.mkv").exists()


def test_a_key_that_does_not_fit_is_named_and_the_others_are_carried(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    source, keys = written(tmp_path / "in.mkv"), tmp_path / "keys"
    key(keys / "2.png", marked(GIVEN[2], 2))
    key(keys / "3.png", GIVEN[3][:, :4, :4])
    key(keys / "60.png", GIVEN[3])
    (keys / "5.png").write_bytes(b"no picture")
    assert vfi("paint", source, tmp_path / "out.mkv", "--codec", "ffv1", "--keys", keys) == 3
    told = capsys.readouterr().err
    assert told.count("key left out:") == 3
    assert "60.png is the key of frame 60: the clip has frames 0 to 7" in " ".join(told.split())
    assert psnr(read(tmp_path / "out.mkv")[6], marked(GIVEN[6], 6)) > 30
    (keys / "2.png").unlink()
    assert vfi("paint", source, tmp_path / "none.mkv", "--codec", "ffv1", "--keys", keys) == 2
    assert "; no other key fits either" in " ".join(capsys.readouterr().err.split())


def test_keys_that_equal_their_frames_paint_nothing_and_that_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    source = written(tmp_path / "in.mkv")
    key(tmp_path / "keys" / "2.png", GIVEN[2])
    assert vfi("paint", source, tmp_path / "out.mkv", "--codec", "ffv1", "--keys", tmp_path / "keys") == 0
    assert "nothing is painted: every key equals its frame" in " ".join(capsys.readouterr().err.split())
    assert all(torch.equal(made, given) for made, given in zip(read(tmp_path / "out.mkv"), GIVEN, strict=True))


def test_two_keys_of_one_frame_and_a_pipe_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    source = written(tmp_path / "in.mkv")
    for name in ("2.png", "a_02.png"):
        key(tmp_path / "keys" / name, GIVEN[2])
    assert vfi("paint", source, tmp_path / "out.mkv", "--keys", tmp_path / "keys") == 2
    assert "are keys of one frame, 2: leave one of them" in capsys.readouterr().err
    assert vfi("paint", "-", tmp_path / "out.mkv", "--keys", tmp_path / "keys") == 2
    assert "vfi paint reads its clip twice" in capsys.readouterr().err
