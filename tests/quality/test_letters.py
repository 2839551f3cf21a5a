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


def test_letters_go_with_the_order_of_the_names() -> None:
    """Names told apart from the third after them on: every three in a row have a letter."""
    names = [f"name {at}" for at in range(14)]
    apart = [(names[at], names[other]) for at, other in combinations(range(14), 2) if other - at > 2]
    letters = letter_display(names, apart)
    assert letters == {
        name: "".join("abcdefghijkl"[start] for start in range(max(0, at - 2), min(at, 11) + 1))
        for at, name in enumerate(names)
    }
