"""The training objective: a network's frames for a batch, and their loss.

Handles three kinds of network: those with intermediate results (`Staged`), RIFE with the teacher of its paper, and any other
differentiable one. Knows nothing of optimisers or data.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol, runtime_checkable

from torch import Tensor

from ..archs.rife import Rife
from ..core import Encodes, Interpolator
from .losses import charbonnier, distillation, laplacian
from .samples import Sample


@runtime_checkable
class Staged(Protocol):
    """A network that also returns its intermediate results for the frame at t [B], from prepared features: see `Stages`."""

    def stages(self, prepared: Any, t: Tensor) -> Any: ...


@dataclass(frozen=True)
class Weights:
    """Weight of each loss. ``laplacian``, ``charbonnier``: of the frame against the truth; ``blend``: both again, for the blend
    before anything is added to it. ``motion``: flow of each step against a teacher's, only where the teacher's picture is
    ``better`` by more than this mean absolute difference, 0..1. ``picture``: Charbonnier difference from a teacher's picture.
    ``privileged``: the distillation of RIFE's paper, if the network has a teacher of its own, whose picture then counts as much
    as the student's.
    """

    laplacian: float = 1.0
    charbonnier: float = 0.0
    blend: float = 0.0
    motion: float = 0.0
    better: float = 0.01
    picture: float = 0.0
    privileged: float = 0.01


class Lesson(NamedTuple):
    """The result for a batch: the frames ``made`` [B,3,H,W] and the loss to minimise."""

    made: Tensor
    loss: Tensor


def learned(model: Interpolator, batch: Sample, weights: Weights) -> Lesson:
    """Run ``model`` on a batch and compute its loss."""
    window, t, truth = batch.window, batch.t, batch.truth
    if isinstance(model, Rife) and model.flownet.config.teacher:
        lesson = model.teach(window, t, truth)
        loss = _picture(lesson.student, truth, weights) + _picture(lesson.teacher, truth, weights)
        return Lesson(lesson.student, loss + weights.privileged * lesson.distillation + _taught(lesson.student, batch, weights))
    if isinstance(model, Staged) and isinstance(model, Encodes):
        frames = window.unbind(1)
        stages = model.stages(model.prepare([model.encode(rgb) for rgb in frames], frames), t)
        loss = _picture(stages.made, truth, weights) + _taught(stages.made, batch, weights)
        if weights.blend:
            loss = loss + weights.blend * _picture(stages.blend, truth, weights)
        if weights.motion:
            error = (stages.blend - truth).abs().mean(dim=1, keepdim=True)
            errors = [error] * len(stages.flows)
            loss = loss + weights.motion * distillation(stages.flows, batch.flow, errors, batch.error, weights.better)
        return Lesson(stages.made, loss)
    made = model(window, t)
    return Lesson(made, _picture(made, truth, weights) + _taught(made, batch, weights))


def _picture(made: Tensor, truth: Tensor, weights: Weights) -> Tensor:
    loss = made.new_zeros(())
    if weights.laplacian:
        loss = loss + weights.laplacian * laplacian(made, truth)
    if weights.charbonnier:
        loss = loss + weights.charbonnier * charbonnier(made, truth)
    return loss


def _taught(made: Tensor, batch: Sample, weights: Weights) -> Tensor:
    """The loss against a teacher's picture."""
    return weights.picture * charbonnier(made, batch.picture) if weights.picture else made.new_zeros(())
