"""A model that is little but memory; LAB_INJECT=growth:SHARE makes it larger, leak:MIB keeps as much of every call."""

from __future__ import annotations

import os
from collections.abc import Callable

import numpy as np

from lab_models.injection import VARIABLE

MIB = 1024**2
WEIGHTS_MIB = 200


def build() -> Callable[[], int]:
    """Touch every page, so that it counts."""
    kind, _, size = os.environ.get(VARIABLE, "").partition(":")
    growth = float(size) if kind == "growth" else 0.0
    leaked = float(size) if kind == "leak" else 0.0
    weights = np.ones(round(WEIGHTS_MIB * MIB * (1 + growth)), dtype=np.uint8)
    kept: list[np.ndarray] = []

    def run() -> int:
        if leaked:
            kept.append(np.ones(round(leaked * MIB), dtype=np.uint8))
        return int(weights[::4096].sum()) + len(kept)

    return run
