"""`bench advise --accuracy`: how much the row answers alone, chosen on validation and claimed on test."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from command_line import assert_one_line_error, bench
from stored_runs import store
from synthetic_automation import automation_run

from bench.results.demands import Demands
from reports.advice.advice import Advice, advise
from reports.advice.lines import lines_of

RUN = automation_run()


def advice(**demands: float) -> Advice:
    [only] = advise(RUN, Demands(**demands))
    return only


def test_the_row_that_automates_the_most_in_the_fastest_engine() -> None:
    given = advice(accuracy=0.99)
    assert given.rule == "automated"
    assert given.chosen is not None
    assert given.chosen.name == "full-finetune/onnx"
    assert given.chosen.automation is not None
    text = "\n".join(lines_of(given))
    assert f"Automates {given.chosen.automation.coverage.value:.1%}".replace("%", " %") in text
    assert "the rest to a person" in text
    assert "chosen on 1,000 validation texts, measured on 4,000 test texts" in text


def test_other_demands_count_too() -> None:
    given = advice(accuracy=0.95, rps=300)
    assert given.chosen is not None
    assert given.chosen.name == "tfidf/sklearn"
    assert advice(accuracy=0.99, rps=1e6).chosen is None


def test_an_accuracy_that_so_few_texts_cannot_show_is_not_promised() -> None:
    [given] = advise(automation_run(test=150, validation=60), Demands(accuracy=0.99))
    assert given.chosen is None
    assert "too few texts to choose a threshold by: it takes 99" in "\n".join(lines_of(given))


def test_on_the_command_line(tmp_path: Path) -> None:
    folder = store(RUN, tmp_path / "run")
    done = bench("advise", str(folder), "--accuracy", "99%", "--json")
    assert done.returncode == 0, done.stderr
    [task] = json.loads(done.stdout)["tasks"]
    assert task["deploy"] == "full-finetune/onnx"
    assert task["rows"][0]["automation"]["on_validation"]


@pytest.mark.parametrize("accuracy", ["1", "100%", "0", "1.2", "nine"])
def test_accuracies_that_nothing_can_show_are_refused(tmp_path: Path, accuracy: str) -> None:
    assert_one_line_error(bench("advise", str(tmp_path), "--accuracy", accuracy), 2)
