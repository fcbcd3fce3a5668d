"""The whole run with its raw samples, as JSON that strict parsers read; `pytest-aiperf` reads it back."""

from __future__ import annotations

from pytest_aiperf.vocabulary import codec
from pytest_aiperf.vocabulary.contracts import Reporter
from pytest_aiperf.vocabulary.records import Run


class Json(Reporter):
    """The format, its number and its history are those of `codec`."""

    def render(self, run: Run) -> str:
        return codec.encode_run(run).decode() + "\n"


create = Json
