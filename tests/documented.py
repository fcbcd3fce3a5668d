"""The examples that the documentation shows."""

from __future__ import annotations

import re
from pathlib import Path

_PAGE = Path(__file__).parent.parent / "docs/extending.md"


def example(words: str) -> str:
    """The one block of Python with these words."""
    blocks = re.findall(r"```python\n(.*?)```", _PAGE.read_text(encoding="utf-8"), re.DOTALL)
    (found,) = (code for code in blocks if words in code)
    return found
