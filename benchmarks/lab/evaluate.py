"""The laboratory's report: false alarms and power of every rule, from recorded data.

python -m benchmarks.lab.evaluate benchmarks/lab/data/*.jsonl.gz --out benchmarks/results/lab-MACHINE-DATE.md
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from scipy import stats

from benchmarks.lab import loads, picture, report, tails
from benchmarks.lab.recorded import Recorded, read
from benchmarks.lab.rules import Rule, Session, asv, asv_own, defaults
from pytest_aiperf.judging.sequential import LOOKS, decide
from pytest_aiperf.vocabulary.terms import Status

SLOWDOWNS = (0.0, 0.01, 0.02, 0.03, 0.05, 0.10, 0.20)
REPLAYS = 600
"""Per workload and slowdown."""
COMPARISONS = 200
"""Most pairs of sessions per workload and slowdown."""
SETTINGS = {
    "pairs (1 % / 5 %)": {"tolerance": 0.01, "most": 0.05},
    "pairs, sensitive (1 % / 3 %)": {"tolerance": 0.01, "most": 0.03},
}
TARGET = 0.001
REMARKS = Path(__file__).parent / "data" / "remarks.md"
BUILD = 50


@dataclass(slots=True, kw_only=True)
class Score:
    """How one rule did in one state."""

    rule: str
    state: str
    alarms: dict[float, list[bool]] = field(default_factory=dict)
    """Slowdown -> whether each verdict was an alarm."""
    undecided: list[bool] = field(default_factory=list)
    """At slowdown 0."""
    seconds: list[float] = field(default_factory=list)
    """Per verdict, at slowdown 0."""
    by_workload: dict[str, float] = field(default_factory=dict)
    """Share of false alarms."""
    at_target: dict[float, float] = field(default_factory=dict)
    """Power at each slowdown where the threshold is raised until false alarms are at most 0.1 %."""

    def share(self, slowdown: float) -> float:
        """Of alarms."""
        return float(np.mean(self.alarms[slowdown]))

    def bounds(self, slowdown: float = 0.0) -> tuple[float, float]:
        """Clopper-Pearson, 95 %; replays share recordings, so they are worth fewer independent verdicts."""
        seen = self.alarms[slowdown]
        low, high = stats.binomtest(sum(seen), len(seen)).proportion_ci(0.95)
        return float(low), float(high)

    def build_fails(self) -> float:
        """Share of clean builds of 50 tests, drawn from the workloads, with at least one false alarm."""
        kept = [1 - share for share in self.by_workload.values()]
        return 1 - float(np.mean(kept)) ** BUILD


def score_pairs(data: Recorded, state: str, name: str, margins: Mapping[str, float], seed: int) -> Score:
    """Replayed verdicts of the plugin's own rule."""
    random = np.random.default_rng(seed)
    score = Score(rule=name, state=state)
    for workload in workloads(data, state):
        pool = np.asarray(data.pairs[state, workload, "none"])
        seconds = float(np.mean(data.pair_seconds[state, workload, "default"]))
        alarms: dict[float, list[bool]] = {}
        for slowdown in SLOWDOWNS:
            alarms[slowdown] = []
            for _ in range(REPLAYS):
                drawn = random.choice(pool, LOOKS[-1], replace=len(pool) < LOOKS[-1]) + math.log1p(slowdown)
                said, look = decide(list(drawn[:, 0]), typical=list(drawn[:, 1]), **margins)
                alarms[slowdown].append(said is Status.REGRESSED)
                if slowdown == 0.0:
                    score.undecided.append(said is Status.INCONCLUSIVE)
                    score.seconds.append(seconds * (look.pairs if look else LOOKS[-1]))
        _add(score, workload, alarms)
    score.at_target = {slowdown: score.share(slowdown) for slowdown in SLOWDOWNS}
    return score


def score_rule(data: Recorded, state: str, rule: Rule, seed: int, *, sessions: int = 0) -> Score:
    """A rule on pairs of recorded sessions; `sessions` per side where measuring time is made equal."""
    random = np.random.default_rng(seed)
    count = max(rule.sessions, sessions)
    score = Score(rule=rule.name, state=state)
    statistics: dict[float, list[float]] = {slowdown: [] for slowdown in SLOWDOWNS}
    for (of_tool, of_state, workload), seen in sorted(data.sessions.items()):
        if (of_tool, of_state) != (rule.tool, state) or len(seen) < 2 * count:
            continue
        alarms: dict[float, list[bool]] = {slowdown: [] for slowdown in SLOWDOWNS}
        for old, new in _comparisons(seen, count, rule, random):
            score.seconds.append(sum(one.seconds for one in new))
            for slowdown in SLOWDOWNS:
                value = rule.statistic(old, _slowed(new, slowdown))
                statistics[slowdown].append(value)
                alarms[slowdown].append(value > rule.threshold)
        _add(score, workload, alarms)
        score.undecided += [False] * len(alarms[0.0])
    raised = float(np.quantile(statistics[0.0], 1 - TARGET, method="higher")) if statistics[0.0] else math.inf
    score.at_target = {
        slowdown: float(np.mean(np.asarray(values) > max(raised, rule.threshold)))
        for slowdown, values in statistics.items()
        if values
    }
    return score


def _comparisons(
    seen: Sequence[Session], count: int, rule: Rule, random: np.random.Generator
) -> Iterator[tuple[list[Session], list[Session]]]:
    """`count` sessions a side: drawn, or every run of neighbours, old and new in turn."""
    if rule.neighbours:
        for start in range(len(seen) - 2 * count + 1):
            window = list(seen[start : start + 2 * count])
            yield window[0::2], window[1::2]
        return
    for _ in range(min(COMPARISONS, rule.comparisons)):
        drawn = random.choice(len(seen), 2 * count, replace=False)
        yield [seen[index] for index in drawn[:count]], [seen[index] for index in drawn[count:]]


def workloads(data: Recorded, state: str) -> list[str]:
    """With enough undisturbed pairs of unchanged code to be replayed."""
    return sorted(
        workload
        for (of_state, workload, inject), logs in data.pairs.items()
        if of_state == state and inject == "none" and len(logs) >= LOOKS[0]
    )


def scores(data: Recorded, state: str, seed: int = 1) -> list[Score]:
    """Every rule in one state: the plugin's, each tool's defaults, and the ratio rules at equal measuring time."""
    ours = [score_pairs(data, state, name, margins, seed) for name, margins in SETTINGS.items()]
    theirs = [score_rule(data, state, rule, seed) for rule in defaults()]
    spent = float(np.mean(ours[0].seconds)) / 2 if ours[0].seconds else 0.0
    longer = [
        score_rule(data, state, replace(rule, name=f"{rule.name}, {count} sessions a side"), seed, sessions=count)
        for rule in defaults()
        if (count := _sessions_in(spent, data, rule.tool, state)) > rule.sessions
        if rule.statistic not in (asv, asv_own)  # whose exact test of so many samples takes minutes each
    ]
    return [score for score in (*ours, *theirs, *longer) if score.alarms]


def _sessions_in(seconds: float, data: Recorded, tool: str, state: str) -> int:
    """How many sessions of a tool take as long; at equal measuring time, its rule may use them all."""
    each = [
        entry.seconds
        for (of_tool, of_state, _), seen in data.sessions.items()
        for entry in seen
        if (of_tool, of_state) == (tool, state)
    ]
    return round(seconds / float(np.mean(each))) if each else 0


def _slowed(sessions: Sequence[Session], share: float) -> list[Session]:
    return [one.slowed(share) for one in sessions]


def _add(score: Score, workload: str, alarms: Mapping[float, list[bool]]) -> None:
    score.by_workload[workload] = float(np.mean(alarms[0.0]))
    for slowdown, said in alarms.items():
        score.alarms.setdefault(slowdown, []).extend(said)


def main() -> None:
    """Write the report and the picture."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--remarks", type=Path, default=REMARKS, help="what the recordings do not say of themselves")
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    tuning, evaluation = (read(options.files, purpose=purpose) for purpose in ("tuning", "evaluation"))
    by_state = {state: scores(evaluation, state) for state in ("idle", "noise") if workloads(evaluation, state)}
    drawn = options.out.with_suffix(".svg")
    text = report.text(tuning, evaluation, by_state, picture=drawn.name, remarks=options.remarks.read_text("utf-8"))
    parts = (text, tails.text(evaluation), loads.text(evaluation.loads))
    options.out.write_text("\n".join(filter(None, parts)), encoding="utf-8")
    picture.draw(by_state, drawn)


if __name__ == "__main__":
    main()
