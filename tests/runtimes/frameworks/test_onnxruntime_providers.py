"""ONNX Runtime: the provider that was asked for and silently was not there."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import textwrap
from types import ModuleType
from typing import TYPE_CHECKING, Any

import pytest

onnxruntime = pytest.importorskip("onnxruntime", reason="onnxruntime is not installed", exc_type=ImportError)

from pytest_aiperf.runtimes.frameworks.onnxruntime import create  # noqa: E402 - only where onnxruntime is installed
from tests.runtimes.frameworks.small_models import onnx_bytes  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pytest_aiperf.vocabulary.contracts import Framework

CPU, CUDA, TENSORRT = "CPUExecutionProvider", "CUDAExecutionProvider", "TensorrtExecutionProvider"


def session(**options: Any) -> Any:
    return onnxruntime.InferenceSession(onnx_bytes(), **options)


@pytest.fixture
def watching() -> Iterator[Framework]:
    framework = create()
    framework.watch()
    yield framework
    framework.unwatch()


@pytest.mark.filterwarnings("ignore:Specified provider:UserWarning")
@pytest.mark.parametrize("providers", [[CUDA, CPU], [(CUDA, {"device_id": "0"}), CPU], [CUDA]])
def test_a_session_that_fell_back_to_the_cpu_is_an_anomaly(
    watching: Framework, capfd: pytest.CaptureFixture[str], providers: list[Any]
) -> None:
    """It tells what a real session was asked for, and what it runs on."""
    model = session(providers=providers)
    capfd.readouterr()
    if CUDA in model.get_providers():
        pytest.skip("CUDA works here: nothing falls back")
    assert watching.anomaly(model) == f"asked for {CUDA}, runs on {CPU}"
    assert watching.facts(model)["providers not active"] == CUDA


def test_a_fresh_process_notices_it_too(tmp_path: Path) -> None:
    """It sees sessions of a runtime that is imported only after it began to watch, and imports it not."""
    path = tmp_path / "add.onnx"
    path.write_bytes(onnx_bytes())
    script = f"""
import sys, warnings
warnings.simplefilter("ignore")
from pytest_aiperf.runtimes.frameworks.onnxruntime import create
finders = list(sys.meta_path)
framework = create()
framework.watch()
assert "onnxruntime" not in sys.modules
import onnxruntime
assert sys.meta_path == finders and "exec_module" not in vars(onnxruntime.__loader__)
session = onnxruntime.InferenceSession({str(path)!r}, providers=[{CUDA!r}])
works = {CUDA!r} in session.get_providers()
print(None if works else framework.anomaly(session), works)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    expected = (f"asked for {CUDA}, runs on {CPU} False", "None True")
    assert done.stdout.splitlines()[-1] in expected


@pytest.mark.parametrize("providers", [None, [], [CPU], [(CPU, {})]])
def test_who_asked_for_nothing_gets_no_complaint(watching: Framework, providers: list[Any] | None) -> None:
    """It finds nothing wrong where no accelerator was asked for."""
    assert watching.anomaly(session(providers=providers)) is None


def test_a_session_that_it_did_not_see_built_is_no_anomaly() -> None:
    """It does not guess what a session was asked for."""
    model = session()
    framework = create()
    framework.watch()
    framework.unwatch()
    assert framework.anomaly(model) is None


def test_unwatching_restores_everything() -> None:
    """It leaves the session class as it was, however often it was told to watch."""
    original = (onnxruntime.InferenceSession.__init__, onnxruntime.InferenceSession.set_providers)
    framework = create()
    framework.watch()
    once = (onnxruntime.InferenceSession.__init__, onnxruntime.InferenceSession.set_providers)
    framework.watch()
    assert (onnxruntime.InferenceSession.__init__, onnxruntime.InferenceSession.set_providers) == once != original
    framework.unwatch()
    framework.unwatch()
    assert (onnxruntime.InferenceSession.__init__, onnxruntime.InferenceSession.set_providers) == original


FAKE = """
class InferenceSession:
    works = ["CPUExecutionProvider"]

    def __init__(self, path_or_bytes, sess_options=None, providers=None, provider_options=None, **kwargs):
        self._fallback_providers = ["CPUExecutionProvider"]
        self.set_providers(providers)

    def set_providers(self, providers=None, provider_options=None):
        asked = [name if isinstance(name, str) else name[0] for name in providers or ()]
        self.active = [name for name in asked if name in self.works] or ["CPUExecutionProvider"]

    def get_providers(self):
        return self.active

    def fail_while_running(self):
        self.set_providers(self._fallback_providers)
"""


@pytest.fixture
def not_imported(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Put a runtime in place that nobody has imported yet, with devices of our choice."""
    monkeypatch.setitem(sys.modules, "onnxruntime", ModuleType("onnxruntime"))  # whatever is there comes back later
    del sys.modules["onnxruntime"]
    (tmp_path / "onnxruntime.py").write_text(textwrap.dedent(FAKE))
    monkeypatch.syspath_prepend(tmp_path)


def imported_fake(*works: str) -> Any:
    import onnxruntime as fake

    fake.InferenceSession.works = [*works, CPU]
    return fake.InferenceSession


ASKED = [
    ([CUDA, CPU], (CUDA,), None),
    ([TENSORRT, CUDA, CPU], (CUDA,), None),
    ([TENSORRT, CUDA, CPU], (), f"asked for {TENSORRT}, {CUDA}, runs on {CPU}"),
    ([("CUDAExecutionProvider", {}), CPU], (), f"asked for {CUDA}, runs on {CPU}"),
]


@pytest.mark.usefixtures("not_imported")
@pytest.mark.parametrize(("asked", "works", "anomaly"), ASKED)
def test_one_of_the_asked_devices_is_enough(
    watching: Framework, asked: list[Any], works: tuple[str, ...], anomaly: str | None
) -> None:
    """It complains only where none of the accelerators asked for is active."""
    assert watching.anomaly(imported_fake(*works)(b"", None, asked)) == anomaly


@pytest.mark.usefixtures("not_imported")
def test_asking_again_counts(watching: Framework) -> None:
    """It goes by what the session was asked for last."""
    model = imported_fake()(b"", providers=[CUDA])
    model.set_providers([CPU])
    assert watching.anomaly(model) is None
    model.set_providers([CUDA])
    assert watching.anomaly(model) == f"asked for {CUDA}, runs on {CPU}"


@pytest.mark.usefixtures("not_imported")
def test_a_fallback_during_a_run_is_not_asking(watching: Framework) -> None:
    """It still knows what was asked for when the session itself changed the provider in mid-run."""
    model = imported_fake(CUDA)(b"", providers=[CUDA])
    assert watching.anomaly(model) is None
    model.fail_while_running()
    assert watching.anomaly(model) == f"asked for {CUDA}, runs on {CPU}"


@pytest.mark.usefixtures("not_imported")
def test_looking_for_the_runtime_is_not_importing_it(watching: Framework) -> None:
    """It still sees sessions after somebody asked whether the runtime is installed."""
    assert importlib.util.find_spec("onnxruntime") is not None
    assert importlib.util.find_spec("onnxruntime") is not None
    assert "onnxruntime" not in sys.modules
    assert watching.anomaly(imported_fake()(b"", providers=[CUDA])) == f"asked for {CUDA}, runs on {CPU}"


@pytest.mark.usefixtures("not_imported")
def test_two_watchers_see_the_same(watching: Framework) -> None:
    """It stands beside another one in the same process, before the import and after it."""
    second = create()
    second.watch()
    model = imported_fake()(b"", providers=[CUDA])
    assert watching.anomaly(model) == second.anomaly(model) == f"asked for {CUDA}, runs on {CPU}"


@pytest.mark.usefixtures("not_imported")
def test_unwatching_before_the_import_leaves_it_alone() -> None:
    """It takes its finder away, and a later import stays untouched."""
    finders = list(sys.meta_path)
    framework = create()
    framework.watch()
    assert sys.meta_path != finders
    framework.unwatch()
    assert sys.meta_path == finders
    assert imported_fake().__init__.__code__.co_filename.endswith("onnxruntime.py")
    assert not hasattr(imported_fake().__init__, "__wrapped__")


@pytest.mark.usefixtures("not_imported")
def test_a_broken_runtime_raises_its_own_error(tmp_path: Path, watching: Framework) -> None:
    """It lets the error of a failing import through, and sees the import that works later."""
    (tmp_path / "onnxruntime.py").write_text("raise ImportError('libcublas is missing')")
    with pytest.raises(ImportError, match="libcublas is missing"):
        imported_fake()
    (tmp_path / "onnxruntime.py").write_text(FAKE + "\n# repaired, and longer than before\n")
    assert watching.anomaly(imported_fake()(b"", providers=[CUDA])) == f"asked for {CUDA}, runs on {CPU}"
