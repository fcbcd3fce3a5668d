"""Notice when a runtime is imported, from beside the import system: nothing is imported for it."""

from __future__ import annotations

import importlib.machinery
import sys
import time
from collections.abc import Callable, Collection, Sequence
from importlib.abc import Loader, MetaPathFinder
from types import ModuleType


class ImportHook(MetaPathFinder):
    """Stands first on `sys.meta_path` and lets the finders behind it work.

    Tells of each named module that has been imported, and how many seconds that took.
    """

    def __init__(self, names: Collection[str], tell: Callable[[ModuleType, float], object]) -> None:
        self.names = frozenset(names)
        self.tell = tell

    def install(self) -> None:
        """Begin to watch."""
        sys.meta_path.insert(0, self)

    def remove(self) -> None:
        """Watch no longer."""
        if self in sys.meta_path:
            sys.meta_path.remove(self)

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """The real module's spec, with a loader that is watched; None for everything else."""
        if fullname not in self.names or self not in sys.meta_path:  # somebody has wrapped this one
            return None
        behind = sys.meta_path[sys.meta_path.index(self) + 1 :]
        found = (finder.find_spec(fullname, path, target) for finder in behind if hasattr(finder, "find_spec"))
        spec = next(filter(None, found), None)
        if spec is not None and spec.loader is not None:
            spec.loader = _Watched(spec.loader, self)
        return spec


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
        start = time.perf_counter()
        self.loader.exec_module(module)
        seconds = time.perf_counter() - start
        if self.hook in sys.meta_path:
            self.hook.tell(module, seconds)
