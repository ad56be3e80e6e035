"""The ComfyUI nodes: each a schema and a few lines of glue around the library. The only package that imports ComfyUI."""

from __future__ import annotations

from comfy_api.v0_0_2 import ComfyExtension, io

from . import blueprints, drop_in, examples, picker
from .audit import AuditFrames
from .charts import SpacingChart, TweenCharts
from .clip import JoinFrames, PingPongFrames, ReverseFrames, SelectFrames, SplitFrames
from .compare import Compare
from .convert import ConvertModel
from .drop_in import DropIn, SkippedPairs
from .dynamicrafter import (
    DynamiCrafterConditioning,
    DynamiCrafterDecode,
    DynamiCrafterLoader,
    DynamiCrafterTween,
    SketchGuidance,
)
from .examples import ExampleClip, ExamplePicture
from .framer import CfgCurve, FramerApplyTracks, FramerConditioning, FramerLoader
from .guide import GuideModel
from .heal import FindFaults, HealClip, HealVideo
from .interpolate import Augment, Interpolate, InterpolateVideo, ModelConsensus
from .join import JoinClips, JoinVideos
from .keyframes import FramerTween, KeyframeSequence
from .load import LoadModel
from .loop import LoopFrames, LoopVideo
from .native import LtxKeyframes, VaceKeyframes
from .paint import PaintThrough
from .quality import FlowPicture
from .repair import RepairFrames
from .retime import RetimeFrames, RetimeVideo
from .sheets import InBetweenCels, LoadSheet
from .shots import FindDuplicates, FindShots
from .shutter import ShutterFrames, ShutterVideo
from .steady import SteadyClip, SteadyVideo
from .svd_parts import LoadSvdParts
from .svdkfi import SvdkfiLoader, SvdkfiTween
from .track_tools import DrawTracks, EditTracks, FollowPoints, MatchKeyframes
from .tracks import TrackEditor


class InbetweenExtension(ComfyExtension):
    """The pack, as ComfyUI registers it."""

    async def on_load(self) -> None:
        from server import PromptServer  # only ComfyUI itself has one

        await drop_in.register()
        picker.register()
        examples.serve()
        await blueprints.add_words(getattr(PromptServer.instance, "subgraph_manager", None))

    async def get_node_list(self) -> list[type[io.ComfyNode]]:
        return [
            LoadModel,
            ConvertModel,
            Interpolate,
            InterpolateVideo,
            RetimeFrames,
            RetimeVideo,
            LoopFrames,
            LoopVideo,
            JoinClips,
            JoinVideos,
            SteadyClip,
            SteadyVideo,
            ShutterFrames,
            ShutterVideo,
            Augment,
            ModelConsensus,
            GuideModel,
            SpacingChart,
            TweenCharts,
            FindShots,
            FindDuplicates,
            FindFaults,
            HealClip,
            HealVideo,
            SplitFrames,
            JoinFrames,
            SelectFrames,
            ReverseFrames,
            PingPongFrames,
            FlowPicture,
            Compare,
            AuditFrames,
            TrackEditor,
            MatchKeyframes,
            FollowPoints,
            EditTracks,
            DrawTracks,
            FramerLoader,
            LoadSvdParts,
            FramerConditioning,
            FramerApplyTracks,
            CfgCurve,
            FramerTween,
            KeyframeSequence,
            PaintThrough,
            RepairFrames,
            SvdkfiLoader,
            SvdkfiTween,
            DynamiCrafterLoader,
            DynamiCrafterConditioning,
            SketchGuidance,
            DynamiCrafterDecode,
            DynamiCrafterTween,
            VaceKeyframes,
            LtxKeyframes,
            LoadSheet,
            InBetweenCels,
            ExampleClip,
            ExamplePicture,
            DropIn,
            SkippedPairs,
        ]
