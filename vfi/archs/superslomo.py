"""Super SloMo: converts flow between two frames into flow from any time between them.

Jiang, Sun, Jampani, Yang, Learned-Miller and Kautz, "Super SloMo: High Quality Estimation of Multiple Intermediate Frames for
Video Interpolation", CVPR 2018. One U-Net estimates flow between the frames in both directions. At each t a second one
refines the approximated flow from t and predicts visibility maps.

The published weights were trained by Avinash Paliwal, with a warp that grows the picture by one pixel, see `warp_shrunk`.
Later versions of PyTorch run that code with a half-pixel shift, and the picture flickers. Owns the published parameter
names. Knows nothing of padding, files or devices.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..core import UNSTATED, Checkpoint, HubFile, InputError, Motion, Options, Spec, UrlFile
from ..ops.checks import check_frames, check_options, check_times, load_weights
from ..ops.constants import constant
from ..ops.warp import shrink, warp_shrunk

SPEC = Spec("superslomo", multiple=32)

MEAN = (0.429, 0.431, 0.397)
"""Mean of the training pictures, red, green and blue; must be subtracted first, or colours flicker."""

LEVELS = 5

PREFIXES = {"state_dictFC.": "flow.", "state_dictAT.": "interp."}
"""Names of the two networks in the training script, and their names here."""


def act(x: Tensor) -> Tensor:
    return F.leaky_relu(x, 0.1)


class Down(nn.Module):
    """[B,C,H,W] -> [B,C',H/2,W/2]"""

    def __init__(self, inputs: int, outputs: int, kernel: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2)
        self.conv2 = nn.Conv2d(outputs, outputs, kernel, padding=kernel // 2)

    def forward(self, x: Tensor) -> Tensor:
        return act(self.conv2(act(self.conv1(F.avg_pool2d(x, 2)))))


class Up(nn.Module):
    """[B,C,H,W] and the skip at twice its size, [B,C',2H,2W] -> [B,C',2H,2W]"""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, padding=1)
        self.conv2 = nn.Conv2d(2 * outputs, outputs, 3, padding=1)

    def forward(self, x: Tensor, seen: Tensor) -> Tensor:
        x = F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)
        return act(self.conv2(torch.cat((act(self.conv1(x)), seen), dim=1)))


class UNet(nn.Module):
    """[B,inputs,H,W] -> [B,outputs,H,W], from 1/32 of the size up."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        widths = (32, 64, 128, 256, 512, 512)
        self.conv1 = nn.Conv2d(inputs, widths[0], 7, padding=3)
        self.conv2 = nn.Conv2d(widths[0], widths[0], 7, padding=3)
        for level in range(LEVELS):
            self.add_module(f"down{level + 1}", Down(widths[level], widths[level + 1], 5 if level == 0 else 3))
        for level in range(LEVELS):
            self.add_module(f"up{level + 1}", Up(widths[-1 - level], widths[-2 - level]))
        self.conv3 = nn.Conv2d(widths[0], outputs, 3, padding=1)

    def forward(self, *parts: Tensor) -> Tensor:
        """Concatenates ``parts``, in the type of the weights; returns float32."""
        batch = max(part.shape[0] for part in parts)
        x = torch.cat([part.expand(batch, -1, -1, -1) for part in parts], dim=1).to(self.conv1.weight.dtype)
        seen = [act(self.conv2(act(self.conv1(x))))]
        for level in range(1, LEVELS + 1):
            seen.append(self.get_submodule(f"down{level}")(seen[-1]))
        x = seen.pop()
        for level in range(1, LEVELS + 1):
            x = self.get_submodule(f"up{level}")(x, seen.pop())
        return act(self.conv3(x)).float()


class Prepared(NamedTuple):
    """Data of a frame pair, independent of t, all [B,C,H,W] float32: the frames, `centred`, and flow from each to the other,
    in pixels; and the type of the window."""

    before: Tensor
    after: Tensor
    forward: Tensor
    backward: Tensor
    dtype: torch.dtype


class Estimate(NamedTuple):
    """Estimate of the frame at t, float32.

    ``flow0``, ``flow1`` [B,2,H,W] point to the frames before and after, in pixels as used by `warp_shrunk`;
    ``visible`` [B,1,H,W] 0..1 is the visibility of the frame before, 1 minus that of the frame after;
    ``mask`` [B,1,H,W] 0..1 is the resulting weight of the frame before at t.
    """

    flow0: Tensor
    flow1: Tensor
    visible: Tensor
    mask: Tensor


class SuperSloMo(nn.Module):
    """Super SloMo as an `Interpolator` that `Prepares` and `Moves`. Frames must suit ``spec.multiple``."""

    def __init__(self) -> None:
        super().__init__()
        self.spec = SPEC
        self.flow = UNet(2 * 3, 2 * 2)
        self.interp = UNet(4 * 3 + 4 * 2, 2 * 2 + 1)

    def forward(self, window: Tensor, t: Tensor) -> Tensor:
        """Frames at ``t`` [B] between those of ``window`` [B or 1,2,3,H,W], 0..1: [B,3,H,W] in the window's type."""
        return self.at(self.prepare((), window.unbind(1)), t)

    def prepare(self, features: Sequence[None], frames: Sequence[Tensor]) -> Prepared:
        """The centred frames and the flow between them. ``features`` is unused."""
        check_frames(self.spec, frames)
        before, after = (centred(rgb) for rgb in frames)
        forward, backward = self.flow(before, after).chunk(2, dim=1)
        return Prepared(before, after, forward, backward, frames[0].dtype)

    def at(self, prepared: Prepared, t: Tensor) -> Tensor:
        """Frames at ``t`` [B], as `forward` returns them."""
        return self.render(prepared, self.estimate(prepared, t)).clamp(0, 1).to(prepared.dtype)

    def motion_at(self, prepared: Prepared, t: Tensor) -> Motion:
        """Flow and mask at ``t`` [B]. Flow points to the positions that the network samples, including the one-pixel growth."""
        made = self.estimate(prepared, t)
        return Motion(shrink(made.flow0), shrink(made.flow1), made.mask)

    def estimate(self, prepared: Prepared, t: Tensor) -> Estimate:
        """Flow, visibility and mask of the frame at ``t`` [B]."""
        before, after, forward, backward, _ = prepared
        check_times(self.spec, t, len(before))
        t = t.float().reshape(-1, 1, 1, 1)
        flow0 = -(1 - t) * t * forward + t * t * backward
        flow1 = (1 - t) ** 2 * forward - t * (1 - t) * backward
        warped0, warped1 = warp_shrunk(before, flow0), warp_shrunk(after, flow1)
        mended = self.interp(before, after, forward, backward, flow1, flow0, warped1, warped0)
        visible = torch.sigmoid(mended[:, 4:])
        weight0, weight1 = (1 - t) * visible, t * (1 - visible)
        return Estimate(flow0 + mended[:, :2], flow1 + mended[:, 2:4], visible, weight0 / (weight0 + weight1))

    def render(self, prepared: Prepared, made: Estimate) -> Tensor:
        """Raw network output, [B,3,H,W] float32; values may lie slightly outside 0..1."""
        seen0, seen1 = warp_shrunk(prepared.before, made.flow0), warp_shrunk(prepared.after, made.flow1)
        blend = made.mask * seen0 + (1 - made.mask) * seen1
        return blend + mean(blend)


def centred(rgb: Tensor) -> Tensor:
    """A frame minus the mean of the training pictures, [B,3,H,W] float32."""
    return rgb.float() - mean(rgb)


def mean(like: Tensor) -> Tensor:
    """`MEAN` as [3,1,1], on the device of ``like``."""
    return constant(MEAN, like.device)[:, None, None]


# --- from a state dict --------------------------------------------------------------------------------------------------------


def detect(state: Mapping[str, Tensor]) -> Spec | None:
    """Spec of Super SloMo if ``state`` holds both of its networks; else None."""
    state = published(state)
    first = {"flow.conv1.weight": (32, 6, 7, 7), "interp.conv1.weight": (32, 20, 7, 7)}
    return SPEC if all(key in state and tuple(state[key].shape) == shape for key, shape in first.items()) else None


def build(state: Mapping[str, Tensor], options: Options = Options()) -> SuperSloMo:  # noqa: B008
    """Super SloMo with the weights in ``state``. Raises `InputError` for unsupported options or a broken ``state``."""
    check_options(SPEC.name, options)
    if detect(state) is None:
        raise InputError("the weights are not Super SloMo's: they lack flow.conv1 or interp.conv1")
    net = SuperSloMo()
    load_weights(net, published(state), SPEC.name)
    return net.eval()


def published(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """``state`` under the module names used here."""
    return {
        re.sub(r"^state_dict\w+\.", lambda match: PREFIXES.get(match[0], match[0]), key): value for key, value in state.items()
    }


# --- published weights --------------------------------------------------------------------------------------------------------

CHECKPOINTS: tuple[Checkpoint, ...] = (
    Checkpoint(
        "superslomo",
        ("SuperSloMo.safetensors",),
        UNSTATED,
        commercial=None,
        sources=(
            HubFile("AashishNKumar/video-quality-enhancement", "SuperSloMo.ckpt", kind="space"),
            HubFile("ginigen/video-quality-enhancement", "SuperSloMo.ckpt", kind="space"),
            UrlFile(
                "https://drive.usercontent.google.com/download?id=1IvobLDbRiBgZr3ryCRrWL8xDbMZ-KnpF&export=download&confirm=t",
                "1931f099a99e5e65a563f9b3aae0e04b6d87d09a0c85be1f761185c6bc67506e",
                size=158_457_959,
            ),
        ),
        note="any t; SuperSloMo.ckpt of github.com/avinashpaliwal/Super-SloMo, whose code is MIT",
        link="https://github.com/avinashpaliwal/Super-SloMo",
    ),
)

SUITS: dict[str, str] = {"superslomo": "slow motion of filmed clips; an older method, for comparison"}
