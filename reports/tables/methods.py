"""What each method costs to train and to keep, beside what it is worth: the write-ups' table of methods."""

from __future__ import annotations

from bench.results.records import Result
from bench.types import Scenario
from reports.content.published import Published, published_cell, published_column
from reports.content.rows import Group, TaskRows
from reports.content.speed import usable
from reports.render import figures
from reports.render.figures import MISSING
from reports.render.table import Column, Row, Table, numbers
from reports.render.words import message

_COLUMNS = (
    Column("classifier"),
    Column("base model", from_width=110),
    numbers("trainable"),
    numbers("to keep"),
    numbers("training"),
    numbers("training rate", "texts/s", 100),
    numbers("offline", "texts/s"),
    numbers("single", "req/s", 90),
    Column("engine", from_width=100),
    numbers("macro F1"),
)

_PUBLISHED = {"trainable_parameters": "published trainable", "saved_file_size": "published to keep"}
_NOTES = (
    message(
        "trainable: share of the weights that training moves; to keep: size of what training made, beside the base "
        "model where that stays as it was"
    ),
    message(
        "training rate: texts read in training a second, evaluation left out; rates of the fastest engine that keeps "
        "the answers"
    ),
)


def method_tables(task: TaskRows) -> list[Table]:
    """One row a trained classifier; a single one needs no comparison."""
    groups = [group for group in task.groups if group.fit and group.shown]
    if len(groups) < 2:
        return []
    published = Published(task)
    found = [[published.find(group, (metric,)) for metric in _PUBLISHED] for group in groups]
    shown = [figure for figures_of in found for figure in figures_of if figure]
    columns = (*_COLUMNS, *map(published_column, _PUBLISHED.values() if shown else ()))
    rows = tuple(
        (*_row(group), *(map(published_cell, figures_of) if shown else ()))
        for group, figures_of in zip(groups, found, strict=True)
    )
    return [Table("Methods", columns, rows, (*_NOTES, *published.notes(shown)))]


def _row(group: Group) -> Row:
    fit, fastest = group.fit, _fastest(group)
    assert fit is not None  # noqa: S101 - the groups are chosen by it
    total, trainable = fit.total_parameters, fit.trainable_parameters
    share = None if not total or trainable is None else min(1.0, trainable / total)
    quality = group.shown.quality if group.shown else None
    offline = usable(fastest, "offline") if fastest else None
    single = usable(fastest, "single") if fastest else None
    return (
        group.name,
        group.short_base or MISSING,
        figures.percent(share),
        figures.size(fit.saved_bytes),
        figures.duration(fit.fit_s),
        figures.number(training_rate(group)),
        figures.number(offline.rate_rps if offline else None),
        figures.number(single.rate_rps if single else None),
        (fastest.cell.engine if fastest else None) or MISSING,
        figures.plus_minus(quality.macro_f1) if quality else MISSING,
    )


def training_rate(group: Group) -> float | None:
    """Texts a second over all steps, as the training time is; None where nothing was trained in steps."""
    fit = group.fit
    if fit is None or not fit.fit_s or not fit.examples or not fit.steps or not fit.epochs:
        return None
    return fit.examples * fit.epochs / fit.fit_s


def _fastest(group: Group) -> Result | None:
    """The row with the highest rate among those that keep the answers; offline where it was measured."""
    scenarios: tuple[Scenario, ...] = ("offline", "single")
    for scenario in scenarios:
        rated = [
            (summary.rate_rps, row) for row in group.rows if row.keeps_answers and (summary := usable(row, scenario))
        ]
        if rated:
            return max(rated, key=lambda entry: entry[0])[1]
    return None
