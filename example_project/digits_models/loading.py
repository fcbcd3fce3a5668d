"""From a variant's name to a model that is ready to run; a runtime is imported only where it is used."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from digits_models import breaking
from digits_models.variants import VARIANTS, Variant

if TYPE_CHECKING:
    import numpy as np
    import onnxruntime
    from torch import nn


def load(name: str) -> Any:
    """Return the variant as a torch module in eval mode or as an `onnxruntime.InferenceSession`.

    Raises KeyError for a name that is not in `VARIANTS`.
    """
    variant = VARIANTS[name]
    breaking.delay_load(variant.path)
    if variant.runtime == "torch":
        return breaking.break_module(_load_torch(variant))
    return breaking.break_session(_load_onnx(variant))


def model_input(model: Any, images: np.ndarray) -> Any:
    """Return preprocessed images as the model takes them: an array, or a tensor in the model's own precision."""
    if _is_session(model):
        return images
    import torch

    return torch.from_numpy(images).to(next(model.parameters()).dtype)


def predict(model: Any, images: np.ndarray) -> np.ndarray:
    """Return one digit per preprocessed image."""
    if _is_session(model):
        (logits,) = model.run(None, {"images": images})
        return logits.argmax(axis=1)
    import torch

    with torch.inference_mode():
        return model(model_input(model, images)).argmax(dim=1).numpy()


def _is_session(model: Any) -> bool:
    return hasattr(model, "get_providers")


def _load_torch(variant: Variant) -> nn.Module:
    import torch

    from digits_models import models

    # One thread, here and below: models this small gain nothing from a second one, and its spinning makes
    # latencies many times longer as soon as another process wants a core.
    torch.set_num_threads(1)
    model = getattr(models, variant.architecture)(**variant.options)
    # The files hold float16; `load_state_dict` widens it to the module's float32.
    model.load_state_dict(torch.load(variant.path, weights_only=True))
    model = model.to(getattr(torch, variant.dtype)).eval()
    if variant.optimise:
        from digits_models import optimising

        model = getattr(optimising, variant.optimise)(model)
    return model


def _load_onnx(variant: Variant) -> onnxruntime.InferenceSession:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(variant.path, options, providers=["CPUExecutionProvider"])
