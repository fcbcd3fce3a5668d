"""The old code as a reference: how both sides start, and what cannot be compared."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_aiperf.machine import files
from pytest_aiperf.processes.child import Launch
from pytest_aiperf.processes.git import resolve
from pytest_aiperf.processes.reference_revision import ReferenceRevision
from pytest_aiperf.processes.worktree import Worktree
from pytest_aiperf.vocabulary.pairing import Arm


@pytest.fixture
def reference(project: Path):
    """Prepared, of a flat project."""
    environ = {"PYTHONPATH": "/elsewhere", "PYTHONDONTWRITEBYTECODE": "1", "OMP_NUM_THREADS": "2"}
    reference = resolve(project, "HEAD~1")
    made = ReferenceRevision(
        against=reference.name,
        launches=dict.fromkeys(
            Arm, Launch(arguments=("tests",), directory=project, timeout=1.0, quiet_malloc=True, environ=environ)
        ),
        make_tree=lambda: Worktree(reference, test_files=[project / "tests/test_model.py"], config_file=None, share=()),
        file_bound=("load_cold", "ram"),
        machine=None,
        search_path=[str(project)],
        modules=dict,
    )
    yield made
    made.close()


def test_both_sides_start_alike_and_keep_their_bytecode(reference):
    assert reference.prepare() is None
    old, new = (reference.launches[arm].environ for arm in (Arm.REFERENCE, Arm.CANDIDATE))
    assert old.keys() == new.keys() == {"PYTHONPATH", "OMP_NUM_THREADS"}
    assert old["PYTHONPATH"] != new["PYTHONPATH"]
    assert reference.uncompared == {}


def test_a_tree_in_memory_spoils_cold_loads_and_peaks(reference, monkeypatch):
    monkeypatch.setattr(files, "is_in_memory", lambda folder, *_: "aiperf-" in str(folder))
    assert reference.prepare() is None
    assert reference.uncompared.keys() == {"load_cold", "ram"}
    assert "set TMPDIR" in reference.uncompared["ram"]
