"""Frame interpolation and tweening.

>>> import vfi
>>> model = vfi.load("dis")
>>> smooth = vfi.interpolate(clip, model, times=2)  # [T,3,H,W] in 0..1 -> [2T-1,3,H,W]

Importing it changes nothing in the process. Names are imported when they are first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .core import Frame, InputError, Interpolator, Motion, Sampling, Spec
    from .model.load import detect, load, models
    from .render.run import interpolate, retime, run

__version__ = "0.1.0"
__all__ = [
    "Frame",
    "InputError",
    "Interpolator",
    "Motion",
    "Sampling",
    "Spec",
    "detect",
    "interpolate",
    "load",
    "models",
    "retime",
    "run",
]

_HOMES = {
    **dict.fromkeys(("Frame", "InputError", "Interpolator", "Motion", "Sampling", "Spec"), "core"),
    **dict.fromkeys(("detect", "load", "models"), "model.load"),
    **dict.fromkeys(("interpolate", "retime", "run"), "render.run"),
}
"""The module that each public name lives in."""


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f".{_HOMES[name]}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
