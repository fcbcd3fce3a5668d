"""The files that `--aiperf-report` asks for: checked before the run, written at its end."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from pytest_aiperf.vocabulary.contracts import Reporter
from pytest_aiperf.vocabulary.errors import UsageError
from pytest_aiperf.vocabulary.records import Run


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportFiles:
    """`FORMAT:FILE` each; a format is a member of the reporters' shelf."""

    wanted: Sequence[str]
    directory: Path
    create: Callable[[str], Reporter]
    """What renders a format, imported now. Raises UsageError."""

    def check(self) -> None:
        """Raises UsageError for what could not be written in the end."""
        for text in self.wanted:
            name, separator, file = text.partition(":")
            if not separator or not file:
                raise UsageError(f"--aiperf-report={text}: expected FORMAT:FILE, such as json:out.json")
            self.create(name)

    def write(self, run: Run) -> list[str]:
        """Write every report; what could not be written is returned as messages."""
        errors = []
        for text in self.wanted:
            name, _, file = text.partition(":")
            path = self.directory / file
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
                rendered = self.create(name).render(run)
                path.write_bytes(rendered if isinstance(rendered, bytes) else rendered.encode())
            except OSError as error:
                errors.append(f"report {text} was not written: {error}")
            except Exception as error:  # noqa: BLE001 - of another package: it may not take the summary of a long run along
                errors.append(f"report {text} was not written: {type(error).__name__}: {error}")
        return errors
