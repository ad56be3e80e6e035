"""Devices: the one that a name means, and what can be asked of it.

Knows nothing of models or options; `ops.kinds` says what a kind of device can do.
"""

from __future__ import annotations

import logging
import platform
import shutil
import subprocess
from pathlib import Path
from types import ModuleType

import torch

from ..core import InputError
from ..ops.kinds import kind

log = logging.getLogger(__name__)

NVIDIA = Path("/proc/driver/nvidia/version")
"""Where Linux tells the version of NVIDIA's driver."""


def device_of(text: str) -> torch.device:
    """The device of this name; auto is the fastest available. Raises `InputError` if there is none."""
    if text == "auto":
        there = (("cuda", torch.cuda), ("xpu", torch.xpu), ("mps", torch.backends.mps))
        text = next((name for name, module in there if module.is_available()), "cpu")
    try:
        device = torch.empty(0, device=text).device
        if device.type == "meta":
            raise RuntimeError("it computes nothing")
        return device
    except (RuntimeError, AssertionError) as error:
        raise InputError(f"there is no device {text!r} here: give auto, cpu, cuda, xpu or mps") from error


# --- questions to a device ----------------------------------------------------------------------------------------------------


def _module(device: torch.device) -> ModuleType | None:
    """torch's module for a kind of device; None for the CPU and for kinds that have none."""
    return None if device.type == "cpu" else getattr(torch, device.type, None)


def name_of(device: torch.device) -> str:
    """What its maker calls it."""
    module = _module(device)
    if hasattr(module, "get_device_name"):
        return str(module.get_device_name(device))  # type: ignore[union-attr]
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if device.type == "cpu" and info.exists() else []
    return next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), platform.processor())


def identity_of(device: torch.device) -> str:
    """Its name, and its generation if torch tells: a program compiled for one runs on no other."""
    module = _module(device)
    if not hasattr(module, "get_device_capability"):
        return name_of(device)
    return f"{name_of(device)} {module.get_device_capability(device)}"  # type: ignore[union-attr]


def driver_of(device: torch.device) -> str | None:
    """The version of NVIDIA's driver, as the system tells it; None on other devices, and if it does not."""
    if device.type != "cuda" or torch.version.hip:
        return None
    if NVIDIA.is_file():
        return NVIDIA.read_text().splitlines()[0].strip()
    if (program := shutil.which("nvidia-smi")) is None:
        return None
    asked = [program, "--query-gpu=driver_version", "--format=csv,noheader"]
    try:
        told = subprocess.run(asked, capture_output=True, text=True, timeout=60, check=True).stdout.split()
    except (OSError, subprocess.SubprocessError) as error:
        log.warning("nvidia-smi does not tell the version of the driver: %s", error)
        return None
    return told[0] if told else None


def memory_of(device: torch.device) -> int | None:
    """Bytes of its own memory, if torch tells."""
    module = _module(device)
    if hasattr(module, "get_device_properties"):
        return int(module.get_device_properties(device).total_memory)  # type: ignore[union-attr]
    return None


def room(device: torch.device) -> int | None:
    """Bytes of its own memory that new tensors could take, if torch tells: what is free, and what torch holds unused."""
    module = _module(device)
    if not hasattr(module, "mem_get_info") or not hasattr(module, "memory_reserved"):
        return None
    held = module.memory_reserved(device) - module.memory_allocated(device)  # type: ignore[union-attr]
    return int(module.mem_get_info(device)[0] + held)  # type: ignore[union-attr]


def synchronize(device: torch.device) -> None:
    """Wait until the device has done all that it was asked to do."""
    module = _module(device)
    if hasattr(module, "synchronize"):
        module.synchronize()  # type: ignore[union-attr]


def finish(device: torch.device) -> None:
    """Wait until the device has done what its current stream was asked to do; all of it on kinds without streams."""
    module = _module(device)
    if kind(device).streams and hasattr(module, "current_stream"):
        module.current_stream(device).synchronize()  # type: ignore[union-attr]
    else:
        synchronize(device)


def peak(device: torch.device) -> int | None:
    """The most bytes of device memory held by tensors since `forget_peak`, if torch counts them."""
    module = _module(device)
    if hasattr(module, "max_memory_allocated"):
        return int(module.max_memory_allocated(device))  # type: ignore[union-attr]
    return None


def forget_peak(device: torch.device) -> None:
    """Count the peak anew."""
    module = _module(device)
    if hasattr(module, "reset_peak_memory_stats"):
        module.reset_peak_memory_stats(device)  # type: ignore[union-attr]


def free(device: torch.device) -> None:
    """Give memory that no tensor holds back to the device."""
    module = _module(device)
    if hasattr(module, "empty_cache"):
        module.empty_cache()  # type: ignore[union-attr]
