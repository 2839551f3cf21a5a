"""Every cell as one flat row, for spreadsheets and data frames: the same columns in every row, units in their names."""

from __future__ import annotations

import math
from typing import Any

from bench.results.records import Interval, Result, StoredRun
from reports.content.pareto import pareto_rows
from reports.content.provenance import machine_of
from reports.content.rows import Group, TaskRows, tasks_of
from reports.content.speed import against_reference, price_per_million, usable, verdict
from reports.content.standing import Standing, standing_of

SCENARIO_FIGURES = ("rate_rps", "rate_low_rps", "rate_high_rps", "p50_ms", "p90_ms", "p95_ms", "p99_ms", "p999_ms")
QUALITY_INTERVALS = ("macro_f1", "accuracy", "macro_precision", "macro_recall")
QUALITY_FIGURES = (
    "n", "valid_share", "cut_off_share", "empty_share", "refused_share", "ece", "brier", "truncated_share",
    "tokens_mean",
)  # fmt: skip
FIT_FIGURES = (
    "fit_s", "evaluate_s", "tokenise_s", "steps", "chosen_step", "epochs", "examples", "trainable_parameters",
    "total_parameters", "saved_bytes", "peak_bytes",
)  # fmt: skip
SESSION_FIGURES = ("load_s", "convert_s", "device", "threads", "artifact_bytes", "peak_rss_bytes", "peak_device_bytes")


def flat_rows(run: StoredRun) -> list[dict[str, Any]]:
    """A row a cell, skipped and failed ones too; what was not measured, or may not be believed, is None."""
    rows: list[dict[str, Any]] = []
    scenarios = sorted({name for result in run.results for name in result.load})
    for task in tasks_of(run):
        standing, pareto = standing_of(task), pareto_rows(task)
        rows += [
            _row(run, task, standing, group, row, scenarios) | {"pareto": row.cell.id in pareto}
            for group, row in task.cells()
        ]
    return [{name: _finite(value) for name, value in row.items()} for row in rows]


def _row(
    run: StoredRun, task: TaskRows, standing: Standing, group: Group, row: Result, scenarios: list[str]
) -> dict[str, Any]:
    cell, quality, parity = row.cell, row.quality, row.parity
    flat: dict[str, Any] = cell.model_dump()
    flat |= {
        "machine": machine_of(run, row),
        "classifier": group.name,
        "status": row.status.value,
        "reason": row.reason,
        "rank": standing.ranks.get(cell.id),
        "rank_range": standing.rank_range(cell.id),
        "group": standing.letters.get(cell.id),
        "data_fingerprint": row.data.fingerprint,
        "data_source": row.data.source.kind,
        "test_texts": row.data.sizes.test,
    }
    for name in QUALITY_INTERVALS:
        flat |= _interval(name, getattr(quality, name) if quality else None)
    flat |= {name: getattr(quality, name) if quality else None for name in QUALITY_FIGURES}
    flat |= {"parity_passed": parity and parity.passed, "parity_equal_labels": parity and parity.equal_labels}
    free = row.free_writing
    flat |= {"as_free_passed": free and free.passed, "as_free_equal_labels": free and free.equal_labels}
    for scenario in scenarios:
        flat |= _load(task, group, row, scenario)
    flat |= {name: getattr(row.session, name) if row.session else None for name in SESSION_FIGURES}
    flat |= {f"training_{name}": getattr(row.fit, name) if row.fit else None for name in FIT_FIGURES}
    return flat | {"classifier_sha256": row.classifier_sha256, "finished_at": row.finished_at}


def _interval(name: str, figure: Interval | None) -> dict[str, float | None]:
    if figure is None:
        return dict.fromkeys((name, f"{name}_low", f"{name}_high"))
    if figure.items_needed is not None:
        return {name: figure.value, f"{name}_low": None, f"{name}_high": None}
    return {name: figure.value, f"{name}_low": figure.low, f"{name}_high": figure.high}


def _load(task: TaskRows, group: Group, row: Result, name: str) -> dict[str, Any]:
    """Figures that may not be believed are left out; the verdict says why."""
    summary = row.load.get(name)
    good = usable(row, summary.scenario) if summary else None
    flat = {f"{name}_{figure}": getattr(good, figure) if good else None for figure in SCENARIO_FIGURES}
    flat |= {
        f"{name}_verdict": verdict(row, summary.scenario) if summary else None,
        f"{name}_tier": summary.tier if summary else None,
        f"{name}_runs": len(summary.runs) if summary else None,
        f"{name}_against_reference": against_reference(group, row, summary.scenario) if summary else None,
        f"{name}_price_per_million": price_per_million(row, summary.scenario, task.price_per_hour) if summary else None,
    }
    return flat


def _finite(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value
