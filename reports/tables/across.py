"""Tables the methods of a run over all its suites: mean rank, win rate, and the score on each suite."""

from __future__ import annotations

from collections.abc import Sequence

from bench.quality.across import FEWEST_SUITES_FOR_TEST, Across, AcrossMethod
from reports.render import figures
from reports.render.figures import MISSING
from reports.render.table import Column, Row, Table, numbers
from reports.render.words import joined, message

MOST_SUITE_COLUMNS = 8


def across_table(across: Across, left_out: Sequence[str]) -> Table:
    """A line a method, the best mean rank first."""
    suites = across.suites[:MOST_SUITE_COLUMNS]
    columns = (
        Column("method"),
        numbers("mean rank"),
        numbers("interval", "95 %"),
        numbers("wins"),
        *(numbers(suite, "macro F1", 90 + 14 * at) for at, suite in enumerate(suites, 1)),
    )
    rows = tuple(_row(method, len(suites)) for method in across.rows)
    return Table("Methods across suites", columns, rows, (*_notes(across), *_left_out(left_out)))


def _row(method: AcrossMethod, suites: int) -> Row:
    interval = MISSING if method.low is None else f"{method.low:.2f} - {method.high:.2f}"
    scores = (f"{score:.3f}" for score in method.scores[:suites])
    return (method.name, f"{method.mean_rank:.2f}", interval, f"{method.win_rate:.0%}", *scores)


def _notes(across: Across) -> tuple[str, ...]:
    texts = message(
        "rank 1 is the best macro F1 of a suite, on the texts that all these methods answered, seeds averaged; wins: "
        "share of the comparisons with another method on a suite; suites that share texts count each"
    )
    if across.critical_difference is None:
        few = message(
            "{count} suites tell no two methods apart: a test of mean ranks takes {needed}",
            count=len(across.suites),
            needed=FEWEST_SUITES_FOR_TEST,
        )
        return texts, few
    test = message(
        "methods whose mean ranks differ by less than {difference:.2f} are not told apart (Nemenyi's test at 5 %, "
        "Demsar 2006)",
        difference=across.critical_difference,
    )
    if across.friedman_p is None:
        return texts, test
    return (
        texts,
        test,
        message(
            "that all of them are equal: p {p} (Friedman, Iman and Davenport)", p=figures.p_relation(across.friedman_p)
        ),
    )


def _left_out(names: Sequence[str]) -> tuple[str, ...]:
    if not names:
        return ()
    return (message("not measured on every suite, so left out: {names}", names=joined(", ", names)),)
