"""The machine class: what makes it up, what never does, and how it is called."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pytest_aiperf.machine import environment
from pytest_aiperf.machine.environment import (
    LONGEST_KEY,
    TWO_RUNTIMES,
    Machine,
    derived_key,
    installed_version,
    processor_name,
)
from pytest_aiperf.machine.processor import visible_cores
from pytest_aiperf.vocabulary.records import Environment
from tests.fakes import FakeAccelerator
from tests.fakes_gpu import FakeGpu, nvml, without_driver

XEON = """processor	: 0
vendor_id	: GenuineIntel
cpu family	: 6
model		: 106
model name	: Intel(R) Xeon(R) Platinum 8375C CPU @ 2.90GHz
cpu MHz		: 2899.998
"""
GRAVITON = """processor	: 0
BogoMIPS	: 243.75
CPU implementer	: 0x41
CPU part	: 0xd40
"""


RUNTIMES = ("onnxruntime", "onnxruntime-gpu", "torch", "jax")


def describe(**asked: Any) -> Environment:
    """Of a machine where some of the runtimes may be installed."""
    return environment.describe(distributions=RUNTIMES, **asked)


class Gpu(FakeAccelerator):
    """A device with facts."""

    def __init__(self, **facts: str) -> None:
        super().__init__()
        self._facts = facts

    def facts(self) -> Mapping[str, str]:
        return self._facts


@pytest.fixture
def machine(tmp_path: Path) -> Callable[..., Machine]:
    """A two-core Xeon with torch; files and any field may be given."""

    def build(
        files: Mapping[str, str] | None = None, versions: Mapping[str, str] | None = None, **fields: Any
    ) -> Machine:
        for name, text in {"proc/cpuinfo": XEON, **(files or {})}.items():
            file = tmp_path / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8")
        installed = {"torch": "2.13.0+cpu"} if versions is None else versions
        made_up: dict[str, Any] = {
            "root": tmp_path,
            "system": "Linux",
            "architecture": "x86_64",
            "kernel": "6.8.0-1021-aws",
            "python": "3.11",
            "environ": {},
            "modules": {},
            "version": installed.get,
            "cores": lambda: 2,
            "memory": lambda: 8 * 1024**3,
            "load": lambda: (0.5, 0.25, 0.125),
            "tracer": lambda: None,
            "monitoring": None,
        }
        return Machine(**made_up | fields)

    return build


def test_it_collects_the_comparable_facts(machine: Callable[..., Machine]):
    seen = describe(name=None, accelerators=[Gpu(gpu="1 x NVIDIA H200", driver="570.124")], machine=machine())
    assert seen.comparable == {
        "cpu": "Intel Xeon Platinum 8375C, family 6 model 106",
        "cores": "2",
        "os": "Linux x86_64",
        "python": "3.11",
        "gpu": "1 x NVIDIA H200",
        "driver": "570.124",
        "torch": "2.13",
    }


def test_it_derives_a_readable_key(machine: Callable[..., Machine]):
    bare = describe(name=None, accelerators=[], machine=machine()).key
    assert re.fullmatch(r"xeon-8375c-2c-linux-py311-torch2\.13-[0-9a-f]{8}", bare)
    gpu = describe(name=None, accelerators=[Gpu(gpu="1 x NVIDIA H200")], machine=machine()).key
    assert re.fullmatch(r"xeon-8375c-2c-1-x-h200-linux-py311-torch2\.13-[0-9a-f]{8}", gpu)


def test_a_derived_key_names_torch_wherever_it_is_installed(machine: Callable[..., Machine]):
    both = machine(versions={"onnxruntime": "1.23.0", "torch": "2.13.0"})
    assert "torch2.13" in describe(name=None, accelerators=[], machine=both).key
    alone = machine(versions={"onnxruntime": "1.23.0", "jax": "0.10.2"})
    assert "onnxruntime1.23" in describe(name=None, accelerators=[], machine=alone).key


def test_it_uses_a_given_name_as_the_key_and_still_collects(machine: Callable[..., Machine]):
    seen = describe(name="ci-gpu", accelerators=[], machine=machine())
    assert seen.key == "ci-gpu"
    assert seen.comparable["torch"] == "2.13"


def test_it_keeps_the_key_short_and_plain():
    facts = {
        "cpu": "A Processor Whose Name Goes On And On And On, family 1 model 2",
        "cores": "128",
        "os": "Linux x86_64",
        "python": "3.13t",
        "gpu": "8 x NVIDIA Some Exceptionally Long Marketing Name 80GB",
        "onnxruntime-gpu": "1.31",
    }
    key = derived_key(facts, RUNTIMES)
    assert len(key) <= LONGEST_KEY
    assert re.fullmatch(r"[a-z0-9.-]+", key)


def test_it_gives_every_different_class_another_key(machine: Callable[..., Machine]):
    worlds = [
        machine(),
        machine(cores=lambda: 4),
        machine(python="3.12"),
        machine(architecture="aarch64"),
        machine(environ={"OMP_NUM_THREADS": "1"}),
        machine(environ={"OMP_WAIT_POLICY": "PASSIVE"}),
        machine(versions={"torch": "2.12.1"}),
        machine(versions={"torch": "2.13.0", "jax": "0.10.2"}),
    ]
    keys = [describe(name=None, accelerators=[], machine=world).key for world in worlds]
    keys.append(describe(name=None, accelerators=[Gpu(gpu="1 x NVIDIA H200")], machine=worlds[0]).key)
    keys.append(describe(name=None, accelerators=[Gpu(gpu="2 x NVIDIA H200")], machine=worlds[0]).key)
    assert len(set(keys)) == len(keys)


def test_it_gives_the_same_class_the_same_key_whatever_changes_from_day_to_day(machine: Callable[..., Machine]):
    quiet = describe(name=None, accelerators=[], machine=machine())
    faster_clock = XEON.replace("2899.998", "3500.000").replace("2.90GHz", "3.50GHz")
    other = machine(
        files={"proc/cpuinfo": faster_clock},
        versions={"torch": "2.13.1", "numpy": "2.4"},
        environ={"HOSTNAME": "runner-17", "PATH": "/usr/bin"},
        kernel="6.9.0",
        memory=lambda: 16 * 1024**3,
        load=lambda: (9.0, 9.0, 9.0),
    )
    assert describe(name=None, accelerators=[], machine=other).key == quiet.key


def test_it_counts_the_cores_that_the_container_leaves(machine: Callable[..., Machine]):
    files = {"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "150000 100000\n"}
    assert describe(name=None, accelerators=[], machine=machine(files)).comparable["cores"] == "1.5"
    files["sys/fs/cgroup/cpu.max"] = "800000 100000\n"
    assert describe(name=None, accelerators=[], machine=machine(files)).comparable["cores"] == "2"


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Intel(R) Xeon(R) Platinum 8375C CPU @ 2.90GHz", "Intel Xeon Platinum 8375C"),
        ("Intel(R) Xeon(R) Processor @ 2.70GHz", "Intel Xeon"),
        ("AMD EPYC 7763 64-Core Processor", "AMD EPYC 7763"),
        ("AMD Ryzen 7 5800U with Radeon Graphics", "AMD Ryzen 7 5800U"),
        ("11th Gen Intel(R) Core(TM) i7-1165G7 @ 2.80GHz", "11th Gen Intel Core i7-1165G7"),
        ("Apple M2 Pro", "Apple M2 Pro"),
        ("", ""),
    ],
)
def test_it_strips_a_processors_name_to_its_model(text: str, name: str):
    assert processor_name(text) == name


def test_it_names_an_arm_processor_by_its_part(machine: Callable[..., Machine]):
    seen = describe(name=None, accelerators=[], machine=machine({"proc/cpuinfo": GRAVITON}, architecture="aarch64"))
    assert seen.comparable["cpu"] == "aarch64 0x41 0xd40"


def test_it_asks_the_platform_where_there_is_no_cpuinfo(machine: Callable[..., Machine]):
    named = machine({"proc/cpuinfo": ""}, processor_name=lambda: "Intel64 Family 6 Model 158, GenuineIntel")
    assert describe(name=None, accelerators=[], machine=named).comparable["cpu"].startswith("Intel64 Family 6")
    nameless = machine({"proc/cpuinfo": ""}, processor_name=lambda: "")
    assert describe(name=None, accelerators=[], machine=nameless).comparable["cpu"] == "x86_64"


def test_it_joins_facts_that_two_accelerators_state(machine: Callable[..., Machine]):
    both = [Gpu(gpu="1 x NVIDIA T4"), Gpu(gpu="1 x Intel Arc B580")]
    seen = describe(name=None, accelerators=both, machine=machine())
    assert seen.comparable["gpu"] == "1 x NVIDIA T4, 1 x Intel Arc B580"


def test_it_shows_details_without_comparing_them(machine: Callable[..., Machine]):
    files = {
        "proc/stat": "cpu  50 0 30 900 10 0 0 10 0 0\ncpu0 1 2 3\n",
        "proc/self/cgroup": "0::/\n",
        "sys/fs/cgroup/cpu.stat": "nr_throttled 3\nthrottled_usec 250000\n",
        "sys/devices/system/cpu/cpu0/cpufreq/scaling_governor": "powersave\n",
    }
    assert describe(name=None, accelerators=[], machine=machine(files)).details == {
        "kernel": "6.8.0-1021-aws",
        "memory": "8192 MiB",
        "load average": "0.50 0.25 0.12",
        "governor": "powersave",
        "steal since boot": "1.00%",
        "throttled by cgroup": "3 times, 0.250 s",
    }


def test_it_leaves_out_details_that_the_system_does_not_tell(machine: Callable[..., Machine]):
    seen = describe(name=None, accelerators=[], machine=machine({"proc/stat": "cpu  1 2 3\n"}, load=lambda: None))
    assert seen.details == {"kernel": "6.8.0-1021-aws", "memory": "8192 MiB"}


@pytest.mark.parametrize(
    ("versions", "warned"),
    [
        ({"onnxruntime": "1.20.0", "onnxruntime-gpu": "1.31.1"}, True),
        ({"onnxruntime-gpu": "1.31.1"}, False),
        ({"onnxruntime": "1.20.0"}, False),
    ],
)
def test_it_warns_of_two_runtimes_in_one_folder(
    machine: Callable[..., Machine], versions: dict[str, str], *, warned: bool
):
    details = describe(name=None, accelerators=[], machine=machine(versions=versions)).details
    assert details.get("warning") == (TWO_RUNTIMES if warned else None)


def coverage(*, running: bool) -> Any:
    return SimpleNamespace(Coverage=SimpleNamespace(current=lambda: object() if running else None))


def monitoring(**tools: str) -> Any:
    return SimpleNamespace(get_tool=lambda number: tools.get(f"tool{number}"))


@pytest.mark.parametrize(
    ("fields", "tracing"),
    [
        ({}, None),
        ({"modules": {"coverage": coverage(running=False)}}, None),
        ({"modules": {"coverage": coverage(running=True)}}, "coverage is measuring"),
        ({"tracer": lambda: print}, "a trace function is set (debugger or coverage)"),
        ({"monitoring": monitoring()}, None),
        ({"monitoring": monitoring(tool1="coverage.py")}, "sys.monitoring is used by coverage.py"),
    ],
)
def test_it_says_who_traces_python(machine: Callable[..., Machine], fields: dict[str, Any], tracing: str | None):
    details = describe(name=None, accelerators=[], machine=machine(**fields)).details
    assert details.get("tracing") == tracing


def test_it_shows_the_state_of_each_device_when_asked(machine: Callable[..., Machine]):
    shown = describe(name=None, accelerators=[], machine=machine(), nvml=nvml(FakeGpu("GPU-a", throttle=0x04))).details
    assert shown["device GPU-a"] == "1980 of 1980 MHz; 312 W; throttled: power cap; other processes: 0"
    without = describe(name=None, accelerators=[], machine=machine(), nvml=without_driver()).details
    assert not [detail for detail in without if detail.startswith("device")]


def test_it_describes_this_machine():
    seen = describe(name=None, accelerators=[])
    assert all(isinstance(word, str) and word for fact in seen.comparable.items() for word in fact)
    assert 0 < float(seen.comparable["cores"]) <= visible_cores()
    assert describe(name=None, accelerators=[]).key == seen.key
    assert not re.search(r"[GM]Hz", " ".join(seen.comparable.values()))


def test_it_knows_what_is_installed():
    assert installed_version("pytest") == pytest.__version__
    assert installed_version("surely-not-installed-anywhere") is None
