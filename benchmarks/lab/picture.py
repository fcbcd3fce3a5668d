"""Power against slowdown, one panel per machine state."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from benchmarks.lab.evaluate import Score

SHOWN = (
    "pairs (1 % / 5 %)",
    "pairs, sensitive (1 % / 3 %)",
    "pytest-benchmark min:5%",
    "pytest-benchmark median:5%",
    "asv continuous",
    "benchstat's rule",
)


def draw(by_state: Mapping[str, Sequence[Score]], file: Path) -> None:
    """One line per rule; its false alarms stand in the legend."""
    import matplotlib as mpl

    mpl.use("svg")
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(1, len(by_state), figsize=(6.2 * len(by_state), 4.6), squeeze=False)
    for panel, (state, scores) in zip(axes[0], by_state.items(), strict=True):
        for score in (score for score in scores if score.rule in SHOWN):
            slowdowns = sorted(score.alarms)
            ours = score.rule.startswith("pairs")
            panel.plot(
                [100 * slowdown for slowdown in slowdowns],
                [100 * score.share(slowdown) for slowdown in slowdowns],
                marker="o",
                linewidth=2.6 if ours else 1.3,
                linestyle="-" if ours else "--",
                color=f"C{SHOWN.index(score.rule)}",
                label=f"{score.rule}: {100 * score.share(0.0):.2f} % false alarms",
            )
        panel.set_title({"idle": "idle machine", "noise": "beside a noisy neighbour"}.get(state, state))
        panel.set_xlabel("true slowdown (%)")
        panel.set_ylabel("called a regression (%)")
        panel.set_ylim(-3, 103)
        panel.grid(visible=True, alpha=0.3)
        panel.legend(fontsize=7.5, loc="lower right")
    figure.tight_layout()
    figure.savefig(file)
    plt.close(figure)
