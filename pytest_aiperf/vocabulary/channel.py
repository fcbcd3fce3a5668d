"""How a fresh process finds the line to its parent; apart, because an unused plugin looks for it, too."""

WORKER_VARIABLE = "PYTEST_AIPERF_WORKER"
"""Set for a fresh process only: the number of its socket to the parent."""
