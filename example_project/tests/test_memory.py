"""Two models in one service, and a service that runs for weeks."""

from __future__ import annotations

from functools import partial

import pytest
from pytest import mark

from digits_models.loading import load, model_input


@mark.max_ram_mb(150)  # a budget for both together
def test_both_models_fit_into_one_service(aiperf, images):
    pytest.importorskip("onnxruntime")
    loaders = {name: partial(load, name) for name in ("cnn_onnx", "vit_int8_static")}
    answers = aiperf.concurrent(loaders, images[:32])
    assert {name: logits.shape for name, (logits,) in answers.items()} == dict.fromkeys(loaders, (32, 10))


@mark.max_leak_kb(20)
def test_inference_keeps_nothing(aiperf, images):
    pytest.importorskip("onnxruntime")
    session = load("cnn_int8_static")
    aiperf.soak(session.run, None, {"images": model_input(session, images[:8])}, calls=400)
