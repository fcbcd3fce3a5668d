"""Performance regression tests for AI models: the public names, each imported when it is first asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pytest_aiperf.comparing.candidates import Comparisons
    from pytest_aiperf.comparing.comparison import Comparison
    from pytest_aiperf.comparing.sensitivity import Sensitivity
    from pytest_aiperf.measuring.concurrent import Concurrent
    from pytest_aiperf.session.bench import Bench
    from pytest_aiperf.vocabulary.baseline import Allocations, Baseline, PortableValue, Session
    from pytest_aiperf.vocabulary.codec import read_run
    from pytest_aiperf.vocabulary.contracts import (
        Framework,
        Pass,
        Probe,
        Profiler,
        Reporter,
        Store,
        TimedCalls,
        Tools,
    )
    from pytest_aiperf.vocabulary.devices import Accelerator, DeviceTimer, GpuMemory
    from pytest_aiperf.vocabulary.errors import AiperfError, BaselineError, UsageError
    from pytest_aiperf.vocabulary.model_figures import Weights
    from pytest_aiperf.vocabulary.records import (
        Change,
        Environment,
        Limit,
        Measurement,
        Result,
        Run,
        Sample,
        Verdict,
    )
    from pytest_aiperf.vocabulary.terms import Better, Cache, Metric, Need, Origin, Rule, Status, Turns, Unit

    __version__: str

_PLACES = {
    "comparing.candidates": "Comparisons",
    "comparing.comparison": "Comparison",
    "comparing.sensitivity": "Sensitivity",
    "measuring.concurrent": "Concurrent",
    "session.bench": "Bench",
    "vocabulary.baseline": "Allocations Baseline PortableValue Session",
    "vocabulary.codec": "read_run",
    "vocabulary.contracts": "Framework Pass Probe Profiler Reporter Store TimedCalls Tools",
    "vocabulary.devices": "Accelerator DeviceTimer GpuMemory",
    "vocabulary.errors": "AiperfError BaselineError UsageError",
    "vocabulary.model_figures": "Weights",
    "vocabulary.records": "Change Environment Limit Measurement Result Run Sample Verdict",
    "vocabulary.terms": "Better Cache Metric Need Origin Rule Status Turns Unit",
}
"""Module -> what it gives to the public."""
_MODULES = {name: module for module, names in _PLACES.items() for name in names.split()}

# Read as a text, not as a column.
# fmt: off
__all__ = [
    "Accelerator", "AiperfError", "Allocations", "Baseline", "BaselineError", "Bench", "Better", "Cache", "Change",
    "Comparison", "Comparisons", "Concurrent", "DeviceTimer", "Environment", "Framework", "GpuMemory", "Limit",
    "Measurement", "Metric", "Need", "Origin", "Pass", "PortableValue", "Probe", "Profiler", "Reporter", "Result",
    "Rule", "Run", "Sample", "Sensitivity", "Session", "Status", "Store", "TimedCalls", "Tools", "Turns", "Unit",
    "UsageError", "Verdict", "Weights", "read_run",
]
# fmt: on


if not TYPE_CHECKING:  # a type checker would take it for any name's

    def __getattr__(name: str) -> Any:
        """A public name, imported now; `__version__` as it is installed."""
        if name == "__version__":
            from importlib.metadata import version

            return version("pytest-aiperf")
        if name not in _MODULES:
            raise AttributeError(f"module 'pytest_aiperf' has no attribute {name!r}")
        from importlib import import_module

        return getattr(import_module(f"pytest_aiperf.{_MODULES[name]}"), name)


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
