"""ONNX Runtime: feeds, sizes and facts of real sessions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

onnxruntime = pytest.importorskip("onnxruntime", reason="onnxruntime is not installed", exc_type=ImportError)
np = pytest.importorskip("numpy")

from pytest_aiperf.runtimes.frameworks.onnxruntime import create  # noqa: E402
from pytest_aiperf.vocabulary.errors import UsageError  # noqa: E402
from tests.runtimes.frameworks.small_models import onnx_bytes  # noqa: E402

if TYPE_CHECKING:
    from pathlib import Path


CPU = "CPUExecutionProvider"


def two_inputs() -> Any:
    """Make a model with two inputs: total = a + b, double = a + a."""
    onnx = pytest.importorskip("onnx")
    helper, number = onnx.helper, onnx.TensorProto.FLOAT
    vectors = {name: helper.make_tensor_value_info(name, number, [2]) for name in ("a", "b", "total", "double")}
    nodes = [helper.make_node("Add", ["a", "b"], ["total"]), helper.make_node("Add", ["a", "a"], ["double"])]
    graph = helper.make_graph(nodes, "two", [vectors["a"], vectors["b"]], [vectors["total"], vectors["double"]])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    return session(model.SerializeToString())


def session(model: bytes | str | None = None, **options: Any) -> Any:
    return onnxruntime.InferenceSession(onnx_bytes() if model is None else model, **{"providers": [CPU], **options})


A, B = np.array([1, 2], np.float32), np.array([10, 20], np.float32)


@pytest.mark.parametrize(
    ("inputs", "options"),
    [
        ((A, B), {}),
        (({"b": B, "a": A},), {}),
        ((), {"b": B, "a": A}),
        ((A,), {"b": B}),
        (({"a": A},), {"b": B}),
    ],
    ids=["by order", "a feed", "by name", "order and name", "feed and name"],
)
def test_inputs_find_their_names(inputs: tuple[Any, ...], options: dict[str, Any]) -> None:
    """It matches arrays by order or by name, and returns what the session returns."""
    total, double = create().bind(two_inputs(), inputs, options)()
    assert total.tolist() == [11, 22]
    assert double.tolist() == [2, 4]


@pytest.mark.parametrize(("outputs", "expected"), [("double", [[2, 4]]), (["double", "total"], [[2, 4], [11, 22]])])
def test_outputs_can_be_chosen(outputs: str | list[str], expected: list[list[float]]) -> None:
    """It computes only the outputs that were asked for, in that order."""
    results = create().bind(two_inputs(), (A, B), {"outputs": outputs})()
    assert [result.tolist() for result in results] == expected


@pytest.mark.parametrize(
    ("inputs", "options", "complaint"),
    [
        ((A, B, A), {}, "3 arrays were given"),
        ((A,), {}, "'b' missing"),
        ((A, B), {"c": A}, "no input 'c'"),
        ((A, B), {"a": A}, "'a' given twice"),
        (({"a": A, "x": B},), {}, "no input 'x'"),
    ],
)
def test_wrong_inputs_are_answered_with_the_right_ones(
    inputs: tuple[Any, ...], options: dict[str, Any], complaint: str
) -> None:
    """It says what is wrong, and lists the model's inputs with type and shape."""
    with pytest.raises(UsageError) as raised:
        create().bind(two_inputs(), inputs, options)
    inputs_named = "its inputs are: a tensor(float) [2], b tensor(float) [2]"
    assert str(raised.value) == f"aiperf.infer of an ONNX model: {complaint}; {inputs_named}"


def test_a_wrong_output_is_answered_with_the_right_ones() -> None:
    """It lists the model's outputs."""
    with pytest.raises(UsageError, match="no output 'sum'; there are: total, double"):
        create().bind(two_inputs(), (A, B), {"outputs": "sum"})


def test_tensors_become_arrays_before_the_timed_call() -> None:
    """It converts tensors of torch once, gradients and all."""
    torch = pytest.importorskip("torch", reason="torch is not installed")
    x = torch.ones(2, 4, requires_grad=True)
    call = create().bind(session(), (x,), {})
    with torch.no_grad():
        x += 1  # the array shares the tensor's memory: were it converted anew in each call, nothing would differ
    assert call()[0][0].tolist() == [3, 4, 5, 6]


def test_a_type_without_array_is_named() -> None:
    """It says which input has a type that numpy lacks."""
    torch = pytest.importorskip("torch", reason="torch is not installed")
    with pytest.raises(UsageError, match=r"input 'x' is torch.bfloat16, which numpy does not have"):
        create().bind(session(), (torch.ones(2, 4, dtype=torch.bfloat16),), {})


def test_the_size_is_that_of_the_file(tmp_path: Path) -> None:
    """It counts the model file, and remembers where it lies."""
    path = tmp_path / "add.onnx"
    path.write_bytes(onnx_bytes())
    model = session(str(path))
    assert create().files(model) == (path,)
    assert create().size(model) == len(onnx_bytes())


@pytest.mark.parametrize("name", ["weights.bin", "w" * 200 + ".bin"], ids=["short", "long"])
def test_external_weights_count(tmp_path: Path, name: str) -> None:
    """It finds the files beside the model that hold its large tensors, whatever they are called."""
    onnx = pytest.importorskip("onnx")
    path = tmp_path / "add.onnx"
    onnx.save_model(
        onnx.load_from_string(onnx_bytes()),
        path,
        save_as_external_data=True,
        location=name,
        size_threshold=0,
        convert_attribute=False,
    )
    assert set(tmp_path.iterdir()) == {path, tmp_path / name}
    model = session(str(path))
    assert create().files(model) == (path, tmp_path / name)
    assert create().size(model) == path.stat().st_size + (tmp_path / name).stat().st_size


def test_a_model_from_memory_has_a_size_and_no_file() -> None:
    """It counts the bytes that the session was built from."""
    assert create().files(session()) == ()
    assert create().size(session()) == len(onnx_bytes())


def test_a_file_that_is_gone_has_no_size(tmp_path: Path) -> None:
    """It does not invent the size of a deleted file."""
    path = tmp_path / "add.onnx"
    path.write_bytes(onnx_bytes())
    model = session(str(path))
    path.unlink()
    assert create().files(model) == ()
    assert create().size(model) is None


def test_it_says_how_the_session_runs() -> None:
    """It gives providers, threads, optimisation level and the copies."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    assert create().facts(session(sess_options=options)) == {
        "providers": CPU,
        "intra-op threads": "1",
        "inter-op threads": "0 (the runtime's choice)",
        "graph optimisation": "ORT_DISABLE_ALL",
        "io": "inputs and outputs copied each call",
    }
