"""Nodes that cut and reorder batches of frames. They never change a pixel, except in a blended seam."""

from __future__ import annotations

import re
from collections.abc import Sequence

import torch
from comfy_api.v0_0_2 import io
from torch import Tensor

from ..vfi.core import InputError
from ..vfi.parse import quoted
from . import bridge
from .node import Node

CATEGORY = "Inbetween/frames"

MOST = 10**6
"""The most frames that a list may name."""


class SplitFrames(Node):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="InbetweenSplitFrames",
            display_name="Split Frames into Chunks",
            category=CATEGORY,
            description="Splits a batch of frames into overlapping chunks. Later nodes run once per chunk.",
            search_aliases=["chunk", "batch split", "tile frames", "segment"],
            inputs=[
                io.Image.Input("images", tooltip="The frames to split."),
                io.Int.Input("size", default=25, min=2, max=100000, tooltip="Frames per chunk. The last may be shorter."),
                io.Int.Input(
                    "overlap",
                    default=1,
                    min=0,
                    max=99999,
                    tooltip="Frames that a chunk shares with the previous one. Interpolation needs 1, so that the pair at the "
                    "seam gets its in-between frames.",
                ),
            ],
            outputs=[
                io.Image.Output("chunks", is_output_list=True, tooltip="The chunks, in order, as a list."),
                io.Int.Output("count", tooltip="Number of chunks."),
            ],
        )

    @classmethod
    def execute(cls, images: Tensor, size: int, overlap: int) -> io.NodeOutput:
        chunks = [images[part.start : part.stop] for part in bridge.heard(spans(len(images), size, overlap))]
        return io.NodeOutput(chunks, len(chunks))


class JoinFrames(Node):
    LISTS = ("chunks",)

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="InbetweenJoinFrames",
            display_name="Join Chunks of Frames",
            category=CATEGORY,
            description="Joins chunks of frames again, without duplicate or missing frames.",
            search_aliases=["concatenate", "batch join", "merge chunks", "crossfade"],
            is_input_list=True,
            inputs=[
                io.Image.Input("chunks", tooltip="The chunks, in order, as a list. All frames must have the same size."),
                io.Int.Input(
                    "overlap",
                    default=1,
                    min=0,
                    max=99999,
                    tooltip="Frames that a chunk shares with the previous one at this point. An overlap of 1 is still 1 after "
                    "interpolation; an overlap of n becomes (n - 1) x times + 1.",
                ),
                io.Combo.Input(
                    "seam",
                    options=["earlier", "later", "blend"],
                    default="earlier",
                    tooltip="Source of the shared frames: the earlier chunk, the later one, or a crossfade of both.",
                ),
            ],
            outputs=[
                io.Image.Output("images", tooltip="All frames in one batch."),
                io.Int.Output("count", tooltip="Number of frames."),
            ],
        )

    @classmethod
    def execute(cls, chunks: list[Tensor], overlap: int, seam: str) -> io.NodeOutput:
        images = joined_batches(chunks, overlap, seam)
        return io.NodeOutput(images, len(images))


class SelectFrames(Node):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="InbetweenSelectFrames",
            display_name="Select Frames",
            category=CATEGORY,
            description="Selects frames from a batch. Frames count from 0; -1 is the last, -2 the one before it.",
            search_aliases=["slice", "every nth", "trim frames", "pick frame", "get image from batch", "drop frames"],
            inputs=[
                io.Image.Input("images", tooltip="The frames to select from."),
                io.DynamicCombo.Input(
                    "select",
                    options=[
                        io.DynamicCombo.Option(
                            "range",
                            [
                                io.Int.Input("first", default=0, min=-100000, max=100000, tooltip="The first frame selected."),
                                io.Int.Input(
                                    "last",
                                    default=-1,
                                    min=-100000,
                                    max=100000,
                                    tooltip="The last frame selected (inclusive). -1 is the last of the clip.",
                                ),
                                io.Int.Input(
                                    "every", default=1, min=1, max=100000, tooltip="2 selects every second frame, and so on."
                                ),
                            ],
                        ),
                        io.DynamicCombo.Option(
                            "single frame",
                            [io.Int.Input("frame", default=0, min=-100000, max=100000, tooltip="The frame selected.")],
                        ),
                        io.DynamicCombo.Option(
                            "list",
                            [
                                io.String.Input(
                                    "frames",
                                    default="0, -1",
                                    tooltip="Frame numbers and ranges in output order, such as 0, 4, 10-20, -1.",
                                )
                            ],
                        ),
                    ],
                    tooltip="How frames are selected: a range with a step, one frame, or a list.",
                ),
            ],
            outputs=[
                io.Image.Output("images", tooltip="The selected frames, in the requested order."),
                io.Int.Output("count", tooltip="Number of frames selected."),
            ],
        )

    @classmethod
    def execute(cls, images: Tensor, select: dict) -> io.NodeOutput:
        total = len(images)
        if select["select"] == "range":
            first, last = (position(select[end], total) for end in ("first", "last"))
            if last < first:
                raise InputError(f"a range from frame {first} to frame {last} was given: it must not run backwards")
            taken = images[first : last + 1 : select["every"]]
        elif select["select"] == "single frame":
            taken = images[position(select["frame"], total)][None]
        else:
            frames = listed(select["frames"], total)
            bridge.room(len(frames), images.shape[1:])
            taken = stacked(images, frames)
        return io.NodeOutput(taken, len(taken))


class ReverseFrames(Node):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="InbetweenReverseFrames",
            display_name="Reverse Frames",
            category=CATEGORY,
            description="Plays a batch of frames backwards.",
            search_aliases=["backwards", "rewind", "flip time"],
            inputs=[io.Image.Input("images", tooltip="The frames to reverse.")],
            outputs=[io.Image.Output("images", tooltip="The same frames in reverse order.")],
        )

    @classmethod
    def execute(cls, images: Tensor) -> io.NodeOutput:
        bridge.room(*counted(images))
        return io.NodeOutput(stacked(images, range(len(images) - 1, -1, -1)))


class PingPongFrames(Node):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="InbetweenPingPong",
            display_name="Ping-Pong Frames",
            category=CATEGORY,
            description="Plays a batch of frames forwards and then backwards.",
            search_aliases=["boomerang", "loop", "bounce", "palindrome"],
            inputs=[
                io.Image.Input("images", tooltip="The frames to play forwards and backwards."),
                io.Boolean.Input(
                    "loop",
                    default=True,
                    tooltip="On: end one frame before the first would repeat, so that the clip loops without a stutter. Off: "
                    "end on the first frame.",
                ),
            ],
            outputs=[
                io.Image.Output("images", tooltip="The frames forwards and backwards; the turning point appears once."),
                io.Int.Output("count", tooltip="Number of frames."),
            ],
        )

    @classmethod
    def execute(cls, images: Tensor, loop: bool) -> io.NodeOutput:
        total, _ = counted(images)
        frames = [*range(total), *range(total - 2, 0 if loop else -1, -1)]
        bridge.room(len(frames), images.shape[1:])
        return io.NodeOutput(stacked(images, frames), len(frames))


def counted(images: Tensor) -> tuple[int, torch.Size]:
    """The number of frames of an IMAGE, and their shape [H,W,C]. Raises `InputError` unless it has both."""
    if images.ndim != 4 or not len(images):
        raise InputError(f"images of shape {list(images.shape)} were given: at least one frame is needed")
    return len(images), images.shape[1:]


def stacked(images: Tensor, frames: Sequence[int]) -> Tensor:
    """The pictures of an IMAGE that ``frames`` name, copied one by one, so that a cancelled run stops."""
    out = images.new_empty((len(frames), *images.shape[1:]))
    for picture, frame in zip(out, bridge.heard(frames), strict=True):
        picture.copy_(images[frame])
    return out


def spans(count: int, size: int, overlap: int) -> list[range]:
    """Frame range of each chunk of ``count`` frames. No chunk lies wholly in the previous one."""
    if overlap >= size:
        raise InputError(f"chunks of {size} frames cannot overlap by {overlap}: the overlap must be smaller than the chunk")
    starts = range(0, max(count - overlap, 1), size - overlap)
    return [range(start, min(start + size, count)) for start in starts]


def joined_batches(chunks: list[Tensor], overlap: int, seam: str) -> Tensor:
    """The chunks as one batch [T,H,W,C]; ``seam`` decides which of the ``overlap`` shared frames to keep."""
    for index, chunk in enumerate(chunks):
        if chunk.shape[1:] != chunks[0].shape[1:]:
            raise InputError(
                f"chunk {index} has frames of {_size(chunk)}, chunk 0 of {_size(chunks[0])}: all must have the same size"
            )
        if len(chunks) > 1 and len(chunk) < overlap:
            raise InputError(f"chunk {index} has {len(chunk)} frames: it cannot share {overlap} with its neighbour")
    total = sum(map(len, chunks)) - overlap * (len(chunks) - 1)
    bridge.room(total, chunks[0].shape[1:])
    out = chunks[0].new_empty((total, *chunks[0].shape[1:]))
    out[: len(chunks[0])] = chunks[0]
    end = len(chunks[0])
    for chunk in bridge.heard(chunks[1:]):
        shared, fresh = out[end - overlap : end], chunk[overlap:]
        if seam == "later":
            shared.copy_(chunk[:overlap])
        elif seam == "blend":
            weight = torch.arange(1, overlap + 1, dtype=out.dtype, device=out.device) / (overlap + 1)
            shared.lerp_(chunk[:overlap], weight[:, None, None, None])
        out[end : end + len(fresh)] = fresh
        end += len(fresh)
    return out


def position(frame: int, total: int) -> int:
    """``frame`` as a number from 0 up; negative numbers count from the end. Raises `InputError` if there is none."""
    if not -total <= frame < total:
        raise InputError(f"frame {frame} was requested of {total}: give 0 to {total - 1}, or {-total} to -1 from the end")
    return frame % total


def listed(text: str, total: int) -> list[int]:
    """Frame numbers of a list such as ``0, 4, 10-20, -1``; ranges include both ends and may run backwards."""
    frames: list[int] = []
    for part in filter(None, re.split(r"[\s,;]+", text.strip())):
        found = re.fullmatch(r"(-?\d{1,12})(?:-(-?\d{1,12}))?", part, re.ASCII)
        if found is None:
            raise InputError(f"{quoted(part)} is neither a frame nor a range: give a list such as 0, 4, 10-20, -1")
        first, last = (position(int(number), total) for number in (found[1], found[2] or found[1]))
        if len(frames) + abs(last - first) >= MOST:
            raise InputError(f"the list of frames has more than {MOST} frames: shorten it")
        frames += range(first, last + 1) if first <= last else range(first, last - 1, -1)
    if not frames:
        raise InputError("the list of frames is empty: give one such as 0, 4, 10-20, -1")
    return frames


def _size(images: Tensor) -> str:
    return f"{images.shape[2]}x{images.shape[1]} with {images.shape[3]} channels"
