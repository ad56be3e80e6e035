"""The selective scan of state space models, in plain PyTorch.

Gu and Dao, "Mamba: Linear-Time Sequence Modeling with Selective State Spaces", 2023, equation 2 with the discretisation of its
section 2: each channel of a sequence drives a few states that decay at a pace which the sequence itself decides. Knows nothing
of pictures.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor


def selective_scan(x: Tensor, pace: Tensor, decay: Tensor, enter: Tensor, leave: Tensor) -> Tensor:
    """Scan sequences ``x`` [B,K,D,L] of K groups of D channels: y_t = leave_t . h_t, [B,K,D,L].

    The states are h_t = exp(pace_t * decay) * h_(t-1) + pace_t * enter_t * x_t, from h_0 = 0, with ``pace`` [B,K,D,L] >= 0,
    ``decay`` [K,D,N] <= 0, and ``enter`` and ``leave`` [B,K,N,L], which the channels of a group share. All are float32.

    The sequence is cut into about as many segments as each has steps, and all segments are scanned at once from zero; then the
    states at the segments' ends are handed on, one after the other, and what each hands to the next is added. So only twice
    the square root of L steps follow one another, and no number is greater than in the plain recurrence.
    """
    length = x.shape[-1]
    segments = math.ceil(math.sqrt(length))
    steps = math.ceil(length / segments)

    def cut(sequence: Tensor) -> Tensor:
        """[B,K,C,L] -> [T,B,S,K,C]; steps that are added at the end have no pace, and change no state."""
        padded = F.pad(sequence, (0, segments * steps - length))
        return padded.unflatten(-1, (segments, steps)).permute(4, 0, 3, 1, 2).contiguous()

    paces, enters, leaves = cut(pace), cut(enter), cut(leave)
    driven = cut(x) * paces
    state = x.new_zeros(*driven.shape[1:], decay.shape[-1])
    made = []
    for rate, drive, into, out in zip(paces, driven, enters, leaves, strict=True):
        state = torch.addcmul(drive[..., None] * into[..., None, :], torch.exp(rate[..., None] * decay), state)
        made.append((state @ out[..., None]).squeeze(-1))
    passed = paces.cumsum(dim=0)
    kept = torch.exp(passed[-1][..., None] * decay)
    start = torch.zeros_like(state[:, 0])
    starts = [start]
    for segment in range(segments - 1):
        start = torch.addcmul(state[:, segment], kept[:, segment], start)
        starts.append(start)
    handed = torch.stack(starts, dim=1)
    y = [
        own + ((torch.exp(rate[..., None] * decay) * handed) @ out[..., None]).squeeze(-1)
        for own, rate, out in zip(made, passed, leaves, strict=True)
    ]
    return torch.stack(y, dim=-1).permute(0, 2, 3, 1, 4).flatten(-2)[..., :length]
