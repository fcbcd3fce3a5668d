"""`pytest-aiperf doctor`: what makes this machine noisy for timing, each with its remedy."""

from __future__ import annotations

import os
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from pytest_aiperf.machine.doctor import gpu, interpreter, load, memory, processor, threads
from pytest_aiperf.machine.doctor.finding import Finding, State
from pytest_aiperf.machine.doctor.observation import watch
from pytest_aiperf.machine.instruments import Instruments, Machine

__all__ = ["Finding", "Instruments", "State", "examine", "text"]

WORDS = {State.NOISY: "NOISY", State.FINE: "fine", State.UNKNOWN: "?"}
ADVICE = ". Pairs withstand what you cannot change: pytest --aiperf-against=REF"
STATE_WIDTH = max(len(word) for word in WORDS.values()) + 2


def examine(
    *,
    root: Path = Path("/"),
    environ: Mapping[str, str] = os.environ,
    seconds: float = 1.0,
    instruments: Instruments | None = None,
) -> tuple[Finding, ...]:
    """Look at the machine, `seconds` of it while nothing of ours runs; what disturbs most comes first."""
    machine = Machine(root=root, environ=environ, instruments=instruments or Instruments())
    window = watch(machine, seconds)
    try:
        return (
            *load.findings(machine, window),
            *processor.findings(machine),
            *memory.findings(machine, window),
            *threads.findings(machine),
            *interpreter.findings(machine),
            *gpu.findings(machine),
        )
    finally:
        machine.instruments.nvml.close()


def text(findings: Sequence[Finding], *, width: int = 100) -> str:
    """Noisy ones with their remedies, then fine ones, then what could not be looked at, and a line of counts."""
    by_state = {state: [finding for finding in findings if finding.state is state] for state in State}
    names = max((len(finding.name) for finding in findings), default=0)
    lines: list[str] = []
    for finding in by_state[State.NOISY]:
        head = _head(finding, names)
        lines += _wrapped(finding.seen, width, first=head, later=" " * len(head))
        lines += _wrapped(finding.remedy, width, first=" " * STATE_WIDTH + "-> ", later=" " * (STATE_WIDTH + 3))
    lines += [_cut(_head(finding, names) + finding.seen, width) for finding in by_state[State.FINE]]
    lines += _unknown(by_state[State.UNKNOWN], width)
    counts = ", ".join(f"{len(by_state[state])} {state.value}" for state in (State.NOISY, State.FINE, State.UNKNOWN))
    return "\n".join([*lines, "", counts + (ADVICE if by_state[State.NOISY] else "")])


def _head(finding: Finding, names: int) -> str:
    return f"{WORDS[finding.state]:{STATE_WIDTH}}{finding.name:{names}}  "


def _unknown(findings: Sequence[Finding], width: int) -> Iterator[str]:
    """One entry per reason: on a system without /proc and /sys most checks share one."""
    names: dict[str, list[str]] = {}
    for finding in findings:
        names.setdefault(finding.seen, []).append(finding.name)
    for reason, checks in names.items():
        first = f"{WORDS[State.UNKNOWN]:{STATE_WIDTH}}"
        yield from _wrapped(f"{', '.join(checks)}: {reason}", width, first=first, later=" " * STATE_WIDTH)


def _wrapped(words: str, width: int, *, first: str, later: str) -> list[str]:
    # Hyphens stand in options and host names: a line is broken at spaces only.
    return textwrap.wrap(words, width, initial_indent=first, subsequent_indent=later, break_on_hyphens=False) or [first]


def _cut(line: str, width: int) -> str:
    return line if len(line) <= width else f"{line[: width - 3]}..."
