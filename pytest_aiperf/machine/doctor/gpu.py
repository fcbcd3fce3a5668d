"""NVIDIA devices: who else uses them, whether they hold their clocks, how they are set."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeVar

from pytest_aiperf.machine.doctor.finding import NO_ROOT, Finding, fine, noisy, unknown
from pytest_aiperf.machine.gpu_records import Condition, Device, Unavailable
from pytest_aiperf.machine.instruments import Machine
from pytest_aiperf.vocabulary import units

SHORT = 12
"""Letters of a UUID that tell devices apart and that CUDA_VISIBLE_DEVICES accepts."""

Answer = TypeVar("Answer")


def findings(machine: Machine) -> dict[str, Finding]:
    """Every check of this family by its name; a single one without a device."""
    nvml = machine.instruments.nvml
    devices = nvml.devices()
    if isinstance(devices, Unavailable):
        return {"GPU": unknown(f"no NVIDIA driver: {devices.reason}")}
    if not devices:
        return {"GPU": fine("the driver has no device")}
    conditions = nvml.conditions()
    return {
        "GPU sharing": _of_those_that_answer(sharing, conditions),
        "GPU throttling": _of_those_that_answer(throttling, conditions),
        "GPU persistence": _of_those_that_answer(persistence, nvml.persistence()),
        "GPU partitions": partitions(devices),
    }


def sharing(conditions: Mapping[str, Condition]) -> Finding:
    """Other processes on a device take its time and its memory's bandwidth."""
    shared = {uuid: condition.others for uuid, condition in conditions.items() if condition.others}
    if not shared:
        return fine(f"no other process on {units.counted(len(conditions), 'device')}")
    free = next((uuid for uuid in conditions if uuid not in shared), None)
    choose = f"export CUDA_VISIBLE_DEVICES={free} (nobody uses it)" if free else "ask for a GPU of your own"
    told = ", ".join(f"{others} on {uuid[:SHORT]}" for uuid, others in shared.items())
    return noisy(f"other processes: {told}", remedy=f"{choose}; nvidia-smi shows whose they are")


def throttling(conditions: Mapping[str, Condition]) -> Finding:
    """A device that lowers its clock is slower from one call to the next."""
    slowed = {uuid: condition for uuid, condition in conditions.items() if condition.throttled}
    if not slowed:
        return fine(f"none at this moment on {units.counted(len(conditions), 'device')}")
    told = "; ".join(
        f"{uuid[:SHORT]} {', '.join(condition.throttled)} ({condition.clock_mhz} of {condition.fastest_mhz} MHz)"
        for uuid, condition in slowed.items()
    )
    held = min(condition.clock_mhz for condition in slowed.values())
    return noisy(
        told,
        remedy=f"a clock that it can hold: sudo nvidia-smi --lock-gpu-clocks={held} ({NO_ROOT}); better cooling",
    )


def persistence(modes: Mapping[str, bool]) -> Finding:
    """Without it the driver puts a device down when the last process leaves: the next one starts slowly."""
    off = [uuid[:SHORT] for uuid, mode in modes.items() if not mode]
    if not off:
        return fine(f"on for {units.counted(len(modes), 'device')}")
    return noisy(
        f"off for {', '.join(off)}: the first start on an idle device is seconds slower",
        remedy=f"sudo nvidia-smi -pm 1 ({NO_ROOT})",
    )


def partitions(devices: tuple[Device, ...]) -> Finding:
    """Instances of one device share its power and so its clock."""
    instances = [device for device in devices if device.uuid.startswith("MIG-")]
    if not instances:
        return fine("whole devices (MIG is off)")
    return noisy(
        f"MIG is on: {instances[0].name} is a part, its neighbours share power and clock",
        remedy="a whole GPU: sudo nvidia-smi -mig 0 (while nothing runs on it); no root, as in CI: the same profile on "
        "every run, named by --aiperf-machine=NAME",
    )


def _of_those_that_answer(
    check: Callable[[Mapping[str, Answer]], Finding], answers: Mapping[str, Answer | Unavailable]
) -> Finding:
    """One check of the devices of which the driver tells; unknown, with its reason, where it tells of none."""
    known = {uuid: answer for uuid, answer in answers.items() if not isinstance(answer, Unavailable)}
    if known:
        return check(known)
    return unknown(next((answer.reason for answer in answers.values() if isinstance(answer, Unavailable)), ""))
