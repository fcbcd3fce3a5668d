"""Watches what pytest collects, so that a subset run is never taken for the whole."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from pytest_aiperf.baselines.unused import Collected

# Options that leave tests out without deselecting them by name.
_SUBSET_OPTIONS = ("keyword", "markexpr", "deselect", "lf", "stepwise")


class CollectionWatch:
    """Hooks that note tests, modules and whatever was left out; hands the whole over when collection has ended."""

    def __init__(self, config: pytest.Config, hand_over: Callable[[Collected], None]) -> None:
        self.config = config
        self.hand_over = hand_over
        self.modules: list[str] = []
        self.tests: list[str] = []
        self.misses_some = False
        """Something was deselected, or could not be collected."""

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Note modules, those without tests included, and failures."""
        self.misses_some |= report.failed
        path, separator, _ = report.nodeid.partition("::")
        if report.passed and not separator and path.endswith(".py"):
            self.modules.append(path)

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_modifyitems(self, items: Sequence[pytest.Item]) -> None:
        """Note every test before anything is deselected."""
        self.tests = [item.nodeid for item in items]

    def pytest_deselected(self) -> None:
        """Something was left out."""
        self.misses_some = True

    def pytest_collection_finish(self) -> None:
        """Hand over."""
        options = self.config.option
        chosen = any("::" in argument for argument in self.config.args)
        narrowed = any(getattr(options, name, None) for name in _SUBSET_OPTIONS)
        self.hand_over(
            Collected(
                tests=self.tests,
                modules=self.modules,
                folders=self._folders(),
                subset=self.misses_some or chosen or narrowed,
            )
        )

    def _folders(self) -> list[str]:
        root, start = self.config.rootpath, self.config.invocation_params.dir
        asked = [Path(start, argument) for argument in self.config.args]
        return [path.relative_to(root).as_posix() for path in asked if path.is_dir() and path.is_relative_to(root)]
