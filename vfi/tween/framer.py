"""Framer: draws the frames between two keyframes from noise and moves points along given tracks.

Wang et al., "Framer: Interactive Frame Interpolation", ICLR 2025. Owns the conditioning on keyframes, tracks and clip, and the
run from noise to frames. The caller supplies the coders between pictures, latents and tokens (`keyframes.Coders`). Knows
nothing of files or devices: it works where its networks are.

The published weights were trained on 14 frames of 512x320; at other sizes and lengths they work only by luck.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ..core import InputError
from ..motion import match
from ..tracks import Tracks
from ..tracks.heatmap import heatmaps
from . import edm, keyframes
from .edm import Each, GuidanceCurve
from .keyframes import Coders
from .refresh import Refresh
from .svd import Control, ControlNet, Sizes, UNet

SEEN = 2
"""The decoder level whose features are used to locate points."""

FRAMES, SIZE = 14, (512, 320)
"""The training format of the published weights: frames, and (width, height)."""

AUTOPILOT = 0.5
"""Control strength that the authors' program uses for tracks found by `autopilot`."""


@dataclass(frozen=True)
class Drawing(keyframes.SvdDrawing):
    """Settings of Framer's drawing; the settings that methods share are in `keyframes.SvdDrawing`. Raises `InputError`.

    ``curve``: how the guidance scale varies over the frames, within ``guidance`` (`edm.guidance`).

    ``strength``, 0 to 2: how strongly the tracks steer, during the steps whose share of all lies in ``during`` (end excluded).
    ``refine``: after each step, locate the points in the features and bend the tracks to where both keyframes find them. The
    paper does so; the authors' program draws its maps only once beforehand, so refining has no effect there. The benefit has
    not been measured.
    """

    motion: float = 100
    curve: GuidanceCurve = "linear"
    strength: float = 1.0
    during: tuple[float, float] = (0.0, 1.0)
    refine: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.curve not in ("linear", "triangle"):
            raise InputError(f"curve {self.curve!r} was asked for: it must be linear or triangle")
        if not 0 <= self.strength <= 2:
            raise InputError(f"strength {self.strength:g} was asked for: it must be between 0 and 2")
        if not 0 <= self.during[0] <= self.during[1] <= 1:
            raise InputError(f"steering during {self.during} was asked for: two shares from 0 to 1, in order, are needed")

    def controlled(self, step: int) -> bool:
        """Whether the tracks steer in this step."""
        start, end = self.during
        return self.strength > 0 and start <= step / self.steps < end


def condition(ends: Tensor, frames: int, token: Tensor) -> Tensor:
    """Keyframe conditioning, concatenated to the noisy latents, [F,5,h,w].

    ``ends`` [2,4,h,w]: the keyframes' latents, or zeros for the unconditional pass; ``token`` (`UNet.mask_token`) stands for
    the latents of the frames between. The fifth channel is 1 for unknown frames.
    """
    between = token.to(ends).reshape(1, -1, 1, 1).expand(frames - 2, -1, *ends.shape[-2:])
    unknown = ends.new_ones(frames, 1, *ends.shape[-2:])
    unknown[0] = unknown[-1] = 0
    return torch.cat((torch.cat((ends[:1], between, ends[1:])), unknown), dim=1)


def maps(tracks: Tracks) -> Tensor:
    """Track heatmaps as the ControlNet takes them: [F,3,H,W] float, 0..255."""
    return heatmaps(tracks)[:, None].expand(-1, 3, -1, -1).float()


def autopilot(first: Tensor, last: Tensor, frames: int = FRAMES, count: int = 5, matcher: match.Matcher = match.sift) -> Tracks:
    """Tracks of up to ``count`` points matched between two pictures [3,H,W] 0..1, the most certain first.

    Points must move consistently with others and lie apart. Use them at a strength of `AUTOPILOT`. Raises `InputError`.
    """
    return matcher(first, last).consistent().spread(count).tracks(frames)


def check(unet: Sizes, controlnet: Sizes | None = None) -> None:
    """Check that these are Framer's networks and fit each other. Raises `InputError`."""
    if not unet.token or unet.inputs != 2 * (unet.outputs or 0) + 1:
        raise InputError(
            f"this UNet takes {unet.inputs} channels and {'has' if unet.token else 'lacks'} a token for the frames between: "
            "Framer's takes 9 and has one"
        )
    if controlnet is not None and (controlnet.inputs, controlnet.across) != (unet.inputs, unet.across):
        raise InputError("this ControlNet was not made for this UNet: their channels must match")


class Framer:
    """Draws the frames between two keyframes with a ``unet``, along tracks if there is a ``controlnet``.

    Raises `InputError` for any other networks.
    """

    def __init__(self, unet: UNet, coders: Coders, controlnet: ControlNet | None = None) -> None:
        check(unet.sizes, None if controlnet is None else controlnet.sizes)
        self.unet, self.coders, self.controlnet = unet, coders, controlnet

    @torch.no_grad()
    def __call__(
        self,
        first: Tensor,
        last: Tensor,
        tracks: Tracks | None = None,
        drawing: Drawing | None = None,
        *,
        frames: int = FRAMES,
        each: Each | None = None,
    ) -> Tensor:
        """The clip from ``first`` to ``last`` [3,H,W] 0..1, both among its ``frames``: [F,3,H,W] 0..1.

        ``tracks`` are resampled to that size and number of frames. ``each`` is called after each step and may raise to abort.
        Raises `InputError`.
        """
        drawing = drawing or Drawing()
        keyframes.check(first, last, frames)
        if tracks is not None and tracks.count and self.controlnet is None:
            raise InputError(f"{tracks.count} tracks were given, and no ControlNet: tracks need one")
        like = next(self.unet.conv_in.parameters())
        draw = edm.noise_of(drawing.seed)
        ends, tokens = keyframes.condition_on(
            self.coders, first, last, drawing.augmentation, keyframes.noise(drawing.seed), like
        )
        noise = draw((1, frames, *ends.shape[1:])).to(like.device)
        if tracks is not None and tracks.count:
            tracks = tracks.scaled((first.shape[2], first.shape[1])).resampled(frames)
        run = Run(self.unet, self.controlnet, ends, tokens, tracks, drawing, frames)
        latents = edm.euler(run.predict, noise, drawing.steps, each)
        return keyframes.decode_frames(self.coders, latents[0], like)

    @torch.no_grad()
    def redraw(
        self, clip: Tensor, mask: Tensor, drawing: Drawing | None = None, *, share: float = 1.0, each: Each | None = None
    ) -> Tensor:
        """Redraw a ``clip`` [F,3,H,W] 0..1 where ``mask`` [F,H/8,W/8] is 1, between its first and last frames.

        The whole clip passes through the autoencoder, which also alters the parts that are not redrawn. ``share``: see
        `edm.Known`. ``each``: as in `__call__`. Raises `InputError`.
        """
        drawing = drawing or Drawing()
        first, last = clip[0], clip[-1]
        keyframes.check(first, last, len(clip))
        like = next(self.unet.conv_in.parameters())
        ends, tokens = keyframes.condition_on(
            self.coders, first, last, drawing.augmentation, keyframes.noise(drawing.seed), like
        )
        latents = self.coders.encode(clip.to(like)).to(like)[None] * keyframes.SCALE
        noise = edm.noise_of(drawing.seed)(latents.shape).to(latents)
        run = Run(self.unet, None, ends, tokens, None, drawing, len(clip))
        known = edm.Known(latents, mask.to(latents)[None, :, None], share)
        made = edm.euler(run.predict, noise, drawing.steps, each, known=known)
        return keyframes.decode_frames(self.coders, made[0], like)


class Run:
    """One run from noise to latents: the conditioning shared by all steps, and the current tracks.

    ``ends`` [2,4,h,w]: latents of the keyframes; ``tokens`` [2,C]: their CLIP embeddings; ``tracks`` have the working size and
    number of ``frames``.
    """

    def __init__(
        self,
        unet: UNet,
        controlnet: ControlNet | None,
        ends: Tensor,
        tokens: Tensor,
        tracks: Tracks | None,
        drawing: Drawing,
        frames: int,
    ) -> None:
        assert unet.mask_token is not None
        self.unet, self.controlnet, self.drawing = unet, controlnet, drawing
        self.tracks = tracks if tracks is not None and tracks.count else None
        self.condition = torch.stack([condition(row, frames, unet.mask_token) for row in keyframes.paired(ends)])
        self.context = keyframes.paired(tokens)
        self.ids = drawing.ids().to(ends.device).expand(2, -1)
        self.guidance = edm.guidance(frames, drawing.guidance, drawing.curve).to(ends.device)
        self.refresh = Refresh(self.tracks) if drawing.refine and self.tracks is not None else None
        self.step = 0
        self.hints = self._hints()

    def predict(self, latents: Tensor, sigma: float) -> Tensor:
        """v for latents [1,F,4,h,w]: an `edm.Predict` that counts the steps."""
        noisy = edm.scaled(latents, sigma).to(self.condition).expand(2, -1, -1, -1, -1)
        time = torch.tensor(edm.level(sigma), device=noisy.device)
        told = (torch.cat((noisy, self.condition), dim=2), time, self.context, self.ids)
        seen: list[Tensor] = []
        watch = None if self.refresh is None else lambda level, x: seen.append(x) if level == SEEN else None
        rows = self.unet(*told, self._control(*told), watch)
        if self.refresh is not None:
            features = edm.guided(seen[0].unflatten(0, (2, -1)), self.guidance)[0]
            self.tracks = self.refresh(features)
            self.hints = self._hints()
        self.step += 1
        return edm.guided(rows.to(latents), self.guidance)

    def _control(self, latents: Tensor, time: Tensor, context: Tensor, ids: Tensor) -> Control | None:
        if self.hints is None or self.controlnet is None or not self.drawing.controlled(self.step):
            return None
        return self.controlnet(latents, time, context, ids, self.hints).scaled(self.drawing.strength)

    def _hints(self) -> Tensor | None:
        if self.tracks is None or self.controlnet is None:
            return None
        return self.controlnet.hints(maps(self.tracks).to(self.condition))
