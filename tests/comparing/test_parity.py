"""Outputs of two models beside each other."""

from __future__ import annotations

import math

import numpy as np
import pytest

from pytest_aiperf.comparing.parity import IDENTICAL_DB, Meter, arrays, predictions, rounding
from pytest_aiperf.vocabulary.errors import UsageError


def parity(reference, candidate):
    meter = Meter()
    meter.add(arrays(reference), arrays(candidate))
    return meter.parity()


def test_errors_of_known_arrays():
    seen = parity(np.array([1.0, -2.0, 0.0, 4.0]), np.array([1.1, -2.0, 0.3, 3.0]))
    assert seen.max_abs_error == pytest.approx(1.0)
    assert seen.max_rel_error == pytest.approx(0.25)
    assert seen.sqnr_db == pytest.approx(10 * math.log10(21 / (0.01 + 0.09 + 1.0)))
    assert seen.cosine == pytest.approx((1.1 + 4 + 12) / math.sqrt(21 * (1.21 + 4 + 0.09 + 9)))
    assert seen.mismatches == ()


def test_uniform_quantisation_of_b_bits_gives_six_decibel_per_bit():
    signal = np.random.default_rng(1).uniform(-1, 1, 100_000)
    for bits in (4, 8):
        step = 2 / 2**bits
        quantised = (np.floor(signal / step) + 0.5) * step
        assert parity(signal, quantised).sqnr_db == pytest.approx(6.02 * bits, abs=0.05)  # Bennett 1948


def test_divergence_of_class_probabilities():
    old, new = np.array([[0.5, 0.5], [0.9, 0.1]]), np.array([[0.25, 0.75], [0.9, 0.1]])
    expected = (0.5 * math.log(0.5 / 0.25) + 0.5 * math.log(0.5 / 0.75)) / 2
    assert parity(old, new).kl == pytest.approx(expected)
    assert parity(np.log(old) + 7, np.log(new) - 3).kl == pytest.approx(expected), "logits say the same"
    assert parity(old, old).kl == pytest.approx(0)
    assert parity(np.arange(4.0), np.arange(4.0)).kl is None
    assert math.isfinite(parity(np.array([[1.0, 0.0]]), np.array([[0.5, 0.5]])).kl)


def test_rounding_is_measured_in_errors_of_the_reference():
    exact = {"0": np.zeros(100)}
    assert rounding(exact, {"0": np.full(100, 1e-6)}, {"0": np.full(100, 3e-6)}) == pytest.approx(3)
    assert rounding(exact, {"0": np.zeros(100)}, {"0": np.ones(100)}) is None
    assert rounding(exact, {"0": np.ones(100)}, {"other": np.ones(100)}) is None
    assert rounding(exact, {"0": np.ones(100)}, {"0": np.ones((100, 1))}) is None


def test_identical_outputs():
    same = np.linspace(-1, 1, 7, dtype=np.float32)
    seen = parity(same, same.copy())
    assert (seen.max_abs_error, seen.max_rel_error, seen.sqnr_db) == (0.0, 0.0, IDENTICAL_DB)
    assert seen.cosine == pytest.approx(1.0)
    assert parity(np.zeros(3), np.zeros(3)).cosine == 1.0


def test_batches_add_up_to_the_whole():
    random = np.random.default_rng(2)
    old = random.normal(size=(64, 10))
    new = old + random.normal(0, 0.01, size=old.shape)
    meter = Meter()
    for start in range(0, 64, 16):
        meter.add({"0": old[start : start + 16]}, {"0": new[start : start + 16]})
    whole, parts = parity(old, new), meter.parity()
    assert parts.sqnr_db == pytest.approx(whole.sqnr_db)
    assert parts.cosine == pytest.approx(whole.cosine)
    assert parts.max_abs_error == whole.max_abs_error


@pytest.mark.parametrize(
    ("reference", "candidate", "says"),
    [
        (np.zeros((2, 3)), np.zeros((3, 2)), "output 0 has shape (3, 2), not (2, 3)"),
        (np.zeros(2), np.zeros(2, dtype=int), "output 0 is int64, not float64"),
        ([np.zeros(2), np.zeros(2)], [np.zeros(2)], "output 1 is missing"),
        ({"logits": np.zeros(2)}, {"scores": np.zeros(2)}, "output logits is missing"),
        (np.array([1.0, 2.0]), np.array([1.0, np.nan]), "output 0: 1 NaN where the reference has numbers"),
        (np.array([np.nan, 2.0]), np.array([1.0, 2.0]), "output 0: 1 numbers where the reference has NaN"),
        (np.array([np.inf, 2.0]), np.array([-np.inf, 2.0]), "output 0: 1 infinities on one side only"),
    ],
)
def test_what_no_figure_can_say(reference, candidate, says):
    assert says in parity(reference, candidate).mismatches


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_the_same_odd_values_at_the_same_places_agree(value):
    odd = np.array([1.0, value, 3.0])
    seen = parity(odd, odd + np.array([0.0, 0.0, 0.5]))
    assert seen.mismatches == ()
    assert seen.max_abs_error == 0.5


def test_half_precision_is_no_mismatch():
    seen = parity(np.array([1.0, 0.1], dtype=np.float32), np.array([1.0, 0.1], dtype=np.float16))
    assert seen.mismatches == ()
    assert 0 < seen.max_abs_error < 1e-4


def test_tensors_of_every_kind_are_read():
    torch = pytest.importorskip("torch")
    wide = torch.tensor([[0.5, 2.0]], requires_grad=True)
    assert arrays(wide)["0"].tolist() == [[0.5, 2.0]]
    assert arrays(wide.bfloat16())["0"].dtype == np.float32
    assert arrays({"a": wide, "b": None}).keys() == {"a"}
    assert list(arrays((wide, wide))) == ["0", "1"]


@pytest.mark.parametrize("output", ["text", [], {}, {"a": None}, [object()]])
def test_what_is_no_output_is_refused(output):
    with pytest.raises(UsageError, match=r"aiperf.compare"):
        arrays(output)


def test_an_answer_per_example():
    assert predictions({"0": np.array([[0.1, 0.9], [0.8, 0.2]])}).tolist() == [1, 0]
    assert predictions({"0": np.array([3, 1])}).tolist() == [3, 1]


@pytest.mark.parametrize("shape", [(4,), (4, 1), (2, 3, 4)])
def test_other_outputs_need_to_be_told_how_to_read_them(shape):
    with pytest.raises(UsageError, match="give predict="):
        predictions({"0": np.zeros(shape)})
