"""`pytest-aiperf doctor`: what makes this machine noisy for timing, each with its remedy."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping

from pytest_aiperf.machine.doctor import gpu, interpreter, load, memory, processor, threads
from pytest_aiperf.machine.doctor.finding import Finding, State
from pytest_aiperf.machine.doctor.observation import watch
from pytest_aiperf.machine.instruments import Machine

WORDS = {State.NOISY: "NOISY", State.FINE: "fine", State.UNKNOWN: "?"}
ADVICE = ". Pairs withstand what you cannot change: pytest --aiperf-against=REF"
STATE_WIDTH = max(len(word) for word in WORDS.values()) + 2


def examine(machine: Machine, *, seconds: float = 1.0) -> Mapping[str, Finding]:
    """Look at the machine, `seconds` of it while nothing of ours runs; name -> finding, the likeliest noise first."""
    window = watch(machine, seconds)
    try:
        found: dict[str, Finding | None] = {
            "other processes": load.other_processes(window),
            "load average": load.load_average(machine),
            "processor pressure": load.pressure(machine),
            "processor quota": load.quota(machine, window),
            "stolen time": load.steal(window),
            "virtual machine": processor.virtual_machine(machine),
            "processor governor": processor.governor(machine),
            "turbo clocks": processor.turbo(machine),
            "hyper-threading": processor.sibling_threads(machine),
            "thermal throttling": processor.heat(machine),
            "power supply": processor.power_supply(machine),
            "clock source": processor.clock_source(machine),
            "free memory": memory.free_memory(machine),
            "swapping": memory.swapping(machine, window),
            "huge pages": memory.huge_pages(machine),
            "library threads": threads.library_threads(machine),
            "OpenMP waiting": threads.waiting(machine),
            "xdist workers": threads.xdist_workers(machine),
            "Python build": interpreter.build(machine),
            "Python tracing": interpreter.tracing(machine),
            "Python bytecode": interpreter.bytecode(machine),
            **gpu.findings(machine),
        }
    finally:
        machine.instruments.nvml.close()
    return {name: finding for name, finding in found.items() if finding is not None}


def text(findings: Mapping[str, Finding], *, width: int = 100) -> str:
    """Noisy ones with their remedies, then fine ones, then what could not be looked at, and a line of counts."""
    by_state = {state: {name: one for name, one in findings.items() if one.state is state} for state in State}
    names = max(map(len, findings), default=0)
    lines: list[str] = []
    for name, finding in by_state[State.NOISY].items():
        head = f"{_word(State.NOISY)}{name:{names}}  "
        lines += _wrapped(finding.seen, width, first=head, later=" " * len(head))
        lines += _wrapped(finding.remedy, width, first=" " * STATE_WIDTH + "-> ", later=" " * (STATE_WIDTH + 3))
    for name, finding in by_state[State.FINE].items():
        lines.append(_cut(f"{_word(State.FINE)}{name:{names}}  {finding.seen}", width))
    lines += _unknown(by_state[State.UNKNOWN], width)
    counts = ", ".join(f"{len(by_state[state])} {state.value}" for state in (State.NOISY, State.FINE, State.UNKNOWN))
    return "\n".join([*lines, "", counts + (ADVICE if by_state[State.NOISY] else "")])


def _unknown(findings: Mapping[str, Finding], width: int) -> Iterator[str]:
    """One entry per reason: on a system without /proc and /sys most checks share one."""
    names: dict[str, list[str]] = {}
    for name, finding in findings.items():
        names.setdefault(finding.seen, []).append(name)
    for reason, checks in names.items():
        yield from _wrapped(
            f"{', '.join(checks)}: {reason}", width, first=_word(State.UNKNOWN), later=" " * STATE_WIDTH
        )


def _word(state: State) -> str:
    return f"{WORDS[state]:{STATE_WIDTH}}"


def _wrapped(words: str, width: int, *, first: str, later: str) -> list[str]:
    # Hyphens stand in options and host names: a line is broken at spaces only.
    return textwrap.wrap(words, width, initial_indent=first, subsequent_indent=later, break_on_hyphens=False) or [first]


def _cut(line: str, width: int) -> str:
    return line if len(line) <= width else f"{line[: width - 3]}..."
