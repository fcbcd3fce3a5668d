"""What surrounds a model: preprocessing, and everything together."""

from __future__ import annotations

import numpy as np
from pytest import mark

from digits_models.data import held_out, preprocess
from digits_models.loading import load, predict


@mark.max_latency_ms(10)
@mark.min_throughput(50_000)
def test_preprocessing(aiperf):
    images, _ = held_out()
    ready = aiperf.call(preprocess, images, items=len(images))
    assert ready.shape == (540, 1, 8, 8)
    assert ready.dtype == np.float32
    assert (ready.min(), ready.max()) == (-1, 1)


@mark.max_ram_mb(300)
def test_whole_pipeline_stays_small():
    images, labels = held_out()
    assert (predict(load("cnn_int8_static"), preprocess(images)) == labels).mean() > 0.95
