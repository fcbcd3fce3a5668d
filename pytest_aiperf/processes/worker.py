"""A fresh process: a pytest child that runs one test, measures what it is ordered to, and reports over a socket."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass

from pytest_aiperf.processes.child import Child, Launch
from pytest_aiperf.vocabulary.errors import ChildGoneError
from pytest_aiperf.vocabulary.messages import Failed, FilesRead, Measured, Orders
from pytest_aiperf.vocabulary.orders import Order
from pytest_aiperf.vocabulary.records import Measurement
from pytest_aiperf.vocabulary.terms import Cache


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What a fresh process saw; `failure` says why it saw nothing, or not all."""

    measurements: tuple[Measurement, ...] = ()
    failure: str | None = None
    files: tuple[str, ...] = ()
    """Files below the watched folders that it read."""


class FreshProcesses:
    """Runs one test in one child after another; never leaves one behind."""

    def __init__(self, launch: Launch, *, watched: Sequence[str] = ()) -> None:
        self.launch = launch
        self.watched = tuple(watched)

    def run(self, order: Order) -> Report:
        """One child from start to end. Anything that goes wrong in it is a reason in the report, never an exception."""
        if os.name != "posix":
            return Report(failure="fresh processes need a POSIX system for now")
        measurements: tuple[Measurement, ...] = ()
        failure: str | None = None
        files: tuple[str, ...] = ()
        with Child(self.launch, timing=order.role.times, cold=order.load is Cache.COLD) as child:
            child.say(Orders(orders=(order,), watched=self.watched, scratch=child.scratch))
            try:
                while not child.finished:
                    match child.hear():
                        case Measured(measurements=measurements):
                            pass
                        case Failed(reason=reason):
                            failure = failure or reason
                        case FilesRead(files=files):
                            pass
            except ChildGoneError as gone:
                failure = str(gone)
            if failure is None and not measurements:
                failure = f"ended without having run the test: {child.last_words()}"
        return Report(measurements=measurements, failure=failure, files=files)
