"""Errors for want of memory, as each runtime says it, inside and outside of a measured call."""

from __future__ import annotations

import gc
import weakref

import pytest

from pytest_aiperf.measuring import out_of_memory
from pytest_aiperf.measuring.driver import Driver
from pytest_aiperf.measuring.metrics.latency import Latency
from pytest_aiperf.vocabulary.devices import GpuMemory
from tests.fakes import FakeAccelerator, FakeMemory, tools

GIB = 1024**3
CUDA = (
    "CUDA out of memory. Tried to allocate 20.00 GiB. GPU 0 has a total capacity of 79.15 GiB of which 3.25 GiB is "
    "free. Process 1 has 75.90 GiB memory in use."
)
DEVICE = GpuMemory(
    device="GPU-a",
    allocated_peak=70 * GIB,
    reserved_peak=None,
    process=None,
    device_used=76 * GIB,
    device_total=80 * GIB,
)
OTHER = GpuMemory(
    device="GPU-b", allocated_peak=1 * GIB, reserved_peak=None, process=None, device_used=2 * GIB, device_total=40 * GIB
)


class OutOfMemoryError(RuntimeError):
    """As torch calls it."""


def measured(error: BaseException, of_tools):
    """What is told of an error that a measured call raises."""

    def call():
        raise error

    try:
        Driver(call, of_tools).run([Latency(calls=1, seconds=0.0, max_seconds=1.0)])
    except BaseException as raised:  # noqa: BLE001 - it is the one above
        return out_of_memory.told(raised, of_tools)
    raise AssertionError("nothing was raised")


@pytest.mark.parametrize(
    ("error", "asked"),
    [
        (
            MemoryError("Unable to allocate 7.11 PiB for an array with shape (1000000000, 1000000)"),
            "7281 TiB asked for, ",
        ),
        (MemoryError(), ""),
        (
            RuntimeError(
                "[enforce fail at alloc_cpu.cpp:127] err == 0. DefaultCPUAllocator: can't allocate memory: you tried "
                "to allocate 4294967296 bytes. Error code 12 (Cannot allocate memory)"
            ),
            "4.00 GiB asked for, ",
        ),
        (
            RuntimeError("bfc_arena.cc:360 Failed to allocate memory for requested buffer of size 1073741824"),
            "1.00 GiB asked for, ",
        ),
    ],
    ids=["numpy", "Python", "torch", "ONNX Runtime"],
)
def test_on_the_processor_it_tells_what_was_asked_and_what_is_free(error, asked):
    told = measured(error, tools(memory=FakeMemory(now=2 * GIB)))
    assert told == f"{asked}3.00 GiB free for this process; it held 2.00 GiB"


@pytest.mark.parametrize(
    ("error", "asked"),
    [
        (OutOfMemoryError(CUDA), "20.0 GiB asked for, "),
        (RuntimeError("CUDA error: out of memory"), ""),
        (RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"), ""),
        (
            RuntimeError("MPS backend out of memory (MPS allocated: 5 GB). Tried to allocate 1.00 GB on"),
            "1.00 GiB asked for, ",
        ),
        (
            RuntimeError("RESOURCE_EXHAUSTED: Out of memory while trying to allocate 2147483648 bytes."),
            "2.00 GiB asked for, ",
        ),
    ],
    ids=["torch", "CUDA", "cuBLAS", "MPS", "JAX"],
)
def test_on_devices_each_one_tells_its_own(error, asked):
    told = measured(error, tools(accelerators=[FakeAccelerator(memory=[DEVICE, OTHER])]))
    assert told == (
        f"{asked}4.00 GiB of 80.0 GiB free on GPU-a, tensors of this process took 70.0 GiB at most; "
        "38.0 GiB of 40.0 GiB free on GPU-b, tensors of this process took 1.00 GiB at most"
    )


def test_without_the_driver_torchs_own_words_count():
    assert measured(OutOfMemoryError(CUDA), tools()) == "20.0 GiB asked for, 3.25 GiB free on the device"


def test_other_errors_are_none_of_it():
    assert measured(RuntimeError("mat1 and mat2 shapes cannot be multiplied"), tools()) is None
    assert measured(AssertionError("the message says 'out of memory'"), tools()) is None


def test_outside_of_a_measured_call_it_is_the_users_own_error():
    with pytest.raises(MemoryError) as caught:
        bytearray(1 << 62)
    assert out_of_memory.told(caught.value, tools()) is None


class Tensor:
    """Something large."""


def test_what_the_failed_call_held_is_let_go_with_all_errors_behind_it():
    seen = []

    def inner():
        tensor = Tensor()
        seen.append(weakref.ref(tensor))
        raise KeyError("first")

    def outer():
        tensor = Tensor()
        seen.append(weakref.ref(tensor))
        try:
            inner()
        except KeyError:
            raise MemoryError from None

    try:
        outer()
    except MemoryError as error:
        caught = error
    gc.collect()
    assert all(reference() is not None for reference in seen)
    out_of_memory.let_go(caught)
    gc.collect()
    assert [reference() for reference in seen] == [None, None]
