from __future__ import annotations

import inspect
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from parity import load_set as load_parity
from parity_other import load_set
from safetensors.torch import save_file

from vfi.archs.rife import Config, Head, Rife
from vfi.model.load import there
from vfi.model.quality import members

HUB = "rife-4.25 (download)"


@pytest.fixture
def load(part):
    return part("nodes.load")


@pytest.fixture
def weights(server) -> Path:
    """A small network, in ComfyUI's folder under a name of its own."""
    network = Rife(Config((16, 8), outputs=13, head=Head(8, 4, ("cnn0", "cnn1", "cnn2", "cnn3"))))
    file = server.folder / "mine.safetensors"
    save_file(network.state_dict(), file)
    return file


def test_the_picker_starts_with_what_needs_no_download(load, weights):
    (weights.parent / "old.pth").touch()
    (weights.parent / "rife_v4.26.safetensors").touch()
    choices = load.choices()
    assert choices[0] == "auto"
    assert {"dis", "linear", "nearest"} <= set(choices[1:4])
    assert choices.index("rife-4.26") < choices.index("mine.safetensors") < choices.index(HUB)
    assert choices[-1] == "old.pth (needs conversion)"
    assert not any("v4.26" in choice for choice in choices)


def test_licences_that_forbid_commercial_use_are_shown(load, part):
    row = part("vfi.core").Checkpoint("gift", ("gift.safetensors",), "CC-BY-NC-4.0", commercial=False)
    assert load.labelled(row) == "gift (non-commercial)"
    assert load.labelled(row, "download") == "gift (download, non-commercial)"
    assert {load.name_of(load.labelled(row, *notes)) for notes in ((), ("download",), ("download", row.licence))} == {"gift"}
    row = part("vfi.core").Checkpoint("gift", ("gift.safetensors",), "not stated", commercial=None)
    assert load.name_of(load.labelled(row)) == "gift"
    assert load.name_of("mine (2).safetensors") == "mine (2).safetensors"


def test_a_licence_is_accepted_before_anything_is_downloaded(run, load, weights, monkeypatch):
    choice = "amt-s (download, CC-BY-NC-SA-4.0, non-commercial)"
    assert choice in load.choices()
    assert "ifrnet (download, licence not stated)" in load.choices()
    asked = []
    monkeypatch.setattr(load.weights, "fetch", lambda name, folder, progress, accepts: asked.append((name, accepts)) or weights)
    says = (
        r"the licence of amt-s is CC-BY-NC-SA-4\.0, which forbids commercial use: read https://huggingface\.co/lalala125/AMT, "
    )
    with pytest.raises(ValueError, match=f"{says}and switch accept licence on"):
        run("InbetweenLoadModel", model=choice, allow_download=True)
    assert asked == []
    run("InbetweenLoadModel", model=choice, allow_download=True, accept_licence=True)
    run("InbetweenLoadModel", model=HUB, allow_download=True, accept_licence=True)
    assert asked == [("amt-s", "amt-s"), ("rife-4.25", "rife-4.25")]


def test_nothing_is_downloaded_unasked(run, load, monkeypatch):
    monkeypatch.setattr(load.weights, "fetch", pytest.fail)
    with pytest.raises(ValueError, match=r"rife-4\.25 is not on disk and allow download is off: switch it on"):
        run("InbetweenLoadModel", model=HUB)


def test_a_download_that_is_allowed_goes_to_the_folder_of_comfyui(run, load, server, weights, monkeypatch):
    asked = []

    def fetch(name, folder, progress, accepts):
        asked.append((name, folder, accepts))
        progress(5, 10)
        return weights

    monkeypatch.setattr(load.weights, "fetch", fetch)
    run("InbetweenLoadModel", model=HUB, allow_download=True)
    assert asked == [("rife-4.25", str(server.folder), None)]
    assert server.progress == [(5, 10)]
    server.interrupt_at = 1
    with pytest.raises(server.Interrupted):
        run("InbetweenLoadModel", model=HUB, allow_download=True)


@pytest.fixture
def two(server) -> None:
    """RIFE 4.25 and 4.0 in ComfyUI's folder, as networks of their kind."""
    for name, file in (("rife_v4.25", "rife_v4.25"), ("rife_v4.0_refine", "rife_v4.0")):
        save_file(load_parity(f"rife/{name}").state(), server.folder / f"{file}.safetensors")


def test_the_best_quality_takes_the_best_mix_and_each_network_once(run, two, server):
    (model,) = run("InbetweenLoadModel", model="auto", quality="best")
    mix = members("best", there=lambda name: there(name, [server.folder]))
    assert "rife-4.0" in {member.source for member in mix}
    assert [one.tta for one in model.members] == [member.tta for member in mix]
    patchers = {member.source: one.patcher for member, one in zip(mix, model.members, strict=True)}
    assert all(one.patcher is patchers[member.source] for member, one in zip(mix, model.members, strict=True))
    assert len(set(map(id, patchers.values()))) == len(patchers)
    images = torch.rand(2, 40, 48, 3)
    made, *_, disagreement, _ = run("InbetweenInterpolate", model=model, images=images, mode={"mode": "times", "times": 2})
    assert torch.equal(made[::2], images)
    assert disagreement[1].any()
    with pytest.raises(ValueError, match="a model of quality best has its own passes"):
        run("InbetweenTTA", model=model, mode="duo")


def test_a_quality_for_one_network(run, weights):
    (model,) = run("InbetweenLoadModel", model=weights.name, quality="best")
    assert (model.tta, model.half_size) == ("duo", False)
    (model,) = run("InbetweenLoadModel", model=weights.name, quality="fast")
    assert (model.tta, model.half_size) == ("none", True)
    images = torch.rand(2, 20, 30, 3)
    made, *_ = run("InbetweenInterpolate", model=model, images=images, mode={"mode": "times", "times": 2})
    assert torch.equal(made[::2], images)


def test_a_quality_without_a_network(run):
    for quality, name in (("linear", "linear"), ("draft", "dis-fast")):
        assert run("InbetweenLoadModel", model="auto", quality=quality)[0].network.spec.name == name


def test_a_quality_that_contradicts_the_model_is_refused(run, load, weights):
    with pytest.raises(ValueError, match="quality draft uses no network"):
        run("InbetweenLoadModel", model=weights.name, quality="draft")
    assert load.LoadModel.fingerprint_inputs(model=weights.name, quality="draft").startswith("quality draft")


def test_a_second_network_that_appears_is_noticed(load, two, server):
    both = load.LoadModel.fingerprint_inputs(model="auto", quality="best")
    (server.folder / "rife_v4.0.safetensors").unlink()
    assert load.LoadModel.fingerprint_inputs(model="auto", quality="best") != both


def test_a_missing_model_is_refused_in_one_sentence(run, load, part):
    """ComfyUI shows ``TYPE: MESSAGE``. Its own validation would show the sentence once per input that it depends on."""
    assert load.LoadModel.validate_inputs(model="gone") is True  # outside of a request
    for name, download, says in (
        (HUB, False, "rife-4.25 is not on disk and allow download is off"),
        ("gone.safetensors", False, "no model is called 'gone.safetensors'"),
        ("rife-4.0", False, "rife-4.0 is not on disk and allow download is off"),
        ("flavr-2x", True, "flavr-2x is not on disk"),
    ):
        with pytest.raises(part("vfi.core").InputError) as told:
            run("InbetweenLoadModel", model=name, allow_download=download)
        assert f"{type(told.value).__module__}.{type(told.value).__qualname__}" == "builtins.Inbetween"
        assert str(told.value).startswith(says)
    assert load.LoadModel.fingerprint_inputs(model="gone.safetensors").startswith("no model is called")


def test_a_prompt_is_refused_for_its_model_before_anything_runs(load, part, weights, monkeypatch):
    """By a check of the model alone: ComfyUI marks every input that a check names."""
    prompts = part("nodes.prompts")
    assert list(inspect.signature(load.LoadModel.validate_inputs).parameters) == ["model"]
    monkeypatch.setattr(load.LoadModel, "hidden", SimpleNamespace(unique_id="3"), raising=False)

    def judged(model: str | None, **inputs: object) -> bool | str:
        prompts.noted({"prompt": {"3": {"inputs": {"model": model, **inputs}}}})
        return load.LoadModel.validate_inputs(model=model)

    assert judged(HUB, allow_download=True) is True
    assert judged("auto", allow_download=False) is True
    assert judged(None, allow_download=False) is True
    assert judged(HUB, allow_download=["7", 0]) is True  # another node tells later
    assert judged(HUB, allow_download=False, quality=["7", 0]) is True
    assert judged("amt-s", allow_download=True).startswith("the licence of amt-s is CC-BY-NC-SA-4.0")
    assert judged("amt-s", allow_download=True, accept_licence=True) is True
    assert judged("amt-s", allow_download=True, accept_licence=["7", 0]) is True
    assert judged(HUB, allow_download=False).startswith("rife-4.25 is not on disk and allow download is off")
    assert "no model is called 'gone.safetensors'" in judged("gone.safetensors", allow_download=False)
    assert "quality draft uses no network" in judged(weights.name, allow_download=False, quality="draft")
    assert judged(weights.name, allow_download=False, quality="fast") is True
    prompts.noted({"prompt": None})
    assert load.LoadModel.validate_inputs(model=HUB) is True


def test_a_file_of_another_kind_is_named(run, weights):
    save_file({"a": torch.zeros(1)}, weights)
    with pytest.raises(ValueError, match=r"^mine\.safetensors: not a known frame-interpolation network"):
        run("InbetweenLoadModel", model=weights.name)


def test_a_file_that_changes_is_loaded_again(load, weights):
    before = load.LoadModel.fingerprint_inputs(model=weights.name, allow_download=False)
    weights.write_bytes(weights.read_bytes())
    assert load.LoadModel.fingerprint_inputs(model=weights.name, allow_download=False) != before
    assert load.LoadModel.fingerprint_inputs(model="dis") == "dis"


def test_a_network_lives_in_the_memory_of_comfyui(run, weights):
    (model,) = run("InbetweenLoadModel", model=weights.name)
    assert model.patcher.model is model.network
    images = torch.rand(2, 20, 30, 3)
    made, *_ = run("InbetweenInterpolate", model=model, images=images, mode={"mode": "times", "times": 2})
    assert torch.equal(made[::2], images)
    assert model.patcher.memory_required[0] > 20 * 30 * 4 * 100


def test_only_what_draws_from_noise_can_be_told_how(run, weights):
    save_file(load_set("ldmvfi/ldmvfi_tiny").state(), weights)
    network = run("InbetweenLoadModel", model=weights.name, sampling_seed=7)[0].network
    assert (network.sampling.steps, network.sampling.eta, network.sampling.seed) == (20, 0, 7)
    network = run("InbetweenLoadModel", model=weights.name, sampling_steps=4, sampling_eta=0.5)[0].network
    assert (network.sampling.steps, network.sampling.eta, network.sampling.seed) == (4, 0.5, 0)
    with pytest.raises(ValueError, match="dis draws nothing from noise"):
        run("InbetweenLoadModel", model="dis", sampling_steps=4)


def test_a_model_without_weights_needs_none_of_it(run):
    (model,) = run("InbetweenLoadModel", model="dis")
    assert (model.patcher, model.network.spec.name) == (None, "dis")


def test_with_no_model_on_disk_there_is_the_one_that_ships(run):
    (model,) = run("InbetweenLoadModel", model="auto")
    assert model.patcher is not None
    assert model.network.spec.name == "inbetween-m"


def test_float16_is_refused_where_it_is_slow(run, weights):
    with pytest.raises(ValueError, match="float16 was asked for"):
        run("InbetweenLoadModel", model=weights.name, precision="float16")


def test_float16_is_used_where_it_is_fast(run, weights, part, monkeypatch):
    monkeypatch.setattr(part("nodes.model").model_management, "should_use_fp16", lambda device: True)
    (model,) = run("InbetweenLoadModel", model=weights.name)
    assert model.dtype == torch.float16
    assert {value.dtype for value in model.network.parameters()} == {torch.float16}
    (model,) = run("InbetweenLoadModel", model=weights.name, precision="float32")
    assert model.dtype == torch.float32


def test_half_precision_is_checked_and_given_up_only_if_nobody_asked_for_it(run, weights, part):
    SelfCheck = part("vfi.model.self_check").SelfCheck
    (model,) = run("InbetweenLoadModel", model=weights.name, precision="bfloat16")
    assert isinstance(model.ready((64, 64)), SelfCheck)
    assert not model.part.falls_back
    exact = model.part.exact()
    assert {value.dtype for value in exact.parameters()} == {torch.float32}
    assert exact.spec == model.network.spec
    (model,) = run("InbetweenLoadModel", model=weights.name)
    assert model.part.falls_back
    assert not isinstance(model.ready((64, 64)), SelfCheck)  # on a CPU, auto is float32


def test_bfloat16_is_used_when_asked_for(run, weights):
    (model,) = run("InbetweenLoadModel", model=weights.name, precision="bfloat16")
    assert model.dtype == torch.bfloat16
    made = model.ready((64, 64))(torch.rand(1, 2, 3, 64, 64), torch.tensor([0.5]))
    assert made.dtype == torch.float32
    assert made.isfinite().all()


def test_a_backend_is_made_once_for_all_runs(run, weights, part, monkeypatch):
    sizes = []

    class Engine:
        half = True

        def compiled(self, part, example):
            sizes.append(tuple(example[0].shape))
            return part

    backends = part("vfi.model.backends")
    monkeypatch.setattr(backends.importlib, "import_module", lambda *_: SimpleNamespace(Engine=Engine))
    (model,) = run("InbetweenLoadModel", model=weights.name, backend="openvino")
    for _ in range(2):
        model.ready((64, 64))(torch.rand(1, 2, 3, 64, 64), torch.tensor([0.5]))
    assert len(sizes) == 2  # of a frame, and of a pair


def test_only_files_in_the_folders_of_comfyui_can_be_named(run, weights, tmp_path):
    elsewhere = weights.rename(tmp_path / "elsewhere.safetensors")
    with pytest.raises(ValueError, match="no model is called"):
        run("InbetweenLoadModel", model=str(elsewhere))


def test_files_that_are_no_models_get_a_sentence(run, weights):
    weights.write_bytes(b"no model")
    with pytest.raises(ValueError, match="is not a model"):
        run("InbetweenLoadModel", model=weights.name)


def test_a_server_that_forbids_downloads_says_so_and_offers_none(run, nodes, monkeypatch):
    name = "rife-4.25"
    monkeypatch.setenv("INBETWEEN_NO_DOWNLOAD", "1")
    says = r"rife-4\.25 is not on disk and this server forbids downloads \(INBETWEEN_NO_DOWNLOAD\), whether allow download is"
    with pytest.raises(ValueError, match=says):
        run("InbetweenLoadModel", model=f"{name} (download)", allow_download=True)
    picker = next(one for one in nodes["InbetweenLoadModel"].define_schema().inputs if one.id == "model")
    assert not any("download" in option for option in picker.options)
    monkeypatch.delenv("INBETWEEN_NO_DOWNLOAD")
    picker = next(one for one in nodes["InbetweenLoadModel"].define_schema().inputs if one.id == "model")
    assert f"{name} (download)" in picker.options
