"""Makes the leaderboard proper: one row a classifier and engine, with all that decides which one to deploy."""

from __future__ import annotations

from reports.columns.leaderboard import result_table
from reports.content.pareto import pareto_cells
from reports.content.results import TaskResults
from reports.content.speed import crowd_notes
from reports.content.standing import Standing
from reports.render.table import Table
from reports.render.words import message
from reports.tables.quality import RANK_NOTE, ordered_answers, quality_notes

_NOTES = (
    message(
        "Pareto: no result of this machine that keeps its answers has both a better macro F1 and a higher rate "
        "(offline where measured, else RPS)"
    ),
    message(
        "at 99 %: share of the test texts that it answers alone at 99 % accuracy (in brackets: what came out, where it "
        "is lower); a person answers the rest; see How much can be automated"
    ),
    message("RPS, latency: one request at a time; memory: peak of the serving process; size: what the engine loads"),
    message(
        "details, intervals and the tests behind the ranks: the tables below; results without figures: at their end"
    ),
)


def overview_tables(task: TaskResults, standing: Standing) -> list[Table]:
    """One row a cell that answered the test texts, best first."""
    told = ordered_answers(task, standing, pareto_cells(task))
    notes: tuple[str, ...] = (RANK_NOTE, *quality_notes(task), *_NOTES)
    notes = (*notes, *crowd_notes(result for _, result in task.cells()))
    if task.price_per_hour is not None:
        price = message("1M texts: at {price:g} an hour, all at once, a machine always busy", price=task.price_per_hour)
        notes = (*notes, price)
    return [result_table("Leaderboard", "overview", told, notes)] if told else []
