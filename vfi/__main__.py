"""The ``vfi`` command: sets up the process and hands over to `vfi.cli.command`.

Exit codes: 0 done, 2 bad arguments or input, 130 interrupted.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from .cli.openmp import wait_asleep


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    wait_asleep()
    from .cli.command import command  # imports torch, which then reads the environment

    return command(arguments)


if __name__ == "__main__":
    sys.exit(main())
