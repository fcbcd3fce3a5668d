"""What one check of the machine says."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

NOT_READABLE = "not readable on this system"
NO_ROOT = "no root, as in CI: --aiperf-against=REF, or a dedicated runner"
"""What helps where nothing can be changed: in pairs, old and new code meet the same noise."""


class State(Enum):
    """The three answers of a check."""

    FINE = "fine"
    NOISY = "noisy"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One check's answer."""

    state: State
    seen: str
    """`powersave on 8 of 8 processors`; for an unknown one the reason."""
    remedy: str = ""
    """A command or a setting; empty unless noisy."""


def fine(seen: str) -> Finding:
    """Nothing to do."""
    return Finding(state=State.FINE, seen=seen)


def noisy(seen: str, *, remedy: str, when: bool = True) -> Finding:
    """Timings vary because of it; fine unless `when`."""
    return Finding(state=State.NOISY, seen=seen, remedy=remedy) if when else fine(seen)


def unknown(reason: str = NOT_READABLE) -> Finding:
    """Could not be looked at."""
    return Finding(state=State.UNKNOWN, seen=reason)
