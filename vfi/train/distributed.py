"""Data-parallel training: one process per GPU, started by torchrun, or a single process.

Each process draws its own examples, and all take the same step, with the mean of their gradients.
"""

from __future__ import annotations

import os
from collections.abc import Iterable

import torch
import torch.distributed as dist
from torch import nn


class Crew:
    """The group of processes: this one's ``rank`` from 0, their number ``size``, and this one's ``device``."""

    def __init__(self, device: str) -> None:
        self.size = int(os.environ.get("WORLD_SIZE", "1"))
        self.rank = int(os.environ.get("RANK", "0"))
        self.device = torch.device(device)
        if self.size > 1:
            if self.device.type == "cuda":
                self.device = torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))
                torch.cuda.set_device(self.device)
            dist.init_process_group("nccl" if self.device.type == "cuda" else "gloo")

    def average(self, weights: Iterable[nn.Parameter]) -> None:
        """Replace the gradients of all processes with their mean."""
        if self.size == 1:
            return
        for weight in weights:
            if weight.grad is not None:
                dist.all_reduce(weight.grad)
                weight.grad /= self.size

    def agree(self, ends: bool) -> bool:
        """Broadcast the first process's answer to all."""
        if self.size == 1:
            return ends
        told = torch.tensor([float(ends)], device=self.device)
        dist.broadcast(told, 0)
        return bool(told.item())

    def together(self) -> None:
        """Wait for all processes."""
        if self.size > 1:
            dist.barrier()

    def leave(self) -> None:
        if self.size > 1:
            dist.destroy_process_group()
