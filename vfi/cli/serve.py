"""``vfi serve``: makes frames one by one for another program, which starts it and asks through pipes."""

from __future__ import annotations

import os
import sys
from argparse import ArgumentParser, Namespace, _SubParsersAction

from ..core import InputError
from ..serve.server import serve


def add_parser(subparsers: _SubParsersAction[ArgumentParser]) -> None:
    """Declare ``serve``."""
    parser = subparsers.add_parser(
        "serve",
        help="make frames one by one for another program, such as the VapourSynth filter",
        description="Answer the requests of the program that starts this command, until its pipe ends. vfi.serve.protocol "
        "describes the messages.",
    )
    parser.add_argument(
        "--pipe", action="store_true", required=True, help="take requests on standard input, and answer on standard output"
    )
    parser.set_defaults(run=run)


def run(args: Namespace) -> int:
    if sys.stdin.isatty():
        raise InputError("standard input is a terminal: another program starts this command, and asks through a pipe")
    with os.fdopen(os.dup(0), "rb", buffering=0) as requests, os.fdopen(os.dup(1), "wb") as answers:
        os.dup2(2, 1)  # what a library prints is no answer
        serve(requests, answers)
    return 0
