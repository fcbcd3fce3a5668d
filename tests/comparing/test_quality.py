"""What both models answer, scored alike."""

from __future__ import annotations

import numpy as np
import pytest

from pytest_aiperf.comparing.compared_model import Model
from pytest_aiperf.comparing.parity import IDENTICAL_DB
from pytest_aiperf.comparing.quality import check, layers, novel, quality, void
from pytest_aiperf.comparing.scoring import Question
from pytest_aiperf.runtimes.frameworks import onnxruntime, plain, torch
from pytest_aiperf.vocabulary.contracts import Frameworks
from pytest_aiperf.vocabulary.errors import UsageError

LABELS = np.arange(100) % 10
INPUTS = np.arange(200.0).reshape(100, 2)
FRAMEWORKS = Frameworks([onnxruntime.create(), torch.create(), plain.create()])


def logits(answers):
    return np.eye(10)[np.asarray(answers)]


def right(inputs):
    return logits((inputs[:, 0] / 2).astype(int) % 10)


def mostly_right(inputs):
    answers = (inputs[:, 0] / 2).astype(int) % 10
    return logits(np.where(inputs[:, 0] < 10, (answers + 1) % 10, answers))


def seen(reference=right, candidate=mostly_right, **asked):
    question = Question(**{"inputs": INPUTS, "labels": LABELS, **asked})
    return quality(Model(reference, FRAMEWORKS), Model(candidate, FRAMEWORKS), question)


@pytest.mark.parametrize("inputs", [INPUTS, [INPUTS[:32], INPUTS[32:64], INPUTS[64:]]])
def test_scores_example_by_example(inputs):
    found = seen(inputs=inputs)
    assert found.metric.name == "accuracy"
    assert sum(found.reference) == 100
    assert found.candidate == [0.0] * 5 + [1.0] * 95
    assert sum(found.agreement) == 95
    assert found.parity.max_abs_error == 1.0
    assert void(found) == ""


def test_without_labels_only_the_outputs_are_compared():
    found = seen(labels=None)
    assert (found.reference, found.candidate) == ([], [])
    assert sum(found.agreement) == 95


def test_regressions_have_no_answers_but_outputs():
    found = seen(lambda inputs: inputs[:, 0], lambda inputs: inputs[:, 0] + 0.5, labels=None)
    assert found.agreement == []
    assert found.parity.max_abs_error == 0.5


def test_answers_are_read_as_told():
    found = seen(
        lambda x: {"a": right(x)}, lambda x: {"a": mostly_right(x)}, predict=lambda output: output["a"].argmax(1)
    )
    assert sum(found.candidate) == 95


def test_a_metric_function_gives_examples_or_one_number():
    def graded(answers, labels):
        return np.where(answers == labels, 1.0, 0.5)

    found = seen(metric=graded)
    assert (found.metric.name, found.candidate) == ("graded", [0.5] * 5 + [1.0] * 95)
    assert seen(metric=lambda answers, labels: float((answers == labels).mean())).candidate == [0.95]


def test_scikit_learn_wants_the_truth_first():
    metrics = pytest.importorskip("sklearn.metrics")
    only_first = np.where(LABELS == 0, 0, 1)

    def always_one(inputs):
        return np.ones(len(inputs), dtype=int)

    def recall(truth, answers):
        return metrics.recall_score(truth, answers, pos_label=0, zero_division=1.0)

    recall.__module__ = "sklearn.metrics"
    found = seen(always_one, lambda inputs: np.zeros(len(inputs), dtype=int), labels=only_first, metric=recall)
    assert found.reference == [0.0]
    assert found.candidate == [1.0], "recall of class 0 where everything is called 0; its precision would be 0.1"


def test_a_torchmetrics_object_is_reset_updated_and_computed():
    tensors = pytest.importorskip("torch")

    class Accuracy:
        def reset(self):
            self.right = self.all = 0

        def update(self, answers, labels):
            assert isinstance(answers, tensors.Tensor)
            self.right += int((answers == labels).sum())
            self.all += len(labels)

        def compute(self):
            return tensors.tensor(self.right / self.all)

    found = seen(metric=Accuracy())
    assert found.reference == [1.0]
    assert found.candidate == [pytest.approx(0.95)]


def test_a_reference_that_is_not_reproducible_proves_nothing():
    random = np.random.default_rng(1)

    def noisy(inputs):
        return right(inputs) + random.normal(0, 0.5, (len(inputs), 10))

    assert void(seen(noisy)).startswith("two runs of the reference differ by up to ")


def test_a_little_noise_of_the_reference_hides_no_large_error():
    random = np.random.default_rng(1)
    assert void(seen(lambda inputs: right(inputs) + random.normal(0, 0.001, (len(inputs), 10)))) == ""


def test_float64_tells_rounding_from_error():
    tensors = pytest.importorskip("torch")
    tensors.manual_seed(1)
    layers = [tensors.nn.Linear(64, 64), tensors.nn.Tanh(), tensors.nn.Linear(64, 10)]
    model = tensors.nn.Sequential(*layers).requires_grad_(requires_grad=False)
    rows = tensors.randn(32, 64)
    frameworks = Frameworks([torch.create(), plain.create()])

    def rounding(candidate):
        with tensors.inference_mode():
            return quality(
                Model(model, frameworks), Model(candidate, frameworks), Question(inputs=rows)
            ).parity.rounding

    weights = [layers[0].weight, layers[2].weight]
    same = rounding(lambda x: tensors.tanh(x @ weights[0].T + layers[0].bias) @ weights[1].T + layers[2].bias)
    assert 0.3 < same < 3
    assert rounding(lambda x: model(x.bfloat16().float())) > 1000


def test_each_output_has_its_own_tolerance():
    found = seen(predict=lambda output: output.argmax(1), tolerances={"0": 0.5})
    assert found.parity.mismatches == ("output 0: 10 of 1000 values beyond its tolerance, by up to 1",)
    assert seen(tolerances={"0": (0.0, 2.0)}).parity.mismatches != ()
    assert seen(tolerances={"0": 1.5}).parity.mismatches == ()
    with pytest.raises(UsageError, match="tolerances: no output 'boxes'; there are: 0"):
        seen(tolerances={"boxes": 1})


def test_a_torch_module_takes_arrays_and_a_narrow_one_casts_them():
    tensors = pytest.importorskip("torch")
    wide = tensors.nn.Linear(2, 10)
    narrow = tensors.nn.Linear(2, 10)
    narrow.load_state_dict(wide.state_dict())
    found = seen(wide.eval().requires_grad_(False), narrow.eval().requires_grad_(False).bfloat16())
    assert found.parity.mismatches == ()
    assert found.parity.cosine > 0.999
    assert 20 < found.parity.sqnr_db < 80


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ({"labels": LABELS[:50]}, "100 answers for 50 labels"),
        ({"labels": None, "metric": lambda answers, labels: 1.0}, "metric= needs labels"),
        ({"candidate": lambda inputs: inputs[:, 0]}, "give predict="),
        ({"inputs": []}, "no batches"),
    ],
)
def test_what_does_not_fit_is_refused(asked, says):
    with pytest.raises(UsageError, match=says):
        seen(**asked)


def test_a_candidate_that_is_the_reference_is_refused():
    with pytest.raises(UsageError, match=r"copy\.deepcopy"):
        check(right, right)


def test_an_async_model_is_refused():
    async def model(inputs):
        return inputs

    with pytest.raises(UsageError, match="async"):
        Model(model, FRAMEWORKS)


def test_new_inputs_are_the_same_values_in_other_orders():
    orders = novel((INPUTS, {"mask": INPUTS}))
    assert len(orders) == 5
    for array, named in orders:
        assert array.shape == INPUTS.shape
        assert sorted(array.ravel()) == sorted(INPUTS.ravel())
        assert not np.array_equal(named["mask"], INPUTS)
    assert novel(("text",)) == []
    assert novel((np.zeros(2),)) == []


def test_layers_of_both_modules_are_compared_in_the_order_they_run():
    tensors = pytest.importorskip("torch")
    tensors.manual_seed(1)
    wide = tensors.nn.Sequential(tensors.nn.Linear(2, 8), tensors.nn.ReLU(), tensors.nn.Linear(8, 10)).eval()
    broken = tensors.nn.Sequential(tensors.nn.Linear(2, 8), tensors.nn.ReLU(), tensors.nn.Linear(8, 10)).eval()
    broken.load_state_dict(wide.state_dict())
    with tensors.no_grad():
        broken[2].weight *= 3
        found = layers(Model(wide, FRAMEWORKS), Model(broken, FRAMEWORKS), (INPUTS,))
    assert list(found) == ["0", "1", "2"]
    assert found["0"] == found["1"] == IDENTICAL_DB
    assert found["2"] < 0
    assert layers(Model(right, FRAMEWORKS), Model(mostly_right, FRAMEWORKS), (INPUTS,)) == {}
    assert not wide[0]._forward_hooks


def test_weights_that_cannot_be_counted_fail_nothing():
    class Odd(plain.Plain):
        def weights(self, model):
            raise NotImplementedError("count_nonzero of a packed format")

    figures = Model(right, Frameworks([Odd()])).figures((INPUTS,), score=None, memory=None)
    assert figures.weights is None
