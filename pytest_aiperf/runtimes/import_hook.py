"""How long importing a runtime took, seen from beside the import system: nothing is imported for it."""

from __future__ import annotations

import importlib.machinery
import importlib.util
import sys
import time
from collections.abc import Callable, Sequence
from importlib.abc import Loader, MetaPathFinder
from types import ModuleType


class ImportTimes(MetaPathFinder):
    """Stands first on `sys.meta_path`, lets the real finders work, and times the modules that it was told of."""

    def __init__(self, names: Sequence[str], clock: Callable[[], int] = time.perf_counter_ns) -> None:
        self.names = frozenset(names)
        self.clock = clock
        self.seconds: dict[str, float] = {}
        self._searching = False

    def install(self) -> None:
        """Begin to watch."""
        sys.meta_path.insert(0, self)

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None = None,  # noqa: ARG002 - the import system's signature
        target: ModuleType | None = None,  # noqa: ARG002
    ) -> importlib.machinery.ModuleSpec | None:
        """The real module's spec, with a timed loader; None for everything else."""
        if fullname not in self.names or self._searching:
            return None
        self._searching = True
        try:
            spec = importlib.util.find_spec(fullname)
        finally:
            self._searching = False
        if spec is not None and spec.loader is not None:
            spec.loader = _Timed(spec.loader, self, fullname)
        return spec


class _Timed(Loader):
    def __init__(self, loader: Loader, times: ImportTimes, name: str) -> None:
        self.loader = loader
        self.times = times
        self.name = name

    def __getattr__(self, name: str) -> object:
        return getattr(self.loader, name)

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType | None:
        return self.loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        start = self.times.clock()
        if module.__spec__ is not None:
            module.__spec__.loader = self.loader
        module.__loader__ = self.loader
        self.loader.exec_module(module)
        self.times.seconds[self.name] = (self.times.clock() - start) * 1e-9
