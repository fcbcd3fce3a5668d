"""The hooks of a measuring run: a trial around each test, its verdict as an ordinary failure of the call phase."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import pytest

from pytest_aiperf.judging import suite_trends
from pytest_aiperf.machine.timing_lock import MachineLock
from pytest_aiperf.measuring import out_of_memory
from pytest_aiperf.measuring.leftovers import Leftovers
from pytest_aiperf.measuring.metrics import latency
from pytest_aiperf.measuring.trial import Trial
from pytest_aiperf.processes.confirmation import Confirmation, OpenTest
from pytest_aiperf.processes.fresh_figures import FreshFigures
from pytest_aiperf.reporting import junit, rows
from pytest_aiperf.session import xdist
from pytest_aiperf.session.held_reports import HOLDS
from pytest_aiperf.session.judgement import Judge, Judgement, wants_model_pairs, wants_pairs
from pytest_aiperf.session.trial_hooks import TRIAL, TrialHooks
from pytest_aiperf.vocabulary import codec
from pytest_aiperf.vocabulary.errors import BaselineError
from pytest_aiperf.vocabulary.orders import Order
from pytest_aiperf.vocabulary.records import Result

JUDGEMENT = pytest.StashKey[Judgement]()
MOST_DEAREST = 3
"""Tests that go to pairs where all of them became slower together."""


@dataclass(kw_only=True, eq=False)
class RunHooks(TrialHooks):
    """The hooks of the process that runs the tests: it judges, and its verdicts fail tests."""

    judge: Judge
    fresh: FreshFigures
    confirmation: Confirmation | None
    model_pairs: Callable[[], Confirmation]
    lock: MachineLock
    leftovers: Leftovers
    tell: Callable[[str], object]
    results: dict[str, Result] = field(default_factory=dict)
    """Of the tests that stored sessions have decided."""
    dearest: list[pytest.Item] = field(default_factory=list)

    def pytest_unconfigure(self) -> None:
        """Leave no tree of old code behind."""
        super().pytest_unconfigure()
        if self.confirmation is not None:
            self.confirmation.close()

    def order_of(self, item: pytest.Item) -> Order:
        """Time everything here; memory here only as a first look."""
        rules, chosen = self.marked(item).rules, self.judge.settings
        return Order(
            test=item.nodeid,
            calls=rules.calls or chosen.calls,
            seconds=rules.seconds or chosen.seconds,
            max_seconds=max(chosen.max_seconds, rules.seconds or 0.0),
            flush=bool(rules.flush_l2),
            path=str(item.path),
        )

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> Generator[None, object, object]:
        """Find every mistake in a marker, those that other plugins have added included, before any test runs."""
        self.judge.tests = tuple(item.nodeid for item in items)
        outcome = yield
        mistakes = [f"{item.nodeid}: {mistake}" for item in items for mistake in self.marked(item).mistakes]
        if not mistakes:
            return outcome
        if xdist.is_worker(self.config):
            xdist.ToController(self.config).take_mistakes(mistakes)
            items.clear()
            return outcome
        raise pytest.UsageError(mistakes_text(mistakes))

    def pytest_collection_finish(self) -> None:
        """Note the memory of a process that has imported everything and run nothing."""
        self.context.base = self.context.tools.memory.now()

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, object, object]:
        """Under xdist, share the machine with the other workers' tests, but not with their timed sections."""
        with self.lock.test():
            self.leftovers.open()
            outcome = yield
            if left := self.leftovers.close(item.nodeid):
                self.tell(left)
            return outcome

    def pytest_fixture_setup(self, fixturedef: pytest.FixtureDef[object]) -> None:
        """What a fixture of a wider scope takes, stays by intention."""
        self.leftovers.set_up(fixturedef.argname, fixturedef.scope)

    def forgives(self, trial: Trial, error: BaseException) -> bool:
        """A measured call that runs out of memory is a result: note it, and let go of what the call held."""
        if (told := out_of_memory.told(error, self.context.tools)) is None:
            return False
        trial.note_exhaustion(told)
        out_of_memory.let_go(error)
        return True

    def settle_trial(self, item: pytest.Item) -> None:
        """Judge; keep the result for the report; fail the test where a verdict says so."""
        try:
            self._take(item, self._judgement(item).decide(self.fresh))
        except BaselineError as broken:  # `from None`: the message says it all, and only once
            raise pytest.fail.Exception(f"aiperf: {broken}", pytrace=False) from None
        if wants_model_pairs(self._result(item)):
            self._confirm_models(item)
        if self.is_open(item):
            if item.stash.get(HOLDS, False):
                return
            self._confirm([item])
        if (text := self.failure_of(item)) is not None:
            pytest.fail(text, pytrace=False)

    def is_open(self, item: pytest.Item) -> bool:
        """Whether pairs have to decide on a test."""
        return TRIAL in item.stash and bool(wants_pairs(self._result(item)))

    def waits(self, item: pytest.Item) -> bool:
        """Whether a test is open, or one of the dearest: those go to pairs where all became slower together."""
        if TRIAL not in item.stash or self.is_open(item):
            return self.is_open(item)
        result = self._result(item)
        if item.nodeid not in self.results and _seconds_per_call(result):
            self.results[item.nodeid] = result
            dearest = sorted([*self.dearest, item], key=lambda one: _seconds_per_call(self.results[one.nodeid]))
            self.dearest = dearest[-MOST_DEAREST:]
        return item in self.dearest and not result.fails

    def settle(self, items: Sequence[pytest.Item]) -> None:
        """Let pairs decide on tests that have run, all of them together."""
        if suite_trends.common_slowdown(self.results.values(), metric=latency.METRIC.name) is not None:
            for item in items:
                item.stash[TRIAL].must_pair = True
                self._take(item, self._judgement(item).result())
        if still := [item for item in items if self.is_open(item)]:
            self._confirm(still)

    def give_up(self, items: Sequence[pytest.Item], reason: str) -> None:
        """Leave open tests undecided."""
        still = [item for item in items if self.is_open(item)]
        if self.confirmation is not None:
            for item in still:
                self.confirmation.give_up(self._open_test(item), reason)
        self._close(still)

    def _confirm(self, items: Sequence[pytest.Item]) -> None:
        if self.confirmation is not None:
            self.confirmation.confirm([self._open_test(item) for item in items])
        self._close(items)

    def _confirm_models(self, item: pytest.Item) -> None:
        """Comparisons that turns in this process could not pass, in fresh processes of both models, at once."""
        judgement, confirmation = self._judgement(item), self.model_pairs()
        try:
            confirmation.confirm([self._open_test(item, wants_model_pairs)])
        finally:
            confirmation.close()
        result = judgement.result()
        self._take(item, result if wants_pairs(result) else judgement.result(final=True))

    def failure_of(self, item: pytest.Item) -> str | None:
        """The block that a failing test shows; None where nothing fails."""
        result = self._result(item) if TRIAL in item.stash else None
        return rows.failure_text(result) if result is not None and result.fails else None

    def _result(self, item: pytest.Item) -> Result:
        """What is known of the item's present attempt."""
        judgement = self._judgement(item)
        return judgement.decided or judgement.unjudged()

    def _judgement(self, item: pytest.Item) -> Judgement:
        """Of the item's present attempt, whose body has ended."""
        trial, known = item.stash[TRIAL], item.stash.get(JUDGEMENT, None)
        if known is None or known.trial is not trial:
            known = item.stash[JUDGEMENT] = Judgement(trial, self.judge)
        return known

    def _open_test(
        self, item: pytest.Item, wants: Callable[[Result], Mapping[str, frozenset[str]]] = wants_pairs
    ) -> OpenTest:
        judgement = self._judgement(item)
        return OpenTest(trial=judgement.trial, wanted=lambda: wants(judgement.result()))

    def _close(self, items: Sequence[pytest.Item]) -> None:
        for item in items:
            known, judgement = self._result(item), self._judgement(item)
            spent = max((pairing.seconds for pairing in judgement.trial.pairings.values()), default=0.0)
            result = judgement.conclude(self.fresh)
            self._take(item, replace(result, seconds=known.seconds + spent))

    def _take(self, item: pytest.Item, result: Result) -> None:
        self._judgement(item).decided = result
        own = [entry for entry in item.user_properties if not entry[0].startswith("aiperf.")]
        item.user_properties[:] = [*own, *junit.properties(result)]

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Let the result ride on the report, across processes too."""
        report = yield
        if call.excinfo is not None:
            self.leftovers.failed(call.excinfo.value)
        if call.when == "call":
            self.attach(item, report)
        return report

    def attach(self, item: pytest.Item, report: pytest.TestReport) -> None:
        """Put the result on the report of the call."""
        if TRIAL in item.stash:
            report.aiperf = codec.encode(replace(self._result(item), outcome=report.outcome)).decode()  # type: ignore[attr-defined]


def _seconds_per_call(result: Result) -> float:
    return suite_trends.seconds_per_call(result, metric=latency.METRIC.name)


def mistakes_text(mistakes: Sequence[str]) -> str:
    """All mistakes in markers, one per line."""
    plural = "s" if len(mistakes) > 1 else ""
    return "\n  ".join([f"pytest-aiperf: {len(mistakes)} mistake{plural} in markers; no test was run", *mistakes])
