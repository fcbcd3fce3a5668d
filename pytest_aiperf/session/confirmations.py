"""The pairs of this run: with a reference revision, and of a comparison's two models."""

from __future__ import annotations

import itertools
import random
import time
from dataclasses import replace

import pytest

from pytest_aiperf.machine.disturbances import MachineWatch
from pytest_aiperf.machine.nvml import Nvml
from pytest_aiperf.measuring.trial import RunContext
from pytest_aiperf.processes import git, worktree
from pytest_aiperf.processes.child import Launch
from pytest_aiperf.processes.confirmation import Confirmation
from pytest_aiperf.processes.reaper import Reaper
from pytest_aiperf.processes.reference import Reference
from pytest_aiperf.processes.reference_revision import ReferenceRevision
from pytest_aiperf.session.judgement import Judge
from pytest_aiperf.vocabulary.pairing import REFERENCE_MODEL


def with_revision(
    config: pytest.Config, context: RunContext, judge: Judge, launch: Launch, *, reaper: Reaper
) -> Confirmation:
    """Pairs against `--aiperf-against`. Raises UsageError where there is no such revision."""
    chosen = judge.settings
    revision = git.resolve(config.rootpath, chosen.against or "")

    def tree() -> worktree.Worktree:
        modules = dict.fromkeys(config.rootpath / test.partition("::")[0] for test in judge.tests)
        return worktree.Worktree(
            revision,
            test_files=tuple(modules),
            config_file=config.inipath,
            share=chosen.share,
            register=lambda folder: reaper.watch_folder(folder, revision.toplevel),
        )

    reference = ReferenceRevision(
        revision,
        launch=replace(launch, reaper=reaper),
        make_tree=tree,
        file_bound=[name for name, metric in judge.metrics.items() if metric.file_bound],
        machine=MachineWatch(nvml=Nvml()),
    )
    return _confirmation(reference, context, judge)


def of_models(context: RunContext, judge: Judge, launch: Launch, *, reaper: Reaper) -> Confirmation:
    """Pairs of a candidate and its reference model."""
    reference = Reference(REFERENCE_MODEL, replace(launch, reaper=reaper), MachineWatch(nvml=Nvml()))
    return _confirmation(reference, context, judge)


def _confirmation(reference: Reference, context: RunContext, judge: Judge) -> Confirmation:
    return Confirmation(
        metrics=judge.metrics,
        reference=reference,
        exclusive=context.exclusive,
        budget=judge.settings.pairs_budget,
        clock=time.monotonic,
        seeds=itertools.count(random.SystemRandom().randrange(2**31)),
    )
