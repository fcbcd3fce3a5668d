"""Name -> a function that builds one workload: a callable without arguments. Frameworks are imported when built."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lab_models.injection import extra

WEIGHTS = Path(__file__).parents[4] / "example_project" / "digits_models" / "weights"
TEXT = "The quick brown fox jumps over the lazy dog; pruning, distillation and quantisation of 12 models. " * 6

PAIRS = "th he an in er on at ti io is us"

Workload = Callable[[], Any]


def cnn(batch: int) -> Workload:
    """Twelve convolutions of 24 channels on 24 x 24 images."""
    import torch

    torch.manual_seed(0)
    layers = [torch.nn.Conv2d(3 if index == 0 else 24, 24, 3, padding=1) for index in range(12)]
    model = torch.nn.Sequential(*[part for layer in layers for part in (layer, torch.nn.ReLU())]).eval()
    images = torch.randn(batch, 3, 24, 24)
    again = torch.nn.Sequential(*list(model)[2 : 2 + 2 * extra(len(layers))])

    def run() -> object:
        with torch.inference_mode():
            features = model(images)
            return again(features) if len(again) else features

    return run


def encoder(batch: int) -> Workload:
    """Eight transformer layers of width 96 on 32 tokens."""
    import torch

    torch.manual_seed(0)
    layers = [torch.nn.TransformerEncoderLayer(96, 4, 192, batch_first=True) for _ in range(8)]
    model = torch.nn.Sequential(*layers).eval()
    tokens = torch.randn(batch, 32, 96)
    again = torch.nn.Sequential(*layers[: extra(len(layers))]).eval()

    def run() -> object:
        with torch.inference_mode():
            states = model(tokens)
            return again(states) if len(again) else states

    return run


def onnx(name: str, batch: int) -> Workload:
    """A committed model of the example project in ONNX Runtime, on the processor."""
    import numpy as np
    import onnxruntime

    session = onnxruntime.InferenceSession(str(WEIGHTS / name), providers=["CPUExecutionProvider"])
    (source,) = session.get_inputs()
    shape = [batch, *[size if isinstance(size, int) else 8 for size in source.shape[1:]]]
    images = np.random.default_rng(0).random(shape, dtype=np.float32)
    times, again = 20, extra(20)

    def run() -> object:
        for _ in range(times + again):
            outputs = session.run(None, {source.name: images})
        return outputs

    return run


def tokenizer() -> Workload:
    """Byte pair merges in pure Python, as tokenisers do them."""
    words = re.findall(r"\w+|\W", TEXT)
    merges = {pair: rank for rank, pair in enumerate(PAIRS.split())}
    words = words + words[: extra(len(words))]

    def merge(word: str) -> list[str]:
        parts = list(word)
        while True:
            ranked = [(merges.get(a + b, 1 << 30), place) for place, (a, b) in enumerate(itertools.pairwise(parts))]
            rank, place = min(ranked, default=(1 << 30, 0))
            if rank == 1 << 30:
                return parts
            parts[place : place + 2] = [parts[place] + parts[place + 1]]

    return lambda: [merge(word) for word in words]


def preprocessing() -> Workload:
    """Sixteen images scaled to half their size and normalised in numpy."""
    import numpy as np

    count = 20
    images = np.random.default_rng(0).integers(0, 255, (count + extra(count), 96, 96, 3), dtype=np.uint8)
    mean, std = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])

    def run() -> object:
        halves = images.astype(np.float32).reshape(len(images), 48, 2, 48, 2, 3).mean(axis=(2, 4))
        return ((halves / 255 - mean) / std).transpose(0, 3, 1, 2).copy()

    return run


def forest() -> Workload:
    """A random forest of scikit-learn on 64 digits."""
    from sklearn.datasets import load_digits
    from sklearn.ensemble import RandomForestClassifier

    digits = load_digits()
    trees = 20
    model = RandomForestClassifier(trees, max_depth=8, random_state=0).fit(digits.data[:600], digits.target[:600])
    model.estimators_ += model.estimators_[: extra(trees)]
    batch = digits.data[600:664]
    return lambda: model.predict(batch)


def features() -> Workload:
    """Records parsed from JSON and turned into features, in pure Python."""
    records = [{"id": index, "text": TEXT[index : index + 40], "values": list(range(20))} for index in range(60)]
    lines = [json.dumps(record) for record in records + records[: extra(len(records))]]

    def run() -> object:
        parsed = [json.loads(line) for line in lines]
        return [(len(row["text"].split()), sum(row["values"]), row["id"] % 7) for row in parsed]

    return run


WORKLOADS: dict[str, Callable[[], Workload]] = {
    "cnn_b1": lambda: cnn(1),
    "cnn_b16": lambda: cnn(16),
    "encoder_b1": lambda: encoder(1),
    "encoder_b16": lambda: encoder(16),
    "ort_fp32": lambda: onnx("cnn.onnx", 16),
    "ort_int8": lambda: onnx("cnn_int8_static.onnx", 16),
    "tokenizer": tokenizer,
    "preprocessing": preprocessing,
    "forest": forest,
    "features": features,
}
