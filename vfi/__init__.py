"""Frame interpolation and tweening.

>>> import vfi
>>> model = vfi.load("dis")
>>> smooth = vfi.interpolate(clip, model, times=2)  # [T,3,H,W] in 0..1 -> [2T-1,3,H,W]
"""

from . import openmp as openmp  # before torch is imported
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
