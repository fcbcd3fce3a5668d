"""What git knows of the project: the commit that is checked out, the one that a user names, the files of the tree."""

from __future__ import annotations

import functools
import os
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

from pytest_aiperf.processes.reaper import GIT_SECONDS, git
from pytest_aiperf.vocabulary.errors import AiperfError, UsageError

SHORT = 7


@dataclass(frozen=True, slots=True, kw_only=True)
class Revision:
    """A commit that new code is held against."""

    name: str
    """For people: `main@1a2b3c4`; a hash alone where the user wrote one."""
    sha: str
    toplevel: Path
    """Of the user's working tree."""


@functools.cache
def current(root: Path) -> str | None:
    """Short hash of the checked-out commit, with `-dirty` behind it where files differ; None outside git."""
    try:
        done = git(root, "describe", "--always", "--dirty", f"--abbrev={SHORT}", "--exclude=*", timeout=10.0)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return os.fsdecode(done.stdout).strip() or None if done.returncode == 0 else None


def resolve(start: Path, ref: str) -> Revision:
    """Which commit `ref` means in the repository around `start`. Raises UsageError."""
    if not ref or ref.startswith("-"):
        raise UsageError(f"--aiperf-against={ref}: no revision; name a branch, tag or commit, such as main or HEAD~1")
    found = run(start, "rev-parse", "--show-toplevel")
    if found.returncode:
        why = last_line(found.stderr)
        raise UsageError(f"--aiperf-against={ref}: {start} is in no git working tree ({why}); run pytest in a clone")
    toplevel = Path(os.fsdecode(found.stdout).removesuffix("\n")).resolve()
    sha = _commit(toplevel, ref)
    if sha is None:
        raise UsageError(f"--aiperf-against={ref}: no such commit in {toplevel}; {_remedy(toplevel, ref)}")
    name = sha[:SHORT] if sha.startswith(ref) else f"{ref}@{sha[:SHORT]}"
    return Revision(name=name, sha=sha, toplevel=toplevel)


def is_the_working_tree(revision: Revision) -> bool:
    """Whether it is the commit that is checked out, and no code has changed since. Raises AiperfError."""
    top = revision.toplevel
    if _commit(top, "HEAD") != revision.sha or run(top, "diff", "--quiet", "HEAD").returncode:
        return False
    return not any(path.endswith(".py") for path in listed(top, "--others", "--exclude-standard"))


def project_files(toplevel: Path, below: Path = Path()) -> frozenset[str]:
    """Files, relative to a tree, that git knows or would add; some may be gone from the disk. Raises AiperfError."""
    return frozenset(listed(toplevel, "--cached", "--others", "--exclude-standard", "--", str(below)))


def run(folder: Path, *arguments: str, timeout: float = GIT_SECONDS) -> subprocess.CompletedProcess[bytes]:
    """Git in a folder, with bytes as output. Raises UsageError without git, AiperfError where it takes too long."""
    try:
        return git(folder, *arguments, timeout=timeout)
    except OSError as error:
        raise UsageError(f"--aiperf-against needs git, which cannot be run ({error}); install it") from error
    except subprocess.TimeoutExpired as error:
        raise AiperfError(f"git {' '.join(arguments[:2])} in {folder} took over {timeout:g} s") from error


def listed(toplevel: Path, *arguments: str) -> list[str]:
    """Paths, relative to the working tree, as `git ls-files` names them. Raises AiperfError."""
    done = run(toplevel, "ls-files", "-z", *arguments)
    if done.returncode:
        raise AiperfError(f"git could not list the files of {toplevel}: {last_line(done.stderr)}")
    return [path for path in os.fsdecode(done.stdout).split("\0") if path]


def last_line(output: bytes) -> str:
    """What git said in the end."""
    lines = os.fsdecode(output).strip().splitlines()
    return lines[-1].strip() if lines else "git gave no reason"


def _commit(toplevel: Path, ref: str) -> str | None:
    done = run(toplevel, "rev-parse", "--verify", "--quiet", f"{ref}^{{commit}}")
    return None if done.returncode else os.fsdecode(done.stdout).strip()


def _remedy(toplevel: Path, ref: str) -> str:
    if _commit(toplevel, f"refs/remotes/origin/{ref}") is not None:
        return f"the remote has one: --aiperf-against=origin/{ref}"
    if os.fsdecode(run(toplevel, "rev-parse", "--is-shallow-repository").stdout).strip() != "true":
        return "name a branch, tag or commit that `git log` shows there, or fetch it first"
    base = re.split("[~^]", ref)[0]
    back = ref.removeprefix(base)
    depth = sum(int(number or 1) if sign == "~" else 1 for sign, number in re.findall(r"([~^])(\d*)", back))
    if back and _commit(toplevel, base) is not None:
        fetch = f"run `git fetch --deepen={depth}`"
    else:
        name = base.removeprefix("origin/")
        fetch = f"run `git fetch --depth={depth + 1} origin {name}`, then name it --aiperf-against=FETCH_HEAD{back}"
    return f"this clone is shallow: {fetch} (GitHub's actions/checkout: `fetch-depth: 0`)"
