"""Makes parity data from any published network, for `parity.load_set`.

    python tests/make_parity.py ADAPTER.py tests/data/parity/FAMILY/NAME

ADAPTER.py lives beside the published code, outside this repository. It defines:

    SOURCE = "owner/repository path/to/model.py"       # where the numbers come from
    def network() -> torch.nn.Module                   # the published network, untrained
    def run(network, window, t, options) -> dict       # {"out": frame [1,3,H,W], "flow": [1,4,H,W], ...} for one timestep

and may define:

    RULES = [{"match": "bias$", "std": 0.03}, ...]      # see `parity.drawn`; the first rule that matches a key fills its weight
    CASES = [{"name": "base", "height": 64, "width": 96, "timesteps": [0.5]}, ...]
    TOLERANCE = {"rtol": 1e-4, "atol": 2e-5, "flow_rtol": 1e-4, "flow_atol": 1e-3}

Trained weights are not needed: every weight is random, seeded with its own key. Rules should keep the output within a picture's
range and the flow at a few pixels, or the comparison proves nothing; the script prints both ranges.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.util
import json
import sys
from pathlib import Path
from typing import Any

import torch
from parity import Case, digest, drawn, synthetic_frames
from safetensors.torch import save_file
from torch import Tensor

RULES = [
    {"match": "bias$", "std": 0.03},
    {"match": "running_var$", "base": 1.0, "std": 0.1, "abs": True},
    {"match": "", "ndim_max": 1, "base": 0.25, "std": 0.05},
    {"match": "", "std": 1.0, "fan": True},
]
CASES = [{"name": "base", "timesteps": [0.25, 0.5, 0.75]}, {"name": "odd", "height": 70, "width": 100}]
CASE = {"height": 64, "width": 96, "frames": 2, "motion": 1.0, "timesteps": [0.5], "options": {}}
PAD = {"multiple": 32, "align": "topleft", "mode": "constant"}
TOLERANCE = {"rtol": 1e-4, "atol": 2e-5, "flow_rtol": 1e-4, "flow_atol": 1e-3}


def make(adapter: Any, target: Path) -> dict[str, Tensor]:
    """Write the manifest ``target``.json and the tensors ``target``.safetensors of a set; returns the tensors."""
    torch.manual_seed(0)
    network = adapter.network().eval()
    rules = getattr(adapter, "RULES", RULES)
    shapes = {key: (list(value.shape), str(value.dtype).removeprefix("torch.")) for key, value in network.state_dict().items()}
    arrays = {key: drawn(key, shape, rules, dtype) for key, (shape, dtype) in shapes.items()}
    network.load_state_dict({key: torch.from_numpy(array) for key, array in arrays.items()})
    cases, tensors = [], {}
    for given in getattr(adapter, "CASES", CASES):
        case = {**CASE, "pad": PAD, **given}
        pictures = synthetic_frames(case["height"], case["width"], case["frames"], case["motion"])
        case["input_sha256"] = hashlib.sha256(pictures.tobytes()).hexdigest()
        cases.append(case)
        place = Case(
            case["name"], case["height"], case["width"], case["frames"], case["motion"], tuple(case["timesteps"]),
            case["pad"], case["options"], case["input_sha256"], {},
        )  # fmt: skip
        for t in case["timesteps"]:
            with torch.no_grad():
                made = adapter.run(network, place.window, t, case["options"])
            for key, value in made.items():
                whole = place.cut(value.float())
                tensors[f"{case['name']}/{key}_t{t:g}"] = whole[..., 1::4, 1::4].contiguous()
                print(f"{case['name']}/{key}_t{t:g}: {float(whole.min()):.3f} to {float(whole.max()):.3f}")  # noqa: T201
    manifest = {
        "model": target.name,
        "source": adapter.SOURCE,
        "torch": torch.__version__,
        "recipe": {"rules": rules, "sha256": digest(arrays)},
        "tolerance": getattr(adapter, "TOLERANCE", TOLERANCE),
        "cases": cases,
        "state_dict": shapes,
    }
    target.parent.mkdir(parents=True, exist_ok=True)
    target.with_suffix(".json").write_text(json.dumps(manifest) + "\n", encoding="utf-8")
    save_file(tensors, target.with_suffix(".safetensors"))
    return tensors


def loaded(path: Path) -> Any:
    """The module in a file, which may import what lies beside it."""
    sys.path.insert(0, str(path.parent))
    spec = importlib.util.spec_from_file_location("adapter", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("adapter", type=Path, metavar="ADAPTER.py")
    parser.add_argument("target", type=Path, metavar="tests/data/parity/FAMILY/NAME")
    args = parser.parse_args()
    make(loaded(args.adapter), args.target)


if __name__ == "__main__":
    main()
