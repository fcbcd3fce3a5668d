"""A known structural slowdown: a share of the work is done again."""

from __future__ import annotations

import os

VARIABLE = "LAB_INJECT"


def extra(count: int) -> int:
    """How many of `count` steps are repeated under LAB_INJECT=structural:SHARE; at least one where it is set."""
    kind, _, share = os.environ.get(VARIABLE, "").partition(":")
    return max(1, round(count * float(share))) if kind == "structural" else 0
