"""The object behind the fixture, measuring or not."""

from __future__ import annotations

import asyncio
import io
from dataclasses import replace

import numpy as np
import pytest

from pytest_aiperf import wiring
from pytest_aiperf.machine.reference_workload import ReferenceWorkload
from pytest_aiperf.measuring import out_of_memory
from pytest_aiperf.measuring.trial import RunContext, Trial
from pytest_aiperf.runtimes.frameworks import plain
from pytest_aiperf.session.bench import Bench
from pytest_aiperf.vocabulary.contracts import Framework, Frameworks
from pytest_aiperf.vocabulary.devices import DevicesSeen
from pytest_aiperf.vocabulary.errors import UsageError
from pytest_aiperf.vocabulary.orders import Order, Role
from pytest_aiperf.vocabulary.records import Margins
from pytest_aiperf.vocabulary.terms import Origin
from tests import fakes


def surroundings(tools):
    return RunContext(tools=tools, frameworks=Frameworks([plain.create()]), metrics=wiring.known_metrics())


def bench():
    """One that runs everything once."""
    context = surroundings(fakes.tools())
    order = Order(test="test_x.py::test_it", role=Role.MEMORY)
    trial = Trial(order=order, context=context, margins=Margins())
    return Bench(trial)


def timed(*, accelerators, role=Role.TEST):
    """The bench of a timing process on a clock of its own, its trial, and a call of 10 ms."""
    clock = fakes.FakeClock()
    tools = fakes.tools(clock=clock, accelerators=accelerators)
    context = surroundings(tools)
    order = Order(test="test_x.py::test_it", role=role, seconds=1.0)
    trial = Trial(order=order, context=context, margins=Margins())
    return Bench(trial), trial, lambda: clock.pass_seconds(0.01)


class Hungry(Framework):
    """A runtime that runs out of memory while it takes the inputs."""

    name = "hungry"

    def owns(self, model):
        return True

    def bind(self, model, inputs, options):
        raise MemoryError("Unable to allocate 1.00 GiB for an array")


@pytest.mark.parametrize("role", [Role.TIME, Role.MEMORY])
def test_a_fresh_process_soaks_once_since_nobody_reads_a_leak_from_it(role):
    fixture, trial, _ = timed(accelerators=[], role=role)
    calls = []
    fixture.soak(lambda: calls.append("soak"))
    assert calls == ["soak"]
    assert not trial.entries[""].samples


def test_memory_that_runs_out_while_the_inputs_are_bound_is_told_as_such():
    context = replace(surroundings(fakes.tools()), frameworks=Frameworks([Hungry()]))
    with pytest.raises(MemoryError) as raised:
        Bench(Trial(order=Order(test="test_x.py::test_it"), context=context, margins=Margins())).infer(object())
    assert "1.00 GiB asked for" in out_of_memory.told(raised.value, context.tools)


@pytest.mark.parametrize("role", [Role.TEST, Role.TIME])
@pytest.mark.parametrize(
    ("accelerators", "note"),
    [
        ([], "of the calls timed for the latency, 8 items per call"),
        ([fakes.FakeAccelerator(initialised=False)], "of the calls timed for the latency, 8 items per call"),
        ([fakes.FakeAccelerator()], "5 calls queued per burst, 8 items per call"),
    ],
)
def test_throughput_has_a_pass_of_its_own_only_where_a_device_queues_calls(accelerators, note, role):
    bench, trial, call = timed(accelerators=accelerators, role=role)
    bench.call(call, items=8)
    sample = trial.entries[""].samples["throughput", trial.order.origin]
    assert sample.notes == (note,)
    assert sample.values == pytest.approx([800.0] * 10)


@pytest.mark.parametrize(
    ("shares", "covariates"),
    [([0.0], [1.0, 1.0]), ([0.5, 0.0], [2.0, 2.0]), ([0.5, 0.5, 0.5], [3.0, 4.0])],
    ids=["quiet", "disturbed once", "disturbed to the end"],
)
def test_a_disturbed_section_and_what_follows_it_have_a_reference_reading_of_their_own(shares, covariates):
    """Each reading is the next number; the second test is timed undisturbed, right behind the first."""
    clock, readings = fakes.FakeClock(), iter((1.0, 2.0, 3.0, 4.0))
    tools = fakes.tools(clock=clock, foreign=fakes.FakeForeignLoad(shares))
    workload = ReferenceWorkload(
        foreign=fakes.FakeForeignLoad(),
        take=lambda: next(readings),
        clock=lambda: clock() * 1e-9,
        collect=lambda: clock.pass_seconds(0.1),
    )
    context = replace(surroundings(tools), reference=workload)
    order = Order(test="test_x.py::test_it", seconds=2.0)
    trial = Trial(order=order, context=context, margins=Margins())
    for label in ("first", "second"):
        Bench(trial).call(lambda: clock.pass_seconds(0.01), label=label)
    assert [trial.entries[label].seen.covariate for label in ("first", "second")] == covariates


def numbers():
    yield from (1, 2)


async def numbers_in_time():
    yield 1


class Batches:
    """As a data loader's iterator: Python's protocol, none of its classes."""

    def __iter__(self):
        return self

    def __next__(self):
        raise StopIteration


async def promise_of_numbers():
    return numbers()


@pytest.mark.parametrize(
    "function",
    [
        numbers,
        numbers_in_time,
        Batches,
        promise_of_numbers,
        lambda: map(abs, [1]),
        lambda: filter(None, [1]),
        lambda: zip([1], [2], strict=True),
        lambda: iter([1]),
        lambda: io.StringIO("a file"),
    ],
)
def test_it_refuses_a_result_that_has_not_been_worked_out(function):
    with pytest.raises(UsageError, match=r"only while it is read: read it inside the function.*list\(f\(\)\)"):
        bench().call(function)
    with pytest.raises(UsageError, match="only while it is read"):
        bench().infer(function)


@pytest.mark.parametrize("result", [[1], range(3), "text", {"a": 1}, np.ones(3), None, Batches])
def test_it_gives_back_what_can_be_read_again_and_again(result):
    assert bench().call(lambda: result) is result


def test_it_refuses_an_awaitable_that_nobody_awaits():
    future = asyncio.Future(loop=asyncio.new_event_loop())
    with pytest.raises(UsageError, match="never awaited"):
        bench().call(lambda: future)
    future.get_loop().close()


@pytest.fixture(params=[bench, lambda: wiring.pass_through(pytest.Stash())], ids=["measuring", "not measuring"])
def fixture(request):
    return request.param()


def test_a_bench_that_measures_nothing_runs_everything_once_and_holds_nobody_to_a_label(tmp_path):
    fixture, calls = wiring.pass_through(pytest.Stash()), []
    for _ in range(2):
        assert fixture.call(lambda: calls.append("call")) is None
        assert fixture.infer(lambda: "answer") == "answer"
        assert fixture.load(lambda: "model", files=[tmp_path / "not there"]) == "model"
        assert fixture.soak(lambda: calls.append("soak"), calls=1) is None
        assert fixture.concurrent({"a": lambda: abs, "b": lambda: bool}, -1) == {"a": 1, "b": True}
        assert fixture.score(0.5) == 0.5
    assert calls == ["call", "soak"] * 2


def test_a_bench_that_measures_nothing_compares_at_a_glance():
    seen = wiring.pass_through(pytest.Stash()).compare(lambda x: x, lambda x: x * 1, np.eye(3))
    assert seen.agreement == 1.0
    assert seen.speedup > 0.0


@pytest.mark.parametrize(
    ("scores", "mean"),
    [
        (0.5, 0.5),
        ([1, 0], 0.5),
        (np.float32(0.5), 0.5),
        (np.array(0.5), 0.5),
        (np.array([True, False]), 0.5),
        ([np.float32(1), np.bool_(False)], 0.5),
    ],
)
def test_it_takes_every_kind_of_score_whether_it_measures_or_not(fixture, scores, mean):
    assert fixture.score(scores) == mean


@pytest.mark.parametrize("shape", ["mean", "each", "list"])
@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "bool", "int64"])
def test_it_takes_tensors_whether_it_measures_or_not(fixture, shape, dtype):
    torch = pytest.importorskip("torch")
    right = torch.tensor([1, 0, 1, 1]).to(getattr(torch, dtype))
    scores = {"mean": right.float().mean(), "each": right, "list": list(right)}[shape]
    assert fixture.score(scores) == 0.75


@pytest.mark.parametrize(
    ("scores", "name", "says"),
    [
        ([], "accuracy", "no scores given"),
        (["good"], "accuracy", "expected one number per example"),
        (95, "accuracy", "divide percent by 100"),
        (0.5, "latency", "another metric has this name; reserved are .*latency, leak, load_cold, .*model_size, ram"),
        (0.5, "F1", "lower-case letters"),
    ],
)
def test_it_refuses_the_same_scores_whether_it_measures_or_not(fixture, scores, name, says):
    with pytest.raises(UsageError, match=says):
        fixture.score(scores, name=name)


def test_it_scores_under_another_name(fixture):
    assert fixture.score([95.0, 97.0], name="bleu") == 96.0


def on_a_device(*, device_time, latency=0.01, seen=None, joules=()):
    """The entry of a call on a device whose own clock shows `device_time`."""
    clock = fakes.FakeClock()
    device = fakes.FakeAccelerator(clock=fakes.FakeTimer(device_time))
    tools = fakes.tools(clock=clock, accelerators=[device], conditions=fakes.FakeConditions(*joules, seen=seen))
    context = surroundings(tools)
    order = Order(test="test_x.py::test_it", seconds=1.0)
    trial = Trial(order=order, context=context, margins=Margins())
    Bench(trial).call(lambda: clock.pass_seconds(latency))
    return trial.entries[""]


def test_on_a_device_its_own_time_and_the_energy_of_a_call_are_kept():
    entry = on_a_device(device_time=0.009, joules=(10.0, 20.0, 70.0))
    assert entry.samples["device_time", Origin.IN_PROCESS].values == (0.009,) * 30
    assert entry.samples["energy", Origin.IN_PROCESS].values == pytest.approx((50.0 / 110,))
    assert entry.seen.reasons == {}


@pytest.mark.parametrize(("device_time", "said"), [(0.0049, True), (0.0051, False), (0.0001, False)])
def test_a_model_that_the_host_holds_up_is_told(device_time, said):
    reasons = on_a_device(device_time=device_time).seen.reasons
    assert bool(reasons) is said
    assert not said or "the device is busy for 49% of each call" in reasons["latency"][0]


def test_what_disturbs_a_device_disturbs_the_timing():
    entry = on_a_device(
        device_time=0.01, seen=DevicesSeen(facts={"GPU-a": "hot"}, disturbances=("GPU-a throttled",), megahertz=900.0)
    )
    assert entry.samples["clock_mhz", Origin.IN_PROCESS].values == (900.0,)
    assert entry.seen.conditions == {"GPU-a": "hot"}
    assert entry.seen.disturbances == ("GPU-a throttled",)
