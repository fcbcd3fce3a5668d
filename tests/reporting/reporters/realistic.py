"""A run as a team would see it: every status, labels, several units, a long reason."""

from __future__ import annotations

import math

from pytest_aiperf.vocabulary.records import Change, Environment, Interval, Measurement, Result, Run, Sample, Verdict
from pytest_aiperf.vocabulary.terms import Origin, Status, Unit

MIB = 1024.0**2
KEY = "xeon-8375c-2c-linux-py311-torch2.13"
TITLES = {
    "latency": ("latency p50", Unit.SECONDS),
    "throughput": ("throughput", Unit.PER_SECOND),
    "load_warm": ("load time, warm", Unit.SECONDS),
    "load_cold": ("load time, cold", Unit.SECONDS),
    "ram": ("peak memory", Unit.BYTES),
    "gpu_allocated": ("GPU memory, allocated", Unit.BYTES),
    "model_size": ("model size", Unit.BYTES),
    "accuracy": ("accuracy", Unit.FRACTION),
    "perplexity": ("perplexity", Unit.NUMBER),
}


def verdict(metric: str, status: Status, **fields) -> Verdict:
    title, unit = TITLES[metric]
    known = {"label": "", "metric": metric, "title": title, "unit": unit, "status": status, "reason": status.value}
    return Verdict(**{**known, **fields})


def interval(low: float, mid: float, high: float) -> Interval:
    return Interval(low=low, mid=mid, high=high, confidence=0.99)


def exactly(change: float) -> Interval:
    return interval(change, change, change)


def result(test: str, *verdicts: Verdict, samples: tuple[Sample, ...] = (), **fields) -> Result:
    measurement = Measurement(test=test, label="", samples=samples, taken_at="2026-11-20T10:00:00Z", **fields)
    return Result(
        test=test, outcome="passed", environment=KEY, measurements=(measurement,), verdicts=verdicts, seconds=6.9
    )


REGRESSED_LATENCY = verdict(
    "latency",
    Status.REGRESSED,
    reason="slower_in_pairs",
    message="10 pairs against main@1a2b3c4",
    now=4.10e-3,
    baseline=2.07e-3,
    worse_by=interval(0.91, 0.98, 1.04),
    limit=0.05,
    notes=("slower because: 12 of 53 nodes fell back to CPUExecutionProvider",),
    fails=True,
)
REGRESSED_ACCURACY = verdict(
    "accuracy",
    Status.REGRESSED,
    reason="newly_wrong",
    message="31 newly wrong, 5 newly right, p = 0.00001",
    now=0.912,
    baseline=0.938,
    worse_by=exactly(0.026),
    limit=0.01,
    fails=True,
)
OVER_MEMORY = verdict(
    "ram",
    Status.OVER_LIMIT,
    reason="over_limit",
    now=612 * MIB,
    limit=500 * MIB,
    limit_source="max_ram_mb(500)",
    fails=True,
)


def no_baseline(metric: str, test: str, now: float) -> Verdict:
    remedy = f"record one: pytest --aiperf-update {test}"
    return verdict(metric, Status.NEW, reason="no_baseline", message="no baseline", remedy=remedy, now=now)


def no_sessions(test: str) -> Verdict:
    return verdict(
        "latency",
        Status.INCONCLUSIVE,
        reason="other_machine",
        message=f"no sessions on this machine class ({KEY}), 2 other classes known",
        remedy=f"record some here: pytest --aiperf-update {test}",
        now=3e-3,
    )


INT8 = result(
    "tests/test_resnet.py::test_int8",
    REGRESSED_LATENCY,
    verdict(
        "latency",
        Status.PASSED,
        title="latency p95",
        reason="within_limit",
        now=5.31e-3,
        limit=8e-3,
        limit_source="max_latency_ms(8)",
    ),
    verdict(
        "throughput",
        Status.REGRESSED,
        reason="slower_in_pairs",
        message="10 pairs against main@1a2b3c4",
        now=480.0,
        baseline=520.0,
        worse_by=interval(0.071, 520 / 480 - 1, 0.095),
        limit=0.05,
        fails=True,
    ),
    REGRESSED_ACCURACY,
    OVER_MEMORY,
    verdict("model_size", Status.PASSED, now=24 * MIB, baseline=24 * MIB, worse_by=exactly(0.0), limit=0.02),
    verdict("load_warm", Status.PASSED, now=0.121, baseline=0.119, worse_by=interval(-0.01, 0.017, 0.04), limit=0.15),
    samples=(
        Sample(
            metric="latency",
            values=(4.0e-3, 4.1e-3, 4.2e-3, 4.1e-3, 5.4e-3),
            parts={"first call": 0.31},
            foreign_share=0.02,
        ),
        Sample(
            metric="load_warm",
            values=(0.120, 0.121, 0.125),
            origin=Origin.FRESH,
            parts={"read and build": 0.09, "first inference": 0.031},
            notes=("ends after the first inference",),
        ),
    ),
    facts={"providers": "CPUExecutionProvider", "threads": "2", "dtype": "int8"},
    commit="9f8e7d6",
)

RUN = Run(
    started_at="2026-11-20T10:00:00Z",
    commit="9f8e7d6",
    environment=Environment(
        key=KEY,
        comparable={
            "cpu": "Intel Xeon Platinum 8375C",
            "cores": "2",
            "os": "Linux x86_64",
            "python": "3.11",
            "torch": "2.13",
        },
        details={"kernel": "6.8.0-aws", "load average": "0.12 0.10 0.09"},
    ),
    results=(
        INT8,
        result(
            "tests/test_resnet.py::test_fp32",
            verdict("latency", Status.PASSED, now=9.8e-3, baseline=9.7e-3, worse_by=interval(-0.01, 0.01, 0.03)),
            verdict("accuracy", Status.PASSED, now=0.938, baseline=0.938, worse_by=exactly(0.0), limit=0.01),
        ),
        result(
            "tests/test_bert.py::test_encode[seq128-batch8]",
            verdict(
                "latency",
                Status.IMPROVED,
                label="onnx",
                now=1.86e-3,
                baseline=2.31e-3,
                worse_by=interval(-0.22, -0.195, -0.17),
                limit=0.05,
            ),
            verdict(
                "latency",
                Status.OVER_LIMIT,
                label="torch",
                title="latency p95",
                message="13 of 200 calls took longer",
                now=20.04e-3,
                limit=20e-3,
                limit_source="max_latency_ms(20, percentile=95)",
                fails=True,
            ),
        ),
        result(
            "tests/test_bert.py::test_tail",
            verdict(
                "latency",
                Status.INCONCLUSIVE,
                title="latency p99",
                reason="too_few_calls",
                message="p99 needs 299 calls, 120 were taken: raise --aiperf-calls or --aiperf-seconds",
                now=7.1e-3,
                limit=8e-3,
                limit_source="max_latency_ms(8, percentile=99)",
            ),
        ),
        result(
            "tests/test_bert.py::test_score",
            verdict(
                "perplexity",
                Status.REGRESSED,
                message="one aggregated number: held against its tolerance only",
                now=13.42,
                baseline=12.31,
                worse_by=exactly(1.11),
                limit=0.5,
                fails=True,
            ),
            verdict(
                "accuracy",
                Status.OVER_LIMIT,
                now=0.8997,
                baseline=0.9012,
                limit=0.9,
                limit_source="min_accuracy(0.9)",
                fails=True,
            ),
        ),
        result(
            "tests/test_whisper.py::test_transcribe",
            verdict(
                "latency",
                Status.ANOMALOUS,
                reason="provider_fell_back",
                message="asked for CUDAExecutionProvider, the session runs on CPUExecutionProvider",
                now=1.21,
                baseline=0.201,
                fails=True,
            ),
            verdict("gpu_allocated", Status.UNMEASURED, reason="unmeasurable", message="no GPU"),
        ),
        result(
            "tests/test_whisper.py::test_load",
            no_baseline("load_warm", "tests/test_whisper.py::test_load", 1.21),
            no_baseline("load_cold", "tests/test_whisper.py::test_load", 4.96),
            samples=(Sample(metric="load_warm", values=(1.2, 1.21, 1.22), origin=Origin.FRESH),),
        ),
        result(
            "tests/test_whisper.py::test_memory",
            verdict("gpu_allocated", Status.UNMEASURED, reason="unmeasurable", message="no GPU"),
            no_baseline("ram", "tests/test_whisper.py::test_memory", 312 * MIB),
        ),
        result(
            "tests/test_tiny.py::test_tokenise",
            verdict("latency", Status.PASSED, now=35.2e-6, baseline=34.9e-6, worse_by=interval(-0.01, 0.009, 0.02)),
            verdict(
                "accuracy", Status.ANOMALOUS, reason="nan", message="3 of 540 scores are NaN", now=math.nan, fails=True
            ),
        ),
        *(
            result(
                f"tests/test_zoo.py::test_model[{name}]",
                no_sessions(f"tests/test_zoo.py::test_model[{name}]"),
                verdict("accuracy", Status.PASSED, now=0.9, baseline=0.9, worse_by=exactly(0.0), limit=0.01),
            )
            for name in ("mobilenet", "efficientnet", "convnext", "vit", "swin", "regnet")
        ),
    ),
    unused=("tests/test_resnet.py::test_gone", "tests/test_bert.py::test_encode[seq512-batch8]"),
    notes=("2 figures were measured again: another process used the processor",),
)

CHANGES = (
    Change(
        test="tests/test_resnet.py::test_int8", label="", metric="latency", unit=Unit.SECONDS, old=2.07e-3, new=1.95e-3
    ),
    Change(
        test="tests/test_resnet.py::test_int8", label="", metric="accuracy", unit=Unit.FRACTION, old=0.938, new=0.942
    ),
    Change(
        test="tests/test_bert.py::test_encode[seq128-batch8]",
        label="onnx",
        metric="latency",
        unit=Unit.SECONDS,
        old=None,
        new=1.86e-3,
    ),
    Change(
        test="tests/test_bert.py::test_score",
        label="",
        metric="accuracy",
        unit=Unit.FRACTION,
        old=0.9012,
        new=0.8997,
        note="worse, kept: --aiperf-accept-worse stores it",
    ),
    Change(test="tests/test_resnet.py::test_gone", label="", metric="latency", unit=Unit.SECONDS, old=1e-3, new=None),
)
