"""Defaults by the machine: the rule, and where its figures are kept."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.plan import calibration
from bench.plan.calibration import (
    Calibration,
    EngineSpeed,
    calibration_path,
    choose_defaults,
    describe,
    families_of,
    family_of,
    read_calibration,
    store_calibration,
)
from bench.plan.engines import default_engines
from bench.types import Recipe


def speed(engine: str, *rates: float) -> EngineSpeed:
    precision = next((name for name in ("bf16", "int8") if engine.endswith(name)), "fp32")
    single, short, long = rates
    return EngineSpeed(engine=engine, precision=precision, single_rps=single, short_rps=short, long_rps=long)


def of(*speeds: EngineSpeed) -> Calibration:
    return Calibration(family="encoder", speeds=speeds)


EAGER = speed("eager", 30, 100, 40)


def test_the_fastest_of_those_slower_than_eager_at_no_end() -> None:
    found = of(EAGER, speed("packed", 60, 95, 50), speed("onnx", 50, 130, 55), speed("onnx-int8", 90, 300, 120))
    assert choose_defaults(found, few=True) == ("eager", "onnx")
    assert choose_defaults(found, few=False) == ("eager", "onnx", "onnx-int8")


@pytest.mark.parametrize("slow_end", [0, 1, 2])
def test_one_slow_end_is_enough_to_be_left_out(slow_end: int) -> None:
    rates = [300.0, 1000.0, 400.0]
    rates[slow_end] = [29.0, 99.0, 39.0][slow_end]
    assert choose_defaults(of(EAGER, speed("packed", *rates)), few=False) == ("eager",)


def test_a_gain_within_the_noise_is_none() -> None:
    assert choose_defaults(of(EAGER, speed("packed", 30.3, 101, 40.4)), few=False) == ("eager",)


def test_int8_that_is_no_faster_than_the_exact_one_is_no_default() -> None:
    found = of(EAGER, speed("packed-bf16", 90, 300, 120), speed("onnx-int8", 60, 200, 80))
    assert choose_defaults(found, few=False) == ("eager", "packed-bf16")


def test_an_engine_that_failed_says_why_and_is_no_default() -> None:
    failed = EngineSpeed(engine="packed", precision="fp32", reason="crash: illegal instruction")
    found = of(EAGER, failed, speed("onnx", 50, 130, 55))
    chosen = choose_defaults(found, few=False)
    assert chosen == ("eager", "onnx")
    line = describe(found, chosen)
    assert "onnx (1.7x one by one, 1.3x to 1.4x at once)" in line
    assert "packed (crash: illegal instruction)" in line


def test_without_eager_nothing_can_be_compared() -> None:
    failed = EngineSpeed(engine="eager", precision="fp32", reason="out of memory")
    assert choose_defaults(of(failed, speed("onnx", 50, 130, 55)), few=False) == ("eager",)


def test_figures_come_back_and_belong_to_the_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = of(EAGER)
    store_calibration(tmp_path, found, "cpu", 2)
    assert read_calibration(tmp_path, "encoder", "cpu", 2) == found
    assert read_calibration(tmp_path, "encoder", "cpu", 1).speeds == ()
    assert read_calibration(tmp_path, "decoder", "cpu", 2).speeds == ()
    monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", "SSE41")
    assert read_calibration(tmp_path, "encoder", "cpu", 2).speeds == ()
    monkeypatch.delenv("ONEDNN_MAX_CPU_ISA")
    monkeypatch.setattr(calibration, "package_versions", lambda: {"torch": "9.9"})
    assert read_calibration(tmp_path, "encoder", "cpu", 2).speeds == ()
    monkeypatch.undo()
    calibration_path(tmp_path, "encoder", "cpu", 2).write_text("{", encoding="utf-8")
    assert read_calibration(tmp_path, "encoder", "cpu", 2).speeds == ()


def test_every_default_recipe_has_its_family() -> None:
    def recipe(method: str, role: str | None = None, base: str | None = None) -> Recipe:
        return Recipe(id="x", title="x", method=method, role=role, base_model=base)

    assert families_of(recipe("tfidf")) == ()
    assert families_of(recipe("network")) == ("network",)
    assert families_of(recipe("lora", role="encoder")) == ("encoder",)
    assert families_of(recipe("zero-shot", role="causal")) == ("decoder",)
    assert families_of(recipe("full-finetune", base="./mine")) == ("encoder",)
    assert family_of("sequence", recipe("lora", role="encoder")) == "encoder"
    assert family_of("sequence", recipe("lora", role="causal")) == "decoder"
    assert family_of("options", recipe("zero-shot", role="causal")) == "decoder"
    assert family_of("linear", recipe("tfidf")) is None


def test_the_list_marks_what_calibrations_have_chosen_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(calibration.OFF, "on")
    assert calibration.known_defaults(tmp_path, "cpu", 2) == default_engines("cpu")
    store_calibration(tmp_path, of(EAGER, speed("onnx", 50, 130, 55)), "cpu", 2)
    assert set(calibration.known_defaults(tmp_path, "cpu", 2)) == {"eager", "onnx", "sklearn"}
    monkeypatch.setenv(calibration.OFF, "off")
    assert calibration.known_defaults(tmp_path, "cpu", 2) == default_engines("cpu")
