"""The networks that match points between two pictures, which are kornia's: how a state dict becomes one.

Their published weights are in `vfi.model.kinds.matcher`. Knows nothing of files or pictures.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from ..core import InputError
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
