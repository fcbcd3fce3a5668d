"""The last resort: any callable."""

from __future__ import annotations

import pytest

from pytest_aiperf.runtimes.frameworks.plain import create
from pytest_aiperf.vocabulary.errors import UsageError


@pytest.mark.parametrize("model", [len, object(), None, "text"])
def test_it_owns_anything(model: object) -> None:
    """It turns nothing away."""
    assert create().owns(model)


def test_it_calls_with_inputs_and_options() -> None:
    """It hands positional and keyword arguments over as they are."""
    assert create().bind(lambda *inputs, **options: (inputs, options), (1, 2), {"k": 3})() == ((1, 2), {"k": 3})


def test_it_says_what_cannot_be_called() -> None:
    """It names the type of a model that is not callable."""
    with pytest.raises(UsageError, match="cannot call a dict"):
        create().bind({}, (1,), {})
