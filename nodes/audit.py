"""The node that says of every frame of an interpolated batch how good it is likely to be, and where it is doubtful."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import torch
from comfy_api.v0_0_2 import io
from torch import Tensor

from ..vfi.core import InputError, Interpolator
from ..vfi.edit.shots import shots
from ..vfi.evidence import prior
from ..vfi.evidence.fit import fitted
from ..vfi.evidence.judge import WORSE, Verdict, judged, mask_of
from ..vfi.evidence.real import Every, between, rule_of
from ..vfi.evidence.remade import samples
from ..vfi.evidence.sheet import Gallery, Names, page
from ..vfi.evidence.summary import Summary, counted
from ..vfi.evidence.witness import OTHER, Witness, needs_other
from ..vfi.pages.drawn import drawn
from ..vfi.pixels.uint8 import floats
from ..vfi.timing.grids import exact_rate
from . import bridge, inputs
from .load import opened, usual
from .model import Following
from .node import Node
from .quality import CATEGORY

USUAL = 2
"""Every how manyth frame is real, if nothing tells."""

ADVICE = "set every to say which are"


class AuditFrames(Node):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="InbetweenAudit",
            display_name="Audit Frames",
            category=CATEGORY,
            description="Says of every made frame what PSNR to expect, which areas are doubtful and why, and which frames to "
            "look at first. Any program may have made them. Real frames are left out and made again to learn what errors the "
            "clip has.",
            search_aliases=["audit", "quality check", "confidence", "artifacts", "uncertainty", "psnr", "doubt"],
            inputs=[
                inputs.model_input("The model that frames are compared with: best the one that made them."),
                io.Image.Input("images", tooltip="The whole interpolated clip, real and made frames, in order."),
                inputs.rate_input("fps", 48.0, "Frames per second of the images, for the times in the report."),
                io.Int.Input(
                    "every",
                    default=0,
                    min=0,
                    max=256,
                    tooltip="Step from one real frame to the next, from the first frame on: 2 if every second frame is real. "
                    f"0: found by comparing with the source; without one, {USUAL}.",
                ),
                io.Int.Input(
                    "worse",
                    default=round(WORSE),
                    min=1,
                    max=255,
                    tooltip="Root mean square error, of 255, above which a cell of 8x8 pixels counts as wrong.",
                ),
                io.Image.Input(
                    "source",
                    optional=True,
                    tooltip="The real frames that the images were interpolated from. Without them, every says which of the "
                    "images are real.",
                ),
            ],
            outputs=[
                io.String.Output("report", tooltip="The result in sentences, then the frames to look at first."),
                io.Image.Output(
                    "sheet",
                    tooltip="The report as a picture: expected PSNR and doubt along the clip, and the worst frames beside maps "
                    "of their doubt.",
                ),
                io.Mask.Output(
                    "doubt",
                    tooltip="One mask per frame of the images: how likely each cell of 8x8 pixels is wrong; black for real "
                    "frames. For Repair Frames, with a threshold of 0.5.",
                ),
                io.String.Output(
                    "psnr", tooltip="Each made frame with its expected PSNR in dB and the 90 % band, one per line."
                ),
                io.String.Output(
                    "list", tooltip="The frames to look at first, worst first, such as 7, 3: a list that Select Frames accepts."
                ),
            ],
        )

    @classmethod
    def execute(
        cls,
        images: Tensor,
        fps: float,
        every: int,
        worse: int,
        source: Tensor | None = None,
        model: Any = None,
    ) -> io.NodeOutput:
        size = bridge.checked(images).shape[1:3]
        if isinstance(model, Following) and model.tracks is not None:
            raise InputError("a model that follows tracks was given: connect the same model without its guide")
        rate = exact_rate(fps)
        rule = rule_for(images, source, every)
        real = images[rule.first :: rule.step] if source is None else source
        bridge.room(len(images), (*size, 1))
        witness = witness_of(usual(model).ready(size, bridge.unbound(images, real)), size)
        clip, known = bridge.clip_of(images, rate), bridge.clip_of(real, rate / rule.step)
        learned = prior.shipped()
        fit = fitted(samples(shots(bridge.watched(known, len(real))), witness, learned.names), learned)
        summary, gallery = Summary(fit.own, worse), Gallery(clip.info, made=True)
        found = judged(between(clip, shots(bridge.heard_clip(known)), rule, witness.model.spec.window), witness, fit, worse)
        masks = torch.zeros(images.shape[:3])
        for one in bridge.watched(gallery.take(summary.take(found)), len(images) - len(real)):
            masks[one.verdict.number] = mask_of(one.doubt, *size)[0]
        names = Names("made frames", witness.model.spec.name, rule=str(rule))
        sheet = floats(torch.from_numpy(drawn(page(names, clip.info, summary, gallery))))[None]
        first = summary.first()
        report = "\n".join([f"real frames: {rule}", *summary.lines(), *map(told, first)])
        psnr = "\n".join(f"{one.number}: {one.psnr:.1f} dB, {one.low:.1f} to {one.high:.1f}" for one in summary.verdicts)
        return io.NodeOutput(report, sheet, masks, psnr, ", ".join(str(one.number) for one in first))


def rule_for(images: Tensor, source: Tensor | None, every: int) -> Every:
    """Which of ``images`` are real: ``every`` says, or comparing with the ``source``. Raises `InputError`."""
    count = len(images)
    if every == 1:
        raise InputError("every is 1, so that no frame is made: 2 or more is needed, or 0 for auto")
    if count < 3:
        raise InputError(f"{counted(count, 'frame')} given: at least 3 are needed, one made between two real ones")
    if source is None:
        rule = Every(every or USUAL)
        if count <= rule.step:
            raise InputError(f"every is {rule.step} and {count} frames were given: at least {rule.step + 1} are needed")
        return rule
    shape, other = (f"{one.shape[2]}x{one.shape[1]}" for one in (images, bridge.checked(source)))
    if shape != other:
        raise InputError(f"the images are {shape} and their source is {other}: both must have one size")
    known = len(source)
    if not 2 <= known < count:
        given = f"{count} images of {counted(known, 'source frame')} were given"
        raise InputError(f"{given}: 2 source frames or more, and more images than those, are needed")
    rule = Every(every) if every else found(images, source)
    last = rule.first + (known - 1) * rule.step
    if not last < count <= last + rule.step:
        given = f"{count} images of {known} source frames were given with {rule}"
        raise InputError(f"{given}: {last + 1} to {last + rule.step} images are needed")
    return rule


def found(images: Tensor, source: Tensor) -> Every:
    """Which of ``images`` are those of ``source``: every second to eighth. Raises `InputError`."""
    made, true = (bridge.heard(bridge.frames_of_images(one, Fraction(1))) for one in (images, source))
    rule = rule_of(made, true, timed=False, advice=ADVICE)
    assert isinstance(rule, Every)  # for without times, nothing else can be found
    return rule


def witness_of(model: Interpolator, size: tuple[int, int]) -> Witness:
    """``model`` and, if need be, the other that it is compared with, for frames of ``size``."""
    return Witness(model, opened(OTHER).ready(size) if needs_other(model) else None)


def told(one: Verdict) -> str:
    """A verdict in a line."""
    band = f"{one.psnr:.1f} dB, 90 % band {one.low:.1f} to {one.high:.1f}"
    return f"frame {one.number}, at {float(one.time):.3f} s: {band}, {100 * one.doubtful:.1f} % doubtful, {one.words}"
