"""The floating-point type that a network computes in: its names, the choice of ``auto``, and unsupported cases."""

from __future__ import annotations

import torch

from ..core import InputError, Spec
from ..ops.kinds import kind

DTYPES = {"float32": torch.float32, "float16": torch.float16, "bfloat16": torch.bfloat16}
"""The types by name."""

PRECISIONS = ("auto", *DTYPES)
"""The names of precisions: ``auto`` is float16 if it is fast on the device and the network supports it, else float32."""


def dtype_of(
    precision: str | torch.dtype, spec: Spec, device: torch.device, *, half_is_fast: bool | None = None
) -> torch.dtype:
    """The type for a network of ``spec`` on ``device``; ``half_is_fast``: ``auto`` may choose float16 (None: see `ops.kinds`).

    Raises `InputError` for a type that the device or the network cannot use.
    """
    if precision == "auto":
        half = kind(device).half if half_is_fast is None else half_is_fast
        return torch.float16 if half and spec.half else torch.float32
    if isinstance(precision, str):
        if precision not in DTYPES:
            raise InputError(f"{precision!r} is not a precision: give one of {', '.join(PRECISIONS)}")
        precision = DTYPES[precision]
    if precision == torch.float16 and device.type == "cpu":
        raise InputError("float16 was asked for on the CPU, which has no fast path for it: give float32 or bfloat16")
    if precision != torch.float32 and not spec.half:
        raise InputError(f"{spec.name} needs float32: half precision breaks its picture")
    return precision
