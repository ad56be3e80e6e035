"""How the threads of torch wait for one another; only in effect when this is imported before torch.

OpenMP's threads wait for each other in a busy loop. Where other programs use the cores too, each such wait can cost a turn
of the scheduler: frames that take 0.15 s then take 2 s. Waiting asleep is no slower on an idle machine.
"""

import os

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
