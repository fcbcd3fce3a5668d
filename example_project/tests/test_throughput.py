"""Batches of 64: where INT8 pays (static) and where it does not (dynamic, all operators)."""

from __future__ import annotations

from pytest import mark, param

from digits_models.loading import load, model_input


@mark.parametrize(
    "name",
    [
        param("cnn_onnx", marks=mark.min_throughput(8000)),
        param("cnn_int8_static", marks=mark.min_throughput(8000)),
        param("cnn_int8_dynamic", marks=mark.min_throughput(1300)),
    ],
)
def test_throughput(aiperf, name, images):
    model = load(name)
    (logits,) = aiperf.infer(model, model_input(model, images[:64]))
    assert logits.shape == (64, 10)
