"""Any callable: the last resort, for models that belong to no known runtime."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any

from pytest_aiperf.vocabulary.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from pytest_aiperf.vocabulary.contracts import Framework
    from pytest_aiperf.vocabulary.model_figures import Weights


def create() -> Framework:
    """Make the adapter."""
    return Plain()


class Plain:
    """Owns everything, knows nothing: the model is called."""

    name = "plain"
    module = ""

    def owns(self, model: object) -> bool:  # noqa: ARG002 - the contract's
        return True

    def bind(self, model: Any, inputs: tuple[Any, ...], options: Mapping[str, Any]) -> Callable[[], Any]:
        if not callable(model):
            raise UsageError(
                f"aiperf.infer cannot call a {type(model).__name__}: pass something callable, "
                f"such as its method that predicts"
            )
        return lambda: model(*inputs, **options)

    def accept(
        self,
        model: Any,  # noqa: ARG002 - the contract's
        inputs: tuple[Any, ...],
    ) -> tuple[tuple[Any, ...], Mapping[str, Any]]:
        return inputs, {}

    def inference(self) -> AbstractContextManager[object]:
        return nullcontext()

    def size(self, model: Any) -> int | None:  # noqa: ARG002 - the contract's
        return None

    def weights(self, model: Any) -> Weights | None:  # noqa: ARG002 - the contract's
        return None

    def files(self, model: Any) -> tuple[Path, ...]:  # noqa: ARG002 - the contract's
        return ()

    def facts(self, model: Any) -> Mapping[str, str]:  # noqa: ARG002 - the contract's
        return {}

    def anomaly(self, model: Any) -> str | None:  # noqa: ARG002 - the contract's
        return None

    def profiler(self) -> None:
        return None

    def watch(self) -> None:
        """Nothing of a plain callable shows only while it is built."""

    def unwatch(self) -> None:
        """Nothing to take back."""

    def watch_moves(
        self,
        clock: Callable[[], int],  # noqa: ARG002 - the contract's
        seconds: list[float],  # noqa: ARG002 - the contract's
    ) -> AbstractContextManager[object]:
        return nullcontext()
