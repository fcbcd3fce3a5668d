"""Who else wants the processor, and what the container leaves of it."""

from __future__ import annotations

from pytest_aiperf.machine import cgroup, procfs
from pytest_aiperf.machine.disturbances import MOST_STEAL
from pytest_aiperf.machine.doctor.finding import Finding, fine, noisy, unknown
from pytest_aiperf.machine.doctor.observation import Window
from pytest_aiperf.machine.instruments import Machine

MOST_FOREIGN = 0.05
"""Cores that others may use; above it a turn of a pair is repeated (docs/statistics.md)."""
MOST_LOAD = 0.5
"""Per processor, over the last minute: above it half of them were wanted, and a test of two threads waits at times."""
MOST_PRESSURE = 5.0
"""Percent of the last 10 s in which some process waited for a processor: as large as the slowdowns we look for."""
FEWEST_CORES = 0.01
"""A process is worth naming from here on: one tick of a second."""
NAMED = 3
LONGEST_NAME = 20


def other_processes(window: Window) -> Finding:
    """What they used while nothing of ours ran."""
    if window.foreign is None:
        return unknown()
    shown = f"{window.foreign:.2f} cores within {window.seconds:.1f} s"
    if window.foreign <= MOST_FOREIGN:
        return fine(shown)
    busiest = [busy for busy in window.busiest() if busy.cores >= FEWEST_CORES][:NAMED]
    named = ", ".join(f"{_plain(busy.name)} (pid {busy.pid}) {busy.cores:.2f}" for busy in busiest)
    explained = sum(busy.cores for busy in busiest) >= window.foreign / 2
    rest = "" if explained else "the rest cannot be seen from here"
    return noisy(
        f"{shown}: {'; '.join(filter(None, (named, rest)))}",
        remedy=f"{'stop them, or wait' if busiest else 'they are outside this container'}; "
        "in CI: one job at a time on a runner, or a dedicated one",
    )


def load_average(machine: Machine) -> Finding:
    """What was wanted of the processors in the last minute."""
    load, processors = machine.instruments.load(), machine.instruments.processors()
    if load is None:
        return unknown()
    return noisy(
        f"{load[0]:.2f} on {processors} processors",
        when=load[0] > MOST_LOAD * processors,
        remedy="wait a minute and look again; if it stays, see who it is: top -b -n 1 | head -15",
    )


def pressure(machine: Machine) -> Finding:
    """How long processes waited for a processor in the last 10 s."""
    words = machine.read("proc/pressure/cpu").split()
    average = next((word.removeprefix("avg10=") for word in words if word.startswith("avg10=")), None)
    if average is None:
        return unknown()
    return noisy(
        f"{float(average):.1f} % of the last 10 s spent waiting for a processor",
        when=float(average) > MOST_PRESSURE,
        remedy="fewer threads or jobs at once; in CI: one job at a time on a runner",
    )


def quota(machine: Machine, window: Window) -> Finding:
    """A container that used up its share is stopped for the rest of the period, 100 ms as a rule."""
    cores, visible = cgroup.cpu_quota(machine.root), machine.instruments.cores()
    share = "no quota" if cores is None else f"{cores:g} of {visible} cores"
    before, after = window.before.throttled, window.after.throttled
    if after is None and cores is None:
        return fine(share) if machine.read("proc/self/cgroup") else unknown()
    if not after:
        return fine(share if cores is None else f"{share}, never throttled")
    recent = f", {after - before} times within {window.seconds:.1f} s" if before is not None and after > before else ""
    threads = max(1, int(machine.usable_cores()))
    return noisy(
        f"{share}, throttled {after} times so far{recent}",
        remedy=f"export OMP_NUM_THREADS={threads}, and no second job in the container; or lift the quota: "
        "docker run without --cpus, Kubernetes without limits.cpu or with whole cores and the static CPU manager",
    )


def steal(window: Window) -> Finding:
    """What the hypervisor gave to others although this machine wanted it."""
    before, after = window.before.ticks, window.after.ticks
    since_boot = procfs.stolen_share((0,) * len(after), after)
    if since_boot is None:
        return unknown()
    now = procfs.stolen_share(before, after) or 0.0
    seen = f"{now:.1%} within {window.seconds:.1f} s, {since_boot:.1%} since boot".replace("%", " %")
    if max(now, since_boot) <= MOST_STEAL:
        return fine(seen)
    return noisy(
        f"{seen}: other virtual machines",
        remedy="not avoidable from inside: judge by pairs against a revision (--aiperf-against=REF), or ask for a "
        "dedicated runner or one that is not oversold",
    )


def _plain(name: str) -> str:
    """A process may call itself anything."""
    shown = "".join(letter if letter.isprintable() else "?" for letter in name)
    return shown if len(shown) <= LONGEST_NAME else f"{shown[: LONGEST_NAME - 3]}..."
