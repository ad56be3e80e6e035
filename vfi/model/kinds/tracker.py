"""Published networks that follow points through a clip. Knows nothing of what is done with them: see `vfi.motion`."""

from __future__ import annotations

from ...core import Checkpoint, HubFile

HUB, PAGE = "aharley/alltracker", "https://github.com/aharley/alltracker"

COMMON = {"time_emb": (1, 16, 128), "visconf_head.2.weight": (2, 256, 3, 3)}
"""Marks of every network of this form."""

CHECKPOINTS: tuple[Checkpoint, ...] = (
    Checkpoint(
        "alltracker",
        ("alltracker.safetensors",),
        "MIT",
        size=66_005_722,
        sources=(
            HubFile(
                HUB,
                "alltracker.pth",
                "ffd9ebcfb6d206d594b646999a150540f92c049cf9b2bf940facf7123f62aa1d",
                revision="c8ba31225828cab9ec512d0627f0f826e641a877",
                size=66_005_722,
            ),
        ),
        note="points in long clips, also through occlusion; slow without a GPU; never run with these weights",
        link=PAGE,
        kind="tracker",
        marks={**COMMON, "cnn.features.5.8.layer_scale": (384, 1, 1)},
    ),
    Checkpoint(
        "alltracker-tiny",
        ("alltracker_tiny.safetensors",),
        "MIT",
        sources=(HubFile(HUB, "alltracker_tiny.pth"),),  # nobody states its hash or size: the hub's own are checked
        note="the same with a smaller network, a little less exact; never run with these weights",
        link=PAGE,
        kind="tracker",
        marks={**COMMON, "fnet.conv3.weight": (128, 256, 1, 1)},
    ),
)
