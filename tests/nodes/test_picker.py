from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest
import torch
from parity import load_set
from safetensors.torch import save_file

from vfi.archs.rife import Config, Head, Rife
from vfi.model.load import AUTO


@pytest.fixture
def picker(part):
    return part("nodes.picker")


def shown(picker) -> dict[str, dict]:
    """The rows as a browser gets them, by name."""
    return {row["name"]: row for row in json.loads(json.dumps(picker.answer()))["rows"]}


def test_every_entry_of_the_combo_is_chosen_by_one_row(picker, part, server):
    (server.folder / "rife_v4.26.safetensors").touch()
    (server.folder / "old.pth").touch()
    answer = picker.answer()
    choices = part("nodes.load").choices()
    assert answer["choices"] == choices
    offered = [row["choice"] for row in answer["rows"] if row["choice"]]
    assert sorted(offered) == sorted(choice for choice in choices if "needs conversion" not in choice)
    assert set(part("vfi.model.registry").names()) < {row["name"] for row in answer["rows"]}


def test_the_state_of_each_model_and_its_file(picker, server, monkeypatch):
    (server.folder / "rife_v4.26.safetensors").write_bytes(b"12345")
    rows = shown(picker)
    states = {name: rows[name]["state"] for name in ("auto", "dis", "inbetween-s", "rife-4.26", "rife-4.25", "flavr-2x")}
    assert list(states.values()) == ["built in", "built in", "on disk", "on disk", "download", "missing"]
    there = rows["rife-4.26"]
    assert (there["choice"], there["file"], there["size"]) == ("rife-4.26", "rife_v4.26.safetensors", 5)
    assert there["folder"] == str(server.folder)
    assert rows["rife-4.25"]["choice"] == "rife-4.25 (download)"
    assert rows["film"]["size"] == 68_882_302
    assert rows["flavr-2x"]["choice"] is None
    assert "run Convert Model with the name FLAVR_2x. Note: " in rows["flavr-2x"]["hint"]
    best = next(name for name in AUTO if rows[name]["state"] == "on disk")
    assert f"Today it is {best}" in rows["auto"]["hint"]


def test_a_server_that_forbids_downloads_offers_none(picker, monkeypatch):
    monkeypatch.setenv("INBETWEEN_NO_DOWNLOAD", "1")
    row = shown(picker)["rife-4.25"]
    assert (row["state"], row["choice"]) == ("missing", None)
    assert row["hint"].startswith("This server forbids downloads: its keeper can put rife_v4.25.safetensors into")


def test_paths_are_hidden_if_they_must_be(picker, server, monkeypatch, tmp_path: Path):
    monkeypatch.setenv("INBETWEEN_HIDE_PATHS", "1")
    (server.folder / "mine.safetensors").write_bytes(b"no weights")
    assert str(tmp_path) not in json.dumps(picker.answer())
    assert shown(picker)["rife-4.25"]["folder"] == "frame_interpolation"


def test_licences_are_told_in_words_with_an_address(picker):
    rows = shown(picker)
    assert rows["amt-s"]["commercial"] is False
    assert rows["amt-s"]["says"].startswith("No commercial use")
    assert rows["amt-s"]["url"] == "https://huggingface.co/lalala125/AMT"  # the page of these weights, not of the licence
    assert rows["rife-4.25"]["commercial"] is True


def test_a_file_that_needs_conversion_is_told_what_it_is(picker, server):
    (server.folder / "amt-s.pth").write_bytes(b"1234")
    (server.folder / "mine.pkl").touch()
    rows = shown(picker)
    known, mine = rows["amt-s.pth"], rows["mine.pkl"]
    assert (known["state"], known["choice"]) == ("convert", None)
    assert (known["commercial"], known["size"]) == (False, 4)
    assert known["hint"].endswith("run the node Convert Model once. By its name, it is amt-s.")
    assert mine["commercial"] is None
    assert mine["hint"].endswith("run the node Convert Model once.")


def test_own_files_are_recognised_by_their_shapes(picker, server):
    network = Rife(Config((16, 8), outputs=13, head=Head(8, 4, ("cnn0", "cnn1", "cnn2", "cnn3"))))
    names = ("mine.safetensors", f"{'long ' * 40}näme 補間.safetensors")
    for name in names:
        save_file(network.state_dict(), server.folder / name)
    save_file(load_set("amt/amt_l").state(), server.folder / "renamed.safetensors")
    save_file({"a": torch.zeros(1)}, server.folder / "other.safetensors")
    (server.folder / "damaged.safetensors").write_bytes(b"no model")
    rows = shown(picker)
    for name in names:
        assert (rows[name]["state"], rows[name]["choice"]) == ("on disk", name)
        assert (rows[name]["network"], rows[name]["licence"], rows[name]["commercial"]) == ("rife-custom", "", None)
    assert (rows["renamed.safetensors"]["network"], rows["renamed.safetensors"]["commercial"]) == ("amt-l", False)
    assert rows["renamed.safetensors"]["says"].startswith("If these are the published weights: no commercial use.")
    assert rows["other.safetensors"]["choice"] is None
    assert "It cannot be used: not a known frame-interpolation network" in rows["other.safetensors"]["hint"]
    assert "is damaged" in rows["damaged.safetensors"]["hint"]


def test_files_of_sub_folders_and_files_that_are_gone(picker, part, server, monkeypatch, tmp_path: Path):
    """As ComfyUI lists files of several folders, and files that were there a moment ago."""
    paths = part("nodes.load").folder_paths
    elsewhere = tmp_path / "extra" / "rife"
    elsewhere.mkdir(parents=True)
    (elsewhere / "a.pth").touch()
    found = {"rife/a.pth": str(elsewhere / "a.pth"), "gone.safetensors": None, "lost.pkl": None}
    monkeypatch.setattr(paths, "get_filename_list", lambda name: list(found))
    monkeypatch.setattr(paths, "get_full_path", lambda name, file: found[file])
    rows = shown(picker)
    assert (rows["rife/a.pth"]["file"], rows["rife/a.pth"]["folder"]) == ("a.pth", str(elsewhere))
    assert (rows["gone.safetensors"]["state"], rows["gone.safetensors"]["choice"]) == ("missing", None)
    assert (rows["lost.pkl"]["state"], rows["lost.pkl"]["size"]) == ("convert", None)


def test_the_browser_tests_show_these_very_rows(picker, nodes):
    from tests.browser.test_model_picker import row

    fields = {one.name for one in dataclasses.fields(picker.Row)}
    assert row("any").keys() == fields
    shown = json.loads((Path(__file__).parents[1] / "browser" / "object_info.json").read_text(encoding="utf-8"))
    for name in ("InbetweenLoadModel", "InbetweenConvertModel"):
        inputs = {key for part in shown[name]["input"].values() for key in part}
        assert inputs <= {one.id for one in nodes[name].define_schema().inputs}
