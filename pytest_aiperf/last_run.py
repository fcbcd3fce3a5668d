"""The last run with its raw samples, in `.aiperf/` under the root: what `pytest-aiperf show` and `accept` read."""

from __future__ import annotations

from pathlib import Path

from pytest_aiperf import atomic, codec
from pytest_aiperf.errors import AiperfError
from pytest_aiperf.vocabulary import Run

FOLDER = ".aiperf"


def file_of(root: Path) -> Path:
    """Where the last run lies."""
    return root / FOLDER / "last.json"


def keep(root: Path, run: Run) -> None:
    """Store a run; the folder ignores itself in git."""
    path = file_of(root)
    with atomic.only_writer(path.parent):
        path.parent.mkdir(exist_ok=True)
        (path.parent / ".gitignore").write_text("*\n", encoding="utf-8")
        atomic.replace_text(path, codec.encode_run(run).decode())


def read(root: Path) -> Run:
    """The last run. Raises AiperfError where there is none."""
    path = file_of(root)
    try:
        return codec.decode_run(path.read_bytes())
    except FileNotFoundError:
        raise AiperfError(f"{path}: no run is stored here; run `pytest --aiperf` first") from None
