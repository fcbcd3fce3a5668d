"""The door of the shell: `pytest-aiperf show` and the like; each command returns the text to print."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from pytest_aiperf.vocabulary.errors import AiperfError

MOST_TESTS = 8
"""Tests that a self-check takes of the last run: more would leave too few pairs for each."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; 0 when it did what it says, 1 when it could not, 2 for a wrong call."""
    parser = _parser()
    options = parser.parse_args(arguments)
    if options.command is None:
        parser.print_help()
        return 2
    try:
        answer = options.command(options)
    except AiperfError as error:
        sys.stderr.write(f"pytest-aiperf: {error}\n")
        return 1
    text, good = answer if isinstance(answer, tuple) else (answer, True)
    sys.stdout.write(text if text.endswith("\n") else text + "\n")
    return 0 if good else 1


def show(options: argparse.Namespace) -> str:
    """The last run as text. Raises AiperfError where there is none."""
    from pytest_aiperf.baselines import last_run
    from pytest_aiperf.reporting.reporters import terminal

    run = last_run.only(last_run.read(options.root.resolve()), options.tests)
    return terminal.summary(run, verbosity=1, details=options.details)


def accept(options: argparse.Namespace) -> str:
    """Store the last run as baseline, where that run kept its own. Raises AiperfError."""
    from pytest_aiperf.baselines import last_run
    from pytest_aiperf.reporting.reporters import terminal
    from pytest_aiperf.wiring import known_metrics, store_at

    root = options.root.resolve()
    run = last_run.only(last_run.read(root), options.tests)
    store = run.environment.details.get("store", "json-files")
    changes = last_run.accept(run, store_at(root, store), metrics=known_metrics(), accept_worse=options.accept_worse)
    return f"{terminal.changes_text(changes)}\nwhere: --aiperf-store={store}"


def replay(options: argparse.Namespace) -> tuple[str, bool]:
    """Judge a stored run again; whether every verdict is the stored one. Raises AiperfError for what is no run."""
    from pytest_aiperf.judging.replay import replay as judged_again
    from pytest_aiperf.reporting.reporters import terminal
    from pytest_aiperf.vocabulary.codec import read_run
    from pytest_aiperf.wiring import known_metrics

    file = options.file
    try:
        run = read_run(file)
    except OSError as error:
        raise AiperfError(f"{file}: {error.strerror}; write one with --aiperf-report=json:{file}") from None
    again = judged_again(run, known_metrics())
    lines = [terminal.summary(again.run, verbosity=1 if options.details else 0, details=options.details)]
    if again.unjudged:
        lines.append(f"{again.unjudged} of {len(run.results)} tests carry nothing that they could be judged by")
    lines += [f"differs: {difference}" for difference in again.differences]
    same = not again.differences and again.unjudged < max(1, len(run.results))
    lines.append("the same verdicts" if same else "not the same verdicts")
    return "\n".join(lines), same


def selfcheck(options: argparse.Namespace) -> str:
    """Pairs of the same code, and with a known slowdown, on this machine. Raises AiperfError."""
    from pytest_aiperf.machine.timing_lock import MachineLock
    from pytest_aiperf.processes import selfcheck
    from pytest_aiperf.processes.child import Launch
    from pytest_aiperf.processes.pairs import PairedProcesses, fresh_seed
    from pytest_aiperf.processes.reaper import Reaper
    from pytest_aiperf.vocabulary.pairing import Arm
    from pytest_aiperf.vocabulary.records import Margins

    root = options.root.resolve()
    chosen = options.tests or _timed_tests(root)
    seed = fresh_seed() if options.seed is None else options.seed
    reaper = Reaper(_tell)
    launch = Launch(arguments=(), directory=root, timeout=300.0, quiet_malloc=True, reaper=reaper)
    processes = PairedProcesses(launches=dict.fromkeys(Arm, launch))
    lock = MachineLock(shared_by_tests=False, tell=_tell)
    try:
        with lock.exclusive():
            seen = selfcheck.check(
                chosen,
                run_block=processes.block,
                seconds=60.0 * options.minutes,
                seed=seed,
                margins=Margins(max_slowdown=options.max_slowdown),
                tell=_tell,
            )
    finally:
        reaper.close()
    return f"{selfcheck.text(seen)}\nseed {seed}"


def doctor(_options: argparse.Namespace) -> str:
    """What makes this machine noisy."""
    from pytest_aiperf.machine.doctor import report
    from pytest_aiperf.machine.instruments import Instruments, Interpreter, Machine, packages_without_bytecode
    from pytest_aiperf.wiring import distributions

    packages = ("numpy", *distributions())
    interpreter = Interpreter(without_bytecode=lambda: packages_without_bytecode(packages))
    return report.text(report.examine(Machine(instruments=Instruments(interpreter=interpreter))))


def _timed_tests(root: Path) -> list[str]:
    """Tests of the last run that measured a latency, at most `MOST_TESTS`, from the fastest to the slowest."""
    from pytest_aiperf.baselines import last_run
    from pytest_aiperf.judging.suite_trends import seconds_per_call
    from pytest_aiperf.measuring.metrics import latency
    from pytest_aiperf.processes.selfcheck import chosen

    seconds = {one.test: seconds_per_call(one, metric=latency.METRIC.name) for one in last_run.read(root).results}
    timed = [(test, spent) for test, spent in seconds.items() if spent]
    if not timed:
        raise AiperfError(f"{root}: the last run timed nothing; name tests: pytest-aiperf selfcheck NODEID")
    return chosen(timed, MOST_TESTS)


def _tell(text: str) -> None:
    """Progress, on a terminal only."""
    if sys.stderr.isatty():
        sys.stderr.write(f"\r\x1b[K{text}")
        sys.stderr.flush()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="pytest-aiperf", description="Look at, accept and replay what pytest --aiperf saw; check the machine."
    )
    commands = parser.add_subparsers(title="commands", metavar="COMMAND")
    parser.set_defaults(command=None)
    shared = argparse.ArgumentParser(add_help=False)
    shared.add_argument("tests", nargs="*", help="node ids, or parts of them (default: all)")
    shared.add_argument("--root", type=Path, default=Path(), help="pytest's root directory (default: here)")
    shown = commands.add_parser("show", parents=[shared], help="print the last run")
    shown.add_argument("--details", action="store_true", help="every row and every reason")
    shown.set_defaults(command=show)
    accepted = commands.add_parser("accept", parents=[shared], help="store the last run as baseline, without measuring")
    accepted.add_argument("--accept-worse", action="store_true", help="store a worse accuracy too")
    accepted.set_defaults(command=accept)
    replayed = commands.add_parser("replay", help="judge a JSON report again from its recorded samples")
    replayed.add_argument("file", type=Path, help="what --aiperf-report=json:FILE wrote, or .aiperf/last.json")
    replayed.add_argument("--details", action="store_true", help="every row and every reason")
    replayed.set_defaults(command=replay)
    checked = commands.add_parser(
        "selfcheck", help="what pairs can see on this machine: the same code twice, then a known slowdown"
    )
    checked.add_argument("tests", nargs="*", help="node ids (default: some tests of the last run)")
    checked.add_argument("--root", type=Path, default=Path(), help="pytest's root directory (default: here)")
    checked.add_argument("--minutes", type=float, default=5.0, help="about how long it may take (default 5)")
    checked.add_argument("--max-slowdown", type=float, default=0.05, help="the slowdown to put in (default 0.05)")
    checked.add_argument("--seed", type=int, help="repeat the orders of an earlier check")
    checked.set_defaults(command=selfcheck)
    examined = commands.add_parser("doctor", help="what makes this machine noisy, each with its remedy")
    examined.set_defaults(command=doctor)
    return parser


if __name__ == "__main__":
    sys.exit(main())
