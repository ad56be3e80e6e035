"""Generative Inbetweening: two networks draw the same clip, one from each keyframe, and are fused at every step.

Wang et al., "Generative Inbetweening: Adapting Image-to-Video Models for Keyframe Interpolation", ICLR 2025; its weights are
called svd_keyframe_interpolation. One network draws forwards from the first keyframe, the other backwards from the last and
reuses the former's temporal attention, reversed in time. Owns the fusion of both. The caller supplies the coders, as in
`framer`. Knows nothing of files or devices.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor

from ..core import InputError
from . import edm, keyframes
from .edm import Each
from .keyframes import Coders
from .layers import Attend, TemporalTransformer, join, split
from .svd import UNet

FRAMES, SIZE = 25, (1024, 576)
"""The training format of the weights: frames, and (width, height)."""

TUNED = ("temporal_transformer_blocks.0.attn1.to_v", "temporal_transformer_blocks.0.attn1.to_out.0")
"""Key fragments of the parameters that differ between the two networks."""


def backward_state(
    original: Mapping[str, Tensor], tuned: Mapping[str, Tensor], base: Mapping[str, Tensor]
) -> dict[str, Tensor]:
    """Weights of the backward network: ``original`` plus what fine-tuning changed, ``tuned`` minus ``base``.

    ``tuned``: the authors' weights; ``base``: the weights they started from (the 14-frame model); ``original`` may differ (the
    25-frame model). Raises `InputError` if keys are missing.
    """
    keys = [key for key in original if any(part in key for part in TUNED)]
    missing = [key for key in keys if key not in tuned or key not in base]
    if missing or not keys:
        raise InputError(f"the tuned weights or their base lack {missing[0] if missing else 'temporal attention'}")
    return {**original, **{key: original[key] + (tuned[key] - base[key]).to(original[key]) for key in keys}}


class Looks:
    """A queue (first in, first out) of temporal attention weights, which another network applies reversed in time."""

    def __init__(self) -> None:
        self.weights: deque[Tensor] = deque()

    def note(self, queries: Tensor, keys: Tensor, values: Tensor, heads: int) -> Tensor:
        """An `Attend` that queues its weights, [B,heads,F,F]."""
        q, k, v = (split(part, heads) for part in (queries, keys, values))
        weights = torch.softmax(q @ k.transpose(2, 3) * q.shape[-1] ** -0.5, dim=-1)
        self.weights.append(weights)
        return join(weights @ v)

    def follow(self, queries: Tensor, keys: Tensor, values: Tensor, heads: int) -> Tensor:
        """An `Attend` that takes the oldest weights off the queue and applies them reversed in time."""
        return join(self.weights.popleft().flip(2, 3) @ split(values, heads))


@contextmanager
def looking(net: UNet, attention: Attend) -> Iterator[None]:
    """Inside this context, temporal self-attention in ``net`` uses ``attention``."""
    layers = [layer.attn1 for layer in net.modules() if isinstance(layer, TemporalTransformer)]
    own = [layer.attend for layer in layers]
    try:
        for layer in layers:
            layer.attend = attention
        yield
    finally:
        for layer, before in zip(layers, own, strict=True):
            layer.attend = before


@dataclass(frozen=True)
class Drawing(keyframes.SvdDrawing):
    """Settings of this method's drawing; the settings that methods share are in `keyframes.SvdDrawing`. Raises `InputError`.

    ``guidance`` rises linearly with the distance from a network's own keyframe. ``even``: both predictions weigh half
    everywhere, with the mean guidance; otherwise each weighs less the further away its keyframe is. In the first ``injected``
    share of the steps, 0 to 1, as much fresh noise as the step removed is added back and the step is repeated, ``times`` times.
    """

    steps: int = 50
    even: bool = True
    injected: float = 0.5
    times: int = 5

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 <= self.injected <= 1:
            raise InputError(f"noise injection in {self.injected:g} of the steps was asked for: it must be between 0 and 1")
        if self.times < 0:
            raise InputError(f"repeating steps {self.times} times was asked for: it must be 0 or more")


class Inbetweening:
    """Draws the frames between two keyframes with both networks. Raises `InputError` for any other networks."""

    def __init__(self, forward: UNet, backward: UNet, coders: Coders) -> None:
        for net in (forward, backward):
            if net.sizes.inputs != 2 * (net.sizes.outputs or 0):
                raise InputError(f"a UNet of {net.sizes.inputs} channels was given: Stable Video Diffusion's own takes 8")
        self.forward, self.backward, self.coders = forward, backward, coders

    @torch.no_grad()
    def __call__(
        self,
        first: Tensor,
        last: Tensor,
        drawing: Drawing | None = None,
        *,
        frames: int = FRAMES,
        each: Each | None = None,
    ) -> Tensor:
        """The clip from ``first`` to ``last`` [3,H,W] 0..1, both among its ``frames``: [F,3,H,W] 0..1.

        ``each`` is called after each step and may raise to abort. Raises `InputError`.
        """
        drawing = drawing or Drawing()
        keyframes.check(first, last, frames)
        like = next(self.forward.conv_in.parameters())
        draw = edm.noise_of(drawing.seed)
        ends, tokens = keyframes.condition_on(
            self.coders, first, last, drawing.augmentation, keyframes.noise(drawing.seed), like, shared=True
        )
        noise = draw((1, frames, *ends.shape[1:])).to(like.device)
        return keyframes.decode_frames(self.coders, self.latents(ends, tokens, noise, drawing, draw, each)[0], like)

    def latents(
        self, ends: Tensor, tokens: Tensor, noise: Tensor, drawing: Drawing, draw: edm.Draw, each: Each | None = None
    ) -> Tensor:
        """Denoise normal ``noise`` [1,F,4,h,w] into latents of that shape and unit variance.

        ``ends`` [2,4,h,w]: latents of the keyframes; ``tokens`` [2,C]: their CLIP embeddings; ``draw`` generates the noise
        for repeated steps.
        """

        def again(step: int) -> Iterator[Tensor]:
            for _ in range(drawing.times if step < int(drawing.injected * drawing.steps) else 0):
                yield draw(noise.shape).to(noise)

        return edm.euler(lambda x, sigma: self.predict(x, sigma, ends, tokens, drawing), noise, drawing.steps, each, again)

    def predict(self, latents: Tensor, sigma: float, ends: Tensor, tokens: Tensor, drawing: Drawing) -> Tensor:
        """v for latents [1,F,4,h,w], fused from both networks."""
        frames = latents.shape[1]
        low, high = drawing.guidance
        strength = torch.full((frames,), (low + high) / 2) if drawing.even else edm.guidance(frames, (low, high), "linear")
        share = torch.full((frames,), 0.5) if drawing.even else torch.linspace(1, 0, frames)
        noisy = edm.scaled(latents, sigma)
        looks = Looks()
        with looking(self.forward, looks.note):
            forward = self._rows(self.forward, noisy, sigma, ends[0], tokens[0], drawing)
        with looking(self.backward, looks.follow):
            backward = self._rows(self.backward, noisy.flip(1), sigma, ends[1], tokens[1], drawing)
        ahead, back = (edm.guided(rows.to(latents), strength) for rows in (forward, backward))
        return torch.lerp(back.flip(1), ahead, share.to(latents).reshape(1, -1, 1, 1, 1))

    def _rows(self, net: UNet, noisy: Tensor, sigma: float, end: Tensor, token: Tensor, drawing: Drawing) -> Tensor:
        """Predictions of ``net`` without its keyframe and with it, [2,F,4,h,w]."""
        told = keyframes.paired(end)[:, None].expand(-1, noisy.shape[1], -1, -1, -1)
        context, ids = keyframes.paired(token)[:, None], drawing.ids().to(end.device).expand(2, -1)
        time = torch.tensor(edm.level(sigma), device=end.device)
        return net(torch.cat((noisy.to(end).expand(2, -1, -1, -1, -1), told), dim=2), time, context, ids)
