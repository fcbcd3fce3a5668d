"""The files that `--aiperf-report` asks for: checked before the run, written at its end."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pytest_aiperf.vocabulary.errors import UsageError
from pytest_aiperf.vocabulary.records import Run


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportFiles:
    """`FORMAT:FILE` each; a format is a member of the reporters' shelf."""

    wanted: Sequence[str]
    directory: Path
    names: Sequence[str]
    member: Callable[[str], Any]
    """The module of a format, imported now."""

    def check(self) -> None:
        """Raises UsageError for what could not be written in the end."""
        for text in self.wanted:
            name, separator, file = text.partition(":")
            if not separator or not file:
                raise UsageError(f"--aiperf-report={text}: expected FORMAT:FILE, such as json:out.json")
            if name.replace("-", "_") not in self.names:
                spelled = ", ".join(sorted(entry.replace("_", "-") for entry in self.names))
                raise UsageError(f"--aiperf-report={text}: there is no format {name!r}; there are: {spelled}")
            member = self.member(name)
            if not hasattr(member, "create"):
                raise UsageError(f"--aiperf-report={text}: {member!r} has no function create()")
            needs = getattr(member, "NEEDS", None)
            if needs is not None and importlib.util.find_spec(needs) is None:
                raise UsageError(f"--aiperf-report={text}: {needs} is not installed: pip install {needs}")

    def write(self, run: Run) -> list[str]:
        """Write every report; what could not be written is returned as messages."""
        errors = []
        for text in self.wanted:
            name, _, file = text.partition(":")
            path = self.directory / file
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
                rendered = self.member(name).create().render(run)
                path.write_bytes(rendered if isinstance(rendered, bytes) else rendered.encode())
            except OSError as error:
                errors.append(f"report {text} was not written: {error}")
            except Exception as error:  # noqa: BLE001 - of another package: it may not take the summary of a long run along
                errors.append(f"report {text} was not written: {type(error).__name__}: {error}")
        return errors
