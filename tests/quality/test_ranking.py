"""Ranks test what sorts, between classifiers, on the texts they have in common."""

from __future__ import annotations

import numpy as np
import pytest
from answers import answers_of, noisy_answers
from hypothesis import given
from hypothesis import strategies as st

from bench.quality.randomisation import Paired, randomisation_test
from bench.quality.ranking import pair_up, paired_difference, rank, smallest_detectable_difference
from bench.quality.scores import macro_scores
from bench.quality.stats import holm, mcnemar
from bench.results.records import Answers


def labels(n: int = 2000) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 4, n)


def rows(*accuracies: float) -> dict[str, Answers]:
    rng = np.random.default_rng(1)
    return {f"row{n}": noisy_answers(rng, labels(), 4, accuracy) for n, accuracy in enumerate(accuracies)}


def test_far_apart_rows_have_their_own_ranks() -> None:
    ranking = rank(rows(0.5, 0.95, 0.75), 4)
    assert ranking.rows == ("row1", "row2", "row0")
    assert dict(ranking.ranks) == dict(ranking.last_ranks) == {"row1": 1, "row2": 2, "row0": 3}
    assert dict(ranking.letters) == {"row1": "a", "row2": "b", "row0": "c"}
    assert ranking.better("row1", "row0")
    assert not ranking.better("row0", "row1")


def test_equal_rows_share_their_places() -> None:
    truth = labels()
    good, bad = truth.copy(), truth.copy()
    bad[:1000] = (bad[:1000] + 1) % 4
    ranking = rank(
        {"a": answers_of(truth, good, 4), "b": answers_of(truth, good, 4), "c": answers_of(truth, bad, 4)}, 4
    )
    assert dict(ranking.ranks) == {"a": 1, "b": 1, "c": 3}
    assert dict(ranking.last_ranks) == {"a": 2, "b": 2, "c": 3}
    assert not ranking.apart("a", "b")


def test_being_told_apart_is_not_handed_on() -> None:
    """The middle row is like both others, which are not alike: a, ab, b and the ranks 1-2, 1-3, 2-3."""
    truth = np.zeros(400, dtype=np.int64)
    truth[200:] = 1

    def wrong_in(count: int) -> Answers:
        predicted = truth.copy()
        predicted[:count] = 1 - predicted[:count]
        return answers_of(truth, predicted, 2)

    ranking = rank({"best": wrong_in(0), "middle": wrong_in(6), "worst": wrong_in(12)}, 2)
    assert dict(ranking.letters) == {"best": "a", "middle": "ab", "worst": "b"}
    assert dict(ranking.ranks) == {"best": 1, "middle": 1, "worst": 2}
    assert dict(ranking.last_ranks) == {"best": 2, "middle": 3, "worst": 3}


def test_the_test_is_of_what_sorts_and_says_who_is_better() -> None:
    """A is right alone on 47 texts of the rare class, B on 85 of the frequent one: macro F1 and accuracy disagree."""
    truth = np.repeat([0, 1], [1900, 100])
    first, second = truth.copy(), truth.copy()
    first[:85] = 1
    second[1900:1947] = 0
    ranking = rank({"A": answers_of(truth, first, 2), "B": answers_of(truth, second, 2)}, 2)
    [comparison] = ranking.comparisons
    f1 = {name: macro_scores(truth, each, 2).f1 for name, each in (("A", first), ("B", second))}
    better = max(f1, key=lambda name: f1[name])
    assert comparison.ahead == better == ranking.rows[0]
    assert comparison.difference.value == pytest.approx(abs(f1["A"] - f1["B"]), abs=1e-6)
    assert comparison.accuracy_p == pytest.approx(mcnemar(47, 85))
    expected = randomisation_test(Paired(truth, first, second), 2).p
    assert comparison.p == pytest.approx(expected, rel=0.3)
    assert abs(np.log10(comparison.accuracy_p / comparison.p)) > 0.3


@given(seed=st.integers(0, 2**12), accuracies=st.lists(st.floats(0.3, 0.99), min_size=2, max_size=5))
def test_p_values_are_holms_over_the_pairs(seed: int, accuracies: list[float]) -> None:
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, 3, 100)
    ranking = rank({str(n): noisy_answers(rng, truth, 3, accuracy) for n, accuracy in enumerate(accuracies)}, 3)
    pairs = len(accuracies) * (len(accuracies) - 1) // 2
    assert len(ranking.comparisons) == pairs
    assert [each.p_adjusted for each in ranking.comparisons] == pytest.approx(
        holm([each.p for each in ranking.comparisons])
    )
    for each in ranking.comparisons:
        assert ranking.apart(each.ahead, each.behind) == (each.p_adjusted < 0.05)
        assert each.difference.value >= 0


def test_ranks_go_by_the_adjusted_p() -> None:
    """Raw p below 0.05 in one of ten pairs is no difference."""
    truth = np.zeros(300, dtype=np.int64)
    truth[150:] = 1

    def wrong_at(*places: int) -> Answers:
        predicted = truth.copy()
        predicted[list(places)] = 1 - predicted[list(places)]
        return answers_of(truth, predicted, 2)

    five = {str(at): wrong_at(*range(200, 203 + at)) for at in range(4)} | {
        "far": wrong_at(*range(200, 206), 50, 51, 52)
    }
    ranking = rank(five, 2)
    raw = [each for each in ranking.comparisons if each.p < 0.05]
    assert raw
    assert all(each.p_adjusted >= 0.05 for each in raw)
    assert set(ranking.ranks.values()) == {1}
    assert set(ranking.letters.values()) == {"a"}


def test_engines_of_one_classifier_are_no_hypotheses() -> None:
    """Ten more engines of each classifier change neither p nor the smallest difference."""
    two = rows(0.90, 0.87)
    alone = rank(two, 4)
    many = {f"{name}.{engine}": answers for name, answers in two.items() for engine in range(10)}
    ranking = rank(many, 4, {name: f"{name.split('.')[0]}.0" for name in many})
    assert len(ranking.comparisons) == 1
    assert ranking.p_value("row0.3", "row1.7") == pytest.approx(alone.p_value("row0", "row1"))
    assert ranking.smallest_difference == alone.smallest_difference
    assert ranking.p_value("row0.1", "row0.2") == 1.0
    assert {ranking.letters[f"row0.{engine}"] for engine in range(10)} == {alone.letters["row0"]}
    assert set(ranking.ranks.values()) == {1, 2}


def test_an_engine_that_changes_answers_is_a_classifier_of_its_own() -> None:
    truth = labels()
    good, changed = truth.copy(), truth.copy()
    changed[:200] = (changed[:200] + 1) % 4
    answers = {"eager": answers_of(truth, good, 4), "int8": answers_of(truth, changed, 4)}
    ranking = rank(answers, 4, {"eager": "eager", "int8": "int8"})
    assert ranking.better("eager", "int8")
    assert ranking.ranks["int8"] == 2


def test_rows_on_subsets_are_compared_on_what_both_answered() -> None:
    truth = labels()
    few = np.arange(0, 2000, 5)
    whole = answers_of(truth, truth.copy(), 4)
    part = answers_of(truth[few], truth[few].copy(), 4, ids=few)
    ranking = rank({"whole": whole, "part": part}, 4)
    assert set(ranking.ranks.values()) == {1}
    assert ranking.comparisons[0].n == 400


def test_easy_texts_alone_do_not_make_a_row_better() -> None:
    """A row that answered only the texts that all have right is not first for it."""
    truth = labels(400)
    wrong = truth.copy()
    wrong[200:] = (wrong[200:] + 1) % 4
    easy = np.arange(200)
    worse = truth[easy].copy()
    worse[:5] = (worse[:5] + 1) % 4
    ranking = rank({"part": answers_of(truth[easy], worse, 4, ids=easy), "whole": answers_of(truth, wrong, 4)}, 4)
    assert ranking.rows == ("whole", "part")
    assert ranking.comparisons[0].n == 200


def test_a_first_table_does_not_make_734_586_and_371_equal() -> None:
    """The sample suite's three: 120, 120 and 32 texts."""
    truth = np.random.default_rng(2).integers(0, 4, 120)

    def right_on(share: float, n: int) -> Answers:
        spread = (np.arange(n) * (share + 0.618)) % 1  # evenly, so that the first 32 have their share
        predicted = np.where(spread < share, truth[:n], (truth[:n] + 1) % 4)
        return answers_of(truth[:n], predicted, 4, ids=np.arange(n))

    ranking = rank({"tfidf": right_on(0.734, 120), "textcnn": right_on(0.586, 120), "zero": right_on(0.371, 32)}, 4)
    assert ranking.rows == ("tfidf", "textcnn", "zero")
    assert ranking.better("tfidf", "zero")
    assert ranking.last_ranks["tfidf"] < ranking.last_ranks["zero"]
    assert ranking.comparison("tfidf", "zero").n == 32


def test_rows_without_common_items_are_not_told_apart() -> None:
    truth = labels(100)
    first = answers_of(truth, truth.copy(), 4)
    second = answers_of(truth, (truth + 1) % 4, 4, ids=np.arange(100, 200))
    ranking = rank({"first": first, "second": second}, 4)
    assert set(ranking.ranks.values()) == {1}
    assert ranking.comparisons[0].n == 0
    assert ranking.smallest_difference is None


def test_the_difference_is_paired_and_signed() -> None:
    rng = np.random.default_rng(5)
    truth = labels()
    first = noisy_answers(rng, truth, 4, 0.9)
    worse = first.prediction.labels.copy()
    worse[:60] = (truth[:60] + 1) % 4
    second = answers_of(truth, worse, 4)
    difference = paired_difference(first, second, 4)
    assert 0 < difference.low < difference.value < difference.high
    mirrored = paired_difference(second, first, 4)
    assert mirrored.value == pytest.approx(-difference.value)
    same = paired_difference(first, first, 4)
    assert same.low < same.value == 0 < same.high  # 2,000 equal answers do not exclude a small difference


def test_the_smallest_difference_is_the_median_over_pairs_at_the_corrected_level() -> None:
    answers = rows(0.95, 0.8, 0.6, 0.5)
    ranking = rank(answers, 4)
    each = [
        smallest_detectable_difference(randomisation_test(pair_up(one, other), 4), pair_up(one, other), 4, pairs=6)
        for at, one in enumerate(answers.values())
        for other in list(answers.values())[at + 1 :]
    ]
    assert ranking.smallest_difference == pytest.approx(np.median(each))
    assert min(each) < ranking.smallest_difference < max(each)


def test_the_smallest_difference_grows_with_the_table_and_is_never_zero() -> None:
    truth = labels()
    same = Paired(truth, truth, truth)
    alone, among_36 = (
        smallest_detectable_difference(randomisation_test(same, 4), same, 4, pairs) for pairs in (1, 630)
    )
    assert alone == pytest.approx((1.96 + 0.8416) / 2000, rel=0.01)  # one discordant item's worth
    assert among_36 / alone == pytest.approx((3.945 + 0.8416) / (1.96 + 0.8416), rel=0.01)


def test_a_single_row_is_first() -> None:
    ranking = rank(rows(0.9), 4)
    assert dict(ranking.ranks) == {"row0": 1}
    assert ranking.comparisons == ()
    assert ranking.smallest_difference is None


def test_many_classes_fit_in_memory() -> None:
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 150, 3000)
    ranking = rank({name: noisy_answers(rng, truth, 150, a) for name, a in (("a", 0.9), ("b", 0.5))}, 150)
    assert dict(ranking.ranks) == {"a": 1, "b": 2}


def test_answers_that_name_no_class_are_wrong_and_break_nothing() -> None:
    truth = labels(400)
    silent = truth.copy()
    silent[:200] = -1
    ranking = rank({"good": answers_of(truth, truth, 4), "silent": answers_of(truth, silent, 4)}, 4)
    assert ranking.rows == ("good", "silent")
    assert ranking.apart("good", "silent")
    difference = paired_difference(answers_of(truth, truth, 4), answers_of(truth, silent, 4), 4)
    assert difference.low <= difference.value <= difference.high
    assert difference.value > 0.3


def test_a_difference_of_too_few_texts_a_class_has_no_interval() -> None:
    truth = np.arange(20).repeat(3)
    one, other = answers_of(truth, truth, 20), answers_of(truth, np.roll(truth, 1), 20)
    difference = paired_difference(one, other, 20)
    assert (difference.low, difference.high, difference.items_needed) == (-1.0, 1.0, 80)
    assert rank({"one": one, "other": other}, 20).comparisons[0].difference.items_needed == 80
