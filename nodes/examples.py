"""Nodes that give the clips and pictures that come with the pack, so that an example workflow runs as it was opened.

Owns the list of these files and the address at which a browser finds them. Copies nothing to ComfyUI's folders.
"""

from __future__ import annotations

from pathlib import Path

import torch
from comfy_api.v0_0_2 import InputImpl, io

from ..vfi.clips.images import read_image
from .node import Node

FOLDER = Path(__file__).parents[1] / "examples"
ADDRESS = "/inbetween/examples"
"""Where the server shows the folder to browsers; `js/sources.js` knows it too."""

CLIPS = (
    "fox-16fps.mp4",
    "room-16fps.mp4",
    "cut-25fps.mp4",
    "hosted-1-24fps.mp4",
    "hosted-2-24fps.mp4",
    "flicker-16fps.mp4",
    "walk-24fps.mp4",
    "lines-24fps.mp4",
    "swing-12fps.mp4",
)
PICTURES = {
    "ball-first.png": "ball-mask.png",
    "ball-last.png": None,
    "room-painted.png": None,
    "lines-first.png": None,
    "lines-last.png": None,
}
"""The pictures, each with the picture of its mask, if it has one."""


def serve() -> None:
    """Let browsers read the examples from ComfyUI's server, which would not start if the folder were missing."""
    from server import PromptServer

    if FOLDER.is_dir():
        PromptServer.instance.routes.static(ADDRESS, FOLDER)


class ExampleClip(Node):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="InbetweenExampleClip",
            display_name="Example Clip",
            category="Inbetween/examples",
            description="A clip that comes with the pack, to try a workflow with. Load Video in its place gives your own.",
            search_aliases=["sample video", "test clip", "demo video", "example media"],
            inputs=[
                io.Combo.Input(
                    "file",
                    options=list(CLIPS),
                    default=CLIPS[0],
                    tooltip="The clip: a fox in snow, a view that swings back and forth, two shots with a cut between them, "
                    "two clips such as hosted models give back, the fox, flickering, a bird on twos, the bird as line art, or "
                    "a ball that swings.",
                ),
            ],
            outputs=[io.Video.Output("video", tooltip="The clip, as Load Video would give it.")],
        )

    @classmethod
    def execute(cls, file: str) -> io.NodeOutput:
        return io.NodeOutput(InputImpl.VideoFromFile(str(FOLDER / file)))


class ExamplePicture(Node):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="InbetweenExamplePicture",
            display_name="Example Picture",
            category="Inbetween/examples",
            description="A picture that comes with the pack, to try a workflow with. Load Image in its place gives your own.",
            search_aliases=["sample image", "test picture", "demo image", "example media", "keyframe"],
            inputs=[
                io.Combo.Input(
                    "image",
                    options=list(PICTURES),
                    default=next(iter(PICTURES)),
                    tooltip="The picture: two keyframes, between which a ball moves to the right, the first frame of the "
                    "room clip, painted, or the first and the last drawing of the line art, coloured.",
                ),
            ],
            outputs=[
                io.Image.Output("image", tooltip="The picture, as Load Image would give it."),
                io.Mask.Output(
                    "mask",
                    tooltip="White for the ball of ball-first.png. Black for ball-last.png, as Load Image gives it if "
                    "nothing was painted in the Mask Editor.",
                ),
            ],
        )

    @classmethod
    def execute(cls, image: str) -> io.NodeOutput:
        rgb = read_image(FOLDER / image).rgb
        masked = PICTURES[image]
        mask = torch.zeros_like(rgb[0]) if masked is None else read_image(FOLDER / masked).rgb[0]
        return io.NodeOutput(rgb.movedim(0, -1)[None].contiguous(), mask[None])
