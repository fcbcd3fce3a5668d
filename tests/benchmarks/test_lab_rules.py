"""Other tools' rules in the laboratory, on sessions whose truth is known."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.lab.rules import Rule, Session, benchstat, criterion, defaults, ratio


def session(seed, *, slowdown=0.0, spread=0.0, within=0.01, count=300):
    random = np.random.default_rng(seed)
    centre = 2e-3 * (1 + slowdown) * np.exp(random.normal(0, spread))
    values = centre * np.exp(np.abs(random.normal(0, within, count)))
    return Session(
        values=tuple(values), minimum=values.min(), mean=values.mean(), median=float(np.median(values)), seconds=1.0
    )


def alarms(rule, *, slowdown=0.0, spread=0.0, worlds=40):
    raised = []
    for world in range(worlds):
        old = [session(world * 100 + number, spread=spread) for number in range(rule.sessions)]
        new = [session(world * 100 + 50 + number, spread=spread, slowdown=slowdown) for number in range(rule.sessions)]
        raised.append(rule.statistic(old, new) > rule.threshold)
    return sum(raised) / worlds


def rules():
    return {rule.name: rule for rule in defaults()}


@pytest.mark.parametrize("of", ["minimum", "mean", "median"])
def test_a_ratio_is_one_of_its_statistic(of):
    old = [session(1)]
    assert ratio(of, old, [old[0].slowed(0.07)]) == pytest.approx(0.07)
    assert ratio(of, old, old) == 0.0


@pytest.mark.parametrize("name", [name for name in rules() if not name.startswith("asv")])
def test_without_spread_between_sessions_every_rule_catches_twenty_percent(name):
    assert alarms(rules()[name], slowdown=0.20) == 1.0


@pytest.mark.parametrize("name", ["pytest-benchmark median:5%", "benchstat's rule", "criterion's rule"])
def test_with_spread_between_sessions_they_raise_false_alarms(name):
    assert alarms(rules()[name], spread=0.08) >= 0.1


def test_same_samples_differ_by_nothing():
    same = [session(3)]
    assert criterion(same, same) <= 0.0
    assert benchstat(same, same) <= 0.0


def test_asv_decides_with_its_own_functions():
    pytest.importorskip("asv", reason="asv is not installed: its rule is not checked (extra: lab)")
    rule = rules()["asv continuous"]
    assert alarms(rule, slowdown=0.20) == 1.0
    assert alarms(rule, slowdown=0.05) == 0.0
    assert alarms(rule) == 0.0


def test_a_rule_is_a_statistic_and_a_threshold():
    rule = Rule(name="any", statistic=lambda old, new: 0.06, threshold=0.05)
    assert alarms(rule) == 1.0
