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
