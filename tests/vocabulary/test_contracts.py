"""A framework and an accelerator of a few lines: what they do not say is unknown, never made up."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from pytest_aiperf.vocabulary.contracts import Framework
from pytest_aiperf.vocabulary.devices import Accelerator


class Forest:
    """A model of a runtime that nobody has heard of."""

    def predict(self, rows: list[int]) -> int:
        return sum(rows)


class Forests(Framework):
    """All that a new runtime must say."""

    name = "forests"

    def owns(self, model: object) -> bool:
        return isinstance(model, Forest)

    def bind(self, model: Any, inputs: tuple[Any, ...], options: Mapping[str, Any]) -> Callable[[], Any]:
        return lambda: model.predict(*inputs, **options)


class Board(Accelerator):
    """All that a new device must say."""

    def initialised(self) -> bool:
        return True

    def wait(self) -> None:
        pass


def test_it_infers_with_two_methods():
    framework, model = Forests(), Forest()
    with framework.inference(), framework.watch_moves(lambda: 0, []):
        inputs, options = framework.accept(model, ([1, 2],))
        assert framework.bind(model, inputs, options)() == 3


def test_it_makes_nothing_up_of_a_model():
    framework, model = Forests(), Forest()
    assert (framework.size(model), framework.weights(model), framework.anomaly(model)) == (None, None, None)
    assert (framework.files(model), framework.facts(model)) == ((), {})
    assert framework.uses_torch_streams is None
    framework.watch()
    framework.unwatch()


def test_its_profiler_tells_nothing():
    profiler = Forests().profiler()
    bind = Forests().bind
    assert (profiler.operators(Forest(), bind), profiler.macs(Forest(), bind)) == (None, None)
    assert (profiler.outputs_of_layers(Forest(), bind), profiler.in_float64(Forest())) == ({}, None)


def test_it_makes_nothing_up_of_a_device():
    board = Board()
    board.reset_peak()
    board.flush()
    assert (board.memory(), board.timer(), board.facts()) == ((), None, {})


@pytest.mark.parametrize("contract", [Framework, Accelerator])
def test_it_cannot_be_made_without_what_it_must_say(contract: type):
    with pytest.raises(TypeError, match="abstract"):
        contract()
