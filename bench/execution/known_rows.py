"""Remembers in the store which rows each classifier of a run has, so that a last run fetches results and no weights."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import groupby
from pathlib import Path

from bench.execution.cells import Entry
from bench.execution.context import Context
from bench.execution.run_folder import point_to
from bench.execution.schedule import Step
from bench.execution.sharing import Sharing, is_settled
from bench.files.cache import cache_dir
from bench.plan.keys import content_hash
from bench.plan.work import Item
from bench.results.names import classifier_name
from bench.results.records import Result
from bench.results.store import read_result, result_path, write_record
from bench.types import Record

ROWS = "rows"


class KnownRow(Record):
    """One row of a classifier; `result` is that of a row which never came to an engine, where others are measured.

    listed: whether it stands on the leaderboard; a reference that nobody asked for only answers.
    """

    cell_id: str
    engine: str | None
    reference: bool
    listed: bool
    result: Result | None = None


class KnownRows(Record):
    """The rows of a classifier, and its folder's name in every cache; None where it could not be made."""

    classifier: str | None
    rows: tuple[KnownRow, ...]


def with_keys(steps: Iterable[Step], items: Iterable[Item]) -> list[Step]:
    """The steps with what their rows are kept under: a hash of their trainings and cells."""
    grouped = groupby(items, key=lambda item: (item.task, item.recipe, item.seed))
    keys = {classifier: content_hash([item.key for item in of_one])[:32] for classifier, of_one in grouped}
    return [replace(step, key=keys.get((step.task.data.name, step.recipe.id, step.seed))) for step in steps]


def remember_rows(context: Context, step: Step, classifier: str | None, rows: Sequence[Entry | Result]) -> None:
    """Tell all workers which rows a classifier has, once it is trained or failed to be."""
    if context.sharing is None or step.key is None or any(isinstance(row, Result) and row.over_budget for row in rows):
        return
    known = tuple(
        KnownRow(cell_id=row.cell.id, engine=row.cell.engine, reference=False, listed=True, result=row)
        if isinstance(row, Result)
        else KnownRow(
            cell_id=row.cell.id, engine=row.cell.engine, reference=row.engine.reference, listed=row.listed, result=None
        )
        for row in rows
    )
    content = KnownRows(classifier=classifier, rows=known).model_dump_json()
    context.sharing.store.put(f"{ROWS}/{step.key}.json", content.encode(), durable=False)


def known_results(sharing: Sharing, out: Path, step: Step, retry: bool = False) -> tuple[list[Result], bool]:
    """The results of a classifier's listed rows as other workers published them, and whether none is missing.

    A shard's are those of the engines that it measures. With `retry` only good results count.
    """
    known = _known(sharing, step)
    if known is None:
        return [], False
    wanted = [row for row in known.rows if _is_of(step, row)]
    found = [_result_of(sharing, out, row, retry) for row in wanted]
    results = [result for row, result in zip(wanted, found, strict=True) if row.listed and isinstance(result, Result)]
    return results, None not in found


def point_to_cached(sharing: Sharing, step: Step, out: Path) -> None:
    """A classifier whose results are known already is pointed to where this machine has it; fetched where asked for."""
    known = _known(sharing, step)
    if known is None or known.classifier is None:
        return
    folder = cache_dir() / "classifiers" / known.classifier
    if folder.is_dir() or (sharing.with_classifiers and sharing.fetch_classifier(folder)):
        point_to(out / "classifiers" / classifier_name(step.task.data.name, step.recipe.id, step.seed), folder)


def _known(sharing: Sharing, step: Step) -> KnownRows | None:
    content = sharing.store.get(f"{ROWS}/{step.key}.json") if step.key else None
    return None if content is None else KnownRows.model_validate_json(content)


def _is_of(step: Step, row: KnownRow) -> bool:
    return step.engines is None or row.reference or row.engine in step.engines


def _result_of(sharing: Sharing, out: Path, row: KnownRow, retry: bool) -> Result | bool | None:
    """The result; True for the fetched answers of a reference that nobody asked for; None where there is none yet."""
    if row.result is not None:
        if retry and not is_settled(row.result):
            return None
        write_record(result_path(out, row.cell_id), row.result)
        return row.result
    if not sharing.fetch_cell(out, row.cell_id, settled=retry):
        return None
    return read_result(out, row.cell_id) if row.listed else True
