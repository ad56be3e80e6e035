"""The parser of the ``vfi`` command, and the exit codes of its errors."""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Sequence

from .. import __version__
from ..clips.clip import DamagedError
from ..core import InputError
from ..render import malloc
from . import bench, files, flow, interpolate, join, loop, models, retime, shots, train, tween


def command(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    parser = argparse.ArgumentParser(prog="vfi", description="Make in-between frames for video.")
    parser.add_argument("--version", action="version", version=f"vfi {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for one in (interpolate, retime, tween, loop, join, shots, flow, models, train, bench):
        one.add_parser(commands)
    args = parser.parse_args(arguments)
    logging.basicConfig(level=logging.WARNING, format="vfi: %(message)s")
    malloc.take_over()
    try:
        files.tell_apart(args)
        return args.run(args)
    except InputError as error:
        advice = ": --damaged-ok uses the readable part" if isinstance(error, DamagedError) and "damaged_ok" in args else ""
        sys.stderr.write(f"vfi: {error}{advice}\n")
        return 2
    except KeyboardInterrupt:
        sys.stderr.write("vfi: interrupted\n")
        return 130
