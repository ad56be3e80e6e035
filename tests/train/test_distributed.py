"""Two processes that train together take the steps of one with twice the batch."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from vfi.model import weights

TRAIN = """
import sys
import torch
torch.set_num_threads(1)
from pathlib import Path
from vfi.archs.inbetween import Config, Inbetween
from vfi.train import Material, Recipe, train
from vfi.train.recipe import Data, Schedule
from vfi.train.sources import Shards
from vfi.train.students import FRESH

FRESH["inbetween-s"] = lambda: Inbetween(Config((8, 8), (8, 8)))
shard, out, batch = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
schedule = Schedule(steps=4, batch=batch, warm_up=1, validate=2)
train(Recipe(data=Data(size=64), schedule=schedule), Material(Shards([shard]), (shard,)), out)
"""


def process(shard: Path, out: Path, batch: int, **environment: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-c", TRAIN, str(shard), str(out), str(batch)], env=os.environ | environment, stderr=subprocess.PIPE
    )


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


@pytest.mark.slow
def test_two_processes_take_the_steps_of_one(tmp_path: Path):
    frames = torch.randint(0, 256, (6, 3, 20, 20), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    large = frames.repeat_interleave(5, dim=2).repeat_interleave(5, dim=3)
    shard = tmp_path / "a-0000.safetensors"
    windows = torch.tensor([[k, k + 1, k + 2] for k in range(4)])
    save_file({"frames": large, "windows": windows, "times": torch.full((4,), 0.5)}, shard)
    together = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free_port()), "WORLD_SIZE": "2"}
    crew = [process(shard, tmp_path / "two", 2, RANK=str(rank), **together) for rank in range(2)]
    for one in (*crew, process(shard, tmp_path / "one", 4)):
        _, said = one.communicate(timeout=600)
        assert one.returncode == 0, said.decode()
    alone, shared = (weights.read(tmp_path / name / "weights.safetensors") for name in ("one", "two"))
    assert alone.keys() == shared.keys()
    for name, weight in alone.items():
        torch.testing.assert_close(shared[name], weight, atol=2e-3, rtol=1e-2)
