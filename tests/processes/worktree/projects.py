"""Small git repositories."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

IDENTITY = ("user.name=Ada", "user.email=ada@example.org", "commit.gpgsign=false", "protocol.file.allow=always")


def git(folder: Path, *arguments: str) -> str:
    options = [word for setting in (*IDENTITY, "init.defaultBranch=main") for word in ("-c", setting)]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    command = ["git", "-C", str(folder), *options, *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True, env=environment).stdout.strip()


def write(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


def commit(folder: Path, files: dict[str, str] | None = None) -> Path:
    write(folder, files or {})
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--allow-empty", "--message", "step")
    return folder


def repository(folder: Path, files: dict[str, str] | None = None) -> Path:
    folder.mkdir(parents=True)
    git(folder, "init", "--quiet")
    return commit(folder, {"model.py": "old = True\n", "tests/test_model.py": "# old\n"} if files is None else files)


def below(root: Path) -> set[str]:
    files = (path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_symlink() or path.is_file())
    return {file for file in files if file != ".git"}
