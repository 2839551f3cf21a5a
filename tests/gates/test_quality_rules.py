"""The rule of the quality gate: what it passes, what it calls a regression, what it leaves open."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import f1_score

from bench.gates.quality_rules import MARGIN, SEED_SPREAD, Sides, judge, judge_answers, measure_spread, unchanged
from bench.quality.differences import accuracy_difference
from bench.results.verdicts import Judgement, Metric, Verdict

N = 7600
TRIALS = 150
K = 4


def drawn(loss: float, discordance: float, n: int, rng: np.random.Generator) -> Sides:
    """Two classifiers, each of which alone is wrong on its share of discordant items; the new one truly loses."""
    labels, chance = rng.integers(0, K, n), rng.random(n)
    old_wrong = chance < (discordance - loss) / 2
    new_wrong = chance > 1 - (discordance + loss) / 2
    return Sides(labels, [(labels + old_wrong) % K], [(labels + new_wrong) % K], K)


def simulate(loss: float, n: int = N, discordance: float = 0.02, rows: int = 1) -> list[Verdict]:
    rng = np.random.default_rng([n, round(1e5 * loss)])
    return [judge(drawn(loss, discordance, n, rng), judged_together=rows).verdict for _ in range(TRIALS)]


def test_no_change_is_hardly_ever_called_a_regression() -> None:
    verdicts = simulate(loss=0.0)
    assert verdicts.count(Verdict.REGRESSED) <= 0.01 * TRIALS
    assert verdicts.count(Verdict.PASS) >= 0.75 * TRIALS


@pytest.mark.parametrize("n", [32, 500, 2000, N])
def test_a_true_loss_of_the_margin_passes_in_at_most_5_percent(n: int) -> None:
    assert simulate(loss=MARGIN, n=n).count(Verdict.PASS) <= 0.05 * TRIALS


def test_a_loss_of_two_points_never_passes_on_few_items() -> None:
    assert Verdict.PASS not in simulate(loss=0.02, n=32, discordance=0.06)


def test_a_loss_of_one_point_is_found() -> None:
    assert simulate(loss=0.01).count(Verdict.REGRESSED) >= 0.95 * TRIALS


def answered(lost: int, won: int, n: int) -> Judgement:
    """Two classes that the losses are spread over alike."""
    labels = np.arange(n) % 2
    order = np.random.default_rng(0).permutation(n)
    old, new = labels.copy(), labels.copy()
    new[order[:lost]] ^= 1
    old[order[lost : lost + won]] ^= 1
    return judge_answers(labels, old, new)


@given(lost=st.integers(0, 60), won=st.integers(0, 60), n=st.integers(120, 9000))
def test_the_verdict_follows_the_rule(lost: int, won: int, n: int) -> None:
    judgement = answered(lost, won, n)
    assert (judgement.lost, judgement.won, judgement.n, judgement.margin) == (lost, won, n, MARGIN)
    accuracy = judgement.of(Metric.ACCURACY)
    assert accuracy.difference.low == pytest.approx(accuracy_difference(lost, won, n).low, abs=1e-7)
    assert accuracy.highest == pytest.approx(accuracy_difference(lost, won, n, 0.99).high, abs=1e-7)
    verdicts = [each.verdict for each in judgement.metrics]
    for each in judgement.metrics:
        passed = each.difference.low > -MARGIN
        assert (each.verdict is Verdict.PASS) == passed
        assert (each.verdict is Verdict.REGRESSED) == (not passed and each.highest < 0)
        assert each.items_needed is None or each.verdict is Verdict.INCONCLUSIVE
        assert each.seeds_needed is None
    expected = next(each for each in (Verdict.REGRESSED, Verdict.INCONCLUSIVE, Verdict.PASS) if each in verdicts)
    assert judgement.verdict is expected


@pytest.mark.parametrize(
    ("lost", "won", "n", "settled"),
    [
        (65, 41, N, Verdict.REGRESSED),
        (0, 0, 400, Verdict.PASS),
        (13, 12, 1000, Verdict.PASS),
        (3, 0, 700, Verdict.REGRESSED),
    ],
)
def test_the_items_needed_settle_it_and_fewer_do_not(lost: int, won: int, n: int, settled: Verdict) -> None:
    needed = answered(lost, won, n).of(Metric.ACCURACY).items_needed
    assert needed
    assert needed > n
    for size, expected in ((needed, settled), (needed - 1, Verdict.INCONCLUSIVE)):
        low = accuracy_difference(lost * size / n, won * size / n, size).low
        high = accuracy_difference(lost * size / n, won * size / n, size, 0.99).high
        verdict = Verdict.PASS if low > -MARGIN else Verdict.REGRESSED if high < 0 else Verdict.INCONCLUSIVE
        assert verdict is expected


def test_five_right_answers_that_are_wrong_now_do_not_pass() -> None:
    labels = np.array([0, 1, 0, 1, 0])
    judgement = judge_answers(labels, labels, 1 - labels)
    assert judgement.verdict is not Verdict.PASS
    assert judgement.of(Metric.ACCURACY).difference.high < -0.1
    many = np.arange(20) % 2
    assert judge_answers(many, many, 1 - many).verdict is Verdict.REGRESSED


def test_ten_equal_answers_of_another_classifier_settle_nothing() -> None:
    labels = np.arange(10) % 2
    judgement = judge_answers(labels, labels, labels)
    assert judgement.verdict is Verdict.INCONCLUSIVE
    assert judgement.of(Metric.ACCURACY).difference.low == pytest.approx(-0.2775, abs=1e-4)
    assert unchanged(10).verdict is Verdict.PASS


def test_macro_f1_is_judged_where_accuracy_stays() -> None:
    """Always one class: 80 of 100 right before and now."""
    labels = np.repeat([0, 1], [800, 200])
    old = np.concatenate([np.repeat([0, 1], [640, 160]), np.repeat([1, 0], [160, 40])])
    new = np.zeros(1000, int)
    judgement = judge_answers(labels, old, new)
    assert judgement.of(Metric.ACCURACY).difference.value == 0
    expected = f1_score(labels, new, average="macro") - f1_score(labels, old, average="macro")
    assert judgement.of(Metric.MACRO_F1).difference.value == pytest.approx(expected)
    assert judgement.verdict is Verdict.REGRESSED


def test_a_loss_below_a_wide_margin_passes_and_the_margin_does_not_grow() -> None:
    sides = drawn(0.004, 0.02, N, np.random.default_rng(7))
    assert judge(sides, margin=0.02).verdict is Verdict.PASS
    assert judge(sides, margin=0.005).verdict is not Verdict.PASS
    few = drawn(0.0, 0.3, 60, np.random.default_rng(8))
    assert judge(few).margin == MARGIN


def test_more_rows_ask_for_more_evidence() -> None:
    sides = drawn(0.0062, 0.02, N, np.random.default_rng(9))
    alone, among_many = judge(sides), judge(sides, judged_together=50)
    assert alone.of(Metric.ACCURACY).highest < among_many.of(Metric.ACCURACY).highest
    assert alone.of(Metric.ACCURACY).difference == among_many.of(Metric.ACCURACY).difference


# ---------------------------------------------------------------- trained again


def trained(seeds: int, spread: float, shift: float, rng: np.random.Generator, n: int = 2000) -> Sides:
    """So many trainings a side whose accuracies differ by `spread`; the new ones are `shift` higher on average."""
    labels = rng.integers(0, K, n)

    def one(accuracy: float) -> np.ndarray:
        return np.where(rng.random(n) < accuracy + rng.normal(0, spread), labels, (labels + 1) % K)

    return Sides(labels, [one(0.9) for _ in range(seeds)], [one(0.9 + shift) for _ in range(seeds)], K)


def judged(sides: Sides) -> Judgement:
    return judge(sides, spread=measure_spread(sides))


@pytest.mark.parametrize("seeds", [1, 3, 5])
def test_the_luck_of_a_training_is_no_regression(seeds: int) -> None:
    rng = np.random.default_rng(seeds)
    verdicts = [judged(trained(seeds, 0.01, 0.0, rng)).verdict for _ in range(40)]
    assert verdicts.count(Verdict.REGRESSED) <= 1
    rng = np.random.default_rng(seeds)
    alone = [judge(trained(seeds, 0.01, 0.0, rng)).verdict for _ in range(40)]
    assert alone.count(Verdict.REGRESSED) > verdicts.count(Verdict.REGRESSED)


def test_five_seeds_find_a_method_that_lost_five_points() -> None:
    rng = np.random.default_rng(11)
    verdicts = [judged(trained(5, 0.005, -0.05, rng)).verdict for _ in range(40)]
    assert verdicts.count(Verdict.REGRESSED) >= 38


def test_the_spread_is_measured_from_three_seeds_on() -> None:
    rng = np.random.default_rng(12)
    few, many = measure_spread(trained(2, 0.02, 0.0, rng)), measure_spread(trained(30, 0.02, 0.0, rng))
    assert (few.measured, few.seeds, few.accuracy, few.macro_f1) == (False, 2, SEED_SPREAD, SEED_SPREAD)
    assert (many.measured, many.seeds) == (True, 30)
    assert many.accuracy == pytest.approx(0.02, rel=0.3)
    assert many.macro_f1 == pytest.approx(0.02, rel=0.3)


def test_the_seeds_needed_are_told() -> None:
    judgement = judged(trained(3, 0.01, 0.0, np.random.default_rng(13), n=60_000))
    assert judgement.verdict is Verdict.INCONCLUSIVE
    needed = [each.seeds_needed for each in judgement.metrics if each.verdict is Verdict.INCONCLUSIVE]
    assert all(each is None or each > 3 for each in needed)
    assert any(needed)
