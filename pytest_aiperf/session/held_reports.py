"""Holds back the reports of suspicious tests until pairs have decided all of them together."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import TYPE_CHECKING

import pytest
from _pytest.runner import runtestprotocol
from _pytest.skipping import xfailed_key
from pluggy import HookImpl

if TYPE_CHECKING:
    from pytest_aiperf.session.run_hooks import RunHooks

STOPPED = "the run was stopped before its pairs"
HOLDS = pytest.StashKey[bool]()
"""Set while this plugin itself drives the protocol of a test: its report may wait."""


class HeldReports:
    """Hooks of a run that is neither distributed nor driven by another plugin."""

    def __init__(self, hooks: RunHooks) -> None:
        self.hooks = hooks
        self.held: list[tuple[pytest.Item, list[pytest.TestReport]]] = []
        """Tests that have run, whose verdicts are still open."""

    def pytest_runtest_protocol(self, item: pytest.Item, nextitem: pytest.Item | None) -> object:
        """Run a test as pytest does, and log it at once unless its verdict is open."""
        arguments = {"item": item, "nextitem": nextitem}
        for other in self._other_drivers(item):
            if (driven := other.function(*(arguments[name] for name in other.argnames))) is not None:
                return driven
        item.stash[HOLDS] = True
        item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
        reports = runtestprotocol(item, log=False, nextitem=nextitem)
        item.stash[HOLDS] = False
        self.held.append((item, reports))
        self._log([one for one in self.held if not self.hooks.waits(one[0])])
        item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
        return True

    @pytest.hookimpl(wrapper=True)
    def pytest_runtestloop(self, session: pytest.Session) -> Generator[None, object, object]:
        """After the last test: decide what was held, then let pytest hear of it."""
        try:
            result = yield
            if session.shouldstop or session.shouldfail:
                self._release(STOPPED)
            elif self.held:
                self.hooks.settle([item for item, _ in self.held])
        except (session.Failed, session.Interrupted):
            self._release(STOPPED)
            raise
        except BaseException:
            self._release("the run was interrupted before its pairs had decided")
            raise
        self._log(self.held)
        return result

    def _release(self, reason: str) -> None:
        self.hooks.give_up([item for item, _ in self.held], reason)
        self._log(self.held)

    def _log(self, ready: Sequence[tuple[pytest.Item, list[pytest.TestReport]]]) -> None:
        """Let pytest hear of tests that need not wait any longer."""
        for item, reports in tuple(ready):
            self.held.remove((item, reports))
            for report in reports:
                item.ihook.pytest_runtest_logreport(report=self._final(item, report))

    def _final(self, item: pytest.Item, report: pytest.TestReport) -> pytest.TestReport:
        """The report with the verdict in it."""
        if report.when == "call" and report.outcome != "failed":
            if (failure := self.hooks.failure_of(item)) is not None:
                _fail(item, report, failure)
            self.hooks.attach(item, report)
        report.user_properties[:] = item.user_properties
        return report

    def _other_drivers(self, item: pytest.Item) -> list[HookImpl]:
        """Other plugins that may drive this test's protocol themselves (reruns, flaky tests); they go first."""
        calls = item.ihook.pytest_runtest_protocol.get_hookimpls()
        of_pytest = getattr(item.config.pluginmanager.get_plugin("runner"), "pytest_runtest_protocol", None)
        mine = (self.pytest_runtest_protocol, of_pytest)
        return [call for call in calls if not (call.wrapper or call.hookwrapper) and call.function not in mine]


def _fail(item: pytest.Item, report: pytest.TestReport, failure: str) -> None:
    """Make the report what it would be if the body had failed: a plugin's own additions to it stay."""
    excinfo = pytest.CallInfo.from_call(lambda: pytest.fail(failure, pytrace=False), when="call").excinfo
    expected = item.stash.get(xfailed_key, None)
    if excinfo is not None:
        report.longrepr = item.repr_failure(excinfo)
    if expected is not None and expected.run and not item.config.option.runxfail and expected.raises is None:
        report.outcome = "skipped"
        report.wasxfail = expected.reason
    else:
        report.outcome = "failed"
        report.__dict__.pop("wasxfail", None)
