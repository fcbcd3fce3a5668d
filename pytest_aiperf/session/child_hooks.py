"""The child's side of a fresh process: take the order, run that one test alone, send back what it saw."""

from __future__ import annotations

import contextlib
import gc
import os
import queue
import socket
import sys
import threading
from collections.abc import Generator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from pytest_aiperf.measuring.allocations import AllocationWatch
from pytest_aiperf.measuring.trial import Trial
from pytest_aiperf.processes.provenance import Provenance
from pytest_aiperf.session.trial_hooks import TRIAL, TrialHooks
from pytest_aiperf.vocabulary import messages
from pytest_aiperf.vocabulary.errors import ChildGoneError
from pytest_aiperf.vocabulary.messages import Answer, Doing, Failed, FilesRead, Finished, Measured, Orders, Request
from pytest_aiperf.vocabulary.orders import Order, Role

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
    "continue_on_collection_errors": True,
    "reruns": 0,
    "numprocesses": None,
    "dist": "no",
    "tx": [],
    "distload": False,
    "xmlpath": None,
    "htmlpath": None,
    "report_log": None,
    "verbose": 0,
    "log_file": os.devnull,
    "debug": None,
    "cacheclear": False,
}


class Channel:
    """The socket to the parent; when the parent goes, so does this process."""

    def __init__(self, descriptor: int) -> None:
        self.socket = socket.socket(fileno=descriptor)
        os.set_inheritable(descriptor, False)
        self.reader = self.socket.makefile("rb")
        self.requests: queue.SimpleQueue[bytes] = queue.SimpleQueue()

    def orders(self) -> Orders:
        """The first line that the parent sends. Raises ChildGoneError where it is anything else."""
        request = messages.decode_request(self.reader.readline())
        if not isinstance(request, Orders):
            raise ChildGoneError(f"expected orders, not {request}")
        return request

    def watch(self) -> None:
        """Take the parent's further lines, and end this process as soon as its end of the socket closes."""
        threading.Thread(target=self._leave_with_parent, daemon=True, name="aiperf-parent-watch").start()

    def send(self, message: Answer) -> None:
        """One message."""
        self.socket.sendall(messages.encode(message))

    def request(self) -> Request:
        """Wait for what the parent says next."""
        return messages.decode_request(self.requests.get())

    def _leave_with_parent(self) -> None:
        with contextlib.suppress(ConnectionResetError):
            for line in self.reader:
                self.requests.put(line)
        os._exit(70)


def neutralise(config: pytest.Config, orders: Orders) -> None:
    """Point this pytest at the ordered tests alone."""
    for name, value in NEUTRAL.items():
        if hasattr(config.option, name):
            setattr(config.option, name, value)
    config.option.basetemp = orders.scratch and os.path.join(orders.scratch, "basetemp")  # noqa: PTH118 - as pytest has it
    # Files, not tests: pytest runs nothing where one named test is not found, as in a module that cannot be imported.
    files = dict.fromkeys(_file(config.rootpath, order) for order in orders.orders)
    if not any("[" in file for file in files):  # pytest takes a bracket for parameters
        config.args[:] = files


def _file(root: Path, order: Order) -> str:
    return order.path or str(root / order.test.partition("::")[0])


@dataclass(kw_only=True, eq=False)
class ChildHooks(TrialHooks):
    """The hooks of a child: the ordered tests, nothing judged, everything sent."""

    channel: Channel
    orders: Mapping[str, Order]
    """By node id."""
    provenance: Provenance
    tracing: AllocationWatch | None = None

    def order_of(self, item: pytest.Item) -> Order:
        """What the parent ordered."""
        return self.orders[item.nodeid]

    def begin(self, item: pytest.Item) -> Trial:
        """Trace from before the first fixture on, where that was ordered."""
        trial = super().begin(item)
        if trial.order.role is Role.TRACE:
            self.tracing = AllocationWatch(sys.modules, self.config.rootpath)
            self.tracing.start()
        return trial

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """A module that cannot be imported here is the reason why its tests are not found."""
        if not report.failed:
            return
        error = _last_line(report.longrepr)
        for test in self.orders:
            if test.partition("::")[0] == report.nodeid.partition("::")[0]:
                self.channel.send(Failed(test=test, reason=f"its module failed to import: {error}"))

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> Generator[None, object, object]:
        """Keep the ordered tests, in their order: neither more that the ini file names, nor fewer for any plugin."""
        found = {item.nodeid: item for item in items}
        outcome = yield
        items[:] = [found[test] for test in self.orders if test in found]
        for test in self.orders.keys() - found.keys():
            self.channel.send(Failed(test=test, reason=f"{test} was not found by a fresh pytest process"))
        return outcome

    def pytest_collection_finish(self) -> None:
        """Note the memory of a process that has imported everything and run nothing."""
        gc.collect()
        self.context.base = self.context.tools.memory.now()

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, object, object]:
        """Tell the parent where this process is."""
        self.channel.send(Doing(phase=f"setup of {item.name}", test=item.nodeid))
        return (yield)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """A test that fails here, fails as a reason."""
        if report.failed:
            crash = getattr(report.longrepr, "reprcrash", None)
            message = crash.message if crash else str(report.longrepr)
            reason = f"the test failed in {report.when}: {message.strip().splitlines()[0][:200]}"
            self.channel.send(Failed(test=report.nodeid, reason=reason))
        elif report.skipped and report.when != "teardown":
            reason = f"the test was skipped in {report.when} of a fresh process"
            self.channel.send(Failed(test=report.nodeid, reason=reason))

    def forgives(self, trial: Trial, error: BaseException) -> bool:  # noqa: ARG002 - the hook's signature
        """What a test says of a comparison's figures is the parent's business: here there are none."""
        return trial.is_partial

    def before_call(self, trial: Trial) -> None:
        """The test body starts."""
        super().before_call(trial)
        self.channel.send(Doing(phase="test body"))

    def settle_trial(self, item: pytest.Item) -> None:
        """Send what the test saw."""
        trial = item.stash[TRIAL]
        if self.tracing is not None:
            trial.allocations = self.tracing.stop()
            self.tracing = None
        self.provenance.note(path for entry in trial.entries.values() for path in entry.seen.paths)
        self.channel.send(Measured(measurements=trial.measurements(taken_at=self.now(), commit=None, hashes={})))

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self) -> None:
        """Say that nothing more comes."""
        with contextlib.suppress(OSError):
            self.channel.send(FilesRead(files=tuple(self.provenance.files(sys.modules))))
            self.channel.send(Finished())


def _last_line(longrepr: object) -> str:
    """What went wrong, of a traceback as pytest shows it."""
    lines = [line for line in str(longrepr).strip().splitlines() if line.strip()]
    errors = [line.removeprefix("E").strip() for line in lines if line.startswith("E ")]
    return (errors or lines or ["no message"])[-1][:200]
