"""The ``vfi`` command, whose chunks wait before they are finished: ``held.py FOLDER ARGUMENTS...``.

The chunk of a number waits as long as FOLDER holds a file of that name. Multiprocessing runs this file again in each process
that it starts, so the chunks of workers wait, too.
"""

from __future__ import annotations

import sys
from pathlib import Path

import labour

from vfi import __main__
from vfi.clips.clip import Writer
from vfi.render.chunks import Parts

folder, *arguments = sys.argv[1:]
opened = Parts.writer


def held(parts: Parts, number: int, before: int) -> Writer:
    return labour.held(opened(parts, number, before), Path(folder) / str(number))


Parts.writer = held  # type: ignore[method-assign]

if __name__ == "__main__":
    sys.exit(__main__.main(arguments))
