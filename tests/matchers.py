"""Matchers with seeded random weights in the layout in which they are published, for tests."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from vfi.model import matching


def xfeat_state() -> dict[str, Tensor]:
    """Weights of XFeat and LighterGlue that find points in noise, and pair points that look the same."""
    from kornia.feature import LightGlue, XFeat

    torch.manual_seed(3)
    detector, pairing = XFeat().net, LightGlue(None, **matching.LIGHTERGLUE)
    with torch.no_grad():
        for layer in detector.modules():
            if isinstance(layer, nn.Conv2d):
                layer.weight.mul_(6**0.5)  # torch's own first numbers let a signal die away
                layer.bias = None if layer.bias is None else nn.Parameter(layer.bias * 0)
        detector.keypoint_head[-1].weight.mul_(4)
        for layer in pairing.log_assignment:
            layer.final_proj.weight.copy_(torch.eye(96) * 40)
            layer.matchability.bias.fill_(9)
        for layer in pairing.transformers:
            for attention in (layer.self_attn, layer.cross_attn):
                attention.ffn[-1].weight.mul_(0.01)
    net = {f"xfeat-lighterglue.extractor.model.net.{name}": value for name, value in detector.state_dict().items()}
    return {
        **{f"xfeat.{name}": value.clone() for name, value in detector.state_dict().items()},
        **{
            f"xfeat-lighterglue.matcher.{name}": value
            for name, value in pairing.state_dict().items()
            if "threshold" not in name
        },
        **{name: value.clone() for name, value in net.items()},
    }


def loftr_state() -> dict[str, Tensor]:
    """Weights of LoFTR, called as its authors call them."""
    from kornia.feature import LoFTR

    torch.manual_seed(0)
    return {f"matcher.{name}": value.contiguous() for name, value in LoFTR(pretrained=None).state_dict().items()}
