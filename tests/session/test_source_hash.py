"""A function's hash moves with what it does, and with nothing else."""

from __future__ import annotations

import functools
import itertools
import linecache
import unittest
from typing import TYPE_CHECKING, Any

import pytest

from pytest_aiperf.session.source_hash import function_source_hash

if TYPE_CHECKING:
    from collections.abc import Callable

_numbers = itertools.count()


def defined(source: str, name: str = "test_a") -> Callable[..., Any]:
    """Return the function that a file with this source would define."""
    file = f"<defined {next(_numbers)}>"
    linecache.cache[file] = (len(source), None, source.splitlines(keepends=True), file)
    names: dict[str, Any] = {"mark": lambda *_: lambda function: function}
    exec(compile(source, file, "exec"), names)  # noqa: S102 - its own text, given above
    return names[name]


PLAIN = """\
def test_a(x, y=2):
    z = [x, y]
    if z and x not in (1, 2):
        return f"{x!r:>{y}} {z}"
    return "a  b"
"""


@pytest.mark.parametrize(
    "same",
    [
        "# a comment above\n" + PLAIN,
        "@mark(20)\n@mark(\n    5,\n)\n" + PLAIN,
        PLAIN.replace("    z =", '    """What it is for."""\n    z ='),
        PLAIN.replace("    z =", "    '''What\nit is for.\n    '''\n    z ="),
        PLAIN.replace("y]\n", "y]  # trailing # twice\n"),
        PLAIN.replace("    if", "\n    # alone\n# at the margin\n\n    if"),
        PLAIN.replace("x, y]", "x,y ]").replace("y=2", "y  =  2"),
        PLAIN.replace("[x, y]", "[\n        x,  # the first\n\n        y]"),
        PLAIN.replace("z and", "z \\\n        and"),
        PLAIN.replace("    ", "  "),
        PLAIN.replace("    ", "\t"),
        "if True:\n" + "".join("    " + line for line in PLAIN.splitlines(keepends=True)),
        PLAIN + "\n# a comment below\n",
    ],
)
def test_it_stays_where_only_the_looks_changed(same: str) -> None:
    assert same != PLAIN
    assert function_source_hash(defined(same)) == function_source_hash(defined(PLAIN)) is not None


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("y=2", "y=3"),
        ("not in", "in"),
        ("a  b", "a b"),
        ("{x!r:>{y}} {z}", "{x!r:>{y}}  {z}"),
        ("{x!r:>{y}} {z}", "{x!r:>{y}} {x}"),
        ("{x!r:>{y}} {z}", "{x!r:>{y}} # {z}"),
        ('    return "a', '        return "a'),
        ("    z = [x, y]\n", "    z = [x, y]\n    f'{z}'\n"),
        ("(1, 2)", "(1, 22)"),
    ],
)
def test_it_moves_where_the_function_does_something_else(old: str, new: str) -> None:
    assert PLAIN.count(old) == 1
    assert function_source_hash(defined(PLAIN.replace(old, new))) != function_source_hash(defined(PLAIN))


def test_it_is_the_same_on_every_python() -> None:
    """The figures were taken on 3.10; f-strings are tokenized differently since 3.12."""
    awkward = '''\
async def test_a(é):
    """Doc."""
    q = f"ü{é!r:>{3}} # none é" f'{{literal}}' ; r = rb"\\x" b""
    s = f"""multi {
        é + 1
    } é  {é:
  >3}"""
    t = """at the
margin"""
    return lambda *a, **k: (q, r, s, t, a[1:], k, not q)
'''
    assert function_source_hash(defined(PLAIN)) == "00469fca738bb148"
    assert function_source_hash(defined(awkward)) == "aa2b16862c1bd6bd"


class Stories(unittest.TestCase):
    def test_story(self) -> None:
        pass


def test_it_reads_methods_of_classes_and_of_instances_alike() -> None:
    assert function_source_hash(Stories.test_story) == function_source_hash(Stories("test_story").test_story)
    alone = defined("def test_story(self) -> None:\n    pass\n", "test_story")
    assert function_source_hash(Stories.test_story) == function_source_hash(alone)


def test_it_looks_through_wrappers() -> None:
    plain = defined(PLAIN)

    @functools.wraps(plain)
    def wrapper(*args: object) -> object:
        return plain(*args)

    assert function_source_hash(wrapper) == function_source_hash(plain)


def endless() -> None:
    """Wrap itself."""


endless.__wrapped__ = endless


UNREADABLE = {
    "in C": len,
    "partial": functools.partial(print),
    "never in a file": eval("lambda: 1"),  # noqa: S307 - its own text
    "wraps itself": endless,
}


@pytest.mark.parametrize("function", UNREADABLE.values(), ids=UNREADABLE)
def test_it_is_none_where_there_is_no_source(function: Callable[..., Any]) -> None:
    assert function_source_hash(function) is None


def test_what_was_evaluated_is_not_taken_for_the_text_of_python_c(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(linecache.cache, "<string>", (9, None, ["import this\n"], "<string>"))
    assert function_source_hash(eval("lambda: 1")) is None  # noqa: S307 - its own text
