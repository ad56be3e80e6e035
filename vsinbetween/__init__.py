"""The VapourSynth filter under the name that VapourSynth's users expect: ``from vsinbetween import interpolate``."""

from vfi.vapoursynth import interpolate, retime

__all__ = ["interpolate", "retime"]
