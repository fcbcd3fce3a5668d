"""The hooks that a run and a fresh process have in common: a trial around each test."""

from __future__ import annotations

import datetime as dt
import functools
from collections.abc import Callable, Generator, Sequence

import pytest

from pytest_aiperf.measuring.entry import Entry, Observed
from pytest_aiperf.measuring.trial import RunContext, Trial
from pytest_aiperf.measuring.watches import Watches
from pytest_aiperf.session import markers, source_hash
from pytest_aiperf.session.bench import Bench
from pytest_aiperf.session.markers import Marked
from pytest_aiperf.vocabulary.orders import Order
from pytest_aiperf.vocabulary.records import Limit, Margins
from pytest_aiperf.vocabulary.terms import Metric, Need

TRIAL = pytest.StashKey[Trial]()
WATCHES = pytest.StashKey[Watches]()


class TrialHooks:
    """What the parent's run and a fresh child have in common."""

    default_limits: tuple[Limit, ...] = ()
    """For tests without their own."""
    default_margins = Margins()

    def __init__(self, config: pytest.Config, context: RunContext, clock: Callable[[], float]) -> None:
        self.config = config
        self.context = context
        self.clock = clock

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

    def settle_trial(self, trial: Trial, item: pytest.Item) -> None:
        """Called when the test body has ended well."""
        raise NotImplementedError

    def forgives(self, item: pytest.Item) -> bool:  # noqa: ARG002 - the hook's signature
        """Whether what a test body raised at its end does not count."""
        return False

    def exhausted(self, item: pytest.Item, error: BaseException) -> bool:  # noqa: ARG002 - the hook's signature
        """Whether a measured call ran out of memory, which is a result."""
        return False

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
        defaults = self.default_limits
        uses_fixture = "aiperf" in getattr(item, "fixturenames", ())
        trial = Trial(
            order=self.order_of(item),
            context=self.context,
            limits=tuple(marked.limits),
            margins=marked.rules.margins(self.default_margins),
            group=marked.rules.group,
            source=source_hash.function_source_hash(item.function) if hasattr(item, "function") else None,
            memory=bool(marked.rules.memory)
            or (
                uses_fixture
                and (self.context.memory_always or any(one.needs is Need.RAM for one in self._limited(defaults)))
            ),
        )
        trial.started = self.clock()
        item.stash[TRIAL] = trial
        return trial

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> Generator[None, object, object]:
        """Start a trial before the first fixture runs: memory limits cover fixtures too."""
        _forget_last_attempt(item.stash)
        marked = self.marked(item)
        if marked.limits or "aiperf" in getattr(item, "fixturenames", ()):
            trial = self.begin(item)
            if any(metric.peak for metric in self._limited(marked.limits)):
                item.stash[WATCHES] = _whole_test_watches(trial)
        return (yield)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Generator[None, object, object]:
        """Let the test run; then decide."""
        if (trial := self._with_late_markers(item)) is not None:
            self.before_call(trial)
        try:
            outcome = yield
        except (Exception, pytest.fail.Exception) as error:
            if not self.forgives(item) and not self.exhausted(item, error):
                raise
            outcome = None
        if (trial := item.stash.get(TRIAL, None)) is not None:
            if not trial.order.role.is_partial:
                _cover_whole_test(trial, item.stash.get(WATCHES, Watches()))
            trial.settle_loads()
            self.settle_trial(trial, item)
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
        if WATCHES not in item.stash and any(metric.peak for metric in self._limited(marked.limits)):
            item.stash[WATCHES] = _whole_test_watches(trial)
        return trial

    def _limited(self, limits: Sequence[Limit]) -> list[Metric]:
        known = self.context.metrics
        return [known[limit.metric] for limit in limits if limit.metric in known]

    def before_call(self, trial: Trial) -> None:
        """The test body starts."""
        trial.started = self.clock()


def _forget_last_attempt(stash: pytest.Stash) -> None:
    """A rerun of the same test starts afresh."""
    if TRIAL in stash:
        del stash[TRIAL]
    if WATCHES in stash:
        del stash[WATCHES]


def _whole_test_watches(trial: Trial) -> Watches:
    return trial.watches(None, ram=trial.wants_ram, gpu=trial.wants_gpu).start()


def _cover_whole_test(trial: Trial, watches: Watches) -> None:
    """Limits on memory that no measurement of the test covers speak of the whole test, its fixtures included."""
    for sample in watches.samples():
        if not any(entry.has(sample.metric) for entry in trial.entries.values()):
            trial.entries.setdefault("", Entry(label="")).take(Observed(samples=(sample,)))
