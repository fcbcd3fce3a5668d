"""What counts as a batch, and which labels belong to it."""

from __future__ import annotations

from collections import UserDict

import numpy as np
import pytest

from pytest_aiperf.comparing.batches import batches, examples, items_of
from pytest_aiperf.vocabulary.errors import UsageError

IMAGES = np.arange(12.0).reshape(6, 2)
LABELS = np.arange(6)


def shapes(inputs, labels=None):
    return [
        (
            tuple(getattr(one, "shape", None) for one in batch.inputs),
            None if batch.labels is None else len(batch.labels),
        )
        for batch in batches(inputs, labels)
    ]


@pytest.mark.parametrize(
    ("inputs", "labels", "expected"),
    [
        (IMAGES, None, [(((6, 2)),)]),
        (IMAGES, LABELS, [(((6, 2)),)]),
        ([IMAGES[:4], IMAGES[4:]], LABELS, [((4, 2),), ((2, 2),)]),
        ([IMAGES[:4], IMAGES[4:]], [LABELS[:4], LABELS[4:]], [((4, 2),), ((2, 2),)]),
        ([(IMAGES[:4], LABELS[:4]), (IMAGES[4:], LABELS[4:])], None, [((4, 2),), ((2, 2),)]),
        ((IMAGES, LABELS), None, [((6, 2), (6,))]),
        (iter([(IMAGES, LABELS, LABELS)]), None, [((6, 2), (6,), (6,))]),
    ],
)
def test_batches_of_every_kind(inputs, labels, expected):
    seen = shapes(inputs, labels)
    assert [shape for shape, _ in seen] == expected


def test_labels_go_with_their_examples():
    parts = list(batches([IMAGES[:4], IMAGES[4:]], LABELS))
    assert [part.labels.tolist() for part in parts] == [[0, 1, 2, 3], [4, 5]]


def test_a_mapping_is_one_batch_of_named_inputs():
    (one,) = batches({"pixels": IMAGES}, LABELS)
    assert one.inputs == ({"pixels": IMAGES},)
    assert examples(one.inputs) == 6


@pytest.mark.parametrize(
    ("first", "items"),
    [(IMAGES, 6), ({"a": IMAGES}, 6), (UserDict(a=IMAGES), 6), (LABELS, 1), (IMAGES[:0], 1), ({}, 1), ("text", 1)],
    ids=str,
)
def test_a_call_processes_as_many_items_as_its_first_array_has_rows(first, items):
    assert items_of((first,)) == items
    assert items_of(()) == 1


def test_a_data_loader_gives_inputs_and_labels():
    torch = pytest.importorskip("torch")
    dataset = torch.utils.data.TensorDataset(torch.zeros(10, 3), torch.arange(10))
    parts = list(batches(torch.utils.data.DataLoader(dataset, batch_size=4), None))
    assert [len(part.labels) for part in parts] == [4, 4, 2]
    assert all(len(part.inputs) == 1 for part in parts)


@pytest.mark.parametrize(
    ("inputs", "labels", "says"),
    [
        ("text", None, "inputs is a str"),
        (5, None, "inputs is a int"),
        ([], None, "no batches"),
        ([IMAGES], LABELS[:3], "labels has 3 examples, inputs 6"),
        ([IMAGES[:2]], LABELS, "labels has 6 examples, inputs 2"),
        ([IMAGES], [LABELS, LABELS], "labels has 2 batches, inputs 1"),
        ([IMAGES, IMAGES], [LABELS], "labels has 1 batches, inputs more"),
        ([np.float64(1.0)], LABELS, "without a leading dimension"),
    ],
)
def test_what_does_not_match_is_refused(inputs, labels, says):
    with pytest.raises(UsageError, match=says):
        list(batches(inputs, labels))
