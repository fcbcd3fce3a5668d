"""The pairs of this run: with a reference revision, and of a comparison's two models."""

from __future__ import annotations

import pytest

from pytest_aiperf.measuring.trial import RunContext
from pytest_aiperf.processes import git
from pytest_aiperf.processes.child import Launch
from pytest_aiperf.processes.confirmation import Confirmation
from pytest_aiperf.processes.reference import Reference
from pytest_aiperf.processes.reference_revision import ReferenceRevision
from pytest_aiperf.processes.worktree import Worktree
from pytest_aiperf.session.judgement import Judge
from pytest_aiperf.vocabulary.errors import UsageError
from pytest_aiperf.vocabulary.pairing import REFERENCE_MODEL, Arm


def with_revision(config: pytest.Config, context: RunContext, judge: Judge, launch: Launch) -> Confirmation:
    """Pairs against `--aiperf-against`. Raises UsageError where there is no such revision."""
    against = judge.settings.against or ""
    revision = git.resolve(config.rootpath, against)
    if git.is_the_working_tree(revision):
        raise UsageError(
            f"--aiperf-against={against}: both sides would be the same code: {revision.sha[: git.SHORT]} is checked "
            "out, and nothing has changed since; name an older commit, such as HEAD~1"
        )

    def tree() -> Worktree:
        modules = dict.fromkeys(config.rootpath / test.partition("::")[0] for test in judge.tests)
        return Worktree(
            revision,
            test_files=tuple(modules),
            config_file=config.inipath,
            share=judge.settings.share,
            register=lambda folder: launch.reaper.watch_folder(folder, revision.toplevel),
        )

    reference = ReferenceRevision(
        against=revision.name,
        launches=dict.fromkeys(Arm, launch),
        make_tree=tree,
        file_bound=[name for name, metric in judge.metrics.items() if metric.file_bound],
    )
    return _confirmation(reference, context, judge)


def of_models(context: RunContext, judge: Judge, launch: Launch) -> Confirmation:
    """Pairs of a candidate and its reference model."""
    return _confirmation(Reference(against=REFERENCE_MODEL, launches=dict.fromkeys(Arm, launch)), context, judge)


def _confirmation(reference: Reference, context: RunContext, judge: Judge) -> Confirmation:
    budget = judge.settings.pairs_budget
    return Confirmation(reference=reference, metrics=judge.metrics, exclusive=context.exclusive, budget=budget)
