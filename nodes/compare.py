"""The node that compares two clips, and the pictures and numbers that its view in the browser shows."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import cv2
import folder_paths
import torch
import torch.nn.functional as F
from comfy_api.v0_0_2 import Input, io
from torch import Tensor

from ..vfi.clips.clip import Reader
from ..vfi.core import InputError
from ..vfi.edit.compare import Numbers, Report, Step, described, differences, fitted, measured, size_of, slack_of, together
from ..vfi.parse import exact
from ..vfi.pixels.uint8 import codes, floats
from ..vfi.timing.grids import exact_rate
from . import bridge, inputs, servers
from .node import Node
from .video import Clip

CATEGORY = "Inbetween/quality"
MEASURES = ("PSNR", "PSNR and SSIM")

FOLDER = "inbetween"
"""Of the pictures, in ComfyUI's temporary folder."""

ROOM = 512_000_000
"""The most bytes of pictures that one run writes."""


class Compare(Node):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="InbetweenCompare",
            display_name="Compare",
            category=CATEGORY,
            description="Shows two clips over each other, frame by frame or playing: with a divider, as their difference, in "
            "turn, or side by side. Measures how far they differ. Clips of different rates are compared by time.",
            search_aliases=[
                "compare",
                "difference",
                "wipe",
                "a/b",
                "before after",
                "image comparer",
                "video compare",
                "psnr",
                "ssim",
            ],
            is_output_node=True,
            inputs=[
                *(
                    io.MultiType.Input(
                        name,
                        [io.Image, io.Video],
                        tooltip=f"The {which} clip: a batch of images or a video, which is read frame by frame.",
                    )
                    for name, which in (("a", "first"), ("b", "second"))
                ),
                inputs.rate_input("a_fps", 24.0, "Frames per second of a, if it is a batch. A video has its own."),
                inputs.rate_input("b_fps", 0.0, "Frames per second of b, if it is a batch. 0: as a.", least=0.0),
                io.Combo.Input(
                    "measure",
                    options=list(MEASURES),
                    default=MEASURES[0],
                    tooltip="Measured for every step, at full size. SSIM takes most of the time.",
                ),
                io.Float.Input(
                    "start",
                    default=0.0,
                    min=0.0,
                    max=100000.0,
                    step=0.01,
                    tooltip="Where the part that is shown begins, in seconds. All of both clips is measured.",
                ),
                io.Int.Input(
                    "steps",
                    default=60,
                    min=1,
                    max=1000,
                    tooltip="The most steps that are shown and returned as difference.",
                ),
                io.Int.Input(
                    "longest_side",
                    display_name="longest side",
                    default=1024,
                    min=64,
                    max=8192,
                    optional=True,
                    advanced=True,
                    tooltip="Pictures that are shown, and the difference, are reduced to this many pixels on the longer side.",
                ),
                io.Float.Input(
                    "amplify",
                    default=1.0,
                    min=0.1,
                    max=256.0,
                    step=0.1,
                    optional=True,
                    advanced=True,
                    tooltip="Factor of the difference output; the view has its own.",
                ),
            ],
            outputs=[
                io.Image.Output("difference", tooltip="The absolute difference of the colours, one picture per step shown."),
                io.String.Output("report", tooltip="The numbers, the steps that differ most, and how the two clips differ."),
            ],
        )

    @classmethod
    def execute(
        cls,
        a: Any,
        b: Any,
        a_fps: float,
        b_fps: float,
        measure: str,
        start: float,
        steps: int,
        longest_side: int = 1024,
        amplify: float = 1.0,
    ) -> io.NodeOutput:
        clips = clip_of("a", a, a_fps), clip_of("b", b, b_fps or a_fps)
        infos = clips[0].info, clips[1].info
        size = size_of(*infos)
        shown = Shown(exact(start).limit_denominator(10**6), steps, longest_side)
        counts = [info.frames for info in infos if info.frames is not None]
        expected = min(steps, sum(counts)) if len(counts) == 2 else steps
        shape = (expected, *reduced(size, longest_side), 3)
        bridge.room(expected, shape[1:])
        report, difference = Report(), torch.empty(shape)
        for step in bridge.watched(together(*clips, slack_of(*infos)), max(counts, default=0)):
            one, other = (fitted(frame.rgb.cpu(), size) for frame in (step.a, step.b))
            numbers = measured(one, other, measure == MEASURES[1])
            if shown.takes(step):
                apart = smaller((one - other).abs(), longest_side) * amplify
                difference[len(shown.steps)] = apart.clamp_(0, 1).movedim(0, -1)
                shown.add(report.steps, step, numbers)
            report.add(step, one, other, numbers)
        if not shown.steps:
            raise InputError(f"start is {start:g} s: the clips are compared for {float(report.end):.3f} s, give less than that")
        read = [f"{name}: {servers.told(note)}" for name, clip in zip("ab", clips, strict=True) for note in clip.notes]
        notes = [*differences(*infos, report.end), *read, *shown.notes(report.steps, size)]
        text = "\n".join([*map(described, ("a", "b"), infos), *report.lines(), *notes])
        told = {
            "folder": FOLDER,
            "steps": shown.steps,
            "first": shown.first,
            "of": report.steps,
            "notes": notes,
            "report": text,
        }
        return io.NodeOutput(difference[: len(shown.steps)], text, ui={"inbetween_compare": [told]})


def clip_of(name: str, given: Any, fps: float) -> Reader:
    """The clip of an IMAGE or a VIDEO."""
    if isinstance(given, Tensor):
        return bridge.clip_of(given, exact_rate(fps))
    if isinstance(given, Input.Video):
        return Clip.of(given).reader
    raise InputError(f"{name} is of type {type(given).__name__}: an IMAGE or a VIDEO is needed")


def reduced(size: tuple[int, int], side: int) -> tuple[int, int]:
    """A height and width, in proportion, with no side above ``side``."""
    longest = max(size)
    return size if longest <= side else (max(1, round(size[0] * side / longest)), max(1, round(size[1] * side / longest)))


def smaller(rgb: Tensor, side: int) -> Tensor:
    """A picture [3,H,W], averaged down until no side is above ``side``."""
    size = reduced((rgb.shape[1], rgb.shape[2]), side)
    return rgb if rgb.shape[1:] == size else F.interpolate(rgb[None], size, mode="area")[0]


@dataclass
class Shown:
    """The part of a comparison that the browser shows: ``most`` steps from ``start`` on, as files.

    Pictures are PNG files, since a lossy format would add differences of its own. A frame that is shown several times is one
    file, and so are two equal ones.
    """

    start: Fraction
    most: int
    side: int
    first: int = 0
    steps: list[dict[str, Any]] = field(default_factory=list)
    _names: dict[tuple[str, int], str] = field(default_factory=dict)
    _bytes: int = 0
    _token: str = field(default_factory=lambda: secrets.token_hex(8))

    @property
    def full(self) -> bool:
        return self._bytes >= ROOM

    def takes(self, step: Step) -> bool:
        """Whether a step belongs to the part."""
        begun = step.time >= self.start or step.time + step.duration > self.start
        return begun and len(self.steps) < self.most and not self.full

    def add(self, index: int, step: Step, numbers: Numbers) -> None:
        """Write the frames of step ``index``, as far as they are not yet there."""
        if not self.steps:
            self.first = index
        a = self._file("a", step.numbers[0], step.a.rgb)
        if numbers.equal and step.a.rgb.shape == step.b.rgb.shape:
            self._names["b", step.numbers[1]] = a
        self.steps.append(
            {
                "files": [a, self._file("b", step.numbers[1], step.b.rgb)],
                "numbers": list(step.numbers),
                "time": float(step.time),
                "duration": float(step.duration),
                "psnr": None if numbers.equal else numbers.psnr,
                "error": numbers.error,
                "ssim": numbers.ssim,
            }
        )

    def notes(self, steps: int, size: tuple[int, int]) -> list[str]:
        """What of ``steps`` steps at ``size`` is not shown, or not as it is; a sentence each."""
        notes = []
        if len(self.steps) < steps:
            last = self.first + len(self.steps) - 1
            why = f", since one run writes at most {ROOM // 10**6} MB of pictures" if self.full else ""
            notes.append(f"Shown are steps {self.first} to {last} of {steps}{why}; all are measured.")
        height, width = reduced(size, self.side)
        if (height, width) != size:
            notes.append(f"Shown at {width}x{height} of {size[1]}x{size[0]}; measured at full size.")
        return notes

    def _file(self, clip: str, number: int, rgb: Tensor) -> str:
        """The name of a frame's picture."""
        known = self._names.get((clip, number))
        if known is not None:
            return known
        name = f"{self._token}_{clip}{number:06}.png"
        picture = codes(smaller(floats(rgb.cpu()), self.side)).movedim(0, -1)
        done, png = cv2.imencode(".png", picture.flip(-1).contiguous().numpy(), [cv2.IMWRITE_PNG_COMPRESSION, 1])
        if not done:
            raise RuntimeError(f"a picture of shape {list(picture.shape)} could not be encoded")
        folder = Path(folder_paths.get_temp_directory()) / FOLDER
        folder.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(png.tobytes())
        self._bytes += len(png)
        self._names[clip, number] = name
        return name
