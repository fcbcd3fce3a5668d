"""ONNX Runtime's own profile and quantisation debugging: of a second session of the same model."""

from __future__ import annotations

import importlib.util
import json
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from statistics import median
from typing import Any

from pytest_aiperf.runtimes import onnx_file
from pytest_aiperf.vocabulary.contracts import Profiler

CALLS = 10
SAVED = "_ReshapedSavedOutput"
"""What the debugging adds to the name of each tensor that it makes an output."""
RESTORED = "_DequantizeLinear_Output"
"""What the quantiser adds to the name of what a tensor has become: before it, a fused ReLU has not clamped yet."""
MOVED = frozenset(["Reshape", "Transpose", "Split", "Squeeze", "Unsqueeze", "Flatten", "Identity", "Cast"])
"""Operators that compute nothing."""
KERNEL = "_kernel_time"
MICROSECOND = 1e-6
COPIED = ("intra_op_num_threads", "inter_op_num_threads", "graph_optimization_level", "execution_mode")


class OnnxRuntimeProfiler(Profiler):
    """Of inference sessions."""

    def operators(self, model: Any, bind: Callable[[Any], Callable[[], Any]]) -> dict[str, float] | None:
        """Seconds per call of each kind of operator, as the runtime fused and placed them.

        One that does not run on the session's first provider is told with the one that it runs on. None where the
        session does not remember its model.
        """
        source = onnx_file.source_of(model)
        if source is None:
            return None
        onnxruntime: Any = sys.modules["onnxruntime"]
        with tempfile.TemporaryDirectory(prefix="aiperf-") as folder:
            options, asked = onnxruntime.SessionOptions(), model.get_session_options()
            for name in COPIED:
                setattr(options, name, getattr(asked, name))
            options.enable_profiling = True
            options.profile_file_prefix = str(Path(folder) / "profile")
            session = onnxruntime.InferenceSession(source, options, providers=model.get_providers())
            call = bind(session)
            for _ in range(CALLS):
                call()
            events = json.loads(Path(session.end_profiling()).read_text(encoding="utf-8"))
        return summed(events, first_provider=model.get_providers()[0])

    def outputs_of_layers(self, model: Any, bind: Callable[[Any], Callable[[], Any]]) -> dict[str, Any]:
        """Name -> tensor that a node computes in float, of one inference, in the graph's order.

        With ONNX Runtime's own quantisation debugging, which needs the package `onnx`; empty without it. A quantised
        model keeps the names of its float tensors, so that the same node stands under the same name. Nothing is fused
        meanwhile.
        """
        source = onnx_file.source_of(model)
        if source is None or importlib.util.find_spec("onnx") is None:
            return {}
        import onnx
        from onnxruntime.quantization.qdq_loss_debug import modify_model_output_intermediate_tensors

        onnxruntime: Any = sys.modules["onnxruntime"]
        with tempfile.TemporaryDirectory(prefix="aiperf-") as folder:
            original, opened = Path(folder) / "original.onnx", Path(folder) / "opened.onnx"
            if isinstance(source, bytes):
                original.write_bytes(source)
            else:
                original = Path(source)
            modify_model_output_intermediate_tensors(original, opened, save_as_external_data=True)
            session = onnxruntime.InferenceSession(opened, providers=model.get_providers())
            names = [output.name for output in session.get_outputs()]
            values = dict(zip(names, bind(session)(), strict=True))
            nodes = onnx.load(original, load_external_data=False).graph.node
        computed = [name for node in nodes if node.op_type not in MOVED for name in node.output]
        found = {name: values.get(f"{name}{RESTORED}{SAVED}", values.get(f"{name}{SAVED}")) for name in computed}
        return {name: value for name, value in found.items() if value is not None}


create = OnnxRuntimeProfiler


def summed(events: list[Mapping[str, Any]], *, first_provider: str) -> dict[str, float]:
    """Of each node its median duration, added up by kind of operator."""
    durations: dict[tuple[str, str], list[float]] = {}
    for event in events:
        if event.get("cat") == "Node" and event.get("name", "").endswith(KERNEL):
            told = event["args"]
            provider = told.get("provider", first_provider)
            kind = told["op_name"] if provider == first_provider else f"{told['op_name']} on {provider}"
            durations.setdefault((event["name"], kind), []).append(event["dur"] * MICROSECOND)
    found: dict[str, float] = {}
    for (_, kind), seconds in durations.items():
        found[kind] = found.get(kind, 0.0) + median(seconds)
    return found
