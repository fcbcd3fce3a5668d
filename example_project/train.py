"""Make everything in `digits_models/weights` anew: seeded, on one CPU thread, in about a minute."""

from __future__ import annotations

import copy
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import onnx
import torch
from onnxruntime.quantization import (
    CalibrationDataReader,
    QuantFormat,
    QuantType,
    quantize_dynamic,
    quantize_static,
)
from onnxruntime.quantization.shape_inference import quant_pre_process
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import nn
from torch.nn import functional

from digits_models.data import HELD_OUT, held_out, preprocess
from digits_models.loading import load, predict
from digits_models.models import Cnn, Vit
from digits_models.variants import VARIANTS, WEIGHTS

HELD_OUT_IMAGES = 540
Loss = Callable[[torch.Tensor, torch.Tensor, torch.Tensor], torch.Tensor]
"""(logits, labels, images) -> loss."""


def main() -> None:
    """Train, optimise, export, and print what came out."""
    torch.manual_seed(0)
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(mode=True)
    WEIGHTS.mkdir(exist_ok=True)
    images, labels = split()

    cnn = fit(Cnn(), images, labels, epochs=30)
    save(cnn, "cnn_fp32")
    save(fit(halve(cnn), images, labels, epochs=15, rate=5e-4), "cnn_pruned")
    save(fit(factorise(cnn, rank=16), images, labels, epochs=10, rate=2e-4), "cnn_low_rank")
    student = Cnn(**VARIANTS["cnn_student"].options)
    save(fit(student, images, labels, epochs=60, loss=distillation(cnn)), "cnn_student")
    vit = fit(Vit(), images, labels, epochs=20, rate=1e-3)
    save(vit, "vit_fp32")

    export(cnn, VARIANTS["cnn_onnx"].path)
    quantize_dynamically(VARIANTS["cnn_onnx"].path, VARIANTS["cnn_int8_dynamic"].path)
    quantize_statically(VARIANTS["cnn_onnx"].path, VARIANTS["cnn_int8_static"].path, images)
    export(vit, VARIANTS["vit_onnx"].path)
    quantize_statically(VARIANTS["vit_onnx"].path, VARIANTS["vit_int8_static"].path, images)

    save(fit(narrow(vit), images, labels, epochs=10, rate=5e-4), "vit_pruned")
    save(fit(flatten(vit, rank=32), images, labels, epochs=10, rate=5e-4), "vit_low_rank")
    student = Vit(**VARIANTS["vit_student"].options)
    save(fit(student, images, labels, epochs=40, rate=2e-3, loss=distillation(vit)), "vit_student")
    report()


def split() -> tuple[torch.Tensor, torch.Tensor]:
    """Write the held-out images and return the training images and labels."""
    digits = load_digits()
    train_images, test_images, train_labels, test_labels = train_test_split(
        digits.images.astype(np.uint8),
        digits.target.astype(np.uint8),
        test_size=HELD_OUT_IMAGES,
        stratify=digits.target,
        random_state=0,
    )
    np.savez_compressed(HELD_OUT, images=test_images, labels=test_labels)
    return torch.from_numpy(preprocess(train_images)), torch.from_numpy(train_labels).long()


def fit(
    model: nn.Module,
    images: torch.Tensor,
    labels: torch.Tensor,
    *,
    epochs: int,
    rate: float = 2e-3,
    loss: Loss | None = None,
) -> nn.Module:
    """Train with AdamW and a cosine schedule."""
    loss = loss or (lambda logits, labels, _images: functional.cross_entropy(logits, labels, label_smoothing=0.05))
    batch = 64
    optimiser = torch.optim.AdamW(model.parameters(), lr=rate, weight_decay=1e-2)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, epochs * (len(images) // batch))
    model.train()
    for _ in range(epochs):
        for chosen in torch.randperm(len(images)).split(batch)[: len(images) // batch]:
            optimiser.zero_grad()
            loss(model(images[chosen]), labels[chosen], images[chosen]).backward()
            optimiser.step()
            schedule.step()
    return model.eval()


def halve(cnn: Cnn) -> Cnn:
    """Keep the half of each layer's channels and neurons that has the largest weights (structured pruning)."""
    small = Cnn(**VARIANTS["cnn_pruned"].options)
    kept1, kept2, kept3 = (strongest_half(layer) for layer in (cnn.conv1, cnn.conv2, cnn.dense))
    pixels = (kept2[:, None] * 16 + torch.arange(16)).flatten()
    with torch.no_grad():
        copy_layer(cnn.conv1, small.conv1, rows=kept1, columns=torch.arange(1))
        copy_layer(cnn.conv2, small.conv2, rows=kept2, columns=kept1)
        copy_layer(cnn.dense, small.dense, rows=kept3, columns=pixels)
        copy_layer(cnn.head, small.head, rows=torch.arange(10), columns=kept3)
    return small


def strongest_half(layer: nn.Module) -> torch.Tensor:
    """Return the indices of the outputs with the largest L1 norm, in order."""
    norms = layer.weight.detach().abs().flatten(1).sum(dim=1)
    return norms.topk(len(norms) // 2).indices.sort().values


def copy_layer(source: nn.Module, target: nn.Module, *, rows: torch.Tensor, columns: torch.Tensor) -> None:
    """Copy the chosen outputs (rows) and inputs (columns) of a layer into a smaller one."""
    target.weight.copy_(source.weight[rows][:, columns])
    target.bias.copy_(source.bias[rows])


def narrow(vit: Vit) -> Vit:
    """Keep the half of each perceptron's neurons that has the largest weights (structured pruning)."""
    small = Vit(**VARIANTS["vit_pruned"].options)
    copy_all_but(vit, small, "mlp")
    with torch.no_grad():
        for source, target in zip(vit.blocks, small.blocks, strict=True):
            kept = strongest_half(source.mlp[0])
            copy_layer(source.mlp[0], target.mlp[0], rows=kept, columns=torch.arange(128))
            copy_layer(source.mlp[2], target.mlp[2], rows=torch.arange(128), columns=kept)
    return small


def factorise(cnn: Cnn, *, rank: int) -> Cnn:
    """Replace the large dense layer by its best approximation of that rank."""
    thin = Cnn(rank=rank)
    copy_all_but(cnn, thin, "dense")
    approximate(cnn.dense, thin.dense)
    return thin


def flatten(vit: Vit, *, rank: int) -> Vit:
    """Replace the dense layers of each perceptron by their best approximations of that rank."""
    thin = Vit(rank=rank)
    copy_all_but(vit, thin, "mlp")
    for source, target in zip(vit.blocks, thin.blocks, strict=True):
        for place in (0, 2):
            approximate(source.mlp[place], target.mlp[place])
    return thin


def copy_all_but(source: nn.Module, target: nn.Module, name: str) -> None:
    """Copy every parameter whose name does not contain that."""
    kept = {key: value for key, value in source.state_dict().items() if name not in key.split(".")}
    missing, unexpected = target.load_state_dict(kept, strict=False)
    assert not unexpected
    assert all(name in key.split(".") for key in missing)


def approximate(layer: nn.Linear, thin: nn.Sequential) -> None:
    """Set two thin layers to the best approximation of a full one (singular value decomposition)."""
    left, singular, right = torch.linalg.svd(layer.weight.detach(), full_matrices=False)
    rank = thin[0].out_features
    root = singular[:rank].sqrt()
    with torch.no_grad():
        thin[0].weight.copy_(root[:, None] * right[:rank])
        thin[1].weight.copy_(left[:, :rank] * root)
        thin[1].bias.copy_(layer.bias)


def distillation(teacher: nn.Module, *, temperature: float = 4.0) -> Loss:
    """Half the teacher's softened answers, half the labels (Hinton, Vinyals and Dean, 2015)."""
    teacher = copy.deepcopy(teacher).eval()

    def loss(logits: torch.Tensor, labels: torch.Tensor, images: torch.Tensor) -> torch.Tensor:
        with torch.no_grad():
            taught = functional.log_softmax(teacher(images) / temperature, dim=1)
        learnt = functional.log_softmax(logits / temperature, dim=1)
        soft = functional.kl_div(learnt, taught, log_target=True, reduction="batchmean") * temperature**2
        return 0.5 * soft + 0.5 * functional.cross_entropy(logits, labels)

    return loss


def save(model: nn.Module, name: str) -> None:
    """Store the weights as float16 and continue with exactly what was stored."""
    path = VARIANTS[name].path
    torch.save({key: value.half() for key, value in model.state_dict().items()}, path)
    model.load_state_dict(torch.load(path, weights_only=True))


def export(model: nn.Module, path: Path) -> None:
    """Write the model as ONNX with a free batch size."""
    torch.onnx.export(
        model,
        (torch.zeros(2, 1, 8, 8),),
        path,
        input_names=["images"],
        output_names=["logits"],
        dynamic_shapes={"images": {0: torch.export.Dim("batch")}},
        dynamo=True,
        external_data=False,
        verbose=False,
    )
    # The exporter also notes the weights' shapes; onnxruntime's quantiser transposes weights and then trips over them.
    exported = onnx.load(path)
    del exported.graph.value_info[:]
    del exported.graph.metadata_props[:]
    for node in exported.graph.node:  # where each node came from in this source tree, paths included
        del node.metadata_props[:]
    onnx.save(exported, path)


def quantize_dynamically(source: Path, target: Path) -> None:
    """INT8 weights, activations quantised while running, by default for convolutions too: that one is slower."""
    with tempfile.TemporaryDirectory() as folder:
        prepared = Path(folder) / "prepared.onnx"
        quant_pre_process(source, prepared, skip_symbolic_shape=True)
        quantize_dynamic(prepared, target)


def quantize_statically(source: Path, target: Path, images: torch.Tensor) -> None:
    """INT8 weights and 8-bit activations (U8S8, QDQ), with ranges seen on training images."""
    with tempfile.TemporaryDirectory() as folder:
        prepared = Path(folder) / "prepared.onnx"
        quant_pre_process(source, prepared, skip_symbolic_shape=True)
        quantize_static(
            prepared,
            target,
            Calibration(images.numpy()),
            quant_format=QuantFormat.QDQ,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            per_channel=True,
        )


class Calibration(CalibrationDataReader):
    """Hands out the first 256 training images."""

    def __init__(self, images: np.ndarray) -> None:
        self.batches: Iterator[np.ndarray] = iter(np.split(images[:256], 4))

    def get_next(self) -> dict[str, np.ndarray] | None:
        """Return the next batch, None after the last."""
        batch = next(self.batches, None)
        return None if batch is None else {"images": batch}


def report() -> None:
    """Print file size and accuracy of every variant, as the tests will load it."""
    images, labels = held_out()
    print(f"{'variant':18}{'file':24}{'bytes':>9}  accuracy")
    for name, variant in VARIANTS.items():
        accuracy = (predict(load(name), preprocess(images)) == labels).mean()
        print(f"{name:18}{variant.file:24}{variant.path.stat().st_size:9}  {accuracy:.4f}")
    print(f"all files: {sum(path.stat().st_size for path in WEIGHTS.iterdir())} bytes")


if __name__ == "__main__":
    main()
