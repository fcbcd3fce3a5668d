"""The two architectures; pruned, distilled and low-rank variants are the CNN in other widths."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional


def thin_or_full(inputs: int, outputs: int, rank: int | None) -> nn.Module:
    """A dense layer, or two thin ones of the given rank in its place."""
    if rank is None:
        return nn.Linear(inputs, outputs)
    return nn.Sequential(nn.Linear(inputs, rank, bias=False), nn.Linear(rank, outputs))


class Cnn(nn.Module):
    """Two convolutions and two dense layers; (n, 1, 8, 8) -> (n, 10).

    With a `rank`, the large dense layer is the product of two thin ones.
    """

    def __init__(self, *, channels: tuple[int, int] = (32, 64), hidden: int = 256, rank: int | None = None) -> None:
        super().__init__()
        first, second = channels
        features = second * 4 * 4
        self.conv1 = nn.Conv2d(1, first, 3, padding=1)
        self.conv2 = nn.Conv2d(first, second, 3, padding=1)
        self.dense = thin_or_full(features, hidden, rank)
        self.head = nn.Linear(hidden, 10)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Return one logit per digit."""
        x = functional.relu(self.conv1(images))
        x = functional.max_pool2d(functional.relu(self.conv2(x)), 2)
        x = functional.relu(self.dense(x.flatten(1)))
        return self.head(x)


class Attention(nn.Module):
    """Multi-head self-attention over (n, tokens, width)."""

    def __init__(self, *, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Mix the tokens."""
        query, key, value = (
            part.unflatten(-1, (self.heads, -1)).transpose(1, 2) for part in self.qkv(x).chunk(3, dim=-1)
        )
        mixed = functional.scaled_dot_product_attention(query, key, value)
        return self.out(mixed.transpose(1, 2).flatten(2))


class Block(nn.Module):
    """One pre-norm transformer block; with a `rank`, each layer of its perceptron is the product of two thin ones."""

    def __init__(self, *, width: int, heads: int, hidden: int, rank: int | None) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(width)
        self.attention = Attention(width=width, heads=heads)
        self.norm2 = nn.LayerNorm(width)
        self.mlp = nn.Sequential(thin_or_full(width, hidden, rank), nn.GELU(), thin_or_full(hidden, width, rank))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Attend, then transform each token."""
        x = x + self.attention(self.norm1(x))
        return x + self.mlp(self.norm2(x))


class Vit(nn.Module):
    """A vision transformer on 16 patches of 2 x 2 pixels; (n, 1, 8, 8) -> (n, 10)."""

    def __init__(
        self, *, width: int = 128, heads: int = 4, depth: int = 2, hidden: int = 512, rank: int | None = None
    ) -> None:
        super().__init__()
        self.patches = nn.Conv2d(1, width, 2, stride=2)
        self.positions = nn.Parameter(torch.randn(1, 16, width) / 2)
        self.blocks = nn.Sequential(*(Block(width=width, heads=heads, hidden=hidden, rank=rank) for _ in range(depth)))
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, 10)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Return one logit per digit."""
        tokens = self.patches(images).flatten(2).transpose(1, 2) + self.positions
        return self.head(self.norm(self.blocks(tokens)).mean(dim=1))
