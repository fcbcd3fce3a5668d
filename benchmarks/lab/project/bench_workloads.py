"""The same workloads for pytest-benchmark and pytest-codspeed."""

import pytest
from lab_models.workloads import WORKLOADS


@pytest.mark.parametrize("name", WORKLOADS)
def test_workload(benchmark, name):
    benchmark(WORKLOADS[name]())
