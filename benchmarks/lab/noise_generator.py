"""A neighbour: one process that burns a core and thrashes memory, on and off; leaves with its parent or at SIGTERM.

On and off times are exponential, 15 s in the mean over both; on for 30 % of the time. Seeded.
"""

from __future__ import annotations

import os
import random
import sys
import time

MEAN_SECONDS = 15.0
DUTY = 0.3
MEGABYTES = 64


def main() -> None:
    """Burn and rest until the parent is gone."""
    draw = random.Random(int(sys.argv[1]) if len(sys.argv) > 1 else 1)  # noqa: S311 - noise, not a secret
    parent, memory = os.getppid(), bytearray(MEGABYTES * 1024**2)
    while os.getppid() == parent:
        rest = time.monotonic() + draw.expovariate(1 / (2 * MEAN_SECONDS * (1 - DUTY)))
        while time.monotonic() < rest and os.getppid() == parent:
            time.sleep(0.1)
        until = time.monotonic() + draw.expovariate(1 / (2 * MEAN_SECONDS * DUTY))
        while time.monotonic() < until and os.getppid() == parent:
            memory[:] = memory[1:] + memory[:1]


if __name__ == "__main__":
    main()
