"""The closed sets that everything speaks: units, rules, answers; and what a metric is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from statistics import median
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing_extensions import Self


DISTURBED_SHARE = 0.025
"""More of the processors than this in foreign hands (5 % of one core of two), and a figure proves nothing."""
MEDIAN = 50.0
"""As a percentile."""
MOST_SESSIONS = 20
"""Kept, and looked at, per machine class and label."""


class Unit(Enum):
    """What a number counts; `units.py` alone turns it into text."""

    _value_: str
    suffix: str
    """Of a figure's name, where a format knows no units: `latency_s`."""

    def __new__(cls, value: str, suffix: str = "") -> Self:
        unit = object.__new__(cls)
        unit._value_ = value
        unit.suffix = suffix
        return unit

    SECONDS = "s", "_s"
    BYTES = "B", "_bytes"
    FRACTION = "fraction"
    PER_SECOND = "1/s", "_per_s"
    NUMBER = "number"
    RATIO = "ratio"
    """Of two figures of one kind: a speed-up."""
    DECIBEL = "dB", "_db"
    JOULES = "J", "_j"


class Better(Enum):
    """Which direction is good."""

    LOWER = "lower"
    HIGHER = "higher"


class Rule(Enum):
    """How a metric is judged (docs/statistics.md)."""

    TIME = "time"
    """Log-ratio against stored sessions, with the reference workload as covariate."""
    LOAD_TIME = "load_time"
    """The same, from one value per fresh process, with wider thresholds."""
    EXACT = "exact"
    """A counter without noise: allocator bytes, model size."""
    PROCESS_MEMORY = "process_memory"
    """Noise goes upward only: one value per fresh process."""
    QUALITY = "quality"
    """Accuracy and scores: example by example where examples are known."""
    SPEEDUP = "speedup"
    """Of a candidate over its reference, from the same pairs as its latency; only limits apply."""
    LEAK = "leak"
    """Memory call by call: its slope, in both halves; only limits apply, and there always is one."""
    SHOWN = "shown"
    """Reported, limits apply, never compared with a baseline."""

    @property
    def is_timed(self) -> bool:
        """Whether a busy processor disturbs it: no peak, size or accuracy."""
        return self in (Rule.TIME, Rule.LOAD_TIME)


class ConfirmedBy(Enum):
    """How pairs of old and new decide on a metric."""

    TURNS = "turns"
    """Both processes are alive and take turns call by call."""
    PROCESSES = "processes"
    """A value per process, one process after the other."""
    NOTHING = "nothing"
    """It does not vary, or has nothing that it could be paired with."""


_CONFIRMED = {
    Rule.TIME: ConfirmedBy.TURNS,
    Rule.LOAD_TIME: ConfirmedBy.PROCESSES,
    Rule.PROCESS_MEMORY: ConfirmedBy.PROCESSES,
}


class Need(Enum):
    """What a machine must have for a metric; `--aiperf-require` fails a test where it has not."""

    GPU = "gpu"
    RAM = "ram"
    """An account of the memory of one process."""


class Turns(Enum):
    """What one turn of a pair times for a metric."""

    CALLS = "calls"
    """Calls that are waited for one by one."""
    BURSTS = "bursts"
    """Calls queued back to back, one wait per burst; where no device queues any, the same calls say it."""
    PROBE = "probe"
    """One pass of the metric's own probe."""


class Cache(Enum):
    """Of the model's files in memory, before a load."""

    COLD = "cold"
    WARM = "warm"


class Origin(Enum):
    """Which process took a sample."""

    IN_PROCESS = "in_process"
    FRESH = "fresh"


class Phase(Enum):
    """Of a model's life, for its memory; each one's peak is a part of the figure."""

    LOAD = "load"
    FIRST = "first inference"
    STEADY = "steady"


HELD_BEFORE = "held before"
"""The part of a peak that was there when the watch started: models of fixtures and of other tests, contexts."""


class Status(Enum):
    """The eight answers. Only `PASSED` and `IMPROVED` are passes."""

    PASSED = "passed"
    IMPROVED = "improved"
    REGRESSED = "regressed"
    OVER_LIMIT = "over_limit"
    INCONCLUSIVE = "inconclusive"
    NEW = "new"
    UNMEASURED = "unmeasured"
    ANOMALOUS = "anomalous"

    @property
    def is_open(self) -> bool:
        """Whether nobody knows if it is good or bad."""
        return self in (Status.INCONCLUSIVE, Status.NEW, Status.UNMEASURED)

    @property
    def is_bad(self) -> bool:
        """Whether somebody has to act."""
        return self in (Status.REGRESSED, Status.OVER_LIMIT, Status.ANOMALOUS)

    @property
    def is_pass(self) -> bool:
        """Whether all is well, or better."""
        return self in (Status.PASSED, Status.IMPROVED)


class Evidence(Enum):
    """What must be measured before a verdict may become a failure."""

    FRESH_TIMING = "fresh_timing"
    FRESH_MEMORY = "fresh_memory"
    FRESH_LOAD = "fresh_load"
    PAIRS = "pairs"
    MODEL_PAIRS = "model_pairs"
    """Pairs of fresh processes, one for the reference of a comparison, one for its candidate."""


class Pairs(Enum):
    """Which figures interleaved pairs against a reference revision decide."""

    NEVER = "never"
    SUSPICIOUS = "auto"
    ALWAYS = "always"


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """A thing that can be measured, and how its numbers are read."""

    name: str
    title: str
    unit: Unit
    better: Better
    rule: Rule
    portable: bool = False
    """Comparable between machines: accuracy, sizes, allocator bytes."""
    kept: bool = False
    """Whether sessions keep it though its rule only shows it."""
    negligible: float = 0.0
    """Absolute change, in the metric's unit, below which nothing is ever a regression."""
    limited_as: str = ""
    """Another metric, whose limit holds for this one too: a leak on a device is limited as one of the processor's."""
    measured_by: str = "aiperf.infer(...)"
    """The calls of a test that measure it, as people write them."""
    needs: Need | None = None
    """What a machine must have for it."""
    peak: bool = False
    """A peak of memory: watches take it beside other work, fresh processes confirm it, its lines of code are traced."""
    per_call: bool = False
    """Its values are those of single calls: people read their median and percentiles."""
    total: bool = False
    """Its values are rates of equal work: all work over all time counts, so that a few slow calls do, too."""
    turns: Turns = Turns.PROBE
    """Of a metric that pairs confirm in turns."""
    cache: Cache = Cache.WARM
    """Of a metric that takes a process for each value: how that process finds the files that it loads."""
    file_bound: bool = False
    """Differs between a model's files on a disk and files in memory."""
    follows: str = ""
    """Another metric, of whose pairs this one is computed: the speed-up of two latencies."""

    @property
    def confirmed_by(self) -> ConfirmedBy:
        """Follows from the rule: whatever has the same noise is confirmed in the same way."""
        return _CONFIRMED.get(self.rule, ConfirmedBy.NOTHING)

    def middle(self, values: Sequence[float]) -> float:
        """The one number that values stand for. Pairs alone sum up totals: preempted calls would move a session."""
        return median(values)
