"""The shell commands put together: each returns the text to print."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from statistics import median

from pytest_aiperf.vocabulary.errors import AiperfError
from pytest_aiperf.vocabulary.pairing import Arm
from pytest_aiperf.vocabulary.records import Margins, Run
from pytest_aiperf.vocabulary.terms import Origin
from pytest_aiperf.wiring import distributions, known_metrics, store_at

MOST_TESTS = 8
"""Tests that a self-check takes of the last run: more would leave too few pairs for each."""


def show(root: Path, *, details: bool, tests: Sequence[str]) -> str:
    """The last run below `root` as text. Raises AiperfError where there is none."""
    from pytest_aiperf.baselines import last_run
    from pytest_aiperf.reporting.reporters import terminal

    run = last_run.only(last_run.read(root.resolve()), tests)
    return terminal.summary(run, verbosity=1, details=details)


def accept(root: Path, *, tests: Sequence[str], accept_worse: bool) -> str:
    """Store the last run below `root` as baseline. Raises AiperfError."""
    from pytest_aiperf.baselines import last_run
    from pytest_aiperf.reporting.reporters import terminal

    run = last_run.only(last_run.read(root.resolve()), tests)
    store = store_at(root.resolve())
    changes = last_run.accept(run, store, metrics=known_metrics(), accept_worse=accept_worse)
    return terminal.changes_text(changes)


def replay(file: Path, *, details: bool) -> tuple[str, bool]:
    """Judge a stored run again; whether every verdict is the stored one. Raises AiperfError for what is no run."""
    from pytest_aiperf.judging.replay import replay as judged_again
    from pytest_aiperf.reporting.reporters import terminal
    from pytest_aiperf.vocabulary import codec

    try:
        run = codec.decode_run(file.read_bytes())
    except OSError as error:
        raise AiperfError(f"{file}: {error.strerror}; write one with --aiperf-report=json:{file}") from None
    again = judged_again(run, known_metrics())
    lines = [terminal.summary(again.run, verbosity=1 if details else 0, details=details)]
    if again.unjudged:
        lines.append(f"{again.unjudged} of {len(run.results)} tests carry nothing that they could be judged by")
    lines += [f"differs: {difference}" for difference in again.differences]
    same = not again.differences and again.unjudged < max(1, len(run.results))
    lines.append("the same verdicts" if same else "not the same verdicts")
    return "\n".join(lines), same


def selfcheck(root: Path, *, tests: Sequence[str], minutes: float, seed: int | None, max_slowdown: float) -> str:
    """Pairs of the same code, and with a known slowdown, on this machine. Raises AiperfError."""
    from pytest_aiperf.machine import timing_lock
    from pytest_aiperf.machine.disturbances import MachineWatch
    from pytest_aiperf.machine.nvml import Nvml
    from pytest_aiperf.processes import selfcheck
    from pytest_aiperf.processes.child import Launch
    from pytest_aiperf.processes.pairs import PairedProcesses
    from pytest_aiperf.processes.reaper import Reaper

    root = root.resolve()
    chosen = list(tests) or _timed_tests(root)
    seed = selfcheck.fresh_seed() if seed is None else seed
    reaper = Reaper(_tell)
    launch = Launch(arguments=(), directory=root, timeout=300.0, quiet_malloc=True, reaper=reaper)
    processes = PairedProcesses(launches=dict.fromkeys(Arm, launch), watched=(), machine=MachineWatch(nvml=Nvml()))
    lock = timing_lock.MachineLock(timing_lock.lock_file(), shared_by_tests=False, tell=_tell)
    try:
        with lock.exclusive():
            seen = selfcheck.check(
                chosen,
                run_block=processes.block,
                seconds=60.0 * minutes,
                seed=seed,
                margins=Margins(max_slowdown=max_slowdown),
                tell=_tell,
            )
    finally:
        reaper.close()
    return f"{selfcheck.text(seen)}\nseed {seed}"


def doctor() -> str:
    """What makes this machine noisy."""
    from pytest_aiperf.machine.doctor import report
    from pytest_aiperf.machine.doctor.instruments import Instruments, Interpreter, packages_without_bytecode

    packages = ("numpy", *distributions())
    interpreter = Interpreter(without_bytecode=lambda: packages_without_bytecode(packages))
    return report.text(report.examine(instruments=Instruments(interpreter=interpreter)))


def _timed_tests(root: Path) -> list[str]:
    """Tests of the last run that measured a latency, at most `MOST_TESTS`, from the fastest to the slowest."""
    from pytest_aiperf.baselines import last_run
    from pytest_aiperf.processes.selfcheck import chosen

    timed = _latencies(last_run.read(root))
    if not timed:
        raise AiperfError(f"{root}: the last run timed nothing; name tests: pytest-aiperf selfcheck NODEID")
    return chosen(timed, MOST_TESTS)


def _latencies(run: Run) -> list[tuple[str, float]]:
    """Test -> median seconds per call of its slowest measurement."""
    timed: dict[str, float] = {}
    for result in run.results:
        for measurement in result.measurements:
            for sample in measurement.samples:
                if sample.metric == "latency" and sample.values and sample.origin is Origin.IN_PROCESS:
                    timed[result.test] = max(timed.get(result.test, 0.0), median(sample.values))
    return list(timed.items())


def _tell(text: str) -> None:
    """Progress, on a terminal only."""
    if sys.stderr.isatty():
        sys.stderr.write(f"\r\x1b[K{text}")
        sys.stderr.flush()
