"""Each optimised variant beside its original, in one run: nothing stored is needed, so this holds on every machine."""

from __future__ import annotations

import pytest
from pytest import mark, param

from digits_models.loading import load
from digits_models.variants import VARIANTS

BF16 = mark.aiperf(max_slowdown=9)  # pays only on a processor that computes in bfloat16
DYNAMIC = mark.xfail(reason="convolutions quantised on the fly are several times slower on a CPU")


@mark.parametrize(
    ("original", "optimised"),
    [
        param("cnn_fp32", "cnn_pruned", marks=[mark.min_speedup(1.5), mark.max_size_ratio(0.3)]),
        param("cnn_fp32", "cnn_student", marks=[mark.min_speedup(3), mark.max_size_ratio(0.1)]),
        param("cnn_fp32", "cnn_low_rank", marks=mark.max_size_ratio(0.2)),
        param("cnn_fp32", "cnn_bf16", marks=[BF16, mark.max_size_ratio(0.55), mark.min_agreement(0.99)]),
        param("cnn_fp32", "cnn_onnx", marks=[mark.min_speedup(1.2), mark.min_sqnr_db(80)]),
        param("cnn_onnx", "cnn_int8_static", marks=[mark.max_size_ratio(0.3), mark.min_sqnr_db(25)]),
        param("cnn_onnx", "cnn_int8_dynamic", marks=[DYNAMIC, mark.max_size_ratio(0.3)]),
        param("vit_fp32", "vit_bf16", marks=[BF16, mark.max_size_ratio(0.55), mark.min_agreement(0.99)]),
        param("vit_fp32", "vit_int8_static", marks=[mark.max_size_ratio(0.35), mark.min_agreement(0.98)]),
    ],
)
def test_optimised_variant(aiperf, original, optimised, images, labels):
    for name in (original, optimised):
        pytest.importorskip(VARIANTS[name].runtime)
    batches = [images[start : start + 64] for start in range(0, len(images), 64)]
    seen = aiperf.compare(load(original), load(optimised), batches, labels)
    assert seen.examples == len(labels)
