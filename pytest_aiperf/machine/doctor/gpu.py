"""NVIDIA devices: who else uses them, whether they hold their clocks, how they are set."""

from __future__ import annotations

from collections.abc import Mapping

from pytest_aiperf.machine.doctor.finding import NO_ROOT, Finding, fine, noisy, unknown
from pytest_aiperf.machine.gpu_records import Condition, Device, Unavailable
from pytest_aiperf.machine.instruments import Machine

SHORT = 12
"""Letters of a UUID that tell devices apart and that CUDA_VISIBLE_DEVICES accepts."""

Conditions = Mapping[str, Condition | Unavailable]


def findings(machine: Machine) -> tuple[Finding, ...]:
    """Every check of this family; a single one without a device."""
    nvml = machine.instruments.nvml
    devices = nvml.devices()
    if isinstance(devices, Unavailable):
        return (unknown("GPU", f"no NVIDIA driver: {devices.reason}"),)
    if not devices:
        return (fine("GPU", "the driver has no device"),)
    conditions = nvml.conditions()
    return (
        sharing(conditions),
        throttling(conditions),
        persistence(nvml.persistence()),
        partitions(devices),
    )


def sharing(conditions: Conditions) -> Finding:
    """Other processes on a device take its time and its memory's bandwidth."""
    name = "GPU sharing"
    known = _known(conditions)
    if not known:
        return _unanswered(name, conditions)
    shared = {uuid: condition.others for uuid, condition in known.items() if condition.others}
    if not shared:
        return fine(name, f"no other process on {_devices(len(known))}")
    free = next((uuid for uuid in known if uuid not in shared), None)
    choose = f"export CUDA_VISIBLE_DEVICES={free} (nobody uses it)" if free else "ask for a GPU of your own"
    told = ", ".join(f"{others} on {uuid[:SHORT]}" for uuid, others in shared.items())
    return noisy(name, f"other processes: {told}", remedy=f"{choose}; nvidia-smi shows whose they are")


def throttling(conditions: Conditions) -> Finding:
    """A device that lowers its clock is slower from one call to the next."""
    name = "GPU throttling"
    known = _known(conditions)
    if not known:
        return _unanswered(name, conditions)
    slowed = {uuid: condition for uuid, condition in known.items() if condition.throttled}
    if not slowed:
        return fine(name, f"none at this moment on {_devices(len(known))}")
    told = "; ".join(
        f"{uuid[:SHORT]} {', '.join(condition.throttled)} ({condition.clock_mhz} of {condition.fastest_mhz} MHz)"
        for uuid, condition in slowed.items()
    )
    held = min(condition.clock_mhz for condition in slowed.values())
    return noisy(
        name,
        told,
        remedy=f"a clock that it can hold: sudo nvidia-smi --lock-gpu-clocks={held} ({NO_ROOT}); better cooling",
    )


def persistence(modes: Mapping[str, bool | Unavailable]) -> Finding:
    """Without it the driver puts a device down when the last process leaves: the next one starts slowly."""
    name = "GPU persistence"
    known = {uuid: mode for uuid, mode in modes.items() if not isinstance(mode, Unavailable)}
    off = [uuid[:SHORT] for uuid, mode in known.items() if not mode]
    if not known:
        return _unanswered(name, modes)
    if not off:
        return fine(name, f"on for {_devices(len(known))}")
    return noisy(
        name,
        f"off for {', '.join(off)}: the first start on an idle device is seconds slower",
        remedy=f"sudo nvidia-smi -pm 1 ({NO_ROOT})",
    )


def partitions(devices: tuple[Device, ...]) -> Finding:
    """Instances of one device share its power and so its clock."""
    name = "GPU partitions"
    instances = [device for device in devices if device.uuid.startswith("MIG-")]
    if not instances:
        return fine(name, "whole devices (MIG is off)")
    return noisy(
        name,
        f"MIG is on: {instances[0].name} is a part, its neighbours share power and clock",
        remedy="a whole GPU: sudo nvidia-smi -mig 0 (while nothing runs on it); no root, as in CI: the same profile on "
        "every run, named by --aiperf-machine=NAME",
    )


def _known(conditions: Conditions) -> dict[str, Condition]:
    return {uuid: condition for uuid, condition in conditions.items() if isinstance(condition, Condition)}


def _unanswered(name: str, answers: Mapping[str, object]) -> Finding:
    return unknown(name, next((answer.reason for answer in answers.values() if isinstance(answer, Unavailable)), ""))


def _devices(count: int) -> str:
    return "1 device" if count == 1 else f"{count} devices"
