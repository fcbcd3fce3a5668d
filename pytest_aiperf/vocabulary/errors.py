"""The error tree: every message says what, where and what to do."""

from __future__ import annotations


class AiperfError(Exception):
    """Anything that pytest-aiperf itself complains about."""


class UsageError(AiperfError):
    """A call, marker or option that cannot mean anything."""


class BaselineError(AiperfError):
    """A stored baseline that cannot be read or written."""


class CodecError(AiperfError):
    """A record that does not have the expected shape."""


class ChildGoneError(AiperfError):
    """A fresh process that died, hung or closed its line; the message says how, and in which phase."""
