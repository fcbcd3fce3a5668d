"""The door of the shell: `pytest-aiperf show` and the like; commands only, each hands over at once."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from pytest_aiperf.vocabulary.errors import AiperfError


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


def _show(options: argparse.Namespace) -> str:
    from pytest_aiperf import commands

    return commands.show(options.root, details=options.details, tests=options.tests)


def _accept(options: argparse.Namespace) -> str:
    from pytest_aiperf import commands

    return commands.accept(options.root, tests=options.tests, accept_worse=options.accept_worse)


def _replay(options: argparse.Namespace) -> tuple[str, bool]:
    from pytest_aiperf import commands

    return commands.replay(options.file, details=options.details)


def _selfcheck(options: argparse.Namespace) -> str:
    from pytest_aiperf import commands

    return commands.selfcheck(
        options.root,
        tests=options.tests,
        minutes=options.minutes,
        seed=options.seed,
        max_slowdown=options.max_slowdown,
    )


def _doctor(options: argparse.Namespace) -> str:  # noqa: ARG001 - every command takes the options
    from pytest_aiperf import commands

    return commands.doctor()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="pytest-aiperf", description="Look at, accept and replay what pytest --aiperf saw; check the machine."
    )
    commands = parser.add_subparsers(title="commands", metavar="COMMAND")
    parser.set_defaults(command=None)
    shared = argparse.ArgumentParser(add_help=False)
    shared.add_argument("tests", nargs="*", help="node ids, or parts of them (default: all)")
    shared.add_argument("--root", type=Path, default=Path(), help="pytest's root directory (default: here)")
    show = commands.add_parser("show", parents=[shared], help="print the last run")
    show.add_argument("--details", action="store_true", help="every row and every reason")
    show.set_defaults(command=_show)
    accept = commands.add_parser("accept", parents=[shared], help="store the last run as baseline, without measuring")
    accept.add_argument("--accept-worse", action="store_true", help="store a worse accuracy too")
    accept.set_defaults(command=_accept)
    replay = commands.add_parser("replay", help="judge a JSON report again from its recorded samples")
    replay.add_argument("file", type=Path, help="what --aiperf-report=json:FILE wrote, or .aiperf/last.json")
    replay.add_argument("--details", action="store_true", help="every row and every reason")
    replay.set_defaults(command=_replay)
    selfcheck = commands.add_parser(
        "selfcheck", help="what pairs can see on this machine: the same code twice, then a known slowdown"
    )
    selfcheck.add_argument("tests", nargs="*", help="node ids (default: some tests of the last run)")
    selfcheck.add_argument("--root", type=Path, default=Path(), help="pytest's root directory (default: here)")
    selfcheck.add_argument("--minutes", type=float, default=5.0, help="about how long it may take (default 5)")
    selfcheck.add_argument("--max-slowdown", type=float, default=0.05, help="the slowdown to put in (default 0.05)")
    selfcheck.add_argument("--seed", type=int, help="repeat the orders of an earlier check")
    selfcheck.set_defaults(command=_selfcheck)
    doctor = commands.add_parser("doctor", help="what makes this machine noisy, each with its remedy")
    doctor.set_defaults(command=_doctor)
    return parser


if __name__ == "__main__":
    sys.exit(main())
