"""Small wrong changes to the code that decides: how many of them its tests notice (README.md says how to compare)."""

from __future__ import annotations

import argparse
import ast
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from scipy import stats

COMPARED = {ast.Lt: "LtE GtE", ast.LtE: "Lt Gt", ast.Gt: "GtE LtE", ast.GtE: "Gt Lt", ast.Eq: "NotEq", ast.NotEq: "Eq"}
COUNTED = {ast.Add: "Sub", ast.Sub: "Add", ast.Mult: "Div", ast.Div: "Mult", ast.And: "Or", ast.Or: "And"}
SWAPPED = {old: [getattr(ast, new) for new in names.split()] for old, names in {**COMPARED, **COUNTED}.items()}
# Annotations and decorators decide nothing; a format is a string. Strings, and so docstrings, are never changed.
LEFT_ALONE = {"annotation", "returns", "decorator_list", "format_spec"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutant:
    """One file with one wrong change: its whole text, and where and what the change is."""

    path: Path
    line: int
    change: str
    text: str


def main() -> None:
    """Write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tree", type=Path, default=Path(), help="the checkout; it is copied, never changed")
    parser.add_argument("--python", type=Path, default=Path(sys.executable), help="the interpreter of its tests")
    parser.add_argument("--targets", nargs="+", required=True, help="globs of the files to change, from the tree")
    parser.add_argument("--without", nargs="+", default=[], help="names of files to leave out")
    parser.add_argument("--tests", nargs="+", required=True, help="what pytest is given, from the tree")
    for name, default in (("number", 150), ("seed", 1), ("jobs", 1)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    tree = options.tree.resolve()
    found = {path for pattern in options.targets for path in tree.glob(pattern) if path.name not in options.without}
    targets = sorted(path.relative_to(tree) for path in found)
    every = [one for path in targets for one in mutants_of(path, (tree / path).read_text("utf-8"), options.seed)]
    number = min(options.number, len(every))
    # Every n-th, so that each file has its share; in an order of which every beginning is a fair sample, too.
    order = np.random.default_rng(options.seed).permutation(number)
    drawn = [every[int((turn + 0.5) * len(every) / number)] for turn in order]
    # Absolute, but not resolved: an environment's interpreter is a link, and is known by where the link lies.
    python = ["env", "PYTHONPATH=.", "PYTHONDONTWRITEBYTECODE=", str(options.python.absolute())]
    command = [*python, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider"]
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(options.jobs) as pool:
        copies = [copy_of(tree, targets, Path(folder) / str(job)) for job in range(options.jobs)]
        seconds = check(copies[0], command, options.tests, package=targets[0].parts[0])
        trying = partial(try_all, command=command, tests=options.tests)
        shares = pool.map(trying, copies, [drawn[job :: len(copies)] for job in range(len(copies))])
        fates = [fate for share in shares for fate in share]
    what = f"{number} of {len(every)} mutants, seed {options.seed}; `benchmarks/mutants/run.py`."
    tests = f"Tests, {seconds:.0f} s of processor time: `{' '.join(options.tests)}`."
    lines = ["# Mutants", "", what, tests, "", *table(targets, every, fates)]
    print("\n".join(lines))
    if options.out:
        options.out.write_text("\n".join(lines) + "\n", encoding="utf-8")


def mutants_of(path: Path, text: str, seed: int) -> list[Mutant]:
    """Every mutant of one file, no two with the same text, in an order that the seed alone decides."""
    tree = ast.parse(text)
    mutants: dict[str, Mutant] = {}
    for parent, field, node, put in places(tree):
        for other in replacements(parent, field, node):
            before = ast.unparse(parent)
            put(other)
            mutated, after = ast.unparse(tree), ast.unparse(parent)
            put(node)
            differs = (place for place, (one, two) in enumerate(zip(before, after, strict=False)) if one != two)
            start = max(0, next(differs, 0) - 40)
            change = " > ".join(" ".join(side[start : start + 90].split()) for side in (before, after))
            line = getattr(node, "lineno", 0) or getattr(parent, "lineno", 0)
            mutants.setdefault(mutated, Mutant(path=path, line=line, change=change, text=mutated))
    mutants.pop(ast.unparse(tree), None)
    order = np.random.default_rng(seed).permutation(len(mutants))
    return [list(mutants.values())[number] for number in order]


def places(node: ast.AST) -> Iterator[tuple[ast.AST, str, ast.AST, Callable[[ast.AST], None]]]:
    """Each node that may be changed: its parent, the parent's field, itself, and what puts another in its place."""
    for field, value in ast.iter_fields(node):
        # `zip(..., strict=True)` guards against a mistake that the code does not make: no test can notice.
        if field in LEFT_ALONE or (isinstance(node, ast.keyword) and node.arg == "strict"):
            continue
        if isinstance(value, ast.AST):
            yield node, field, value, partial(setattr, node, field)
            yield from places(value)
        for place, child in enumerate(value if isinstance(value, list) else ()):
            if isinstance(child, ast.AST):
                yield node, field, child, partial(value.__setitem__, place)
                yield from places(child)


def replacements(parent: ast.AST, field: str, node: ast.AST) -> list[ast.AST]:
    """What may stand instead of a node."""
    others: list[ast.AST] = [kind() for kind in SWAPPED.get(type(node), ())]
    match node:
        case ast.Constant(value=bool(value)):
            others.append(ast.Constant(not value))
        case ast.Constant(value=int(value)):
            others += [ast.Constant(value + 1), ast.Constant(value - 1)]
        case ast.Constant(value=float(value)):
            others += [ast.Constant(value * 2), ast.Constant(value / 2)] if value else [ast.Constant(1.0)]
        case ast.UnaryOp(op=ast.Not()):
            others.append(node.operand)
    if isinstance(parent, ast.Return):
        others.append(ast.Constant(None))
    if field in {"test", "guard", "ifs"} and not isinstance(parent, ast.While | ast.Assert):
        others += [ast.Constant(value=True), ast.Constant(value=False)][: 1 if field == "ifs" else 2]
    return others


def copy_of(tree: Path, targets: list[Path], copy: Path) -> Path:
    """A copy of the tree, its targets written as the mutants are: the tests run on these texts, too."""
    shutil.copytree(tree, copy, ignore=shutil.ignore_patterns(".*", "__pycache__"))
    for path in targets:
        put_text(copy / path, ast.unparse(ast.parse((copy / path).read_text(encoding="utf-8"))))
    return copy


def put_text(path: Path, text: str) -> None:
    """Write a module, and forget what was compiled of it: two texts of one second and one size look the same."""
    path.write_text(text, encoding="utf-8")
    for compiled in path.parent.glob(f"__pycache__/{path.stem}.*"):
        compiled.unlink()


def check(copy: Path, command: list[str], tests: list[str], *, package: str) -> float:
    """Processor time of the tests; they must pass, and must fail when the package in the copy cannot be imported."""
    if not passes(copy, command, tests):
        raise SystemExit(f"the tests fail before anything is changed: {' '.join([*command, *tests])}")
    seconds = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
    door = copy / package / "__init__.py"
    text = door.read_text(encoding="utf-8")
    put_text(door, "raise ImportError('a mutant')")
    if passes(copy, command, tests):
        raise SystemExit(f"the tests do not import {package} from the copy: no mutant would be seen")
    put_text(door, text)
    # Children inherit both. Processor time, so that a busy machine kills no mutant; a list that only grows ends, too.
    resource.setrlimit(resource.RLIMIT_CPU, (int(time.process_time() + 20 + 3 * seconds), resource.RLIM_INFINITY))
    resource.setrlimit(resource.RLIMIT_AS, (8 << 30, resource.RLIM_INFINITY))
    return seconds


def passes(copy: Path, command: list[str], tests: list[str]) -> bool:
    """Whether all these tests of the copy pass, in time and in memory."""
    done = subprocess.run([*command, *tests], cwd=copy, check=False, capture_output=True)
    return done.returncode == 0


def try_all(copy: Path, mutants: list[Mutant], *, command: list[str], tests: list[str]) -> list[tuple[Mutant, bool]]:
    """Whether each mutant was killed: a test failed, or time or memory ran out."""
    files = [one for place in tests for one in (copy / place, *(copy / place).rglob("*.py"))]
    fates = []
    for mutant in mutants:
        original = (copy / mutant.path).read_text(encoding="utf-8")
        put_text(copy / mutant.path, mutant.text)
        # The tests named after the module first: most mutants die there, in a tenth of the time.
        own = [str(one) for one in files if one.name == f"test_{mutant.path.stem}.py"]
        killed = bool(own and not passes(copy, command, own)) or not passes(copy, command, tests)
        put_text(copy / mutant.path, original)
        print("killed  " if killed else "SURVIVED", f"{mutant.path}:{mutant.line} {mutant.change}", file=sys.stderr)
        fates.append((mutant, killed))
    return fates


def table(targets: list[Path], every: list[Mutant], fates: list[tuple[Mutant, bool]]) -> list[str]:
    """The files, the sum, and the survivors."""
    rows = ["| file | mutants | drawn | killed | survived |", "| --- | ---: | ---: | ---: | ---: |"]
    for path in targets:
        dead = [killed for mutant, killed in fates if mutant.path == path]
        count = [mutant.path for mutant in every].count(path)
        rows.append(f"| {path} | {count} | {len(dead)} | {sum(dead)} | {len(dead) - sum(dead)} |")
    hits = sum(killed for _, killed in fates)
    low, high = stats.binomtest(hits, len(fates)).proportion_ci(method="wilson")
    total = f"**{hits} of {len(fates)} killed: {hits / len(fates):.1%}** (Wilson, 95 %: {low:.1%} to {high:.1%})."
    survivors = sorted(f"- {one.path}:{one.line} `{one.change}`" for one, killed in fates if not killed)
    return [*rows, "", total, "", "Survivors:", "", *survivors]


if __name__ == "__main__":
    main()
