"""Record once: pairs of the same code, with and without a known slowdown, and sessions of other tools.

python benchmarks/lab/record.py pairs --state idle --purpose evaluation --sessions 20
python benchmarks/lab/record.py pairs --state noise --purpose evaluation --sessions 8 --inject exact:0.05
python benchmarks/lab/record.py sessions --tool pytest-benchmark --sessions 20
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from other_tools import HERE, PROJECT, TOOLS, Log, record_sessions, rounded, workload_of

from pytest_aiperf.judging.block_differences import answer_of
from pytest_aiperf.judging.sequential import LOOKS, Look
from pytest_aiperf.judging.statistics import fewest_samples
from pytest_aiperf.machine.disturbances import MachineWatch
from pytest_aiperf.measuring import interleaving
from pytest_aiperf.processes.child import Child, Launch
from pytest_aiperf.processes.pairs import PairedProcesses, PairOrder
from pytest_aiperf.processes.reaper import Reaper
from pytest_aiperf.vocabulary import codec
from pytest_aiperf.vocabulary.orders import Order, Role
from pytest_aiperf.vocabulary.pairing import Arm, Block, Turn
from pytest_aiperf.vocabulary.terms import Status, Turns

MARGINS = {"default": {"tolerance": 0.01, "most": 0.05}, "sensitive": {"tolerance": 0.01, "most": 0.03}}
TRIES = 3
P95 = 95.0


def tests() -> list[str]:
    """Node ids of the timed workloads."""
    listed = subprocess.run(
        [sys.executable, "-m", "pytest", "--collect-only", "-q", "test_workloads.py"],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=True,
    )
    return [line for line in listed.stdout.splitlines() if "[" in line]


@contextmanager
def machine_state(name: str) -> Iterator[None]:
    """`idle`, or `noise`: beside the noise generator."""
    if name == "idle":
        yield
        return
    with subprocess.Popen([sys.executable, str(HERE / "noise_generator.py")]) as noise:
        try:
            yield
        finally:
            noise.terminate()


class Recorder:
    """Sessions of pairs: every workload until it is decided, as a run of the plugin would."""

    def __init__(self, options: argparse.Namespace, log: Log) -> None:
        self.options = options
        self.log = log
        self.reaper = Reaper(print)
        if options.process.startswith("turn-"):
            interleaving.TURN_SECONDS = float(options.process.removeprefix("turn-"))
        kind, _, size = options.inject.partition(":")
        self.slowdown = float(size) if kind in ("exact", "tail") else 0.0
        self.every = 20 if kind == "tail" else 1
        environ = {**os.environ, **_state(options.process)}
        injected = {**environ, "LAB_INJECT": options.inject} if kind == "structural" else environ
        launches = {
            arm: Launch(
                arguments=("test_workloads.py", "-p", "no:cacheprovider"),
                directory=PROJECT,
                timeout=120.0,
                quiet_malloc=options.process != "loud-malloc",
                environ=injected if arm is Arm.CANDIDATE else environ,
                reaper=self.reaper,
            )
            for arm in Arm
        }
        self.processes = PairedProcesses(
            launches=launches,
            watched=(),
            machine=MachineWatch(),
            open_child=_with_own_hash_seed if options.process == "own-hash-seeds" else Child,
        )

    def session(self, number: int, workloads: Sequence[str]) -> None:
        seed = random.SystemRandom().randrange(2**31)
        open_tests: dict[str, _Standing] = {test: _Standing() for test in workloads}
        for round_number in range(self.options.most):
            asked = [self._order(test) for test, one in open_tests.items() if not one.closed(self.options)]
            if not asked:
                break
            seen = self.processes.block(seed + round_number, asked)
            for test, why in seen.failures.items():
                sys.stderr.write(f"{test}: {why}\n")
            for asked_one in asked:
                test = asked_one.test
                open_tests[test].take(seen.blocks.get((test, "")), seen.seconds.get(test, 0.0))
                if (block := seen.blocks.get((test, ""))) is not None:
                    self._write("block", number, test, seconds=seen.seconds[test], block=_plain(block))
        for test, one in open_tests.items():
            for name, margins in MARGINS.items():
                self._live(number, test, one, name, margins)

    def _live(self, number: int, test: str, one: _Standing, name: str, margins: Mapping[str, float]) -> None:
        said, look = one.answer(margins)
        if look is None:
            return
        self._write(
            "live",
            number,
            test,
            setting=name,
            status=said.value,
            pairs=look.pairs,
            seconds=one.seconds_until(look.pairs),
            estimate=look.estimate,
            low=look.low,
            high=look.high,
        )

    def _order(self, test: str) -> PairOrder:
        same = Order(test=test, role=Role.TURNS, slowdown=0.0)
        slowed = Order(test=test, role=Role.TURNS, slowdown=self.slowdown, slowed_every=self.every)
        return PairOrder(
            orders={Arm.REFERENCE: same, Arm.CANDIDATE: slowed},
            wanted={"": frozenset({Turns.CALLS})},
            tail_calls=fewest_samples(P95) if self.every > 1 else 0,
        )

    def _write(self, kind: str, number: int, test: str, **more: object) -> None:
        options = self.options
        self.log.write(
            kind=kind,
            state=options.state,
            purpose=options.purpose,
            process=options.process,
            session=number,
            workload=workload_of(test),
            inject=options.inject,
            **more,
        )


class _Standing:
    def __init__(self) -> None:
        self.blocks: list[Block] = []
        self.seconds: list[float] = []
        self.calm: list[bool] = []
        self.disturbed = 0

    def take(self, block: Block | None, seconds: float) -> None:
        calm = block is not None and not block.disturbances
        self.seconds.append(seconds)
        self.calm.append(calm)
        if calm:
            self.blocks.append(block)
            self.disturbed = 0
        else:
            self.disturbed += 1

    def answer(self, margins: Mapping[str, float]) -> tuple[Status, Look | None]:
        return answer_of(self.blocks, "latency", **margins)

    def seconds_until(self, pairs: int) -> float:
        """All that was spent until so many undisturbed pairs, disturbed ones included."""
        last = [place for place, calm in enumerate(self.calm) if calm][pairs - 1]
        return sum(self.seconds[: last + 1])

    def closed(self, options: argparse.Namespace) -> bool:
        if options.fixed:
            return len(self.blocks) >= options.fixed
        if self.disturbed >= TRIES or len(self.blocks) >= LOOKS[-1]:
            return True
        return self.answer(MARGINS[options.setting])[0] is not Status.INCONCLUSIVE


def _with_own_hash_seed(launch: Launch, *, timing: bool, extra: Mapping[str, str]) -> Child:
    """A side that does not share its hash seed with the other."""
    return Child(launch, timing=timing, extra={**extra, "PYTHONHASHSEED": str(random.SystemRandom().randrange(2**32))})


def _state(process: str) -> dict[str, str]:
    """Variants of the process that tuning compares."""
    return {
        "passive": {"OMP_WAIT_POLICY": "PASSIVE"},
        "one-thread": {"OMP_NUM_THREADS": "1"},
    }.get(process, {})


def _plain(block: Block) -> object:
    return json.loads(codec.encode(replace(block, turns=tuple(_rounded(turn) for turn in block.turns))))


def _rounded(turn: Turn) -> Turn:
    return replace(turn, values={name: rounded(values) for name, values in turn.values.items()})


def main() -> None:
    """Record what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["pairs", "sessions"])
    parser.add_argument("--tool", default="pytest-benchmark", choices=[*TOOLS])
    parser.add_argument("--state", default="idle", choices=["idle", "noise"])
    parser.add_argument("--purpose", default="evaluation", choices=["tuning", "evaluation"])
    parser.add_argument(
        "--process", default="default", help="default, passive, one-thread, loud-malloc, own-hash-seeds, turn-0.1 (s)"
    )
    parser.add_argument("--inject", default="none", help="none, exact:0.05, structural:0.05, tail:0.5")
    parser.add_argument("--setting", default="default", choices=[*MARGINS])
    parser.add_argument("--sessions", type=int, default=1)
    parser.add_argument("--first", type=int, default=0, help="number of the first session")
    parser.add_argument("--fixed", type=int, default=0, help="so many undisturbed pairs, decided or not")
    parser.add_argument("--most", type=int, default=TRIES * LOOKS[-1], help="most blocks of a session")
    parser.add_argument("--only", default="", help="part of a workload's name")
    parser.add_argument("--out", type=Path, required=True, help="file.jsonl.gz, appended to")
    options = parser.parse_args()
    log = Log(options.out)
    with machine_state(options.state):
        if options.what == "sessions":
            record_sessions(options, log)
            return
        recorder = Recorder(options, log)
        chosen = [test for test in tests() if options.only in test]
        for number in range(options.first, options.first + options.sessions):
            began = time.monotonic()
            recorder.session(number, chosen)
            sys.stderr.write(f"session {number}: {time.monotonic() - began:.0f} s\n")


if __name__ == "__main__":
    main()
