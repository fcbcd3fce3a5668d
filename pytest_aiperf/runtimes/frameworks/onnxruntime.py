"""ONNX Runtime: inference sessions, and whether they run where they were asked to."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any
from weakref import WeakKeyDictionary

from pytest_aiperf.runtimes import onnx_file
from pytest_aiperf.runtimes.import_hook import ImportHook
from pytest_aiperf.vocabulary.contracts import Framework, Profiler
from pytest_aiperf.vocabulary.errors import UsageError
from pytest_aiperf.vocabulary.model_figures import Weights

CPU = "CPUExecutionProvider"
OUTPUTS = "outputs"


class OnnxRuntime(Framework):
    """Owns every `InferenceSession`; the package itself is only ever taken from `sys.modules`."""

    name = "onnxruntime"
    module = "onnxruntime"
    distributions = ("onnxruntime", "onnxruntime-gpu")
    compile_caches = ("CUDA_CACHE_PATH",)
    uses_torch_streams = False

    def __init__(self) -> None:
        self._asked: WeakKeyDictionary[Any, tuple[str, ...]] = WeakKeyDictionary()
        self._undo: list[Callable[[], None]] = []

    def owns(self, model: object) -> bool:
        onnxruntime: Any = sys.modules.get(self.module)
        return onnxruntime is not None and isinstance(model, onnxruntime.InferenceSession)

    def bind(self, model: Any, inputs: tuple[Any, ...], options: Mapping[str, Any]) -> Callable[[], Any]:
        """One dict is the feed; arrays match the session's inputs in order, keywords by name; `outputs=` selects.

        Tensors of torch become arrays here, once. Raises UsageError for names that the model does not have.
        """
        wanted = _outputs(model, options.get(OUTPUTS))
        feed = _feed(model, inputs, {name: value for name, value in options.items() if name != OUTPUTS})
        return lambda: model.run(wanted, feed)

    def size(self, model: Any) -> int | None:
        if files := self.files(model):
            return sum(file.stat().st_size for file in files)
        content = getattr(model, "_model_bytes", None)
        return None if content is None else len(content)

    def weights(self, model: Any) -> Weights | None:
        source = onnx_file.source_of(model)
        return None if source is None else onnx_file.weights(source)

    def files(self, model: Any) -> tuple[Path, ...]:
        path = getattr(model, "_model_path", None)
        if not path or not Path(path).is_file():
            return ()
        return (Path(path), *onnx_file.external_files(Path(path)))

    def facts(self, model: Any) -> Mapping[str, str]:
        options = model.get_session_options()
        active = model.get_providers()
        facts = {
            "providers": ", ".join(active),
            "intra-op threads": _threads(options.intra_op_num_threads),
            "inter-op threads": _threads(options.inter_op_num_threads),
            "graph optimisation": options.graph_optimization_level.name,
            "io": "inputs and outputs copied each call",
        }
        if inactive := [provider for provider in self._asked.get(model, ()) if provider not in active]:
            facts["providers not active"] = ", ".join(inactive)
        return facts

    def anomaly(self, model: Any) -> str | None:
        """Without a working provider it runs on the CPU; all it says is a line on file descriptor 2."""
        asked = [provider for provider in self._asked.get(model, ()) if provider != CPU]
        active = model.get_providers()
        if not asked or any(provider in active for provider in asked):
            return None
        return f"asked for {', '.join(asked)}, runs on {', '.join(active)}"

    def profiler(self) -> Profiler:
        from pytest_aiperf.runtimes.profilers import onnxruntime

        return onnxruntime.create()

    def watch(self) -> None:
        """Note which providers each session is asked for: the session itself only knows those it got."""
        if self._undo:
            return
        if self.module in sys.modules:
            self._note_sessions(sys.modules[self.module])
            return
        hook = ImportHook([self.module], self._imported)
        hook.install()
        self._undo.append(hook.remove)

    def unwatch(self) -> None:
        while self._undo:
            self._undo.pop()()

    def _imported(self, onnxruntime: ModuleType, _seconds: float) -> None:
        self.unwatch()
        self._note_sessions(onnxruntime)

    def _note_sessions(self, onnxruntime: ModuleType) -> None:
        session_class: Any = getattr(onnxruntime, "InferenceSession", None)
        if session_class is None:
            return
        build, change = session_class.__init__, session_class.set_providers

        @functools.wraps(build)
        def built(
            session: Any, path_or_bytes: Any, sess_options: Any = None, providers: Any = None, *args: Any, **kwargs: Any
        ) -> None:
            build(session, path_or_bytes, sess_options, providers, *args, **kwargs)
            self._asked[session] = _provider_names(providers)

        @functools.wraps(change)
        def changed(session: Any, providers: Any = None, *args: Any, **kwargs: Any) -> None:
            change(session, providers, *args, **kwargs)
            # A session whose provider fails in run() calls this itself: nobody asked for that.
            if providers is not getattr(session, "_fallback_providers", None):
                self._asked[session] = _provider_names(providers)

        session_class.__init__, session_class.set_providers = built, changed

        def restore() -> None:
            session_class.__init__, session_class.set_providers = build, change

        self._undo.append(restore)


create = OnnxRuntime


def _provider_names(providers: Iterable[str | tuple[str, Mapping[str, Any]]] | None) -> tuple[str, ...]:
    return tuple(provider if isinstance(provider, str) else provider[0] for provider in providers or ())


def _threads(count: int) -> str:
    return str(count) if count else "0 (the runtime's choice)"


def _outputs(session: Any, chosen: str | Sequence[str] | None) -> list[str] | None:
    if chosen is None:
        return None
    names = [chosen] if isinstance(chosen, str) else list(chosen)
    known = [output.name for output in session.get_outputs()]
    if unknown := [name for name in names if name not in known]:
        raise UsageError(f"aiperf.infer of an ONNX model: no output {_listed(unknown)}; there are: {', '.join(known)}")
    return names


def _feed(session: Any, inputs: tuple[Any, ...], named: Mapping[str, Any]) -> dict[str, Any]:
    expected = session.get_inputs()
    if len(inputs) == 1 and isinstance(inputs[0], Mapping):
        first = dict(inputs[0])
    elif len(inputs) > len(expected):
        raise _wrong_inputs(session, f"{len(inputs)} arrays were given")
    else:
        first = dict(zip((argument.name for argument in expected), inputs, strict=False))
    if twice := first.keys() & named.keys():
        raise _wrong_inputs(session, f"{_listed(sorted(twice))} given twice")
    feed = {**first, **named}
    known = {argument.name for argument in (*expected, *session.get_overridable_initializers())}
    if unknown := [name for name in feed if name not in known]:
        raise _wrong_inputs(session, f"no input {_listed(unknown)}")
    required = [argument.name for argument in expected if not argument.type.startswith("optional")]
    if missing := [name for name in required if name not in feed]:
        raise _wrong_inputs(session, f"{_listed(missing)} missing")
    return {name: _array(name, value) for name, value in feed.items()}


def _wrong_inputs(session: Any, what: str) -> UsageError:
    inputs = (f"{argument.name} {argument.type} {argument.shape}" for argument in session.get_inputs())
    return UsageError(f"aiperf.infer of an ONNX model: {what}; its inputs are: {', '.join(inputs)}")


def _array(name: str, value: Any) -> Any:
    torch: Any = sys.modules.get("torch")
    if torch is None or not isinstance(value, torch.Tensor):
        return value
    try:
        return value.numpy(force=True)
    except TypeError as error:
        raise UsageError(
            f"aiperf.infer of an ONNX model: input {name!r} is {value.dtype}, which numpy does not have; convert it"
        ) from error


def _listed(names: Iterable[str]) -> str:
    return ", ".join(map(repr, names))
