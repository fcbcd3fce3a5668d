"""A machine made of files and answers: quiet unless a test says otherwise, and nobody waits."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pytest_aiperf.machine.doctor.observation import Window, watch
from pytest_aiperf.machine.instruments import Instruments, Interpreter, Machine, Memory, Process
from tests.fakes import FakeForeignLoad
from tests.fakes_gpu import without_driver

GIB = 1024**3

Files = Mapping[str, str]
Processes = Mapping[tuple[int, float], Process]


def lay(root: Path, files: Files) -> Path:
    """Write these files below the root."""
    for name, text in files.items():
        file = root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    return root


def interpreter(**answers: Any) -> Interpreter:
    """A release build that nobody watches."""
    usual: dict[str, Any] = {
        "debug_build": False,
        "development_mode": False,
        "tracer": lambda: None,
        "profiler": lambda: None,
        "monitoring": None,
        "without_bytecode": tuple,
    }
    return Interpreter(**usual | answers)


def instruments(**answers: Any) -> Instruments:
    """Four idle processors, no device, time that stands still."""
    usual: dict[str, Any] = {
        "clock": lambda: 0.0,
        "sleep": lambda seconds: None,
        "cores": lambda: 4,
        "processors": lambda: 4,
        "load": lambda: (0.1, 0.1, 0.1),
        "memory": lambda: Memory(available=12 * GIB, total=16 * GIB),
        "processes": dict,
        "foreign": FakeForeignLoad(),
        "nvml": without_driver(),
        "modules": {},
        "interpreter": interpreter(),
    }
    return Instruments(**usual | answers)


def machine(root: Path, files: Files | None = None, environ: Files | None = None, **answers: Any) -> Machine:
    """These files below `root`, this environment, and a quiet machine's answers but for those given."""
    return Machine(root=lay(root, files or {}), environ=environ or {}, instruments=instruments(**answers))


class Meanwhile:
    """What happens while the doctor sleeps: files change, processors are used, time passes."""

    def __init__(
        self,
        root: Path,
        *,
        files: Files | None = None,
        foreign: float | None = 0.0,
        before: Processes | None = None,
        after: Processes | None = None,
    ) -> None:
        self.root = root
        self.files = files or {}
        self.foreign = foreign
        self.before = before or {}
        self.after = after or {}
        self.now = 100.0
        self.slept = 0.0

    def answers(self) -> dict[str, Any]:
        """The instruments that see it."""
        return {"clock": lambda: self.now, "sleep": self.sleep, "foreign": self, "processes": self.processes}

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        self.slept += seconds
        lay(self.root, self.files)

    def start(self) -> None:
        assert not self.slept, "who else used the processor is asked around the sleep"

    def share(self) -> float | None:
        """Of the machine's four processors."""
        return None if self.foreign is None else self.foreign / 4

    def spent(self) -> tuple[float, float | None]:
        return self.slept, None if self.foreign is None else self.foreign * self.slept

    def processes(self) -> Processes:
        return self.after if self.slept else self.before


def window(root: Path, files: Files | None = None, *, seconds: float = 1.0, **happens: Any) -> Window:
    """The window that a doctor sees who starts with `files` and sleeps for `seconds`."""
    meanwhile = Meanwhile(root, **{"files": happens.pop("then", None), **happens})
    return watch(machine(root, files, **meanwhile.answers()), seconds)
