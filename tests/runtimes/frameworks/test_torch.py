"""PyTorch: sizes, facts and moves of real modules."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is not installed")

from pytest_aiperf.runtimes.frameworks.torch import create  # noqa: E402 - only where torch is installed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

nn = torch.nn


@pytest.fixture(autouse=True)
def _torch_warns_of_its_own_future() -> Iterator[None]:
    """TorchScript, torch.ao and sparse layouts warn when they are made."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


class Int8(torch.Tensor):
    """A weight of 64 elements kept as int8 with a scale, as quantisation libraries build theirs."""

    @staticmethod
    def __new__(cls, weight: Any, scale: Any) -> Any:
        made = torch.Tensor._make_wrapper_subclass(cls, weight.shape, dtype=torch.float32)
        made.weight, made.scale = weight, scale
        return made

    def __tensor_flatten__(self) -> tuple[list[str], None]:
        return ["weight", "scale"], None

    @classmethod
    def __torch_dispatch__(cls, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if function is torch.ops.aten.detach.default:
            return args[0]
        raise NotImplementedError(function)


def tied() -> Any:
    model = nn.Sequential(nn.Linear(8, 8, bias=False), nn.Linear(8, 8, bias=False))
    model[1].weight = model[0].weight
    return model


def views_of_one_storage() -> Any:
    flat = torch.zeros(128)
    model = nn.Module()
    model.register_buffer("first", flat[:64])
    model.register_buffer("second", flat[64:])
    return model


def int8_subclass() -> Any:
    model = nn.Linear(8, 8, bias=False)
    model.weight = nn.Parameter(Int8(torch.zeros(8, 8, dtype=torch.int8), torch.ones(8)), requires_grad=False)
    return model


def dynamic_int8() -> Any:
    return torch.ao.quantization.quantize_dynamic(nn.Sequential(nn.Linear(8, 8)), {nn.Linear}, dtype=torch.qint8)


def sparse() -> Any:
    model = nn.Module()
    model.register_buffer(
        "weight", torch.sparse_csr_tensor(torch.tensor([0, 1, 2]), torch.tensor([0, 1]), torch.ones(2))
    )
    return model


def sparse_coordinates() -> Any:
    model = nn.Module()
    model.register_buffer("weight", torch.eye(4).to_sparse_coo())
    return model


SIZES = [
    (lambda: nn.Linear(8, 8), 8 * 8 * 4 + 8 * 4),
    (lambda: nn.Linear(8, 8).bfloat16(), 8 * 8 * 2 + 8 * 2),
    (lambda: nn.BatchNorm1d(8), 4 * 8 * 4 + 8),
    (tied, 8 * 8 * 4),
    (views_of_one_storage, 128 * 4),
    (int8_subclass, 64 + 8 * 4),
    (dynamic_int8, 64 + 8 * 4),
    (lambda: torch.jit.script(dynamic_int8()), 64 + 8 * 4),
    (sparse, 3 * 8 + 2 * 8 + 2 * 4),
    (sparse_coordinates, 2 * 4 * 8 + 4 * 4),
    (lambda: nn.Linear(8, 8, bias=False, device="meta"), 8 * 8 * 4),
    (lambda: nn.Sequential(nn.Linear(8, 8, device="meta"), nn.Linear(8, 8, device="meta")), 2 * (8 * 8 * 4 + 8 * 4)),
    (lambda: torch.jit.script(nn.Linear(8, 8)), 8 * 8 * 4 + 8 * 4),
    (lambda: torch.compile(nn.Linear(8, 8)), 8 * 8 * 4 + 8 * 4),
]


@pytest.mark.parametrize(("build", "size"), SIZES)
def test_it_counts_the_bytes_that_are_held(build: Callable[[], Any], size: int) -> None:
    """It counts each storage once, and of quantised and sparse weights what they are kept in."""
    assert create().size(build()) == size


@pytest.mark.parametrize(
    "build",
    [nn.Identity, lambda: nn.LazyLinear(4), lambda: torch.jit.freeze(torch.jit.script(nn.Linear(4, 4).eval()))],
    ids=["no weights", "not made yet", "frozen into the graph"],
)
def test_a_hidden_size_is_unknown(build: Callable[[], Any]) -> None:
    """It does not call a model weightless whose weights it cannot see."""
    assert create().size(build()) is None


def test_torchao_weights_count_as_int8() -> None:
    """It sees through the real quantised tensors of torchao."""
    quantization = pytest.importorskip("torchao.quantization", reason="torchao is not installed")
    model = nn.Linear(64, 64, bias=False)
    quantization.quantize_(model, quantization.Int8WeightOnlyConfig())
    assert 64 * 64 < create().size(model) < 64 * 64 * 2
    assert create().facts(model)["dtype"] == "int8"


@pytest.mark.parametrize(
    "build",
    [
        lambda: nn.Linear(2, 2),
        lambda: torch.jit.script(nn.Linear(2, 2)),
        lambda: torch.compile(nn.Linear(2, 2)),
        lambda: torch.export.export(nn.Linear(2, 2), (torch.ones(1, 2),)).module(),
    ],
    ids=["module", "script", "compiled", "exported"],
)
def test_it_owns_every_kind_of_module(build: Callable[[], Any]) -> None:
    """It owns a module whatever was made of it, and can describe it."""
    model = build()
    assert create().owns(model)
    assert create().facts(model)["dtype"] == "float32"


def test_it_owns_nothing_but_modules() -> None:
    """It leaves functions, tensors and classes of modules to others."""
    assert not any(map(create().owns, (torch.relu, torch.ones(1), nn.Linear, None)))


def test_it_calls_with_inputs_and_options() -> None:
    """It hands inputs and keyword options to the module."""
    attention = nn.MultiheadAttention(4, 1)
    x = torch.ones(2, 1, 4)
    output, weights = create().bind(attention, (x, x, x), {"need_weights": False})()
    assert output.shape == (2, 1, 4)
    assert weights is None


def test_inference_is_without_gradients() -> None:
    """It runs a model in torch's inference mode."""
    with create().inference():
        assert torch.is_inference(nn.Linear(2, 2)(torch.ones(1, 2)))


DTYPES = [
    (lambda: nn.Linear(2, 2), "float32"),
    (lambda: nn.Sequential(nn.Linear(2, 2).bfloat16(), nn.Linear(2, 2, bias=False)), "bfloat16 x 2, float32 x 1"),
    (int8_subclass, "int8"),
    (dynamic_int8, "qint8 x 1, float32 x 1"),
]


@pytest.mark.parametrize(("build", "dtype"), DTYPES)
def test_it_says_what_the_weights_are_made_of(build: Callable[[], Any], dtype: str) -> None:
    """It names one type alone, several with their counts, the most frequent first."""
    assert create().facts(build())["dtype"] == dtype


def test_it_says_where_and_how_the_model_runs() -> None:
    """It gives device, threads and gradient mode."""
    facts = create().facts(nn.Linear(2, 2).eval())
    assert facts["device"] == "cpu"
    assert facts["threads"] == str(torch.get_num_threads())
    assert facts["gradients"] == "off (inference_mode)"
    assert "compiled" not in facts


def test_it_says_that_a_model_is_compiled() -> None:
    """It tells a compiled module from an ordinary one."""
    assert create().facts(torch.compile(nn.Linear(2, 2)))["compiled"] == "torch.compile"


def partly_training() -> Any:
    model = nn.Sequential(nn.Linear(2, 2), nn.Dropout()).eval()
    model[1].train()
    return model


MODES = [
    (lambda: nn.Dropout().eval(), "evaluation"),
    (nn.Dropout, "training mode!"),
    (partly_training, "evaluation, but 1 of 3 modules in training mode!"),
    (lambda: torch.jit.freeze(torch.jit.script(nn.Linear(4, 4).eval())), "evaluation"),
]


@pytest.mark.parametrize(("build", "mode"), MODES)
def test_it_warns_of_training_mode(build: Callable[[], Any], mode: str) -> None:
    """It says when a model, or a part of it, was left in training mode."""
    assert create().facts(build())["mode"] == mode


class Ticks:
    """A clock that moves a second each time it is read."""

    def __init__(self) -> None:
        self.now = 0

    def __call__(self) -> int:
        self.now += 1_000_000_000
        return self.now


class Wrapper(nn.Module):
    """Moves its part by itself, as large models do."""

    def __init__(self) -> None:
        super().__init__()
        self.part = nn.Linear(2, 2)

    def _apply(self, *args: Any, **kwargs: Any) -> Any:
        self.part.to("meta")
        return super()._apply(*args, **kwargs)


def test_a_move_to_another_device_is_timed() -> None:
    """It appends the seconds of each move, and gives the moved model back."""
    seconds: list[float] = []
    with create().watch_moves(Ticks(), seconds):
        model = nn.Linear(2, 2).to("meta")
        nn.Linear(2, 2).to(torch.device("meta"))
    assert model.weight.device.type == "meta"
    assert seconds == [1.0, 1.0]


def test_a_move_inside_a_move_is_part_of_it() -> None:
    """It times the outermost call only."""
    seconds: list[float] = []
    with create().watch_moves(Ticks(), seconds):
        Wrapper().to("meta")
    assert seconds == [1.0]


def test_a_conversion_is_no_move() -> None:
    """It does not time calls after which the model is where it was."""
    seconds: list[float] = []
    with create().watch_moves(Ticks(), seconds):
        nn.Linear(2, 2).to(torch.bfloat16).to("cpu")
    assert seconds == []


def test_a_move_after_a_failed_one_is_timed() -> None:
    """It counts no move that raised, and still counts the next one."""
    seconds: list[float] = []
    with create().watch_moves(Ticks(), seconds):
        with pytest.raises(TypeError):
            nn.Linear(2, 2).to(torch.int8)
        nn.Linear(2, 2).to("meta")
    assert seconds == [1.0]


def test_the_methods_are_restored_after_a_failure() -> None:
    """It leaves no trace on `nn.Module`, even where the loader raises."""
    originals = (nn.Module.to, nn.Module.cuda)
    with pytest.raises(RuntimeError, match="xyz"), create().watch_moves(Ticks(), []):
        nn.Linear(2, 2).to("xyz")
    assert (nn.Module.to, nn.Module.cuda) == originals


def test_inputs_of_other_runtimes_are_made_fit():
    adapter = create()
    narrow = torch.nn.Linear(2, 3).to(torch.bfloat16)
    (accepted,), options = adapter.accept(narrow, (np.ones((4, 2)),))
    assert (accepted.dtype, accepted.shape, options) == (torch.bfloat16, (4, 2), {})
    (tokens,), _ = adapter.accept(narrow, (np.array([1, 2]),))
    assert tokens.dtype == torch.int64
    arguments, named = adapter.accept(narrow, ({"input": torch.ones(4, 2)},))
    assert arguments == ()
    assert named["input"].dtype == torch.bfloat16
    (kept, flag), _ = adapter.accept(torch.nn.ReLU(), (torch.ones(2), True))
    assert kept.dtype == torch.float32
    assert flag is True


def _sparse_linear(layout: str) -> Any:
    linear = nn.Linear(8, 8, bias=False)
    with torch.no_grad():
        linear.weight[:, 4:] = 0
    linear.weight = nn.Parameter(linear.weight.detach().to_sparse(layout=getattr(torch, layout)), requires_grad=False)
    return linear


def _zeroed() -> Any:
    linear = nn.Linear(8, 8, bias=False)
    nn.init.ones_(linear.weight)
    with torch.no_grad():
        linear.weight[:, 4:] = 0
    return linear


def _masked() -> Any:
    from torch.nn.utils import prune

    linear = nn.Linear(8, 8, bias=False)
    prune.l1_unstructured(linear, "weight", amount=0.5)
    return linear


@pytest.mark.parametrize(
    ("build", "masks"),
    [
        pytest.param(_zeroed, 0, id="zeros that are stored"),
        pytest.param(_masked, 1, id="a mask in every call"),
        pytest.param(lambda: _sparse_linear("sparse_coo"), 0, id="coordinates"),
        pytest.param(lambda: _sparse_linear("sparse_csr"), 0, id="rows"),
        pytest.param(lambda: nn.Sequential(_zeroed()).to(torch.bfloat16), 0, id="half precision"),
    ],
)
def test_zeros_count_however_they_are_stored(build: Callable[[], Any], masks: int) -> None:
    weights = create().weights(build())
    assert (weights.parameters, weights.zeros, weights.sparsity, weights.masks) == (64, 32, 0.5, masks)


def test_weights_are_told_by_their_kind_and_shared_ones_once() -> None:
    shared = nn.Linear(8, 8, bias=False)
    weights = create().weights(nn.Sequential(shared, shared, nn.BatchNorm1d(8)))
    assert weights.parameters == 64 + 16
    assert weights.bytes == {"float32": 4 * (64 + 16 + 16), "int64": 8}


def test_packed_weights_count_their_zeros() -> None:
    quantised = torch.ao.quantization.quantize_dynamic(nn.Sequential(_zeroed()), {nn.Linear})
    assert create().weights(quantised).zeros == 32


def test_a_model_without_weights_yet_has_none() -> None:
    assert create().weights(nn.LazyLinear(4)) is None
    assert create().weights(nn.ReLU()) is None
