"""What a driver says of its devices: records, and answers that it could not give."""

from __future__ import annotations

from dataclasses import dataclass

POWER_CAP = "power cap"
SLOWDOWNS = {
    0x04: POWER_CAP,
    0x08: "hardware slowdown",
    0x20: "software thermal slowdown",
    0x40: "hardware thermal slowdown",
    0x80: "power brake",
}
"""Bits of NVML's clock throttle reasons that make a device slower than it could be."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unavailable:
    """A question that could not be answered, and why."""

    reason: str

    def text(self) -> str:
        """For people, as a condition's."""
        return f"unknown: {self.reason}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """A GPU, or one MIG instance of a GPU."""

    uuid: str
    """With its prefix: `GPU-...` or `MIG-...`."""
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """What may slow a device down."""

    clock_mhz: int
    fastest_mhz: int
    throttled: tuple[str, ...]
    others: int
    """Processes on it that are not this one or its children."""
    watts: float | None = None

    def disturbances(self, name: str) -> tuple[str, ...]:
        """What spoils a comparison on the device `name`. A power cap does not: a large model alone reaches it."""
        slowed = ", ".join(reason for reason in self.throttled if reason != POWER_CAP)
        others = (f"{self.others} other processes on {name}",) if self.others else ()
        return (*others, f"{name} throttled: {slowed}") if slowed else others

    def text(self) -> str:
        """For people."""
        slowed = ", ".join(self.throttled) or "no"
        power = "" if self.watts is None else f"; {self.watts:.0f} W"
        return f"{self.clock_mhz} of {self.fastest_mhz} MHz{power}; throttled: {slowed}; other processes: {self.others}"
