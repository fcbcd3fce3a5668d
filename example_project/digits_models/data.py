"""The 540 held-out images, and what turns a raw image into a model's input."""

from __future__ import annotations

from pathlib import Path

import numpy as np

HELD_OUT = Path(__file__).parent / "weights" / "held_out.npz"
BRIGHTEST = 16
"""The scanner's largest pixel value."""


def held_out() -> tuple[np.ndarray, np.ndarray]:
    """Return raw images (540, 8, 8) of 0..16 and their labels (540,); no model has seen them."""
    with np.load(HELD_OUT) as arrays:
        return arrays["images"], arrays["labels"]


def preprocess(images: np.ndarray) -> np.ndarray:
    """Turn raw images (n, 8, 8) into float32 (n, 1, 8, 8) in -1..1."""
    return (images[:, np.newaxis].astype(np.float32) / BRIGHTEST - 0.5) * 2
