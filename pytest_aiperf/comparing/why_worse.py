"""Why a candidate answers worse than its reference, in sentences, from its weights, layers and answers."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from pytest_aiperf.vocabulary.model_figures import Weights

MOST_NAMED = 3
ROUGH_DB = 20.0
"""Below it the error is more than a tenth of the signal."""
SPARSE = 0.2
"""Share of zeros beyond the reference's from which somebody meant them."""
FEWEST_EXAMPLES = 20
FEWEST_MISTAKES = 10
MOST = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """What is right, and what both models said, example by example."""

    labels: Sequence[int]
    reference: Sequence[int]
    candidate: Sequence[int]


def worse(
    reference: Weights | None, candidate: Weights | None, layers: Mapping[str, float], answers: Answers | None
) -> tuple[str, ...]:
    """Reasons, the most telling first. `layers`: name -> SQNR in dB of its outputs, in the order they ran."""
    return (
        *_pruned(reference, candidate),
        *([] if answers is None or len(answers.labels) < FEWEST_EXAMPLES else _as_good_as_chance(answers)),
        *diverging(layers),
        *([] if answers is None or len(answers.labels) < FEWEST_EXAMPLES else _one_sided(answers)),
    )


def diverging(layers: Mapping[str, float]) -> Iterator[str]:
    """Where the candidate leaves its reference, first and most."""
    rough = [name for name, sqnr_db in layers.items() if sqnr_db < ROUGH_DB]
    if rough:
        worst = sorted(rough, key=lambda name: layers[name])[:MOST_NAMED]
        named = ", ".join(f"{name} {layers[name]:.1f} dB" for name in worst)
        first = f"its layers leave the reference first at {rough[0]} ({layers[rough[0]]:.1f} dB), most at {named}"
        yield f"{first}: try leaving these as they were"


def _pruned(reference: Weights | None, candidate: Weights | None) -> Iterator[str]:
    old = 0.0 if reference is None else reference.sparsity or 0.0
    new = 0.0 if candidate is None else candidate.sparsity or 0.0
    if new - old > SPARSE:
        yield f"{new:.0%} of its weights are 0 (reference {old:.0%}): prune less, or fine-tune longer"


def _as_good_as_chance(answers: Answers) -> Iterator[str]:
    """Whether it has learnt anything: within two standard errors of the most frequent label's share."""
    count = len(answers.labels)
    label, often = Counter(answers.labels).most_common(1)[0]
    share = often / count
    right = sum(one == other for one, other in zip(answers.candidate, answers.labels, strict=True)) / count
    if right <= share + 2 * math.sqrt(share * (1 - share) / count):
        yield f"it is right in {right:.1%}, no more than always answering {label} ({share:.1%}): it has learnt nothing"


def _one_sided(answers: Answers) -> Iterator[str]:
    """One answer to nearly everything, or one label that has all the new mistakes."""
    count = len(answers.labels)
    labels = Counter(answers.labels)
    answer, often = Counter(answers.candidate).most_common(1)[0]
    if often > MOST * count > 2 * labels[answer]:
        yield f"it answers {answer} to {often / count:.0%} of the examples ({labels[answer] / count:.0%} of them are)"
    every = zip(answers.labels, answers.reference, answers.candidate, strict=True)
    mistakes = Counter(label for label, old, new in every if new != label == old)
    if sum(mistakes.values()) >= FEWEST_MISTAKES:
        label, many = mistakes.most_common(1)[0]
        total = sum(mistakes.values())
        if many > MOST * total and labels[label] < MOST * count:
            yield f"{many} of its {total} new mistakes are examples of {label} ({labels[label] / count:.0%} of all are)"
