"""The quality gate: the rule, baselines, checks of one run against another, and what the commands say."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from gate_runs import changed, losing, with_answers, with_data
from synthetic_runs import full_run, sample_run, without_figures

from bench.errors import NotComparable, StoreError
from bench.gates.baseline import decode_answers, judged_answers, make_baseline, read_baseline, write_baseline
from bench.gates.check import check_run
from bench.gates.quality_rules import QualityRule
from bench.quality.selective import taken
from bench.results.records import Status, StoredRun
from bench.results.verdicts import Check, Metric, Reason, Verdict
from reports.pages.check import CheckPage


def rows_named(check: Check, verdict: Verdict) -> list[str]:
    return [row.name for row in check.rows if row.verdict is verdict]


# ---------------------------------------------------------------- baselines


def test_a_baseline_gives_every_answer_back(tmp_path: Path) -> None:
    run = full_run()
    write_baseline(tmp_path / "b.json", make_baseline(run))
    unpacked = decode_answers(read_baseline(tmp_path / "b.json"))
    assert set(unpacked) == set(run.answers)
    for cell_id, answers in unpacked.items():
        expected = judged_answers(run, cell_id)
        for field in ("ids", "labels", "predictions"):
            assert np.array_equal(getattr(answers, field), getattr(expected, field)), (cell_id, field)


def test_a_baseline_is_small_enough_to_commit(tmp_path: Path) -> None:
    write_baseline(tmp_path / "b.json", make_baseline(full_run()))
    rows = len(full_run().answers)
    assert (tmp_path / "b.json").stat().st_size < 3000 * rows


def test_a_run_passes_against_itself() -> None:
    check = check_run(full_run(), make_baseline(full_run()))
    assert check.verdict is Verdict.PASS
    assert len(check.rows) == len(full_run().answers)
    assert check.same_hardware


def test_a_row_that_lost_is_found_among_those_that_did_not() -> None:
    check = changed(lora=40)
    assert check.verdict is Verdict.REGRESSED
    (regressed,) = [row for row in check.rows if row.verdict is Verdict.REGRESSED]
    assert (regressed.cell.recipe, regressed.cell.engine) == ("lora", "eager")
    assert regressed.judgement
    assert (regressed.judgement.lost, regressed.judgement.won) == (40, 0)


def test_a_few_flips_are_no_regression() -> None:
    assert changed(lora=2).verdict is Verdict.PASS


def test_a_row_that_is_gone_is_missing_and_one_that_broke_has_failed() -> None:
    run = full_run()
    baseline = make_baseline(run)
    gone = run.results[0].cell.id
    without = replace(run, results=run.results[1:])
    check = check_run(without, baseline)
    assert check.verdict is Verdict.INCONCLUSIVE
    assert [row.cell.id for row in check.rows if row.verdict is Verdict.MISSING] == [gone]
    cell = run.results[0].cell
    broken = without_figures(
        run.results[0].data, cell.recipe, Status.OOM, "killed", engine=cell.engine, precision=cell.precision
    )
    check = check_run(replace(run, results=(broken, *run.results[1:])), baseline)
    assert check.verdict is Verdict.REGRESSED
    (failed,) = [row for row in check.rows if row.verdict is Verdict.FAILED]
    assert (failed.reason, failed.status, failed.detail) == (Reason.NO_ANSWERS, "OOM", "killed")


def test_new_rows_are_named_and_not_judged() -> None:
    run = full_run()
    baseline = make_baseline(replace(run, results=run.results[1:]))
    check = check_run(run, baseline)
    assert check.verdict is Verdict.PASS
    assert [cell.id for cell in check.new_rows] == [run.results[0].cell.id]


def test_rows_are_compared_over_the_same_items_only() -> None:
    run = full_run()
    cell_id = run.results[0].cell.id
    head = taken(run.answers[cell_id], np.arange(500))
    check = check_run(with_answers(run, cell_id, head), make_baseline(run))
    compared = {row.cell.id: row.judgement for row in check.rows}
    judged = compared.pop(cell_id)
    assert judged
    assert (judged.n, judged.of(Metric.MACRO_F1).difference.value) == (500, 0.0)
    assert {judgement.n for judgement in compared.values() if judgement} == {2000, 400}


def test_other_hardware_is_said() -> None:
    run = full_run()
    elsewhere = replace(run, environment={**run.environment, "hardware_sha256": "0" * 64})
    assert "other hardware" in CheckPage(check_run(elsewhere, make_baseline(run))).markdown
    assert "other hardware" not in CheckPage(check_run(run, make_baseline(run))).markdown


def test_other_data_classes_and_labels_are_refused() -> None:
    run, baseline = full_run(), make_baseline(full_run())
    with pytest.raises(NotComparable, match="agnews: other data"):
        check_run(with_data(run, fingerprint="0" * 64), baseline)
    with pytest.raises(NotComparable, match="classes"):
        check_run(with_data(run, class_names=("Sports", "World", "Business", "Sci/Tech")), baseline)
    cell_id = run.results[0].cell.id
    answers = run.answers[cell_id]
    with pytest.raises(NotComparable, match="other labels"):
        check_run(with_answers(run, cell_id, replace(answers, labels=(answers.labels + 1) % 4)), baseline)
    other = with_data(sample_run())
    renamed = replace(
        other,
        results=tuple(
            result.model_copy(update={"data": result.data.model_copy(update={"task": "elsewhere"})})
            for result in other.results
        ),
    )
    with pytest.raises(NotComparable, match="nothing to compare"):
        check_run(
            replace(
                renamed,
                results=tuple(
                    result.model_copy(update={"cell": result.cell.model_copy(update={"task": "elsewhere"})})
                    for result in renamed.results
                ),
            ),
            baseline,
        )


def retrained(run: StoredRun, name: str) -> StoredRun:
    """Every classifier of a recipe is another one; its answers stay."""
    results = (
        result.model_copy(update={"classifier_sha256": f"other-{result.classifier_sha256}"})
        if result.cell.recipe == name
        else result
        for result in run.results
    )
    return replace(run, results=tuple(results))


def few_items(run: StoredRun, count: int) -> StoredRun:
    """The same rows, which answered only the first items."""
    answers = {
        cell_id: replace(
            each,
            ids=each.ids[:count],
            labels=each.labels[:count],
            prediction=replace(each.prediction, labels=each.prediction.labels[:count]),
        )
        for cell_id, each in run.answers.items()
    }
    return replace(run, answers=answers)


def test_the_same_classifier_with_the_same_answers_passes_however_few_they_are() -> None:
    run = few_items(full_run(), 10)
    check = check_run(run, make_baseline(full_run()))
    assert check.verdict is Verdict.PASS
    assert all(row.judgement and row.judgement.unchanged for row in check.rows)
    assert "the same classifier gave the same answers" in CheckPage(check).markdown


def test_another_classifier_with_the_same_ten_answers_is_not_settled() -> None:
    run = few_items(full_run(), 10)
    check = check_run(retrained(run, "lora"), make_baseline(full_run()))
    assert {row.cell.recipe for row in check.rows if row.verdict is Verdict.INCONCLUSIVE} == {"lora"}
    assert "would settle it" in CheckPage(check).markdown


def test_a_model_behind_an_endpoint_is_not_known_to_be_the_same() -> None:
    run = few_items(full_run(), 10)
    served = replace(run, results=tuple(each.model_copy(update={"classifier_kind": "served"}) for each in run.results))
    assert {row.verdict for row in check_run(served, make_baseline(full_run())).rows} == {Verdict.INCONCLUSIVE}


def test_the_luck_of_one_training_is_not_called_a_regression() -> None:
    run, cell_id = full_run(), "agnews.lora.s0.eager"
    base = make_baseline(run)
    lost = retrained(with_answers(run, cell_id, losing(run.answers[cell_id], 40, 4)), "lora")
    (row,) = [row for row in check_run(lost, base).rows if row.cell.id == cell_id]
    assert row.verdict is Verdict.INCONCLUSIVE
    assert row.judgement
    assert row.judgement.spread
    assert (row.judgement.spread.seeds, row.judgement.spread.measured) == (1, False)
    assert "1 seeds: 1 points between seeds are assumed" in CheckPage(check_run(lost, base)).markdown
    (itself,) = [row for row in check_run(lost, base, QualityRule(seed_spread=0.0)).rows if row.cell.id == cell_id]
    assert itself.verdict is Verdict.REGRESSED
    ready_made = [
        each.model_copy(update={"fit": each.fit and each.fit.model_copy(update={"trainable_parameters": 0})})
        for each in lost.results
    ]
    (row,) = [row for row in check_run(replace(lost, results=tuple(ready_made)), base).rows if row.cell.id == cell_id]
    assert row.verdict is Verdict.REGRESSED


def test_the_seeds_of_a_retrained_row_are_judged_together() -> None:
    run = sample_run()
    cells = [f"weibo.full-finetune.s{seed}.eager" for seed in range(3)]
    head = run
    for cell_id, lost in zip(cells, (30, 28, 32), strict=True):
        head = with_answers(head, cell_id, losing(run.answers[cell_id], lost, 2))
    check = check_run(retrained(head, "full-finetune"), make_baseline(run))
    judgements = [row.judgement for row in check.rows if row.cell.id in cells]
    assert judgements[0] == judgements[1] == judgements[2]
    assert judgements[0]
    assert judgements[0].spread
    assert (judgements[0].verdict, judgements[0].lost, judgements[0].spread.seeds) == (Verdict.REGRESSED, 30.0, 3)
    assert judgements[0].spread.measured


def test_the_margin_is_the_users() -> None:
    check = changed(lora=12)
    assert check.margin == 0.005
    assert rows_named(check, Verdict.PASS) != [row.name for row in check.rows]
    run = full_run()
    cell_id = "agnews.lora.s0.eager"
    wide = check_run(
        with_answers(run, cell_id, losing(run.answers[cell_id], 12, 4)), make_baseline(run), QualityRule(margin=0.02)
    )
    assert wide.verdict is Verdict.PASS
    assert "worse, by less than the margin" in CheckPage(wide).markdown
    assert "minus the margin of 2 points" in CheckPage(wide).markdown


BASELINE_TEXT = make_baseline(full_run()).model_dump_json(indent=1)
UNREADABLE = {
    "conflict": (f"<<<<<<< HEAD\n{BASELINE_TEXT}\n=======\n{BASELINE_TEXT}\n>>>>>>> head\n", "merge conflict"),
    "conflict-inside": (BASELINE_TEXT.replace('"rows"', '\n<<<<<<< ours\n"rows"', 1), "merge conflict"),
    "cut": (BASELINE_TEXT[: len(BASELINE_TEXT) // 2], "cut off"),
    "empty": ("", "is empty"),
    "array": ("[]", "an array"),
    "text": ('"a text"', "a text"),
    "null": ("null", "nothing"),
    "other": ('{"machine_info": {}, "benchmarks": []}', "no whole baseline"),
    "no-rows": (json.dumps({**json.loads(BASELINE_TEXT), "rows": []}), "holds no result"),
    "nothing": (json.dumps({**json.loads(BASELINE_TEXT), "rows": [], "tasks": []}), "holds no result"),
    "row-twice": (json.dumps({**json.loads(BASELINE_TEXT), "rows": 2 * json.loads(BASELINE_TEXT)["rows"]}), "2 times"),
}


@pytest.mark.parametrize("name", UNREADABLE)
def test_an_unreadable_baseline_is_refused_and_nobody_is_told_to_delete_it(tmp_path: Path, name: str) -> None:
    content, reason = UNREADABLE[name]
    path = tmp_path / "b.json"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(StoreError, match=reason) as caught:
        read_baseline(path)
    assert "delete" not in str(caught.value)
    assert "bench baseline DIR" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_baseline_that_unpacks_without_end_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bench.gates.baseline.MOST_BYTES", 100)
    with pytest.raises(StoreError, match="too many"):
        decode_answers(make_baseline(full_run()))


def test_a_check_without_a_row_passes_nothing() -> None:
    check = check_run(full_run(), make_baseline(full_run()))
    assert check.model_copy(update={"rows": ()}).verdict is Verdict.INCONCLUSIVE


def test_damaged_baselines_are_refused(tmp_path: Path) -> None:
    good = json.loads(make_baseline(full_run()).model_dump_json())
    for change, message in (
        ({"rows": [{**good["rows"][0], "predictions": "AAAA"}]}, "damaged"),
        ({"rows": [{**good["rows"][0], "answered": good["rows"][0]["predictions"]}]}, "wrong number"),
        ({"tasks": []}, "does not hold"),
        ({"tasks": [{**good["tasks"][0], "ids": good["tasks"][0]["labels"]}]}, "damaged|not one label"),
        ({"rows": [{**good["rows"][0], "accuracy": None}]}, "rows.0.accuracy"),
    ):
        path = tmp_path / "b.json"
        path.write_text(json.dumps({**good, **change}))
        with pytest.raises(StoreError, match=message):
            decode_answers(read_baseline(path))
