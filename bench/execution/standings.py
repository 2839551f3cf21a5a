"""Shows the leaderboard while it grows: the best rows of each task so far, for people who watch a run."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich.table import Table
from rich.text import Text

from bench.results.records import Result

SHOWN = 6


def standings(results: Iterable[Result]) -> dict[str, list[Result]]:
    """The rows with a quality of each task, the best macro F1 first, the faster of equal ones before the slower."""
    tasks: dict[str, list[Result]] = {}
    for result in results:
        rows = tasks.setdefault(result.cell.task, [])
        if result.quality is not None:
            rows.append(result)
    for rows in tasks.values():
        rows.sort(key=lambda row: (-_macro_f1(row), -(_rate(row, "offline") or 0.0)))
    return tasks


def standings_table(results: Sequence[Result]) -> Table:
    """The best rows of each task so far, for a terminal."""
    table = Table(title=Text("so far", style="bold"), title_justify="left", box=None, pad_edge=False)
    for name in ("task", "classifier", "engine", "macro F1", "one by one", "all at once"):
        table.add_column(name, justify="right" if name in ("macro F1", "one by one", "all at once") else "left")
    for task, rows in standings(results).items():
        for row in rows[:SHOWN]:
            cells = (task, row.cell.recipe, row.cell.engine or "-", _shown(_macro_f1(row)))
            rates = (_per_s(_rate(row, "single")), _per_s(_rate(row, "offline")))
            table.add_row(*(Text(cell) for cell in (*cells, *rates)))
    return table


def standings_line(results: Iterable[Result], task: str) -> str | None:
    """ "agnews so far: full-finetune .87, tfidf .80": each classifier once, for a log; None before the first row."""
    best: dict[str, float] = {}
    for row in standings(results).get(task, []):
        best.setdefault(row.cell.recipe, _macro_f1(row))
    if not best:
        return None
    return f"{task} so far, macro F1: " + ", ".join(f"{recipe} {_shown(f1)}" for recipe, f1 in best.items())


def _macro_f1(row: Result) -> float:
    return row.quality.macro_f1.value if row.quality else 0.0


def _rate(row: Result, scenario: str) -> float | None:
    summary = row.load.get(scenario)
    return summary.rate_rps if summary else None


def _shown(score: float) -> str:
    return f"{score:.3f}".removeprefix("0")


def _per_s(rate: float | None) -> str:
    return "-" if rate is None else f"{rate:,.0f}/s"
