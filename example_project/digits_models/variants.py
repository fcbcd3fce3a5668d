"""The shelf of variants: name -> file, runtime and, for torch, how the module is built."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

WEIGHTS = Path(__file__).parent / "weights"


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """One way to run one of the two models."""

    file: str
    runtime: str
    """The module that has to be imported: `torch` or `onnxruntime`."""
    architecture: str = ""
    """Class in `models.py`; empty for ONNX files, which bring their own graph."""
    options: Mapping[str, object] = field(default_factory=dict)
    dtype: str = "float32"

    @property
    def path(self) -> Path:
        """Where the weights lie."""
        return WEIGHTS / self.file


VARIANTS = {
    "cnn_fp32": Variant(file="cnn.pt", runtime="torch", architecture="Cnn"),
    "cnn_bf16": Variant(file="cnn.pt", runtime="torch", architecture="Cnn", dtype="bfloat16"),
    "cnn_pruned": Variant(
        file="cnn_pruned.pt", runtime="torch", architecture="Cnn", options={"channels": (16, 32), "hidden": 128}
    ),
    "cnn_student": Variant(
        file="cnn_student.pt", runtime="torch", architecture="Cnn", options={"channels": (8, 16), "hidden": 32}
    ),
    "cnn_low_rank": Variant(file="cnn_low_rank.pt", runtime="torch", architecture="Cnn", options={"rank": 16}),
    "cnn_onnx": Variant(file="cnn.onnx", runtime="onnxruntime"),
    "cnn_int8_static": Variant(file="cnn_int8_static.onnx", runtime="onnxruntime"),
    "cnn_int8_dynamic": Variant(file="cnn_int8_dynamic.onnx", runtime="onnxruntime"),
    "vit_fp32": Variant(file="vit.pt", runtime="torch", architecture="Vit"),
    "vit_bf16": Variant(file="vit.pt", runtime="torch", architecture="Vit", dtype="bfloat16"),
    "vit_int8_static": Variant(file="vit_int8_static.onnx", runtime="onnxruntime"),
}
