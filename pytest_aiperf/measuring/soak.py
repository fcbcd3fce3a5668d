"""`aiperf.soak`: many calls, the memory after each, and what grew where it leaks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pytest_aiperf.measuring import leak_growth
from pytest_aiperf.measuring.driver import Driver, finish, is_asynchronous, settle
from pytest_aiperf.measuring.entry import Entry, Observed
from pytest_aiperf.measuring.metrics.leak import GPU_LEAK, LEAK, Soak
from pytest_aiperf.measuring.trial import Trial
from pytest_aiperf.vocabulary.errors import UsageError
from pytest_aiperf.vocabulary.orders import Role

FEWEST = 200


def soak(trial: Trial, entry: Entry, call: Callable[[], Any], calls: int, *, owner: object) -> Any:
    """Run the calls, twice as many where they leave it open; just one in a fresh process. Raises UsageError."""
    if calls < FEWEST:
        raise UsageError(f"aiperf.soak: calls={calls}: a leak shows with {FEWEST} calls at least")
    asynchronous = is_asynchronous(owner)
    if trial.order.role is not Role.TEST:
        return settle(call()) if asynchronous else call()
    driver = Driver(call, trial.context.tools, asynchronous=asynchronous)
    return finish(_soaked(trial, entry, driver, calls), asynchronous=asynchronous)


async def _soaked(trial: Trial, entry: Entry, driver: Driver, calls: int) -> Any:
    from pytest_aiperf.judging.rules.leak import DEFAULT, Answer, answer_of  # with scipy: never in a fresh process

    bound = min(trial.bounds_of(entry, LEAK), default=DEFAULT.bound)

    async def answers(probe: Soak) -> set[Answer]:
        samples = await driver.drive((probe,))
        entry.take(Observed(latest=samples))
        return {answer_of(sample.values, bound, calls=sample.calls_per_value)[0] for sample in samples}

    with trial.context.exclusive(f"{entry.label or 'soak'}"):
        seen = await answers(Soak(calls=calls))
        if Answer.OPEN in seen:
            seen = await answers(Soak(calls=calls * 2, warm_ups=0))
    if Answer.LEAKS in seen:
        entry.take(Observed(reasons=dict.fromkeys((LEAK.name, GPU_LEAK.name), await leak_growth.told(driver))))
    return driver.result
