"""What an ONNX model is made of, read from its file."""

from __future__ import annotations

import mmap
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pytest_aiperf.vocabulary.model_figures import Weights

LARGEST_READ = 1024**3
"""Bytes on disk of a model that is read as a whole to count its weights."""
EXTERNAL_FILE = re.compile(rb"\x0a\x08location\x12([\x01-\x7f]|[\x80-\xff]\x01)")
"""Protobuf: the key `location` of a tensor's external data and the length (up to 255) of the file name that follows."""


def source_of(session: Any) -> str | bytes | None:
    """The file, or the content, that a session was made of; None where it does not remember."""
    return getattr(session, "_model_path", None) or getattr(session, "_model_bytes", None) or None


def weights(source: str | bytes | Path) -> Weights | None:
    """Of its initialisers, without shapes and indices; None of large models, and without the package `onnx`."""
    if not isinstance(source, bytes) and _bytes_of(Path(source)) > LARGEST_READ:
        return None
    try:
        import onnx
        from onnx import numpy_helper
    except ImportError:
        return None
    model = onnx.load_from_string(source) if isinstance(source, bytes) else onnx.load(source)
    kinds: Counter[str] = Counter()
    parameters = zeros = 0
    for tensor in _initialisers(model.graph):
        values = numpy_helper.to_array(tensor)
        if values.dtype.kind == "i" and values.dtype.itemsize == 8:  # noqa: PLR2004 - int64: a shape, an index
            continue
        kinds[str(values.dtype)] += values.nbytes
        parameters += values.size
        zeros += values.size - int((values != 0).sum())
    return Weights(parameters=parameters, zeros=zeros, bytes=dict(kinds))


def _bytes_of(file: Path) -> int:
    return sum(one.stat().st_size for one in (file, *external_files(file)) if one.is_file())


def _initialisers(graph: Any) -> Iterator[Any]:
    """Those of the graphs inside `If` and `Loop`, too, and constants."""
    yield from graph.initializer
    for node in graph.node:
        for attribute in node.attribute:
            if node.op_type == "Constant" and attribute.name == "value":
                yield attribute.t
            for inner in [attribute.g] if attribute.HasField("g") else attribute.graphs:
                yield from _initialisers(inner)


def external_files(path: Path) -> tuple[Path, ...]:
    """Find the files that hold large tensors, without a parser: this process need not have `onnx`."""
    if path.stat().st_size == 0:
        return ()
    with path.open("rb") as opened, mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ) as content:
        named = {_text_after(content, match) for match in EXTERNAL_FILE.finditer(content)}
    beside = (path.parent / name for name in sorted(named))
    return tuple(file for file in beside if file.is_file())


def _text_after(content: mmap.mmap, match: re.Match[bytes]) -> str:
    length = sum((byte & 0x7F) << (7 * place) for place, byte in enumerate(match.group(1)))
    return content[match.end() : match.end() + length].decode("utf-8", "surrogateescape")
