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
    optimise: str = ""
    """Function in `optimising.py` that is applied after loading."""

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
    "cnn_sparse": Variant(file="cnn.pt", runtime="torch", architecture="Cnn", optimise="zero_small_weights"),
    "cnn_int8_weights": Variant(file="cnn.pt", runtime="torch", architecture="Cnn", optimise="int8_weights"),
    "cnn_compiled": Variant(file="cnn.pt", runtime="torch", architecture="Cnn", optimise="compiled"),
    "vit_pruned": Variant(file="vit_pruned.pt", runtime="torch", architecture="Vit", options={"hidden": 256}),
    "vit_student": Variant(
        file="vit_student.pt",
        runtime="torch",
        architecture="Vit",
        options={"width": 64, "heads": 2, "depth": 1, "hidden": 128},
    ),
    "vit_low_rank": Variant(file="vit_low_rank.pt", runtime="torch", architecture="Vit", options={"rank": 32}),
    "vit_sparse": Variant(file="vit.pt", runtime="torch", architecture="Vit", optimise="zero_small_weights"),
    "vit_int8_weights": Variant(file="vit.pt", runtime="torch", architecture="Vit", optimise="int8_weights"),
    "vit_compiled": Variant(file="vit.pt", runtime="torch", architecture="Vit", optimise="compiled"),
    "vit_onnx": Variant(file="vit.onnx", runtime="onnxruntime"),
    "vit_int8_static": Variant(file="vit_int8_static.onnx", runtime="onnxruntime"),
}
