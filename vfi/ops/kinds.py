"""Kinds of devices: what torch can and cannot do on each, as data.

The only place that tells kinds apart. Knows nothing of networks.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch


@dataclass(frozen=True)
class Kind:
    """What a kind of device can do.

    ``half``: float16 is fast, and chosen by ``auto``. ``double``: it knows float64. ``border``: it can repeat the border when
    it samples a picture. ``cubic``: it can sample by cubic convolution. ``batch``: timesteps of a pair that are made at once.
    ``streams``: copies from and to pinned memory run beside the work, and it can be read from a stream of bytes.
    ``shared_out``: a cluster counts such devices and gives each worker whole ones, as Ray's GPUs.
    """

    half: bool = False
    double: bool = True
    border: bool = False
    cubic: bool = False
    batch: int = 8
    streams: bool = False
    shared_out: bool = False


KINDS = {
    "cpu": Kind(border=True, cubic=True, batch=1),
    "cuda": Kind(half=True, border=True, cubic=True, streams=True, shared_out=True),  # ROCm is called so too
    "xpu": Kind(),
    "mps": Kind(double=False),
}
"""By torch's name. Only the CPU is tested by us so far; the others stand as their makers document them."""

OTHER = Kind(double=False)
"""Any other kind, such as DirectML's: nothing is taken for granted."""


def kind(device: torch.device) -> Kind:
    """What ``device`` can do."""
    return KINDS.get(device.type, OTHER)


def batch(device: torch.device) -> int:
    """How many timesteps of a pair to make at once on ``device``: on a CPU more take memory and gain nothing."""
    return kind(device).batch
