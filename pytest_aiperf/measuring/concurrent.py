"""`aiperf.concurrent`: several models in one process, and what they take together, alone, and after they are gone."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pytest_aiperf.measuring.driver import settle
from pytest_aiperf.measuring.entry import Entry, Observed
from pytest_aiperf.measuring.metrics.concurrent import ALONE, KEPT, LOADED, REVERSED
from pytest_aiperf.measuring.metrics.cpu_memory import RAM
from pytest_aiperf.measuring.metrics.gpu_memory import ALLOCATED, PROCESS, RESERVED
from pytest_aiperf.measuring.trial import Trial
from pytest_aiperf.vocabulary import units
from pytest_aiperf.vocabulary.contracts import Frameworks
from pytest_aiperf.vocabulary.errors import UsageError
from pytest_aiperf.vocabulary.orders import Role
from pytest_aiperf.vocabulary.records import Sample
from pytest_aiperf.vocabulary.terms import HELD_BEFORE, Metric, Need, Unit

_TITLES = {RAM.name: "memory", ALLOCATED.name: "GPU, allocated", RESERVED.name: "GPU, reserved", PROCESS.name: "GPU"}
"""Of the peaks that are told, in this order."""

Loader = Callable[[], Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """One kind of memory, in bytes above what was there before; None where unknown."""

    together: float
    """The joint peak."""
    alone: Mapping[str, float] = field(default_factory=dict)
    """Name -> peak of that model in a process of its own."""
    loaded: Mapping[str, float] = field(default_factory=dict)
    """Name -> what was held once it had been loaded, in the order of loading."""
    reversed: float | None = None
    """The joint peak when loaded the other way round."""
    kept: float | None = None
    """What was still held after all models had been deleted."""

    @property
    def sum(self) -> float | None:
        """Of the single peaks, where all are known."""
        return sum(self.alone.values()) if self.alone else None


class Concurrent(dict[str, Any]):
    """Name -> output of each model; its text is a table of what they took. `accounts`: metric -> `Account`."""

    def __init__(self, outputs: Mapping[str, Any], accounts: Mapping[str, Account] | None = None) -> None:
        super().__init__(outputs)
        self.accounts = accounts or {}

    def __repr__(self) -> str:
        return f"<Concurrent of {', '.join(self)}>"

    def __str__(self) -> str:
        return "\n".join(line for name, account in self.accounts.items() for line in lines(_TITLES[name], account))


def run(trial: Trial, entry: Entry, loaders: Mapping[str, Loader], inputs: Any) -> Concurrent:
    """Load and run all; their memory is measured by fresh processes. Raises UsageError."""
    names = check(loaders)
    order, frameworks = trial.order, trial.context.frameworks
    if trial.context.fresh is not None:
        trial.context.fresh.gather(trial, names)
        outputs = plainly(loaders, inputs, frameworks)
        accounts = accounts_of(entry)
        breakdown = {metric: tuple(lines(_TITLES[metric], account)) for metric, account in accounts.items()}
        entry.take(Observed(breakdown=breakdown))
        return Concurrent(outputs, accounts)
    members = order.members or names
    if not order.role.reads_memory or order.role is Role.WEIGH or not set(members) <= set(names):
        return Concurrent(plainly(loaders, inputs, frameworks))
    outputs = _measured(trial, entry, {name: loaders[name] for name in members}, inputs)
    entry.take(Observed(partial=members != names))
    return Concurrent(outputs)


def check(loaders: Mapping[str, Loader]) -> tuple[str, ...]:
    """The names. Raises UsageError."""
    if not isinstance(loaders, Mapping) or not loaders or not all(isinstance(name, str) and name for name in loaders):
        raise UsageError("aiperf.concurrent: expected a mapping of names to functions that load a model each")
    for name, loader in loaders.items():
        if not callable(loader):
            raise UsageError(
                f"aiperf.concurrent: {name!r} is a {type(loader).__name__}, not a function without arguments that "
                "loads it: a model that is already there cannot be measured alone"
            )
    return tuple(loaders)


def plainly(loaders: Mapping[str, Loader], inputs: Any, frameworks: Frameworks) -> dict[str, Any]:
    """Load all, then run each once."""
    return _outputs({name: settle(loader()) for name, loader in loaders.items()}, inputs, frameworks)


def _measured(trial: Trial, entry: Entry, loaders: Mapping[str, Loader], inputs: Any) -> dict[str, Any]:
    """In a fresh process: the joint peak of these models, with what each adds and what stays."""
    watches = trial.watches(None, ram=True, gpu=True).start()
    before = _held(trial, {})
    models: dict[str, Any] = {}
    loaded: list[Sample] = []
    for name, loader in loaders.items():
        models[name] = settle(loader())
        loaded.append(_sample(LOADED, _held(trial, before), trial, name))
    outputs = _outputs(models, inputs, trial.context.frameworks)
    peaks = watches.samples()
    models.clear()
    gc.collect()
    trial.context.tools.memory.give_back()
    trial.context.tools.devices.reset_peaks()
    kept = _sample(KEPT, _held(trial, before), trial)
    if members := trial.order.members:
        alone = len(members) == 1
        entry.fresh.append(_sample(ALONE if alone else REVERSED, _added(peaks), trial, members[0] if alone else ""))
        return outputs
    on_gpu = {name for name, metric in trial.context.metrics.items() if metric.needs is Need.GPU}
    counted = [peak for peak in peaks if peak.metric not in on_gpu or trial.measures_gpu()]
    entry.take(Observed(samples=counted))
    entry.fresh += [*loaded, kept]
    return outputs


def accounts_of(entry: Entry) -> dict[str, Account]:
    """What the fresh processes of a set saw, by kind of memory; noise only adds, so the smallest of several counts."""
    found = {}
    for metric in _TITLES:
        joint = [_added([one])[metric] for one in entry.fresh if one.metric == metric and one.values]
        if joint:
            found[metric] = Account(
                together=min(joint),
                alone=_by_name(entry, ALONE, metric),
                loaded=_by_name(entry, LOADED, metric),
                reversed=_by_name(entry, REVERSED, metric).get(""),
                kept=_by_name(entry, KEPT, metric).get(""),
            )
    return found


def lines(title: str, account: Account) -> Iterator[str]:
    """A table of one kind of memory."""
    told = f"{title} together {_text(account.together)}"
    if account.sum:
        told += f", {account.together / account.sum:.0%} of the sum of single peaks ({_text(account.sum)})"
    yield told
    for name in dict.fromkeys((*account.alone, *account.loaded)):
        parts = [f"{_text(account.alone[name])} alone"] if name in account.alone else []
        parts += [f"{_text(account.loaded[name])} held once it was loaded"] if name in account.loaded else []
        yield f"  {name}: {', '.join(parts)}"
    if account.reversed is not None:
        yield f"  loaded the other way round: {_text(account.reversed)}"
    if account.kept is not None:
        yield f"  kept after del: {_text(account.kept)}"


def _outputs(models: Mapping[str, Any], inputs: Any, frameworks: Frameworks) -> dict[str, Any]:
    """Run each once, on an input of its own where these are a mapping of all names, else all on one."""
    each_its_own = isinstance(inputs, Mapping) and set(inputs) >= set(models)
    outputs = {}
    for name, model in models.items():
        given = inputs[name] if each_its_own else inputs
        framework = frameworks.of(model)
        with framework.inference():
            outputs[name] = settle(framework.bind(model, given if isinstance(given, tuple) else (given,), {})())
    return outputs


def _held(trial: Trial, before: Mapping[str, float]) -> dict[str, float]:
    """Bytes at this moment, as far as they are counted, above what was held before."""
    gc.collect()
    allocated, process = trial.context.tools.devices.started().held()
    sizes = {RAM.name: trial.context.tools.memory.now(), ALLOCATED.name: allocated, PROCESS.name: process}
    return {metric: max(0.0, size - before.get(metric, 0.0)) for metric, size in sizes.items() if size is not None}


def _added(peaks: Sequence[Sample]) -> dict[str, float]:
    """What peaks add to what was there before."""
    known = (peak for peak in peaks if peak.values and peak.metric in _TITLES)
    return {peak.metric: peak.values[0] - peak.parts.get(HELD_BEFORE, 0.0) for peak in known}


def _sample(metric: Metric, parts: Mapping[str, float], trial: Trial, name: str = "") -> Sample:
    values = (parts.get(RAM.name, 0.0),)
    return Sample(metric=metric.name, values=values, origin=trial.order.origin, member=name, parts=parts)


def _by_name(entry: Entry, wanted: Metric, metric: str) -> dict[str, float]:
    """Member, or nothing where all are meant -> the smallest of what was seen."""
    found: dict[str, float] = {}
    for sample in entry.fresh:
        if sample.metric == wanted.name and metric in sample.parts:
            found[sample.member] = min(sample.parts[metric], found.get(sample.member, sample.parts[metric]))
    return found


def _text(size: float) -> str:
    return units.text(size, Unit.BYTES)
