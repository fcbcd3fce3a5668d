"""One of the models that `aiperf.compare` is given, with the runtime it belongs to."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from pytest_aiperf.measuring.driver import is_asynchronous
from pytest_aiperf.vocabulary.contracts import Frameworks
from pytest_aiperf.vocabulary.errors import UsageError
from pytest_aiperf.vocabulary.model_figures import ModelFigures

T = TypeVar("T")


class Model:
    """One of the two, with the runtime it belongs to."""

    def __init__(self, model: Any, frameworks: Frameworks) -> None:
        if is_asynchronous(model):
            raise UsageError("aiperf.compare: an async model; compare a function that runs it to its end")
        self.model = model
        self.framework = frameworks.of(model)

    def bind(self, inputs: tuple[Any, ...]) -> Callable[[], Any]:
        """One inference on inputs that are converted, moved and cast beforehand."""
        return self._bound(self.model, inputs)

    def operators(self, inputs: tuple[Any, ...]) -> Mapping[str, float] | None:
        """Seconds per call of each kind of operator; None where the runtime cannot say."""
        return self.framework.profiler().operators(self.model, lambda copied: self._bound(copied, inputs))

    def outputs_of_layers(self, inputs: tuple[Any, ...]) -> Mapping[str, Any]:
        """Name -> output of each layer, in the order they run; empty where the runtime does not show them."""
        return self.framework.profiler().outputs_of_layers(self.model, lambda copied: self._bound(copied, inputs))

    def _bound(self, model: Any, inputs: tuple[Any, ...]) -> Callable[[], Any]:
        accepted, options = self.framework.accept(model, inputs)
        return self.framework.bind(model, accepted, options)

    @property
    def size(self) -> int | None:
        """Bytes."""
        return self.framework.size(self.model)

    def figures(self, inputs: tuple[Any, ...], *, score: float | None, memory: int | None) -> ModelFigures:
        """Size, weights and work of one call, as far as the runtime says."""
        profiler = self.framework.profiler
        return ModelFigures(
            score=score,
            size=self.size,
            memory=memory,
            weights=_where_known(lambda: self.framework.weights(self.model)),
            macs=_where_known(lambda: profiler().macs(self.model, lambda copied: self._bound(copied, inputs))),
        )

    def exact(self, inputs: tuple[Any, ...]) -> Any | None:
        """What it answers in float64; None where it cannot run so."""

        def run() -> Any | None:
            copied = self.framework.profiler().in_float64(self.model)
            return None if copied is None else self._bound(copied, inputs)()

        return _where_known(run)


def _where_known(ask: Callable[[], T | None]) -> T | None:
    try:
        return ask()
    except Exception:  # noqa: BLE001 - of any model, with tensors of any kind; only shown, and a reason at most
        return None
