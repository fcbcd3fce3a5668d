"""What an ONNX file says of its weights."""

from __future__ import annotations

import numpy as np
import pytest

from pytest_aiperf.runtimes import onnx_file

onnx = pytest.importorskip("onnx")


def model(**initialisers):
    from onnx import helper, numpy_helper

    value = helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [1])
    output = helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, [1])
    tensors = [numpy_helper.from_array(array, name) for name, array in initialisers.items()]
    graph = helper.make_graph([helper.make_node("Identity", ["x"], ["y"])], "g", [value], [output], tensors)
    return helper.make_model(graph)


PRUNED = np.array([[1, 0, 2, 0]], np.float32)
INT8 = np.array([1, 0, 3], np.int8)


def test_weights_are_counted_shapes_are_not():
    weights = onnx_file.weights(model(w=PRUNED, q=INT8, shape=np.array([4, 4], np.int64)).SerializeToString())
    assert (weights.parameters, weights.zeros) == (7, 3)
    assert weights.bytes == {"float32": 16, "int8": 3}


def test_weights_beside_the_file_count_too(tmp_path):
    file = tmp_path / "model.onnx"
    onnx.save(model(w=np.repeat(PRUNED, 500, axis=0)), file, save_as_external_data=True, location="weights.bin")
    assert onnx_file.weights(str(file)).zeros == 1000


def test_a_large_model_is_not_read(tmp_path, monkeypatch):
    file = tmp_path / "model.onnx"
    onnx.save(model(w=PRUNED), file)
    monkeypatch.setattr(onnx_file, "LARGEST_READ", 10)
    assert onnx_file.weights(str(file)) is None


def test_without_the_package_nothing_is_known(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "onnx", None)
    assert onnx_file.weights(b"") is None
