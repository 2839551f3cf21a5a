"""A plan divided among shards: nothing lost or doubled, balanced, the same everywhere, dependencies kept."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.errors import UsageError
from bench.plan.shards import Shard, divide, parse_shard
from bench.plan.work import Item, Needs


def items_of(classifiers: list[tuple[float, list[float]]]) -> list[Item]:
    needs = Needs(device="cpu", memory_gb=None, whole_machine=True)
    made = []
    for at, (fit_s, cells_s) in enumerate(classifiers):
        named = {"task": "t", "recipe": f"r{at}", "seed": 0, "needs": needs}
        made.append(Item(kind="training", key=f"{at}", engine=None, after=(), expected_s=fit_s, **named))
        for engine, cell_s in enumerate(cells_s):
            key = f"{at}.{engine}"
            made.append(Item(kind="cell", key=key, engine=f"e{engine}", after=(f"{at}",), expected_s=cell_s, **named))
    return made


SECONDS = st.floats(0.1, 1000.0)


@given(
    st.lists(st.tuples(SECONDS, st.lists(SECONDS, min_size=1, max_size=6)), min_size=1, max_size=12), st.integers(1, 9)
)
def test_every_training_and_cell_is_in_one_shard(classifiers: list[tuple[float, list[float]]], count: int) -> None:
    items = items_of(classifiers)
    parts = divide(items, count)
    assert parts == divide(items, count)
    cells = [(piece.classifier[1], engine) for part in parts for piece in part for engine in piece.engines]
    assert sorted(cells) == sorted((item.recipe, item.engine) for item in items if item.engine)
    trained = [piece.classifier[1] for part in parts for piece in part if piece.first]
    assert sorted(trained) == sorted({item.recipe for item in items})
    loads_s = [sum(piece.expected_s for piece in part) for part in parts]
    total_s = sum(item.expected_s or 0.0 for item in items)
    assert sum(loads_s) == pytest.approx(total_s)
    longest_s = max(piece.expected_s for part in parts for piece in part)
    assert max(loads_s) <= 2 * (total_s / count + longest_s) + 1e-6, "longest first is never worse than that"


def test_one_long_classifier_is_cut_and_trained_by_one_shard() -> None:
    parts = divide(items_of([(10.0, [10.0] * 7)]), 4)
    assert sorted(sum(piece.expected_s for piece in part) for part in parts) == [10.0, 20.0, 20.0, 30.0]
    assert sum(piece.first for part in parts for piece in part) == 1


def test_what_others_wait_for_comes_first_and_what_waits_comes_last() -> None:
    for part in divide(items_of([(10.0, [10.0] * 7), (1.0, [2.0]), (3.0, [1.0]), (2.0, [4.0])]), 2):
        waits = [not piece.first for piece in part]
        assert waits == sorted(waits)


def test_a_shard_is_written_as_one_of_many() -> None:
    assert parse_shard("3/16") == Shard(3, 16)
    for wrong in ("0/4", "5/4", "3", "3/0", "a/b", "-1/4", "3/16/2"):
        with pytest.raises(UsageError, match="1/16 to 16/16"):
            parse_shard(wrong)
