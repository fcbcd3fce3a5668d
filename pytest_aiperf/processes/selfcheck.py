"""What pairs can and cannot see on this machine: the same code against itself, then against a known slowdown."""

from __future__ import annotations

import bisect
import functools
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from statistics import median, stdev

import numpy as np
from scipy import special

from pytest_aiperf.judging.block_differences import ESTIMATOR, answer_of, differences
from pytest_aiperf.judging.sequential import ENOUGH, LOOKS, Look, decide
from pytest_aiperf.measuring.metrics import latency
from pytest_aiperf.processes.paired_child import Place
from pytest_aiperf.processes.pairs import PairBlock, PairOrder
from pytest_aiperf.vocabulary import units
from pytest_aiperf.vocabulary.orders import Order, Role
from pytest_aiperf.vocabulary.pairing import Arm, Block
from pytest_aiperf.vocabulary.records import Margins
from pytest_aiperf.vocabulary.terms import Status, Unit
from pytest_aiperf.vocabulary.text import WIDTH, wrapped

AA_SHARE = 0.65
"""Of the time; the rest goes to the known slowdown."""
WORLDS = 400
POWER = 0.95
"""How often a slowdown has to be caught to count as seen."""
STEPS = (0.02, 0.03, 0.04, 0.05, 0.06, 0.08, 0.10, 0.15, 0.20, 0.30, 0.50, 1.0)
CAREFUL = 0.10
"""Chance that the true spread of the pairs is above the one reckoned with."""
LATENCY = latency.METRIC.name

RunBlock = Callable[[int, Sequence[PairOrder]], PairBlock]


@dataclass(slots=True)
class Finding:
    """What was seen of one measurement."""

    place: Place
    same: list[Block] = field(default_factory=list)
    slowed: list[Block] = field(default_factory=list)

    @property
    def differences(self) -> list[float]:
        """Log-ratios of the undisturbed pairs of the same code."""
        return differences(self.same, LATENCY, share=ESTIMATOR)

    @property
    def spread(self) -> float | None:
        """Standard deviation between pairs of the same code; None where too few were undisturbed."""
        return stdev(self.differences) if len(self.differences) >= ENOUGH else None

    @property
    def careful_spread(self) -> float | None:
        """What the spread is below with 90 % confidence (chi-squared)."""
        if self.spread is None:
            return None
        freedom = len(self.differences) - 1
        return self.spread * math.sqrt(freedom / float(special.chdtri(freedom, 1 - CAREFUL)))

    @property
    def seconds_per_call(self) -> float:
        """Median over all calls of the unchanged side."""
        blocks = (*self.same, *self.slowed)
        return median(value for block in blocks for value in block.values_of(Arm.REFERENCE, LATENCY))


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """The whole check."""

    findings: tuple[Finding, ...]
    failures: dict[str, str]
    """Test -> why it could not be checked."""
    margins: Margins
    pairs_seconds: float
    """Of one pair, all tests together."""

    @property
    def false_alarms(self) -> int:
        """Measurements of unchanged code that were called regressed."""
        return sum(_said(one.same, self.margins)[0] is Status.REGRESSED for one in self.findings)


def check(
    tests: Sequence[str],
    *,
    run_block: RunBlock,
    seconds: float,
    seed: int,
    margins: Margins,
    clock: Callable[[], float] = time.monotonic,
    tell: Callable[[str], None] = lambda _: None,
) -> Check:
    """Pairs of the same code for about two thirds of `seconds`, then pairs with `max_slowdown` put behind each call."""
    started, count = clock(), 0
    findings: dict[Place, Finding] = {}
    failures: dict[str, str] = {}
    seeds = iter(range(seed, seed + 10**6))

    def phase(slowdown: float, until: float, name: str) -> None:
        nonlocal count
        for number in range(LOOKS[-1]):
            if number >= ENOUGH and clock() - started > until:
                return
            tell(f"{name}: pair {number + 1}")
            asked = [_order(test, slowdown) for test in tests if test not in failures]
            if not asked:
                return
            seen = run_block(next(seeds), asked)
            failures.update(seen.failures)
            count += 1
            for place, block in seen.blocks.items():
                finding = findings.setdefault(place, Finding(place))
                (finding.slowed if slowdown else finding.same).append(block)

    phase(0.0, AA_SHARE * seconds, "the same code twice")
    phase(margins.max_slowdown, seconds, f"{units.percent(margins.max_slowdown)} put behind each call")
    return Check(
        findings=tuple(findings.values()),
        failures=failures,
        margins=margins,
        pairs_seconds=(clock() - started) / max(1, count),
    )


def power(spread: float, slowdown: float, margins: Margins, *, seed: int = 0) -> float:
    """How often a slowdown is called a regression where pairs vary by `spread`; simulated, seeded."""
    worlds = np.random.default_rng(seed).normal(math.log1p(slowdown), spread, (WORLDS, LOOKS[-1]))
    tolerance, most = margins.tolerance, margins.max_slowdown
    said = [decide(list(world), tolerance=tolerance, most=most)[0] for world in worlds]
    return said.count(Status.REGRESSED) / WORLDS


@functools.cache
def smallest_seen(spread: float, margins: Margins) -> float | None:
    """The smallest of some slowdowns that is caught in 95 of 100 cases; None where none is."""
    steps = [step for step in STEPS if step > margins.tolerance]
    at = bisect.bisect_left(steps, True, key=lambda step: power(spread, step, margins) >= POWER)
    return steps[at] if at < len(steps) else None


def text(seen: Check, *, width: int = WIDTH) -> str:
    """The check as an ML engineer reads it."""
    lines = [line for one in seen.findings for line in _finding_lines(one, seen, width)]
    for test, why in seen.failures.items():
        lines += [*wrapped(test, width=width), *wrapped(f"not checked: {why}", width=width, indent="  ")]
    checked = [one for one in seen.findings if one.spread is not None]
    if not checked:
        return "\n".join([*lines, "nothing could be checked: too few undisturbed pairs; see pytest-aiperf doctor"])
    bound = 1 - 0.05 ** (1 / len(checked)) if not seen.false_alarms else 1.0
    alarms = f"false alarms: {seen.false_alarms} of {len(checked)} measurements of unchanged code"
    if not seen.false_alarms:
        alarms += f" (so at most {bound:.0%} with 95 % confidence; the rule itself allows 0.5 % at its tolerance)"
    return "\n".join([*lines, *wrapped(alarms, width=width), *_advice(seen, checked, width)])


def _finding_lines(one: Finding, seen: Check, width: int) -> list[str]:
    test, label = one.place
    head = f"{test} {label}".rstrip()
    if one.spread is None:
        calm, total = len(one.differences), len(one.same)
        told = [f"only {calm} of {total} pairs were undisturbed; see pytest-aiperf doctor"]
    else:
        told = [
            f"{units.text(one.seconds_per_call, Unit.SECONDS)} per call",
            f"pairs vary by {units.share(one.spread)}",
            f"unchanged: {_answer(one.same, seen.margins)}",
        ]
        if one.slowed:
            told.append(f"{units.percent(seen.margins.max_slowdown)}: {_answer(one.slowed, seen.margins)}")
        visible = smallest_seen(one.careful_spread or one.spread, seen.margins)
        told.append(f"sees {units.share(visible)} and more" if visible else "sees nothing below a factor of two")
    return [*wrapped(head, width=width), *wrapped(", ".join(told), width=width, indent="  ")]


def _advice(seen: Check, checked: Sequence[Finding], width: int) -> list[str]:
    worst = max(checked, key=lambda one: one.careful_spread or 0.0)
    visible = smallest_seen(worst.careful_spread or 0.0, seen.margins)
    name = worst.place[0]
    if visible is not None and visible <= seen.margins.max_slowdown:
        advice = f"advice: keep max_slowdown = {seen.margins.max_slowdown:g}: every test here sees it"
    elif visible is not None:
        advice = (
            f"advice: {name} sees {units.share(visible)}: give it aiperf(max_slowdown={visible:g}), more work per "
            "call, or a quieter machine (pytest-aiperf doctor)"
        )
    else:
        advice = f"advice: {name} is noise on this machine; see pytest-aiperf doctor"
    budget = math.ceil(seen.pairs_seconds * LOOKS[-1])
    time_of = (
        f"one pair of these tests takes {units.duration(seen.pairs_seconds)}: {ENOUGH} of them decide a clear case, "
        f"{LOOKS[-1]} every case (aiperf_pairs_budget = {budget})"
    )
    return [*wrapped(advice, width=width), *wrapped(time_of, width=width)]


def _said(blocks: Sequence[Block], margins: Margins) -> tuple[Status, Look | None]:
    return answer_of(blocks, LATENCY, tolerance=margins.tolerance, most=margins.max_slowdown)


def _answer(blocks: Sequence[Block], margins: Margins) -> str:
    said, look = _said(blocks, margins)
    if look is None:
        return "no pairs"
    word = "undecided" if said is Status.INCONCLUSIVE else said.value
    return f"{word} ({units.percent(math.expm1(look.estimate))}, {look.pairs} pairs)"


def _order(test: str, slowdown: float) -> PairOrder:
    same = Order(test=test, role=Role.TURNS, slowdown=0.0)
    slowed = Order(test=test, role=Role.TURNS, slowdown=slowdown)
    return PairOrder(orders={Arm.REFERENCE: same, Arm.CANDIDATE: slowed}, wanted=None)


def chosen(tests: Sequence[tuple[str, float]], most: int) -> list[str]:
    """At most `most` of the (test, seconds per call), from the fastest to the slowest, evenly spread."""
    ordered = [test for test, _ in sorted(tests, key=lambda one: one[1])]
    if len(ordered) <= most:
        return ordered
    return [ordered[round(index * (len(ordered) - 1) / (most - 1))] for index in range(most)]
