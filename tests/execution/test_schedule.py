"""The order of a run, its estimates, and what a budget leaves out."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import click
import pytest
from tiny_models import toy_dataset

from bench.cli.parameters import Duration
from bench.execution.announcing import announce_time
from bench.execution.schedule import Budget, shown_budget, steps_of
from bench.plan.calibration import Calibration, EngineSpeed
from bench.plan.engines import load_engines
from bench.plan.estimate import REPORT_S, estimate, mean_tokens, shown_s
from bench.plan.plan import Plan, TaskPlan
from bench.plan.recipes import default_recipes, recipes_for
from bench.plan.tiers import load_tier
from bench.types import Recipe

SPEED = EngineSpeed(engine="eager", precision="fp32", single_rps=100.0, short_rps=400.0, long_rps=100.0)
CALIBRATIONS = {
    "encoder": Calibration(family="encoder", fit_tokens_per_s=5_000.0, speeds=(SPEED,)),
    "decoder": Calibration(family="decoder", speeds=(SPEED,)),
    "network": Calibration(family="network", fit_tokens_per_s=200_000.0, speeds=(SPEED,)),
}


def plan_of(tmp_path: Path, recipes: tuple[Recipe, ...], engines: tuple[str, ...] = ("eager", "sklearn")) -> Plan:
    task = TaskPlan(data=toy_dataset(), data_folder=tmp_path, tier=load_tier("sample"))
    return Plan(
        tasks=(task,),
        recipes=recipes,
        engines=tuple(load_engines()[name] for name in engines),
        engines_were_chosen=True,
        scenarios=("single", "offline"),
        models="small",
        study=None,
        seeds=1,
        limit=None,
        device="cpu",
        threads=2,
        price_per_hour=None,
        out=tmp_path / "run",
        cell_limit_s=None,
        retry=False,
        autotune=False,
    )


def recipe(name: str) -> Recipe:
    return next(one for one in recipes_for("small") if one.id == name)


def test_cheap_classifiers_come_first_and_unknown_ones_last(tmp_path: Path) -> None:
    chosen = tuple(recipe(name) for name in ("served-letters", "zero-shot", "full-finetune", "frozen-head", "tfidf"))
    steps = steps_of(plan_of(tmp_path, chosen), CALIBRATIONS)
    assert [step.recipe.id for step in steps] == [
        "tfidf",
        "frozen-head",
        "full-finetune",
        "zero-shot",
        "served-letters",
    ]
    assert steps[-1].estimate is None


def test_every_small_recipe_but_a_served_one_has_an_estimate(tmp_path: Path) -> None:
    everything = tuple(recipes_for("small"))
    for step in steps_of(plan_of(tmp_path, everything), CALIBRATIONS):
        assert (step.estimate is None) is (step.recipe.method == "served"), step.recipe.id
        assert step.estimate is None or 0 < step.expected_s < 3600


def test_without_a_calibration_only_what_needs_none_is_known(tmp_path: Path) -> None:
    steps = steps_of(plan_of(tmp_path, tuple(default_recipes("small"))), {})
    assert [step.recipe.id for step in steps if step.estimate] == ["tfidf"]


def test_longer_texts_more_engines_and_a_larger_model_take_longer(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, (recipe("full-finetune"),))
    [task] = plan.tasks
    usual = estimate(plan, task, plan.recipes[0], CALIBRATIONS)
    assert usual is not None
    texts = tuple(text * 8 for text in task.data.train.texts)
    longer = replace(task, data=replace(task.data, train=replace(task.data.train, texts=texts)))
    assert estimate(plan, longer, plan.recipes[0], CALIBRATIONS).fit_s > 1.3 * usual.fit_s
    chinese = replace(task, data=replace(task.data, language="zh"))  # e5-small has twice MiniLM's layers
    assert estimate(plan, chinese, plan.recipes[0], CALIBRATIONS).fit_s > 1.3 * usual.fit_s
    more = plan_of(tmp_path, plan.recipes, ("eager", "packed", "onnx"))
    assert set(estimate(more, task, plan.recipes[0], CALIBRATIONS).serve_s) == {"eager", "packed", "onnx"}


def test_tokens_are_counted_in_words_and_in_characters() -> None:
    assert mean_tokens(("one two three four",), 256) == pytest.approx(7.2)
    assert mean_tokens(("很好吃的一家店",), 256) == pytest.approx(2 + 7 * 0.65 + 1.3)
    assert mean_tokens(("word " * 900,), 128) == 128


def test_a_budget_keeps_the_report_and_learns(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    budget = Budget(60.0, started=100.0)
    assert budget.why_not(50.0) is None
    budget.learn(10.0, 20.0)
    assert budget.correction == 2.0
    assert budget.why_not(50.0) == "does not fit into --budget 1m: it takes about 1 min 40 s, 56 s were left"
    assert budget.why_not(20.0) is None
    assert budget.job_limit_s(600.0) == 56.0
    assert budget.job_limit_s(5.0) == 5.0
    now[0] = 161.0
    assert "0 s were left" in str(budget.why_not(0.0))
    assert budget.job_limit_s(600.0) == 1.0


def test_without_a_budget_everything_fits() -> None:
    budget = Budget()
    assert budget.why_not(1e9) is None
    assert budget.job_limit_s(7200.0) == 7200.0


@pytest.mark.parametrize(("text", "seconds"), [("90s", 90.0), ("10m", 600.0), ("1.5h", 5400.0), (" 2 m ", 120.0)])
def test_lengths_of_time(text: str, seconds: float) -> None:
    assert Duration().convert(text, None, None) == seconds


@pytest.mark.parametrize("text", ["10", "m", "0s", "-1m", "10 min", "ten"])
def test_a_length_of_time_without_its_unit_is_refused(text: str) -> None:
    with pytest.raises(click.BadParameter, match="such as 10m"):
        Duration().convert(text, None, None)


def test_times_for_people() -> None:
    assert [shown_s(seconds) for seconds in (1, 42, 100, 600, 5400, 12000)] == [
        "5 s",
        "40 s",
        "1 min 40 s",
        "10 min",
        "90 min",
        "3 h 20 min",
    ]
    assert [shown_budget(seconds) for seconds in (45.0, 90.0, 600.0, 5400.0)] == ["45s", "1.5m", "10m", "1.5h"]


def test_what_comes_before_the_run_names_rows_seconds_and_what_does_not_fit(tmp_path: Path) -> None:
    chosen = tuple(recipe(name) for name in ("tfidf", "frozen-head", "full-finetune", "served-letters"))
    plan, lines = plan_of(tmp_path, chosen), []
    console = SimpleNamespace(line=lines.append)
    steps = steps_of(plan, CALIBRATIONS)
    whole_s = sum(step.expected_s for step in steps)

    def announced(budget: Budget) -> float | None:
        lines.clear()
        return announce_time(SimpleNamespace(console=console, budget=budget, plan=plan), steps)  # type: ignore[arg-type]

    assert announced(Budget()) == pytest.approx(whole_s + REPORT_S, abs=1)
    assert lines[0] == "how long these take cannot be told: toy served-letters"
    assert lines[1].startswith("3 results in about ")
    assert "cheap ones first: toy tfidf" in lines[1]
    cheaper_s = whole_s - steps[2].expected_s
    assert announced(Budget(cheaper_s + REPORT_S + 1)) == pytest.approx(cheaper_s + REPORT_S, abs=1)
    assert lines[-1] == "no room in --budget for: toy full-finetune"
