"""The report of the laboratory as Markdown."""

from __future__ import annotations

import datetime as dt
import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from scipy import stats

from benchmarks.lab.recorded import Recorded, spread
from pytest_aiperf import wiring
from pytest_aiperf.judging.block_differences import differences
from pytest_aiperf.machine import environment
from pytest_aiperf.vocabulary.pairing import Arm, Block

if TYPE_CHECKING:
    from benchmarks.lab.evaluate import Score

LIVE_NOTE = (
    "The sensitive setting is judged on the same pairs, which ended when the default one had decided: "
    "what it leaves open there, more pairs would decide."
)
ESTIMATORS: Mapping[str, float] = {"minimum": 0.0, "lower quartile": 0.25, "median": 0.5, "upper quartile": 0.75}


def text(
    tuning: Recorded, evaluation: Recorded, by_state: Mapping[str, Sequence[Score]], *, picture: str, remarks: str
) -> str:
    """All tables."""
    place = environment.describe(name=None, accelerators=(), distributions=wiring.distributions())
    facts = ", ".join(f"{name} {value}" for name, value in place.comparable.items())
    today = dt.datetime.now(dt.timezone.utc).strftime("%Y-%m-%d")
    lines = [f"# Laboratory: {place.key}, {today}", "", facts, "", f"![power]({picture})", "", remarks]
    for state, scores in by_state.items():
        lines += _state(state, scores, evaluation)
    lines += _live(evaluation)
    lines += _spreads("Spread of unchanged pairs, evaluation (sd of one pair's log-ratio)", evaluation)
    lines += _spreads("The same on tuning sessions, from which estimator and process state were chosen", tuning)
    lines += _processes(tuning)
    return "\n".join(lines) + "\n"


def _state(state: str, scores: Sequence[Score], data: Recorded) -> list[str]:
    disturbed = data.disturbed.get(state, [])
    slowdowns = sorted(scores[0].alarms)[1:]
    head = " | ".join(f"{slow:.0%}" for slow in slowdowns)
    lines = [
        f"## State: {state}",
        "",
        f"{len(disturbed)} recorded pairs, {np.mean(disturbed):.1%} disturbed and measured again.",
        "",
        f"| rule | false alarms [95 %] | caught: {head} | open at 0 | s mean | s p95 | build of 50 fails |",
        "| --- " * (6 + len(slowdowns)) + "|",
    ]
    for score in scores:
        low, high = score.bounds()
        caught = " | ".join(_percent(score.share(slow)) for slow in slowdowns)
        lines.append(
            f"| {score.rule} | {score.share(0.0):.2%} [{low:.2%}, {high:.2%}] of {len(score.alarms[0.0])} | {caught} | "
            f"{_percent(float(np.mean(score.undecided)))} | {np.mean(score.seconds):.1f} | "
            f"{np.quantile(score.seconds, 0.95):.1f} | {_percent(score.build_fails())} |"
        )
    lines += ["", f"Power at 0.1 % false alarms (thresholds raised on these recordings): {head}", ""]
    lines += [
        f"- {score.rule}: " + ", ".join(_percent(score.at_target.get(slow, math.nan)) for slow in slowdowns)
        for score in scores
    ]
    lines += ["", "False alarms by workload:", ""]
    lines += [
        f"- {score.rule}: " + ", ".join(f"{name} {share:.1%}" for name, share in score.by_workload.items())
        for score in scores
    ]
    return [*lines, ""]


def _live(data: Recorded) -> list[str]:
    kinds: dict[tuple[object, ...], list[Mapping[str, object]]] = {}
    for row in data.live:
        kinds.setdefault((row["state"], row["inject"], row["setting"]), []).append(row)
    if not kinds:
        return []
    lines = [
        "## Live verdicts (real runs of the engine, nothing replayed)",
        "",
        LIVE_NOTE,
        "",
        "| state | injected | setting | verdicts | regressed [95 %] | passed | improved | open | pairs | s mean |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for (state, inject, setting), rows in sorted(kinds.items(), key=str):
        said = Counter(row["status"] for row in rows)
        low, high = stats.binomtest(said["regressed"], len(rows)).proportion_ci(0.95)
        pairs, seconds = (float(np.mean([float(str(row[name])) for row in rows])) for name in ("pairs", "seconds"))
        lines.append(
            f"| {state} | {inject} | {setting} | {len(rows)} | {said['regressed']} [{low:.1%}, {high:.1%}] | "
            f"{said['passed']} | {said['improved']} | {said['inconclusive']} | {pairs:.1f} | {seconds:.1f} |"
        )
    return [*lines, ""]


def _spreads(title: str, data: Recorded) -> list[str]:
    keys = sorted(key for key in data.blocks if key[2] == "none" and key[3] == "default" and len(data.blocks[key]) > 1)
    if not keys:
        return []
    names = " | ".join([*ESTIMATORS, "mean"])
    lines = [f"## {title}", "", f"| state | workload | ms a call | pairs | {names} |", "| --- " * 9 + "|"]
    for state, workload, inject, process in keys:
        blocks = data.blocks[state, workload, inject, process]
        cells = [f"{spread(_quantile(share)(blocks)):.2%}" for share in ESTIMATORS.values()]
        cells.append(f"{spread(_means(blocks)):.2%}")
        lines.append(f"| {state} | {workload} | {_milliseconds(blocks):.2f} | {len(blocks)} | {' | '.join(cells)} |")
    return [*lines, ""]


def _processes(data: Recorded) -> list[str]:
    """Lower quartile per process state."""
    states = sorted({key[3] for key in data.blocks})
    names = sorted({key[1] for key in data.blocks if key[0] == "idle"})
    if len(states) < 2:
        return []
    lines = [
        "## Process state and length of a turn in seconds (tuning, idle, lower quartile)",
        "",
        f"| workload | {' | '.join(states)} |",
    ]
    lines.append("| --- " * (1 + len(states)) + "|")
    for name in names:
        cells = []
        for process in states:
            blocks = data.blocks.get(("idle", name, "none", process), [])
            cells.append(f"{spread(_quantile(0.25)(blocks)):.2%} of {len(blocks)}" if len(blocks) > 1 else "")
        lines.append(f"| {name} | {' | '.join(cells)} |")
    seconds = [
        np.sum(
            [
                np.mean(data.pair_seconds["idle", name, process])
                for name in names
                if ("idle", name, process) in data.pair_seconds
            ]
        )
        for process in states
    ]
    lines.append("| seconds a pair, all workloads | " + " | ".join(f"{one:.1f}" for one in seconds) + " |")
    return [*lines, ""]


def _quantile(share: float) -> Callable[[Sequence[Block]], list[float]]:
    return lambda blocks: differences(blocks, "latency", share=share)


def _means(blocks: Sequence[Block]) -> list[float]:
    return [math.log(_mean(block, Arm.CANDIDATE) / _mean(block, Arm.REFERENCE)) for block in blocks]


def _mean(block: Block, arm: Arm) -> float:
    return float(np.mean(block.values_of(arm, "latency")))


def _milliseconds(blocks: Sequence[Block]) -> float:
    seconds = [value for block in blocks for arm in Arm for value in block.values_of(arm, "latency")]
    return 1e3 * float(np.median(seconds))


def _percent(share: float) -> str:
    return f"{share:.1%}" if share < 0.1 else f"{share:.0%}"
