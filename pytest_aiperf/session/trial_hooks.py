"""The hooks that a run and a fresh process have in common: a trial around each test."""

from __future__ import annotations

import datetime as dt
import functools
import time
from collections.abc import Callable, Generator
from dataclasses import dataclass, field

import pytest

from pytest_aiperf.measuring.trial import RunContext, Trial, limited
from pytest_aiperf.session import markers, source_hash
from pytest_aiperf.session.bench import Bench
from pytest_aiperf.session.markers import Marked
from pytest_aiperf.vocabulary.orders import Order
from pytest_aiperf.vocabulary.records import Limit, Margins
from pytest_aiperf.vocabulary.terms import Need

TRIAL = pytest.StashKey[Trial]()


@dataclass(kw_only=True, eq=False)
class TrialHooks:
    """What the parent's run and a fresh child have in common."""

    config: pytest.Config
    context: RunContext
    clock: Callable[[], float] = time.monotonic
    default_limits: tuple[Limit, ...] = ()
    """For tests without their own."""
    default_margins: Margins = field(default_factory=Margins)

    def pytest_unconfigure(self) -> None:
        """Put back what the runtimes' adapters watch."""
        for framework in self.context.frameworks:
            framework.unwatch()

    @functools.cached_property
    def registered(self) -> frozenset[str]:
        """Names of all markers that somebody has registered."""
        return frozenset(line.partition(":")[0].partition("(")[0].strip() for line in self.config.getini("markers"))

    def order_of(self, item: pytest.Item) -> Order:
        """What this process measures of a test."""
        raise NotImplementedError

    def settle_trial(self, item: pytest.Item) -> None:
        """Called when the test body has ended well."""
        raise NotImplementedError

    def forgives(self, trial: Trial, error: BaseException) -> bool:
        """Whether what a test body raised at its end does not count."""
        raise NotImplementedError

    @staticmethod
    def now() -> str:
        """UTC, to the second."""
        return dt.datetime.now(dt.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")

    def marked(self, item: pytest.Item) -> Marked:
        """What the markers of a test say by now: hooks and fixtures may add some until its body starts."""
        return markers.read(item, self.registered)

    def bench_of(self, item: pytest.Item) -> Bench:
        """The object behind the fixture."""
        return Bench(item.stash.get(TRIAL, None) or self.begin(item))

    def begin(self, item: pytest.Item) -> Trial:
        """A new attempt at a test."""
        marked = self.marked(item)
        defaults = limited(self.default_limits, self.context.metrics)
        uses_fixture = "aiperf" in getattr(item, "fixturenames", ())
        trial = item.stash[TRIAL] = Trial(
            started=self.clock(),
            order=self.order_of(item),
            context=self.context,
            limits=tuple(marked.limits),
            margins=marked.rules.margins(self.default_margins),
            group=marked.rules.group,
            source=source_hash.function_source_hash(item.function) if hasattr(item, "function") else None,
            memory=bool(marked.rules.memory)
            or (uses_fixture and (self.context.memory_always or any(one.needs is Need.RAM for one in defaults))),
        )
        return trial

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> Generator[None, object, object]:
        """Start a trial before the first fixture runs: memory limits cover fixtures too."""
        if TRIAL in item.stash:  # a rerun of the same test starts afresh
            del item.stash[TRIAL]
        if self.marked(item).limits or "aiperf" in getattr(item, "fixturenames", ()):
            self.begin(item).watch_whole_test()
        return (yield)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Generator[None, object, object]:
        """Let the test run; then decide."""
        if (trial := self._with_late_markers(item)) is not None:
            self.before_call(trial)
        try:
            outcome = yield
        except (Exception, pytest.fail.Exception) as error:
            trial = item.stash.get(TRIAL, None)
            if trial is None or not self.forgives(trial, error):
                raise
            outcome = None
        if (trial := item.stash.get(TRIAL, None)) is not None:
            if not trial.order.role.is_partial:
                trial.cover_whole_test()
            trial.settle_loads()
            self.settle_trial(item)
        return outcome

    def _with_late_markers(self, item: pytest.Item) -> Trial | None:
        """The trial of a test, held to what its fixtures have marked it with, too."""
        trial, marked = item.stash.get(TRIAL, None), self.marked(item)
        if trial is None and not marked.limits:
            return None
        if marked.mistakes:
            pytest.fail("\n".join(["pytest-aiperf: mistakes in markers", *marked.mistakes]), pytrace=False)
        trial = trial or self.begin(item)
        trial.limits, trial.margins = tuple(marked.limits), marked.rules.margins(self.default_margins)
        trial.watch_whole_test()
        return trial

    def before_call(self, trial: Trial) -> None:
        """The test body starts."""
        trial.started = self.clock()
