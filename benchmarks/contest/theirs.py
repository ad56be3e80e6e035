"""The rivals' side: nodes of ComfyUI and of Fannovel16's pack, imported from the given checkouts, run as in ComfyUI.

Nothing of theirs is changed except where weights come from and, for a hollow contender, the network itself.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from . import host
from .setting import Setting

FOLDER = "frame_interpolation"
UNREAD = ("teacher.", "caltime.")
"""Parts of the published file that only training uses."""


class Core:
    """ComfyUI's own FrameInterpolate."""

    def __init__(self, setting: Setting) -> None:
        host.start(setting.device)
        import folder_paths
        from comfy_extras import nodes_frame_interpolation as nodes

        folder_paths.add_model_folder_path(FOLDER, str(Path(setting.model).parent))
        with torch.inference_mode():
            (self.model,) = nodes.FrameInterpolationModelLoader.execute(Path(setting.model).name).result
        if setting.hollow:
            network = self.model.model
            network.extract_features = lambda image: image
            network.forward = lambda before, after, timestep, cache: before.clone()
        self.node = nodes.FrameInterpolate

    def given(self, images: Tensor) -> Tensor:
        return images

    def make(self, images: Tensor, times: int) -> Tensor:
        with torch.inference_mode():
            return self.node.execute(self.model, images, times).result[0]


class Fannovel16:
    """RIFE VFI with its own defaults. Its network is that of RIFE 4.26, which 4.25 shares."""

    NAME = "rife426.pth"

    def __init__(self, setting: Setting) -> None:
        host.start(setting.device)
        from vfi_models import rife

        self.dtype = setting.dtype
        self.folder = tempfile.TemporaryDirectory()
        file = Path(self.folder.name) / self.NAME
        torch.save(weights(Path(setting.model)), file)
        rife.load_file_from_github_release = lambda kind, name: str(file)
        if setting.hollow:
            rife._model_cache[(self.NAME, self.dtype, False)] = Copy()
        self.node = rife.RIFE_VFI()
        fields = self.node.INPUT_TYPES()["required"]
        self.defaults = {name: rest[0]["default"] for name, (_, *rest) in fields.items() if rest and "default" in rest[0]}

    def given(self, images: Tensor) -> Tensor:
        return images

    def make(self, images: Tensor, times: int) -> Tensor:
        chosen: dict[str, Any] = {"ckpt_name": self.NAME, "multiplier": times, "dtype": self.dtype, "scale_factor": 1.0}
        with torch.inference_mode():
            return self.node.vfi(frames=images, **{**self.defaults, **chosen})[0]


class Fannovel16Loop:
    """The loop that most models of that pack share, around a copy."""

    def __init__(self, setting: Setting) -> None:
        host.start(setting.device)
        import vfi_utils

        self.utils = vfi_utils

    def given(self, images: Tensor) -> Tensor:
        return images

    def make(self, images: Tensor, times: int) -> Tensor:
        def copied(before: Tensor, after: Tensor, timestep: float) -> Tensor:
            return before.clone()

        with torch.inference_mode():
            frames = self.utils.preprocess_frames(images)
            made = self.utils.generic_frame_loop("copy", frames, 10, times, copied, dtype=torch.float32)
            return self.utils.postprocess_frames(made)


class Copy(nn.Module):
    """Stands in for a network: always returns the previous frame."""

    def forward(self, before: Tensor, *others: object) -> Tensor:
        return before.clone()


def weights(file: Path) -> dict[str, Tensor]:
    """The published tensors under the pack's names."""
    from safetensors.torch import load_file

    state = {key.removeprefix("module.").removeprefix("flownet."): value for key, value in load_file(file).items()}
    return {key: value for key, value in state.items() if not key.startswith(UNREAD)}
