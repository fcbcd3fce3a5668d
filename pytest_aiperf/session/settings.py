"""Every option, declared once; resolved in one place: command line, then environment, then ini, then default."""

from __future__ import annotations

import contextlib
import math
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, NamedTuple

import pytest

_TRUE = frozenset({"1", "true", "yes", "on"})
_FALSE = frozenset({"0", "false", "no", "off", ""})


class Option(NamedTuple):
    """One setting: `--aiperf-<name>`, ini `aiperf_<name>`, environment `PYTEST_AIPERF_<NAME>`."""

    name: str
    """In `Settings`."""
    parse: Callable[[str], Any]
    default: Any
    help: str
    repeatable: bool = False
    metavar: str | None = None

    @property
    def key(self) -> str:
        """The ini file's spelling."""
        return "aiperf" if self.name == "active" else f"aiperf_{self.name}"

    @property
    def flag(self) -> str:
        """The command line's spelling."""
        return f"--{self.key.replace('_', '-')}"

    @property
    def variable(self) -> str:
        """The environment's spelling."""
        return f"PYTEST_{self.key.upper()}"


def _truth(text: str) -> bool:
    lowered = text.strip().lower()
    if lowered not in _TRUE | _FALSE:
        raise ValueError("expected true or false")
    return lowered in _TRUE


def _fitting(kind: Callable[[str], Any], fits: Callable[[Any], bool], expected: str) -> Callable[[str], Any]:
    def parse(text: str) -> Any:
        value = kind(text)
        if not fits(value):
            raise ValueError(f"expected {expected}")
        return value

    return parse


def _one_of(*choices: str) -> Callable[[str], str]:
    return _fitting(str, choices.__contains__, f"one of {', '.join(choices)}")


_positive = _fitting(float, lambda number: 0 < number < math.inf, "a number above zero")
_fraction = _fitting(float, lambda number: 0 <= number < math.inf, "a fraction such as 0.05 (5 %)")
_share = _fitting(float, lambda number: 0 <= number <= 1, "a fraction between 0 and 1 (0.95 is 95 %)")
_count = _fitting(int, lambda number: number >= 1, "a whole number above zero")


def _words(text: str) -> tuple[str, ...]:
    return _lines(text.replace(",", "\n"))


def _lines(text: str) -> tuple[str, ...]:
    return tuple(line.strip() for line in text.splitlines() if line.strip())


def _needs(text: str) -> tuple[str, ...]:
    from pytest_aiperf.vocabulary.terms import Need

    words = _words(text)
    if unknown := sorted(set(words) - {need.value for need in Need}):
        raise ValueError(f"unknown need {', '.join(unknown)}: expected gpu, ram, or both with a comma")
    return words


def _of(
    parse: Callable[[str], Any],
    default: Any,
    told: str,
    metavar: str | None = None,
    *,
    repeatable: bool = False,
) -> Any:
    """One option: a field, with what else `Option` says of it."""
    return field(default=default, metadata={"parse": parse, "help": told, "metavar": metavar, "repeatable": repeatable})


_ANSWER = _one_of("warn", "fail")


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What the options of this run came to. Each is declared here: how it is read, its default, its help."""

    active: bool = _of(_truth, False, "measure and judge")
    update: bool = _of(
        _truth, False, "measure and store: new baselines written, moved ones renewed, unused ones dropped"
    )
    update_new_only: bool = _of(_truth, False, "store only what has no baseline yet")
    no_cleanup: bool = _of(_truth, False, "with --aiperf-update: keep baselines that no test uses any more")
    accept_worse: bool = _of(_truth, False, "with --aiperf-update: store a worse accuracy too")
    inconclusive: str = _of(_ANSWER, "warn", "what an open answer does", "warn|fail")
    min_decided: float = _of(_share, 0.0, "smallest share of decided figures that passes (default 0)", "SHARE")
    new: str = _of(_ANSWER, None, "what a missing or stale baseline does (fail under CI)", "warn|fail")
    unused: str = _of(_ANSWER, None, "what a baseline without its test does (fail under CI)", "warn|fail")
    require: tuple[str, ...] = _of(_needs, (), "what must be measurable on this machine: gpu, ram", "WHAT,...")
    against: str | None = _of(str, None, "confirm suspicions by interleaved pairs with this git revision", "REF")
    pairs: str = _of(_one_of("auto", "always"), "auto", "which figures --aiperf-against decides", "auto|always")
    pairs_budget: float = _of(_positive, 120.0, "most seconds of pairs per test (default 120)", "S")
    share: tuple[str, ...] = _of(
        _lines, (), "files that git ignores, for the old code: weights, data", "PATH", repeatable=True
    )
    report: tuple[str, ...] = _of(
        _words, (), "write a report: {formats} (svg, png: with matplotlib)", "FORMAT:FILE", repeatable=True
    )
    details: bool = _of(_truth, False, "show every row and every reason")
    store: str = _of(str, "json-files", "where baselines are kept (default json-files)", "NAME")
    machine: str | None = _of(str, None, "name of the machine class (default: derived from the machine)", "NAME")
    calls: int = _of(_count, 20, "fewest timed calls per measurement (default 20)", "N")
    seconds: float = _of(_positive, 0.75, "time to spend on one timing pass (default 0.75)", "S")
    max_seconds: float = _of(_positive, 30.0, "give up reaching --aiperf-calls after this time (default 30)", "S")
    processes: int = _of(_count, 5, "most fresh processes per load or memory figure (default 5)", "N")
    timeout: float = _of(_positive, 300.0, "longest life of one fresh process in seconds (default 300)", "S")
    gpu_timeout: float = _of(_positive, 600.0, "longest wait of aiperf_gpu for a free GPU (default 600)", "S")
    memory: bool = _of(_truth, False, "measure process memory of every test, not only of those with a limit")
    quiet_malloc: bool = _of(_truth, True, "raise glibc's mmap threshold while timing, against page-fault noise")
    tolerance: float = _of(_fraction, 0.01, "slowdown that never fails a build (default 0.01)", "FRACTION")
    max_slowdown: float = _of(_fraction, 0.05, "slowdown that never passes (default 0.05)", "FRACTION")
    accuracy_margin: float = _of(_fraction, 0.01, "largest loss of accuracy, in points (default 0.01)", "POINTS")
    max_load_s: float | None = _of(_positive, None, "default limit: warm load time in seconds", "S")
    max_latency_ms: float | None = _of(_positive, None, "default limit: median latency in milliseconds", "MS")
    min_throughput: float | None = _of(_positive, None, "default limit: items per second", "N")
    max_gpu_mb: float | None = _of(_positive, None, "default limit: allocated GPU memory in MiB", "MB")
    max_ram_mb: float | None = _of(_positive, None, "default limit: process memory in MiB", "MB")
    max_model_mb: float | None = _of(_positive, None, "default limit: size of the model in MiB", "MB")
    min_accuracy: float | None = _of(_share, None, "default limit: accuracy as a fraction", "FRACTION")


OPTIONS = tuple(Option(name=one.name, default=one.default, **one.metadata) for one in fields(Settings))
_ACTIVE = ("active", "update", "update_new_only")
"""Any of these makes a run measure."""


def declare(parser: pytest.Parser) -> None:
    """Tell pytest every option, on the command line and in the ini file."""
    group = parser.getgroup("aiperf", "performance of AI models (pytest-aiperf)")
    shelf = Path(__file__).parent.parent / "reporting" / "reporters"  # listed, not imported: every pytest run asks
    formats = sorted({file.stem.replace("_", "-") for file in shelf.glob("[!_]*.py*")})  # also where only .pyc are
    for option in OPTIONS:
        told = option.help.replace("{formats}", ", ".join(formats))
        how: dict[str, Any] = {"action": "append" if option.repeatable else "store", "metavar": option.metavar}
        if option.parse is _truth:
            how = {"action": "store_true"}
        group.addoption(option.flag, dest=option.key, default=None, help=told, **how)
        parser.addini(option.key, told, default=None)


def is_active(config: pytest.Config, environ: Mapping[str, str] = os.environ) -> bool:
    """Whether this run measures at all; cheap, asked in every pytest run."""
    if config.getoption("aiperf_against", None) is not None:
        return True
    return any(_resolve(option, config, environ) for option in OPTIONS if option.name in _ACTIVE)


def needs_every_marker(config: pytest.Config) -> bool:
    """Whether this run lists the markers, or fails at one that it does not know; cheap, asked in every pytest run."""
    filters = [*config.getini("filterwarnings"), *(config.getoption("pythonwarnings", None) or ()), *sys.warnoptions]
    if any(words.partition(":")[0].strip() == "error" for words in filters):
        return True
    asked = ("strict_markers", "strict")
    return any(config.getoption(name, False) for name in ("markers", *asked)) or any(_of_pytest(config, asked))


def _of_pytest(config: pytest.Config, names: Iterable[str]) -> Iterator[Any]:
    """Its own ini options of these names; before pytest 9 they were flags only."""
    for name in names:
        with contextlib.suppress(KeyError, ValueError):
            yield config.getini(name)


def resolve(config: pytest.Config, environ: Mapping[str, str] = os.environ) -> Settings:
    """All settings of this run. Raises pytest.UsageError that names the place of a bad value."""
    values = {option.name: _resolve(option, config, environ) for option in OPTIONS}
    under_ci = environ.get("CI", "").strip().lower() not in _FALSE
    for name in ("new", "unused"):
        values[name] = values[name] or ("fail" if under_ci else "warn")
    values["active"] = is_active(config, environ)
    if values["max_slowdown"] < values["tolerance"]:
        raise pytest.UsageError(
            f"aiperf: max-slowdown ({values['max_slowdown']}) is below tolerance ({values['tolerance']}): "
            "a slowdown cannot both be forgiven and be too much"
        )
    return Settings(**values)


def _resolve(option: Option, config: pytest.Config, environ: Mapping[str, str]) -> Any:
    given = config.getoption(option.key, None)
    if given is True:
        return True
    if isinstance(given, list):
        return tuple(word for text in given for word in _parse(option, text, option.flag))
    if given is not None:
        return _parse(option, given, option.flag)
    if option.variable in environ:
        return _parse(option, environ[option.variable], f"environment variable {option.variable}")
    from_ini = config.getini(option.key)
    if from_ini not in (None, ""):
        return _parse(option, str(from_ini), f"ini option {option.key}")
    return option.default


def _parse(option: Option, text: str, where: str) -> Any:
    try:
        return option.parse(text)
    except ValueError as error:
        raise pytest.UsageError(f"{where}: {error}, got {text!r}") from None


@contextlib.contextmanager
def wrong_call(where: str = "") -> Iterator[None]:
    """An error of ours in here, before anything has run, is a wrong call of pytest. Raises pytest.UsageError."""
    from pytest_aiperf.vocabulary.errors import AiperfError

    try:
        yield
    except AiperfError as error:
        raise pytest.UsageError(f"{where}{error}") from None
