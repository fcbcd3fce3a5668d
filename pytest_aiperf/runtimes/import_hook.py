"""Notice when a runtime is imported, from beside the import system: nothing is imported for it."""

from __future__ import annotations

import importlib.machinery
import importlib.util
import sys
import time
from abc import abstractmethod
from collections.abc import Callable, Collection, Sequence
from importlib.abc import Loader, MetaPathFinder
from types import ModuleType


class ImportHook(MetaPathFinder):
    """Stands first on `sys.meta_path`, lets the real finders work, and executes the modules that it was told of."""

    def __init__(self, names: Collection[str]) -> None:
        self.names = frozenset(names)
        self._searching = False

    def install(self) -> None:
        """Begin to watch."""
        sys.meta_path.insert(0, self)

    def remove(self) -> None:
        """Watch no longer."""
        if self in sys.meta_path:
            sys.meta_path.remove(self)

    @abstractmethod
    def execute(self, loader: Loader, module: ModuleType) -> None:
        """Let the real loader execute a module."""

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None = None,  # noqa: ARG002 - the import system's signature
        target: ModuleType | None = None,  # noqa: ARG002
    ) -> importlib.machinery.ModuleSpec | None:
        """The real module's spec, with a loader that asks `execute`; None for everything else."""
        if fullname not in self.names or self._searching:
            return None
        self._searching = True
        try:
            spec = importlib.util.find_spec(fullname)
        finally:
            self._searching = False
        if spec is not None and spec.loader is not None:
            spec.loader = _Watched(spec.loader, self)
        return spec


class ImportTimes(ImportHook):
    """How long each import took, in seconds."""

    def __init__(self, names: Collection[str], clock: Callable[[], int] = time.perf_counter_ns) -> None:
        super().__init__(names)
        self.clock = clock
        self.seconds: dict[str, float] = {}

    def execute(self, loader: Loader, module: ModuleType) -> None:
        """Between two readings of the clock."""
        start = self.clock()
        loader.exec_module(module)
        self.seconds[module.__name__] = (self.clock() - start) * 1e-9


class _Watched(Loader):
    def __init__(self, loader: Loader, hook: ImportHook) -> None:
        self.loader = loader
        self.hook = hook

    def __getattr__(self, name: str) -> object:
        return getattr(self.loader, name)

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType | None:
        return self.loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        if module.__spec__ is not None:
            module.__spec__.loader = self.loader
        module.__loader__ = self.loader
        self.hook.execute(self.loader, module)
