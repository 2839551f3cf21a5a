"""Letters in common, and only then, for what is not told apart."""

from __future__ import annotations

from itertools import combinations

from hypothesis import given
from hypothesis import strategies as st

from bench.quality.letters import letter_display


def test_equality_is_not_handed_on() -> None:
    assert letter_display(["x", "y", "z"], [("x", "z")]) == {"x": "a", "y": "ab", "z": "b"}
    assert letter_display(["x", "y", "z"], []) == dict.fromkeys("xyz", "a")
    assert letter_display(["x", "y"], [("y", "x")]) == {"x": "a", "y": "b"}


@given(st.integers(1, 9), st.randoms())
def test_a_letter_in_common_means_not_told_apart(count: int, random: object) -> None:
    names = [str(at) for at in range(count)]
    apart = [pair for pair in combinations(names, 2) if random.random() < 0.4]
    letters = letter_display(names, apart)
    for first, second in combinations(names, 2):
        assert bool(set(letters[first]) & set(letters[second])) == ((first, second) not in apart)


def test_many_groups_keep_letters_of_their_own() -> None:
    names = [str(at) for at in range(90)]
    letters = letter_display(names, combinations(names, 2))
    assert len(set(letters.values())) == 90
    assert {len(each) for each in letters.values()} == {1}
    assert (letters["0"], letters["25"], letters["26"], letters["52"]) == ("a", "z", "A", "α")
