"""The leaderboard as a reader gets it: golden pages, and what may never stand in them."""

from __future__ import annotations

import html
import json
import re

import numpy as np
import pytest
import synthetic_runs as synthetic
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from printed_reports import printed, table
from rich.cells import cell_len

from bench.results.records import Result, Status, StoredRun
from bench.types import FitRecord, SplitSizes
from reports.leaderboard import MOST_PRINTED_TABLES, Leaderboard, render_leaderboard


def of_row(rows: list[dict[str, str]], classifier: str, engine: str) -> dict[str, str]:
    return next(row for row in rows if (row["classifier"], row["engine"]) == (classifier, engine))


def changed(run: StoredRun, cell_id: str, **fields: object) -> StoredRun:
    results = [result.model_copy(update=fields) if result.cell.id == cell_id else result for result in run.results]
    return StoredRun(run.folder, run.settings, run.environment, tuple(results), run.answers)


FULL = render_leaderboard(synthetic.full_run())
SAMPLE = render_leaderboard(synthetic.sample_run())


@pytest.mark.parametrize("name", sorted(synthetic.golden_runs()))
def test_golden_leaderboard(name: str) -> None:
    """Changed on purpose? Run `python tests/support/synthetic_runs.py` and read the difference."""
    expected = (synthetic.GOLDEN / f"{name}.md").read_text(encoding="utf-8")
    assert render_leaderboard(synthetic.golden_runs()[name]).markdown == expected


def test_the_same_run_gives_the_same_page_and_record() -> None:
    again = render_leaderboard(synthetic.full_run())
    assert again.markdown == FULL.markdown
    assert again.to_dict() == FULL.to_dict()


@pytest.mark.parametrize("leaderboard", [FULL, SAMPLE], ids=["full", "sample"])
@pytest.mark.parametrize("width", [80, 100, 120, 160])
def test_no_line_is_wider_than_the_terminal_and_no_word_is_cut(leaderboard: Leaderboard, width: int) -> None:
    text = printed(leaderboard, width)
    assert max(map(cell_len, text.split("\n"))) <= width
    assert "…" not in text
    for words in ("full-finetune", "UNSTABLE" if leaderboard is SAMPLE else "INVALID"):
        assert words in text


def test_every_markdown_table_is_well_formed() -> None:
    for leaderboard in (FULL, SAMPLE):
        blocks = re.findall(r"(?:^\|.*\n?)+", leaderboard.markdown, flags=re.MULTILINE)
        assert len(blocks) > 10
        for block in blocks:
            assert len({line.count("|") for line in block.strip().split("\n")}) == 1


def test_a_sample_says_so_in_its_title() -> None:
    assert "## Weibo sentiment: built-in sample, not comparable with any published figure\n" in SAMPLE.markdown
    assert "not comparable" not in FULL.markdown
    assert SAMPLE.to_dict()["tasks"][0]["comparable"] is False
    assert FULL.to_dict()["tasks"][0]["comparable"] is True


def test_a_subset_gives_both_sizes_and_a_whole_split_says_all() -> None:
    assert "2,000 of 7,600 test texts (stratified)" in FULL.markdown
    assert "400 and 2,000 of 7,600 test texts answered" in FULL.markdown
    assert "all 120 test texts" in SAMPLE.markdown


def test_provenance_names_data_machine_versions_and_commit() -> None:
    for words in (
        "fingerprint c0ffeec0ffee",
        "Example CPU",
        "2 threads",
        "torch 2.13.0",
        "git 0123456789ab",
        "tier quick",
    ):
        assert words in FULL.markdown
    assert "onnxruntime-gpu" not in FULL.markdown


def test_provenance_bears_an_empty_environment() -> None:
    run = synthetic.full_run()
    page = render_leaderboard(StoredRun(run.folder, run.settings, {}, run.results, run.answers)).markdown
    assert "CPU not known" in page
    assert "not a git checkout" in page


def test_ties_share_their_places_and_the_lines_say_the_same() -> None:
    rows = table(FULL, "Quality")
    assert [of_row(rows, "full-finetune", "eager")[name] for name in ("rank", "group")] == ["1-2", "a"]
    assert [of_row(rows, "lora", "eager")[name] for name in ("rank", "group")] == ["1-2", "a"]
    assert [of_row(rows, "lora", "onnx")[name] for name in ("rank", "group")] == ["1-2", "a"]
    assert [of_row(rows, "full-finetune", "onnx-int8")[name] for name in ("rank", "group")] == ["3-4", "b"]
    assert [of_row(rows, "zero-shot", "eager")[name] for name in ("rank", "group")] == ["5", "c"]
    lines = [html.unescape(line) for line in FULL.markdown.split("\n") if line.startswith("- ")]
    line = next(line for line in lines if line.startswith("- Quality"))
    assert "full-finetune 0.920 (a), lora 0.918 (a), tfidf 0.880 (b), zero-shot 0.321 (c)" in line
    assert "the smallest difference this test could see" in line
    better = next(line for line in lines if line.startswith("- Better"))
    assert "full-finetune than tfidf by" in better
    assert re.search(r"tfidf than zero-shot by \d+\.\d\d points on 400 texts \(p <0.001\)", better)
    assert "than lora" not in better


def test_the_first_seeds_speak_of_classifiers_and_three_of_a_method() -> None:
    lines = [html.unescape(line) for line in SAMPLE.markdown.split("\n") if line.startswith("- ")]
    method = next(line for line in lines if line.startswith("- Methods"))
    assert re.search(r"full-finetune \(multilingual-e5-small\) 0\.9\d\d \(3 seeds, 0\.9\d\d to 0\.9\d\d\)", method)
    assert re.search(r"is better than tfidf by \d+\.\d\d points \(95 % \d", method)
    assert not any(line.startswith("- Methods") for line in FULL.markdown.split("\n"))
    assert "each is one trained classifier and speaks for no method" in FULL.markdown


def test_a_lone_seed_beside_several_says_nothing_of_its_method() -> None:
    run = synthetic.sample_run()
    kept = [row for row in run.results if not (row.cell.recipe == "tfidf" and row.cell.seed > 0)]
    page = render_leaderboard(StoredRun(run.folder, run.settings, run.environment, tuple(kept), run.answers)).markdown
    line = next(line for line in page.split("\n") if line.startswith("- Methods"))
    assert "tfidf" not in line


def test_a_method_with_one_bad_seed_is_not_ahead() -> None:
    run = synthetic.sample_run()
    answers = dict(run.answers)
    for engine in ("eager", "onnx"):
        answers[f"weibo.full-finetune.s1.{engine}"] = run.answers["weibo.tfidf.s1.sklearn"]
    page = render_leaderboard(StoredRun(run.folder, run.settings, run.environment, run.results, answers)).markdown
    line = next(line for line in page.split("\n") if line.startswith("- Methods"))
    assert "is better than" not in line
    assert "no method is better by more than the spread of seeds and texts" in line


def test_invalid_and_unstable_rates_are_never_printed() -> None:
    row = of_row(table(FULL, "RPS"), "zero-shot", "eager")
    assert (row["RPS (req/s)"], row["p50 (ms)"], row["vs ref"], row["LoadGen"]) == ("INVALID", "-", "-", "INVALID")
    assert of_row(table(FULL, "Throughput"), "zero-shot", "eager")["rate (texts/s)"] == "18.6"
    unstable = of_row(table(SAMPLE, "RPS"), "full-finetune s2", "onnx")
    assert unstable["RPS (req/s)"] == "UNSTABLE"
    single_line = next(line for line in FULL.markdown.split("\n") if line.startswith("- Single-stream"))
    assert "no rate to believe: zero-shot" in single_line
    cost = of_row(table(FULL, "Cost"), "zero-shot", "eager")
    assert cost["1M texts single (price)"] == "-"


def test_ratio_is_to_the_reference_engine_of_the_same_classifier() -> None:
    rows = table(FULL, "RPS")
    assert of_row(rows, "full-finetune", "eager")["vs ref"] == "1.00x"
    assert of_row(rows, "full-finetune", "onnx")["vs ref"] == "2.50x"
    assert of_row(rows, "tfidf", "sklearn")["vs ref"] == "1.00x"


def test_without_the_reference_engine_there_is_no_ratio() -> None:
    run = synthetic.full_run()
    kept = tuple(row for row in run.results if row.cell.engine != "eager")
    leaderboard = render_leaderboard(StoredRun(run.folder, run.settings, run.environment, kept, run.answers))
    assert of_row(table(leaderboard, "RPS"), "full-finetune", "onnx")["vs ref"] == "-"


def test_an_engine_that_changes_answers_is_marked_wherever_it_is_fast() -> None:
    assert of_row(table(FULL, "Quality"), "full-finetune", "onnx-int8")["status"] == "changes answers"
    assert of_row(table(FULL, "RPS"), "full-finetune", "onnx-int8")["answers"] == "CHANGED (n)"
    assert of_row(table(FULL, "Cost"), "full-finetune", "onnx-int8")["answers"] == "CHANGED (n)"
    parity = of_row(table(FULL, "Same classifier"), "full-finetune", "onnx-int8")
    assert (parity["equal labels"], parity["required"], parity["verdict"]) == ("97.00 %", "99.00 %", "changes answers")
    single_line = next(line for line in FULL.markdown.split("\n") if line.startswith("- Single-stream"))
    assert "onnx-int8" not in single_line


def test_a_rate_that_batching_lowered_is_pointed_out() -> None:
    run = synthetic.full_run()
    assert "slower at once" not in FULL.markdown
    load = {"single": synthetic.load_summary("single", (48.3,)), "offline": synthetic.load_summary("offline", (12.4,))}
    page = render_leaderboard(changed(run, "agnews.lora.s0.eager", load=load)).markdown
    assert "measure again: lora on eager" in page


def test_cost_of_a_million_texts_follows_the_price() -> None:
    row = of_row(table(FULL, "Cost"), "full-finetune", "eager")
    rate = synthetic.METHODS[1].rate_rps
    assert float(row["1M texts single (price)"]) == pytest.approx(1.2 / 3600 / rate * 1e6, rel=0.01)
    assert "1M texts" not in SAMPLE.markdown


def test_rows_without_figures_stand_with_their_reason() -> None:
    rows = table(FULL, "Skipped")
    reasons = {(row["classifier"], row["status"]): html.unescape(row["reason"]) for row in rows}
    assert reasons["lora", "SKIPPED"] == "bf16 needs avx512_bf16"
    assert reasons["textcnn", "OOM"] == "training: killed by the system | SIGKILL when memory ran out"
    assert "qwen3-head" not in {row["classifier"] for row in table(FULL, "Quality")}


def test_training_curves_have_the_published_columns_and_the_chosen_step() -> None:
    rows = table(FULL, "Training curve: lora")
    published = ["step", "training loss", "validation loss", "accuracy", "precision", "recall", "F1"]
    assert [name for name in rows[0] if name in published] == published
    assert [row["step"] for row in rows if row["checkpoint"] == "chosen"] == ["100"]
    assert rows[0]["training loss"] == "-"


def test_time_total_is_the_sum_of_its_parts() -> None:
    row = next(row for row in table(FULL, "Time") if row["classifier"] == "tfidf")
    parts = [row[name] for name in ("training", "evaluate", "tokenise", "inference", "total")]
    *seconds, total = [float(part.removesuffix(" s")) for part in parts]
    assert total == pytest.approx(sum(seconds), abs=0.01)


def test_a_run_of_failures_alone_is_a_page_of_reasons() -> None:
    card = synthetic.data_card()
    results: list[Result] = [synthetic.without_figures(card, "lora", Status.CRASH, "ValueError: x")]
    leaderboard = render_leaderboard(synthetic.stored_run(results, {}))
    assert "ValueError: x" in leaderboard.markdown
    assert "### Quality" not in leaderboard.markdown
    assert "### Ranking" not in leaderboard.markdown
    printed(leaderboard, 80)


def test_quality_only_run_has_no_speed_tables() -> None:
    run = synthetic.full_run()
    results = tuple(row.model_copy(update={"load": {}}) for row in run.results)
    page = render_leaderboard(StoredRun(run.folder, run.settings, run.environment, results, run.answers)).markdown
    assert "### RPS" not in page
    assert "### Quality" in page


def test_two_tasks_are_two_sections_in_plan_order() -> None:
    full, sample = synthetic.full_run(), synthetic.sample_run()
    both = StoredRun(
        full.folder,
        full.settings,
        full.environment,
        full.results + sample.results,
        {**full.answers, **sample.answers},
    )
    page = render_leaderboard(both).markdown
    assert re.findall(r"^## (\w+)", page, flags=re.MULTILINE) == ["AG", "Weibo", "Methods"]


def test_the_record_is_json_with_every_figure() -> None:
    record = json.loads(json.dumps(FULL.to_dict(), allow_nan=False))
    rows = {row["cell"]["id"]: row for row in record["tasks"][0]["rows"]}
    row = rows["agnews.full-finetune.s0.onnx"]
    assert row["rank"] == 1
    assert row["load"]["single"]["against_reference"] == pytest.approx(2.5)
    assert row["load"]["single"]["price_per_million"] == pytest.approx(1.2 / 3600 / 237.5 * 1e6)
    assert row["quality"]["macro_f1"]["low"] < row["quality"]["macro_f1"]["value"]
    assert rows["agnews.zero-shot.s0.eager"]["load"]["single"]["usable"] is False


def test_nan_becomes_missing_in_tables_and_record() -> None:
    run = synthetic.full_run()
    fit = FitRecord(fit_s=float("nan"), peak_bytes=None)
    broken = render_leaderboard(changed(run, "agnews.tfidf.s0.sklearn", fit=fit))
    json.dumps(broken.to_dict(), allow_nan=False)
    assert "nan" not in broken.markdown.lower()


names = st.text(min_size=1, max_size=12) | st.sampled_from(
    ["a|b", "<script>x</script>", "رائع", "ב|\n", "`", "\\", "_", "很好"]
)


@settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(names, min_size=2, max_size=6, unique=True))
def test_class_names_of_any_script_keep_tables_tables(class_names: list[str]) -> None:
    card = synthetic.data_card(
        test=60,
        class_names=tuple(class_names),
        full_sizes=SplitSizes(train=1, validation=1, test=60),
        title=class_names[0],
    )
    results, answers = synthetic.task_results(card, synthetic.METHODS[:1])
    leaderboard = render_leaderboard(synthetic.stored_run(results, answers))
    assert "<script" not in leaderboard.markdown
    assert len(table(leaderboard, "Classes of the best result")) == len(class_names)
    for block in re.findall(r"(?:^\|.*\n?)+", leaderboard.markdown, flags=re.MULTILINE):
        assert len({line.count("|") for line in block.strip().split("\n")}) == 1
    assert max(map(cell_len, printed(leaderboard, 80).split("\n"))) <= 80


def test_many_classes_show_the_weakest_only() -> None:
    class_names = tuple(f"class {number}" for number in range(50))
    card = synthetic.data_card(test=500, class_names=class_names)
    results, answers = synthetic.task_results(card, synthetic.METHODS[:1])
    leaderboard = render_leaderboard(synthetic.stored_run(results, answers))
    assert len(table(leaderboard, "Classes of the best result")) == 20
    assert "the 20 weakest of 50 classes" in leaderboard.markdown
    assert len(table(leaderboard, "Most frequent confusions")) == 10


def test_answers_that_name_no_class_are_counted() -> None:
    card = synthetic.data_card(test=100)
    results, answers = synthetic.task_results(card, synthetic.METHODS[:1])
    ((cell_id, given_answers),) = answers.items()
    predicted = given_answers.prediction.labels.copy()
    predicted[:25] = -1
    prediction = synthetic.prediction_of(np.maximum(predicted, 0), 4)
    silent = synthetic.replace(given_answers, prediction=synthetic.replace(prediction, labels=predicted))
    quality = synthetic.measure_quality(silent, card.class_names)
    run = synthetic.stored_run([results[0].model_copy(update={"quality": quality})], {cell_id: silent})
    assert table(render_leaderboard(run), "Answers in detail")[0]["valid"] == "75.00 %"


def big_run(cells: int, items: int) -> StoredRun:
    """Many seeds of one method: every cell with its own answers."""
    card = synthetic.data_card(test=items, full_sizes=SplitSizes(train=1, validation=1, test=items))
    method = synthetic.Method("full-finetune", synthetic.MINILM, 0.92, 95, 210, (synthetic.EAGER, synthetic.ONNX))
    results, answers = synthetic.task_results(card, (method,), seeds=cells // 2)
    return synthetic.stored_run(results, answers)


def test_a_long_table_is_written_whole_and_its_first_rows_are_printed() -> None:
    leaderboard = render_leaderboard(big_run(70, 60))
    assert len(table(leaderboard, "Quality")) == 70
    text = printed(leaderboard, 120)
    assert "60 of 70 rows; the markdown file has them all" in text
    [section] = leaderboard.sections
    assert f"{len(section.tables) - MOST_PRINTED_TABLES} more tables are in the markdown file" in text


def test_leaderboard_of_many_cells(benchmark) -> None:
    """Reported, not asserted: 60 cells with 2,000 predictions each."""
    run = big_run(60, 2000)
    leaderboard = benchmark.pedantic(render_leaderboard, args=(run,), rounds=1)
    assert len(table(leaderboard, "Quality")) == 60
