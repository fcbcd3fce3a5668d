"""The workloads as tests of the plugin."""

import pytest
from lab_models.memory import build
from lab_models.workloads import WEIGHTS, WORKLOADS


@pytest.mark.parametrize("name", WORKLOADS)
def test_workload(aiperf, name):
    aiperf.call(WORKLOADS[name]())


def test_load(aiperf):
    def load(path):
        import onnxruntime

        return onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])

    aiperf.load(load, str(WEIGHTS / "cnn.onnx"), first=lambda session: session.get_inputs())


def test_peak(aiperf):
    aiperf.load(build, first=lambda model: model())
