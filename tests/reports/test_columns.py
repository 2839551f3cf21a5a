"""A column of results is defined once: what a table shows of a result is in the exports, too."""

from __future__ import annotations

from pathlib import Path

import pytest
import synthetic_runs as synthetic
from synthetic_published import published_runs
from synthetic_server import server_run

from bench.results.records import StoredRun
from reports.columns.leaderboard import COLUMNS, LAYOUTS, page_layout
from reports.content.results import tasks_of
from reports.content.speed import SCENARIOS
from reports.content.standing import standing_of
from reports.export.flat_rows import flat_rows
from reports.export.tracking import SETTINGS, log_to_mlflow
from reports.render.table import Table
from reports.tables.costs import cost_tables
from reports.tables.failures import failure_tables
from reports.tables.methods import method_tables
from reports.tables.overview import overview_tables
from reports.tables.parity import parity_tables
from reports.tables.quality import detail_tables, quality_tables
from reports.tables.server import server_tables
from reports.tables.speed import rps_tables, stage_tables
from reports.tables.thinking import thinking_tables
from reports.tables.times import time_tables

RUNS = {**synthetic.golden_runs(), **published_runs()}
NO_FIGURES = {"scenario", "seed", "system", "thinks"}  # which line of the table it is
COMPARED = {("time", "vs direct")}  # of two results


def tables_of_results(run: StoredRun) -> list[Table]:
    """Every table whose lines are results."""
    tables: list[Table] = []
    for task in tasks_of(run):
        standing = standing_of(task)
        for make in (overview_tables, quality_tables):
            tables += make(task, standing)
        for of_task in (
            rps_tables,
            stage_tables,
            server_tables,
            cost_tables,
            method_tables,
            parity_tables,
            time_tables,
            detail_tables,
            thinking_tables,
            failure_tables,
        ):
            tables += of_task(task)
    return tables


def test_every_place_is_of_a_column_with_a_heading_and_no_two_columns_share_a_name() -> None:
    for name, layout in {**LAYOUTS, "page": page_layout(SCENARIOS)}.items():
        for place in layout:
            assert place.heading or COLUMNS[place.key].heading, f"{name}: {place.key}"
    names = [name for column in COLUMNS.values() for name in column.names]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("name", sorted(RUNS))
def test_a_table_of_results_shows_nothing_that_is_no_column(name: str) -> None:
    headings = [column.heading for column in COLUMNS.values()]
    headings += [place.heading for layout in LAYOUTS.values() for place in layout]
    known = {(heading.name, heading.unit) for heading in headings if heading} | COMPARED
    for table in tables_of_results(RUNS[name]):
        shown = {
            (column.name, column.unit)
            for column in table.columns
            if column.name not in NO_FIGURES and not column.name.startswith("published")
        }
        assert shown <= known, table.title


def test_every_column_of_a_table_is_in_the_export() -> None:
    for row in flat_rows(server_run()):
        for layout in (*LAYOUTS.values(), page_layout(SCENARIOS)):
            for place in layout:
                assert set(COLUMNS[place.key].names) <= set(row), place.key


def test_figures_that_were_missing_come_out_as_they_were_measured() -> None:
    run = synthetic.full_run()
    rows = {row["id"]: row for row in flat_rows(run)}
    result = next(result for result in run.results if result.cell.id == "agnews.lora.s0.onnx")
    [measured] = result.load["offline"].runs
    row = rows[result.cell.id]
    assert row["offline_matmul_share"] == measured.matmul_share
    assert row["offline_memory_share"] == measured.memory_share
    assert row["offline_tokens_per_s"] == measured.tokens_per_s
    assert row["offline_padding_share"] == measured.stages.padding_share
    assert row["offline_forward_share"] == pytest.approx(2.6 / 3.0)
    assert row["marks"] == "OK"
    assert rows["agnews.zero-shot.s0.eager"]["single_matmul_share"] is None  # INVALID


def test_mlflow_has_every_number_as_a_metric_and_every_text_as_a_parameter(tmp_path: Path) -> None:
    from mlflow.tracking import MlflowClient

    run = server_run()
    log_to_mlflow(run, tmp_path / "mlruns")
    client = MlflowClient(tracking_uri=(tmp_path / "mlruns").as_uri())
    experiment = client.get_experiment_by_name("bench/agnews")
    assert experiment
    logged = {each.data.tags["bench.cell"]: each.data for each in client.search_runs([experiment.experiment_id])}
    for row in flat_rows(run):
        data = logged[row["id"]]
        for name, value in row.items():
            if isinstance(value, str) or (name in SETTINGS and value is not None):
                assert data.params[name] == str(value)[:500]
            elif value is not None:
                assert data.metrics[name] == value
