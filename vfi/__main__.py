"""The ``vfi`` command: sets up the process and hands over to `vfi.cli.command`.

Exit codes: 0 done, 1 standard input broke off or all of several inputs failed, 2 bad arguments, bad input or a failing machine,
3 some of several inputs failed, 130 interrupted, 141 nobody reads the output.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from .cli.openmp import wait_asleep


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    wait_asleep()
    try:
        from .cli.command import command  # imports torch, which then reads the environment
    except KeyboardInterrupt:
        sys.stderr.write("vfi: interrupted\n")
        return 130
    return command(arguments)


if __name__ == "__main__":
    sys.exit(main())
