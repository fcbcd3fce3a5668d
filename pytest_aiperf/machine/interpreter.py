"""The Python that runs the tests: how it is called, and who watches it."""

from __future__ import annotations

import sys
import sysconfig
from collections.abc import Callable
from typing import Any

_MONITORS = 6
"""Places of `sys.monitoring`."""


def name() -> str:
    """Python x.y, with what makes another interpreter of it: `3.13t`, `pypy 3.11`."""
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    if sysconfig.get_config_var("Py_GIL_DISABLED"):
        version += "t"
    return version if sys.implementation.name == "cpython" else f"{sys.implementation.name} {version}"


def watchers(tracer: Callable[[], object], monitoring: Any) -> tuple[str, ...]:
    """Who watches each executed line and so slows Python down; `monitoring` is `sys.monitoring`, where there is one."""
    tracing = ("a trace function is set (debugger or coverage)",) if tracer() is not None else ()
    tools = (monitoring.get_tool(number) for number in range(_MONITORS)) if monitoring is not None else ()
    return (*tracing, *(f"sys.monitoring is used by {tool}" for tool in tools if tool))
