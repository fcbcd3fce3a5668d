"""Whether a test function is still the same: a hash that formatting, comments and Python's version do not move."""

from __future__ import annotations

import hashlib
import inspect
import io
import tokenize
from collections.abc import Callable, Iterator
from typing import Any

_QUIET = frozenset({tokenize.COMMENT, tokenize.NL, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER})
_EVALUATED = "<string>"  # text given to eval or exec; from 3.13, getsource takes it for the text of `python -c`
_OPENING = frozenset({"FSTRING_START", "TSTRING_START"})
_CLOSING = frozenset({"FSTRING_END", "TSTRING_END"})


def function_source_hash(function: Callable[..., Any]) -> str | None:
    """Return 16 hex digits of what a function does, from its `def` on; None where its source is not at hand.

    Decorators, docstrings, comments, blank lines and the layout of lines and indentation count for nothing.
    """
    try:
        function = inspect.unwrap(function)
        if inspect.getsourcefile(function) == _EVALUATED:
            return None
        source = inspect.getsource(function)
        statements = _without_decorators(list(_statements(source)))
    except (OSError, TypeError, ValueError, SyntaxError, tokenize.TokenError):
        return None
    return hashlib.blake2b("\n".join(statements).encode(), digest_size=8).hexdigest()


def _statements(source: str) -> Iterator[str]:
    """One line of text per logical line, indented by its depth; statements that are only a string do nothing."""
    depth = 0
    pieces: list[str] = []
    only_text = True
    for kind, text in _pieces(source):
        if kind == tokenize.NEWLINE:
            if pieces and not only_text:
                yield " " * depth + _joined(pieces)
            pieces, only_text = [], True
        elif kind in _QUIET:
            depth += (kind == tokenize.INDENT) - (kind == tokenize.DEDENT)
        else:
            pieces.append(text)
            only_text = only_text and kind == tokenize.STRING and not _is_evaluated(text)
    if pieces:
        yield " " * depth + _joined(pieces)


def _pieces(source: str) -> Iterator[tuple[int, str]]:
    """Tokens, each f-string as one piece of source text: Python 3.12 began to split them."""
    lines = io.StringIO(source).readlines()  # unlike splitlines, what the tokenizer takes for lines
    nested = 0
    start = (0, 0)
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        name = tokenize.tok_name[token.type]
        if name in _OPENING:
            start = start if nested else token.start
            nested += 1
        elif name in _CLOSING:
            nested -= 1
            if not nested:
                yield tokenize.STRING, _between(lines, start, token.end)
        elif not nested:
            yield token.type, token.string


def _between(lines: list[str], start: tuple[int, int], end: tuple[int, int]) -> str:
    (first, left), (last, right) = start, end
    text = "".join(lines[first - 1 : last])
    return text[left : len(text) - len(lines[last - 1]) + right]


def _is_evaluated(literal: str) -> bool:
    """Whether it is an f-string (or t-string), which can call anything."""
    prefix = literal[: min(literal.find(quote) for quote in "'\"" if quote in literal)]
    return bool(set(prefix.lower()) & {"f", "t"})


def _joined(pieces: list[str]) -> str:
    """Return the shortest text that still reads the same: a space only between two words."""
    text = pieces[0]
    for piece in pieces[1:]:
        text += f" {piece}" if _is_word(text[-1]) and _is_word(piece[0]) else piece
    return text


def _is_word(letter: str) -> bool:
    return letter.isalnum() or letter == "_"


def _without_decorators(statements: list[str]) -> list[str]:
    """From the `def` line on, relative to its indentation."""
    while statements and statements[0].lstrip().startswith("@"):
        statements = statements[1:]
    depth = len(statements[0]) - len(statements[0].lstrip()) if statements else 0
    return [statement[depth:] for statement in statements]
