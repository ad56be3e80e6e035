"""DynamiCrafter and ToonCrafter: draw the frames between two keyframes from noise, led by a text and, if given, by sketches.

Xing et al., "DynamiCrafter: Animating Open-domain Images with Video Diffusion Priors", ECCV 2024; Xing et al., "ToonCrafter:
Generative Cartoon Interpolation", ACM Transactions on Graphics 43(6), 2024. Both have the same networks but for the decoder.
Owns the conditioning on keyframes, text and sketches, and the run from noise to frames. The caller supplies the coders between
pictures, latents, tokens and text. Knows nothing of files or devices: it works where its networks are.

The published weights were trained on 16 frames of 512x320. Fewer frames are garbage, more are blurred, so there is no choice.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from ...core import InputError
from .. import edm, keyframes
from ..edm import Each
from ..keyframes import SCALE
from ..svd import Control
from . import schedule
from .autoencoder import References
from .projector import Projector
from .sketch import SketchEncoder
from .unet import Context, UNet

FRAMES, SIZE = 16, (512, 320)
"""The training format of the published weights: frames, and (width, height)."""

CELL = 64
"""Width and height are multiples of this, in pixels: the UNet halves latents three times, and each is 8 pixels wide."""

GREY = 0.5
"""The picture whose tokens stand for no picture, 0..1."""


Lines = Literal["auto", "dark on light", "light on dark"]
"""How a sketch is drawn."""


@dataclass(frozen=True)
class Coders:
    """The networks beside the UNet, the projector and the sketch encoder.

    ``encode``: pictures [B,3,H,W], 0..1, to mean latents [B,4,H/8,W/8], unscaled. ``encode_keyframes``: two pictures to the
    same, and to what the decoder looks at of them, None in DynamiCrafter. ``decode``: latents of a whole clip [F,4,H/8,W/8],
    and this, to frames [F,3,H,W], 0..1 or a little beyond. ``look``: pictures [B,3,H,W], 0..1, to all tokens [B,N,C] of CLIP's
    vision model. ``read``: a text to its tokens [1,N,C]. All take tensors on the device and in the precision of the UNet; their
    results are converted to those.
    """

    encode: Callable[[Tensor], Tensor]
    encode_keyframes: Callable[[Tensor], tuple[Tensor, References | None]]
    decode: Callable[[Tensor, References | None], Tensor]
    look: Callable[[Tensor], Tensor]
    read: Callable[[str], Tensor]


@dataclass(frozen=True)
class Drawing(keyframes.Drawing):
    """Settings of the drawing. Raises `InputError`.

    ``fps``, 5 to 30: frame rate that the network is told; lower means more motion. ``guidance``: guidance scale; ``rescale``, 0
    to 1: how far the guided prediction returns to the contrast of the unguided one. ``eta``, 0 to 1: share of fresh noise in
    each step. ``prompt`` and ``negative``: text that leads to the frames, and away from them. ``sketch``, 0 to 1: how strongly
    sketches steer.
    """

    steps: int = 50
    fps: int = 10
    guidance: float = 7.5
    rescale: float = 0.7
    eta: float = 1.0
    prompt: str = ""
    negative: str = ""
    sketch: float = 0.6

    def __post_init__(self) -> None:
        super().__post_init__()
        schedule.times(self.steps)
        if not 5 <= self.fps <= 30:
            raise InputError(f"{self.fps} frames per second were asked for: the network takes 5 to 30")
        if self.guidance < 1:
            raise InputError(f"a guidance of {self.guidance:g} was asked for: it must be 1 or more")
        for name, value in (("rescale", self.rescale), ("eta", self.eta), ("sketch", self.sketch)):
            if not 0 <= value <= 1:
                raise InputError(f"{name} {value:g} was asked for: it must be between 0 and 1")


def lines(sketch: Tensor, drawn: Lines = "auto") -> Tensor:
    """The lines of a sketch [C,H,W] 0..1 as the network takes them, light on black [H,W]; auto: most of a sketch is ground."""
    grey = sketch.mean(0)
    return 1 - grey if drawn == "dark on light" or (drawn == "auto" and float(grey.median()) > 0.5) else grey


def condition(ends: Tensor, frames: int) -> Tensor:
    """Keyframe conditioning, concatenated to the noisy latents, [F,4,h,w]: the scaled latents ``ends`` [2,4,h,w], and zeros."""
    beside = ends.new_zeros(frames, *ends.shape[1:])
    beside[0], beside[-1] = ends
    return beside


class DynamiCrafter:
    """Draws the frames between two keyframes. ``sketcher`` is needed for sketches. Raises `InputError`."""

    def __init__(self, unet: UNet, projector: Projector, coders: Coders, sketcher: SketchEncoder | None = None) -> None:
        self.unet, self.projector, self.coders, self.sketcher = unet, projector, coders, sketcher

    @property
    def frames(self) -> int:
        """Number of frames of every clip, keyframes included."""
        return self.projector.frames

    @torch.no_grad()
    def __call__(
        self,
        first: Tensor,
        last: Tensor,
        drawing: Drawing | None = None,
        *,
        sketches: Mapping[int, Tensor] | None = None,
        each: Each | None = None,
    ) -> Tensor:
        """The clip from ``first`` to ``last`` [3,H,W] 0..1, both among its frames, redrawn: [F,3,H,W] 0..1.

        The same picture twice makes a loop. ``sketches``: white lines on black [H,W] 0..1, by frame number from 0. ``each`` is
        called after each step and may raise to abort. Raises `InputError`.
        """
        drawing = drawing or Drawing()
        keyframes.check(first, last, self.frames, CELL)
        like = next(self.unet.parameters())
        pair = torch.stack((first, last)).to(like)
        run = Run(self, pair, drawing, self._hints(sketches or {}, pair))
        draw = edm.noise_of(drawing.seed)
        noise = draw((1, self.frames, *run.beside.shape[1:])).to(like.device)
        latents = schedule.ddim(run.predict, noise, drawing.steps, eta=drawing.eta, draw=draw, each=each)
        return self._decoded(latents, run.references, like)

    @torch.no_grad()
    def redraw(
        self, clip: Tensor, mask: Tensor, drawing: Drawing | None = None, *, share: float = 1.0, each: Each | None = None
    ) -> Tensor:
        """Redraw a ``clip`` [F,3,H,W] 0..1 where ``mask`` [F,H/8,W/8] is 1, between its first and last frames.

        The whole clip passes through the autoencoder, which also alters the parts that are not redrawn. ``share``: see
        `edm.Known`. ``each``: as in `__call__`. Raises `InputError`, also for another number of frames than `frames`.
        """
        drawing = drawing or Drawing()
        keyframes.check(clip[0], clip[-1], self.frames, CELL)
        if len(clip) != self.frames:
            raise InputError(f"{len(clip)} frames were given to redraw: this network draws {self.frames} at a time")
        like = next(self.unet.parameters())
        pair = clip[[0, -1]].to(like)
        run = Run(self, pair, drawing, None)
        latents = torch.cat([self.coders.encode(part) for part in clip.to(like).split(1)]).to(like.device).float()[None] * SCALE
        draw = edm.noise_of(drawing.seed)
        noise = draw(latents.shape).to(like.device)
        known = edm.Known(latents, mask.to(latents)[None, :, None], share)
        made = schedule.ddim(run.predict, noise, drawing.steps, eta=drawing.eta, draw=draw, each=each, known=known)
        return self._decoded(made, run.references, like)

    def _hints(self, sketches: Mapping[int, Tensor], pair: Tensor) -> Tensor | None:
        """The embedded sketches of all frames, black where there is none; None without sketches."""
        if not sketches:
            return None
        if self.sketcher is None:
            raise InputError(f"{len(sketches)} sketches were given, and no sketch encoder: sketches need one")
        maps = pair.new_zeros(self.frames, 1, *pair.shape[2:])
        for index, sketch in sketches.items():
            if not 0 <= index < self.frames:
                raise InputError(f"a sketch for frame {index} was given: frames are numbered 0 to {self.frames - 1}")
            if sketch.shape != pair.shape[2:]:
                raise InputError(
                    f"the sketch of frame {index} has the shape {list(sketch.shape)}: [height, width] of the keyframes, "
                    f"{list(pair.shape[2:])}, is needed"
                )
            maps[index, 0] = sketch.to(maps)
        return self.sketcher.hints(maps)

    def _decoded(self, latents: Tensor, references: References | None, like: Tensor) -> Tensor:
        return self.coders.decode((latents[0] / SCALE).to(like), references).float().clamp(0, 1)


class Run:
    """One run from noise to latents: the conditioning shared by all steps.

    ``pair`` [2,3,H,W] 0..1 are the keyframes, in the precision and on the device of the networks; ``hints`` are
    `SketchEncoder.hints`.
    """

    def __init__(self, method: DynamiCrafter, pair: Tensor, drawing: Drawing, hints: Tensor | None) -> None:
        self.unet, self.sketcher, self.drawing, self.hints = method.unet, method.sketcher, drawing, hints
        coders, frames = method.coders, method.frames
        ends, self.references = coders.encode_keyframes(pair)
        self.beside = condition(ends.to(pair) * SCALE, frames)
        pictures = torch.cat((torch.full_like(pair[:1], GREY), pair[:1]))
        texts = torch.cat([coders.read(text) for text in (drawing.negative, drawing.prompt)]).to(pair)
        self.context = Context(texts, method.projector(coders.look(pictures).to(pair)))
        self.fps = torch.full((2,), drawing.fps, device=pair.device)

    def predict(self, latents: Tensor, time: int) -> Tensor:
        """v for latents [1,F,4,h,w], guided: a `schedule.Predict`."""
        noisy = latents.to(self.beside).expand(2, -1, -1, -1, -1)
        times = torch.full((2,), time, device=noisy.device)
        inputs = torch.cat((noisy, self.beside.expand(2, -1, -1, -1, -1)), dim=2)
        rows = self.unet(inputs, times, self.context, self.fps, self._control(noisy, times)).to(latents)
        return schedule.guided(rows, self.drawing.guidance, self.drawing.rescale)

    def _control(self, noisy: Tensor, times: Tensor) -> Control | None:
        if self.sketcher is None or self.hints is None or self.drawing.sketch == 0:
            return None
        return self.sketcher(noisy, times, self.context.joined, self.hints).scaled(self.drawing.sketch)
