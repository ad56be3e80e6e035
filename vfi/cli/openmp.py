"""How the threads of torch wait for one another: asleep. Only the command's own process and its children are set so.

OpenMP's threads wait for each other in a busy loop. If other programs use the cores too, each such wait can cost a turn of the
scheduler: frames that take 0.15 s then take 2 s. Waiting asleep is no slower on an idle machine.
"""

from __future__ import annotations

import os
import sys


def wait_asleep() -> None:
    """Have OpenMP's threads wait asleep, unless the environment says otherwise. Without effect once torch is imported."""
    if "torch" not in sys.modules:
        os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
