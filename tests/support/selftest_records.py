"""Makes records of self-tests."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from synthetic_load import load_summary
from synthetic_runs import EAGER, METHODS, answers_of, data_card, result_of

from bench.results.records import Result
from bench.results.selftest import SelfCheck, SelfTest
from bench.selftest.checks import ENGINES


def planted_turns(shares: Sequence[float], spread: float = 0.02) -> np.ndarray:
    rng = np.random.default_rng(0)
    return rng.lognormal(sigma=spread, size=(40, 2 + len(shares))) * (1 + np.array([0.0, 0.0, *shares]))


def honest_rows() -> dict[str, Result]:
    """Every planted engine's row as an honest engine's would be."""
    card = data_card()
    answers = answers_of(np.arange(card.sizes.test) % 4, 4, 0.9, seed=0)
    row = result_of(card, METHODS[1], EAGER, answers)
    return dict.fromkeys(ENGINES, row.model_copy(update={"load": {"single": load_summary("single", (95.0,))}}))


def record(*passed: bool) -> SelfTest:
    checks = tuple(SelfCheck(name=f"a|b {n}", expected="x", found="<y>", passed=ok) for n, ok in enumerate(passed))
    return SelfTest(
        harness="0.1.0",
        commit="0123456789abcdef",
        hardware_sha256="feed",
        finished_at="2026-11-21T16:00:00+00:00",
        wall_s=100.0,
        checks=checks,
    )
