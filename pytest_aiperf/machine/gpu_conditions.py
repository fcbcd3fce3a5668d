"""Clocks, throttling, power, energy and other processes of the devices that this process uses."""

from __future__ import annotations

from pytest_aiperf.machine.gpu_records import Condition, Unavailable
from pytest_aiperf.machine.nvml import Nvml
from pytest_aiperf.vocabulary.devices import DevicesSeen


class NvmlConditions:
    """As NVIDIA's driver tells them; without one there is nothing to tell."""

    def __init__(self, nvml: Nvml) -> None:
        self._nvml = nvml

    def seen(self) -> DevicesSeen:
        used = self._used()
        conditions = self._nvml.conditions() if used else {}
        known = {uuid: conditions[uuid] for uuid in used if uuid in conditions}
        answered = {uuid: condition for uuid, condition in known.items() if isinstance(condition, Condition)}
        watts = [condition.watts for condition in answered.values() if condition.watts is not None]
        return DevicesSeen(
            facts={uuid: _text(condition) for uuid, condition in known.items()},
            disturbances=tuple(text for uuid, condition in answered.items() for text in condition.disturbances(uuid)),
            megahertz=min((float(condition.clock_mhz) for condition in answered.values()), default=None),
            watts=sum(watts) if watts and len(watts) == len(known) else None,
        )

    def joules(self) -> float | None:
        counted = [self._nvml.joules(uuid) for uuid in self._used()]
        known = [joules for joules in counted if not isinstance(joules, Unavailable)]
        return sum(known) if known and len(known) == len(counted) else None

    def _used(self) -> list[str]:
        """Those that list this process; in a container, whose process ids the driver does not know, an only one."""
        listed, every = self._nvml.in_use(), self._nvml.devices()
        if not isinstance(listed, Unavailable) and listed:
            return [device.uuid for device in listed]
        return [] if isinstance(every, Unavailable) or len(every) > 1 else [device.uuid for device in every]


def _text(condition: Condition | Unavailable) -> str:
    return condition.text() if isinstance(condition, Condition) else f"unknown: {condition.reason}"
