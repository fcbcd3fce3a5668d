"""What a measurement leaves in the baseline of its label, and what becomes of the old numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import fmean, median

from pytest_aiperf.baselines.file_format import Entry, StoredValue
from pytest_aiperf.baselines.summaries import Storable, sort_out
from pytest_aiperf.vocabulary.baseline import Allocations, Session
from pytest_aiperf.vocabulary.example_values import rounded, unpack
from pytest_aiperf.vocabulary.records import Change, Measurement
from pytest_aiperf.vocabulary.terms import MOST_SESSIONS, Better, Metric, Rule, Unit

KEPT_ACCURACY = "kept: worse accuracy is stored only with --aiperf-accept-worse"

_WORSE = 1e-9
_SILENT = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What holds for a whole update."""

    machine: str
    """Key of the machine class."""
    metrics: Mapping[str, Metric]
    new_only: bool = False
    accept_worse: bool = False


def record(measurement: Measurement, entry: Entry | None, terms: Terms) -> tuple[Entry | None, tuple[Change, ...]]:
    """Return the entry of the measurement's label as it is afterwards, and what changed.

    An entry of another test source loses its sessions of all machine classes. One of another model file keeps them:
    the model is what is under test, and the verdicts find a new level by themselves.
    """
    old = entry or Entry()
    metrics = measurement.metrics(terms.metrics)
    recording = _Recording(measurement=measurement, old=old, terms=replace(terms, metrics=metrics))
    storable, refused = sort_out(measurement, metrics)
    why_not = {one.metric.name: recording.why_not(one) for one in storable}
    kept = {**refused, **{name: note for name, note in why_not.items() if note}}
    changes = tuple(recording.change(name, recording.stored(name), note) for name, note in kept.items())
    wanted = [one for one in storable if why_not[one.metric.name] is None]
    if not wanted:
        return entry, changes
    new = recording.written(wanted)
    return new, (*changes, *recording.renewed(wanted), *recording.lost(wanted, new))


def dropped(test: str, label: str, entry: Entry, terms: Terms) -> tuple[Entry | None, tuple[Change, ...]]:
    """Return what remains of an entry that no test uses on this machine class, and what is lost.

    While another class has sessions, those stay, and the portable values with them: the test may exist there only.
    """
    others = {key: run for key, run in entry.sessions.items() if run and key != terms.machine}
    here = {name for session in entry.sessions.get(terms.machine, ()) for name in session.values}
    names = sorted(here if others else _names(entry))
    changes = tuple(_change(test, label, name, entry, terms, new=None, note="dropped") for name in names)
    return replace(entry, sessions=others) if others else None, changes


def stored_value(entry: Entry, name: str, machine: str) -> float | None:
    """Return the portable value, or the median of the undisturbed sessions of a machine class."""
    if name in entry.portable:
        return entry.portable[name].value
    values = [
        session.values[name]
        for session in entry.sessions.get(machine, ())
        if name in session.values and not session.disturbed
    ]
    return median(values) if values else None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Recording:
    measurement: Measurement
    old: Entry
    terms: Terms

    @property
    def other_workload(self) -> str:
        """Why the old entry belongs to another workload; empty where it does not."""
        sources = self.old.source, self.measurement.source
        return "the test's source changed" if all(sources) and sources[0] != sources[1] else ""

    def why_not(self, one: Storable) -> str | None:
        """Return why a number is not written (`_SILENT`: nobody needs to know), or None: write it."""
        name = one.metric.name
        if self.terms.new_only and self.other_workload:
            return f"kept: {self.other_workload}; renew it with --aiperf-update"
        if self.terms.new_only and self.stored(name) is not None:
            return _SILENT
        stored = self.old.portable.get(name)
        if stored is None or not one.metric.portable:
            return None
        if one.metric.rule is Rule.QUALITY and not self.terms.accept_worse and _is_worse(one, stored):
            return KEPT_ACCURACY
        unmoved = (one.value, one.examples) == (stored.value, stored.examples)
        return _SILENT if unmoved and not self.other_workload and self._files() == self.old.files else None

    def written(self, wanted: Sequence[Storable]) -> Entry:
        """Return the entry with the wanted numbers in it."""
        measurement, machine, ground = self.measurement, self.terms.machine, self._ground()
        portable = {
            one.metric.name: StoredValue(
                value=one.value, at=measurement.taken_at, commit=measurement.commit, examples=one.examples
            )
            for one in wanted
            if one.metric.portable
        }
        values = {one.metric.name: one.value for one in wanted if not one.metric.portable}
        session = Session(
            at=measurement.taken_at,
            commit=measurement.commit,
            covariate=None if measurement.covariate is None else rounded(measurement.covariate),
            disturbed=bool(measurement.disturbances),
            values=values,
        )
        sessions = _appended(ground.sessions.get(machine, ()), session)
        return Entry(
            source=measurement.source or ground.source,
            files=self._files(),
            portable={**ground.portable, **portable},
            sessions={**ground.sessions, machine: sessions} if values else ground.sessions,
            allocations=measurement.allocations or ground.allocations,
        )

    def stored(self, name: str) -> float | None:
        return stored_value(self.old, name, self.terms.machine)

    def change(self, name: str, new: float | None, note: str) -> Change:
        return _change(self.measurement.test, self.measurement.label, name, self.old, self.terms, new=new, note=note)

    def renewed(self, wanted: Sequence[Storable]) -> list[Change]:
        replaced = f"replaced: {self.other_workload}" if self.other_workload else self._model_change()
        disturbances = ", ".join(self.measurement.disturbances)
        changes = []
        for one in wanted:
            timed = disturbances and one.metric.rule.is_timed
            disturbed = f"disturbed, no baseline: {disturbances}" if timed else ""
            note = "; ".join(filter(None, (replaced, disturbed, one.note)))
            changes.append(self.change(one.metric.name, one.value, note))
        return changes

    def lost(self, wanted: Sequence[Storable], new: Entry) -> list[Change]:
        """Return what went with the old workload and was not measured again."""
        names = _names(self.old) - _names(new) - {one.metric.name for one in wanted}
        return [self.change(name, None, f"dropped: {self.other_workload}") for name in sorted(names)]

    def _model_change(self) -> str:
        return "the model file changed" if self.old.files and self._files() != self.old.files else ""

    def _files(self) -> dict[str, str]:
        """Return the hashes to keep; where only missing values are written, the others stay those of the old files."""
        stored = {} if self.other_workload else dict(self.old.files)
        return stored if self.terms.new_only and stored else dict(self.measurement.files) or stored

    def _ground(self) -> Entry:
        """Return what outlives a change of workload: the accuracy that a new one is held against."""
        if not self.other_workload:
            return self.old
        quality = {name: stored for name, stored in self.old.portable.items() if self._is_quality(name)}
        return replace(self.old, portable=quality, sessions={}, allocations=Allocations())

    def _is_quality(self, name: str) -> bool:
        """Tell a quality metric; a name that stands on no shelf was given to one by its test."""
        return name not in self.terms.metrics or self.terms.metrics[name].rule is Rule.QUALITY


def _is_worse(one: Storable, stored: StoredValue) -> bool:
    """Compare the exact means where both have examples: the stored ones are rounded."""
    new, old = one.value, stored.value
    if one.examples and stored.examples:
        new, old = fmean(unpack(one.examples)), fmean(unpack(stored.examples))
    return (old - new if one.metric.better is Better.HIGHER else new - old) > _WORSE


def _appended(earlier: Sequence[Session], session: Session) -> tuple[Session, ...]:
    """Oldest first; the same session twice counts once; where there are too many, disturbed ones leave first."""
    sessions = sorted(earlier if session in earlier else (*earlier, session), key=lambda one: one.at)
    while len(sessions) > MOST_SESSIONS:
        sessions.remove(next((one for one in sessions if one.disturbed), sessions[0]))
    return tuple(sessions)


def _names(entry: Entry) -> set[str]:
    """Every metric that has a number in an entry, on whatever machine class."""
    return {*entry.portable, *(name for run in entry.sessions.values() for one in run for name in one.values)}


def _change(test: str, label: str, name: str, old: Entry, terms: Terms, *, new: float | None, note: str) -> Change:
    return Change(
        test=test,
        label=label,
        metric=name,
        unit=terms.metrics[name].unit if name in terms.metrics else Unit.NUMBER,
        old=stored_value(old, name, terms.machine),
        new=new,
        note=note,
    )
