"""Any callable: the last resort, for models that belong to no known runtime."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from pytest_aiperf.vocabulary.contracts import Framework
from pytest_aiperf.vocabulary.errors import UsageError


class Plain(Framework):
    """Owns everything, knows nothing: the model is called."""

    name = "plain"
    distributions = ("tensorflow", "jax", "openvino", "tensorrt")
    """Whose models nobody else owns, so that they are called."""
    compile_caches = ("CUDA_CACHE_PATH", "JAX_COMPILATION_CACHE_DIR")

    def owns(self, model: object) -> bool:  # noqa: ARG002 - the contract's
        return True

    def bind(self, model: Any, inputs: tuple[Any, ...], options: Mapping[str, Any]) -> Callable[[], Any]:
        if not callable(model):
            raise UsageError(
                f"aiperf.infer cannot call a {type(model).__name__}: pass something callable, "
                f"such as its method that predicts"
            )
        return lambda: model(*inputs, **options)


create = Plain
