"""What every test needs: the held-out images as models take them, and their labels."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from digits_models.data import held_out, preprocess

if TYPE_CHECKING:
    import numpy as np


@pytest.fixture(scope="session")
def images() -> np.ndarray:
    """All 540 held-out images, preprocessed."""
    return preprocess(held_out()[0])


@pytest.fixture(scope="session")
def labels() -> np.ndarray:
    """Their digits."""
    return held_out()[1]
