"""Where we are: facts that make up the machine class, and details that are only shown."""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import platform
import re
import sys
import sysconfig
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pytest_aiperf.machine import cgroup, procfs
from pytest_aiperf.machine.instruments import Machine
from pytest_aiperf.vocabulary.devices import Accelerator
from pytest_aiperf.vocabulary.records import Environment

NAMED_FIRST = "torch"
"""Of several runtimes, the one in a derived key: names of stored machine classes hold it."""
THREAD_SETTINGS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "OMP_WAIT_POLICY")
LONGEST_KEY = 60

VENDOR_WORDS = {"intel", "amd", "core", "platinum", "gold", "silver", "bronze", "nvidia", "geforce", "tesla"}
"""Say nothing in a name that ends with the model."""
TWO_RUNTIMES = (
    "onnxruntime and onnxruntime-gpu are both installed and share one folder, so that either may be broken: "
    "uninstall both, then install one"
)


def installed_version(distribution: str) -> str | None:
    """Version of an installed distribution, None if it is not installed."""
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return None


def interpreter() -> str:
    """Python x.y, with what makes another interpreter of it: `3.13t`, `pypy 3.11`."""
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    if sysconfig.get_config_var("Py_GIL_DISABLED"):
        version += "t"
    return version if sys.implementation.name == "cpython" else f"{sys.implementation.name} {version}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """What the machine, the system and the interpreter are called, and where more of them is read."""

    machine: Machine = field(default_factory=Machine)
    system: str = field(default_factory=platform.system)
    architecture: str = field(default_factory=platform.machine)
    kernel: str = field(default_factory=platform.release)
    processor: Callable[[], str] = platform.processor
    """The processor's name on systems without /proc/cpuinfo."""
    python: str = field(default_factory=interpreter)
    version: Callable[[str], str | None] = installed_version
    """Of an installed distribution."""


def describe(
    *,
    name: str | None,
    accelerators: Sequence[Accelerator],
    distributions: Sequence[str],
    place: Place | None = None,
) -> Environment:
    """The machine class under its given or derived name.

    Of `distributions`, the runtimes as they are installed, those that are there are a part of the class.
    """
    place = place or Place()
    comparable = _comparable(place, accelerators, distributions)
    key = name or derived_key(comparable, distributions)
    return Environment(key=key, comparable=comparable, details=_details(place))


def derived_key(comparable: Mapping[str, str], distributions: Sequence[str]) -> str:
    """A readable name of at most 60 characters; its last eight tell any two different classes apart."""
    digest = hashlib.sha256(json.dumps(sorted(comparable.items())).encode()).hexdigest()[:8]
    runtimes = sorted(distributions, key=lambda name: name != NAMED_FIRST)
    framework = next((f"{name}{comparable[name]}" for name in runtimes if name in comparable), "")
    words = [
        _slug(comparable["cpu"].partition(", family")[0]),
        f"{comparable['cores']}c",
        _slug(comparable.get("gpu", "")),
        _slug(comparable["os"].partition(" ")[0]),
        f"py{comparable['python']}".replace(".", "").replace(" ", ""),
        framework,
    ]
    key = ""
    for word in filter(None, words):
        longer = f"{key}-{word}" if key else word
        if len(longer) + 1 + len(digest) <= LONGEST_KEY:
            key = longer
    return f"{key}-{digest}"


def processor_name(text: str) -> str:
    """A processor's model without trade marks, clock and number of cores."""
    text = re.sub(r"\((?:R|TM|r|tm)\)", " ", text)
    text = re.sub(r"@.*|\b\d+(?:\.\d+)?\s?[GM]Hz\b|\bwith Radeon.*", " ", text)
    text = re.sub(r"\b(?:CPU|Processor|\d+-Core)\b", " ", text)
    return " ".join(text.split())


def _comparable(place: Place, accelerators: Sequence[Accelerator], distributions: Sequence[str]) -> dict[str, str]:
    facts = {
        "cpu": _processor(place),
        "cores": f"{place.machine.usable_cores():.3g}",
        "os": f"{place.system} {place.architecture}",
        "python": place.python,
    }
    for accelerator in accelerators:
        for fact, value in accelerator.facts().items():
            facts[fact] = f"{facts[fact]}, {value}" if fact in facts else value
    for distribution in distributions:
        version = place.version(distribution)
        if version is not None:
            facts[distribution] = ".".join(version.split("+")[0].split(".")[:2])
    return facts | {name: place.machine.environ[name] for name in THREAD_SETTINGS if name in place.machine.environ}


def _details(place: Place) -> dict[str, str]:
    machine = place.machine
    load = machine.instruments.load()
    steal = procfs.stolen_share((0,) * 8, procfs.ticks(machine.root))
    throttled = cgroup.throttled(machine.root)
    two_runtimes = place.version("onnxruntime") and place.version("onnxruntime-gpu")
    details = {
        "kernel": place.kernel,
        "memory": f"{machine.instruments.memory().total // 1024**2} MiB",
        "load average": "" if load is None else " ".join(f"{value:.2f}" for value in load),
        "governor": machine.read("sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"),
        "steal since boot": "" if steal is None else f"{steal:.2%}",
        "throttled by cgroup": "" if throttled is None else f"{throttled[0]} times, {throttled[1]:.3f} s",
        "tracing": ", ".join(_tracing(machine)),
        "warning": TWO_RUNTIMES if two_runtimes else "",
        **{f"device {uuid}": told.text() for uuid, told in machine.instruments.nvml.conditions().items()},
    }
    return {name: detail for name, detail in details.items() if detail}


def _processor(place: Place) -> str:
    fields = procfs.first_core(place.machine.root)
    if "model name" in fields:
        # Hypervisors shorten names ("AMD EPYC"); family and model number still tell the generations apart.
        generation = f", family {fields['cpu family']} model {fields['model']}" if "cpu family" in fields else ""
        return processor_name(fields["model name"]) + generation
    if "CPU part" in fields:  # Arm: no name, only the designer's number and the part's
        return f"{place.architecture} {fields.get('CPU implementer', '')} {fields['CPU part']}"
    return processor_name(place.processor()) or place.architecture


def _tracing(machine: Machine) -> list[str]:
    """Who watches each executed line and so slows Python down."""
    found = []
    coverage: Any = getattr(machine.instruments.modules.get("coverage"), "Coverage", None)
    if coverage is not None and coverage.current() is not None:
        found.append("coverage is measuring")
    return [*found, *machine.instruments.interpreter.watchers()]


def _slug(text: str) -> str:
    words = re.sub(r"[^a-z0-9.]+", " ", text.lower()).split()
    return "-".join(word for word in words if word not in VENDOR_WORDS)
