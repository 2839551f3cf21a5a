"""Results where people keep them: the figures that come back are the run's own, whatever the names in it."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import synthetic_runs as synthetic
from command_line import assert_one_line_error, bench
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from stored_runs import store

from bench.cli.results import FORMULA_STARTS, csv_text
from bench.errors import StoreError
from bench.results.records import StoredRun
from bench.types import Source
from reports.export.flat_rows import flat_rows
from reports.export.model_cards import model_cards
from reports.export.tracking import log_to_mlflow, log_to_tensorboard

FULL = synthetic.full_run()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return store(FULL, tmp_path / "run")


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_a_row_a_cell_with_its_figures(folder: Path, tmp_path: Path, form: str) -> None:
    out = tmp_path / f"rows.{form}"
    done = bench("export", str(folder), "--format", form, "--out", str(out))
    assert done.returncode == 0, done.stderr
    if form == "csv":
        with out.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
    else:
        rows = pq.read_table(out).to_pylist()
    assert sorted(row["id"] for row in rows) == sorted(result.cell.id for result in FULL.results)
    by_id = {row["id"]: row for row in rows}
    quality = FULL.results[0].quality
    assert quality
    assert float(by_id["agnews.tfidf.s0.sklearn"]["macro_f1"]) == quality.macro_f1.value
    assert float(by_id["agnews.tfidf.s0.sklearn"]["single_rate_rps"]) == 5200
    assert by_id["agnews.zero-shot.s0.eager"]["single_rate_rps"] in (None, "")  # INVALID
    assert by_id["agnews.zero-shot.s0.eager"]["single_verdict"] == "INVALID"
    skipped = next(row for row in rows if row["status"] == "OOM")
    assert "SIGKILL\nwhen memory ran out" in skipped["reason"]


names = st.text(min_size=1, max_size=12) | st.sampled_from(["a|b", "<b>", "رائع", "ב,\n", '"', "很好", "=1+1", "\r"])


@settings(max_examples=20, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])
@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=30) | names)
def test_any_text_survives_the_table(text: str) -> None:
    results = [result.model_copy(update={"reason": text}) for result in FULL.results]
    rows = flat_rows(synthetic.stored_run(results, dict(FULL.answers)))
    assert len({tuple(row) for row in rows}) == 1
    read = csv.DictReader(io.StringIO(csv_text(rows), newline=""))
    shown = {row["reason"] for row in read}
    assert shown == {f"'{text}" if text.startswith(FORMULA_STARTS) else text}


@pytest.mark.parametrize("text", ["=HYPERLINK(1)", "+1", "-1", "@SUM(1)", "\tx", "'quoted", "''"])
def test_what_a_spreadsheet_would_run_gets_an_apostrophe_that_can_be_taken_away(text: str) -> None:
    [row] = csv.DictReader(io.StringIO(csv_text([{"name": text, "rate": -1.5}]), newline=""))
    assert row == {"name": f"'{text}", "rate": "-1.5"}


def test_figures_that_are_no_numbers_are_left_empty() -> None:
    results = [
        result.model_copy(update={"fit": result.fit.model_copy(update={"fit_s": float("nan")})})
        for result in FULL.results
        if result.fit
    ]
    assert all(row["training_fit_s"] is None for row in flat_rows(synthetic.stored_run(results, dict(FULL.answers))))


def test_model_cards_are_read_back_by_the_hub_s_own_code() -> None:
    from huggingface_hub import ModelCard

    cards = model_cards(FULL)
    assert set(cards) == {"agnews.tfidf.s0", "agnews.full-finetune.s0", "agnews.lora.s0", "agnews.zero-shot.s0"}
    card = ModelCard(cards["agnews.full-finetune.s0"], ignore_metadata_errors=False)
    assert card.data.pipeline_tag == "text-classification"
    assert card.data.base_model == synthetic.MINILM
    results = card.data.eval_results
    assert results
    f1 = {result.metric_args["engine"]: result.metric_value for result in results if result.metric_type == "f1"}
    quality = next(row for row in FULL.results if row.cell.id == "agnews.full-finetune.s0.onnx").quality
    assert quality and f1["onnx"] == quality.macro_f1.value
    assert {result.dataset_type for result in results} == {"fancyzhx/ag_news"}
    assert {result.dataset_revision for result in results} == {"eb185aade064a813"}
    assert "not comparable" not in card.text


def test_names_of_any_script_keep_the_card_valid(tmp_path: Path) -> None:
    from huggingface_hub import ModelCard

    run = synthetic.sample_run()
    title = "رائع --- | <b>\nname: x"
    source = Source(kind="local", name="데이터: [1]\n---")
    data = run.results[0].data.model_copy(update={"title": title, "task": "私の/データ", "source": source})
    results = [row.model_copy(update={"data": data}) for row in run.results]
    cards = model_cards(synthetic.stored_run(results, dict(run.answers)))
    for name, text in cards.items():
        assert name.isascii() and "/" not in name
        card = ModelCard(text, ignore_metadata_errors=False)
        assert card.data.eval_results
        assert "<b>" not in card.text
    folder = store(synthetic.stored_run(results, dict(run.answers)), tmp_path / "run")
    done = bench("export", str(folder), "--format", "model-index", "--out", str(tmp_path / "cards"))
    assert done.returncode == 0, done.stderr
    assert len(list((tmp_path / "cards").glob("*/README.md"))) == len(cards)


def test_tensorboard_shows_curves_and_figures(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    log_to_tensorboard(FULL, tmp_path / "board")
    events = EventAccumulator(str(tmp_path / "board" / "agnews.lora.s0.eager"))
    events.Reload()
    curve = events.Scalars("curve/f1")
    fit = next(row for row in FULL.results if row.cell.id == "agnews.lora.s0.eager").fit
    assert fit
    assert [event.step for event in curve] == [point.step for point in fit.curve]
    assert [event.value for event in curve] == pytest.approx([point.f1 for point in fit.curve])
    assert events.Scalars("figures/single_rate_rps")[0].value == pytest.approx(94)
    with pytest.raises(StoreError, match="not an empty folder"):
        log_to_tensorboard(FULL, tmp_path / "board")


def test_mlflow_holds_a_run_a_cell_and_logs_it_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from mlflow.tracking import MlflowClient

    monkeypatch.delenv("MLFLOW_ALLOW_FILE_STORE", raising=False)
    store_at = tmp_path / "mlruns"
    for _ in range(2):
        log_to_mlflow(FULL, store_at)
    client = MlflowClient(tracking_uri=store_at.as_uri())
    experiment = client.get_experiment_by_name("bench/agnews")
    assert experiment
    runs = client.search_runs([experiment.experiment_id])
    assert len(runs) == len(FULL.results)
    run = next(run for run in runs if run.data.tags["bench.cell"] == "agnews.lora.s0.onnx")
    assert run.data.params["engine"] == "onnx"
    assert run.data.metrics["single_rate_rps"] == 235
    history = client.get_metric_history(run.info.run_id, "curve_f1")
    assert [each.step for each in history] == [50, 100, 150]


def test_wrong_arguments_are_one_line(folder: Path) -> None:
    assert_one_line_error(bench("export", str(folder), "--format", "csv"), 2, "--out")
    assert_one_line_error(bench("export", str(folder), "--format", "excel", "--out", "x"), 2, "csv")


def test_a_cell_named_twice_is_read_once_and_damage_is_named(tmp_path: Path) -> None:
    from bench.results.store import SETTINGS, open_run, write_record

    folder = store(FULL, tmp_path / "run")
    twice = FULL.settings.model_copy(update={"cells": FULL.settings.cells * 2})
    write_record(folder / SETTINGS, twice)
    assert len(open_run(folder).results) == len(FULL.results)
    (folder / "cells" / "agnews.tfidf.s0.sklearn.json").write_text('{"schema_version": 1, "cell": ')
    with pytest.raises(StoreError, match=r"agnews\.tfidf\.s0\.sklearn\.json is not JSON"):
        open_run(folder)


def test_nan_in_a_stored_figure_is_read_back_and_shown_as_missing(tmp_path: Path) -> None:
    from bench.results.store import open_run
    from reports.leaderboard import render_leaderboard

    results = list(FULL.results)
    fit = results[0].fit
    assert fit
    results[0] = results[0].model_copy(update={"fit": fit.model_copy(update={"fit_s": float("nan"), "curve": ()})})
    folder = store(
        StoredRun(FULL.folder, FULL.settings, FULL.environment, tuple(results), FULL.answers), tmp_path / "r"
    )
    run = open_run(folder)
    assert np.isnan(run.results[0].fit.fit_s) if run.results[0].fit else False
    assert "nan" not in render_leaderboard(run).markdown.lower()
