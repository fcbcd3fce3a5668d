"""Everything that needs a real GPU, in one call of under nine minutes: figures beside their ground truth.

python -m benchmarks.gpu.run [--out benchmarks/results/gpu-NAME-DATE.md] [--small]

Needs torch and what pytest-aiperf needs; timm, transformers, torchao and triton where they are there. `--small` runs on
whatever is at hand, with tiny models: it shows that the script works, nothing else.
"""

from __future__ import annotations

import argparse
import datetime as dt
import platform
import subprocess
import time
import traceback
from collections.abc import Callable
from pathlib import Path

import torch

from benchmarks.gpu import leaks, memory, models, plugin, timing
from benchmarks.gpu.table import Bench

BUDGET_SECONDS = 420.0
SECTIONS: dict[str, Callable[[Bench], list[str]]] = {
    "Memory of known tensors": memory.known_tensors,
    "Latency by events, beside triton.testing.do_bench": timing.beside_do_bench,
    "What measuring costs per call": timing.overhead,
    "Models with random weights": models.everything,
    "The plugin as its users run it": plugin.as_users_see_it,
    "A leak on the device": leaks.on_the_device,
    "Unchanged code, and 5 % injected, in pairs": timing.pairs,
}


def main() -> None:
    """Run every section; one that fails is told, and the others go on."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--out", type=Path)
    arguments.add_argument("--small", action="store_true")
    options = arguments.parse_args()
    bench = Bench(device="cuda" if torch.cuda.is_available() else "cpu", small=options.small)
    if bench.device == "cpu" and not options.small:
        raise SystemExit("there is no GPU here; --small tries the script without one")
    lines = ["# On a real GPU", "", *about(bench)]
    start = time.monotonic()
    for title, section in SECTIONS.items():
        spent = time.monotonic() - start
        lines += ["", f"## {title}", ""]
        if spent > BUDGET_SECONDS:
            lines.append(f"Not run: {spent:.0f} s had gone by.")
            continue
        try:
            lines += section(bench)
        except Exception:  # noqa: BLE001 - the other sections of a machine that is lent for minutes must not be lost
            lines += ["Failed:", "", "```", traceback.format_exc().strip(), "```"]
        lines.append(f"\n({time.monotonic() - start - spent:.0f} s)")
    text = "\n".join(lines) + "\n"
    print(text)
    if options.out:
        options.out.parent.mkdir(parents=True, exist_ok=True)
        options.out.write_text(text, encoding="utf-8")


def about(bench: Bench) -> list[str]:
    """Machine, driver and versions."""
    name = torch.cuda.get_device_name() if bench.device == "cuda" else "no GPU"
    told = _driver() if bench.device == "cuda" else "-"
    versions = f"torch {torch.__version__}, CUDA {torch.version.cuda}, Python {platform.python_version()}"
    now = f"{dt.datetime.now(dt.timezone.utc):%Y-%m-%d %H:%M} UTC"
    return [f"{name}, driver {told}, {versions}, {now}{', small models' if bench.small else ''}."]


def _driver() -> str:
    asked = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
    return subprocess.run(asked, capture_output=True, text=True, check=False).stdout.strip() or "unknown"


if __name__ == "__main__":
    main()
