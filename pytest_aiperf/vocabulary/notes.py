"""Words that begin a note or a line and carry a meaning across rooms."""

from __future__ import annotations

import re

ON_GPU = "GPU: "
"""Begins the name of a line that allocated on a device."""

_LINE = re.compile(r"(?<=\.py):\d+")


def place_of(name: str) -> str:
    """What stays the same of a line when others are put above it: `net.py (weights = ...) < test_net.py`."""
    return _LINE.sub("", name)
