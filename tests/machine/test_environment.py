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
    Place,
    derived_key,
    installed_version,
    processor_name,
)
from pytest_aiperf.machine.instruments import Memory
from pytest_aiperf.machine.processor import visible_cores
from pytest_aiperf.vocabulary.records import Environment
from tests.fakes import FakeAccelerator
from tests.fakes_gpu import FakeGpu, nvml, without_driver
from tests.fakes_machine import GIB, interpreter, machine

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
def place(tmp_path: Path) -> Callable[..., Place]:
    """A two-core Xeon with torch; files, environment and any answer may be given."""

    def build(
        files: Mapping[str, str] | None = None,
        versions: Mapping[str, str] | None = None,
        environ: Mapping[str, str] | None = None,
        **answers: Any,
    ) -> Place:
        installed = {"torch": "2.13.0+cpu"} if versions is None else versions
        names: dict[str, Any] = {
            "system": "Linux",
            "architecture": "x86_64",
            "kernel": "6.8.0-1021-aws",
            "python": "3.11",
            "processor": lambda: "",
        }
        names |= {name: answers.pop(name) for name in names if name in answers}
        watchers = {name: answers.pop(name) for name in ("tracer", "monitoring") if name in answers}
        seen: dict[str, Any] = {
            "cores": lambda: 2,
            "memory": lambda: Memory(available=GIB, total=8 * GIB),
            "load": lambda: (0.5, 0.25, 0.125),
            "interpreter": interpreter(**watchers),
        }
        looked_at = machine(tmp_path, {"proc/cpuinfo": XEON, **(files or {})}, environ, **seen | answers)
        return Place(machine=looked_at, version=installed.get, **names)

    return build


def test_it_collects_the_comparable_facts(place: Callable[..., Place]):
    seen = describe(name=None, accelerators=[Gpu(gpu="1 x NVIDIA H200", driver="570.124")], place=place())
    assert seen.comparable == {
        "cpu": "Intel Xeon Platinum 8375C, family 6 model 106",
        "cores": "2",
        "os": "Linux x86_64",
        "python": "3.11",
        "gpu": "1 x NVIDIA H200",
        "driver": "570.124",
        "torch": "2.13",
    }


def test_it_derives_a_readable_key(place: Callable[..., Place]):
    bare = describe(name=None, accelerators=[], place=place()).key
    assert re.fullmatch(r"xeon-8375c-2c-linux-py311-torch2\.13-[0-9a-f]{8}", bare)
    gpu = describe(name=None, accelerators=[Gpu(gpu="1 x NVIDIA H200")], place=place()).key
    assert re.fullmatch(r"xeon-8375c-2c-1-x-h200-linux-py311-torch2\.13-[0-9a-f]{8}", gpu)


def test_a_derived_key_names_torch_wherever_it_is_installed(place: Callable[..., Place]):
    both = place(versions={"onnxruntime": "1.23.0", "torch": "2.13.0"})
    assert "torch2.13" in describe(name=None, accelerators=[], place=both).key
    alone = place(versions={"onnxruntime": "1.23.0", "jax": "0.10.2"})
    assert "onnxruntime1.23" in describe(name=None, accelerators=[], place=alone).key


def test_it_uses_a_given_name_as_the_key_and_still_collects(place: Callable[..., Place]):
    seen = describe(name="ci-gpu", accelerators=[], place=place())
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


def test_it_gives_every_different_class_another_key(place: Callable[..., Place]):
    worlds = [
        place(),
        place(cores=lambda: 4),
        place(python="3.12"),
        place(architecture="aarch64"),
        place(environ={"OMP_NUM_THREADS": "1"}),
        place(environ={"OMP_WAIT_POLICY": "PASSIVE"}),
        place(versions={"torch": "2.12.1"}),
        place(versions={"torch": "2.13.0", "jax": "0.10.2"}),
    ]
    keys = [describe(name=None, accelerators=[], place=world).key for world in worlds]
    keys.append(describe(name=None, accelerators=[Gpu(gpu="1 x NVIDIA H200")], place=worlds[0]).key)
    keys.append(describe(name=None, accelerators=[Gpu(gpu="2 x NVIDIA H200")], place=worlds[0]).key)
    assert len(set(keys)) == len(keys)


def test_it_gives_the_same_class_the_same_key_whatever_changes_from_day_to_day(place: Callable[..., Place]):
    quiet = describe(name=None, accelerators=[], place=place())
    faster_clock = XEON.replace("2899.998", "3500.000").replace("2.90GHz", "3.50GHz")
    other = place(
        files={"proc/cpuinfo": faster_clock},
        versions={"torch": "2.13.1", "numpy": "2.4"},
        environ={"HOSTNAME": "runner-17", "PATH": "/usr/bin"},
        kernel="6.9.0",
        memory=lambda: Memory(available=GIB, total=16 * GIB),
        load=lambda: (9.0, 9.0, 9.0),
    )
    assert describe(name=None, accelerators=[], place=other).key == quiet.key


def test_it_counts_the_cores_that_the_container_leaves(place: Callable[..., Place]):
    files = {"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "150000 100000\n"}
    assert describe(name=None, accelerators=[], place=place(files)).comparable["cores"] == "1.5"
    files["sys/fs/cgroup/cpu.max"] = "800000 100000\n"
    assert describe(name=None, accelerators=[], place=place(files)).comparable["cores"] == "2"


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


def test_it_names_an_arm_processor_by_its_part(place: Callable[..., Place]):
    seen = describe(name=None, accelerators=[], place=place({"proc/cpuinfo": GRAVITON}, architecture="aarch64"))
    assert seen.comparable["cpu"] == "aarch64 0x41 0xd40"


def test_it_asks_the_platform_where_there_is_no_cpuinfo(place: Callable[..., Place]):
    named = place({"proc/cpuinfo": ""}, processor=lambda: "Intel64 Family 6 Model 158, GenuineIntel")
    assert describe(name=None, accelerators=[], place=named).comparable["cpu"].startswith("Intel64 Family 6")
    nameless = place({"proc/cpuinfo": ""}, processor=lambda: "")
    assert describe(name=None, accelerators=[], place=nameless).comparable["cpu"] == "x86_64"


def test_it_joins_facts_that_two_accelerators_state(place: Callable[..., Place]):
    both = [Gpu(gpu="1 x NVIDIA T4"), Gpu(gpu="1 x Intel Arc B580")]
    seen = describe(name=None, accelerators=both, place=place())
    assert seen.comparable["gpu"] == "1 x NVIDIA T4, 1 x Intel Arc B580"


def test_it_shows_details_without_comparing_them(place: Callable[..., Place]):
    files = {
        "proc/stat": "cpu  50 0 30 900 10 0 0 10 0 0\ncpu0 1 2 3\n",
        "proc/self/cgroup": "0::/\n",
        "sys/fs/cgroup/cpu.stat": "nr_throttled 3\nthrottled_usec 250000\n",
        "sys/devices/system/cpu/cpu0/cpufreq/scaling_governor": "powersave\n",
    }
    assert describe(name=None, accelerators=[], place=place(files)).details == {
        "kernel": "6.8.0-1021-aws",
        "memory": "8192 MiB",
        "load average": "0.50 0.25 0.12",
        "governor": "powersave",
        "steal since boot": "1.00%",
        "throttled by cgroup": "3 times, 0.250 s",
    }


def test_it_leaves_out_details_that_the_system_does_not_tell(place: Callable[..., Place]):
    seen = describe(name=None, accelerators=[], place=place({"proc/stat": "cpu  1 2 3\n"}, load=lambda: None))
    assert seen.details == {"kernel": "6.8.0-1021-aws", "memory": "8192 MiB"}


@pytest.mark.parametrize(
    ("versions", "warned"),
    [
        ({"onnxruntime": "1.20.0", "onnxruntime-gpu": "1.31.1"}, True),
        ({"onnxruntime-gpu": "1.31.1"}, False),
        ({"onnxruntime": "1.20.0"}, False),
    ],
)
def test_it_warns_of_two_runtimes_in_one_folder(place: Callable[..., Place], versions: dict[str, str], *, warned: bool):
    details = describe(name=None, accelerators=[], place=place(versions=versions)).details
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
def test_it_says_who_traces_python(place: Callable[..., Place], fields: dict[str, Any], tracing: str | None):
    details = describe(name=None, accelerators=[], place=place(**fields)).details
    assert details.get("tracing") == tracing


def test_it_shows_the_state_of_each_device(place: Callable[..., Place]):
    shown = describe(name=None, accelerators=[], place=place(nvml=nvml(FakeGpu("GPU-a", throttle=0x04)))).details
    assert shown["device GPU-a"] == "1980 of 1980 MHz; 312 W; throttled: power cap; other processes: 0"
    without = describe(name=None, accelerators=[], place=place(nvml=without_driver())).details
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
