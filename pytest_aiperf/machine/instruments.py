"""Where facts of the machine are read: files below a root, the environment, and what only a call can tell."""

from __future__ import annotations

import os
import sys
import sysconfig
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.machinery import PathFinder
from importlib.util import cache_from_source
from pathlib import Path
from types import ModuleType
from typing import Any

from pytest_aiperf.machine import processor, procfs
from pytest_aiperf.machine.load import OtherProcesses
from pytest_aiperf.machine.nvml import Nvml, own_pids
from pytest_aiperf.vocabulary.contracts import ForeignLoad

_MONITORS = 6
"""Places of `sys.monitoring`."""
ProcessKey = tuple[int, float]
"""Process id and the time of its start: an id alone is used again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """A process that is not ours."""

    name: str
    seconds: float
    """Processor seconds that it has used so far."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """Bytes of the machine's memory."""

    available: int
    total: int


def load_average() -> tuple[float, float, float] | None:
    """Of the last 1, 5 and 15 minutes; None where the system keeps none."""
    return os.getloadavg() if hasattr(os, "getloadavg") else None


def memory_now() -> Memory:
    """As the system counts it at this moment."""
    import psutil

    seen = psutil.virtual_memory()
    return Memory(available=int(seen.available), total=int(seen.total))


def other_processes() -> Mapping[ProcessKey, Process]:
    """Every visible process but this one and its children."""
    import psutil

    own = own_pids()
    found: dict[ProcessKey, Process] = {}
    for process in psutil.process_iter(["name", "cpu_times", "create_time"]):
        told = process.info
        if process.pid not in own and told["cpu_times"] is not None:  # None: somebody else's, and kept from us
            times = told["cpu_times"]
            name = told["name"] or "?"
            found[process.pid, told["create_time"] or 0.0] = Process(name=name, seconds=times.user + times.system)
    return found


def packages_without_bytecode(names: Sequence[str], path: Sequence[str] | None = None) -> tuple[Path, ...]:
    """Directories of installed packages that are compiled at each import again; `path` is `sys.path` unless given."""
    specs = (PathFinder.find_spec(name, path) for name in names)  # imports nothing
    sources = [spec.origin for spec in specs if spec and spec.origin and spec.origin.endswith(".py")]
    return tuple(Path(source).parent for source in sources if not Path(cache_from_source(source)).exists())


@dataclass(frozen=True, slots=True, kw_only=True)
class Interpreter:
    """The Python that runs the tests."""

    debug_build: bool = field(default_factory=lambda: bool(sysconfig.get_config_var("Py_DEBUG")))
    development_mode: bool = field(default_factory=lambda: sys.flags.dev_mode)
    tracer: Callable[[], object] = sys.gettrace
    profiler: Callable[[], object] = sys.getprofile
    monitoring: Any = field(default_factory=lambda: getattr(sys, "monitoring", None))
    """`sys.monitoring`, from Python 3.12 on."""
    without_bytecode: Callable[[], tuple[Path, ...]] = tuple
    """Of the packages whose import is a part of load times."""

    def watchers(self) -> tuple[str, ...]:
        """Who watches each executed line and so slows Python down."""
        tracing = ("a trace function is set (debugger or coverage)",) if self.tracer() is not None else ()
        places = () if self.monitoring is None else range(_MONITORS)
        tools = filter(None, map(self.monitoring.get_tool, places)) if places else ()
        return (*tracing, *(f"sys.monitoring is used by {tool}" for tool in tools))


@dataclass(frozen=True, slots=True, kw_only=True)
class Instruments:
    """Everything that asks the real machine; tests give other answers."""

    clock: Callable[[], float] = time.perf_counter
    sleep: Callable[[float], None] = time.sleep
    cores: Callable[[], int] = processor.visible_cores
    processors: Callable[[], int] = processor.processors
    load: Callable[[], tuple[float, float, float] | None] = load_average
    memory: Callable[[], Memory] = memory_now
    processes: Callable[[], Mapping[ProcessKey, Process]] = other_processes
    foreign: ForeignLoad = field(default_factory=OtherProcesses)
    nvml: Nvml = field(default_factory=Nvml)
    modules: Mapping[str, ModuleType] = field(default_factory=lambda: sys.modules)
    interpreter: Interpreter = field(default_factory=Interpreter)


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """The machine that is described or examined."""

    root: Path = Path("/")
    environ: Mapping[str, str] = field(default_factory=lambda: os.environ)
    instruments: Instruments = field(default_factory=Instruments)

    def read(self, name: str) -> str:
        """A file below the root without the space around it; empty where it cannot be read."""
        return procfs.text(self.root / name).strip()

    def each(self, pattern: str) -> Mapping[Path, str]:
        """The readable files of a pattern, in order, and what they say."""
        return procfs.each(self.root, pattern)

    def usable_cores(self) -> float:
        """Cores that affinity and the container's quota leave to this process."""
        return processor.usable_cores(self.root, self.instruments.cores)
