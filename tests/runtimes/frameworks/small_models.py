"""A small model of each runtime with inputs for it, for the contract suite: add a line to `SMALL` with a framework."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

Small = tuple[Any, tuple[Any, ...]]


def onnx_bytes() -> bytes:
    """Add a vector of weights to rows of four."""
    pytest.importorskip("onnx")
    from onnx import TensorProto, helper

    rows = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", 4]) for name in ("x", "y")]
    graph = helper.make_graph(
        [helper.make_node("Add", ["x", "w"], ["y"])],
        "add",
        rows[:1],
        rows[1:],
        [helper.make_tensor("w", TensorProto.FLOAT, [4], struct.pack("<4f", 1, 2, 3, 4), raw=True)],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    return model.SerializeToString()


def of_torch() -> Small:
    import torch

    return torch.nn.Linear(4, 4).eval(), (torch.ones(2, 4),)


def of_onnxruntime() -> Small:
    import numpy as np
    import onnxruntime

    session = onnxruntime.InferenceSession(onnx_bytes(), providers=["CPUExecutionProvider"])
    return session, (np.ones((2, 4), np.float32),)


def of_plain() -> Small:
    return sum, ([1, 2, 3],)


SMALL: dict[str, Callable[[], Small]] = {
    "torch": of_torch,
    "onnxruntime": of_onnxruntime,
    "plain": of_plain,
}
