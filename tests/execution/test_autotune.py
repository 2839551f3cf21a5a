"""`--autotune`: the search finds planted optima, a backend keeps one precision, a real run stores what it found."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from own_data_runs import own_data, run

from bench.execution import autotune
from bench.execution.autotune import Tuned
from bench.gates.speed_check import worker_task
from bench.plan.engines import load_engines
from bench.results.autotuned import Trial, Tuning
from bench.results.records import Status
from bench.results.store import open_run
from reports.content.speed import tuning_notes


def planted(monkeypatch: pytest.MonkeyPatch, rate: Any) -> Any:
    """A search whose trials have the rate that a function of the settings says."""

    def trial(context: Any, trained: Any, engine: Any, settings: dict[str, int], texts: int | None) -> Trial | None:
        value = rate(settings)
        return value and Trial(rate_rps=value, labels=(0,) * 8)

    monkeypatch.setattr(autotune, "_try", trial)
    context: Any = SimpleNamespace(plan=SimpleNamespace(device="cpu", threads=8))
    return autotune._search(context, None, load_engines()["onnx"], None)  # type: ignore[arg-type]


def test_the_search_climbs_to_the_best_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    def rate(settings: dict[str, int]) -> float:
        wrong = abs(settings["token_budget"] - 4096) / 4096 + abs(settings["threads"] - 2) / 8
        return 100 / (1 + wrong) + (20 if settings["length_multiple"] == 8 else 0)

    tuning = planted(monkeypatch, rate)
    assert tuning.settings == {"token_budget": 4096, "length_multiple": 8, "threads": 2}
    assert tuning.trial.rate_rps == pytest.approx(120)
    assert tuning.default_rate_rps == pytest.approx(rate({"token_budget": 1024, "length_multiple": 1, "threads": 8}))
    tried = [tuple(one.settings.values()) for one in tuning.tried]
    assert len(set(tried)) == len(tried)


def test_every_backend_of_the_space_has_an_engine_that_starts_within_it() -> None:
    for backend, options in autotune.search_space().items():
        assert backend in {engine.backend for engine in load_engines().values()}
        for name, ladder in options.items():
            assert ladder == sorted(set(ladder)), f"{backend}.{name}"


def test_small_differences_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    tuning = planted(monkeypatch, lambda settings: 100 + settings["token_budget"] / 1e6 + 3 / settings["threads"])
    assert tuning.settings == {"token_budget": 1024, "length_multiple": 1, "threads": 8}


def test_a_gain_that_is_not_there_a_second_time_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    looks: list[int] = []

    def rate(settings: dict[str, int]) -> float:
        looks.append(settings["token_budget"])
        return 100 + 30 * (settings["token_budget"] == 2048 and looks.count(2048) == 1)

    tuning = planted(monkeypatch, rate)
    assert looks[-2:] == [1024, 2048]
    assert tuning.settings == {"token_budget": 1024, "length_multiple": 1, "threads": 8}
    assert tuning.trial.rate_rps == tuning.default_rate_rps == 100


def test_settings_that_fail_are_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    tuning = planted(
        monkeypatch, lambda settings: None if settings["token_budget"] > 2048 else settings["token_budget"]
    )
    assert tuning.settings["token_budget"] == 2048
    assert any(one.rate_rps is None for one in tuning.tried)


def test_an_engine_that_fails_as_it_is_keeps_its_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    assert planted(monkeypatch, lambda settings: None) is None


def tuned(name: str, rate_rps: float, flips: int) -> Tuned:
    labels = (1,) * flips + (0,) * (200 - flips)
    tuning = Tuning(
        settings={"threads": 1}, trial=Trial(rate_rps=rate_rps, labels=labels), default_rate_rps=10, tried=()
    )
    return Tuned(load_engines()[name], 1, tuning)


def left_out(*found: Tuned) -> dict[str, str | None]:
    reference = load_engines()["eager"]
    kept = autotune._one_precision_a_backend({one.engine.name: one for one in found}, reference)
    return {name: one.left_out for name, one in kept.items()}


def test_one_precision_a_backend_is_measured() -> None:
    reasons = left_out(
        tuned("eager", 10, 0), tuned("eager-bf16", 20, 1), tuned("onnx", 15, 0), tuned("onnx-int8", 45, 2)
    )
    assert reasons["eager"] is None  # the reference
    assert reasons["eager-bf16"] is None
    assert reasons["onnx-int8"] is None
    assert reasons["onnx"] == "--autotune: onnx-int8 was 3.0 times as fast on 200 texts"


def test_a_precision_that_changes_labels_is_not_chosen() -> None:
    reasons = left_out(tuned("eager", 10, 0), tuned("onnx", 15, 0), tuned("onnx-int8", 45, 3))
    assert reasons["onnx"] is None
    assert "too many of 200 labels differ" in str(reasons["onnx-int8"])


@pytest.mark.slow
def test_a_run_finds_stores_and_takes_up_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BENCH_CACHE", str(tmp_path / "cache"))
    arguments = (
        *("--data", str(own_data(tmp_path)), "--methods", "textcnn", "--backends", "eager,onnx,onnx-int8"),
        *("--scenario", "offline", "--tier", "sample", "--autotune", "--out", str(tmp_path / "run")),
    )
    done = run(*arguments)
    assert done.returncode == 0, done.stderr
    stored = open_run(tmp_path / "run")
    rows = {result.cell.engine: result for result in stored.results}
    assert rows["eager"].tuning is not None
    skipped = [row for row in rows.values() if row.status is Status.SKIPPED]
    assert [row.reason.startswith("--autotune: ") for row in skipped if row.reason] == [True]
    for row in rows.values():
        if row.tuning is None:
            continue
        assert row.session is not None
        assert row.session.threads == row.tuning.settings["threads"]
        assert row.session.details["token_budget"] == row.tuning.settings["token_budget"]
        again = worker_task(row, stored, tmp_path)
        assert again.threads == row.tuning.settings["threads"]
        assert again.engine_spec is not None
        assert again.engine_spec.options["token_budget"] == row.tuning.settings["token_budget"]
    assert "as --autotune set it" in (tmp_path / "run" / "leaderboard.md").read_text(encoding="utf-8")
    assert len(tuning_notes(rows.values())) == 2

    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "cache" / "tuned").iterdir()}
    assert len(before) == 3
    assert run(*arguments).stdout == done.stdout
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "cache" / "tuned").iterdir()} == before


@pytest.mark.parametrize(("engine", "texts", "allowed"), [("onnx-int8", 32, 1), ("onnx-int8", 200, 2), ("onnx", 32, 1)])
def test_a_small_sample_is_rounded_in_the_engine_s_favour(engine: str, texts: int, allowed: int) -> None:
    """1 % of 32 labels is a third of one: a single other label does not rule an int8 engine out, two do."""
    expected = (0,) * texts
    for flips in range(allowed + 2):
        trial = Trial(rate_rps=1.0, labels=(1,) * flips + (0,) * (texts - flips))
        assert autotune._agrees(load_engines()[engine], trial, expected) == (flips <= allowed)
    assert autotune._agrees(load_engines()[engine], Trial(rate_rps=1.0, labels=(1,) * texts), None)
