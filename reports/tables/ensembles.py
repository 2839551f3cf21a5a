"""Tables the ensembles: class probabilities of several classifiers, averaged from what is stored."""

from __future__ import annotations

from reports.content.ensembles import Ensemble, ensembles_of
from reports.content.results import TaskResults
from reports.content.speed import MILLION
from reports.render import figures
from reports.render.table import Column, Table, numbers
from reports.render.words import message

MOST_ENSEMBLES = 8
_GAIN = message(
    "gain: points of macro F1 over the member that is best on validation, on test, with its 95 % interval (paired); "
    "rows in the order of their macro F1 on validation"
)


def ensemble_tables(task: TaskResults) -> list[Table]:
    """One row an ensemble, the best on validation first."""
    found = ensembles_of(task)
    if not found:
        return []
    priced = task.price_per_hour is not None
    columns = (
        Column("members"),
        numbers("macro F1"),
        numbers("accuracy"),
        numbers("gain"),
        numbers("95 % interval"),
        numbers("rate", "texts/s"),
        *((numbers("1M texts", "price"),) if priced else ()),
    )
    rows = tuple(
        (
            each.name,
            figures.plus_minus(each.macro_f1),
            figures.plus_minus(each.accuracy),
            figures.points(each.gain.value),
            _interval(each),
            figures.number(each.rate_rps),
            *((figures.number((task.price_per_hour or 0.0) * MILLION / each.rate_rps / 3600),) if priced else ()),
        )
        for each in found[:MOST_ENSEMBLES]
    )
    computed = message(
        "computed, not measured: means of the stored probabilities, the rate from all members' measured {scenario} "
        "rates, one machine asking them one after the other",
        scenario=message(found[0].best.load.scenario),
    )
    notes: list[str] = [computed, _GAIN]
    if len(found) > MOST_ENSEMBLES:
        notes.append(message("{hidden} more rows", hidden=len(found) - MOST_ENSEMBLES))
    return [Table("Ensembles", columns, rows, tuple(notes))]


def _interval(each: Ensemble) -> str:
    if each.gain.items_needed is not None:
        return figures.bounds(each.gain)
    return f"{figures.points(each.gain.low)} to {figures.points(each.gain.high)}"
