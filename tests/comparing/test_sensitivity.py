"""Each layer optimised alone."""

from __future__ import annotations

import numpy as np
import pytest

from pytest_aiperf.comparing.scoring import Question
from pytest_aiperf.comparing.sensitivity import sensitivity
from pytest_aiperf.runtimes.frameworks import plain
from pytest_aiperf.runtimes.frameworks import torch as torch_adapter
from pytest_aiperf.vocabulary.contracts import Frameworks
from pytest_aiperf.vocabulary.errors import UsageError

torch = pytest.importorskip("torch")
FRAMEWORKS = Frameworks([torch_adapter.create(), plain.create()])


@pytest.fixture
def model():
    torch.manual_seed(3)
    layers = [
        torch.nn.Linear(32, 64),
        torch.nn.Tanh(),
        torch.nn.Linear(64, 64),
        torch.nn.Tanh(),
        torch.nn.Linear(64, 5),
    ]
    return torch.nn.Sequential(*layers).eval().requires_grad_(requires_grad=False)


def seen(model, **more):
    rows = torch.from_numpy(np.random.default_rng(4).normal(size=(400, 32)).astype(np.float32))
    labels = model(rows).argmax(1).numpy()
    options = {"optimise": None, "layers": None, "bits": 8, **more}
    return sensitivity(model, asked=Question(inputs=rows, labels=labels), frameworks=FRAMEWORKS, **options)


def test_fewer_bits_cost_more_in_every_layer(model):
    before = [parameter.clone() for parameter in model.parameters()]
    eight, three = seen(model), seen(model, bits=3)
    assert {cost.name for cost in eight} == {"0", "2", "4"}
    by_name = {cost.name: cost for cost in three}
    assert all(cost.sqnr_db > 30 > by_name[cost.name].sqnr_db for cost in eight)
    assert all(map(torch.equal, before, model.parameters())), "the model itself is left alone"


def test_the_layer_that_an_optimisation_ruins_comes_first(model):
    def ruin(twin, name):
        twin.get_submodule(name).weight.mul_(-1 if name == "2" else 1.001)

    found = seen(model, optimise=ruin)
    assert found[0].name == "2"
    assert found[0].score_drop > 0.2 > found[1].score_drop
    assert found.most_sensitive(1) == ["2"]
    head, first, *_ = str(found).splitlines()
    assert head.split() == ["layer", "parameters", "SQNR", "alike", "accuracy", "lost"]
    assert first.split()[:2] == ["2", "4.16"]


def test_an_optimisation_may_return_another_model(model):
    found = seen(model, optimise=lambda _twin, _name: lambda rows: model(rows) + 1e-3, layers=["4"])
    assert [cost.name for cost in found] == ["4"]
    assert found[0].agreement == 1.0


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"layers": ["9"]}, "no layer '9' with weights; there are: 0, 2, 4"),
        ({"layers": []}, "no layers with weights"),
        ({"bits": 1}, "bits=1: expected 2 to 16"),
    ],
)
def test_mistakes_are_named(model, options, says):
    with pytest.raises(UsageError, match=says):
        seen(model, **options)


def test_only_modules_have_layers():
    with pytest.raises(UsageError, match="a function has no layers"):
        sensitivity(lambda x: x, None, Question(inputs=np.zeros((2, 2))), layers=None, bits=8, frameworks=FRAMEWORKS)


def test_a_channel_of_zeros_stays_one(model):
    model[0].weight[3] = 0
    assert seen(model, layers=["0"])[0].sqnr_db > 30
