"""Lines of text for people: how they are wrapped, and the word for a verdict."""

from __future__ import annotations

import textwrap

from pytest_aiperf.vocabulary.records import Verdict
from pytest_aiperf.vocabulary.terms import Status

WIDTH = 100
INDENT = "  "
SERIOUS = frozenset({Status.REGRESSED, Status.OVER_LIMIT, Status.ANOMALOUS})


def word_of(verdict: Verdict) -> str:
    """The status in words; in capitals where somebody has to act."""
    word = verdict.status.value.replace("_", " ")
    if verdict.status is Status.OVER_LIMIT and (verdict.now or 0) < (verdict.limit or 0):
        word = "under limit"
    return word.upper() if verdict.fails or verdict.status in SERIOUS else word


def wrapped(text: str, *, width: int, indent: str = "") -> list[str]:
    """Text on as many lines as it takes; continued lines stand two columns further in."""
    return textwrap.wrap(
        text, width, initial_indent=indent, subsequent_indent=indent + INDENT, break_on_hyphens=False
    ) or [""]
