"""Video file input and output through PyAV: `reader`, `writer`, and the formats that `codecs` offers."""

from .codecs import CODECS, CONTAINERS
from .packets import PacketWriter
from .reader import VideoReader
from .writer import VideoWriter

__all__ = ["CODECS", "CONTAINERS", "PacketWriter", "VideoReader", "VideoWriter"]
