"""`bench advise`: the right row for the demands, honest about how sure that is, and kind to what people type."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import synthetic_runs as synthetic
from command_line import assert_one_line_error, bench
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console
from stored_runs import store
from tiny_classifiers import linear, tiny_texts

from bench.classifiers.linear import load_linear
from bench.cli.lengths import count_tokens
from bench.results.demands import Demands, OwnLengths
from bench.results.records import Interval, Result, Status
from reports.advice.advice import Advice, advise
from reports.advice.candidates import _sound_p99s
from reports.advice.lines import lines_of
from reports.advice.page import AdvicePage, table_of
from reports.render.words import Joined, Message, catalogue, languages

RUN = synthetic.full_run()
# rates one by one: tfidf 5,200 at F1 .880; full-finetune/onnx 238 at .920; lora/onnx 235 at .918; eager 95


def advice(lengths: OwnLengths | None = None, between: tuple[str, str] | None = None, **demands: float) -> Advice:
    [only] = advise(RUN, Demands(**demands), lengths, between)
    return only


def text_of(given: Advice) -> str:
    return "\n".join(lines_of(given))


def test_with_a_quality_demand_the_fastest_row_that_meets_it() -> None:
    cheap = advice(min_f1=0.85, rps=50)
    assert cheap.chosen and cheap.chosen.name == "tfidf/sklearn"
    good = advice(min_f1=0.90, rps=150)
    assert good.chosen and good.chosen.name == "full-finetune/onnx"
    assert good.runner_up and good.runner_up.name == "lora/onnx"
    assert good.sure
    assert good.rivalry and not good.rivalry.rates_apart
    assert not good.rivalry.f1_apart
    assert "cannot be told apart" in text_of(good)


def test_without_a_quality_demand_the_fastest_of_those_no_test_tells_from_the_best() -> None:
    given = advice(rps=50)
    assert given.chosen and given.chosen.name == "full-finetune/onnx"
    assert given.rule == "best"
    assert [row.name for row in given.candidates[:3]] == ["full-finetune/onnx", "lora/onnx", "full-finetune/eager-bf16"]


def test_an_engine_that_changes_answers_is_never_advised_but_named() -> None:
    given = advice(rps=300, min_f1=0.88)
    assert "full-finetune/onnx-int8" in given.excluded
    assert all(row.name != "full-finetune/onnx-int8" for row in given.candidates)


def test_a_demand_inside_the_interval_is_doubted_with_its_chance() -> None:
    given = advice(min_f1=0.915, rps=150)
    assert given.chosen and not given.sure
    [check] = [check for check in given.chosen.checks if check.what == "macro F1"]
    assert check.fate == "likely"
    assert check.chance and 0.5 < check.chance < 0.95
    assert "not quite" in text_of(given)


def test_without_an_interval_no_chance_is_invented() -> None:
    """Too few texts a class: the ends of the scale are no interval, and half-way between them is no chance."""
    results = [
        result.model_copy(update={"quality": result.quality.model_copy(update={"macro_f1": without(result)})})
        if result.quality
        else result
        for result in RUN.results
    ]
    [given] = advise(replace(RUN, results=tuple(results)), Demands(min_f1=0.85, rps=50))
    assert given.chosen
    assert not given.sure
    check = given.chosen.checks[0]
    assert (check.fate, check.chance) == ("likely", None)
    assert "chance" not in text_of(given)
    assert "too few texts for an interval: it needs about 600" in text_of(given)
    [nothing] = advise(replace(RUN, results=tuple(results)), Demands(min_f1=0.99))
    assert nothing.chosen is None
    assert given.rivalry
    rivalry = replace(given.rivalry, f1=Interval(value=0.01, low=-1.0, high=1.0, items_needed=600))
    lines = text_of(replace(given, rivalry=rivalry))
    assert "an interval needs about 600 texts" in lines
    assert "-100" not in lines


def without(result: Result) -> Interval:
    assert result.quality
    return Interval(value=result.quality.macro_f1.value, low=0.0, high=1.0, items_needed=600)


def test_a_single_run_within_ten_percent_of_the_demand_is_doubted() -> None:
    given = advice(min_f1=0.9, rps=230)
    assert given.chosen and {check.what: check.fate for check in given.chosen.checks}["RPS"] == "likely"


def test_nothing_meets_and_the_nearest_on_each_demand_is_named() -> None:
    given = advice(min_f1=0.99, rps=100_000)
    text = text_of(given)
    assert given.chosen is None
    assert "No result meets the demands" in text
    assert "Nearest on macro F1: full-finetune" in text
    assert "Nearest on RPS: tfidf/sklearn" in text


def test_a_p99_that_was_not_measured_is_not_taken_for_met() -> None:
    given = advice(p99_ms=1000)
    assert given.chosen is None
    assert "too few queries for a p99: 400" in text_of(given)


def test_a_p99_that_was_measured_decides() -> None:
    slow, fast = "agnews.full-finetune.s0.eager", "agnews.full-finetune.s0.onnx"
    results = []
    for row in RUN.results:
        if row.cell.id in (slow, fast):
            p99 = {slow: 40.0, fast: 8.0}[row.cell.id]
            summary = row.load["single"]
            runs = tuple(run.model_copy(update={"p99_ms": p99, "queries": 700}) for run in summary.runs)
            load = {"single": summary.model_copy(update={"p99_ms": p99, "runs": runs})}
            results.append(row.model_copy(update={"load": load}))
    [given] = advise(
        synthetic.stored_run(results, {name: RUN.answers[name] for name in (slow, fast)}), Demands(p99_ms=20)
    )
    assert given.chosen and given.chosen.result.cell.id == fast
    assert given.runner_up is None
    assert given.chosen.checks[0].fate == "met"


def with_queries(count: int) -> Advice:
    """Advice on a row whose p99 of 8 ms was read from so many queries."""
    cell_id = "agnews.full-finetune.s0.onnx"
    (row,) = [row for row in RUN.results if row.cell.id == cell_id]
    summary = row.load["single"]
    runs = tuple(run.model_copy(update={"p99_ms": 8.0, "queries": count}) for run in summary.runs)
    load = {"single": summary.model_copy(update={"p99_ms": 8.0, "runs": runs})}
    run = synthetic.stored_run([row.model_copy(update={"load": load})], {cell_id: RUN.answers[cell_id]})
    [given] = advise(run, Demands(p99_ms=20))
    return given


def test_a_p99_of_too_few_queries_is_never_met() -> None:
    assert with_queries(661).chosen is None
    assert "too few queries for a p99: 661" in text_of(with_queries(661))
    assert with_queries(662).chosen


def test_under_poisson_load_only_the_confirmed_rate_counts() -> None:
    """The invented engine's capacity is 80: confirmed at 72 with 80 ms; probes at 20 to 60 answered within 32 ms."""
    from synthetic_server import server_run

    [given] = advise(server_run(), Demands(p99_ms=100, rps=60, min_f1=0.9))
    assert given.chosen and given.chosen.name == "full-finetune/eager"
    assert given.chosen.scenario == "server"
    assert given.chosen.rate and given.chosen.rate.value == pytest.approx(72)
    assert given.chosen.p99 and given.chosen.p99.value == pytest.approx(80)
    [stricter] = advise(server_run(), Demands(p99_ms=20, rps=30, min_f1=0.9))
    assert stricter.chosen is None
    [faster] = advise(server_run(), Demands(p99_ms=100, rps=90, min_f1=0.9))
    assert faster.chosen is None


def test_a_probe_of_100_queries_is_not_met_where_the_confirmed_rate_is_lower() -> None:
    """Confirmed at 154 requests/s; a probe at 200 held for 100 queries."""
    from synthetic_server import server_point, server_run

    run = server_run()
    (row,) = [row for row in run.results if row.cell.id == "agnews.full-finetune.s0.eager"]
    summary = row.load["server"]
    search = summary.runs[0].server
    assert search
    points = [server_point(purpose, rate, 240.0, 100.0) for purpose, rate in (("search", 200.0), ("confirm", 154.0))]
    points[0] = points[0].model_copy(update={"queries": 100})
    search = search.model_copy(update={"points": tuple(points), "target_rps": 154.0})
    runs = (summary.runs[0].model_copy(update={"server": search, "rate_rps": 154.0, "p99_ms": 40.0, "queries": 800}),)
    figures = {"runs": runs, "rate_rps": 154.0, "rate_low_rps": 154.0, "rate_high_rps": 154.0, "p99_ms": 40.0}
    changed = row.model_copy(update={"load": {"server": summary.model_copy(update=figures)}})
    [given] = advise(
        synthetic.stored_run([changed], {row.cell.id: run.answers[row.cell.id]}), Demands(p99_ms=60, rps=170)
    )
    checks = {check.what: check.fate for check in given.candidates[0].checks}
    assert given.chosen is None
    assert checks == {"RPS": "not met", "p99": "met"}
    assert given.candidates[0].rate and given.candidates[0].rate.high < 170


def test_the_range_of_a_p99_is_that_of_long_confirmations_of_the_rate() -> None:
    """No probe, no other rate, no other percentile, and no confirmation of too few queries."""

    def point(limited_ms: float | None, **other: object) -> SimpleNamespace:
        usual = {"purpose": "confirm", "target_rps": 50.0, "percentile": 99, "queries": 700}
        return SimpleNamespace(limited_ms=limited_ms, **{**usual, **other})

    points = (
        point(21.0),
        point(22.0),
        point(1.0, purpose="search"),
        point(2.0, target_rps=40.0),
        point(3.0, percentile=90),
        point(4.0, queries=600),
        point(None),
    )
    run: Any = SimpleNamespace(p99_ms=20.0, queries=700, server=SimpleNamespace(target_rps=50.0, points=points))
    assert _sound_p99s(run) == [20.0, 21.0, 22.0]
    run.queries = 600
    assert _sound_p99s(run) == []
    run.queries, run.server = 700, None
    assert _sound_p99s(run) == [20.0]


def test_what_is_invalid_is_never_deployed() -> None:
    cell_id = "agnews.full-finetune.s0.onnx"
    (row,) = [row for row in RUN.results if row.cell.id == cell_id]
    assert row.quality
    nothing = row.model_copy(update={"quality": row.quality.model_copy(update={"valid_share": 0.0})})
    for changed in (row.model_copy(update={"status": Status.INVALID, "reason": "no valid answer"}), nothing):
        [given] = advise(synthetic.stored_run([changed], {cell_id: RUN.answers[cell_id]}), Demands(rps=1))
        assert given.chosen is None
        assert "No result of this task can be deployed" in text_of(given)
        assert "Must not be deployed" in text_of(given)
    unstable = row.model_copy(update={"status": Status.UNSTABLE})
    [given] = advise(synthetic.stored_run([unstable], {cell_id: RUN.answers[cell_id]}), Demands(min_f1=0.5))
    assert given.chosen


def test_break_even_is_where_the_two_costs_are_equal() -> None:
    given = advice(min_f1=0.3, between=("full-finetune/onnx", "zero-shot/eager"))
    each, rows = given.between, {row.name: row for row in given.candidates}
    assert each and each.texts and each.beyond
    first, second = rows[each.first], rows[each.second]
    cost = [row.training_s + each.texts * row.text_s for row in (first, second)]
    assert cost[0] == pytest.approx(cost[1])


def test_a_row_that_is_cheaper_to_train_and_to_run_always_is() -> None:
    given = advice(between=("tfidf/sklearn", "lora/eager"))
    assert given.between and given.between.texts is None and given.between.always
    other = advice(between=("lora/eager", "tfidf/sklearn"))
    assert other.between and other.between.texts is None and not other.between.always
    assert "tfidf/sklearn is cheaper than lora/eager at any volume" in text_of(other)


def test_what_the_first_text_pays_back_is_cheaper_at_any_volume() -> None:
    """Not "from 0 texts on": here one row of the same classifier is loaded a millisecond later."""
    slow, fast = "agnews.full-finetune.s0.eager", "agnews.full-finetune.s0.onnx"
    results = []
    for row in RUN.results:
        if row.cell.id in (slow, fast):
            assert row.session
            session = row.session.model_copy(update={"convert_s": {slow: 1.0, fast: 1.001}[row.cell.id]})
            results.append(row.model_copy(update={"session": session}))
    run = synthetic.stored_run(results, {name: RUN.answers[name] for name in (slow, fast)})
    [given] = advise(run, Demands(), between=("full-finetune/eager", "full-finetune/onnx"))
    assert given.between and given.between.texts is None and not given.between.always
    assert "full-finetune/onnx is cheaper than full-finetune/eager at any volume" in text_of(given)


@given(st.floats(1, 400), st.integers(1, 50))
def test_longer_texts_scale_the_rate_by_their_tokens(mean: float, n: int) -> None:
    own = np.full(n, round(mean))
    given = advice(OwnLengths(n, {}, own), rps=1)
    plain = {row.name: row for row in advice(rps=1).candidates}
    row = next(row for row in given.candidates if row.name == "lora/onnx")
    before = plain["lora/onnx"].rate
    assert row.rate and before
    assert row.rate.estimated
    assert row.rate.value == pytest.approx(before.value * 40 / round(mean))  # the invented texts have 40 tokens
    assert f"your {n} texts" in text_of(given)


def test_a_row_whose_tokens_cannot_be_counted_is_not_estimated() -> None:
    given = advice(OwnLengths(1, {}), rps=1)
    assert given.chosen is None
    assert "cannot be counted" in text_of(given)


def test_price_gives_the_cost_of_a_million() -> None:
    table = table_of(advice(rps=50, price_per_hour=1.2))
    at = [column.name for column in table.columns].index("1M texts")
    [row] = [row for row in table.rows if row[0] == "full-finetune/onnx"]
    assert float(row[at]) == pytest.approx(1.2 / 3600 / 237.5 * 1e6, rel=0.01)


@pytest.mark.parametrize("language", [language for language in languages() if language != "en"])
def test_the_advice_is_said_whole_in_every_language(language: str) -> None:
    def parts(text: str) -> list[str]:
        if isinstance(text, Joined):
            return [part for each in text.parts for part in parts(each)]
        if isinstance(text, Message):
            return [
                text.template,
                *(part for each in text.values.values() if isinstance(each, str) for part in parts(each)),
            ]
        return []

    for each in (advice(rps=50), advice(min_f1=0.915, rps=230), advice(min_f1=0.99, p99_ms=1.0)):
        texts = [*lines_of(each), *table_of(each).notes, *(cell for row in table_of(each).rows for cell in row)]
        assert {part for text in texts for part in parts(text)} - set(catalogue(language)) == set()


@pytest.mark.parametrize("language", languages())
def test_the_page_keeps_to_the_terminal(language: str) -> None:
    console = Console(width=80, force_terminal=False, color_system=None, highlight=False)
    with console.capture() as capture:
        AdvicePage((advice(rps=50, price_per_hour=2.0),), language).print(console)
    assert max(map(cell_len, capture.get().split("\n"))) <= 80
    assert "full-finetune/onnx" in capture.get()


def test_the_record_is_json() -> None:
    record = json.loads(json.dumps(AdvicePage((advice(rps=1e9),)).to_dict(), allow_nan=False))
    assert record["tasks"][0]["deploy"] is None


def test_the_command_says_what_to_deploy(tmp_path: Path) -> None:
    folder = store(RUN, tmp_path / "run")
    lengths = tmp_path / "lengths.txt"
    lengths.write_text("10\n20\n\n30\n")
    done = bench(
        "advise", str(folder), "--rps", "150", "--min-f1", "90%", "--price", "1.2/h", "--lengths", str(lengths)
    )
    assert done.returncode == 0, done.stderr
    assert "Deploy full-finetune/onnx" in done.stdout
    assert "Estimate (~)" in done.stdout
    record = json.loads(bench("advise", str(folder), "--rps", "150/s", "--min-f1", "0.9", "--json").stdout)
    assert record["tasks"][0]["deploy"] == "full-finetune/onnx"


def test_wrong_arguments_are_one_line(tmp_path: Path) -> None:
    folder = str(store(RUN, tmp_path / "run"))
    assert_one_line_error(bench("advise", folder, "--p99", "20"), 2, "--p99", "20ms")
    assert_one_line_error(bench("advise", folder, "--min-f1", "93"), 2, "more than 1")
    assert_one_line_error(bench("advise", folder, "--between", "lora/onx", "tfidf/sklearn"), 2, "lora/onnx")
    empty = tmp_path / "empty.txt"
    empty.write_text("\n")
    assert_one_line_error(bench("advise", folder, "--lengths", str(empty)), 3, "is empty")
    empty.write_text("a text\n")
    assert_one_line_error(bench("advise", folder, "--lengths", str(empty)), 1, "token counts")
    assert_one_line_error(bench("advise", str(tmp_path / "no")), 6, "is no folder")


def test_a_bag_of_words_is_not_thought_faster_on_long_texts_of_few_or_unknown_words(tmp_path: Path) -> None:
    """It was measured by the n-grams it knows, once each; ten times the text takes ten times as long to read."""
    classifier, tested = linear(tmp_path / "linear"), tiny_texts(40)
    known = np.diff(load_linear(classifier).features(tested).indptr)
    assert count_tokens(classifier, tested, tested).mean() == pytest.approx(known.mean())
    [once, often] = count_tokens(classifier, [tested[0], " ".join([tested[0]] * 10)], tested)
    assert often > 9 * once
    assert count_tokens(classifier, ["entirely unheard of words"], []).sum() >= 3
