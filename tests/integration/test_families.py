"""Every network from the files that its authors give out, converted, into a real ComfyUI's folder and through a workflow."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import parity
import parity_other
import pytest
import torch
from torch import Tensor, nn

from vfi.__main__ import main
from vfi.archs import ldmvfi
from vfi.clips.images import read_image
from vfi.core import Checkpoint
from vfi.model import registry

COUNT, WIDTH, HEIGHT = 3, 96, 64
"""Of the frames that go in."""

SHIPPED = "inbetween-s"

pytestmark = [pytest.mark.comfyui, pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")]

State = dict[str, Tensor]


def drawn(name: str) -> State:
    """Random weights of the published shapes."""
    family = name.partition("/")[0]
    form = parity if family in ("rife", "film", "amt", "ifrnet", "flavr", "pervfi", "vfimamba") else parity_other
    return form.load_set(name).state()


def under(prefix: str, state: State) -> State:
    return {f"{prefix}{key}": value for key, value in state.items()}


def part(state: State, prefix: str) -> State:
    return {key.removeprefix(prefix): value for key, value in state.items() if key.startswith(prefix)}


def rife() -> dict[str, Any]:
    return {"flownet.pkl": under("module.", drawn("rife/rife_v4.25"))}


def film() -> dict[str, Any]:
    return {"film_net_fp32.pt": scripted(drawn("film/film"))}


def scripted(state: State) -> torch.jit.ScriptModule:
    """A TorchScript module of these weights, which does nothing."""
    whole = nn.Module()
    for key, value in state.items():
        *path, name = key.split(".")
        module = whole
        for step in path:
            if step not in module._modules:
                module.add_module(step, nn.Module())
            module = module.get_submodule(step)
        module.register_buffer(name, value)
    return torch.jit.script(whole)


def ifrnet() -> dict[str, Any]:
    return {"IFRNet_Vimeo90K.pth": drawn("ifrnet/ifrnet")}


def flavr() -> dict[str, Any]:
    return {"FLAVR_2x.pth": {"epoch": 200, "state_dict": under("module.", drawn("flavr/flavr_2x")), "lr": 2e-4}}


def amt() -> dict[str, Any]:
    return {"amt-l.pth": {"state_dict": drawn("amt/amt_l"), "epoch": 300}}


def emavfi() -> dict[str, Any]:
    mask = {"feature_bone.block4.1.attn_mask": torch.zeros(4, 49, 49), "feature_bone.block4.1.HW": torch.zeros(1)}
    return {"ours_small_t.pkl": under("module.", drawn("emavfi/emavfi_small") | mask)}


def gimmvfi() -> dict[str, Any]:
    state = drawn("gimmvfi/gimmvfi_r")
    raft = part(state, "flow_estimator.")
    rest = {key: value for key, value in state.items() if not key.startswith("flow_estimator.")}
    return {"gimmvfi_r_arb.pt": {"epoch": 60, "state_dict": rest}, "raft-things.pth": under("module.", raft)}


def gmfss() -> dict[str, Any]:
    state = drawn("gmfss/gmfss_union")
    files = {"flownet": "flownet", "metric": "metricnet", "feat": "feat_ext", "fusionnet": "fusionnet", "rife": "ifnet"}
    return {f"{file}.pkl": part(state, f"{network}.") for file, network in files.items()}


def superslomo() -> dict[str, Any]:
    state = drawn("superslomo/superslomo")
    networks = {"state_dictFC": part(state, "flow."), "state_dictAT": part(state, "interp.")}
    return {"SuperSloMo.ckpt": {"Detail": "End to end", "epoch": 199, "timestamp": datetime(2018, 8, 24), **networks}}


def sepconv() -> dict[str, Any]:
    return {"network-l1.pytorch": {key.replace("net", "module", 1): v for key, v in drawn("sepconv/sepconv_slomo").items()}}


def sepconv_paper() -> dict[str, Any]:
    return {"network-paper.pytorch": drawn("sepconv/sepconv_enhanced")}


def dain() -> dict[str, Any]:
    return {"best.pth": drawn("dain/dain_slowmotion")}


def ldmvfi_whole() -> dict[str, Any]:
    """As torch initialises it: the stored outputs are of a smaller one."""
    keys = json.loads((parity.DATA / "ldmvfi" / "ldmvfi_full.json").read_text(encoding="utf-8"))["keys"]
    config = ldmvfi.config_of({row["key"]: torch.empty(row["shape"], device="meta") for row in keys})
    assert config is not None
    with torch.random.fork_rng():
        torch.manual_seed(0)
        state = ldmvfi.Ldmvfi(config).state_dict()
    return {"ldmvfi-vqflow-f32-c256-concat_max.ckpt": {"epoch": 60, "global_step": 1, "state_dict": state}}


def vfimamba() -> dict[str, Any]:
    return {"VFIMamba_S.pkl": under("module.", drawn("vfimamba/vfimamba_s"))}


def pervfi() -> dict[str, Any]:
    state = drawn("pervfi/pervfi_v00")
    rest = {key: value for key, value in state.items() if not key.startswith("flownet.")}
    return {"v00.pth": under("module.", rest), "raft-sintel.pth": under("module.", part(state, "flownet."))}


def interpany() -> dict[str, Any]:
    state = under("module.", drawn("rife/rife_eccv_dr"))
    optimizer = {"state": {}, "param_groups": []}
    return {"DR-RIFE-pro.pkl": {"model": state, "optimizer": optimizer, "epoch": 300, "step": 1}}


PUBLISHED: dict[str, Callable[[], dict[str, Any]]] = {
    "rife-4.25": rife,
    "film": film,
    "ifrnet": ifrnet,
    "flavr-2x": flavr,
    "amt-l": amt,
    "ema-vfi-small-t": emavfi,
    "gimm-vfi-r": gimmvfi,
    "gmfss-union": gmfss,
    "superslomo": superslomo,
    "sepconv-l1": sepconv,
    "sepconv-paper": sepconv_paper,
    "dain": dain,
    "ldmvfi": ldmvfi_whole,
    "pervfi": pervfi,
    "vfimamba-s": vfimamba,
    "rife-eccv-dr-pro": interpany,
}
"""By the name of the catalogue: what the authors' files hold, by their names."""

NOTES = {False: " (non-commercial)", None: " (licence not stated)", True: ""}


@pytest.fixture
def published(request: pytest.FixtureRequest, tmp_path: Path) -> list[Path]:
    """The files of a family as its authors give them out."""
    paths = []
    for name, held in PUBLISHED[request.param]().items():
        paths.append(tmp_path / name)
        if isinstance(held, torch.jit.ScriptModule):
            held.save(paths[-1])
        else:
            torch.save(held, paths[-1])
    return paths


@pytest.fixture
def folder(comfyui, tmp_path: Path) -> Iterator[Path]:
    """The server's folder for models. What was put there goes again, and so do the published files: they are large."""
    folder = comfyui.base / "models" / "frame_interpolation"
    before = set(folder.iterdir())
    yield folder
    for path in {*folder.iterdir(), *tmp_path.iterdir()} - before:
        path.unlink()
    comfyui.post("/free", unload_models=True, free_memory=True)


def choices(comfyui) -> list[str]:
    """What the picker of models shows."""
    _, options = comfyui.get("/object_info/InbetweenLoadModel")["InbetweenLoadModel"]["input"]["required"]["model"]
    return options["options"]


def workflow(model: str) -> dict[str, Any]:
    """A few small frames of the example clip, shown as they are and saved with a new one in every gap."""
    nodes: dict[str, tuple[str, dict[str, Any]]] = {
        "clip": ("LoadVideo", {"file": "fox-16fps.mp4"}),
        "frames": ("GetVideoComponents", {"video": ["clip", 0]}),
        "few": ("ImageFromBatch", {"image": ["frames", 0], "batch_index": 8, "length": COUNT}),
        "small": (
            "ImageScale",
            {"image": ["few", 0], "upscale_method": "area", "width": WIDTH, "height": HEIGHT, "crop": "center"},
        ),
        "given": ("PreviewImage", {"images": ["small", 0]}),
        "model": ("InbetweenLoadModel", {"model": model, "allow_download": False}),
        "make": (
            "InbetweenInterpolate",
            {"model": ["model", 0], "images": ["small", 0], "source_fps": 16.0, "mode": "times", "mode.times": 2},
        ),
        "made": ("SaveImage", {"images": ["make", 0], "filename_prefix": "family"}),
    }
    return {key: {"class_type": kind, "inputs": inputs} for key, (kind, inputs) in nodes.items()}


def pictures(comfyui, output: dict[str, Any]) -> list[Tensor]:
    """The images of a node, [3,H,W] each."""
    return [read_image(comfyui.base / row["type"] / row["subfolder"] / row["filename"]).rgb for row in output["images"]]


def the_workflow_runs(session, model: str) -> None:
    """With the given frames as they were, and between them ones that show something."""
    outputs, _ = session.run(workflow(model))
    given, made = (pictures(session.server, outputs[node]) for node in ("given", "made"))
    assert {picture.shape[-2:] for picture in made} == {(HEIGHT, WIDTH)}
    assert len(made) == 2 * COUNT - 1
    for picture, there in zip(made[::2], given, strict=True):
        assert torch.equal(picture, there)
    for picture in made[1::2]:
        assert picture.std() > 0.01
        assert not any(torch.equal(picture, other) for other in given)
    assert session.complaints() == []  # where NaN becomes a picture, numpy warns


@pytest.mark.parametrize(
    ("published", "row"),
    [
        pytest.param(name, registry.checkpoints()[name], id=name, marks=[pytest.mark.slow] * (name == "ldmvfi"))
        for name in PUBLISHED
    ],
    indirect=["published"],
)
def test_converted_it_is_offered_and_runs(session, folder: Path, published: list[Path], row: Checkpoint):
    label = f"{row.name}{NOTES[row.commercial]}"
    before = choices(session.server)
    assert main(["models", "convert", *map(str, published), str(folder / row.files[0])]) == 0
    assert set(choices(session.server)) - set(before) == {label}
    the_workflow_runs(session, label)


def test_no_family_is_left_out():
    families = {name for name, module in registry.architectures().items() if hasattr(module, "CHECKPOINTS")}
    assert {registry.architecture(name) for name in (*PUBLISHED, SHIPPED)} == families


def test_what_ships_runs_without_a_file_of_the_user(session):
    assert SHIPPED in choices(session.server)
    the_workflow_runs(session, SHIPPED)


@pytest.mark.parametrize("published", ["ifrnet"], indirect=True)
def test_a_file_of_a_name_of_one_s_own_is_offered_by_that_name(session, folder: Path, published: list[Path]):
    assert main(["models", "convert", *map(str, published), str(folder / "my own.safetensors")]) == 0
    assert "my own.safetensors" in choices(session.server)
    the_workflow_runs(session, "my own.safetensors")
