"""What a worker says is what its controller hears."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

from pytest_aiperf.baselines.unused import Collected
from pytest_aiperf.session import xdist

CALL = SimpleNamespace(args=["tests", "-q"], dir=Path("/project"))


def test_a_worker_learns_how_the_controller_was_called():
    controller, node = SimpleNamespace(invocation_params=CALL), SimpleNamespace(workerinput={})
    xdist.tell_worker(node, controller)
    worker = SimpleNamespace(
        workerinput=json.loads(json.dumps(node.workerinput)), invocation_params=SimpleNamespace(args=["-c"], dir=Path())
    )
    assert not xdist.is_worker(controller)
    assert xdist.is_worker(worker)
    assert xdist.invocation(worker) == xdist.invocation(controller) == (["tests", "-q"], Path("/project"))


def test_a_controller_hears_all_that_a_worker_said():
    worker = SimpleNamespace(workeroutput={})
    collected = Collected(tests=["t.py::\udcff"], modules=["t.py"], folders=[], subset=False)
    out = xdist.ToController(worker)
    out.take_collected(collected)
    out.take_mistakes(["a mistake"])
    out.note("one")
    xdist.ToController(worker).note("two")
    told = xdist.from_worker(worker)
    assert (told.collected, list(told.mistakes), list(told.notes)) == (collected, ["a mistake"], ["one", "two"])


def test_a_worker_that_crashed_said_nothing():
    told = xdist.from_worker(SimpleNamespace())
    assert (told.collected, list(told.mistakes), list(told.notes)) == (None, [], [])
