"""FILM: frame interpolation for large motion.

Reda, Kontkanen, Tabellion, Sun, Pantofaru and Curless, "FILM: Frame Interpolation for Large Motion", ECCV 2022. One feature
extractor, shared by all scales, processes both frames. Flow between them is refined coarse to fine in both
directions, with weights shared by the coarse levels. Frames and features are warped to t and fused by a U-Net.

Flow is between the frames, not from t: it is estimated once per pair and multiplied by t and by 1 - t. Owns the published
parameter names and both file layouts. Knows nothing of padding, files or devices.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..core import Checkpoint, HubFile, InputError, Motion, Options, Spec
from ..ops.checks import check_frames, check_options, check_size, check_times, load_weights
from ..ops.warp import warp_corners

LEVELS = 7
"""Levels of the image pyramid. Fixed by training: the coarse levels share their weights, so shapes do not show it."""

SPEC = Spec("film", min_size=2 ** (LEVELS - 1), activations=1100, motion="everywhere", licence="Apache-2.0")

Shapes = Mapping[str, tuple[int, ...]]


class Flows(NamedTuple):
    """Flow between two frames, in pixels of each level, fine to coarse, [B,2,H,W], float32.

    ``forward`` points from the frame before to the frame after, ``backward`` the other way round.
    """

    forward: tuple[Tensor, ...]
    backward: tuple[Tensor, ...]


class Prepared(NamedTuple):
    """Data of a frame pair at the levels that are fused, independent of t: ``before`` and ``after`` as `Film.encode` returns
    them, the flow between them, and the type of the window."""

    before: tuple[Tensor, ...]
    after: tuple[Tensor, ...]
    flows: Flows
    dtype: torch.dtype


def conv(shapes: Shapes, name: str, *, last: bool = False) -> nn.Sequential:
    """The convolution ``name``.0, size-preserving if its kernel is odd; followed by an activation unless ``last``."""
    outputs, inputs, kernel, _ = shapes[f"{name}.0.weight"]
    layer = nn.Conv2d(inputs, outputs, kernel, padding=(kernel - 1) // 2)
    return nn.Sequential(layer) if last else nn.Sequential(layer, nn.LeakyReLU(0.2))


def count(shapes: Shapes, name: str) -> int:
    """Number of numbered modules under ``name``."""
    numbers = (re.match(rf"{re.escape(name)}\.(\d+)\.", key) for key in shapes)
    return max((int(number[1]) for number in numbers if number), default=-1) + 1


class SubTree(nn.Module):
    """Features of one picture at its own size and at coarser levels, each half the size of the previous one."""

    def __init__(self, shapes: Shapes, name: str) -> None:
        super().__init__()
        self.convs = nn.ModuleList(
            nn.Sequential(conv(shapes, f"{name}.convs.{index}.0"), conv(shapes, f"{name}.convs.{index}.1"))
            for index in range(count(shapes, f"{name}.convs"))
        )

    def forward(self, picture: Tensor, levels: int) -> list[Tensor]:
        made: list[Tensor] = []
        for level in self.convs[:levels]:
            picture = level(F.avg_pool2d(made[-1], 2) if made else picture)
            made.append(picture)
        return made


class Extractor(nn.Module):
    """Scale-agnostic features (paper, section 3.1): a level concatenates its picture, the picture's features and those of the
    finer pictures at its size."""

    def __init__(self, shapes: Shapes, name: str) -> None:
        super().__init__()
        self.extract_sublevels = SubTree(shapes, f"{name}.extract_sublevels")

    def forward(self, pictures: Sequence[Tensor]) -> tuple[Tensor, ...]:
        trees = [self.extract_sublevels(picture, len(pictures) - level) for level, picture in enumerate(pictures)]
        shared = [min(level + 1, len(trees[0])) for level in range(len(trees))]
        return tuple(
            torch.cat((pictures[level], *(trees[level - down][down] for down in range(depth))), dim=1)
            for level, depth in enumerate(shared)
        )


class Predictor(nn.Module):
    """Flow residual at one level, [B,2,H,W] float32, from the features of one frame and the warped ones of the other."""

    def __init__(self, shapes: Shapes, name: str) -> None:
        super().__init__()
        layers = count(shapes, f"{name}._convs")
        self._convs = nn.ModuleList(conv(shapes, f"{name}._convs.{index}", last=index == layers - 1) for index in range(layers))

    def forward(self, features: Tensor, warped: Tensor) -> Tensor:
        x = torch.cat((features, warped), dim=1)
        for layer in self._convs:
            x = layer(x)
        return x.float()


class FlowEstimator(nn.Module):
    """Flow from one frame to the other (section 3.2). The finest levels have a predictor each; the others share one."""

    def __init__(self, shapes: Shapes, name: str) -> None:
        super().__init__()
        self._predictor = Predictor(shapes, f"{name}._predictor")
        self._predictors = nn.ModuleList(
            Predictor(shapes, f"{name}._predictors.{index}") for index in range(count(shapes, f"{name}._predictors"))
        )

    def forward(self, source: Sequence[Tensor], target: Sequence[Tensor]) -> tuple[Tensor, ...]:
        """Flow from ``source`` to ``target`` at each level, fine to coarse."""
        predictors = [*[self._predictor] * (len(source) - len(self._predictors)), *self._predictors]
        flows: list[Tensor] = []
        for predict, here, there in zip(predictors, reversed(source), reversed(target), strict=True):
            if flows:
                flow = F.interpolate(2 * flows[-1], here.shape[-2:], mode="bilinear", align_corners=False)
                flows.append(flow + predict(here, warp_corners(there, flow)))
            else:
                flows.append(predict(here, there))
        return tuple(reversed(flows))


class Merger(nn.ModuleList):
    """From one level to the next finer one: upsamples the result so far and joins it with the warped inputs there."""

    def __init__(self, shapes: Shapes, name: str) -> None:
        super().__init__(conv(shapes, f"{name}.{layer}", last=layer == 0) for layer in range(3))

    def forward(self, x: Tensor, warped: Tensor) -> Tensor:
        enlarge, first, second = self
        x = enlarge(F.pad(F.interpolate(x, warped.shape[-2:], mode="nearest"), (0, 1, 0, 1)))
        return second(first(torch.cat((warped, x), dim=1)))


class Fusion(nn.Module):
    """The frame at t [B,3,H,W] float32 from the warped inputs at each level, coarse to fine (section 3.3)."""

    def __init__(self, shapes: Shapes, name: str) -> None:
        super().__init__()
        self.convs = nn.ModuleList(Merger(shapes, f"{name}.convs.{index}") for index in range(count(shapes, f"{name}.convs")))
        outputs, inputs, *_ = shapes[f"{name}.output_conv.weight"]
        self.output_conv = nn.Conv2d(inputs, outputs, 1)

    def forward(self, aligned: Iterator[Tensor]) -> Tensor:
        x = next(aligned)
        for merge, warped in zip(self.convs, aligned, strict=True):
            x = merge(x, warped)
        return self.output_conv(x).float()


class Film(nn.Module):
    """FILM as an `Interpolator` that `Encodes` and `Moves`. Any size of at least 64 pixels a side."""

    def __init__(self, shapes: Shapes) -> None:
        super().__init__()
        self.spec = SPEC
        self.extract = Extractor(shapes, "extract")
        self.predict_flow = FlowEstimator(shapes, "predict_flow")
        self.fuse = Fusion(shapes, "fuse")

    def forward(self, window: Tensor, t: Tensor) -> Tensor:
        """Frames at ``t`` [B] between those of ``window`` [B or 1,2,3,H,W], 0..1: [B,3,H,W] in the window's type."""
        frames = window.unbind(1)
        return self.at(self.prepare([self.encode(rgb) for rgb in frames], frames), t)

    def encode(self, rgb: Tensor) -> tuple[Tensor, ...]:
        """One frame [B,3,H,W] concatenated with its features, [B,3+C,H,W] at each level, fine to coarse."""
        check_size(self.spec, rgb)
        pictures = [rgb.to(self.fuse.output_conv.weight.dtype)]
        while len(pictures) < LEVELS:
            pictures.append(F.avg_pool2d(pictures[-1], 2))
        return self.extract(pictures)

    def prepare(self, features: Sequence[tuple[Tensor, ...]], frames: Sequence[Tensor]) -> Prepared:
        """Everything independent of t, from the `encode` output of both frames."""
        check_frames(self.spec, frames)
        forward, backward = self.flows(features)
        before, after, forward, backward = (part[: len(self.fuse.convs) + 1] for part in (*features, forward, backward))
        return Prepared(before, after, Flows(forward, backward), frames[0].dtype)

    def at(self, prepared: Prepared, t: Tensor) -> Tensor:
        """Frames at ``t`` [B], as `forward` returns them."""
        check_times(self.spec, t, len(prepared.before[0]))
        return self.render(prepared, t).clamp(0, 1).to(prepared.dtype)

    def motion_at(self, prepared: Prepared, t: Tensor) -> Motion:
        """Flow in pixels at ``t`` [B]. FILM blends in its U-Net and has no mask: the mask is 1 - t, a linear blend."""
        check_times(self.spec, t, len(prepared.before[0]))
        flows = prepared.flows
        t = t.float().reshape(-1, 1, 1, 1)
        flow0, flow1 = flows.backward[0] * t, flows.forward[0] * (1 - t)
        return Motion(flow0, flow1, torch.ones_like(flow0[:, :1]) * (1 - t))

    def flows(self, features: Sequence[tuple[Tensor, ...]]) -> Flows:
        """Flow between the two frames, at all levels."""
        before, after = ([level[:, 3:] for level in frame] for frame in features)
        return Flows(self.predict_flow(before, after), self.predict_flow(after, before))

    def render(self, prepared: Prepared, t: Tensor) -> Tensor:
        """Raw network output at t [B], [B,3,H,W] float32; values may lie slightly outside 0..1."""
        t = t.float().reshape(-1, 1, 1, 1)
        levels = reversed(range(len(prepared.before)))
        return self.fuse(self._aligned(level, prepared, t) for level in levels)

    @staticmethod
    def _aligned(level: int, prepared: Prepared, t: Tensor) -> Tensor:
        """Pictures and features of both frames warped to t, and the flow that warped them; large, so computed on demand."""
        flow0, flow1 = prepared.flows.backward[level] * t, prepared.flows.forward[level] * (1 - t)
        before, after = warp_corners(prepared.before[level], flow0), warp_corners(prepared.after[level], flow1)
        return torch.cat((before, after, flow0.to(before.dtype), flow1.to(before.dtype)), dim=1)


# --- from a state dict --------------------------------------------------------------------------------------------------------


def detect(state: Mapping[str, Tensor]) -> Spec | None:
    """Spec of the FILM in ``state``, in either layout, or None if it is another network."""
    if "fuse.output_conv.weight" not in state:
        return None
    marks = {"extract.extract_sublevels.convs.0.0.0.weight", "predict_flow._predictor._convs.0.0.weight"}
    return SPEC if published(state).keys() >= marks else None


def build(state: Mapping[str, Tensor], options: Options = Options()) -> Film:  # noqa: B008
    """FILM with the weights in ``state``. Raises `InputError` for unsupported options or a broken ``state``."""
    check_options(SPEC.name, options)
    state = published(state)
    try:
        net = Film({key: tuple(value.shape) for key, value in state.items()})
    except KeyError as missing:
        raise InputError(f"the weights look like {SPEC.name}, but {missing} is missing") from missing
    load_weights(net, state, SPEC.name)
    return net.eval()


def published(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """``state`` under the names of the first PyTorch release.

    A repack names the convolution of a layer ``conv`` instead of ``0``. TorchScript files may hold type and device markers.
    """
    weights = {key: value for key, value in state.items() if key.endswith((".weight", ".bias"))}
    return {re.sub(r"(\.\d+)\.conv\.(\w+)$", r"\1.0.\2", key): value for key, value in weights.items()}


# --- published weights --------------------------------------------------------------------------------------------------------

CHECKPOINTS: tuple[Checkpoint, ...] = (
    Checkpoint(
        "film",
        ("film_net_fp16.safetensors", "film_net_fp32.safetensors"),
        "Apache-2.0",
        size=68_882_302,
        sources=tuple(
            HubFile(repo, "frame_interpolation/film_net_fp16.safetensors", size=68_882_302)
            for repo in ("Comfy-Org/frame_interpolation", "sisniha/frame_interpolation")
        ),
        note="large motion; float16",
        link="https://huggingface.co/Comfy-Org/frame_interpolation",
        published=("film_net_fp32.pt", "film_net_fp16.pt"),
    ),
)

SUITS: dict[str, str] = {"film": "large motion, such as between two photographs of a scene; slow"}
