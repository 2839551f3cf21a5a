"""Writes every cell as one flat row, for spreadsheets and data frames: the same columns in every row."""

from __future__ import annotations

import math
from typing import Any

from bench.results.records import StoredRun
from reports.columns.column import Told, told_of
from reports.columns.leaderboard import export_values
from reports.content.pareto import pareto_cells
from reports.content.provenance import machine_of
from reports.content.results import tasks_of
from reports.content.speed import SCENARIOS
from reports.content.standing import standing_of


def flat_rows(run: StoredRun) -> list[dict[str, Any]]:
    """A row a cell, skipped and failed ones too; what was not measured, or may not be believed, is None."""
    rows: list[dict[str, Any]] = []
    measured = {name for result in run.results for name in result.load}
    scenarios = [scenario for scenario in SCENARIOS if scenario in measured]
    for task in tasks_of(run):
        for told in told_of(task, standing_of(task), pareto_cells(task)):
            row = _identity(run, told) | export_values(told, scenarios) | _origin(told)
            rows.append({name: _plain(value) for name, value in row.items()})
    return rows


def _identity(run: StoredRun, told: Told) -> dict[str, Any]:
    """Which cell it is, and where it was measured."""
    return told.result.cell.model_dump() | {"machine": machine_of(run, told.result)}


def _origin(told: Told) -> dict[str, Any]:
    """What it was made of, and when."""
    result = told.result
    return {
        "data_fingerprint": result.data.fingerprint,
        "data_source": result.data.source.kind,
        "test_texts": result.data.sizes.test,
        "classifier_sha256": result.classifier_sha256,
        "finished_at": result.finished_at,
    }


def _plain(value: Any) -> Any:
    """English text as text; what is no number is left out."""
    if isinstance(value, str):
        return str(value)
    return None if isinstance(value, float) and not math.isfinite(value) else value
