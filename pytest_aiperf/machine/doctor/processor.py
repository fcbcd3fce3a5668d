"""The processor as it is built and set: clocks, heat, power, who owns it."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

from pytest_aiperf.machine import procfs
from pytest_aiperf.machine.doctor.finding import NO_ROOT, Finding, fine, noisy, unknown
from pytest_aiperf.machine.instruments import Machine

CPU = "sys/devices/system/cpu"
NO_TURBO = f"{CPU}/intel_pstate/no_turbo"
BOOST = f"{CPU}/cpufreq/boost"
CLOCK_SOURCE = "sys/devices/system/clocksource/clocksource0"

QUICK_CLOCKS = {"tsc", "kvm-clock", "arch_sys_counter", "hyperv_clocksource_tsc_page", "riscv_clocksource", "timebase"}
"""Read without a system call; every other one costs each timed call up to a microsecond, unevenly."""
MOST_HOT_PER_HOUR = 1.0
"""Thermal slowdowns; one an hour is met by a suite now and then, fewer by hardly any."""
HOUR = 3600.0


def virtual_machine(machine: Machine) -> Finding:
    """Neighbours that nobody here sees share its caches, its memory and its clock."""
    flags = procfs.first_core(machine.root).get("flags")
    if flags is None:
        return unknown()
    if "hypervisor" not in flags.split():
        return fine("no hypervisor: the hardware is this system's own")
    vendor = machine.read("sys/class/dmi/id/sys_vendor")
    seen = f"yes, of {vendor}" if vendor else "yes"
    return noisy(
        f"{seen}: unseen neighbours share its caches, memory and clock",
        remedy="not avoidable from inside: judge by pairs against a revision (--aiperf-against=REF), or ask for a "
        "dedicated runner (bare metal, or an instance with cores of its own)",
    )


def governor(machine: Machine) -> Finding:
    """Any but `performance` lets the clock fall between two calls."""
    governors = Counter(machine.each(f"{CPU}/cpu[0-9]*/cpufreq/scaling_governor").values())
    if not governors:
        return unknown()
    slow = {kind: count for kind, count in governors.items() if kind != "performance"}
    told = ", ".join(f"{kind} on {count}" for kind, count in (slow or governors).items())
    return noisy(
        f"{told} of {governors.total()} processors",
        when=bool(slow),
        remedy=f"sudo cpupower frequency-set -g performance ({NO_ROOT})",
    )


def turbo(machine: Machine) -> Finding:
    """The clock above the nominal one depends on heat and on how many cores are busy."""
    for file, on, off in ((NO_TURBO, "0", "1"), (BOOST, "1", "0")):
        setting = machine.read(file)
        if setting == off:
            return fine("off")
        if setting == on:
            return noisy(
                "on: the clock depends on heat and on how many cores are busy",
                remedy=f"echo {off} | sudo tee /{file} ({NO_ROOT})",
            )
    return unknown()


def sibling_threads(machine: Machine) -> Finding:
    """Two threads on one core slow each other down by a third or more."""
    active = machine.read(f"{CPU}/smt/active")
    if not active:
        return unknown()
    if active != "1":
        return fine("off, as far as this system sees")
    siblings = machine.each(f"{CPU}/cpu[0-9]*/topology/thread_siblings_list").values()
    first = sorted({int(text.replace("-", ",").split(",")[0]) for text in siblings})
    pin = f"taskset -c {_list(first)} pytest --aiperf, or " if first else ""
    return noisy(
        "on (SMT): two processors share a core and slow each other down",
        remedy=f"one thread per core: {pin}echo off | sudo tee /{CPU}/smt/control ({NO_ROOT})",
    )


def heat(machine: Machine) -> Finding:
    """A hot processor lowers its own clock."""
    counts = [int(text) for text in machine.each(f"{CPU}/cpu[0-9]*/thermal_throttle/*_throttle_count").values()]
    if not counts:
        return unknown()
    up = machine.read("proc/uptime").partition(" ")[0]
    hours = max(float(up or 0) / HOUR, 1.0)
    if max(counts) <= MOST_HOT_PER_HOUR * hours:
        return fine(f"{max(counts)} times since boot" if max(counts) else "never since boot")
    return noisy(
        f"{max(counts)} times in the {hours:.0f} h since boot",
        remedy="better cooling; until then a clock that it can hold: sudo cpupower frequency-set -u 2GHz "
        f"({NO_ROOT}), or another runner",
    )


def power_supply(machine: Machine) -> Finding:
    """A battery makes the firmware save power."""
    if not (machine.root / "sys/class/power_supply").is_dir():
        return unknown()
    kinds = machine.each("sys/class/power_supply/*/type")
    supplies = [file.parent.relative_to(machine.root) for file, kind in kinds.items() if kind == "Battery"]
    batteries = [place for place in supplies if machine.read(f"{place}/scope") != "Device"]  # a mouse's, say
    emptying = [place for place in batteries if machine.read(f"{place}/status") == "Discharging"]
    if not emptying:
        return fine("mains" if batteries else "mains (no battery)")
    left = machine.read(f"{emptying[0]}/capacity")
    return noisy(f"battery{f', {left} % left' if left else ''}", remedy="plug in the mains")


def clock_source(machine: Machine) -> Finding:
    """How each reading of the clock is taken."""
    source = machine.read(f"{CLOCK_SOURCE}/current_clocksource")
    if not source:
        return unknown()
    if source in QUICK_CLOCKS:
        return fine(source)
    others = machine.read(f"{CLOCK_SOURCE}/available_clocksource").split()
    better = next((other for other in others if other in QUICK_CLOCKS), None)
    remedy = f"echo {better} | sudo tee /{CLOCK_SOURCE}/current_clocksource" if better else "kernel option tsc=reliable"
    return noisy(f"{source}: each reading is a slow system call", remedy=f"{remedy} ({NO_ROOT})")


def _list(processors: list[int]) -> str:
    """As `taskset -c` takes them: `0-7`, `0-14:2`, `0,3,4`."""
    first, last = processors[0], processors[-1]
    steps = {later - earlier for earlier, later in pairwise(processors)}
    if len(processors) < 3 or len(steps) > 1:  # noqa: PLR2004 - a pair is no shorter as a range
        return ",".join(str(number) for number in processors)
    (step,) = steps
    return f"{first}-{last}" if step == 1 else f"{first}-{last}:{step}"
