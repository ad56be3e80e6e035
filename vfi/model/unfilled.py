"""Networks that have shapes and no numbers, to compare shapes before a network takes memory. Knows nothing of any network."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

FILLS = {
    *(Tensor.normal_, Tensor.uniform_, Tensor.random_, Tensor.bernoulli_, Tensor.exponential_),
    *(getattr(nn.init, name) for name in dir(nn.init) if name.endswith("_") and not name.startswith("_")),
}
"""What fills a tensor with numbers, by which networks begin."""


@contextmanager
def unfilled() -> Iterator[None]:
    """Within, tensors are made on the meta device: they take no memory, and building a network takes some 20 ms."""
    with torch.device("meta"), _Unfilled():
        yield


class _Unfilled(TorchFunctionMode):
    """Within, tensors are not filled with first numbers, for which torch would load its compiler on the meta device."""

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        named = kwargs or {}
        if func in FILLS:
            return args[0] if args else named["tensor"]
        return func(*args, **named)
