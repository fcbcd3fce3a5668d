"""The door of the shell: `pytest-aiperf show` and `accept`; commands only, each hands over at once."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from pytest_aiperf.errors import AiperfError


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; 0 when it did what it says, 1 when it could not, 2 for a wrong call."""
    parser = _parser()
    options = parser.parse_args(arguments)
    if options.command is None:
        parser.print_help()
        return 2
    try:
        text = options.command(options)
    except AiperfError as error:
        sys.stderr.write(f"pytest-aiperf: {error}\n")
        return 1
    sys.stdout.write(text if text.endswith("\n") else text + "\n")
    return 0


def _show(options: argparse.Namespace) -> str:
    from pytest_aiperf import wiring

    return wiring.show(options.root, details=options.details, tests=options.tests)


def _accept(options: argparse.Namespace) -> str:
    from pytest_aiperf import wiring

    return wiring.accept(options.root, tests=options.tests, accept_worse=options.accept_worse)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="pytest-aiperf", description="Look at and accept what pytest --aiperf saw.")
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
    return parser


if __name__ == "__main__":
    sys.exit(main())
