"""The self-test: every planted fault does what it says, every check can fail, the last result is kept and shown."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console
from selftest_records import honest_rows, planted_turns, record
from synthetic_runs import ENVIRONMENT, data_card, settings
from tiny_classifiers import linear, network, tiny_texts

from bench import registry
from bench.results.records import Status
from bench.results.selftest import last_selftest, store_selftest
from bench.selftest.checks import ENGINES, SLOWDOWNS, accuracy_checks, engine_checks, slowdown_checks
from bench.selftest.faults import FAULTS, Caches, WrappedSession
from bench.speed.warmup import repeat_speedup
from bench.types import EngineSpec, Prediction, Session, Workplace
from reports.content.provenance import provenance
from reports.pages.selftest import SelfTestPage

TEXTS = tiny_texts(200)


def open_faulty(folder: Path, **options: object) -> Session:
    spec = EngineSpec(
        name="faulty", title="faulty", backend="faulty", precision="fp32", options={"engine": "eager", **options}
    )
    backend = registry.find("backend", "faulty")
    assert backend.availability(spec, "cpu").ok
    session: Session = backend(spec, Workplace("cpu", 1, folder / "cache")).load(network(folder / "network"))
    return session


def test_an_honest_wrapper_changes_nothing(tmp_path: Path) -> None:
    session = open_faulty(tmp_path, fault="none")
    assert session.token_sha256(TEXTS) is not None
    assert np.array_equal(session.predict(TEXTS).labels, session.predict(TEXTS).labels)


@pytest.mark.parametrize(
    ("fault", "options", "equal"),
    [
        ("flips", {"share": 0.3}, (0.55, 0.85)),
        ("truncates", {"words": 1}, (0.0, 1.0)),
        ("does-nothing", {}, (0.0, 1.0)),
        ("caches", {}, (1.0, 1.0)),
        ("remembers", {"saves": 0.6, "text_s": 1e-6}, (1.0, 1.0)),
        ("slower", {"share": 0.5}, (1.0, 1.0)),
        ("stalls", {"stall_s": 0.01, "every": 2}, (1.0, 1.0)),
    ],
)
def test_a_fault_changes_the_answers_it_should(
    fault: str, options: dict[str, object], equal: tuple[float, float], tmp_path: Path
) -> None:
    honest = open_faulty(tmp_path / "honest", fault="none")
    faulty = open_faulty(tmp_path / "faulty", fault=fault, **options)
    share = float((honest.predict(TEXTS).labels == faulty.predict(TEXTS).labels).mean())
    assert equal[0] <= share <= equal[1]
    same_tokens = honest.token_sha256(TEXTS) == faulty.token_sha256(TEXTS)
    assert same_tokens == (fault != "truncates")
    assert np.allclose(faulty.predict(TEXTS).probabilities.sum(axis=1), 1.0)


def test_every_fault_is_planted_somewhere() -> None:
    planted = {str(options["fault"]) for options in ENGINES.values()} | {"slower"}
    assert planted == set(FAULTS)


class Sleeper(WrappedSession):
    """Takes long enough for a cache to show."""

    def predict(self, texts: Sequence[str]) -> Prediction:
        time.sleep(0.004)
        return super().predict(texts)


def test_a_cache_shows_in_the_time_of_the_second_reading(tmp_path: Path) -> None:
    real = registry.find("backend", "sklearn")
    spec = EngineSpec(name="sklearn", title="sklearn", backend="sklearn", precision="fp32")
    session = Sleeper(real(spec, Workplace("cpu", 1, tmp_path)).load(linear(tmp_path / "linear")))
    assert repeat_speedup(session, TEXTS)[1] < 1.5 < repeat_speedup(Caches(session), TEXTS)[1]


def test_time_saved_on_repeated_texts_shows_in_the_planned_clock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The clock moves by a step a reading, so that no busy machine is in the figure."""
    session = open_faulty(tmp_path, fault="remembers", saves=0.6, text_s=1000.0)
    clock = [0.0]

    def read() -> float:
        clock[0] += 0.01
        return clock[0]

    monkeypatch.setattr("bench.selftest.faults.time.perf_counter", read)
    started = read()
    session.predict(TEXTS[:1])
    first_s, started = read() - started, clock[0]
    session.predict(TEXTS[:1])
    assert first_s / (read() - started) == pytest.approx(2.5, rel=0.01)


# ---------------------------------------------------------------- checks that can fail


def test_the_gates_rates_are_those_stated() -> None:
    checks = list(accuracy_checks())
    assert [check.name for check in checks if not check.passed] == []
    assert len(checks) == 4


def test_slowdowns_are_found_and_a_harness_that_does_not_see_them_fails() -> None:
    assert all(check.passed for check in slowdown_checks(planted_turns(SLOWDOWNS)))
    unseen = list(slowdown_checks(planted_turns([0.0] * len(SLOWDOWNS))))
    assert [check.passed for check in unseen] == [True, True, False, False]
    crying_wolf = list(slowdown_checks(planted_turns([0.3] * len(SLOWDOWNS))))
    assert [check.passed for check in crying_wolf] == [False, False, False, True]


def test_faults_that_are_not_found_fail_the_self_test() -> None:
    checks = {check.name: check.passed for check in engine_checks(honest_rows())}
    assert checks.pop("an honest engine")
    assert set(checks.values()) == {False}
    assert len(checks) == 7


def test_an_honest_engine_called_faulty_fails_it_too() -> None:
    rows = honest_rows()
    rows["honest"] = rows["honest"].model_copy(update={"status": Status.INVALID, "reason": "from a cache"})
    assert not next(engine_checks(rows)).passed


# ---------------------------------------------------------------- the record


def test_the_last_result_is_kept_and_stands_in_the_provenance(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BENCH_CACHE", str(tmp_path))
    assert last_selftest() is None

    def line() -> str:
        environment = {**ENVIRONMENT, "selftest": last_selftest()}
        (found,) = [line for line in provenance(data_card(), settings(), environment) if line.startswith("Self-test")]
        return found

    assert line() == "Self-test: not run with this version on this machine (bench selftest)"
    store_selftest(record(True, True))
    assert line() == "Self-test: passed, 2 checks, 2026-11-21, harness 0.1.0 (git 0123456789ab)"
    store_selftest(record(True, False))
    assert line().startswith("Self-test: FAILED in 1, 2 checks")


def test_the_page_fits_a_terminal_and_escapes() -> None:
    page = SelfTestPage(record(True, False))
    assert "a&#124;b 1" in page.markdown
    assert page.to_dict()["passed"] is False
    console = Console(width=80, record=True, file=None, force_terminal=False)
    with console.capture() as captured:
        page.print(console)
    assert max(map(len, captured.get().splitlines())) <= 80
    assert "FAILED" in captured.get()
