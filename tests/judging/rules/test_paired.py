"""Rows that rest on pairs with old code."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from pytest_aiperf.measuring.metrics import cpu_memory, latency, load_time, throughput
from pytest_aiperf.vocabulary.pairing import Arm, Block, Pairing, Turn
from pytest_aiperf.vocabulary.records import Margins, Policy
from pytest_aiperf.vocabulary.terms import Evidence, Pairs
from tests.judging.worlds import MIB, baseline, limit, measured, session, steady, verdicts, word

AGAINST = "main@1a2b3c4"
AUTO = Policy(pairs=Pairs.SUSPICIOUS)
ALWAYS = Policy(pairs=Pairs.ALWAYS)
LATENCY, THROUGHPUT = latency.METRIC.name, throughput.METRIC.name


def turn(arm, metric, values):
    return Turn(arm=arm, values={metric: tuple(values)}, elapsed=0.05, foreign=0.0)


def block(old, new, *, metric=LATENCY, disturbed=False, seed=1):
    """A B B A, each side's values given once for all its turns."""
    order = (Arm.REFERENCE, Arm.CANDIDATE, Arm.CANDIDATE, Arm.REFERENCE)
    values = {Arm.REFERENCE: old, Arm.CANDIDATE: new}
    return Block(
        seed=seed,
        turns=tuple(turn(arm, metric, values[arm]) for arm in order),
        disturbances=("other processes used 40 % of a core during its turns",) if disturbed else (),
    )


def world(seed, count, *, slowdown=0.0, sd=0.01, seconds=2e-3, metric=LATENCY, rate=False, noise=0.003):
    random = np.random.default_rng(seed)
    blocks = []
    for number in range(count):
        both = random.normal(0, 0.1)
        arms = []
        for slow in (0.0, slowdown):
            centre = np.log(seconds) + both + np.log1p(slow) + random.normal(0, sd / np.sqrt(2))
            values = np.exp(centre + np.abs(random.normal(0, noise, 20)))
            arms.append(1 / values if rate else values)
        blocks.append(block(*arms, metric=metric, seed=number))
    return tuple(blocks)


def paired(blocks, **more):
    return Pairing(against=AGAINST, blocks=tuple(blocks), **more)


def rows(pairing, *, metric=LATENCY, value=2e-3, policy=AUTO, base=None, final=True, **more):
    return verdicts(measured(steady(metric, value), pairing=pairing), base, policy=policy, final=final, **more)


def only(*arguments, **more):
    (row,) = rows(*arguments, **more)
    return row


CALM = baseline(sessions=[session({LATENCY: 2e-3}) for _ in range(12)])


@pytest.mark.parametrize(
    ("slowdown", "says"),
    [
        (0.0, "passed: within_margin"),
        (0.12, "regressed: slower (fails)"),
        (-0.12, "improved: faster"),
    ],
)
def test_pairs_decide_without_any_stored_session(slowdown, says):
    row = only(paired(world(3, 6, slowdown=slowdown)))
    assert word(row) == says
    assert row.message == f"6 pairs against {AGAINST}"
    assert row.worse_by.low < slowdown < row.worse_by.high


def test_throughput_counts_the_other_way_round():
    blocks = world(4, 6, slowdown=0.12, metric=THROUGHPUT, rate=True)
    row = only(paired(blocks), metric=THROUGHPUT, value=500.0)
    assert word(row) == "regressed: slower (fails)"
    assert row.now < row.baseline
    assert row.worse_by.mid > 0


@pytest.mark.parametrize(
    ("value", "policy", "needed"),
    [(2e-3, AUTO, None), (2e-3, ALWAYS, Evidence.PAIRS), (2.2e-3, AUTO, Evidence.PAIRS), (2e-3, Policy(), None)],
)
def test_it_asks_for_pairs_where_the_sessions_do_not_pass_or_where_told_to(value, policy, needed):
    row = only(None, value=value, policy=policy, base=CALM, final=False)
    assert row.needs is needed


def test_a_test_without_sessions_asks_for_pairs():
    assert only(None, final=False).needs is Evidence.PAIRS
    stored_elsewhere = baseline(other_classes=2)
    assert only(None, base=stored_elsewhere, final=False).needs is Evidence.PAIRS


def test_a_changed_test_is_compared_in_pairs_whatever_its_baseline_was():
    stale = replace(CALM, source="old")
    measurement = measured(steady(LATENCY, 2e-3), source="new")
    (row,) = verdicts(measurement, stale, policy=AUTO, final=False)
    assert row.needs is Evidence.PAIRS
    (row,) = verdicts(replace(measurement, pairing=paired(world(5, 6))), stale, policy=AUTO)
    assert word(row) == "passed: within_margin"


def test_it_wants_more_until_the_last_look():
    noisy = world(6, 24, sd=0.3, slowdown=0.03)
    assert only(paired(noisy[:6]), final=False).needs is Evidence.PAIRS
    last = only(paired(noisy), final=False)
    assert word(last) == "inconclusive: within_noise"
    assert "24 pairs" in last.message
    assert "could have shown" in last.message


def test_out_of_budget_it_says_what_it_would_take():
    few = only(paired(world(7, 1), seconds=30.0, budget=120.0))
    assert word(few) == "inconclusive: out_of_budget"
    assert "aiperf_pairs_budget = 180" in few.message
    noisy = only(paired(world(8, 10, sd=0.3, slowdown=0.05), seconds=100.0, budget=120.0))
    assert word(noisy) == "inconclusive: within_noise"
    assert "certainty takes about" in noisy.message


def test_disturbed_blocks_decide_nothing():
    quiet, loud = world(9, 6), [block([2e-3] * 9, [9e-3] * 9, disturbed=True) for _ in range(9)]
    assert word(only(paired([*loud[:3], *quiet]))) == "passed: within_margin"
    row = only(paired([*quiet[:1], *loud]))
    assert word(row) == "inconclusive: disturbed"
    assert "9 of 10 pairs" in row.message


def stored_as(row):
    return (row.status, row.reason, row.fails)


@pytest.mark.parametrize("blocks", [[], world(1, 1), [block([2e-3] * 9, [9e-3] * 9, disturbed=True)] * 3])
def test_pairs_that_stay_open_replace_no_regression_that_the_sessions_prove(blocks):
    """Old code that cannot run, too few pairs, or disturbed ones: what is five times as slow stays red."""
    slow = measured(steady(LATENCY, 10e-3), steady(LATENCY, 10e-3, fresh=True))
    (alone,) = verdicts(slow, CALM)
    assert word(alone) == "regressed: slower (fails)"
    for pairing in (paired(blocks, failure="old code: its module failed to import"), paired(blocks, ended=True)):
        if not blocks and pairing.failure is None:
            continue
        for final in (True, False):
            (row,) = verdicts(replace(slow, pairing=pairing), CALM, policy=AUTO, final=final)
            assert stored_as(row) == stored_as(alone)
            assert row.notes[-1].startswith("pairs left it open: ")


def test_pairs_clear_no_regression_in_what_both_sides_share():
    slow = measured(steady(LATENCY, 10e-3), steady(LATENCY, 10e-3, fresh=True))
    cleared = paired(world(1, 6))
    (row,) = verdicts(replace(slow, pairing=cleared), CALM, policy=AUTO)
    assert word(row) == "passed: within_margin"
    for final in (True, False):
        blind = replace(cleared, common=("weights/net.bin",))
        (row,) = verdicts(replace(slow, pairing=blind), CALM, policy=AUTO, final=final)
        assert word(row) == "regressed: slower (fails)"
        assert "both sides read the same weights/net.bin, which no revision holds" in row.notes[-1]
    (row,) = verdicts(replace(slow, pairing=blind, samples=(steady(LATENCY, 2e-3),)), CALM, policy=ALWAYS)
    assert word(row) == "passed: within_margin"


def test_pairs_that_ended_open_leave_it_to_fresh_processes():
    slow = measured(steady(LATENCY, 10e-3), pairing=paired([], failure="old code: gone"))
    (row,) = verdicts(slow, CALM, policy=AUTO, final=False)
    assert row.needs is Evidence.FRESH_TIMING


@pytest.mark.parametrize("policy", [AUTO, ALWAYS])
def test_old_code_that_cannot_run_is_neither_a_pass_nor_a_regression(policy):
    failure = "old code: its module failed to import: No module named 'new_model'"
    row = only(paired([], failure=failure), value=4e-3, base=CALM, policy=policy)
    assert word(row) == "inconclusive: not_compared"
    assert row.message == failure
    assert only(paired([], failure=failure), value=4e-3, policy=replace(policy, inconclusive_fails=True)).fails


def test_what_the_sessions_pass_needs_no_old_code():
    row = only(paired([], failure="old code: no such test"), base=CALM)
    assert word(row) == "passed: within_margin"


def test_sides_that_ran_the_same_code_are_an_error_whatever_the_numbers_say():
    mixed = paired([], failure="the old side read net.py of the working tree", anomaly=True)
    assert word(only(mixed, value=2.5e-3, base=CALM)) == "anomalous: same_code (fails)"


@pytest.mark.parametrize(
    ("old", "new", "count", "says"),
    [
        (100, 100, 1, "passed: within_margin"),
        (100, 130, 5, "regressed: larger (fails)"),
        (100, 130, 3, "inconclusive: too_few_processes"),
        (100, 104, 5, "passed: within_margin"),
        (100, 60, 5, "improved: smaller"),
        (10, 14, 5, "passed: within_margin"),
    ],
)
def test_process_memory_is_larger_where_every_new_process_is(old, new, count, says):
    ram = cpu_memory.RAM.name
    blocks = [
        Block(
            seed=number,
            turns=(
                turn(Arm.CANDIDATE, ram, [(new + number / 10) * MIB]),
                turn(Arm.REFERENCE, ram, [(old + number / 10) * MIB]),
            ),
        )
        for number in range(count)
    ]
    (row,) = verdicts(measured(steady(ram, new * MIB, fresh=True), pairing=paired(blocks)), policy=AUTO)
    assert word(row) == says


def test_one_overlap_is_enough_to_pass_a_memory():
    ram = cpu_memory.RAM.name
    peaks = [(100, 130), (131, 140), (100, 130), (100, 130), (100, 130)]
    blocks = [
        Block(seed=1, turns=(turn(Arm.REFERENCE, ram, [old * MIB]), turn(Arm.CANDIDATE, ram, [new * MIB])))
        for old, new in peaks
    ]
    (row,) = verdicts(measured(steady(ram, 130 * MIB, fresh=True), pairing=paired(blocks)), policy=AUTO)
    assert word(row) == "passed: within_margin"


@pytest.mark.parametrize(
    ("slowdown", "says"),
    [(0.0, "passed: within_margin"), (0.10, "passed: within_margin"), (0.4, "regressed: slower (fails)")],
)
def test_load_times_have_wider_margins(slowdown, says):
    warm = load_time.WARM.name
    random = np.random.default_rng(11)
    blocks = [
        Block(
            seed=number,
            turns=(
                turn(Arm.REFERENCE, warm, [0.5 * np.exp(random.normal(0, 0.01))]),
                turn(Arm.CANDIDATE, warm, [0.5 * (1 + slowdown) * np.exp(random.normal(0, 0.01))]),
            ),
        )
        for number in range(6)
    ]
    margins = Margins(load_tolerance=0.12, max_load_slowdown=0.15) if slowdown == 0.10 else Margins()
    (row,) = verdicts(measured(steady(warm, 0.5, fresh=True), pairing=paired(blocks)), policy=AUTO, margins=margins)
    assert word(row) == says


def test_a_regression_below_what_matters_is_none():
    warm = load_time.WARM.name
    blocks = [Block(seed=1, turns=(turn(Arm.REFERENCE, warm, [2e-3]), turn(Arm.CANDIDATE, warm, [3e-3])))] * 6
    (row,) = verdicts(measured(steady(warm, 3e-3, fresh=True), pairing=paired(blocks)), policy=AUTO)
    assert word(row) == "passed: negligible"


def slow_tail(random, share):
    values = 2e-3 * np.exp(np.abs(random.normal(0, 0.01, 200)))
    slow = random.permutation(200) < 200 * share
    return np.where(slow, values * 2, values)


def test_a_limited_percentile_is_compared_too():
    random = np.random.default_rng(12)
    blocks = [block(slow_tail(random, 0.0), slow_tail(random, 0.1)) for _ in range(6)]
    held = limit(LATENCY, 1.0, percentile=95)
    told = {row.title: row for row in rows(paired(blocks), limits=[held])}
    assert word(told["latency p50"]) == "passed: within_margin"
    tails = [row for row in rows(paired(blocks), limits=[held]) if row.title == "latency p95" and row.baseline]
    assert [word(row) for row in tails] == ["regressed: slower (fails)"]


@pytest.mark.parametrize(("value", "says"), [(4e-3, "inconclusive: not_compared"), (2e-3, "passed: within_margin")])
def test_what_pairs_cannot_compare_here_is_said_where_it_matters(value, says):
    row = only(paired([], uncompared={LATENCY: "one tree lies in memory"}), value=value, base=CALM)
    assert word(row) == says
    assert row.needs is None
    assert (row.message == "one tree lies in memory") is (value > 2e-3)


def test_a_tail_needs_its_number_of_calls():
    held = limit(LATENCY, 1.0, percentile=99)
    tails = [row for row in rows(paired(world(13, 6)), limits=[held]) if row.limit == 0.25]
    assert [word(row) for row in tails] == ["inconclusive: too_few_samples"]


def where_loud_calls_slow_down(factor):
    """Six blocks whose new code leaves 15 of 40 calls alone."""
    random = np.random.default_rng(14)
    blocks = []
    for _ in range(6):
        quiet = 2e-3 * np.exp(np.abs(random.normal(0, 0.001, 40)))
        blocks.append(block(quiet, np.where(np.arange(40) < 15, quiet, quiet * factor)))
    return only(paired(blocks))


def test_a_small_change_in_the_loud_calls_only_is_said():
    row = where_loud_calls_slow_down(1.03)
    assert word(row) == "passed: within_margin"
    assert any("by medians" in note for note in row.notes)


def test_a_large_change_that_spares_the_quiet_calls_is_a_regression():
    row = where_loud_calls_slow_down(1.2)
    assert word(row) == "regressed: slower (fails)"
    assert row.worse_by.mid == pytest.approx(0.20, abs=0.01)
    assert row.notes == ("the quiet quarter of the calls is no slower: judged by their median",)


def test_it_says_that_the_change_is_not_in_the_quiet_calls():
    quiet, slow = [2e-3] * 6, [2e-3] * 6 + [2.08e-3] * 14
    row = only(paired([block(quiet, slow, seed=number) for number in range(6)]))
    assert row.notes == ("by medians +4.0 %: the change is not in the quiet calls",)
    alike = only(paired([block([2e-3] * 20, [2.08e-3] * 20, seed=number) for number in range(6)]))
    assert alike.notes == ()


@pytest.mark.parametrize(("share", "times"), [(0.05, 6.0), (0.01, 20.0)])
def test_a_few_slow_calls_make_less_throughput(share, times):
    """One call in twenty six times as slow, or one in a hundred twenty times: a quantile of bursts hardly moves."""
    random = np.random.default_rng(7)

    def bursts(slow):
        seconds = 2e-3 * np.where(random.random(100) < slow, times, 1.0) * random.normal(1, 0.01, 100)
        return throughput.of_calls(list(seconds), items=1, bursts=5)

    blocks = [block(bursts(0.0), bursts(share), metric=THROUGHPUT, seed=number) for number in range(24)]
    row = only(paired(blocks), metric=THROUGHPUT, value=500.0)
    assert word(row) == "regressed: slower (fails)"


@pytest.mark.parametrize("final", [True, False])
@pytest.mark.parametrize(
    "pairing",
    [paired([], uncompared={LATENCY: "one tree in memory"}), paired([], ended=True)],
    ids=["uncompared", "no pair of it"],
)
def test_what_pairs_cannot_compare_stays_as_the_sessions_prove_it(pairing, final):
    slow = measured(steady(LATENCY, 10e-3), steady(LATENCY, 10e-3, fresh=True), pairing=pairing)
    (row,) = verdicts(slow, CALM, policy=AUTO, final=final)
    assert word(row) == "regressed: slower (fails)"


def test_a_pass_that_could_not_see_what_changed_says_so():
    sessions = [session({LATENCY: 2e-3 * factor}) for factor in (0.9, 1.0, 1.1, 0.95, 1.05)]
    open_one = measured(steady(LATENCY, 2.6e-3), pairing=paired(world(1, 6), common=("weights/net.bin",)))
    (row,) = verdicts(open_one, baseline(sessions=sessions), policy=AUTO)
    assert word(row) == "passed: within_margin"
    assert "both sides read the same weights/net.bin" in row.notes[-1]
    known = replace(open_one, files={"net.bin": "1234"})
    (row,) = verdicts(known, baseline(sessions=sessions, files={"net.bin": "1234"}), policy=AUTO)
    assert row.notes == ()


def test_three_pairs_fail_a_percentile_that_is_ten_times_as_slow():
    quiet = [2e-3] * 60
    blocks = [block([*quiet, *[2.1e-3] * 10], [*quiet, *[21e-3] * 10], seed=number) for number in range(3)]
    limits = [limit(LATENCY, 1.0, percentile=95)]
    tail = next(row for row in rows(paired(blocks, ended=True), limits=limits) if "p95" in row.title and row.baseline)
    assert word(tail) == "regressed: slower (fails)"
