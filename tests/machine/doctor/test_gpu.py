"""Devices as the driver tells of them: noisy, fine, and unanswered."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_aiperf.machine.doctor import gpu
from pytest_aiperf.machine.doctor.finding import Finding, State
from tests.fakes_gpu import OWN, STRANGER, FakeGpu, FakeNvmlError, nvml
from tests.fakes_machine import machine

A, B = "GPU-aaaaaaaa-1111", "GPU-bbbbbbbb-2222"


def seen_on(root: Path, *devices: FakeGpu) -> dict[str, Finding]:
    return gpu.findings(machine(root, nvml=nvml(*devices)))


def test_it_is_content_with_a_device_of_our_own(tmp_path: Path):
    found = seen_on(tmp_path, FakeGpu(A, compute=[(OWN, 1)]), FakeGpu(B))
    assert {name: finding.seen for name, finding in found.items()} == {
        "GPU sharing": "no other process on 2 devices",
        "GPU throttling": "none at this moment on 2 devices",
        "GPU persistence": "on for 2 devices",
        "GPU partitions": "whole devices (MIG is off)",
    }
    assert {finding.state for finding in found.values()} == {State.FINE}


@pytest.mark.parametrize(
    ("name", "device", "seen", "remedy"),
    [
        (
            "GPU sharing",
            FakeGpu(A, compute=[(OWN, 1), (STRANGER, 2)]),
            "other processes: 1 on GPU-aaaaaaaa",
            "GPU of your own",
        ),
        (
            "GPU throttling",
            FakeGpu(A, throttle=0x04 | 0x20, clock=1200),
            "GPU-aaaaaaaa power cap, software thermal slowdown (1200 of 1980 MHz)",
            "--lock-gpu-clocks=1200",
        ),
        ("GPU persistence", FakeGpu(A, persistent=0), "off for GPU-aaaaaaaa: ", "sudo nvidia-smi -pm 1"),
        (
            "GPU partitions",
            FakeGpu(A, instances=[FakeGpu("MIG-1", name="H200 MIG 1g.18gb")]),
            "MIG is on: H200 MIG 1g.18gb is a part",
            "nvidia-smi -mig 0",
        ),
    ],
)
def test_it_finds_what_makes_a_device_noisy(tmp_path: Path, name: str, device: FakeGpu, seen: str, remedy: str):
    found = seen_on(tmp_path, device)
    assert [other for other, finding in found.items() if finding.state is State.NOISY] == [name]
    assert found[name].seen.startswith(seen)
    assert remedy in found[name].remedy


def test_it_points_to_a_device_that_nobody_uses(tmp_path: Path):
    shared = seen_on(tmp_path, FakeGpu(A, compute=[(STRANGER, 2)]), FakeGpu(B))["GPU sharing"]
    assert shared.remedy.startswith(f"export CUDA_VISIBLE_DEVICES={B} (nobody uses it)")


def test_it_passes_on_why_the_driver_does_not_answer(tmp_path: Path):
    refusal = FakeNvmlError("Not Supported")
    found = seen_on(tmp_path, FakeGpu(A, compute=refusal, persistent=refusal))
    for name in ("GPU sharing", "GPU throttling", "GPU persistence"):
        assert (found[name].state, found[name].seen) == (State.UNKNOWN, "NVML: Not Supported")


def test_it_judges_the_devices_that_answer_beside_one_that_does_not(tmp_path: Path):
    found = seen_on(tmp_path, FakeGpu(A, compute=FakeNvmlError("lost")), FakeGpu(B))["GPU sharing"]
    assert (found.state, found.seen) == (State.FINE, "no other process on 1 device")


def test_it_says_in_one_finding_that_there_is_no_device(tmp_path: Path):
    (found,) = gpu.findings(machine(tmp_path)).values()
    assert found.state is State.UNKNOWN
    assert found.seen == "no NVIDIA driver: NVML cannot start: NVML Shared Library Not Found"
    (found,) = gpu.findings(machine(tmp_path, nvml=nvml())).values()
    assert (found.state, found.seen) == (State.FINE, "the driver has no device")
