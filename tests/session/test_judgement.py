"""A test is judged once per change: what is stored is read once, model files are hashed once."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace
from types import SimpleNamespace

import pytest

from pytest_aiperf import wiring
from pytest_aiperf.judging import judge
from pytest_aiperf.machine import files
from pytest_aiperf.machine.reference_workload import ReferenceWorkload
from pytest_aiperf.measuring.entry import Observed
from pytest_aiperf.measuring.trial import Trial
from pytest_aiperf.processes.confirmation import Confirmation, OpenTest
from pytest_aiperf.processes.fresh_figures import FreshFigures
from pytest_aiperf.processes.pairs import PairBlock
from pytest_aiperf.session import limit_markers
from pytest_aiperf.session.judgement import Judge, Judgement, wants_pairs
from pytest_aiperf.vocabulary.errors import BaselineError
from pytest_aiperf.vocabulary.orders import Order
from pytest_aiperf.vocabulary.pairing import Arm, Block, Turn
from pytest_aiperf.vocabulary.records import Environment, Margins, Sample
from pytest_aiperf.vocabulary.terms import Origin, Pairs, Status
from tests import fakes
from tests.judging.worlds import baseline, sessions_of

TEST = "test_net.py::test_net"
USUAL = {"": baseline(sessions=sessions_of("latency", [0.010, 0.0101, 0.0099, 0.010, 0.0102]), source="abc")}

SPEEDS = [0.2 * math.sin(number) for number in range(20)]
FOLLOWING_THE_MACHINE = {
    "": baseline(
        sessions=tuple(
            replace(session, covariate=-6.0 + speed)
            for session, speed in zip(
                sessions_of("latency", [0.010 * math.exp(speed) for speed in SPEEDS]), SPEEDS, strict=True
            )
        ),
        source="abc",
    )
}
"""Sessions that took as much longer as the reference workload did."""


class CountingStore:
    """Counts how often it is read."""

    def __init__(self, known):
        self.known = known
        self.reads = 0

    def read(self, test, environment):
        self.reads += 1
        if self.known is None:
            raise BaselineError("broken")
        return self.known


class Counts:
    """How often something was judged, read and hashed."""

    def __init__(self, monkeypatch, store):
        self.judged, self.hashed, self.store = 0, 0, store
        verdicts, content_hash = judge.verdicts, files.content_hash

        def judging(*arguments, **more):
            self.judged += 1
            return verdicts(*arguments, **more)

        def hashing(path):
            self.hashed += 1
            return content_hash(path)

        monkeypatch.setattr(judge, "verdicts", judging)
        monkeypatch.setattr(files, "content_hash", hashing)

    @property
    def all(self):
        return self.judged, self.store.reads, self.hashed


class FakeReference:
    """Pairs that find what a test says, block by block."""

    against = "main@1a2b3c4"

    def __init__(self, slower):
        self.slower = slower
        self.uncompared = {}
        self.blocks = 0

    def prepare(self):
        return None

    def block(self, seed, asked, *, together):
        self.blocks += 1
        turns = tuple(
            Turn(arm=arm, values={"latency": (0.010 * (self.slower if arm is Arm.CANDIDATE else 1.0),) * 5})
            for arm in (Arm.REFERENCE, Arm.CANDIDATE, Arm.CANDIDATE, Arm.REFERENCE)
        )
        return PairBlock(blocks={(TEST, ""): Block(seed=seed, turns=turns)}, seconds={TEST: 1.0})

    def mixed_up(self, files):
        return None

    def common(self, models):
        return ()


@pytest.fixture
def model(tmp_path):
    file = tmp_path / "net.onnx"
    file.write_bytes(b"weights")
    return file


@pytest.fixture
def one(monkeypatch, model):
    """Makes a judgement of a test that takes so many seconds per call, and its counts."""

    def make(seconds, *, known=USUAL, limits=(), against=None, labels=("",), reference=None):
        store = CountingStore(known)
        chosen = SimpleNamespace(
            **dict.fromkeys((*limit_markers.ABSOLUTE, "update", "update_new_only", "accept_worse")),
            tolerance=0.05,
            max_slowdown=0.10,
            accuracy_margin=0.0,
            inconclusive="pass",
            new="pass",
            require=(),
            pairs=Pairs.SUSPICIOUS.value,
            against=against,
        )
        judge = Judge(
            settings=chosen,
            store=store,
            environment=Environment(key="cpu-2", comparable={}, details={}),
            metrics=wiring.known_metrics(),
            commit=lambda: None,
            clock=lambda: 0.0,
            now=lambda: "2026-11-20T12:00:00Z",
        )
        context = SimpleNamespace(
            tools=fakes.tools(),
            frameworks=(),
            metrics=judge.metrics,
            base=0,
            imports={},
            exclusive=fakes.exclusive,
            reference=reference,
        )
        trial = Trial(order=Order(test=TEST), context=context, limits=limits, margins=Margins(), source="abc")
        for label in labels:
            entry = trial.entry(label, "call", "infer")
            sample = Sample(metric="latency", values=(seconds,) * 20, origin=Origin.IN_PROCESS)
            covariate = None if reference is None else reference.log_seconds()
            entry.take(Observed(samples=(sample,), paths=(model,), covariate=covariate))
        counts = Counts(monkeypatch, store)
        return Judgement(trial, judge), counts

    return make


def figures(report=None):
    return FreshFigures(lambda order: report, most=5, stores=False)


def test_a_clean_test_is_judged_once_and_everything_is_read_once(one):
    judgement, counts = one(0.010)
    result = judgement.decide(figures())
    assert {row.status for row in result.verdicts} == {Status.PASSED}
    assert counts.all == (1, 1, 1)
    assert result.measurements[0].files.keys() == {"net.onnx"}


def test_a_model_behind_two_labels_is_hashed_once(one):
    judgement, counts = one(0.010, labels=("small", "large"))
    result = judgement.decide(figures())
    assert len(result.measurements) == 2
    assert counts.hashed == 1


def test_a_test_whose_body_failed_is_not_judged(one):
    judgement, counts = one(0.010)
    assert judgement.unjudged().verdicts == ()
    assert counts.all == (0, 0, 1)


def test_a_baseline_that_cannot_be_read_says_so_and_leaves_what_was_seen(one):
    judgement, _ = one(0.010, known=None)
    with pytest.raises(BaselineError):
        judgement.result()
    assert judgement.unjudged().measurements[0].samples


def test_a_fresh_process_adds_one_judgement(one):
    judgement, counts = one(0.010, known={}, limits=(limit_markers.max_latency_ms(9),))
    fresh = Sample(metric="latency", values=(0.010,) * 20, origin=Origin.FRESH)
    report = SimpleNamespace(measurements=(), failure=None)

    def run(order):
        report.measurements = (replace(judgement.result().measurements[0], samples=(fresh,)),)
        return report

    result = judgement.decide(FreshFigures(run, most=5, stores=False))
    assert [row.status for row in result.verdicts] == [Status.OVER_LIMIT]
    assert counts.all == (2, 1, 1)


USUAL_READING = -6.0


SLOWER_READING = USUAL_READING + math.log(1.4)


@pytest.mark.parametrize(
    ("later", "fresh_seconds", "foreign", "status"),
    [
        (SLOWER_READING, 0.014, 0.0, Status.PASSED),
        (USUAL_READING, 0.014, 0.0, Status.REGRESSED),
        (SLOWER_READING, 0.0196, 0.0, Status.REGRESSED),
        (SLOWER_READING, 0.014, 0.5, Status.REGRESSED),
    ],
    ids=["the clock fell", "slower code", "slower code, and the clock fell", "slower code, and a disturbed reading"],
)
def test_what_may_fail_is_judged_by_a_reading_of_its_own(one, later, fresh_seconds, foreign, status):
    """The clock falls, or the code is slower, after a reading that other tests share."""
    readings, seconds = itertools.chain((USUAL_READING,), itertools.repeat(later)), 0.014
    load = fakes.FakeForeignLoad([0.0, *[foreign] * 3])
    workload = ReferenceWorkload(foreign=load, take=lambda: next(readings), clock=lambda: 0.0, collect=lambda: None)
    judgement, _ = one(seconds, known=FOLLOWING_THE_MACHINE, reference=workload)
    judgement.trial.limits, judgement.trial.margins = (), Margins(max_slowdown=0.10)
    fresh = Sample(metric="latency", values=(fresh_seconds,) * 20, origin=Origin.FRESH)

    def run(order):
        return SimpleNamespace(
            measurements=(replace(judgement.result().measurements[0], samples=(fresh,)),), failure=None
        )

    result = judgement.decide(FreshFigures(run, most=5, stores=False))
    assert [row.status for row in result.verdicts] == [status]
    assert result.measurements[0].covariate == USUAL_READING  # the first one is stored


def paired(judgement, slower, *, budget=1e9):
    reference = FakeReference(slower)
    Confirmation(
        reference=reference,
        metrics=judgement.judge.metrics,
        exclusive=fakes.exclusive,
        budget=budget,
        clock=lambda: 0.0,
        seeds=itertools.count(1),
    ).confirm([OpenTest(trial=judgement.trial, wanted=lambda: wants_pairs(judgement.result()))])
    return reference.blocks


@pytest.mark.parametrize(("slower", "status"), [(1.0, Status.PASSED), (2.0, Status.REGRESSED)])
def test_a_pair_adds_one_judgement(one, slower, status):
    judgement, counts = one(0.030, against="main")
    assert wants_pairs(judgement.decide(figures()))
    assert counts.judged == 1
    blocks = paired(judgement, slower)
    result = judgement.conclude(figures())
    assert [row.status for row in result.verdicts] == [status]
    assert counts.all == (1 + blocks, 1, 1)


@pytest.mark.parametrize(("seconds", "status"), [(0.030, Status.REGRESSED), (0.010, Status.INCONCLUSIVE)])
def test_what_pairs_leave_open_a_fresh_process_may_still_prove(one, seconds, status):
    judgement, counts = one(0.030, against="main")
    judgement.decide(figures())
    blocks = paired(judgement, 1.06, budget=2.0)
    fresh = Sample(metric="latency", values=(seconds,) * 20, origin=Origin.FRESH)
    measurement = replace(judgement.result().measurements[0], samples=(fresh,))
    result = judgement.conclude(figures(SimpleNamespace(measurements=(measurement,), failure=None)))
    (row,) = result.verdicts
    assert (row.status, blocks) == (status, 3)
    assert counts.judged <= 1 + blocks + 4


def test_a_test_that_has_to_be_paired_after_all_is_judged_again(one):
    judgement, counts = one(0.010, against="main")
    assert not wants_pairs(judgement.decide(figures()))
    judgement.trial.must_pair = True
    assert wants_pairs(judgement.result())
    assert counts.all == (2, 1, 1)


def test_an_open_result_is_judged_again_when_it_has_to_be_the_last_and_when_it_need_not_be(one):
    judgement, counts = one(0.030, against="main")
    first, last = judgement.result(), judgement.result(final=True)
    assert (wants_pairs(first), wants_pairs(last)) != ({}, {})
    assert wants_pairs(last) == {}
    assert judgement.result(final=True) is last
    assert wants_pairs(judgement.result()) == wants_pairs(first)
    assert counts.judged == 3
