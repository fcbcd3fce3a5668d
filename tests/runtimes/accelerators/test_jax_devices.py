"""JAX: it answers before its work is done, on the processor too."""

from __future__ import annotations

from pytest_aiperf.runtimes.accelerators.jax import WHOLE_PROCESS, Jax
from pytest_aiperf.vocabulary.devices import GpuMemory
from tests.fakes_gpu import jax_device, jax_modules


def test_it_waits_for_the_arrays_of_every_platform():
    modules, log = jax_modules({"cpu": [jax_device()], "cuda": [jax_device(kind="NVIDIA H200")]})
    Jax(modules=modules).wait()
    assert log == ["effects", "arrays on cpu", "arrays on cuda"]


def test_it_starts_no_backend():
    modules, log = jax_modules({"cuda": [jax_device(memory={"peak_bytes_in_use": 5})]}, started=False)
    member = Jax(modules=modules)
    member.wait()
    assert not member.initialised()
    assert (log, member.memory(), member.facts()) == ([], [], {})


def test_it_ignores_a_jax_that_is_still_being_imported():
    modules, _ = jax_modules({"cpu": []})
    del modules["jax._src.xla_bridge"]
    assert not Jax(modules=modules).initialised()


def test_figures_of_two_devices_are_not_swapped():
    first, second = (
        jax_device(index, memory={"peak_bytes_in_use": 5 + index, "peak_pool_bytes": 80 + index}) for index in (0, 1)
    )
    modules, _ = jax_modules({"cuda": [first, second]})
    seen = [(one.device, one.allocated_peak, one.reserved_peak) for one in Jax(modules=modules).memory()]
    assert seen == [("jax cuda:0", 5, 80), ("jax cuda:1", 6, 81)]


def test_it_tells_the_peak_of_the_whole_process_and_says_so():
    used = jax_device(1, memory={"peak_bytes_in_use": 5, "peak_pool_bytes": 8})
    modules, _ = jax_modules({"cpu": [jax_device()], "cuda": [jax_device(memory={"peak_bytes_in_use": 0}), used]})
    assert Jax(modules=modules).memory() == [
        GpuMemory(device="jax cuda:1", allocated_peak=5, reserved_peak=8, process=None, notes=(WHOLE_PROCESS,))
    ]


def test_it_describes_devices_that_nobody_else_describes():
    tpus = [jax_device(index, kind="TPU v4") for index in range(4)]
    modules, _ = jax_modules({"cpu": [jax_device()], "cuda": [jax_device(kind="NVIDIA H200")], "tpu": tpus})
    assert Jax(modules=modules).facts() == {"tpu": "4 x TPU v4"}
