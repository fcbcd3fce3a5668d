"""The composition root: the only place that chooses members from the shelves and puts the parts together."""

from __future__ import annotations

import contextlib
import functools
import os
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pytest_aiperf import shelves
from pytest_aiperf.machine import environment, load, process_memory
from pytest_aiperf.machine.nvml import Nvml, NvmlConditions
from pytest_aiperf.processes import git
from pytest_aiperf.session import settings, xdist
from pytest_aiperf.vocabulary.contracts import Frameworks, Probes, Store, Tools
from pytest_aiperf.vocabulary.devices import Devices
from pytest_aiperf.vocabulary.errors import UsageError
from pytest_aiperf.vocabulary.records import Margins
from pytest_aiperf.vocabulary.terms import Metric, Need, Pairs

if TYPE_CHECKING:
    from pytest_aiperf.measuring.trial import RunContext
    from pytest_aiperf.session.bench import Bench

RUN_PLUGIN = "aiperf-run"
_IDLE: pytest.StashKey[RunContext] = pytest.StashKey()
"""The context of a run that does not measure."""


def equip_run(config: pytest.Config) -> None:
    """Make this pytest measure. Raises UsageError, or pytest's own, for bad settings."""
    from pytest_aiperf.baselines import last_run
    from pytest_aiperf.machine.reference_workload import ReferenceWorkload
    from pytest_aiperf.machine.timing_lock import MachineLock
    from pytest_aiperf.measuring.leftovers import Leftovers
    from pytest_aiperf.processes.child import Launch, run_test
    from pytest_aiperf.processes.fresh_figures import FreshFigures
    from pytest_aiperf.processes.reaper import Reaper
    from pytest_aiperf.reporting.report_files import ReportFiles
    from pytest_aiperf.session import confirmations
    from pytest_aiperf.session.collection import CollectionWatch
    from pytest_aiperf.session.held_reports import HeldReports
    from pytest_aiperf.session.judgement import Judge
    from pytest_aiperf.session.progress import Progress
    from pytest_aiperf.session.recorder import Recorder
    from pytest_aiperf.session.run_hooks import RunHooks

    chosen = settings.resolve(config)
    reports = ReportFiles(
        wanted=chosen.report,
        directory=config.invocation_params.dir,
        create=functools.partial(shelves.create, "reporters"),
    )
    reports.check()
    under_xdist = xdist.is_worker(config)
    common = _common_context(create_frameworks())
    tools, frameworks, metrics = common.tools, common.frameworks, common.metrics
    for framework in frameworks:
        framework.watch()
    if chosen.quiet_malloc:
        process_memory.quieten_malloc()
    progress = Progress(config)
    lock = MachineLock(shared_by_tests=under_xdist, tell=progress.show)
    arguments, directory = xdist.invocation(config)
    launch = Launch(
        # no fresh process measures coverage
        arguments=[*arguments, "--no-cov"] if config.pluginmanager.hasplugin("_cov") else arguments,
        directory=directory,
        timeout=chosen.timeout,
        quiet_malloc=chosen.quiet_malloc,
        compile_caches=tuple({name: None for framework in frameworks for name in framework.compile_caches}),
    )
    found = environment.describe(name=chosen.machine, accelerators=tools.devices, distributions=distributions())
    place = replace(found, details={**found.details, "store": chosen.store})
    with settings.wrong_call(f"--aiperf-store={chosen.store}: "):
        store = store_at(config.rootpath, chosen.store)
    judge = Judge(
        settings=chosen,
        store=store,
        environment=place,
        metrics=metrics,
        commit=lambda: git.current(config.rootpath),
        clock=time.monotonic,
        now=RunHooks.now,
    )
    fresh = FreshFigures(functools.partial(run_test, launch), most=chosen.processes, stores=judge.stores)
    context = replace(
        common,
        exclusive=lambda what: progress.during(lock.exclusive(), text=what),
        reference=ReferenceWorkload(foreign=tools.foreign),
        fresh=fresh,
        memory_always=chosen.memory,
    )
    owner = (
        xdist.ToController(config)
        if under_xdist
        else Recorder(
            config=config,
            judge=judge,
            keep=functools.partial(last_run.save, config.rootpath),
            write_reports=reports.write,
            started_at=judge.now(),
            commit=judge.commit(),
        )
    )
    pairs = judge.policy.pairs is not Pairs.NEVER

    def stoppable() -> Launch:
        """Of children that may be stopped when this process dies: somebody has to end them."""
        return replace(launch, reaper=Reaper(owner.note))

    hooks = RunHooks(
        config=config,
        context=context,
        default_limits=judge.default_limits,
        default_margins=judge.default_margins,
        judge=judge,
        fresh=fresh,
        confirmation=confirmations.with_revision(config, context, judge, stoppable()) if pairs else None,
        model_pairs=lambda: confirmations.of_models(context, judge, stoppable()),
        lock=lock,
        leftovers=Leftovers(tools.devices),
        tell=owner.note,
    )
    config.pluginmanager.register(hooks, RUN_PLUGIN)
    if pairs and not under_xdist:
        config.pluginmanager.register(HeldReports(hooks), "aiperf-held-reports")
    config.pluginmanager.register(owner, "aiperf-recorder")
    config.pluginmanager.register(CollectionWatch(config, owner.take_collected), "aiperf-collection")


def equip_worker(config: pytest.Config, *, channel: int) -> None:
    """Make this pytest the fresh process that its parent ordered."""
    from pytest_aiperf.processes.provenance import Provenance
    from pytest_aiperf.runtimes.import_hook import ImportHook
    from pytest_aiperf.session.child_hooks import Channel, ChildHooks, neutralise
    from pytest_aiperf.vocabulary.messages import Doing

    line = Channel(channel)
    orders = line.orders()
    line.watch()
    line.send(Doing(phase="collection"))
    neutralise(config, orders)
    frameworks = create_frameworks()
    imports: dict[str, float] = {}
    runtimes = [framework.module for framework in frameworks if framework.module]
    ImportHook(runtimes, lambda module, seconds: imports.update({module.__name__: seconds})).install()
    for framework in frameworks:
        framework.watch()
    hooks = ChildHooks(
        config=config,
        context=replace(_common_context(frameworks), imports=imports, turn_line=line),
        channel=line,
        orders={order.test: order for order in orders.orders},
        provenance=Provenance(orders.watched),
    )
    config.pluginmanager.register(hooks, RUN_PLUGIN)


def pass_through(stash: pytest.Stash) -> Bench:
    """The fixture of a run that does not measure; what its benches share is kept in the run's stash."""
    from pytest_aiperf.measuring.trial import Trial
    from pytest_aiperf.session.bench import Bench
    from pytest_aiperf.vocabulary.orders import Order, Role

    if _IDLE not in stash:
        stash[_IDLE] = _common_context(create_frameworks())
    order = Order(test="", role=Role.NOTHING, max_seconds=0.0)
    return Bench(Trial(order=order, context=stash[_IDLE], margins=Margins()))


def _common_context(frameworks: Frameworks) -> RunContext:
    """What every process has, whatever it measures."""
    from pytest_aiperf.measuring.trial import RunContext

    metrics = known_metrics()
    return RunContext(tools=create_tools(), frameworks=frameworks, metrics=metrics, probes=_probes_of_others(metrics))


@contextlib.contextmanager
def gpu_slot(config: pytest.Config, item: pytest.Item) -> Iterator[tuple[str, ...]]:
    """The GPUs for one test. Skips or fails it where there is none; a fresh process uses those of its parent."""
    from pytest_aiperf.machine.atomic_files import lock_folder
    from pytest_aiperf.machine.gpu_slot import HELD_VARIABLE, GpuBusyError, GpuSlot, NoGpuError
    from pytest_aiperf.session import markers

    chosen = settings.resolve(config)
    if markers.OF_OTHERS not in config.stash:
        register_markers(config)
    hooks = config.pluginmanager.get_plugin(RUN_PLUGIN)
    lock = getattr(hooks, "lock", None)
    in_fresh_process = hooks is not None and lock is None
    limits = markers.read(item, frozenset()).limits
    slot = GpuSlot(
        folder=lock_folder(),
        nvml=Nvml(),
        devices=create_tools().devices,
        modules=sys.modules,
        environ={**os.environ, HELD_VARIABLE: "parent"} if in_fresh_process else os.environ,
        timeout=chosen.gpu_timeout,
        aside=contextlib.nullcontext if lock is None else lock.aside,
    )
    with contextlib.ExitStack() as held:
        try:
            on_gpu = {name for name, metric in known_metrics().items() if metric.peak and metric.needs is Need.GPU}
            free = max((limit.bound for limit in limits if limit.metric in on_gpu), default=0.0)
            names = held.enter_context(slot.hold(free))
        except NoGpuError as missing:
            (pytest.fail if "gpu" in chosen.require else pytest.skip)(str(missing))
        except GpuBusyError as busy:
            pytest.fail(str(busy), pytrace=False)
        yield names


def known_metrics() -> dict[str, Metric]:
    """Every metric on the shelf, by name. Raises UsageError where two have one name, or one goes with none."""
    known: dict[str, Metric] = {}
    owners: dict[str, str] = {}
    for owner, member in shelves.metric_members():
        for metric in member.METRICS:
            _take(metric.name, "metric", owner, owners)
            known[metric.name] = metric
    for name, metric in known.items():
        if lost := {metric.follows, metric.limited_as} - {"", *known}:
            raise UsageError(f"{owners[name]} has a metric {name!r} that goes with {min(lost)!r}, which nothing has")
    return known


def register_markers(config: pytest.Config, *, described: bool = False) -> None:
    """Make pytest know the markers that limit other packages' metrics. Raises UsageError for a taken name.

    `described`: ours too, each with what it says of itself; else pytest knows their names by now.
    """
    from pytest_aiperf.session import limit_markers, markers

    taken, found = dict.fromkeys(("aiperf", *limit_markers.LIMITS), "pytest-aiperf"), dict[str, Any]()
    known_metrics()
    for line in markers.own() if described else ():
        config.addinivalue_line("markers", line)
    for owner, member in shelves.metric_members():
        for name, function in getattr(member, "MARKERS", {}).items():
            _take(name, "marker", owner, taken)
            found[name] = function
            config.addinivalue_line("markers", markers.described(name, function))
    config.stash[markers.OF_OTHERS] = found


def _take(name: str, what: str, owner: str, taken: dict[str, str]) -> None:
    if name in taken:
        raise UsageError(f"{owner} has a {what} {name!r}, as {taken[name]} has; rename it")
    taken[name] = owner


def _probes_of_others(metrics: Mapping[str, Metric]) -> Probes:
    """What metrics of other packages want to see of a pass, in the order of their members' names."""
    from pytest_aiperf.measuring.driver import CheckedProbe

    offers = [member.probes for _, member in shelves.metric_members() if hasattr(member, "probes")]
    return lambda wanted: [CheckedProbe(probe, metrics) for offer in offers for probe in offer(wanted) or ()]


def create_tools() -> Tools:
    """Everything that touches the machine."""
    return Tools(
        clock=time.perf_counter_ns,
        devices=Devices(shelves.create("accelerators", name) for name in shelves.names("accelerators")),
        memory=process_memory.create(),
        foreign=load.OtherProcesses(),
        conditions=NvmlConditions(Nvml()),
    )


def distributions() -> tuple[str, ...]:
    """What runtimes are called where they are installed."""
    return tuple(name for framework in create_frameworks() for name in framework.distributions)


def create_frameworks() -> Frameworks:
    """Every runtime; the plain one, which owns anything, last."""
    names = sorted(shelves.names("frameworks"), key=lambda name: (name == "plain", name))
    return Frameworks(shelves.create("frameworks", name) for name in names)


def store_at(root: Path, name: str) -> Store:
    """Where the baselines of a root directory are kept. Raises UsageError for an unknown store."""
    store: Store = shelves.create("stores", name, root)
    return store
