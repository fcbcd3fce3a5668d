"""`aiperf.soak`: many calls, the memory after each, and what grew where it leaks."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from pytest_aiperf.measuring import leak_growth
from pytest_aiperf.measuring.driver import Driver, finish, is_asynchronous, settle
from pytest_aiperf.measuring.entry import Entry, Observed
from pytest_aiperf.measuring.metrics.leak import GPU_LEAK, LEAK, Soak
from pytest_aiperf.measuring.trial import Trial
from pytest_aiperf.vocabulary.errors import UsageError

if TYPE_CHECKING:
    from pytest_aiperf.judging.rules.leak import Answer

FEWEST = 200


def soak(trial: Trial, entry: Entry, call: Callable[[], Any], calls: int, *, owner: object) -> Any:
    """Run the calls, twice as many where they leave it open; just one in a fresh process. Raises UsageError."""
    if calls < FEWEST:
        raise UsageError(f"aiperf.soak: calls={calls}: a leak shows with {FEWEST} calls at least")
    asynchronous = is_asynchronous(owner)
    if not trial.order.role.times:
        return settle(call()) if asynchronous else call()
    driver = Driver(call, trial.context.tools, asynchronous=asynchronous)
    return finish(_soaked(trial, entry, driver, calls), asynchronous=asynchronous)


async def _soaked(trial: Trial, entry: Entry, driver: Driver, calls: int) -> Any:
    from pytest_aiperf.judging.rules.leak import Answer  # with scipy: never in a fresh process

    with trial.context.exclusive(f"{entry.label or 'soak'}"):
        entry.take(Observed(latest=await driver.drive((Soak(calls=calls),))))
        if Answer.OPEN in _answers(trial, entry):
            entry.take(Observed(latest=await driver.drive((Soak(calls=calls * 2, warm_ups=0),))))
    if Answer.LEAKS in _answers(trial, entry):
        entry.take(Observed(reasons=dict.fromkeys((LEAK.name, GPU_LEAK.name), await leak_growth.told(driver))))
    return driver.result


def _answers(trial: Trial, entry: Entry) -> list[Answer]:
    from pytest_aiperf.judging.rules.leak import DEFAULT, answer_of

    bound = min(trial.bounds_of(entry, LEAK), default=DEFAULT)
    return [
        answer_of(sample.values, bound, calls=sample.calls_per_value)[0]
        for sample in entry.samples.values()
        if sample.metric in (LEAK.name, GPU_LEAK.name)
    ]
