"""One process times at a time; a section inside another one goes on, and a test that waits aside lets others time."""

from __future__ import annotations

import tempfile
import threading

import pytest
from filelock import ReadWriteLock, Timeout

from pytest_aiperf.machine.atomic_files import lock_folder
from pytest_aiperf.machine.timing_lock import MachineLock


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))


def lock(**more):
    return MachineLock(**{"shared_by_tests": True, "tell": lambda text: None, "environ": {}, **more})


def others_may_time():
    other = ReadWriteLock(lock_folder() / "timing.lock", is_singleton=False)
    try:
        with other.write_lock(timeout=0):
            return True
    except Timeout:
        return False


def test_others_time_while_no_test_runs_or_while_it_waits_aside():
    machine = lock()
    with machine.test():
        assert not others_may_time()
        with machine.aside():
            assert others_may_time()
        assert not others_may_time()
    assert others_may_time()


def test_a_timed_section_inside_another_one_goes_on():
    machine = lock()
    with machine.test():
        with machine.exclusive(), machine.exclusive():
            assert not others_may_time()
        assert not others_may_time(), "the test still runs"
    assert others_may_time()


def test_a_timed_section_of_another_thread_goes_on():
    machine, seen = lock(), []

    def time_something():
        with machine.exclusive():
            seen.append(others_may_time())

    with machine.test(), machine.exclusive():
        thread = threading.Thread(target=time_something)
        thread.start()
        thread.join()
    assert seen == [False]


def test_sections_of_coroutines_that_overlap_end_in_any_order():
    machine = lock()
    with machine.test():
        first, second = machine.exclusive(), machine.exclusive()
        first.__enter__()
        second.__enter__()
        first.__exit__(None, None, None)
        second.__exit__(None, None, None)
        assert not others_may_time(), "the test still runs"
    assert others_may_time()


def test_what_a_test_starts_does_not_wait_for_it():
    environ: dict[str, str] = {}
    with lock(environ=environ).test(), lock(environ=environ).exclusive():
        assert not others_may_time()
    with lock(environ=environ).exclusive():
        assert others_may_time()
