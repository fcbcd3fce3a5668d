"""Where our own code lies: frames, files and lines below it are not the user's."""

from __future__ import annotations

from pathlib import Path

PACKAGE = Path(__file__).parents[1]
