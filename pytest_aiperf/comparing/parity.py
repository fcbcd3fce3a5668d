"""How far the outputs of two models lie apart: errors, cosine, signal to quantisation noise, agreement."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pytest_aiperf.vocabulary.errors import UsageError

if TYPE_CHECKING:
    import numpy as np

    Arrays = Mapping[str, np.ndarray]

Tolerances = Mapping[str, "float | tuple[float, float]"]
"""Output -> largest error, or (absolute, relative to the reference)."""

IDENTICAL_DB = 300.0
"""Stands for infinity: beyond what float64 can show."""


def arrays(output: Any) -> dict[str, np.ndarray]:
    """The outputs of one call by name (`0`, `1` where they have none), as numpy arrays on the host.

    Takes arrays, tensors, numbers, and mappings, sequences or dataclass-like objects (`.items()`) of them.
    Raises UsageError for what is none of these.
    """
    if isinstance(output, Mapping) or hasattr(output, "items"):
        named = {str(name): value for name, value in output.items()}
    elif isinstance(output, (list, tuple)) and not (output and all(isinstance(one, (int, float)) for one in output)):
        named = {str(place): value for place, value in enumerate(output)}
    else:
        named = {"0": output}
    found = {name: _array(value) for name, value in named.items() if value is not None}
    if strange := [name for name, value in found.items() if value.dtype.kind not in "biuf"]:
        kind = type(named[strange[0]]).__name__
        raise UsageError(
            f"aiperf.compare: output {strange[0]} is a {kind}, no array of numbers: give predict= or outputs="
        )
    if not found:
        raise UsageError("aiperf.compare: the model returned nothing")
    return found


def _array(value: Any) -> np.ndarray:
    """Of a tensor on any device and of any dtype: bfloat16 becomes float32, quantised tensors their values."""
    import numpy as np

    if hasattr(value, "detach"):
        value = value.detach()
        if getattr(value, "is_quantized", False):
            value = value.dequantize()
        if str(value.dtype) in ("torch.bfloat16", "torch.float8_e4m3fn", "torch.float8_e5m2"):
            value = value.float()
        value = value.cpu()
    return np.asarray(value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Parity:
    """Two models on the same inputs; every figure over all outputs and examples together, NaN of nothing."""

    max_abs_error: float = math.nan
    max_rel_error: float = math.nan
    """Largest |candidate - reference| / |reference|, where the reference is not 0."""
    cosine: float = math.nan
    sqnr_db: float = math.nan
    """10 log10(sum reference^2 / sum (candidate - reference)^2)."""
    kl: float | None = None
    """Mean Kullback-Leibler divergence of the class probabilities, in nats; None where the first output has none."""
    rounding: float | None = None
    """Root mean square error to the reference in float64, in those of the reference itself: about 1 is mere rounding.

    Of the first batch; None where the reference cannot run in float64, or has no error.
    """
    mismatches: tuple[str, ...] = ()
    """What no figure can say: another shape or kind, a missing output, NaN on one side only."""


@dataclass(slots=True)
class Meter:
    """Adds up batches, so that no more than one of them is in memory."""

    max_abs: float = 0.0
    max_rel: float = 0.0
    dot: float = 0.0
    signal: float = 0.0
    other: float = 0.0
    noise: float = 0.0
    divergence: float = 0.0
    examples: int = 0
    tolerances: Tolerances = field(default_factory=dict)
    mismatches: dict[str, None] = field(default_factory=dict)

    def add(self, reference: Arrays, candidate: Arrays) -> None:
        """One batch."""
        for name in reference.keys() - candidate.keys():
            self.mismatches[f"output {name} is missing"] = None
        for name in candidate.keys() - reference.keys():
            self.mismatches[f"output {name} is new"] = None
        for name in (name for name in reference if name in candidate):
            self._add(name, reference[name], candidate[name])
        if not self.mismatches:
            self._compare_probabilities(next(iter(reference.values())), next(iter(candidate.values())))

    def _add(self, name: str, reference: np.ndarray, candidate: np.ndarray) -> None:
        import numpy as np

        if reference.shape != candidate.shape:
            self.mismatches[f"output {name} has shape {candidate.shape}, not {reference.shape}"] = None
            return
        if (reference.dtype.kind == "f") is not (candidate.dtype.kind == "f"):
            self.mismatches[f"output {name} is {candidate.dtype}, not {reference.dtype}"] = None
        old, new = reference.astype(np.float64).ravel(), candidate.astype(np.float64).ravel()
        # equal infinities agree, as do NaN at the same places; nothing else that is not finite can be reckoned with
        finite = np.isfinite(old) & np.isfinite(new)
        agree = finite | (old == new) | (np.isnan(old) & np.isnan(new))
        if not agree.all():
            self.mismatches[f"output {name}: {_unlike(old[~agree], new[~agree])}"] = None
        old, new = old[finite], new[finite]
        error = np.abs(new - old)
        self.max_abs = max(self.max_abs, float(error.max(initial=0.0)))
        known = old != 0
        self.max_rel = max(self.max_rel, float((error[known] / np.abs(old[known])).max(initial=0.0)))
        self.dot += float(old @ new)
        self.signal += float(old @ old)
        self.other += float(new @ new)
        self.noise += float(error @ error)
        allowed = self.tolerances.get(name)
        if allowed is not None and (beyond := _beyond(reference, candidate, allowed)):
            self.mismatches[f"output {name}: {beyond}"] = None

    def _compare_probabilities(self, reference: np.ndarray, candidate: np.ndarray) -> None:
        if reference.dtype.kind == "f" and reference.ndim == 2 and reference.shape[1] > 1:  # noqa: PLR2004 - classes
            self.divergence += _divergence(reference, candidate)
            self.examples += len(reference)

    def parity(self) -> Parity:
        """Everything so far."""
        norms = math.sqrt(self.signal * self.other)
        return Parity(
            max_abs_error=self.max_abs,
            max_rel_error=self.max_rel,
            cosine=self.dot / norms if norms else float(self.signal == self.other),
            sqnr_db=_decibel(self.signal, self.noise),
            kl=self.divergence / self.examples if self.examples else None,
            mismatches=tuple(self.mismatches),
        )


def rounding(exact: Arrays, reference: Arrays, candidate: Arrays) -> float | None:
    """How far a candidate is from the exact outputs, in errors of the reference; None where that has none."""
    import numpy as np

    errors = []
    for model in (reference, candidate):
        if any(name not in model or model[name].shape != exact[name].shape for name in exact):
            return None
        errors.append(math.sqrt(sum(float(np.square(model[name] - exact[name]).sum()) for name in exact)))
    ratio = errors[1] / errors[0] if errors[0] else math.nan
    return ratio if math.isfinite(ratio) else None


def _divergence(reference: np.ndarray, candidate: np.ndarray) -> float:
    """Sum over the examples of KL(reference || candidate), from logits or from probabilities."""
    import numpy as np

    old, new = (_log_probabilities(one.astype(np.float64)) for one in (reference, candidate))
    share = np.exp(old)
    return float((share * (old - new))[share > 0].sum())


def _log_probabilities(rows: np.ndarray) -> np.ndarray:
    import numpy as np

    if (rows >= 0).all() and np.allclose(rows.sum(axis=1), 1, atol=1e-3):
        return np.asarray(np.log(np.maximum(rows, np.finfo(np.float64).tiny)))
    return np.asarray(rows - np.logaddexp.reduce(rows, axis=1, keepdims=True))


def _beyond(reference: np.ndarray, candidate: np.ndarray, allowed: float | tuple[float, float]) -> str:
    """What lies beyond its tolerance, absolute or (absolute, relative to the reference)."""
    import numpy as np

    absolute, relative = allowed if isinstance(allowed, tuple) else (allowed, 0.0)
    error = np.abs(candidate.astype(np.float64) - reference)
    beyond = error > absolute + relative * np.abs(reference)
    if not beyond.any():
        return ""
    return f"{int(beyond.sum())} of {beyond.size} values beyond its tolerance, by up to {error.max():.3g}"


def _decibel(signal: float, noise: float) -> float:
    if noise == 0:
        return IDENTICAL_DB
    return -IDENTICAL_DB if signal == 0 else min(IDENTICAL_DB, 10 * math.log10(signal / noise))


def _unlike(old: np.ndarray, new: np.ndarray) -> str:
    import numpy as np

    if count := int((np.isnan(new) & ~np.isnan(old)).sum()):
        return f"{count} NaN where the reference has numbers"
    if count := int((np.isnan(old) & ~np.isnan(new)).sum()):
        return f"{count} numbers where the reference has NaN"
    return f"{len(old)} infinities on one side only"


def predictions(output: Arrays) -> np.ndarray:
    """One answer per example: the largest of the last axis of the first output; whole numbers are answers already.

    Raises UsageError for outputs of which this cannot be said.
    """
    import numpy as np

    first = next(iter(output.values()))
    if first.dtype.kind in "biu" and first.ndim == 1:
        return first
    if first.dtype.kind == "f" and first.ndim == 2 and first.shape[1] > 1:  # noqa: PLR2004 - examples x classes
        return np.asarray(first.argmax(axis=1))
    raise UsageError(
        f"aiperf.compare: the first output has shape {first.shape} and dtype {first.dtype}; a class per example is "
        "read from (examples, classes) only: give predict=, a function of the output"
    )


def agreement(reference: Sequence[Any] | np.ndarray, candidate: Sequence[Any] | np.ndarray) -> list[float]:
    """1 where both answer alike, example by example."""
    import numpy as np

    return [float(same) for same in np.ravel(np.asarray(reference) == np.asarray(candidate))]
