"""Every option from the command line alone, the environment alone, the ini file alone; in that order."""

from __future__ import annotations

import pytest

from pytest_aiperf import shelves
from pytest_aiperf.session import limit_markers, markers, settings

EXAMPLES = {
    "inconclusive": ("fail", "fail"),
    "new": ("fail", "fail"),
    "unused": ("fail", "fail"),
    "require": ("gpu", ("gpu",)),
    "report": ("json:out.json", ("json:out.json",)),
    "store": ("sqlite", "sqlite"),
    "machine": ("ci-gpu", "ci-gpu"),
    "against": ("main", "main"),
    "pairs": ("always", "always"),
    "share": ("weights/*.bin", ("weights/*.bin",)),
    "calls": ("7", 7),
    "seconds": ("0.5", 0.5),
    "max_seconds": ("3", 3.0),
    "processes": ("2", 2),
    "timeout": ("9", 9.0),
    "tolerance": ("0.005", 0.005),
    "max_slowdown": ("0.3", 0.3),
    "accuracy_margin": ("0.02", 0.02),
    "quiet_malloc": ("false", False),
}


def example(option: settings.Option) -> tuple[str, object]:
    if option.name in EXAMPLES:
        return EXAMPLES[option.name]
    return ("true", True) if option.default is False else ("0.5", 0.5)


@pytest.mark.parametrize("option", settings.OPTIONS, ids=lambda option: option.flag)
@pytest.mark.parametrize("way", ["command line", "environment", "ini"])
def test_it_takes_every_option_from_each_place_alone(pytester, option, way):
    text, expected = example(option)
    environ, arguments = {}, []
    if way == "command line":
        if option.name == "quiet_malloc":
            text, expected = "true", True
        flag = option.default in (True, False) and text == "true"
        arguments = [option.flag] if flag else [f"{option.flag}={text}"]
    elif way == "environment":
        environ[option.variable] = text
    else:
        pytester.makeini(f"[pytest]\n{option.key} = {text}\n")
    config = pytester.parseconfig(*arguments)
    assert getattr(settings.resolve(config, environ), option.name) == expected


def test_it_lets_the_command_line_win_over_environment_and_ini(pytester):
    pytester.makeini("[pytest]\naiperf_calls = 3\n")
    config = pytester.parseconfig("--aiperf-calls=1")
    assert settings.resolve(config, {"PYTEST_AIPERF_CALLS": "2"}).calls == 1
    assert settings.resolve(pytester.parseconfig(), {"PYTEST_AIPERF_CALLS": "2"}).calls == 2
    assert settings.resolve(pytester.parseconfig(), {}).calls == 3


@pytest.mark.parametrize(("environ", "expected"), [({}, "warn"), ({"CI": "true"}, "fail"), ({"CI": "false"}, "warn")])
def test_it_lets_new_and_unused_baselines_fail_under_ci(pytester, environ, expected):
    resolved = settings.resolve(pytester.parseconfig(), environ)
    assert (resolved.new, resolved.unused, resolved.inconclusive) == (expected, expected, "warn")


@pytest.mark.parametrize(
    ("argument", "says"),
    [
        ("--aiperf-calls=0", "--aiperf-calls: expected a whole number above zero, got '0'"),
        ("--aiperf-seconds=fast", "--aiperf-seconds: could not convert string to float"),
        ("--aiperf-inconclusive=ignore", "expected one of warn, fail"),
        ("--aiperf-require=tpu", "unknown need tpu"),
        ("--aiperf-max-slowdown=0.001", "below tolerance"),
        ("--aiperf-min-accuracy=95", "--aiperf-min-accuracy: expected a fraction between 0 and 1 .*, got '95'"),
        ("--aiperf-min-accuracy=-0.1", "between 0 and 1"),
        ("--aiperf-min-accuracy=nan", "between 0 and 1"),
    ],
)
def test_it_says_where_a_bad_value_came_from(pytester, argument, says):
    with pytest.raises(pytest.UsageError, match=says):
        settings.resolve(pytester.parseconfig(argument), {})


@pytest.mark.parametrize(
    ("arguments", "environ", "active"),
    [
        ([], {}, False),
        (["--aiperf"], {}, True),
        (["--aiperf-update"], {}, True),
        (["--aiperf-update-new-only"], {}, True),
        ([], {"PYTEST_AIPERF": "1"}, True),
        ([], {"PYTEST_AIPERF": "0"}, False),
        (["--aiperf-details"], {}, False),
    ],
)
def test_it_measures_only_when_told_to(pytester, arguments, environ, active):
    config = pytester.parseconfig(*arguments)
    assert settings.is_active(config, environ) is active
    assert settings.resolve(config, environ).active is active


@pytest.mark.parametrize(
    ("arguments", "ini", "needs"),
    [
        ([], "", False),
        (["-Wdefault"], "filterwarnings = ignore::UserWarning", False),
        (["--markers"], "", True),
        (["--strict-markers"], "", True),
        (["-Werror"], "", True),
        ([], "filterwarnings = error::pytest.PytestUnknownMarkWarning", True),
    ],
)
def test_other_packages_are_searched_for_markers_only_where_an_unknown_one_is_a_mistake(
    pytester, arguments, ini, needs
):
    pytester.makeini(f"[pytest]\n{ini}\n")
    assert settings.needs_every_marker(pytester.parseconfig(*arguments)) is needs


@pytest.mark.skipif(int(pytest.__version__.split(".")[0]) < 9, reason="these were flags only")
@pytest.mark.parametrize("option", ["strict", "strict_markers"])
def test_the_ini_options_of_pytest_9_count_too(pytester, option):
    pytester.makeini(f"[pytest]\n{option} = true\n")
    assert settings.needs_every_marker(pytester.parseconfig())


@pytest.mark.parametrize("option", [option for option in settings.OPTIONS if option.name in limit_markers.LIMITS])
@pytest.mark.parametrize("text", ["0", "1e-9", "0.5", "1", "95", "1e9"])
def test_it_lets_no_default_limit_through_that_a_marker_refuses(option, text):
    try:
        value = option.parse(text)
    except ValueError:
        return
    assert markers.default_limits({option.name: value})


def test_it_takes_several_reports(pytester):
    config = pytester.parseconfig("--aiperf-report=json:a.json", "--aiperf-report=csv:b.csv")
    assert settings.resolve(config, {}).report == ("json:a.json", "csv:b.csv")


def test_the_help_names_every_format_of_the_shelf(pytester):
    """One that is added to the shelf is in the help at once."""
    told = " ".join(pytester.runpytest_inprocess("--help", "-pno:asyncio").stdout.str().split())
    formats = [name.replace("_", "-") for name in shelves.names("reporters")]
    assert f"write a report: {', '.join(formats)}" in told
