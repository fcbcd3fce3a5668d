"""The error tree: every message says what, where and what to do."""

from __future__ import annotations

# The public ones are shown as people import them: a longer path leaves no room for the message in pytest's summary.
_PUBLIC = "pytest_aiperf"


class AiperfError(Exception):
    """Anything that pytest-aiperf itself complains about."""

    __module__ = _PUBLIC


class UsageError(AiperfError):
    """A call, marker or option that cannot mean anything."""

    __module__ = _PUBLIC


class BaselineError(AiperfError):
    """A stored baseline that cannot be read or written."""

    __module__ = _PUBLIC


class CodecError(AiperfError):
    """A record that does not have the expected shape."""


class ChildGoneError(AiperfError):
    """A fresh process that died, hung or closed its line; the message says how, and in which phase."""
