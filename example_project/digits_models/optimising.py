"""Optimisations that need no training and are applied when a model is loaded."""

from __future__ import annotations

import torch
from torch import nn

SMALL = 0.5
"""Share of each layer's weights that `zero_small_weights` sets to 0."""


def zero_small_weights(model: nn.Module) -> nn.Module:
    """Set the smallest half of each layer's weights to 0: unstructured pruning, without fine-tuning."""
    with torch.no_grad():
        for layer in model.modules():
            if isinstance(layer, (nn.Linear, nn.Conv2d)):
                size = layer.weight.abs()
                layer.weight[size < size.quantile(SMALL)] = 0
    return model


def int8_weights(model: nn.Module) -> nn.Module:
    """Keep the weights of dense layers as INT8 and compute in float: torchao's weight-only quantisation."""
    from torchao.quantization import Int8WeightOnlyConfig, quantize_

    quantize_(model, Int8WeightOnlyConfig())
    return model


def compiled(model: nn.Module) -> nn.Module:
    """Compile with torch.compile at the first call of each shape."""
    return torch.compile(model)
