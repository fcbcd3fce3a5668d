"""The laboratory's evaluation, on recordings of a synthetic machine."""

from __future__ import annotations

import gzip
import json
import sys

import numpy as np
import pytest

from benchmarks.lab import evaluate, loads, report, tails
from benchmarks.lab.recorded import Recorded, read
from benchmarks.lab.rules import Rule
from pytest_aiperf.vocabulary import codec
from pytest_aiperf.vocabulary.pairing import Arm, Block, Turn


def block(random, *, spread, slowdown=0.0, disturbed=False):
    turns = []
    for arm in (Arm.REFERENCE, Arm.CANDIDATE, Arm.CANDIDATE, Arm.REFERENCE):
        centre = 2e-3 * (1 + (slowdown if arm is Arm.CANDIDATE else 0.0)) * np.exp(random.normal(0, spread))
        turns.append(Turn(arm=arm, values={"latency": tuple((centre * np.exp(random.normal(0, 0.001, 9))).tolist())}))
    return Block(seed=1, turns=tuple(turns), disturbances=("busy",) if disturbed else ())


@pytest.fixture(autouse=True)
def _few_replays(monkeypatch):
    monkeypatch.setattr(evaluate, "REPLAYS", 60)
    monkeypatch.setattr(evaluate, "COMPARISONS", 60)


@pytest.fixture
def recording(tmp_path):
    """Two workloads, one state: 30 pairs, two of them disturbed, 8 sessions of a tool, live verdicts."""
    random = np.random.default_rng(5)
    file = tmp_path / "data.jsonl.gz"
    with gzip.open(file, "wt", encoding="utf-8") as stream:
        for workload in ("calm", "rough"):
            same = {"state": "idle", "workload": workload, "inject": "none", "seconds": 2.0}
            for number in range(30):
                made = block(random, spread=0.005, disturbed=number < 2)
                plain = json.loads(codec.encode(made))
                row = {**same, "kind": "block", "purpose": "evaluation", "session": number, "block": plain}
                stream.write(json.dumps(row) + "\n")
                if number < 9:
                    stream.write(json.dumps({**row, "purpose": "tuning", "process": "default"}) + "\n")
            for number in range(8):
                values = (
                    2e-3
                    * np.exp(random.normal(0, 0.01 if workload == "calm" else 0.2))
                    * np.exp(random.normal(0, 1e-3, 50))
                ).tolist()
                row = {"kind": "session", "tool": "pytest-benchmark", "purpose": "evaluation", "session": number}
                numbers = {"values": values, "minimum": min(values), "mean": values[0], "median": values[0]}
                stream.write(json.dumps({**same, **row, **numbers}) + "\n")
            live = {"kind": "live", "purpose": "evaluation", "session": 0, "setting": "default", "status": "passed"}
            stream.write(json.dumps({**same, **live, "pairs": 6, "estimate": 0.0, "low": 0.0, "high": 0.0}) + "\n")
    return file


def test_it_reads_evaluation_and_tuning_apart(recording):
    evaluation, tuning = (read([recording], purpose=purpose) for purpose in ("evaluation", "tuning"))
    assert len(evaluation.pairs["idle", "calm", "none"]) == 28
    assert sum(evaluation.disturbed["idle"]) == 4
    assert len(tuning.pairs["idle", "calm", "none"]) == 7
    assert len(evaluation.sessions["pytest-benchmark", "idle", "rough"]) == 8
    assert len(evaluation.live) == 2


def test_pairs_tell_a_slowdown_and_raise_no_alarm(recording):
    data = read([recording], purpose="evaluation")
    score = evaluate.score_pairs(data, "idle", "pairs", {"tolerance": 0.01, "most": 0.05}, seed=1)
    assert score.share(0.0) == 0.0
    assert score.share(0.20) == 1.0
    assert score.seconds[0] >= 8.0
    assert score.build_fails() == 0.0
    assert score.bounds()[1] < 0.05


def test_a_ratio_raises_alarms_where_sessions_differ(recording):
    data = read([recording], purpose="evaluation")
    median = next(rule for rule in evaluate.defaults() if "median" in rule.name)
    score = evaluate.score_rule(data, "idle", median, seed=1)
    assert score.by_workload["rough"] > 0.2
    assert score.by_workload["calm"] < 0.05
    assert score.build_fails() > 0.9
    assert score.at_target[0.0] <= evaluate.TARGET


def test_tools_that_alternate_are_compared_by_neighbours(recording):
    data = read([recording], purpose="evaluation")
    compared = []

    def note(old, new):
        compared.append([[data.sessions[key].index(one) for one in arm] for arm in (old, new)])
        return 0.0

    key = ("pytest-benchmark", "idle", "calm")
    data.sessions = {key: data.sessions[key]}
    rule = Rule(name="alternating", statistic=note, threshold=1.0, sessions=2, neighbours=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(evaluate, "SLOWDOWNS", (0.0,))
        evaluate.score_rule(data, "idle", rule, seed=1)
    assert compared[0] == [[0, 2], [1, 3]]
    assert len(compared) == 8 - 4 + 1


def test_a_slow_call_in_twenty_shows_in_the_tail_only():
    random = np.random.default_rng(3)
    data = Recorded()
    for inject, factor in (("tail:0", 1.0), ("tail:0.5", 1.5)):
        data.blocks["idle", "calm", inject, "default"] = [_tailed(random, factor) for _ in range(8)]
    same, slower = tails.text(data).splitlines()[-2:]
    assert same.startswith("| tail:0 | 1 | 8 |")
    assert "| 0.0% | 100.0% | 0.0% | 0.0% | 0 of 1 |" in same
    assert "| 100.0% | 0.0% | 0.0% | 0.0% | 0 of 1 |" in slower


def _tailed(random, factor):
    """Eighty calls a side; eight of the new ones are slower."""
    old = 2e-3 * np.exp(random.normal(0, 0.005, 80))
    new = 2e-3 * np.exp(random.normal(0, 0.005, 80))
    new[:8] *= factor
    turns = [
        Turn(arm=arm, values={"latency": tuple(values.tolist())}) for arm, values in zip(Arm, (old, new), strict=True)
    ]
    return Block(seed=1, turns=tuple(turns))


def test_peaks_are_judged_five_pairs_at_a_time():
    rows = [{"old": {"ram": 200e6 + number}, "new": {"ram": 216e6 - number}} for number in range(11)]
    written = loads.text(
        {
            ("test_peak", "growth:0.08"): rows,
            ("test_peak", "none"): [{"old": row["old"], "new": row["old"]} for row in rows],
        }
    )
    grown, same = written.splitlines()[-2:]
    assert grown.startswith("| growth:0.08 | 2 | 2 |")
    assert same.startswith("| none | 2 | 0 |")


@pytest.mark.slow
def test_it_writes_a_report_and_a_picture(recording, tmp_path, monkeypatch):
    pytest.importorskip("asv", reason="asv is not installed: the report is not checked (extra: lab)")
    pytest.importorskip("matplotlib", reason="matplotlib is not installed: the picture is not checked (extra: lab)")
    out = tmp_path / "lab.md"
    monkeypatch.setattr(sys, "argv", ["evaluate", str(recording), "--out", str(out)])
    evaluate.main()
    text = out.read_text(encoding="utf-8")
    assert "## State: idle" in text
    assert "| pairs (1 % / 5 %) | 0.00%" in text
    assert "pytest-benchmark median:5%" in text
    assert "## Live verdicts" in text
    assert (tmp_path / "lab.svg").read_text(encoding="utf-8").startswith("<?xml")


def test_the_mean_of_a_block_counts_every_call(recording):
    data = read([recording], purpose="evaluation")
    assert len(report._means(data.blocks["idle", "calm", "none", "default"])) == 28
