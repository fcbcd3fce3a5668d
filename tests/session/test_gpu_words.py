"""What `max_gpu_mb` says where something is missing: a GPU, torch, the driver's library, or the driver halfway."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from pytest_aiperf.judging.judge import judge
from pytest_aiperf.machine.nvml import Nvml
from pytest_aiperf.measuring.driver import Driver
from pytest_aiperf.measuring.metrics.gpu_memory import METRICS, GpuWatch
from pytest_aiperf.measuring.watches import Watches
from pytest_aiperf.runtimes.accelerators.cuda import Cuda
from pytest_aiperf.session.limit_markers import max_gpu_mb
from pytest_aiperf.vocabulary.devices import Devices
from pytest_aiperf.vocabulary.records import Criteria, Environment, Margins, Measurement, Policy, Verdict
from pytest_aiperf.vocabulary.terms import Origin
from tests.fakes import tools
from tests.fakes_gpu import (
    MIB,
    OWN,
    STRANGER,
    FakeGpu,
    FakeNvmlError,
    FakePynvml,
    FakeTorchDevice,
    nvml,
    nvml_over,
    torch_with_cuda,
    without_driver,
)

KINDS = ("allocated", "reserved", "process")
OURS = FakeGpu("GPU-a", compute=[(OWN, 300 * MIB)])
OTHERS = FakeGpu("GPU-b", compute=[(STRANGER, 5000 * MIB)])


def torch() -> object:
    return torch_with_cuda(
        FakeTorchDevice("a", allocated=100 * MIB, reserved=200 * MIB, held=50 * MIB),
        FakeTorchDevice("b", allocated=900 * MIB, reserved=900 * MIB, context=False),
    )


def rows(
    driver: Nvml, modules: dict[str, object], *, bound: float, meanwhile: Sequence[object] = (), required: bool = False
) -> dict[str, Verdict]:
    """Kind -> the row of `max_gpu_mb(bound, kind)` after one call in a fresh process."""
    device = Cuda(modules=modules, nvml=driver, environ={})
    call = (lambda: [step() for step in meanwhile]) if meanwhile else (lambda: None)
    watches = Watches([GpuWatch(Devices([device]), origin=Origin.FRESH)])
    samples = Driver(call, tools(accelerators=[device])).run([watches])
    criteria = Criteria(
        margins=Margins(),
        policy=Policy(required=frozenset({"gpu"} if required else ())),
        limits=tuple(max_gpu_mb(bound, kind) for kind in KINDS),
        default_limits=(),
        baselines={},
        suite_variance=None,
        stores=False,
    )
    verdicts = judge(
        Measurement(test="test_x.py::test_it", label="", samples=samples, taken_at="2026-11-20T12:00:00Z"),
        criteria,
        metrics={metric.name: metric for metric in METRICS},
        environment=Environment(key="here", comparable={}, details={}),
        final=True,
    )
    return {row.metric.removeprefix("gpu_"): row for row in verdicts}


def words(found: dict[str, Verdict]) -> dict[str, str]:
    return {kind: row.status.value for kind, row in found.items()}


def test_each_kind_is_held_to_its_own_figure_of_its_own_device():
    driver = nvml(OTHERS, OURS)
    assert {kind: row.now for kind, row in rows(driver, {"torch": torch()}, bound=1000).items()} == {
        "allocated": 100 * MIB,
        "reserved": 200 * MIB,
        "process": 300 * MIB,
    }
    for bound, over in ((99, KINDS), (150, KINDS[1:]), (250, KINDS[2:]), (301, ())):
        found = words(rows(driver, {"torch": torch()}, bound=bound))
        assert [kind for kind in KINDS if found[kind] == "over_limit"] == list(over)


@pytest.mark.parametrize("required", [False, True])
def test_without_any_gpu_every_kind_is_unmeasured_and_says_why(required):
    found = rows(without_driver(), {}, bound=1, required=required)
    assert words(found) == dict.fromkeys(KINDS, "unmeasured")
    assert {row.fails for row in found.values()} == {required}
    for row in found.values():
        assert row.message == (
            "could not be measured here: no GPU in use by this process; "
            "NVML cannot start: NVML Shared Library Not Found"
        )


def test_with_nvml_and_no_torch_only_the_drivers_figure_is_held():
    found = rows(nvml(OTHERS, OURS), {}, bound=200)
    assert words(found) == {"allocated": "unmeasured", "reserved": "unmeasured", "process": "over_limit"}
    assert "no runtime in this process counts it" in found["allocated"].message


def test_with_torch_and_no_nvml_torchs_own_figures_are_held():
    found = rows(without_driver(), {"torch": torch()}, bound=150)
    assert words(found) == {"allocated": "new", "reserved": "over_limit", "process": "unmeasured"}
    assert found["allocated"].message.startswith("no baseline")
    assert "process memory unknown: NVML cannot start: NVML Shared Library Not Found" in found["process"].message
    assert found["allocated"].limit == 150 * MIB, "within its limit, though nothing is stored yet"


def test_a_driver_that_fails_in_the_middle_of_a_call_leaves_torchs_figures_and_a_reason():
    library = FakePynvml(OURS)

    def lose() -> None:
        library.lost = FakeNvmlError("GPU is lost")

    found = rows(nvml_over(library), {"torch": torch()}, bound=150, meanwhile=[lose], required=True)
    assert found["reserved"].status.value == "over_limit"
    assert (found["process"].status.value, found["process"].fails) == ("unmeasured", True)
    assert "NVML: GPU is lost" in found["process"].message


def test_a_driver_that_fails_in_the_middle_is_no_pass_without_torch():
    library = FakePynvml(OURS)

    def lose() -> None:
        library.lost = FakeNvmlError("GPU is lost")

    found = rows(nvml_over(library), {}, bound=1000, meanwhile=[lose])
    assert words(found) == dict.fromkeys(KINDS, "unmeasured")
    assert "NVML: GPU is lost" in found["process"].message
