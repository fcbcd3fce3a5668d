"""The processor's own settings, noisy and fine, from made-up trees of files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from pytest_aiperf.machine.doctor import processor
from pytest_aiperf.machine.doctor.finding import NOT_READABLE, Finding, State
from pytest_aiperf.machine.instruments import Machine
from tests.fakes_machine import machine

CPU = "sys/devices/system/cpu"
CLOCK = "sys/devices/system/clocksource/clocksource0"
BATTERY = "sys/class/power_supply/BAT0"
Check = Callable[[Machine], Finding]
Files = dict[str, str]


def governors(*kinds: str) -> Files:
    return {f"{CPU}/cpu{number}/cpufreq/scaling_governor": f"{kind}\n" for number, kind in enumerate(kinds)}


def siblings(*lists: str) -> Files:
    groups = {f"{CPU}/cpu{number}/topology/thread_siblings_list": f"{text}\n" for number, text in enumerate(lists)}
    return groups | {f"{CPU}/smt/active": "1\n"}


def battery(status: str, *, scope: str = "System") -> Files:
    told = {"type": "Battery", "status": status, "scope": scope, "capacity": "62"}
    return {f"{BATTERY}/{name}": f"{text}\n" for name, text in told.items()}


def throttles(*counts: int, uptime: float) -> Files:
    files = {
        f"{CPU}/cpu{number}/thermal_throttle/core_throttle_count": str(count) for number, count in enumerate(counts)
    }
    return files | {"proc/uptime": f"{uptime} 1.0\n"}


def flags(text: str) -> Files:
    return {"proc/cpuinfo": f"processor\t: 0\nflags\t\t: fpu {text} sse2\n\nprocessor\t: 1\n"}


@pytest.mark.parametrize(
    ("check", "files", "seen", "remedy"),
    [
        (
            processor.governor,
            governors("powersave", "powersave"),
            "powersave on 2 of 2",
            "cpupower frequency-set -g perf",
        ),
        (processor.governor, governors("performance", "schedutil"), "schedutil on 1 of 2", "cpupower"),
        (processor.governor, governors("ondemand", "powersave"), "ondemand on 1, powersave on 1 of 2", "cpupower"),
        (
            processor.turbo,
            {f"{CPU}/intel_pstate/no_turbo": "0\n"},
            "on",
            f"echo 1 | sudo tee /{CPU}/intel_pstate/no_turbo",
        ),
        (processor.turbo, {f"{CPU}/cpufreq/boost": "1\n"}, "on", f"echo 0 | sudo tee /{CPU}/cpufreq/boost"),
        (processor.sibling_threads, siblings("0,2", "1,3", "0,2", "1,3"), "on (SMT)", "taskset -c 0,1 pytest"),
        (
            processor.sibling_threads,
            siblings("0-1", "0-1", "2-3", "2-3", "4-5", "4-5"),
            "on",
            "taskset -c 0-4:2 pytest",
        ),
        (processor.sibling_threads, siblings("0,3", "1,4", "2,5", "0,3"), "on", "taskset -c 0-2 pytest"),
        (processor.sibling_threads, siblings("0", "1,2", "1,2", "5,6"), "on", "taskset -c 0,1,5 pytest"),
        (
            processor.sibling_threads,
            {f"{CPU}/smt/active": "1\n"},
            "on",
            f"core: echo off | sudo tee /{CPU}/smt/control",
        ),
        (processor.virtual_machine, flags("hypervisor"), "yes: ", "--aiperf-against=REF"),
        (
            processor.virtual_machine,
            flags("hypervisor") | {"sys/class/dmi/id/sys_vendor": "Amazon EC2\n"},
            "yes, of Amazon EC2: ",
            "dedicated runner",
        ),
        (
            processor.heat,
            throttles(0, 25, uptime=24 * 3600),
            "25 times in the 24 h since boot",
            "cpupower frequency-set -u",
        ),
        (processor.heat, throttles(2, uptime=60), "2 times in the 1 h since boot", "cooling"),
        (processor.power_supply, battery("Discharging"), "battery, 62 % left", "plug in the mains"),
        (
            processor.clock_source,
            {f"{CLOCK}/current_clocksource": "hpet\n", f"{CLOCK}/available_clocksource": "hpet tsc acpi_pm\n"},
            "hpet: ",
            f"echo tsc | sudo tee /{CLOCK}/current_clocksource",
        ),
        (processor.clock_source, {f"{CLOCK}/current_clocksource": "acpi_pm\n"}, "acpi_pm: ", "tsc=reliable"),
    ],
)
def test_it_finds_what_makes_the_processor_noisy(tmp_path: Path, check: Check, files: Files, seen: str, remedy: str):
    found = check(machine(tmp_path, files))
    assert found.state is State.NOISY
    assert found.seen.startswith(seen)
    assert remedy in found.remedy


@pytest.mark.parametrize(
    ("check", "files", "seen"),
    [
        (processor.governor, governors("performance", "performance"), "performance on 2 of 2 processors"),
        (processor.turbo, {f"{CPU}/intel_pstate/no_turbo": "1\n"}, "off"),
        (processor.turbo, {f"{CPU}/cpufreq/boost": "0\n"}, "off"),
        (processor.sibling_threads, {f"{CPU}/smt/active": "0\n"}, "off, as far as this system sees"),
        (processor.virtual_machine, flags("ht"), "no hypervisor: the hardware is this system's own"),
        (processor.heat, throttles(0, 0, uptime=60), "never since boot"),
        (processor.heat, throttles(0, 24, uptime=24 * 3600), "24 times since boot"),
        (processor.power_supply, battery("Charging"), "mains"),
        (processor.power_supply, battery("Not charging"), "mains"),
        (processor.power_supply, battery("Discharging", scope="Device"), "mains (no battery)"),
        (processor.power_supply, {"sys/class/power_supply/AC/type": "Mains\n"}, "mains (no battery)"),
        (processor.clock_source, {f"{CLOCK}/current_clocksource": "tsc\n"}, "tsc"),
        (processor.clock_source, {f"{CLOCK}/current_clocksource": "arch_sys_counter\n"}, "arch_sys_counter"),
    ],
)
def test_it_is_content_with_a_quiet_processor(tmp_path: Path, check: Check, files: Files, seen: str):
    found = check(machine(tmp_path, files))
    assert (found.state, found.seen, found.remedy) == (State.FINE, seen, "")


def test_it_does_not_guess_where_the_system_tells_nothing(tmp_path: Path):
    checks = (
        processor.virtual_machine,
        processor.governor,
        processor.turbo,
        processor.sibling_threads,
        processor.heat,
        processor.power_supply,
        processor.clock_source,
    )
    found = [check(machine(tmp_path)) for check in checks]
    assert {(finding.state, finding.seen) for finding in found} == {(State.UNKNOWN, NOT_READABLE)}


def test_it_does_not_take_an_arm_processor_without_flags_for_real_hardware(tmp_path: Path):
    found = processor.virtual_machine(machine(tmp_path, {"proc/cpuinfo": "processor : 0\nFeatures : fp asimd\n"}))
    assert found.state is State.UNKNOWN
