"""The example project, whole and broken in each of its four ways: every limit turns red for its own reason.

python benchmarks/example/run.py [--out benchmarks/results/example-MACHINE-DATE.md]

On this machine as it is, with its real clock: the limits are wide, the breakages gross.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

EXAMPLE = Path(__file__).parents[2] / "example_project"
ONE = "test_onnx_variant and cnn_int8_static"
BREAKAGES = {
    "slow": "max_latency_ms(15)",
    "fat": "max_ram_mb(200)",
    "inaccurate": "min_accuracy(0.97)",
    "slowload": "max_load_s(1.0)",
}


def main() -> int:
    """Write the table; 1 where a breakage was not seen, or seen for another reason."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--out", type=Path)
    options = arguments.parse_args()
    place, over, seconds = run("")
    rows, right = [f"| none | none | {', '.join(over) or 'none'} | {seconds:.0f} |"], not over
    for breakage, limit in BREAKAGES.items():
        _, over, seconds = run(breakage)
        rows.append(f"| {breakage} | {limit} | {', '.join(over) or 'none'} | {seconds:.0f} |")
        right = right and limit in over
    head = ["# The example project, broken", "", f"Machine class `{place}`; `benchmarks/example/run.py`.", ""]
    table = ["| broken | its limit | limits exceeded | seconds |", "| --- | --- | --- | ---: |", *rows]
    verdict = (
        "Every breakage was seen for its own reason." if right else "NOT every breakage was seen for its own reason."
    )
    text = "\n".join([*head, *table, "", verdict])
    print(text)
    if options.out:
        options.out.write_text(text + "\n", encoding="utf-8")
    return 0 if right else 1


def run(breakage: str) -> tuple[str, list[str], float]:
    """Machine class, limits that were exceeded, and seconds of one run of one variant."""
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        command = [
            sys.executable,
            "-m",
            "pytest",
            "--aiperf",
            str(EXAMPLE),
            "-k",
            ONE,
            f"--aiperf-report=json:{report}",
        ]
        options = ["--aiperf-processes=1", "--aiperf-seconds=0.1", "--aiperf-calls=5"]
        environ = {**os.environ, "DIGITS_BREAK": breakage, "TMPDIR": folder}
        done = subprocess.run(
            [*command, *options], env=environ, cwd=EXAMPLE.parent, capture_output=True, text=True, check=False
        )
        if not report.is_file():
            raise SystemExit(done.stdout + done.stderr)
        told = json.loads(report.read_text(encoding="utf-8"))
    verdicts = [row for result in told["results"] for row in result["verdicts"]]
    over = dict.fromkeys(row["limit_source"] for row in verdicts if row["status"] == "over_limit")
    return told["environment"]["key"], list(over), time.monotonic() - began


if __name__ == "__main__":
    raise SystemExit(main())
