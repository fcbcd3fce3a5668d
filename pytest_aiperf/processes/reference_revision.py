"""The old code: its tree, made when first needed, how each side's processes start, and the proof of whose code ran."""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from pytest_aiperf.machine import files
from pytest_aiperf.processes import provenance
from pytest_aiperf.processes.git import project_files
from pytest_aiperf.processes.provenance import Trees
from pytest_aiperf.processes.reference import MixedUp, Reference
from pytest_aiperf.processes.worktree import Worktree, import_roots
from pytest_aiperf.vocabulary.errors import AiperfError
from pytest_aiperf.vocabulary.orders import Order
from pytest_aiperf.vocabulary.pairing import Arm

ONE_IN_MEMORY = (
    "the old tree would lie in {root}, the new one lies in {top}, and only one of these file systems is in memory: "
    "set TMPDIR to a folder like the other"
)


def loaded_modules() -> dict[str, str | None]:
    """Name -> file of every module in this process."""
    return {name: getattr(module, "__file__", None) for name, module in tuple(sys.modules.items())}


@dataclass(kw_only=True)  # no slots: a class made again for them does not know `super`
class ReferenceRevision(Reference):
    """One reference revision for a whole run. `close` leaves nothing of it behind."""

    make_tree: Callable[[], Worktree]
    file_bound: Collection[str] = ()
    """Names of metrics in which a file in memory differs from one on a disk."""
    search_path: Sequence[str] = field(default_factory=lambda: sys.path)
    modules: Callable[[], Mapping[str, str | None]] = loaded_modules
    _tree: Worktree | None = None
    _trees: Trees | None = None
    _files: dict[Arm, Sequence[str]] = field(default_factory=dict)
    _failure: str | None = None

    def prepare(self) -> str | None:
        """Make the old tree."""
        if self._tree is None and self._failure is None:
            self._tree = self.make_tree()
            try:
                self._set_out(self._tree, self._tree.create())
            except AiperfError as error:
                self._failure = f"no tree of {self.against}: {error}"
        return self._failure

    def mixed_up(self, files: Mapping[Arm, Sequence[str]]) -> MixedUp | None:
        """Whether either side read files of the other, or both none but the tests."""
        if self._trees is None:
            return None
        for arm, read in files.items():
            self._files[arm] = sorted({*self._files.get(arm, ()), *read})
        old, new = self._files.get(Arm.REFERENCE, []), self._files.get(Arm.CANDIDATE, [])
        if reason := provenance.mixed_up(self._trees, old=old, new=new):
            return MixedUp(reason=reason, anomaly=True)
        if old and new and provenance.nothing_own(self._trees, old=old, new=new):
            return MixedUp(
                reason="both sides ran the same code: they read nothing of the project but its tests "
                "(is the package installed as a copy? install it with pip install -e)",
                anomaly=False,
            )
        return None

    def common(self, models: Iterable[Path]) -> tuple[str, ...]:
        """What is linked into the old tree, and models that lie outside of the working tree."""
        if self._trees is None or self._tree is None:
            return ()
        read, linked = provenance.below(self._trees.new, self._files.get(Arm.CANDIDATE, ())), self._tree.linked
        shared = [file for file in read if any(Path(file).is_relative_to(link) for link in linked)]
        outside = [str(path) for path in models if not path.resolve().is_relative_to(self._trees.new)]
        return tuple(sorted({*shared, *outside}))

    def heard(self, arm: Arm, order: Order) -> Order:
        """With the module where this side has it."""
        if arm is Arm.CANDIDATE or self._tree is None or not order.path:
            return order
        return replace(order, path=str(self._tree.moved(Path(order.path))))

    def close(self) -> None:
        """Remove the old tree."""
        if self._tree is not None:
            self._tree.remove()
            self._tree = None
        super().close()

    def _set_out(self, tree: Worktree, root: Path) -> None:
        top, launch = tree.revision.toplevel, self.launches[Arm.CANDIDATE]
        roots = import_roots(top, search_path=self.search_path, modules=self.modules())
        self.watched = (str(root), str(top))
        self._trees = Trees(
            old=root, new=top, laid_over=tree.laid_over, project_files=project_files(top) | project_files(root)
        )
        moved = functools.partial(_moved_argument, top=top, root=root)
        new = replace(launch, environ=_with_path(launch.environ, roots))
        # by name: an ini file that is gone by now might still lie in the old tree and win over today's
        config = () if tree.config_file is None else ("-c", str(tree.moved(tree.config_file)))
        old = replace(
            launch,
            arguments=[*map(moved, launch.arguments), *config],
            directory=tree.moved(launch.directory.resolve()),
            environ=_with_path(launch.environ, [tree.moved(folder) for folder in roots], moved),
        )
        self.launches = {Arm.REFERENCE: old, Arm.CANDIDATE: new}
        if files.is_in_memory(root) is not files.is_in_memory(top):
            self.uncompared = dict.fromkeys(self.file_bound, ONE_IN_MEMORY.format(root=root.parent.parent, top=top))


def _with_path(environ: Mapping[str, str], roots: Sequence[Path], moved: Callable[[str], str] = str) -> dict[str, str]:
    """With the side's own folders in front of everything that an installation put on the path.

    Both sides keep their bytecode: with `PYTHONDONTWRITEBYTECODE` one of them would compile what the other finds.
    """
    given = environ.get("PYTHONPATH")
    paths = [*map(str, roots), *map(moved, given.split(os.pathsep) if given else ())]
    kept = {name: value for name, value in environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return {**kept, "PYTHONPATH": os.pathsep.join(paths)} if paths else kept


def _moved_argument(argument: str, top: Path, root: Path) -> str:
    """An argument that names a place of the working tree (`/repo/tests`, `--rootdir=/repo`) names the old one."""
    option, equals, value = argument.partition("=") if argument.startswith("-") else ("", "", argument)
    prefix = str(top)
    if value == prefix or value.startswith(prefix + os.sep):
        value = str(root) + value[len(prefix) :]
    return option + equals + value
