"""Where published weights come from: sources in order, pins, licences, and servers that cannot be trusted."""

from __future__ import annotations

import collections
import hashlib
import io
import json
import logging
import os
import re
import socket
import typing
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import huggingface_hub
import pytest
import torch
from hub import PATH, REPO, Hub, running
from safetensors.torch import load, save_file
from torch import Tensor

from vfi.core import UNSTATED, Checkpoint, HubFile, InputError, Parts, UrlFile, WheelFile
from vfi.model import registry, weights
from vfi.model.weights import download, licences, sources
from vfi.model.weights.catalogue import names_of
from vfi.model.weights.files import metadata_of

STATE = {"first.weight": torch.arange(6.0).reshape(2, 3), "last.bias": torch.zeros(3)}
ON_HUB = f"/{REPO}/resolve/main"


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "cache"
    monkeypatch.setenv("INBETWEEN_MODELS", str(folder))
    for name in ("COMFYUI_PATH", "INBETWEEN_ACCEPT_LICENCE", "HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "INBETWEEN_NO_DOWNLOAD"):
        monkeypatch.delenv(name, raising=False)
    return folder


@pytest.fixture
def hub() -> Iterator[Hub]:
    with running() as server:
        yield server


def pickled(state: object = STATE) -> bytes:
    out = io.BytesIO()
    torch.save(state, out)
    return out.getvalue()


def zipped(files: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return out.getvalue()


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def toy(*files: sources.Source, **more: typing.Any) -> Checkpoint:
    return Checkpoint("toy", ("toy.safetensors",), more.pop("licence", "MIT"), sources=files, **more)


def same(path: Path, state: dict[str, Tensor] = STATE) -> bool:
    found = weights.read(path)
    return found.keys() == state.keys() and all(torch.equal(found[name], state[name]) for name in state)


def visible(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.suffix != ".lock")


# What the catalogue says


def test_a_source_that_is_not_the_hub_has_a_pin():
    for row in registry.rows().values():
        for file in (file for source in row.sources for file in sources.files_of(source)):
            assert sources.place_of(file).startswith("https://") or isinstance(file, WheelFile), row.name
            assert file.sha256 is None or re.fullmatch("[0-9a-f]{64}", file.sha256), row.name
            if isinstance(file, UrlFile):
                assert file.sha256 or re.fullmatch("[0-9a-f]{40}", file.git_blob or ""), row.name
            if isinstance(file, HubFile):  # the hub takes no shortened commits
                assert re.fullmatch("main|[0-9a-f]{40}", file.revision), row.name


def test_a_licence_that_is_not_free_has_a_page():
    for row in registry.rows().values():
        assert row.link.startswith("https://") or row.commercial, row.name
        assert (row.licence == UNSTATED) == (row.commercial is None), row.name


def test_most_of_the_catalogue_can_be_fetched():
    rows = registry.checkpoints()
    alone = {name for name, row in rows.items() if not row.sources}
    assert alone == {
        "ema-vfi-base-d",
        "ema-vfi-base-dr",
        "flavr-2x",
        "flavr-4x",
        "flavr-8x",
        "ifrnet-d",
        "ifrnet-dr",
        "inbetween-m",
        "inbetween-s",
        "ldmvfi",
        "rife-4.17",
        "rife-eccv-d",
        "rife-eccv-d-pro",
        "rife-eccv-dr",
        "rife-eccv-dr-pro",
        "rife-eccv-dr-vgg",
        "sepconv-l1",
        "sepconv-lf",
        "sepconv-paper",
    }
    assert len(rows) - len(alone) == 39


PUBLISHED = {
    **{f"amt-{size}": [f"amt-{size}.pth"] for size in "slg"},
    "amt-s-gopro": ["gopro_amt-s.pth"],
    "dain": ["best.pth"],
    "ema-vfi-base": ["ours.pkl"],
    "ema-vfi-base-t": ["ours_t.pkl"],
    "ema-vfi-small": ["ours_small.pkl"],
    "ema-vfi-small-t": ["ours_small_t.pkl"],
    "film": ["film_net_fp32.pt", "film_net_fp16.pt"],
    **{f"flavr-{times}x": [f"FLAVR_{times}x.pth"] for times in (2, 4, 8)},
    "gimm-vfi-r": ["gimmvfi_r_arb.pt"],
    "gimm-vfi-r-p": ["gimmvfi_r_arb_lpips.pt", "gimmvfi_r_arb_lpips_fp32.safetensors"],
    "ifrnet": ["IFRNet_Vimeo90K.pth"],
    "ifrnet-gopro": ["IFRNet_GoPro.pth"],
    **{f"ifrnet-{size}": [f"IFRNet_{size.upper()}_Vimeo90K.pth"] for size in "sl"},
    **{f"ifrnet-{size}-gopro": [f"IFRNet_{size.upper()}_GoPro.pth"] for size in "sl"},
    **{f"inbetween-{size}": [f"inbetween_{size}.safetensors"] for size in "ms"},
    "ldmvfi": ["ldmvfi-vqflow-f32-c256-concat_max.ckpt"],
    "rife-4.0": ["flownet_v4.0.pkl", "rife40.pth"],
    "rife-4.6": ["flownet_v4.6.pkl", "rife46.pth"],
    "rife-4.7": ["flownet_v4.7.pkl", "rife47.pth"],
    "rife-4.9": ["flownet_v4.9.pkl", "rife49.pth"],
    "rife-4.13.2": ["rife-flownet-4.13.2.safetensors"],
    "rife-4.17": ["flownet_v4.17.pkl", "rife417.pth", "RIFEv4.17.zip"],
    "rife-4.22": ["flownet_v4.22.pkl", "rife422.pth", "RIFE_v4.22.zip"],
    "rife-4.22-lite": ["flownet_v4.22.lite.pkl", "RIFE_v4.22.lite.zip"],
    "rife-4.25": ["flownet_v4.25.pkl", "rife425.pth", "rife_v4.25.safetensors"],
    "rife-4.25-lite": ["flownet_v4.25.lite.pkl", "rife_v4.25_lite.safetensors"],
    "rife-4.25-heavy": ["flownet_v4.25.heavy.pkl", "rife_v4.25_heavy.safetensors"],
    "rife-4.26": ["flownet_v4.26.pkl", "rife426.pth", "RIFEv4.26_0921.zip"],
    "rife-4.26-heavy": ["flownet_v4.26.heavy.pkl", "RIFE_IFNet_v426_heavy.pkl"],
    "rife-eccv": ["RIFE_train_log.zip"],
    "rife-eccv-m": ["RIFE_m_train_log.zip"],
    **{
        f"rife-eccv-{name}": [f"{name.partition('-')[0].upper()}-RIFE{name[name.find('-') :] if '-' in name else ''}.zip"]
        for name in ("d", "d-pro", "dr", "dr-pro", "dr-vgg")
    },
    **{f"ifrnet-{name}": [f"{name.upper()}-IFRNet.zip"] for name in ("d", "dr")},
    **{f"ema-vfi-base-{name}": [f"{name.upper()}-EMA-VFI.zip"] for name in ("d", "dr")},
    "sepconv-l1": ["network-l1.pytorch"],
    "sepconv-lf": ["network-lf.pytorch"],
    "sepconv-paper": ["network-paper.pytorch", "sepconv.pth"],
    "superslomo": ["SuperSloMo.ckpt"],
    "vfimamba": ["VFIMamba.pkl"],
    "vfimamba-s": ["VFIMamba_S.pkl"],
}
"""The names of whole files, as their authors and the packs that many use give them out."""

PARTS = {
    "gmfss-base": ["flownet.pkl", "GMFSS_fortuna_flownet.pkl", "GMFSS_fortuna_metric.pkl", "GMFSS_fortuna_fusionnet.pkl"],
    "gmfss-union": ["rife.pkl", "feat_union.pkl", "GMFSS_fortuna_union_metric.pkl", "GMFSS_fortuna_union_feat.pkl"],
    "pervfi": ["v00.pth", "raft-sintel.pth"],
    "pervfi-vb": ["vb.pth", "raft-sintel.pth"],
}


@pytest.mark.parametrize("name", [row.name for row in registry.checkpoints().values()])
def test_each_model_is_known_by_the_names_that_it_is_published_under(name: str):
    row = registry.checkpoints()[name]
    for file in PUBLISHED.get(name, []):
        assert [found.name for found in weights.published_as(file.upper())] == [name]
        assert file in names_of(row)
    assert set(PARTS.get(name, [])) <= set(names_of(row))
    assert name in PUBLISHED or name in PARTS


# Order


def test_the_next_source_is_tried_and_the_failed_one_is_named(hub: Hub, cache: Path, caplog: pytest.LogCaptureFixture):
    content = pickled()
    hub.files["/second.pth"] = content
    row = toy(HubFile(REPO, "gone.safetensors"), UrlFile(f"{hub.url}/second.pth", sha256(content)))
    with caplog.at_level(logging.WARNING):
        path = weights.fetch(row, endpoint=hub.url)
    assert same(path)
    assert f"toy: {REPO} on the hub: it has no gone.safetensors; trying 127.0.0.1" in caplog.messages
    assert visible(cache) == ["toy.safetensors"]


def test_all_reasons_are_told_at_the_end(hub: Hub, cache: Path):
    hub.files["/wrong.pth"] = pickled()
    row = toy(HubFile(REPO, "gone.safetensors"), UrlFile(f"{hub.url}/wrong.pth", "a" * 64), UrlFile(f"{hub.url}/404", "b" * 64))
    with pytest.raises(InputError) as told:
        weights.fetch(row, endpoint=hub.url)
    for reason in ("it has no gone.safetensors", f"instead of {'a' * 64}: it was deleted", "the server answered 404"):
        assert reason in str(told.value)
    assert "\n" not in str(told.value)
    assert visible(cache) == []


def test_one_kind_of_source_can_be_asked_for_alone(hub: Hub):
    content = pickled()
    hub.files["/second.pth"] = content
    row = toy(HubFile(REPO, PATH), UrlFile(f"{hub.url}/second.pth", sha256(content)))
    assert same(weights.fetch(row, "web", endpoint=hub.url))
    assert hub.paths == ["/second.pth"]
    with pytest.raises(InputError, match="toy cannot be fetched from 'index', only from hub or web"):
        weights.fetch(row, "index", folder=Path(os.environ["INBETWEEN_MODELS"]) / "other")


# What comes becomes safetensors


def test_a_pickle_of_the_hub_never_lies_under_the_name(hub: Hub, cache: Path):
    hub.files[f"{ON_HUB}/toy.pth"] = content = pickled({"state_dict": {f"module.{key}": value for key, value in STATE.items()}})
    path = weights.fetch(toy(HubFile(REPO, "toy.pth")), endpoint=hub.url)
    assert same(path)
    held = metadata_of(path)
    assert held["source"] == f"https://huggingface.co/{REPO}/resolve/main/toy.pth"
    assert (held["sha256"], held["revision"], held["licence"]) == (sha256(content), "main", "MIT")


def test_a_safetensors_file_keeps_its_names_and_its_metadata(hub: Hub, cache: Path, tmp_path: Path):
    save_file({f"flownet.{key}": value for key, value in STATE.items()}, tmp_path / "a", {"author": "someone"})
    hub.content = (tmp_path / "a").read_bytes()
    path = weights.fetch(toy(HubFile(REPO, PATH)), endpoint=hub.url)
    assert load(path.read_bytes()).keys() == load(hub.content).keys()
    assert metadata_of(path)["author"] == "someone"
    assert metadata_of(path)["sha256"] == sha256(hub.content)


def test_the_ordered_dictionary_of_typing_is_plain(tmp_path: Path):
    """AMT-S names it; Python pickles it as ``typing.OrderedDict``."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(pickled(collections.OrderedDict(STATE)))) as old, zipfile.ZipFile(out, "w") as new:
        for member in old.infolist():
            new.writestr(member, old.read(member).replace(b"ccollections\nOrderedDict", b"ctyping\nOrderedDict"))
    assert b"ctyping\nOrderedDict" in out.getvalue()
    (tmp_path / "a.pth").write_bytes(out.getvalue())
    assert same(weights.convert([tmp_path / "a.pth"], tmp_path / "a.safetensors"))


def test_several_files_become_one(hub: Hub, cache: Path):
    first, second = pickled({"weight": torch.ones(2)}), pickled({"weight": torch.zeros(3)})
    hub.files |= {"/a.pkl": first, "/b.pkl": second}
    row = toy(Parts({"a": UrlFile(f"{hub.url}/a.pkl", sha256(first)), "b": UrlFile(f"{hub.url}/b.pkl", sha256(second))}))
    path = weights.fetch(row)
    assert same(path, {"a.weight": torch.ones(2), "b.weight": torch.zeros(3)})
    assert metadata_of(path)["sha256"] == f"{sha256(first)}, {sha256(second)}"


def test_parts_that_came_are_not_fetched_again(hub: Hub, cache: Path):
    first, second = pickled({"weight": torch.ones(2)}), pickled({"weight": torch.zeros(3)})
    hub.files["/a.pkl"] = first
    row = toy(Parts({"a": UrlFile(f"{hub.url}/a.pkl", sha256(first)), "b": UrlFile(f"{hub.url}/b.pkl", sha256(second))}))
    with pytest.raises(InputError, match=r"the server answered 404.*run the same command again to resume"):
        weights.fetch(row)
    hub.files["/b.pkl"] = second
    hub.asked.clear()
    assert set(weights.read(weights.fetch(row))) == {"a.weight", "b.weight"}
    assert [wanted for _, wanted in hub.asked] == [f"bytes={len(first)}-", "bytes=0-"], "the first is whole, the server says"


@pytest.mark.parametrize(
    ("files", "says"),
    [
        ({"log/flownet.pkl": pickled()}, ""),
        ({"log/flownet.pkl": pickled(), "__MACOSX/log/flownet.pkl": b"junk"}, ""),
        ({"log/other.pkl": pickled()}, "its zip has no file 'flownet\\.pkl'"),
        ({"a/flownet.pkl": pickled(), "b/flownet.pkl": pickled()}, "its zip has several files 'flownet\\.pkl'"),
        ({"log/flownet.pkl": bytes(10**7)}, "its zip has no file"),
    ],
)
def test_a_member_of_a_zip(hub: Hub, files: dict[str, bytes], says: str):
    hub.files[f"{ON_HUB}/a.zip"] = zipped(files)
    row = toy(HubFile(REPO, "a.zip", member="flownet.pkl"))
    if says:
        with pytest.raises(InputError, match=says):
            weights.fetch(row, endpoint=hub.url)
    else:
        assert same(weights.fetch(row, endpoint=hub.url))


def test_a_zip_that_is_damaged(hub: Hub, cache: Path):
    hub.files["/a.zip"] = content = b"PK\x03\x04 no zip"
    with pytest.raises(InputError, match="its zip is damaged"):
        weights.fetch(toy(UrlFile(f"{hub.url}/a.zip", sha256(content), member="flownet.pkl")))


def test_a_hash_of_git_is_a_pin_too(hub: Hub):
    hub.files["/a.pth"] = content = pickled()
    blob = hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()
    assert same(weights.fetch(toy(UrlFile(f"{hub.url}/a.pth", git_blob=blob))))
    with pytest.raises(InputError, match="instead of 000"):
        weights.fetch(toy(UrlFile(f"{hub.url}/a.pth", git_blob="0" * 40)), folder=Path(os.environ["INBETWEEN_MODELS"]) / "b")


def test_a_pickle_with_code_is_a_failed_source(hub: Hub, cache: Path):
    class Evil:
        def __reduce__(self) -> tuple[Callable[[str], int], tuple[str]]:
            return os.system, ("touch evil",)

    hub.files["/a.pth"] = content = pickled({"weight": Evil()})
    with pytest.raises(InputError, match=r"cannot be used: .* holds more than tensors and plain values"):
        weights.fetch(toy(UrlFile(f"{hub.url}/a.pth", sha256(content))))
    assert not (cache / "toy.safetensors").exists()


# Servers that cannot be trusted


def page(body: bytes = b"<html>Quota exceeded</html>") -> tuple[int, dict[str, str], bytes]:
    return 200, {"Content-Type": "text/html; charset=utf-8"}, body


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (page(), r"the server sent a web page \(text/html\) instead of the file"),
        ((200, {"Content-Type": "application/octet-stream"}, b"<html>"), "the server's file has 6 bytes instead of 1000"),
        ((200, {"Content-Length": "1000"}, b"short"), "5 bytes"),
        ((404, {}, b""), "the server answered 404"),
        ((403, {}, b""), "the server answered 403"),
        ((429, {}, b""), "the server answered 429"),
        ((302, {"Location": "file:///etc/passwd"}, b""), "redirects to 'file:///etc/passwd': only https is followed"),
        ((302, {"Location": "ftp://example.org/a"}, b""), "only https is followed"),
        ((302, {"Location": "http://[bad"}, b""), "which is no URL"),
        ((302, {}, b""), "it redirects more than 5 times"),
        ((301, {"Location": "/a.pth"}, b""), "it redirects more than 5 times"),
    ],
)
def test_an_evil_answer_is_one_reason(hub: Hub, cache: Path, answer: tuple[int, dict[str, str], bytes], says: str):
    hub.answers["/a.pth"] = answer
    with pytest.raises(InputError, match=says) as told:
        weights.fetch(toy(UrlFile(f"{hub.url}/a.pth", "a" * 64, size=1000)))
    assert "\n" not in str(told.value)
    assert not (cache / "toy.safetensors").exists()


def test_a_page_of_any_size_instead_of_a_file_of_unknown_size(hub: Hub, cache: Path):
    hub.answers["/a.pth"] = page(b"<html>" * 1000)
    with pytest.raises(InputError, match="a web page"):
        weights.fetch(toy(UrlFile(f"{hub.url}/a.pth", "a" * 64)))
    assert visible(cache) == []


@pytest.mark.parametrize(
    ("start", "location", "says"),
    [
        ("https://drive.example/a", "https://other.example/b", ""),
        ("https://drive.example/a", "/b", ""),
        ("http://mirror.example/a", "http://cdn.example/b", ""),
        ("http://mirror.example/a", "https://cdn.example/b", ""),
        ("http://10.0.0.1/a", "http://10.0.0.2/b", ""),
        ("https://drive.example/a", "http://drive.example/b", "only https"),
        ("https://drive.example/a", "https://127.0.0.1/b", "a host of this network"),
        ("https://drive.example/a", "https://169.254.169.254/meta", "a host of this network"),
        ("https://drive.example/a", "https://[::1]/b", "a host of this network"),
        ("https://drive.example/a", "https://localhost/b", "a host of this network"),
    ],
)
def test_which_redirects_are_followed(start: str, location: str, says: str):
    if says:
        with pytest.raises(download.BrokenError, match=says):
            download._redirected(start, location)
    else:
        assert download._redirected(start, location).endswith("/b")


def test_a_redirect_is_followed_without_the_headers_of_the_first_host(hub: Hub, tmp_path: Path):
    with running() as elsewhere:
        elsewhere.files["/real"] = b"1234"
        hub.answers["/a"] = (302, {"Location": f"{elsewhere.url}/real"}, b"")
        part = tmp_path / "part"
        download.download(f"{hub.url}/a", part, 4, lambda done, total: None, {"Authorization": "Bearer secret"})
        assert part.read_bytes() == b"1234"
        assert (hub.tokens, elsewhere.tokens) == (["Bearer secret"], [None])


def test_the_token_goes_to_the_hub_alone(hub: Hub, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    weights.fetch(toy(HubFile(REPO, PATH)), endpoint=hub.url)
    assert hub.tokens == [None, None]
    assert sources._headers("https://huggingface.co/a/b")["authorization"] == "Bearer hf_secret"
    for mirror in ("https://hf-mirror.com/a/b", "https://huggingface.co.evil.example/a", "http://huggingface.co/a"):
        assert "authorization" not in sources._headers(mirror)


def test_a_gated_repository_says_how_to_get_in(hub: Hub):
    hub.answers[f"{ON_HUB}/{PATH}"] = (401, {"X-Error-Code": "GatedRepo"}, b"")
    says = rf"those who accept the terms on https://huggingface\.co/{REPO}: accept them there, then run `hf auth login`"
    with pytest.raises(InputError, match=says):
        weights.fetch(toy(HubFile(REPO, PATH)), endpoint=hub.url)


def test_a_revision_that_is_gone_is_named(hub: Hub):
    hub.answers[f"/{REPO}/resolve/{'d' * 40}/{PATH}"] = (404, {"X-Error-Code": "RevisionNotFound"}, b"")
    with pytest.raises(InputError, match=f"it has no revision {'d' * 40}"):
        weights.fetch(toy(HubFile(REPO, PATH, revision="d" * 40)), endpoint=hub.url)


def test_a_mirror_that_states_nothing_gives_a_pinned_file(hub: Hub):
    """As some mirrors do: they know neither the hub's hash nor its size."""
    path = f"{ON_HUB}/{PATH}"
    hub.answers[path] = (200, {}, hub.content)
    pinned = HubFile(REPO, PATH, sha256(hub.content), size=len(hub.content))
    assert weights.fetch(toy(pinned), endpoint=hub.url).exists()
    with pytest.raises(InputError, match="neither it nor the catalogue knows the sha256"):
        weights.fetch(toy(HubFile(REPO, PATH)), endpoint=hub.url, folder=Path(os.environ["INBETWEEN_MODELS"]) / "b")


def test_a_mirror_that_sends_everything_on_to_the_hub_gives_a_pinned_file(hub: Hub):
    """As hf-mirror.com did: status 308, and no word of the file."""
    with running() as mirror:
        path = f"{ON_HUB}/{PATH}"
        mirror.answers[path] = (308, {"Location": f"{hub.url}{path}"}, b"")
        pinned = HubFile(REPO, PATH, sha256(hub.content), size=len(hub.content))
        assert weights.fetch(toy(pinned), endpoint=mirror.url).exists()


def test_a_hash_that_a_mirror_alone_states_is_told(hub: Hub, caplog: pytest.LogCaptureFixture):
    weights.fetch(toy(HubFile(REPO, PATH)), endpoint=hub.url)
    assert f"{PATH}: its hash is known from 127.0.0.1 alone, not from the catalogue" in caplog.messages


def test_a_hub_that_is_silent_is_waited_for_once(cache: Path):
    with socket.create_server(("127.0.0.1", 0)) as closed:
        nobody = f"http://127.0.0.1:{closed.getsockname()[1]}"
    row = toy(HubFile(REPO, PATH), HubFile("other/models", PATH))
    with pytest.raises(InputError, match=r"it cannot be reached \(.*other/models on the hub: it cannot be reached either"):
        weights.fetch(row, endpoint=nobody)


def test_a_proxy_is_used_and_what_it_answers_is_told(hub: Hub, monkeypatch: pytest.MonkeyPatch):
    with running() as proxy:
        for name in ("NO_PROXY", "no_proxy", "ALL_PROXY", "all_proxy"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("http_proxy", proxy.url)
        set_client_factory = getattr(huggingface_hub, "set_client_factory", None)
        if set_client_factory is not None:  # a client made before knows no proxy
            huggingface_hub.close_session()
        proxy.answers["http://mirror.example/a.pth"] = (407, {}, b"")
        with pytest.raises(InputError, match="the server answered 407"):
            weights.fetch(toy(UrlFile("http://mirror.example/a.pth", "a" * 64)))
        assert proxy.paths == ["http://mirror.example/a.pth"]
    if set_client_factory is not None:
        huggingface_hub.close_session()


@pytest.mark.parametrize("name", ["HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "INBETWEEN_NO_DOWNLOAD"])
def test_who_is_offline_stays_offline(hub: Hub, name: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv(name, "1")
    with pytest.raises(InputError, match=f"{name} forbids downloads"):
        weights.fetch(toy(HubFile(REPO, PATH)), endpoint=hub.url)
    assert hub.asked == []


# This side


@pytest.mark.parametrize("kind", ["folder", "link", "file of no kind"])
def test_what_is_in_the_way_is_named_before_the_download(hub: Hub, cache: Path, kind: str):
    cache.mkdir()
    target = cache / "toy.safetensors"
    target.symlink_to(cache / "unmounted" / "drive") if kind == "link" else target.mkdir()
    with pytest.raises(InputError, match=r"toy\.safetensors is in the way, and is no model file: move or delete it"):
        weights.fetch(toy(HubFile(REPO, PATH)), endpoint=hub.url)
    assert hub.asked == []


def test_a_link_in_place_of_the_work_folder_is_refused(hub: Hub, cache: Path, tmp_path: Path):
    cache.mkdir()
    (tmp_path / "mine").mkdir()
    (cache / ".toy.fetch").symlink_to(tmp_path / "mine")
    with pytest.raises(InputError, match="is a link, and downloads would follow it"):
        weights.fetch(toy(HubFile(REPO, PATH)), endpoint=hub.url)


def test_a_disk_that_fills_up_is_one_sentence_and_the_next_call_resumes(hub: Hub, cache: Path, monkeypatch: pytest.MonkeyPatch):
    row = toy(HubFile(REPO, PATH), UrlFile(f"{hub.url}/never", "a" * 64))
    whole = Path.open

    class Full:
        def __init__(self, file: typing.Any) -> None:
            self.file, self.room = file, 150_000

        def __getattr__(self, name: str) -> typing.Any:
            return getattr(self.file, name)

        def __enter__(self) -> Full:
            return self

        def __exit__(self, *_: object) -> None:
            self.file.close()

        def write(self, content: bytes) -> int:
            self.room -= len(content)
            if self.room < 0:
                raise OSError(28, "No space left on device")
            return self.file.write(content)

    def opened(path: Path, mode: str = "r", *more: typing.Any, **named: typing.Any) -> typing.Any:
        file = whole(path, mode, *more, **named)
        return Full(file) if mode == "r+b" else file

    monkeypatch.setattr(Path, "open", opened)
    with pytest.raises(InputError, match=r"toy cannot be written to .*No space left on device"):
        weights.fetch(row, endpoint=hub.url)
    assert "/never" not in hub.paths, "no other source has more room"
    assert not (cache / "toy.safetensors").exists()
    monkeypatch.setattr(Path, "open", whole)
    hub.asked.clear()
    assert weights.fetch(row, endpoint=hub.url).exists()
    assert ("GET", "bytes=0-") not in hub.asked


def test_a_cache_that_cannot_be_written_is_one_sentence(hub: Hub, cache: Path, monkeypatch: pytest.MonkeyPatch):
    def refuse(*_: object, **__: object) -> None:
        raise OSError(30, "Read-only file system", str(cache))

    monkeypatch.setattr("filelock.FileLock.acquire", refuse)
    with pytest.raises(InputError, match=r"toy cannot be written to .*Read-only file system"):
        weights.fetch(toy(HubFile(REPO, PATH)), endpoint=hub.url)


# Licences


def gift(hub: Hub, **more: typing.Any) -> Checkpoint:
    given: dict[str, typing.Any] = {"licence": "CC-BY-NC-4.0", "commercial": False, "link": "https://example.org/licence"}
    return toy(HubFile(REPO, PATH), **{**given, **more})


def test_nothing_is_transferred_before_a_licence_is_accepted(hub: Hub, cache: Path):
    says = (
        r"the licence of toy is CC-BY-NC-4\.0, which forbids commercial use: see https://example\.org/licence\. Nothing was "
        r"downloaded: if you accept it, run `vfi models fetch toy --accept-licence toy`"
    )
    with pytest.raises(InputError, match=says):
        weights.fetch(gift(hub), endpoint=hub.url)
    with pytest.raises(InputError, match="the licence of toy is not stated by the authors"):
        weights.fetch(gift(hub, licence=UNSTATED, commercial=None), endpoint=hub.url)
    assert hub.asked == []
    assert not cache.exists()


@pytest.mark.parametrize("name", ["toy", "CC-BY-NC-4.0"])
def test_an_accepted_licence_is_remembered(hub: Hub, cache: Path, name: str):
    path = weights.fetch(gift(hub), endpoint=hub.url, accepts=name)
    assert json.loads((cache / licences.FILE).read_text()) == {"toy": "CC-BY-NC-4.0"}
    path.unlink()
    assert weights.fetch(gift(hub), endpoint=hub.url) == path
    path.unlink()
    with pytest.raises(InputError, match=r"the licence of toy is CC-BY-NC-SA-4.0"):
        weights.fetch(gift(hub, licence="CC-BY-NC-SA-4.0"), endpoint=hub.url)


def test_the_environment_accepts_licences(hub: Hub, cache: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("INBETWEEN_ACCEPT_LICENCE", "amt-s, CC-BY-NC-4.0")
    assert weights.fetch(gift(hub), endpoint=hub.url).exists()
    assert not (cache / licences.FILE).exists()
    assert not weights.accepted(gift(hub, licence=UNSTATED, commercial=None))


def test_another_name_accepts_nothing(hub: Hub):
    with pytest.raises(InputError, match=r"MIT was given as the accepted licence: toy needs toy or CC-BY-NC-4\.0"):
        weights.fetch(gift(hub), endpoint=hub.url, accepts="MIT")
    row = gift(hub, licence=UNSTATED, commercial=None)
    with pytest.raises(InputError, match=r"toy needs toy$"):
        weights.fetch(row, endpoint=hub.url, accepts=UNSTATED)
    assert hub.asked == []


def test_a_cache_that_cannot_remember_accepts_once(
    hub: Hub, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    (tmp_path / "file").touch()
    monkeypatch.setenv("INBETWEEN_MODELS", str(tmp_path / "file" / "below"))
    path = weights.fetch(gift(hub), folder=tmp_path / "here", endpoint=hub.url, accepts="toy")
    assert path.exists()
    assert any("the acceptance counts this once" in message for message in caplog.messages)


def test_a_damaged_list_of_licences_is_named(hub: Hub, cache: Path):
    cache.mkdir()
    (cache / licences.FILE).write_text("{")
    with pytest.raises(InputError, match=r"accepted-licences\.json cannot be read .*: delete it"):
        weights.fetch(gift(hub), endpoint=hub.url)
    (cache / licences.FILE).write_text("[1]")
    assert not weights.accepted(gift(hub))


def test_licences_by_name():
    assert weights.licence_of("linear").free
    assert weights.licence_of("rife-4.25").free
    assert str(weights.licence_of("amt-s")) == "CC-BY-NC-SA-4.0, which forbids commercial use"
    assert str(weights.licence_of("ifrnet")) == "not stated by the authors"
    with pytest.raises(InputError, match="no model is called 'amt'"):
        weights.accepted("amt")
    assert not weights.accepted("amt-s")
    weights.accept("amt-s")
    assert weights.accepted("amt-s")
    assert not weights.accepted("amt-l")


# Files that the user has


@pytest.fixture
def catalogue(monkeypatch: pytest.MonkeyPatch) -> dict[str, Checkpoint]:
    """One model in one file, one in two parts, of which the second is a model too; one in a zip, one in a wheel."""
    first, second = pickled({"weight": torch.ones(2)}), pickled({"weight": torch.zeros(3)})
    packed = zipped({"log/flownet.pkl": pickled()})
    rows = {
        "single": replace(toy(UrlFile("https://example.org/a.pth", sha256(first))), name="single", files=("one.safetensors",)),
        "pair": replace(
            toy(
                Parts(
                    {
                        "a": UrlFile("https://example.org/a.pth", sha256(first)),
                        "b": WheelFile("tiny", "1.0", "tiny/b.pkl", sha256(second)),
                    }
                )
            ),
            name="pair",
            files=("two.safetensors",),
        ),
        "packed": replace(
            toy(HubFile(REPO, "a.zip", sha256(packed), member="flownet.pkl")), name="packed", files=("three.safetensors",)
        ),
    }
    monkeypatch.setattr(registry, "checkpoints", lambda: rows)
    return rows


@pytest.mark.usefixtures("catalogue")
def test_files_are_recognised_whatever_they_are_called(cache: Path, tmp_path: Path):
    (tmp_path / "download (3)").write_bytes(pickled({"weight": torch.ones(2)}))
    (tmp_path / "x.bin").write_bytes(pickled({"weight": torch.zeros(3)}))
    assert weights.import_files([tmp_path / "download (3)"]) == [cache / "one.safetensors"]
    (cache / "one.safetensors").unlink()
    both = weights.import_files([tmp_path / "x.bin", tmp_path / "download (3)"])
    assert both == [cache / "one.safetensors", cache / "two.safetensors"]
    assert same(both[1], {"a.weight": torch.ones(2), "b.weight": torch.zeros(3)})
    assert metadata_of(both[1])["source"] == "https://example.org/a.pth, tiny==1.0/tiny/b.pkl"
    assert weights.import_files([tmp_path / "download (3)"]) == [cache / "one.safetensors"], "it is there already"
    assert visible(cache) == ["one.safetensors", "two.safetensors"]


@pytest.mark.usefixtures("catalogue")
def test_a_part_alone_names_the_others(cache: Path, tmp_path: Path):
    (tmp_path / "x.bin").write_bytes(pickled({"weight": torch.zeros(3)}))
    with pytest.raises(InputError, match=r"x\.bin is a part of pair: give a\.pth too"):
        weights.import_files([tmp_path / "x.bin"])
    assert visible(cache) == []


@pytest.mark.usefixtures("catalogue")
def test_a_zip_of_the_catalogue_and_a_wheel_are_opened(cache: Path, tmp_path: Path):
    (tmp_path / "a.zip").write_bytes(zipped({"log/flownet.pkl": pickled()}))
    assert weights.import_files([tmp_path / "a.zip"]) == [cache / "three.safetensors"]
    (tmp_path / "tiny.whl").write_bytes(zipped({"tiny/a.pkl": pickled({"weight": torch.ones(2)}), "code.py": b"1"}))
    assert weights.import_files([tmp_path / "tiny.whl"]) == [cache / "one.safetensors"]
    (tmp_path / "none.zip").write_bytes(zipped({"readme.txt": b"1"}))
    with pytest.raises(InputError, match=r"none\.zip holds no model"):
        weights.import_files([tmp_path / "none.zip"])


def test_a_file_of_unknown_hash_is_known_by_its_network_and_its_name(cache: Path, tmp_path: Path):
    import parity

    state = parity.load_set("ifrnet/ifrnet").state()
    torch.save(state, tmp_path / "IFRNet_GoPro.pth")
    assert weights.import_files([tmp_path / "IFRNet_GoPro.pth"]) == [cache / "IFRNet_GoPro.safetensors"]
    torch.save(state, tmp_path / "mine.pth")
    with pytest.raises(InputError, match=r"mine\.pth is ifrnet, and nothing tells which of its models: give the name"):
        weights.import_files([tmp_path / "mine.pth"])
    assert weights.import_files([tmp_path / "mine.pth"], "ifrnet") == [cache / "IFRNet_Vimeo90K.safetensors"]
    with pytest.raises(InputError, match=r"mine\.pth is no film: its network is ifrnet"):
        weights.import_files([tmp_path / "mine.pth"], "film")
    torch.save({"weight": torch.ones(1)}, tmp_path / "other.pth")
    with pytest.raises(InputError, match=r"other\.pth: not a known frame-interpolation network"):
        weights.import_files([tmp_path / "other.pth"])
    (tmp_path / "page.pth").write_text("<html>Quota exceeded</html>")
    with pytest.raises(InputError, match=r"page\.pth is not a model"):
        weights.import_files([tmp_path / "page.pth"])


def test_parts_of_unknown_hashes_are_joined_by_their_names(cache: Path, tmp_path: Path):
    import parity_other

    state = parity_other.load_set("gmfss/gmfss_base").state()
    words = {"flownet": "flownet", "metricnet": "metric", "feat_ext": "feat", "fusionnet": "fusionnet"}
    files = []
    for part in {key.partition(".")[0] for key in state}:
        files.append(tmp_path / f"GMFSS_fortuna_{words[part]}.pkl")
        torch.save({key.partition(".")[2]: value for key, value in state.items() if key.startswith(f"{part}.")}, files[-1])
    assert weights.import_files(files) == [cache / "gmfss_base.safetensors"]


def test_a_name_that_many_versions_share_tells_none(cache: Path, tmp_path: Path):
    import parity

    state = parity.load_set("rife/rife_v4.22").state()
    torch.save(state, tmp_path / "flownet.pkl")
    with pytest.raises(InputError, match=r"flownet\.pkl is rife-4\.21/4\.22/4\.23, and nothing tells which"):
        weights.import_files([tmp_path / "flownet.pkl"])
    with zipfile.ZipFile(tmp_path / "RIFEv4.22.zip", "w") as archive:
        archive.write(tmp_path / "flownet.pkl", "train_log/flownet.pkl")
    assert weights.import_files([tmp_path / "RIFEv4.22.zip"]) == [cache / "rife_v4.22.safetensors"]


def test_a_train_log_is_known_by_its_folder(cache: Path, tmp_path: Path):
    import parity

    log = tmp_path / "DR-RIFE-pro" / "train_sdi_log" / "flownet_sdi.pkl"
    log.parent.mkdir(parents=True)
    state = {f"module.{key}": value for key, value in parity.load_set("rife/rife_eccv_dr").state().items()}
    torch.save({"model": state, "optimizer": {"state": {}, "param_groups": []}, "epoch": 3, "step": 4}, log)
    with zipfile.ZipFile(tmp_path / "checkpoints.zip", "w") as archive:
        for name in ("DR-RIFE-pro", "DR-RIFE-vgg"):
            archive.write(log, f"checkpoints/RIFE/{name}/train_sdi_log/flownet_sdi.pkl")
    of_zip = [cache / "rife_eccv_dr_pro.safetensors", cache / "rife_eccv_dr_vgg.safetensors"]
    assert weights.import_files([tmp_path / "checkpoints.zip"]) == of_zip
    of_zip[0].unlink()
    assert weights.import_files([log]) == of_zip[:1]
    (tmp_path / "flownet_sdi.pkl").write_bytes(log.read_bytes())
    with pytest.raises(InputError, match=r"rife-eccv-dr/eccv-dr-pro/eccv-dr-vgg, and nothing tells which"):
        weights.import_files([tmp_path / "flownet_sdi.pkl"])


def test_a_part_of_gmfss_alone_says_what_is_missing(tmp_path: Path):
    import parity_other

    state = parity_other.load_set("gmfss/gmfss_union").state()
    parts = {key.partition(".")[0] for key in state}
    for part in sorted(parts - {"ifnet"}):
        alone = {key.partition(".")[2]: value for key, value in state.items() if key.startswith(f"{part}.")}
        with pytest.raises(InputError, match=r"of GMFSS: convert it together with .*\.pkl"):
            registry.detect(alone)


def test_gimm_vfi_f_is_refused_by_name():
    import parity_other

    state = parity_other.load_set("gimmvfi/gimmvfi_r").state()
    assert registry.detect(state).name == "gimm-vfi-r/r-p"
    with pytest.raises(InputError, match="GIMM-VFI-F, whose flow network is FlowFormer: only GIMM-VFI-R is known"):
        registry.detect({**state, "flow_estimator.memory_encoder.a.weight": torch.ones(1)})


# Whether sources are still there


def test_a_source_is_asked_by_one_head(hub: Hub):
    hub.files["/a.pth"] = b"1234"
    hub.answers |= {"/page": page(), "/gone": (404, {}, b"")}
    said = {
        path: sources.fault_of(UrlFile(f"{hub.url}/{path}", "a" * 64, size=size))
        for path, size in (("a.pth", 4), ("gone", 4), ("page", 4))
    }
    assert said == {"a.pth": None, "gone": "the server answered 404", "page": "the server has a web page there"}
    assert sources.fault_of(UrlFile(f"{hub.url}/a.pth", "a" * 64, size=5)) == "it has 4 bytes, and the catalogue's 5"
    assert sources.fault_of(HubFile(REPO, PATH), hub.url) is None
    assert sources.fault_of(HubFile(REPO, PATH, "a" * 64), hub.url).endswith("it is not fetched")
    assert {method for method, _ in hub.asked} == {"HEAD"}
