"""Optimisations that went wrong, each told with its reason in the first three lines of its failure."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

pytest.importorskip("torch")
pytest.importorskip("onnxruntime")
pytest.importorskip("onnx")
pytestmark = pytest.mark.slow

EXAMPLE = Path(__file__).parents[2] / "example_project"
SETUP = f"""
import copy, sys
sys.path.insert(0, {str(EXAMPLE)!r})

import numpy as np
import pytest
from digits_models.data import held_out, preprocess
from digits_models.loading import load
from digits_models.variants import VARIANTS

images, labels = held_out()
images = preprocess(images)
batches = [images[start : start + 90] for start in range(0, 540, 90)]
"""
TIMED = """
import numpy as np
import onnxruntime
import pytest
from exact_clock import nap

class Timed(onnxruntime.InferenceSession):
    seconds = 0.002

    def run(self, *arguments, **more):
        nap(self.seconds)
        return super().run(*arguments, **more)

def session(source, optimise=True, providers=("CPUExecutionProvider",), seconds=0.002):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 4
    if not optimise:
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    made = Timed(source, options, providers=list(providers))
    made.seconds = seconds
    return made
"""
ACCURACY = """
import onnx
from onnx import numpy_helper
from timed import session

@pytest.mark.aiperf(max_slowdown=9)
def test_broken_scale(aiperf):
    model = onnx.load(VARIANTS["cnn_int8_static"].path)
    (scale,) = (one for one in model.graph.initializer if one.name == "dense.weight_scale")
    scale.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(scale) * np.float32(8), scale.name))
    aiperf.compare(session(str(VARIANTS["cnn_onnx"].path)), session(model.SerializeToString()), batches, labels)

@pytest.mark.aiperf(max_slowdown=9)
def test_wrong_provider(aiperf):
    path = str(VARIANTS["cnn_onnx"].path)
    asked = ("CUDAExecutionProvider", "CPUExecutionProvider")
    aiperf.compare(session(path), session(path, providers=asked), batches, labels)
"""
SPEED = """
import numpy as np
import pytest
from timed import session

def test_nothing_fused(aiperf):
    images = [np.linspace(0, 1, 90 * 64, dtype=np.float32).reshape(90, 1, 8, 8)] * 2
    aiperf.compare(session("int8.onnx"), session("int8.onnx", optimise=False, seconds=0.003), images)

@pytest.mark.max_memory_ratio(1.3)
def test_float64_leak(aiperf):
    wide = session("float64.onnx", seconds=0.004)
    aiperf.compare(session("float32.onnx"), wide, np.ones((64, 768), np.float32))
"""


def dense(dtype: type) -> bytes:
    """Two products of 768 x 768; in float64 where somebody has forgotten a dtype."""
    import numpy as np
    import onnx
    from onnx import helper, numpy_helper

    random = np.random.default_rng(1)
    value = {np.float32: onnx.TensorProto.FLOAT, np.float64: onnx.TensorProto.DOUBLE}[dtype]
    weights = [random.normal(0, 0.04, (768, 768)).astype(dtype) for _ in range(2)]
    graph = helper.make_graph(
        [
            helper.make_node("Cast", ["x"], ["wide"], to=value),
            helper.make_node("MatMul", ["wide", "w0"], ["h"]),
            helper.make_node("MatMul", ["h", "w1"], ["answer"]),
            helper.make_node("Cast", ["answer"], ["y"], to=onnx.TensorProto.FLOAT),
        ],
        "dense",
        [helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, ["n", 768])],
        [helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, ["n", 768])],
        [numpy_helper.from_array(weight, f"w{place}") for place, weight in enumerate(weights)],
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    return made.SerializeToString()


TORCH = """
import torch
from torch.nn.utils import prune

@pytest.mark.aiperf(max_slowdown=9)
def test_shuffled_labels(aiperf):
    from digits_models.models import Cnn

    torch.manual_seed(0)
    student = Cnn(channels=(8, 16), hidden=32)
    optimiser = torch.optim.Adam(student.parameters())
    shuffled = torch.from_numpy(labels).long()[torch.randperm(len(labels))]
    for _ in range(20):
        optimiser.zero_grad()
        torch.nn.functional.cross_entropy(student(torch.from_numpy(images)), shuffled).backward()
        optimiser.step()
    aiperf.compare(load("cnn_fp32"), student.eval(), batches, labels)

@pytest.mark.aiperf(max_slowdown=9)
def test_pruned_without_fine_tuning(aiperf):
    model = load("cnn_fp32")
    for layer in (model.conv1, model.conv2, model.dense):
        prune.l1_unstructured(layer, "weight", amount=0.95)
        prune.remove(layer, "weight")
    aiperf.compare(load("cnn_fp32"), model, batches, labels)
"""


def heads(output: str) -> dict[str, list[str]]:
    """Test -> the first lines of its failure, each joined with its continuations."""
    found = {}
    for block in output.split("\n____")[1:]:
        name = block.partition(" ")[2].split()[0]
        lines = block.splitlines()[1:]
        start = next(place for place, line in enumerate(lines) if line.startswith("aiperf: "))
        told: list[str] = []
        for line in lines[start:]:
            indent = len(line) - len(line.lstrip())
            if told and indent in (4, 6) and not line.strip().startswith("why:") and told[-1].startswith("why:"):
                told[-1] += " " + line.strip()
            else:
                told.append(line.strip())
        found[name] = told[:3]
    return found


def test_onnx_runtime_tells_what_went_wrong(project):
    project.runs_on("calm_machine", "exact_clock")
    import numpy as np

    project.write("timed.py", TIMED)
    project.write("test_accuracy.py", SETUP + ACCURACY)
    project.write("test_speed.py", SPEED)
    for name, dtype in (("float32.onnx", np.float32), ("float64.onnx", np.float64)):
        (project.root / name).write_bytes(dense(dtype))
    (weights,) = (EXAMPLE / "digits_models" / "weights").glob("cnn_int8_static*.onnx")
    shutil.copy(weights, project.root / "int8.onnx")
    result = project.pytest("--aiperf", "--aiperf-pairs-budget=300")
    result.assert_outcomes(failed=4)
    told = heads(result.stdout.str())
    assert told["test_float64_leak"][0] == "aiperf: memory ratio over limit, latency p50 regressed"
    assert "of its weights are float64, twice the work and bytes of float32" in told["test_float64_leak"][2]
    assert told["test_broken_scale"][0] == "aiperf: accuracy regressed"
    assert told["test_broken_scale"][2].startswith("why: its layers leave the reference first at relu_2 (")
    assert told["test_nothing_fused"][0] == "aiperf: latency p50 regressed"
    unfused = "why: its graph optimisation: ORT_DISABLE_ALL, of the reference: ORT_ENABLE_ALL"
    assert told["test_nothing_fused"][2] == unfused
    assert told["test_wrong_provider"][0] == "aiperf: anomaly anomalous"
    assert "asked for CUDAExecutionProvider, runs on CPUExecutionProvider" in " ".join(told["test_wrong_provider"])


def test_torch_tells_what_went_wrong(project):
    project.write("test_model.py", SETUP + TORCH)
    result = project.pytest("--aiperf", "--aiperf-pairs-budget=2")
    result.assert_outcomes(failed=2)
    told = heads(result.stdout.str())
    assert "accuracy regressed" in told["test_shuffled_labels"][0]
    assert told["test_shuffled_labels"][2].endswith("it has learnt nothing")
    assert "accuracy regressed" in told["test_pruned_without_fine_tuning"][0]
    assert told["test_pruned_without_fine_tuning"][2].startswith("why: 94% of its weights are 0 (reference 0%)")
