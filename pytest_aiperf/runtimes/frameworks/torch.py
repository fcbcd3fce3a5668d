"""PyTorch: modules as they are, scripted, exported, compiled or quantised."""

from __future__ import annotations

import functools
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

from pytest_aiperf.vocabulary.contracts import Framework, Profiler
from pytest_aiperf.vocabulary.model_figures import Weights

NANOSECOND = 1e-9
MASK, UNMASKED = "_mask", "_orig"
"""How `torch.nn.utils.prune` names what it multiplies in every call."""
PACKED = ("_packed_params", "param")
"""Where quantised modules of `torch.ao` keep the weights that `parameters()` does not show."""


class Torch(Framework):
    """Owns every `torch.nn.Module`; the package itself is only ever taken from `sys.modules`."""

    name = "torch"
    module = "torch"
    distributions = ("torch",)
    compile_caches = ("TORCHINDUCTOR_CACHE_DIR", "TRITON_CACHE_DIR", "CUDA_CACHE_PATH")
    uses_torch_streams = True

    def owns(self, model: object) -> bool:
        nn = sys.modules.get("torch.nn")
        return nn is not None and isinstance(model, nn.Module)

    def bind(self, model: Any, inputs: tuple[Any, ...], options: Mapping[str, Any]) -> Callable[[], Any]:
        return lambda: model(*inputs, **options)

    def accept(self, model: Any, inputs: tuple[Any, ...]) -> tuple[tuple[Any, ...], Mapping[str, Any]]:
        """Arrays become tensors on the model's device, floats get the weights' dtype; a mapping is keywords."""
        weight = next((one for one in model.parameters() if one.is_floating_point()), None)
        if len(inputs) == 1 and isinstance(inputs[0], dict):
            return (), {name: _accepted(value, weight) for name, value in inputs[0].items()}
        return tuple(_accepted(value, weight) for value in inputs), {}

    def inference(self) -> AbstractContextManager[object]:
        torch: Any = sys.modules.get("torch")
        return nullcontext() if torch is None else torch.inference_mode()

    def size(self, model: Any) -> int | None:
        """Count a storage once, however many tensors share it; None where the weights are not there yet or hidden."""
        tensors = [*model.parameters(), *model.buffers(), *_packed(model)]
        if not tensors or any(map(_is_lazy, tensors)):
            return None
        storages: dict[int, Any] = {}
        opaque: int = 0
        for leaf in (leaf for tensor in tensors for leaf in _leaves(tensor)):
            try:
                storage = leaf.untyped_storage()
            except NotImplementedError:  # MKL-DNN's own layout
                opaque += leaf.numel() * leaf.element_size()
                continue
            storages[storage._cdata] = storage  # noqa: SLF001 - the address: data_ptr() is 0 for all on the meta device
        return opaque + sum(int(storage.nbytes()) for storage in storages.values())

    def weights(self, model: Any) -> Weights | None:
        learnt = [*model.parameters(), *_packed(model)]
        if not learnt or any(map(_is_lazy, learnt)):
            return None
        kinds: Counter[str] = Counter()
        for leaf in (leaf for tensor in (*learnt, *model.buffers()) for leaf in _leaves(tensor)):
            kinds[_dtype(leaf)] += leaf.numel() * leaf.element_size()
        masks = _masks(model)
        zeros = [_zeros(masks.get(id(tensor), tensor)) for tensor in learnt]
        return Weights(
            parameters=sum(tensor.numel() for tensor in learnt),
            zeros=None if None in zeros else sum(filter(None, zeros)),
            bytes=dict(kinds),
            masks=len(masks),
        )

    def facts(self, model: Any) -> Mapping[str, str]:
        torch: Any = sys.modules["torch"]
        weights = [*model.parameters(), *_packed(model)]
        devices = sorted({str(tensor.device) for tensor in (*weights, *model.buffers())})
        facts = {
            "dtype": _dtypes(weights),
            "device": ", ".join(devices),
            "threads": str(torch.get_num_threads()),
            "mode": _mode(model),
            "gradients": "off (inference_mode)",
            "compiled": "torch.compile" if hasattr(model, "_orig_mod") else "",
        }
        return {name: fact for name, fact in facts.items() if fact}

    def profiler(self) -> Profiler:
        from pytest_aiperf.runtimes.profilers import torch

        return torch.create()

    def watch_moves(self, clock: Callable[[], int], seconds: list[float]) -> AbstractContextManager[object]:
        nn: Any = sys.modules.get("torch.nn")
        return nullcontext() if nn is None else _timed_moves(nn.Module, clock, seconds)


create = Torch


def _accepted(value: Any, weight: Any | None) -> Any:
    torch: Any = sys.modules["torch"]
    if hasattr(value, "__array__") and not isinstance(value, torch.Tensor):
        value = torch.as_tensor(value)
    if weight is None or not isinstance(value, torch.Tensor):
        return value
    return value.to(device=weight.device, dtype=weight.dtype if value.is_floating_point() else value.dtype)


@contextmanager
def _timed_moves(module: Any, clock: Callable[[], int], seconds: list[float]) -> Iterator[None]:
    """Time `to` and `cuda` where they change a device; a call inside another one belongs to the outer one."""
    moving: set[int] = set()

    def timed(move: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(move)
        def moved(model: Any, *args: Any, **kwargs: Any) -> Any:
            thread = threading.get_ident()
            if thread in moving:
                return move(model, *args, **kwargs)
            before = _devices(model)
            moving.add(thread)
            start = clock()
            try:
                result = move(model, *args, **kwargs)
                taken = clock() - start
            finally:
                moving.discard(thread)
            if _devices(model) != before:
                seconds.append(taken * NANOSECOND)
            return result

        return moved

    to, cuda = module.to, module.cuda
    module.to, module.cuda = timed(to), timed(cuda)
    try:
        yield
    finally:
        module.to, module.cuda = to, cuda


def _devices(model: Any) -> list[Any]:
    return [tensor.device for tensor in (*model.parameters(), *model.buffers())]


def _is_lazy(tensor: Any) -> bool:
    torch: Any = sys.modules["torch"]
    return bool(torch.nn.parameter.is_lazy(tensor))


def _packed(model: Any) -> list[Any]:
    """Find the tensors inside packed weights, each quantised weight with its bias."""
    torch: Any = sys.modules["torch"]
    held = (getattr(module, name, None) for module in model.modules() for name in PACKED)
    return [tensor for value in held if isinstance(value, torch.ScriptObject) for tensor in _unpacked(value)]


def _unpacked(value: Any) -> Iterator[Any]:
    torch: Any = sys.modules["torch"]
    if isinstance(value, torch.Tensor):
        yield value
    elif isinstance(value, torch.ScriptObject):
        yield from _unpacked(value.__getstate__())
    elif isinstance(value, (tuple, list)):
        for part in value:
            yield from _unpacked(part)


def _leaves(tensor: Any) -> Iterator[Any]:
    """Yield the tensors that hold the bytes: of a quantised subclass, or of a sparse layout, the inner ones."""
    torch: Any = sys.modules["torch"]
    if hasattr(tensor, "__tensor_flatten__"):
        for name in tensor.__tensor_flatten__()[0]:
            yield from _leaves(getattr(tensor, name))
    elif tensor.layout == torch.sparse_coo:
        yield from (tensor._indices(), tensor._values())  # noqa: SLF001 - the public ones demand coalescing first
    elif tensor.layout in (torch.sparse_csr, torch.sparse_bsr):
        yield from (tensor.crow_indices(), tensor.col_indices(), tensor.values())
    elif tensor.layout in (torch.sparse_csc, torch.sparse_bsc):
        yield from (tensor.ccol_indices(), tensor.row_indices(), tensor.values())
    else:
        yield tensor


def _dtypes(weights: list[Any]) -> str:
    """Say `float32`, or `bfloat16 x 12, int8 x 4`; a quantised tensor counts as what most of its bytes are."""
    kinds = Counter(_dtype(_heaviest(tensor)) for tensor in weights)
    if len(kinds) == 1:
        return next(iter(kinds))
    return ", ".join(f"{kind} x {count}" for kind, count in kinds.most_common())


def _dtype(tensor: Any) -> str:
    return str(tensor.dtype).removeprefix("torch.")


def _zeros(tensor: Any) -> int | None:
    """How many elements are 0, those that a sparse layout does not store included; None of several in one byte."""
    torch: Any = sys.modules["torch"]
    if tensor.layout == torch.sparse_coo:
        stored = tensor._values()  # noqa: SLF001 - the public one demands coalescing first
    elif tensor.layout in (torch.sparse_csr, torch.sparse_csc, torch.sparse_bsr, torch.sparse_bsc):
        stored = tensor.values()
    else:
        stored = tensor.dequantize() if tensor.is_quantized else _heaviest(tensor)
        if stored.numel() != tensor.numel():
            return None
    return int(tensor.numel() - stored.count_nonzero())


def _masks(model: Any) -> dict[int, Any]:
    """Identity of each parameter that is pruned in every call anew -> its mask."""
    masks = {name.removesuffix(MASK): mask for name, mask in model.named_buffers() if name.endswith(MASK)}
    named = {name.removesuffix(UNMASKED): one for name, one in model.named_parameters() if name.endswith(UNMASKED)}
    return {id(one): masks[name] for name, one in named.items() if name in masks}


def _heaviest(tensor: Any) -> Any:
    if _is_lazy(tensor):
        return tensor
    return max(_leaves(tensor), key=lambda leaf: leaf.numel() * leaf.element_size())


def _mode(model: Any) -> str:
    """Dropout and batch normalisation behave differently while training: rarely what a test of speed means."""
    if getattr(model, "training", False):
        return "training mode!"
    modes = [getattr(module, "training", False) for module in model.modules()]
    return f"evaluation, but {sum(modes)} of {len(modes)} modules in training mode!" if any(modes) else "evaluation"
