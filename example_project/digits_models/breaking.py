"""DELIBERATE BREAKAGE: makes every model bad on purpose, to see each limit turn red. Not for copying.

`DIGITS_BREAK=slow|fat|inaccurate|slowload` chooses how; unset, nothing here does anything.
"""

from __future__ import annotations

import functools
import hashlib
import os
import time
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from pathlib import Path

    import onnxruntime
    from torch import nn

SLOW_SECONDS = 0.1
"""Spent on top of every inference."""
FAT_BYTES = 400 * 1024**2
"""Touched by the first model and held until the process ends."""
SLOW_LOAD_SECONDS = 1.3
"""Spent on top of every load."""
WAYS = ("slow", "fat", "inaccurate", "slowload")


def chosen() -> str:
    """Return the way that the environment asks for, or an empty text. Raises ValueError for an unknown one."""
    way = os.environ.get("DIGITS_BREAK", "")
    if way and way not in WAYS:
        raise ValueError(f"DIGITS_BREAK={way}: expected one of {', '.join(WAYS)}")
    return way


def delay_load(weights: Path) -> None:
    """Check the weights' hash again and again."""
    if chosen() != "slowload":
        return
    end = time.perf_counter() + SLOW_LOAD_SECONDS
    while time.perf_counter() < end:
        hashlib.sha256(weights.read_bytes()).digest()


def break_module(model: nn.Module) -> nn.Module:
    """Make a torch module bad by a hook behind its forward pass."""
    way = chosen()
    if way == "fat":
        model.ballast = _ballast()
    elif way:
        model.register_forward_hook(lambda _module, _inputs, logits: _spoil(way, logits))
    return model


def break_session(session: onnxruntime.InferenceSession) -> onnxruntime.InferenceSession:
    """Make a session bad by putting another `run` in front of its own."""
    way = chosen()
    if way == "fat":
        session.ballast = _ballast()
    elif way:
        run = session.run
        session.run = lambda *args, **kwargs: [_spoil(way, logits) for logits in run(*args, **kwargs)]
    return session


@functools.cache
def _ballast() -> np.ndarray:
    return np.ones(FAT_BYTES, dtype=np.uint8)


def _spoil(way: str, logits: Any) -> Any:
    if way == "slow":
        end = time.perf_counter() + SLOW_SECONDS
        while time.perf_counter() < end:
            pass
    if way == "inaccurate":
        # Every tenth image gets its neighbour's answer: ten points of accuracy.
        logits[9::10] = logits[8:-1:10]
    return logits
