"""Every stored set of keys and shapes is taken for its own architecture, and for no other."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from torch import Tensor

from vfi.core import InputError, Options, Sampling
from vfi.model import registry

DATA = Path(__file__).parents[1] / "data" / "parity"


def shapes(path: Path) -> dict[str, Tensor]:
    """The state dict of a manifest, without values; empty for a set of operators."""
    manifest = json.loads(path.read_text(encoding="utf-8"))
    rows = [(row["key"], row["shape"]) for row in manifest.get("keys", ())]
    rows += [(key, shape) for key, (shape, _) in manifest.get("state_dict", {}).items()]
    return {key: torch.empty(shape, device="meta") for key, shape in rows}


MANIFESTS = [path for path in sorted(DATA.glob("*/*.json")) if shapes(path)]


def knowing(state: dict[str, Tensor]) -> list[str]:
    modules = registry.architectures().items()
    return [name for name, module in modules if hasattr(module, "detect") and module.detect(state) is not None]


@pytest.mark.parametrize("path", MANIFESTS, ids=lambda path: path.stem)
def test_one_architecture_and_no_other_knows_it(path: Path):
    folder = path.parent.name
    assert knowing(registry.normalise(shapes(path))) == [folder] * (folder in registry.architectures())


@pytest.mark.parametrize("path", MANIFESTS, ids=lambda path: path.stem)
def test_models_that_draw_nothing_from_noise_refuse_to_be_told_how(path: Path):
    module = registry.architectures().get(path.parent.name)
    if module is not None and path.stem not in ("ldmvfi_tiny", "ldmvfi_full", "pervfi_v00"):
        with pytest.raises(InputError, match="draws nothing from noise: steps, eta, heat and seed"):
            module.build(registry.normalise(shapes(path)), Options(sampling=Sampling()))


@pytest.mark.parametrize("name", registry.builtins())
def test_models_without_weights_refuse_it_too(name: str):
    with pytest.raises(InputError, match=f"{name} draws nothing from noise"):
        registry.builtin(name, Options(sampling=Sampling(seed=3)))


@pytest.mark.parametrize("state", [{}, {"weight": torch.empty(3, 3)}, {"encoder.conv.weight": torch.empty(4, 4, 3, 3)}])
def test_no_architecture_knows_a_stranger(state: dict[str, Tensor]):
    assert not knowing(state)
