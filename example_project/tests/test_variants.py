"""Every variant keeps within its limits: load time, latency, memory, size and accuracy.

The limits are wide enough for a slow, shared machine and so catch only what is grossly wrong. What got a few percent
worse is found by comparing with stored sessions, or with another revision.
"""

from __future__ import annotations

import pytest
from pytest import mark, param

from digits_models.loading import load, model_input, predict
from digits_models.variants import VARIANTS


@mark.max_load_s(1.0)
@mark.max_latency_ms(15)
@mark.max_ram_mb(200)
@mark.parametrize(
    "name",
    [
        param("cnn_onnx", marks=[mark.max_model_mb(1.2), mark.min_accuracy(0.97)]),
        param("cnn_int8_static", marks=[mark.max_model_mb(0.35), mark.min_accuracy(0.97)]),
        param("cnn_int8_dynamic", marks=[mark.max_model_mb(0.35), mark.min_accuracy(0.97)]),
        param("vit_int8_static", marks=[mark.max_model_mb(0.5), mark.min_accuracy(0.95)]),
    ],
)
def test_onnx_variant(aiperf, name, images, labels):
    pytest.importorskip("onnxruntime")  # first, so that the load time is the model's and not its runtime's
    model = aiperf.load(load, name, files=[VARIANTS[name].path])
    aiperf.infer(model, model_input(model, images[:1]))
    assert aiperf.score(predict(model, images) == labels) > 0.5


@mark.max_load_s(1.0)
@mark.max_latency_ms(15)
@mark.max_ram_mb(350)  # of which torch itself takes about 150
@mark.parametrize(
    "name",
    [
        param("cnn_fp32", marks=[mark.max_model_mb(0.6), mark.min_accuracy(0.97)]),
        param("cnn_bf16", marks=[mark.max_model_mb(0.6), mark.min_accuracy(0.97)]),
        param("cnn_pruned", marks=[mark.max_model_mb(0.16), mark.min_accuracy(0.96)]),
        param("cnn_student", marks=[mark.max_model_mb(0.03), mark.min_accuracy(0.96)]),
        param("cnn_low_rank", marks=[mark.max_model_mb(0.1), mark.min_accuracy(0.97)]),
        param("vit_fp32", marks=[mark.max_model_mb(0.9), mark.min_accuracy(0.95)]),
        param("vit_bf16", marks=[mark.max_model_mb(0.9), mark.min_accuracy(0.95)]),
    ],
)
def test_torch_variant(aiperf, name, images, labels):
    pytest.importorskip("torch")
    model = aiperf.load(load, name, files=[VARIANTS[name].path])
    aiperf.infer(model, model_input(model, images[:1]))
    assert aiperf.score(predict(model, images) == labels) > 0.5
