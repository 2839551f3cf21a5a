"""Published figures: facts that fit the recipes, beside our rows, marked, and never beside a built-in sample."""

from __future__ import annotations

import re

import pytest
import synthetic_published as synthetic
import synthetic_runs
from printed_reports import printed, table

from bench.data.suites import load_suite
from bench.plan.recipes import recipes_for
from bench.results.published import published_figures, published_points
from bench.types import Source
from reports.content.results import tasks_of
from reports.leaderboard import render_leaderboard
from reports.tables.published import published_tables

AGNEWS = render_leaderboard(synthetic.agnews_run())
IMDB = render_leaderboard(synthetic.imdb_run())
SST2 = render_leaderboard(synthetic.sst2_run())


def test_every_figure_belongs_to_a_suite_and_to_the_recipe_of_its_row() -> None:
    rows = {recipe.id: recipe.row for recipe in recipes_for("published", None)}
    for fact in (*published_figures(), *published_points()):
        assert load_suite(fact.suite)
        assert rows[fact.recipe] == fact.row
        assert fact.source


def test_every_figure_is_a_number_or_a_share_of_one() -> None:
    for figure in published_figures():
        assert re.fullmatch(r"~?\d+(\.\d+)?(%|MB)?", figure.value), figure
    for point in published_points():
        assert 0.9 < point.f1 < 0.95
        assert point.training_loss


def test_the_curves_end_where_the_tables_begin() -> None:
    """The best F1 of each published curve is the figure of the accuracy table."""
    best = {figure.recipe: float(figure.value) for figure in published_figures() if figure.metric == "f1_best_on_test"}
    for recipe, value in best.items():
        assert max(point.f1 for point in published_points() if point.recipe == recipe) == value


def test_imdb_has_its_twenty_one_rows_best_first_and_ours_where_we_ran() -> None:
    rows = table(IMDB, "Accuracy beside the published")
    assert len(rows) == 21
    values = [float(row["published accuracy"]) for row in rows]
    assert values == sorted(values, reverse=True)
    ours = {row["published as"]: row for row in rows if row["classifier here"] != "not in this run"}
    assert set(ours) == {"lstm", "deberta_lora_base"}
    assert "stand-in: all-MiniLM-L6-v2 for deberta-v3-base" in ours["deberta_lora_base"]["what differs"]
    assert ours["lstm"]["what differs"] == "nothing in model and data"


def test_published_rates_stand_with_model_and_hardware_and_are_not_ranked() -> None:
    row = next(row for row in table(AGNEWS, "RPS") if row["classifier"] == "full-finetune")
    assert row["published"] == "60.3 req/s (bert-base-cased, RTX 3090 24G)"
    rankings = AGNEWS.markdown.split("### Ranking")[1].split("###")[0]
    assert "60.3" not in rankings
    assert "never ranked with ours" in AGNEWS.markdown


def test_thinking_is_compared_with_answering_at_once() -> None:
    direct, thinking = table(AGNEWS, "Zero-shot, thinking")
    assert (direct["thinks"], thinking["thinks"]) == ("no", "yes")
    assert thinking["published accuracy"].startswith("0.7997")
    seconds = synthetic.agnews_run().results[3].predict_s
    assert thinking["a text"] == f"{(seconds or 0) / 600:.3f} s"


def test_published_curves_follow_ours() -> None:
    assert len(table(AGNEWS, "Published training curve: bert-base-cased")) == 19
    assert len(table(AGNEWS, "Published training curve: Qwen3-0.6B")) == 5


def test_sample_sizes_and_first_texts_say_that_the_split_is_another() -> None:
    sizes = {row["training texts"]: row["published accuracy"] for row in table(SST2, "How many training texts")}
    assert sizes["4096"] == "91.33 % (deberta-v3-base, hardware not stated)"
    first = table(SST2, "Accuracy on the first test texts")
    assert [row["first 512"] for row in first][1] == "90.63 %"
    assert "published on sst2/cut-from-train, other test texts than those of sst2" in SST2.markdown


def test_methods_stand_beside_their_published_share_and_size() -> None:
    rows = {row["classifier"]: row for row in table(render_leaderboard(synthetic.weibo_run()), "Methods")}
    assert rows["adapter"]["published to keep"].startswith("\\~50MB")
    assert rows["adapter"]["trainable"] == "3.5 %"


def test_a_sample_shows_nothing_published() -> None:
    run = synthetic.imdb_run()
    source = Source(kind="sample", name="x")
    results = [row.model_copy(update={"data": row.data.model_copy(update={"source": source})}) for row in run.results]
    page = render_leaderboard(synthetic_runs.stored_run(results, dict(run.answers))).markdown
    assert "published accuracy" not in page
    assert "deberta_lora_base" not in page


def test_a_run_without_a_published_system_has_no_such_table() -> None:
    [task] = tasks_of(synthetic_runs.full_run())
    groups = tuple(group for group in task.groups if group.recipe in ("tfidf", "lora"))
    assert published_tables(synthetic_runs.replace(task, groups=groups)) == []


@pytest.mark.parametrize("leaderboard", [AGNEWS, IMDB, SST2])
def test_the_pages_keep_to_a_narrow_terminal(leaderboard: object) -> None:
    from rich.cells import cell_len

    assert max(map(cell_len, printed(leaderboard, 80).split("\n"))) <= 80
