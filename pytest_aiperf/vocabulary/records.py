"""The nouns that everything speaks: frozen records in base units (seconds, bytes, fractions)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from pytest_aiperf.vocabulary.baseline import Allocations, Baseline, PortableValue
from pytest_aiperf.vocabulary.errors import UsageError
from pytest_aiperf.vocabulary.model_figures import Variant
from pytest_aiperf.vocabulary.pairing import Pairing
from pytest_aiperf.vocabulary.terms import Evidence, Metric, Origin, Pairs, Status, Unit


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """What was seen of one metric: a value per call, per process or per example, in base units.

    An empty `values` means that it could not be measured; `notes` then say why. NaN is kept as seen.
    """

    metric: str
    values: tuple[float, ...]
    origin: Origin = Origin.IN_PROCESS
    notes: tuple[str, ...] = ()
    failure: str = ""
    """Why the fresh process that should have taken it gave nothing: it died, hung or raised."""
    void: str = ""
    """Why the figure can fail nothing."""
    member: str = ""
    """Of several models in one process: the one that the value belongs to."""
    parts: Mapping[str, float] = field(default_factory=dict)
    """Named shares of the value, for people: `{"read and build": 0.21, "first inference": 0.05}`."""
    calls_per_value: int = 1
    foreign_share: float | None = None
    """Share of the machine's processors that other processes used meanwhile; None where unknown."""
    covariate: float | None = None
    """Of a timing that a fresh process took: the reference workload's reading right before that."""

    @property
    def told(self) -> tuple[str, ...]:
        """All that people should know of it."""
        facts = (("child: ", self.failure), ("void: ", self.void), ("", self.member))
        return (*(f"{name}{fact}" for name, fact in facts if fact), *self.notes)


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """Where a measurement was taken."""

    key: str
    """Name of the machine class."""
    comparable: Mapping[str, str]
    """The facts that make up the class."""
    details: Mapping[str, str]
    """Facts that are shown but never compared."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """Everything seen under one label of one test."""

    test: str
    """The node id."""
    label: str
    samples: tuple[Sample, ...]
    taken_at: str
    """UTC, ISO 8601, to the second."""
    commit: str | None = None
    source: str | None = None
    """Hash of the test function's source."""
    files: Mapping[str, str] = field(default_factory=dict)
    """Model file (name, not path) -> hash of its content."""
    facts: Mapping[str, str] = field(default_factory=dict)
    """What the runtime said of the model: providers, threads, dtype."""
    covariate: float | None = None
    """Mean log seconds of the reference workload, seconds before this process timed it."""
    disturbances: tuple[str, ...] = ()
    """What disturbed the machine meanwhile; a disturbed session is no baseline."""
    conditions: Mapping[str, str] = field(default_factory=dict)
    """Device (by UUID) -> its clock, power and throttling while it was timed."""
    anomalies: tuple[str, ...] = ()
    """Why the measurement is not what was asked for (a provider that fell back to the CPU)."""
    out_of_memory: str | None = None
    """What was asked for and what was free, where a measured call ended the test for want of memory."""
    allocations: Allocations = field(default_factory=Allocations)
    """Where a fresh process traced them."""
    scores: tuple[Metric, ...] = ()
    """Quality metrics that the test named itself and that stand on no shelf."""
    pairing: Pairing | None = None
    """What pairs with the reference revision saw; None where none were asked for."""
    reference: Mapping[str, PortableValue] | None = None
    """Of a comparison: what the reference model gave, held against instead of a baseline."""
    accuracy_margin: float | None = None
    """Of a comparison that was given its own."""
    reasons: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Metric -> why its figure is bad, where that was found: of a comparison, as its runtime's own means tell."""
    breakdown: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Metric -> what its figure is made of, to be shown beside a bad one: several models, each of them alone."""
    variant: Variant | None = None
    """Of a comparison: what a table of all candidates shows."""

    def metrics(self, known: Mapping[str, Metric]) -> Mapping[str, Metric]:
        """The known ones, and those that only this test knows. Raises UsageError where one of its samples has none."""
        if lost := {sample.metric for sample in self.samples} - {*known, *(score.name for score in self.scores)}:
            raise UsageError(f"no metric {min(lost)!r} here; install the package that offers it")
        return {**known, **{metric.name: metric for metric in self.scores}}

    def values(self, metric: str, *origins: Origin) -> list[float]:
        """All of one metric that the first of these kinds of process gave, of those that gave any."""
        samples = [sample for sample in self.samples if sample.metric == metric]
        by_origin = ([value for one in samples if one.origin is origin for value in one.values] for origin in origins)
        return next(filter(None, by_origin), [])

    @property
    def disqualified(self) -> tuple[str, ...]:
        """Every reason for which its figures count for nothing."""
        exhausted = () if self.out_of_memory is None else (f"out of memory: {self.out_of_memory}".rstrip(": "),)
        return (*self.anomalies, *exhausted)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """An absolute bound that the user wrote."""

    metric: str
    bound: float
    """In the metric's base unit."""
    source: str
    """As the user wrote it: `max_latency_ms(20, percentile=95)`."""
    percentile: float | None = None
    """For per-call metrics: which percentile is held (50 is the median)."""
    label: str | None = None
    """Applies to this measurement only; None: to every one that has the metric."""
    drop: bool = False
    """The bound is a loss, of a quality metric, to what it is held against: a baseline, or a comparison's reference."""
    population: bool = False
    """The loss has to be proven small for all examples that there could be, not only for those that were scored."""

    def __post_init__(self) -> None:
        if not abs(self.bound) >= 0 or not (self.percentile is None or 0 < self.percentile < 100):  # noqa: PLR2004 - percent
            raise ValueError(f"bound={self.bound!r}, percentile={self.percentile!r}: no number, or not in 0..100")


@dataclass(frozen=True, slots=True, kw_only=True)
class Margins:
    """The relative rules of one test, fractions unless said otherwise."""

    tolerance: float = 0.01
    """t0: a slowdown that must not fail a build."""
    max_slowdown: float = 0.05
    """t1: a slowdown that must not pass."""
    load_tolerance: float = 0.05
    max_load_slowdown: float = 0.15
    accuracy_margin: float = 0.01
    """Largest loss of a quality metric, in points (0.01 = 1 point)."""
    max_size_growth: float = 0.02
    max_memory_growth: float = 0.05
    tail_tolerance: float = 0.05
    """The same two of percentiles above the median, which vary more."""
    max_tail_slowdown: float = 0.25


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What an open answer does to its test, and what has to be measurable here."""

    inconclusive_fails: bool = False
    new_fails: bool = False
    required: frozenset[str] = frozenset()
    """`gpu`, or names of metrics."""
    pairs: Pairs = Pairs.NEVER


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """An estimate of a change, as a fraction; positive is worse."""

    low: float
    mid: float
    high: float
    confidence: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The answer for one row: one metric (and percentile) of one label."""

    label: str
    metric: str
    """Registry name: `latency`."""
    title: str
    """As shown: `latency p95`."""
    unit: Unit
    status: Status
    reason: str
    """Stable code: `no_baseline`, `within_limit`, `stale_source`."""
    message: str = ""
    """One sentence for people; empty for a plain pass."""
    remedy: str = ""
    """What to do about it, ending with a command: `record one: pytest --aiperf-update t.py::t`."""
    now: float | None = None
    baseline: float | None = None
    of_reference: bool = False
    """Whether `baseline` is what the reference model of a comparison gave, not a stored value."""
    worse_by: Interval | None = None
    limit: float | None = None
    """The bound in base units, or, for relative rules, the largest allowed change as a fraction."""
    limit_source: str | None = None
    """`max_latency_ms(20)`, or None for a relative rule."""
    notes: tuple[str, ...] = ()
    reasons: tuple[str, ...] = ()
    """Why the figure is bad, where that was found."""
    fails: bool = False
    """Whether this verdict fails its test, under the policy of the run."""
    needs: Evidence | None = None
    """What would decide it; None once nothing more can be measured."""
    sees: float | None = None
    """For a row against stored sessions: the smallest slowdown that they could have shown, as a fraction."""

    @property
    def told(self) -> str:
        """The message with its remedy."""
        return "; ".join(filter(None, (self.message, self.remedy)))

    @property
    def remarks(self) -> tuple[str, ...]:
        """Everything else that people should know."""
        return (*self.notes, *(f"why: {reason}" for reason in self.reasons))


@dataclass(frozen=True, slots=True, kw_only=True)
class Criteria:
    """What a test was judged by, beside what was measured: with both, its verdicts can be replayed."""

    margins: Margins
    policy: Policy
    limits: tuple[Limit, ...]
    """Of the test's own markers."""
    default_limits: tuple[Limit, ...]
    baselines: Mapping[str, Baseline]
    """By label, as far as they were held against it."""
    suite_variance: float | None
    """Median of the variances between sessions of the suite's tests; None where too few have one."""
    stores: bool
    """Whether the run recorded baselines, so that a missing one is no news."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """One test of one run."""

    test: str
    outcome: str
    """pytest's word for the call phase: passed, failed, skipped."""
    environment: str
    """Key of the machine class."""
    measurements: tuple[Measurement, ...]
    verdicts: tuple[Verdict, ...]
    seconds: float = 0.0
    """Time that measuring and judging took."""
    criteria: Criteria | None = None
    """None where nothing was judged."""

    @property
    def fails(self) -> bool:
        """Whether a verdict fails the test."""
        return any(verdict.fails for verdict in self.verdicts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What an update did to one stored value."""

    test: str
    label: str
    metric: str
    unit: Unit
    old: float | None
    new: float | None
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A whole run, as reporters and `pytest-aiperf` see it."""

    started_at: str
    commit: str | None
    environment: Environment
    results: tuple[Result, ...]
    unused: tuple[str, ...] = ()
    """Baseline entries whose test or label no longer exists: `tests/test_x.py::test_gone`."""
    changes: tuple[Change, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def figures(self) -> list[tuple[str, Verdict]]:
        """Every row, with the node id of its test."""
        return [(result.test, verdict) for result in self.results for verdict in result.verdicts]
