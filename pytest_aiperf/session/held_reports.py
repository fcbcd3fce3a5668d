"""Holds back the reports of suspicious tests until pairs have decided all of them together."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import pytest
from _pytest.runner import runtestprotocol
from _pytest.skipping import xfailed_key

STOPPED = "the run was stopped before its pairs"
HOLDS = pytest.StashKey[bool]()
"""Set while this plugin itself drives the protocol of a test: its report may wait."""


@dataclass(slots=True, kw_only=True)
class Held:
    """A test that has run, whose verdict is still open."""

    item: pytest.Item
    reports: list[pytest.TestReport]


class Decides(Protocol):
    """Who knows which verdicts are open, and can close them."""

    def waits(self, item: pytest.Item) -> bool:
        """Whether pairs have, or may have, to decide on a test that has run."""

    def settle(self, items: Sequence[pytest.Item]) -> None:
        """Decide on those that are open."""

    def give_up(self, items: Sequence[pytest.Item], reason: str) -> None:
        """Leave those that are open undecided, for that reason."""

    def failure_of(self, item: pytest.Item) -> str | None:
        """Why the test fails; None where it does not."""

    def attach(self, item: pytest.Item, report: pytest.TestReport) -> None:
        """Let the result ride on the report of the call."""


class HeldReports:
    """Hooks of a run that is neither distributed nor driven by another plugin."""

    def __init__(self, judge: Decides) -> None:
        self.judge = judge
        self.held: list[Held] = []

    def pytest_runtest_protocol(self, item: pytest.Item, nextitem: pytest.Item | None) -> object:
        """Run a test as pytest does, and log it at once unless its verdict is open."""
        for other in self._other_drivers(item):
            if (driven := other(item=item, nextitem=nextitem)) is not None:
                return driven
        item.stash[HOLDS] = True
        item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
        reports = runtestprotocol(item, log=False, nextitem=nextitem)
        item.stash[HOLDS] = False
        self.held.append(Held(item=item, reports=reports))
        self._log([one for one in self.held if not self.judge.waits(one.item)])
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
                self.judge.settle([one.item for one in self.held])
        except (session.Failed, session.Interrupted):
            self._release(STOPPED)
            raise
        except BaseException:
            self._release("the run was interrupted before its pairs had decided")
            raise
        self._log(self.held)
        return result

    def _release(self, reason: str) -> None:
        self.judge.give_up([one.item for one in self.held], reason)
        self._log(self.held)

    def _log(self, ready: Sequence[Held]) -> None:
        """Let pytest hear of tests that need not wait any longer."""
        for one in tuple(ready):
            self.held.remove(one)
            for report in one.reports:
                one.item.ihook.pytest_runtest_logreport(report=self._final(one.item, report))

    def _final(self, item: pytest.Item, report: pytest.TestReport) -> pytest.TestReport:
        """The report with the verdict in it."""
        if report.when == "call" and report.outcome != "failed":
            if (failure := self.judge.failure_of(item)) is not None:
                _fail(item, report, failure)
            self.judge.attach(item, report)
        report.user_properties[:] = item.user_properties
        return report

    def _other_drivers(self, item: pytest.Item) -> list[Callable[..., object]]:
        """Other plugins that may drive this test's protocol themselves (reruns, flaky tests); they go first."""
        calls = item.ihook.pytest_runtest_protocol.get_hookimpls()
        mine = (self.pytest_runtest_protocol, runtest_protocol_of_pytest(item.config))
        return [_called(call) for call in calls if not (call.wrapper or call.hookwrapper) and call.function not in mine]


def runtest_protocol_of_pytest(config: pytest.Config) -> object:
    """Pytest's own driver."""
    return getattr(config.pluginmanager.get_plugin("runner"), "pytest_runtest_protocol", None)


def _called(call: Any) -> Callable[..., object]:
    def run(**arguments: object) -> object:
        return call.function(*(arguments[name] for name in call.argnames))

    return run


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
