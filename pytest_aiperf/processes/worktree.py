"""The old code of a project: a revision checked out beside the working tree, with today's tests laid over it."""

from __future__ import annotations

import glob
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from pathlib import Path, PurePath

from pytest_aiperf.machine.files import like
from pytest_aiperf.processes.git import Revision, last_line, listed, project_files, run
from pytest_aiperf.processes.reaper import ON_DISK, PREFIX, remove_folder
from pytest_aiperf.vocabulary.errors import AiperfError, UsageError

TEST_FOLDERS = frozenset({"test", "tests"})
INSTALLATIONS = frozenset({"site-packages", "dist-packages"})
ENVIRONMENTS = ("pyvenv.cfg", "conda-meta")
"""What lies in the folder of a virtual environment, or of conda's."""
CHECKOUT_SECONDS = 900.0


@dataclass(slots=True)
class Worktree:
    """The tree of a revision in a temporary folder."""

    revision: Revision
    _: KW_ONLY
    test_files: Sequence[Path]
    config_file: Path | None
    share: Sequence[str]
    register: Callable[[Path], None] = lambda _: None
    linked: tuple[Path, ...] = ()
    """Files and folders, relative to both trees, that both share."""
    laid_over: frozenset[str] = frozenset()
    """Files, relative to both trees, that were copied from the working tree."""
    _folder: Path | None = None

    @property
    def root(self) -> Path:
        """Of the checked-out tree; it has the name of the user's."""
        if self._folder is None:
            raise AiperfError(f"the tree of {self.revision.name} is not checked out")
        return self._folder / (self.revision.toplevel.name or "tree")

    def create(self) -> Path:
        """Check out, lay today's tests over, link what is shared; whatever fails leaves nothing behind.

        Raises UsageError (a share that cannot be shared) and AiperfError.
        """
        shared = [path for pattern in self.share for path in _shareable(self.revision.toplevel, pattern)]
        try:
            place = like(self.revision.toplevel, [Path(tempfile.gettempdir()), ON_DISK])
            self._folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=place)).resolve()
            self.register(self._folder)
            self._check_out()
            self._lay_over()
            self._link(shared)
        except OSError as error:
            self.remove()
            raise AiperfError(f"the tree of {self.revision.name} could not be prepared: {error}") from error
        except BaseException:
            self.remove()
            raise
        return self.root

    def remove(self) -> None:
        """Take back everything that `create` did; again and again does no harm."""
        if self._folder is not None:
            remove_folder(self._folder, self.revision.toplevel)
            self._folder = None

    def moved(self, path: Path) -> Path:
        """Where a path of the working tree lies in here; one outside of it stays as it is."""
        relative = _relative(path, self.revision.toplevel)
        return path if relative is None else self.root / relative

    def _check_out(self) -> None:
        add = ("worktree", "add", "--detach", str(self.root), self.revision.sha)
        done = run(self.revision.toplevel, *add, timeout=CHECKOUT_SECONDS)
        if done.returncode:
            raise AiperfError(f"git could not check out {self.revision.name}: {last_line(done.stderr)}")

    def _lay_over(self) -> None:
        toplevel = self.revision.toplevel
        tests = [path for file in self.test_files if (path := _relative(file, toplevel)) is not None]
        folders = {folder for path in tests if (folder := _test_folder(path)) is not None}
        conftests = {folder / "conftest.py" for path in tests for folder in path.parents}
        current = {Path(path) for folder in folders for path in project_files(toplevel, folder)} | {*tests} | conftests
        if self.config_file is not None and (config := _relative(self.config_file, toplevel)) is not None:
            current.add(config)
        for path in tests:  # a package's own `__init__` is code to measure: taken only where the old tree has none
            package = path.parent / "__init__.py"
            if not (self.root / package).exists():
                current.add(package)
        for path in {old for folder in folders for old in _files_below(self.root, folder)} | conftests:
            if not os.path.lexists(toplevel / path) and not _is_blocked(self.root, path):
                (self.root / path).unlink(missing_ok=True)
        copied = sorted(path for path in current if (toplevel / path).is_file() or (toplevel / path).is_symlink())
        for path in copied:
            shutil.copy2(toplevel / path, _way_cleared(self.root, path), follow_symlinks=False)
        self.laid_over = frozenset(path.as_posix() for path in copied)

    def _link(self, shared: Sequence[Path]) -> None:
        self.linked = tuple(path for path in shared if not _is_blocked(self.root, path))
        for path in self.linked:
            _link_below(self.revision.toplevel / path, self.root / path)


def import_roots(toplevel: Path, *, search_path: Sequence[str], modules: Mapping[str, str | None]) -> tuple[Path, ...]:
    """Folders of the working tree that modules are imported from: itself, its `src`; in order, each once.

    `search_path` is like `sys.path`, `modules` says which file each loaded module came from: an editable installation
    may find a package by an import hook, without any entry in the search path. Virtual environments do not count.
    """
    loaded = (_root_of(name, file) for name, file in modules.items() if file)
    folders = dict.fromkeys([*search_path, *(str(root) for root in loaded if root is not None)])
    resolved = dict.fromkeys(Path(folder).resolve() for folder in folders)
    inside = (folder for folder in resolved if folder.is_relative_to(toplevel))
    return tuple(folder for folder in inside if folder.is_dir() and not _is_installed(folder, toplevel))


def _root_of(name: str, file: str) -> Path | None:
    """The folder that `name` is found in; None where its file does not bear its name: a script, a plugin."""
    parts = name.split(".")
    path = Path(file)
    is_package = path.name.startswith("__init__.")
    steps = (*path.parent.parts, *(() if is_package else (path.name.split(".")[0],)))
    if parts == ["__main__"] or list(steps[-len(parts) :]) != parts:
        return None
    return Path(*steps[: -len(parts)])


def _is_installed(folder: Path, toplevel: Path) -> bool:
    below = [folder, *folder.parents][: len(folder.relative_to(toplevel).parts)]
    return any(path.name in INSTALLATIONS or any((path / mark).exists() for mark in ENVIRONMENTS) for path in below)


def _relative(path: Path, toplevel: Path) -> Path | None:
    for candidate in (Path(os.path.abspath(path)), path.resolve()):  # noqa: PTH100 - links below it stay links
        if candidate.is_relative_to(toplevel):
            return candidate.relative_to(toplevel)
    return None


def _test_folder(path: Path) -> Path | None:
    """The topmost folder of tests that a file, relative to the working tree, lies in."""
    return next((folder for folder in reversed(path.parents) if folder.name in TEST_FOLDERS), None)


def _files_below(root: Path, folder: Path) -> Iterator[Path]:
    """Files and links, relative to `root`."""
    for path, folders, files in os.walk(root / folder):
        for name in (*files, *(name for name in folders if Path(path, name).is_symlink())):
            yield Path(path, name).relative_to(root)


def _way_cleared(root: Path, path: Path) -> Path:
    """Where a file goes. What the old tree has in its place is removed: a link there may lead out of the tree."""
    for parent in reversed(path.parents):
        if _is_no_folder(root / parent):
            (root / parent).unlink()
    target = root / path
    target.parent.mkdir(parents=True, exist_ok=True)
    if target.is_dir() and not target.is_symlink():
        shutil.rmtree(target)
    target.unlink(missing_ok=True)
    return target


def _is_blocked(root: Path, path: Path) -> bool:
    """Whether a link or a file stands where a folder should be: behind a link lie things that are not ours."""
    return any(_is_no_folder(root / parent) for parent in path.parents)


def _is_no_folder(path: Path) -> bool:
    return path.is_symlink() or (path.exists() and not path.is_dir())


def _shareable(toplevel: Path, pattern: str) -> Iterator[Path]:
    """What a pattern of `aiperf_share` stands for, relative to the working tree. Raises UsageError."""
    wanted = PurePath(pattern)
    if not wanted.parts or wanted.is_absolute() or ".." in wanted.parts:
        raise UsageError(f"aiperf_share: {pattern!r} leaves or is {toplevel}; name files and folders relative to it")
    exact = os.path.lexists(toplevel / wanted)
    matches = [wanted.as_posix()] if exact else glob.glob(str(wanted), root_dir=toplevel, recursive=True)  # noqa: PTH207
    if not matches:
        raise UsageError(f"aiperf_share: nothing in {toplevel} matches {pattern!r}; correct or remove it")
    tracked = frozenset(listed(toplevel, "--cached"))
    for match in map(Path, sorted(matches)):
        parts = [match]
        if (toplevel / match).is_dir() and listed(toplevel, "--cached", "--", str(match)):
            choice = ("--others", "--ignored", "--exclude-standard", "--directory")
            ignored = map(Path, listed(toplevel, *choice, "--", str(match)))
            parts = [path for path in ignored if "__pycache__" not in path.parts]
        if match.as_posix() in tracked or not parts:
            raise UsageError(
                f"aiperf_share: {match} is tracked by git: each side has its own, sharing would make them the same; "
                "share only what git ignores"
            )
        yield from parts


def _link_below(source: Path, target: Path) -> None:
    """Link where nothing stands in the way; entry by entry in a folder that the old tree has too."""
    if not os.path.lexists(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        target.symlink_to(source, target_is_directory=source.is_dir())
    elif target.is_dir() and not target.is_symlink() and source.is_dir():
        for entry in sorted(source.iterdir()):
            _link_below(entry, target / entry.name)
