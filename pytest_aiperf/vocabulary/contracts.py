"""The sockets: what a member of each shelf must offer."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from pytest_aiperf.vocabulary.baseline import Baseline
from pytest_aiperf.vocabulary.devices import DeviceConditions, Devices
from pytest_aiperf.vocabulary.messages import Answer, Request
from pytest_aiperf.vocabulary.model_figures import Weights
from pytest_aiperf.vocabulary.records import Change, Environment, Measurement, Run, Sample
from pytest_aiperf.vocabulary.terms import Metric


@dataclass(frozen=True, slots=True, kw_only=True)
class TimedCalls:
    """A request to run the measured function `calls` times under one pair of clock readings.

    The accelerators are waited for once, before the second reading.
    """

    calls: int = 1
    before: Callable[[], object] | None = None
    """Run before the first reading, once the accelerators have been waited for."""
    after: Callable[[], object] | None = None
    """Run behind the last call, before the accelerators are waited for."""


class Profiler:
    """What takes a call of a runtime apart. `bind(model)` makes one inference of a model, or of a copy.

    A member answers what its runtime can tell; this one can tell nothing.
    """

    def operators(self, model: Any, bind: Callable[[Any], Callable[[], Any]]) -> Mapping[str, float] | None:
        """Seconds per call of each kind of operator, without what it calls; None where it cannot be said."""
        return None

    def outputs_of_layers(self, model: Any, bind: Callable[[Any], Callable[[], Any]]) -> Mapping[str, Any]:
        """Name -> output of each layer, of one inference, in the order they ran; empty where it cannot be said."""
        return {}

    def macs(self, model: Any, bind: Callable[[Any], Callable[[], Any]]) -> int | None:
        """Multiply-accumulates of one inference; None where they cannot be counted."""
        return None

    def in_float64(self, model: Any) -> Any | None:
        """A copy that computes in float64; None where there can be none."""
        return None


class Framework(ABC):
    """How a runtime behaves. Found in `sys.modules`, never imported.

    A member must have a `name` and say `owns` and `bind`; what it does not know is left to these answers.
    """

    name: str
    """As its file, or its entry point, is called."""
    module: str = ""
    """The top-level module that users import."""
    distributions: tuple[str, ...] = ()
    """What users install (torch, onnxruntime-gpu): its version makes another machine class."""
    compile_caches: tuple[str, ...] = ()
    """Environment variables that name a folder of compiled code: a cold load starts with an empty one."""
    uses_torch_streams: bool | None = None
    """Whether its work on a device is queued where torch's events see it; None where nobody knows."""

    @abstractmethod
    def owns(self, model: object) -> bool:
        """Whether `model` belongs to this runtime."""

    @abstractmethod
    def bind(self, model: Any, inputs: tuple[Any, ...], options: Mapping[str, Any]) -> Callable[[], Any]:
        """One inference as a function without arguments."""

    def accept(self, model: Any, inputs: tuple[Any, ...]) -> tuple[tuple[Any, ...], Mapping[str, Any]]:
        """Inputs of any runtime as `bind` takes them for this model: positional, and by name."""
        return inputs, {}

    def inference(self) -> AbstractContextManager[object]:
        """The runtime's no-gradient context; a null context where it has none."""
        return nullcontext()

    def size(self, model: Any) -> int | None:
        """Bytes of parameters and buffers, or of the model file where the runtime hides them."""
        return None

    def weights(self, model: Any) -> Weights | None:
        """Parameters, zeros and bytes by dtype; None where the runtime hides them."""
        return None

    def files(self, model: Any) -> tuple[Path, ...]:
        """The files that the model was read from, where the runtime remembers."""
        return ()

    def facts(self, model: Any) -> Mapping[str, str]:
        """What to show beside the numbers: threads, dtype, providers."""
        return {}

    def anomaly(self, model: Any) -> str | None:
        """Why this model does not run as it was asked to, or None."""
        return None

    def profiler(self) -> Profiler:
        """What takes a call of this runtime apart (`profilers/`), imported now."""
        return Profiler()

    def watch(self) -> None:
        """Called once when measuring starts: notice what only shows while a model is built."""

    def unwatch(self) -> None:
        """Take back everything that `watch` installed."""

    def watch_moves(self, clock: Callable[[], int], seconds: list[float]) -> AbstractContextManager[object]:
        """While a loader runs: append the seconds of each move of a model to another device.

        Only used in a fresh process; a null context where the runtime has no such step.
        """
        return nullcontext()


class Frameworks(tuple[Framework, ...]):
    """All runtimes as one; the last of them owns anything."""

    __slots__ = ()

    def of(self, model: object) -> Framework:
        """The runtime that a model belongs to."""
        return next(framework for framework in self if framework.owns(model))

    @contextmanager
    def inference(self) -> Iterator[None]:
        """No gradients in any of them."""
        with ExitStack() as contexts:
            for framework in self:
                contexts.enter_context(framework.inference())
            yield


@dataclass(frozen=True, slots=True, kw_only=True)
class Tools:
    """What a probe may use; everything that touches the machine, so that tests can pass fakes."""

    clock: Callable[[], int]
    """Nanoseconds, monotonic."""
    devices: Devices
    memory: CpuMemory
    foreign: ForeignLoad
    conditions: DeviceConditions


class CpuMemory(Protocol):
    """The kernel's account of this process, in bytes."""

    def reset_peak(self) -> bool:
        """Restart the peak counter; False where the system cannot."""

    def peak(self) -> int | None:
        """Peak of anonymous and shared memory since the reset; None where unknown."""

    def now(self) -> int:
        """Anonymous and shared memory at this moment."""

    def give_back(self) -> None:
        """Return to the system what the allocator keeps free: in it, growth would not show."""

    def glance(self) -> int:
        """The same, cheap enough to be read after every call, and a few pages off."""

    def free(self) -> int | None:
        """What this process could still take, of the machine and of its container; None where unknown."""

    def file_backed(self) -> int | None:
        """Clean file pages (mmap-ed weights) at this moment."""

    def method(self) -> str:
        """Which counter these figures come from."""


class ForeignLoad(Protocol):
    """Who else used the processor."""

    def start(self) -> None:
        """Begin a section."""

    def share(self) -> float | None:
        """Share of the machine's processors that others used since `start`; None where unknown."""

    def spent(self) -> tuple[float, float | None]:
        """Seconds since `start`, and processor seconds of other processes meanwhile; None where unknown."""


class TurnLine(Protocol):
    """A child's line to the parent that calls its turns."""

    def send(self, message: Answer) -> None:
        """One message."""

    def request(self) -> Request:
        """Wait for what the parent says next."""


class Probe(Protocol):
    """One pass of measuring: a generator that asks for turns and returns what it saw."""

    def plan(self, tools: Tools) -> Generator[TimedCalls, float, tuple[Sample, ...]]:
        """Yield turns; each is answered with its seconds (of all its calls together)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pass:
    """A pass over a measured function, in which the probes of a metric may take part."""

    timed: bool
    """Alone on the machine; else beside the peaks of memory, in a process that nothing is timed in."""
    items: int
    """Per call."""
    calls: int
    """So many at least,"""
    seconds: float
    """and for so long: as the test wants it, or as one turn of a pair takes."""


Probes = Callable[[Pass], Sequence[Probe]]
"""What other packages' metrics want to see of a pass."""


class Store(Protocol):
    """Where baselines are kept."""

    def read(self, test: str, environment: Environment) -> Mapping[str, Baseline]:
        """Label -> baseline of one test; empty where there is none. Raises BaselineError."""

    def update(
        self,
        measurements: Sequence[Measurement],
        *,
        environment: Environment,
        metrics: Mapping[str, Metric],
        drop: Sequence[tuple[str, str | None]] = (),
        new_only: bool = False,
        accept_worse: bool = False,
    ) -> tuple[Change, ...]:
        """Append sessions and renew portable values, atomically per file. Raises BaselineError.

        `drop` names entries to remove: (node id, label), or (node id, None) for a whole test. An entry with sessions
        of other machine classes loses only those of this one.
        """

    def entries(self, root: Path, environment: Environment | None = None) -> Mapping[Path, Sequence[tuple[str, str]]]:
        """Test module -> (node id, label) of everything stored below `root`.

        With an environment, only what its machine class has sessions of, or no class at all: a test may exist on some
        machines only.
        """


class Reporter(Protocol):
    """How a run is shown. Writes nothing. Its module may name a package that it `NEEDS`."""

    def render(self, run: Run) -> str | bytes:
        """The whole report, as a text or the content of a picture."""
