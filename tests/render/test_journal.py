"""What is done is found again, and only where it is still what is wanted."""

from __future__ import annotations

import json
from fractions import Fraction as F
from hashlib import sha256
from pathlib import Path

import pytest

from vfi.clips.clip import Done
from vfi.core import InputError
from vfi.render.journal import Journal, delete, digest, sealed, versions

CHUNKS = [Done(4, F(0), F(1, 6)), Done(4, F(1, 6), F(1, 3))]
RECIPE = {"input": "abc", "crf": "18"}


def begun(target: Path, recipe: dict[str, str] = RECIPE) -> Path:
    """A journal of two chunks and of a third that was cut off; gives its folder."""
    journal = Journal(target, recipe)
    for number, chunk in enumerate(CHUNKS):
        journal.chunk(number).write_bytes(b"chunk")
        journal.finish(number, chunk)
    (journal.folder / ".000002.partial-1234").write_bytes(b"torn")
    journal.close()
    return journal.folder


def test_finished_chunks_are_found_again_and_torn_ones_are_gone(tmp_path: Path):
    folder = begun(tmp_path / "a.mp4")
    assert folder == tmp_path / ".a.mp4.work"
    journal = Journal(tmp_path / "a.mp4", RECIPE)
    assert journal.chunks == dict(enumerate(CHUNKS))
    assert journal.done == Done(8, F(0), F(1, 3))
    assert journal.notes == []
    assert sorted(path.name for path in folder.iterdir()) == ["000000", "000001", "journal.json", "lock"]
    journal.remove()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("recipe", "other"),
    [
        ({"input": "abc", "crf": "20"}, "crf"),
        ({"input": "xyz", "crf": "20"}, "crf, input"),
        ({"input": "abc", "crf": "18", "seed": "1"}, "seed"),
        ({"input": "abc"}, "crf"),
    ],
)
def test_another_recipe_begins_afresh(tmp_path: Path, recipe: dict[str, str], other: str):
    folder = begun(tmp_path / "a.mp4")
    journal = Journal(tmp_path / "a.mp4", recipe)
    assert journal.chunks == {}
    assert journal.notes == [f"chunks from an earlier run differ in {other}: starting over"]
    assert sorted(path.name for path in folder.iterdir()) == ["journal.json", "lock"]
    journal.close()
    assert not folder.exists()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "null",
        '{"recipe": {}}',
        '{"chunks": [[1, "0"]], "recipe": {}}',
        '{"chunks": [[1, "0", "1/0"]], "recipe": {}}',
        '{"chunks": 3, "recipe": {}}',
        '{"chunks": [], "recipe": 3}',
        "\x00\x00\x00",
        "[" * 100_000,
    ],
)
def test_a_damaged_journal_begins_afresh(tmp_path: Path, text: str):
    folder = begun(tmp_path / "a.mp4")
    (folder / "journal.json").write_text(text)
    journal = Journal(tmp_path / "a.mp4", RECIPE)
    assert journal.chunks == {}
    assert len(journal.notes) == 1
    assert "is damaged: starting over" in journal.notes[0]
    journal.close()


def test_a_missing_chunk_begins_afresh(tmp_path: Path):
    folder = begun(tmp_path / "a.mp4")
    (folder / "000000").unlink()
    journal = Journal(tmp_path / "a.mp4", RECIPE)
    assert journal.chunks == {}
    assert "are missing" in journal.notes[0]
    journal.close()


def test_the_journal_is_plain_json(tmp_path: Path):
    folder = begun(tmp_path / "a.mp4")
    written = json.loads((folder / "journal.json").read_text())
    content = sha256(b"5;chunk").hexdigest()
    assert written.pop("sha256") == sealed(written)
    assert written == {
        "recipe": RECIPE,
        "chunks": [[4, "0", "1/6", 5, content], [4, "1/6", "1/3", 5, content]],
    }


def test_numbers_of_a_journal_that_were_changed_are_not_believed(tmp_path: Path):
    folder = begun(tmp_path / "a.mp4")
    text = (folder / "journal.json").read_text()
    (folder / "journal.json").write_text(text.replace("[4, ", "[5, ", 1))
    journal = Journal(tmp_path / "a.mp4", RECIPE)
    assert journal.chunks == {}
    assert "is damaged: starting over" in journal.notes[0]
    journal.close()


@pytest.mark.parametrize("content", [b"CHUNK", b"chunk more", b""])
def test_a_chunk_that_changed_is_made_again(tmp_path: Path, content: bytes):
    folder = begun(tmp_path / "a.mp4")
    (folder / "000001").write_bytes(content)
    journal = Journal(tmp_path / "a.mp4", RECIPE)
    assert journal.chunks == {0: CHUNKS[0]}
    assert journal.notes == ["damaged chunks from an earlier run are made again: 000001"]
    assert not journal.chunk(1).exists()
    journal.chunk(0).write_bytes(content)
    with pytest.raises(InputError, match="damaged chunks, 000000: run the same command again"):
        journal.verify()
    assert journal.chunks == {}
    journal.close()


@pytest.mark.parametrize("change", ["link", "file", "of others", "linked journal", "linked lock", "another's"])
def test_a_folder_that_no_journal_made_is_left_alone(tmp_path: Path, change: str, monkeypatch: pytest.MonkeyPatch):
    photos, work = tmp_path / "photos", tmp_path / ".a.mp4.work"
    photos.mkdir()
    (photos / "000000").write_text("dear to me")
    (photos / "trip.jpg").write_text("dear to me")
    if change == "link":
        work.symlink_to(photos)
    elif change == "file":
        work.write_text("dear to me")
    elif change == "of others":
        photos.rename(work)
    else:
        begun(tmp_path / "a.mp4")
    if change.startswith("linked"):
        name = "journal.new" if change == "linked journal" else "lock"
        (work / name).unlink(missing_ok=True)
        (work / name).symlink_to(photos / "000000")
    if change == "another's":
        monkeypatch.setattr("os.geteuid", lambda: 12345)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    with pytest.raises(InputError, match="is not a work folder of yours; move it away"):
        Journal(tmp_path / "a.mp4", RECIPE)
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


def test_only_what_was_made_is_deleted(tmp_path: Path):
    folder = begun(tmp_path / "a.mp4")
    (folder / "notes.txt").write_text("dear to me")
    journal = Journal(tmp_path / "a.mp4", {"input": "other"})
    assert sorted(path.name for path in folder.iterdir()) == ["journal.json", "lock", "notes.txt"]
    journal.close()
    assert [path.name for path in folder.iterdir()] == ["notes.txt"]


def test_a_link_in_place_of_a_chunk_is_not_followed(tmp_path: Path):
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "trip.jpg").write_text("dear to me")
    (tmp_path / "link").symlink_to(tmp_path / "photos")
    delete(tmp_path / "link")
    assert [path.name for path in tmp_path.rglob("*")] == ["photos", "trip.jpg"]


def test_chunks_finish_in_any_order(tmp_path: Path):
    journal = Journal(tmp_path / "a.mp4", RECIPE)
    for number in (3, 0, 2):
        journal.chunk(number).write_bytes(b"chunk")
        journal.finish(number, Done(4, F(number, 6), F(number + 1, 6)))
    journal.close()
    journal = Journal(tmp_path / "a.mp4", RECIPE)
    assert sorted(journal.chunks) == [0, 2, 3]
    assert journal.done == Done(4, F(0), F(1, 6))
    journal.finish(1, Done(4, F(1, 6), F(1, 3)))
    assert journal.done == Done(16, F(0), F(2, 3))
    journal.keep(2)
    assert journal.done == Done(8, F(0), F(1, 3))
    assert not journal.chunk(3).exists()
    journal.remove()


def test_a_place_that_cannot_be_written_is_a_sentence(tmp_path: Path):
    with pytest.raises(InputError, match="there is no folder"):
        Journal(tmp_path / "nowhere" / "a.mp4", RECIPE)
    (tmp_path / ".a.mp4.work").write_text("a file")
    with pytest.raises(InputError, match="cannot be written"):
        Journal(tmp_path / "a.mp4", RECIPE)


def test_a_digest_is_of_content_and_of_where_files_end(tmp_path: Path):
    one, two, three, four = (tmp_path / name for name in "abcd")
    for path, text in ((one, "12"), (two, "3"), (three, "1"), (four, "23")):
        path.write_text(text)
    assert digest([one, two]) != digest([three, four])
    assert digest([one, two]) != digest([two, one])
    known = digest([one])
    one.rename(tmp_path / "renamed")
    assert digest([tmp_path / "renamed"]) == known
    with pytest.raises(InputError, match="cannot be read"):
        digest([tmp_path / "missing"])


def test_versions_name_what_makes_pixels():
    assert "torch 2" in versions()
    assert "av 1" in versions()
