"""The child's side of a fresh process: take the order, run that one test alone, send back what it saw."""

from __future__ import annotations

import contextlib
import gc
import json
import os
import socket
import threading
import time
from collections.abc import Generator
from typing import Any

import pytest

from pytest_aiperf import codec
from pytest_aiperf.running import TrialHooks
from pytest_aiperf.trial import Order, Trial
from pytest_aiperf.vocabulary import Measurement

# Options of the parent that would make the child select, repeat, distribute, trace or write something else.
NEUTRAL: dict[str, Any] = {
    "keyword": "",
    "markexpr": "",
    "deselect": None,
    "lf": False,
    "failedfirst": False,
    "stepwise": False,
    "newfirst": False,
    "collectonly": False,
    "usepdb": False,
    "trace": False,
    "maxfail": 0,
    "reruns": 0,
    "numprocesses": None,
    "dist": "no",
    "tx": [],
    "distload": False,
    "xmlpath": None,
    "htmlpath": None,
    "report_log": None,
    "verbose": 0,
    "cacheclear": False,
}


class Channel:
    """The socket to the parent; when the parent goes, so does this process."""

    def __init__(self, descriptor: int) -> None:
        self.socket = socket.socket(fileno=descriptor)
        os.set_inheritable(descriptor, False)
        self.reader = self.socket.makefile("rb")

    def order(self) -> Order:
        """The first line that the parent sends."""
        return codec.decode(self.reader.readline(), Order)

    def watch(self) -> None:
        """End this process as soon as the parent's end of the socket closes."""
        threading.Thread(target=self._leave_with_parent, daemon=True, name="aiperf-parent-watch").start()

    def send(self, **message: Any) -> None:
        """One message."""
        self.socket.sendall(json.dumps(message).encode() + b"\n")

    def _leave_with_parent(self) -> None:
        while self.reader.read(1):
            pass
        os._exit(70)


def neutralise(config: pytest.Config, order: Order) -> None:
    """Point this pytest at the ordered test alone."""
    for name, value in NEUTRAL.items():
        if hasattr(config.option, name):
            setattr(config.option, name, value)
    path, _, rest = order.test.partition("::")
    config.args[:] = [f"{config.rootpath / path}::{rest}" if rest else str(config.rootpath / path)]


class WorkerHooks(TrialHooks):
    """The hooks of a child: one test, nothing judged, everything sent."""

    def __init__(self, config: pytest.Config, around: Any, channel: Channel, order: Order) -> None:
        super().__init__(config, around, time.monotonic)
        self.channel = channel
        self.order = order

    def order_of(self, item: pytest.Item) -> Order:  # noqa: ARG002 - the one order, whatever the item
        """What the parent ordered."""
        return self.order

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Keep the ordered test only, also where the ini file names more to collect."""
        items[:] = [item for item in items if item.nodeid == self.order.test]
        if not items:
            self.channel.send(failure=f"{self.order.test} was not found by a fresh pytest process")

    def pytest_collection_finish(self) -> None:
        """Note the memory of a process that has imported everything and run nothing."""
        gc.collect()
        self.around.base = self.around.tools.memory.now()

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, object, object]:
        """Tell the parent where this process is."""
        self.channel.send(phase=f"setup of {item.name}")
        return (yield)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """A test that fails here, fails as a reason."""
        if report.failed:
            crash = getattr(report.longrepr, "reprcrash", None)
            message = crash.message if crash else str(report.longrepr)
            self.channel.send(failure=f"the test failed in {report.when}: {message.strip().splitlines()[0][:200]}")
        elif report.skipped and report.when != "teardown":
            self.channel.send(failure=f"the test was skipped in {report.when} of a fresh process")

    def before_call(self, trial: Trial) -> None:
        """The test body starts."""
        super().before_call(trial)
        self.channel.send(phase="test body")

    def settle_trial(self, trial: Trial, item: pytest.Item) -> None:  # noqa: ARG002 - the hook's signature
        """Send what the test saw."""
        measurements: tuple[Measurement, ...] = trial.measurements(taken_at=self.now(), commit=None)
        self.channel.send(measurements=codec.encode(measurements).decode())

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self) -> None:
        """Say that nothing more comes."""
        with contextlib.suppress(OSError):
            self.channel.send(finished=True)
