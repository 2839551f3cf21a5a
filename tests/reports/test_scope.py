"""Results on fewer texts, another split, stand-in data or of a small model are marked wherever figures stand."""

from __future__ import annotations

from dataclasses import replace

import pytest
from rich.console import Console
from synthetic_runs import full_run

from bench.results.records import Evidence, Result, StoredRun
from reports.content.scope import scope_notes, scope_of, scope_words
from reports.export.flat_rows import flat_rows
from reports.leaderboard import render_leaderboard

NO_EVIDENCE = Evidence(texts=lambda _: {}, latencies_ns=lambda _: None)  # type: ignore[arg-type, return-value]


def on_its_own(row: Result) -> Result:
    """The same on the whole own test split of the named data."""
    data = row.data
    whole = data.full_sizes.model_copy(update={"test": row.quality.n if row.quality else data.sizes.test})
    source = data.source.model_copy(update={"kind": "local"})
    cell = row.cell.model_copy(update={"stands_for": None})
    return row.model_copy(
        update={
            "data": data.model_copy(update={"full_sizes": whole, "source": source, "own_test": True}),
            "cell": cell,
        }
    )


def changed(row: Result, letter: str) -> Result:
    row = on_its_own(row)
    data, sizes = row.data, row.data.full_sizes
    if letter == "n":
        data = data.model_copy(update={"full_sizes": sizes.model_copy(update={"test": sizes.test + 1})})
    elif letter == "s":
        data = data.model_copy(update={"own_test": False})
    elif letter == "d":
        data = data.model_copy(update={"source": data.source.model_copy(update={"kind": "sample"})})
    else:
        return row.model_copy(update={"cell": row.cell.model_copy(update={"stands_for": "a large one"})})
    return row.model_copy(update={"data": data})


def run_of(letter: str | None) -> StoredRun:
    run = full_run()
    rows = [row for row in run.results if row.data.task == run.results[0].data.task and row.quality]
    few = [row for row in rows if row.quality and row.quality.n == rows[0].quality.n]  # type: ignore[union-attr]
    return replace(run, results=tuple(changed(row, letter) if letter else on_its_own(row) for row in few))


def printed(run: StoredRun, width: int, full: bool) -> str:
    console = Console(width=width, record=True, file=None, quiet=False, force_terminal=False)
    with console.capture() as found:
        render_leaderboard(run).print(console, full)
    return found.get()


@pytest.mark.parametrize(
    ("letter", "words"),
    [
        ("n", "fewer test texts"),
        ("s", "no test split of the data's own"),
        ("d", "built-in samples stand in"),
        ("m", "a small model stands in"),
    ],
)
def test_every_report_marks_the_answers(letter: str, words: str) -> None:
    run = run_of(letter)
    board = render_leaderboard(run)
    assert f"same ({letter})" in board.markdown
    assert f"same ({letter})" in board.page(NO_EVIDENCE)
    for row in flat_rows(run):
        assert row["answers"].endswith(f" ({letter})")
        assert row["answers_mark"] == letter
        assert words in row["answers_scope"]
    for output in (board.markdown, printed(run, 200, True), printed(run, 200, False), printed(run, 80, False)):
        assert words in " ".join(output.split())
    for output in (printed(run, 80, False), printed(run, 40, False)):
        assert "mark" in output
        assert any(line.rstrip().endswith(f" {letter}") for line in output.splitlines())


def test_nothing_is_marked_on_the_whole_own_test_split() -> None:
    run = run_of(None)
    assert {row["answers_mark"] for row in flat_rows(run)} == {None}
    assert "marks of answers" not in render_leaderboard(run).markdown
    assert scope_notes(run.results) == ()


def test_what_was_not_measured_has_no_mark() -> None:
    row = changed(full_run().results[0], "n").model_copy(update={"quality": None, "load": {}})
    assert scope_of(row) is None
    assert scope_words(row) is None
