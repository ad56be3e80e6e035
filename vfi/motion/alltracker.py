"""AllTracker, a network that tracks points through a clip, and how a state dict becomes it.

Harley et al., "AllTracker: Efficient Dense Point Tracking at High Resolution", ICCV 2025: where every pixel of one frame is in
other frames, and whether it is seen there. Features come at 1/8 of the frame size, from a ConvNeXt (Liu et al., "A ConvNet for
the 2020s", CVPR 2022) or, in the tiny network, from residual blocks. A window of frames is compared with the first frame at
once: flow, visibility and confidence are refined a few times by correlation (RAFT), by convolutions within each frame and by
attention along time.

Owns the published parameter names; the published weights are in `vfi.model.kinds.tracker`. Knows nothing of files, nor of how a
clip is walked through.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..core import InputError
from ..model.unfilled import unfilled
from ..ops.checks import load_weights
from ..ops.correlation import AllPairs
from ..ops.upsample import upsample_convex
from ..parse import shown

STRIDE = 8
"""Pixels per cell of the features."""

MULTIPLE = 64
"""Frames are padded to multiples of this many pixels, as in training."""

RADIUS = 4
"""Radius, in cells, in which correlation is looked up on each level."""

HEADS = 8
"""Attention heads; shapes do not show the number."""

PAIR_BYTES = 2**30
"""Maximum size of the correlation that is stored for a window; the rest is computed at each look-up."""

CELLS = 4096
"""Number of cells whose times are attended to at once, which bounds memory."""

MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""Of ImageNet's colours, by which pictures are normalised."""


@dataclass(frozen=True)
class Config:
    """The sizes of a network. ``trunk``: width and number of blocks of each ConvNeXt stage; empty for the tiny network.

    ``split``: half of the features start the refinement and the other half is its context; otherwise, all are both.
    """

    window: int
    features: int
    hidden: int
    rounds: int
    levels: int
    trunk: tuple[tuple[int, int], ...]
    split: bool


FULL = Config(16, 128, 128, 3, 5, ((96, 3), (192, 3), (384, 9)), split=True)
TINY = Config(16, 128, 128, 3, 5, (), split=False)
ALLTRACKER, ALLTRACKER_TINY = "alltracker", "alltracker-tiny"
PUBLISHED = {ALLTRACKER: FULL, ALLTRACKER_TINY: TINY}
"""The networks whose weights are published, by name."""


# --- Blocks -------------------------------------------------------------------------------------------------------------------


class Moved(nn.Module):
    """Moves a dimension, so that layers can work on the last one."""

    def __init__(self, source: int, target: int) -> None:
        super().__init__()
        self.source, self.target = source, target

    def forward(self, x: Tensor) -> Tensor:
        return x.movedim(self.source, self.target)


class Norm(nn.LayerNorm):
    """Layer normalisation of the channels of [B,C,H,W]."""

    def __init__(self, width: int) -> None:
        super().__init__(width, eps=1e-6)

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.movedim(1, -1)).movedim(-1, 1)


class Around(nn.Module):
    """A ConvNeXt block: each cell of [B,C,H,W] learns from the 7x7 around it."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.layer_scale = nn.Parameter(torch.ones(width, 1, 1))
        self.block = nn.Sequential(
            nn.Conv2d(width, width, 7, padding=3, groups=width),
            Moved(1, -1),
            nn.LayerNorm(width, eps=1e-6),
            nn.Linear(width, 4 * width),
            nn.GELU(),
            nn.Linear(4 * width, width),
            Moved(-1, 1),
        )

    def forward(self, x: Tensor) -> Tensor:
        return x + self.layer_scale * self.block(x)


class Attention(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.to_q = nn.Linear(width, width)
        self.to_kv = nn.Linear(width, 2 * width)
        self.to_out = nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        heads = [part.unflatten(-1, (HEADS, -1)).transpose(1, 2) for part in (self.to_q(x), *self.to_kv(x).chunk(2, dim=-1))]
        return self.to_out(F.scaled_dot_product_attention(*heads).transpose(1, 2).flatten(2))


class Mlp(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(width, 4 * width)
        self.fc2 = nn.Linear(4 * width, width)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc2(F.gelu(self.fc1(x), approximate="tanh"))


class Transformer(nn.Module):
    """A transformer block on [cells,times,C], whose normalisations have no weights."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.attn = Attention(width)
        self.mlp = Mlp(width)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attn(F.layer_norm(x, x.shape[-1:], eps=1e-6))
        return x + self.mlp(F.layer_norm(x, x.shape[-1:], eps=1e-6))


class Along(nn.Module):
    """Each cell of [S,C,H,W] learns from the same cell at the other S - 1 times."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.layer_scale = nn.Parameter(torch.ones(width, 1))
        self.block = Transformer(width)

    def forward(self, x: Tensor) -> Tensor:
        cells = x.flatten(2).permute(2, 0, 1)
        made = torch.cat([part + self.layer_scale[:, 0] * self.block(part) for part in cells.split(CELLS)])
        return made.permute(1, 2, 0).unflatten(2, x.shape[-2:])


# --- Encoders -----------------------------------------------------------------------------------------------------------------


class ConvNeXt(nn.Module):
    """[B,3,H,W] -> [B,C,H/8,W/8]: stages at 1/4 and 1/8; later ones stay at 1/8 and look further around instead."""

    def __init__(self, stages: tuple[tuple[int, int], ...]) -> None:
        super().__init__()
        first = stages[0][0]
        layers: list[nn.Module] = [nn.Sequential(nn.Conv2d(3, first, 4, 4), Norm(first))]
        before = None
        for number, (width, depth) in enumerate(stages):
            if before is not None:
                shrink = nn.Conv2d(before, width, 2, 2) if number == 1 else nn.Conv2d(before, width, 3, padding=2, dilation=2)
                layers.append(nn.Sequential(Norm(before), shrink))
            layers.append(nn.Sequential(*(Around(width) for _ in range(depth))))
            before = width
        self.features = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        made: Tensor = self.features(x)
        return made


class Residual(nn.Module):
    """Two convolutions with instance normalisation, and a shortcut."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1)
        self.downsample = None if stride == 1 else nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride))

    def forward(self, x: Tensor) -> Tensor:
        y = F.instance_norm(self.conv1(x)).relu()
        y = F.instance_norm(self.conv2(y)).relu()
        return F.relu(y + (x if self.downsample is None else F.instance_norm(self.downsample(x))))


class Encoder(nn.Module):
    """[B,3,H,W] -> [B,C,H/8,W/8]: residual blocks at 1/2 to 1/16, all resized to 1/8 and joined."""

    def __init__(self, outputs: int) -> None:
        super().__init__()
        widths = outputs // 2, outputs // 4 * 3, outputs, outputs
        self.conv1 = nn.Conv2d(3, widths[0], 7, 2, 3)
        for number, (before, width) in enumerate(zip((widths[0], *widths), widths, strict=False), 1):
            stage = nn.Sequential(Residual(before, width, 1 if number == 1 else 2), Residual(width, width, 1))
            self.add_module(f"layer{number}", stage)
        self.conv2 = nn.Conv2d(sum(widths), 2 * outputs, 3, 1, 1)
        self.conv3 = nn.Conv2d(2 * outputs, outputs, 1)

    def forward(self, x: Tensor) -> Tensor:
        size = [side // STRIDE for side in x.shape[-2:]]
        x = F.instance_norm(self.conv1(x)).relu()
        found = []
        for number in range(1, 5):
            x = self.get_submodule(f"layer{number}")(x)
            found.append(F.interpolate(x, size, mode="bilinear", align_corners=True))
        made: Tensor = self.conv3(F.instance_norm(self.conv2(torch.cat(found, dim=1))).relu())
        return made


# --- Refinement ---------------------------------------------------------------------------------------------------------------


class MotionEncoder(nn.Module):
    """Joins flow [B,2,H,W] with the correlation at its target: [B,width,H,W], whose last two channels are the flow."""

    def __init__(self, correlated: int, width: int) -> None:
        super().__init__()
        self.convc1 = nn.Conv2d(correlated, 4 * width, 1)
        self.convc2 = nn.Conv2d(4 * width, width + width // 2, 3, padding=1)
        self.convf1 = nn.Conv2d(2, 2 * width, 5, padding=2)
        self.convf2 = nn.Conv2d(2 * width, width // 2, 3, padding=1)
        self.conv = nn.Conv2d(2 * width, width - 2, 3, padding=1)

    def forward(self, flow: Tensor, correlated: Tensor) -> Tensor:
        alike = self.convc2(self.convc1(correlated).relu()).relu()
        moved = self.convf2(self.convf1(flow).relu()).relu()
        return torch.cat((self.conv(torch.cat((alike, moved), dim=1)).relu(), flow), dim=1)


class Update(nn.Module):
    """Refines the hidden features of a window, along time and within each frame in turn."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        width, hidden = config.features, config.hidden
        self.motion_encoder = MotionEncoder(config.levels * (2 * RADIUS + 1) ** 2, hidden)
        self.compressor = nn.Conv2d(2 * width + hidden + 2, hidden, 1)
        self.refine = nn.Sequential(*(block for _ in range(config.rounds) for block in (Along(hidden), Around(hidden))))
        self.final_conv = nn.Conv2d(hidden, width, 1)


def _head(width: int, outputs: int, kernel: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(width, 2 * width, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(2 * width, outputs, kernel, padding=kernel // 2),
    )


class State(NamedTuple):
    """What is known of S frames at 1/8 of their size: ``flow`` [S,2,H,W] in cells, ``seen`` [S,2,H,W] as logits of visibility
    and confidence, each an eighth of what it means, and the ``hidden`` features [S,C,H,W] that both came from."""

    flow: Tensor
    seen: Tensor
    hidden: Tensor


class AllTracker(nn.Module):
    """The network, on frames whose sides are multiples of `MULTIPLE` and at least `least`."""

    time_emb: Tensor
    """[1,window,C]: marks the features with their place in the window."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        width = config.features
        outputs = width * (2 if config.split else 1)
        if config.trunk:
            self.cnn = ConvNeXt(config.trunk)
            self.dot_conv = nn.Conv2d(config.trunk[-1][0], outputs, 1)
        else:
            self.fnet = Encoder(outputs)
        self.upsample_weight = _head(width, 9 * STRIDE**2, 1)
        self.flow_head = _head(width, 2, 3)
        self.visconf_head = _head(width, 2, 3)
        self.update_block = Update(config)
        self.register_buffer("time_emb", torch.zeros(1, config.window, width))

    @property
    def least(self) -> int:
        """The shortest side of a frame whose coarsest level of features has a cell."""
        return max(STRIDE * 2 ** (self.config.levels - 1), MULTIPLE)

    def encode(self, rgb: Tensor) -> Tensor:
        """Features [B,C,H/8,W/8] of frames [B,3,H,W], 0..1, whose sides are multiples of `MULTIPLE`."""
        normal = (rgb - rgb.new_tensor(MEAN)[:, None, None]) / rgb.new_tensor(DEVIATION)[:, None, None]
        made: Tensor = self.dot_conv(self.cnn(normal)) if self.config.trunk else self.fnet(normal)
        return made

    def refine(self, first: Tensor, features: Tensor, flow: Tensor, seen: Tensor) -> Iterator[State]:
        """The state of S frames after each iteration without end, from their ``flow`` and ``seen`` (see `State`) on.

        ``first`` [1,C,H,W] are the features of the first frame of the clip, and ``features`` [S,C,H,W] those of the S frames:
        a whole window of them, or a single one.
        """
        levels, count = self.config.levels, len(features)
        pairs = [
            AllPairs(first, pyramid(one, levels), radius=RADIUS, limit=PAIR_BYTES // count, outside="border")
            for one in features.split(1)
        ]
        hidden, context = first.chunk(2, dim=1) if self.config.split else (first, first)
        times = self.time_emb if count == self.config.window else self.time_emb[:, 1:2]
        context = context + times[0, :, :, None, None]
        hidden = hidden.expand(count, -1, -1, -1)
        x, y = (torch.arange(side, device=flow.device, dtype=flow.dtype) for side in (flow.shape[-1], flow.shape[-2]))
        grid = torch.stack(torch.meshgrid(x, y, indexing="xy"))
        update = self.update_block
        while True:
            known = []  # one frame at a time: correlation has many channels
            for index, look in enumerate(pairs):
                here = slice(index, index + 1)
                moved = update.motion_encoder(flow[here], look(grid + flow[here]))
                known.append(update.compressor(torch.cat((hidden[here], context[here], moved, seen[here]), dim=1)))
            hidden = update.final_conv(update.refine(torch.cat(known)))
            flow = flow + self.flow_head(hidden)
            seen = seen + self.visconf_head(hidden)
            yield State(flow, seen, hidden)

    def fine(self, state: State) -> tuple[Tensor, Tensor]:
        """Flow [S,2,8*H,8*W] in pixels, and visibility and confidence [S,2,8*H,8*W], 0..1, at the size of the frames."""
        weight = 0.25 * self.upsample_weight(state.hidden)
        return upsample_convex(state.flow, weight, STRIDE), upsample_convex(state.seen, weight, STRIDE).sigmoid()


def pyramid(features: Tensor, levels: int) -> list[Tensor]:
    """Features [B,C,H,W], halved ``levels - 1`` times; odd sides are rounded down, and their cells overlap."""
    made = [features]
    while len(made) < levels:
        made.append(F.adaptive_avg_pool2d(made[-1], (made[-1].shape[-2] // 2, made[-1].shape[-1] // 2)))
    return made


# --- From weights to a network ------------------------------------------------------------------------------------------------


def configure(state: Mapping[str, Tensor]) -> Config | None:
    """The sizes of the network that a state dict belongs to, read off its names and shapes; None if it is no AllTracker."""
    needed = ("time_emb", "flow_head.0.weight", "visconf_head.0.weight", "update_block.motion_encoder.convc1.weight")
    if not all(name in state for name in (*needed, "update_block.compressor.weight", "update_block.final_conv.weight")):
        return None
    _, window, features = state["time_emb"].shape
    numbers = {int(match[1]) for name in state if (match := re.match(r"update_block\.refine\.(\d+)\.", name))}
    trunk: list[tuple[int, int]] = []
    while True:
        stage = re.compile(rf"cnn\.features\.{2 * len(trunk) + 1}\.(\d+)\.layer_scale")
        blocks = [name for name in state if stage.fullmatch(name)]
        if not blocks:
            break
        trunk.append((state[blocks[0]].shape[0], len(blocks)))
    outputs = state["dot_conv.weight" if trunk else "fnet.conv3.weight"].shape[0]
    return Config(
        window=window,
        features=features,
        hidden=state["update_block.final_conv.weight"].shape[1],
        rounds=len(numbers) // 2,
        levels=state["update_block.motion_encoder.convc1.weight"].shape[1] // (2 * RADIUS + 1) ** 2,
        trunk=tuple(trunk),
        split=outputs == 2 * features,
    )


def named(state: Mapping[str, Tensor]) -> str | None:
    """The tracker that a state dict seems to be, by its names and shapes; None if it is none.

    A network of a size that nobody published is called ``alltracker-custom``.
    """
    try:
        config = configure(state)
    except (LookupError, ValueError):
        return None
    if config is None:
        return None
    return next((name for name, published in PUBLISHED.items() if config == published), f"{ALLTRACKER}-custom")


def check(state: Mapping[str, Tensor]) -> Config:
    """The sizes of a tracker. Raises `InputError` unless the tensors, which may be on the meta device, are those of one.

    All shapes are compared; nothing is allocated.
    """
    name = named(state)
    if name is None:
        raise InputError(f"not a known tracker: first key {shown(next(iter(state), ''))}, {len(state)} tensors")
    config = configure(state)
    assert config is not None
    try:
        with unfilled():
            net = AllTracker(config)
            load_weights(net, {key: torch.empty(value.shape) for key, value in state.items()}, name, assign=True)
    except InputError:
        raise
    except (ArithmeticError, LookupError, RuntimeError, TypeError, ValueError) as error:
        raise InputError(f"the weights look like {name}, but their shapes make no such network") from error
    if config.window < 2 or config.levels < 1 or config.hidden % HEADS:
        raise InputError(f"the weights look like {name}, but their shapes make no such network")
    return config


def build(state: Mapping[str, Tensor]) -> AllTracker:
    """The network of a state dict with its weights: float32, on the CPU, in eval mode, without gradients.

    Raises `InputError`.
    """
    net = AllTracker(check(state))
    for key, value in state.items():
        if not bool(value.isfinite().all()):
            raise InputError(f"the tensor {shown(key)} holds NaN or infinite numbers: the weights are damaged")
    net.load_state_dict({key: value.float() for key, value in state.items()})
    return net.eval().requires_grad_(False)
