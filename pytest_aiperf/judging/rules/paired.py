"""New code against old code in interleaved pairs: what decides where there is a reference revision."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import PurePath
from statistics import median

import numpy as np

from pytest_aiperf.judging.block_differences import ESTIMATOR, answer_of, fewest_values
from pytest_aiperf.judging.case import Case
from pytest_aiperf.judging.sequential import ENOUGH, LOOKS, Look
from pytest_aiperf.judging.statistics import fewest_samples
from pytest_aiperf.vocabulary import units
from pytest_aiperf.vocabulary.pairing import Arm, Block, Pairing
from pytest_aiperf.vocabulary.records import Interval, Verdict
from pytest_aiperf.vocabulary.terms import MEDIAN, Better, ConfirmedBy, Evidence, Pairs, Rule, Status
from pytest_aiperf.vocabulary.text import listed

MEMORY_PAIRS = 5
"""Pairs that must agree on a larger process memory."""


def row(case: Case, stored: Verdict) -> Verdict:
    """The row of the pairs where there are any, or should be; else `stored`, that of the stored sessions."""
    if case.metric.confirmed_by is ConfirmedBy.NOTHING:
        return stored
    pairing = case.measurement.pairing
    if pairing is not None and (why := pairing.uncompared.get(case.metric.name)):
        open_row = case.row(Status.INCONCLUSIVE, "not_compared", message=why, now=case.now())
        return _proven_or(case, stored, open_row, pairing) if _suspicious(case, stored) else stored
    blocks = blocks_of(case, pairing)
    if pairing is None or not (blocks or pairing.failure):
        return _to_pairs(case, stored)
    if blocks or _suspicious(case, stored):
        return _proven_or(case, stored, decided(case, pairing, blocks, percentile=None), pairing)
    return stored


def _proven_or(case: Case, stored: Verdict, seen: Verdict, pairing: Pairing) -> Verdict:
    """What pairs leave open, or could not see, replaces no regression that stored sessions prove or may still prove."""
    known, now = (case.baseline.files if case.baseline else {}), case.measurement.files
    unchanged = {name for name, content in now.items() if known.get(name) == content}
    blind = [file for file in pairing.common if PurePath(file).name not in unchanged] if seen.status.is_pass else []
    is_open = seen.status is Status.INCONCLUSIVE and seen.needs is None
    told = f"pairs left it open: {seen.message}"
    if blind:
        told = f"{seen.message} pass, but both sides read the same {listed(blind, 'files')}, which no revision holds"
    if stored.status is Status.REGRESSED or stored.needs is not None:
        return replace(stored, notes=(*stored.notes, told)) if blind or is_open else seen
    return replace(seen, notes=(*seen.notes, told)) if blind and not stored.status.is_pass else seen


def tails(case: Case) -> list[Verdict]:
    """Where pairs have timed the calls: a row for every other percentile that the user limits."""
    pairing = case.measurement.pairing
    blocks = blocks_of(case, pairing)
    if pairing is None or not blocks:
        return []
    limited = {limit.percentile for limit in case.limits if limit.percentile not in (None, MEDIAN)}
    return [decided(case, pairing, blocks, percentile=percentile) for percentile in sorted(filter(None, limited))]


def _suspicious(case: Case, stored: Verdict) -> bool:
    return case.policy.pairs is Pairs.ALWAYS or (case.policy.pairs is Pairs.SUSPICIOUS and not stored.status.is_pass)


def _to_pairs(case: Case, stored: Verdict) -> Verdict:
    """Ask for pairs; a process memory, which costs a process, is first looked at without."""
    ended = case.final or (case.measurement.pairing is not None and case.measurement.pairing.ended)
    if not _suspicious(case, stored) or (ended and stored.status is Status.REGRESSED):
        return stored
    if stored.needs in (Evidence.FRESH_MEMORY, Evidence.FRESH_LOAD) and stored.baseline is not None:
        return stored
    return case.unconfirmed(Evidence.PAIRS, stored)


def decided(
    case: Case, pairing: Pairing, blocks: Sequence[Block], *, percentile: float | None, more: Evidence = Evidence.PAIRS
) -> Verdict:
    """The row of one figure from its blocks; `more`: what would add some."""
    if pairing.anomaly:
        return case.row(Status.ANOMALOUS, "same_code", message=pairing.failure or "", now=case.now())
    if case.metric.rule is Rule.PROCESS_MEMORY:
        return _memory(case, pairing, blocks)
    calm = [block for block in blocks if not block.disturbances]
    rows = _Rows(case=case, pairing=pairing, blocks=calm, percentile=percentile)
    needed = 1 if percentile is None else fewest_samples(percentile)
    few = min((fewest_values(block, case.metric.name) for block in calm), default=needed)
    if few < needed:
        return rows.open("too_few_samples", f"{few} calls per block; p{percentile:g} needs {needed}")
    over = pairing.ended or pairing.failure is not None
    higher, (tolerance, most) = case.metric.better is Better.HIGHER, case.allowed(percentile)
    said, seen = answer_of(
        calm,
        case.metric.name,
        share=rows.share,
        tolerance=tolerance,
        most=most,
        higher_is_better=higher,
        last=case.final or over,
    )
    if seen is not None and said is not Status.INCONCLUSIVE:
        return rows.closed(said, seen)
    if pairing.failure is not None:
        return rows.open("not_compared", pairing.failure, seen)
    if case.final or over or len(calm) >= LOOKS[-1]:
        return rows.undecided(seen, disturbed=len(blocks) - len(calm))
    return case.unconfirmed(more, rows.open("unconfirmed", "more pairs have to say", seen))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Rows:
    """The ways to say what pairs have shown of one figure."""

    case: Case
    pairing: Pairing
    blocks: Sequence[Block]
    percentile: float | None

    @property
    def share(self) -> float | None:
        """The quantile of a side's values that stands for its block; None: all of them do, by their sum."""
        if self.percentile is not None:
            return self.percentile / 100
        if self.case.metric.total:
            return None
        return 0.5 if self.case.metric.rule is Rule.LOAD_TIME else ESTIMATOR

    def closed(self, said: Status, seen: Look) -> Verdict:
        decisive = self.blocks[: seen.pairs]
        old, new = self._middles(decisive)
        message = f"{seen.pairs} pairs against {self.pairing.against}"
        if said is Status.REGRESSED and abs(new - old) < self.case.metric.negligible:
            return self._row(Status.PASSED, "negligible", message, seen)
        reason = {Status.REGRESSED: "slower", Status.IMPROVED: "faster"}.get(said, "within_margin")
        return self._row(said, reason, message, seen)

    def undecided(self, seen: Look | None, *, disturbed: int) -> Verdict:
        pairing, against = self.pairing, self.pairing.against
        if disturbed and (seen is None or disturbed > seen.pairs):
            total = disturbed + len(self.blocks)
            return self.open("disturbed", f"{disturbed} of {total} pairs against {against} were disturbed", seen)
        if seen is None:
            return self.open("out_of_budget", self._too_few(), seen)
        tolerance, most = self.case.allowed(self.percentile)
        visible = units.percent(math.expm1(seen.smallest_visible(tolerance)))
        message = f"{seen.pairs} pairs against {against} could have shown {visible}"
        needed = seen.needed_pairs(tolerance, most)
        if pairing.budget and needed > seen.pairs:
            message += f"; certainty takes about {units.duration(pairing.seconds / seen.pairs * needed)}"
            message += f" (aiperf_pairs_budget is {units.duration(pairing.budget)})"
        return self.open("within_noise", message, seen)

    def _too_few(self) -> str:
        pairing, count = self.pairing, len(self.blocks)
        text = f"{count} of {ENOUGH} pairs against {pairing.against} fitted into {units.duration(pairing.budget)}"
        if not count:
            return text
        return f"{text}; aiperf_pairs_budget = {math.ceil(pairing.seconds / count * ENOUGH)} would do"

    def open(self, reason: str, message: str, seen: Look | None = None) -> Verdict:
        return self._row(Status.INCONCLUSIVE, reason, message, seen)

    def _row(self, status: Status, reason: str, message: str, seen: Look | None) -> Verdict:
        blocks = self.blocks[: seen.pairs] if seen is not None else self.blocks
        old, new = self._middles(blocks) if blocks else (None, self.case.now())
        return self.case.row(
            status,
            reason,
            percentile=self.percentile,
            message=message,
            now=new,
            baseline=old,
            worse_by=_interval(seen) if seen is not None else None,
            limit=self.case.allowed(self.percentile)[1],
            notes=self._notes(seen, old, new),
        )

    def _middles(self, blocks: Sequence[Block]) -> tuple[float, float]:
        """Old and new as people read them: the median of the blocks' medians (or of the percentile)."""
        metric, percentile = self.case.metric, self.percentile

        def middle(values: list[float]) -> float:
            return (
                metric.middle(values) if percentile is None else float(np.quantile(values, max(50, percentile) / 100))
            )

        old, new = (median(middle(block.values_of(arm, metric.name)) for block in blocks) for arm in Arm)
        return old, new

    def _notes(self, seen: Look | None, old: float | None, new: float | None) -> tuple[str, ...]:
        if seen is None or old is None or new is None:
            return ()
        if seen.typical:
            return ("the quiet quarter of the calls is no slower: judged by their median",)
        notes: tuple[str, ...] = ()
        by_medians = self.case.worse_log(new) - self.case.worse_log(old)
        notable = max(2 * seen.error, math.log1p(self.case.allowed(self.percentile)[0]))
        if self.share == ESTIMATOR and abs(by_medians - seen.estimate) > notable:
            notes += (f"by medians {units.percent(math.expm1(by_medians))}: the change is not in the quiet calls",)
        if seen.lopsided:
            notes += ("some pairs are far slower than the others, none as much faster: a slow mode of some processes?",)
        return notes


def _memory(case: Case, pairing: Pairing, blocks: Sequence[Block]) -> Verdict:
    """Noise only adds to a peak: the smallest new process must be above every old one."""
    if not blocks:
        return case.row(Status.INCONCLUSIVE, "not_compared", message=pairing.failure or "", now=case.now())
    old, new = ([value for block in blocks for value in block.values_of(arm, case.metric.name)] for arm in Arm)
    base, now = median(old), median(new)
    notable = abs(now - base) > max(case.margins.max_memory_growth * base, case.metric.negligible)
    pairs = f"{units.counted(len(blocks), 'pair')} against {pairing.against}"
    row = partial(case.row, now=now, baseline=base, limit=case.margins.max_memory_growth)
    if not (notable and min(new) > max(old)):
        smaller = notable and max(new) < min(old)
        status, reason = (Status.IMPROVED, "smaller") if smaller else (Status.PASSED, "within_margin")
        return row(status, reason, message=pairs)
    if len(blocks) >= MEMORY_PAIRS:
        return row(Status.REGRESSED, "larger", message=f"{pairs}: every new process is above every old one")
    if pairing.failure is not None:
        return row(Status.INCONCLUSIVE, "not_compared", message=pairing.failure)
    open_row = row(Status.INCONCLUSIVE, "too_few_processes", message=f"{pairs}; {MEMORY_PAIRS} must agree")
    return open_row if case.final else case.unconfirmed(Evidence.PAIRS, open_row)


def _interval(seen: Look) -> Interval:
    low, high = map(math.expm1, seen.likely)
    return Interval(low=low, mid=math.expm1(seen.estimate), high=high, confidence=0.98625)


def blocks_of(case: Case, pairing: Pairing | None) -> list[Block]:
    """Those that have measured the metric on both sides."""
    if pairing is None:
        return []
    return [block for block in pairing.blocks if fewest_values(block, case.metric.name)]
