"""Writes the leaderboard as numbers, for machines: what the tables round or leave out stands here whole."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from bench.quality.selective import TARGETS, Automation
from bench.results.records import Result
from bench.results.speed_records import LoadSummary
from reports.content.automation import area_of, automation_of, calibration_of
from reports.content.results import Group, TaskResults
from reports.content.speed import against_reference, median_run, price_per_million, usable, verdict
from reports.content.standing import Standing


def task_record(task: TaskResults, standing: Standing) -> dict[str, Any]:
    """One task: its data, its results, and what the paired tests say of them."""
    return {
        "task": task.data.task,
        "comparable": task.data.source.kind != "sample",
        "data": task.data.model_dump(mode="json"),
        "rows": [_row(task, standing, group, result) for group, result in task.cells()],
        "comparisons": [comparison.model_dump(mode="json") for comparison in standing.comparisons],
        "methods": [comparison.model_dump(mode="json") for comparison in standing.methods],
        "smallest_detectable_difference": standing.smallest_difference,
    }


def _row(task: TaskResults, standing: Standing, group: Group, result: Result) -> dict[str, Any]:
    record = result.model_dump(mode="json", exclude={"data", "load", "parity"})
    record["classifier"] = group.name
    record["rank"] = standing.ranks.get(result.cell.id)
    record["rank_range"] = standing.rank_range(result.cell.id)
    record["group"] = standing.letters.get(result.cell.id)
    record["load"] = {summary.scenario: _load(task, group, result, summary) for summary in result.load.values()}
    record["parity"] = None
    if result.parity is not None:
        record["parity"] = {
            **result.parity.model_dump(mode="json", exclude={"flips"}),
            "flipped": len(result.parity.flips),
        }
    record |= _automation(task, group, result)
    return record


def _automation(task: TaskResults, group: Group, result: Result) -> dict[str, Any]:
    """What may be automated at each target; of the result that stands for its classifier also area and temperature.

    None where that is not known.
    """
    found = [(target, automation_of(task, result, target)) for target in TARGETS]
    shown = result is group.shown
    area, scaled = (area_of(task, result), calibration_of(task, result)) if shown else (None, None)
    return {
        "automation": {f"{target:g}": each and automation_record(each) for target, each in found},
        "area_under_risk_coverage": area and area.model_dump(),
        "temperature_scaling": scaled and asdict(scaled),
    }


def automation_record(found: Automation) -> dict[str, Any]:
    """What a threshold gives, as numbers."""
    return {
        "threshold": found.threshold,
        "chosen_on": found.chosen_on,
        "on_validation": found.on_validation,
        "n": found.n,
        "coverage": found.coverage.model_dump(),
        "accuracy": found.accuracy and found.accuracy.model_dump(),
        "fate": found.fate,
    }


def _load(task: TaskResults, group: Group, result: Result, summary: LoadSummary) -> dict[str, Any]:
    scenario = summary.scenario
    run = median_run(summary)
    return {
        **summary.model_dump(mode="json", exclude={"runs", "scenario"}),
        "usable": usable(result, scenario) is not None,
        "mark": verdict(result, scenario),
        "beside_others": summary.beside_others,
        "runs": len(summary.runs),
        "against_reference": against_reference(group, result, scenario),
        "price_per_million": price_per_million(result, scenario, task.price_per_hour),
        "median_run": run.model_dump(mode="json") if run else None,
    }


def json_able(content: Any) -> Any:
    """The same without NaN and infinities, which JSON does not have."""
    if isinstance(content, Mapping):
        return {str(key): json_able(value) for key, value in content.items()}
    if isinstance(content, (list, tuple)):
        return [json_able(value) for value in content]
    if isinstance(content, float) and not math.isfinite(content):
        return None
    return content
