"""The autoencoders of DynamiCrafter, for single pictures, and of ToonCrafter, whose decoder also looks at both keyframes.

Rombach et al., "High-Resolution Image Synthesis with Latent Diffusion Models", CVPR 2022; Xing et al., "ToonCrafter: Generative
Cartoon Interpolation", ACM Transactions on Graphics 43(6), 2024. Knows nothing of noise or files.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TypeAlias

import torch
from torch import Tensor, nn

from ...core import InputError
from ...ops.checks import load_weights
from ..checkpoint import DECODER, in_diffusers_form
from ..layers import Build
from ..svd import looks_like
from ..vae import EPS, Autoencoder, Refine, Sizes

CHANNELS = 4
"""Channels of the latents."""

HEADS = 8
"""Attention heads of a `Look`."""

BATCH = 1 << 19
"""Pixels that are decoded at once where frames do not depend on each other: about 1 GB in float32."""

SCORES = 1 << 29
"""Scores of attention that are computed at once: about 1 GB in bfloat16, where attention stores them at all."""

LEAST = 5
"""Minimum number of frames of which the middle ones can be decoded apart."""

References: TypeAlias = "Sequence[Tensor]"
"""What the encoder held of both keyframes, [2,C,H,W] each: after each level, the largest first; after its first convolution."""


class PictureAutoencoder(Autoencoder):
    """The autoencoder of Stable Diffusion 1 and 2, which decodes each frame by itself; pictures are 0..1.

    The encoder overflows in float16: use bfloat16 or float32.
    """

    def __init__(self, sizes: Sizes, build: Build | None = None, *, between: bool = True) -> None:
        super().__init__(sizes, build, between=between, moving=False)
        build = build or Build()
        self.post_quant_conv = build.conv(self.latent, self.latent, kernel=1) if between else nn.Identity()

    def encode_keyframes(self, pair: Tensor) -> tuple[Tensor, None]:
        """Encode keyframes [2,3,H,W], 0..1, to their mean latents [2,4,H/8,W/8]; there are no `References`."""
        return self.encode(pair), None

    def decode(self, latents: Tensor, references: References | None = None) -> Tensor:
        """Decode latents [F,4,h,w] to frames [F,3,8h,8w], 0..1 or a little beyond; a few at a time, without references."""
        check(latents)
        pixels = 64 * latents.shape[2] * latents.shape[3]
        parts = latents.split(max(1, BATCH // pixels))
        return torch.cat([(self.decoder(self.post_quant_conv(part)) + 1) / 2 for part in parts])


class Place(nn.Module):
    """Adds what both keyframes look like, [2,C,H,W], to the first and the last of [F,C,H,W], in place."""

    def __init__(self, build: Build, width: int) -> None:
        super().__init__()
        self.conv = build.conv(width, width, kernel=1)

    def forward(self, x: Tensor, seen: Tensor) -> Tensor:
        x[:: len(x) - 1] += self.conv(seen)
        return x


class Look(nn.Module):
    """[F,C,H,W] -> the same shape: all cells of all frames attend to those of both keyframes, [2,C,H,W]."""

    def __init__(self, build: Build, width: int, inner: int) -> None:
        super().__init__()
        self.attend = build.attention
        self.norm = build.group_norm(width, EPS)
        self.to_q, self.to_k, self.to_v = (build.linear(width, inner, bias=False) for _ in range(3))
        self.to_out = nn.Sequential(build.linear(inner, width))

    def forward(self, x: Tensor, seen: Tensor) -> Tensor:
        cells = self.norm(x).flatten(2).transpose(1, 2)
        known = seen.flatten(2).transpose(1, 2).flatten(0, 1)[None]
        keys, values = self.to_k(known), self.to_v(known)
        # All frames see the same cells, so their queries form one long list.
        parts = self.to_q(cells).flatten(0, 1)[None].split(max(1, SCORES // (HEADS * keys.shape[1])), dim=1)
        found = torch.cat([self.attend(part, keys, values, HEADS) for part in parts], dim=1)
        return x + self.to_out(found).reshape(cells.shape).transpose(1, 2).reshape(x.shape)


class CartoonAutoencoder(Autoencoder):
    """ToonCrafter's autoencoder, which decodes a whole clip and looks at its keyframes; pictures are 0..1.

    ``inner``: width of the attention of each level, None where there is none. The encoder overflows in float16: use bfloat16
    or float32.
    """

    def __init__(self, sizes: Sizes, inner: Sequence[int | None], build: Build | None = None) -> None:
        super().__init__(sizes, build)
        build = build or Build()
        widths = (*sizes.widths, sizes.widths[0])
        self.attn_refinement = nn.ModuleList(
            Place(build, width) if own is None else Look(build, width, own) for width, own in zip(widths, inner, strict=True)
        )

    def encode_keyframes(self, pair: Tensor) -> tuple[Tensor, References]:
        """Encode keyframes [2,3,H,W], 0..1, to their mean latents [2,4,H/8,W/8] and their `References`."""
        if len(pair) != 2:
            raise InputError(f"{len(pair)} keyframes were given: the decoder looks at two")
        held: list[Tensor] = []
        latents = self.encode(pair, held.append)
        first, *levels = held
        return latents, [*levels, first]

    def decode(self, latents: Tensor, references: References | None = None, *, merge: bool = False) -> Tensor:
        """Decode the latents of a whole clip [F,4,h,w] to its frames [F,3,8h,8w], 0..1 or a little beyond.

        ``references`` belong to the first and the last frame; without them the keyframes are not looked at. ``merge``: as
        published, take the middle frames from a second decoding, which leaves out the second frame and the last but one.
        Decoding a frame uses all others, so parts of a clip that are decoded separately differ. Raises `InputError`.
        """
        check(latents)
        refine = None if references is None else self._refinement(latents, references)
        frames = self.decoder(latents, refine)
        if merge:
            count = len(latents)
            if count < LEAST:
                raise InputError(f"{count} frames were given: at least {LEAST} are needed to decode the middle ones apart")
            middle, more = (count - 1) // 2, count // 2 + 1
            fewer = self.decoder(torch.cat((latents[:1], latents[2:-2], latents[-1:])), refine)
            frames[middle:more] = fewer[middle - 1 : more - 1]
        return (frames + 1) / 2

    def _refinement(self, latents: Tensor, references: References) -> Refine:
        """Raises `InputError` if the references are not those of two keyframes of the clip's size."""
        layers = self.attn_refinement
        if len(latents) < 2:
            raise InputError(f"{len(latents)} frame was given with two keyframes: at least 2 are needed")
        if len(references) != len(layers):
            raise InputError(f"{len(references)} references were given: {len(layers)} are needed")
        scale = 2 ** (len(layers) - 2)
        height, width = (scale * side for side in latents.shape[2:])
        for level, seen in enumerate(references):
            halved = level % (len(layers) - 1)
            needed = (2, height >> halved, width >> halved)
            if seen.ndim != 4 or (len(seen), *seen.shape[2:]) != needed:
                raise InputError(
                    f"references of shape {list(seen.shape)} were given for a clip of {width}x{height}: "
                    f"those of two keyframes of this size are needed"
                )
        return lambda level, x: layers[level](x, references[level])


def check(latents: Tensor) -> None:
    if latents.ndim != 4 or latents.shape[1] != CHANNELS or not len(latents):
        raise InputError(f"latents of shape {list(latents.shape)} were given: [frames, {CHANNELS}, height, width] is needed")


def autoencoder(state: Mapping[str, Tensor], build: Build | None = None) -> PictureAutoencoder | CartoonAutoencoder:
    """Build the autoencoder around these weights, without a copy; sizes come from their shapes.

    ``state``: a whole checkpoint, its part ``first_stage_model.`` without this prefix, or DynamiCrafter's part, which any
    autoencoder of Stable Diffusion 1 or 2 replaces, in diffusers' form. Raises `InputError`.
    """
    own = {key.removeprefix(DECODER): value for key, value in state.items() if key.startswith(DECODER)} or state
    # Training leaves losses and counters in some files.
    own = in_diffusers_form({key: value for key, value in own.items() if not key.startswith(("loss.", "model_ema."))})
    kind = looks_like(own)
    cartoon = "decoder.attn_refinement.0.conv.weight" in own
    known = "encoder.conv_out.weight" in own and "encoder.down_blocks.0.resnets.0.conv1.weight" in own
    if not known or ("decoder.time_conv_out.weight" in own) != cartoon:
        raise InputError(
            f"these weights are {kind}: the autoencoder of DynamiCrafter, ToonCrafter or Stable Diffusion 1 or 2 is needed"
        )
    sizes = Sizes.read(own)
    if sizes.latent != CHANNELS:
        raise InputError(f"these weights are {kind} with latents of {sizes.latent} channels: {CHANNELS} are needed")
    meta = replace(build or Build(), device="meta")
    net: PictureAutoencoder | CartoonAutoencoder
    if cartoon:
        # The published code never uses this layer.
        own = {key: value for key, value in own.items() if not key.startswith("post_quant_conv.")}
        own = {key.removeprefix("decoder.") if ".attn_refinement." in key else key: value for key, value in own.items()}
        queries = [own.get(f"attn_refinement.{level}.to_q.weight") for level in range(len(sizes.widths) + 1)]
        net = CartoonAutoencoder(sizes, [None if value is None else value.shape[0] for value in queries], meta)
    else:
        net = PictureAutoencoder(sizes, meta, between="quant_conv.weight" in own)
    load_weights(net, own, kind, assign=True)
    return net.eval().requires_grad_(False)
