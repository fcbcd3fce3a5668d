"""What is being measured, on a terminal while it lasts; nothing in a log."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from typing import Any

import pytest


class Progress:
    """Writes a short text behind pytest's own line, and takes it back before anything else is written."""

    def __init__(self, config: pytest.Config) -> None:
        self.config = config
        self.shown = 0

    @functools.cached_property
    def writer(self) -> Any:
        """Pytest's own terminal writer, or None where it writes to no terminal."""
        reporter: Any = self.config.pluginmanager.get_plugin("terminalreporter")
        writer = getattr(reporter, "_tw", None)
        return writer if writer is not None and reporter.isatty else None

    @contextmanager
    def during(self, section: AbstractContextManager[object], *, text: str) -> Iterator[None]:
        """Show a text from before a section is entered until it is left."""
        self.show(text)
        try:
            with section:
                yield
        finally:
            self.clear()

    def show(self, text: str) -> None:
        """Replace what is shown."""
        if self.writer is None:
            return
        self.clear()
        room = self.writer.fullwidth - self.writer.width_of_current_line - 1
        text = f" [{text}]"[: max(0, room)]
        self._raw(text)
        self.shown = len(text)

    def clear(self) -> None:
        """Take the text back."""
        if self.writer is not None and self.shown:
            self._raw("\b" * self.shown + " " * self.shown + "\b" * self.shown)
            self.shown = 0

    def _raw(self, text: str) -> None:
        """Write past pytest's capture, which holds the terminal's own descriptor while a test runs."""
        capture = self.config.pluginmanager.get_plugin("capturemanager")
        with suppress(ValueError), capture.global_and_fixture_disabled() if capture else nullcontext():
            self.writer._file.write(text)  # noqa: SLF001 - the writer would count these columns as pytest's own
            self.writer._file.flush()  # noqa: SLF001
