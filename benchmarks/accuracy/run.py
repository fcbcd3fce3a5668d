"""How often the rules for accuracy fail a model that lost nothing, and find one that did: seeded worlds."""

from __future__ import annotations

import datetime as dt
import functools
from dataclasses import replace
from pathlib import Path

import numpy as np
from scipy import special

from pytest_aiperf.judging import judge
from pytest_aiperf.measuring.metrics import accuracy
from pytest_aiperf.vocabulary.baseline import PortableValue
from pytest_aiperf.vocabulary.records import Criteria, Environment, Limit, Margins, Measurement, Policy, Sample, Verdict
from pytest_aiperf.vocabulary.terms import Status

RESULTS = Path(__file__).parents[1] / "results"
WORLDS = 100_000
COUNTS, FLIPS = (200, 1000, 5000), (0.02, 0.04)
LOSSES = (0.0, 0.01, 0.02, 0.03, 0.05)
HERE = Environment(key="none", comparable={}, details={})
DROP = Limit(metric="accuracy", bound=0.01, source="max_accuracy_drop(1)", drop=True)
RULES = {"fixed set (default)": (), "population": (replace(DROP, population=True),)}


def main() -> None:
    """Write the table."""
    today = f"{dt.datetime.now(dt.timezone.utc):%Y-%m-%d}"
    lines = [
        "# Accuracy: false failures and power",
        "",
        f"Seeded worlds, {WORLDS:,} for each cell; `benchmarks/accuracy/run.py`, {today}.",
        "Of `n` examples a share changes its answer by itself, as many to right as to wrong (half precision, another",
        "runtime); a true loss turns that many more wrong. Margin 1 point. *Naive*: the means differ by more.",
        "In percent of the worlds: failed / left open / passed; the bound is the upper 95 % one (Clopper-Pearson).",
        "",
        "| rule | n | flips | " + " | ".join(f"lost {loss * 100:g} points" for loss in LOSSES) + " | bound at 0 |",
        "| --- | ---: | ---: |" + " ---: |" * (len(LOSSES) + 1),
    ]
    for name, limits in RULES.items():
        for count in COUNTS:
            lines += [row(name, limits, count, flips) for flips in FLIPS]
    lines += [row("naive", None, count, flips) for count in COUNTS for flips in FLIPS]
    text = "\n".join(lines) + "\n"
    RESULTS.joinpath(f"accuracy-calibration-{today}.md").write_text(text)
    print(text)


def row(name: str, limits: tuple[Limit, ...] | None, count: int, flips: float) -> str:
    """One line of the table."""
    random = np.random.default_rng([count, int(flips * 1000)])
    cells, failed_at_none = [], 0
    for loss in LOSSES:
        shares = [flips / 2 + loss, flips / 2, 1 - flips - loss]
        drawn = random.multinomial(count, shares, size=WORLDS)[:, :2]
        answers = [answer(int(wrong), int(right), count, limits) for wrong, right in drawn]
        failed, opened = answers.count("failed"), answers.count("open")
        if loss == 0:
            failed_at_none = failed
        cells.append(f"{failed / WORLDS:.2%} / {opened / WORLDS:.1%} / {1 - (failed + opened) / WORLDS:.1%}")
    bound = special.betaincinv(failed_at_none + 1, WORLDS - failed_at_none, 0.95)
    return f"| {name} | {count} | {flips:.0%} | " + " | ".join(cells) + f" | {bound:.2%} |"


@functools.cache
def answer(wrong: int, right: int, count: int, limits: tuple[Limit, ...] | None) -> str:
    """What the judge says of so many newly wrong and newly right examples; None: the naive rule."""
    if limits is None:
        return "failed" if (wrong - right) / count > 0.01 else "passed"
    unchanged = [1.0] * (count - wrong - right)
    old, new = [1.0] * wrong + [0.0] * right + unchanged, [0.0] * wrong + [1.0] * right + unchanged
    measurement = Measurement(
        test="a.py::test",
        label="",
        samples=(Sample(metric="accuracy", values=tuple(new)),),
        taken_at="",
        reference={"accuracy": PortableValue(value=0.0, at="", commit=None, examples=tuple(old))},
    )
    (verdict,) = _judged(measurement, limits)
    if verdict.fails:
        return "failed"
    return "open" if verdict.status is Status.INCONCLUSIVE else "passed"


def _judged(measurement: Measurement, limits: tuple[Limit, ...]) -> tuple[Verdict, ...]:
    criteria = Criteria(
        margins=Margins(),
        policy=Policy(),
        limits=limits,
        default_limits=(),
        baselines={},
        suite_variance=None,
        stores=False,
    )
    return judge.verdicts([measurement], criteria, metrics={"accuracy": accuracy.METRIC}, environment=HERE, final=True)


if __name__ == "__main__":
    main()
