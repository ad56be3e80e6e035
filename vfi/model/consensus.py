"""Several models as one: the median of their frames, and where they disagree.

Models fail in different places, so the median pixel is often better than that of the best model, and disagreement shows where
to look for mistakes. Knows nothing of any particular model.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from ..core import Frame, InputError, Interpolator, Motion, Spec
from . import wrappers


class Consensus(wrappers.Wrapper):
    """The per-pixel median of the frames that several models make; with an even number of them, the mean of the middle two.

    ``models`` are ready to use: they take any size, and every t that they support. The window is the widest of theirs; each
    model sees the middle frames that it needs. Per-frame and per-window work is not repeated. Motion is that of the first
    model that estimates any, since a median would tear it apart. Raises `InputError` for fewer than two models.
    """

    def __init__(self, models: Sequence[Interpolator]) -> None:
        if len(models) < 2:
            raise InputError(f"a consensus of {len(models)} was asked for: it takes 2 models or more")
        spec = spec_of([model.spec for model in models])
        super().__init__(next(filter(wrappers.estimates_motion, models), models[0]), spec)
        self.models = tuple(models)

    def encode(self, rgb: Tensor) -> tuple[Any, ...]:
        return tuple(wrappers.encode(model, rgb) for model in self.models)

    def prepare(self, features: Sequence[tuple[Any, ...]], frames: Sequence[Tensor]) -> list[Any]:
        prepared = []
        for index, model in enumerate(self.models):
            seen = self._seen(model)
            prepared.append(wrappers.prepare(model, [feature[index] for feature in features[seen]], frames[seen]))
        return prepared

    def at(self, prepared: Sequence[Any], t: Tensor) -> Tensor:
        return self.judged(prepared, t)[0]

    def judged(self, prepared: Sequence[Any], t: Tensor) -> tuple[Tensor, Tensor]:
        """The frames [B,3,H,W] at ``t``, and the disagreement of the models about them, [B,1,H,W].

        It is twice the mean absolute deviation from the median, averaged over the colours: 0 where all models agree, 1 where
        half of them see black and half see white.
        """
        made = ordered([wrappers.at(model, inner, t) for model, inner in zip(self.models, prepared, strict=True)])
        count = len(made)
        low, high = made[: count // 2], made[-(count // 2) :]
        median = made[count // 2] if count % 2 else (low[-1] + high[0]) / 2
        spread = torch.stack([above - below for below, above in zip(low, high, strict=True)]).sum(0)
        return median, spread.mean(dim=1, keepdim=True) * 2 / count

    def motion_at(self, prepared: Sequence[Any], t: Tensor) -> Motion:
        return super().motion_at(prepared[self.models.index(self.model)], t)

    def _seen(self, model: Interpolator) -> slice:
        """The frames of the window that ``model`` sees."""
        margin = (self.spec.window - model.spec.window) // 2
        return slice(margin, self.spec.window - margin)


def spec_of(specs: Sequence[Spec]) -> Spec:
    """The `Spec` of the consensus of models with ``specs``; a single one is returned unchanged."""
    if len(specs) == 1:
        return specs[0]
    return Spec(
        "consensus of " + ", ".join(spec.name for spec in specs),
        window=max(spec.window for spec in specs),
        any_t=all(spec.any_t for spec in specs),
        time_map=all(spec.time_map for spec in specs),
        half=all(spec.half for spec in specs),
        tiles=all(spec.tiles for spec in specs),
        activations=sum(spec.activations for spec in specs),
        threads=all(spec.threads for spec in specs),
        licence=" AND ".join(sorted({spec.licence for spec in specs} - {""})),
    )


def shown_doubt(frame: Frame) -> Frame:
    """A frame that shows the doubt of ``frame`` in grey; black if it has none."""
    doubt = torch.zeros_like(frame.rgb[:1], dtype=torch.float32) if frame.doubt is None else frame.doubt
    return replace(frame, rgb=doubt.expand_as(frame.rgb), alpha=None)


def ordered(frames: Sequence[Tensor]) -> list[Tensor]:
    """Frames of the same shape, sorted pixel by pixel, lowest first.

    Swaps neighbouring frames, as bubble sort does: for so few it is several times faster than sorting them stacked.
    """
    frames = list(frames)
    for last in range(len(frames) - 1, 0, -1):
        for k in range(last):
            frames[k], frames[k + 1] = torch.minimum(frames[k], frames[k + 1]), torch.maximum(frames[k], frames[k + 1])
    return frames
