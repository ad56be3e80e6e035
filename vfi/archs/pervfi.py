"""PerVFI: one frame is splatted to t, the other is bent to it, and a generative network draws the frame from both.

Wu, Tao, Li, Wang, Liu and Zheng, "Perception-Oriented Video Frame Interpolation via Asymmetric Blending", CVPR 2024. Flow comes
from RAFT. Features of the first frame are splatted to t at three sizes; those of the second are aligned to them by deformable
convolution. A soft mask, nearly 0 or 1, takes each place from one of the two, so that nothing is blended into ghosts. The
published network (v00) then runs a conditional normalising flow backwards from noise (Kingma and Dhariwal, "Glow", NeurIPS
2018); its variant Vb decodes the features instead. Of the flow networks that the authors offer, only RAFT is known.

Features are computed once per frame, flow once per pair. All frames use the same noise: a frame depends only on its
neighbours, t and the seed. Owns the published parameter names and the noise. Knows nothing of padding, files or devices.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..core import Checkpoint, HubFile, InputError, Options, Parts, Sampling, Spec
from ..ops.channels import side_by_side
from ..ops.checks import check_frames, check_options, check_size, check_times, load_weights
from ..ops.deformable import deformable_convolution
from ..ops.splat import splat_average, splat_softmax
from ..ops.warp import warp_zeros
from .gimmvfi import Raft
from .ifrnet import resize

WIDTHS = (35, 64, 96)
"""Channels of the features at full, half and quarter size; those at full size begin with the frame itself."""

ITERATIONS = 12
"""Number of RAFT iterations."""

STEPS = 16
"""Steps of the normalising flow at each of its three sizes."""

LIMIT = 20.0
"""Bound of a splatted pixel's importance."""

Levels = tuple[Tensor, Tensor, Tensor]
"""Features [B,C,h,w] of `WIDTHS` channels, finest first."""

Both = tuple[Tensor, Tensor]


# --- layers -------------------------------------------------------------------------------------------------------------------


def conv(inputs: int, outputs: int, stride: int = 1) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)


def rectified(inputs: int, outputs: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(conv(inputs, outputs, stride), nn.ReLU())


class Basic(nn.Module):
    """Two convolutions of ``widths`` channels beside a shortcut; ``first`` says whether the input is rectified too."""

    def __init__(self, widths: tuple[int, int, int], *, first: bool) -> None:
        super().__init__()
        inputs, inner, outputs = widths
        layers = [conv(inputs, inner), nn.PReLU(inner), conv(inner, outputs)]
        self.netMain = nn.Sequential(*[nn.PReLU(inputs)] * first, *layers)
        self.netShortcut = None if inputs == outputs else nn.Conv2d(inputs, outputs, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.netMain(x) + (x if self.netShortcut is None else self.netShortcut(x))


class Scaling(nn.Module):
    """Halves the size, or doubles it if ``up``."""

    def __init__(self, inputs: int, outputs: int, *, up: bool) -> None:
        super().__init__()
        layers = [nn.PReLU(inputs), conv(inputs, outputs, 1 if up else 2), nn.PReLU(outputs), conv(outputs, outputs)]
        enlarge = nn.Upsample(scale_factor=2, mode="bilinear", align_corners=False)
        self.netMain = nn.Sequential(*[enlarge] * up, *layers)

    def forward(self, x: Tensor) -> Tensor:
        return self.netMain(x)


# --- features and their importance --------------------------------------------------------------------------------------------


class Encode(nn.Module):
    """One frame [B,3,H,W], -1..1 -> its `Levels`."""

    def __init__(self) -> None:
        super().__init__()
        self.netOne, self.netTwo, self.netThr = (
            nn.Sequential(conv(inputs, outputs, stride), nn.PReLU(outputs), conv(outputs, outputs), nn.PReLU(outputs))
            for inputs, outputs, stride in ((3, 32, 1), (32, 64, 2), (64, 96, 2))
        )

    def forward(self, frame: Tensor) -> Levels:
        full = self.netOne(frame)
        half = self.netTwo(full)
        return torch.cat((frame, full), dim=1), half, self.netThr(half)


class Softmetric(nn.Module):
    """How much a pixel is hidden by others that land on the same place (Niklaus and Liu, CVPR 2020): a small U-Net."""

    ROWS = (16, 32, 64, 96)
    """Channels at each size."""

    def __init__(self) -> None:
        super().__init__()
        self.netInput = conv(3, 12)
        self.netError = conv(1, 4)
        for row, width in enumerate(self.ROWS):
            self.add_module(f"{row}x0 - {row}x1", Basic((width, width, width), first=True))
        for row, (fine, coarse) in enumerate(pairwise(self.ROWS)):
            self.add_module(f"{row}x0 - {row + 1}x0", Scaling(fine, coarse, up=False))
            self.add_module(f"{row + 1}x1 - {row}x1", Scaling(coarse, fine, up=True))
        self.netOutput = Basic((16, 16, 1), first=False)

    def forward(self, frame: Tensor, other: Tensor, flow: Tensor) -> Tensor:
        """Finest features of two frames, and the flow [B,2,H,W] from one to the other -> [B,1,H,W] float32."""
        error = (frame - warp_zeros(other, flow)).abs().mean(dim=1, keepdim=True)
        rows = [torch.cat((self.netInput(frame[:, :3]), self.netError(error)), dim=1)]
        for row in range(3):
            rows.append(self.get_submodule(f"{row}x0 - {row + 1}x0")(rows[row]))
        made = self.get_submodule("3x0 - 3x1")(rows[3])
        for row in (2, 1, 0):
            made = self.get_submodule(f"{row}x0 - {row}x1")(rows[row]) + self.get_submodule(f"{row + 1}x1 - {row}x1")(made)
        return self.netOutput(made).float()


class FeaturePyramid(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.netEncode = Encode()
        self.netSoftmetric = Softmetric()


# --- alignment and choice -----------------------------------------------------------------------------------------------------


class Deformed(nn.Module):
    """Modulated deformable convolution whose offsets are read from other features."""

    def __init__(self, width: int, groups: int) -> None:
        super().__init__()
        self.conv_offset = nn.Conv2d(width, groups * 3 * 9, 3, 1, 1)
        self.dconv = nn.Conv2d(width, width, 3)

    def forward(self, x: Tensor, told: Tensor) -> Tensor:
        made = self.conv_offset(told)
        offset, mask = made.split((made.shape[1] // 3 * 2, made.shape[1] // 3), dim=1)
        assert self.dconv.bias is not None
        return deformable_convolution(x, offset, torch.sigmoid(mask), self.dconv.weight, self.dconv.bias)


class DeformableAlign(nn.Module):
    """Bends features of the second frame to those of the first, which were splatted to t, from coarse to fine."""

    def __init__(self) -> None:
        super().__init__()
        finer = [(f"l{level}", width, coarser) for level, (width, coarser) in enumerate(pairwise(WIDTHS))]
        every = [(f"l{level}", width) for level, width in enumerate(WIDTHS)]
        last = WIDTHS[-1]

        def of(layers: dict[str, tuple[int, int]]) -> nn.ModuleDict:
            return nn.ModuleDict({name: nn.Conv2d(*widths, 3, 1, 1) for name, widths in layers.items()})

        self.offset_conv1 = of({name: (2 * width + 3, width) for name, width in every})
        self.offset_conv2 = of({name: (width + coarser, width) for name, width, coarser in finer} | {"l2": (last, last)})
        self.offset_conv3 = of({name: (width, width) for name, width, _ in finer})
        self.deform_conv = nn.ModuleDict({name: Deformed(width, 7 if name == "l0" else 8) for name, width in every})
        self.merge_conv1 = of({name: (2 * width + 1, width) for name, width in every})
        self.feat_conv = of({name: (width + coarser, width) for name, width, coarser in finer})
        self.merge_conv2 = of({name: (width + coarser, width) for name, width, coarser in finer})

    def forward(self, first: Levels, second: Levels, holes: Levels, flow: Tensor) -> Levels:
        """``first`` [K,C,h,w] lies at t, where ``holes`` [K,1,h,w] are 1; ``flow`` [K,2,H,W] leads from t to ``second``."""
        told = bent = merged = torch.empty(0)
        made: list[Tensor] = []
        for level in (2, 1, 0):
            name, seen, hole = f"l{level}", second[level], holes[level]
            size = 0.5**level
            here = side_by_side((first[level], seen, hole, resize(flow, size) * size)).to(seen.dtype)
            more = F.leaky_relu(self.offset_conv1[name](here), 0.1)
            if level == 2:
                told = F.leaky_relu(self.offset_conv2[name](more), 0.1)
            else:
                more = F.leaky_relu(self.offset_conv2[name](torch.cat((more, 2 * resize(told, 2)), dim=1)), 0.1)
                told = F.leaky_relu(self.offset_conv3[name](more), 0.1)
            seen = self.deform_conv[name](seen.expand(len(told), -1, -1, -1), told)
            if level < 2:
                seen = self.feat_conv[name](torch.cat((seen, resize(F.leaky_relu(bent, 0.1), 2)), dim=1))
            bent = seen
            both = self.merge_conv1[name](torch.cat((first[level], bent, hole.to(bent.dtype)), dim=1))
            merged = both if level == 2 else self.merge_conv2[name](torch.cat((both, resize(merged, 2)), dim=1))
            made.insert(0, merged)
        return made[0], made[1], made[2]


class SoftBinary(nn.Module):
    """The share [K,1,h,w] of the second frame, mostly near 0 or 1: holes, widened as far as the features ask."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv1 = nn.Sequential(
            nn.Conv2d(1, 64, 9, 1, 4, bias=False), nn.ReLU(), conv(64, 64), nn.ReLU(), nn.Conv2d(64, 64, 1, bias=False)
        )
        self.att = nn.Conv2d(2 * width, 64, 3, 1, 1)
        self.fc = nn.Sequential(nn.Linear(64, 8, bias=False), nn.ReLU(), nn.Linear(8, 64, bias=False), nn.Sigmoid())
        self.conv2 = nn.Conv2d(64, 1, 1, bias=False)

    def forward(self, hole: Tensor, first: Tensor, second: Tensor) -> Tensor:
        weight = self.fc(self.att(torch.cat((first, second), dim=1)).mean(dim=(2, 3)))[..., None, None]
        return torch.tanh(self.conv2(self.conv1(hole.to(first.dtype)) * weight).abs())


class AttentionMerge(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.softbinary = nn.ModuleDict({f"{level}": SoftBinary(width) for level, width in enumerate(WIDTHS)})

    def forward(self, first: Levels, second: Levels, holes: Levels) -> list[Tensor]:
        """Each place of the first frame or of the second, at each size; finest first."""
        shares = [self.softbinary[f"{level}"](holes[level], first[level], second[level]) for level in range(3)]
        return [one + share * (other - one) for one, other, share in zip(first, second, shares, strict=True)]


# --- fusion of the sizes ------------------------------------------------------------------------------------------------------


class Block(nn.Module):
    """Two convolutions and a shortcut; three, through ``width`` channels out to four times as many, if ``wide``."""

    def __init__(self, inputs: int, width: int, *, wide: bool = False) -> None:
        super().__init__()
        self.downsample = None
        if wide:
            self.conv1, self.conv2 = nn.Conv2d(inputs, width, 1, bias=False), conv(width, width)
            self.conv3 = nn.Conv2d(width, 4 * width, 1, bias=False)
            if inputs != 4 * width:
                self.downsample = nn.Conv2d(inputs, 4 * width, 1, bias=False)
        else:
            self.conv1, self.conv2 = conv(inputs, width), conv(width, width)
        self.wide = wide

    def forward(self, x: Tensor) -> Tensor:
        made = self.conv2(F.relu(self.conv1(x)))
        made = self.conv3(F.relu(made)) if self.wide else made
        # In place: at full size, 256 channels are most of the memory.
        return made.add_(x if self.downsample is None else self.downsample(x)).relu_()


class Exchange(nn.Module):
    """Two blocks at each size; then each size becomes the sum of all (Wang et al., "HRNet", TPAMI 2021)."""

    def __init__(self, widths: Sequence[int]) -> None:
        super().__init__()
        self.branches = nn.ModuleList(nn.Sequential(Block(width, width), Block(width, width)) for width in widths)
        self.fuse_layers = nn.ModuleList(
            nn.ModuleList(self._path(widths[source], width, to - source) for source in range(len(widths)))
            for to, width in enumerate(widths)
        )

    @staticmethod
    def _path(inputs: int, outputs: int, down: int) -> nn.Module:
        """From one size to another: ``down`` halvings, or as many doublings if below 0."""
        if down == 0:
            return nn.Identity()
        if down < 0:
            enlarge = nn.Upsample(scale_factor=2**-down, mode="nearest")
            return nn.Sequential(nn.Conv2d(inputs, outputs, 1, bias=False), enlarge)
        return nn.Sequential(*(rectified(inputs, inputs, 2) for _ in range(down - 1)), conv(inputs, outputs, 2))

    def forward(self, sizes: list[Tensor]) -> list[Tensor]:
        made = [branch(x) for branch, x in zip(self.branches, sizes, strict=True)]
        return [F.relu(_total(path(x) for path, x in zip(self._paths(to), made, strict=True))) for to in range(len(made))]

    def _paths(self, to: int) -> nn.ModuleList:
        paths = self.fuse_layers[to]
        assert isinstance(paths, nn.ModuleList)
        return paths


def _total(parts: Iterator[Tensor]) -> Tensor:
    total = next(parts)
    for part in parts:
        total = total + part
    return total


class MultiscaleFuse(nn.Module):
    """Features of all three sizes, each informed by the others, at half their size."""

    def __init__(self) -> None:
        super().__init__()
        widths = (32, 64, 96)
        self.stems = nn.ModuleList(rectified(width, 64) for width in WIDTHS)
        self.layer1 = nn.Sequential(Block(64, 64, wide=True), *(Block(256, 64, wide=True) for _ in range(3)))
        self.transition1 = nn.ModuleList((rectified(256, 32), nn.Sequential(rectified(256, 64, 2))))
        self.extra1 = rectified(128, 64)
        self.stage2 = nn.Sequential(Exchange(widths[:2]), Exchange(widths[:2]))
        self.transition2 = nn.ModuleList((nn.Identity(), nn.Identity(), nn.Sequential(rectified(64, 96, 2))))
        self.extra2 = rectified(160, 96)
        self.stage3 = nn.Sequential(Exchange(widths), Exchange(widths))
        self.final_layers = nn.ModuleList(nn.Conv2d(*pair, 3, 2, 1) for pair in zip(widths, WIDTHS, strict=True))

    def forward(self, levels: Sequence[Tensor]) -> list[Tensor]:
        full, half, quarter = (stem(level) for stem, level in zip(self.stems, levels, strict=True))
        full = self.layer1(full)
        half = self.extra1(torch.cat((half, self.transition1[1](full)), dim=1))
        full, half = self.stage2([self.transition1[0](full), half])
        quarter = self.extra2(torch.cat((quarter, self.transition2[2](half)), dim=1))
        sizes = self.stage3([full, half, quarter])
        return [layer(x) for layer, x in zip(self.final_layers, sizes, strict=True)]


# --- the normalising flow, backwards ------------------------------------------------------------------------------------------


class Scaled(nn.Module):
    """A convolution whose channels are scaled by learned powers."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, 3, 1, 1)
        self.scale = nn.Parameter(torch.zeros(1, outputs, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(x) * torch.exp(3 * self.scale)


class Mixing(nn.Module):
    """Channels scaled and shifted, then mixed by a square matrix; run backwards only, in float32."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        shape = (1, channels, 1, 1)
        self.actnorm = nn.ParameterDict({"loc": torch.zeros(shape), "logs": torch.zeros(shape)})
        self.invconv = nn.Conv2d(channels, channels, 1, bias=False)
        nn.init.orthogonal_(self.invconv.weight)

    def unmixed(self, z: Tensor) -> Tensor:
        matrix = torch.linalg.inv(self.invconv.weight[..., 0, 0].float())
        return F.conv2d(z, matrix[..., None, None]) * torch.exp(-self.actnorm["logs"].float()) - self.actnorm["loc"].float()


class Coupling(nn.Module):
    """One half of the channels tells, with what is seen, how the other half was scaled and shifted."""

    def __init__(self, channels: int, seen: int) -> None:
        super().__init__()
        layers = [nn.Conv2d(channels // 2 + seen, 64, 3, 1, 1), nn.ReLU(), nn.Conv2d(64, 64, 1), nn.ReLU()]
        self.affine = nn.ModuleDict({"tail": nn.Sequential(*layers, Scaled(64, channels))})
        self.scale = nn.Parameter(torch.zeros(1))
        self.scale_shift = nn.Parameter(torch.zeros(1))

    def forward(self, z: Tensor, seen: Tensor) -> Tensor:
        changed, kept = z.chunk(2, dim=1)
        shift, power = self.affine["tail"](torch.cat((kept.to(seen.dtype), seen), dim=1)).float().chunk(2, dim=1)
        power = self.scale.float() * torch.tanh(power) + self.scale_shift.float()
        return torch.cat(((changed - shift) * torch.exp(-power), kept), dim=1)


class FlowStep(Mixing):
    def __init__(self, channels: int, seen: int) -> None:
        super().__init__(channels)
        self.coupling = Coupling(channels, seen)

    def forward(self, z: Tensor, seen: Tensor) -> Tensor:
        return self.unmixed(self.coupling(z, seen))


class FlowBlock(Mixing):
    """One size of the flow: its noise has ``noise`` of the ``channels``, the coarser size made the rest."""

    def __init__(self, channels: int, noise: int, seen: int) -> None:
        super().__init__(channels)
        self.noise = noise
        self.flows = nn.ModuleList(FlowStep(channels, seen) for _ in range(STEPS))
        self.prior = Scaled(channels - noise or channels, 2 * noise)

    def forward(self, made: Tensor | None, noise: Tensor, seen: Tensor) -> Tensor:
        """``made`` [K,C,h,w], if there is a coarser size, and ``noise`` [1,C',h,w] -> [K,(C+C')/4,2h,2w] float32."""
        noise = noise.expand(len(seen), -1, -1, -1)
        told = torch.zeros_like(noise) if made is None else made
        mean, power = self.prior(told.to(seen.dtype)).float().chunk(2, dim=1)
        z = mean + torch.exp(power) * noise
        z = z if made is None else torch.cat((made, z), dim=1)
        for flow in reversed(self.flows):
            z = flow(z, seen)
        return F.pixel_shuffle(self.unmixed(z), 2)


class CondFlowNet(nn.Module):
    """Noise at three sizes -> a picture [K,3,H,W], -1..1, under what is ``seen`` at the same sizes."""

    def __init__(self) -> None:
        super().__init__()
        sizes = zip((12, 24, 48), (6, 12, 48), WIDTHS, strict=True)
        self.blocks = nn.ModuleList(FlowBlock(channels, noise, seen) for channels, noise, seen in sizes)

    def forward(self, noise: Sequence[Tensor], seen: Sequence[Tensor]) -> Tensor:
        made = None
        for block, drawn, told in zip(reversed(self.blocks), reversed(noise), reversed(seen), strict=True):
            made = block(made, drawn, told)
        assert made is not None
        return made


def noise_of(sampling: Sampling, height: int, width: int) -> list[Tensor]:
    """Noise for a frame of this size, finest first, drawn on the CPU so that a seed gives the same on every device."""
    generator = torch.Generator().manual_seed(sampling.seed)
    shapes = ((6, height // 2, width // 2), (12, height // 4, width // 4), (48, height // 8, width // 8))
    return [sampling.heat * torch.randn(1, *shape, generator=generator) for shape in shapes]


# --- the decoder of Vb --------------------------------------------------------------------------------------------------------


class Decoder(nn.Module):
    """Features at three sizes -> a picture [K,3,H,W], -1..1."""

    def __init__(self) -> None:
        super().__init__()
        fine, middle, coarse = WIDTHS
        self.conv3 = Basic((coarse, 128, middle), first=False)
        self.conv2 = Basic((2 * middle, 256, fine), first=False)
        self.conv1 = Basic((2 * fine, 96, 128), first=False)
        self.tail = nn.Conv2d(32, 3, 3, 1, 1)

    def forward(self, seen: Sequence[Tensor]) -> Tensor:
        fine, middle, coarse = seen
        middle = self.conv2(torch.cat((self._doubled(self.conv3(coarse)), middle), dim=1))
        fine = self.conv1(torch.cat((self._doubled(middle), fine), dim=1))
        return self.tail(F.pixel_shuffle(fine, 2)).float()

    @staticmethod
    def _doubled(x: Tensor) -> Tensor:
        return F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=True)


# --- the network --------------------------------------------------------------------------------------------------------------


class Features(NamedTuple):
    """Per-frame features: ``levels``, and for RAFT ``matching`` and ``context`` [B,256,H/8,W/8]."""

    levels: Levels
    matching: Tensor
    context: Tensor


class Prepared(NamedTuple):
    """Data of a frame pair, independent of t.

    ``levels`` of both frames; ``flow`` [B,2,H,W] from each to the other, float32; ``hidden`` [B,1,H,W], how much a pixel of
    each is hidden by others; ``dtype`` of the window.
    """

    levels: tuple[Levels, Levels]
    flow: Both
    hidden: Both
    dtype: torch.dtype


class Network(nn.Module):
    """All parts, under their published names, and RAFT as ``flownet``."""

    def __init__(self, *, decoder: bool) -> None:
        super().__init__()
        self.flownet = Raft()
        self.featurePyramid = FeaturePyramid()
        self.deformableAlign = DeformableAlign()
        self.attentionMerge = AttentionMerge()
        self.multiscaleFuse = MultiscaleFuse()
        if decoder:
            self.generator = Decoder()
        else:
            self.condFLownet = CondFlowNet()

    def flow(self, before: Features, after: Features) -> Both:
        """Flow [B,2,H,W] from each frame to the other."""
        matching, context = torch.cat((before.matching, after.matching)), torch.cat((before.context, after.context))
        forward, backward = self.flownet(matching, matching.roll(len(before.matching), dims=0), context, ITERATIONS).chunk(2)
        return forward, backward

    def relate(self, before: Levels, after: Levels, flow: Both) -> Both:
        """How much the pixels of each frame are hidden by others, [B,1,H,W]."""
        metric = self.featurePyramid.netSoftmetric
        return metric(before[0], after[0], flow[0]), metric(after[0], before[0], flow[1])

    def see(self, prepared: Prepared, t: Tensor) -> list[Tensor]:
        """What the frame at t [K,1,1,1] is drawn from: features of 1/2, 1/4 and 1/8 of its size, finest first."""
        before, after = prepared.levels
        there, back = t * prepared.flow[0], (1 - t) * prepared.flow[1]
        hidden, others = 2 * t * prepared.hidden[0], 2 * (1 - t) * prepared.hidden[1]
        onward = -splat_softmax(back, back, -others.clamp(-LIMIT, LIMIT))
        landed, holes = [], []
        for level, features in enumerate(before):
            if level:
                hidden, there = resize(hidden, 0.5), resize(there, 0.5) / 2
            landed.append(splat_softmax(features, there, -hidden.clamp(-LIMIT, LIMIT)))
            holes.append((splat_average(torch.ones_like(there[:, :1]), there) <= 0.5).float())
        first, empty = (landed[0], landed[1], landed[2]), (holes[0], holes[1], holes[2])
        second = self.deformableAlign(first, after, empty, onward)
        return self.multiscaleFuse(self.attentionMerge(first, second, empty))


class PerVfi(nn.Module):
    """PerVFI as an `Interpolator` that `Encodes`. Frames must suit ``spec.multiple`` and ``spec.min_size``.

    ``sampling`` gives the seed and the heat of the noise, and may be replaced at any time; Vb, with its ``decoder``, has none.
    """

    def __init__(self, *, decoder: bool, sampling: Sampling = Sampling()) -> None:  # noqa: B008
        super().__init__()
        self.spec, self.sampling = specify(decoder=decoder), sampling
        self.net = Network(decoder=decoder)
        self._kept: tuple[tuple[Sampling, int, int, torch.device], list[Tensor]] | None = None

    def forward(self, window: Tensor, t: Tensor) -> Tensor:
        """Frames at ``t`` [B] between those of ``window`` [B or 1,2,3,H,W], 0..1: [B,3,H,W] in the window's type."""
        frames = window.unbind(1)
        return self.at(self.prepare([self.encode(rgb) for rgb in frames], frames), t)

    def encode(self, rgb: Tensor) -> Features:
        """Features of one frame [B,3,H,W], computed once per frame."""
        check_size(self.spec, rgb)
        frame = (2 * rgb.float() - 1).to(next(self.parameters()).dtype)
        matching, _, _ = self.net.flownet.fnet(frame)
        context, _, _ = self.net.flownet.cnet(frame)
        return Features(self.net.featurePyramid.netEncode(frame), matching, context)

    def prepare(self, features: Sequence[Features], frames: Sequence[Tensor]) -> Prepared:
        """Everything independent of t, from the `encode` output of both frames."""
        check_frames(self.spec, frames)
        before, after = features
        flow = self.net.flow(before, after)
        hidden = self.net.relate(before.levels, after.levels, flow)
        return Prepared((before.levels, after.levels), flow, hidden, frames[0].dtype)

    def at(self, prepared: Prepared, t: Tensor) -> Tensor:
        """Frames at ``t`` [B], as `forward` returns them."""
        flow = prepared.flow[0]
        check_times(self.spec, t, len(flow))
        height, width = flow.shape[-2:]
        noise = [] if self.decodes else self._noise(height, width, flow.device)
        return self.render(prepared, t, noise).clamp(0, 1).to(prepared.dtype)

    def _noise(self, height: int, width: int, device: torch.device) -> list[Tensor]:
        """The noise of `sampling` for a frame of this size; the last is kept, as a copy to a device waits for it."""
        of = self.sampling, height, width, device
        kept = self._kept
        if kept is None or kept[0] != of:
            with torch.inference_mode(False):
                made = [one.to(device) for one in noise_of(self.sampling, height, width)]
            self._kept = kept = of, made
        return kept[1]

    @property
    def decodes(self) -> bool:
        return hasattr(self.net, "generator")

    def render(self, prepared: Prepared, t: Tensor, noise: Sequence[Tensor]) -> Tensor:
        """Frames at ``t`` [B] drawn from ``noise``, finest first, as `noise_of` gives it: [B,3,H,W] float32, not clamped."""
        seen = self.net.see(prepared, t.float().reshape(-1, 1, 1, 1))
        return ((self.net.generator(seen) if self.decodes else self.net.condFLownet(noise, seen)) + 1) / 2


# --- from a state dict --------------------------------------------------------------------------------------------------------

MARKS = ("deformableAlign.deform_conv.l0.dconv.weight", "attentionMerge.softbinary.0.conv2.weight")
"""Names that every PerVFI has."""

FLOW, DECODER = "condFLownet.blocks.0.prior.conv.weight", "generator.tail.weight"
"""Names that only the published network has, and only Vb."""


def detect(state: Mapping[str, Tensor]) -> Spec | None:
    """Spec of the PerVFI in ``state``, RAFT included, or None if it is another network."""
    named = canonical(state)
    return specify(decoder=DECODER in named) if _drawn(named) and _moved(named) else None


def lacking(state: Mapping[str, Tensor]) -> str | None:
    """Why ``state`` is not usable if it is PerVFI without its flow network, as published; None otherwise."""
    named = canonical(state)
    if _drawn(named) and not _moved(named):
        return "PerVFI without RAFT, its flow network: give raft-sintel.pth together with it"
    return None


def _drawn(named: Mapping[str, Tensor]) -> bool:
    """Whether all parts but the flow network are there."""
    return all(mark in named for mark in MARKS) and (FLOW in named) != (DECODER in named)


def _moved(named: Mapping[str, Tensor]) -> bool:
    """Whether the flow network is there."""
    return any(key.startswith("flownet.") for key in named)


def build(state: Mapping[str, Tensor], options: Options = Options()) -> PerVfi:  # noqa: B008
    """PerVFI, including RAFT, in float32, with the weights in ``state``; ``options.sampling`` gives seed and heat of the noise.

    Raises `InputError` for unsupported options or an incomplete ``state``.
    """
    spec, named = detect(state), canonical(state)
    if spec is None:
        raise InputError(f"the weights are {lacking(state) or 'not PerVFI: they lack deformableAlign or condFLownet'}")
    decoder = DECODER in named
    check_options(spec.name, options, samples=not decoder)
    model = PerVfi(decoder=decoder, sampling=options.sampling or Sampling())
    load_weights(model.net, named, spec.name)
    return model.eval()


def canonical(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """``state`` under its published names, from one file or from two that were joined with their file names as prefixes.

    RAFT's batch normalisation has two names, of which files may hold only one. Marks of training are left out.
    """
    named: dict[str, Tensor] = {}
    for key, value in state.items():
        file, _, rest = key.partition(".")
        if "raft" in file.lower():
            key = f"flownet.{rest.removeprefix('module.')}"
        elif file in ("v00", "vb", "netG"):
            key = rest.removeprefix("module.")
        elif file in ("fnet", "cnet", "update_block"):
            key = f"flownet.{key}"
        if not key.endswith(".actnorm.initialized"):
            named[key] = value
    for key, value in list(named.items()):
        if ".norm3." in key:
            named.setdefault(key.replace(".norm3.", ".downsample.1."), value)
        elif key.startswith("flownet.") and ".downsample.1." in key:
            named.setdefault(key.replace(".downsample.1.", ".norm3."), value)
    return named


def specify(*, decoder: bool) -> Spec:
    """Spec of the published network, or of Vb, which has a ``decoder``."""
    return Spec(
        "pervfi-vb" if decoder else "pervfi",
        multiple=8,
        min_size=64,
        half=False,  # the authors run it in single precision; the flow's steps multiply what rounding loses
        tiles=False,  # the masks' attention spans the whole frame
        activations=1560,
        licence="Apache-2.0",
    )


# --- published weights --------------------------------------------------------------------------------------------------------


def _checkpoint(name: str, file: str, note: str) -> Checkpoint:
    repository = "Mulns/PerVFI-v1-0"
    parts = {file: HubFile(repository, f"PerVFI/{file}.pth"), "raft-sintel": HubFile(repository, "RAFT/raft-sintel.pth")}
    return Checkpoint(
        name,
        (f"{name}.safetensors",),
        "Apache-2.0",
        sources=(Parts(parts),),
        note=f"{note}; {file}.pth and its flow network, raft-sintel.pth (BSD-3-Clause), in one file",
        link="https://github.com/mulns/PerVFI",
    )


CHECKPOINTS: tuple[Checkpoint, ...] = (
    _checkpoint("pervfi", "v00", "any t, drawn from noise: options seed and heat; very slow on a CPU"),
    _checkpoint("pervfi-vb", "vb", "any t; less pleasing than pervfi, by its authors' word, and hardly faster on a CPU"),
)

SUITS: dict[str, str] = {
    "pervfi": "frames without ghosts where motion is uncertain, by its authors' word, drawn by a generative network; very slow",
    "pervfi-vb": "as pervfi, with a plain decoder in place of the generative network: the same whatever the seed",
}
