"""The prompt that ComfyUI is checking, so that a node's check of one input can look at the others.

ComfyUI hands a check only the inputs that it names, and shows its words once for each of them. Knows nothing of what nodes do.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextvars import ContextVar
from typing import Any

_CHECKED: ContextVar[Mapping[str, Any] | None] = ContextVar("prompt", default=None)


def noted(data: dict[str, Any]) -> dict[str, Any]:
    """``data`` of a request for a prompt, as it is; within this request, `others` knows it."""
    prompt = data.get("prompt")
    _CHECKED.set(prompt if isinstance(prompt, dict) else None)
    return data


def others(node: type) -> Mapping[str, Any]:
    """All inputs of the ``node`` that is checked, as the prompt states them; none outside of a request."""
    prompt, hidden = _CHECKED.get(), getattr(node, "hidden", None)
    found = (prompt or {}).get(str(getattr(hidden, "unique_id", None)))
    inputs = found.get("inputs") if isinstance(found, dict) else None
    return inputs if isinstance(inputs, dict) else {}
