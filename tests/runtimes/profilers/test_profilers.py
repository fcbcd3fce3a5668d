"""Operators of real models, and of a written profile."""

from __future__ import annotations

import numpy as np
import pytest

from pytest_aiperf.runtimes.frameworks import onnxruntime as onnxruntime_adapter
from pytest_aiperf.runtimes.profilers import onnxruntime, torch

CPU = "CPUExecutionProvider"


def node(name, op, microseconds, provider=CPU):
    return {
        "cat": "Node",
        "name": f"{name}_kernel_time",
        "dur": microseconds,
        "args": {"op_name": op, "provider": provider},
    }


def test_nodes_are_summed_by_kind_with_their_median():
    events = [
        {"cat": "Session", "name": "model_run", "dur": 9_999},
        {"cat": "Node", "name": "a_fence_before", "dur": 9_999, "args": {"op_name": "Conv"}},
        *[node("a", "Conv", duration) for duration in (9_000, 100, 110)],
        *[node("b", "Conv", duration) for duration in (50, 50, 50)],
        node("c", "Resize", 70, provider="CPUExecutionProvider"),
    ]
    assert onnxruntime.summed(events, first_provider=CPU) == pytest.approx({"Conv": 160e-6, "Resize": 70e-6})
    on_gpu = onnxruntime.summed(events, first_provider="CUDAExecutionProvider")
    assert on_gpu.keys() == {f"Conv on {CPU}", f"Resize on {CPU}"}


def test_a_session_says_what_it_runs(tmp_path):
    runtime = pytest.importorskip("onnxruntime")
    onnx = pytest.importorskip("onnx")
    helper, kind = onnx.helper, onnx.TensorProto.FLOAT
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "x"], ["y"]), helper.make_node("Exp", ["y"], ["z"])],
        "graph",
        [helper.make_tensor_value_info("x", kind, [64, 64])],
        [helper.make_tensor_value_info("z", kind, [64, 64])],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, tmp_path / "model.onnx")
    adapter, inputs = onnxruntime_adapter.create(), (np.zeros((64, 64), dtype=np.float32),)
    for source in (str(tmp_path / "model.onnx"), model.SerializeToString()):
        session = runtime.InferenceSession(source, providers=[CPU])
        seen = onnxruntime.create().operators(session, lambda twin: adapter.bind(twin, inputs, {}))
        assert seen.keys() == {"MatMul", "Exp"}
        assert all(seconds > 0 for seconds in seen.values())


def test_a_module_says_what_it_runs():
    framework = pytest.importorskip("torch")
    model = framework.nn.Sequential(framework.nn.Linear(64, 64), framework.nn.Tanh())
    rows = framework.zeros(32, 64)
    seen = torch.create().operators(model, lambda twin: lambda: twin(rows))
    assert {"aten::addmm", "aten::tanh"} <= seen.keys()
    assert all(seconds > 0 for seconds in seen.values())


def test_a_session_shows_its_tensors_under_their_names():
    runtime = pytest.importorskip("onnxruntime")
    onnx = pytest.importorskip("onnx")
    helper, kind = onnx.helper, onnx.TensorProto.FLOAT
    graph = helper.make_graph(
        [
            helper.make_node("MatMul", ["x", "x"], ["y"]),
            helper.make_node("Transpose", ["y"], ["t"]),
            helper.make_node("Exp", ["t"], ["z"]),
        ],
        "graph",
        [helper.make_tensor_value_info("x", kind, [4, 4])],
        [helper.make_tensor_value_info("z", kind, [4, 4])],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    session = runtime.InferenceSession(model.SerializeToString(), providers=[CPU])
    adapter, inputs = onnxruntime_adapter.create(), (np.eye(4, dtype=np.float32),)
    seen = onnxruntime.create().outputs_of_layers(session, lambda twin: adapter.bind(twin, inputs, {}))
    assert list(seen) == ["y", "z"]
    assert seen["y"].reshape(4, 4) == pytest.approx(np.eye(4))


def test_work_is_counted_in_multiply_adds():
    framework = pytest.importorskip("torch")
    model = framework.nn.Sequential(framework.nn.Linear(64, 32, bias=False), framework.nn.Tanh())
    with framework.inference_mode():
        assert torch.create().macs(model, lambda twin: lambda: twin(framework.zeros(8, 64))) == 8 * 64 * 32
        assert torch.create().macs(framework.nn.Tanh(), lambda twin: lambda: twin(framework.zeros(8))) is None
