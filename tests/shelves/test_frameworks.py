"""What every framework on the shelf promises; one whose runtime is absent skips loudly."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pytest_aiperf import shelves
from tests.runtimes.frameworks.small_models import SMALL, Small

if TYPE_CHECKING:
    from pytest_aiperf.vocabulary.contracts import Framework

NAMES = shelves.names("frameworks")


@pytest.fixture(params=NAMES)
def framework(request: pytest.FixtureRequest) -> Framework:
    return shelves.create("frameworks", request.param)


@pytest.fixture
def small(framework: Framework) -> Small:
    if framework.module:
        pytest.importorskip(framework.module, reason=f"{framework.module} is not installed", exc_type=ImportError)
    assert framework.name in SMALL, f"tests/frameworks/small_models.py needs a small model of {framework.name}"
    return SMALL[framework.name]()


def test_its_name_is_that_of_its_file() -> None:
    """It is found under the word that users type."""
    assert [shelves.create("frameworks", name).name for name in NAMES] == list(NAMES)


def test_no_runtime_is_imported() -> None:
    """It lives in a process without any runtime, and imports none, not even while it watches."""
    heavy = [shelves.create("frameworks", name).module for name in NAMES] + ["numpy"]
    script = f"""
import sys
from pytest_aiperf import shelves
seconds = []
for name in {NAMES!r}:
    framework = shelves.create("frameworks", name)
    framework.watch()
    with framework.inference(), framework.watch_moves(lambda: 0, seconds):
        assert framework.owns(object()) is (framework.module == ""), name
    framework.unwatch()
print([name for name in {heavy!r} if name in sys.modules], seconds, len(sys.meta_path))
"""
    before = subprocess.run(
        [sys.executable, "-c", "import sys; print(len(sys.meta_path))"], capture_output=True, text=True, check=True
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == (f"[] [] {before.stdout.strip()}\n", "")


def test_it_owns_its_own_model(framework: Framework, small: Small) -> None:
    """It recognises its own model."""
    assert framework.owns(small[0])


def test_nobody_else_owns_its_model(framework: Framework, small: Small) -> None:
    """It shares no model with another runtime; only the plain one owns everything."""
    others = [shelves.create("frameworks", name) for name in NAMES if name not in (framework.name, "plain")]
    assert [other.name for other in others if other.owns(small[0])] == []


def test_it_binds_one_inference(framework: Framework, small: Small) -> None:
    """It gives a function without arguments that answers each time it is called."""
    model, inputs = small
    with framework.inference():
        call = framework.bind(model, inputs, {})
        assert call() is not None
        assert call() is not None


def test_its_size_is_positive_or_unknown(framework: Framework, small: Small) -> None:
    """It never gives a size of nothing: what it cannot know is None."""
    size = framework.size(small[0])
    assert size is None or (isinstance(size, int) and size > 0)


def test_its_weights_are_counted_or_unknown(framework: Framework, small: Small) -> None:
    """It never counts zeros that are not there, nor bytes that its size does not know."""
    weights = framework.weights(small[0])
    assert weights is None or (weights.parameters > 0 and weights.zeros == 0 and sum(weights.bytes.values()) > 0)


def test_its_files_exist(framework: Framework, small: Small) -> None:
    """It only names files that are there."""
    files = framework.files(small[0])
    assert isinstance(files, tuple)
    assert all(isinstance(file, Path) and file.is_file() for file in files)


def test_its_facts_are_words(framework: Framework, small: Small) -> None:
    """It describes a model in text, and leaves out what it does not know."""
    facts = framework.facts(small[0])
    assert isinstance(facts, Mapping)
    assert all(isinstance(name, str) and isinstance(fact, str) and name and fact for name, fact in facts.items())


def test_a_healthy_model_is_no_anomaly(framework: Framework, small: Small) -> None:
    """It complains of nothing where nothing is wrong."""
    assert framework.anomaly(small[0]) is None


def test_watching_twice_is_watching_once(framework: Framework, small: Small) -> None:
    """It can be told to watch again, and still sees a healthy model as one."""
    framework.watch()
    framework.watch()
    try:
        assert framework.anomaly(SMALL[framework.name]()[0]) is None
    finally:
        framework.unwatch()


def test_a_cold_load_empties_every_cache_that_a_runtime_names() -> None:
    """It is told by the runtimes, which environment variables those are."""
    caches = {name for framework in NAMES for name in shelves.create("frameworks", framework).compile_caches}
    assert caches >= {
        "TORCHINDUCTOR_CACHE_DIR",
        "TRITON_CACHE_DIR",
        "CUDA_CACHE_PATH",
        "JAX_COMPILATION_CACHE_DIR",
    }
