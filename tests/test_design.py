"""The page that draws the house says of each room what the room says of itself."""

from __future__ import annotations

import ast
import configparser
import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
DESIGN = re.sub(r"\s+", " ", (ROOT / "docs" / "design.md").read_text(encoding="utf-8"))
ROOMS = sorted(path.parent for path in (ROOT / "pytest_aiperf").glob("*/__init__.py"))


def floors() -> list[list[str]]:
    """The floors that are enforced, the highest first."""
    contracts = configparser.ConfigParser()
    contracts.read(ROOT / ".importlinter")
    lines = contracts["importlinter:contract:floors"]["layers"].split("\n")
    return [re.split(r"\s*\|\s*", line.strip()) for line in lines if line.strip()]


def test_it_gives_each_rooms_own_purpose():
    for room in ROOMS:
        purpose = ast.get_docstring(ast.parse((room / "__init__.py").read_text(encoding="utf-8")))
        assert purpose in DESIGN, room.name


def test_there_are_ten_floors_at_most_and_each_room_stands_on_one():
    assert len(floors()) <= 10
    standing = [name for floor in floors() for name in floor]
    assert set(standing) >= {room.name for room in ROOMS}
    assert len(standing) == len(set(standing))


def test_it_draws_the_rooms_floor_by_floor():
    drawn = [DESIGN.find(f" {name} ") for floor in floors() for name in floor]
    assert -1 not in drawn


def test_no_room_is_too_large_and_no_file_too_long():
    files = [*(ROOT / "pytest_aiperf").glob("*.py"), *(ROOT / "pytest_aiperf").glob("*/**/*.py")]
    lines = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in set(files)}
    assert not {path.name: count for path, count in lines.items() if count > 300}
    for room in ROOMS:
        assert sum(count for path, count in lines.items() if room in path.parents) <= 3000, room.name
