"""What every profiler promises; one whose runtime is absent skips loudly."""

from __future__ import annotations

import math
import pkgutil
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pytest_aiperf import shelves
from pytest_aiperf.runtimes import profilers
from pytest_aiperf.vocabulary.contracts import Profiler
from tests.runtimes.frameworks.small_models import SMALL, Small

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_aiperf.vocabulary.contracts import Framework

NAMES = sorted(module.name for module in pkgutil.iter_modules(profilers.__path__))


@pytest.fixture(params=NAMES)
def framework(request: pytest.FixtureRequest) -> Framework:
    return shelves.create("frameworks", request.param)


@pytest.fixture
def small(framework: Framework) -> Small:
    pytest.importorskip(framework.module, reason=f"{framework.module} is not installed", exc_type=ImportError)
    return SMALL[framework.name]()


@pytest.fixture
def profiler(framework: Framework) -> Profiler:
    return framework.profiler()


@pytest.fixture
def bind(framework: Framework, small: Small) -> Callable[[Any], Callable[[], Any]]:
    return lambda model: framework.bind(model, small[1], {})


@pytest.fixture
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def answer(framework: Framework, small: Small) -> list[Any]:
    with framework.inference():
        output = framework.bind(*small, {})()
    return [one.tolist() for one in (output if isinstance(output, list) else [output])]


def test_it_belongs_to_the_framework_of_its_name(framework: Framework, profiler: Profiler) -> None:
    """It is what the framework of its name takes calls apart with."""
    made = import_module(f"pytest_aiperf.runtimes.profilers.{framework.name}").create()
    assert type(profiler) is type(made)
    assert isinstance(made, Profiler)


def test_making_it_imports_no_runtime() -> None:
    """It waits for somebody who asks."""
    script = f"""
import sys
from importlib import import_module
from pathlib import Path
for name in {NAMES!r}:
    import_module(f"pytest_aiperf.runtimes.profilers.{{name}}").create()
print({{"torch", "onnxruntime", "onnx", "numpy"}} & set(sys.modules))
"""
    asked = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert (asked.stdout.strip(), asked.stderr) == ("set()", "")


def test_it_answers_or_says_that_it_cannot(framework, small, profiler, bind) -> None:
    """It gives seconds above zero by kind of operator, outputs by layer, a count of multiply-adds, or nothing."""
    with framework.inference():
        operators = profiler.operators(small[0], bind)
        layers = profiler.outputs_of_layers(small[0], bind)
        macs = profiler.macs(small[0], bind)
    assert operators is None or (operators and all(0 < one < math.inf for one in operators.values()))
    assert all(isinstance(name, str) and name for name in (*(operators or ()), *layers))
    assert macs is None or (isinstance(macs, int) and macs > 0)


@pytest.mark.usefixtures("_elsewhere")
def test_it_leaves_the_model_as_it_was(framework, small, profiler, bind) -> None:
    """It changes no answer, and leaves no file behind."""
    before = answer(framework, small)
    with framework.inference():
        profiler.operators(small[0], bind)
        profiler.outputs_of_layers(small[0], bind)
        profiler.macs(small[0], bind)
    assert answer(framework, small) == before
    assert list(Path().iterdir()) == []


def test_a_copy_in_float64_is_another_model(framework, small, profiler) -> None:
    """It never hands out the model itself, and a copy of the same runtime."""
    copied = profiler.in_float64(small[0])
    assert copied is None or (copied is not small[0] and framework.owns(copied))
