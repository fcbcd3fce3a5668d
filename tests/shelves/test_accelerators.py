"""One contract for every member of the accelerators' shelf: not started, started, and as this machine has it."""

from __future__ import annotations

import importlib
import pkgutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from pytest_aiperf.runtimes import accelerators
from pytest_aiperf.runtimes.accelerators.cuda import Cuda
from pytest_aiperf.runtimes.accelerators.jax import Jax
from pytest_aiperf.runtimes.accelerators.mps import Mps
from pytest_aiperf.runtimes.accelerators.xpu import Xpu
from pytest_aiperf.vocabulary.devices import Accelerator, GpuMemory
from tests.fakes_gpu import (
    MIB,
    OWN,
    FakeGpu,
    FakeTorchDevice,
    FakeTorchDevices,
    jax_device,
    jax_modules,
    nvml,
    torch_with_cuda,
    torch_with_mps,
    torch_with_xpu,
    without_driver,
)

SHELF = sorted(module.name for module in pkgutil.iter_modules(accelerators.__path__))

IMPORTED_ONLY: Mapping[str, Callable[[], Accelerator]] = {
    "cuda": lambda: Cuda(modules={"torch": torch_with_cuda(initialised=False)}, nvml=without_driver(), environ={}),
    "xpu": lambda: Xpu(modules={"torch": torch_with_xpu(initialised=False)}),
    "mps": lambda: Mps(modules={"torch": torch_with_mps()}),
    "jax": lambda: Jax(modules=jax_modules({}, started=False)[0]),
}


def _started_cuda() -> Accelerator:
    torch = torch_with_cuda(FakeTorchDevice("a", allocated=MIB, reserved=2 * MIB))
    return Cuda(modules={"torch": torch}, nvml=nvml(FakeGpu("GPU-a", compute=[(OWN, 3 * MIB)])), environ={})


STARTED: Mapping[str, Callable[[], Accelerator]] = {
    "cuda": _started_cuda,
    "xpu": lambda: Xpu(modules={"torch": torch_with_xpu(FakeTorchDevice(allocated=MIB, reserved=2 * MIB))}),
    "mps": lambda: Mps(modules={"torch": torch_with_mps(held=3 * MIB)}),
    "jax": lambda: Jax(modules=jax_modules({"tpu": [jax_device(memory={"peak_bytes_in_use": MIB})]})[0]),
}


def member(name: str) -> Any:
    return importlib.import_module(f"pytest_aiperf.runtimes.accelerators.{name}")


def figures(record: GpuMemory) -> list[int]:
    values = (record.allocated_peak, record.reserved_peak, record.process)
    return [value for value in values if value is not None]


def test_it_tests_every_member_of_the_shelf():
    assert set(SHELF) == set(IMPORTED_ONLY) == set(STARTED)


@pytest.mark.parametrize("name", SHELF)
def test_it_creates_a_member(name: str):
    assert isinstance(member(name).create(), Accelerator)


@pytest.mark.parametrize("name", SHELF)
def test_it_does_nothing_for_a_runtime_that_was_only_imported(name: str):
    accelerator = IMPORTED_ONLY[name]()
    assert accelerator.initialised() is False
    accelerator.wait()
    accelerator.reset_peak()
    assert [figures(record) for record in accelerator.memory() if figures(record)] == []
    assert accelerator.facts() == {}


@pytest.mark.parametrize("name", SHELF)
def test_it_tells_of_a_started_device_without_a_single_zero(name: str):
    accelerator = STARTED[name]()
    assert accelerator.initialised() is True
    accelerator.wait()
    accelerator.reset_peak()
    (record,) = accelerator.memory()
    assert record.device
    assert figures(record)
    assert all(figures(record))


@pytest.mark.parametrize("name", SHELF)
def test_it_explains_every_figure_that_it_cannot_give(name: str):
    (record,) = STARTED[name]().memory()
    missing = {record.allocated_peak, record.process} & {None}
    assert bool(record.notes) is bool(missing)


@pytest.mark.parametrize("name", SHELF)
def test_it_states_facts_as_text(name: str):
    facts = STARTED[name]().facts()
    assert all(isinstance(word, str) and word for fact in facts.items() for word in fact)


def test_it_imports_no_runtime():
    """A fresh interpreter: create every member, ask each everything, then see what was imported."""
    script = f"""
import importlib, sys
members = [importlib.import_module("pytest_aiperf.runtimes.accelerators." + name).create() for name in {SHELF}]
assert not {{"pynvml", "psutil"}} & set(sys.modules), "a driver library was loaded by create()"
for member in members:
    member.initialised(); member.wait(); member.reset_peak(); member.memory(); member.facts()
print({{"torch", "jax", "numpy", "onnxruntime"}} & set(sys.modules))
"""
    asked = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert (asked.stdout.strip(), asked.stderr) == ("set()", "")


def test_it_asks_real_torch_only_for_what_it_has():
    torch = pytest.importorskip("torch")
    asked = {name for name, value in vars(FakeTorchDevices).items() if callable(value) and not name.startswith("_")}
    assert {name for name in asked if not hasattr(torch.cuda, name)} == set()
    assert {name for name in asked - {"mem_get_info"} if not hasattr(torch.xpu, name)} == set()
    assert {name for name in vars(torch_with_mps().mps) if not hasattr(torch.mps, name)} == {"log"}
