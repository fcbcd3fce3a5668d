"""ONNX Runtime's own profile: kernel by kernel, of a second session of the same model."""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from statistics import median
from typing import Any

CALLS = 10
KERNEL = "_kernel_time"
MICROSECOND = 1e-6
COPIED = ("intra_op_num_threads", "inter_op_num_threads", "graph_optimization_level", "execution_mode")


def operators(model: Any, bind: Callable[[Any], Callable[[], Any]]) -> dict[str, float] | None:
    """Seconds per call of each kind of operator, as the runtime fused and placed them; None where it cannot be said.

    One that does not run on the session's first provider is told with the one that it runs on. `bind(session)` makes
    one inference of a session.
    """
    source = getattr(model, "_model_path", None) or getattr(model, "_model_bytes", None)
    if not source:
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
