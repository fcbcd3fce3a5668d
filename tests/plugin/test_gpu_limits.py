"""A GPU limit on a machine without a GPU is said, counted, and fails where a GPU is required."""

from __future__ import annotations

import pytest

LIMITED = """
import pytest

@pytest.mark.max_gpu_mb(500)
def test_plain(): pass

@pytest.mark.max_gpu_mb(500, kind="process")
def test_with_fixture(aiperf):
    aiperf.call(int)
"""


@pytest.fixture
def without_gpu(project):
    project.write("test_model.py", LIMITED)
    project.write("conftest.py", "import sys\nsys.modules['pynvml'] = None\n")
    return project


def test_it_counts_the_limit_as_unmeasured_and_passes(without_gpu):
    result = without_gpu.pytest("--aiperf")
    result.assert_outcomes(passed=2)
    statuses = {row["status"] for result in without_gpu.last().values() for row in result["verdicts"]}
    assert "unmeasured" in statuses
    result.stdout.fnmatch_lines(["*2 unmeasured*"])


def test_it_fails_where_a_gpu_is_required(without_gpu):
    result = without_gpu.pytest("--aiperf", "--aiperf-require=gpu")
    result.assert_outcomes(failed=2)


def test_it_calls_a_session_that_fell_back_to_the_cpu_anomalous(project):
    pytest.importorskip("onnxruntime", reason="needs onnxruntime")
    pytest.importorskip("onnx", reason="needs onnx")
    project.write(
        "test_model.py",
        """
import numpy
import onnxruntime
import pytest
from onnx import TensorProto, helper

@pytest.fixture
def model(tmp_path):
    value = lambda name: helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 2])
    graph = helper.make_graph([helper.make_node("Relu", ["x"], ["y"])], "g", [value("x")], [value("y")])
    proto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=10)
    path = tmp_path / "relu.onnx"
    path.write_bytes(proto.SerializeToString())
    return path

def run(path, providers, aiperf):
    session = onnxruntime.InferenceSession(path, providers=providers)
    (output,) = aiperf.infer(session, numpy.ones((1, 2), numpy.float32))
    assert output.tolist() == [[1, 1]]

def test_asked_for_cuda(model, aiperf):
    run(model, ["CUDAExecutionProvider", "CPUExecutionProvider"], aiperf)

def test_called_by_its_method(model, aiperf):
    session = onnxruntime.InferenceSession(model, providers=["CUDAExecutionProvider"])
    aiperf.call(session.run, None, {"x": numpy.ones((1, 2), numpy.float32)})

def test_asked_for_cpu(model, aiperf):
    run(model, ["CPUExecutionProvider"], aiperf)
""",
    )
    import onnxruntime

    if "CUDAExecutionProvider" not in onnxruntime.get_available_providers():
        pytest.skip("this onnxruntime was built without CUDA: asking for it is an error, not a silent fall-back")
    result = project.pytest("--aiperf")
    result.assert_outcomes(passed=1, failed=2)
    assert project.rows("test_model.py::test_asked_for_cuda")["anomaly"] == ("anomalous", "anomaly")
    assert "asked for CUDAExecutionProvider, runs on CPUExecutionProvider" in result.stdout.str()


WAITS = """
import pytest

@pytest.mark.max_gpu_mb(500)
def test_on_a_gpu(aiperf_gpu, aiperf):
    aiperf.call(int)
"""


TURNS = """
import os, time
import pytest

@pytest.mark.parametrize("number", range(4))
def test_it(aiperf_gpu, number):
    with open(os.environ["TURNS"], "a") as file:
        file.write(f"in {os.getpid()}\\n")
        file.flush()
        time.sleep(0.1)
        file.write(f"out {os.getpid()}\\n")
"""
DRIVER = """
import sys, types

class NVMLError(Exception):
    pass

def lost(*arguments, **more):
    raise NVMLError("GPU is lost")

class Driver(types.SimpleNamespace):
    def __getattr__(self, name):
        return lost

sys.modules["pynvml"] = Driver(
    NVMLError=NVMLError, NVMLLibraryMismatchError=NVMLError, nvmlMemory_v2=2, NVML_CLOCK_SM=1,
    nvmlInit=lambda: None, nvmlShutdown=lambda: None, nvmlDeviceGetCount=lambda: 1,
    nvmlDeviceGetHandleByIndex=lambda index: index, nvmlDeviceGetUUID=lambda handle: "GPU-a",
    nvmlDeviceGetName=lambda handle: "a GPU", nvmlDeviceGetMaxMigDeviceCount=lambda handle: 0,
)
"""


@pytest.mark.parametrize("arguments", [(), ("--aiperf",)])
def test_workers_take_turns_on_a_gpu(project, arguments):
    pytest.importorskip("xdist")
    project.write("test_model.py", TURNS)
    project.write("conftest.py", DRIVER)
    turns = project.root / "turns.txt"
    result = project.pytest("-n", "2", "--dist", "load", *arguments, TURNS=str(turns))
    result.assert_outcomes(passed=4)
    lines = [line.split() for line in turns.read_text().splitlines()]
    assert [word for word, _ in lines] == ["in", "out"] * 4
    assert all(first[1] == second[1] for first, second in zip(lines[::2], lines[1::2], strict=True))
    assert len({pid for _, pid in lines}) == 2


def test_the_fixture_skips_loudly_without_a_gpu_and_fails_where_one_is_required(project):
    project.write("test_model.py", WAITS)
    project.write("conftest.py", "import sys\nsys.modules['pynvml'] = None\n")
    for arguments in ((), ("--aiperf",)):
        result = project.pytest(*arguments, "-rs")
        result.assert_outcomes(skipped=1)
        result.stdout.fnmatch_lines(["*aiperf_gpu: there is no GPU here: NVML cannot be loaded*"])
    result = project.pytest("--aiperf", "--aiperf-require=gpu")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*aiperf_gpu: there is no GPU here*"])
