"""A process that has imported what every pytest needs, and becomes one for each line that it reads.

A story runs dozens of them; half a second each goes into imports. Nothing of pytest-aiperf or of the story is imported
here. Each line is a JSON object: `arguments`, `directory`, `environ`, `output` and `errors` (files); the answer to it
is the exit code.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import sys
import tempfile

READY = (
    "asyncio",
    "filelock",
    "msgspec",
    "numpy",
    "psutil",
    "pynvml",
    "scipy.special",
    "sqlite3",
    "xml.etree.ElementTree",
)


def main() -> int:
    """Fork for every order; in the forked process, what pytest gives back."""
    import pytest
    from _pytest.config import default_plugins

    for name in (*READY, *(f"_pytest.{plugin}" for plugin in default_plugins)):
        importlib.import_module(name)
    gc.collect()
    gc.freeze()
    while line := sys.stdin.readline():
        pid = os.fork()
        if pid == 0:
            become(json.loads(line))
            return int(pytest.main())
        _, status = os.waitpid(pid, 0)
        sys.stdout.write(f"{os.waitstatus_to_exitcode(status)}\n")
        sys.stdout.flush()
    return 0


def become(order: dict) -> None:
    """Stand where `python -m pytest` would have been started."""
    os.chdir(order["directory"])
    os.environ.clear()
    os.environ.update(order["environ"])
    tempfile.tempdir = None
    sys.argv = ["pytest", *order["arguments"]]
    sys.path[:1] = [order["directory"], *filter(None, order["environ"].get("PYTHONPATH", "").split(os.pathsep))]
    for stream, name in ((1, "output"), (2, "errors")):
        file = os.open(order[name], os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(file, stream)
        os.close(file)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)


if __name__ == "__main__":
    raise SystemExit(main())
