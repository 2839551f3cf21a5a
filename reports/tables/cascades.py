"""Tables the cascades: a quick classifier answers, a better one what the first is unsure of."""

from __future__ import annotations

from reports.content.cascades import Cascade, cascades_of
from reports.content.results import TaskResults
from reports.content.speed import MILLION
from reports.render import figures
from reports.render.table import Column, Table, numbers
from reports.render.words import message

MOST_CASCADES = 8
_FROM = message(
    "from: the first's confidence below which a text is handed on, chosen on validation: the least share whose macro "
    "F1 is there as high as the second's alone, else the share of the highest"
)


def cascade_tables(task: TaskResults) -> list[Table]:
    """One row a pair of classifiers, the best on validation first."""
    found = sorted(cascades_of(task), key=lambda each: (each.handover.macro_f1, each.expected_rps), reverse=True)
    if not found:
        return []
    priced = task.price_per_hour is not None
    columns = (
        Column("first"),
        Column("then"),
        numbers("from"),
        numbers("handed on"),
        numbers("macro F1"),
        numbers("accuracy"),
        numbers("rate", "texts/s"),
        numbers("against then"),
        *((numbers("1M texts", "price"),) if priced else ()),
    )
    rows = tuple(
        (
            each.first.name,
            each.second.name,
            figures.threshold(each.handover.threshold),
            figures.percent(each.share),
            figures.plus_minus(each.macro_f1),
            figures.plus_minus(each.accuracy),
            figures.number(each.rate_rps),
            figures.ratio(each.rate_rps / each.second.load.rate_rps),
            *((figures.number(price_of(each, task.price_per_hour or 0.0)),) if priced else ()),
        )
        for each in found[:MOST_CASCADES]
    )
    computed = message(
        "computed, not measured: answers from the stored ones on test, the rate from both results' measured {scenario} "
        "rates, one machine doing both; best on validation first",
        scenario=message(found[0].scenario),
    )
    notes: list[str] = [_FROM, computed]
    if len(found) > MOST_CASCADES:
        notes.append(message("{hidden} more rows", hidden=len(found) - MOST_CASCADES))
    return [Table("Cascades", columns, rows, tuple(notes))]


def price_of(found: Cascade, price_per_hour: float) -> float:
    """Price of a million texts, on a machine always busy."""
    return price_per_hour * MILLION / found.rate_rps / 3600
