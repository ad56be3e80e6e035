"""Makes the threads of torch sleep while they wait, only in the command's own process and its children.

OpenMP's threads wait for each other in a busy loop. If other programs use the cores too, each such wait can cost a scheduler
time slice: frames that take 0.15 s then take 2 s. Sleeping is no slower on an idle machine.
"""

from __future__ import annotations

import os
import sys


def wait_asleep() -> None:
    """Make OpenMP's threads sleep while waiting, unless the environment says otherwise. No effect once torch is imported."""
    if "torch" not in sys.modules:
        os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
