"""Lines of text for people: how they are wrapped, and the word for a verdict."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

from pytest_aiperf.vocabulary.records import Verdict
from pytest_aiperf.vocabulary.terms import Status

WIDTH = 100
INDENT = "  "
MOST_NAMED = 3


def word_of(verdict: Verdict) -> str:
    """The status in words; in capitals where somebody has to act."""
    word = verdict.status.value.replace("_", " ")
    if verdict.status is Status.OVER_LIMIT and (verdict.now or 0) < (verdict.limit or 0):
        word = "under limit"
    return word.upper() if verdict.fails or verdict.status.is_bad else word


def listed(names: Sequence[str], what: str = "") -> str:
    """The first three: `a, b, c and 4 more`, with `what` as the noun of those that are left out."""
    more = len(names) - MOST_NAMED
    noun = f" {what}" if what else ""
    return ", ".join(names[:MOST_NAMED]) + (f" and {more} more{noun}" if more > 0 else "")


def wrapped(text: str, *, width: int, indent: str = "") -> list[str]:
    """Text on as many lines as it takes; continued lines stand two columns further in."""
    return textwrap.wrap(
        text, width, initial_indent=indent, subsequent_indent=indent + INDENT, break_on_hyphens=False
    ) or [""]
