"""Every option, declared once; resolved in one place: command line, then environment, then ini, then default."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

ENVIRONMENT_PREFIX = "PYTEST_AIPERF"
_TRUE = frozenset({"1", "true", "yes", "on"})
_FALSE = frozenset({"0", "false", "no", "off", ""})


class Option(NamedTuple):
    """One setting: `--aiperf-<name>`, ini `aiperf_<name>`, environment `PYTEST_AIPERF_<NAME>`."""

    name: str
    parse: Callable[[str], Any]
    default: Any
    help: str
    repeatable: bool = False
    metavar: str | None = None

    @property
    def flag(self) -> str:
        """The command line's spelling."""
        return f"--aiperf-{self.name}" if self.name else "--aiperf"

    @property
    def key(self) -> str:
        """The ini file's spelling."""
        return "aiperf" + (f"_{self.name.replace('-', '_')}" if self.name else "")

    @property
    def variable(self) -> str:
        """The environment's spelling."""
        return ENVIRONMENT_PREFIX + (f"_{self.name.replace('-', '_').upper()}" if self.name else "")

    @property
    def attribute(self) -> str:
        """The name in `Settings`."""
        return self.name.replace("-", "_") or "active"


def _truth(text: str) -> bool:
    lowered = text.strip().lower()
    if lowered in _TRUE:
        return True
    if lowered in _FALSE:
        return False
    raise ValueError("expected true or false")


def _one_of(*choices: str) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if text not in choices:
            raise ValueError(f"expected one of {', '.join(choices)}")
        return text

    return parse


def _positive(text: str) -> float:
    number = float(text)
    if not 0 < number < float("inf"):
        raise ValueError("expected a number above zero")
    return number


def _fraction(text: str) -> float:
    number = float(text)
    if not 0 <= number < float("inf"):
        raise ValueError("expected a fraction such as 0.05 (5 %)")
    return number


def _share(text: str) -> float:
    number = float(text)
    if not 0 <= number <= 1:
        raise ValueError("expected a fraction between 0 and 1 (0.95 is 95 %)")
    return number


def _count(text: str) -> int:
    number = int(text)
    if number < 1:
        raise ValueError("expected a whole number above zero")
    return number


def _words(text: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in text.replace("\n", ",").split(",") if word.strip())


def _lines(text: str) -> tuple[str, ...]:
    return tuple(line.strip() for line in text.splitlines() if line.strip())


def _needs(text: str) -> tuple[str, ...]:
    from pytest_aiperf.vocabulary.terms import Need

    words = _words(text)
    if unknown := sorted(set(words) - {need.value for need in Need}):
        raise ValueError(f"unknown need {', '.join(unknown)}: expected gpu, ram, or both with a comma")
    return words


def _text(text: str) -> str:
    return text


_ANSWER = _one_of("warn", "fail")

OPTIONS: tuple[Option, ...] = (
    Option("", _truth, False, "measure and judge"),
    Option(
        "update", _truth, False, "measure and store: new baselines written, moved ones renewed, unused ones dropped"
    ),
    Option("update-new-only", _truth, False, "store only what has no baseline yet"),
    Option("no-cleanup", _truth, False, "with --aiperf-update: keep baselines that no test uses any more"),
    Option("accept-worse", _truth, False, "with --aiperf-update: store a worse accuracy too"),
    Option("inconclusive", _ANSWER, "warn", "what an open answer does", metavar="warn|fail"),
    Option("new", _ANSWER, None, "what a missing or stale baseline does (fail under CI)", metavar="warn|fail"),
    Option("unused", _ANSWER, None, "what a baseline without its test does (fail under CI)", metavar="warn|fail"),
    Option("require", _needs, (), "what must be measurable on this machine: gpu, ram", metavar="WHAT,..."),
    Option("against", _text, None, "confirm suspicions by interleaved pairs with this git revision", metavar="REF"),
    Option("pairs", _one_of("auto", "always"), "auto", "which figures --aiperf-against decides", metavar="auto|always"),
    Option("pairs-budget", _positive, 120.0, "most seconds of pairs per test (default 120)", metavar="S"),
    Option("share", _lines, (), "files that git ignores, for the old code: weights, data", True, "PATH"),
    Option("report", _words, (), "write a report: json, markdown, csv, pytest-benchmark", True, "FORMAT:FILE"),
    Option("details", _truth, False, "show every row and every reason"),
    Option("machine", _text, None, "name of the machine class (default: derived from the machine)", metavar="NAME"),
    Option("calls", _count, 20, "fewest timed calls per measurement (default 20)", metavar="N"),
    Option("seconds", _positive, 0.75, "time to spend on one timing pass (default 0.75)", metavar="S"),
    Option("max-seconds", _positive, 30.0, "give up reaching --aiperf-calls after this time (default 30)", metavar="S"),
    Option("processes", _count, 5, "most fresh processes per load or memory figure (default 5)", metavar="N"),
    Option("timeout", _positive, 300.0, "longest life of one fresh process in seconds (default 300)", metavar="S"),
    Option("gpu-timeout", _positive, 600.0, "longest wait of aiperf_gpu for a free GPU (default 600)", metavar="S"),
    Option("memory", _truth, False, "measure process memory of every test, not only of those with a limit"),
    Option("quiet-malloc", _truth, True, "raise glibc's mmap threshold while timing, against page-fault noise"),
    Option("tolerance", _fraction, 0.01, "slowdown that never fails a build (default 0.01)", metavar="FRACTION"),
    Option("max-slowdown", _fraction, 0.05, "slowdown that never passes (default 0.05)", metavar="FRACTION"),
    Option("accuracy-margin", _fraction, 0.01, "largest loss of accuracy, in points (default 0.01)", metavar="POINTS"),
    Option("max-load-s", _positive, None, "default limit: warm load time in seconds", metavar="S"),
    Option("max-latency-ms", _positive, None, "default limit: median latency in milliseconds", metavar="MS"),
    Option("min-throughput", _positive, None, "default limit: items per second", metavar="N"),
    Option("max-gpu-mb", _positive, None, "default limit: allocated GPU memory in MiB", metavar="MB"),
    Option("max-ram-mb", _positive, None, "default limit: process memory in MiB", metavar="MB"),
    Option("max-model-mb", _positive, None, "default limit: size of the model in MiB", metavar="MB"),
    Option("min-accuracy", _share, None, "default limit: accuracy as a fraction", metavar="FRACTION"),
)

_IMPLY_ACTIVE = ("update", "update_new_only")


class Settings(NamedTuple):
    """What the options of this run came to; fields are named after the options."""

    values: Mapping[str, Any]

    def __getattr__(self, name: str) -> Any:
        """Read a setting by its attribute name."""
        try:
            return self.values[name]
        except KeyError:
            raise AttributeError(name) from None


def declare(parser: pytest.Parser) -> None:
    """Tell pytest every option, on the command line and in the ini file."""
    group = parser.getgroup("aiperf", "performance of AI models (pytest-aiperf)")
    for option in OPTIONS:
        if option.parse is _truth:
            group.addoption(option.flag, dest=option.key, action="store_true", default=None, help=option.help)
        else:
            action = "append" if option.repeatable else "store"
            group.addoption(
                option.flag, dest=option.key, action=action, default=None, help=option.help, metavar=option.metavar
            )
        parser.addini(option.key, option.help, default=None)


def is_active(config: pytest.Config, environ: Mapping[str, str] = os.environ) -> bool:
    """Whether this run measures at all; cheap, asked in every pytest run."""
    if config.getoption("aiperf_against", None) is not None:
        return True
    wanted = (_resolve(option, config, environ) for option in OPTIONS if option.attribute in ("active", *_IMPLY_ACTIVE))
    return any(wanted)


def resolve(config: pytest.Config, environ: Mapping[str, str] = os.environ) -> Settings:
    """All settings of this run. Raises pytest.UsageError that names the place of a bad value."""
    values = {option.attribute: _resolve(option, config, environ) for option in OPTIONS}
    under_ci = environ.get("CI", "").strip().lower() not in _FALSE
    for name in ("new", "unused"):
        values[name] = values[name] or ("fail" if under_ci else "warn")
    values["active"] = is_active(config, environ)
    if values["max_slowdown"] < values["tolerance"]:
        raise pytest.UsageError(
            f"aiperf: max-slowdown ({values['max_slowdown']}) is below tolerance ({values['tolerance']}): "
            "a slowdown cannot both be forgiven and be too much"
        )
    return Settings(values)


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
