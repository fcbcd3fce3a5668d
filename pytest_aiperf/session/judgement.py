"""The verdicts of tests: what each is held against is read once; what is doubtful is measured and judged again."""

from __future__ import annotations

import contextlib
import functools
import statistics
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from pytest_aiperf.judging import judge
from pytest_aiperf.measuring.metrics import latency
from pytest_aiperf.measuring.trial import Trial
from pytest_aiperf.processes.fresh_figures import IN_PAIRS, FreshFigures
from pytest_aiperf.session import limit_markers, markers
from pytest_aiperf.session.settings import Settings
from pytest_aiperf.vocabulary.baseline import Baseline
from pytest_aiperf.vocabulary.contracts import Store
from pytest_aiperf.vocabulary.errors import BaselineError
from pytest_aiperf.vocabulary.records import Criteria, Environment, Limit, Margins, Measurement, Policy, Result
from pytest_aiperf.vocabulary.terms import Evidence, Metric, Pairs, Rule

FEWEST_HISTORIES = 8
"""Tests with stored sessions below which their median variance says nothing."""


@dataclass(kw_only=True)
class Judge:
    """What all tests of one run are judged by."""

    settings: Settings
    store: Store
    environment: Environment
    metrics: Mapping[str, Metric]
    commit: Callable[[], str | None]
    clock: Callable[[], float]
    now: Callable[[], str]
    tests: tuple[str, ...] = ()

    @functools.cached_property
    def default_limits(self) -> tuple[Limit, ...]:
        """For tests without their own."""
        return markers.default_limits({name: getattr(self.settings, name) for name in limit_markers.ABSOLUTE})

    @functools.cached_property
    def default_margins(self) -> Margins:
        """For tests without their own."""
        chosen = self.settings
        return Margins(
            tolerance=chosen.tolerance, max_slowdown=chosen.max_slowdown, accuracy_margin=chosen.accuracy_margin
        )

    @functools.cached_property
    def policy(self) -> Policy:
        """What an open answer or a missing baseline does."""
        chosen = self.settings
        return Policy(
            inconclusive_fails=chosen.inconclusive == "fail",
            new_fails=chosen.new == "fail" and not self.stores,
            required=frozenset(chosen.require),
            pairs=Pairs(chosen.pairs) if chosen.against and not self.stores else Pairs.NEVER,
        )

    @property
    def stores(self) -> bool:
        """Whether what is measured becomes a baseline: then everything that one may keep is measured."""
        return bool(self.settings.update or self.settings.update_new_only)

    def baselines_of(self, test: str) -> Mapping[str, Baseline]:
        """Label -> what a test is held against. Raises BaselineError."""
        known = self.store.read(test, self.environment)
        if not self.settings.update:
            return dict(known)
        if self.settings.accept_worse:
            return {}
        return {label: _quality_only(baseline, self.metrics) for label, baseline in known.items()}

    @functools.cached_property
    def suite_variance(self) -> float | None:
        """The median variance between sessions of the suite's tests; None where too few have a history."""
        variances = []
        for test in self.tests:
            with contextlib.suppress(BaselineError):  # a broken file fails its own tests
                known = self.store.read(test, self.environment).values()
                seen = [judge.session_variance(baseline, latency.METRIC) for baseline in known]
                variances += [variance for variance in seen if variance is not None]
        return statistics.median(variances) if len(variances) >= FEWEST_HISTORIES else None


class Judgement:
    """The verdicts on one trial whose body has ended."""

    def __init__(self, trial: Trial, judge: Judge) -> None:
        self.trial = trial
        self.judge = judge
        self.taken_at = judge.now()
        self.hashes = trial.hash_files()
        self.decided: Result | None = None
        """The result with the last word by now; None where the test's own body failed."""
        self._last: Result | None = None
        self._is_final = False

    def result(self, *, final: bool = False) -> Result:
        """What is known by now; `final`: nothing more can be measured. Raises BaselineError.

        The last result where the trial has seen nothing since, and no row of it was left open for more to be measured.
        """
        measurements, criteria, last = self._measurements(), self._criteria(), self._last
        if last is not None and (last.measurements, last.criteria) == (measurements, criteria):
            is_closed = not self._is_final and not wanted(last)
            if is_closed or self._is_final is final:
                return last
        self._is_final = final
        self._last = replace(
            self.unjudged(outcome="passed"),
            verdicts=judge.verdicts(
                measurements, criteria, metrics=self.judge.metrics, environment=self.judge.environment, final=final
            ),
            seconds=self.judge.clock() - self.trial.started,
            criteria=criteria,
        )
        return self._last

    def decide(self, fresh: FreshFigures) -> Result:
        """The verdicts of a test whose body has ended well; open ones want pairs, and nothing else can be measured.

        What is doubtful is measured in fresh processes, and judged again. Raises BaselineError.
        """
        if fresh.stores:
            fresh.measure_what_is_stored(self.trial)
        result = self._with_fresh_processes(fresh)
        return result if wanted(result, *IN_PAIRS) else self.conclude(fresh)

    def _with_fresh_processes(self, fresh: FreshFigures) -> Result:
        result, trial = self.result(), self.trial
        for _ in range(fresh.most):
            needed = {verdict.needs for verdict in result.verdicts} - {None, *IN_PAIRS}
            if not needed or trial.failures:
                break
            with trial.context.exclusive("in a fresh process"):
                for needs in sorted(filter(None, needed), key=lambda needs: needs.value):
                    fresh.fulfil(needs, trial)
            result = self.result()
        fresh.note_failures(trial, result.verdicts)
        return result

    def conclude(self, fresh: FreshFigures) -> Result:
        """The last word on a trial: memory that fails is traced to the lines that hold it.

        What pairs have left open, fresh processes may still prove against the stored sessions.
        """
        self._with_fresh_processes(fresh)
        result, trial = self.result(final=True), self.trial
        peaks = {name for name, metric in self.judge.metrics.items() if metric.peak}
        memory_fails = any(verdict.fails and verdict.metric in peaks for verdict in result.verdicts)
        if not memory_fails or trial.allocations or trial.failures:
            return result
        with trial.context.exclusive("who holds the memory"):
            fresh.trace(trial)
        return self.result(final=True)

    def unjudged(self, *, outcome: str = "failed") -> Result:
        """A test whose own body failed: what was seen until then, without verdicts."""
        return Result(
            test=self.trial.order.test,
            outcome=outcome,
            environment=self.judge.environment.key,
            measurements=self._measurements(),
            verdicts=(),
        )

    def _measurements(self) -> tuple[Measurement, ...]:
        return self.trial.measurements(taken_at=self.taken_at, commit=self.judge.commit(), hashes=self.hashes)

    def _criteria(self) -> Criteria:
        policy = self.judge.policy
        return Criteria(
            margins=self.trial.margins,
            policy=replace(policy, pairs=Pairs.ALWAYS) if self.trial.must_pair else policy,
            limits=self.trial.limits,
            default_limits=self.judge.default_limits,
            baselines=self._baselines,
            suite_variance=self.judge.suite_variance,
            stores=self.judge.settings.update,
        )

    @functools.cached_property
    def _baselines(self) -> Mapping[str, Baseline]:
        return self.judge.baselines_of(self.trial.order.test)


def wanted(result: Result, *kinds: Evidence) -> dict[str, frozenset[str]]:
    """Label -> metrics whose rows stay open until there is evidence of one of these kinds; without any, of whatever."""
    metrics: dict[str, frozenset[str]] = {}
    for verdict in result.verdicts:
        if verdict.needs is not None and (not kinds or verdict.needs in kinds):
            metrics[verdict.label] = metrics.get(verdict.label, frozenset()) | {verdict.metric}
    return metrics


def wants_pairs(result: Result) -> dict[str, frozenset[str]]:
    """Label -> metrics that only pairs with the reference revision can decide."""
    return wanted(result, Evidence.PAIRS)


def wants_model_pairs(result: Result) -> dict[str, frozenset[str]]:
    """Labels of comparisons that only fresh processes of both models can decide; their latency says everything."""
    return dict.fromkeys(sorted(wanted(result, Evidence.MODEL_PAIRS)), frozenset({latency.METRIC.name}))


def _quality_only(baseline: Baseline, metrics: Mapping[str, Metric]) -> Baseline:
    """What an update still holds a test against: nothing but its quality."""
    quality = {
        name: value
        for name, value in baseline.portable.items()
        if name not in metrics or metrics[name].rule is Rule.QUALITY
    }
    return replace(baseline, source=None, files={}, portable=quality, sessions=())
