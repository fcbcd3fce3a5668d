"""The example project passes as it is committed, and turns red for the right reason where it is broken.

All four breakages, on this machine's own clock: benchmarks/example/run.py.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("onnxruntime", reason="the example project needs onnxruntime")

EXAMPLE = Path(__file__).parents[1] / "example_project"
MACHINES = Path(__file__).parent / "plugin" / "machines"
ONE = "test_onnx_variant and cnn_int8_static"

pytestmark = pytest.mark.slow


def run(tmp_path: Path, chosen: str, *options: str, **environ: str) -> tuple[int, dict[str, list[dict]], str]:
    """Exit code, node id -> verdicts, and output of `pytest --aiperf example_project -k chosen`."""
    report = tmp_path / "report.json"
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "--aiperf",
            str(EXAMPLE),
            "-k",
            chosen,
            f"--aiperf-report=json:{report}",
            *options,
        ],
        env={
            **os.environ,
            **environ,
            "TMPDIR": str(tmp_path),
            "PYTEST_PLUGINS": "calm_machine",
            "PYTHONPATH": str(MACHINES),
        },
        cwd=EXAMPLE.parent,
        capture_output=True,
        text=True,
        check=False,
    )
    results = json.loads(report.read_text(encoding="utf-8"))["results"]
    return done.returncode, {result["test"]: result["verdicts"] for result in results}, done.stdout


def test_it_passes_and_shows_every_kind_of_figure(tmp_path):
    chosen = f"({ONE}) or cnn_student or preprocessing or (throughput and dynamic)"
    code, verdicts, output = run(tmp_path, chosen, "--aiperf-seconds=0.02", "--aiperf-processes=1")
    assert code == 0, output
    seen = {row["metric"] for rows in verdicts.values() for row in rows}
    assert {"load_cold", "load_warm", "latency", "throughput", "ram", "model_size", "accuracy"} <= seen
    assert "INTERNALERROR" not in output


@pytest.mark.parametrize(
    ("breakage", "source"),
    [("fat", "max_ram_mb(200)"), ("inaccurate", "min_accuracy(0.97)")],
)
def test_it_turns_red_for_the_right_reason(tmp_path, breakage, source):
    code, verdicts, output = run(
        tmp_path, ONE, "--aiperf-processes=1", "--aiperf-seconds=0.02", "--aiperf-calls=5", DIGITS_BREAK=breakage
    )
    assert code == 1, output
    (rows,) = verdicts.values()
    assert source in {row["limit_source"] for row in rows if row["status"] == "over_limit"}
    assert source in output
