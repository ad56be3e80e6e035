"""A device on the bench: whether it computes what a CPU computes, how fast frames are made on it, and what memory that takes.

Yields records, plain dictionaries of seconds, bytes and differences. Knows nothing of files, of tables or of which models there
are.
"""

from __future__ import annotations

import copy
import platform
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import count
from statistics import median
from typing import Any, TypeAlias

import torch
from torch import Tensor, nn

from ..core import Frame, InputError, Interpolator, Prepares
from ..model import devices, wrappers
from ..model.load import Part
from ..model.tiles import of_memory
from ..ops import kinds
from ..pixels.uint8 import codes, like
from ..timing.grids import Subdivide

Record = dict[str, Any]

Loop: TypeAlias = Callable[..., Iterator[Frame]]
"""Makes frames of frames: `render.run.run`, which lies on the same floor of the house."""

CLOSE = 2e-3
"""The largest difference of a colour in float32 between a device and the CPU: sums are rounded in another order."""

MOST = 20
"""Repetitions of a step that suffice."""

PICTURES = 4
"""Source frames in memory; a clip repeats them."""

RATE = Fraction(24)


@dataclass(frozen=True)
class Case:
    """Frames of ``width`` x ``height``, multiplied by ``times``; ``bytes``: as uint8, like a video's, not as float32."""

    width: int
    height: int
    times: int
    bytes: bool = False

    def __str__(self) -> str:
        return f"{self.width}x{self.height} x{self.times}, {'uint8' if self.bytes else 'float32'}"


def machine(device: torch.device) -> Record:
    """What the device and the software on it are called."""
    return {
        "device": str(device),
        "name": devices.name_of(device),
        "memory": devices.memory_of(device),
        "system": platform.platform(),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "cuda": torch.version.cuda,
        "hip": torch.version.hip,
        "cudnn": torch.backends.cudnn.version() if torch.backends.cudnn.is_available() else None,
        "threads": torch.get_num_threads(),
    }


# --- the same numbers ---------------------------------------------------------------------------------------------------------


def agreement(name: str, network: Interpolator, device: torch.device, dtypes: Sequence[torch.dtype]) -> Iterator[Record]:
    """How far frames made on ``device``, in each of ``dtypes``, are from those of the CPU in float32.

    Neither TF32 nor another short cut is allowed meanwhile.
    """
    side = max(network.spec.multiple, network.spec.min_size, 64)
    window = moving(network.spec.window, side - 3, side - 7)[None]
    t = torch.tensor([0.25, 0.5] if network.spec.any_t else [0.5])
    true = Part(network).ready()(window, t)
    for dtype in dtypes:
        if dtype != torch.float32 and not network.spec.half:
            continue
        record: Record = {"model": name, "dtype": short(dtype)}
        other = copy.deepcopy(network) if isinstance(network, nn.Module) else network
        try:
            with exact_products():
                made = Part(other, device, dtype).ready()(window, t)
        except (RuntimeError, NotImplementedError, TypeError, InputError) as error:
            yield {**record, "error": f"{type(error).__name__}: {error}"[:400]}
            continue
        apart = (made - true).abs()
        most, square = float(apart.max()), float(apart.double().square().mean())
        yield {**record, "most": most, "square": square, "same": most <= CLOSE if dtype == torch.float32 else None}


class exact_products:
    """Within, float32 is multiplied as float32: cuDNN and cuBLAS may not round to TF32."""

    def __enter__(self) -> None:
        self.before = torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32
        torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False

    def __exit__(self, *_: object) -> None:
        torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32 = self.before


# --- speed --------------------------------------------------------------------------------------------------------------------


def speed(
    name: str, network: Interpolator, device: torch.device, dtype: torch.dtype, case: Case, loop: Loop, *, seconds: float = 2.0
) -> Record:
    """New frames per second of ``case`` for about ``seconds``, from host memory to host memory by ``loop``;
    the steps; the memory.

    ``network`` is moved to the device.
    """
    record: Record = {"model": name, "dtype": short(dtype), **vars(case)}
    try:
        model = Part(network, device, dtype).ready()
        pictures = moving(max(PICTURES, network.spec.window), case.height, case.width)
        pictures = codes(pictures) if case.bytes else pictures
        devices.forget_peak(device)
        before = devices.peak(device)
        record |= looped(loop, model, pictures, case, device, seconds)
        peak = devices.peak(device)
        record |= {
            "peak": None if peak is None or before is None else peak - before,
            "promised": batch_of(case, device) * network.spec.memory(case.height, case.width, dtype.itemsize),
        }
        record |= stepped(model, pictures, device, seconds / 4)
    except (RuntimeError, NotImplementedError, TypeError, InputError) as error:
        if isinstance(error, RuntimeError) and of_memory(error):
            devices.free(device)
        record["error"] = f"{type(error).__name__}: {error}"[:400]
    return record


def batch_of(case: Case, device: torch.device) -> int:
    """Timesteps of a pair that are made at once."""
    return min(kinds.batch(device), case.times - 1)


def looped(loop: Loop, model: Interpolator, pictures: Tensor, case: Case, device: torch.device, seconds: float) -> Record:
    """The streaming loop, for about ``seconds`` after two pairs that warm it up.

    Gives milliseconds per new frame, of the clock and of the CPU, and how often it waits for the device.
    """
    frames = loop(endless(pictures), model, Subdivide(case.times), batch=batch_of(case, device))
    some = 2 * case.times + 1
    for _ in range(some):
        next(frames)
    devices.synchronize(device)
    began, cpu, made, waits = time.perf_counter(), time.process_time(), 0, Waits(device)
    with waits:
        while time.perf_counter() - began < seconds or not made:
            made += sum(next(frames).made for _ in range(case.times))
    devices.synchronize(device)
    took, worked = time.perf_counter() - began, time.process_time() - cpu
    frames.close()  # type: ignore[attr-defined]
    return {
        "new": made,
        "ms": 1000 * took / made,
        "cpu ms": 1000 * worked / made,
        "fps": made / took,
        "waits": None if waits.count is None else waits.count / made,
    }


class Waits:
    """Counts how often the CPU waits for the device, as torch's sync debug mode sees it; None where it sees nothing."""

    def __init__(self, device: torch.device) -> None:
        self.count: int | None = 0 if device.type == "cuda" else None
        self._seen = warnings.catch_warnings(record=True)

    def __enter__(self) -> None:
        if self.count is not None:
            self._list: Any = self._seen.__enter__()
            warnings.simplefilter("always")
            torch.cuda.set_sync_debug_mode("warn")

    def __exit__(self, *error: Any) -> None:
        if self.count is not None:
            torch.cuda.set_sync_debug_mode("default")
            self.count = sum("synchroniz" in str(one.message) for one in self._list)
            self._seen.__exit__(*error)


def stepped(model: Interpolator, pictures: Tensor, device: torch.device, seconds: float) -> Record:
    """Milliseconds of each step of one new frame, by itself: the median over about ``seconds`` each."""
    home = pictures[0]
    place = wrappers.device_of(model) or device

    def uploaded() -> list[Tensor]:
        some = [wrappers.placed(picture, place)[None] for picture in pictures[: model.spec.window]]
        return [rgb.float().div_(255) if rgb.dtype == torch.uint8 else rgb for rgb in some]

    def encoded() -> list[Any]:
        return [wrappers.encode(model, rgb) for rgb in frames]

    def made() -> Tensor:
        return wrappers.at(model, wrappers.prepare(model, features, frames), t)

    frames, features, t = uploaded(), [], torch.full((1,), 0.5, device=place)
    features = encoded()
    picture = made()
    steps: dict[str, Callable[[], Any]] = {
        "copy in": lambda: uploaded()[0],
        "network": lambda: (encoded()[:1] if isinstance(model, Prepares) else None, made()),
        "copy out": lambda: like(home, picture),
    }
    return {f"{name} ms": 1000 * median(timed(step, device, seconds)) for name, step in steps.items()}


def timed(step: Callable[[], Any], device: torch.device, seconds: float) -> Iterator[float]:
    started = time.perf_counter()
    done = 0
    while not done or (done < MOST and time.perf_counter() - started < seconds):
        done += 1
        devices.synchronize(device)
        began = time.perf_counter()
        step()
        devices.synchronize(device)
        yield time.perf_counter() - began


# --- pictures -----------------------------------------------------------------------------------------------------------------


def moving(frames: int, height: int, width: int) -> Tensor:
    """[N,3,H,W], 0..1: soft spots that move by a few pixels per frame, the same on every machine."""
    stream = torch.Generator().manual_seed(0)
    coarse = torch.rand(1, 3, height // 16 + 4, width // 16 + 4, generator=stream)
    field = nn.functional.interpolate(coarse, scale_factor=16, mode="bicubic")[0].clamp(0, 1)
    return torch.stack([field[:, k : k + height, 2 * k : 2 * k + width] for k in range(frames)])


def endless(pictures: Tensor) -> Iterator[Frame]:
    """Frames of ``pictures`` again and again."""
    for index in count():
        yield Frame(pictures[index % len(pictures)], index / RATE, 1 / RATE)


def short(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")
