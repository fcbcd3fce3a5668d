"""A summary for the page of a CI job (`$GITHUB_STEP_SUMMARY`) or a comment on a pull request."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence

from pytest_aiperf.comparing import candidates
from pytest_aiperf.reporting import rows
from pytest_aiperf.vocabulary import units
from pytest_aiperf.vocabulary.contracts import Reporter
from pytest_aiperf.vocabulary.records import Run, Verdict
from pytest_aiperf.vocabulary.terms import Status

MOST_ROWS = 1000
"""GitHub drops a job summary above 1 MiB as a whole; a row is about 250 bytes, and may stand in two tables."""

_HEADER = ("test", "figure", "now", "was", "change", "limit", "status")
_TEXT = str.maketrans(
    {"|": "\\|", "\\": "\\\\", "`": "\\`", "*": "\\*", "_": "\\_", "[": "\\[", "<": "&lt;", "&": "&amp;", "\n": " "}
)

Figure = tuple[str, Verdict]


class Markdown(Reporter):
    """Failures first, then what is open, then all rows behind a fold."""

    def render(self, run: Run) -> str:
        figures = run.figures
        blocks = [
            _headline(run, figures),
            *_tables(run),
            _section("Failed", figures, lambda verdict: verdict.fails),
            _section("Open", figures, lambda verdict: not verdict.fails and verdict.status.is_open),
            _section("Improved", figures, lambda verdict: verdict.status is Status.IMPROVED),
            _unused(run.unused),
            _folded(figures),
        ]
        return "\n\n".join(block for block in blocks if block) + "\n"


create = Markdown


def _headline(run: Run, figures: Sequence[Figure]) -> str:
    failing = {test for test, verdict in figures if verdict.fails}
    expected = len({result.test for result in run.results if result.outcome == "skipped"} & failing)
    failed, tests = len(failing) - expected, len(run.results)
    answer = f"{failed} of {tests} tests failed" if failed else f"{units.counted(tests, 'test')}, none failed"
    if expected:
        answer += f", {expected} as expected"
    counts = Counter(verdict.status for _, verdict in figures)
    words = ", ".join(f"{counts[status]} {status.value.replace('_', ' ')}" for status in Status if counts[status])
    spent = units.duration(sum(result.seconds for result in run.results))
    commit = f", commit {_code(run.commit)}" if run.commit else ""
    return (
        f"### aiperf: {answer}\n\n"
        f"{len(figures)} figures: {words or 'nothing was measured'}. "
        f"Machine class {_code(run.environment.key)}{commit}, {spent} measuring."
    )


def _tables(run: Run) -> Iterable[str]:
    for group in candidates.groups(run):
        yield f"#### {group.name.translate(_TEXT)}\n\n{candidates.markdown(group)}"


def _section(title: str, figures: Sequence[Figure], belongs: Callable[[Verdict], bool]) -> str:
    chosen = [(test, verdict) for test, verdict in figures if belongs(verdict)]
    return f"#### {title}\n\n{_table(chosen, with_reasons=True)}" if chosen else ""


def _folded(figures: Sequence[Figure]) -> str:
    if not figures:
        return ""
    table = _table(figures, with_reasons=False)
    return f"<details><summary>All {len(figures)} figures</summary>\n\n{table}\n\n</details>"


def _table(figures: Sequence[Figure], *, with_reasons: bool) -> str:
    lines = [_line(_HEADER), _line(["---"] * len(_HEADER))]
    lines += [_line(_cells(test, verdict, with_reasons=with_reasons)) for test, verdict in figures[:MOST_ROWS]]
    if len(figures) > MOST_ROWS:
        lines.append(f"\n{len(figures) - MOST_ROWS} more rows are left out here; the json report has all of them.")
    return "\n".join(lines)


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _cells(test: str, verdict: Verdict, *, with_reasons: bool) -> list[str]:
    row = rows.row_of(verdict)
    limit = row.limit
    if verdict.limit_source:
        limit = f"{limit}<br>{_code(verdict.limit_source)}"
    status = f"**{row.word}**" if row.word.isupper() else row.word
    reasons = [verdict.message, *verdict.remarks] if with_reasons else []
    told = "<br>".join([status, *(reason.translate(_TEXT) for reason in reasons if reason)])
    return [_code(test), row.title.translate(_TEXT), row.now, row.was, row.change, limit, told]


def _code(text: str) -> str:
    """A code span inside a table: a bar has to be escaped even there, a backtick cannot be."""
    return f"`{text.replace('|', chr(92) + '|').replace('`', chr(39))}`"


def _unused(unused: Sequence[str]) -> str:
    if not unused:
        return ""
    names = "\n".join(f"- {_code(test)}" for test in unused)
    return f"#### Baselines that no test uses any more\n\n{names}"
