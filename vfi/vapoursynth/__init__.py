"""The VapourSynth filter: `interpolate` makes a clip smoother or slower, `retime` plays it along a curve.

Owns the arguments, which are called as those of vs-rife where they mean the same. Imports NumPy and VapourSynth, and no torch:
that may be in another Python (see `makers`).
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal

import vapoursynth as vs

from ..core import InputError
from ..parse import number, quoted
from ..serve.maker import Asked
from ..timing.curves import TimeCurve, along, of_json, parse
from ..timing.grids import MOST_TIMES, exact_rate
from .cuts import Marking
from .errors import shown
from .graph import Graph, duration_of
from .makers import Where, maker
from .places import ENDLESS, FEWEST, Clock, Curved, Multiplied, Places, Steady, Timed, Uneven

__all__ = ["interpolate", "retime"]

Duplicates = Literal["ignore", "spread"]

WINDOWS = (2, 4)
"""The windows of models that can be used."""

BATCHES = 64
"""The most frames of a pair that are made at once."""

CURVE = 2**20
"""The most bytes of a file with a curve."""

INSTEAD = {
    "scale": "quality='fast' estimates motion at half size",
    "ensemble": "tta='duo' averages two passes",
    "trt": "give a device, and compile with vfi's own backends in a worker",
    "auto_download": "fetch the model once with vfi models fetch",
    "multi": "give factor_num",
    "multiplier": "give factor_num",
}
"""What to give instead of the arguments of other filters."""


def interpolate(
    clip: vs.VideoNode,
    *,
    model: str | None = None,
    quality: str | None = None,
    factor_num: int = 2,
    factor_den: int = 1,
    fps_num: int | None = None,
    fps_den: int | None = None,
    slow: bool = False,
    sc: bool = True,
    sc_threshold: float | None = None,
    duplicates: Duplicates = "ignore",
    tta: str | None = None,
    drawing: str | None = None,
    device: str | None = None,
    device_index: int = 0,
    batch: int = 1,
    worker: Where = "auto",
    **others: Any,
) -> vs.VideoNode:
    """The clip with ``factor_num`` / ``factor_den`` times as many frames, or ``fps_num`` / ``fps_den`` frames per second.

    Any constant format of RGB, YUV or grey. Output n shows the instant n / factor of the source, an exact fraction; an output
    at the time of a source frame is that frame, bit for bit. There are ceil(frames * factor) outputs, since the last frame is
    held for its duration. ``slow`` keeps the frame rate, so that the clip plays slower. A factor below 1 gives a lower rate.

    ``sc``: no frame is made across a cut, the one before it is held instead. Cuts are those of ``_SceneChangeNext`` and
    ``_SceneChangePrev``, and are found where frames have neither; ``sc_threshold`` is the share of the picture, 0 to 1, that
    motion and light must leave unexplained at one that is found. ``duplicates="spread"`` spreads motion evenly over frames that
    repeat the one before.

    ``model``, ``quality``, ``tta``, ``drawing`` and ``device`` are as of the command ``vfi interpolate``, and so are their
    defaults. ``batch``: frames of a pair that are made at once. ``worker``: see `makers.Where`. Raises ``vs.Error``.
    """
    with shown():
        _known(others)
        _constant(clip)
        factor = _ratio(factor_num, factor_den, "factor")
        if not FEWEST <= factor <= MOST_TIMES:
            raise InputError(f"a factor of {factor} was given: it must be from {FEWEST} to {MOST_TIMES}")
        places: Places
        if fps_num is None:
            if fps_den is not None:
                raise InputError("fps_den was given without fps_num: a frame rate needs both, or fps_num alone")
            rate = clip.fps * (1 if slow else factor) or None
            places = Multiplied(clip.num_frames, factor, rate, factor if slow else Fraction(1))
        else:
            if slow:
                raise InputError("slow was given with fps_num: slow keeps the frame rate, so give factor_num")
            places = _at_rate(clip, exact_rate(_ratio(fps_num, 1 if fps_den is None else fps_den, "fps")))
        asked = _asked(model, quality, tta, drawing, device, device_index)
        return _graph(clip, places, asked, sc, sc_threshold, duplicates, batch, worker, keeps_time=not slow)


def retime(
    clip: vs.VideoNode,
    *,
    speed: float | str | Fraction | None = None,
    curve: str | Path | Mapping[str, Any] | None = None,
    start: float | str | Fraction | None = None,
    duration: float | str | Fraction | None = None,
    fps_num: int | None = None,
    fps_den: int | None = None,
    model: str | None = None,
    quality: str | None = None,
    sc: bool = True,
    sc_threshold: float | None = None,
    duplicates: Duplicates = "ignore",
    tta: str | None = None,
    drawing: str | None = None,
    device: str | None = None,
    device_index: int = 0,
    batch: int = 1,
    worker: Where = "auto",
    **others: Any,
) -> vs.VideoNode:
    """The clip at a speed, or along a curve of speed or position, each frame at its exact instant.

    ``speed`` is a number or keys such as ``"0:1, 2:0.25 ease, 4:1"``, seconds of the output to speed: 0 freezes, below 0 plays
    backwards. ``curve`` is a file of JSON, its text or its content, as `timing.curves.of_json` takes it, such as
    ``{"position": [[0, 0], ["1/24", "1/48"]]}``. ``start`` is the second of the clip at which a speed starts, ``duration`` the
    seconds of output; both as of the command ``vfi retime``. The rate stays, unless ``fps_num`` is given. The clip must have a
    known length, and a constant rate or durations. The rest is as for `interpolate`. Raises ``vs.Error``.
    """
    with shown():
        _known(others)
        _constant(clip)
        if (speed is None) == (curve is None):
            raise InputError("give either a speed or a curve to retime")
        if clip.num_frames > ENDLESS:
            raise InputError("the end of the clip is unknown: retime needs a clip with an end")
        if fps_num is None and not clip.fps:
            raise InputError("the clip has no constant frame rate: give fps_num for the output")
        rate = clip.fps if fps_num is None else exact_rate(_ratio(fps_num, 1 if fps_den is None else fps_den, "fps"))
        clock, length = _clock(clip, "retime needs them")
        seconds = None if duration is None else _number(duration, "duration")
        path = _curve(speed, curve, length, seconds)
        since = None if start is None else _number(start, "start")
        places = Curved(clock, along(path, rate, length, clip.num_frames, start=since, length=seconds))
        asked = _asked(model, quality, tta, drawing, device, device_index)
        return _graph(clip, places, asked, sc, sc_threshold, duplicates, batch, worker, keeps_time=False)


def _known(others: Mapping[str, Any]) -> None:
    """Raises `InputError` for an argument of another filter, and `TypeError` for any that is unknown."""
    for name in others:
        instead = INSTEAD.get("trt" if name.startswith("trt") else name)
        if instead is None:
            raise TypeError(f"an unexpected keyword argument {quoted(name)} was given")
        raise InputError(f"{name} was given, which this filter does not have: {instead}")


def _constant(clip: Any) -> None:
    """Raises `InputError` unless ``clip`` is a clip of constant format and size."""
    if not isinstance(clip, vs.VideoNode):
        raise InputError(f"a {type(clip).__name__} was given: a clip, a vs.VideoNode, is needed")
    if clip.format is None or clip.format.color_family == vs.UNDEFINED or not (clip.width and clip.height):
        raise InputError("the clip has a variable format or size: convert it to a constant one first")


def _ratio(above: Any, below: Any, what: str) -> Fraction:
    for name, value in ((f"{what}_num", above), (f"{what}_den", below)):
        if type(value) is not int or not 1 <= value < 2**31:
            raise InputError(f"{name} is {quoted(value)}: it must be a whole number from 1 to 2**31 - 1")
    return Fraction(above, below)


def _number(value: Any, what: str) -> Fraction:
    """A number, or its text, as an exact fraction."""
    if isinstance(value, Fraction):
        value = f"{value.numerator}/{value.denominator}"
    try:
        return number(value if isinstance(value, str) else repr(value))
    except (ValueError, ZeroDivisionError) as error:
        raise InputError(f"{what} is {quoted(value)}: {error}") from error


def _at_rate(clip: vs.VideoNode, rate: Fraction) -> Places:
    """The places of a clip at a constant ``rate``."""
    if clip.fps:
        return Multiplied(clip.num_frames, rate / clip.fps, rate)
    clock, length = _clock(clip, "give factor_num, which divides each frame's own duration")
    return Timed(clock, rate, length)


def _clock(clip: vs.VideoNode, instead: str) -> tuple[Clock, Fraction]:
    """When the frames of a clip are shown, and its length in seconds. One without a constant rate is read once, to its end."""
    if clip.fps:
        return Steady(clip.num_frames, clip.fps), clip.num_frames / clip.fps
    if clip.num_frames > ENDLESS:
        raise InputError(f"the clip has neither a frame rate nor a known end: {instead}")
    durations = []
    for index, frame in enumerate(clip.frames(close=True)):
        duration = duration_of(frame)
        if duration is None:
            raise InputError(f"frame {index} has no duration, and the clip no frame rate: {instead}")
        durations.append(duration)
    clock = Uneven(tuple(durations))
    return clock, clock.length


def _curve(
    speed: float | str | Fraction | None,
    curve: str | Path | Mapping[str, Any] | None,
    length: Fraction,
    seconds: Fraction | None,
) -> TimeCurve:
    """The curve that the arguments of `retime` mean, for a clip of ``length`` seconds."""
    if curve is None:
        text = speed if isinstance(speed, str) else str(_number(speed, "speed"))
        return parse(text, "speed")
    if isinstance(curve, Mapping):
        return of_json(json.dumps(curve, default=str), length, seconds)
    if isinstance(curve, str) and curve.lstrip().startswith("{"):
        return of_json(curve, length, seconds)
    try:
        with Path(curve).open("rb") as file:
            data = file.read(CURVE + 1)
        if len(data) > CURVE:
            raise InputError(f"{curve} has more than {CURVE} bytes: it is no curve")
        return of_json(data.decode(), length, seconds)
    except (OSError, TypeError, UnicodeDecodeError) as error:
        raise InputError(f"the curve {quoted(curve)} cannot be read as a text file: {error}") from error


def _asked(
    model: str | None, quality: str | None, tta: str | None, drawing: str | None, device: str | None, device_index: int
) -> Asked:
    """The options of the model. A name such as vs-rife's 4.25 or 4.25.lite is that of RIFE."""
    given = {"model": model, "quality": quality, "tta": tta, "drawing": drawing, "device": device}
    for name, value in given.items():
        if value is not None and not isinstance(value, str):
            raise InputError(f"{name} is {quoted(value)}: it must be a text")
    if type(device_index) is not int or device_index < 0:
        raise InputError(f"device_index is {quoted(device_index)}: it must be a whole number from 0 up")
    if model is not None and (version := re.fullmatch(r"(\d{1,2}\.\d{1,2})(?:\.([a-z]{1,9}))?", model)):
        model = "-".join(["rife", *filter(None, version.groups())])
    if device_index and device in (None, "auto", "cuda"):
        device = f"cuda:{device_index}"
    return Asked(**{name: value for name, value in (given | {"model": model, "device": device}).items() if value})


def _graph(
    clip: vs.VideoNode,
    places: Places,
    asked: Asked,
    sc: bool,
    threshold: float | None,
    duplicates: Duplicates,
    batch: int,
    worker: Where,
    *,
    keeps_time: bool,
) -> vs.VideoNode:
    """The clip at ``places``, from arguments that are checked here."""
    if threshold is not None and not (type(threshold) in (int, float) and 0 <= threshold <= 1):
        raise InputError(f"sc_threshold is {quoted(threshold)}: it must be a number from 0 to 1")
    if duplicates not in ("ignore", "spread"):
        raise InputError(f"duplicates is {quoted(duplicates)}: it must be ignore or spread")
    if type(batch) is not int or not 1 <= batch <= BATCHES:
        raise InputError(f"batch is {quoted(batch)}: it must be a whole number from 1 to {BATCHES}")
    if places.rate and max(places.rate.as_integer_ratio()) >= 2**63:
        raise InputError(f"the output has {places.rate} frames per second: VapourSynth takes whole numbers below 2**63")
    made_by = maker(asked, worker)
    if made_by.window not in WINDOWS:
        raise InputError(f"{asked.model} sees {made_by.window} frames at once: only models of 2 or 4 can be used here")
    spread = duplicates == "spread"
    if spread and made_by.window > 2:
        raise InputError(f"{asked.model} sees {made_by.window} frames at once: duplicates='spread' needs a model of 2")
    marking = Marking(bool(sc), float(threshold or 0), spread)
    return Graph(clip, places, made_by, marking, batch=batch, keeps_time=keeps_time).clip()
