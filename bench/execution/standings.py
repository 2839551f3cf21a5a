"""Shows the leaderboard while it grows: the best results of each task so far, for people who watch a run."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich.table import Table
from rich.text import Text

from bench.results.records import Result

SHOWN = 6


def standings(results: Iterable[Result]) -> dict[str, list[Result]]:
    """The results with a quality of each task, the best macro F1 first, the faster of equal ones before the slower."""
    tasks: dict[str, list[Result]] = {}
    for result in results:
        of_task = tasks.setdefault(result.cell.task, [])
        if result.quality is not None:
            of_task.append(result)
    for of_task in tasks.values():
        of_task.sort(key=lambda each: (-_macro_f1(each), -(_rate(each, "offline") or 0.0)))
    return tasks


def standings_table(results: Sequence[Result]) -> Table:
    """The best results of each task so far, for a terminal."""
    table = Table(title=Text("so far", style="bold"), title_justify="left", box=None, pad_edge=False)
    for name in ("task", "classifier", "engine", "macro F1", "one by one", "all at once"):
        table.add_column(name, justify="right" if name in ("macro F1", "one by one", "all at once") else "left")
    for task, of_task in standings(results).items():
        for result in of_task[:SHOWN]:
            cells = (task, result.cell.recipe, result.cell.engine or "-", _shown(_macro_f1(result)))
            rates = (_per_s(_rate(result, "single")), _per_s(_rate(result, "offline")))
            table.add_row(*(Text(cell) for cell in (*cells, *rates)))
    return table


def standings_line(results: Iterable[Result], task: str) -> str | None:
    """ "agnews so far: full-finetune .87, tfidf .80": each classifier once, for a log; None before the first result."""
    best: dict[str, float] = {}
    for result in standings(results).get(task, []):
        best.setdefault(result.cell.recipe, _macro_f1(result))
    if not best:
        return None
    return f"{task} so far, macro F1: " + ", ".join(f"{recipe} {_shown(f1)}" for recipe, f1 in best.items())


def _macro_f1(result: Result) -> float:
    return result.quality.macro_f1.value if result.quality else 0.0


def _rate(result: Result, scenario: str) -> float | None:
    summary = result.load.get(scenario)
    return summary.rate_rps if summary else None


def _shown(score: float) -> str:
    return f"{score:.3f}".removeprefix("0")


def _per_s(rate: float | None) -> str:
    return "-" if rate is None else f"{rate:,.0f}/s"
