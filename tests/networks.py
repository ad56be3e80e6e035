"""One small network of each architecture, with random weights, for tests common to all."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache
from itertools import pairwise

import parity
import parity_other
import torch
from torch import Tensor

from vfi.archs import (
    amt,
    dain,
    emavfi,
    film,
    flavr,
    gimmvfi,
    gmfss,
    ifrnet,
    inbetween,
    ldmvfi,
    pervfi,
    rife,
    sepconv,
    superslomo,
    vfimamba,
)
from vfi.core import Interpolator, Options, Sampling
from vfi.model import registry


def drawn(shapes: dict[str, tuple[int, ...]]) -> dict[str, Tensor]:
    stream = torch.Generator().manual_seed(0)
    return {name: torch.randn(shape, generator=stream) / math.prod(shape[1:]) ** 0.5 for name, shape in shapes.items()}


def drawn_rife(config: rife.Config, **options: float | bool) -> rife.Rife:
    """RIFE with random weights whose flows, a few pixels long, differ from block to block."""
    torch.manual_seed(7)
    net = rife.Rife(config, Options(**options)).eval()
    for name, weight in net.named_parameters():
        if weight.ndim == 4 and "beta" not in name:
            torch.nn.init.normal_(weight, std=weight[0].numel() ** -0.5)
    return net


def inbetween_small() -> inbetween.Inbetween:
    """Random weights, including those that start at zero in training."""
    torch.manual_seed(5)
    net = inbetween.Inbetween(inbetween.Config((8, 12), (16, 20))).eval()
    weight = net.decoder.leave.weight
    torch.nn.init.normal_(weight, std=0.3 * weight[0].numel() ** -0.5)
    return net


def amt_small() -> dict[str, Tensor]:
    """Weights of AMT-S, for which no outputs are stored."""
    shapes: dict[str, tuple[int, ...]] = {}

    def conv(name: str, outputs: int, inputs: int, kernel: int) -> None:
        shapes.update({f"{name}.weight": (outputs, inputs, kernel, kernel), f"{name}.bias": (outputs,)})

    def prelu(name: str, outputs: int, inputs: int) -> None:
        conv(f"{name}.0", outputs, inputs, 3)
        shapes[f"{name}.1.weight"] = (outputs,)

    channels, fields, side, hidden = (20, 32, 44, 56), 3, 20, 76
    for level, (inputs, outputs) in enumerate(pairwise((3, *channels)), start=1):
        prelu(f"encoder.pyramid{level}.0", outputs, inputs)
        prelu(f"encoder.pyramid{level}.1", outputs, outputs)
    for level, outputs in zip((4, 3, 2, 1), (48, 36, 24, 8 * fields), strict=True):
        own = channels[level - 1]
        width, inputs = (2 * own, 2 * own + 1) if level == 4 else (3 * own, 3 * own + 4)
        block = f"decoder{level}.convblock"
        prelu(f"{block}.0", width, inputs)
        for name, size in (("conv1", width), ("conv2", side), ("conv3", width), ("conv4", side)):
            prelu(f"{block}.1.{name}", size, size)
        conv(f"{block}.1.conv5", width, width, 3)
        shapes |= {
            f"{block}.1.prelu.weight": (width,),
            f"{block}.2.weight": (width, outputs, 4, 4),
            f"{block}.2.bias": (outputs,),
        }
    conv("feat_encoder.conv1", 32, 3, 7)
    for layer, (before, after) in enumerate(pairwise((32, 32, 64, 96)), start=1):
        for index, inputs in enumerate((before, after)):
            block = f"feat_encoder.layer{layer}.{index}"
            conv(f"{block}.conv1", after // 4, inputs, 1)
            conv(f"{block}.conv2", after // 4, after // 4, 3)
            conv(f"{block}.conv3", after, after // 4, 1)
        if layer > 1:
            conv(f"feat_encoder.layer{layer}.0.downsample.0", after, before, 1)
    conv("feat_encoder.conv2", 84, 96, 1)
    for level in (4, 3, 2):
        own = channels[level - 2]
        rows = {"convc1": (64, 392, 1), "convf1": (40, 4, 7), "convf2": (20, 40, 3), "conv": (68, 84, 3)}
        rows |= {"gru.0": (hidden, 68 + 4 + own, 3), "gru.2": (hidden, hidden, 3), "feat_head.0": (hidden, hidden, 3)}
        rows |= {"feat_head.2": (own, hidden, 3), "flow_head.0": (hidden, hidden, 3), "flow_head.2": (4, hidden, 3)}
        for name, row in rows.items():
            conv(f"update{level}.{name}", *row)
    conv("comb_block.0", 6 * fields, 3 * fields, 3)
    conv("comb_block.2", 3, 6 * fields, 3)
    return drawn(shapes | {"comb_block.1.weight": (6 * fields,)})


def gimm_narrow() -> dict[str, Tensor]:
    """Weights of a GIMM-VFI whose last decoder, the slow part, has 16 channels instead of 256."""
    rows = []
    for row in parity_other.load_set("gimmvfi/gimmvfi_r").manifest["keys"]:
        shape = row["shape"]
        if row["key"].startswith("amt_final_decoder.convblock."):
            shape = [{256: 16, 64: 8}.get(size, size) for size in shape]
        rows.append({**row, "shape": shape})
    return parity_other.drawn(rows)


def other(name: str) -> dict[str, Tensor]:
    return parity_other.load_set(name).state()


SMALL: dict[str, Callable[[], Interpolator]] = {
    "amt": lambda: amt.build(amt_small(), Options(variant="gopro")),
    "dain": lambda: dain.build(other("dain/dain_slowmotion")),
    "emavfi": lambda: emavfi.build(other("emavfi/emavfi_small"), Options(variant="small-t")),
    "film": lambda: film.build(parity.load_set("film/film").state()),
    "flavr": lambda: flavr.build(parity.load_set("flavr/flavr_4x").state()),
    "gimmvfi": lambda: gimmvfi.build(gimm_narrow()),
    "gmfss": lambda: gmfss.build(other("gmfss/gmfss_union")),
    "ifrnet": lambda: ifrnet.build(parity.load_set("ifrnet/ifrnet").state()),
    "inbetween": inbetween_small,
    "ldmvfi": lambda: ldmvfi.build(other("ldmvfi/ldmvfi_tiny"), Options(sampling=Sampling(steps=2))),
    "pervfi": lambda: pervfi.build(parity.load_set("pervfi/pervfi_v00").state()),
    "rife": lambda: rife.build(parity.load_set("rife/rife_v4.22.lite").state()),
    "sepconv": lambda: sepconv.build(other("sepconv/sepconv_enhanced")),
    "superslomo": lambda: superslomo.build(other("superslomo/superslomo")),
    "vfimamba": lambda: vfimamba.build(parity.load_set("vfimamba/vfimamba_s").state()),
    **{name: lambda name=name: registry.builtin(name) for name in registry.builtins()},
}
"""Keyed by architecture, or by the name of a model without weights."""


@lru_cache(maxsize=1)
def small(name: str) -> Interpolator:
    """One of `SMALL`, without gradients."""
    model = SMALL[name]()
    return model.requires_grad_(False) if isinstance(model, torch.nn.Module) else model
