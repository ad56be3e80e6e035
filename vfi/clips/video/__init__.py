"""Video files in and out, through PyAV: `reader`, `writer`, and what `codecs` can hold."""

from .codecs import CODECS, CONTAINERS
from .packets import PacketWriter
from .reader import VideoReader
from .writer import VideoWriter

__all__ = ["CODECS", "CONTAINERS", "PacketWriter", "VideoReader", "VideoWriter"]
