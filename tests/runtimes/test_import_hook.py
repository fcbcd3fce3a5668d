"""Runtimes are noticed when they are imported; whatever else is on `sys.meta_path` stays as it was."""

from __future__ import annotations

import importlib
import sys
from types import SimpleNamespace

import pytest

from pytest_aiperf.runtimes.import_hook import ImportHook


@pytest.fixture
def told(tmp_path, monkeypatch):
    (tmp_path / "acme_runtime.py").write_text("VERSION = 1\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(sys, "meta_path", list(sys.meta_path))
    monkeypatch.delitem(sys.modules, "acme_runtime", raising=False)
    yield []
    sys.modules.pop("acme_runtime", None)


def hook(told):
    return ImportHook(
        ["acme_runtime", "acme_gone"], lambda module, seconds: told.append((module.VERSION, seconds >= 0))
    )


def test_it_tells_of_a_module_once_it_has_been_imported(told):
    watch = hook(told)
    watch.install()
    assert importlib.import_module("acme_runtime").VERSION == 1
    assert told == [(1, True)]
    watch.remove()
    assert watch not in sys.meta_path


@pytest.mark.filterwarnings("ignore::ImportWarning")
def test_what_is_not_installed_is_not_found_whatever_else_looks_for_it(told):
    sys.meta_path.append(
        SimpleNamespace(find_module=lambda name, path=None: None)
    )  # as old packages leave them, `six` for one
    hook(told).install()
    with pytest.raises(ModuleNotFoundError):
        importlib.import_module("acme_gone")


def test_it_finds_nothing_by_itself_where_somebody_has_wrapped_it(told):
    watch = hook(told)
    sys.meta_path.insert(0, SimpleNamespace(find_spec=watch.find_spec))
    assert importlib.import_module("acme_runtime").VERSION == 1
    assert told == []
