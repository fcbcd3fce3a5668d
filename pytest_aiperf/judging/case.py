"""One metric of one measurement, with everything it is held against."""

from __future__ import annotations

import math
import shlex
from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import fmean, median
from typing import TYPE_CHECKING, TypedDict

from pytest_aiperf.judging import statistics
from pytest_aiperf.judging.history import history_of, last_level, occasions, undisturbed_sessions
from pytest_aiperf.vocabulary import units
from pytest_aiperf.vocabulary.baseline import Baseline, PortableValue, Session
from pytest_aiperf.vocabulary.records import Environment, Interval, Limit, Margins, Measurement, Policy, Sample, Verdict
from pytest_aiperf.vocabulary.terms import DISTURBED_SHARE, MEDIAN, Better, Evidence, Metric, Origin, Rule, Status

if TYPE_CHECKING:
    from typing_extensions import Unpack


class Cells(TypedDict, total=False):
    """What a rule says in a row of its metric."""

    message: str
    remedy: str
    now: float | None
    baseline: float | None
    worse_by: Interval | None
    notes: tuple[str, ...]
    needs: Evidence | None
    sees: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """What the rules decide on; nothing else reaches them."""

    metric: Metric
    measurement: Measurement
    samples: tuple[Sample, ...]
    """Of this metric, those with values."""
    baseline: Baseline | None
    limits: tuple[Limit, ...]
    margins: Margins
    policy: Policy
    prior: float
    """Variance of log values between sessions to assume before seeing any (docs/statistics.md)."""
    environment: Environment
    timer_resolution: float
    final: bool
    drop: Limit | None = None
    """The largest loss that a marker allows of a quality metric, in place of the margin."""

    def title(self, percentile: float | None = None) -> str:
        """Times per call say what they are summed up by; None is the median."""
        if percentile in (None, MEDIAN):
            return f"{self.metric.title} p50" if self.metric.per_call else self.metric.title
        return f"{self.metric.title} p{percentile:g}"

    def allowed(self, percentile: float | None = None) -> tuple[float, float]:
        """A slowdown that must not fail, and one that must not pass: t0 and t1 as fractions."""
        margins = self.margins
        if self.metric.rule is Rule.LOAD_TIME:
            return margins.load_tolerance, margins.max_load_slowdown
        if percentile in (None, MEDIAN):
            return margins.tolerance, margins.max_slowdown
        most = max(margins.max_tail_slowdown, margins.max_slowdown)
        return max(margins.tail_tolerance, margins.tolerance), most

    def of(self, origin: Origin) -> tuple[Sample, ...]:
        """Samples that one kind of process took."""
        return tuple(sample for sample in self.samples if sample.origin is origin)

    def calm(self, samples: Sequence[Sample]) -> tuple[Sample, ...]:
        """Those during which nobody else used the processor; what disturbed the test disturbed this process."""
        return tuple(
            sample
            for sample in samples
            if (sample.foreign_share or 0.0) <= DISTURBED_SHARE
            and not (sample.origin is Origin.IN_PROCESS and self.measurement.disturbances)
        )

    def values(self, origin: Origin | None = None) -> tuple[float, ...]:
        """All values, or those of one kind of process."""
        return pooled(self.samples if origin is None else self.of(origin))

    def worse_log(self, value: float) -> float:
        """The logarithm in which more is worse."""
        return -math.log(value) if self.metric.better is Better.HIGHER else math.log(value)

    def from_worse_log(self, log_value: float) -> float:
        """The value of a logarithm in which more is worse."""
        return math.exp(-log_value) if self.metric.better is Better.HIGHER else math.exp(log_value)

    def is_worse(self, value: float, bound: float) -> bool:
        """Whether `value` lies on the bad side of `bound`."""
        return value < bound if self.metric.better is Better.HIGHER else value > bound

    def sessions(self) -> tuple[Session, ...]:
        """The sessions that count: undisturbed, of this machine class, since the level last changed."""
        if self.baseline is None:
            return ()
        return last_level(undisturbed_sessions(self.baseline, self.metric), self.metric, self.margins)

    def level_notes(self) -> tuple[str, ...]:
        """Says how many sessions of an earlier level do not count any more."""
        kept = self.sessions()
        if self.baseline is None or not kept:
            return ()
        count = len(undisturbed_sessions(self.baseline, self.metric)) - len(kept)
        if not count:
            return ()
        return (f"{units.counted(count, 'earlier session')} left out: the level changed on {kept[0].at[:10]}",)

    def history(self) -> statistics.History | None:
        """The sessions summed up; the covariate counts where every one of them and this run have it."""
        return self._summed([(session,) for session in self.sessions()])

    def history_of_occasions(self) -> statistics.History | None:
        """The same with one value per occasion, however many sessions it had."""
        return self._summed(occasions(self.sessions()))

    def _summed(self, groups: Sequence[Sequence[Session]]) -> statistics.History | None:
        return history_of(groups, self.metric, with_covariate=self.measurement.covariate is not None)

    def portable(self) -> PortableValue | None:
        """What a portable metric is held against: what a comparison's reference gave, else what is stored."""
        if not self.metric.portable:
            return None
        stored = {} if self.baseline is None else self.baseline.portable
        return (stored if self.measurement.reference is None else self.measurement.reference).get(self.metric.name)

    def stored(self) -> float | None:
        """The baseline's one number: the portable value, or the median session."""
        if self.metric.portable:
            return None if (held := self.portable()) is None else held.value
        sessions = self.sessions()
        return median(session.values[self.metric.name] for session in sessions) if sessions else None

    def now(self) -> float:
        """The figure to show: a time as this process saw it, a load or a peak as fresh ones did."""
        if self.metric.rule is Rule.QUALITY:
            return fmean(self.values())
        first, second = (Origin.IN_PROCESS, Origin.FRESH) if self.metric.rule is Rule.TIME else tuple(Origin)[::-1]
        return self.metric.middle(self.values(first) or self.values(second))

    def row(
        self,
        status: Status,
        reason: str,
        *,
        percentile: float | None = None,
        limit: float | None = None,
        limit_source: str | None = None,
        fails: bool | None = None,
        **cells: Unpack[Cells],
    ) -> Verdict:
        """A verdict on this metric; whether it fails follows from its status unless said otherwise."""
        undecided = status is Status.INCONCLUSIVE and self.policy.inconclusive_fails
        return Verdict(
            label=self.measurement.label,
            metric=self.metric.name,
            title=self.title(percentile),
            unit=self.metric.unit,
            status=status,
            reason=reason,
            limit=limit,
            limit_source=limit_source,
            of_reference=self.measurement.reference is not None,
            fails=(status.is_bad or undecided) if fails is None else fails,
            **cells,
        )

    def limited(self, status: Status, reason: str, limit: Limit, **cells: Unpack[Cells]) -> Verdict:
        """A verdict on this metric against a limit."""
        percentile, bound = limit.percentile, limit.bound
        return self.row(status, reason, percentile=percentile, limit=bound, limit_source=limit.source, **cells)

    def as_it_is(self, limit: Limit, *, message: str = "", now: float | None = None) -> Verdict:
        """The figure itself against a limit; `message` is for one that is over it."""
        figure = self.now() if now is None else now
        if self.is_worse(figure, limit.bound):
            return self.limited(Status.OVER_LIMIT, "over_limit", limit, message=message, now=figure)
        return self.limited(Status.PASSED, "within_limit", limit, now=figure)

    def unconfirmed(self, needs: Evidence, row: Verdict) -> Verdict:
        """A row that is only a suspicion: fresh processes have to say; where none can any more, it stays open."""
        suspicion = replace(row, status=Status.INCONCLUSIVE, reason="unconfirmed")
        if self.final:
            return replace(suspicion, fails=self.policy.inconclusive_fails)
        return replace(suspicion, fails=False, needs=needs)

    def update(self, what: str) -> str:
        """The remedy that is a recorded baseline: `record it: pytest ...`."""
        return f"{what}: {update_command(self.measurement.test)}"


def pooled(samples: Sequence[Sample]) -> tuple[float, ...]:
    """All values of several samples."""
    return tuple(value for sample in samples for value in sample.values)


def update_command(test: str) -> str:
    """What records a baseline of a test."""
    return f"pytest --aiperf-update {shlex.quote(test)}"


def slowdown(prediction: statistics.Prediction, probability: float) -> Interval:
    """A shift of logarithms as a fraction; positive is worse."""
    return Interval(
        low=math.expm1(prediction.low(probability)),
        mid=math.expm1(prediction.shift),
        high=math.expm1(prediction.high(probability)),
        confidence=2 * probability - 1,
    )


def words(interval: Interval) -> str:
    """An interval in a sentence: `+3.1 % [+1.4, +4.8]`."""
    ends = f"[{units.percent_number(interval.low)}, {units.percent_number(interval.high)}]"
    return f"{units.percent(interval.mid)} {ends}"
