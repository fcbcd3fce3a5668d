"""From a finished trial to its verdicts: judge, measure what is doubtful in fresh processes, judge again."""

from __future__ import annotations

import contextlib
import statistics
from collections.abc import Callable, Mapping
from dataclasses import replace

from pytest_aiperf.judging import judge, verdicts
from pytest_aiperf.measuring.metrics import latency
from pytest_aiperf.measuring.trial import Trial
from pytest_aiperf.processes.fresh_figures import IN_PAIRS, FreshFigures
from pytest_aiperf.reporting import junit, rows
from pytest_aiperf.session import limit_markers, markers
from pytest_aiperf.session.markers import Rules
from pytest_aiperf.session.settings import Settings
from pytest_aiperf.vocabulary import codec
from pytest_aiperf.vocabulary.baseline import Baseline
from pytest_aiperf.vocabulary.contracts import Store
from pytest_aiperf.vocabulary.errors import BaselineError
from pytest_aiperf.vocabulary.orders import Order
from pytest_aiperf.vocabulary.records import Criteria, Environment, Margins, Policy, Result, Verdict
from pytest_aiperf.vocabulary.terms import Evidence, Metric, Pairs, Rule

FEWEST_HISTORIES = 8
"""Tests with stored sessions below which their median variance says nothing."""


class Escalation:
    """Decides trials of one run. Everything that touches the machine comes in as an argument."""

    def __init__(
        self,
        *,
        settings: Settings,
        store: Store,
        environment: Environment,
        metrics: Mapping[str, Metric],
        fresh: FreshFigures,
        commit: Callable[[], str | None],
        clock: Callable[[], float],
    ) -> None:
        self.settings = settings
        self.store = store
        self.environment = environment
        self.metrics = metrics
        self.commit = commit
        self.clock = clock
        self.tests: tuple[str, ...] = ()
        self.default_limits = markers.default_limits({name: getattr(settings, name) for name in limit_markers.ABSOLUTE})
        self.default_margins = Margins(
            tolerance=settings.tolerance,
            max_slowdown=settings.max_slowdown,
            accuracy_margin=settings.accuracy_margin,
        )
        self.policy = Policy(
            inconclusive_fails=settings.inconclusive == "fail",
            new_fails=settings.new == "fail" and not (settings.update or settings.update_new_only),
            required=frozenset(settings.require),
            pairs=Pairs(settings.pairs) if settings.against and not fresh.stores else Pairs.NEVER,
        )
        self.fresh = fresh
        self._suite_variance: float | type[Escalation] | None = Escalation

    def order(self, test: str, rules: Rules) -> Order:
        """What the test's own process measures."""
        return Order(
            test=test,
            calls=rules.calls or self.settings.calls,
            seconds=rules.seconds or self.settings.seconds,
            max_seconds=max(self.settings.max_seconds, rules.seconds or 0.0),
            flush=bool(rules.flush_l2),
        )

    def decide(self, trial: Trial, *, taken_at: str) -> Result:
        """The verdicts of a test whose body has ended well; open ones want pairs, and nothing else can be measured."""
        if self.fresh.stores:
            self.fresh.measure_what_is_stored(trial)
        result = self.judge(trial, taken_at=taken_at, final=False)
        for _ in range(self.settings.processes):
            needed = {verdict.needs for verdict in result.verdicts} - {None, *IN_PAIRS}
            if not needed or trial.failures:
                break
            with trial.context.exclusive("in a fresh process"):
                for needs in sorted(filter(None, needed), key=lambda needs: needs.value):
                    self.fresh.fulfil(needs, trial)
            result = self.judge(trial, taken_at=taken_at, final=False)
        self.fresh.note_failures(trial, result.verdicts)
        waits = wants_pairs(result) or wants_model_pairs(result)
        return result if waits else self.conclude(trial, taken_at=taken_at)

    def conclude(self, trial: Trial, *, taken_at: str) -> Result:
        """The last word on a trial: memory that fails is traced to the lines that hold it."""
        result = self.judge(trial, taken_at=taken_at, final=True)
        memory = any(verdict.fails and _is_peak(verdict, self.metrics) for verdict in result.verdicts)
        if not memory or trial.allocations or trial.failures:
            return result
        with trial.context.exclusive("who holds the memory"):
            self.fresh.trace(trial)
        return self.judge(trial, taken_at=taken_at, final=True)

    def judge(self, trial: Trial, *, taken_at: str, final: bool) -> Result:
        """The verdicts on what a trial has seen so far; `final`: nothing more can be measured."""
        criteria = self._criteria(trial)
        measurements = trial.measurements(taken_at=taken_at, commit=self.commit())
        return Result(
            test=trial.order.test,
            outcome="passed",
            environment=self.environment.key,
            measurements=measurements,
            verdicts=verdicts.verdicts(
                measurements, criteria, metrics=self.metrics, environment=self.environment, final=final
            ),
            seconds=self.clock() - trial.started,
            criteria=criteria,
        )

    def unjudged(self, trial: Trial, *, taken_at: str) -> Result:
        """A test whose own body failed: what was seen until then, without verdicts."""
        return Result(
            test=trial.order.test,
            outcome="failed",
            environment=self.environment.key,
            measurements=trial.measurements(taken_at=taken_at, commit=self.commit()),
            verdicts=(),
        )

    def encode(self, result: Result, *, outcome: str) -> str:
        """The result as text that crosses processes."""
        return codec.encode(replace(result, outcome=outcome)).decode()

    def failure_text(self, result: Result) -> str:
        """The block that the failing test shows."""
        return rows.failure_text(result)

    def properties(self, result: Result) -> list[tuple[str, str]]:
        """For JUnit."""
        return junit.properties(result)

    def _criteria(self, trial: Trial) -> Criteria:
        baselines = dict(self.store.read(trial.order.test, self.environment))
        if self.settings.update:
            accept_worse = self.settings.accept_worse
            baselines = {
                label: kept
                for label, baseline in baselines.items()
                if (kept := _quality_only(baseline, self.metrics, accept_worse=accept_worse)) is not None
            }
        return Criteria(
            margins=trial.margins,
            policy=replace(self.policy, pairs=Pairs.ALWAYS) if trial.must_pair else self.policy,
            limits=trial.limits,
            default_limits=self.default_limits,
            baselines=baselines,
            suite_variance=self._variance(),
            stores=self.settings.update,
        )

    def _variance(self) -> float | None:
        """The median variance between sessions of the suite's tests; None where too few have a history."""
        if self._suite_variance is Escalation:
            variances = []
            for test in self.tests:
                with contextlib.suppress(BaselineError):  # a broken file fails its own tests
                    known = self.store.read(test, self.environment).values()
                    seen = [judge.session_variance(baseline, latency.METRIC) for baseline in known]
                    variances += [variance for variance in seen if variance is not None]
            self._suite_variance = statistics.median(variances) if len(variances) >= FEWEST_HISTORIES else None
        return self._suite_variance  # type: ignore[return-value]


def _is_peak(verdict: Verdict, metrics: Mapping[str, Metric]) -> bool:
    return verdict.metric in metrics and metrics[verdict.metric].peak


def wants_pairs(result: Result) -> dict[str, frozenset[str]]:
    """Label -> metrics that only pairs with the reference revision can decide."""
    wanted: dict[str, frozenset[str]] = {}
    for verdict in result.verdicts:
        if verdict.needs is Evidence.PAIRS:
            wanted[verdict.label] = wanted.get(verdict.label, frozenset()) | {verdict.metric}
    return wanted


def wants_model_pairs(result: Result) -> dict[str, frozenset[str]]:
    """Labels of comparisons that only fresh processes of both models can decide; their latency says everything."""
    labels = {verdict.label for verdict in result.verdicts if verdict.needs is Evidence.MODEL_PAIRS}
    return dict.fromkeys(sorted(labels), frozenset({latency.METRIC.name}))


def _quality_only(baseline: Baseline, metrics: Mapping[str, Metric], *, accept_worse: bool) -> Baseline | None:
    """What an update still holds a test against: nothing but its quality, and not even that where told so."""
    if accept_worse:
        return None
    quality = {
        name: value
        for name, value in baseline.portable.items()
        if name not in metrics or metrics[name].rule is Rule.QUALITY
    }
    return replace(baseline, source=None, files={}, portable=quality, sessions=())
