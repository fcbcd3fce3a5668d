"""Each report file against a golden one, and against the tools that read it."""

from __future__ import annotations

import csv as csv_reader
import dataclasses
import io
import json as strict_json
import math
import subprocess
import sys
from pathlib import Path

import pytest

from pytest_aiperf.reporting import junit
from pytest_aiperf.reporting.reporters import csv, json, markdown, pytest_benchmark
from pytest_aiperf.vocabulary import codec
from pytest_aiperf.vocabulary.records import Measurement, Result, Run, Sample
from pytest_aiperf.vocabulary.terms import Origin, Status, Unit
from tests.reporting.reporters.golden_files import FOLDER, assert_golden
from tests.reporting.reporters.realistic import INT8, RUN, result, verdict

RECORDED = strict_json.loads((FOLDER / "recorded_by_pytest_benchmark_5_3_1.json").read_text(encoding="utf-8"))


def measured(*samples: Sample, test: str = "a.py::TestA::test_x[n::1-b]", label: str = "") -> Run:
    measurement = Measurement(test=test, label=label, samples=samples, taken_at="")
    return dataclasses.replace(
        RUN, results=(Result(test=test, outcome="passed", environment="", measurements=(measurement,), verdicts=()),)
    )


def benchmarks(run: Run) -> list[dict]:
    return strict_json.loads(pytest_benchmark.create().render(run))["benchmarks"]


def latencies(*values: float, origin: Origin = Origin.IN_PROCESS) -> Sample:
    return Sample(metric="latency", values=values, origin=origin)


class TestMarkdown:
    def test_it_shows_a_realistic_run(self):
        assert_golden("report.md", markdown.create().render(RUN))

    def test_it_escapes_what_would_break_a_table(self):
        odd = verdict("latency", Status.REGRESSED, label="a|b*", message="x | y <z>\nw", now=1.0, fails=True)
        text = markdown.create().render(dataclasses.replace(RUN, results=(result("t.py::t[a|`b]", odd),)))
        row = next(line for line in text.splitlines() if "REGRESSED" in line)
        assert row.replace("\\|", "").count("|") == 8
        assert "`t.py::t[a\\|'b]`" in row
        assert "a\\|b\\*: latency p50" in row
        assert "x \\| y &lt;z> w" in row

    def test_it_stays_below_the_size_at_which_github_drops_it(self):
        long = verdict("latency", Status.REGRESSED, message="12 pairs against main@1a2b3c4", now=1.0, fails=True)
        many = tuple(result(f"tests/test_zoo.py::test_model[{number}]", long) for number in range(5000))
        text = markdown.create().render(dataclasses.replace(RUN, results=many))
        assert len(text.encode()) < 1024**2
        assert "4000 more rows are left out here" in text

    def test_it_says_that_nothing_failed(self):
        text = markdown.create().render(dataclasses.replace(RUN, results=RUN.results[1:2]))
        assert text.startswith("### aiperf: 1 test, none failed\n")


class TestCsv:
    def test_it_shows_a_realistic_run(self):
        assert_golden("report.csv", csv.create().render(RUN))

    def test_it_has_a_row_per_verdict_in_full_precision(self):
        lines = list(csv_reader.DictReader(io.StringIO(csv.create().render(RUN))))
        verdicts = [verdict for entry in RUN.results for verdict in entry.verdicts]
        assert len(lines) == len(verdicts)
        assert [float(line["now"]) for line in lines if line["now"] and line["now"] != "nan"] == [
            verdict.now for verdict in verdicts if verdict.now is not None and not math.isnan(verdict.now)
        ]
        assert lines[0]["unit"] == "s"


class TestJson:
    def test_it_shows_a_realistic_run(self):
        pretty = strict_json.dumps(strict_json.loads(json.create().render(RUN)), indent=1)
        assert_golden("report.json", pretty + "\n")

    def test_it_holds_the_whole_run_with_its_raw_samples(self):
        text = json.create().render(RUN)
        assert repr(codec.decode_run(text.encode())) == repr(RUN)

    def test_it_is_read_by_strict_parsers(self):
        def refuse(word: str) -> None:
            raise AssertionError(f"{word} is not JSON")

        content = strict_json.loads(json.create().render(RUN), parse_constant=refuse)
        assert content["format"] == codec.FORMAT


class TestPytestBenchmark:
    def test_it_shows_a_realistic_run(self):
        def nine_digits(number: str) -> float:
            return float(f"{float(number):.9g}")  # the last ones differ between versions of Python's `statistics`

        content = strict_json.loads(pytest_benchmark.create().render(RUN), parse_float=nine_digits)
        assert_golden("pytest_benchmark.json", strict_json.dumps(content, indent=1) + "\n")

    def test_it_has_the_keys_of_a_real_file(self):
        ours = strict_json.loads(pytest_benchmark.create().render(RUN))
        assert list(ours) == list(RECORDED)
        for part in ("machine_info", "commit_info"):
            assert list(ours[part]) == list(RECORDED[part])
        assert list(ours["benchmarks"][0]) == list(RECORDED["benchmarks"][0])
        for part in ("options", "stats"):
            assert list(ours["benchmarks"][0][part]) == list(RECORDED["benchmarks"][0][part])

    @pytest.mark.parametrize("recorded", RECORDED["benchmarks"], ids=lambda bench: f"{bench['stats']['rounds']} rounds")
    def test_it_has_the_figures_of_a_real_file(self, recorded):
        expected = {**recorded["stats"], "iterations": 1}
        (ours,) = benchmarks(measured(latencies(*expected["data"])))
        assert ours["stats"] == {
            key: pytest.approx(value, rel=1e-9) if isinstance(value, float) else value
            for key, value in expected.items()
        }

    def test_it_names_benchmarks_after_test_label_and_metric(self):
        load = Sample(metric="load_warm", values=(1.0,), origin=Origin.FRESH)
        names = [bench["fullname"] for bench in benchmarks(measured(latencies(1.0), load))]
        assert names == ["a.py::TestA::test_x[n::1-b]", "a.py::TestA::test_x[n::1-b] (load_warm)"]
        labelled = benchmarks(measured(latencies(1.0), load, label="onnx"))
        assert [bench["name"] for bench in labelled] == ["test_x[n::1-b] (onnx)", "test_x[n::1-b] (onnx, load_warm)"]
        assert labelled[0]["param"] == "n::1-b"

    def test_it_leaves_out_what_is_no_time_and_what_has_no_value(self):
        samples = (Sample(metric="ram", values=(1.0,)), latencies(), latencies(math.nan))
        assert benchmarks(measured(*samples)) == []

    def test_it_takes_latency_from_the_tests_own_process(self):
        (only,) = benchmarks(measured(latencies(9.0, 9.0, 9.0, origin=Origin.FRESH), latencies(1.0, math.nan)))
        assert only["stats"]["data"] == [1.0]

    def test_it_survives_one_round_of_no_duration(self):
        (only,) = benchmarks(measured(latencies(0.0)))
        assert (only["stats"]["ops"], only["stats"]["stddev"]) == (0.0, 0.0)

    def test_it_is_read_by_pytest_benchmark_itself(self, tmp_path: Path):
        pytest.importorskip("pytest_benchmark", reason="pytest-benchmark is not installed: its reader is not tried")
        file = tmp_path / "0001_aiperf.json"
        file.write_text(pytest_benchmark.create().render(RUN), encoding="utf-8")
        command = [sys.executable, "-m", "pytest_benchmark", "compare", str(file), f"--csv={tmp_path / 'out.csv'}"]
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
        assert done.returncode == 0, done.stdout + done.stderr
        assert "test_int8" in (tmp_path / "out.csv").read_text(encoding="utf-8")


class TestJunit:
    def test_it_names_figures_with_metric_percentile_and_unit(self):
        assert_golden("junit.txt", "".join(f"{name} = {value}\n" for name, value in junit.properties(INT8)))

    def test_it_puts_the_label_before_the_metric(self):
        labelled = result("t.py::t", verdict("latency", Status.NEW, label="onnx", title="latency p99.9", now=0.25))
        assert junit.properties(labelled) == [
            ("aiperf.onnx.latency_p99.9_s", "0.25"),
            ("aiperf.onnx.latency_p99.9.status", "new"),
        ]

    def test_it_has_no_number_for_what_is_unmeasured(self):
        missing = result("t.py::t", verdict("gpu_allocated", Status.UNMEASURED))
        assert junit.properties(missing) == [("aiperf.gpu_allocated.status", "unmeasured")]

    @pytest.mark.parametrize("unit", Unit)
    def test_it_names_figures_of_every_unit(self, unit):
        odd = dataclasses.replace(verdict("accuracy", Status.PASSED, now=0.5), unit=unit)
        (name, number), _ = junit.properties(result("t.py::t", odd))
        assert name.startswith("aiperf.accuracy")
        assert number == "0.5"

    def test_its_numbers_are_plain(self):
        odd = result("t.py::t", verdict("accuracy", Status.ANOMALOUS, now=math.nan))
        assert ("aiperf.accuracy", "nan") in junit.properties(odd)
